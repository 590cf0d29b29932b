#include "tests/fuzz/mutation_model.h"

#include <numeric>

namespace jot::test::mutation {

namespace {

// ---- views

template <class S>
class Viewer {
 public:
  Viewer(const Step& step, const Array<S>& a) : n_(step.n), a_(a), r_(a) {}

  std::optional<Array<S>> run(Do what) {
    switch (what) {
      case Do::select:
        r_.offset += wrap(n_[1], a_.shape[dim(n_[0])]) * a_.strides[dim(n_[0])];
        erase(dim(n_[0]));
        break;
      case Do::slice:
        take(dim(n_[0]), n_[1], n_[2], n_[3]);
        break;
      case Do::narrow:
        take(dim(n_[0]), n_[1], n_[1] + n_[2], 1);
        break;
      case Do::transpose:
        std::swap(r_.shape[dim(n_[0])], r_.shape[dim(n_[1])]);
        std::swap(r_.strides[dim(n_[0])], r_.strides[dim(n_[1])]);
        break;
      case Do::t:
        std::ranges::reverse(r_.shape);
        std::ranges::reverse(r_.strides);
        break;
      case Do::permute:
        for (size_t d = 0; d < n_.size(); ++d) copy_dim(d, dim(n_[d]));
        break;
      case Do::movedim: {
        size_t from = dim(n_[0]), to = dim(n_[1]);
        erase(from);
        insert(to, a_.shape[from], a_.strides[from]);
        break;
      }
      case Do::view:
        if (a_.store->repeats) throw Unclear();
        return reshaped(inferred(n_));
      case Do::reshape:
        return reshaped(inferred(n_));
      case Do::flatten: {
        if (a_.rank() == 0) return reshaped({1});
        Ints shape(a_.shape.begin(), a_.shape.begin() + n_[0]);
        shape.push_back(1);
        for (int64_t d = n_[0]; d <= n_[1]; ++d) shape.back() *= a_.shape[static_cast<size_t>(d)];
        shape.insert(shape.end(), a_.shape.begin() + n_[1] + 1, a_.shape.end());
        return reshaped(shape);
      }
      case Do::expand:
        expand();
        break;
      case Do::squeeze:
        for (size_t d = a_.rank(); d-- > 0;)
          if (a_.shape[d] == 1 && (n_.empty() || dim(n_[0]) == d)) erase(d);
        break;
      case Do::unsqueeze:
        insert(static_cast<size_t>(n_[0]), 1, 0);
        break;
      case Do::diagonal: {
        size_t row = dim(n_[1]), column = dim(n_[2]);
        int64_t down = std::max<int64_t>(0, -n_[0]), right = std::max<int64_t>(0, n_[0]);
        int64_t length = std::max<int64_t>(0, std::min(a_.shape[row] - down, a_.shape[column] - right));
        if (length > 0) r_.offset += down * a_.strides[row] + right * a_.strides[column];
        erase(std::max(row, column));
        erase(std::min(row, column));
        insert(r_.rank(), length, a_.strides[row] + a_.strides[column]);
        break;
      }
      case Do::detach:
        r_.detached = true;
        break;
      case Do::split:
        take(dim(n_[1]), n_[2] * n_[0], (n_[2] + 1) * n_[0], 1);
        break;
      case Do::chunk: {
        int64_t size = std::max<int64_t>(1, (a_.shape[dim(n_[1])] + n_[0] - 1) / n_[0]);
        take(dim(n_[1]), n_[2] * size, (n_[2] + 1) * size, 1);
        break;
      }
      case Do::unbind:
        r_.offset += n_[1] * a_.strides[dim(n_[0])];
        erase(dim(n_[0]));
        break;
      case Do::index:
      case Do::assign:
      case Do::assign_number:
        index();
        break;
      case Do::contiguous:
        if (!a_.contiguous()) return {};
        break;
      case Do::unflatten: {
        size_t d = dim(n_[0]);
        int64_t step = a_.strides[d];
        erase(d);
        for (size_t i = n_.size(); i-- > 1; step *= n_[i]) insert(d, n_[i], step);
        break;
      }
      case Do::unfold: {
        size_t d = dim(n_[0]);
        if (n_[1] > a_.shape[d]) throw Refused();
        r_.shape[d] = (a_.shape[d] - n_[1]) / n_[2] + 1;
        r_.strides[d] *= n_[2];
        insert(r_.rank(), n_[1], a_.strides[d]);
        r_.repeated |= r_.overlapping();
        break;
      }
      case Do::as_strided: {
        auto rank = n_[0];
        r_.shape.assign(n_.begin() + 1, n_.begin() + 1 + rank);
        r_.strides.assign(n_.begin() + 1 + rank, n_.begin() + 1 + 2 * rank);
        r_.offset = n_.back();
        if (a_.detached || a_.store->partial || a_.store->repeats) throw Unclear();
        for (int64_t p : r_.positions())
          if (p >= static_cast<int64_t>(a_.store->elements.size())) throw Refused();
        r_.repeated = r_.overlapping();
        break;
      }
      default:
        throw std::logic_error("not a view");
    }
    return r_;
  }

 private:
  size_t dim(int64_t d) const { return static_cast<size_t>(d < 0 ? d + static_cast<int64_t>(a_.rank()) : d); }
  static int64_t wrap(int64_t i, int64_t extent) { return i < 0 ? i + extent : i; }
  void erase(size_t d) {
    r_.shape.erase(r_.shape.begin() + static_cast<int64_t>(d));
    r_.strides.erase(r_.strides.begin() + static_cast<int64_t>(d));
  }
  void insert(size_t d, int64_t extent, int64_t stride) {
    r_.shape.insert(r_.shape.begin() + static_cast<int64_t>(d), extent);
    r_.strides.insert(r_.strides.begin() + static_cast<int64_t>(d), stride);
  }
  void copy_dim(size_t to, size_t from) {
    r_.shape[to] = a_.shape[from];
    r_.strides[to] = a_.strides[from];
  }
  // Elements start, start + step, ... below stop, as Python counts them.
  void take(size_t d, int64_t start, int64_t stop, int64_t step) {
    int64_t n = r_.shape[d], count = 0;
    start = std::clamp<int64_t>(wrap(start, n), 0, n);
    stop = std::clamp<int64_t>(wrap(stop, n), 0, n);
    for (int64_t i = start; i < stop; i += step) ++count;
    if (count > 0) r_.offset += start * r_.strides[d];
    r_.shape[d] = count;
    r_.strides[d] *= step;
  }
  void expand() {
    size_t lead = n_.size() - a_.rank();
    r_.shape = n_;
    r_.strides.assign(n_.size(), 0);
    for (size_t d = 0; d < a_.rank(); ++d) {
      int64_t& extent = r_.shape[d + lead];
      if (extent == -1) extent = a_.shape[d];
      if (extent == a_.shape[d]) r_.strides[d + lead] = a_.strides[d];
    }
    r_.repeated |= r_.numel() > a_.numel();
  }
  void index() {
    size_t d = 0;
    size_t consumed = 0;
    for (size_t i = 0; i < n_.size(); i += 4) consumed += n_[i] == kInteger || n_[i] == kSlice;
    for (size_t i = 0; i < n_.size(); i += 4) {
      if (n_[i] == kInteger) {
        r_.offset += wrap(n_[i + 1], r_.shape[d]) * r_.strides[d];
        erase(d);
      } else if (n_[i] == kSlice) {
        take(d++, n_[i + 1], n_[i + 2], n_[i + 3]);
      } else if (n_[i] == kNewAxis) {
        insert(d++, 1, 0);
      } else {
        d += a_.rank() - consumed;
      }
    }
  }
  Ints inferred(Ints shape) const {
    int64_t known = 1, *open = nullptr;
    for (int64_t& d : shape) {
      if (d == -1)
        open = &d;
      else
        known *= d;
    }
    if (open) {
      if (known == 0 || a_.numel() % known != 0) throw Refused();
      *open = a_.numel() / known;
      known *= *open;
    }
    if (known != a_.numel()) throw Refused();
    return shape;
  }
  // A view if its elements can be reached by strides: tried out.
  std::optional<Array<S>> reshaped(const Ints& shape) const {
    Array<S> r = a_;
    r.shape = shape;
    r.strides = row_major_strides(shape);
    if (a_.numel() == 0) return r;
    Ints old = a_.positions(), index = row_major_strides(shape);
    for (size_t d = 0; d < shape.size(); ++d)
      if (shape[d] > 1) r.strides[d] = old[static_cast<size_t>(index[d])] - old[0];
    if (r.positions() != old) return {};
    return r;
  }

  const Ints& n_;
  const Array<S>& a_;
  Array<S> r_;
};

}  // namespace

template <class S>
std::optional<Array<S>> make_view(const Step& step, const Array<S>& a) {
  return Viewer<S>(step, a).run(step.what);
}

namespace {

// ---- steps

template <class S>
class Apply {
 public:
  Apply(const Step& step, std::vector<Array<S>>& values, bool single)
      : step_(step),
        values_(values),
        margin_(single ? 2e-3 : 1e-9),
        largest_(depth<S> > 0 ? 1e5
                 : single     ? 64
                              : 1e4) {
    for (int i : step.in) lanes_ |= operand_store(i).lanes;
  }

  void run() {
    switch (step_.what) {
      case Do::constant:
        return make(step_.n, constants());
      case Do::zeros:
        return make(step_.n, std::vector<S>(static_cast<size_t>(count(step_.n)), S(0.0)));
      case Do::add:
      case Do::sub:
      case Do::mul:
      case Do::maximum: {
        Ints shape = broadcast_shape(in(0).shape, in(1).shape);
        return make(shape, combined(broadcast(in(0), shape), broadcast(in(1), shape), binary(step_.what)));
      }
      case Do::sin:
        return make(in(0).shape, mapped([](const S& s) { return sine(s); }));
      case Do::scale:
        return make(in(0).shape, mapped([&](const S& s) { return s * S(step_.x); }));
      case Do::sum:
        return sum();
      case Do::clone:
        return make(in(0).shape, in(0).elements());
      case Do::concat:
        return concat();
      case Do::where:
        return make(in(1).shape, chosen(in(0), step_.x, in(1).elements(), in(2).elements()));
      case Do::take:
        return take();
      case Do::view:
        result(view());
        if (!values_[static_cast<size_t>(step_.id)].store) throw Refused();
        return;
      case Do::reshape:
      case Do::flatten:
      case Do::contiguous: {
        std::optional<Array<S>> v = view();
        if (v) return result(v);
        Ints shape = in(0).shape;
        if (step_.what != Do::contiguous) shape = Viewer<S>(step_, copy_of(in(0))).run(step_.what)->shape;
        return make(shape, in(0).elements());
      }
      case Do::add_:
      case Do::sub_:
      case Do::mul_:
      case Do::maximum_:
        return write(in(0), combined(in(0).elements(), broadcast(in(1), in(0).shape), binary(step_.what)));
      case Do::add_number_:
        return write(in(0), mapped([&](const S& s) { return s + S(step_.x); }));
      case Do::scale_:
        return write(in(0), mapped([&](const S& s) { return s * S(step_.x); }));
      case Do::divide_:
        return write(in(0), mapped([&](const S& s) { return s * S(1 / step_.x); }));
      case Do::neg_:
        return write(in(0), mapped([](const S& s) { return S(-1.0) * s; }));
      case Do::sin_:
        return write(in(0), mapped([](const S& s) { return sine(s); }));
      case Do::square_:
        return write(in(0), mapped([](const S& s) { return s * s; }));
      case Do::clamp_:
        return write(in(0), mapped([&](const S& s) {
                       S low(-step_.x), high(step_.x);
                       return S(-1.0) * largest_of(S(-1.0) * largest_of(s, low, margin_), S(-1.0) * high, margin_);
                     }));
      case Do::copy_:
        return write(in(0), broadcast(in(1), in(0).shape));
      case Do::copy_number_:
      case Do::fill_:
        return write(in(0), std::vector<S>(static_cast<size_t>(in(0).numel()), S(step_.x)));
      case Do::fill_0d:
        return write(in(0), broadcast(in(1), in(0).shape));
      case Do::zero_:
        return write(in(0), std::vector<S>(static_cast<size_t>(in(0).numel()), S(0.0)));
      case Do::masked_fill_: {
        Array<S> mask = fresh(in(0).shape, broadcast(in(1), in(0).shape));
        std::vector<S> filled(static_cast<size_t>(in(0).numel()), S(step_.x));
        return write(in(0), chosen(mask, 0.3, filled, in(0).elements()));
      }
      case Do::masked_fill_tensor: {
        Array<S> mask = fresh(in(0).shape, broadcast(in(1), in(0).shape));
        return write(in(0), chosen(mask, 0.3, broadcast(in(2), in(0).shape), in(0).elements()));
      }
      case Do::index_put_:
        return put(static_cast<size_t>(step_.n[0]), 2, step_.n[1] != 0);
      case Do::assign_taken:
        return put(static_cast<size_t>(step_.n[0]), 1, false);
      case Do::index_add_:
      case Do::index_copy_:
        return put(static_cast<size_t>(step_.n[0]), 1, step_.what == Do::index_add_);
      case Do::index_fill_: {
        Array<S> changed = fresh(in(0).shape, in(0).elements());
        for (size_t i = 1; i < step_.n.size(); ++i) {
          Array<S> part = row(changed, static_cast<size_t>(step_.n[0]), step_.n[i]);
          for (int64_t p : part.positions()) changed.store->elements[static_cast<size_t>(p)] = S(step_.x);
        }
        return write(in(0), changed.store->elements);
      }
      case Do::assign: {
        Array<S> part = *view();
        return write(part, broadcast(in(1), part.shape));
      }
      case Do::assign_number: {
        Array<S> part = *view();
        return write(part, std::vector<S>(static_cast<size_t>(part.numel()), S(step_.x)));
      }
      case Do::poke: {
        if (!in(0).contiguous() || in(0).numel() == 0) throw Unclear();
        std::vector<S> elements = in(0).elements();
        elements[static_cast<size_t>(step_.n[0])] = S(step_.x);
        return write(in(0), std::move(elements));
      }
      case Do::read:
        if (operand_store(step_.in[0]).lanes) throw Unclear();
        return;
      case Do::drop:
        values_[static_cast<size_t>(step_.in[0])] = {};
        return;
      default:
        return result(view());
    }
  }

 private:
  const Array<S>& in(size_t i) const { return values_[static_cast<size_t>(step_.in[i])]; }
  const Store<S>& operand_store(int i) const {
    const Array<S>& a = values_[static_cast<size_t>(i)];
    if (!a.store) throw Unclear();
    return *a.store;
  }
  static int64_t count(const Ints& shape) {
    return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  }
  std::vector<S> constants() const {
    std::vector<S> result;
    for (int64_t i = 0; i < count(step_.n); ++i)
      result.push_back(S((static_cast<double>((i * 37 + static_cast<int64_t>(step_.x) * 13) % 41) - 20) / 8));
    return result;
  }

  std::optional<Array<S>> view() const { return make_view(step_, in(0)); }
  void result(std::optional<Array<S>> a) { values_[static_cast<size_t>(step_.id)] = a ? std::move(*a) : Array<S>{}; }
  void make(const Ints& shape, std::vector<S> elements) {
    check_size(elements, largest_);
    values_[static_cast<size_t>(step_.id)] = fresh(shape, std::move(elements), lanes_);
  }

  // All of it is computed before anything changes.
  void write(const Array<S>& to, std::vector<S> elements) {
    check_size(elements, largest_);
    Ints positions = to.positions();
    if (to.overlapping()) throw Refused();
    Store<S>& store = *to.store;
    if (store.frozen || (lanes_ & store.fixed)) throw Unclear();
    if (store.partial && to.repeated) throw Unclear();  // where strides do not reach it that is refused
    if (to.detached)
      for (S& s : elements) s = S(primal(s));  // what is written through a detached view is constant
    store.lanes |= lanes_;
    for (size_t i = 0; i < positions.size(); ++i) store.elements[static_cast<size_t>(positions[i])] = elements[i];
  }

  template <class F>
  std::vector<S> mapped(F f) const {
    std::vector<S> r = in(0).elements();
    for (S& s : r) s = f(s);
    return r;
  }
  template <class F>
  static std::vector<S> combined(std::vector<S> a, const std::vector<S>& b, F f) {
    for (size_t i = 0; i < a.size(); ++i) a[i] = f(a[i], b[i]);
    return a;
  }
  auto binary(Do what) const {
    return [what, margin = margin_](const S& a, const S& b) {
      switch (what) {
        case Do::add:
        case Do::add_:
          return a + b;
        case Do::sub:
        case Do::sub_:
          return a - b;
        case Do::mul:
        case Do::mul_:
          return a * b;
        default:
          return largest_of(a, b, margin);
      }
    };
  }
  std::vector<S> chosen(const Array<S>& by, double threshold, std::vector<S> yes, const std::vector<S>& no) const {
    std::vector<S> condition = by.elements();
    for (size_t i = 0; i < yes.size(); ++i)
      if (!above(condition[i], threshold, margin_)) yes[i] = no[i];
    return yes;
  }

  void sum() {
    auto d = static_cast<size_t>(step_.n[0]);
    Array<S> kept = in(0);
    Ints shape = kept.shape;
    kept.shape[d] = 1;
    std::vector<S> total(static_cast<size_t>(kept.numel()), S(0.0));
    for (int64_t i = 0; i < shape[d]; ++i) {
      Array<S> row = kept;
      row.offset += i * in(0).strides[d];
      std::vector<S> elements = row.elements();
      for (size_t k = 0; k < total.size(); ++k) total[k] = total[k] + elements[k];
    }
    shape[d] = 1;
    if (!step_.n[1]) shape.erase(shape.begin() + static_cast<int64_t>(d));
    make(shape, total);
  }
  void concat() {
    auto d = static_cast<size_t>(step_.n[0]);
    Ints shape = in(0).shape;
    for (size_t i = 1; i < step_.in.size(); ++i) shape[d] += in(i).shape[d];
    Array<S> whole = fresh(shape, std::vector<S>(static_cast<size_t>(count(shape)), S(0.0)), lanes_);
    Array<S> part = whole;
    for (size_t i = 0; i < step_.in.size(); ++i) {
      part.shape[d] = in(i).shape[d];
      std::vector<S> elements = in(i).elements();
      Ints to = part.positions();
      for (size_t k = 0; k < to.size(); ++k) whole.store->elements[static_cast<size_t>(to[k])] = elements[k];
      part.offset += part.shape[d] * part.strides[d];
    }
    values_[static_cast<size_t>(step_.id)] = whole;
  }

  // The part of an array that index i of a dim shows, that dim kept.
  static Array<S> row(Array<S> r, size_t d, int64_t i) {
    r.offset += (i < 0 ? i + r.shape[d] : i) * r.strides[d];
    r.shape[d] = 1;
    return r;
  }
  void take() {
    auto d = static_cast<size_t>(step_.n[0]);
    Ints indices(step_.n.begin() + 1, step_.n.end()), shape = in(0).shape;
    shape[d] = static_cast<int64_t>(indices.size());
    Array<S> whole = fresh(shape, std::vector<S>(static_cast<size_t>(count(shape)), S(0.0)));
    for (size_t i = 0; i < indices.size(); ++i) {
      Array<S> to = whole;
      to.offset += static_cast<int64_t>(i) * to.strides[d];
      to.shape[d] = 1;
      std::vector<S> elements = row(in(0), d, indices[i]).elements();
      Ints positions = to.positions();
      for (size_t k = 0; k < positions.size(); ++k)
        whole.store->elements[static_cast<size_t>(positions[k])] = elements[k];
    }
    make(shape, whole.store->elements);
  }
  // in[0][..., indices at dim d] = in[1], or +=; the last write to an element counts.
  void put(size_t d, size_t first, bool accumulate) {
    Ints indices(step_.n.begin() + static_cast<int64_t>(first), step_.n.end()), shape = in(0).shape;
    shape[d] = static_cast<int64_t>(indices.size());
    Array<S> values = fresh(shape, broadcast(in(1), shape));
    Array<S> changed = fresh(in(0).shape, in(0).elements());
    for (size_t i = 0; i < indices.size(); ++i) {
      Array<S> from = values, to = changed;
      from.offset += static_cast<int64_t>(i) * from.strides[d];
      from.shape[d] = to.shape[d] = 1;
      to.offset += (indices[i] < 0 ? indices[i] + in(0).shape[d] : indices[i]) * to.strides[d];
      std::vector<S> elements = from.elements();
      Ints positions = to.positions();
      for (size_t k = 0; k < positions.size(); ++k) {
        S& s = changed.store->elements[static_cast<size_t>(positions[k])];
        s = accumulate ? s + elements[k] : elements[k];
      }
    }
    write(in(0), changed.store->elements);
  }

  const Step& step_;
  std::vector<Array<S>>& values_;
  double margin_, largest_;
  unsigned lanes_ = 0;
};

}  // namespace

template <class S>
void apply(const Step& step, std::vector<Array<S>>& values, bool single) {
  Apply<S>(step, values, single).run();
}

template std::optional<Array<double>> make_view(const Step&, const Array<double>&);
template void apply(const Step&, std::vector<Array<double>>&, bool);
template void apply(const Step&, std::vector<Array<Dual<double>>>&, bool);
template void apply(const Step&, std::vector<Array<Dual<Dual<double>>>>&, bool);

}  // namespace jot::test::mutation
