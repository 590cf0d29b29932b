#include "backends/cpu/ship/c_names.h"

#include <algorithm>
#include <span>
#include <string_view>

namespace jot::cpu {
namespace {

constexpr std::string_view kKeywords[] = {
    "_Bool",  "_Complex", "_Imaginary", "auto",     "break",  "case",     "char",   "const",  "continue", "default",
    "do",     "double",   "else",       "enum",     "extern", "float",    "for",    "goto",   "if",       "inline",
    "int",    "long",     "register",   "restrict", "return", "short",    "signed", "sizeof", "static",   "struct",
    "switch", "typedef",  "union",      "unsigned", "void",   "volatile", "while"};

constexpr std::string_view kTaken[] = {
    "main",        "NULL",          "offsetof",    "size_t",    "ptrdiff_t", "wchar_t",        "max_align_t",
    "NAN",         "INFINITY",      "HUGE_VAL",    "HUGE_VALF", "HUGE_VALL", "fpclassify",     "isfinite",
    "isinf",       "isnan",         "isnormal",    "signbit",   "isgreater", "isgreaterequal", "isless",
    "islessequal", "islessgreater", "isunordered", "double_t",  "float_t"};

// Of <math.h>: each with f and l behind it, too.
constexpr std::string_view kFunctions[] = {
    "acos",       "acosh", "asin",      "asinh",  "atan",   "atan2",  "atanh",   "cbrt",      "ceil",
    "copysign",   "cos",   "cosh",      "erf",    "erfc",   "exp",    "exp2",    "expm1",     "fabs",
    "fdim",       "floor", "fma",       "fmax",   "fmin",   "fmod",   "frexp",   "hypot",     "ilogb",
    "j0",         "j1",    "jn",        "ldexp",  "lgamma", "llrint", "llround", "log",       "log10",
    "log1p",      "log2",  "logb",      "lrint",  "lround", "modf",   "nan",     "nearbyint", "nextafter",
    "nexttoward", "pow",   "remainder", "remquo", "rint",   "round",  "scalbln", "scalbn",    "sin",
    "sinh",       "sqrt",  "tan",       "tanh",   "tgamma", "trunc",  "y0",      "y1",        "yn"};

bool is_one_of(std::span<const std::string_view> all, std::string_view name) {
  return std::ranges::find(all, name) != all.end();
}
bool is_taken(std::string_view name) {
  if (is_one_of(kTaken, name) || is_one_of(kFunctions, name)) return true;
  if ((name.starts_with("int") || name.starts_with("uint")) && name.ends_with("_t")) return true;
  const bool suffixed = name.ends_with('f') || name.ends_with('l');
  return suffixed && is_one_of(kFunctions, name.substr(0, name.size() - 1));
}

}  // namespace

bool is_c_identifier(std::string_view name) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  auto fits = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && letter(name[0]) && std::ranges::all_of(name, fits) && !is_one_of(kKeywords, name);
}
bool is_free_c_name(std::string_view name) { return is_c_identifier(name) && !is_taken(name); }

}  // namespace jot::cpu
