// Compiled functions in files, the files of the cache on disk, and specs.
#include <doctest/doctest.h>
#include <jot/jot.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "core/cache/disk_cache.h"
#include "core/cache/stored_graph.h"
#include "ir/digest.h"

using namespace jot;

namespace {

// A folder of the test's own.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "jot-test-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string string() const { return path_.string(); }
  size_t files() const { return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), {})); }

 private:
  std::filesystem::path path_;
};

std::vector<double> values(const Tensor& t) { return t.to_vector<double>(); }

Tensor program(const Tensor& A, const Tensor& b) {
  Tensor x = linalg::solve(A, b);
  auto step = [](const Tensor&, const Tensor& c) { return 0.9 * c + sin(c); };
  return fori_loop(0, 5, step, x) + sum(x * x);
}

std::string what(auto&& f) {
  try {
    f();
  } catch (const CacheError& e) {
    return e.what();
  }
  return "nothing was thrown";
}

std::vector<std::byte> contents_of(const std::string& path) {
  const Contents c = read_file(path, false);
  return {c.span().begin(), c.span().end()};
}

StoredGraph from(const std::vector<std::byte>& bytes) {
  auto copy = std::make_shared_for_overwrite<std::byte[]>(bytes.size());
  std::ranges::copy(bytes, copy.get());
  return from_bytes({std::move(copy), bytes.size()});
}

std::shared_ptr<const CompiledGraph> compiled(int64_t n) {
  ir::Graph g = trace([](const Tensor& x) { return sin(x) * 2 + x; }, spec({n}, f64));
  return compile_cached(g, true);
}

Digest name(uint64_t i) { return {i, ~i}; }

}  // namespace

TEST_CASE("save and load: a function with its captures, its draws and its written arguments") {
  Folder folder;
  manual_seed(3);
  Tensor A = rand({4, 4}, f64) + 4 * eye(4, f64), b = rand({4}, f64), w = rand({4}, f64);
  auto exe = compile(jacrev([=](const Tensor& M, const Tensor& v) { return program(M, v) * w; }), A, b);
  exe.save(folder / "jac.jotx");
  const Executable loaded = Executable::load(folder / "jac.jotx");
  CHECK(values(loaded.run({A, b}).at(0)) == values(exe(A, b)));
  CHECK(loaded.stats().kernels == exe.stats().kernels);
  CHECK(loaded.stats().kernels_compiled == 0);
  loaded.save(folder / "again.jotx");
  CHECK(contents_of(folder / "again.jotx") == contents_of(folder / "jac.jotx"));

  auto draws = compile([](const Tensor& x) { return x + randn({3}, f64); }, b.slice(0, 0, 3));
  draws.save(folder / "draws.jotx");
  const Executable drawn = Executable::load(folder / "draws.jotx");
  manual_seed(5);
  const std::vector<double> first = values(draws(b.slice(0, 0, 3))), second = values(draws(b.slice(0, 0, 3)));
  manual_seed(5);
  CHECK(values(drawn.run({b.slice(0, 0, 3).clone()}).at(0)) == first);
  CHECK(values(drawn.run({b.slice(0, 0, 3).clone()}).at(0)) == second);

  auto writes = compile(
      [](const Tensor& x) {
        x.mul_(2.0);
        return sum(x);
      },
      b);
  writes.save(folder / "writes.jotx");
  Tensor x = b.clone();
  CHECK(Executable::load(folder / "writes.jotx").run({x}).at(0).item<double>() ==
        doctest::Approx(2 * sum(b).item<double>()));
  CHECK(values(x) == values(2 * b));
}

TEST_CASE("load says what is wrong with a file, and save with its path") {
  Folder folder;
  auto exe = compile([](const Tensor& x) { return sin(x); }, spec({3}, f64));
  exe.save(folder / "f.jotx");
  std::vector<std::byte> bytes = contents_of(folder / "f.jotx");
  auto with = [&](const std::vector<std::byte>& contents) {
    write_file(folder / "g.jotx", contents);
    return what([&] { Executable::load(folder / "g.jotx"); });
  };
  CHECK(what([&] { Executable::load(folder / "none.jotx"); }) ==
        "[load] " + (folder / "none.jotx") + ": No such file or directory");
  CHECK(what([&] { Executable::load(folder.string()); }) == "[load] " + folder.string() + ": expected a plain file");
  CHECK(what([&] { exe.save(folder / "no/such/f.jotx"); }) ==
        "[save] " + (folder / "no/such/f.jotx") + ": No such file or directory");
  CHECK(with({}) == "[load] the file does not hold what it should: " + (folder / "g.jotx"));
  CHECK(with(std::vector<std::byte>(100)).starts_with("[load] this is no file of jot's"));
  std::vector<std::byte> other = bytes;
  other[4] = std::byte{77};
  CHECK(with(other).starts_with("[load] the file is of format 77, expected 1"));
  other = bytes;
  other.back() ^= std::byte{1};
  CHECK(with(other).starts_with("[load] the file has been changed or cut off"));
  auto host = compile([](const Tensor& x) { return host_call([](const Tensor& v) { return v; }, spec({3}, f64), x); },
                      spec({3}, f64));
  CHECK(what([&] { host.save(folder / "host.jotx"); }) ==
        "[save] " + (folder / "host.jotx") +
            ": the function calls the host's code (host_call or debug_print), which a file cannot hold");
}

TEST_CASE("a file that has been changed or cut off anywhere is refused, or it is the same") {
  Folder folder;
  const auto made = compiled(5);
  const std::vector<std::byte> bytes = to_bytes(*made, GraphText::whole);
  CHECK(from(bytes).fits);
  std::mt19937 random(7);
  for (int i = 0; i < 10'000; ++i) {
    std::vector<std::byte> changed = bytes;
    if (i % 2)
      changed[random() % changed.size()] ^= std::byte(1 << random() % 8);
    else
      changed.resize(random() % changed.size());
    CHECK_THROWS_AS(from(changed), CacheError);
  }
}

TEST_CASE("code of another stamp is compiled anew from the text, with the same results") {
  const auto made = compiled(6);
  std::vector<std::byte> bytes = to_bytes(*made, GraphText::whole);
  // The stamp begins with the digest of the sources, behind the header and its own length.
  bytes[24 + 8] ^= std::byte{1};
  const Digest rest = digest_of(std::span<const std::byte>(bytes).subspan(24));
  std::memcpy(&bytes[8], &rest, sizeof rest);
  const StoredGraph stored = from(bytes);
  CHECK_FALSE(stored.fits);
  std::vector<double> x{1, 2, 3, 4, 5, 6}, got(6), expected(6);
  const void* in[] = {x.data()};
  void *to[] = {got.data()}, *by[] = {expected.data()};
  stored.compiled->engine->run(in, to);
  made->engine->run(in, by);
  CHECK(got == expected);
}

TEST_CASE("the cache on disk keeps what was used last, within its limit") {
  Folder folder;
  const auto made = compiled(7);
  const LazyGraph graph = made->engine->graph();
  const auto size = static_cast<int64_t>(to_bytes(*made, GraphText::none).size());
  DiskCache cache(folder / "cache", 3 * size + size / 2);
  CHECK(cache.find(name(1), graph) == nullptr);
  for (uint64_t i = 1; i <= 3; ++i) {
    cache.insert(name(i), *made);
    usleep(20'000);  // times of files are those of the clock's ticks
  }
  REQUIRE(cache.find(name(1), graph) != nullptr);
  usleep(20'000);
  cache.insert(name(4), *made);
  CHECK(cache.find(name(1), graph) != nullptr);
  CHECK(cache.find(name(2), graph) == nullptr);
  CHECK(cache.find(name(3), graph) != nullptr);
  CHECK(cache.find(name(4), graph) != nullptr);
  DiskCache(folder / "small", size - 1).insert(name(1), *made);
  CHECK(std::filesystem::is_empty(folder / "small"));
}

TEST_CASE("the cache on disk uses nothing that others may have written") {
  Folder folder;
  const auto made = compiled(8);
  const LazyGraph graph = made->engine->graph();
  DiskCache cache(folder / "cache", 1 << 30);
  cache.insert(name(1), *made);
  const std::string file = folder / "cache/" + to_hex(name(1)) + ".jotx";
  REQUIRE(cache.find(name(1), graph) != nullptr);
  struct stat s;
  REQUIRE(stat((folder / "cache").c_str(), &s) == 0);
  CHECK((s.st_mode & 0777) == 0700);
  REQUIRE(stat(file.c_str(), &s) == 0);
  CHECK((s.st_mode & 0777) == 0600);
  chmod(file.c_str(), 0666);
  CHECK(cache.find(name(1), graph) == nullptr);
  chmod(file.c_str(), 0600);
  CHECK(cache.find(name(1), graph) != nullptr);
  std::filesystem::rename(file, folder / "elsewhere");
  std::filesystem::create_symlink(folder / "elsewhere", file);
  CHECK(cache.find(name(1), graph) == nullptr);
  chmod((folder / "cache").c_str(), 0777);
  CHECK(what([&] { DiskCache(folder / "cache", 1); }) ==
        "[JOT_CACHE_DIR] " + (folder / "cache") +
            ": others may write to it: expected write permission for its owner alone");
  std::ofstream(folder / "file") << "x";
  CHECK(what([&] { DiskCache(folder / "file", 1); }) == "[JOT_CACHE_DIR] " + (folder / "file") + ": expected a folder");
}

TEST_CASE("what a stored function demands of its data is said as before") {
  Folder folder;
  int line = __LINE__ + 1;
  auto exe = compile([](const Tensor& y) { return one_hot(y, 4); }, spec({2}, i64));
  exe.save(folder / "hot.jotx");
  const auto loaded = Executable::load(folder / "hot.jotx");
  for (const auto* e : {&loaded, static_cast<const Executable*>(&exe)})
    CHECK_THROWS_WITH_AS(e->run({tensor({1, 9})}),
                         ("[one_hot] class 9 is out of range; expected 0 to 3 for num_classes = 4\n  at " +
                          std::string(__FILE__) + ":" + std::to_string(line))
                             .c_str(),
                         IndexError);
}

TEST_CASE("digests of graphs: equal graphs have equal ones, others do not") {
  auto graph = [](int64_t n, DType d, double c) {
    return trace([=](const Tensor& x) { return c * sin(x.slice(0, 1, 3)); }, spec({n}, d));
  };
  CHECK(digest_of(graph(4, f64, 2)) == digest_of(graph(4, f64, 2)));
  CHECK(digest_of(graph(4, f64, 2)) != digest_of(graph(5, f64, 2)));
  CHECK(digest_of(graph(4, f64, 2)) != digest_of(graph(4, f32, 2)));
  CHECK(digest_of(graph(4, f64, 2)) != digest_of(graph(4, f64, 3)));
  // The same numbers of ops and types in the same places, of which one is another.
  std::vector<Digest> others;
  for (auto f : std::vector<Tensor (*)(const Tensor&, const Tensor&)>{
           [](const Tensor& x, const Tensor& y) { return sin(x) + cos(y); },
           [](const Tensor& x, const Tensor& y) { return cos(x) + sin(y); },
           [](const Tensor& x, const Tensor& y) { return sin(y) + cos(x); },
           [](const Tensor& x, const Tensor& y) { return sin(x) * cos(y); },
           [](const Tensor& x, const Tensor& y) { return sin(x) + sin(y); },
           [](const Tensor& x, const Tensor& y) { return sin(x) + cos(y).to(f32).to(f64); },
           [](const Tensor& x, const Tensor& y) { return sin(x) + cos(y).to(i32).to(f64); }})
    for (int64_t n : {3, 4}) others.push_back(digest_of(trace(f, spec({n}, f64), spec({n}, f64))));
  for (size_t i = 0; i < others.size(); ++i)
    for (size_t j = 0; j < i; ++j) CHECK(others[i] != others[j]);
}

TEST_CASE("spec: a type without values") {
  Tensor s = spec({3, 4}, f64);
  CHECK(s.size(1) == 4);
  CHECK(s.dtype() == f64);
  auto exe = compile([](const TensorDict& p) { return matmul(p.at("w"), p.at("x")); },
                     TensorDict{{"w", spec({3, 4}, f64)}, {"x", spec({4}, f64)}});
  CHECK(values(exe(TensorDict{{"w", ones({3, 4}, f64)}, {"x", ones({4}, f64)}})) == std::vector<double>{4, 4, 4});
  CHECK(trace([](const Tensor& x) { return x * 2; }, spec({1'000'000, 1'000'000}, f64)).num_inputs() == 1);
  for (auto read : std::vector<std::function<void()>>{[&] { s.to_vector<double>(); }, [&] { (s + 1).eval(); },
                                                      [&] {
                                                        exe(TensorDict{{"w", s}, {"x", spec({4}, f64)}});
                                                      },
                                                      [&] { jit([](const Tensor& x) { return x * 2; })(s).eval(); },
                                                      [&] { static_cast<void>(s.data<double>()); }})
    try {
      read();
      FAIL("nothing was thrown");
    } catch (const TraceError& e) {
      CHECK(
          std::string(e.what()).starts_with("[spec] a tensor that stands for its type, f64[3,4], has no elements: "
                                            "pass it to trace or compile, and tensors to what these return\n  at "));
    }
}
