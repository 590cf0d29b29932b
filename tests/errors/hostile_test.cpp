// Extents, counts, dtypes, addresses and names that make no sense: the right value, or an error of the right class with
// its text and the line of the call.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <limits>
#include <string>
#include <vector>

using namespace jot;

namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max(), kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t k40 = int64_t{1} << 40, k53 = int64_t{1} << 53, k62 = int64_t{1} << 62;

template <class E, class F>
void check_error(F f, const std::string& text, int line) {
  std::string where = "\n  at " + std::string(__FILE__) + ":" + std::to_string(line);
  try {
    f();
  } catch (const InternalError& e) {
    FAIL_CHECK(e.what());
  } catch (const E& e) {
    std::string what = e.what();
    CHECK_MESSAGE(what.starts_with(text), what);
    CHECK_MESSAGE(what.ends_with(where), what);
  } catch (const std::exception& e) {
    FAIL_CHECK("another class of error: " << e.what());
    return;
  }
}
// The expression must throw E with this text and its own line.
#define CHECK_ERROR(E, text, ...)                  \
  do {                                             \
    bool threw_ = true;                            \
    check_error<E>(                                \
        [&] {                                      \
          (void)(__VA_ARGS__);                     \
          threw_ = false;                          \
        },                                         \
        text, __LINE__);                           \
    CHECK_MESSAGE(threw_, "no error: " << (text)); \
  } while (false)

std::vector<int64_t> ints(const Tensor& t) { return t.to_vector<int64_t>(); }
using I = std::vector<int64_t>;

// `rank` axes, the first three of extent 2.
Tensor of_rank(size_t rank, int64_t extent) {
  std::vector<int64_t> shape(rank, extent);
  for (size_t d = 0; d < 3; ++d) shape[d] = 2;
  int64_t n = Shape(shape).numel();
  return arange(n, f64).reshape(Shape(shape));
}

struct Empty : nn::Module {};

}  // namespace

// One call, one line.
// clang-format off
TEST_CASE("hostile: arange counts exactly") {
  CHECK_EQ(ints(arange(kMax - 3, kMax)), I{kMax - 3, kMax - 2, kMax - 1});
  CHECK_EQ(ints(arange(kMax - 10, kMax, 4)), I{kMax - 10, kMax - 6, kMax - 2});
  CHECK_EQ(ints(arange(kMin, kMin + 3)), I{kMin, kMin + 1, kMin + 2});
  CHECK_EQ(ints(arange(kMax, kMax - 8, -4)), I{kMax, kMax - 4});
  CHECK_EQ(ints(arange(k53 + 1, k53 + 4)), I{k53 + 1, k53 + 2, k53 + 3});
  CHECK_EQ(ints(arange(k62, k62 + 3)), I{k62, k62 + 1, k62 + 2});
  CHECK_EQ(ints(arange(kMin, kMax, kMax)), I{kMin, -1, kMax - 1});
  CHECK_EQ(ints(arange(10, 0, kMin)), I{10});
  CHECK_EQ(arange(3, 3, -1).numel(), 0);
  CHECK_ERROR(ShapeError, "[arange] shape [9007199254740992] has too many elements: expected at most 2^48", arange(k53));
  CHECK_ERROR(ShapeError, "[arange] shape [4611686018427387904] has too many elements", arange(k62));
  CHECK_ERROR(ShapeError, "[arange] shape [9223372036854775807] has too many elements", arange(kMax));
  CHECK_ERROR(ShapeError, "[arange] shape [9223372036854775807] has too many elements", arange(kMin, kMax));
  CHECK_ERROR(ShapeError, "[arange] shape [9223372036854775807] has too many elements", arange(0, 1e300));
  CHECK_ERROR(ShapeError, "[arange] shape [9223372036854775807] has too many elements", arange(0, 1, 1e-30));
  CHECK_ERROR(ShapeError, "[arange] shape [9223372036854775807] has too many elements", arange(-1e308, 1e308, 1e-3));
  CHECK_ERROR(IndexError, "[arange] unsupported range", arange(0, std::numeric_limits<double>::infinity()));
  CHECK_ERROR(IndexError, "[arange] unsupported range", arange(0, std::numeric_limits<double>::quiet_NaN()));
  CHECK_ERROR(IndexError, "[arange] upper bound and lower bound inconsistent with step sign", arange(kMin, kMax, -1));
}

TEST_CASE("hostile: extents and their products") {
  Tensor one = ones({1}), four = ones({4}), none_at_all = ones({0});
  CHECK_ERROR(ShapeError, "[linspace] shape [9007199254740992] has too many elements", linspace(0, 1, k53));
  CHECK_ERROR(ShapeError, "[linspace] shape [4611686018427387904] has too many elements", linspace(0, 1, k62));
  CHECK_ERROR(ShapeError, "[linspace] shape [9223372036854775807] has too many elements", linspace(0, 1, kMax));
  CHECK_ERROR(ShapeError, "[randint] shape [4611686018427387904,4] has too many elements", randint(0, 9, {k62, 4}));
  CHECK_ERROR(ShapeError, "[randint] shape [-1] has a negative extent: expected extents >= 0", randint(0, 9, {-1}));
  CHECK_ERROR(ShapeError, "[rand] shape [9223372036854775807] has too many elements", rand({kMax}));
  CHECK_ERROR(ShapeError, "[randn] shape [4611686018427387904,4] has too many elements", randn({k62, 4}));
  CHECK_ERROR(ShapeError, "[zeros] shape [0,9223372036854775807,9223372036854775807] has too many", zeros({0, kMax, kMax}));
  CHECK_ERROR(ShapeError, "[ones] shape [4611686018427387904,4] has too many elements", ones({k62, 4}));
  CHECK_ERROR(ShapeError, "[full] shape [4611686018427387904,4] has too many elements", full({k62, 4}, 1));
  CHECK_ERROR(ShapeError, "[empty] shape [1099511627776,1099511627776] has too many elements", empty({k40, k40}));
  CHECK_ERROR(ShapeError, "[eye] shape [9223372036854775807,9223372036854775807] has too many elements", eye(kMax));
  CHECK_ERROR(ShapeError, "[eye] shape [-1,-1] has a negative extent", eye(-1));
  CHECK_ERROR(ShapeError, "[new_zeros] shape [9223372036854775807,2] has too many elements", one.new_zeros({kMax, 2}));
  CHECK_ERROR(ShapeError, "[Tensor::from] shape [0,9223372036854775807] has too many", Tensor::from(std::vector<float>{}, {0, kMax}));
  CHECK_ERROR(ShapeError, "[expand] shape [9007199254740992] has too many elements", one.expand({k53}));
  CHECK_ERROR(ShapeError, "[expand] shape [4611686018427387904,4,1] has too many elements", one.expand({k62, 4, 1}));
  CHECK_ERROR(ShapeError, "[expand] shape [9223372036854775807] has too many elements", one.expand({kMax}));
  CHECK_ERROR(ShapeError, "[expand] shape [4611686018427387904,4611686018427387904] has too", broadcast_to(one, {k62, k62}));
  CHECK_ERROR(ShapeError, "[as_strided] size [9223372036854775807] has too many elements", four.as_strided({kMax}, {0}));
  CHECK_ERROR(ShapeError, "[as_strided] size [4611686018427387904,4] has too many", four.as_strided({k62, 4}, {0, 0}));
  CHECK_ERROR(ShapeError, "[as_strided] size [-1] has a negative extent", four.as_strided({-1}, {1}));
  CHECK_EQ(four.as_strided({1, 2}, {kMax, 1}).to_vector<float>(), std::vector<float>{1, 1});
  CHECK_ERROR(ShapeError, "[reshape] shape [8589934592,8589934592] has too many", none_at_all.reshape({int64_t{1} << 33, int64_t{1} << 33}));
  CHECK_ERROR(ShapeError, "[reshape] shape [1,4611686018427387904,4] has too many elements", four.reshape({-1, k62, 4}));
  CHECK_ERROR(ShapeError, "[view] shape [4611686018427387904,4] has too many elements", four.view({k62, 4}));
  CHECK_ERROR(ShapeError, "[unflatten] sizes [4294967296,4294967296] has too", none_at_all.unflatten(0, {int64_t{1} << 32, int64_t{1} << 32}));
  CHECK_ERROR(ShapeError, "[unfold] the result [549755813889,549755813888] has too many", one.expand({k40}).unfold(0, k40 / 2, 1));
  CHECK_EQ(arange(4).unfold(0, 2, kMax).to_vector<int64_t>(), I{0, 1});
  CHECK_ERROR(ShapeError, "[diag] diagonal 9223372036854775807: the result [281474976710659,281474976710659] has too many", diag(ones({3}), kMax));
  CHECK_ERROR(ShapeError, "[diag] diagonal -9223372036854775808: the result", diag(ones({3}), kMin));
  CHECK_EQ(ones({3, 3}).diagonal(kMin).numel() + ones({3, 3}).diagonal(kMax).numel(), 0);
  CHECK_ERROR(ShapeError, "[add] the result [1099511627776,1099511627776] has too many elements", one.expand({k40}) + one.expand({k40, 1}));
  CHECK_ERROR(ShapeError, "[Linear] a parameter of shape [4,4611686018427387904] has too many elements", nn::Linear(k62, 4));
  CHECK_ERROR(MemoryError, "[arange] i64[1099511627776]: [memory] out of memory: 8796093022208 bytes asked for", arange(k40));
}

TEST_CASE("hostile: parts and counts") {
  Tensor four = arange(4);
  CHECK_ERROR(IndexError, "[narrow] start (9223372036854775807) + length (1) exceeds dimension size (4)", four.narrow(0, kMax, 1));
  CHECK_ERROR(IndexError, "[narrow] start (1) + length (9223372036854775807) exceeds", four.narrow(0, 1, kMax));
  CHECK_ERROR(IndexError, "[narrow] start (-1) + length (9223372036854775807) exceeds", four.narrow(0, -1, kMax));
  CHECK_ERROR(ShapeError, "[split] split_with_sizes expects sizes to sum exactly to 4", four.split({kMax, kMax, 2, 4}));
  CHECK_ERROR(ShapeError, "[split] split_with_sizes expects sizes to sum exactly to 4", four.split({k62, k62, k62, k62, 4}));
  CHECK_EQ(four.chunk(kMax).size(), 4);
  CHECK_EQ(four.split(kMax).size(), 1);
  CHECK_ERROR(IndexError, "[tensor_split] number of sections must be at most 2^24, got 9223372036854775807", four.tensor_split(kMax));
  CHECK_EQ(ints(four.slice(0, kMin, kMax, kMax)), I{0});
  CHECK_EQ(ints(four.index({Slice(1, 4, kMax)})), I{1});
  CHECK_EQ(four.slice(0, kMax, kMin).numel(), 0);
}

TEST_CASE("hostile: what would wrap around, or go on for ever") {
  namespace F = nn::functional;
  Tensor four = ones({4, 4});
  CHECK_ERROR(ShapeError, "[repeat] the result [9223372036854775807,9223372036854775807] has too many elements", four.repeat({k62, k62}));
  CHECK_ERROR(ShapeError, "[tile] the result [9223372036854775807,4] has too many elements", tile(four, {k62, 1}));
  CHECK_ERROR(ShapeError, "[repeat_interleave] the result [9223372036854775807,4] has too many elements", repeat_interleave(four, k62, 0));
  CHECK_ERROR(ShapeError, "[pad] padding [9223372036854775807,9223372036854775807] is too large: expected at most 2^31", F::pad(four, {kMax, kMax}));
  CHECK_ERROR(ShapeError, "[pad] padding [-9223372036854775808,0] is too large", F::pad(four, {kMin, 0}));
  CHECK_EQ(to_string(diff(four, kMax).shape()), "[4,0]");
  CHECK_EQ(to_string(diff(four, 3, 0).shape()), "[1,4]");
  CHECK_EQ(to_string(diff(ones({0}), 2).shape()), "[0]");
  CHECK_ERROR(Error, "[mvlgamma] the dimension must be at most 65536, got 9223372036854775807", mvlgamma(four, kMax));
}

TEST_CASE("hostile: randint over wide ranges") {
  manual_seed(3);
  std::vector<int64_t> all = ints(randint(kMin, kMax, {200})), wide = ints(randint(-k62 - 5, k62, {200}));
  int64_t negative = 0, large = 0;
  for (int64_t x : all) {
    negative += x < 0;
    large += x > k62 || x < -k62;
  }
  CHECK(negative > 60);
  CHECK(negative < 140);
  CHECK(large > 60);
  CHECK(large < 140);
  negative = 0;
  for (int64_t x : wide) {
    CHECK(x >= -k62 - 5);
    CHECK(x < k62);
    negative += x < 0;
  }
  CHECK(negative > 60);
  CHECK(negative < 140);
  CHECK_ERROR(IndexError, "[randint] numbers from 0 to 1099511627775 do not fit i32: expected -2147483648 to 2147483647", randint(0, k40, {3}, i32));
  CHECK_ERROR(IndexError, "[randint] numbers from 0 to 2 do not fit bool: expected 0 to 1", randint(0, 3, {3}, boolean));
  CHECK_EQ(randint(0, 2, {3}, boolean).dtype(), boolean);
}

TEST_CASE("hostile: dtypes that are none") {
  const auto bad = static_cast<DType>(77);
  Tensor x = ones({2});
  const std::string none_of = "DType(77) is none of the dtypes: expected boolean, u8, i32, i64, bf16, f16, f32 or f64";
  CHECK_ERROR(DTypeError, "[set_default_dtype] " + none_of, set_default_dtype(bad));
  CHECK_EQ(default_dtype(), f32);
  CHECK_ERROR(DTypeError, "[zeros] " + none_of, zeros({1}, bad));
  CHECK_ERROR(DTypeError, "[full] " + none_of, full({1}, 1, bad));
  CHECK_ERROR(DTypeError, "[eye] " + none_of, eye(2, bad));
  CHECK_ERROR(DTypeError, "[arange] " + none_of, arange(3, bad));
  CHECK_ERROR(DTypeError, "[linspace] " + none_of, linspace(0, 1, 3, bad));
  CHECK_ERROR(DTypeError, "[tensor] " + none_of, tensor(1.0, bad));
  CHECK_ERROR(DTypeError, "[rand] " + none_of, rand({1}, bad));
  CHECK_ERROR(DTypeError, "[randint] " + none_of, randint(0, 2, {1}, bad));
  CHECK_ERROR(DTypeError, "[zeros_like] " + none_of, zeros_like(x, bad));
  CHECK_ERROR(DTypeError, "[new_full] " + none_of, x.new_full({1}, 2, bad));
  CHECK_ERROR(DTypeError, "[to] " + none_of, x.to(bad));
  CHECK_ERROR(DTypeError, "[Module::to] " + none_of, nn::Linear(1, 1).to(bad));
  float element = 0;
  CHECK_ERROR(DTypeError, "[from_blob] " + none_of, from_blob(&element, {1}, bad));
  CHECK_ERROR(DTypeError, "[borrow] " + none_of, borrow(&element, {1}, bad));
  CHECK_EQ(x.to_vector<float>(), std::vector<float>{1, 1});
}

TEST_CASE("hostile: addresses") {
  void* nowhere = nullptr;
  const void* constant = nullptr;
  const float* floats = nullptr;
  const std::string null = "the pointer is null: expected the address of 3 elements, f32[3]";
  CHECK_ERROR(Error, "[from_blob] " + null, from_blob(nullptr, {3}, f32));
  CHECK_ERROR(Error, "[from_blob] " + null, from_blob(floats, {3}));
  CHECK_ERROR(Error, "[borrow] " + null, borrow(nowhere, {3}, f32));
  CHECK_ERROR(Error, "[borrow] " + null, borrow(constant, {3}, f32));
  CHECK_EQ(from_blob(nullptr, {0, 2}, f32).numel(), 0);
  CHECK_EQ(borrow(nowhere, {2, 0}, f32).numel(), 0);
  auto exe = compile([](const Tensor& x) { return x * 2; }, ones({3}));
  float in[3] = {1, 2, 3}, out[3] = {};
  const void *input = in, *no_input = nullptr;
  void *output = out, *no_output = nullptr;
  CHECK_ERROR(Error, "[run_into] input 0 is null: expected the address of f32[3]", (exe.run_into({&no_input, 1}, {&output, 1}), 0));
  CHECK_ERROR(Error, "[run_into] output 0 is null: expected the address of f32[3]", (exe.run_into({&input, 1}, {&no_output, 1}), 0));
  exe.run_into({&input, 1}, {&output, 1});
  CHECK_EQ(out[2], 6);
}

TEST_CASE("hostile: modules and their names") {
  Empty a, b, c;
  Tensor x = ones({1});
  CHECK_ERROR(TransformError, "[register_module] 'self': a module cannot be registered in itself or below itself", a.register_module("self", a));
  a.register_module("b", b);
  b.register_module("c", c);
  CHECK_ERROR(TransformError, "[register_module] 'a': a module cannot be registered in itself or below itself", c.register_module("a", a));
  CHECK_ERROR(TransformError, "[register_parameter] name '' is empty: expected the name of a member", a.register_parameter("", x));
  CHECK_ERROR(TransformError, "[register_parameter] name 'a.b' contains '.', which separates modules", a.register_parameter("a.b", x));
  CHECK_ERROR(TransformError, "[register_buffer] name '' is empty", a.register_buffer("", x));
  CHECK_ERROR(TransformError, "[register_buffer] name 'a.b' contains '.'", a.register_buffer("a.b", x));
  CHECK_ERROR(TransformError, "[register_module] name '' is empty", a.register_module("", c));
  CHECK_ERROR(TransformError, "[register_module] name 'x.y' contains '.'", a.register_module("x.y", c));
  CHECK_ERROR(TransformError, "[register_module] name 'b' is that of a module in this one already", a.register_module("b", c));
  a.register_parameter("w", x);
  CHECK_ERROR(TransformError, "[register_parameter] name 'w' is that of a parameter of this module already", a.register_parameter("w", x));
  CHECK_ERROR(TransformError, "[register_buffer] name 'w' is that of a parameter of this module already", a.register_buffer("w", x));
  CHECK_ERROR(TransformError, "[register_parameter] the value of 'v' is an undefined Tensor", a.register_parameter("v", Tensor()));
  CHECK_ERROR(TransformError, "[register_buffer] the value of 'v' is an undefined Tensor", a.register_buffer("v", Tensor()));
  c.register_parameter("w", x + 1);
  TensorDict all = a.named_parameters();
  CHECK_EQ(all.size(), 2);
  CHECK(all.contains("b.c.w"));
}
// clang-format on

TEST_CASE("hostile: more than 16 axes") {
  for (int64_t extent : {1, 2}) {
    Tensor x = of_rank(18, extent), flat = x.reshape({-1});
    const int64_t n = x.numel(), half = n / 2;
    Tensor index = zeros(x.shape(), i64), expected = flat.clone();
    expected.slice(0, 0, half).add_(2);
    CHECK(equal(scatter_add(x, 0, index, ones(x.shape(), f64)).reshape({-1}), expected));
    Tensor written = x.clone();
    written.select(0, 0).add_(1);
    expected = flat.clone();
    expected.slice(0, 0, half).add_(1);
    CHECK(equal(written.reshape({-1}), expected));
    written = x.clone();
    written.select(2, 1).add_(1);
    CHECK_EQ(sum(written - x).item<double>(), static_cast<double>(half));
    written = x.clone();
    written.slice(1, 0, 1).copy_(x.slice(1, 1, 2));
    CHECK(equal(written.select(1, 0), x.select(1, 1)));
    written = x.clone();
    written.index_put_({zeros({1}, i64)}, tensor(7.0, f64));
    CHECK_EQ(sum(written[0]).item<double>(), 7.0 * static_cast<double>(half));
    CHECK(equal(gather(x, 0, index).select(0, 1), x.select(0, 0)));
    CHECK(equal(x.index({Slice(), Tensor::from(std::vector<int64_t>{1}, {1})}).squeeze(1), x.select(1, 1)));
    std::vector<int64_t> reversed;
    for (int64_t d = 17; d >= 0; --d) reversed.push_back(d);
    Tensor turned = x.permute(Axes(reversed)).contiguous();
    CHECK(equal(turned.permute(Axes(reversed)), x));
    CHECK_EQ(sum(grad([](const Tensor& y) { return sum(y.select(0, 1) * 3); })(x)).item<double>(),
             3.0 * static_cast<double>(half));
  }
  Tensor small = of_rank(9, 1);  // its jacobian has 18 axes
  Tensor jacobian = jacrev([](const Tensor& y) { return y.transpose(0, 2) * y; })(small).reshape({8, 8});
  Tensor same = jacfwd([](const Tensor& y) { return y.transpose(0, 2) * y; })(small).reshape({8, 8});
  CHECK(equal(jacobian, same));
  Tensor picked = jacrev([](const Tensor& y) {
    Tensor z = y * 1;
    z.select(0, 0).add_(y.select(0, 1));
    return z;
  })(small);
  CHECK_EQ(picked.dim(), 18);
  CHECK_EQ(sum(picked).item<double>(), 12);
}
