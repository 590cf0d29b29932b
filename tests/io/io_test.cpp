// Files of numpy, torch and safetensors read; ours written and read back; errors.
#include "files.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

TEST_CASE("Arrays of numpy: every dtype, both byte orders, Fortran's order, versions, scalars, empty ones") {
  for (DType d : kDTypes) {
    CAPTURE(d);
    CHECK_SAME(load_npy(data(name_of(d) + ".npy")), expected(d));
  }
  CHECK_SAME(load_npy(data("scalar.npy")), expected(f64, {}));
  CHECK_SAME(load_npy(data("empty.npy")), zeros({0, 3}));
  CHECK_SAME(load_npy(data("fortran.npy")), expected(f32, {2, 3, 4}));
  CHECK_SAME(load_npy(data("big_endian.npy")), expected(f64));
  CHECK_SAME(load_npy(data("big_endian_fortran.npy")), expected(i32));
  for (const char* name : {"version2.npy", "version3.npy"}) CHECK_SAME(load_npy(data(name)), expected(f32));
}

TEST_CASE("Archives of numpy, stored and compressed") {
  TensorDict stored = load_npz(data("stored.npz"));
  CHECK_EQ(stored.size(), 3);
  CHECK_SAME(stored.at("x"), expected(f64));
  CHECK_SAME(stored.at("y"), expected(i64, {5}));
  CHECK_SAME(stored.at("empty"), zeros({0}));
  TensorDict deflated = load_npz(data("deflated.npz"));
  CHECK_EQ(deflated.size(), 4);
  CHECK_SAME(deflated.at("x"), expected(f64));
  CHECK_SAME(deflated.at("pattern"), (arange(3000) * 7 % 251).to(i32));
  CHECK_SAME(deflated.at("zeros"), zeros({40000}, u8));
  CHECK_EQ(deflated.at("noise").shape(), Shape{100});
  CHECK(std::abs(deflated.at("noise")[0].item<double>() - 0.12573022) < 1e-8);  // of numpy's generator 0
}

TEST_CASE("Tensors of the safetensors library, with metadata") {
  TensorDict t = load_safetensors(data("torch.safetensors"));
  CHECK_EQ(t.size(), 11);
  for (DType d : kDTypes) {
    CAPTURE(d);
    CHECK_SAME(t.at(name_of(d)), expected(d));
  }
  CHECK_SAME(t.at("scalar"), tensor(2.5));
  CHECK_SAME(t.at("empty"), zeros({0, 3}));
  CHECK_SAME(t.at("n\xc3\xa4me \"quoted\""), ones({1}));
  auto metadata = load_safetensors_metadata(data("torch.safetensors"));
  CHECK_EQ(metadata.at("format"), "pt");
  CHECK_EQ(metadata.at("line"), "a\nb");
}

TEST_CASE("What is written is read back: every dtype and shape, views, special values") {
  Folder folder;
  TensorDict all = {{"empty", zeros({3, 0, 2})}, {"scalar", tensor(7)}, {"", ones({1})}, {"a.b\n\"\\\x01", ones({2})}};
  for (DType d : kDTypes)
    for (const Shape& shape : {Shape{2, 3}, Shape{}, Shape{5}, Shape{1, 2, 1, 3}})
      all.emplace(name_of(d) + to_string(shape), expected(d, shape));
  Tensor base = arange(24).reshape({2, 3, 4});
  all.emplace("transposed", base.permute({2, 0, 1}));
  all.emplace("strided", base.slice(2, 0, 4, 2));
  all.emplace("expanded", ones({1, 2}).expand({3, 2}));
  all.emplace("pending", base * 2 + 1);
  all.emplace("special", doubles({0.0, -0.0, std::nan(""), INFINITY, -INFINITY, 5e-324}));
  auto same = [&](const TensorDict& read) {
    CHECK_EQ(read.size(), all.size());
    for (const auto& [name, t] : all) {
      CAPTURE(name);
      CHECK_SAME(read.at(name), t);
    }
    CHECK(std::signbit(read.at("special")[1].item<double>()));
  };
  save_safetensors(folder / "all.safetensors", all, {.metadata = {{"format", "pt"}, {"note", "\"\xe2\x82\xac\""}}});
  same(load_safetensors(folder / "all.safetensors"));
  CHECK_EQ(load_safetensors_metadata(folder / "all.safetensors").at("note"), "\"\xe2\x82\xac\"");
  // Elements begin at multiples of their size: the header's end is one of 8.
  CHECK_EQ(bytes_in(folder / "all.safetensors")[0] % 8, 0);
  save_npz(folder / "all.npz", all);
  same(load_npz(folder / "all.npz"));
  for (const auto& [name, t] : all) {
    save_npy(folder / "one.npy", t);
    CHECK_SAME(load_npy(folder / "one.npy"), t);
  }
  save_safetensors(folder / "none.safetensors", {});
  CHECK(load_safetensors(folder / "none.safetensors").empty());
  save_npz(folder / "none.npz", {});
  CHECK(load_npz(folder / "none.npz").empty());
  CHECK_EQ(folder.count(), 5);  // nothing else is left
}

TEST_CASE("Our files have numpy's bytes") {
  Folder folder;
  for (DType d : kDTypes) {
    CAPTURE(d);
    save_npy(folder / "x.npy", expected(d));
    CHECK(bytes_in(folder / "x.npy") == bytes_in(data(name_of(d) + ".npy")));
  }
  save_npy(folder / "x.npy", expected(f64, {}));
  CHECK(bytes_in(folder / "x.npy") == bytes_in(data("scalar.npy")));
}

TEST_CASE("A model is saved, and loaded into another") {
  Folder folder;
  nn::Linear model(3, 2), other(3, 2);
  save_safetensors(folder / "m.safetensors", model.named_parameters());
  TensorDict w = load_safetensors(folder / "m.safetensors");
  Tensor x = randn({4, 3});
  CHECK_SAME(functional_call(other, w, x), model(x));
  CHECK(gradcheck([&](const TensorDict& p) { return functional_call(other, p, ones({3}, f64)); },
                  args(TensorDict{{"weight", w.at("weight").to(f64)}, {"bias", w.at("bias").to(f64)}})));
}

TEST_CASE("Files that cannot be read or written are named, and stay as they are") {
  Folder folder;
  auto refused = [](auto call, const std::string& text) {
    CHECK_THROWS_WITH_AS(call(), Contains(text.c_str()), FileError);
  };
  const std::string missing = folder / "missing";
  refused([&] { load_npy(missing); }, "[load_npy] '" + missing + "': cannot be opened: No such file or directory");
  refused([&] { load_npz(missing); }, "[load_npz] '" + missing);
  refused([&] { load_safetensors(missing); }, "[load_safetensors] '" + missing);
  refused([&] { load_safetensors(missing); }, "io_test.cpp:");
  refused([&] { load_npy(folder / ""); }, "is no regular file");
  refused([&] { save_npy(folder / "no/such/folder", ones({2})); }, "cannot be written: No such file or directory");

  const std::string kept = folder / "kept";
  for (auto save : {+[](const std::string& path, const TensorDict& d) { save_safetensors(path, d); },
                    +[](const std::string& path, const TensorDict& d) { save_npz(path, d); }}) {
    put(kept, "old");
    refused(
        [&] {
          save(kept, {{"a", ones({3})}, {"w", Tensor()}});
        },
        "key 'w': expected a Tensor, got an undefined one");
    Tensor singular = linalg::inv(zeros({2, 2}));  // fails when it is read
    CHECK_THROWS_AS(save(kept, {{"a", ones({3})}, {"w", singular}}), LinalgError);
    CHECK_EQ(bytes_in(kept), "old");
    CHECK_EQ(folder.count(), 1);
    save(kept, {{"a", ones({3})}});
    CHECK(bytes_in(kept) != "old");
  }
  refused([&] { save_npy(kept, Tensor()); }, "expected a Tensor, got an undefined one");
  refused([&] { save_safetensors(kept, {{"__metadata__", ones({1})}}); }, "this one is the format's");
  refused([&] { save_safetensors(kept, {{"\xff", ones({1})}}); }, "expected a text in UTF-8");
  refused([&] { save_safetensors(kept, {{"\xed\xa0\x80", ones({1})}}); }, "expected a text in UTF-8");
  CHECK_THROWS_AS(jit([&](const Tensor& x) {
                    save_npy(kept, x);
                    return x;
                  })(ones({2})),
                  TraceError);
  // A link stays one: what it leads to is replaced.
  std::filesystem::create_symlink(kept, folder / "link");
  save_npy(folder / "link", ones({2}));
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK_SAME(load_npy(kept), ones({2}));
}
