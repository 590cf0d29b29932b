#include "jot/shape.h"

#include <ostream>

#include "jot/dtype.h"

namespace jot {

std::string to_string(const Shape& shape) {
  std::string s = "[";
  for (size_t i = 0; i < shape.size(); ++i) s += (i ? "," : "") + std::to_string(shape[i]);
  return s + "]";
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << to_string(shape); }
std::ostream& operator<<(std::ostream& out, DType d) { return out << to_string(d); }

std::string names_of_dtypes() {
  std::string s;
  for (size_t i = 0, n = std::size(detail::kDTypes); i < n; ++i) {
    if (i > 0) s += i + 1 < n ? ", " : " or ";
    s += detail::kDTypes[i].name;
  }
  return s;
}

}  // namespace jot
