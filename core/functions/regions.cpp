#include "core/functions/regions.h"

#include "core/record/thread.h"
#include "ir/fork.h"
#include "jot/control.h"

namespace jot::detail {

size_t RegionInputs::place(const Binding& b, const ir::Type& type) {
  for (size_t i = 0; i < bindings.size() && b.kind != Binding::Kind::literal; ++i) {
    const Binding& known = bindings[i];
    if (known.kind != b.kind || known.argument != b.argument) continue;
    if (b.kind == Binding::Kind::capture && known.capture.impl()->storage != b.capture.impl()->storage) continue;
    return i;
  }
  bindings.push_back(b);
  types.push_back(type);
  return bindings.size() - 1;
}

OwnStream::OwnStream() : trace_(current_trace().shared_from_this()) {
  ForkSafeLock lock(trace_->mutex());
  trace_->draws().enter_stream();
}

OwnStream::~OwnStream() {
  ForkSafeLock lock(trace_->mutex());
  trace_->draws().leave_stream();
}

}  // namespace jot::detail
