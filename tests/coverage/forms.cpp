#include "forms.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "rules.h"

namespace jot::coverage {
namespace {

using List = std::vector<Tensor>;

constexpr size_t kSamples = 4;  // of an overload

// ---- samples of what op_db has none of

Value value(const Tensor& t) { return {.kind = Value::Kind::tensor, .tensor = t}; }
Value value(int64_t i) { return {.kind = Value::Kind::integer, .integer = i}; }
Value value(double x) { return {.kind = Value::Kind::real, .real = x}; }
Value value(bool b) { return {.kind = Value::Kind::boolean, .integer = b}; }
Value value(const List& list) {
  Value v{.kind = Value::Kind::list};
  for (const Tensor& t : list) v.list.push_back(value(t));
  return v;
}
Value value(const Shape& list) {
  Value v{.kind = Value::Kind::list};
  for (int64_t i : list) v.list.push_back(value(i));
  return v;
}
template <class... A>
Sample sample(const A&... arguments) {
  Sample s{.line = "a sample of tests/coverage/forms.cpp", .positional = {value(arguments)...}};
  const std::vector<Tensor*> all = tensors(s);
  for (size_t i = 0; i < all.size(); ++i)
    if (is_floating(all[i]->dtype())) s.leaves.push_back(i);
  return s;
}
Tensor matrices(uint64_t seed, const Shape& shape) {
  return Tensor::from(drawn(seed, shape.numel(), -1, 1, true), shape);
}

std::map<std::string, std::vector<Sample>> own_samples() {
  const Tensor tall = matrices(1, {2, 4, 3}), wide = matrices(2, {3, 3}), right = matrices(3, {2, 3, 2});
  const Tensor positive = matmul(tall.mT(), tall) + eye(3, f64), general = matrices(4, {2, 3, 3}) + 2 * eye(3, f64);
  const Tensor x = matrices(5, {2, 5}), y = matrices(6, {2, 5}), near = abs(x) + 0.5;
  const auto [factors, pivots] = linalg::lu_factor(general);
  std::map<std::string, std::vector<Sample>> s;
  for (const char* name : {"cholesky", "cholesky_ex", "det", "slogdet", "inv", "inv_ex", "lu", "lu_factor", "eigh",
                           "eigvalsh", "svdvals", "pinv", "matrix_rank", "cond", "matrix_norm", "vector_norm", "norm"})
    s["linalg." + std::string(name)] = {sample(positive), sample(positive[0])};
  for (const char* name : {"qr", "svd", "svdvals", "pinv", "matrix_norm"})
    s["linalg." + std::string(name)].push_back(sample(tall));
  s["linalg.svd"].push_back(sample(tall, false));
  for (const char* name : {"solve", "solve_ex"}) s["linalg." + std::string(name)] = {sample(general, right)};
  s["linalg.solve_triangular"] = {sample(general, right, true)};
  s["linalg.lu_solve"] = {sample(factors, pivots, right)};
  s["linalg.lstsq"] = {sample(tall, matrices(7, {2, 4, 2})), sample(tall[0], matrices(8, {4}))};
  s["linalg.matrix_power"] = {sample(general, int64_t{3}), sample(general, int64_t{-1})};
  s["linalg.multi_dot"] = {sample(List{wide, right[0]}), sample(List{wide, wide, right[1]})};
  s["linalg.householder_product"] = {sample(tall, matrices(9, {2, 3}))};
  s["linalg.tensorsolve"] = {sample(general[0], right[0].select(1, 0))};
  s["linalg.tensorinv"] = {sample(general[0], int64_t{1})};
  s["linalg.vecdot"] = {sample(x, y)};
  for (const char* name : {"linalg.cross", "cross"}) s[name] = {sample(wide, general[0])};
  s["linalg.matmul"] = {sample(general, right)};
  s["cholesky_solve"] = {sample(right, linalg::cholesky(positive))};
  s["cholesky_inverse"] = {sample(linalg::cholesky(positive))};
  s["polygamma"] = s["special.polygamma"] = {sample(int64_t{1}, near), sample(int64_t{3}, near)};
  s["where"] = {sample(x > 0, x, y), sample(x > 0, x, y[0])};
  for (const char* name : {"expit", "psi", "gammaln"}) s["special." + std::string(name)] = {sample(near)};
  s["special.multigammaln"] = {sample(near + 1, int64_t{2})};
  for (const char* name : {"gammainc", "gammaincc"}) s["special." + std::string(name)] = {sample(near, abs(y))};
  s["tensordot"] = {sample(wide, general, Shape{1}, Shape{2})};
  s["searchsorted"] = {sample(linspace(-1, 1, 5, f64), x)};
  s["bucketize"] = {sample(x, linspace(-1, 1, 5, f64))};
  s["relu"] = {sample(x)};
  s["nonzero"] = {sample(x)};
  s["index_copy"] = {sample(x, int64_t{1}, tensor({3, 0}), y.slice(1, 0, 2))};
  s["rand"] = {sample(Shape{2, 3})};
  s["randperm"] = {sample(int64_t{7})};
  s["normal"] = {sample(0.5, 2.0, Shape{2, 3}), sample(x, near)};
  s["bernoulli"] = {sample(near / 2), sample(x, 0.3)};
  s["multinomial"] = {sample(near, int64_t{3})};
  s["chain_matmul"] = {sample(List{wide, wide, right[0]})};
  return s;
}

// ---- the checks

class Forms {
 public:
  Forms(const Overload& overload, Sample sample) : overload_(overload), sample_(std::move(sample)) {
    for (Tensor* t : tensors(sample_)) inputs_.push_back(*t);
    try {
      plain_ = seeded([&] { return call(Form::plain, inputs_, {}); });
      for (const Tensor& t : plain_) t.eval();
    } catch (const Error& e) {  // of another overload
      throw Unfit{e.what()};
    }
  }

  // What differs of a form; empty where nothing does.
  std::string operator()(Form form) {
    const std::string what = form == Form::output ? "with an output" : "in place";
    List expected = plain_;
    if (form == Form::in_place) expected[0] = expected[0].to(call(form, inputs_, plain_).at(0).dtype());
    std::string why = agree(what, expected, form);
    if (why.empty()) why = agree(what + " in jit", expected, form, true);
    if (why.empty()) why = lanes(form);
    return why;
  }

 private:
  // Each call draws the same numbers.
  template <class F>
  static List seeded(F f) {
    manual_seed(1);
    return f();
  }
  List call(Form form, const List& inputs, const List& outs) const {
    Sample s = sample_;
    const std::vector<Tensor*> all = tensors(s);
    for (size_t i = 0; i < all.size(); ++i) *all[i] = inputs[i];
    Call c(s, true);
    c.form = form, c.outs = outs;
    overload_.call(c);
    return c.results;
  }
  std::string agree(const std::string& what, const List& expected, Form form, bool jitted = false) const {
    // Views of something larger, which hold something else.
    List outs = plain_;
    if (form == Form::output)
      for (Tensor& t : outs) t = full(Shape{2} + t.shape(), 1, t.dtype())[1];
    auto f = [&](Form which) { return [this, which](const List& x, const List& to) { return call(which, x, to); }; };
    List got;
    try {
      got = seeded([&] { return jitted ? jit(f(form))(inputs_, outs) : f(form)(inputs_, outs); });
    } catch (const TraceError& e) {
      try {
        jit(f(Form::plain))(inputs_, outs);
      } catch (const TraceError&) {
        return "";  // neither has the other: it reads its operand
      }
      return what + " throws " + e.what();
    }
    if (std::string why = compare_all(got, expected); !why.empty()) return what + ": " + why;
    if (form == Form::output)
      if (std::string why = compare_all(outs, expected); !why.empty()) return what + ", the output: " + why;
    return "";
  }
  // Two, of the tensors that have a gradient. Outputs are refused.
  std::string lanes(Form form) const {
    if (sample_.leaves.empty()) return "";
    List both;
    for (size_t leaf : sample_.leaves) {
      const Tensor& t = inputs_[leaf];
      both.push_back(stack({t, t.flatten().flip(0).reshape(t.shape())}));
    }
    auto f = [&](Form which) {
      return [this, which](const List& x) {
        List all = inputs_;
        for (size_t i = 0; i < x.size(); ++i) all[sample_.leaves[i]] = x[i];
        return call(which, all, plain_);
      };
    };
    List expected;
    try {
      expected = vmap(f(Form::plain))(both);
    } catch (const Error&) {
      return "";  // it has no lanes
    }
    try {
      const List got = vmap(f(form))(both);
      if (form == Form::output) return "with an output under vmap: is not refused";
      const std::string why = compare_all(got, {expected[0].to(got.at(0).dtype())});
      return why.empty() ? "" : "in place under vmap: " + why;
    } catch (const TransformError& e) {
      const std::string text = e.what();
      // In place of what has no lanes.
      if (text.find(form == Form::output ? ".out; " : "vmap: inplace arithmetic") != std::string::npos) return "";
      return "under vmap throws " + text;
    }
  }
  static std::string compare_all(const List& got, const List& expected) {
    if (got.size() != expected.size()) return "results: " + std::to_string(got.size());
    for (size_t i = 0; i < got.size(); ++i) {
      if (got[i].dtype() != expected[i].dtype()) return "result " + std::to_string(i) + " has another dtype";
      const bool fine = got[i].dtype() == f64 || !is_floating(got[i].dtype());
      if (std::string why = compare({got[i]}, {expected[i]},
                                    fine                    ? 1e-12
                                    : got[i].dtype() == f32 ? 1e-5
                                                            : 1e-2);
          !why.empty())
        return "result " + std::to_string(i) + ": " + why;
    }
    return "";
  }

  const Overload& overload_;
  Sample sample_;
  List inputs_, plain_;
};

struct Count {
  size_t checked = 0;
  std::string why;
};

Count check(const Overload& o, char letter, const std::vector<Sample>& samples) {
  Count count;
  for (const Sample& s : samples) {
    if (count.checked == kSamples) break;
    try {
      Forms forms(o, s);
      count.why = forms(letter == 'o' ? Form::output : Form::in_place);
    } catch (const Unfit&) {
      continue;
    } catch (const std::exception& e) {
      count.why = std::string("throws ") + e.what();
    }
    ++count.checked;
    if (!count.why.empty()) {
      count.why += "\n    " + s.line.substr(0, 300);
      break;
    }
  }
  return count;
}

}  // namespace

bool check_forms(const std::vector<Operation>& operations, const std::vector<std::string>& names) {
  std::map<std::string, std::vector<Sample>> samples = own_samples();
  for (const Operation& op : operations)
    for (const Sample& s : op.samples) samples[op.name].push_back(s);
  size_t passed = 0, failed = 0, checked = 0;
  for (const Overload& o : overloads()) {
    if (!names.empty() && std::find(names.begin(), names.end(), o.name) == names.end()) continue;
    for (const char* letter = o.forms; *letter; ++letter) {
      const auto found = samples.find(o.name) != samples.end() ? samples.find(o.name) : samples.find(o.samples);
      const Count count = check(o, *letter, found == samples.end() ? std::vector<Sample>{} : found->second);
      checked += count.checked;
      const bool good = count.checked && count.why.empty();
      ++(good ? passed : failed);
      if (!good)
        std::printf("%s, form %c: %s\n", o.function, *letter, count.checked ? count.why.c_str() : "no sample fits");
    }
  }
  std::printf("%zu samples\n", checked);
  std::printf("%zu passed, %zu failed\n", passed, failed);
  return failed == 0;
}

}  // namespace jot::coverage
