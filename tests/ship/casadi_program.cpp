// Exports functions for CasADi and acados into a folder: casadi_program FOLDER.
#include <jot/jot.h>

#include <string>

#include "backends/target.h"

using namespace jot;

namespace {

Tensor rosenbrock(const Tensor& x) {
  const Tensor a = x.slice(0, 0, -1), b = x.slice(0, 1, x.size(0));
  return sum(100 * square(b - square(a)) + square(1 - a));
}

// Of a 2 x 3 matrix and a vector: a matrix whose elements use few of the others, and a sum of all.
std::pair<Tensor, Tensor> mixed(const Tensor& A, const Tensor& v) {
  return {sin(A.t()) * v[0], sum(2 * A[0] + A[1]) + v * v};
}

}  // namespace

int main(int, char** argv) {
  const std::string folder = argv[1];
  auto options = [](const char* name, Abi abi) {
    return ExportOptions{.name = name, .abi = abi, .avx512 = target() == Target::avx512};
  };
  auto cost = compile(rosenbrock, spec({6}, f64));
  cost.export_library(folder + "/libcost.so", options("cost", Abi::casadi));
  cost.export_library(folder + "/libcost_narrow.so", options("cost_narrow", Abi::acados));
  ExportOptions named = options("mixed", Abi::casadi);
  named.inputs = {"A", "v"}, named.outputs = {"B", "s"};
  compile(mixed, spec({2, 3}, f64), spec({2}, f64)).export_library(folder + "/libmixed.so", named);
  const auto circle = compile(
      [](const Tensor& x) {
        return stack({square(x[0]) + square(x[1]), x[2] * x[3] - x[4]});
      },
      spec({6}, f64));
  circle.export_library(folder + "/libcircle.so", options("circle", Abi::casadi));
}
