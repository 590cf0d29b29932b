// The LSTM of the bench against the objective and the gradient that ADBench's hand-written module gives.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "bench/lstm.h"

using namespace jot;

namespace {

std::vector<double> numbers(const std::string& path) {
  std::ifstream file(path);
  return {std::istream_iterator<double>(file), {}};
}

}  // namespace

TEST_CASE("lstm: the expected objective and gradient") {
  const std::string path = JOT_BENCH_DATA "/lstm_l2_c1024";
  bench::recurrent::Problem p = bench::recurrent::read_problem(path + ".txt");
  auto objective = [&](const Tensor& main, const Tensor& extra) {
    return bench::recurrent::objective(main, extra, p.state, p.text);
  };
  auto [slopes, value] = jit(grad_and_value<argnums(0, 1)>(objective))(p.main, p.extra);
  const std::vector<double> expected = numbers(path + "_F.txt"), expected_slopes = numbers(path + "_J.txt");
  REQUIRE(expected.size() == 1);
  CHECK(std::abs(value.item<double>() - expected[0]) <= 1e-10 * std::abs(expected[0]));
  std::vector<double> got = std::get<0>(slopes).to_vector<double>();
  std::ranges::copy(std::get<1>(slopes).to_vector<double>(), std::back_inserter(got));
  REQUIRE(got.size() == expected_slopes.size());
  double largest = 0, worst = 0;
  for (double e : expected_slopes) largest = std::max(largest, std::abs(e));
  for (size_t i = 0; i < got.size(); ++i) {
    const double difference = std::abs(got[i] - expected_slopes[i]);
    worst = std::max(worst, difference / std::max(std::abs(expected_slopes[i]), 1e-6 * largest));
  }
  CHECK(worst <= 1e-8);
}
