// Arrays that show part of a store, over numbers, dual numbers, or dual numbers of these.
#pragma once
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "tests/fuzz/mutation_program.h"

namespace jot::test::mutation {

// A write or a view that the library must refuse.
struct Refused {};

// v + d * epsilon
template <class T>
struct Dual {
  T v{}, d{};
  Dual() = default;
  Dual(double x) : v(x), d(0.0) {}  // NOLINT: constants
  Dual(T value, T derivative) : v(value), d(derivative) {}
  friend Dual operator+(const Dual& a, const Dual& b) { return {a.v + b.v, a.d + b.d}; }
  friend Dual operator-(const Dual& a, const Dual& b) { return {a.v - b.v, a.d - b.d}; }
  friend Dual operator*(const Dual& a, const Dual& b) { return {a.v * b.v, a.d * b.v + a.v * b.d}; }
};
template <class S>
inline constexpr int depth = 0;
template <class T>
inline constexpr int depth<Dual<T>> = depth<T> + 1;

inline double primal(double x) { return x; }
template <class T>
double primal(const Dual<T>& x) {
  return primal(x.v);
}
inline double size_of_number(double x) { return std::abs(x); }
template <class T>
double size_of_number(const Dual<T>& x) {
  return std::max(size_of_number(x.v), size_of_number(x.d));
}
inline double sine(double x) { return std::sin(x); }
inline double cosine(double x) { return std::cos(x); }
template <class T>
Dual<T> sine(const Dual<T>& x);
template <class T>
Dual<T> cosine(const Dual<T>& x) {
  return {cosine(x.v), T(-1.0) * sine(x.v) * x.d};
}
template <class T>
Dual<T> sine(const Dual<T>& x) {
  return {sine(x.v), cosine(x.v) * x.d};
}

template <class S>
struct Store {
  std::vector<S> elements;
  unsigned lanes = 0;    // the levels of vmap whose lanes it may tell apart
  unsigned fixed = 0;    // the levels whose lanes may not be written to it
  bool frozen = false;   // captured by a derivative
  bool partial = false;  // of an argument that is not contiguous: what it does not show is out of reach
  bool repeats = false;  // of an argument that repeats elements, which are here apart: its strides are not known
};

template <class S>
struct Array {
  std::shared_ptr<Store<S>> store;  // null: no value
  Ints shape, strides;
  int64_t offset = 0;
  bool detached = false;
  bool repeated = false;  // shows an element twice, or is a part of what does

  int64_t numel() const {
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    return n;
  }
  size_t rank() const { return shape.size(); }

  // Where the elements lie, in row-major order.
  Ints positions() const {
    Ints result, at(rank(), 0);
    for (int64_t i = numel(); i > 0; --i) {
      int64_t p = offset;
      for (size_t d = 0; d < rank(); ++d) p += at[d] * strides[d];
      result.push_back(p);
      for (size_t d = rank(); d-- > 0;) {
        if (++at[d] < shape[d]) break;
        at[d] = 0;
      }
    }
    return result;
  }
  std::vector<S> elements() const {
    std::vector<S> result;
    for (int64_t p : positions()) {
      const S& s = store->elements[static_cast<size_t>(p)];
      result.push_back(detached ? S(primal(s)) : s);
    }
    return result;
  }
  bool overlapping() const {
    Ints p = positions();
    return std::set<int64_t>(p.begin(), p.end()).size() < p.size();
  }
  bool contiguous() const { return positions() == row_major_from(offset); }
  bool whole() const { return contiguous() && numel() == static_cast<int64_t>(store->elements.size()); }
  Ints row_major_from(int64_t first) const {
    Ints result;
    for (int64_t i = 0; i < numel(); ++i) result.push_back(first + i);
    return result;
  }
};

inline Ints row_major_strides(const Ints& shape) {
  Ints strides(shape.size());
  int64_t step = 1;
  for (size_t d = shape.size(); d-- > 0; step *= std::max<int64_t>(shape[d], 1)) strides[d] = step;
  return strides;
}

template <class S>
void check_size(const std::vector<S>& elements, double largest) {
  for (const S& s : elements)
    if (!(size_of_number(s) <= largest)) throw Unclear();
}

template <class S>
Array<S> fresh(const Ints& shape, std::vector<S> elements, unsigned lanes = 0) {
  auto store = std::make_shared<Store<S>>();
  store->elements = std::move(elements);
  store->lanes = lanes;
  return {std::move(store), shape, row_major_strides(shape)};
}
template <class S>
Array<S> copy_of(const Array<S>& a) {
  return fresh(a.shape, a.elements(), a.store->lanes);
}

// The elements of a, repeated to a shape.
template <class S>
std::vector<S> broadcast(const Array<S>& a, const Ints& shape) {
  if (a.rank() > shape.size()) throw Refused();
  Array<S> wide = a;
  wide.shape = shape;
  wide.strides.assign(shape.size(), 0);
  for (size_t d = 0; d < a.rank(); ++d) {
    size_t to = d + shape.size() - a.rank();
    if (a.shape[d] != shape[to] && a.shape[d] != 1) throw Refused();
    if (a.shape[d] == shape[to]) wide.strides[to] = a.strides[d];
  }
  return wide.elements();
}
inline Ints broadcast_shape(const Ints& a, const Ints& b) {
  Ints shape = a.size() < b.size() ? b : a;
  const Ints& other = a.size() < b.size() ? a : b;
  for (size_t d = 0; d < other.size(); ++d) {
    int64_t& extent = shape[d + shape.size() - other.size()];
    if (extent == 1) extent = other[d];
    if (other[d] != 1 && other[d] != extent) throw Refused();
  }
  return shape;
}

// Is x > threshold?
template <class S>
bool above(const S& x, double threshold, double margin) {
  double distance = primal(x) - threshold;
  if (std::abs(distance) <= margin) throw Unclear();
  return distance > 0;
}
template <class S>
S largest_of(const S& a, const S& b, double margin) {
  if (depth<S> > 0 && std::abs(primal(a) - primal(b)) <= margin) throw Unclear();
  return primal(a) < primal(b) ? b : a;
}

// The view of a that a step makes; reshapes that must copy give nothing.
template <class S>
std::optional<Array<S>> make_view(const Step& step, const Array<S>& a);

// The whole of a step: values[step.id] becomes what it makes. Throws Refused, Unclear; then nothing has changed.
template <class S>
void apply(const Step& step, std::vector<Array<S>>& values, bool single);

}  // namespace jot::test::mutation
