// Matrices of Eigen, which the program must have: from_eigen, borrow_eigen, to_eigen, map_eigen, and Eigen's matrices
// as arguments of jitted functions. A vector of Eigen is a tensor of one dim, any other matrix or array one of two.
#pragma once
#if __has_include(<Eigen/Core>)
#include <Eigen/Core>
#else
#include <eigen3/Eigen/Core>
#endif

#include <type_traits>
#include <utility>

#include "jot/creation.h"
#include "jot/lent.h"
#include "jot/matrix_layout.h"

namespace jot {

namespace detail {

template <class S>
constexpr DType dtype_of_eigen() {
  if constexpr (std::is_same_v<S, Eigen::half>)
    return DType::f16;
  else if constexpr (std::is_same_v<S, Eigen::bfloat16>)
    return DType::bf16;
  else if constexpr (Element<S>)
    return dtype_of<S>;
  else
    static_assert(Element<S>,
                  "no dtype has elements of this scalar type: cast the matrix to bool, uint8_t, int32_t, int64_t, "
                  "Eigen::bfloat16, Eigen::half, float or double, m.cast<double>()");
}

template <class D>
void dense_of_eigen(const Eigen::DenseBase<D>&);
template <class D>
void plain_of_eigen(const Eigen::PlainObjectBase<D>&);
template <class X>
concept EigenDense = requires(const X& x) { dense_of_eigen(x); };
template <class X>
concept EigenOwner = requires(const X& x) { plain_of_eigen(x); };  // of its elements
template <class X>
concept EigenMemory = EigenDense<X> && (int{X::Flags} & Eigen::DirectAccessBit) != 0;

template <EigenDense X>
inline constexpr bool is_row_major_of_eigen = (int{X::Flags} & Eigen::RowMajorBit) != 0;

// The same type of matrix, its elements in the order of tensors'.
template <class M>
struct RowMajorOfEigen;
template <class S, int R, int C, int O, int MR, int MC>
struct RowMajorOfEigen<Eigen::Matrix<S, R, C, O, MR, MC>> {
  using type = Eigen::Matrix<S, R, C, C == 1 ? O : (O | Eigen::RowMajor), MR, MC>;
};
template <class S, int R, int C, int O, int MR, int MC>
struct RowMajorOfEigen<Eigen::Array<S, R, C, O, MR, MC>> {
  using type = Eigen::Array<S, R, C, C == 1 ? O : (O | Eigen::RowMajor), MR, MC>;
};

template <EigenDense X>
Shape shape_of_eigen(const X& x) {
  if constexpr (X::IsVectorAtCompileTime)
    return {x.size()};
  else
    return {x.rows(), x.cols()};
}
template <EigenMemory X>
Shape strides_of_eigen(const X& x) {
  if constexpr (X::IsVectorAtCompileTime)
    return {x.innerStride()};
  else if constexpr (is_row_major_of_eigen<X>)
    return {x.outerStride(), x.innerStride()};
  else
    return {x.innerStride(), x.outerStride()};
}

template <class M, class S>
constexpr MatrixType matrix_type_of_eigen() {
  static_assert(EigenOwner<M>, "name a type of Eigen that owns its elements: Eigen::MatrixXd, Eigen::Vector3f, ...");
  constexpr auto number = [](int n) { return n == Eigen::Dynamic ? kAnyExtent : n; };
  return {number(M::RowsAtCompileTime),        number(M::ColsAtCompileTime),       number(M::MaxRowsAtCompileTime),
          number(M::MaxColsAtCompileTime),     M::IsVectorAtCompileTime != 0,      is_row_major_of_eigen<M>,
          number(S::InnerStrideAtCompileTime), number(S::OuterStrideAtCompileTime)};
}

template <class S>
S stride_of_eigen(const MatrixLayout& l) {
  constexpr int kInner = S::InnerStrideAtCompileTime, kOuter = S::OuterStrideAtCompileTime;
  constexpr bool inner = kInner == Eigen::Dynamic, outer = kOuter == Eigen::Dynamic;
  if constexpr (!inner && !outer)
    return S();
  else if constexpr (std::is_constructible_v<S, Eigen::Index, Eigen::Index>)
    return S(outer ? l.outer : kOuter, inner ? l.inner : kInner);
  else
    return S(inner ? l.inner : l.outer);
}

// M: const where it is only read.
template <class M, class S>
Eigen::Map<M, Eigen::Unaligned, S> mapped_by_eigen(const Tensor& t, const char* what, Location at) {
  using Plain = std::remove_const_t<M>;
  using Pointer = std::conditional_t<std::is_const_v<M>, const typename Plain::Scalar*, typename Plain::Scalar*>;
  const Layout memory = layout_of(t, dtype_of_eigen<typename Plain::Scalar>(), {}, !std::is_const_v<M>, what, at);
  const MatrixLayout l = matrix_layout(memory, matrix_type_of_eigen<Plain, S>(), what, at);
  return {static_cast<Pointer>(memory.data), l.rows, l.columns, stride_of_eigen<S>(l)};
}

using AnyEigenStride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;

}  // namespace detail

// A copy of a matrix, array or vector, or of what an expression gives.
template <detail::EigenDense X>
Tensor from_eigen(const X& x, Location at = JOT_HERE) {
  const typename detail::RowMajorOfEigen<typename X::PlainObject>::type elements = x;
  return from_blob(elements.data(), detail::shape_of_eigen(elements), detail::dtype_of_eigen<typename X::Scalar>(), at);
}

// Uses the elements where they are, as borrow() does: of a matrix, Map, Ref, block, row or column, which must outlive
// the tensor, and keep its size. Writes to the tensor reach them, unless they are const.
template <class X>
  requires detail::EigenDense<std::remove_cvref_t<X>>
Tensor borrow_eigen(X&& x, Location at = JOT_HERE) {
  using Matrix = std::remove_cvref_t<X>;
  static_assert(detail::EigenMemory<Matrix>,
                "an expression has no memory to borrow: from_eigen() copies what it gives");
  static_assert(std::is_lvalue_reference_v<X> || !detail::EigenOwner<Matrix>,
                "a temporary matrix ends with this statement: keep it in a variable, or copy it with from_eigen()");
  return borrow(x.data(), detail::shape_of_eigen(x), detail::strides_of_eigen(x),
                detail::dtype_of_eigen<typename Matrix::Scalar>(), at);
}

// The tensor's elements as a matrix of Eigen, where they are: M is the type of a matrix, array or vector, of either
// storage order. Valid as data() is: while the tensor lives, and until it is written or read again. Stride: steps that
// are fixed let Eigen use vector instructions, Eigen::Stride<0, 0> those of a dense M, Eigen::OuterStride<> dense
// lines. ShapeError, DTypeError where the tensor is another; data is not converted.
template <class M, class Stride = detail::AnyEigenStride>
Eigen::Map<const M, Eigen::Unaligned, Stride> map_eigen(const Tensor& t, Location at = JOT_HERE) {
  return detail::mapped_by_eigen<const M, Stride>(t, "map_eigen", at);
}
// The same for writing, as mutable_data().
template <class M, class Stride = detail::AnyEigenStride>
Eigen::Map<M, Eigen::Unaligned, Stride> mutable_map_eigen(const Tensor& t, Location at = JOT_HERE) {
  return detail::mapped_by_eigen<M, Stride>(t, "mutable_map_eigen", at);
}
template <class M, class Stride = detail::AnyEigenStride>
void map_eigen(Tensor&& t,
               Location at = JOT_HERE) = delete;  // the tensor ends with the statement: keep it, or to_eigen
template <class M, class Stride = detail::AnyEigenStride>
void mutable_map_eigen(Tensor&& t, Location at = JOT_HERE) = delete;

// A copy of the tensor as a matrix of Eigen.
template <class M>
M to_eigen(const Tensor& t, Location at = JOT_HERE) {
  return detail::mapped_by_eigen<const M, detail::AnyEigenStride>(t, "to_eigen", at);
}

namespace detail {

// Matrices that are passed to a jitted function are borrowed for the call, and not written; columns lie as the rows of
// what is lent, so that nothing is copied in either order.
template <EigenDense X>
struct Lender<X> {
  using Plain = typename X::PlainObject;
  static constexpr bool is_transposed = !X::IsVectorAtCompileTime && !is_row_major_of_eigen<Plain>;

  static Tensor lend(const X& x) {
    constexpr DType dtype = dtype_of_eigen<typename X::Scalar>();
    if constexpr (EigenMemory<X>) {
      static_assert(X::IsVectorAtCompileTime || is_row_major_of_eigen<X> == is_row_major_of_eigen<Plain>);
      const typename X::Scalar* elements = x.data();
      if (!tracing()) return borrow(elements, lent(shape_of_eigen(x)), lent(strides_of_eigen(x)), dtype, Location());
    }
    const Plain copy = x;
    return from_blob(copy.data(), lent(shape_of_eigen(copy)), dtype, Location());
  }
  static Tensor shown(const Tensor& lent) {
    if constexpr (is_transposed)
      return lent.t(Location());
    else
      return lent;
  }

 private:
  static Shape lent(const Shape& s) { return is_transposed ? Shape{s[1], s[0]} : s; }
};

}  // namespace detail
}  // namespace jot
