#pragma once
#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace jot::detail {

// A growing array that starts on the stack.
template <class T, size_t N>
class SmallArray {
 public:
  void push_back(const T& x) {
    if (size_ < N)
      few_[size_] = x;
    else
      spill(x);
    ++size_;
  }
  // n more elements, to be written.
  T* extend(size_t n) {
    if (size_ + n > N && size_ <= N) many_.assign(few_.begin(), few_.begin() + size_);
    size_ += n;
    if (size_ > N) many_.resize(size_);
    return data() + size_ - n;
  }
  void clear() { size_ = 0; }
  size_t size() const { return size_; }
  T& back() { return data()[size_ - 1]; }
  T* data() { return size_ <= N ? few_.data() : many_.data(); }
  const T* data() const { return size_ <= N ? few_.data() : many_.data(); }
  std::span<const T> span() const { return {data(), size_}; }

 private:
  void spill(const T& x) {
    if (size_ == N) many_.assign(few_.begin(), few_.end());
    many_.push_back(x);
  }
  std::array<T, N> few_;
  std::vector<T> many_;
  size_t size_ = 0;
};

}  // namespace jot::detail
