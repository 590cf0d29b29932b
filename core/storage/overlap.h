// Tensors that show the same memory.
#pragma once
#include <span>

#include "core/storage/storage.h"

namespace jot::detail {

// Whether some of them show one storage.
bool share_storage(std::span<const Tensor> tensors);

// Whether some element is shown by both.
bool elements_overlap(const Tensor& a, const Tensor& b);

// t, or the base of its storage.
inline Tensor base_tensor(const Tensor& t) { return t.impl()->parent ? Tensor(base_of(t.impl())) : t; }

}  // namespace jot::detail
