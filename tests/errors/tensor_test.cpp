// Errors of tensor functions: class, text, and the line of the call.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <atomic>
#include <sstream>
#include <string>
#include <thread>

using namespace jot;

namespace {

// Runs f, which must throw E with this text and the line `line` of this file.
template <class E, class F>
void check_error(F f, const std::string& text, int line) {
  std::string where = "\n  at " + std::string(__FILE__) + ":" + std::to_string(line);
  try {
    f();
  } catch (const E& e) {
    std::string what = e.what();
    CHECK_MESSAGE(what.starts_with(text), what);
    CHECK_MESSAGE(what.ends_with(where), what);
    return;
  } catch (const std::exception& e) {
    FAIL_CHECK("another class of error: " << e.what());
    return;
  }
  FAIL_CHECK("no error: " << text);
}

template <class... T>
void check_elements(const Tensor& t, T... expected) {
  CHECK_EQ(t.to_vector<float>(), std::vector<float>{static_cast<float>(expected)...});
}

}  // namespace

// The expression must throw E with this text and its own line.
#define CHECK_ERROR(E, text, ...) check_error<E>([&] { (void)(__VA_ARGS__); }, text, __LINE__)

// One call, one line.
// clang-format off
TEST_CASE("shapes") {
  Tensor a = ones({2, 3}), b = ones({2}), v = ones({3});
  CHECK_ERROR(ShapeError, "[add] shapes [2,3] and [2] cannot be broadcast: at dimension 1 the extents 3 and 2", a + b);
  CHECK_ERROR(ShapeError, "[sub] shapes", a - b);
  CHECK_ERROR(ShapeError, "[mul] shapes", b * a);
  CHECK_ERROR(ShapeError, "[div] shapes", a.div(b));
  CHECK_ERROR(ShapeError, "[maximum] shapes", maximum(a, b));
  CHECK_ERROR(ShapeError, "[gt] shapes", a > b);
  CHECK_ERROR(ShapeError, "[where] shapes", where(a > 0, a, b));
  CHECK_ERROR(ShapeError, "[add_] output with shape [3] doesn't match the broadcast shape [2,3]", v += a);
  CHECK_ERROR(ShapeError, "[add_] shapes", v.add_(b));
  CHECK_ERROR(ShapeError, "[copy_] a source of shape [2,3] cannot be broadcast", v.copy_(a));
  CHECK_ERROR(ShapeError, "[copy_] a source of shape [2] cannot be broadcast to the destination's [3]", a[0] = b);
  CHECK_ERROR(ShapeError, "[fill_] only a number or a 0-d tensor can fill, got f32[2]", a.fill_(b));
  CHECK_ERROR(
      ShapeError,
      "[matmul] expected extent 3 in dim 0 of the second operand, as in the last of the first, got f32[2,3] and f32[2]",
      matmul(a, b));
  CHECK_ERROR(ShapeError, "[matmul] both operands must have at least one dim", matmul(ones({}), a));
  CHECK_ERROR(ShapeError, "[matmul] shapes [2] and [3] cannot be broadcast", matmul(ones({2, 1, 4}), ones({3, 4, 1})));
  CHECK_ERROR(ShapeError, "[mm] expected a 2-d and a 2-d tensor, got f32[2,3] and f32[3]", mm(a, v));
  CHECK_ERROR(ShapeError, "[bmm] expected one batch size", bmm(ones({2, 1, 1}), ones({3, 1, 1})));
  CHECK_ERROR(ShapeError, "[dot] expected a 1-d and a 1-d tensor", dot(a, v));
  CHECK_ERROR(ShapeError, "[cross] expected extent 3 in dim -1", cross(b, b));
  CHECK_ERROR(ShapeError, "[trace] expected a 2-d tensor, got f32[3]", trace(v));
  CHECK_ERROR(ShapeError, "[stack] expects each tensor to be equal size, but got [2] at entry 0 and [3] at entry 1",
              stack({b, v}));
  CHECK_ERROR(ShapeError, "[stack] expected a non-empty list", stack({}));
  CHECK_ERROR(ShapeError,
              "[cat] sizes of tensors must match except in dimension 0: tensor 1 is f32[2], the first is f32[2,3]",
              cat({a, b}));
  CHECK_ERROR(ShapeError, "[cat] 0-d tensors cannot be concatenated", cat({ones({}), ones({})}));
  CHECK_ERROR(ShapeError, "[view] shape [4] is invalid for input of size 6", a.view({4}));
  CHECK_ERROR(ShapeError, "[view] only one dimension can be inferred", a.view({-1, -1}));
  CHECK_ERROR(ShapeError, "[view] view size [6] is not compatible with input tensor's size and stride",
              a.t().view({6}));
  CHECK_ERROR(ShapeError, "[reshape] shape [-1,4] is invalid", a.reshape({-1, 4}));
  CHECK_ERROR(ShapeError, "[expand] the expanded size [4,3] must match the existing [2,3]", a.expand({4, 3}));
  CHECK_ERROR(ShapeError, "[permute] number of dimensions", a.permute({0}));
  CHECK_ERROR(ShapeError, "[t] expects a tensor with <= 2 dimensions", ones({1, 1, 1}).t());
  CHECK_ERROR(ShapeError, "[diagonal] expects at least two dims", v.diagonal());
  CHECK_ERROR(ShapeError, "[tensor] the lists at one depth must have one length", tensor({{1, 2}, {3}}));
  CHECK_ERROR(ShapeError, "[Tensor::from] shape [3] has 3 elements, got 2",
              Tensor::from(std::vector<float>{1, 2}, {3}));
  CHECK_ERROR(ShapeError, "[zeros] negative extent in [-1]", zeros({-1}));
  CHECK_ERROR(ShapeError, "[ones] too many elements", ones({1 << 30, 1 << 30}));
  CHECK_ERROR(ShapeError, "[amax] expected the reduced dims to have at least one element", amax(zeros({0})));
  CHECK_ERROR(ShapeError, "[item] a Tensor with 6 elements cannot be converted to a number", a.item<float>());
  CHECK_ERROR(
      ShapeError,
      "[add_] unsupported operation: more than one element of the written-to tensor refers to a single memory location",
      b.unsqueeze(0).expand({3, 2}).add_(1));
  CHECK_ERROR(ShapeError, "[mutable_data] the elements of this view are not contiguous", a.t().mutable_data<float>());
  CHECK_ERROR(ShapeError,
              "[index_put_] shape mismatch: values of shape [2] cannot be broadcast to the indexed shape [1,3]",
              a.index_put_({tensor({0})}, b));
}

TEST_CASE("dims and indices") {
  Tensor a = ones({2, 3});
  CHECK_ERROR(IndexError, "[sum] Dimension out of range (expected to be in range of [-2, 1], but got 2)", sum(a, 2));
  CHECK_ERROR(IndexError, "[sum] dim 1 appears multiple times in the list of dims", a.sum({1, -1}));
  CHECK_ERROR(IndexError, "[size] Dimension out of range", a.size(2));
  CHECK_ERROR(IndexError, "[softmax] Dimension out of range (expected to be in range of [-2, 1], but got -3)",
              softmax(a, -3));
  CHECK_ERROR(IndexError, "[unsqueeze] Dimension out of range (expected to be in range of [-3, 2], but got 3)",
              a.unsqueeze(3));
  CHECK_ERROR(IndexError, "[transpose] Dimension out of range", a.transpose(0, 5));
  CHECK_ERROR(IndexError, "[permute] duplicate dims are not allowed", a.permute({0, 0}));
  CHECK_ERROR(IndexError, "[stack] Dimension out of range", stack({a}, 3));
  CHECK_ERROR(IndexError, "[select] index 2 is out of range for dimension 0 with size 2", a.select(0, 2));
  CHECK_ERROR(IndexError, "[select] cannot be applied to a 0-d tensor", ones({}).select(0, 0));
  CHECK_ERROR(IndexError, "[narrow] start (1) + length (3) exceeds dimension size (3)", a.narrow(1, 1, 3));
  CHECK_ERROR(IndexError, "[slice] slice step must be positive, got 0", a.slice(0, 0, 1, 0));
  CHECK_ERROR(IndexError, "[index] index 5 is out of bounds for dimension 1 with size 3", a.index({0, 5}));
  CHECK_ERROR(IndexError, "[index] index -3 is out of bounds for dimension 0 with size 2", a[-3]);
  CHECK_ERROR(IndexError, "[index] too many indices for tensor of dimension 2", a.index({0, 0, 0}));
  CHECK_ERROR(IndexError, "[index] an index can only have a single Ellipsis", a.index({Ellipsis, Ellipsis}));
  CHECK_ERROR(IndexError, "[index] tensors used as indices must be integers or booleans, got f32[1]",
              a.index({ones({1})}));
  CHECK_ERROR(
      IndexError,
      "[index] The shape of the mask [3] at index 0 does not match the shape of the indexed tensor [2,3] at index 0",
      a.index({ones({3}, boolean)}));
  CHECK_ERROR(IndexError, "[split] expected a positive size", a.split(0));
  CHECK_ERROR(IndexError, "[randint] expects low < high", randint(3, 3, {1}));
  CHECK_ERROR(IndexError, "[arange] step must be nonzero", arange(0, 1, 0));
}

TEST_CASE("dtypes") {
  Tensor a = ones({2, 2}), i = ones({2, 2}, i64), b = a > 0;
  CHECK_ERROR(DTypeError, "[matmul] expected both operands to have the same dtype, got f32[2,2] and f64[2,2]",
              matmul(a, ones({2, 2}, f64)));
  CHECK_ERROR(DTypeError, "[matmul] not defined for booleans", matmul(b, b));
  CHECK_ERROR(DTypeError, "[sub] not defined for two booleans", b - b);
  CHECK_ERROR(DTypeError, "[neg] not defined for boolean", -b);
  CHECK_ERROR(DTypeError, "[mean] defined for floating dtypes, got i64[2,2]", mean(i));
  CHECK_ERROR(DTypeError, "[add_] result type f32 can't be cast to the desired output type i64", i += 0.5);
  CHECK_ERROR(DTypeError, "[div_] result type f32 can't be cast to the desired output type i64", i.div_(2));
  CHECK_ERROR(DTypeError, "[sin_] result type f32 can't be cast to the desired output type i64", i.sin_());
  CHECK_ERROR(DTypeError, "[bitwise_and] defined for integers and booleans, got f32", a & 1);
  CHECK_ERROR(DTypeError, "[bitwise_not] defined for integers and booleans, got f32[2,2]", ~a);
  CHECK_ERROR(DTypeError, "[where] the condition must be boolean, got f32[2,2]", where(a, a, 0));
  CHECK_ERROR(DTypeError, "[pow] Integers to negative integer powers are not allowed", pow(i, -1));
  CHECK_ERROR(DTypeError, "[data] the elements are f32, asked for f64: convert with to()", a.data<double>());
  CHECK_ERROR(DTypeError, "[zeros] bf16 is not supported yet: use boolean, i32, i64, f32 or f64", zeros({1}, bf16));
  CHECK_ERROR(DTypeError, "[to] f16 is not supported yet", a.to(f16));
  CHECK_ERROR(DTypeError, "[tensor] u8 is not supported yet", tensor(1, u8));
  CHECK_ERROR(DTypeError, "[set_default_dtype] expected f32 or f64, got i64", set_default_dtype(i64));
  CHECK_ERROR(DTypeError, "[rand] expected a floating dtype, got i64", rand({1}, i64));
  CHECK_ERROR(Error, "[clamp] At least one of 'min' or 'max' must not be none", clamp(a, none));
}

TEST_CASE("undefined tensors") {
  Tensor none_at_all;
  CHECK_ERROR(TraceError, "[add] an operand is an undefined Tensor", none_at_all + 1);
  CHECK_ERROR(TraceError, "[sin] an operand is an undefined Tensor", sin(none_at_all));
  CHECK_ERROR(TraceError, "[stack] an operand is an undefined Tensor", stack({none_at_all}));
  CHECK_ERROR(TraceError, "[index] an operand is an undefined Tensor", none_at_all[0]);
  CHECK_ERROR(TraceError, "[item] an operand is an undefined Tensor", none_at_all.item<double>());
  CHECK_THROWS_WITH_AS(none_at_all.shape(), "[shape] an operand is an undefined Tensor", TraceError);
}

TEST_CASE("data errors appear where the value is read, with the line of the op, and spoil nothing else") {
  Tensor x = ones({3}), i = tensor({5});
  int line = __LINE__ + 1;
  Tensor bad = x.index({i});
  Tensor good = x * 2, worse = bad + 1;
  std::string text = "[gather] index 5 is out of bounds for dimension 0 with size 3";
  check_error<IndexError>([&] { bad.eval(); }, text, line);
  check_error<IndexError>([&] { bad.item<double>(); }, text, line);
  check_error<IndexError>([&] { worse.item<double>(); }, text, line);
  check_error<IndexError>([&] { (void)(bad + 1); }, text, line);
  CHECK_EQ(good.to_vector<float>(), std::vector<float>{2, 2, 2});
  CHECK_EQ((x + 1).to_vector<float>(), std::vector<float>{2, 2, 2});
}

TEST_CASE("a write that fails is reported once, where it is evaluated; the tensor is as it was before it") {
  Tensor x = tensor({1., 2., 3.}).eval(), view = x.slice(0, 0, 2), bad = tensor({7});
  std::string text = "[scatter_set] index 7 is out of bounds for dimension 0 with size 3";
  int line = __LINE__ + 1;
  x.index_put_({bad}, 5);
  check_error<IndexError>([&] { x.eval(); }, text, line);
  check_elements(x, 1, 2, 3);
  check_elements(view, 1, 2);
  x.add_(1);
  view[0] = 7;
  check_elements(x, 7, 3, 4);
  x.zero_();
  check_elements(view, 0, 0);
  x.fill_(4);

  // Through a view that was taken before, and read through it.
  line = __LINE__ + 1;
  view.index_put_({bad}, 5);
  check_error<IndexError>([&] { (void)view.to_vector<float>(); }, "[scatter_set] index 7", line);
  check_elements(view, 4, 4);
  check_elements(x, 4, 4, 4);

  // What is written cannot be computed.
  line = __LINE__ + 1;
  x.add_(x.index({bad}));
  check_error<IndexError>([&] { std::ostringstream() << x; }, "[gather] index 7", line);
  check_elements(x, 4, 4, 4);

  // A use that evaluates nothing reports it too, and does not happen.
  line = __LINE__ + 1;
  x.index_put_({bad}, 5);
  (ones({2}) * 3).eval();
  check_error<IndexError>([&] { x.add_(1); }, text, line);
  x.add_(1);
  check_elements(x, 5, 5, 5);
}

TEST_CASE("of pending writes those before the first that fails are kept") {
  for (bool pending : {false, true}) {
    Tensor x = zeros({3});
    if (!pending) x.eval();
    Tensor before = x + 1, bad = tensor({7});
    for (int i = 0; i < 5; ++i) x.add_(i);
    Tensor between = x + 1;
    int line = __LINE__ + 1;
    x.slice(0, 1).index_put_({bad}, 5);
    x.mul_(100);
    x.index_put_({tensor({9})}, 5);
    Tensor after = x + 1;
    check_error<IndexError>([&] { x.eval(); }, "[scatter_set] index 7", line);
    check_elements(x, 10, 10, 10);
    check_elements(before, 1, 1, 1);
    check_elements(between, 11, 11, 11);
    for (int i = 0; i < 2; ++i) CHECK_THROWS_AS(after.eval(), IndexError);
    CHECK_THROWS_AS(after.zero_(), IndexError);  // a value that was never there
  }
}

TEST_CASE("a write that fails leaves other tensors alone, and borrowed memory") {
  Tensor bad = tensor({7}), x = ones({3}).eval(), y = ones({3}).eval(), z = ones({3}).eval();
  std::vector<double> memory = {1, 2, 3};
  Tensor borrowed = borrow(memory.data(), {3}, f64);
  x.index_put_({bad}, 5);
  y.add_(x);
  z.add_(2);
  borrowed.mul_(2);
  borrowed.index_put_({bad}, 5);
  check_elements(z, 3, 3, 3);
  for (const Tensor& t : {x, y, borrowed}) CHECK_THROWS_AS(t.eval(), IndexError);
  check_elements(x, 1, 1, 1);
  check_elements(y, 1, 1, 1);
  CHECK_EQ(memory, std::vector<double>{2, 4, 6});
  borrowed[0] = 9;
  borrowed.eval();
  CHECK_EQ(memory, std::vector<double>{9, 4, 6});
  CHECK_THROWS_AS(jit([](const Tensor& t, const Tensor& i) { return t.index_put_({i}, 5) * 2; })(x, bad), IndexError);
  check_elements(x, 1, 1, 1);
}

TEST_CASE("a loop goes on after writes that fail") {
  Tensor x = zeros({3});
  int failures = 0;
  for (int i = 0; i < 200; ++i) {
    try {
      x.index_add_(0, tensor({i % 5}), ones({1}));
      x.eval();
    } catch (const IndexError&) {
      ++failures;
    }
  }
  CHECK_EQ(failures, 80);
  check_elements(x, 40, 40, 40);
}

TEST_CASE("a write that fails in one thread is reported to one of those that read") {
  for (int round = 0; round < 20; ++round) {
    Tensor x = ones({3}).eval();
    x.index_put_({tensor({7})}, 5);
    std::atomic<int> failures{0}, values{0};
    auto read = [&] {
      for (int i = 0; i < 3; ++i) try {
          if (x.to_vector<float>() == std::vector<float>{1, 1, 1}) ++values;
        } catch (const IndexError&) {
          ++failures;
        }
    };
    std::thread a(read), b(read);
    a.join();
    b.join();
    CHECK_EQ(failures, 1);
    CHECK_EQ(values, 5);
  }
}

TEST_CASE("nothing is half-written by an error") {
  Tensor x = ones({3}), y = x.clone();
  CHECK_ERROR(ShapeError, "[add_]", x += ones({2}));
  CHECK_ERROR(DTypeError, "[add_]", ones({1}, i64).add_(0.5));
  CHECK(equal(x, y));
}

TEST_CASE("host reads that a transform cannot serve") {
  Tensor x = ones({3});
  CHECK_ERROR(TraceError, "[item] vmap: It looks like you're calling .item() on a Tensor", vmap([](const Tensor& t) {
                t.item<double>();
                return t;
              })(x));
  CHECK_ERROR(TraceError, "[item] a symbolic tensor has no value while jit, trace or compile records",
              jit([](const Tensor& t) {
                t[0].item<double>();
                return t;
              })(x));
  CHECK_ERROR(TraceError, "[nonzero] vmap: We do not support batching operators that can output dynamic shape",
              vmap([](const Tensor& t) { return t.index({t > 0}); })(ones({2, 3})));
  Tensor leaked;
  vmap([&](const Tensor& t) { return leaked = t * 2; })(x);
  CHECK_ERROR(TraceError,
              "[jot] a tensor was used outside the transform whose function made it: your tensor may have escaped",
              leaked + 1);
  CHECK_ERROR(TraceError, "[item] the tensor belongs to a transform that has ended: your tensor may have escaped",
              leaked.item<double>());
}

TEST_CASE("writes that a derivative refuses") {
  Tensor captured = ones({3}), x = ones({3});
  CHECK_ERROR(TransformError,
              "[add_] During a grad (vjp, jvp, grad, etc) transform, the function provided attempted to call in-place "
              "operation (add_) that would mutate a captured Tensor",
              grad([&](const Tensor& t) {
                captured.add_(1);
                return sum(t);
              })(x));
  CHECK_ERROR(TransformError, "[copy_] During a grad", jacrev([&](const Tensor& t) {
                captured[0] = t[0];
                return t;
              })(x));
  CHECK_ERROR(TransformError, "[zero_] During a grad", jacfwd([&](const Tensor& t) {
                NoGrad guard;
                captured.slice(0, 1).zero_();
                return t;
              })(x));
  CHECK_ERROR(TransformError, "[mul_] During a grad", vmap([&](const Tensor& t) {
                return grad([&](const Tensor& u) {
                  captured.mul_(2);
                  return sum(u);
                })(t);
              })(ones({2, 3})));
  CHECK(equal(captured, ones({3})));
}
