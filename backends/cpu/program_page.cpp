#include "backends/cpu/program_page.h"

#include <algorithm>
#include <set>
#include <utility>

#include "backends/cpu/kernel/kernel_builder.h"
#include "backends/cpu/loops/loop_kernel.h"
#include "backends/cpu/runtime/pool.h"
#include "ir/json.h"
#include "ir/seen.h"

namespace jot::cpu {

using namespace ir;

namespace {

std::string line_of(Location where) {
  return *where.file ? std::string(where.file) + ":" + std::to_string(where.line) : std::string();
}

// A span of a step in trace.json.
class StepSpan final : public seen::Event {
 public:
  StepSpan(std::shared_ptr<const StepTimes> times, size_t step, std::chrono::steady_clock::time_point begin,
           std::chrono::nanoseconds length)
      : times_(std::move(times)), step_(step), begin_(begin), length_(length), thread_(seen::thread_number()) {}
  void write(seen::Sink& to) const override {
    to.span({times_->name(step_), "run", begin_, length_, thread_, times_->line(step_)});
  }

 private:
  std::shared_ptr<const StepTimes> times_;
  size_t step_;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::nanoseconds length_;
  uint32_t thread_;
};

class TimesEvent final : public seen::Event {
 public:
  explicit TimesEvent(std::shared_ptr<const StepTimes> times) : times_(std::move(times)) {}
  void write(seen::Sink& to) const override {
    std::string json = "{\"steps\":[";
    bool any = false;
    for (size_t i = 0; i < times_->size(); ++i) {
      const StepTimes::Step& s = (*times_)[i];
      const uint64_t all[] = {s.calls.load(), s.nanoseconds.load(), s.least.load()};
      any |= all[0] > 0;
      if (i) json += ',';
      append_integers(json, all);
    }
    if (any) to.block("times", times_->id(), "", json + "]}");
  }

 private:
  std::shared_ptr<const StepTimes> times_;
};

// ---- limits

using Clock = std::chrono::steady_clock;

// The best of a few turns of about a millisecond, each of all threads: units of work a nanosecond.
template <class Run>
double rate(double work, Run run) {
  double best = 0;
  for (int turn = 0; turn < 4; ++turn) {
    int64_t times = 0;
    const auto begin = Clock::now();
    std::chrono::duration<double, std::nano> spent{};
    do {
      parallel_for(num_threads(), run);
      ++times;
      spent = Clock::now() - begin;
    } while (spent < std::chrono::milliseconds(1));
    best = std::max(best, work * static_cast<double>(times * num_threads()) / spent.count());
  }
  return best;
}

int lanes_of(KType t) { return (target() == Target::avx512 ? 64 : 32) / bytes_of(t); }

double gflops(KType t) {
  constexpr int kSums = 12, kTurns = 4096;
  KernelBuilder b(lanes_of(t));
  const uint32_t x = b.broadcast(t, b.arg(1));
  std::vector<uint32_t> sums;
  for (int i = 0; i < kSums; ++i) sums.push_back(b.var(b.number(t, i)));
  b.loop(b.iconst(kTurns));
  for (uint32_t s : sums) b.set(s, b.fma(s, x, x));
  b.endloop();
  for (int i = 0; i < kSums; ++i) b.store(sums[static_cast<size_t>(i)], b.arg(2), kNone, 64 * i);
  const Kernel kernel = std::move(b).finish();
  const std::shared_ptr<const KernelCode> code = kernel_code(kernel);
  KernelError error;
  const Buffer out = Buffer::allocate(64 * kSums * num_threads()),
               spill = Buffer::allocate(aligned(code->spill_bytes) * num_threads() + 64);
  auto run = [&](int64_t, int worker) {
    const int64_t args[] = {reinterpret_cast<int64_t>(&error), 0,
                            reinterpret_cast<int64_t>(static_cast<std::byte*>(out.data()) + worker * 64 * kSums)};
    code->fn(args, 0, 1, static_cast<std::byte*>(spill.data()) + worker * aligned(code->spill_bytes));
  };
  return rate(2.0 * kSums * kTurns * lanes_of(t), run);
}

// Of copies of half as many bytes, in GB a second.
double gigabytes(int64_t bytes) {
  KernelBuilder b(lanes_of(KType::f64));
  const uint32_t i = b.vrange();
  b.store(b.load(KType::f64, b.arg(1), i), b.arg(2), i);
  b.endloop();
  const Kernel kernel = std::move(b).finish();
  const std::shared_ptr<const KernelCode> code = kernel_code(kernel);
  KernelError error;
  const int64_t own = aligned(bytes / num_threads() / 2);
  const Buffer memory = Buffer::allocate(2 * own * num_threads()),
               spill = Buffer::allocate(aligned(code->spill_bytes) * num_threads() + 64);
  auto run = [&](int64_t chunk, int worker) {
    std::byte* from = static_cast<std::byte*>(memory.data()) + 2 * own * chunk;
    const int64_t args[] = {reinterpret_cast<int64_t>(&error), reinterpret_cast<int64_t>(from),
                            reinterpret_cast<int64_t>(from + own)};
    code->fn(args, 0, own / 8, static_cast<std::byte*>(spill.data()) + worker * aligned(code->spill_bytes));
  };
  return rate(2.0 * static_cast<double>(own), run);
}

class LimitsEvent final : public seen::Event {
 public:
  void write(seen::Sink& to) const override {
    std::string json = "{\"how\":\"measured at the end, on " + std::to_string(num_threads()) +
                       " threads\",\"gflops\":{\"f32\":" + std::to_string(gflops(KType::f32)) +
                       ",\"f64\":" + std::to_string(gflops(KType::f64)) + "},\"memory\":[";
    const int64_t sizes[] = {int64_t{32} << 10, int64_t{512} << 10, int64_t{64} << 20};
    for (int64_t size : sizes) {
      if (size != sizes[0]) json += ',';
      const int64_t all = size < int64_t{1} << 20 ? size * num_threads() : size;
      json += "[" + std::to_string(all) + "," + std::to_string(gigabytes(all)) + "]";
    }
    to.block("limits", 0, "", json + "]}");
  }
};

// ---- programs

// The first so many ops of a cluster.
std::string name_of_kernel(const GraphData& g, std::span<const Value> values) {
  std::string name = "kernel";
  size_t shown = 0;
  for (Value v : values) {
    if (++shown > 3) return name + " ...";
    name += (shown == 1 ? " " : ", ") + std::string(name_of(g.op(v)));
  }
  return name;
}

class ProgramJson {
 public:
  ProgramJson(const Program& program, const ProgramSeen& seen, PageGraphs& graphs)
      : program_(program), seen_(seen), graphs_(graphs), g_(program.graph.get().data()) {}

  std::string make() {
    std::string out = "{\"id\":" + std::to_string(seen_.times ? seen_.times->id() : 0) +
                      ",\"graph\":" + std::to_string(graphs_.add(program_.graph.get())) +
                      ",\"arena\":" + std::to_string(program_.arena_bytes) + ",\"steps\":[";
    for (size_t i = 0; i < program_.steps.size(); ++i) {
      if (i) out += ',';
      step(out, i);
    }
    return out + "],\"kernels\":[" + kernels_ + "],\"programs\":[" + inner_ + "],\"memory\":" + memory() + "}";
  }

 private:
  void step(std::string& out, size_t i) {
    const auto& what = program_.steps[i].what;
    if (auto* k = std::get_if<KernelStep>(&what))
      kernel(out, *k);
    else if (auto* r = std::get_if<RoutineStep>(&what))
      routine(out, *r);
    else if (auto* p = std::get_if<PointerStep>(&what))
      out += "{\"kind\":\"pointer\",\"node\":" + std::to_string(p->node);
    else
      out += "{\"kind\":\"copy\",\"bytes\":" + std::to_string(std::get<CopyStep>(what).bytes);
    if (i < seen_.work.size()) {
      const ProgramSeen::Work& w = seen_.work[i];
      if (w.bytes) out += ",\"bytes\":" + std::to_string(w.bytes);
      if (w.flops > 0) out += ",\"flops\":" + std::to_string(static_cast<int64_t>(w.flops));
    }
    for (size_t n = 0; n < program_.groups.size(); ++n)
      if (const Group& group = program_.groups[n]; i >= group.first && i - group.first < group.count)
        out += ",\"group\":" + std::to_string(n);
    out += '}';
  }

  void kernel(std::string& out, const KernelStep& k) {
    out += "{\"kernel\":" + std::to_string(num_kernels_) + ",\"extent\":" + std::to_string(k.extent) +
           ",\"chunks\":" + std::to_string(k.chunks) + ",\"writes\":";
    append_integers(out, k.writes);
    std::span<const Value> members = k.writes;
    if (seen_.clustering && !k.writes.empty()) {
      const Clustering& c = *seen_.clustering;
      const Cluster& cluster = c.clusters[c.cluster[k.writes[0]]];
      members = cluster.members;
      std::string loops;
      for (size_t l = 0; l < cluster.loops.size(); ++l)
        loops += (l == 0 ? "" : l == cluster.outer ? " | " : " x ") + std::to_string(c.axes.extent(cluster.loops[l]));
      if (!loops.empty()) out += ",\"loops\":" + json_quoted("over " + loops);
    }
    if (std::ranges::any_of(members, [&](Value v) { return size_of(computing_type(g_.dtype(v))) == 8; }))
      out += ",\"wide\":1";
    out += ",\"members\":";
    append_integers(out, members);
    if (num_kernels_++) kernels_ += ',';
    kernels_ += page_json(*k.kernel, k.code.get());
  }

  void routine(std::string& out, const RoutineStep& r) {
    out += "{\"kind\":" + std::string(r.checks ? "\"check\"" : "\"routine\"") + ",\"node\":" + std::to_string(r.node);
    if (const std::string& library = r.routine->library; !library.empty())
      out += ",\"library\":" + json_quoted(library);
    if (size_of(g_.dtype(r.node)) == 8) out += ",\"wide\":1";
    const auto add = [&](const std::string& json) { inner_ += (inner_.empty() ? "" : ",") + json; };
    for (const auto& region : r.routine->regions) add(region->page_json(graphs_));
    for (const auto& loop : r.routine->kernels) add(loop->page_json(graphs_));
  }

  // [value, space, index, offset, bytes, first step, last step] of each value that has a place.
  std::string memory() const {
    std::string out = "[";
    for (Value v = 0; v < seen_.places.size(); ++v) {
      if (seen_.first[v] == 0xffffffff) continue;
      const Place& p = seen_.places[v];
      if (out.size() > 1) out += ',';
      const int64_t numbers[] = {
          v, static_cast<int64_t>(p.space), p.index, p.offset, bytes_of(g_.type(v)), seen_.first[v], seen_.last[v]};
      append_integers(out, numbers);
    }
    return out + "]";
  }

  const Program& program_;
  const ProgramSeen& seen_;
  PageGraphs& graphs_;
  const GraphData& g_;
  size_t num_kernels_ = 0;
  std::string kernels_, inner_;
};

}  // namespace

StepTimes::StepTimes(uint64_t id, const Program& program) : id_(id), steps_(new Step[program.steps.size()]) {
  const GraphData& g = program.graph.get().data();
  for (const cpu::Step& s : program.steps) {
    Value v = kNoValue;
    std::string name = "copy";
    if (auto* k = std::get_if<KernelStep>(&s.what)) {
      name = name_of_kernel(g, k->writes);
      if (!k->writes.empty()) v = k->writes[0];
    } else if (auto* r = std::get_if<RoutineStep>(&s.what)) {
      name = name_of(g.op(v = r->node));
    } else if (auto* p = std::get_if<PointerStep>(&s.what)) {
      v = p->node;
      name = "pointer";
    }
    names_.push_back(std::move(name));
    lines_.push_back(v == kNoValue ? std::string() : line_of(g.location(v)));
  }
}

void StepTimes::add(const std::shared_ptr<StepTimes>& self, size_t step, Clock::time_point begin) {
  const std::chrono::nanoseconds length = Clock::now() - begin;
  const auto ns = static_cast<uint64_t>(length.count());
  Step& s = steps_[step];
  s.calls.fetch_add(1, std::memory_order_relaxed);
  s.nanoseconds.fetch_add(ns, std::memory_order_relaxed);
  uint64_t least = s.least.load(std::memory_order_relaxed);
  while ((least == 0 || ns < least) && !s.least.compare_exchange_weak(least, ns, std::memory_order_relaxed)) {
  }
  constexpr int64_t kMost = 20'000;  // spans of a process
  static constinit std::atomic<int64_t> posted = 0;
  if (posted.load(std::memory_order_relaxed) >= kMost) return;
  posted.fetch_add(1, std::memory_order_relaxed);
  seen::post(std::make_unique<StepSpan>(self, step, begin, length));
}

std::shared_ptr<StepTimes> time_steps(const Program& program) {
  auto times = std::make_shared<StepTimes>(seen::next_id(), program);
  seen::post_at_end(std::make_unique<TimesEvent>(times));
  return times;
}

void page_limits() {
  static constinit std::atomic<bool> asked = false;
  if (!asked.exchange(true)) seen::post_at_end(std::make_unique<LimitsEvent>());
}

std::string page_json(const Program& program, const ProgramSeen& seen, PageGraphs& graphs) {
  return ProgramJson(program, seen, graphs).make();
}

std::string LoopKernel::page_json(PageGraphs& graphs) const {
  std::string out = "{\"id\":0,\"graph\":" + std::to_string(graphs.add(step_)) + ",\"steps\":[";
  for (size_t i = 0; i < parts_.size(); ++i) {
    out += (i ? ",{\"kernel\":" : "{\"kernel\":") + std::to_string(i) +
           ",\"loops\":\"a loop within a kernel\",\"members\":";
    std::set<uint32_t> members(parts_[i].kernel->origins.begin(), parts_[i].kernel->origins.end());
    members.erase(kNone);
    append_integers(out, members);
    out += ",\"writes\":[]}";
  }
  out += "],\"kernels\":[";
  for (size_t i = 0; i < parts_.size(); ++i)
    out += (i ? "," : "") + cpu::page_json(*parts_[i].kernel, parts_[i].code.get());
  return out + "],\"programs\":[],\"memory\":[]}";
}

std::string page_json(const Kernel& kernel, const KernelCode* code) {
  std::string text = to_text(kernel);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::string out = "{\"text\":" + json_quoted(text);
  if (const std::vector<uint32_t>& origins = kernel.origins; !origins.empty()) {
    out += ",\"nodes\":[";
    for (size_t i = 0; i < origins.size(); ++i) {
      if (i) out += ',';
      append_integer(out, origins[i] == kNone ? int64_t{-1} : int64_t{origins[i]});
    }
    std::vector<std::pair<uint32_t, uint32_t>> further = kernel.further_origins;
    std::ranges::sort(further);
    further.erase(std::unique(further.begin(), further.end()), further.end());
    out += "],\"more\":[";
    for (size_t i = 0; i < further.size(); ++i)
      out += (i ? "," : "") + std::to_string(further[i].first) + "," + std::to_string(further[i].second);
    out += ']';
  }
  if (code) {
    std::string assembly = disassembly(kernel);
    if (const size_t constants = assembly.find("; constants"); constants != std::string::npos)
      assembly.resize(constants);
    out += ",\"bytes\":" + std::to_string(code->code_bytes) + ",\"spill\":" + std::to_string(code->spill_bytes) +
           ",\"assembly\":" + json_quoted(assembly);
  }
  return out + "}";
}

}  // namespace jot::cpu
