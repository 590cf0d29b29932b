// What functions of images share: a batch that may be missing, a number or a list for each dim.
#pragma once
#include <string>
#include <vector>

#include "core/functions/operands.h"

namespace jot::nn::functional {

// One value a dim, where one is given for all or none. Throws ShapeError where there are not so many, or one is below
// `least` ("kernel_size must be at least 1"), or too large.
inline Shape per_dim(const detail::Emitter& e, std::string_view what, const Ints& x, size_t n, int64_t otherwise,
                     int64_t least) {
  constexpr int64_t kMost = int64_t{1} << 31;
  const bool one = x.single() || x.list().size() == 1;
  Shape all = x.empty() ? Shape(std::vector<int64_t>(n, otherwise))
              : one     ? Shape(std::vector<int64_t>(n, x.list()[0]))
                        : x.list();
  if (all.size() != n)
    e.fail<ShapeError>("expected " + std::string(what) + " to be an integer or " + std::to_string(n) +
                       " of them, got " + to_string(all));
  for (int64_t v : all) {
    if (v < least)
      e.fail<ShapeError>(std::string(what) + " must be at least " + std::to_string(least) + ", got " + to_string(all));
    if (v > kMost)
      e.fail<ShapeError>(std::string(what) + " " + to_string(all) + " is too large: expected at most 2^31");
  }
  return all;
}

// "(2 x 3)"
inline std::string sizes_text(const Shape& shape) {
  std::string s = "(";
  for (size_t i = 0; i < shape.size(); ++i) s += (i ? " x " : "") + std::to_string(shape[i]);
  return s + ")";
}

// Of [batch, channels, ...] with so many dims behind, or without batch.
inline void check_rank(const detail::Emitter& e, const Tensor& x, size_t dims) {
  const size_t rank = detail::shape_of(x).size();
  if (rank != dims + 1 && rank != dims + 2)
    e.fail<ShapeError>("expected " + std::to_string(dims + 1) + "D (unbatched) or " + std::to_string(dims + 2) +
                       "D (batched) input, got " + detail::type_name(x));
}

inline std::vector<int64_t> values_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

}  // namespace jot::nn::functional
