// What a file of C is put together from: literals, helper functions, tables.
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "backends/cpu/kernel/kernel_ir.h"

namespace jot::cpu {

std::string_view c_type(KType t);  // of a value in registers; a mask is an int
// The element of a type from its bits, as an expression that may stand anywhere; of a NaN of its own bits a call.
std::string c_literal(KType t, uint64_t bits);
std::string c_integer(int64_t x);  // of 64 bits
// Text that may stand in a comment.
std::string c_comment(std::string_view text);

// Helpers, in the order in which they were asked for first; each behind those that it needs.
class CParts {
 public:
  std::string literal(KType t, uint64_t bits);  // and what it needs
  // A helper by its name, which is the result.
  std::string_view helper(std::string_view name);
  // The name of a row of kernel/math_rows.h, of eight numbers.
  std::string row(KType t, int64_t row);
  // Whether nobody has asked for this name yet: what it stands for is to be added.
  bool is_new(const std::string& name) { return done_.insert(name).second; }
  void add(const std::string& text) { text_ += text; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::set<std::string, std::less<>> done_;
};

}  // namespace jot::cpu
