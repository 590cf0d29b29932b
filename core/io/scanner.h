// Reads the characters of a file's header, one after the other.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/io/file.h"

namespace jot::detail {

class Scanner {
 protected:
  // wrong: how errors begin: what the whole text should be.
  Scanner(const FileContext& context, std::string text, std::string_view wrong)
      : text_(std::move(text)), context_(context), wrong_(wrong) {}

  // The next character that is no space; 0 at the end.
  char peek() {
    while (at_ < text_.size() && std::string_view(" \n\t\r").find(text_[at_]) != std::string_view::npos) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) bad(std::string("no '") + c + "'");
  }
  bool at_end() { return peek() == '\0' && at_ == text_.size(); }
  uint64_t number() {
    const char first = peek();
    if (first < '0' || first > '9') bad("no integer of at least 0");
    uint64_t value = 0;
    const size_t begin = at_;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_)
      if (__builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, static_cast<uint64_t>(text_[at_] - '0'), &value))
        bad("an integer that is too large");
    if (first == '0' && at_ - begin > 1) bad("an integer that begins with 0");
    return value;
  }
  [[noreturn]] void bad(const std::string& got) const {
    context_.fail(std::string(wrong_) + got + " at its byte " + std::to_string(at_));
  }
  std::string text_;
  size_t at_ = 0;

 private:
  const FileContext& context_;
  std::string_view wrong_;
};

}  // namespace jot::detail
