// What cannot be exported is refused with its name, and nothing is written.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include <jot/jot.h>

using namespace jot;

namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path = fs::temp_directory_path() / ("jot-refusals-" + std::to_string(::getpid()));
  Folder() { fs::create_directory(path); }
  ~Folder() { fs::remove_all(path); }
  std::string file(const char* name) const { return path / name; }
  bool empty() const { return fs::is_empty(path); }
};

template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "none";
}

void check_has(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts) CHECK_MESSAGE(text.find(part) != std::string::npos, part, " in ", text);
}

auto simple() {
  return compile([](const Tensor& x) { return sin(x); }, spec({3}, f64));
}

}  // namespace

TEST_CASE("export: files that cannot be written") {
  const auto exe = simple();
  check_has(error_of([&] { exe.export_object("/no/such/folder/f"); }),
            {"[export_object]", "/no/such/folder/f.o", "cannot be written"});
  check_has(error_of([&] { exe.export_library("/no/such/folder/libf.so"); }),
            {"[export_library]", "libf.so", "refusals_test.cpp"});
}

TEST_CASE("export: names") {
  const Folder folder;
  const auto exe = simple();
  for (const char* bad : {"a b", "3x", "int", "inline", "restrict", "NULL", "size_t", "sin", "x-y", "", "ü"}) {
    CAPTURE(bad);
    const std::string where = folder.file(*bad ? "f" : "9");
    check_has(error_of([&] { exe.export_object(where, {.name = bad}); }),
              {"[export_object]", "the name of the function", "an identifier of C"});
  }
  check_has(error_of([&] {
              exe.export_object(folder.file("f"), {.inputs = {"a", "b"}});
            }),
            {"2 names of inputs", "expected 1"});
  exe.export_object(folder.file("g"), {.inputs = {"y0"}});  // names of arguments stand in comments alone
  std::filesystem::remove(folder.file("g.o")), std::filesystem::remove(folder.file("g.h"));
  check_has(error_of([&] { exe.export_object(folder.file("f"), {.outputs = {"while"}}); }),
            {"\"while\"", "the name of an output"});
  auto two = compile([](const Tensor& x, const Tensor& y) { return x + y; }, spec({2}, f64), spec({2}, f64));
  check_has(error_of([&] { two.export_object(folder.file("f"), {.inputs = {"a", "a"}}); }), {"two inputs of one name"});
  CHECK(folder.empty());
}

TEST_CASE("export: ops without a kernel are named with their lines") {
  const Folder folder;
  auto refused = [&](const auto& exe, std::initializer_list<const char*> parts) {
    check_has(error_of([&] { exe.export_object(folder.file("f")); }), parts);
  };
  refused(compile([](const Tensor& x) { return special::zeta(x, 2.0); }, spec({3}, f64)),
          {"[export_object] ", "zeta", "refusals_test.cpp"});
  refused(compile([](const Tensor& x) { return special::bessel_j0(x); }, spec({}, f32)), {"bessel_j0"});
  refused(compile([](const Tensor& x) { return linalg::eigvalsh(x); }, spec({40, 40}, f64)),
          {"eigh", "refusals_test.cpp"});
  refused(compile([](const Tensor& x) { return matmul(x, x); }, spec({200, 200}, f64)), {"dot", "calls a library"});
  refused(compile([](const Tensor& x) { return x + rand({3}, f64); }, spec({3}, f64)), {"random"});
  CHECK(folder.empty());
}

TEST_CASE("export: CasADi's interface is of doubles and returns what it makes") {
  const Folder folder;
  auto refused = [&](const auto& exe, std::initializer_list<const char*> parts) {
    check_has(error_of([&] { exe.export_library(folder.file("libf.so"), {.abi = Abi::casadi}); }), parts);
  };
  refused(compile([](const Tensor& x) { return sin(x); }, spec({3}, f32)),
          {"[export_library] f: ", "f32[3]", "doubles"});
  refused(compile([](const Tensor& x) { return x > 0; }, spec({3}, f64)), {"out0", "bool[3]"});
  refused(compile([](Tensor x) { return x.mul_(2); }, spec({3}, f64)), {"writes to an argument"});
  CHECK(folder.empty());
}
