// Tensors of a test: values on the host, and graphs run on them by the reference interpreter.
#pragma once
#include <random>
#include <span>
#include <vector>

#include "ir/graph.h"

namespace jot::test {

struct HostTensor {
  ir::Type type;
  std::vector<std::byte> bytes;

  explicit HostTensor(const ir::Type& t);                                   // zeros
  HostTensor(DType dtype, const Shape& shape, std::vector<double> values);  // row-major, converted

  int64_t numel() const { return type.shape.numel(); }
  double number(int64_t i) const;  // element i; i64 beyond 2^53 is rounded
  void set(int64_t i, double value);
  std::vector<double> numbers() const;
  bool floating() const { return is_floating(type.dtype); }
  friend bool operator==(const HostTensor&, const HostTensor&) = default;  // bitwise
};

// Uniform in [lo, hi); integers and booleans likewise.
HostTensor random_tensor(const ir::Type& type, double lo, double hi, std::mt19937& random);

HostTensor convert(const HostTensor& x, DType dtype);
HostTensor lane(const HostTensor& x, int64_t i);                                   // x[i]
HostTensor stack(const ir::Type& type, std::span<const HostTensor> lanes);         // type: of a lane
HostTensor plus(const HostTensor& x, const HostTensor& direction, double factor);  // x + factor * direction
double inner_product(const HostTensor& x, const HostTensor& y);

// The results, then the writebacks.
std::vector<HostTensor> interpret(const ir::Graph& graph, std::span<const HostTensor> inputs);

// The largest |x - y| / (1 + |y|); nan and infinities must agree (else infinite). Infinite for different types.
double difference(const HostTensor& x, const HostTensor& y);

}  // namespace jot::test
