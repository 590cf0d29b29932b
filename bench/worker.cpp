// bench_worker CONTENDER WORKLOAD full|toy
//     prints a JSON line of facts, then answers each line "SECONDS" on standard input with a JSON list of samples
//     (microseconds a call)
// bench_worker --list
//     every pair, and what keeps it from running
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>

#include "measure.h"

namespace bench {
namespace {

// Of this process alone (getrusage counts what the driver had before exec).
double peak_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}

int serve(const Contender& contender, Size size) {
  double before = peak_megabytes();
  Job job = contender.make(size);
  Clock::time_point start = Clock::now();
  job.call();
  double first = microseconds(start);
  const int group = group_size(job.call);
  std::vector<double> steady = sample(job.call, group, size == Size::toy ? 0 : 0.2);
  std::nth_element(steady.begin(), steady.begin() + static_cast<std::ptrdiff_t>(steady.size() / 2), steady.end());
  double compile = std::max(0.0, first - steady[steady.size() / 2]) / 1000, peak = peak_megabytes() - before;
  std::string stats;
  for (const auto& [name, value] : job.stats())
    stats += (stats.empty() ? "\"" : ", \"") + name + "\": " + std::to_string(value);
  std::printf(
      "{\"compile_ms\": %.6g, \"peak_mb\": %.6g, \"fingerprint\": %s, \"version\": \"%s\"%s, \"stats\": {%s}}\n",
      compile, peak, fingerprint(job.results(), size == Size::toy ? 20 : 1000).c_str(), contender.version.c_str(),
      contender.one_thread ? ", \"threads\": 1" : "", stats.c_str());
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    std::printf("%s\n", text(sample(job.call, group, std::stod(line))).c_str());
    std::fflush(stdout);
  }
  return 0;
}

int run(int argc, char** argv) {
  const std::vector<Contender> all = contenders();
  if (argc == 2 && std::string(argv[1]) == "--list") {
    for (const Contender& c : all) std::printf("%s %s %s\n", c.name.c_str(), c.workload.c_str(), c.absent.c_str());
    return 0;
  }
  if (argc != 4) {
    std::fputs("usage: bench_worker CONTENDER WORKLOAD full|toy, or --list\n", stderr);
    return 2;
  }
  for (const Contender& c : all)
    if (c.name == argv[1] && c.workload == argv[2])
      return serve(c, std::string(argv[3]) == "toy" ? Size::toy : Size::full);
  std::fprintf(stderr, "bench_worker: no contender %s on %s\n", argv[1], argv[2]);
  return 2;
}

}  // namespace

}  // namespace bench

int main(int argc, char** argv) {
  try {
    return bench::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_worker: %s\n", e.what());
    return 1;
  }
}
