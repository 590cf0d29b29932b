// bench_worker CONTENDER WORKLOAD full|toy
//     prints a JSON line of facts, then answers each line "SECONDS" on standard input with a JSON list of samples
//     (microseconds a call)
// bench_worker --list
//     every pair, and what keeps it from running
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>

#include "contender.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds(Clock::time_point from) {
  return std::chrono::duration<double, std::micro>(Clock::now() - from).count();
}

// Of this process alone (getrusage counts what the driver had before exec).
double peak_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}

double time_calls(const Job& job, int calls) {
  Clock::time_point start = Clock::now();
  for (int i = 0; i < calls; ++i) job.call();
  return microseconds(start);
}

// How many calls take at least 20 us: so many are timed together, so that reading the clock does not count.
int group_size(const Job& job) {
  int group = 1;
  while (time_calls(job, group) < 20 && group < 4096) group *= 2;
  return group;
}

// Microseconds a call, again and again for about `seconds`.
std::vector<double> sample(const Job& job, int group, double seconds) {
  std::vector<double> samples;
  Clock::time_point start = Clock::now();
  do samples.push_back(time_calls(job, group) / group);
  while (microseconds(start) < seconds * 1e6);
  return samples;
}

std::string number(double x, int digits) {
  if (std::isnan(x)) return "NaN";
  if (std::isinf(x)) return x > 0 ? "Infinity" : "-Infinity";
  char text[32];
  std::snprintf(text, sizeof text, "%.*g", digits, x);
  return text;
}

// What tells whether two results agree. For each array: its size, its sum, a sum with varied weights, the sum of
// magnitudes, and elements: all of a short array, else those at random places, the same for every contender.
std::string fingerprint(const std::vector<std::vector<double>>& results, size_t elements) {
  std::string s;
  for (const auto& array : results) {
    double sum = 0, weighted = 0, absolute = 0;
    for (size_t i = 0; i < array.size(); ++i) {
      sum += array[i];
      weighted += array[i] * uniform(99, i);
      absolute += std::abs(array[i]);
    }
    s += (s.empty() ? "[" : ", [") + std::to_string(array.size());
    for (double x : {sum, weighted, absolute}) s += ", " + number(x, 17);
    std::string sample;
    for (size_t i = 0; i < std::min(elements, array.size()); ++i) {
      size_t place = i;
      if (array.size() > elements)
        place = static_cast<size_t>((uniform(98, i) + 0.5) * static_cast<double>(array.size()));
      sample += (sample.empty() ? "" : ", ") + number(array[place], 12);
    }
    s += ", [" + sample + "]]";
  }
  return "[" + s + "]";
}

int serve(const Contender& contender, Size size) {
  double before = peak_megabytes();
  Job job = contender.make(size);
  Clock::time_point start = Clock::now();
  job.call();
  double first = microseconds(start);
  const int group = group_size(job);
  std::vector<double> steady = sample(job, group, size == Size::toy ? 0 : 0.2);
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
    std::string text = "[";
    for (double us : sample(job, group, std::stod(line))) text += (text.size() > 1 ? ", " : "") + std::to_string(us);
    std::printf("%s]\n", text.c_str());
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
