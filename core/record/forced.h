// What host reads have computed of a trace, kept for the next of them.
#pragma once
#include <unordered_map>

#include "ir/graph.h"
#include "jot/tensor.h"

namespace jot {

struct ForcedValues {
  // What a storage held that had been written.
  struct Checkpoint {
    ir::Value version;
    Tensor contents;
  };
  std::unordered_map<ir::Value, Tensor> values;
  std::unordered_map<ir::Value, Checkpoint> checkpoints;  // by base
  ir::Value end = 0;                                      // the size of the trace when these were made
};

}  // namespace jot
