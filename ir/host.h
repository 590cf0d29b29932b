// The user's own code as what a region does: its graph tells the types of operands and results alone.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "jot/ir.h"
#include "jot/location.h"

namespace jot::ir {

// Immutable; called on any thread. Which other functions are the same one decides what compiled graphs they share.
class HostFunction {
 public:
  virtual ~HostFunction() = default;
  virtual std::string name() const = 0;  // of the function that the user called: "host_call"
  // Dense row-major arrays of the types of the region's inputs and outputs. What it throws leaves the evaluation.
  virtual void call(std::span<const void* const> inputs, std::span<void* const> outputs) const = 0;
  virtual uint64_t hash() const = 0;
  virtual bool equal(const HostFunction& other) const = 0;
};

// Calls the function of a host region; IrError where the region was read from text, which does not have it.
void call_host(const Graph& region, std::span<const void* const> inputs, std::span<void* const> outputs,
               Location location);

}  // namespace jot::ir
