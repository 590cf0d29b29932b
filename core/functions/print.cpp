// Text of tensors: torch's layout of rows, elided in the middle of long dims.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <ostream>

#include "core/cache/events.h"
#include "core/functions/operands.h"

namespace jot {

using namespace detail;

namespace {

constexpr int64_t kElide = 1000, kEdge = 3;  // numpy's and torch's limits
constexpr int kPrecision = 4;

// How all elements of one tensor are written.
class Format {
 public:
  Format(const std::vector<double>& values, DType dtype) : dtype_(dtype) {
    double least = HUGE_VAL, most = 0;
    for (double v : values) {
      if (!std::isfinite(v)) continue;
      whole_ &= v == std::trunc(v);
      if (v == 0) continue;
      least = std::min(least, std::abs(v));
      most = std::max(most, std::abs(v));
    }
    scientific_ = most >= 1e8 || (most != 0 && (most / least > 1e3 * 1e5 || least < 1e-4));
  }
  std::string text(double v, int64_t integer) const {
    if (dtype_ == DType::boolean) return integer ? "true" : "false";
    if (!is_floating(dtype_)) return std::to_string(integer);
    if (std::isnan(v)) return "nan";
    if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
    char buffer[64];
    auto format = scientific_ ? std::chars_format::scientific : std::chars_format::fixed;
    auto end = std::to_chars(buffer, buffer + sizeof buffer, v, format, whole_ && !scientific_ ? 0 : kPrecision).ptr;
    std::string s(buffer, end);
    return whole_ && !scientific_ ? s + "." : s;
  }

 private:
  DType dtype_;
  bool whole_ = true, scientific_ = false;
};

// Shows an array; recursion is over its dims.
class Printer {
 public:
  Printer(const Shape& shape, DType dtype, const void* elements)
      : shape_(shape), strides_(row_major(shape)), dtype_(dtype), elements_(elements), elide_(shape.numel() > kElide) {}

  std::string text() {
    each_shown(0, 0, [&](int64_t i) { offsets_.push_back(i); });
    std::vector<double> values;
    for (int64_t i : offsets_) values.push_back(at<double>(i));
    Format format(values, dtype_);
    size_t width = 0;
    for (size_t i = 0; i < offsets_.size(); ++i) {
      words_.push_back(format.text(values[i], is_floating(dtype_) ? 0 : at<int64_t>(offsets_[i])));
      width = std::max(width, words_.back().size());
    }
    for (std::string& w : words_) w.insert(0, width - w.size(), ' ');
    write(0);
    return std::move(out_);
  }

 private:
  template <class T>
  T at(int64_t i) const {
    T value{};
    convert_elements<T>(static_cast<const std::byte*>(elements_) + i * size_of(dtype_), dtype_, 1, &value);
    return value;
  }
  // Calls visit(i) for the positions of a dim that are shown, gap() between them where some are left out.
  template <class Visit, class Gap>
  void along(size_t dim, Visit visit, Gap gap) const {
    int64_t n = shape_[dim];
    bool elided = elide_ && n > 2 * kEdge;
    for (int64_t i = 0; i < n; ++i) {
      if (elided && i == kEdge) {
        gap();
        i = n - kEdge;
      }
      visit(i);
    }
  }
  template <class Visit>
  void each_shown(size_t dim, int64_t offset, Visit visit) const {
    if (dim == shape_.size()) return visit(offset);
    along(
        dim, [&](int64_t i) { each_shown(dim + 1, offset + i * strides_[dim], visit); }, [] {});
  }
  void write(size_t dim) {
    if (dim == shape_.size()) {
      out_ += words_[next_++];
      return;
    }
    bool innermost = dim + 1 == shape_.size();
    std::string separator =
        innermost ? ", " : "," + std::string(shape_.size() - dim - 1, '\n') + std::string(dim + 1, ' ');
    out_ += '[';
    along(
        dim,
        [&](int64_t i) {
          if (i > 0) out_ += separator;
          write(dim + 1);
        },
        [&] { out_ += separator + "..."; });
    out_ += ']';
  }

  const Shape& shape_;
  Shape strides_;
  DType dtype_;
  const void* elements_;
  bool elide_;
  std::vector<int64_t> offsets_;    // of the elements that are shown
  std::vector<std::string> words_;  // and their texts
  size_t next_ = 0;
  std::string out_;
};

// Of a tensor whose transform has ended.
std::string escape_text(const Tensor& t) {
  std::shared_ptr<Trace> trace = trace_of(*t.impl()->storage);
  if (!trace || !trace->ended()) return "";
  return ", escaped from " + trace->options().scope + on_line(trace->options().at) +
         ", which has ended: return it from the function instead";
}

}  // namespace

std::string to_string(const Tensor& t) {
  if (!t.defined()) return "Tensor()";
  std::string type = type_name(t);
  Buffer elements;
  try {
    elements = read(t, "print", Location());
  } catch (const TraceError&) {  // of a transform: no value
    return "Tensor(" + type + escape_text(t) + ")";
  }
  return Printer(shape_of(t), t.dtype(), elements.data()).text() + " " + type;
}

std::ostream& operator<<(std::ostream& out, const Tensor& t) { return out << to_string(t); }

}  // namespace jot
