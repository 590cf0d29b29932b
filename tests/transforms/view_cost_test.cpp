// A view costs what it shows, however large what it is a view of: by counted bytes, of the first call too, which
// allocates the memory of intermediate values.
#include <functional>
#include <utility>

#include "backends/buffer.h"
#include "backends/target.h"
#include "check.h"
#include "core/storage/storage.h"

using namespace jot;
using namespace jot::test;

namespace {

// The reference backend computes every node as it stands.
const bool compiled = target() != Target::reference;

constexpr int64_t kRows = 1024, kColumns = 512;
constexpr int64_t kBytes = kRows * kColumns * 8;  // 4 MiB
constexpr int64_t kLittle = kBytes / 16;

template <class F>
int64_t peak_of(F f) {
  Buffer::reset_peak();
  int64_t before = Buffer::stats().live;
  f();
  return Buffer::stats().peak - before;
}

Tensor base() { return arange(kRows * kColumns).to(f64).view({kRows, kColumns}).clone().eval(); }

// f(x) recorded in this call, and jitted: what it holds beside x, and that the three agree.
void check_little(const std::string& what, const std::function<Tensor(const Tensor&)>& f) {
  CAPTURE(what);
  Tensor x = base(), pending, jitted;
  auto compiled_f = jit([&](const Tensor& x) { return f(x); });
  int64_t by_pending = peak_of([&] { pending = f(x).eval(); });
  int64_t by_jit = peak_of([&] { jitted = compiled_f(x).eval(); });
  if (compiled) CHECK(by_pending <= kLittle);
  if (compiled) CHECK(by_jit <= kLittle);
  CHECK_SAME(jitted, pending);
}

}  // namespace

TEST_CASE("a part of a broadcast costs what it shows") {
  Tensor v = arange(3).to(f64).eval(), total;
  int64_t peak = peak_of([&] {
    Tensor e = v.expand({1 << 26, 3});
    total = sum(e[5]).eval();
  });
  CHECK(peak <= 4096);
  CHECK_EQ(total.item<double>(), 3);
  check_little("row", [](const Tensor& x) { return x[7].expand({1 << 14, kColumns})[5] * 1; });
  check_little("rows, in steps", [](const Tensor& x) {
    return x[7].expand({1 << 14, kColumns}).slice(0, 2, 9, 3) * 1;
  });
  check_little("column", [](const Tensor& x) { return x[7].expand({1 << 14, kColumns}).t()[7].slice(0, 0, 4) * 1; });
  check_little("of a slice", [](const Tensor& x) {
    return x.slice(0, 1, 1000).unsqueeze(0).expand({64, 999, kColumns})[2][7] * 1;
  });
}

TEST_CASE("a part of a view costs what it shows") {
  check_little("row of a transpose", [](const Tensor& x) { return x.t()[3] * 1; });
  check_little("rows of a transpose", [](const Tensor& x) { return x.t().slice(0, 3, 7, 2) * 1; });
  check_little("narrow of slices", [](const Tensor& x) {
    return x.slice(0, 1, 1000, 3).slice(1, 1, 500).t().narrow(0, 5, 2).narrow(1, 7, 9) * 1;
  });
  check_little("window", [](const Tensor& x) { return x.unfold(0, 300, 2)[5].slice(1, 0, 2) * 1; });
  check_little("windows",
               [](const Tensor& x) { return x.unfold(0, 300, 2).slice(0, 3, 9, 2).slice(1, 0, 7, 3)[1] * 1; });
  check_little("strides", [](const Tensor& x) {
    return x.as_strided({1000, 400}, {301, 1}, 5)[3].slice(0, 1, 9, 2) * 1;
  });
  check_little("element of a diagonal", [](const Tensor& x) { return x.diagonal(3)[7] * 1; });
  check_little("part of a diagonal", [](const Tensor& x) { return x.t().diagonal(-2).slice(0, 1, 9, 3) * 1; });
  check_little("detached", [](const Tensor& x) { return x.t().detach().select(1, 4) * 1; });
  check_little("batched", [](const Tensor& x) {
    return x.view({16, 64, kColumns}).transpose(0, 2)[3].select(1, 2) * 1;
  });
  check_little("operand of a product", [](const Tensor& x) { return matmul(x.t().slice(0, 4, 8), x.slice(1, 0, 4)); });
}

TEST_CASE("gathers of a view cost what they show") {
  Tensor i = Tensor::from(std::vector<int64_t>{3, 1, 7}, {3}), j = Tensor::from(std::vector<int32_t>{3, -1, 7}, {3});
  Tensor k = Tensor::from(std::vector<int64_t>{3, 1, 7, 0}, {2, 2});
  check_little("rows of a slice", [=](const Tensor& x) { return x.slice(0, 1, 1000).index({i}); });
  check_little("rows of a slice, i32", [=](const Tensor& x) { return x.slice(0, 1, 1000).index({j}); });
  check_little("rows of a slice in steps", [=](const Tensor& x) { return x.slice(0, 1, 1000, 3).index({j}); });
  check_little("rows of columns", [=](const Tensor& x) { return x.slice(1, 3, 500).index({i}); });
  check_little("elements of a slice", [=](const Tensor& x) { return x.slice(0, 1, 1000).index({i, j}); });
  check_little("of a transpose", [=](const Tensor& x) { return x.t().index({i}); });
  check_little("elements of a transpose", [=](const Tensor& x) { return x.t().index({i, j}); });
  check_little("of a slice of a transpose", [=](const Tensor& x) { return x.t().slice(0, 2, 300).index({j}); });
  check_little("of a narrow", [=](const Tensor& x) { return x.narrow(0, 1, 1000).index({i}); });
  check_little("of a select", [=](const Tensor& x) {
    return x.view({2, kRows / 2, kColumns}).select(0, 1).index({i});
  });
  check_little("of a chunk", [=](const Tensor& x) { return x.chunk(2)[1].index({i}); });
  check_little("of slices of slices", [=](const Tensor& x) {
    return x.slice(0, 1, 1020).slice(1, 1, 500).slice(0, 1, 1000, 2).index({i}).slice(1, 0, 99);
  });
  check_little("of a broadcast", [=](const Tensor& x) { return x[7].expand({1 << 14, kColumns}).index({i}); });
  check_little("of a reshaped slice", [=](const Tensor& x) {
    return x.slice(0, 4, 1004).view({100, 10, kColumns}).index({i});
  });
  check_little("of a flattened slice", [=](const Tensor& x) { return x.slice(0, 4, 1004).flatten().index({j}); });
  check_little("of split columns", [=](const Tensor& x) {
    return x.slice(1, 2, 502).unflatten(1, {10, 50}).index({Slice(), i, j});
  });
  check_little("of a diagonal", [=](const Tensor& x) { return x.diagonal(1).index({i}); });
  check_little("of strides", [=](const Tensor& x) { return x.as_strided({3, 500}, {1000, 7}, 5).index({0, i}); });
  check_little("detached", [=](const Tensor& x) { return x.slice(0, 1, 1000).detach().index({i}); });
  check_little("index_select", [=](const Tensor& x) { return index_select(x.t().slice(1, 5, 20), 1, i); });
  check_little("gather", [=](const Tensor& x) { return gather(x.slice(0, 5, 1000), 1, k); });
  check_little("gather of a transpose", [=](const Tensor& x) { return gather(x.t(), 0, k); });
  check_little("of windows of gathered rows",
               [=](const Tensor& x) { return x.slice(0, 1, 900).index({i}).unfold(1, 3, 9)[1]; });
  // Errors name the view's dimension and size.
  Tensor x = base(), bad = Tensor::from(std::vector<int64_t>{900}, {1});
  CHECK_THROWS_WITH_AS(x.t().slice(0, 2, 300).index({bad}).eval(),
                       doctest::Contains("index 900 is out of bounds for dimension 0 with size 298"), IndexError);
}

TEST_CASE("a slice that is read in place sees what was there before a later write") {
  Tensor x = base(), i = Tensor::from(std::vector<int64_t>{0, 2}, {2});
  auto f = jit([=](const Tensor& x) {
    Tensor before = x.slice(0, 3, 9).index({i}).slice(1, 0, 2);
    x.slice(0, 4, 8).copy_(x.slice(0, 3, 7));  // moves rows onto rows that it reads
    return std::pair{before, x.slice(0, 3, 9).index({i}).slice(1, 0, 2)};
  });
  Tensor before = x.slice(0, 3, 9).index({i}).slice(1, 0, 2) * 1, y = x.clone().eval();
  x.slice(0, 4, 8).copy_(x.slice(0, 3, 7));
  Tensor rows = x.slice(1, 0, 1).flatten().slice(0, 3, 9);
  auto row = [](double n) { return n * kColumns; };
  CHECK_EQ(rows.to_vector<double>(), std::vector<double>{row(3), row(3), row(4), row(5), row(6), row(8)});
  auto [first, second] = f(y);
  CHECK_SAME(first, before);
  CHECK_EQ(before.to_vector<double>(), std::vector<double>{row(3), row(3) + 1, row(5), row(5) + 1});
  CHECK_EQ(second.to_vector<double>(), std::vector<double>{row(3), row(3) + 1, row(4), row(4) + 1});
  CHECK_SAME(y, x);
}

// ---- values, by strides on the host

namespace {

std::vector<double> shown(const Tensor& t, const std::vector<int64_t>& strides, int64_t offset) {
  std::vector<double> result;
  Shape shape = t.shape();
  std::vector<int64_t> index(shape.size(), 0);
  for (int64_t n = 0; n < shape.numel(); ++n) {
    int64_t at = offset;
    for (size_t d = 0; d < index.size(); ++d) at += index[d] * strides[d];
    result.push_back(static_cast<double>(at));  // base() counts
    for (size_t d = index.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
  return result;
}

}  // namespace

TEST_CASE("parts of views of views show the elements at their strides") {
  Tensor x = base();
  auto check = [](const Tensor& t, const std::vector<int64_t>& strides, int64_t offset) {
    CHECK_EQ(t.to_vector<double>(), shown(t, strides, offset));
    CHECK_EQ((t * 1).to_vector<double>(), shown(t, strides, offset));
  };
  constexpr int64_t C = kColumns;
  check(x.t().slice(0, 3, 9, 2).slice(1, 5, 20, 4), {2, 4 * C}, 3 + 5 * C);
  check(x.slice(0, 2, 900, 3).t().slice(1, 1, 9, 2)[4], {6 * C}, 5 * C + 4);
  check(x[3].expand({7, C}).slice(0, 1, 6, 2).slice(1, 4, 8), {0, 1}, 3 * C + 4);
  check(x.unsqueeze(1).slice(0, 3, 5).slice(2, 1, 9, 3), {C, 0, 3}, 3 * C + 1);
  check(x.unfold(1, 5, 3).slice(1, 2, 9, 2).slice(2, 1, 5, 3)[6], {6, 3}, 6 * C + 7);
  check(x.unfold(0, 4, 2).slice(1, 7, 9)[3].slice(1, 1, 4, 2), {1, 2 * C}, 7 * C + 7);
  check(x.slice(0, 4, 100, 2).unfold(0, 3, 2)[5].slice(1, 1, 3), {1, 2 * C}, 24 * C + 2 * C);
  check(x.diagonal(2).slice(0, 3, 50, 4).unfold(0, 2, 3)[1], {4 * (C + 1)}, 2 + 15 * (C + 1));
  check(x.as_strided({20, 5}, {7, 3}, 11).t().slice(0, 1, 4, 2)[1], {7}, 11 + 9);
  check(x.view({4, 256, C}).permute({2, 0, 1}).slice(0, 3, 7).select(1, 2).slice(1, 5, 9, 2), {1, 2 * C},
        3 + 2 * 256 * C + 5 * C);
  CHECK_EQ(x.t().slice(0, 5, 5).slice(1, 2, 4).shape(), Shape{0, 2});
}

TEST_CASE("a write to a part of a view costs what it shows") {
  auto check = [](const std::string& what, const std::function<Tensor(const Tensor&)>& part) {
    CAPTURE(what);
    Tensor x = base(), y = base();
    auto write = jit([&](const Tensor& x) {
      part(x).fill_(-1.0);
      return x[0][0];
    });
    int64_t pending = peak_of([&] {
      part(x).fill_(-1.0);
      x.eval();
    });
    int64_t jitted = peak_of([&] { write(y); });
    if (compiled) CHECK(pending <= kLittle);
    if (compiled) CHECK(jitted <= kLittle);
    CHECK_EQ((x < 0).sum().item<int64_t>(), part(x).numel());
    CHECK_EQ(part(x).sum().item<double>(), -static_cast<double>(part(x).numel()));
    CHECK_SAME(y, x);
  };
  check("rows of a transpose", [](const Tensor& x) { return x.t().slice(0, 1, 3); });
  check("row of a transpose", [](const Tensor& x) { return x.t()[3]; });
  check("part of a repeated row", [](const Tensor& x) { return x.unsqueeze(0).expand({4, kRows, kColumns})[2][5]; });
  check("window", [](const Tensor& x) { return x.unfold(0, 2, 2)[3]; });
  check("overlapping windows", [](const Tensor& x) { return x.unfold(0, 5, 1).transpose(1, 2)[3].slice(0, 1, 3); });
  check("in steps", [](const Tensor& x) { return x.slice(0, 1, 9, 2); });
  check("strides", [](const Tensor& x) { return x.as_strided({3, 4}, {1000, 7}, 5); });
}

namespace {
int views_of(const Tensor& t) {
  int n = 0;
  for (const detail::TensorImpl* v = t.impl().get(); v->parent; v = v->parent.get()) ++n;
  return n;
}
}  // namespace

TEST_CASE("an index expression is one view, whichever dims it drops and adds") {
  Tensor x = arange(2 * 3 * 5 * 7).to(f64).view({2, 3, 5, 7}).clone().eval();
  const std::pair<const char*, std::function<Tensor(const Tensor&)>> rows[] = {
      {"integer", [](const Tensor& t) { return t[1]; }},
      {"integers one by one", [](const Tensor& t) { return t[1][2][3][4]; }},
      {"integers",
       [](const Tensor& t) {
         return t.index({1, 2, 3, 4});
       }},
      {"inner integer", [](const Tensor& t) { return t.select(2, 3); }},
      {"integer, range, new axis",
       [](const Tensor& t) {
         return t.index({1, Slice(1, 3), None, Ellipsis, 2});
       }},
      {"of a part", [](const Tensor& t) { return t.slice(3, 2, 6)[1].slice(0, 1, 3).select(1, 4)[0]; }},
      {"to nothing",
       [](const Tensor& t) {
         return t.index({1, Slice(2, 2)});
       }},
  };
  for (const auto& [what, part] : rows) {
    CAPTURE(what);
    CHECK_EQ(views_of(part(x)), 1);
    CHECK_EQ(views_of(part(x * 1)), 1);
    Tensor y = x * 1, expected = zeros_like(x), p = part(y);
    part(expected).fill_(1);
    p.fill_(-1);
    CHECK_SAME(y, where(expected.eq(1), full_like(x, -1), x));
    CHECK_SAME(jit([&](const Tensor& t) { return part(t) * 2; })(x), part(x) * 2);
    CHECK_SAME(vmap([&](const Tensor& t) { return part(t); })(stack({x, x + 1}))[1], part(x + 1));
  }
  // Below what a permutation shows: the slice, its permutation, without the dims of the integers.
  CHECK_EQ(views_of(x.permute({3, 0, 2, 1})[4][1]), 3);
  CHECK_SAME(x.permute({3, 0, 2, 1})[4][1][2].clone(), x.index({1, Slice(), 2, 4}).clone());
  Tensor mixed = x[1].permute({2, 1, 0})[3].t()[2];
  CHECK_SAME(mixed.clone(), x.index({1, 2, Slice(), 3}).clone());
}
