// Elementwise rows at sizes around those of vectors, of special values, and every row's graph as text.
#include <doctest/doctest.h>

#include "tests/functions/row_values.h"

namespace jot::test {

namespace {

bool is_elementwise(const FunctionRow& row) {
  return row.elementwise && !row.inputs.empty() && row.inputs[0].shape.numel() > 6;
}

// The row's arguments as vectors of n.
FunctionRow of_size(const FunctionRow& row, int64_t n) {
  FunctionRow result = row;
  for (Input& in : result.inputs) in.shape = {n};
  return result;
}

List slices(const List& x, int64_t n) {
  List result;
  for (const Tensor& t : x) result.push_back(t.slice(0, 0, n).clone());
  return result;
}

std::vector<double> special_values(DType dtype) {
  const bool wide = dtype == f64;
  const double least = wide ? 0x1p-1074 : 0x1p-149, normal = wide ? 0x1p-1022 : 0x1p-126,
               most = wide ? 0x1.fffffffffffffp1023 : 0x1.fffffep127, nan = std::numeric_limits<double>::quiet_NaN();
  return {0.0, -0.0, 1,   -1,   inf,  -inf, nan,   least, -least, normal,   -normal, most,  -most,
          0.5, -0.5, 2.5, -2.5, 1e10, -7,   3e-20, 171,   -20.25, 1 - kEps, 37,      -1e10, 100};
}

}  // namespace

TEST_CASE("functions: elements are alike at any size") {
  constexpr int64_t kMost = 33;
  for (const FunctionRow& each : function_rows()) {
    if (!is_elementwise(each)) continue;
    const FunctionRow row = of_size(each, kMost);
    CAPTURE(title(row));
    for (DType dtype : {f64, f32}) {
      CAPTURE(to_string(dtype));
      std::mt19937 random = generator(row, 10);
      const List x = drawn(row, random, dtype);
      const Tensor whole = row.call(x);
      for (int64_t n : {0, 1, 15, 16, 17}) {
        CAPTURE(n);
        CHECK_EQ(difference(row.call(slices(x, n)), whole.slice(0, 0, n), 0), "");
      }
    }
  }
}

// The kernels beside the interpreter.
TEST_CASE("functions: special values") {
  for (const FunctionRow& row : function_rows()) {
    if (!is_elementwise(row)) continue;
    CAPTURE(title(row));
    for (DType dtype : {f64, f32}) {
      CAPTURE(to_string(dtype));
      const std::vector<double> values = special_values(dtype);
      const auto n = static_cast<int64_t>(values.size());
      List x;
      Shape shape = row.inputs.size() == 1 ? Shape{n} : Shape{n, n};
      for (size_t i = 0; i < row.inputs.size(); ++i) {
        if (row.inputs[i].dtype != f64) break;
        Tensor v = Tensor::from(values, {n}).to(dtype);
        x.push_back((i == 0 && row.inputs.size() > 1 ? v.unsqueeze(1) : v).expand(shape).clone());
      }
      if (x.size() != row.inputs.size() || x.size() > 2) continue;
      auto call = [&](const List& v) { return row.call(v); };
      const std::vector<double> got = row.call(x).to_vector<double>(),
                                want = interpret(trace(call, x), x).at(0).to_vector<double>();
      const double epsilon = dtype == f64 ? row.tolerance : row.tolerance * 0x1p29;
      for (size_t i = 0; i < got.size(); ++i) {
        const double a = values[x.size() > 1 ? i / values.size() : i], b = x.size() > 1 ? values[i % values.size()] : 0;
        CAPTURE(a);
        CAPTURE(b);
        const bool same = got[i] == want[i] && std::signbit(got[i]) == std::signbit(want[i]);
        // The sum of a logarithm and its operand may be near 0.
        const double size = std::max(std::abs(want[i]), row.name == "logaddexp2" ? 1.0 : 0.0);
        const bool near = std::abs(got[i] - want[i]) <= 4 * epsilon * size;
        if (!(same || near || (std::isnan(got[i]) && std::isnan(want[i])))) CHECK_EQ(got[i], want[i]);
      }
    }
  }
}

// One element of the first floating argument.
TEST_CASE("functions: special values among others") {
  for (const FunctionRow& row : function_rows()) {
    if (!row.lanes || row.elementwise || row.name.starts_with("linalg.")) continue;
    if (row.name.starts_with("nn.dropout")) continue;  // drawn anew
    const auto first = std::ranges::find_if(row.inputs, [](const Input& in) { return in.dtype == f64; });
    if (first == row.inputs.end() || first->shape.numel() == 0) continue;
    const auto k = static_cast<size_t>(first - row.inputs.begin());
    CAPTURE(title(row));
    std::mt19937 random = generator(row, 12);
    const List x = drawn(row, random, f32);
    auto call = [&](const List& v) { return row.call(v); };
    const ir::Graph graph = trace(call, x);
    for (float special : {std::numeric_limits<float>::quiet_NaN(), float(inf), -float(inf), 0.0f}) {
      CAPTURE(special);
      List other = x;
      std::vector<float> elements = x[k].to_vector<float>();
      elements[random() % elements.size()] = special;
      other[k] = Tensor::from(elements, first->shape);
      Tensor got;
      try {
        got = row.call(other).eval();
      } catch (const Error&) {
        continue;  // bad data
      }
      CHECK_EQ(difference(got, interpret(graph, other).at(0), 16 * row.tolerance * 0x1p29), "");
    }
  }
}

// Every line of a matrix, along either dim.
TEST_CASE("functions: reductions of matrices") {
  for (const FunctionRow& row : function_rows()) {
    if (!row.whole) continue;
    CAPTURE(title(row));
    auto call = [&](const Tensor& v) { return row.call(List{v}); };
    const int64_t length = row.inputs[0].shape[0];
    for (DType dtype : {f64, f32})
      for (int64_t n : {1, 3, 15, 17, 33}) {
        CAPTURE(to_string(dtype));
        CAPTURE(n);
        FunctionRow of_matrix = row;
        of_matrix.inputs[0].shape = {n, length};
        std::mt19937 random = generator(row, 13);
        const Tensor x = drawn(of_matrix, random, dtype)[0];
        const std::vector<double> elements = x.to_vector<double>();
        std::vector<double> want(static_cast<size_t>(n));
        for (size_t i = 0; i < want.size(); ++i)
          want[i] =
              row.whole(std::span(elements).subspan(i * static_cast<size_t>(length), static_cast<size_t>(length)));
        const double tolerance = dtype == f64 ? row.tolerance : row.tolerance * 0x1p29;
        CHECK_EQ(difference(vmap(call)(x), Tensor::from(want, {n}), tolerance), "");
        CHECK_EQ(difference(vmap(call, {.in_dims = 1})(x.t().contiguous()), Tensor::from(want, {n}), tolerance), "");
      }
  }
}

TEST_CASE("functions: print and parse") {
  for (const FunctionRow& row : function_rows()) {
    if (!row.lanes) continue;
    CAPTURE(title(row));
    std::mt19937 random = generator(row, 11);
    const List x = drawn(row, random, f32);
    const ir::Graph graph = trace([&](const List& v) { return row.call(v); }, x);
    const std::string text = to_text(graph);
    const ir::Graph again = ir::parse(text);
    CHECK_EQ(to_text(again), text);
    if (graph.captures().empty()) CHECK_EQ(difference(interpret(again, x).at(0), interpret(graph, x).at(0), 0), "");
  }
}

}  // namespace jot::test
