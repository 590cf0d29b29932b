// Structural zeros: the lanes of a jacobian's basis as they go through linear ops.
#pragma once
#include <optional>
#include <vector>

#include "ir/build.h"

namespace jot::ir {

// Index i of an axis of extent n stands at lo + (interior + 1) * i of one of extent padded(n).
struct Padding {
  int64_t lo = 0, hi = 0, interior = 0;
  int64_t step() const { return interior + 1; }
  int64_t padded(int64_t n) const { return lo + hi + n + (n - 1) * interior; }
  bool none() const { return lo == 0 && hi == 0 && interior == 0; }
  friend bool operator==(const Padding&, const Padding&) = default;
};

// A batched value of type [seeds] + lane shape with at most few nonzeros: its elements are those of `values`, put at
// the index that the axes give; the others are structural zeros. An axis of `values` may be an axis of the lane, of the
// seeds, or of both: then it is a diagonal. identity(s) is: values ones of shape s, all axes diagonal.
//
// In the graph it is the chain  rows(reshape(pad(permute(diag_embed(values)))))  (each but the core may be missing),
// where rows is reshape(permute(reshape)) of the batch dim alone: structure is a property of ops and never of values.
struct Selection {
  struct Seed {
    size_t axis;  // of values
    Padding padding;
    friend bool operator==(const Seed&, const Seed&) = default;
  };
  DType dtype;
  Value values;                   // kNoValue: ones
  Shape shape;                    // of values: the axes of the lane, then those that only seeds have
  std::vector<Padding> lanes;     // of the first axes of values
  std::vector<Seed> seeds;        // the factors of the batch dim ...
  Shape row_factors;              // ... which is then split into these ...
  std::vector<int64_t> row_perm;  // ... and permuted; empty: as the seeds stand

  size_t rank() const { return lanes.size(); }
  Seed* seed_of(size_t axis);
  bool diagonal(size_t axis) { return axis < rank() && seed_of(axis) != nullptr; }
  Shape lane_shape() const;
  int64_t size() const;  // of the batch dim
  bool same_layout(const Selection& other) const {
    return shape == other.shape && lanes == other.lanes && seeds == other.seeds && row_factors == other.row_factors &&
           row_perm == other.row_perm;
  }
};

// The structure of a batched value; none if its zeros are ordinary.
std::optional<Selection> recognise(Builder& b, Value v);
Value emit(Builder& b, Selection s);

// values, with ones as a constant.
Value dense_values(Builder& b, const Selection& s);
bool is_zero_constant(const Builder& b, Value v);

// x with axis i at axis positions[i] of the shape, repeated along the others.
Value spread(Builder& b, Value x, const Shape& shape, const std::vector<int64_t>& positions);

}  // namespace jot::ir
