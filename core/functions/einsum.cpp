// Einstein's sums.
#include <algorithm>
#include <map>

#include "core/functions/operands.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Value;

namespace {

// A letter of the equation, A to Z then a to z from 0; dims of the ellipsis from kEllipsis.
using Labels = std::vector<int>;
constexpr int kEllipsis = 52;

bool has(const Labels& labels, int label) { return std::ranges::find(labels, label) != labels.end(); }
size_t place_of(const Labels& labels, int label) {
  return static_cast<size_t>(std::ranges::find(labels, label) - labels.begin());
}
std::string name_of(int label) {
  if (label >= kEllipsis) return "...";
  return std::string(1, static_cast<char>(label < 26 ? 'A' + label : 'a' + label - 26));
}

class Equation {
 public:
  Equation(const std::string& text, const std::vector<Tensor>& operands, Location at) : at_(at) {
    std::string dense;
    for (char c : text)
      if (c != ' ') dense += c;
    const size_t arrow = dense.find("->");
    std::vector<std::string> terms = {""};
    for (char c : dense.substr(0, arrow))
      if (c == ',')
        terms.emplace_back();
      else
        terms.back() += c;
    if (terms.size() != operands.size())
      wrong("the equation \"" + text + "\" has " + std::to_string(terms.size()) + " operands, " +
            std::to_string(operands.size()) + " were given");
    std::vector<Labels> parsed;
    for (size_t i = 0; i < terms.size(); ++i) {
      parsed.push_back(letters(terms[i]));
      const size_t rank = shape_of(operands[i]).size(),
                   named = static_cast<size_t>(std::ranges::count_if(parsed[i], [](int l) { return l < kEllipsis; }));
      if (named > rank || (named == parsed[i].size() && named != rank))
        wrong("the number of subscripts in \"" + terms[i] + "\" does not match the number of dims of operand " +
              std::to_string(i) + ", " + type_name(operands[i]));
      ellipsis_ = named < parsed[i].size() ? std::max(ellipsis_, rank - named) : ellipsis_;
    }
    for (size_t i = 0; i < terms.size(); ++i) operands_.push_back(full(parsed[i], shape_of(operands[i]).size()));
    if (arrow == std::string::npos)
      implicit();
    else
      explicit_result(dense.substr(arrow + 2));
  }
  const std::vector<Labels>& operands() const { return operands_; }
  const Labels& result() const { return result_; }

 private:
  [[noreturn]] void wrong(const std::string& what) const { fail<ShapeError>("einsum", what, at_); }

  // The ellipsis as one label.
  Labels letters(const std::string& term) const {
    Labels labels;
    for (size_t i = 0; i < term.size(); ++i) {
      const char c = term[i];
      if (c >= 'A' && c <= 'Z') {
        labels.push_back(c - 'A');
      } else if (c >= 'a' && c <= 'z') {
        labels.push_back(c - 'a' + 26);
      } else if (term.compare(i, 3, "...") == 0 && !has(labels, kEllipsis)) {
        labels.push_back(kEllipsis);
        i += 2;
      } else {
        wrong("invalid subscript '" + std::string(1, c) + "' in \"" + term + "\": expected letters, and once \"...\"");
      }
    }
    return labels;
  }
  // A label for each dim; those of the ellipsis are aligned at the last.
  Labels full(const Labels& labels, size_t rank) const {
    Labels r;
    const size_t hidden = rank + 1 - labels.size();
    for (int l : labels)
      if (l < kEllipsis)
        r.push_back(l);
      else
        for (size_t i = ellipsis_ - hidden; i < ellipsis_; ++i) r.push_back(kEllipsis + static_cast<int>(i));
    return r;
  }
  void implicit() {
    std::map<int, int> count;
    for (const Labels& labels : operands_)
      for (int l : labels) ++count[l];
    for (size_t i = 0; i < ellipsis_; ++i) result_.push_back(kEllipsis + static_cast<int>(i));
    for (const auto& [label, n] : count)
      if (label < kEllipsis && n == 1) result_.push_back(label);
  }
  void explicit_result(const std::string& term) {
    const Labels parsed = letters(term);
    const bool dots = has(parsed, kEllipsis);
    result_ = full(parsed, parsed.size() - dots + (dots ? ellipsis_ : 0));
    for (int l : result_) {
      if (std::ranges::count(result_, l) > 1) wrong("output subscript " + name_of(l) + " appears more than once");
      if (std::ranges::none_of(operands_, [&](const Labels& o) { return has(o, l); }))
        wrong("output subscript " + name_of(l) + " does not appear in the equation for any input operand");
    }
  }

  Location at_;
  size_t ellipsis_ = 0;
  std::vector<Labels> operands_;
  Labels result_;
};

struct Term {
  Tensor x;
  Labels labels;
};

// Repeated letters as diagonals.
void take_diagonals(Term& t, size_t operand, Location at) {
  for (size_t i = 0; i < t.labels.size();) {
    const int label = t.labels[i];
    const size_t j = i + 1 + place_of(Labels(t.labels.begin() + static_cast<int64_t>(i) + 1, t.labels.end()), label);
    if (j >= t.labels.size()) {
      ++i;
      continue;
    }
    const Shape& shape = shape_of(t.x);
    if (shape[i] != shape[j])
      fail<ShapeError>("einsum",
                       "subscript " + name_of(label) + " is repeated for operand " + std::to_string(operand) +
                           " but the sizes don't match, " + std::to_string(shape[i]) +
                           " != " + std::to_string(shape[j]),
                       at);
    t.x = t.x.diagonal(0, static_cast<int64_t>(i), static_cast<int64_t>(j), at);
    t.labels.erase(t.labels.begin() + static_cast<int64_t>(j));
    t.labels.erase(t.labels.begin() + static_cast<int64_t>(i));
    t.labels.push_back(label);
    i = 0;
  }
}

// Extents of labels; dims of extent 1 that broadcast to a greater one are dropped.
void drop_ones(std::vector<Term>& terms, Location at) {
  std::map<int, int64_t> extents;
  for (size_t i = 0; i < terms.size(); ++i)
    for (size_t d = 0; d < terms[i].labels.size(); ++d) {
      const int64_t n = shape_of(terms[i].x)[d];
      int64_t& known = extents.try_emplace(terms[i].labels[d], n).first->second;
      if (known != n && known != 1 && n != 1)
        fail<ShapeError>("einsum",
                         "operands do not broadcast: subscript " + name_of(terms[i].labels[d]) + " has extent " +
                             std::to_string(known) + " and, in operand " + std::to_string(i) + ", " + std::to_string(n),
                         at);
      if (known == 1) known = n;
    }
  for (Term& t : terms)
    for (size_t d = t.labels.size(); d-- > 0;)
      if (shape_of(t.x)[d] == 1 && extents[t.labels[d]] != 1) {
        t.x = t.x.squeeze(static_cast<int64_t>(d), at);
        t.labels.erase(t.labels.begin() + static_cast<int64_t>(d));
      }
}

struct Factor {
  Value v;
  Labels labels;
};

template <class Wanted>
void sum_unless(Emitter& e, Factor& f, Wanted wanted) {
  std::vector<int64_t> dims;
  Labels kept;
  for (size_t d = 0; d < f.labels.size(); ++d)
    if (wanted(f.labels[d]))
      kept.push_back(f.labels[d]);
    else
      dims.push_back(static_cast<int64_t>(d));
  if (dims.empty()) return;
  f = {build::reduce_sum(e.b, f.v, dims), kept};
}

// Shared labels that are wanted later are a batch, the others are contracted.
template <class Wanted>
Factor product(Emitter& e, const Factor& a, const Factor& b, Wanted wanted) {
  std::vector<int64_t> contract_a, contract_b, batch_a, batch_b;
  Factor r;
  for (size_t d = 0; d < a.labels.size(); ++d) {
    const int label = a.labels[d];
    if (!has(b.labels, label)) continue;
    const bool batch = wanted(label);
    (batch ? batch_a : contract_a).push_back(static_cast<int64_t>(d));
    (batch ? batch_b : contract_b).push_back(static_cast<int64_t>(place_of(b.labels, label)));
    if (batch) r.labels.push_back(label);
  }
  for (int l : a.labels)
    if (!has(b.labels, l)) r.labels.push_back(l);
  for (int l : b.labels)
    if (!has(a.labels, l)) r.labels.push_back(l);
  if (!contract_a.empty()) {
    r.v = build::dot(e.b, a.v, b.v, contract_a, contract_b, batch_a, batch_b);
    return r;
  }
  Shape shape;
  for (int l : r.labels) {
    const Factor& f = has(a.labels, l) ? a : b;
    shape.push_back(e.b.shape(f.v)[place_of(f.labels, l)]);
  }
  auto spread = [&](const Factor& f) {  // the dims in the order of the result
    std::vector<int64_t> perm, dims;
    for (size_t i = 0; i < r.labels.size(); ++i)
      if (has(f.labels, r.labels[i])) {
        perm.push_back(static_cast<int64_t>(place_of(f.labels, r.labels[i])));
        dims.push_back(static_cast<int64_t>(i));
      }
    return build::broadcast(e.b, build::permute(e.b, f.v, perm), shape, dims);
  };
  Value x = spread(a);
  r.v = build::mul(e.b, x, spread(b));
  return r;
}

}  // namespace

Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands, Location at) {
  Composite call("einsum", at);
  if (operands.empty()) fail<ShapeError>("einsum", "must provide at least one operand", at);
  for (const Tensor& t : operands) {
    const TensorImpl& x = impl_of(t, "einsum", at);
    if (x.dtype() != operands[0].impl()->dtype() || x.dtype() == DType::boolean)
      fail<DTypeError>("einsum",
                       "expected operands of one numeric dtype, got " + type_name(operands[0]) + " and " +
                           type_name(t) + ": convert one with to()",
                       at);
  }
  const Equation parsed(equation, operands, at);
  std::vector<Term> terms;
  for (size_t i = 0; i < operands.size(); ++i) {
    terms.push_back({operands[i], parsed.operands()[i]});
    take_diagonals(terms[i], i, at);
  }
  drop_ones(terms, at);
  Emitter e("einsum", at);
  for (const Term& t : terms) e.use(t.x);
  auto wanted_after = [&](size_t next, int label) {  // by the result, or by a factor from `next` on
    if (has(parsed.result(), label)) return true;
    return std::any_of(terms.begin() + static_cast<int64_t>(next), terms.end(),
                       [&](const Term& t) { return has(t.labels, label); });
  };
  Factor f{e(terms[0].x), terms[0].labels};
  for (size_t i = 1; i < terms.size(); ++i) {
    Factor g{e(terms[i].x), terms[i].labels};
    sum_unless(e, f, [&](int l) { return wanted_after(i, l); });
    sum_unless(e, g, [&](int l) { return has(f.labels, l) || wanted_after(i + 1, l); });
    f = product(e, f, g, [&](int l) { return wanted_after(i + 1, l); });
  }
  sum_unless(e, f, [&](int l) { return has(parsed.result(), l); });
  std::vector<int64_t> perm;
  for (int l : parsed.result()) perm.push_back(static_cast<int64_t>(place_of(f.labels, l)));
  Value v = build::permute(e.b, f.v, perm);
  return e.result(v == e(terms[0].x) ? e.b.emit(ir::Op::copy_op, {v}) : v);
}

}  // namespace jot
