#include "ir/env.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <initializer_list>
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

// Turns on those that a list with commas names.
void choose_all(const char* name, const std::optional<std::string>& value,
                std::initializer_list<std::pair<std::string_view, bool*>> choices) {
  if (!value || value->empty()) return;
  std::string expected;
  for (const auto& [text, on] : choices) expected += (expected.empty() ? "" : ", ") + std::string(text);
  for (std::string_view rest = *value;;) {
    std::string_view item = rest.substr(0, rest.find(','));
    auto choice = std::ranges::find(choices, item, [](const auto& c) { return c.first; });
    if (choice == choices.end()) reject(name, *value, "a list with commas of " + expected);
    *choice->second = true;
    if (item.size() == rest.size()) return;
    rest.remove_prefix(item.size() + 1);
  }
}

int positive(const char* name, const std::optional<std::string>& value) {
  if (!value || value->empty()) return 0;
  int n = 0;
  auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), n);
  if (error != std::errc() || end != value->data() + value->size() || n < 1) reject(name, *value, "a positive number");
  return n;
}

int64_t size(const char* name, const std::optional<std::string>& value, int64_t unset) {
  if (!value || value->empty()) return unset;
  int64_t n = 0;
  auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), n);
  const std::string_view unit(end, value->data() + value->size());
  const int shift = unit.empty() ? 0 : unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : -1;
  if (error != std::errc() || shift < 0 || n < 0 || n > (int64_t{1} << 40) >> shift)
    reject(name, *value, "a number of bytes, perhaps with K, M or G behind it");
  return n << shift;
}

}  // namespace

Env read_env(const std::function<std::optional<std::string>(const char*)>& get) {
  Env e;
  e.dump = get("JOT_DUMP").value_or("");
  e.trace_dir = get("JOT_TRACE_DIR").value_or("");
  e.check_nan = choose<bool>("JOT_CHECK", get("JOT_CHECK"), false, {{"nan", true}});
  e.perf = choose<bool>("JOT_PERF", get("JOT_PERF"), false, {{"0", false}, {"1", true}});
  e.gdb = choose<bool>("JOT_GDB", get("JOT_GDB"), false, {{"0", false}, {"1", true}});
  e.verify = choose<bool>("JOT_VERIFY", get("JOT_VERIFY"), false, {{"0", false}, {"1", true}});
  e.num_threads = positive("JOT_NUM_THREADS", get("JOT_NUM_THREADS"));
  using Cpu = Env::Cpu;
  e.cpu = choose<Cpu>("JOT_CPU", get("JOT_CPU"), Cpu::detect,
                      {{"avx512", Cpu::avx512}, {"avx2", Cpu::avx2}, {"reference", Cpu::reference}});
  choose_all("JOT_LOG", get("JOT_LOG"),
             {{"compile", &e.log_compile}, {"cache", &e.log_cache}, {"record", &e.log_record}});
  e.cache_dir = get("JOT_CACHE_DIR").value_or("");
  e.cache_limit = size("JOT_CACHE_LIMIT", get("JOT_CACHE_LIMIT"), e.cache_limit);
  e.stream = size("JOT_STREAM", get("JOT_STREAM"), e.stream);
  using Guard = Env::Guard;
  e.guard = choose<Guard>("JOT_GUARD", get("JOT_GUARD"), Guard::off,
                          {{"0", Guard::off}, {"1", Guard::end}, {"2", Guard::begin}, {"3", Guard::alternate}});
  return e;
}

const Env& env() {
  static const auto* read = new Env(read_env([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value ? std::optional<std::string>(value) : std::nullopt;
  }));
  return *read;
}

}  // namespace jot
