#include "core/run/program.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "backends/cpu/ship/c_source.h"
#include "core/cache/disk_cache.h"
#include "core/cache/events.h"
#include "core/cache/stored_graph.h"
#include "core/record/evaluate.h"
#include "core/record/function.h"
#include "core/record/thread.h"
#include "core/storage/overlap.h"
#include "core/transforms/merged_arguments.h"
#include "ir/digest.h"
#include "ir/fork.h"
#include "ir/log.h"

namespace jot::detail {

namespace {

// Where t's elements lie, contiguous: in its storage if they can, else in a copy.
const void* elements_of(const Tensor& t, std::string_view api, std::vector<Buffer>& copies, Location at) {
  if (evaluate(t, api, at))
    throw TraceError(
        "[compile] a compiled function was called with a tensor of a transform, whose derivative or lanes it would "
        "lose; "
        "use jit, which becomes part of the transform" +
        jot::at(at));
  const TensorImpl& impl = *t.impl();
  if (!impl.parent) return impl.storage->buffer.data();
  if (impl.contiguous())
    return static_cast<const std::byte*>(impl.storage->buffer.data()) + impl.offset * size_of(impl.dtype());
  return copies.emplace_back(read(t, api, at)).data();
}

Buffer copy_of(const Tensor& t) {
  Buffer from = read(t, "compile", Location());
  Buffer to = Buffer::allocate(from.size(), size_of(t.impl()->dtype()));
  if (from.size()) std::memcpy(to.data(), from.data(), static_cast<size_t>(from.size()));
  return to;
}

bool orders_calls(const Binding& b) {
  return b.kind == Binding::Kind::capture && b.capture.impl()->storage->orders_calls;
}

// t is its storage's base, and its buffer may be replaced.
bool holds_alone(const Tensor& t) {
  const Storage& s = *t.impl()->storage;
  return !t.impl()->parent && !s.writes_through && s.owner.load(std::memory_order_acquire) == 0;
}

// Whether handles show t besides a recording's own: what is pending does not count.
bool held_by_others(const Tensor& t) {
  long others = t.impl().use_count() - 1;
  return others > 1 || (others == 1 && !current_trace().holds(*t.impl()->storage));
}

}  // namespace

Program::Program(Recording recording, std::vector<MergedArguments::Source> sources, Captures captures,
                 std::string_view api, Location at)
    : recorded_(recording.graph),
      bindings_(std::move(recording.bindings)),
      sources_(std::move(sources)),
      api_(api),
      at_(at),
      compiled_(compile_cached(recorded_, true)),
      random_draws_(recording.random_draws) {
  const std::vector<uint32_t>& written = compiled_->interface.writebacks;
  for (Binding& b : bindings_)  // many threads may run it
    if (orders_calls(b)) b.capture = new_call_order();
  for (uint32_t w : written) num_call_orders_ += orders_calls(bindings_[w]);
  if (captures == Captures::shared) {
    watch(written);
    for (const Binding& b : bindings_) held_.push_back(b.kind == Binding::Kind::capture && held_by_others(b.capture));
    return;
  }
  for (uint32_t i : written)
    if (bindings_[i].kind == Binding::Kind::capture && !orders_calls(bindings_[i]))
      throw TransformError("[" + std::string(api) + "] f writes to a tensor that it captures, of type " +
                           ir::to_string(compiled_->interface.inputs[i]) +
                           ": a compiled function holds copies of its captures; make it an argument" + jot::at(at));
  copied_.resize(bindings_.size());
  for (size_t i = 0; i < bindings_.size(); ++i)
    if (bindings_[i].kind == Binding::Kind::capture) {
      copied_[i] = copy_of(bindings_[i].capture);
      bindings_[i].capture = Tensor();
    }
}

void Program::see(SeenRecording& recording, std::vector<Change> why) const {
  std::vector<std::string> arguments, captures;
  for (size_t i = 0; i < bindings_.size(); ++i) {
    const Binding::Kind kind = bindings_[i].kind;
    const std::string type = ir::to_string(compiled_->interface.inputs[i]);
    if (kind == Binding::Kind::argument) arguments.push_back(type);
    if (kind == Binding::Kind::capture) captures.push_back(type);
  }
  recording.done(api_, at_, recorded_, std::move(arguments), std::move(captures), std::move(why), compiled_->seen);
}

// Arguments first, one after the other; then captures with their contents, and the state of the generator.
void Program::save(const std::string& path) const {
  if (copied_.size() != bindings_.size()) internal_error("only compiled functions are saved", api_);
  if (calls_host(compiled_->engine->graph()))
    throw CacheError("[save] " + path +
                     ": the function calls the host's code (host_call or debug_print), which a file cannot hold");
  ByteWriter out;
  const uint64_t count = bindings_.size();
  out(count);
  for (size_t i = 0; i < bindings_.size(); ++i) {
    out(bindings_[i].kind);
    out.sized(copied_[i].data(), static_cast<size_t>(copied_[i].size()));
  }
  out(random_draws_);
  write_file(path, to_bytes(*compiled_, GraphText::whole, out.bytes()));
}

// Arguments come first; the others are tables.
std::string Program::c_source(const std::string& name, std::vector<std::string> inputs,
                              std::vector<std::string> outputs) const {
  if (copied_.size() != bindings_.size()) internal_error("only compiled functions become C", api_);
  cpu::CSource options{name, num_arguments(), {}, std::move(inputs), std::move(outputs)};
  for (size_t i = 0; i < bindings_.size(); ++i) {
    const Binding::Kind kind = bindings_[i].kind;
    if (kind == Binding::Kind::rng_key || kind == Binding::Kind::rng_offset)
      throw Error(
          "[c_source] the function draws random numbers from the generator of its thread, which C has not: pass them "
          "as "
          "an argument");
    if (kind == Binding::Kind::capture)
      options.captured.emplace_back(static_cast<const std::byte*>(copied_[i].data()),
                                    static_cast<size_t>(copied_[i].size()));
  }
  return cpu::c_source(engine().graph(), options);
}

Program::Program(const std::string& path) : api_("load"), at_() {
  const Contents contents = read_file(path, false);
  try {
    const StoredGraph stored = from_bytes(contents);
    compiled_ = stored.compiled;
    if (!stored.fits)
      log("load",
          path +
              " holds code of another version of jot, for another processor or another number of threads: it is "
              "compiled anew");
    ByteReader in(stored.extra);
    uint64_t count;
    in(count);
    if (count != compiled_->interface.inputs.size()) ByteReader::fail();
    for (uint64_t i = 0; i < count; ++i) {
      Binding b;
      in(b.kind);
      const std::span<const std::byte> contents = in.sized();
      if (b.kind == Binding::Kind::argument) {
        b.argument = i;
        sources_.push_back({i, false});
        if (sources_.size() != i + 1) ByteReader::fail();
      }
      if (b.kind > Binding::Kind::rng_offset || b.kind == Binding::Kind::literal ||
          (b.kind == Binding::Kind::capture &&
           static_cast<int64_t>(contents.size()) != bytes_of(compiled_->interface.inputs[i])))
        ByteReader::fail();
      Buffer& copy = copied_.emplace_back();
      if (b.kind == Binding::Kind::capture) {
        copy = Buffer::allocate(static_cast<int64_t>(contents.size()));
        if (!contents.empty()) std::memcpy(copy.data(), contents.data(), contents.size());
      }
      bindings_.push_back(std::move(b));
    }
    in(random_draws_);
    if (!in.done()) ByteReader::fail();
  } catch (const CacheError& e) {
    throw CacheError(std::string(e.what()) + ": " + path);
  } catch (const IrError& e) {
    throw CacheError("[load] " + path + " holds a graph that this version of jot does not read: " + e.what());
  }
}

cpu::ExportedFunction Program::exported(std::string_view api, Location at, std::string name,
                                        std::vector<std::string> inputs, std::vector<std::string> outputs) const {
  if (random_draws_ > 0)
    throw Error("[" + std::string(api) + "] " + name +
                ": the function draws random numbers from the generator of the process, which its file has not; pass "
                "them as an argument" +
                jot::at(at));
  cpu::ExportedFunction f{std::move(name), compiled_->engine->graph(), {}, std::move(inputs), std::move(outputs)};
  for (size_t i = 0; i < bindings_.size(); ++i) {
    const bool given = bindings_[i].kind == Binding::Kind::argument;
    f.fixed.push_back(
        given ? std::span<const std::byte>()
              : std::span(static_cast<const std::byte*>(copied_[i].data()), static_cast<size_t>(copied_[i].size())));
  }
  return f;
}

void Program::watch(std::span<const uint32_t> written) {
  auto captured = [&](uint32_t i) { return bindings_[i].kind == Binding::Kind::capture; };
  bool all = !std::ranges::all_of(written, captured);
  for (uint32_t i = 0; i < bindings_.size(); ++i)
    if (captured(i) && (all || std::ranges::binary_search(written, i)))
      watched_.push_back(bindings_[i].capture.impl()->storage);
}

const ir::Type& Program::argument_type(size_t i) const {
  return compiled_->interface.inputs[i];  // arguments are the first inputs
}

std::vector<int64_t> Program::overlap_with_captures(std::span<const Tensor* const> args) const {
  std::vector<int64_t> words;
  for (const Storage* storage : watched_)
    for (size_t i = 0; i < args.size(); ++i) {
      if (!args[i]->defined() || args[i]->impl()->storage != storage) continue;
      const TensorImpl& t = *args[i]->impl();
      words.insert(words.end(), {static_cast<int64_t>(i), t.offset});
      for (int64_t stride : t.layout()) words.push_back(stride);
    }
  return words;
}

void Program::run(std::span<const Tensor* const> args, std::span<Tensor> results) const {
  Pointers inputs;
  std::vector<Buffer> copies;
  Generator& rng = generator();
  for (size_t i = 0; i < bindings_.size(); ++i) {
    const Binding& b = bindings_[i];
    switch (b.kind) {
      case Binding::Kind::argument:
        inputs.push_back(sources_[b.argument].base
                             ? elements_of(argument(args, b.argument), api_, copies, at_)
                             : elements_of(*args[sources_[b.argument].original], api_, copies, at_));
        break;
      case Binding::Kind::capture:
        if (!held_.empty() && held_[i]) check_held(i);
        inputs.push_back(copied_.empty() ? elements_of(b.capture, api_, copies, at_) : copied_[i].data());
        break;
      case Binding::Kind::rng_key:
        inputs.push_back(rng.key);
        break;
      case Binding::Kind::rng_offset:
        inputs.push_back(&rng.offset);
        break;
      case Binding::Kind::literal:
        internal_error("literals of a program are constants", "");
    }
  }
  SmallArray<Buffer, 8> buffers;
  SmallArray<void*, 8> outputs;
  for (size_t i = 0; i < num_all_outputs(); ++i) {
    Buffer b = i < num_results() ? Buffer() : updated_in_place(args, i, inputs.span());
    if (!b) b = allocate_output(*compiled_, i);
    outputs.push_back(b.data());
    buffers.push_back(std::move(b));
  }
  run_compiled(*compiled_, recorded_, inputs.span(), outputs.span());
  rng.offset += random_draws_;
  for (size_t i = 0; i < num_results(); ++i) {
    results[i] = from_buffer(output_type(i).dtype, output_type(i).shape, buffers.data()[i]);
    results[i].impl()->storage->made = at_;
  }
  if (num_all_outputs() > num_results()) write_back(args, buffers.span().subspan(num_results()));
}

// A captured variable that was rebound leaves its tensor to the recording, which goes on with it: told once.
void Program::check_held(size_t binding) const {
  const Tensor& t = bindings_[binding].capture;
  if (held_by_others(t) || told_.exchange(true)) return;
  const ir::GraphData& g = recorded_.data();
  ir::Value input = g.inputs()[binding];
  log(api_, "the tensor " + ir::to_string(g.type(input)) + " that the function captures, used" +
                on_line(g.location(input)) +
                ", is held by nothing else any more: was its variable rebound (w = w * 10)? The recording keeps the "
                "tensor that it captured; write in place (w.copy_(w * 10)), or pass w as an argument" +
                on_line(at_));
}

Tensor Program::written(std::span<const Tensor* const> args, size_t output) const {
  const Binding& b = bindings_[compiled_->interface.writebacks[output - num_results()]];
  return b.kind == Binding::Kind::argument ? argument(args, b.argument) : b.capture;
}

// The memory of a tensor that an output may overwrite: nobody else sees it, and it is no other input.
Buffer Program::updated_in_place(std::span<const Tensor* const> args, size_t output,
                                 std::span<const void* const> inputs) const {
  std::span<const int32_t> in_place = compiled_->engine->in_place();
  uint32_t input = compiled_->interface.writebacks[output - num_results()];
  if (in_place.empty() || in_place[output] != static_cast<int32_t>(input)) return {};
  Tensor t = written(args, output);
  const Storage& s = *t.impl()->storage;
  if (!holds_alone(t) || !s.buffer.unique() || !s.buffer.owned()) return {};
  auto begin = static_cast<const std::byte*>(s.buffer.data()), end = begin + s.buffer.size();
  for (size_t i = 0; i < inputs.size(); ++i)
    if (i != input && inputs[i] >= begin && inputs[i] < end) return {};
  return s.buffer;
}

Tensor Program::argument(std::span<const Tensor* const> args, size_t i) const {
  const Tensor& t = *args[sources_[i].original];
  return sources_[i].base ? base_tensor(t) : t;
}

void Program::write_back(std::span<const Tensor* const> args, std::span<const Buffer> contents) const {
  for (size_t i = 0; i + num_call_orders_ < contents.size(); ++i) {
    Tensor t = written(args, num_results() + i);
    const ir::Type& type = output_type(num_results() + i);
    if (holds_alone(t))
      t.impl()->storage->buffer = contents[i];
    else
      t.copy_(Arg(from_buffer(type.dtype, type.shape, contents[i]), at_));
  }
}

void Program::run_into(std::span<const void* const> args, std::span<void* const> given) const {
  Pointers inputs;
  SmallArray<void*, 8> outputs;
  for (size_t i = 0; i < num_all_outputs(); ++i) outputs.push_back(i < given.size() ? given[i] : nullptr);
  Generator& rng = generator();
  for (size_t i = 0; i < bindings_.size(); ++i) {
    const Binding& b = bindings_[i];
    inputs.push_back(b.kind == Binding::Kind::argument     ? args[b.argument]
                     : b.kind == Binding::Kind::rng_key    ? rng.key
                     : b.kind == Binding::Kind::rng_offset ? &rng.offset
                                                           : copied_[i].data());
  }
  run_compiled(*compiled_, recorded_, inputs.span(), outputs.span());
  rng.offset += random_draws_;
}

namespace {

std::shared_ptr<const Program> make_program(Fn fn, std::span<const Tensor> args, Captures captures,
                                            std::string_view api, Location at) {
  for (size_t i = 0; i < args.size(); ++i)
    if (!args[i].defined())
      throw TransformError("[" + std::string(api) + "] " + fn.name(Role::argument, i) + " is an undefined Tensor" +
                           jot::at(at));
  MergedArguments merged(fn, args);
  // A compiled function takes its arguments from anywhere: they have memory of their own.
  bool merge = captures == Captures::shared && merged.arguments().size() < args.size();
  TraceOptions options{
      .kind = TraceKind::jit, .scope = std::string(api), .at = at, .row_major = captures == Captures::copied};
  if (merge) {
    Recording recording = record_function(merged.fn(), merged.arguments(), std::move(options));
    return std::make_shared<const Program>(std::move(recording), merged.sources(), captures, api, at);
  }
  std::vector<MergedArguments::Source> sources;
  for (size_t i = 0; i < args.size(); ++i) sources.push_back({i, false});
  Recording recording = record_function(fn, args, std::move(options));
  return std::make_shared<const Program>(std::move(recording), std::move(sources), captures, api, at);
}

}  // namespace

std::shared_ptr<const Program> record_program(Fn fn, std::span<const Tensor> args, Captures captures,
                                              std::string_view api, Location at) {
  return record_program(fn, args, captures, api, at, {});
}

std::shared_ptr<const Program> record_program(Fn fn, std::span<const Tensor> args, Captures captures,
                                              std::string_view api, Location at, std::vector<Change> why) {
  SeenRecording seen;
  std::shared_ptr<const Program> program = make_program(fn, args, captures, api, at);
  if (seen::on()) program->see(seen, std::move(why));
  return program;
}

size_t num_results(const Program& program) { return program.num_results(); }

void run_program(const Program& program, std::span<const Tensor* const> args, std::span<Tensor> results) {
  NoFork section;  // one for all that the call enters
  program.run(args, results);
}

}  // namespace jot::detail
