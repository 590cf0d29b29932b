#include "backends/cpu/library/rescale.h"

#include <algorithm>
#include <cmath>

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

// Arguments: x, vectors, elements from one to the next, where a vector goes that is not 0 where an element is denormal.
Kernel finding(KType t, int lanes) {
  KernelBuilder b(lanes);
  const uint32_t x = b.arg(1), step = b.arg(3), none = zero(b, t);
  const uint32_t least = b.constant(t, t == KType::f64 ? uint64_t{1} << 52 : uint64_t{1} << 23),
                 found = b.var(b.mask_const(false));
  const uint32_t n = b.loop(b.arg(2)), size = b.abs(b.load(t, x, b.imul(n, step)));
  b.set(found, b.mor(found, b.mand(b.cmp(KCmp::lt, size, least), b.cmp(KCmp::gt, size, none))));
  b.endloop();
  b.store(b.select(found, least, none), b.arg(4));
  return std::move(b).finish();
}

template <class T>
bool all_zero(const T (&vector)[64 / sizeof(T)]) {
  return std::ranges::all_of(vector, [](T x) { return x == 0; });
}

}  // namespace

template <DType kType>
const Rescale& Rescale::one() {
  static const auto* made = new Rescale(kType);
  return *made;
}
const Rescale& Rescale::of(DType dtype) { return dtype == DType::f64 ? one<DType::f64>() : one<DType::f32>(); }

Rescale::Rescale(DType dtype)
    : dtype_(dtype),
      scale_(scaling(kernel_type(dtype), InnerKernel::lanes(size_of(dtype)))),
      find_(finding(kernel_type(dtype), InnerKernel::lanes(size_of(dtype)))) {}

bool Rescale::finds_denormals(const void* x, int64_t count) const {
  return dtype_ == DType::f64 ? find<double>(x, count) : find<float>(x, count);
}

template <class T>
bool Rescale::find(const void* x, int64_t count) const {
  constexpr int64_t kVectors = 128;
  const int64_t lanes = InnerKernel::lanes(sizeof(T)), vectors = count / lanes;
  const int64_t step = std::max<int64_t>(5, vectors / kVectors | 1);  // odd: not in step with rows
  alignas(64) T found[64 / sizeof(T)] = {};
  const int64_t args[] = {0, address(x), (vectors + step - 1) / step, step * lanes, address(found)};
  find_(args);
  return !all_zero(found);
}

bool Rescale::operator()(const void* from, void* to, int64_t count, int steps) const {
  return dtype_ == DType::f64 ? scale<double>(from, to, count, steps) : scale<float>(from, to, count, steps);
}

template <class T>
bool Rescale::scale(const void* from, void* to, int64_t count, int steps) const {
  const T factor = std::ldexp(T{1}, steps * (sizeof(T) == 8 ? 64 : 32));
  alignas(64) T unfit[64 / sizeof(T)] = {};
  const int64_t args[] = {0, address(from), address(to), count, address(&factor), address(unfit)};
  scale_(args);
  return all_zero(unfit);
}

}  // namespace jot::cpu
