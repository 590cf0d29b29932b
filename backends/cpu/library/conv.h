// Convolutions of one batch axis, one of groups, and one of features on either side: what an op's axes come to.
#pragma once
#include <memory>
#include <vector>

#include "backends/cpu/routines/routine_parts.h"
#include "ir/ops/window.h"

namespace jot::cpu {

// Steps of an operand in elements. first and second: of x batch and features that are summed, of w features that are
// made and summed, of the result batch and features that are made.
struct ConvSteps {
  int64_t group = 0, first = 0, second = 0;
  std::vector<int64_t> spatial;
  bool packed = false;
  StridedCopy copy;  // where packed: to these steps, of the result from them

  const void* pack(const void* data, std::byte* to) const {
    if (!packed) return data;
    copy.run(data, to);
    return to;
  }
};

struct Conv {
  DType dtype = DType::f32;
  int64_t groups = 1, batch = 1, in = 1, out = 1;
  std::vector<ir::WindowAxis> axes;  // at least one
  bool flip = false;
  ConvSteps x, w, y;

  int64_t extent() const { return product(&ir::WindowAxis::extent); }  // of x along the axes
  int64_t window() const { return product(&ir::WindowAxis::window); }
  int64_t places() const {
    int64_t n = 1;
    for (const ir::WindowAxis& a : axes) n *= a.places();
    return n;
  }
  double terms() const {  // products that are summed
    return static_cast<double>(groups * batch) * static_cast<double>(in * out) *
           (static_cast<double>(window()) * static_cast<double>(places()));
  }
  // The window is larger than the result: as in the derivative by weights, where it is the other cotangent.
  bool of_weights() const { return !flip && window() > places(); }

 private:
  int64_t product(int64_t ir::WindowAxis::*member) const {
    int64_t n = 1;
    for (const ir::WindowAxis& a : axes) n *= a.*member;
    return n;
  }
};

// Of an op: packed is what has no single step for a role, and what `contiguous` asks for (of w and the result: spatial
// elements one behind the other).
Conv conv_of(const ir::GraphData& g, ir::Value v, bool contiguous);

// Packs operands, runs a convolution of single steps, and unpacks. Where the window covers nothing its elements are
// multiplied by zeros: if one of them is not finite, which would make NaN, loops run that skip them.
class ConvRoutine : public Routine {
 public:
  explicit ConvRoutine(Conv conv);
  void run(std::span<const void* const> operands, void* out, std::byte* scratch, KernelError&) const final;

 protected:
  virtual void convolve(const void* x, const void* w, void* y, std::byte* scratch) const = 0;
  const Conv c;
  const int64_t size;  // bytes of an element

 private:
  const int64_t window_elements_;  // of all of w, where some of the window may cover nothing; else 0
  const int64_t results_;
};

// As products with columns of x, or sums of them, by BLAS; integers in loops.
std::unique_ptr<const Routine> make_column_conv(Conv conv);
// By oneDNN; null where it takes no such convolution.
std::unique_ptr<const Routine> make_onednn_conv(const Conv& conv);

}  // namespace jot::cpu
