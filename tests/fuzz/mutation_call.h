// What a call under transforms means, in the model.
#pragma once
#include <map>
#include <utility>

#include "tests/fuzz/mutation_model.h"

namespace jot::test::mutation {

// The weights by which a derivative sums a result, and tangents: element i of tensor k.
inline double weight(size_t k, int64_t i) {
  return static_cast<double>((i * 3 + static_cast<int64_t>(k) * 7) % 5 - 2) * 0.5 + 0.25;
}

// The elements of several tensors as one list, copies and views kept apart.
template <class S>
using Values = std::vector<Array<S>>;

template <class S>
class CallModel {
 public:
  // Events of the first run of the body go to the log.
  CallModel(const Call& call, bool single, std::vector<Event>* log) : call_(call), single_(single), log_(log) {}

  // outer: what the caller's ids are; the body sees those that are captured.
  Values<S> run(size_t level, Values<S>& outer, const Values<S>& args) {
    if (level == call_.levels.size()) return body(outer, args);
    switch (call_.levels[level].mode) {
      case Mode::jit:
      case Mode::functionalize:
      case Mode::functionalize_views:
        return once(level, outer, args);
      case Mode::vmap:
        return lanes(level, outer, args);
      default:
        if constexpr (depth<S> < 2)
          return derivative(level, outer, args);
        else
          throw Unclear();
    }
  }

  // Arguments as a level's function gets them: copies of that layout, but of those that share a store the parts of it.
  static Values<S> entered(const Values<S>& args) {
    Values<S> inner;
    for (const Array<S>& a : args)
      inner.push_back(std::ranges::count(args, a.store, &Array<S>::store) > 1 ? a : isolated(a));
    return inner;
  }
  static Array<S> isolated(const Array<S>& a) {
    Array<S> copy = same_layout(a, [](const S& s) { return s; });
    copy.store->fixed = a.store->fixed;
    copy.store->frozen = a.store->frozen || a.repeated;  // could not be written back
    return copy;
  }
  // The part of an argument that a lane sees.
  static Array<S> lane_of(const Array<S>& a, int64_t dim, int64_t lane) {
    Array<S> part = a;
    part.offset += lane * a.strides[static_cast<size_t>(dim)];
    part.shape.erase(part.shape.begin() + dim);
    part.strides.erase(part.strides.begin() + dim);
    return part;
  }
  static Array<S> lane_argument(size_t level, const Array<S>& a, int64_t dim, int64_t lane) {
    Array<S> copy = isolated(dim < 0 ? a : lane_of(a, dim, lane));
    (dim < 0 ? copy.store->fixed : copy.store->lanes) |= 1u << level;
    return copy;
  }

 private:
  // f of the elements, in a store of their own.
  template <class F, class R = std::invoke_result_t<F, S>>
  static Array<R> same_layout(const Array<S>& a, F f) {
    bool apart = !a.overlapping() && !a.store->repeats, packed = a.contiguous() || !apart;
    std::vector<R> elements;
    for (const S& s : packed ? a.elements() : a.store->elements) elements.push_back(f(a.detached ? S(primal(s)) : s));
    Array<R> r = fresh(a.shape, std::move(elements), a.store->lanes);
    r.store->repeats = !apart;
    if (packed) return r;
    r.strides = a.strides;
    r.offset = a.offset;
    r.store->partial = true;
    return r;
  }

  Values<S> body(Values<S>& outer, const Values<S>& args) {
    for (size_t i = 0; i < args.size(); ++i) outer[static_cast<size_t>(call_.parameters[i])] = args[i];
    for (const Step& step : call_.body) {
      bool refused = false;
      try {
        apply(step, outer, single_);
      } catch (const Refused&) {
        refused = true;
      }
      if (log_ && (refused || step.what == Do::read)) log_->push_back(event(step, refused, outer));
    }
    log_ = nullptr;
    Values<S> results;
    for (int id : call_.returned) {
      results.push_back(outer[static_cast<size_t>(id)]);
      if (!results.back().store) throw Unclear();
    }
    return results;
  }
  static Event event(const Step& step, bool refused, const Values<S>& values) {
    Event e{step.id, refused};
    if (refused) return e;
    const Array<S>& a = values[static_cast<size_t>(step.in[0])];
    e.id = step.in[0];
    e.shape = a.shape;
    for (const S& s : a.elements()) e.elements.push_back(primal(s));
    return e;
  }

  static void assign(const Array<S>& to, const Array<S>& from) {
    std::vector<S> elements = from.elements();
    Ints positions = to.positions();
    for (size_t i = 0; i < positions.size(); ++i) to.store->elements[static_cast<size_t>(positions[i])] = elements[i];
    to.store->lanes |= from.store->lanes;
  }

  Values<S> once(size_t level, Values<S>& outer, const Values<S>& args) {
    Values<S> inner = entered(args);
    Values<S> results = run(level + 1, outer, inner);
    for (size_t i = 0; i < args.size(); ++i)
      if (inner[i].store != args[i].store) assign(args[i], inner[i]);
    for (Array<S>& r : results) r = copy_of(r);
    return results;
  }

  Values<S> lanes(size_t level, Values<S>& outer, const Values<S>& args) {
    const Call::Level& how = call_.levels[level];
    int64_t n = -1;
    for (size_t i = 0; i < args.size(); ++i)
      if (how.in_dims[i] >= 0) n = args[i].shape[static_cast<size_t>(how.in_dims[i])];
    for (int id : call_.captured) outer[static_cast<size_t>(id)].store->fixed |= 1u << level;
    std::map<Store<S>*, std::vector<S>> before;
    for (int id : call_.captured)
      before.emplace(outer[static_cast<size_t>(id)].store.get(), outer[static_cast<size_t>(id)].store->elements);
    std::vector<Values<S>> rows;
    for (int64_t lane = 0; lane < n; ++lane) {
      for (auto& [store, elements] : before) store->elements = elements;
      Values<S> inner;
      for (size_t i = 0; i < args.size(); ++i) inner.push_back(lane_argument(level, args[i], how.in_dims[i], lane));
      Values<S> results = run(level + 1, outer, inner);
      for (Array<S>& r : results) r = copy_of(r);
      rows.push_back(std::move(results));
      for (size_t i = 0; i < args.size(); ++i) {
        inner[i].store->lanes &= ~(1u << level);
        if (how.in_dims[i] >= 0)
          assign(lane_of(args[i], how.in_dims[i], lane), inner[i]);
        else if (lane + 1 == n)
          assign(args[i], inner[i]);
      }
    }
    for (int id : call_.captured) outer[static_cast<size_t>(id)].store->fixed &= ~(1u << level);
    Values<S> results;
    for (size_t k = 0; k < rows[0].size(); ++k) {
      Ints shape = rows[0][k].shape;
      size_t dim = how.lanes_last ? shape.size() : 0;
      shape.insert(shape.begin() + static_cast<int64_t>(dim), n);
      Array<S> all =
          fresh(shape, std::vector<S>(static_cast<size_t>(n * rows[0][k].numel()), S(0.0)), rows[0][k].store->lanes);
      all.store->lanes &= ~(1u << level);
      for (int64_t lane = 0; lane < n; ++lane)
        assign(lane_of(all, static_cast<int64_t>(dim), lane), rows[static_cast<size_t>(lane)][k]);
      all.store->lanes &= ~(1u << level);
      results.push_back(std::move(all));
    }
    return results;
  }

  // ---- derivatives: in dual numbers, one run for each element of a gradient

  using D = Dual<S>;
  static Array<D> lifted(const Array<S>& a) {
    Array<D> r = same_layout(a, [](const S& s) { return D(s, S(0.0)); });
    r.store->fixed = a.store->fixed;
    r.store->frozen = a.repeated;
    return r;
  }
  // The captures, which share their stores as before.
  Values<D> lifted_captures(const Values<S>& outer) const {
    Values<D> inner(outer.size());
    std::map<const Store<S>*, std::shared_ptr<Store<D>>> stores;
    for (int id : call_.captured) {
      const Array<S>& a = outer[static_cast<size_t>(id)];
      std::shared_ptr<Store<D>>& store = stores[a.store.get()];
      if (!store) {
        store = std::make_shared<Store<D>>();
        for (const S& s : a.store->elements) store->elements.push_back(D(s, S(0.0)));
        store->lanes = a.store->lanes;
        store->frozen = true;
      }
      inner[static_cast<size_t>(id)] = {store, a.shape, a.strides, a.offset, a.detached, a.repeated};
    }
    return inner;
  }
  static Array<S> part(const Array<D>& a, bool derivative) {
    std::vector<S> elements;
    for (const D& x : a.elements()) elements.push_back(derivative ? x.d : x.v);
    return fresh(a.shape, std::move(elements), a.store->lanes);
  }

  struct Run {
    Values<D> args, results;
  };
  template <class Seed>
  Run run_with(size_t level, const Values<S>& outer, const Values<S>& args, Seed seed) {
    Values<D> captures = lifted_captures(outer);
    Run r;
    for (size_t i = 0; i < args.size(); ++i) {
      r.args.push_back(lifted(args[i]));
      int64_t e = 0;
      for (int64_t at : r.args.back().positions())
        r.args.back().store->elements[static_cast<size_t>(at)].d = S(seed(i, e++));
    }
    CallModel<D> model(call_, single_, std::exchange(log_, nullptr));
    r.results = model.run(level + 1, captures, r.args);
    return r;
  }

  Values<S> derivative(size_t level, Values<S>& outer, const Values<S>& args) {
    Mode mode = call_.levels[level].mode;
    Values<S> results;
    if (mode == Mode::jvp) {
      Run r = run_with(level, outer, args, weight);
      for (const Array<D>& a : r.results) results.push_back(part(a, false));
      for (const Array<D>& a : r.results) results.push_back(part(a, true));
      return results;
    }
    Values<S> gradients;
    for (size_t i = 0; i < (mode == Mode::grad ? 1 : args.size()); ++i) {
      std::vector<S> gradient;
      unsigned lanes = args[i].store->lanes;
      // Of no elements: f runs all the same.
      for (int64_t e = 0; e < std::max<int64_t>(args[i].numel(), 1); ++e) {
        Run r = run_with(level, outer, args, [&](size_t k, int64_t at) { return k == i && at == e ? 1.0 : 0.0; });
        S total(0.0);
        for (size_t k = 0; k < r.results.size(); ++k) {
          std::vector<D> elements = r.results[k].elements();
          for (size_t at = 0; at < elements.size(); ++at)
            total = total + elements[at].d * S(weight(k, static_cast<int64_t>(at)));
          lanes |= r.results[k].store->lanes;
        }
        if (e < args[i].numel()) gradient.push_back(total);
        if (e + 1 < args[i].numel()) continue;
        if (mode == Mode::vjp && i == 0)
          for (const Array<D>& a : r.results) results.push_back(part(a, false));
        if (mode == Mode::grad)
          for (size_t k = 1; k < args.size(); ++k) assign(args[k], part(r.args[k], false));
      }
      gradients.push_back(fresh(args[i].shape, std::move(gradient), lanes));
    }
    results.insert(results.end(), gradients.begin(), gradients.end());
    return results;
  }

  template <class T>
  friend class CallModel;
  const Call& call_;
  bool single_;
  std::vector<Event>* log_;
};

// A program as it runs: what its ids are.
class ModelRun {
 public:
  explicit ModelRun(const Program& p) : values(static_cast<size_t>(p.num_values)), program_(p) {}

  // True if the library must refuse it.
  bool step(const Step& s);
  void call();
  Outcome finish();  // reads what is alive

  Values<double> values;
  Outcome outcome;

 private:
  const Program& program_;
};

}  // namespace jot::test::mutation
