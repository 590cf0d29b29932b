#include "tests/support/host.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "backends/reference/interpret.h"
#include "ir/ops/evaluate.h"

namespace jot::test {

using ir::Type;

HostTensor::HostTensor(const Type& t) : type(t), bytes(static_cast<size_t>(t.shape.numel() * size_of(t.dtype))) {}

HostTensor::HostTensor(DType dtype, const Shape& shape, std::vector<double> values)
    : HostTensor(Type{dtype, false, shape}) {
  if (static_cast<int64_t>(values.size()) != numel()) internal_error("one value an element", to_string(type));
  for (size_t i = 0; i < values.size(); ++i) set(static_cast<int64_t>(i), values[i]);
}

double HostTensor::number(int64_t i) const {
  double result = 0;
  visit_dtype(type.dtype, [&](auto x) {
    std::memcpy(&x, bytes.data() + static_cast<size_t>(i) * sizeof x, sizeof x);
    result = static_cast<double>(x);
  });
  return result;
}

void HostTensor::set(int64_t i, double value) {
  visit_dtype(type.dtype, [&](auto x) {
    x = static_cast<decltype(x)>(value);
    std::memcpy(bytes.data() + static_cast<size_t>(i) * sizeof x, &x, sizeof x);
  });
}

std::vector<double> HostTensor::numbers() const {
  std::vector<double> values;
  for (int64_t i = 0; i < numel(); ++i) values.push_back(number(i));
  return values;
}

HostTensor random_tensor(const Type& type, double lo, double hi, std::mt19937& random) {
  HostTensor x(type);
  std::uniform_real_distribution<double> uniform(lo, hi);
  for (int64_t i = 0; i < x.numel(); ++i) {
    double value = uniform(random);
    if (type.dtype == DType::boolean) value = value > (lo + hi) / 2;
    x.set(i, x.floating() ? value : std::floor(value));
  }
  return x;
}

HostTensor convert(const HostTensor& x, DType dtype) { return HostTensor(dtype, x.type.shape, x.numbers()); }

HostTensor lane(const HostTensor& x, int64_t i) {
  HostTensor r(Type{x.type.dtype, false, x.type.shape.slice(1, x.type.shape.size())});
  if (!r.bytes.empty())
    std::memcpy(r.bytes.data(), x.bytes.data() + static_cast<size_t>(i) * r.bytes.size(), r.bytes.size());
  return r;
}

HostTensor stack(const Type& type, std::span<const HostTensor> lanes) {
  HostTensor r(Type{type.dtype, false, Shape{lanes.size()} + type.shape});
  r.bytes.clear();
  for (const HostTensor& x : lanes) r.bytes.insert(r.bytes.end(), x.bytes.begin(), x.bytes.end());
  return r;
}

HostTensor plus(const HostTensor& x, const HostTensor& direction, double factor) {
  HostTensor r = x;
  for (int64_t i = 0; i < x.numel(); ++i) r.set(i, x.number(i) + factor * direction.number(i));
  return r;
}

double inner_product(const HostTensor& x, const HostTensor& y) {
  double sum = 0;
  for (int64_t i = 0; i < x.numel(); ++i) sum += x.number(i) * y.number(i);
  return sum;
}

std::vector<HostTensor> interpret(const ir::Graph& graph, std::span<const HostTensor> inputs) {
  const ir::GraphData& g = graph.data();
  if (inputs.size() != g.inputs().size()) internal_error("one value an input", g.name());
  std::vector<const void*> in;
  std::vector<void*> out;
  std::vector<HostTensor> results;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].type != g.type(g.inputs()[i])) internal_error("types of inputs agree", to_string(inputs[i].type));
    in.push_back(inputs[i].bytes.data());
  }
  for (ir::Value o : g.outputs()) results.emplace_back(g.type(o));
  for (HostTensor& r : results) out.push_back(r.bytes.data());
  reference::interpret(graph, in, out);
  return results;
}

double difference(const HostTensor& x, const HostTensor& y) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (x.type != y.type) return kInfinity;
  double worst = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    double a = x.number(i), b = y.number(i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    double d = std::abs(a - b) / (1 + std::abs(b));
    worst = std::isnan(d) ? kInfinity : std::max(worst, d);
  }
  return worst;
}

}  // namespace jot::test
