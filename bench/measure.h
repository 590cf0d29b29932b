// What programs of the bench that answer a driver share: calls timed, results told by a fingerprint.
#pragma once
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "contender.h"

namespace bench {

using Clock = std::chrono::steady_clock;

inline double microseconds(Clock::time_point from) {
  return std::chrono::duration<double, std::micro>(Clock::now() - from).count();
}

inline double time_calls(const std::function<void()>& call, int calls) {
  Clock::time_point start = Clock::now();
  for (int i = 0; i < calls; ++i) call();
  return microseconds(start);
}

// How many calls take at least 20 us: so many are timed together, so that reading the clock does not count.
inline int group_size(const std::function<void()>& call) {
  int group = 1;
  while (time_calls(call, group) < 20 && group < 4096) group *= 2;
  return group;
}

// Microseconds a call, again and again for about `seconds`.
inline std::vector<double> sample(const std::function<void()>& call, int group, double seconds) {
  std::vector<double> samples;
  Clock::time_point start = Clock::now();
  do samples.push_back(time_calls(call, group) / group);
  while (microseconds(start) < seconds * 1e6);
  return samples;
}

// As a JSON list.
inline std::string text(const std::vector<double>& samples) {
  std::string s = "[";
  for (double us : samples) s += (s.size() > 1 ? ", " : "") + std::to_string(us);
  return s + "]";
}

inline std::string number(double x, int digits) {
  if (std::isnan(x)) return "NaN";
  if (std::isinf(x)) return x > 0 ? "Infinity" : "-Infinity";
  char text[32];
  std::snprintf(text, sizeof text, "%.*g", digits, x);
  return text;
}

// What tells whether two results agree. For each array: its size, its sum, a sum with varied weights, the sum of
// magnitudes, and elements: all of a short array, else those at random places, the same for every contender.
inline std::string fingerprint(const std::vector<std::vector<double>>& results, size_t elements) {
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

}  // namespace bench
