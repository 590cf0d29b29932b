// What a process pays before its first result: start.py runs it without and with files of the cache on disk.
#include <chrono>
#include <cstdio>
#include <cstring>

#include "contender.h"
#include "core/cache/engine_cache.h"

namespace {

double milliseconds(const std::function<void()>& f) {
  auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

// start WORKLOAD: the first call of a jitted function, and what of it was spent in compilation or in loading.
int main(int argc, char** argv) {
  for (const bench::Contender& c : bench::contenders()) {
    if (argc != 2 || c.name != "jot" || c.workload != argv[1]) continue;
    bench::Job job = c.make(bench::Size::full);
    const auto before = jot::engine_cache_info();
    const double first = milliseconds(job.call);
    const auto after = jot::engine_cache_info();
    std::printf("{\"first\": %.4f, \"compile\": %.4f, \"steady\": %.4f, \"misses\": %ld, \"loaded\": %ld}\n", first,
                1e3 * (after.miss_seconds - before.miss_seconds), milliseconds(job.call),
                static_cast<long>(after.misses - before.misses), static_cast<long>(after.loaded - before.loaded));
    return 0;
  }
  std::fprintf(stderr, "usage: start WORKLOAD\n");
  return 2;
}
