#include <jot/jot.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <sstream>
#include <thread>

#include "core/record/emitter.h"
#include "core/record/function.h"
#include "jot/call.h"
#include "tests/fuzz/mutation_call.h"
#include "tests/fuzz/mutation_graph.h"

namespace jot::test::mutation {

namespace {

using Tensors = std::vector<Tensor>;
using Function = std::function<Tensors(const Tensors&)>;

// Where the library did something else than the model.
struct Differs {
  std::string what;
};

// One more thread, which goes on between steps: its lazy trace keeps what is pending.
class Worker {
 public:
  Worker() : thread_([this] { work(); }) {}
  ~Worker() {
    post(nullptr);
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Throws what f throws.
  void run(const std::function<void()>& f) {
    std::exception_ptr error;
    std::function<void()> guarded = [&] {
      try {
        f();
      } catch (...) {
        error = std::current_exception();
      }
    };
    post(&guarded);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !posted_; });
    if (error) std::rethrow_exception(error);
  }

 private:
  void post(const std::function<void()>* f) {
    std::lock_guard lock(mutex_);
    task_ = f;
    posted_ = true;
    changed_.notify_all();
  }
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return posted_; });
      if (!task_) return;
      lock.unlock();
      (*task_)();
      lock.lock();
      posted_ = false;
      changed_.notify_all();
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void()>* task_ = nullptr;
  bool posted_ = false;
  std::thread thread_;
};

Shape shape_from(const Ints& n) { return Shape(n); }

class Runner {
 public:
  Runner(const Program& p, const Outcome& expected)
      : p_(p), expected_(expected), dtype_(p.single ? f32 : f64), values_(static_cast<size_t>(p.num_values)) {}

  void run() {
    for (const Step& s : p_.before) anywhere(s);
    if (p_.call) call(*p_.call);
    for (const Step& s : p_.after) anywhere(s);
    while (next_ < expected_.events.size()) {
      const Event& e = event();
      compare(e, values_[static_cast<size_t>(e.id)], "at the end, ");
    }
  }

  // The body alone, with effects.
  Recording record() {
    for (const Step& s : p_.before) anywhere(s);
    const Call& c = *p_.call;
    Tensors args;
    std::set<const detail::Storage*> storages;
    for (int id : c.arguments) args.push_back(values_[static_cast<size_t>(id)]);
    for (const Tensor& t : args)
      if (!storages.insert(t.impl()->storage).second) throw Unclear();  // a transform would merge them
    auto f = [&](const Tensors& given) { return body(c, given); };
    detail::Call<false, decltype(f), Tensors> traced(f, args);
    return detail::record_function(traced.fn(), traced.leaves, {.kind = TraceKind::jit, .scope = "jit"});
  }

 private:
  // ---- what was expected

  const Event& event() {
    if (next_ == expected_.events.size()) throw Differs{"more was refused or read than expected"};
    return expected_.events[next_++];
  }
  bool refusal_expected(const Step& s) {
    if (next_ == expected_.events.size()) return false;
    const Event& e = expected_.events[next_];
    return e.refused && e.id == s.id;
  }
  void compare(const Event& e, const Tensor& t, const char* when) const {
    std::ostringstream out;
    out << when << "%" << e.id << ": ";
    if (!t.defined()) throw Differs{out.str() + "no value"};
    std::vector<double> got = t.to_vector<double>();
    bool same = t.shape() == shape_from(e.shape);
    for (size_t i = 0; same && i < got.size(); ++i)
      same = std::abs(got[i] - e.elements[i]) <= p_.tolerance() * (1 + std::abs(e.elements[i]));
    if (same) return;
    out << "got " << to_string(t.shape()) << " {";
    for (double x : got) out << " " << x;
    out << " }, want " << to_string(shape_from(e.shape)) << " {";
    for (double x : e.elements) out << " " << x;
    throw Differs{out.str() + " }"};
  }

  // ---- steps

  void anywhere(const Step& s) {
    if (!s.worker) return step(s);
    if (!worker_) worker_ = std::make_unique<Worker>();
    worker_->run([&] { step(s); });
  }

  void step(const Step& s) {
    if (s.what == Do::read) return compare(event(), in(s, 0), "read ");
    bool expected = refusal_expected(s);
    try {
      perform(s);
    } catch (const Error& e) {
      if (!expected) throw Differs{"step %" + std::to_string(s.id) + " failed: " + e.what()};
      ++next_;
      return;
    }
    if (expected) throw Differs{"step %" + std::to_string(s.id) + " should have been refused"};
  }

  const Tensor& in(const Step& s, size_t i) const { return values_[static_cast<size_t>(s.in[i])]; }
  Tensor& out(const Step& s) { return values_[static_cast<size_t>(s.id)]; }

  void perform(const Step& s) {
    if (s.what < Do::select)
      out(s) = made(s);
    else if (s.what < Do::add_)
      out(s) = viewed(s, in(s, 0));
    else if (s.what == Do::drop)
      values_[static_cast<size_t>(s.in[0])] = Tensor();
    else
      write(s, in(s, 0));
  }

  Tensor constant(const std::vector<double>& elements, const Ints& shape) const {
    if (dtype_ == f64) return Tensor::from(elements, shape_from(shape));
    return Tensor::from(std::vector<float>(elements.begin(), elements.end()), shape_from(shape));
  }

  Tensor made(const Step& s) const {
    const Ints& n = s.n;
    switch (s.what) {
      case Do::constant: {
        std::vector<Array<double>> values(static_cast<size_t>(s.id) + 1);
        apply(s, values, p_.single);
        return constant(values[static_cast<size_t>(s.id)].elements(), n);
      }
      case Do::zeros:
        return zeros(shape_from(n), dtype_);
      case Do::add:
        return in(s, 0) + in(s, 1);
      case Do::sub:
        return in(s, 0) - in(s, 1);
      case Do::mul:
        return in(s, 0) * in(s, 1);
      case Do::maximum:
        return maximum(in(s, 0), in(s, 1));
      case Do::sin:
        return sin(in(s, 0));
      case Do::scale:
        return in(s, 0) * s.x;
      case Do::sum:
        return in(s, 0).sum(Axes{n[0]}, n[1] != 0);
      case Do::clone:
        return in(s, 0).clone();
      case Do::concat:
        return cat({in(s, 0), in(s, 1)}, n[0]);
      case Do::where:
        return where(in(s, 0) > s.x, in(s, 1), in(s, 2));
      default:
        return in(s, 0).index(taking(s, 0));
    }
  }

  // The indices that follow n[first], and {:, ..., indices}.
  static Tensor taken_indices(const Step& s, size_t first) {
    std::vector<int64_t> indices(s.n.begin() + static_cast<int64_t>(first) + 1, s.n.end());
    return Tensor::from(indices, {static_cast<int64_t>(indices.size())});
  }
  static std::vector<Index> taking(const Step& s, size_t first) {
    std::vector<Index> list(static_cast<size_t>(s.n[0]), Index(Slice()));
    list.emplace_back(taken_indices(s, first));
    return list;
  }
  static std::vector<Index> index_list(const Ints& n) {
    std::vector<Index> list;
    for (size_t i = 0; i < n.size(); i += 4) {
      if (n[i] == kInteger)
        list.emplace_back(n[i + 1]);
      else if (n[i] == kSlice)
        list.emplace_back(Slice(n[i + 1], n[i + 2], n[i + 3]));
      else if (n[i] == kNewAxis)
        list.emplace_back(None);
      else
        list.emplace_back(Ellipsis);
    }
    return list;
  }

  static Tensor viewed(const Step& s, const Tensor& t) {
    const Ints& n = s.n;
    switch (s.what) {
      case Do::select:
        return n[0] == 0 && s.id % 2 ? t[n[1]] : t.select(n[0], n[1]);
      case Do::slice:
        return t.slice(n[0], n[1], n[2], n[3]);
      case Do::narrow:
        return t.narrow(n[0], n[1], n[2]);
      case Do::transpose:
        return t.transpose(n[0], n[1]);
      case Do::permute:
        return t.permute(Axes(n));
      case Do::movedim:
        return t.movedim(n[0], n[1]);
      case Do::t:
        return t.t();
      case Do::view:
        return t.view(shape_from(n));
      case Do::reshape:
        return t.reshape(shape_from(n));
      case Do::flatten:
        return t.flatten(n[0], n[1]);
      case Do::expand:
        return t.expand(shape_from(n));
      case Do::squeeze:
        return n.empty() ? t.squeeze() : t.squeeze(Axes(n));
      case Do::unsqueeze:
        return t.unsqueeze(n[0]);
      case Do::diagonal:
        return t.diagonal(n[0], n[1], n[2]);
      case Do::detach:
        return t.detach();
      case Do::split:
        return t.split(n[0], n[1])[static_cast<size_t>(n[2])];
      case Do::chunk:
        return t.chunk(n[0], n[1])[static_cast<size_t>(n[2])];
      case Do::unbind:
        return t.unbind(n[0])[static_cast<size_t>(n[1])];
      case Do::index:
        return t.index(index_list(n));
      case Do::unflatten:
        return t.unflatten(n[0], shape_from({n.begin() + 1, n.end()}));
      case Do::unfold:
        return t.unfold(n[0], n[1], n[2]);
      case Do::as_strided:
        return t.as_strided(shape_from({n.begin() + 1, n.begin() + 1 + n[0]}),
                            shape_from({n.begin() + 1 + n[0], n.end() - 1}), n.back());
      default:
        return t.contiguous();
    }
  }

  void write(const Step& s, const Tensor& t) const {
    switch (s.what) {
      case Do::add_:
        s.id % 2 ? t.add_(in(s, 1)) : t += in(s, 1);
        break;
      case Do::sub_:
        s.id % 2 ? t.sub_(in(s, 1)) : t -= in(s, 1);
        break;
      case Do::mul_:
        s.id % 2 ? t.mul_(in(s, 1)) : t *= in(s, 1);
        break;
      case Do::maximum_:
        t.maximum_(in(s, 1));
        break;
      case Do::add_number_:
        t.add_(s.x);
        break;
      case Do::scale_:
        t.mul_(s.x);
        break;
      case Do::divide_:
        t /= s.x;
        break;
      case Do::neg_:
        t.neg_();
        break;
      case Do::sin_:
        t.sin_();
        break;
      case Do::square_:
        t.square_();
        break;
      case Do::copy_:
        t.copy_(in(s, 1));
        break;
      case Do::copy_number_:
        t.copy_(s.x);
        break;
      case Do::fill_:
        t.fill_(s.x);
        break;
      case Do::fill_0d:
        t.fill_(in(s, 1));
        break;
      case Do::zero_:
        t.zero_();
        break;
      case Do::clamp_:
        t.clamp_(-s.x, s.x);
        break;
      case Do::masked_fill_:
        t.masked_fill_(in(s, 1) > 0.3, s.x);
        break;
      case Do::masked_fill_tensor:
        t.masked_fill_(in(s, 1) > 0.3, in(s, 2));
        break;
      case Do::index_put_:
        t.index_put_(taking(s, 1), in(s, 1), s.n[1] != 0);
        break;
      case Do::assign_taken:
        t.index(taking(s, 0)) = in(s, 1);
        break;
      case Do::index_add_:
        t.index_add_(s.n[0], taken_indices(s, 0), in(s, 1));
        break;
      case Do::index_copy_:
        t.index_copy_(s.n[0], taken_indices(s, 0), in(s, 1));
        break;
      case Do::index_fill_:
        t.index_fill_(s.n[0], taken_indices(s, 0), s.x);
        break;
      case Do::assign:
        t.index(index_list(s.n)) = in(s, 1);
        break;
      case Do::assign_number:
        t.index(index_list(s.n)) = s.x;
        break;
      default:
        if (dtype_ == f64)
          t.mutable_data<double>()[s.n[0]] = s.x;
        else
          t.mutable_data<float>()[s.n[0]] = static_cast<float>(s.x);
    }
  }

  // ---- the call

  void call(const Call& c) {
    Tensors args;
    for (int id : c.arguments) args.push_back(values_[static_cast<size_t>(id)]);
    Function f = level(c, 0);
    Tensors results;
    try {
      for (int i = 0; i < c.times; ++i) results = f(args);
    } catch (const Error& e) {
      throw Differs{std::string("the call failed: ") + e.what()};
    }
    for (size_t i = 0; i < results.size(); ++i)
      values_[static_cast<size_t>(c.results[i])] = expected_.cloned[i] ? results[i].clone() : results[i];
  }

  Tensors body(const Call& c, const Tensors& args) {
    for (size_t i = 0; i < args.size(); ++i) values_[static_cast<size_t>(c.parameters[i])] = args[i];
    for (const Step& s : c.body) step(s);
    Tensors results;
    for (int id : c.returned) results.push_back(values_[static_cast<size_t>(id)]);
    // Nothing of the trace outlives it.
    for (int id : c.parameters) values_[static_cast<size_t>(id)] = Tensor();
    for (const Step& s : c.body) values_[static_cast<size_t>(s.id)] = Tensor();
    return results;
  }

  Tensor weights(size_t k, const Shape& shape) const {
    std::vector<double> elements;
    for (int64_t i = 0; i < shape.numel(); ++i) elements.push_back(weight(k, i));
    return constant(elements, Ints(shape.begin(), shape.end()));
  }
  Tensors all_weights(const Tensors& like) const {
    Tensors result;
    for (size_t k = 0; k < like.size(); ++k) result.push_back(weights(k, like[k].shape()));
    return result;
  }

  Function level(const Call& c, size_t i) {
    if (i == c.levels.size()) return [this, &c](const Tensors& args) { return body(c, args); };
    Function inner = level(c, i + 1);
    const Call::Level& how = c.levels[i];
    switch (how.mode) {
      case Mode::jit:
        return jit(inner);
      case Mode::functionalize:
        return functionalize(inner);
      case Mode::functionalize_views:
        return functionalize(inner, {.remove = Remove::mutations_and_views});
      case Mode::vmap: {
        VmapOptions options;
        DimTree dims(std::initializer_list<DimTree>{});
        for (int64_t d : how.in_dims) dims.children.push_back(d < 0 ? DimTree(none) : DimTree(d));
        options.in_dims = DimTree(std::initializer_list<DimTree>{dims});
        options.out_dims = how.lanes_last ? -1 : 0;
        if (how.chunk) options.chunk_size = how.chunk;
        return vmap(inner, options);
      }
      case Mode::grad:
        return [this, inner](const Tensors& args) {
          auto f = [&](const Tensor& x, const Tensors& rest) {
            Tensors all = {x}, results;
            all.insert(all.end(), rest.begin(), rest.end());
            results = inner(all);
            Tensor total = zeros({}, dtype_);
            for (size_t k = 0; k < results.size(); ++k)
              total = total + (results[k] * weights(k, results[k].shape())).sum();
            return total;
          };
          return Tensors{grad(f)(args[0], Tensors(args.begin() + 1, args.end()))};
        };
      case Mode::jvp:
        return [this, inner](const Tensors& args) {
          auto [results, tangents_out] = jvp(inner, primals(args), tangents(all_weights(args)));
          results.insert(results.end(), tangents_out.begin(), tangents_out.end());
          return results;
        };
      case Mode::vjp:
        return [this, inner](const Tensors& args) {
          auto [results, pullback] = vjp(inner, args);
          auto [gradients] = pullback(all_weights(results));
          Tensors all = results;
          all.insert(all.end(), gradients.begin(), gradients.end());
          return all;
        };
    }
    return inner;
  }

  const Program& p_;
  const Outcome& expected_;
  DType dtype_;
  std::vector<Tensor> values_;
  std::unique_ptr<Worker> worker_;
  size_t next_ = 0;
};

// Without the steps for which keep says no; false where what is left makes no sense.
template <class F>
Program without(const Program& p, F keep) {
  Program r = p;
  std::erase_if(r.before, [&](const Step& s) { return !keep(s.id); });
  std::erase_if(r.after, [&](const Step& s) { return !keep(s.id); });
  if (r.call) std::erase_if(r.call->body, [&](const Step& s) { return !keep(s.id); });
  return r;
}

// The beginning of a complaint, which tells what kind it is; empty also where the program makes no sense.
std::string complaint(const Program& p) {
  bool reads = p.call && std::ranges::any_of(p.call->body, [](const Step& s) { return s.what == Do::read; });
  if (reads && p.call->levels[0].mode == Mode::jit) return {};
  try {
    return check(p).substr(0, 12);
  } catch (const Unclear&) {
    return {};
  }
}

}  // namespace

std::string check(const Program& p) {
  Outcome expected = run_model(p);
  try {
    Runner(p, expected).run();
  } catch (const Differs& d) {
    return d.what;
  } catch (const std::exception& e) {
    return std::string("failed: ") + e.what();
  }
  return {};
}

std::optional<RecordedBody> record_body(Program p) {
  if (!p.call) return {};
  Call& c = *p.call;
  for (const Call::Level& l : c.levels)
    if (l.mode == Mode::vmap) return {};
  c.levels.assign(1, {Mode::jit});
  c.times = 1;
  p.after.clear();
  c.results.clear();
  for (size_t i = 0; i < c.returned.size(); ++i) c.results.push_back(p.num_values++);
  std::erase_if(c.body, [](const Step& s) { return s.what == Do::read; });
  RecordedBody r;
  try {
    r.expected = run_function(p);
    Outcome outcome = run_model(p);
    Recording recording = Runner(p, outcome).record();
    r.graph = std::move(recording.graph);
    for (const Binding& b : recording.bindings) {
      r.arguments.push_back(b.kind == Binding::Kind::argument ? static_cast<int>(b.argument) : -1);
      r.inputs.push_back(r.arguments.back() < 0 ? b.capture.to_vector<double>()
                                                : r.expected.arguments[b.argument].elements);
    }
  } catch (const Unclear&) {
    return {};
  } catch (const Differs&) {
    return {};
  }
  r.tolerance = p.tolerance();
  return r;
}

Program shrink(Program p) {
  const std::string kind = complaint(p);
  for (bool smaller = true; smaller;) {
    smaller = false;
    auto attempt = [&](Program candidate) {
      if (complaint(candidate) != kind) return;
      p = std::move(candidate);
      smaller = true;
    };
    std::vector<int> ids;
    for (const std::vector<Step>* steps : {&p.before, &p.after})
      for (const Step& s : *steps) ids.push_back(s.id);
    if (p.call)
      for (const Step& s : p.call->body) ids.push_back(s.id);
    for (size_t i = ids.size(); i-- > 0;) attempt(without(p, [&](int id) { return id != ids[i]; }));
    if (!p.call) continue;
    Program bare = p;
    bare.call.reset();
    attempt(std::move(bare));
    if (!p.call) continue;
    Program once = p;
    once.call->times = 1;
    if (p.call->times > 1) attempt(std::move(once));
    for (size_t i = 0; p.call->levels.size() > 1 && i < p.call->levels.size(); ++i) {
      Program flatter = p;
      if (flatter.call->levels[i].mode == Mode::vmap) continue;
      flatter.call->levels.erase(flatter.call->levels.begin() + static_cast<int64_t>(i));
      size_t results = flatter.call->returned.size();
      for (size_t l = flatter.call->levels.size(); l-- > 0;) {
        Mode m = flatter.call->levels[l].mode;
        results = m == Mode::grad  ? 1
                  : m == Mode::jvp ? 2 * results
                  : m == Mode::vjp ? results + flatter.call->arguments.size()
                                   : results;
      }
      while (flatter.call->results.size() < results) flatter.call->results.push_back(flatter.num_values++);
      attempt(std::move(flatter));
    }
    for (size_t i = 0; p.call->returned.size() > 1 && i < p.call->returned.size(); ++i) {
      Program fewer = p;
      fewer.call->returned.erase(fewer.call->returned.begin() + static_cast<int64_t>(i));
      attempt(std::move(fewer));
    }
  }
  return p;
}

}  // namespace jot::test::mutation
