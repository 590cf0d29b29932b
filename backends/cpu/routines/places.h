// Lines of indices: where what they name lies, and what is there.
#pragma once
#include <cstddef>
#include <cstdint>

namespace jot::cpu {

// Index i of element r stands for the place operand + r * operand_step + i * step. It is inside if, after `wrapped` is
// added to a negative one, it is at most `last` and at least 0.
struct IndexLine {
  int64_t operand, operand_step, step, wrapped, last;
};

// Of n indices, one behind the other. False if one is outside: then places are anything.
bool find_places(const int32_t* indices, int64_t n, const IndexLine& line, int64_t* places);
bool find_places(const int64_t* indices, int64_t n, const IndexLine& line, int64_t* places);

// y[r] = x[place of index r], of elements of `size` bytes: 1, 2, 4 or 8. False if one is outside: then y is anything.
// x[operand + r * operand_step] is read in its stead.
bool read_places(const void* x, const int32_t* indices, int64_t n, const IndexLine& line, void* y, size_t size);
bool read_places(const void* x, const int64_t* indices, int64_t n, const IndexLine& line, void* y, size_t size);

}  // namespace jot::cpu
