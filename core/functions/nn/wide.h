// What functions of jot::nn::functional share.
#pragma once
#include "core/functions/operands.h"
#include "jot/creation.h"
#include "jot/nn_functional.h"

namespace jot::detail {

// A call of a function whose formula is computed in one dtype: half floats in f32, rounded once, at the end.
class Wide {
 public:
  // Undefined tensors among the operands are an error. The result has the dtype to which `promoted_ones` are promoted.
  Wide(std::string_view op, Location at, std::initializer_list<const Tensor*> promoted_ones)
      : op_(op), at_(at), call_(op, at) {
    Promotion p;
    for (const Tensor* t : promoted_ones) {
      impl_of(*t, op, at);
      p.add(Arg(*t, at));
    }
    dtype_ = detail::floating(p.result());
  }
  std::string_view op() const { return op_; }
  Location at() const { return at_; }
  DType within() const { return computing_type(dtype_); }
  Tensor operator()(const Tensor& x) const { return x.to(within(), at_); }
  Tensor result(const Tensor& v) const { return v.to(dtype_, at_); }
  void check(Reduction reduction) const {
    if (reduction == Reduction::batchmean)
      fail<Error>("batchmean is a reduction of kl_div alone: use mean, sum or none");
  }
  // A loss of each element, reduced.
  Tensor reduced(const Tensor& v, Reduction reduction) const {
    check(reduction);
    if (reduction == Reduction::mean) return result(mean(v, {}, false, at_));
    return result(reduction == Reduction::sum ? sum(v, {}, false, at_) : v);
  }
  template <class E>
  [[noreturn]] void fail(const std::string& what) const {
    detail::fail<E>(op_, what, at_);
  }
  // max(v, floor), whose derivative is that of v everywhere.
  Tensor at_least(const Tensor& v, double floor) const { return where(v < floor, floor + (v - v.detach(at_)), v); }

 private:
  std::string_view op_;
  Location at_;
  Composite call_;
  DType dtype_;
};

}  // namespace jot::detail
