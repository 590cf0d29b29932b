#include "backends/cpu/library/rescale.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/kernel/lower_ops.h"

namespace jot::cpu {
namespace {

// Arguments: from, to, elements, the factor, where a vector goes that is 0, or NaN where a result was not finite.
Kernel scaling(KType t, int lanes) {
  KernelBuilder b(lanes);
  const uint32_t from = b.arg(1), to = b.arg(2), factor = b.load_bcast(t, b.arg(4), b.iconst(0)), none = zero(b, t);
  const uint32_t unfit = b.var(none), i = b.vloop(b.arg(3)), y = b.mul(b.load(t, from, i), factor);
  b.store(y, to, i);
  b.set(unfit, b.fma(y, none, unfit));
  b.endloop();
  b.store(unfit, b.arg(5));
  return std::move(b).finish();
}

template <class Bits>
bool is_denormal(Bits x, int mantissa) {
  const Bits magnitude = static_cast<Bits>(x << 1);
  return magnitude != 0 && magnitude >> (mantissa + 1) == 0;
}

template <class Bits>
bool any_denormal(const std::byte* x, int64_t bytes, int mantissa) {
  Bits e[64 / sizeof(Bits)] = {};
  std::memcpy(e, x, static_cast<size_t>(std::min<int64_t>(bytes, 64)));
  return std::ranges::any_of(e, [&](Bits v) { return is_denormal(v, mantissa); });
}

}  // namespace

Rescale::Rescale(DType dtype)
    : dtype_(dtype), kernel_(scaling(kernel_type(dtype), InnerKernel::lanes(size_of(dtype)))) {}

bool Rescale::finds_denormals(const void* x, int64_t count) const {
  constexpr int64_t kLine = 64, kLines = 256;
  const int64_t bytes = count * size_of(dtype_), lines = (bytes + kLine - 1) / kLine;
  const int64_t step = std::max<int64_t>(5, lines / kLines | 1) * kLine;  // odd: not in step with rows
  for (int64_t at = 0; at < bytes; at += step) {
    const std::byte* line = static_cast<const std::byte*>(x) + at;
    if (dtype_ == DType::f64 ? any_denormal<uint64_t>(line, bytes - at, 52)
                             : any_denormal<uint32_t>(line, bytes - at, 23))
      return true;
  }
  return false;
}

bool Rescale::operator()(const void* from, void* to, int64_t count, int steps) const {
  return dtype_ == DType::f64 ? scale<double>(from, to, count, steps) : scale<float>(from, to, count, steps);
}

template <class T>
bool Rescale::scale(const void* from, void* to, int64_t count, int steps) const {
  const T factor = std::ldexp(T{1}, steps * (sizeof(T) == 8 ? 64 : 32));
  alignas(64) T unfit[64 / sizeof(T)] = {};
  const int64_t args[] = {0, address(from), address(to), count, address(&factor), address(unfit)};
  kernel_(args);
  return std::ranges::all_of(unfit, [](T x) { return x == 0; });
}

}  // namespace jot::cpu
