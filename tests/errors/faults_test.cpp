// Faults of data and of size: what the user called, its dim, the lane, the line.
#include <doctest/doctest.h>
#include <jot/jot.h>

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
