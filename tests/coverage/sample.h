// The samples of torch's op_db, as tests/golden/opdb.py wrote them: one line each, tokens between blanks.
//   op NAME FAMILY full|part|none                 a name, and whether torch differentiates it in every way
//   v VARIANT                                     of the name
//   t DTYPE EXTENTS STRIDES COUNT ELEMENTS [OFFSET]   a tensor, with an offset strided. ELEMENTS of its memory: g
//   seed,count,low,high
//                                                 (drawn), @place or %place (half as wide) of opdb.bin
//   s ARGUMENTS =|~ OUTPUTS [^ LEAVES : SUMS]     a sample; ~: of random values. An output is DTYPE[*] EXTENTS SUM, *
//   differentiated;
//                                                 LEAVES are the tensors that gradients are of, by their number in the
//                                                 arguments
//   x TEXT                                        a sample that torch itself refuses
//   top FAMILY NAME COUNT                         a much used name
// Arguments: tN a tensor, i r b q d number, text, dtype, n None, e Ellipsis, ( list ), : slice, kNAME before a value, u
// what has no counterpart. A sum is v (f32) or w (f64) and a place: the sum of all elements by weights, then up to 8
// elements.
#pragma once
#include <jot/jot.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace jot::coverage {

struct Value {
  enum class Kind : uint8_t { none, boolean, integer, real, text, dtype, tensor, list, slice, ellipsis, unknown };
  Kind kind = Kind::none;
  int64_t integer = 0;
  double real = 0;
  std::string text{};
  DType dtype = DType::f64;
  Tensor tensor{};
  std::vector<Value> list{};  // of a slice: start, stop, step
};

struct Summary {
  double sum = 0;
  std::vector<double> elements{};
};
struct Output {
  std::string dtype;
  bool differentiated = false;
  Shape shape{};
  Summary values{};
};
struct Sample {
  std::string line;
  std::vector<Value> positional{};
  std::vector<std::pair<std::string, Value>> named{};
  bool random = false;
  std::vector<Output> outputs{};
  std::vector<size_t> leaves{};  // of the tensors, in order
  std::vector<Summary> gradients{};
};

struct Operation {
  std::string name, family, differentiable;
  std::vector<Sample> samples{};
};

// From opdb.txt and opdb.bin in a folder. std::runtime_error where they are not as above says.
std::vector<Operation> read_operations(const std::string& folder);

// Elements that both sides draw; seeds of the cotangent of an output and of the weights of a sum.
std::vector<double> drawn(uint64_t seed, int64_t n, double low, double high, bool floating);
inline constexpr uint64_t kCotangent = uint64_t{1} << 40, kWeight = uint64_t{1} << 41;
Summary summary(const std::vector<double>& values);
Summary scale(const std::vector<double>& values);  // the same sum of magnitudes

// The tensors of the arguments, in order.
std::vector<Tensor*> tensors(Sample& s);

}  // namespace jot::coverage
