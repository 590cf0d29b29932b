// Faults of data and of size: what the user called, its dim, the lane, the line.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>
#include <limits>
#include <string>

using namespace jot;

namespace {

// f must throw E with all of this text, of line `line` of this file.
template <class E, class F>
void check_text(F f, const std::string& text, int line) {
  try {
    f();
  } catch (const E& e) {
    CHECK_EQ(e.what(), text + "\n  at " + __FILE__ + ":" + std::to_string(line));
    return;
  } catch (const std::exception& e) {
    FAIL_CHECK("another class of error: " << e.what());
    return;
  }
  FAIL_CHECK("no error: " << text);
}

// i64 zeros but for one element.
Tensor indices(const Shape& shape, int64_t at, int64_t value) {
  std::vector<int64_t> list(static_cast<size_t>(shape.numel()), 0);
  list[static_cast<size_t>(at)] = value;
  return Tensor::from(list, shape);
}

const std::string kSeven = "index 7 is out of bounds for dimension 0 with size 3; expected -3 to 2";

}  // namespace

TEST_CASE("an index out of range names the function, its own dim, the lane and the line") {
  int line = __LINE__ + 1;
  auto pick = [](const Tensor& x, const Tensor& i) { return x.index({i}); };
  Tensor x = ones({8, 3}), i = indices({8, 2}, 11, 7);
  check_text<IndexError>([&] { vmap(pick)(x, i).eval(); }, "[index] " + kSeven + ", in lane 5 of vmap", line);
  check_text<IndexError>([&] { jit(vmap(pick))(x, i); }, "[index] " + kSeven + ", in lane 5 of vmap", line);
  check_text<IndexError>([&] { vmap(pick, {.chunk_size = 3})(x, i).eval(); },
                         "[index] " + kSeven + ", in lane 5 of vmap", line);
  check_text<IndexError>(
      [&] {
        vmap(pick, {.in_dims = {none, 0}})(x[0], i).eval();
      },
      "[index] " + kSeven + ", in lane 5 of vmap", line);
  check_text<IndexError>(
      [&] {
        vmap(pick, {.in_dims = {1, 1}})(x.t(), i.t()).eval();
      },
      "[index] " + kSeven + ", in lane 5 of vmap", line);
  // Shared indices are wrong in all lanes.
  check_text<IndexError>([&] { vmap(pick, {.in_dims = {0, none}})(x, i[5]).eval(); }, "[index] " + kSeven, line);
  check_text<IndexError>([&] { pick(x[0], i[5]).eval(); }, "[index] " + kSeven, line);
  // Derivatives.
  auto total = [&](const Tensor& x, const Tensor& i) { return sum(pick(x, i)); };
  check_text<IndexError>([&] { vmap(grad(total))(x, i).eval(); }, "[index] " + kSeven + ", in lane 5 of vmap", line);
  check_text<IndexError>([&] { vmap(jacrev(pick))(x, i).eval(); }, "[index] " + kSeven + ", in lane 5 of vmap", line);
  check_text<IndexError>([&] { vmap(jacfwd(pick))(x, i).eval(); }, "[index] " + kSeven + ", in lane 5 of vmap", line);
}

TEST_CASE("an index out of range in nested vmaps") {
  int line = __LINE__ + 1;
  auto pick = [](const Tensor& x, const Tensor& i) { return sin(x.index({i}) * 2); };
  Tensor x = ones({4, 5, 3}), i = indices({4, 5, 2}, (2 * 5 + 3) * 2, 7);
  check_text<IndexError>([&] { vmap(vmap(pick))(x, i).eval(); },
                         "[index] " + kSeven + ", in lane [2, 3] of nested vmaps, the outermost first", line);
  auto shared = vmap(vmap(pick, {.in_dims = {0, none}}));
  check_text<IndexError>([&] { shared(x, i.select(1, 3)).eval(); },
                         "[index] " + kSeven + ", in lane [2, all] of nested vmaps, the outermost first", line);
  // The outer vmap's lanes are not of the indices.
  auto inner = vmap(vmap(pick), {.in_dims = {0, none}});
  check_text<IndexError>([&] { inner(x, i[2].slice(0, 0, 5)).eval(); },
                         "[index] " + kSeven + ", in lane [all, 3] of nested vmaps, the outermost first", line);
}

TEST_CASE("an index out of range in large batches, in kernels with the lanes inside and outside") {
  int line = __LINE__ + 1;
  auto pick = [](const Tensor& x, const Tensor& i) { return sin(x.index({i}) + 1) * 2; };
  Tensor i = indices({1000, 50}, 777 * 50 + 31, 70);
  std::string text =
      "[index] index 70 is out of bounds for dimension 0 with size 40; expected -40 to 39, in lane 777 of vmap";
  for (int64_t inner : {1, 4, 16, 40}) {
    Tensor x = ones({1000, 40, inner});
    check_text<IndexError>([&] { vmap(pick)(x, i).eval(); }, text, line);
    check_text<IndexError>([&] { vmap(pick, {.in_dims = {0, 0}, .out_dims = -1})(x, i).eval(); }, text, line);
    check_text<IndexError>([&] { vmap(pick, {.in_dims = {none, 0}})(x[0], i).eval(); }, text, line);
  }
  Tensor few = indices({1000, 3}, 777 * 3 + 2, 70), x = ones({1000, 40});
  check_text<IndexError>([&] { vmap(pick)(x, few).eval(); }, text, line);
  check_text<IndexError>([&] { vmap(pick)(x, indices({1000, 1}, 777, 70)).eval(); }, text, line);
}

TEST_CASE("of several indices out of range the first is reported, in whichever order elements are computed") {
  Tensor x = ones({3, 4}), i = arange(40000) - 2;  // 3 at element 5, then all
  const std::string text = "[index] index 3 is out of bounds for dimension 0 with size 3; expected -3 to 2";
  int line = __LINE__ + 1;
  auto pick = [](const Tensor& x, const Tensor& i) { return x.index({i}); };
  auto backward = [&](const Tensor& x, const Tensor& i) { return sin(pick(x, i).flip({0})); };
  auto beside = [&](const Tensor& x, const Tensor& i) { return sin(pick(x, i).t()); };
  for (int64_t n : {17, 300, 40000}) {
    const Tensor some = i.slice(0, 0, n);
    check_text<IndexError>([&] { pick(x, some).eval(); }, text, line);
    check_text<IndexError>([&] { jit(backward)(x, some).eval(); }, text, line);
    check_text<IndexError>([&] { jit(beside)(x, some).eval(); }, text, line);
    check_text<IndexError>(
        [&] { jit([&](const Tensor& x, const Tensor& i) { return pick(x, i).flip({0}); })(x[0], some).eval(); },
        "[index] index 4 is out of bounds for dimension 0 with size 4; expected -4 to 3", line);
  }
}

TEST_CASE("every function that takes indices names itself and the dim of its tensor") {
  Tensor x = ones({6, 2, 3}), i = indices({6, 3}, 16, 7), v = ones({6, 2, 3}), rows = indices({6, 2, 3}, 33, 7);
  auto expected = [](const std::string& function, int dim = 1) {
    return "[" + function + "] index 7 is out of bounds for dimension " + std::to_string(dim) +
           " with size 3; expected -3 to 2, in lane 5 of vmap";
  };
#define CHECK_FUNCTION(text, expression, ...)                                                                      \
  check_text<IndexError>(                                                                                          \
      [&] {                                                                                                        \
        vmap([](const Tensor& x, const Tensor& i, const Tensor& v) { return (void)v, (expression); })(__VA_ARGS__) \
            .eval();                                                                                               \
      },                                                                                                           \
      text, __LINE__)
  CHECK_FUNCTION(expected("index"), x.index({Slice(), i}), x, i, v);
  CHECK_FUNCTION(expected("index"), x.index({0, i}), x, i, v);
  CHECK_FUNCTION(expected("index", 2), x.unsqueeze(0).index({0, 1, i}), x, i, v);
  CHECK_FUNCTION(expected("index_select"), index_select(x, 1, i), x, i, v);
  CHECK_FUNCTION(expected("index_select"), x.index_select(-1, i), x, i, v);
  CHECK_FUNCTION(expected("gather"), gather(x, 1, i), x, rows, v);
  CHECK_FUNCTION(expected("index_put_"), x.clone().index_put_({Slice(), i}, 1), x, i, v);
  CHECK_FUNCTION(expected("index_put"), x.index_put({Slice(), i}, 1), x, i, v);
  CHECK_FUNCTION(expected("index_add"), index_add(x, 1, i, v), x, i, v);
  CHECK_FUNCTION(expected("index_add_"), x.clone().index_add_(1, i, v), x, i, v);
  CHECK_FUNCTION(expected("index_copy"), index_copy(x, 1, i, v), x, i, v);
  CHECK_FUNCTION(expected("index_fill"), index_fill(x, 1, i, 2), x, i, v);
  CHECK_FUNCTION(expected("scatter"), scatter(x, 1, i, v), x, rows, v);
  CHECK_FUNCTION(expected("scatter_add"), scatter_add(x, 1, i, v), x, rows, v);
  CHECK_FUNCTION(expected("scatter_"), x.clone().scatter_(1, i, v), x, rows, v);
}

TEST_CASE("memory that runs out is a MemoryError with the op and the line") {
  constexpr int64_t kHuge = int64_t{1} << 47;  // more than the address space
  const std::string asked = ": [memory] out of memory: 1125899906842624 bytes asked for";
  auto check_memory = [&](auto f, const std::string& text, int line) {
    try {
      f();
    } catch (const MemoryError& e) {
      std::string what = e.what();
      CHECK_MESSAGE(what.starts_with(text + asked), what);
      CHECK_MESSAGE(what.ends_with("\n  at " + std::string(__FILE__) + ":" + std::to_string(line)), what);
      return;
    }
    FAIL_CHECK("no MemoryError: " << text);
  };
  Tensor one = ones({1}, f64), view = one.expand({kHuge});
  int line = __LINE__ + 1;
  Tensor sum = view + 1, good = one * 3;
  check_memory([&] { sum.eval(); }, "[add] f64[140737488355328]", line);
  check_memory([&] { (void)sum.to_vector<double>(); }, "[add] f64[140737488355328]", line);
  CHECK_EQ(good.item<double>(), 3);
  check_memory([&] { (void)view.data<double>(); }, "[data] f64[140737488355328]", __LINE__);
  check_memory([&] { zeros({kHuge}, f64); }, "[zeros] f64[140737488355328]", __LINE__);
  line = __LINE__ + 1;
  auto f = jit([](const Tensor& x) { return x.expand({kHuge}) * 2; });
  check_memory([&] { f(one); }, "[mul] f64[140737488355328]", line);
  check_memory([&] { f(one); }, "[mul] f64[140737488355328]", line);
}

TEST_CASE("a condition of several elements names the line that made them, also when they are there") {
  int line = __LINE__ + 1;
  Tensor x = (ones({3}) * 2).eval();
  const std::string text =
      "[bool] a Tensor with 3 elements is no condition: select elements with where(), reduce with any() or all(), "
      "combine conditions with & and |, not && and ||";
  check_text<ShapeError>([&] { (void)bool(x); }, text, line);
  check_text<ShapeError>([&] { (void)bool(x.t()); }, text, line);
  line = __LINE__ + 1;
  x.add_(1);
  check_text<ShapeError>([&] { (void)bool(x); }, text, line);
  x.eval();
  check_text<ShapeError>([&] { (void)bool(x); }, text, line);
  line = __LINE__ + 1;
  Tensor list = tensor({1., 2., 3.}), zero = zeros({3}), drawn = rand({3});
  for (const Tensor& t : {list, zero, drawn}) check_text<ShapeError>([&] { (void)bool(t); }, text, line);
  line = __LINE__ + 1;
  auto item = [&] { (void)x.item<double>(); };
  check_text<ShapeError>(item, "[item] a Tensor with 3 elements cannot be converted to a number", line);
}

TEST_CASE("numbers, dtypes and jacobians that are too large") {
  Tensor x = ones({2});
  const std::string number =
      "[number] 9223372036854775808 does not fit into i64, the largest integer dtype: expected at most "
      "9223372036854775807; write it as a double";
  constexpr uint64_t kLarge = uint64_t{1} << 63;
  check_text<DTypeError>([&] { x + kLarge; }, number, __LINE__);
  check_text<DTypeError>([&] { where(x > 0, x, kLarge); }, number, __LINE__);
  check_text<DTypeError>([&] { full({2}, kLarge); }, number, __LINE__);
  check_text<DTypeError>([&] { x.fill_(kLarge); }, number, __LINE__);
  CHECK_EQ((ones({1}, i64) * (kLarge - 1)).item<int64_t>(), 9223372036854775807);

  CHECK_EQ(to_string(static_cast<DType>(77)), "no dtype");
  CHECK_EQ(size_of(static_cast<DType>(77)), 0);
  CHECK_EQ(size_of(static_cast<DType>(8)), 0);
  CHECK_FALSE(is_floating(static_cast<DType>(77)));
  CHECK_EQ(to_string(f64), "f64");

  Tensor wide = ones({1}).expand({int64_t{1} << 30});
  auto same = [](const Tensor& x) { return x * 2; };
  check_text<ShapeError>([&] { jacrev(same)(wide); },
                         "[jacrev] the jacobian of output, f32[1073741824], by argument 0, f32[1073741824]: "
                         "[1073741824,1073741824] has too many elements: expected at most 2^48",
                         __LINE__ - 3);
  auto column = [](const Tensor& x) { return x.expand({int64_t{1} << 30}); };
  int line = __LINE__ + 1;
  CHECK_THROWS_WITH_AS(jacrev(column)(ones({1})), doctest::Contains(("[jacrev] [identity] the result")), ShapeError);
  CHECK_THROWS_WITH_AS(jacrev(column)(ones({1})),
                       doctest::Contains(("faults_test.cpp:" + std::to_string(line + 1)).c_str()), ShapeError);
}

// ---- conditions on data

namespace F = jot::nn::functional;

TEST_CASE("a class out of range is named as it was given, with the lane and the line") {
  const std::string range = " is out of range; expected 0 to 3";
  Tensor classes = tensor({{0, 1}, {2, 5}, {3, 0}}), x = zeros({3, 2, 4});
  int line = __LINE__ + 1;
  auto hot = [](const Tensor& y) { return one_hot(y, 4) * 2; };
  const std::string of_five = "[one_hot] class 5" + range + " for num_classes = 4";
  check_text<IndexError>([&] { hot(classes).eval(); }, of_five, line);
  check_text<IndexError>([&] { jit(hot)(classes); }, of_five, line);
  check_text<IndexError>([&] { vmap(hot)(classes).eval(); }, of_five + ", in lane 1 of vmap", line);
  check_text<IndexError>(
      [&] {
        hot(tensor({3, -1})).eval();
      },
      "[one_hot] class -1" + range + " for num_classes = 4", line);
  constexpr int64_t kWide = int64_t{1} << 32;
  for (int64_t wrong : {kWide - 1, kWide, -kWide, -kWide - 1})
    check_text<IndexError>([&] { hot(full({9}, wrong)).eval(); },
                           "[one_hot] class " + std::to_string(wrong) + range + " for num_classes = 4", line);

  line = __LINE__ + 1;
  auto entropy = [](const Tensor& x, const Tensor& y) { return F::cross_entropy(x, y); };
  const std::string kind = "[cross_entropy] class 5" + range + ", or ignore_index = -100";
  check_text<IndexError>([&] { vmap(entropy)(x, classes).eval(); }, kind + ", in lane 1 of vmap", line);
  check_text<IndexError>([&] { vmap(grad(entropy))(x, classes).eval(); }, kind + ", in lane 1 of vmap", line);
  check_text<IndexError>([&] { jit(grad(entropy))(x[1], classes[1]); }, kind, line);
  check_text<IndexError>(
      [&] {
        entropy(x[0], tensor({-1, 0})).eval();
      },
      "[cross_entropy] class -1" + range + ", or ignore_index = -100", line);
  CHECK_EQ(entropy(x[0], tensor({-100, 0})).item<float>(), doctest::Approx(std::log(4)));

  Tensor logits = zeros({2, 4});
  line = __LINE__ + 1;
  auto nll = [&](const Tensor& y, int64_t ignored) { return F::nll_loss(logits, y, {.ignore_index = ignored}); };
  const std::string of_nll = "[nll_loss] class ";
  check_text<IndexError>(
      [&] {
        nll(tensor({0, -1}), -100).eval();
      },
      of_nll + "-1" + range + ", or ignore_index = -100", line);
  check_text<IndexError>(
      [&] {
        nll(tensor({0, -2}), -1).eval();
      },
      of_nll + "-2" + range + ", or ignore_index = -1", line);
  CHECK_EQ(nll(tensor({0, -1}), -1).item<float>(), 0);
  line = __LINE__ + 1;
  auto margin = [&](int64_t y) { return F::multi_margin_loss(logits, tensor({0, y})); };
  check_text<IndexError>([&] { margin(-100).eval(); }, "[multi_margin_loss] class -100" + range, line);
  line = __LINE__ + 1;
  auto margins = [&](int64_t y) { return F::multilabel_margin_loss(logits, tensor({{0, y, -1, 0}, {0, -1, 0, 0}})); };
  for (int64_t wrong : {4, -2})
    check_text<IndexError>(
        [&] { margins(wrong).eval(); },
        "[multilabel_margin_loss] class " + std::to_string(wrong) + range + ", or -1 behind the last one", line);
}

TEST_CASE("offsets of bags and pivots are checked") {
  Tensor index = tensor({0, 1, 2, 1}), weight = ones({5, 2});
  int line = __LINE__ + 1;
  auto bags = [&](const Tensor& o) { return F::embedding_bag(index, weight, {.offsets = o}); };
  auto text = [](int64_t offset) {
    return "[embedding_bag] offset " + std::to_string(offset) +
           " is out of place; expected offsets that begin with 0, do not descend and are at most 4, the length of the "
           "input";
  };
  check_text<IndexError>([&] { bags(tensor({0, 5})).eval(); }, text(5), line);
  check_text<IndexError>([&] { bags(tensor({1, 2})).eval(); }, text(1), line);
  check_text<IndexError>([&] { bags(tensor({0, 3, 2})).eval(); }, text(2), line);
  check_text<IndexError>([&] { vmap(bags)(tensor({{0, 3}, {0, 9}})).eval(); }, text(9) + ", in lane 1 of vmap", line);
  nn::functional::EmbeddingBagOptions options{.include_last_offset = true};
  line = __LINE__ + 1;
  auto closed = [&](const Tensor& o) { return options.offsets = o, F::embedding_bag(index, weight, options); };
  check_text<IndexError>([&] { closed(tensor({0, 5})).eval(); }, text(5), line);
  CHECK_EQ(bags(tensor({0, 4})).to_vector<float>(), std::vector<float>{1, 1, 0, 0});

  Tensor packed = eye(2), b = ones({2, 1});
  line = __LINE__ + 1;
  auto solve = [&](const Tensor& p) { return linalg::lu_solve(packed, p, b); };
  auto pivot = [](int64_t p) {
    return "[linalg.lu_solve] pivot " + std::to_string(p) +
           " is out of range; expected 1 to 2, as lu_factor makes them";
  };
  for (int32_t p : {0, 3, -1, std::numeric_limits<int32_t>::min()}) {
    check_text<IndexError>([&] { solve(Tensor::from(std::vector<int32_t>{1, p})).eval(); }, pivot(p), line);
    Tensor lanes = Tensor::from(std::vector<int32_t>{1, 2, 2, 2, 1, p}, {3, 2});
    check_text<IndexError>([&] { vmap(solve)(lanes).eval(); }, pivot(p) + ", in lane 2 of vmap", line);
  }
  check_text<DTypeError>(
      [&] {
        solve(tensor({1, 2}));
      },
      "[linalg.lu_solve] expected pivots of i32, as lu_factor makes them, got i64[2]: convert with "
      "to(i32)",
      line);
}

TEST_CASE("indices that count from the front alone, lengths and classes of ctc_loss") {
  Tensor rows = ones({3, 2}), index = tensor({{0, 1}, {2, 1}, {0, 3}});
  auto out = [](int64_t i) {
    return "index " + std::to_string(i) + " is out of bounds for dimension 0 with size 3; expected 0 to 2";
  };
  int line = __LINE__ + 1;
  auto embed = [&](const Tensor& i) { return F::embedding(i, rows); };
  for (int64_t wrong : {3, -1, -9})
    check_text<IndexError>([&] { embed(tensor({0, wrong})).eval(); }, "[embedding] " + out(wrong), line);
  check_text<IndexError>([&] { vmap(embed)(index).eval(); }, "[embedding] " + out(3) + ", in lane 2 of vmap", line);
  check_text<IndexError>([&] { jit(embed)(index); }, "[embedding] " + out(3), line);
  check_text<IndexError>([&] { grad([&](const Tensor& w) { return sum(F::embedding(index, w)); })(rows).eval(); },
                         "[embedding] " + out(3), __LINE__ - 1);
  line = __LINE__ + 1;
  auto bag = [&](const Tensor& i) { return F::embedding_bag(i, rows); };
  for (int64_t wrong : {3, -1})
    check_text<IndexError>([&] { bag(tensor({{0, wrong}})).eval(); }, "[embedding_bag] " + out(wrong), line);

  Tensor pooled = ones({1, 2, 2});
  line = __LINE__ + 1;
  auto unpool = [&](const Tensor& i) { return F::max_unpool2d(pooled, i, 2); };
  auto place = [](int64_t i) {
    return "[max_unpool2d] index " + std::to_string(i) + " is out of bounds for output planes [4,4]; expected 0 to 15";
  };
  for (int64_t wrong : {16, -1})
    check_text<IndexError>([&] { unpool(tensor({{{0, 1}, {2, wrong}}})).eval(); }, place(wrong), line);
  check_text<IndexError>(
      [&] {
        vmap(unpool)(tensor({{{{0, 1}, {2, 3}}}, {{{0, 1}, {2, -4}}}})).eval();
      },
      place(-4) + ", in lane 1 of vmap", line);

  Tensor logs = log_softmax(zeros({4, 2, 3}), 2), labels = tensor({{1, 2}, {2, 1}}), four = tensor({4, 4}),
         two = tensor({2, 2});
  line = __LINE__ + 1;
  auto ctc = [&](const Tensor& y, const Tensor& t, const Tensor& s) { return F::ctc_loss(logs, y, t, s); };
  struct Wrong {
    std::string text;
    Tensor labels, steps, lengths;
  };
  const Wrong cases[] = {
      {"class 3 is out of range; expected 0 to 2", tensor({{1, 3}, {2, 1}}), four, two},
      {"class -1 is out of range; expected 0 to 2", tensor({{1, -1}, {2, 1}}), four, two},
      {"expected input_lengths from 0 to 4, got 5", labels, tensor({4, 5}), two},
      {"expected input_lengths from 0 to 4, got -1", labels, tensor({-1, 4}), two},
      {"expected target_lengths from 0 to 2, got 3", labels, four, tensor({3, 2})},
      {"expected target_lengths from 0 to 2, got -2", labels, four, tensor({1, -2})},
      {"expected target_lengths whose sum is 3, the number of targets, got 4", tensor({1, 2, 1}), four, two},
      {"expected target_lengths whose sum is 5, the number of targets, got 4", tensor({1, 2, 1, 1, 1}), four, two},
  };
  for (const Wrong& w : cases) {
    check_text<IndexError>([&] { ctc(w.labels, w.steps, w.lengths).eval(); }, "[ctc_loss] " + w.text, line);
    check_text<IndexError>([&] { jit(ctc)(w.labels, w.steps, w.lengths); }, "[ctc_loss] " + w.text, line);
  }
  line = __LINE__ + 1;
  auto of = [&](const Tensor& x, const Tensor& s) { return F::ctc_loss(x, labels, four, s); };
  const std::string length = "[ctc_loss] expected target_lengths from 0 to 2, got 9";
  Tensor lengths = tensor({{2, 2}, {2, 1}, {0, 9}});
  check_text<IndexError>(
      [&] {
        vmap(of, {.in_dims = {none, 0}})(logs, lengths).eval();
      },
      length + ", in lane 2 of vmap", line);
  check_text<IndexError>([&] { grad(of)(logs, lengths[2]).eval(); }, length, line);
  // Labels behind a target's end are not looked at.
  CHECK(
      equal(ctc(tensor({{1, 9}, {2, 1}}), four, tensor({1, 2})), ctc(tensor({{1, 0}, {2, 1}}), four, tensor({1, 2}))));
}

TEST_CASE("numbers that make too many elements are errors in the name of the function") {
  Tensor x = arange(3);
  auto counts = [](int64_t n) { return Tensor::from(std::vector<int64_t>{1, n, n}); };
  check_text<ShapeError>([&] { x.repeat_interleave(counts(int64_t{1} << 62)); },
                         "[repeat_interleave] expected repeats whose sum is at most 2^48, got more", __LINE__ - 1);
  CHECK_THROWS_WITH_AS(x.repeat_interleave(counts(int64_t{1} << 46)),
                       doctest::Contains("[repeat_interleave] i64[140737488355329]: [memory] out of memory: "),
                       MemoryError);
  check_text<ShapeError>([&] { combinations(arange(100), 50); },
                         "[combinations] the result has too many elements: expected at most 2^48", __LINE__ - 1);
  check_text<ShapeError>([&] { combinations(x, int64_t{1} << 60, true); },
                         "[combinations] expected a number of at most 2^48, got 1152921504606846976", __LINE__ - 1);
  CHECK_EQ(combinations(x, int64_t{1} << 40).shape(), Shape{0, int64_t{1} << 40});
  CHECK_EQ(combinations(arange(20), 6).shape(), Shape{38760, 6});
  CHECK_EQ(combinations(arange(5), 4, true).shape(), Shape{70, 4});
  Tensor great = tensor({int64_t{1} << 60});
  check_text<IndexError>([&] { bincount(great); }, "[bincount] expected numbers below 2^48, got 1152921504606846976",
                         __LINE__ - 1);
  check_text<IndexError>([&] { one_hot(great); }, "[one_hot] expected numbers below 2^48, got 1152921504606846976",
                         __LINE__ - 1);
}

TEST_CASE("probabilities, rates, weights, variances and standard deviations are checked") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), endless = std::numeric_limits<double>::infinity();
#define CHECK_DATA(text, ...) check_text<Error>([&] { (__VA_ARGS__).eval(); }, text, __LINE__)
  CHECK_DATA("[bernoulli] expected probabilities from 0 to 1, got 1.5", bernoulli(tensor({0.5, 1.5})));
  CHECK_DATA("[bernoulli] expected probabilities from 0 to 1, got -0.1", bernoulli(tensor({-0.1, 1.0})));
  CHECK_DATA("[bernoulli] expected probabilities from 0 to 1, got nan", bernoulli(tensor({nan})));
  CHECK_DATA("[bernoulli_] expected probabilities from 0 to 1, got 1.5", zeros({2}).bernoulli_(tensor(1.5)));
  CHECK_EQ(bernoulli(tensor({0.0, 1.0})).to_vector<float>(), std::vector<float>{0, 1});
  CHECK_DATA("[poisson] expected rates that are not negative, got -1", poisson(tensor({1.0, -1.0})));
  CHECK_DATA("[normal] expected a std that is not negative, got -1", normal(0.0, tensor({1.0, -1.0})));
  CHECK_DATA("[normal] expected a std that is not negative, got nan", normal(0.0, tensor({1.0, nan})));
  CHECK_DATA("[normal] expected a std that is not negative, got -0.5", normal(zeros({2}), -0.5));
  CHECK_DATA("[multinomial] expected weights that are not negative, got -1", multinomial(tensor({1.0, -1.0}), 1));
  const std::string total =
      "[multinomial] expected finite weights of which one at least in each row is above 0, got a sum of ";
  CHECK_DATA(total + "0", multinomial(tensor({0.0, 0.0}), 1));
  CHECK_DATA(total + "0", multinomial(tensor({{1.0, 0.0}, {0.0, 0.0}}), 2, true));
  CHECK_DATA(total + "inf", multinomial(tensor({0.0, endless}), 1));
  Tensor x = rand({2, 3});
  CHECK_DATA("[cov] expected fweights that are not negative, got -1", cov(x, {.fweights = tensor({1, -1, 2})}));
  CHECK_DATA("[cov] expected aweights that are not negative, got -2", cov(x, {.aweights = tensor({1.0, -2.0, 2.0})}));
  CHECK_DATA("[cov] expected weights of which one at least is above 0, got a sum of 0",
             cov(x, {.fweights = tensor({0, 0, 0})}));
  const Tensor three = tensor({1.0, 2.0, 3.0});
  CHECK_DATA("[quantile] q must be in the range [0, 1] but got 1.5", quantile(three, tensor({0.5, 1.5})));
  CHECK_DATA("[quantile] q must be in the range [0, 1] but got nan", quantile(three, tensor(nan, f32)));
  CHECK_DATA("[nanquantile] q must be in the range [0, 1] but got -0.25", nanquantile(three, tensor({-0.25})));
  CHECK_DATA("[quantile] q must be in the range [0, 1] but got -0.5", quantile(three, -0.5));
  CHECK_DATA("[histc] expected finite elements, as min = max, got nan", histc(tensor({1.0, nan})));
  CHECK_DATA("[histc] expected finite elements, as min = max, got inf", histc(tensor({1.0, endless})));
  CHECK_DATA("[histc] expected finite elements, as min = max, got -inf", histc(tensor({-endless, 1.0}), 3, 2, 2));
  CHECK_DATA("[histc] max must be larger than min, and both finite: got 3 and 1.5", histc(three, 3, 3, 1.5));
  CHECK_EQ(histc(tensor({1.0, nan, endless}), 3, 0, 3).to_vector<float>(), std::vector<float>{0, 1, 0});
  CHECK_EQ(searchsorted(tensor({3, 1, 2}), tensor({1, 2})).to_vector<int64_t>(), std::vector<int64_t>{0, 2});
  Tensor one = tensor({1.0, 1.0}), half = one / 2;
  CHECK_DATA("[gaussian_nll_loss] expected variances that are not negative, got -2",
             F::gaussian_nll_loss(one, one, tensor({nan, -2.0})));
  CHECK(std::isnan(F::gaussian_nll_loss(one, one, one * nan).item<float>()));
  const std::string predictions = "[binary_cross_entropy] expected predictions from 0 to 1, got ";
  CHECK_DATA(predictions + "1.1", F::binary_cross_entropy(one * 1.1, one));
  CHECK_DATA(predictions + "nan", F::binary_cross_entropy(one * nan, one));
  CHECK_DATA("[binary_cross_entropy] expected targets from 0 to 1, got -2", F::binary_cross_entropy(half, one * -2));
#undef CHECK_DATA
  // In lanes, and in derivatives alone.
  int line = __LINE__ + 1;
  auto loss = [](const Tensor& p) { return F::binary_cross_entropy(p, ones({2})); };
  Tensor lanes = tensor({{0.5, 0.5}, {0.5, 0.5}, {0.5, 1.25}});
  check_text<Error>([&] { vmap(loss)(lanes).eval(); }, predictions + "1.25, in lane 2 of vmap", line);
  check_text<Error>([&] { vmap(grad_and_value(loss))(lanes).second.eval(); }, predictions + "1.25, in lane 2 of vmap",
                    line);
  check_text<Error>([&] { jit(grad_and_value(loss))(lanes[2]); }, predictions + "1.25", line);
  check_text<Error>([&] { vmap(grad(loss))(lanes).eval(); }, predictions + "1.25, in lane 2 of vmap", line);
  // Of nothing, nothing.
  CHECK_EQ(bernoulli(zeros({0})).numel(), 0);
  CHECK_EQ(vmap([](const Tensor& y) { return one_hot(y, 4); })(zeros({0, 2}, i64)).shape(), Shape{0, 2, 4});
}

TEST_CASE("the least integer is a number of places like others") {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  Tensor x = arange(5), square = arange(6).reshape({2, 3});
  const std::vector<int64_t> rolled = {3, 4, 0, 1, 2};  // by -2^63, which is 2 modulo 5
  CHECK_EQ(roll(x, kLeast).to_vector<int64_t>(), rolled);
  CHECK_EQ(roll(x, kLeast, 0).to_vector<int64_t>(), rolled);
  CHECK_EQ(square.diagonal(kLeast).numel(), 0);
  CHECK_EQ(square.t().diagonal(kLeast).numel(), 0);
  CHECK_EQ(sum(tril(square, kLeast)).item<int64_t>(), 0);
  CHECK(equal(triu(square, kLeast), square));
  CHECK(equal(linalg::matrix_power(eye(2) * -1, kLeast), eye(2)));
}
