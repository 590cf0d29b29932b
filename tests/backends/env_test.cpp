#include "ir/env.h"

#include <doctest/doctest.h>

#include <map>

#include "jot/error.h"

namespace {

jot::Env read(const std::map<std::string, std::string>& values) {
  return jot::read_env([&](const char* name) -> std::optional<std::string> {
    auto it = values.find(name);
    return it == values.end() ? std::nullopt : std::optional(it->second);
  });
}

}  // namespace

TEST_CASE("env: defaults") {
  jot::Env e = read({});
  CHECK(e.dump.empty());
  CHECK_FALSE(e.verify);
  CHECK(e.num_threads == 0);
  CHECK(e.cpu == jot::Env::Cpu::detect);
  CHECK_FALSE(e.log_compile);
  CHECK(e.guard == jot::Env::Guard::off);
  CHECK(e.stream == -1);
  CHECK(read({{"JOT_CPU", ""}}).cpu == jot::Env::Cpu::detect);
}

TEST_CASE("env: values") {
  jot::Env e = read({{"JOT_DUMP", "out"},
                     {"JOT_VERIFY", "1"},
                     {"JOT_NUM_THREADS", "3"},
                     {"JOT_CPU", "avx2"},
                     {"JOT_LOG", "compile"},
                     {"JOT_TRACE_DIR", "page"},
                     {"JOT_CHECK", "nan"},
                     {"JOT_PERF", "1"},
                     {"JOT_GDB", "1"},
                     {"JOT_STREAM", "64K"},
                     {"JOT_GUARD", "2"}});
  CHECK(e.dump == "out");
  CHECK(e.verify);
  CHECK(e.num_threads == 3);
  CHECK(e.cpu == jot::Env::Cpu::avx2);
  CHECK(e.log_compile);
  CHECK_FALSE(e.log_cache);
  CHECK(e.trace_dir == "page");
  CHECK((e.check_nan && e.perf && e.gdb));
  CHECK(e.stream == 64 << 10);
  CHECK(e.guard == jot::Env::Guard::begin);
}

TEST_CASE("env: JOT_LOG is a list") {
  jot::Env all = read({{"JOT_LOG", "compile,cache,record"}}), two = read({{"JOT_LOG", "record,cache"}});
  CHECK((all.log_compile && all.log_cache && all.log_record));
  CHECK((!two.log_compile && two.log_cache && two.log_record));
  CHECK_FALSE(read({{"JOT_LOG", ""}}).log_record);
  for (const char* wrong : {"all", "cache,", ",cache", "cache,all", "cache;record", " cache"})
    CHECK_THROWS_WITH_AS(read({{"JOT_LOG", wrong}}),
                         doctest::Contains("is not understood: expected a list with commas of compile, cache, record"),
                         jot::Error);
}

TEST_CASE("env: values that are not understood") {
  CHECK_THROWS_WITH_AS(read({{"JOT_CPU", "sse"}}),
                       "[environment] JOT_CPU=sse is not understood: expected avx512, avx2, reference", jot::Error);
  for (const char* n : {"0", "-1", "2x", "x", "99999999999"})
    CHECK_THROWS_WITH_AS(read({{"JOT_NUM_THREADS", n}}), doctest::Contains("expected a positive number"), jot::Error);
  CHECK_THROWS_WITH_AS(read({{"JOT_CHECK", "inf"}}), "[environment] JOT_CHECK=inf is not understood: expected nan",
                       jot::Error);
  CHECK_THROWS_AS(read({{"JOT_VERIFY", "yes"}}), jot::Error);
  CHECK_THROWS_AS(read({{"JOT_GUARD", "4"}}), jot::Error);
}
