// Every function of bf16 and f16 is that of f32 of the same elements, rounded to nearest even once; its derivatives
// are.
#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <set>

#include "core/record/scope.h"
#include "tests/functions/row_values.h"

namespace jot::test {

namespace {

// Rows that round in between, and why.
const std::map<std::string, std::string> kRoundsBetween = {
    {"quantile vector", "the places are numbers of the dtype"},
    {"nn.dropout1d of channels", "the derivative is zero: what is left is rounding"},
    {"nn.dropout2d of channels", "the same"},
    {"nn.gumbel_softmax hard", "the same"},
    {"nn.batch_norm [4,3] running", "of what was written"},
    {"nn.batch_norm [2,3,4] running", "of what was written"},
    {"nn.batch_norm [2,3,1,2] running", "of what was written"},
    {"nn.instance_norm running", "of what was written"},
};
// Rows of several functions, each of which rounds: here they are one. linalg: all, of a matrix that is made first.
const std::set<std::string> kSeveral = {"std_mean",       "gradient",         "logdet",
                                        "cholesky_solve", "cholesky_inverse", "nn.ctc_loss"};

Tensor called(const FunctionRow& row, const List& x) {
  std::optional<detail::Composite> one;
  if (kSeveral.contains(row.name) || row.name.starts_with("linalg.")) one.emplace("row", Location());
  return row.call(x);
}

// The greatest distance in steps of a half float. Where terms cancel f32 itself depends on their order: to `slack` of
// the greatest element.
double steps(const Tensor& got, const Tensor& want, DType dtype, double slack) {
  std::vector<double> a = got.to_vector<double>(), b = want.to_vector<double>();
  double worst = a.size() == b.size() ? 0 : inf, greatest = 0;
  for (double x : b)
    if (std::isfinite(x)) greatest = std::max(greatest, std::abs(x));
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    const double size = std::max(std::abs(b[i]), dtype == f16 ? 0x1p-14 : 0x1p-126);
    const double step = std::exp2(std::floor(std::log2(size)) - (dtype == f16 ? 10 : 7));
    worst = std::max(worst, (std::abs(a[i] - b[i]) - slack * greatest) / step);
  }
  return worst;
}

}  // namespace

TEST_CASE("halves: values") {
  for (const FunctionRow& row : function_rows()) {
    if (!has_floats(row)) continue;
    for (DType dtype : {bf16, f16}) {
      std::mt19937 random = generator(row, 7);
      CAPTURE(title(row));
      CAPTURE(to_string(dtype));
      const List x = drawn(row, random, dtype);
      if (row.name == "nextafter") {
        CHECK_THROWS_AS(row.call(x), DTypeError);
        continue;
      }
      const Tensor got = called(row, x), single = called(row, as(row, x, f32)), want = single.to(got.dtype());
      CHECK((single.dtype() != f32 || got.dtype() == dtype));
      if (kRoundsBetween.contains(title(row)))
        CHECK_EQ(difference(got, want, 16 * (dtype == f16 ? 0x1p-10 : 0x1p-7)), "");
      else if (row.elementwise)
        CHECK_EQ(difference(got, want, 0), "");
      else
        CHECK(steps(got, want, dtype, 0) <= 1);
      if (!row.lanes) continue;
      auto call = [&](const List& v) { return called(row, v); };
      const Tensor traced = interpret(trace(call, x), x).at(0);
      CHECK_EQ(traced.dtype(), got.dtype());
      CHECK(steps(got, traced, dtype, 0) <= (kRoundsBetween.contains(title(row)) ? 16 : 1));
    }
  }
}

TEST_CASE("halves: derivatives") {
  for (const FunctionRow& row : function_rows()) {
    if (row.order == 0 || !has_floats(row) || kRoundsBetween.contains(title(row))) continue;
    for (DType dtype : {bf16, f16}) {
      std::mt19937 random = generator(row, 8);
      CAPTURE(title(row));
      CAPTURE(to_string(dtype));
      const Floating f(row, drawn(row, random, dtype)), wide(row, as(row, f.all, f32));
      const Tensor w = random_like(f(f.floats), random).to(dtype);
      manual_seed(1);
      const List got = grad([&](const List& x) { return sum(called(row, f.arguments(x)) * w); })(f.floats);
      const List want =
          grad([&](const List& x) { return sum(called(row, wide.arguments(x)) * w.to(f32)); })(wide.floats);
      for (size_t i = 0; i < got.size(); ++i) {
        CHECK_EQ(got[i].dtype(), dtype);
        CHECK(steps(got[i], want[i].to(dtype), dtype, 0x1p-20) <= 1);
      }
    }
  }
}

}  // namespace jot::test
