// fmt::print("{}\n", tensor).
#pragma once
#include <fmt/format.h>

#include "jot/tensor.h"

template <>
struct fmt::formatter<jot::Tensor> : fmt::formatter<fmt::string_view> {
  template <class Context>
  auto format(const jot::Tensor& t, Context& context) const {
    return fmt::formatter<fmt::string_view>::format(jot::to_string(t), context);
  }
};
