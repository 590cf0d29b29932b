#include <map>
#include <random>

#include "tests/fuzz/mutation_call.h"

namespace jot::test::mutation {

namespace {

constexpr int64_t kMostElements = 30;
constexpr int64_t kMostDims = 4;

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed * 0x9e3779b97f4a7c15 + 1) { p_.seed = seed; }

  Program make(int steps) {
    p_.single = chance(8);
    workers_ = chance(6);
    auto run = std::make_unique<ModelRun>(p_);
    bool called = !chance(4);
    int before = called ? steps / 4 : steps / 2;
    for (int i = 0; i < before; ++i) p_.before.push_back(proposed(*run));
    if (called) add_call(*run, steps / 2);
    while (static_cast<int>(p_.size()) < steps + 4) p_.after.push_back(proposed(*run));
    p_.num_values = next_id_;
    return std::move(p_);
  }

 private:
  size_t below(size_t n) { return static_cast<size_t>(random_() % n); }
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<size_t>(high - low + 1)));
  }
  bool chance(size_t n) { return below(n) == 0; }
  double number() { return static_cast<double>(between(-12, 12)) / 8; }

  // ---- steps

  // A step that the model can judge; it has been done.
  Step proposed(ModelRun& run) {
    values_ = &run.values;
    for (int attempt = 0;; ++attempt) {
      Step s = attempt < 60 ? step() : Step{Do::constant, {}, {2, 3}, number() * 8};
      s.id = next_id_;
      s.worker = workers_ && !inside_ && chance(3);
      size_t events = run.outcome.events.size();
      try {
        bool refused = run.step(s);
        if (refused && !chance(8)) {
          run.outcome.events.resize(events);
          continue;
        }
      } catch (const Unclear&) {
        continue;
      }
      ++next_id_;
      return s;
    }
  }

  const Array<double>& at(int id) const { return (*values_)[static_cast<size_t>(id)]; }
  template <class F>
  int pick_if(F f) {
    std::vector<int> ids;
    for (size_t id = 0; id < values_->size(); ++id)
      if ((*values_)[id].store && f((*values_)[id])) ids.push_back(static_cast<int>(id));
    if (ids.empty()) throw Unclear();
    // New ones more often.
    size_t back = std::min(below(ids.size()), below(ids.size()));
    return ids[ids.size() - 1 - back];
  }
  int pick() {
    return pick_if([](const auto&) { return true; });
  }
  int pick_with_dims(size_t rank = 1) {
    return pick_if([&](const auto& a) { return a.rank() >= rank; });
  }
  int64_t dim_of(int id) {
    int64_t d = between(0, static_cast<int64_t>(at(id).rank()) - 1);
    return chance(4) ? d - static_cast<int64_t>(at(id).rank()) : d;
  }
  int64_t extent(int id, int64_t d) const {
    return at(id).shape[static_cast<size_t>(d < 0 ? d + static_cast<int64_t>(at(id).rank()) : d)];
  }
  Ints shape() {
    Ints s;
    int64_t n = 1;
    for (int64_t d = between(0, 3); d > 0; --d) {
      int64_t extent = chance(25) ? 0 : between(1, 4);
      if (n * extent > kMostElements) extent = 1;
      s.push_back(extent);
      n *= extent;
    }
    return s;
  }

  Step step() {
    size_t kind = below(20);
    try {
      if (kind < 4) return creation();
      if (kind < 11) return view();
      if (kind < 17) return write();
      if (kind < 18 && !inside_ && chance(2)) return {Do::drop, {pick()}};
      if (kind < 19 && reads_) return {Do::read, {pick()}};
      return view();
    } catch (const Unclear&) {
      return {Do::constant, {}, shape(), number() * 8};
    }
  }

  Step creation() {
    switch (below(13)) {
      case 0:
      case 1:
        return {Do::constant, {}, shape(), number() * 8};
      case 2:
        return {Do::zeros, {}, shape()};
      case 3:
        return binary(Do::add);
      case 4:
        return binary(Do::sub);
      case 5:
        return binary(Do::mul);
      case 6:
        return binary(Do::maximum);
      case 7:
        return {Do::sin, {pick()}};
      case 8:
        return {Do::scale, {pick()}, {}, number()};
      case 9: {
        int a = pick_with_dims();
        return {Do::sum, {a}, {between(0, static_cast<int64_t>(at(a).rank()) - 1), between(0, 1)}};
      }
      case 10: {
        int a = pick_with_dims();
        if (at(a).numel() > kMostElements / 2) return {Do::clone, {a}};
        int b = pick_if([&](const auto& x) { return x.shape == at(a).shape; });
        return {Do::concat, {a, b}, {between(0, static_cast<int64_t>(at(a).rank()) - 1)}};
      }
      case 11: {
        int a = pick();
        auto same = [&](const auto& x) { return x.shape == at(a).shape; };
        return {Do::where, {pick_if(same), pick_if(same), a}, {}, 0.3};
      }
      default: {
        int a = pick_with_dims();
        Step s{Do::take, {a}, {between(0, static_cast<int64_t>(at(a).rank()) - 1)}};
        if (extent(a, s.n[0]) == 0 || at(a).numel() > kMostElements / 2) return {Do::clone, {a}};
        for (int64_t i = between(1, 3); i > 0; --i) s.n.push_back(an_index(extent(a, s.n[0])));
        return s;
      }
    }
  }
  Step binary(Do what) {
    int a = pick(), b = pick();
    return {what, {a, b}};
  }
  int64_t an_index(int64_t n) { return between(-n, n - 1); }

  Step view() {
    switch (below(25)) {
      case 22: {
        int a = pick_with_dims();
        int64_t d = between(0, static_cast<int64_t>(at(a).rank()) - 1);
        Ints parts = another_shape(extent(a, d));
        if (parts.empty() || at(a).rank() + parts.size() > kMostDims + 1 || std::ranges::count(parts, -1))
          return {Do::detach, {a}};
        parts.insert(parts.begin(), d);
        return {Do::unflatten, {a}, parts};
      }
      case 23: {
        int a = pick_if([](const auto& x) { return x.rank() > 0 && x.rank() < kMostDims; });
        int64_t d = dim_of(a);
        return {Do::unfold, {a}, {d, between(1, std::max<int64_t>(1, extent(a, d))), between(1, 3)}};
      }
      case 24: {
        int a = pick();
        Ints n = shape(), strides;
        int64_t rank = static_cast<int64_t>(n.size());
        for (int64_t d = 0; d < rank; ++d) strides.push_back(between(0, 5));
        n.insert(n.begin(), rank);
        n.insert(n.end(), strides.begin(), strides.end());
        n.push_back(between(0, 4));
        return {Do::as_strided, {a}, n};
      }
      case 0:
      case 1: {
        int a = pick_with_dims();
        int64_t d = dim_of(a);
        if (extent(a, d) == 0) return {Do::detach, {a}};
        return {Do::select, {a}, {d, an_index(extent(a, d))}};
      }
      case 2:
      case 3:
      case 4: {
        int a = pick_with_dims();
        int64_t d = dim_of(a), n = extent(a, d);
        return {Do::slice, {a}, {d, between(-1, n), between(0, n + 1), between(1, 3)}};
      }
      case 5: {
        int a = pick_with_dims();
        int64_t d = dim_of(a), n = extent(a, d), start = between(0, n);
        return {Do::narrow, {a}, {d, start, between(0, n - start)}};
      }
      case 6: {
        int a = pick_with_dims();
        return {Do::transpose, {a}, {dim_of(a), dim_of(a)}};
      }
      case 7: {
        int a = pick();
        Ints perm(at(a).rank());
        for (size_t d = 0; d < perm.size(); ++d) perm[d] = static_cast<int64_t>(d);
        std::shuffle(perm.begin(), perm.end(), random_);
        return {Do::permute, {a}, perm};
      }
      case 8: {
        int a = pick_with_dims();
        return {Do::movedim, {a}, {dim_of(a), dim_of(a)}};
      }
      case 9:
        return {Do::t, {pick_if([](const auto& x) { return x.rank() <= 2; })}};
      case 10:
      case 11:
      case 12: {
        int a = pick();
        return {below(2) ? Do::view : Do::reshape, {a}, another_shape(at(a).numel())};
      }
      case 13: {
        int a = pick_with_dims();
        int64_t rank = static_cast<int64_t>(at(a).rank()), first = between(0, rank - 1);
        return {Do::flatten, {a}, {first, between(first, rank - 1)}};
      }
      case 14: {
        int a = pick_if([](const auto& x) { return x.rank() < kMostDims; });
        Ints wide = at(a).shape;
        for (int64_t& d : wide) d = d == 1 && chance(2) ? between(1, 3) : chance(4) ? -1 : d;
        if (chance(2)) wide.insert(wide.begin(), between(1, 2));
        return {Do::expand, {a}, wide};
      }
      case 15: {
        int a = pick_with_dims();
        return {Do::squeeze, {a}, chance(2) ? Ints{} : Ints{dim_of(a)}};
      }
      case 16: {
        int a = pick_if([](const auto& x) { return x.rank() < kMostDims; });
        return {Do::unsqueeze, {a}, {between(0, static_cast<int64_t>(at(a).rank()))}};
      }
      case 17: {
        int a = pick_with_dims(2);
        int64_t rank = static_cast<int64_t>(at(a).rank()), row = between(0, rank - 1);
        int64_t column = (row + between(1, rank - 1)) % rank;
        return {Do::diagonal, {a}, {between(-2, 2), row, column}};
      }
      case 18:
        return {chance(2) ? Do::detach : Do::contiguous, {pick()}};
      case 19: {
        int a = pick_with_dims();
        int64_t d = dim_of(a), n = extent(a, d);
        if (n == 0) return {Do::detach, {a}};
        int64_t size = between(1, n), parts = (n + size - 1) / size;
        if (chance(2)) return {Do::split, {a}, {size, d, between(0, parts - 1)}};
        int64_t chunks = between(1, n), each = (n + chunks - 1) / chunks;
        return {Do::chunk, {a}, {chunks, d, between(0, (n + each - 1) / each - 1)}};
      }
      case 20: {
        int a = pick_with_dims();
        int64_t d = dim_of(a), n = extent(a, d);
        if (n == 0) return {Do::detach, {a}};
        return {Do::unbind, {a}, {d, between(0, n - 1)}};
      }
      default: {
        int a = pick_with_dims();
        return {Do::index, {a}, index_list(a)};
      }
    }
  }
  Ints another_shape(int64_t n) {
    Ints s;
    for (int64_t rest = n; rest > 1;) {
      int64_t d = between(1, std::min<int64_t>(rest, 6));
      while (rest % d) --d;
      s.push_back(d);
      rest /= d;
      if (s.size() == 3 && rest > 1) {
        s.push_back(rest);
        break;
      }
    }
    if (n == 0) s = {0, 2};
    if (s.size() < 3 && chance(3)) s.insert(s.begin() + between(0, static_cast<int64_t>(s.size())), 1);
    if (!s.empty() && n > 0 && chance(4)) s[below(s.size())] = -1;
    std::ranges::shuffle(s, random_);
    return s;
  }
  Ints index_list(int a) {
    Ints n;
    auto add = [&](int64_t kind, int64_t x = 0, int64_t y = 0, int64_t z = 1) { n.insert(n.end(), {kind, x, y, z}); };
    size_t used = 0, made = 0;
    bool ellipsis = false;
    while (used < at(a).rank() && (n.empty() || !chance(3))) {
      size_t what = below(8);
      int64_t extent = ellipsis ? 0 : at(a).shape[used];
      if (what == 0 && made < 2) {
        add(kNewAxis);
        ++made;
      } else if (what == 1 && !ellipsis && !chance(3)) {
        // What follows counts from the end: only the ellipsis itself, or new axes.
        add(kEllipsis);
        ellipsis = true;
      } else if (ellipsis) {
        break;
      } else if (what < 5 && extent > 0) {
        add(kInteger, an_index(extent));
        ++used;
      } else {
        add(kSlice, between(-1, extent), between(0, extent + 1), between(1, 2));
        ++used;
      }
    }
    if (n.empty()) add(kEllipsis);
    return n;
  }

  Step write() {
    int a = pick();
    auto fits = [&](const Ints& shape) {
      return pick_if([&](const auto& x) {
        try {
          broadcast(x, shape);
          return true;
        } catch (const Refused&) {
          return false;
        }
      });
    };
    auto operand = [&](const Ints& shape) { return chance(15) ? pick() : fits(shape); };
    auto zero_d = [&] { return pick_if([](const auto& x) { return x.rank() == 0; }); };
    switch (below(24)) {
      case 0:
      case 1:
        return {Do::add_, {a, operand(at(a).shape)}};
      case 2:
        return {Do::sub_, {a, operand(at(a).shape)}};
      case 3:
        return {Do::mul_, {a, operand(at(a).shape)}};
      case 4:
        return {Do::maximum_, {a, operand(at(a).shape)}};
      case 5:
      case 6:
        return {Do::add_number_, {a}, {}, number()};
      case 7:
        return {Do::scale_, {a}, {}, number()};
      case 8:
        return {Do::divide_, {a}, {}, chance(2) ? 2.0 : -4.0};
      case 9:
        return {chance(2) ? Do::neg_ : Do::square_, {a}};
      case 10:
        return {Do::sin_, {a}};
      case 11:
      case 12:
        return {Do::copy_, {a, operand(at(a).shape)}};
      case 13:
        return {Do::copy_number_, {a}, {}, number()};
      case 14:
        return {Do::fill_, {a}, {}, number()};
      case 15:
        return {Do::fill_0d, {a, zero_d()}};
      case 16:
        return {chance(2) ? Do::zero_ : Do::clamp_, {a}, {}, 0.7};
      case 17:
        return {Do::masked_fill_, {a, fits(at(a).shape)}, {}, number()};
      case 18:
        return {Do::masked_fill_tensor, {a, fits(at(a).shape), zero_d()}};
      case 19:
      case 20:
        return put();
      case 21: {
        a = pick_with_dims();
        if (inside_ || chance(2) || !at(a).contiguous() || at(a).numel() == 0)
          return {Do::assign_number, {a}, index_list(a), number()};
        return {Do::poke, {a}, {between(0, at(a).numel() - 1)}, number()};
      }
      default: {
        a = pick_with_dims();
        Step s{Do::assign, {a}, index_list(a)};
        s.in.push_back(operand(make_view(s, at(a))->shape));
        return s;
      }
    }
  }
  Step put() {
    int a = pick_with_dims();
    int64_t d = between(0, static_cast<int64_t>(at(a).rank()) - 1), n = extent(a, d);
    if (n == 0) return {Do::zero_, {a}};
    bool accumulate = chance(2);
    Step s{accumulate || chance(2) ? Do::index_put_ : Do::assign_taken, {a}, {d}};
    bool named = chance(2);  // index_add_ and its kin
    if (named) s.what = accumulate ? Do::index_add_ : chance(2) ? Do::index_copy_ : Do::index_fill_;
    if (s.what == Do::index_put_) s.n.push_back(accumulate);
    Ints indices, part = at(a).shape;
    for (int64_t i = 0; i < n; ++i) indices.push_back(chance(2) ? i : i - n);
    std::ranges::shuffle(indices, random_);
    indices.resize(static_cast<size_t>(between(1, n)));
    if (accumulate && chance(2)) indices.push_back(indices[0]);
    s.n.insert(s.n.end(), indices.begin(), indices.end());
    part[static_cast<size_t>(d)] = static_cast<int64_t>(indices.size());
    s.x = number();
    if (s.what == Do::index_fill_) return s;
    if (named) {
      s.in.push_back(pick_if([&](const auto& x) { return x.shape == part; }));
      return s;
    }
    s.in.push_back(pick_if([&](const auto& x) {
      try {
        broadcast(x, part);
        return true;
      } catch (const Refused&) {
        return false;
      }
    }));
    return s;
  }

  // ---- calls

  void add_call(ModelRun& run, int steps) {
    for (int attempt = 0; attempt < 20; ++attempt) {
      auto call = std::make_unique<Call>();
      size_t events = run.outcome.events.size();
      int first_id = next_id_;
      values_ = &run.values;
      // The model writes in place: what a failed attempt has changed is put back.
      std::map<Store<double>*, Store<double>> kept;
      for (const auto& a : run.values)
        if (a.store) kept.emplace(a.store.get(), *a.store);
      try {
        choose_arguments(*call);
        choose_levels(*call);
        make_body(*call, run.values, steps);
        p_.call = std::move(call);
        p_.num_values = next_id_;
        run.values.resize(static_cast<size_t>(next_id_));
        count_results(*p_.call);
        run.values.resize(static_cast<size_t>(next_id_));
        run.call();
        return;
      } catch (const Unclear&) {
      }
      p_.call.reset();
      next_id_ = first_id;
      run.values.resize(static_cast<size_t>(first_id));
      run.outcome.events.resize(events);
      for (auto& [store, was] : kept) *store = was;
    }
  }

  void choose_arguments(Call& c) {
    for (int64_t n = between(1, 3); n > 0; --n) {
      c.arguments.push_back(pick());
      c.parameters.push_back(next_id_++);
    }
  }

  void choose_levels(Call& c) {
    std::vector<Ints> shapes;
    bool shared = false;
    for (size_t i = 0; i < c.arguments.size(); ++i) {
      shapes.push_back(at(c.arguments[i]).shape);
      for (size_t k = 0; k < i; ++k) shared |= at(c.arguments[i]).store == at(c.arguments[k]).store;
    }
    int derivatives = 0;
    for (int64_t n = between(1, 3); n > 0; --n) {
      size_t m = below(9);
      Call::Level level{m < 1   ? Mode::jit
                        : m < 2 ? Mode::functionalize
                        : m < 3 ? Mode::functionalize_views
                        : m < 5 ? Mode::vmap
                        : m < 7 ? Mode::grad
                        : m < 8 ? Mode::jvp
                                : Mode::vjp};
      if (c.levels.empty() && chance(3)) level.mode = Mode::jit;
      bool derivative = level.mode == Mode::grad || level.mode == Mode::jvp || level.mode == Mode::vjp;
      if (shared && (derivative || level.mode == Mode::vmap)) continue;
      if (derivative && (derivatives == 2 || (derivatives == 1 && !chance(3)))) continue;
      derivatives += derivative;
      if (level.mode == Mode::vmap && !map_lanes(level, shapes)) continue;
      c.levels.push_back(level);
    }
    if (c.levels.empty()) c.levels.push_back({chance(2) ? Mode::jit : Mode::functionalize});
    c.times = chance(2) ? 2 : 1;
  }
  bool map_lanes(Call::Level& level, std::vector<Ints>& shapes) {
    std::vector<std::pair<size_t, size_t>> places;
    for (size_t i = 0; i < shapes.size(); ++i)
      for (size_t d = 0; d < shapes[i].size(); ++d)
        if (shapes[i][d] > 0) places.emplace_back(i, d);
    if (places.empty()) return false;
    auto [first, at] = places[below(places.size())];
    int64_t lanes = shapes[first][at];
    level.in_dims.assign(shapes.size(), -1);
    for (size_t i = 0; i < shapes.size(); ++i) {
      std::vector<size_t> dims;
      for (size_t d = 0; d < shapes[i].size(); ++d)
        if (shapes[i][d] == lanes) dims.push_back(d);
      if (i == first)
        level.in_dims[i] = static_cast<int64_t>(at);
      else if (!dims.empty() && !chance(4))
        level.in_dims[i] = static_cast<int64_t>(dims[below(dims.size())]);
      if (level.in_dims[i] >= 0) shapes[i].erase(shapes[i].begin() + level.in_dims[i]);
    }
    level.lanes_last = chance(3);
    if (chance(4)) level.chunk = between(1, lanes);
    return true;
  }

  // The body is made on what it would see in the first lane, without derivatives.
  void make_body(Call& c, const Values<double>& outer, int steps) {
    Values<double> args;
    for (int id : c.arguments) args.push_back(at(id));
    Program inner_program;
    inner_program.single = p_.single;
    ModelRun inner(inner_program);
    inner.values.resize(outer.size());
    bool jitted = c.levels[0].mode == Mode::jit, frozen = false;
    unsigned mapped = 0;
    for (size_t l = 0; l < c.levels.size(); ++l) {
      const Call::Level& level = c.levels[l];
      if (level.mode == Mode::vmap) {
        mapped |= 1u << l;
        for (size_t i = 0; i < args.size(); ++i)
          args[i] = CallModel<double>::lane_argument(l, args[i], level.in_dims[i], 0);
      } else if (level.mode == Mode::jit || level.mode == Mode::functionalize ||
                 level.mode == Mode::functionalize_views) {
        args = CallModel<double>::entered(args);
      } else {
        frozen = true;
        for (auto& a : args) a = CallModel<double>::isolated(a);
      }
    }
    std::map<Store<double>*, std::shared_ptr<Store<double>>> stores;
    std::set<Store<double>*> of_arguments;
    for (int id : c.arguments) of_arguments.insert(at(id).store.get());
    for (size_t id = 0; id < outer.size(); ++id) {
      const auto& a = outer[id];
      // What a capture shares with an argument is left out.
      if (!a.store || of_arguments.contains(a.store.get())) continue;
      auto& store = stores[a.store.get()];
      if (!store) store = std::make_shared<Store<double>>(*a.store);
      store->fixed = mapped;
      store->frozen = frozen;
      inner.values[id] = a;
      inner.values[id].store = store;
    }
    // Arguments that share a store write to a copy, too.
    std::map<Store<double>*, std::shared_ptr<Store<double>>> copies;
    inner.values.resize(static_cast<size_t>(next_id_));
    for (size_t i = 0; i < args.size(); ++i) {
      auto& store = copies[args[i].store.get()];
      if (!store) store = std::make_shared<Store<double>>(*args[i].store);
      args[i].store = store;
      inner.values[static_cast<size_t>(c.parameters[i])] = args[i];
    }
    inside_ = true;
    reads_ = !jitted;
    for (int i = 0; i < steps; ++i) c.body.push_back(proposed(inner));
    for (int64_t n = between(1, 3); n > 0; --n) c.returned.push_back(pick());
    inside_ = false;
    reads_ = true;
    std::set<int> used(c.returned.begin(), c.returned.end());
    for (const Step& s : c.body) used.insert(s.in.begin(), s.in.end());
    for (int id : used)
      if (id < c.parameters[0]) c.captured.push_back(id);
  }

  // Ids of the tensors that the call gives.
  void count_results(Call& c) {
    size_t n = c.returned.size();
    for (size_t l = c.levels.size(); l-- > 0;) {
      Mode m = c.levels[l].mode;
      n = m == Mode::grad ? 1 : m == Mode::jvp ? 2 * n : m == Mode::vjp ? n + c.arguments.size() : n;
    }
    for (size_t i = 0; i < n; ++i) c.results.push_back(next_id_++);
  }

  std::mt19937_64 random_;
  Program p_;
  int next_id_ = 0;
  Values<double>* values_ = nullptr;
  bool inside_ = false, reads_ = true, workers_ = false;
};

}  // namespace

Program generate(uint64_t seed, int steps) { return Generator(seed).make(steps); }

}  // namespace jot::test::mutation
