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

#define CHECK_UNDEFINED(api, ...) CHECK_ERROR(Error, api, __VA_ARGS__)

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
      "[matmul] shapes f32[2,3] and f32[2] do not fit: dim 1 of the first has extent 3, dim 0 of the second 2; they must be equal\n",
      matmul(a, b));
  CHECK_ERROR(ShapeError, "[matmul] both operands must have at least one dim", matmul(ones({}), a));
  CHECK_ERROR(ShapeError, "[matmul] shapes [2] and [3] cannot be broadcast", matmul(ones({2, 1, 4}), ones({3, 4, 1})));
  CHECK_ERROR(ShapeError, "[mm] expected a 2-d and a 2-d tensor, got f32[2,3] and f32[3]", mm(a, v));
  CHECK_ERROR(ShapeError, "[bmm] shapes f32[2,1,1] and f32[3,1,1] do not fit: dim 0 of the first has extent 2, dim 0 of the second 3;", bmm(ones({2, 1, 1}), ones({3, 1, 1})));
  CHECK_ERROR(ShapeError, "[mm] shapes f32[2,3] and f32[2,3] do not fit: dim 1 of the first has extent 3, dim 0 of the second 2;", mm(a, a));
  CHECK_ERROR(ShapeError, "[matmul] shapes f32[5,2,3] and f32[5,4,1] do not fit: dim 2 of the first has extent 3, dim 1 of the second 4;", matmul(ones({5, 2, 3}), ones({5, 4, 1})));
  CHECK_ERROR(ShapeError, "[dot] shapes f32[3] and f32[2] do not fit: dim 0 of the first has extent 3, dim 0 of the second 2;", dot(v, b));
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
  CHECK_ERROR(ShapeError, "[zeros] shape [-1] has a negative extent: expected extents >= 0", zeros({-1}));
  CHECK_ERROR(ShapeError, "[ones] shape [1073741824,1073741824] has too many elements: expected at most 2^48", ones({1 << 30, 1 << 30}));
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
  CHECK_ERROR(DTypeError, "[set_default_dtype] expected a floating dtype, got i64", set_default_dtype(i64));
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
  CHECK_THROWS_WITH_AS((void)static_cast<bool>(none_at_all), "[bool] an operand is an undefined Tensor", TraceError);
}

// Every function that takes a tensor, or of which a function gives one.
TEST_CASE("undefined tensors: each function names itself and the caller's line") {
  Tensor u, a = ones({2, 3}).eval(), i = tensor({0, 1}).eval(), b = tensor({true, false}).eval();
  auto f = [](const Tensor& x) { return sum(x); };
  auto first = [](const Tensor& x, const Tensor&) { return sum(x); };
  auto undefined = [](const Tensor&) { return Tensor(); };
  CHECK_UNDEFINED("[shape]", u.shape());
  CHECK_UNDEFINED("[dim]", u.dim());
  CHECK_UNDEFINED("[numel]", u.numel());
  CHECK_UNDEFINED("[dtype]", u.dtype());
  CHECK_UNDEFINED("[size]", u.size(0));
  CHECK_UNDEFINED("[eval]", u.eval());
  CHECK_UNDEFINED("[index]", u[0]);
  CHECK_UNDEFINED("[index]", u[0]=a);
  CHECK_UNDEFINED("[index]", u.index({i}));
  CHECK_UNDEFINED("[index]", u.index({b})=1);
  CHECK_UNDEFINED("[index]", a.index({u}));
  CHECK_UNDEFINED("[index]", a.index({u})=1);
  CHECK_UNDEFINED("[index_put_]", a.index_put_({i},u));
  CHECK_UNDEFINED("[copy_]", std::move(u)=a);
  CHECK_UNDEFINED("[copy_]", a[0]=u);
  CHECK_UNDEFINED("[copy_]", a.copy_(u));
  CHECK_UNDEFINED("[fill_]", a.fill_(u));
  CHECK_UNDEFINED("[masked_fill_]", a.masked_fill_(u,1));
  CHECK_UNDEFINED("[masked_fill_]", a.masked_fill_(a>0,u));
  CHECK_UNDEFINED("[masked_scatter_]", a.masked_scatter_(u,a));
  CHECK_UNDEFINED("[masked_scatter_]", a.masked_scatter_(a>0,u));
  CHECK_UNDEFINED("[index_add_]", a.index_add_(0,u,a));
  CHECK_UNDEFINED("[index_add_]", a.index_add_(0,i,u));
  CHECK_UNDEFINED("[index_copy_]", a.index_copy_(0,i,u));
  CHECK_UNDEFINED("[index_copy_]", a.index_copy_(0,u,a));
  CHECK_UNDEFINED("[index_fill_]", a.index_fill_(0,u,1));
  CHECK_UNDEFINED("[index_fill_]", a.index_fill_(0,i,u));
  CHECK_UNDEFINED("[scatter_]", a.scatter_(0,u,a));
  CHECK_UNDEFINED("[scatter_]", a.scatter_(0,tensor({{0}}),u));
  CHECK_UNDEFINED("[scatter_add_]", a.scatter_add_(0,u,a));
  CHECK_UNDEFINED("[gather]", a.gather(0,u));
  CHECK_UNDEFINED("[gather]", u.gather(0,i));
  CHECK_UNDEFINED("[index_select]", index_select(a,0,u));
  CHECK_UNDEFINED("[where]", where(u,a,a));
  CHECK_UNDEFINED("[where]", where(a>0,u,a));
  CHECK_UNDEFINED("[where]", where(a>0,a,u));
  CHECK_UNDEFINED("[clamp]", clamp(a,u,u));
  CHECK_UNDEFINED("[clamp]", clamp(u,0,1));
  CHECK_UNDEFINED("[pow]", pow(a,u));
  CHECK_UNDEFINED("[pow]", pow(u,2));
  CHECK_UNDEFINED("[pow]", pow(2,u));
  CHECK_UNDEFINED("[maximum]", max(a,u));
  CHECK_UNDEFINED("[maximum]", maximum(u,a));
  CHECK_UNDEFINED("[matmul]", matmul(u,a));
  CHECK_UNDEFINED("[matmul]", matmul(a,u));
  CHECK_UNDEFINED("[mm]", mm(a,u));
  CHECK_UNDEFINED("[mv]", mv(a,u));
  CHECK_UNDEFINED("[bmm]", bmm(a,u));
  CHECK_UNDEFINED("[dot]", dot(a,u));
  CHECK_UNDEFINED("[outer]", outer(a,u));
  CHECK_UNDEFINED("[cross]", cross(a,u));
  CHECK_UNDEFINED("[trace]", trace(u));
  CHECK_UNDEFINED("[stack]", stack({a,u}));
  CHECK_UNDEFINED("[cat]", cat({a,u}));
  CHECK_UNDEFINED("[cat]", cat({u}));
  CHECK_UNDEFINED("[flip]", flip(u,{0}));
  CHECK_UNDEFINED("[diag]", diag(u));
  CHECK_UNDEFINED("[diag_embed]", diag_embed(u));
  CHECK_UNDEFINED("[view_as]", a.view_as(u));
  CHECK_UNDEFINED("[expand_as]", a.expand_as(u));
  CHECK_UNDEFINED("[reshape_as]", a.reshape_as(u));
  CHECK_UNDEFINED("[view]", u.view({1}));
  CHECK_UNDEFINED("[reshape]", u.reshape({1}));
  CHECK_UNDEFINED("[expand]", u.expand({1}));
  CHECK_UNDEFINED("[permute]", u.permute({0}));
  CHECK_UNDEFINED("[movedim]", u.movedim(0,0));
  CHECK_UNDEFINED("[transpose]", u.transpose(0,0));
  CHECK_UNDEFINED("[diagonal]", u.diagonal());
  CHECK_UNDEFINED("[unfold]", u.unfold(0,1,1));
  CHECK_UNDEFINED("[as_strided]", u.as_strided({1},{1}));
  CHECK_UNDEFINED("[split]", u.split(1));
  CHECK_UNDEFINED("[chunk]", u.chunk(1));
  CHECK_UNDEFINED("[tensor_split]", u.tensor_split(1));
  CHECK_UNDEFINED("[narrow]", u.narrow(0,0,1));
  CHECK_UNDEFINED("[slice]", u.slice(0,0,1));
  CHECK_UNDEFINED("[select]", u.select(0,0));
  CHECK_UNDEFINED("[unflatten]", u.unflatten(0,{1}));
  CHECK_UNDEFINED("[to]", u.to(f64));
  CHECK_UNDEFINED("[contiguous]", u.contiguous());
  CHECK_UNDEFINED("[select_scatter]", select_scatter(a,u,0,0));
  CHECK_UNDEFINED("[select_scatter]", select_scatter(u,a,0,0));
  CHECK_UNDEFINED("[slice_scatter]", slice_scatter(a,u));
  CHECK_UNDEFINED("[diagonal_scatter]", diagonal_scatter(a,u));
  CHECK_UNDEFINED("[as_strided_scatter]", as_strided_scatter(a,u,{1},{1}));
  CHECK_UNDEFINED("[allclose]", allclose(a,u));
  CHECK_UNDEFINED("[allclose]", allclose(u,a));
  CHECK_UNDEFINED("[equal]", equal(a,u));
  CHECK_UNDEFINED("[equal]", equal(u,a));
  CHECK_UNDEFINED("[equal]", equal(u,u));
  CHECK_UNDEFINED("[zeros_like]", zeros_like(u));
  CHECK_UNDEFINED("[ones_like]", ones_like(u));
  CHECK_UNDEFINED("[empty_like]", empty_like(u));
  CHECK_UNDEFINED("[full_like]", full_like(u,1));
  CHECK_UNDEFINED("[full_like]", full_like(a,u));
  CHECK_UNDEFINED("[full]", full({2},u));
  CHECK_UNDEFINED("[rand_like]", rand_like(u));
  CHECK_UNDEFINED("[randn_like]", randn_like(u));
  CHECK_UNDEFINED("[bernoulli]", bernoulli(u));
  CHECK_UNDEFINED("[add_out]", add_out(u,a,a));
  CHECK_UNDEFINED("[add_out]", add_out(a,u,a));
  CHECK_UNDEFINED("[zeros_out]", zeros_out(u,{2}));
  CHECK_UNDEFINED("[rand_out]", rand_out(u,{2}));
  CHECK_UNDEFINED("[full_out]", full_out(a,{2,2},u));
  CHECK_UNDEFINED("[bernoulli]", u.bernoulli(0.5));
  CHECK_UNDEFINED("[sin_out]", sin_out(u,a));
  CHECK_UNDEFINED("[sum_out]", sum_out(u,a));
  CHECK_UNDEFINED("[cat_out]", cat_out(u,{a}));
  CHECK_UNDEFINED("[where_out]", where_out(u,a>0,a,a));
  CHECK_UNDEFINED("[clamp_out]", clamp_out(u,a,0,1));
  CHECK_UNDEFINED("[softmax_out]", softmax_out(u,a,0));
  CHECK_UNDEFINED("[gather_out]", gather_out(u,a,0,tensor({{0}})));
  CHECK_UNDEFINED("[matmul_out]", matmul_out(u,a,a.t()));
  CHECK_UNDEFINED("[softmax]", softmax(u,0));
  CHECK_UNDEFINED("[log_softmax]", log_softmax(u,0));
  CHECK_UNDEFINED("[logsumexp]", logsumexp(u,{0}));
  CHECK_UNDEFINED("[add_]", u.add_(1));
  CHECK_UNDEFINED("[add_]", u+=1);
  CHECK_UNDEFINED("[add_]", a+=u);
  CHECK_UNDEFINED("[zero_]", u.zero_());
  CHECK_UNDEFINED("[fill_]", u.fill_(1));
  CHECK_UNDEFINED("[clamp_]", u.clamp_(0,1));
  CHECK_UNDEFINED("[resize_]", u.resize_({1}));
  CHECK_UNDEFINED("[copy_]", u.copy_(a));
  CHECK_UNDEFINED("[data]", u.data<float>());
  CHECK_UNDEFINED("[mutable_data]", u.mutable_data<float>());
  CHECK_UNDEFINED("[to_vector]", u.to_vector<float>());
  CHECK_UNDEFINED("[item]", u.item<float>());
  CHECK_UNDEFINED("[debug_unwrap]", debug_unwrap(u));
  CHECK_UNDEFINED("[bitwise_and]", a&u);
  CHECK_UNDEFINED("[eq]", a==u);
  CHECK_UNDEFINED("[neg]", -u);
  CHECK_UNDEFINED("[bitwise_not]", ~u);
  CHECK_UNDEFINED("[run]", run(trace(f,a),{u}));
  CHECK_UNDEFINED("[interpret]", interpret(trace(f,a),{u}));
  CHECK_UNDEFINED("[compile]", compile(f,a)(u));
  CHECK_UNDEFINED("[run]", compile(f,a).run({u}));
  CHECK_UNDEFINED("[jvp]", jvp(f,primals(a),tangents(u)));
  CHECK_UNDEFINED("[jvp]", jvp(f,primals(u),tangents(a)));
  CHECK_UNDEFINED("[vjp]", std::get<1>(vjp(f,a))(u));
  CHECK_UNDEFINED("[add]", vmap([&](const Tensor& x) { return x + u; })(a));
  CHECK_UNDEFINED("[jit]", jit(undefined)(a));
  CHECK_UNDEFINED("[grad]", grad(undefined)(a));
  CHECK_UNDEFINED("[jacrev]", jacrev(undefined)(a));
  CHECK_UNDEFINED("[jacfwd]", jacfwd(undefined)(a));
  CHECK_UNDEFINED("[functionalize]", functionalize(undefined)(a));
  CHECK_UNDEFINED("[vmap]", vmap(undefined)(a));
  CHECK_UNDEFINED("[vmap]", vmap(first,{.in_dims={0,none}})(a,u));
  CHECK_UNDEFINED("[grad]", grad(first)(a,u));
  CHECK_UNDEFINED("[linear]", nn::functional::linear(u,a));
  CHECK_UNDEFINED("[linear]", nn::functional::linear(a,u));
  CHECK_UNDEFINED("[linear]", nn::Linear(3,2)(u));
  CHECK_UNDEFINED("[functional_call]", functional_call(nn::Linear(3,2),TensorDict{{"weight",u}},a));
  CHECK_UNDEFINED("[abs]", u.abs());
  CHECK_UNDEFINED("[neg]", u.neg());
  CHECK_UNDEFINED("[sign]", u.sign());
  CHECK_UNDEFINED("[floor]", u.floor());
  CHECK_UNDEFINED("[ceil]", u.ceil());
  CHECK_UNDEFINED("[round]", u.round());
  CHECK_UNDEFINED("[trunc]", u.trunc());
  CHECK_UNDEFINED("[exp]", u.exp());
  CHECK_UNDEFINED("[log]", u.log());
  CHECK_UNDEFINED("[sqrt]", u.sqrt());
  CHECK_UNDEFINED("[rsqrt]", u.rsqrt());
  CHECK_UNDEFINED("[square]", u.square());
  CHECK_UNDEFINED("[reciprocal]", u.reciprocal());
  CHECK_UNDEFINED("[sin]", u.sin());
  CHECK_UNDEFINED("[cos]", u.cos());
  CHECK_UNDEFINED("[tanh]", u.tanh());
  CHECK_UNDEFINED("[sigmoid]", u.sigmoid());
  CHECK_UNDEFINED("[relu]", u.relu());
  CHECK_UNDEFINED("[logical_not]", u.logical_not());
  CHECK_UNDEFINED("[bitwise_not]", u.bitwise_not());
  CHECK_UNDEFINED("[sum]", u.sum());
  CHECK_UNDEFINED("[mean]", u.mean());
  CHECK_UNDEFINED("[var]", u.var());
  CHECK_UNDEFINED("[std]", u.std());
  CHECK_UNDEFINED("[amax]", u.amax());
  CHECK_UNDEFINED("[amin]", u.amin());
  CHECK_UNDEFINED("[max]", u.max());
  CHECK_UNDEFINED("[min]", u.min());
  CHECK_UNDEFINED("[all]", u.all());
  CHECK_UNDEFINED("[any]", u.any());
  CHECK_UNDEFINED("[clone]", u.clone());
  CHECK_UNDEFINED("[detach]", u.detach());
  CHECK_UNDEFINED("[ravel]", u.ravel());
  CHECK_UNDEFINED("[flatten]", u.flatten());
  CHECK_UNDEFINED("[t]", u.t());
  CHECK_UNDEFINED("[mT]", u.mT());
  CHECK_UNDEFINED("[unsqueeze]", u.unsqueeze(0));
  CHECK_UNDEFINED("[squeeze]", u.squeeze());
  CHECK_UNDEFINED("[tril]", u.tril());
  CHECK_UNDEFINED("[triu]", u.triu());
  CHECK_UNDEFINED("[unbind]", u.unbind());
  CHECK_UNDEFINED("[scatter]", scatter(u,0,i,1));
  CHECK_UNDEFINED("[scatter_add]", scatter_add(u,0,i,1));
  CHECK_UNDEFINED("[index_add]", index_add(u,0,i,a));
  CHECK_UNDEFINED("[index_copy]", index_copy(u,0,i,a));
  CHECK_UNDEFINED("[index_fill]", index_fill(u,0,i,1));
  CHECK_UNDEFINED("[index_fill]", index_fill(a,0,i,u));
  CHECK_UNDEFINED("[index_put]", index_put(u,{i},1));
  CHECK_UNDEFINED("[masked_scatter]", masked_scatter(u,b,a));
  CHECK_UNDEFINED("[slice_scatter]", slice_scatter(u,a));
  CHECK_UNDEFINED("[diagonal_scatter]", diagonal_scatter(u,a));
  CHECK_UNDEFINED("[as_strided_scatter]", as_strided_scatter(u,a,{1},{1}));
  CHECK_UNDEFINED("[new_zeros]", u.new_zeros({1}));
  CHECK_UNDEFINED("[new_ones]", u.new_ones({1}));
  CHECK_UNDEFINED("[new_empty]", u.new_empty({1}));
  CHECK_UNDEFINED("[new_full]", u.new_full({1},2));
  CHECK_UNDEFINED("[new_full]", a.new_full({1},u));
}

namespace {

struct Net : nn::Module {
  nn::Linear l = register_module("l", nn::Linear(3, 3));
  int* line;
  explicit Net(int* l) : line(l) {}
  Tensor forward(const Tensor& x) const override {
    *line = __LINE__ + 1;
    return l(x);
  }
};
struct Sum : nn::Module {
  Tensor operator()(const Tensor& x, const Tensor& y) const { return x + y; }
};

}  // namespace

TEST_CASE("modules report the line that calls them") {
  nn::Linear linear(3, 3);
  nn::Sequential two(nn::Linear(3, 3), nn::Tanh()), nested(nn::Sequential(nn::Linear(3, 3)), nn::ReLU());
  Tensor u, x = ones({4}), rows = ones({2, 4});
  const std::string text = "[linear] the last dim of the input must be the weight's 3";
  CHECK_ERROR(ShapeError, text, linear(x));
  CHECK_ERROR(ShapeError, text, two(x));
  CHECK_ERROR(ShapeError, text, nested(x));
  CHECK_ERROR(ShapeError, text, functional_call(linear, linear.named_parameters(), x));
  CHECK_ERROR(ShapeError, text, functional_call(nested, nested.named_parameters(), x));
  CHECK_ERROR(ShapeError, text, jacrev(linear)(x));
  CHECK_ERROR(ShapeError, text, vmap(two)(rows));
  CHECK_ERROR(ShapeError, text, jit(two)(x));
  CHECK_ERROR(ShapeError, text, jit([&](const Tensor& t) { return linear(t); })(x));
  CHECK_ERROR(ShapeError, "[Linear] a parameter of shape [2,-1] has a negative extent", nn::Linear(-1, 2));
  CHECK_ERROR(DTypeError, "[linear] expected the input to have the weight's dtype f32", linear(ones({3}, f64)));
  CHECK_ERROR(TraceError, "[linear] an operand is an undefined Tensor", linear(u));
  CHECK_ERROR(TraceError, "[tanh] an operand is an undefined Tensor", nn::Tanh()(u));
  CHECK_ERROR(TraceError, "[relu] an operand is an undefined Tensor", nn::ReLU()(u));
  CHECK_ERROR(TraceError, "[sigmoid] an operand is an undefined Tensor", nn::Sequential(nn::Sigmoid())(u));
  CHECK_ERROR(TransformError, "[Module] this module has no forward", nn::Module()(x));
  // One of the user's own has lines of its own.
  int line = 0;
  Net net(&line);
  CHECK_THROWS_AS(net(x), ShapeError);
  check_error<ShapeError>([&] { net(x); }, text, line);
  check_error<ShapeError>([&] { functional_call(net, net.named_parameters(), x); }, text, line);
  CHECK_EQ(functional_call(Sum(), TensorDict{}, args(x, x)).to_vector<float>(), std::vector<float>(4, 2));
}

TEST_CASE("transforms report the line where they are made, conversions that of the op") {
  Tensor x = ones({3}), s = ones({});
  CHECK_ERROR(ShapeError, "[add_] unsupported operation: more than one element", jit([](const Tensor& t) {
                t.add_(1);
                return t;
              })(s.expand({3})));
  CHECK_ERROR(ShapeError, "[compile] argument 0: expected f32[3], got f32[]",
              compile([](const Tensor& t) { return t; }, x)(s));
  CHECK_ERROR(TransformError, "[vmap] f returned an undefined Tensor", vmap([](const Tensor&) { return Tensor(); })(x));
  CHECK_ERROR(TransformError, "[jit] f returned an undefined Tensor", jit([](const Tensor&) { return Tensor(); })(x));
  auto positive = [](const Tensor& t) { return t > 0 ? t : -t; };
  int line = __LINE__ - 1;
  check_error<TraceError>([&] { vmap(positive)(x); }, "[bool] vmap: It looks like you're attempting to use", line);
  check_error<TraceError>([&] { jit(positive)(s); }, "[bool] a symbolic tensor has no value", line);
  CHECK_ERROR(TraceError, "[bool] a symbolic tensor has no value", jit([](const Tensor& t) { return t ? t : -t; })(s));
  CHECK_ERROR(ShapeError, "[bool] a Tensor with 3 elements is no condition: select elements with where(), reduce with any() or all(), combine conditions with & and |, not && and ||", bool(x * 3));
  CHECK_ERROR(ShapeError, "[bool] a Tensor with 3 elements is no condition", (x > 0) && (x < 2));
  CHECK_ERROR(ShapeError, "[bool] a Tensor with 3 elements is no condition", grad([](const Tensor& t) { return (t > 0) || t > 1 ? sum(t) : sum(-t); })(x));
}

TEST_CASE("data errors appear where the value is read, with the line of the op, and spoil nothing else") {
  Tensor x = ones({3}), i = tensor({5});
  int line = __LINE__ + 1;
  Tensor bad = x.index({i});
  Tensor good = x * 2, worse = bad + 1;
  std::string text = "[index] index 5 is out of bounds for dimension 0 with size 3";
  check_error<IndexError>([&] { bad.eval(); }, text, line);
  check_error<IndexError>([&] { bad.item<double>(); }, text, line);
  check_error<IndexError>([&] { worse.item<double>(); }, text, line);
  check_error<IndexError>([&] { (void)(bad + 1); }, text, line);
  CHECK_EQ(good.to_vector<float>(), std::vector<float>{2, 2, 2});
  CHECK_EQ((x + 1).to_vector<float>(), std::vector<float>{2, 2, 2});
}

TEST_CASE("a write that fails is reported once, where it is evaluated; the tensor is as it was before it") {
  Tensor x = tensor({1., 2., 3.}).eval(), view = x.slice(0, 0, 2), bad = tensor({7});
  std::string text = "[index_put_] index 7 is out of bounds for dimension 0 with size 3";
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
  check_error<IndexError>([&] { (void)view.to_vector<float>(); }, "[index_put_] index 7", line);
  check_elements(view, 4, 4);
  check_elements(x, 4, 4, 4);

  // What is written cannot be computed.
  line = __LINE__ + 1;
  x.add_(x.index({bad}));
  check_error<IndexError>([&] { std::ostringstream() << x; }, "[index] index 7", line);
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
    check_error<IndexError>([&] { x.eval(); }, "[index_put_] index 7", line);
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
              "[add] a tensor was used outside the transform whose function made it: your tensor may have escaped",
              leaked + 1);
  CHECK_ERROR(TraceError, "[exp_] a tensor was used outside the transform", leaked.exp_());
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
