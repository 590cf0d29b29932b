// fmt::print("{} {} {}\n", tensor, tensor.shape(), tensor.dtype()).
#pragma once
#include <fmt/format.h>

#include <concepts>
#include <string>

#include "jot/tensor.h"

// As to_string: widths and alignments are those of strings.
template <class T>
  requires(std::same_as<T, jot::Tensor> || std::same_as<T, jot::Shape> || std::same_as<T, jot::DType>)
struct fmt::formatter<T> : fmt::formatter<fmt::string_view> {
  template <class Context>
  auto format(const T& value, Context& context) const {
    return fmt::formatter<fmt::string_view>::format(std::string(to_string(value)), context);
  }
};
