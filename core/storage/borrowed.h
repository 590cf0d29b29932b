// Tensors over memory of somebody else.
#pragma once
#include <string_view>

#include "core/storage/storage.h"

namespace jot::detail {

// What lies at `data`, by strides in elements, none negative. writable: writes to the tensor reach it at once; else
// the tensor gets memory of its own when it is written. release: as of Buffer::borrow.
struct BorrowedMemory {
  void* data;
  DType dtype;
  Shape shape, strides;
  bool writable;
  Buffer::Release release = nullptr;
  void* context = nullptr;
};

// Of dense elements in any order of the dims a permutation of a base; of others a view by strides, whose base is all
// that lies between the first element and the last: a write to it stores those between them again, as they were.
Tensor borrowed(const BorrowedMemory& memory, std::string_view what, Location at);

}  // namespace jot::detail
