#include "ir/env.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "jot/error.h"

namespace jot {
namespace {

[[noreturn]] void reject(const char* name, std::string_view value, std::string_view expected) {
  throw Error("[environment] " + std::string(name) + "=" + std::string(value) + " is not understood: expected " +
              std::string(expected));
}

template <class T, size_t N>
T choose(const char* name, const std::optional<std::string>& value, T unset,
         const std::pair<std::string_view, T> (&choices)[N]) {
  if (!value || value->empty()) return unset;
  std::string expected;
  for (const auto& [text, choice] : choices) {
    if (*value == text) return choice;
    expected += (expected.empty() ? "" : ", ") + std::string(text);
  }
  reject(name, *value, expected);
}

int positive(const char* name, const std::optional<std::string>& value) {
  if (!value || value->empty()) return 0;
  int n = 0;
  auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), n);
  if (error != std::errc() || end != value->data() + value->size() || n < 1) reject(name, *value, "a positive number");
  return n;
}

}  // namespace

Env read_env(const std::function<std::optional<std::string>(const char*)>& get) {
  Env e;
  e.dump = get("JOT_DUMP").value_or("");
  e.verify = choose<bool>("JOT_VERIFY", get("JOT_VERIFY"), false, {{"0", false}, {"1", true}});
  e.num_threads = positive("JOT_NUM_THREADS", get("JOT_NUM_THREADS"));
  using Cpu = Env::Cpu;
  e.cpu = choose<Cpu>("JOT_CPU", get("JOT_CPU"), Cpu::detect,
                      {{"avx512", Cpu::avx512}, {"avx2", Cpu::avx2}, {"reference", Cpu::reference}});
  e.log_compile = choose<bool>("JOT_LOG", get("JOT_LOG"), false, {{"compile", true}});
  using Guard = Env::Guard;
  e.guard = choose<Guard>("JOT_GUARD", get("JOT_GUARD"), Guard::off,
                          {{"0", Guard::off}, {"1", Guard::end}, {"2", Guard::begin}, {"3", Guard::alternate}});
  return e;
}

const Env& env() {
  static const Env read = read_env([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value ? std::optional<std::string>(value) : std::nullopt;
  });
  return read;
}

}  // namespace jot
