// Special functions against exact values, which tests/golden/special.bin has (special.py says how): errors in units of
// the last place.
#pragma once
#include <jot/jot.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace jot::test {

struct SpecialErrors {
  double most = 0, ninety = 0;             // of all points, of 90 of 100
  double x = 0, y = 0, got = 0, want = 0;  // at the worst one
};
struct SpecialGolden {
  std::string name;
  size_t points = 0;
  SpecialErrors wide, narrow;  // f64, f32
};

using SpecialCall = std::function<Tensor(std::span<const Tensor>)>;

inline const std::map<std::string, SpecialCall>& special_calls() {
  using X = std::span<const Tensor>;
#define JOT_ONE(name)                              \
  {                                                \
    #name, [](X x) { return special::name(x[0]); } \
  }
#define JOT_TWO(name)                                    \
  {                                                      \
    #name, [](X x) { return special::name(x[0], x[1]); } \
  }
  static const auto* calls = new std::map<std::string, SpecialCall>{
      JOT_ONE(erf),
      JOT_ONE(erfc),
      JOT_ONE(erfcx),
      JOT_ONE(erfinv),
      JOT_ONE(ndtr),
      JOT_ONE(log_ndtr),
      JOT_ONE(ndtri),
      JOT_ONE(digamma),
      {"lgamma", [](X x) { return lgamma(x[0]); }},
      {"multigammaln 3", [](X x) { return special::multigammaln(x[0], 3); }},
      {"polygamma 1", [](X x) { return special::polygamma(1, x[0]); }},
      {"polygamma 2", [](X x) { return special::polygamma(2, x[0]); }},
      {"polygamma 7", [](X x) { return special::polygamma(7, x[0]); }},
      {"polygamma 50", [](X x) { return special::polygamma(50, x[0]); }},
      JOT_TWO(zeta),
      JOT_ONE(bessel_j0),
      JOT_ONE(bessel_j1),
      JOT_ONE(bessel_y0),
      JOT_ONE(bessel_y1),
      JOT_ONE(i0),
      JOT_ONE(i1),
      JOT_ONE(i0e),
      JOT_ONE(i1e),
      JOT_ONE(modified_bessel_k0),
      JOT_ONE(modified_bessel_k1),
      JOT_ONE(scaled_modified_bessel_k0),
      JOT_ONE(scaled_modified_bessel_k1),
      JOT_ONE(spherical_bessel_j0),
      JOT_ONE(sinc),
      JOT_ONE(entr),
      JOT_TWO(xlogy),
      JOT_TWO(xlog1py),
      JOT_ONE(logit),
      JOT_TWO(gammainc),
      JOT_TWO(gammaincc),
      {"gammainc by a",
       [](X x) {
         Tensor other = x[1];
         return grad([other](const Tensor& a) { return sum(special::gammainc(a, other)); })(x[0]);
       }},
  };
#undef JOT_ONE
#undef JOT_TWO
  return *calls;
}

namespace detail {

template <class T>
T take(std::span<const char>& from) {
  T value;
  std::memcpy(&value, from.data(), sizeof(T));
  from = from.subspan(sizeof(T));
  return value;
}

// T: of the operands and the result.
template <class T>
SpecialErrors special_errors(std::span<const char>& from, size_t operands, size_t points, const SpecialCall& call) {
  std::vector<T> x[2];
  std::vector<double> want;
  std::vector<float> least;
  for (size_t i = 0; i < points; ++i) {
    for (size_t o = 0; o < operands; ++o) x[o].push_back(take<T>(from));
    want.push_back(take<double>(from)), least.push_back(take<float>(from));
  }
  std::vector<Tensor> arguments;
  for (size_t o = 0; o < operands; ++o) arguments.push_back(Tensor::from(x[o]));
  const std::vector<T> got = call(arguments).template to_vector<T>();
  SpecialErrors worst;
  std::vector<double> errors;
  for (size_t i = 0; i < points; ++i) {
    using L = std::numeric_limits<T>;
    const double at = std::max(std::abs(want[i]), static_cast<double>(least[i]));
    const double unit = std::ldexp(1.0, std::max(std::ilogb(at), L::min_exponent - 1) - L::digits + 1);
    const double y = static_cast<double>(got[i]);
    errors.push_back(std::isfinite(y) ? std::abs(y - want[i]) / unit : std::numeric_limits<double>::infinity());
    if (errors.back() > worst.most)
      worst = {errors.back(), 0, static_cast<double>(x[0][i]), static_cast<double>(x[operands - 1][i]), y, want[i]};
  }
  std::ranges::sort(errors);
  worst.ninety = errors[points * 9 / 10];
  return worst;
}

}  // namespace detail

// Of each function of the file; one that is not in the table above throws.
inline std::vector<SpecialGolden> special_goldens(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string data(std::istreambuf_iterator<char>(file), {});
  std::vector<SpecialGolden> all;
  for (std::span<const char> rest = data; !rest.empty();) {
    const auto length = detail::take<uint8_t>(rest);
    const std::string name(rest.data(), length);
    rest = rest.subspan(length);
    const size_t operands = detail::take<uint8_t>(rest), wide = detail::take<uint32_t>(rest),
                 narrow = detail::take<uint32_t>(rest);
    const SpecialCall& call = special_calls().at(name);
    SpecialGolden g{name, wide, {}, {}};
    g.wide = detail::special_errors<double>(rest, operands, wide, call);
    g.narrow = detail::special_errors<float>(rest, operands, narrow, call);
    all.push_back(g);
  }
  return all;
}

}  // namespace jot::test
