// What the page of a run tells of a program (docs/seeing.md).
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backends/cpu/cluster/cluster.h"
#include "backends/cpu/program.h"
#include "ir/page.h"

namespace jot::cpu {

// How long the steps of a program took. Outlives it: written when the process exits.
class StepTimes {
 public:
  StepTimes(uint64_t id, const Program& program);
  struct Step {
    std::atomic<uint64_t> calls{0}, nanoseconds{0}, least{0};
  };
  // A step that began then has ended: of the first many spans go to trace.json. self: this.
  void add(const std::shared_ptr<StepTimes>& self, size_t step, std::chrono::steady_clock::time_point begin);
  uint64_t id() const { return id_; }
  size_t size() const { return names_.size(); }
  const Step& operator[](size_t i) const { return steps_[i]; }
  const std::string& name(size_t i) const { return names_[i]; }
  const std::string& line(size_t i) const { return lines_[i]; }

 private:
  uint64_t id_;
  std::unique_ptr<Step[]> steps_;
  std::vector<std::string> names_, lines_;
};

// What its compilation knew of a program, beside what runs.
struct ProgramSeen {
  std::shared_ptr<StepTimes> times;
  std::shared_ptr<const Clustering> clustering;  // of the program's graph; null: it was loaded
  struct Work {
    int64_t bytes = 0;  // of the values that it reads and writes, once each
    double flops = 0;
  };
  std::vector<Work> work;             // of the steps
  std::vector<Place> places;          // of values
  std::vector<uint32_t> first, last;  // of values: steps
};

// Of a program that runs from now on.
std::shared_ptr<StepTimes> time_steps(const Program& program);
// Measures the machine's limits when the process exits, once.
void page_limits();

// JSON; graphs go to `graphs`.
std::string page_json(const Program& program, const ProgramSeen& seen, PageGraphs& graphs);
// The same of one kernel.
std::string page_json(const Kernel& kernel, const KernelCode* code);

}  // namespace jot::cpu
