#include "ir/reader.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>

#include "ir/print.h"

namespace jot::ir {

void Reader::fail_at(size_t position, const std::string& what) const {
  size_t begin = 0, line = 1;
  for (size_t i = 0; i < position; ++i)
    if (text_[i] == '\n') {
      begin = i + 1;
      ++line;
    }
  size_t column = position - begin + 1;
  std::string message = "[parse] line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + what;
  throw IrError(message + "\n" + excerpt(begin, position));
}

void Reader::expected_at(size_t position, const std::string& what) const {
  fail_at(position, "expected " + what + ", got " + got(position));
}

int64_t Reader::integer(const std::string& what) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
  if (error == std::errc::result_out_of_range) fail(what + " does not fit in 64 bits: " + got(at_));
  if (error != std::errc()) expected(what);
  at_ = static_cast<size_t>(end - text_.data());
  skip_space();
  return value;
}

template <class T>
int64_t Reader::real() {
  T value{};
  auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
  if (error == std::errc::result_out_of_range) fail("the number is out of range of its type: " + got(at_));
  if (error != std::errc()) expected("a number");
  at_ = static_cast<size_t>(end - text_.data());
  skip_space();
  return std::bit_cast<int64_t>(static_cast<double>(value));
}

int64_t Reader::element(DType dtype) {
  if (!is_floating(dtype)) return integer("an integer");
  if (accept_word("nan")) return kNanBits;
  if (accept_word("-nan")) return kNanBits | std::numeric_limits<int64_t>::min();
  if (next_is("0x")) return bits();
  return dtype == DType::f64 ? real<double>() : real<float>();
}

std::string Reader::quoted(const std::string& what) {
  if (peek() != '"') expected(what);
  size_t begin = at_++;
  std::string result;
  for (;; ++at_) {
    if (done() || text_[at_] == '\n') fail_at(begin, "the quoted text does not end on its line");
    char c = text_[at_];
    if (c == '"') break;
    result += c == '\\' ? escape() : c;
  }
  ++at_;
  skip_space();
  return result;
}

void Reader::skip_space() {
  while (!done()) {
    char c = text_[at_];
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
      ++at_;
    else if (next_is("//"))
      at_ = std::min(text_.find('\n', at_), text_.size());
    else
      break;
  }
}

std::string Reader::got(size_t position) const {
  if (position == text_.size()) return "the end of the text";
  size_t end = position;
  while (end < text_.size() && is_word(text_[end]) && end - position < 40) ++end;
  std::string token;
  append_quoted(token, text_.substr(position, std::max<size_t>(end - position, 1)));
  token.front() = token.back() = '\'';
  return token;
}

std::string Reader::excerpt(size_t begin, size_t position) const {
  constexpr size_t kBefore = 100, kAfter = 60;
  size_t end = std::min(text_.find('\n', position), text_.size());
  size_t from = position - begin > kBefore ? position - kBefore : begin;
  std::string line(text_.substr(from, std::min(end, position + kAfter) - from));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return line + "\n" + std::string(position - from, ' ') + "^";
}

char Reader::escape() {
  size_t begin = at_++;
  char c = done() ? '\0' : text_[at_];
  if (c == '"' || c == '\\') return c;
  unsigned value = 0;
  const char* digits = text_.data() + at_ + 1;
  if (c != 'x' || at_ + 3 > text_.size() || std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2)
    fail_at(begin, "unknown escape; expected \\\", \\\\ or \\x and two hexadecimal digits");
  at_ += 2;
  return static_cast<char>(value);
}

int64_t Reader::bits() {
  uint64_t value = 0;
  const char* begin = text_.data() + at_ + 2;
  auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value, 16);
  if (error != std::errc()) expected("0x and up to 16 hexadecimal digits");
  at_ = static_cast<size_t>(end - text_.data());
  skip_space();
  return static_cast<int64_t>(value);
}

}  // namespace jot::ir
