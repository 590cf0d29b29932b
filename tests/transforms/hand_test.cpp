// The hand of the bench against the residuals and the jacobian that ADBench's hand-written module gives.
#include <doctest/doctest.h>

#include <iterator>

#include "bench/hand.h"

using namespace jot;

namespace {

Tensor numbers(const std::string& path, const Shape& shape) {
  std::ifstream file(path);
  return Tensor::from(std::vector<double>{std::istream_iterator<double>(file), {}}, shape);
}

}  // namespace

TEST_CASE("hand: the expected residuals and jacobian, forward and reverse") {
  const std::string path = JOT_BENCH_DATA "/hand1_t26_c100";
  const bench::hand::Hand p = bench::hand::read_hand(path + ".txt", JOT_BENCH_DATA "/hand");
  auto f = [&](const Tensor& theta) { return bench::hand::residuals(theta, p); };
  Tensor expected = numbers(path + "_F.txt", {300}), J = numbers(path + "_J.txt", {300, 26});
  CHECK(max(abs(jit(f)(p.theta) - expected)).item<double>() <= 1e-14);
  CHECK(max(abs(jit(jacfwd(f))(p.theta) - J)).item<double>() <= 1e-13);
  CHECK(max(abs(jit(jacrev(f))(p.theta) - J)).item<double>() <= 1e-13);
}
