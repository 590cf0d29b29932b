// ops jot|loop
//     prints its rows as a JSON line (name, op, inputs as [shape, dtype, low, high], args, gradient, loop), then
//     answers each line "NUMBER SECONDS" by {"samples": microseconds a call, "fingerprint": of the results} of the row
//     of this number
// ops check
//     every row at toy size: what jot and the loop come to agrees, or the program fails
#include "ops.h"

#include <exception>
#include <iostream>
#include <memory>
#include <optional>

#include "bench/jot_job.h"
#include "bench/measure.h"

namespace bench::ops {

Memory::Memory(const Tensors& inputs, const Tensors& results) : inputs_(inputs), like_(results) {
  for (const Tensor& r : results) outs_.emplace_back(static_cast<size_t>(r.numel() * jot::size_of(r.dtype())));
}

std::vector<std::vector<double>> Memory::results() const {
  Tensors copies;
  for (size_t i = 0; i < like_.size(); ++i)
    copies.push_back(jot::from_blob(outs_[i].data(), like_[i].shape(), like_[i].dtype()));
  return arrays(copies);
}

namespace {

using Function = std::function<Tensors(const Tensors&)>;

Tensor made(const Input& x, uint64_t seed) {
  std::vector<double> values(static_cast<size_t>(x.shape.numel()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = x.low + (x.high - x.low) * (uniform(seed, i) + 0.5);
  return Tensor::from(values, x.shape).to(x.dtype).eval();
}

// f's only result and its gradients by the floating inputs; the cotangent is the last input.
Function gradient(const Function& f) {
  return [f](const Tensors& inputs) {
    Tensors all(inputs.begin(), inputs.end() - 1), floating;
    for (const Tensor& t : all)
      if (jot::is_floating(t.dtype())) floating.push_back(t);
    auto of_floating = [&](const Tensors& some) {
      Tensors x = all;
      size_t next = 0;
      for (Tensor& t : x)
        if (jot::is_floating(t.dtype())) t = some[next++];
      return f(x).at(0);
    };
    auto [value, pullback] = jot::vjp(of_floating, floating);
    Tensors results = {value};
    const Tensors gradients = std::get<0>(pullback(inputs.back()));
    results.insert(results.end(), gradients.begin(), gradients.end());
    return results;
  };
}

Tensors inputs_of(const Row& row) {
  Tensors x;
  for (const Input& input : row.inputs) x.push_back(made(input, x.size() + 1));
  if (!row.gradient) return x;
  const Tensor y = row.f(x).at(0);
  x.push_back(made({y.shape(), y.dtype()}, x.size() + 1));
  return x;
}

Job by_jot(const Row& row) { return job(row.gradient ? gradient(row.f) : row.f, inputs_of(row)); }

Job by_loop(const Row& row) {
  Tensors x = inputs_of(row), results = row.f(x);
  for (const Tensor& r : results) r.eval();
  auto memory = std::make_shared<Memory>(x, results);
  return {[=, loop = row.loop] { loop(*memory); }, [=] { return memory->results(); }};
}

std::vector<Row> all_rows(bool toy) {
  Rows rows(toy);
  add_reductions(rows);
  add_scans(rows);
  add_order(rows);
  add_indexing(rows);
  add_norms(rows);
  add_convolution(rows);
  return std::move(rows.rows);
}

template <class List, class F>
std::string list(const List& items, F text_of) {
  std::string s = "[";
  for (const auto& item : items) s += (s.size() > 1 ? ", " : "") + text_of(item);
  return s + "]";
}
std::string in_quotes(std::string_view s) { return '"' + std::string(s) + '"'; }
std::string truth(bool b) { return b ? "true" : "false"; }

std::string described(const Row& row) {
  auto integer = [](int64_t i) { return std::to_string(i); };
  auto input = [&](const Input& x) {
    return "[" + list(x.shape, integer) + ", " + in_quotes(jot::to_string(x.dtype)) + ", " + number(x.low, 17) + ", " +
           number(x.high, 17) + "]";
  };
  return "{\"name\": " + in_quotes(row.name()) + ", \"op\": " + in_quotes(row.op) +
         ", \"inputs\": " + list(row.inputs, input) + ", \"args\": " + list(row.args, integer) +
         ", \"gradient\": " + truth(row.gradient) + ", \"loop\": " + truth(bool(row.loop)) + "}";
}

int serve(bool loops) {
  const std::vector<Row> rows = all_rows(false);
  std::cout << list(rows, described) << std::endl;
  size_t last = rows.size();
  Job job;
  int group = 1;
  size_t number;
  for (double seconds; std::cin >> number >> seconds;) {
    if (number != last) {
      job = loops ? by_loop(rows.at(number)) : by_jot(rows.at(number));
      job.call();
      group = group_size(job.call);
      last = number;
    }
    const std::vector<double> samples = sample(job.call, group, seconds);
    std::cout << "{\"samples\": " << text(samples) << ", \"fingerprint\": " << fingerprint(job.results(), 1000) << "}"
              << std::endl;
  }
  return 0;
}

// Sums in another order differ by little.
bool agree(const std::vector<std::vector<double>>& a, const std::vector<std::vector<double>>& b) {
  if (a.size() != b.size()) return false;
  for (size_t k = 0; k < a.size(); ++k) {
    double largest = 0;
    for (double x : a[k]) largest = std::max(largest, std::abs(x));
    if (a[k].size() != b[k].size()) return false;
    for (size_t i = 0; i < a[k].size(); ++i)
      if (!(std::abs(a[k][i] - b[k][i]) <= 1e-5 * largest)) return false;
  }
  return true;
}

int check() {
  int wrong = 0;
  for (const Row& row : all_rows(true)) {
    std::cout << row.name() << std::endl;
    Job ours = by_jot(row);
    ours.call();
    const auto results = ours.results();
    if (!row.loop) continue;
    Job loop = by_loop(row);
    loop.call();
    if (agree(results, loop.results())) continue;
    std::cerr << "ops: " << row.name() << ": jot " << fingerprint(results, 10) << "\n  loop "
              << fingerprint(loop.results(), 10) << std::endl;
    ++wrong;
  }
  return wrong ? 1 : 0;
}

}  // namespace
}  // namespace bench::ops

int main(int argc, char** argv) {
  const std::string role = argc == 2 ? argv[1] : "";
  try {
    if (role == "jot" || role == "loop") return bench::ops::serve(role == "loop");
    if (role == "check") return bench::ops::check();
    std::cerr << "usage: ops jot|loop|check\n";
    return 2;
  } catch (const std::exception& e) {
    std::cerr << "ops: " << e.what() << "\n";
    return 1;
  }
}
