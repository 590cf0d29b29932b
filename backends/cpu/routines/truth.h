// Truth values in memory: bytes, of which any but 0 is true.
#pragma once
#include <cstdint>

namespace jot::cpu {

// Whether one of x[0], x[step], ... is true; with `all`: whether each of the n is.
bool quantified(bool all, const void* x, int64_t n, int64_t step);

// The same of each of `rows` rows, `step` apart, into y, whose elements are `y_step` apart.
void quantify_rows(bool all, const void* x, int64_t n, int64_t step, void* y, int64_t rows, int64_t y_step);

// The same of each of n columns of `rows` rows, with those of y, which are 0 or 1.
void quantify_columns(bool all, const void* x, int64_t step, int64_t rows, void* y, int64_t n);

}  // namespace jot::cpu
