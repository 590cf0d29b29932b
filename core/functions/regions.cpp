#include "core/functions/regions.h"

#include "core/record/thread.h"
#include "core/storage/views.h"
#include "ir/fork.h"
#include "jot/control.h"
#include "passes/functionalize.h"

namespace jot::detail {

RecordedRegion record_region(std::string_view api, Fn fn, std::span<const Tensor> args, Location at,
                             std::span<const ir::Type> types) {
  for (size_t i = 0; i < args.size(); ++i)
    if (!args[i].defined()) fail<TransformError>(api, fn.name(Role::argument, i) + " is an undefined Tensor", at);
  RecordedRegion r;
  const std::vector<uint8_t> copied(args.size(), 1);
  r.recording = record_function(fn, args,
                                {.kind = TraceKind::functionalize,
                                 .scope = std::string(api),
                                 .at = at,
                                 .row_major = true,
                                 .region = true,
                                 .repeats = true},
                                {}, types, copied);
  r.pure = passes::functionalize(r.recording.graph);
  return r;
}

std::optional<size_t> RegionInputs::find(const Binding& b) const {
  for (size_t i = 0; i < bindings.size() && b.kind != Binding::Kind::literal; ++i) {
    const Binding& known = bindings[i];
    if (known.kind != b.kind || known.argument != b.argument) continue;
    if (b.kind == Binding::Kind::capture && known.capture.impl()->storage != b.capture.impl()->storage) continue;
    return i;
  }
  return {};
}

size_t RegionInputs::place(const Binding& b, const ir::Type& type) {
  if (std::optional<size_t> known = find(b)) return *known;
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
