// Exports functions into a folder, as object and as library, each beside files of its arguments and of what it computes
// in this process: export_program FOLDER. Prints of each its name, and the bytes of its inputs and outputs.
#include <jot/jot.h>

#include <cstdio>
#include <fstream>
#include <random>
#include <string>

#include "backends/target.h"
#include "core/record/evaluate.h"
#include "docs/examples/ekf.h"

using namespace jot;

namespace {

std::string folder;

ExportOptions options(const std::string& name) { return {.name = name, .avx512 = target() == Target::avx512}; }

void write(const std::string& file, const std::vector<std::vector<std::byte>>& arrays) {
  std::ofstream out(folder + "/" + file, std::ios::binary);
  for (const auto& a : arrays)
    out.write(reinterpret_cast<const char*>(a.data()), static_cast<std::streamsize>(a.size()));
}

std::vector<std::byte> bytes_of(const Tensor& t) {
  const Buffer b = detail::read(t, "test", Location());
  const auto* first = static_cast<const std::byte*>(b.data());
  return {first, first + t.numel() * size_of(t.dtype())};
}

// f exported, and called in this process.
template <class F, class... A>
void ship(const std::string& name, F f, const A&... a) {
  auto exe = compile(f, a...);
  exe.export_object(folder + "/" + name, options(name));
  exe.export_library(folder + "/lib" + name + ".so", options(name));
  const std::vector<Tensor> inputs = {a...};
  std::vector<std::vector<std::byte>> in, out;
  for (const Tensor& t : inputs) in.push_back(bytes_of(t));
  for (const Tensor& t : exe.run(inputs)) out.push_back(bytes_of(t));
  for (size_t i = 0; i < inputs.size(); ++i)  // new contents of those that it writes
    if (bytes_of(inputs[i]) != in[i]) out.push_back(bytes_of(inputs[i]));
  write(name + ".in", in);
  write(name + ".out", out);
  std::printf("%s in", name.c_str());
  for (const auto& b : in) std::printf(" %zu", b.size());
  std::printf(" out");
  for (const auto& b : out) std::printf(" %zu", b.size());
  std::printf("\n");
}

// Functions whose rare arguments leave the fast path, of many sizes and of special values.
Tensor arguments(DType dtype, int64_t n) {
  std::vector<double> x = {0,      -0.0,  1,      -1,  1e-310,       -1e-310, 1e-40, 5e-324, 88.5,  -88.5,  104,
                           -103.5, 709.5, -709.5, 745, -745,         1e10,    -1e10, 1e22,   3e38,  -1e300, 1e308,
                           27,     -38.2, 26.9,   9.9, -13.5,        1023.5,  -1050, -1074,  127.5, -140.2, inf,
                           -inf,   0.5,   2,      3.5, std::nan(""), 711,     1e5,   2e5};
  std::mt19937_64 random(7);
  while (static_cast<int64_t>(x.size()) < n) {
    const double size = std::uniform_real_distribution<double>(-40, 40)(random);
    x.push_back(std::ldexp(std::uniform_real_distribution<double>(-1, 1)(random), static_cast<int>(size)));
  }
  return tensor(x, f64).slice(0, 0, n).to(dtype);
}

Tensor functions(const Tensor& x) {
  using namespace jot::special;
  return stack({exp(x),    log(x),     sin(x),  cos(x),   tan(x),  tanh(x), sigmoid(x), expm1(x),
                exp2(x),   log1p(x),   log2(x), log10(x), sinh(x), cosh(x), asinh(x),   acosh(x),
                atanh(x),  asin(x),    acos(x), atan(x),  erf(x),  erfc(x), erfcx(x),   erfinv(x),
                lgamma(x), digamma(x), i0(x),   i1(x),    ndtr(x), ndtri(x)});
}

Tensor functions_of_two(const Tensor& x, const Tensor& y) { return stack({pow(x, y), atan2(x, y), fmod(x, y)}); }

}  // namespace

int main(int, char** argv) {
  folder = argv[1];
  const Tensor x2 = tensor({0.5, 2.0}, f64), k = tensor({0.3}, f64);
  auto pair = [](const Tensor& x, const Tensor& s) { return stack({x[0] * cos(s[0] * x[1]), x[1] * exp(-x[0])}); };
  ship("jac", jacrev(pair), x2, k);
  ship("jac32", jacrev(pair), x2.to(f32), k.to(f32));
  for (DType t : {f64, f32}) {
    const std::string bits = t == f64 ? "64" : "32";
    const Tensor x = arguments(t, 173);
    ship("functions" + bits, functions, x);
    ship("functions_of_one" + bits, functions, x.slice(0, 17, 18).reshape({}));  // out of line
    ship("pairs" + bits, functions_of_two, x.slice(0, 0, 60).unsqueeze(1).expand({60, 173}).contiguous(), x);
  }
  ship(
      "filter",
      [](const Tensor& mean, const Tensor& covariance, const Tensor& measured) {
        const ekf::Estimate next = ekf::step({mean, covariance}, measured);
        return std::pair(next.mean, next.covariance);
      },
      ekf::start().mean, ekf::start().covariance, tensor({9.5, 11.25}, f64));
  // In kernels here alone: results may differ in the last digits.
  ship(
      "near_solve", [](const Tensor& A, const Tensor& b) { return linalg::solve(A, b); },
      eye(9, f64) * 4 + ones({9, 9}, f64), arange(9, f64));
  ship(
      "near_products", [](const Tensor& x) { return matmul(tanh(x), x.t()); },
      sin(arange(40 * 30, f64)).reshape({40, 30}));
  ship(
      "near_loop",
      [](const Tensor& x) {
        return scan(
            [](const Tensor& c, none_t) {
              Tensor next = c + 0.01 * stack({c[1], -sin(c[0])});
              return std::pair(next, next[0]);
            },
            x, none, {.length = 100});
      },
      x2);
  ship(
      "near_slice",
      [](const Tensor& x, const Tensor& i) { return x.index_select(0, i + arange(3, i64)).sum() + x.index({i}); },
      arange(20, f64), tensor(7, i64));
  manual_seed(3);
  const Tensor table = randn({50}, f64), at = tensor({3, 49, 0, 7}, i64);
  ship(
      "taken", [](const Tensor& t, const Tensor& i) { return t.index({i}) * 2; }, table, at);
  ship(
      "captured", [table](const Tensor& x) { return cos(table) * x; }, tensor({3.0}, f64));
  ship(
      "nothing", [](const Tensor& x) { return std::tuple(x, x, x.unsqueeze(0)); }, arguments(f32, 7));
  ship(
      "empty",
      [](const Tensor& x) {
        return std::tuple(zeros({0}, f64), x * 2, concat({x, zeros({0}, f64)}));
      },
      x2.slice(0, 0, 0));
  ship(
      "mixed",
      [](const Tensor& x, const Tensor& n, const Tensor& on) {
        return std::tuple(where(on, x, 0), n * 3, x.to(i32), x.to(f16), n > 2);
      },
      arguments(f32, 21), arange(21, i64) - 5, arange(21, i64) % 3 == 0);
  ship(
      "long_sums", [](const Tensor& x) { return std::tuple(sum(x), max(x), sum(x, 0), amax(x, {0}), x * 2); },
      randn({40'000, 30}, f64));
  ship(
      "long_sums32", [](const Tensor& x) { return std::tuple(sum(x), sum(x, 0), prod(x + 1)); },
      randn({400'000, 3}, f32) * 1e-4);
  ship(
      "written",
      [](Tensor x, const Tensor& y) {
        x.mul_(2);
        return x + y;
      },
      x2.clone(), x2);
}
