#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "tests/functions/row_values.h"
#include "tests/functions/table.h"

namespace jot::test {

const std::vector<FunctionRow>& function_rows() {
  static const auto* rows = [] {
    auto* t = new FunctionRows;
    creation_rows(*t);
    elementwise_rows(*t);
    shape_rows(*t);
    reduction_rows(*t);
    linalg_rows(*t);
    nn_rows(*t);
    conv_rows(*t);
    norm_rows(*t);
    vision_rows(*t);
    view_rows(*t);
    return &t->rows;
  }();
  return *rows;
}

namespace {

// Functions that no row can have, and why.
const std::map<std::string, std::string> kWithoutRow = {
    {"nn.calculate_gain", "of a name, it gives a number: draws_test.cpp"},
};

constexpr Randomness kApart = Randomness::different;

Tensor random_like(const Tensor& x, std::mt19937& random) {
  std::vector<double> values(static_cast<size_t>(x.numel()));
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (double& v : values) v = uniform(random);
  return Tensor::from(values, x.shape());
}

// f of the floating arguments, the others as they are.
struct Floating {
  const FunctionRow& row;
  List all, floats;
  std::vector<size_t> places;

  Floating(const FunctionRow& r, List arguments) : row(r), all(std::move(arguments)) {
    for (size_t i = 0; i < all.size(); ++i)
      if (is_floating(all[i].dtype())) places.push_back(i), floats.push_back(all[i]);
  }
  List arguments(const List& x) const {
    List result = all;
    for (size_t i = 0; i < places.size(); ++i) result[places[i]] = x[i];
    return result;
  }
  Tensor operator()(const List& x) const { return row.call(arguments(x)); }
};

// The derivative of a scalar function by each element of x, by central differences of the fourth order.
template <class F>
List numerical(F f, const List& x) {
  constexpr double h = 1e-3;
  List result;
  for (size_t k = 0; k < x.size(); ++k) {
    std::vector<double> values = x[k].to_vector<double>(), derivative(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      auto at = [&](double step) {
        List moved = x;
        std::vector<double> v = values;
        v[i] += step;
        moved[k] = Tensor::from(v, x[k].shape());
        return f(moved).template item<double>();
      };
      derivative[i] = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
    }
    result.push_back(Tensor::from(derivative, x[k].shape()));
  }
  return result;
}

}  // namespace

TEST_CASE("functions: every function of the table has a row") {
  std::set<std::string> tested;
  for (const FunctionRow& row : function_rows()) tested.insert(row.name);
  for (const auto& [name, body] : kTable) {
    CAPTURE(name);
    CHECK(tested.contains(name) != kWithoutRow.contains(name));
  }
  std::set<std::string> known;
  for (const TableLine& line : kTable) known.insert(line.name);
  for (const std::string& name : tested) {
    CAPTURE(name);
    CHECK(known.contains(name));
  }
  for (const auto& [name, reason] : kWithoutRow) CHECK((known.contains(name) && !reason.empty()));
}

TEST_CASE("functions: values") {
  for (const FunctionRow& row : function_rows()) {
    std::mt19937 random = generator(row, 1);
    CAPTURE(title(row));
    for (DType dtype : {f64, f32}) {
      List x = drawn(row, random, dtype);
      Tensor got = row.call(x);
      auto call = [&](const List& v) { return row.call(v); };
      Tensor traced = row.lanes ? interpret(trace(call, x), x).at(0) : got;
      double epsilon = dtype == f64 ? row.tolerance : row.tolerance * 0x1p29;
      CHECK_EQ(difference(got, traced, 4 * epsilon), "");
      CHECK_EQ(got.dtype(), traced.dtype());
      if (row.whole) {
        const std::vector<double> elements = x[0].to_vector<double>();
        CHECK_EQ(difference(got, Tensor::from(std::vector{row.whole(elements)}, {}), epsilon), "");
      }
      if (!row.exact) continue;
      std::vector<double> want(static_cast<size_t>(got.numel()));
      std::vector<std::vector<double>> elements;
      for (const Tensor& t : x) elements.push_back(t.to_vector<double>());
      for (size_t i = 0; i < want.size(); ++i) {
        std::vector<double> arguments;
        for (const std::vector<double>& e : elements) arguments.push_back(e[i]);
        want[i] = row.exact(arguments);
      }
      CHECK_EQ(difference(got, Tensor::from(want, got.shape()), epsilon), "");
    }
  }
}

TEST_CASE("functions: derivatives") {
  for (const FunctionRow& row : function_rows()) {
    if (row.order == 0) continue;
    std::mt19937 random = generator(row, 2);
    CAPTURE(title(row));
    Floating f(row, drawn(row, random));
    Tensor w = random_like(f(f.floats), random);
    auto scalar = [&](const List& x) { return sum(f(x) * w); };
    List g = grad(scalar)(f.floats), want = numerical(scalar, f.floats), t;
    for (size_t i = 0; i < g.size(); ++i) CHECK_EQ(difference(g[i], want[i], 1e-7), "");
    // Forward against reverse.
    for (const Tensor& x : f.floats) t.push_back(random_like(x, random));
    auto [y, dy] = jvp([&](const List& x) { return f(x); }, primals(f.floats), tangents(t));
    double forward = sum(dy * w).item<double>(), reverse = 0;
    for (size_t i = 0; i < g.size(); ++i) reverse += sum(g[i] * t[i]).item<double>();
    CHECK(std::abs(forward - reverse) <= 1e-10 * std::max(1.0, std::abs(reverse)));
    if (row.order < 2) continue;
    auto directional = [&](const List& x) {
      List first = grad(scalar)(x);
      Tensor total = zeros({}, f64);
      for (size_t i = 0; i < first.size(); ++i) total = total + sum(first[i] * t[i]);
      return total;
    };
    List second = grad(directional)(f.floats), want2 = numerical(directional, f.floats);
    for (size_t i = 0; i < second.size(); ++i) CHECK_EQ(difference(second[i], want2[i], 1e-6), "");
  }
}

TEST_CASE("functions: lanes") {
  for (const FunctionRow& row : function_rows()) {
    if (!row.lanes) continue;
    std::mt19937 random = generator(row, 3);
    CAPTURE(title(row));
    const uint32_t all = (1u << row.inputs.size()) - 1;
    for (uint32_t which = 1; which <= all; ++which) {
      if (row.inputs.size() > 2 && which != all && (which & (which - 1))) continue;  // each alone, and all
      CAPTURE(which);
      List x = drawn(row, random, f64, {3}, which);
      DimTree dims(std::initializer_list<DimTree>{});
      for (size_t i = 0; i < x.size(); ++i) dims.children.push_back(which >> i & 1 ? DimTree(0) : DimTree(none));
      auto call = [&](const List& v) { return row.call(v); };
      auto lane = [&](int64_t b) {
        List one;
        for (size_t i = 0; i < x.size(); ++i) one.push_back(which >> i & 1 ? x[i][b] : x[i]);
        return one;
      };
      DimTree in(std::initializer_list<DimTree>{dims});
      Tensor got = vmap(call, {.in_dims = in, .randomness = kApart})(x);
      CHECK_EQ(difference(got, stack({call(lane(0)), call(lane(1)), call(lane(2))}), 16 * row.tolerance), "");
      List nothing = drawn(row, random, f64, {0}, which);
      CHECK_EQ(to_string(vmap(call, {.in_dims = in, .randomness = kApart})(nothing).shape()),
               to_string(Shape{0} + call(lane(0)).shape()));
      if (row.order == 0) continue;
      auto derivative = [&](const List& v) {
        Floating f(row, v);
        List g = grad([&](const List& z) { return sum(f(z)); })(f.floats);
        for (Tensor& each : g) each = each.reshape({-1});
        return cat(g);
      };
      Tensor lanes = vmap(derivative, {.in_dims = in, .randomness = kApart})(x);
      CHECK_EQ(difference(lanes, stack({derivative(lane(0)), derivative(lane(1)), derivative(lane(2))}), 1e-12), "");
    }
  }
}

// The lanes at the last axis of the arguments, and of the result; and the other orders of transforms with vmap.
TEST_CASE("functions: lanes at any axis, transforms of vmap") {
  for (const FunctionRow& row : function_rows()) {
    if (!row.lanes || row.inputs.empty()) continue;
    std::mt19937 random = generator(row, 5);
    CAPTURE(title(row));
    auto call = [&](const List& v) { return row.call(v); };
    const List x = drawn(row, random, f64, {2}, (1u << row.inputs.size()) - 1);
    const Tensor want = vmap(call, {.randomness = kApart})(x);
    int64_t axes = want.dim() - 1;
    for (const Tensor& t : x) axes = std::max(axes, t.dim() - 1);
    for (int64_t axis = 1; axis <= axes; ++axis) {
      CAPTURE(axis);
      List moved;
      DimTree dims(std::initializer_list<DimTree>{});
      for (const Tensor& t : x) {
        const int64_t at = std::min(axis, t.dim() - 1);
        moved.push_back(t.movedim(0, at));
        dims.children.push_back(DimTree(at));
      }
      const int64_t out = std::min(axis, want.dim() - 1);
      Tensor got =
          vmap(call, {.in_dims = DimTree(std::initializer_list<DimTree>{dims}), .out_dims = out, .randomness = kApart})(
              moved);
      CHECK_EQ(difference(got.movedim(out, 0), want, 16 * row.tolerance), "");
    }
    if (row.order == 0) continue;
    // Of all lanes at once: derivatives of a lane by another are zero.
    Floating f(row, x);
    auto lanes = [&](const List& v) {
      return vmap([&](const List& u) { return row.call(u); }, {.randomness = kApart})(f.arguments(v));
    };
    const List whole = grad([&](const List& v) { return sum(lanes(v)); })(f.floats);
    const List blocks = jacfwd([&](const List& v) { return lanes(v); }, {.randomness = kApart})(f.floats);
    for (size_t i = 0; i < whole.size(); ++i) {
      std::vector<int64_t> results(static_cast<size_t>(want.dim()));
      std::iota(results.begin(), results.end(), int64_t{0});
      CHECK_EQ(difference(sum(blocks[i], Axes(results)), whole[i], 1e-11), "");
      if (want.numel() && whole[i].numel())
        CHECK_EQ(blocks[i].select(want.dim(), 1).select(0, 0).abs().sum().item<double>(), 0);
    }
  }
}

// Arguments that are views: transposed, backwards, every other element, of a larger storage.
TEST_CASE("functions: arguments of any layout") {
  for (const FunctionRow& row : function_rows()) {
    if (row.inputs.empty()) continue;
    std::mt19937 random = generator(row, 6);
    CAPTURE(title(row));
    const List x = drawn(row, random);
    List strided, turned;
    for (const Tensor& t : x) {
      const int64_t last = t.dim() - 1;
      strided.push_back(t.dim() == 0 ? stack({t, t})[1] : repeat_interleave(t, 2, last).slice(last, 1, none, 2));
      turned.push_back(t.dim() < 2 ? t.clone() : t.transpose(0, last).contiguous().transpose(0, last));
      CHECK((t.dim() < 2 || t.numel() < 2 || equal(turned.back(), t)));
    }
    const Tensor want = row.call(x);
    CHECK_EQ(difference(row.call(strided), want, 16 * row.tolerance), "");
    CHECK_EQ(difference(row.call(turned), want, 16 * row.tolerance), "");
  }
}

// A first argument that nobody has given a value: the function is named, and the line of the call.
TEST_CASE("functions: every function says that its argument is undefined") {
  const std::set<std::string> without{"tril_indices", "triu_indices"};  // an argument
  // Other names of a function, which says its first; and rows that make matrices of their operands before.
  std::set<std::string> told{"not_equal",
                             "less_equal",
                             "less",
                             "greater_equal",
                             "greater",
                             "trapz",
                             "split_with_sizes",
                             "row_stack",
                             "mH",
                             "ger",
                             "concatenate",
                             "concat",
                             "clip",
                             "logdet",
                             "cholesky_solve",
                             "cholesky_inverse",
                             "nn.multi_head_attention_forward",
                             "moveaxis",
                             "swapaxes",
                             "swapdims",
                             "view_as",
                             "reshape_as",
                             "ravel",
                             "expand_as",
                             "broadcast_to",
                             "stop_gradient",
                             "nn.constant_",
                             "nn.ones_",
                             "nn.zeros_",
                             "nn.orthogonal_"};
  told.insert(without.begin(), without.end());
  for (const FunctionRow& row : function_rows()) {
    if (row.inputs.empty() || without.contains(row.name)) continue;
    std::mt19937 random = generator(row, 4);
    CAPTURE(title(row));
    List x = drawn(row, random);
    x[0] = Tensor();
    std::string text = "nothing was thrown";
    try {
      row.call(x);
    } catch (const Error& e) {
      text = e.what();
    }
    CHECK_MESSAGE(text.find("undefined") != std::string::npos, text);
    CHECK_MESSAGE(text.find("_rows.cpp:") != std::string::npos, text);
    std::string name = row.name.substr(row.name.rfind('.') + 1);
    if (name.ends_with("_with_indices")) name.erase(name.find("_with_indices"));
    if (row.name.starts_with("linalg.") || text.find(name) != std::string::npos) told.insert(row.name);
  }
  for (const FunctionRow& row : function_rows()) {
    CAPTURE(row.name);
    CHECK((row.inputs.empty() || told.contains(row.name)));
  }
}

TEST_CASE("functions: the forms that are generated") {
  Tensor x = tensor({0.25, -0.5}, f64), out = zeros({2}, f64);
  CHECK_EQ(difference(x.exp(), exp(x), 0), "");
  CHECK_EQ(difference(exp_out(out, x), exp(x), 0), "");
  CHECK_EQ(difference(out, exp(x), 0), "");
  CHECK_EQ(difference(x.clone().exp_(), exp(x), 0), "");
  CHECK_EQ(difference(x.clone().clamp_(none, 0), tensor({0.0, -0.5}, f64), 0), "");
  CHECK_EQ(difference(clamp(x, tensor(-0.25, f64), tensor(0.0, f64)), tensor({0.0, -0.25}, f64), 0), "");
  CHECK_EQ(difference(x.max(tensor({0.0, 0.0}, f64)), tensor({0.25, 0.0}, f64), 0), "");
  // Of a namespace; a member of the parameter x, which is not the first.
  CHECK_EQ(difference(special::erfcx_out(out, x), special::erfcx(x), 0), "");
  CHECK_EQ(difference(special::erf_out(out, x), erf(x), 0), "");
  CHECK_EQ(difference(x.where(x > 0, 0), tensor({0.25, 0.0}, f64), 0), "");
  CHECK_EQ(difference(x.clone().polygamma_(1), polygamma(1, x), 0), "");
}

TEST_CASE("functions: outputs of several results") {
  Tensor x = tensor({3.0, 1.0, 2.0}, f64), values = zeros({3}, f64), indices = zeros({3}, i64);
  auto returned = sort_out(values, indices, x);
  CHECK_EQ(difference(values, tensor({1.0, 2.0, 3.0}, f64), 0), "");
  CHECK_EQ(difference(indices, tensor({1.0, 2.0, 0.0}, f64), 0), "");
  returned.values.zero_();  // the tensors that were given
  CHECK_EQ(difference(values, zeros({3}, f64), 0), "");
  // One is an operand.
  sort_out(x, indices, x);
  CHECK_EQ(difference(x, tensor({1.0, 2.0, 3.0}, f64), 0), "");
  CHECK_EQ(difference(indices, tensor({1.0, 2.0, 0.0}, f64), 0), "");
  auto text = [](auto f) -> std::string {
    try {
      f();
    } catch (const Error& e) {
      return e.what();
    }
    return "nothing was thrown";
  };
  // Nothing is written where one does not fit.
  const std::string told = text([&] { sort_out(values, zeros({2}, i64), x); });
  CHECK_MESSAGE(told.starts_with("[sort_out] output 1 is i64[2], the result has shape "), told);
  CHECK(text([&] { cummax_out(zeros({3}, i64), indices, x, 0); }).starts_with("[cummax_out] "));
  CHECK(text([&] { sort_out(values, Tensor(), x); }).find("undefined") != std::string::npos);
  CHECK_EQ(difference(values, zeros({3}, f64), 0), "");
  CHECK_EQ(difference(indices, tensor({1.0, 2.0, 0.0}, f64), 0), "");
  Tensor least = zeros({}, f64), greatest = zeros({}, f64), out = zeros({2, 2}, f64), info = zeros({}, i32);
  aminmax_out(least, greatest, x);
  CHECK_EQ(greatest.item<double>(), 3);
  linalg::inv_ex_out(out, info, 2 * eye(2, f64));
  CHECK_EQ(difference(out, 0.5 * eye(2, f64), 0), "");
}

}  // namespace jot::test
