// What a shipped function returns where the data is at fault.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "backends/cpu/program.h"

namespace jot::cpu {

inline constexpr int kNoProcessor = 2, kFirstFault = 16;

// Faults of one kind of one node are one number, whatever it is that finds them: the same for programs of one graph.
class FaultNumbers {
 public:
  // Of the faults of a step, in their order.
  std::vector<int64_t> of(const Program& program, const Step& step);
  // "16: ...", for comments of C.
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::map<std::tuple<bool, ir::Value, int64_t>, int64_t> known_;
  std::vector<std::string> texts_;
};

}  // namespace jot::cpu
