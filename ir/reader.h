// The characters of a text form, token by token.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "jot/dtype.h"
#include "jot/error.h"

namespace jot::ir {

// A text and a position in it. Every complaint names the line and column where the last token began.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) { skip_space(); }

  [[noreturn]] void fail(const std::string& what) const { fail_at(at_, what); }
  [[noreturn]] void fail_at(size_t position, const std::string& what) const;
  [[noreturn]] void expected(const std::string& what) const { expected_at(at_, what); }
  [[noreturn]] void expected_at(size_t position, const std::string& what) const;

  size_t position() const { return at_; }
  bool done() const { return at_ == text_.size(); }
  bool next_is(std::string_view token) const { return text_.substr(at_).starts_with(token); }
  char peek() const { return done() ? '\0' : text_[at_]; }

  bool accept(std::string_view token) {
    if (!next_is(token)) return false;
    at_ += token.size();
    skip_space();
    return true;
  }
  void expect(std::string_view token, std::string_view where) {
    if (!accept(token)) expected("'" + std::string(token) + "' " + std::string(where));
  }

  // The longest run of characters of a word; empty if there is none.
  std::string_view word() {
    size_t begin = at_;
    while (!done() && is_word(text_[at_])) ++at_;
    std::string_view result = text_.substr(begin, at_ - begin);
    skip_space();
    return result;
  }
  bool accept_word(std::string_view wanted) {
    if (!next_is(wanted) || (at_ + wanted.size() < text_.size() && is_word(text_[at_ + wanted.size()]))) return false;
    return accept(wanted);
  }

  int64_t integer(const std::string& what);

  // An element of a constant, as Key::data has it.
  int64_t element(DType dtype);

  std::string quoted(const std::string& what);

 private:
  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  }

  void skip_space();

  // What stands there, for a message.
  std::string got(size_t position) const;

  // The line, cut to what surrounds the position, and a mark below it.
  std::string excerpt(size_t begin, size_t position) const;

  // Of "\x1f", "\"" and "\\": at_ is at the backslash, and at the last character afterwards.
  char escape();

  int64_t bits();

  template <class T>
  int64_t real();

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace jot::ir
