#include "sample.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace jot::coverage {
namespace {

constexpr int64_t kKept = 8;

uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}
double uniform(uint64_t start, uint64_t i) { return static_cast<double>(mix(start + i) >> 11) * 0x1p-53; }

// What stands for an element in a sum.
double finite(double x) {
  if (std::isnan(x)) return 7.25;
  return std::isinf(x) ? (x > 0 ? 11.5 : -13.75) : x;
}

class Reader {
 public:
  explicit Reader(const std::string& folder) : text_(folder + "/opdb.txt") {
    std::ifstream bytes(folder + "/opdb.bin", std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(bytes), {});
    if (!text_ || !bytes) throw std::runtime_error("no opdb.txt and opdb.bin in " + folder);
  }
  std::vector<Operation> operations() {
    std::vector<Operation> result;
    for (std::string line; std::getline(text_, line);) {
      std::istringstream words(line);
      tokens_.assign(std::istream_iterator<std::string>(words), {});
      at_ = 1;
      const std::string kind = tokens_.empty() ? "" : tokens_[0];
      if (kind == "op")
        result.push_back({next(), next(), next()});
      else if (kind == "t")
        tensors_.push_back(tensor());
      else if (kind == "s")
        result.back().samples.push_back(sample(line));
      else if (kind != "v" && kind != "x" && kind != "top" && kind != "torch")
        throw std::runtime_error("a line of opdb.txt: " + line);
    }
    return result;
  }

 private:
  const std::string& next() {
    if (at_ == tokens_.size()) throw std::runtime_error("a line of opdb.txt ends early");
    return tokens_[at_++];
  }
  bool done() const { return at_ == tokens_.size(); }
  bool is(const char* token) const { return !done() && tokens_[at_] == token; }

  static Shape extents(const std::string& text) {
    Shape shape;
    if (text == "-") return shape;
    std::istringstream in(text);
    for (std::string n; std::getline(in, n, ',');) shape.push_back(std::stoll(n));
    return shape;
  }
  static DType dtype(const std::string& text) {
    for (size_t i = 0; i < std::size(detail::kDTypes); ++i)
      if (detail::kDTypes[i].text == text) return static_cast<DType>(i);
    throw std::runtime_error("a dtype of opdb.txt: " + text);
  }
  template <class T>
  T stored(size_t place) const {
    T value;
    if (place + sizeof(T) > bytes_.size()) throw std::runtime_error("opdb.bin is too short");
    std::memcpy(&value, &bytes_[place], sizeof(T));
    return value;
  }

  // A flat tensor of the values, which are exact in f64 or in the narrower dtype.
  static Tensor of(const std::vector<double>& values, DType d) { return Tensor::from(values, {-1}).to(d); }
  Tensor elements(const std::string& where, DType d, int64_t n) const {
    const std::string text = where.substr(1);
    if (where[0] == 'g') {
      std::istringstream in(text);
      std::string seed, count, low, high;
      std::getline(in, seed, ','), std::getline(in, count, ','), std::getline(in, low, ','),
          std::getline(in, high, ',');
      return of(drawn(std::stoull(seed), n, std::stod(low), std::stod(high), is_floating(d)), d);
    }
    size_t place = std::stoull(text);
    std::vector<double> values;
    for (int64_t i = 0; i < n; ++i) {
      auto k = static_cast<size_t>(i);
      if (where[0] == '%')
        values.push_back(is_floating(d) ? static_cast<double>(stored<float>(place + 4 * k))
                                        : stored<int32_t>(place + 4 * k));
      else if (d == DType::f64)
        values.push_back(stored<double>(place + 8 * k));
      else if (d == DType::i64)
        values.push_back(static_cast<double>(stored<int64_t>(place + 8 * k)));
      else if (d == DType::f32)
        values.push_back(static_cast<double>(stored<float>(place + 4 * k)));
      else if (d == DType::i32)
        values.push_back(stored<int32_t>(place + 4 * k));
      else if (size_of(d) == 1)
        values.push_back(stored<uint8_t>(place + k));
      else
        return from_blob(&bytes_[place], {n}, d);
    }
    return of(values, d);
  }
  Tensor tensor() {
    DType d = dtype(next());
    Shape shape = extents(next());
    const std::string strides = next();
    int64_t n = std::stoll(next());
    Tensor flat = elements(next(), d, n);
    if (done()) return flat.reshape(shape).contiguous().eval();
    return flat.contiguous().eval().as_strided(shape, extents(strides), std::stoll(next()));
  }

  Value value() {
    const std::string token = next(), rest = token.substr(1);
    using Kind = Value::Kind;
    switch (token[0]) {
      case 'n':
        return {};
      case 'e':
        return {Kind::ellipsis};
      case 'b':
        return {Kind::boolean, rest == "1"};
      case 'i':
        return {Kind::integer, std::stoll(rest), std::stod(rest)};
      case 'r':
        return {Kind::real, 0, std::stod(rest)};
      case 'q': {
        Value v{Kind::text, 0, 0, rest};
        for (char& c : v.text) c = c == '_' && v.text.find(',') != std::string::npos ? ' ' : c;
        return v;
      }
      case 'd': {
        Value v{Kind::unknown, 0, 0, "dtype " + rest};
        for (const auto& info : detail::kDTypes)
          if (info.text == rest) v.kind = Kind::dtype, v.dtype = dtype(rest);
        return v;
      }
      case 't': {
        Value v{Kind::tensor};
        v.tensor = tensors_.at(std::stoull(rest));
        return v;
      }
      case '(': {
        Value v{Kind::list};
        while (!is(")")) v.list.push_back(value());
        next();
        return v;
      }
      case ':': {
        Value v{Kind::slice};
        for (int i = 0; i < 3; ++i) v.list.push_back(value());
        return v;
      }
      default:
        return {Kind::unknown, 0, 0, rest};
    }
  }
  Summary read_summary(const std::string& token, int64_t n) const {
    if (token == "-") return {};
    size_t place = std::stoull(token.substr(1));
    Summary s{stored<double>(place)};
    for (int64_t i = 0; i < std::min(n, kKept); ++i) {
      auto k = static_cast<size_t>(i);
      s.elements.push_back(token[0] == 'w' ? stored<double>(place + 8 + 8 * k)
                                           : static_cast<double>(stored<float>(place + 8 + 4 * k)));
    }
    return s;
  }
  Sample sample(const std::string& line) {
    Sample s{line};
    while (!is("=") && !is("~")) {
      if (tokens_[at_][0] == 'k') {
        const std::string name = next().substr(1);
        s.named.emplace_back(name, value());
      } else {
        s.positional.push_back(value());
      }
    }
    s.random = next() == "~";
    while (!done() && !is("^")) {
      Output o{next()};
      if (o.dtype.back() == '*') o.differentiated = true, o.dtype.pop_back();
      o.shape = extents(next());
      o.values = read_summary(next(), o.shape.numel());
      s.outputs.push_back(std::move(o));
    }
    if (done()) return s;
    next();
    while (!is(":")) s.leaves.push_back(std::stoull(next()));
    next();
    std::vector<Tensor*> all = coverage::tensors(s);
    for (size_t leaf : s.leaves) s.gradients.push_back(read_summary(next(), all.at(leaf)->numel()));
    return s;
  }

  std::ifstream text_;
  std::vector<char> bytes_;
  std::vector<std::string> tokens_;
  size_t at_ = 0;
  std::vector<Tensor> tensors_;
};

void collect(Value& v, std::vector<Tensor*>& into) {
  if (v.kind == Value::Kind::tensor) into.push_back(&v.tensor);
  for (Value& x : v.list) collect(x, into);
}

Summary sum_of(const std::vector<double>& values, double (*element)(double)) {
  Summary s;
  const uint64_t start = mix(kWeight);
  for (size_t i = 0; i < values.size(); ++i) s.sum += element(finite(values[i])) * (0.5 + uniform(start, i));
  auto n = static_cast<int64_t>(values.size());
  for (int64_t i = 0; i < std::min(n, kKept); ++i)
    s.elements.push_back(values[static_cast<size_t>(n <= kKept ? i : i * n / kKept)]);
  return s;
}

}  // namespace

std::vector<double> drawn(uint64_t seed, int64_t n, double low, double high, bool floating) {
  std::vector<double> values;
  const uint64_t start = mix(seed);
  for (int64_t i = 0; i < n; ++i) {
    volatile double scaled = (high - low) * uniform(start, static_cast<uint64_t>(i));  // no fused addition
    double x = low + scaled;
    values.push_back(floating ? x : std::floor(x));
  }
  return values;
}

Summary summary(const std::vector<double>& values) {
  return sum_of(values, [](double x) { return x; });
}
Summary scale(const std::vector<double>& values) {
  return sum_of(values, [](double x) { return std::fabs(x); });
}

std::vector<Tensor*> tensors(Sample& s) {
  std::vector<Tensor*> result;
  for (Value& v : s.positional) collect(v, result);
  for (auto& [name, v] : s.named) collect(v, result);
  return result;
}

std::vector<Operation> read_operations(const std::string& folder) { return Reader(folder).operations(); }

}  // namespace jot::coverage
