// Denormal operands of products.
//
// Processors multiply a denormal number in microcode: 150 cycles an instruction on Intel's, so that one operand in
// fifty makes a product of matrices five times as slow (weights of a softmax are of that kind). A power of two makes
// them normal, without rounding; the result is scaled back and rounded once.
#pragma once
#include "backends/cpu/routines/routine_parts.h"

namespace jot::cpu {

class Rescale {
 public:
  // That of f32 or f64.
  static const Rescale& of(DType dtype);

  // Whether there are denormals among count elements, of which every fifth vector is looked at, of many about 128.
  // Depends on the elements alone.
  bool finds_denormals(const void* x, int64_t count) const;
  // to[i] = from[i] * 2^(steps * exponent()), in place perhaps; whether all are finite.
  bool operator()(const void* from, void* to, int64_t count, int steps) const;

 private:
  explicit Rescale(DType dtype);
  template <DType kType>
  static const Rescale& one();
  template <class T>
  bool find(const void* x, int64_t count) const;
  template <class T>
  bool scale(const void* from, void* to, int64_t count, int steps) const;

  DType dtype_;
  InnerKernel scale_, find_;
};

}  // namespace jot::cpu
