// op_coverage FOLDER [NAME...]: runs every sample of opdb.txt in FOLDER by the functions of jot and prints a line for
// each name: name, family, how torch differentiates it, samples, those that agree, those with gradients, the functions,
// and why others do not, with how many. With names, each sample that does not agree. op_coverage FOLDER --forms
// [NAME...]: whether the forms with an output and in place agree with the plain ones.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <stdexcept>

#include "call.h"
#include "forms.h"
#include "rules.h"

namespace jot::coverage {
namespace {

// How far an element may be from torch's in f64, which is kept in f32: relative, and relative to the largest. f32 and
// halves: as many times their last digit.
struct Tolerance {
  double relative, of_largest, of_sum;
};
Tolerance tolerance(DType d) {
  if (d == DType::f32) return {1e-5, 1e-5, 1e-5};
  if (d == DType::f16 || d == DType::bf16) return {2e-2, 2e-2, 2e-2};
  return {1e-6, 2e-8, 5e-8};
}
// That of the result, or of an operand with fewer digits.
Tolerance tolerance(const Tensor& result, const std::vector<DType>& operands) {
  DType d = result.dtype();
  for (DType o : operands)
    if (is_floating(o) && (!is_floating(d) || o < d)) d = o;
  return tolerance(d);
}

bool close(double got, double expected, double largest, const Tolerance& t) {
  if (std::isnan(expected)) return std::isnan(got);
  if (got == expected) return true;
  return std::fabs(got - expected) <= t.relative * std::fabs(expected) + t.of_largest * largest + 1e-12;
}

// Why the tensor is not what is expected; empty where it is.
std::string differs(const Tensor& got, const Summary& expected, const Tolerance& t, const char* what) {
  std::vector<double> values = got.to_vector<double>();
  const Summary own = summary(values), magnitude = scale(values);
  double largest = 0;
  for (double x : values)
    if (std::isfinite(x)) largest = std::max(largest, std::fabs(x));
  char text[200];
  for (size_t i = 0; i < own.elements.size(); ++i)
    if (!close(own.elements[i], expected.elements[i], largest, t)) {
      std::snprintf(text, sizeof text, "%s: element %zu of %zu is %.17g, expected %.9g", what, i, own.elements.size(),
                    own.elements[i], expected.elements[i]);
      return text;
    }
  if (std::fabs(own.sum - expected.sum) <= t.of_sum * magnitude.sum + 1e-9) return "";
  std::snprintf(text, sizeof text, "%s: the sum of all elements by weights is %.17g, expected %.17g", what, own.sum,
                expected.sum);
  return text;
}

class Check {
 public:
  Check(const Overload& overload, Sample sample) : overload_(overload), sample_(std::move(sample)) {
    for (const Tensor* t : tensors(sample_)) dtypes_.push_back(t->dtype());
  }

  // Empty where value and gradient agree.
  std::string operator()() {
    const std::vector<Tensor> inputs = leaves();
    if (inputs.empty()) return values(called(inputs));
    auto [out, pullback, others] =
        vjp<has_aux>([&](const std::vector<Tensor>& x) { return parted(called(x)); }, inputs);
    std::vector<Tensor> all;
    size_t floating = 0, other = 0;
    for (bool f : is_floating_) all.push_back(f ? out[floating++] : others[other++]);
    if (std::string why = values(all); !why.empty()) return why;
    std::vector<Tensor> cotangents;
    for (size_t i = 0; i < all.size(); ++i) {
      if (!is_floating_[i]) continue;
      const int64_t n = all[i].numel();
      Tensor c =
          sample_.outputs[i].differentiated ? Tensor::from(drawn(kCotangent + i, n, -1, 1, true)) : zeros({n}, f64);
      cotangents.push_back(c.to(all[i].dtype()).reshape(all[i].shape()));
    }
    auto [gradients] = pullback(cotangents);
    for (size_t i = 0; i < gradients.size(); ++i) {
      if (gradients[i].shape() != inputs[i].shape()) return "gradient: shape " + to_string(gradients[i].shape());
      if (sample_.random) continue;
      const std::string what = "gradient " + std::to_string(i);
      if (std::string why = differs(gradients[i], sample_.gradients[i], tolerance(gradients[i], dtypes_), what.c_str());
          !why.empty())
        return why;
    }
    return "";
  }

  // What the other rules say; each empty where it agrees.
  std::vector<std::string> rules() {
    const std::vector<Tensor> inputs = leaves();
    auto f = [&](const std::vector<Tensor>& x) {
      std::vector<Tensor> all = called(x), differentiated;
      for (size_t i = 0; i < all.size(); ++i)
        if (sample_.outputs[i].differentiated) differentiated.push_back(all[i]);
      return differentiated;
    };
    double most = tolerance(inputs[0], dtypes_).of_largest;
    for (const Output& o : sample_.outputs)
      if (o.dtype != "f64" && o.differentiated)
        most = tolerance(o.dtype == "f32" ? DType::f32 : DType::bf16).of_largest;
    std::vector<std::string> result;
    for (auto differs : {forward_differs, second_differs, lanes_differ}) {
      try {
        result.push_back(differs(f, inputs, most));
      } catch (const std::exception& e) {
        result.push_back(std::string("throws ") + e.what());
      }
    }
    return result;
  }
  // Whether there is what they are of.
  bool differentiated() const { return !sample_.leaves.empty(); }

 private:
  std::vector<Tensor> leaves() {
    std::vector<Tensor> result;
    for (size_t leaf : sample_.leaves) result.push_back(*tensors(sample_).at(leaf));
    return result;
  }
  std::vector<Tensor> called(const std::vector<Tensor>& inputs) {
    Sample s = sample_;
    std::vector<Tensor*> all = tensors(s);
    for (size_t i = 0; i < inputs.size(); ++i) *all.at(s.leaves[i]) = inputs[i];
    Call c(s, true);
    overload_.call(c);
    return c.results;
  }
  std::pair<std::vector<Tensor>, std::vector<Tensor>> parted(const std::vector<Tensor>& results) {
    std::pair<std::vector<Tensor>, std::vector<Tensor>> parts;
    is_floating_.clear();
    for (const Tensor& t : results) {
      is_floating_.push_back(is_floating(t.dtype()));
      (is_floating_.back() ? parts.first : parts.second).push_back(t);
    }
    return parts;
  }
  std::string values(const std::vector<Tensor>& got) {
    if (got.size() != sample_.outputs.size()) return "results: " + std::to_string(got.size());
    for (size_t i = 0; i < got.size(); ++i) {
      const Output& expected = sample_.outputs[i];
      if (got[i].shape() != expected.shape)
        return "shape " + to_string(got[i].shape()) + ", expected " + to_string(expected.shape);
      const std::string dtype(detail::dtype_info(got[i].dtype()).text);
      if (dtype != expected.dtype) return "dtype " + dtype + ", expected " + expected.dtype;
      if (sample_.random) continue;
      const std::string what = got.size() == 1 ? "value" : "value " + std::to_string(i);
      if (std::string why = differs(got[i], expected.values, tolerance(got[i], dtypes_), what.c_str()); !why.empty())
        return why;
    }
    return "";
  }

  const Overload& overload_;
  Sample sample_;
  std::vector<DType> dtypes_;
  std::vector<bool> is_floating_;
};

// dtype= is no option: a program converts the operand.
bool convert_first(Sample& s) {
  for (size_t i = 0; i < s.named.size(); ++i) {
    if (s.named[i].first != "dtype") continue;
    const Value v = s.named[i].second;
    std::vector<Tensor*> all = tensors(s);
    if (v.kind == Value::Kind::unknown || all.empty()) return false;
    if (v.kind == Value::Kind::dtype && v.dtype != all[0]->dtype()) *all[0] = all[0]->to(v.dtype);
    s.named.erase(s.named.begin() + static_cast<std::ptrdiff_t>(i));
    return true;
  }
  return false;
}

// What is found of a name.
constexpr const char* kRules[] = {"forward", "second", "lanes"};
struct Found {
  std::map<std::string, int> faults;
  size_t agreeing = 0, gradients = 0, differentiated = 0, rules[std::size(kRules)] = {};
};

// The kind of a fault: its first words.
std::string kind(const std::string& why) {
  if (why.starts_with("throws")) return why.substr(0, why.find('\n')).substr(0, 160);
  if (why.starts_with("no ")) return why;
  return why.substr(0, why.find_first_of(": "));
}

// Why the sample does not agree; the rules are counted.
std::vector<std::string> run(const Overload& overload, const Sample& sample, bool ask, Found& found) {
  Check check(overload, sample);
  if (std::string why = check(); !why.empty()) return {why};
  ++found.agreeing;
  if (!ask || !check.differentiated()) return {};
  ++found.differentiated;
  std::vector<std::string> result, rules = check.rules();
  for (size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].empty())
      ++found.rules[i];
    else
      result.push_back(rules[i].starts_with(kRules[i]) ? rules[i] : std::string(kRules[i]) + " " + kind(rules[i]));
  }
  return result;
}

// By the first overload that takes the arguments.
std::vector<std::string> check(const std::vector<Overload>& all, const Sample& sample, bool ask, Found& found) {
  std::string why = "no function of this name";
  std::vector<Sample> ways(2, sample);
  if (!convert_first(ways[1])) ways.pop_back();
  for (const Sample& s : ways) {
    for (const Overload& o : all) {
      try {
        Call dry(s, false);
        o.call(dry);
      } catch (const Unfit& e) {
        why = "no overload takes " + e.why;
        continue;
      }
      try {
        return run(o, s, ask, found);
      } catch (const std::exception& e) {
        return {std::string("throws ") + e.what()};
      }
    }
  }
  return {why};
}

void report(const Operation& op, const std::vector<Overload>& all, bool every) {
  Found found;
  // Draws of lanes are not those of a loop.
  const bool draws = std::any_of(op.samples.begin(), op.samples.end(), [](const Sample& s) { return s.random; });
  for (const Sample& s : op.samples) {
    found.gradients += !s.leaves.empty();
    const std::vector<std::string> faults = check(all, s, !draws, found);
    for (const std::string& why : faults) {
      ++found.faults[kind(why)];
      if (every) std::printf("  %s\n    %s\n", s.line.substr(0, 300).c_str(), why.c_str());
    }
  }
  std::printf("%s\t%s\t%s\t%zu\t%zu\t%zu\t%zu", op.name.c_str(), op.family.c_str(), op.differentiable.c_str(),
              op.samples.size(), found.agreeing, found.gradients, found.differentiated);
  for (size_t n : found.rules) std::printf("\t%zu", n);
  std::printf("\t");
  for (size_t i = 0; i < all.size(); ++i) std::printf("%s%s", i ? " ;; " : "", all[i].function);
  std::printf("\t");
  size_t shown = 0;
  for (const auto& [why, n] : found.faults) std::printf("%s%d %s", shown++ ? "\t" : "", n, why.c_str());
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace
}  // namespace jot::coverage

int main(int argc, char** argv) {
  using namespace jot::coverage;
  const bool forms = argc > 2 && std::string(argv[2]) == "--forms";
  const std::vector<std::string> names(argv + std::min(argc, forms ? 3 : 2), argv + argc);
  if (argc < 2) {
    std::fprintf(stderr, "usage: op_coverage FOLDER [--forms] [NAME...]\n");
    return 2;
  }
  try {
    if (forms) return check_forms(read_operations(argv[1]), names) ? 0 : 1;
    std::map<std::string, std::vector<Overload>> by_name;
    for (const Overload& o : overloads()) by_name[o.name].push_back(o);
    for (const Operation& op : read_operations(argv[1]))
      if (names.empty() || std::find(names.begin(), names.end(), op.name) != names.end())
        report(op, by_name[op.name], !names.empty());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "op_coverage: %s\n", e.what());
    return 1;
  }
}
