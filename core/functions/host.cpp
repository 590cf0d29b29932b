#include "jot/host.h"

#include <cstdio>
#include <cstring>
#include <mutex>

#include "core/functions/operands.h"
#include "core/record/evaluate.h"
#include "core/record/splice.h"
#include "core/record/thread.h"
#include "ir/fork.h"
#include "ir/host.h"

namespace jot {

namespace detail {

namespace {

using ir::Value;

// While alive, this thread records as one that has just begun: what runs inside an evaluation must not reach the traces
// around it.
class HostSection {
 public:
  HostSection() : state_(thread_state()), fresh_(std::make_shared<Trace>(TraceOptions{}, nullptr)), enter_(*fresh_) {
    fresh_->draws().generator() = state_.lazy->draws().generator();
    std::swap(state_.lazy, fresh_);
    no_grad_ = std::exchange(state_.no_grad_depth, 0);
    strong_zeros_ = std::exchange(state_.strong_zeros_depth, 0);
    scope_ = std::exchange(state_.scope, {});
    scope_location_ = std::exchange(state_.scope_location, Location());
    composite_ = std::exchange(state_.composite, {});
    composite_line_ = std::exchange(state_.composite_line, Location());
    order_ = std::exchange(state_.order, {});
  }
  ~HostSection() {
    {
      ForkSafeLock lock(state_.lazy->mutex());
      flush(*state_.lazy);
    }
    fresh_->draws().generator() = state_.lazy->draws().generator();
    std::swap(state_.lazy, fresh_);
    state_.no_grad_depth = no_grad_;
    state_.strong_zeros_depth = strong_zeros_;
    state_.scope = std::move(scope_);
    state_.scope_location = scope_location_;
    state_.composite = composite_;
    state_.composite_line = composite_line_;
    state_.order = std::move(order_);
  }
  HostSection(const HostSection&) = delete;
  HostSection& operator=(const HostSection&) = delete;

 private:
  ThreadState& state_;
  std::shared_ptr<Trace> fresh_;  // then the one outside
  EnterTrace enter_;
  int no_grad_ = 0, strong_zeros_ = 0;
  std::string scope_;
  std::string_view composite_;
  Location scope_location_, composite_line_;
  Tensor order_;
};

class RecordedHost final : public ir::HostFunction {
 public:
  RecordedHost(std::string_view api, std::shared_ptr<const HostCode> code, std::span<const Tensor> args,
               std::span<const Tensor> results, Location at)
      : api_(api), code_(std::move(code)), at_(at) {
    for (const Tensor& t : args) args_.push_back(type_of(t));
    for (const Tensor& t : results) results_.push_back(type_of(t));
  }
  std::string name() const override { return api_; }
  uint64_t hash() const override { return code_->hash(); }
  bool equal(const HostFunction& other) const override {
    auto* o = dynamic_cast<const RecordedHost*>(&other);
    return o && api_ == o->api_ && args_ == o->args_ && results_ == o->results_ && code_->equal(*o->code_);
  }

  void call(std::span<const void* const> inputs, std::span<void* const> outputs) const override {
    HostSection section;
    std::vector<Tensor> args;
    for (size_t i = 0; i < args_.size(); ++i) {
      int64_t bytes = bytes_of(args_[i]);
      Buffer copy = Buffer::allocate(bytes, size_of(args_[i].dtype));
      if (bytes > 0) std::memcpy(copy.data(), inputs[i], static_cast<size_t>(bytes));
      args.push_back(from_buffer(args_[i].dtype, args_[i].shape, std::move(copy)));
    }
    Leaves results = checked(args);
    for (size_t i = 0; i < results.size(); ++i) {
      Buffer elements = read(results[i], api_, at_);
      if (int64_t bytes = bytes_of(results_[i]); bytes > 0)
        std::memcpy(outputs[i], elements.data(), static_cast<size_t>(bytes));
    }
  }

  Leaves checked(std::span<const Tensor> args) const {
    Leaves results;
    try {
      results = code_->call(args);
    } catch (const std::exception&) {
      throw;
    } catch (...) {
      throw Error("[" + api_ + "] the host's code threw something that is no std::exception" + jot::at(at_));
    }
    if (results.size() != results_.size())
      refuse(std::to_string(results.size()) + " tensors, expected " + std::to_string(results_.size()));
    for (size_t i = 0; i < results.size(); ++i)
      if (!results[i].defined() || type_of(results[i]) != results_[i])
        refuse("output " + std::to_string(i) + ", " +
               (results[i].defined() ? type_name(results[i]) : std::string("an undefined Tensor")) + ", expected " +
               ir::to_string(results_[i]));
    return results;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw TransformError("[" + api_ + "] the host's code returned " + what + jot::at(at_));
  }
  std::string api_;
  std::shared_ptr<const HostCode> code_;
  std::vector<ir::Type> args_, results_;
  Location at_;
};

}  // namespace

Leaves host_call(std::string_view api, std::shared_ptr<const HostCode> code, std::span<const Tensor> args,
                 std::span<const Tensor> types, Location at) {
  for (size_t i = 0; i < args.size(); ++i)
    if (!args[i].defined()) fail<TransformError>(api, "argument " + std::to_string(i) + " is an undefined Tensor", at);
  auto host = std::make_shared<const RecordedHost>(api, std::move(code), args, types, at);
  if (!tracing()) {
    Leaves results = host->checked(args);
    for (Tensor& t : results) t = t.clone();
    return results;
  }
  evaluate_pending();
  ir::Builder region(std::string{api});
  std::vector<Value> outputs;
  for (const Tensor& t : args) region.param(type_of(t));
  for (const Tensor& t : types) outputs.push_back(ir::build::zeros(region, type_of(t)));
  ir::Graph body = region.finish_host(outputs, std::move(host));
  const Tensor order = call_order();
  Emitter e(api, at, args);
  e.use(order);
  std::vector<Value> operands = {e(order)};
  for (const Tensor& t : args) operands.push_back(e(t));
  Value next = e.b.emit(ir::Op::host_call_op, operands, ir::Attrs().add(body));
  e.write(order, next++);
  Leaves results;
  for (size_t i = 0; i < types.size(); ++i) results.push_back(e.result(next++));
  return results;
}

PrintFormat::PrintFormat(std::string_view text, size_t values, Location at) : pieces_(1), numbers_(values) {
  auto wrong = [&](const std::string& what) {
    throw Error("[debug_print] the format \"" + std::string(text) + "\" " + what + jot::at(at));
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const bool open = text[i] == '{', twice = i + 1 < text.size() && text[i + 1] == text[i];
    if (!open && text[i] != '}') {
      pieces_.back() += text[i];
    } else if (twice) {
      pieces_.back() += text[i++];
    } else if (open && i + 1 < text.size() && text[i + 1] == '}') {
      pieces_.emplace_back();
      ++i;
    } else {
      wrong("has a brace that is no {}; write {{ or }} for a brace");
    }
  }
  if (pieces_.size() - 1 != values)
    wrong("has " + std::to_string(pieces_.size() - 1) + " placeholders for " + std::to_string(values) + " values");
}

void PrintFormat::number(const std::string& text) { numbers_[next_++] = text; }

std::string PrintFormat::with(std::span<const Tensor> tensors) const {
  std::string line = pieces_[0];
  for (size_t i = 0, next = 0; i < numbers_.size(); ++i)
    line += (numbers_[i].empty() ? to_string(tensors[next++]) : numbers_[i]) + pieces_[i + 1];
  return line;
}

void print_line(const std::string& line) {
  static auto* mutex = new std::mutex;
  std::lock_guard lock(*mutex);
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace detail
}  // namespace jot
