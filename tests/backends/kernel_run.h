// Runs kernels as machine code and in the interpreter, on memory that ends at guard pages.
#pragma once
#include <sys/mman.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backends/cpu/emit/emit.h"
#include "backends/cpu/kernel/kernel_builder.h"
#include "backends/cpu/runtime/code_memory.h"
#include "backends/cpu/runtime/kernel_code.h"

namespace jot::cpu::testing {

// The targets that this run may test.
inline std::vector<Target> targets() {
  if (target() == Target::avx512) return {Target::avx512, Target::avx2};
  if (target() == Target::avx2) return {Target::avx2};
  return {};
}
inline int lanes_for(Target t, int bytes) { return (t == Target::avx512 ? 64 : 32) / bytes; }

// Bytes in front of a page that nothing may touch.
class Guarded {
 public:
  explicit Guarded(const std::vector<std::byte>& contents) : size_(contents.size()) {
    pages_ = (size_ + 4095) / 4096 * 4096 + 4096;
    void* p = mmap(nullptr, pages_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    base_ = static_cast<std::byte*>(p);
    mprotect(base_ + pages_ - 4096, 4096, PROT_NONE);
    if (size_ > 0) std::memcpy(data(), contents.data(), size_);
  }
  Guarded(Guarded&& other) noexcept : size_(other.size_), pages_(other.pages_), base_(other.base_) {
    other.base_ = nullptr;
  }
  Guarded& operator=(Guarded&&) = delete;
  ~Guarded() {
    if (base_) munmap(base_, pages_);
  }
  std::byte* data() const { return base_ + pages_ - 4096 - size_; }

 private:
  size_t size_, pages_;
  std::byte* base_;
};

struct Array {
  KType type;
  std::vector<std::byte> bytes;
};

// What a call works on.
struct Memory {
  KernelError error;
  std::vector<Guarded> arrays;
  std::vector<int64_t> args;
  Memory(const std::vector<Array>& from, const std::vector<int64_t>& scalars) {
    args.push_back(std::bit_cast<int64_t>(&error));
    for (const Array& a : from) {
      arrays.emplace_back(a.bytes);
      args.push_back(std::bit_cast<int64_t>(arrays.back().data()));
    }
    args.insert(args.end(), scalars.begin(), scalars.end());
  }
};

inline void run(KernelCode::Fn fn, int64_t spill_bytes, const int64_t* args, int64_t begin, int64_t end) {
  Guarded spill(std::vector<std::byte>(static_cast<size_t>(spill_bytes), std::byte{0xee}));
  fn(args, begin, end, spill.data());
}

// One element, often a special one.
inline uint64_t special(KType t, std::mt19937_64& random) {
  constexpr double numbers[] = {0.0, -0.0, 1, -1, 0.5, 1e-310, -3e300, 2.5, -2.5, 3.7, 1e10};
  const uint64_t pick = random() % 18;
  auto number = [&]() -> double {
    if (pick < std::size(numbers)) return numbers[pick];
    if (pick == 11) return std::numeric_limits<double>::infinity();
    if (pick == 12) return -std::numeric_limits<double>::infinity();
    if (pick == 13) return std::numeric_limits<double>::quiet_NaN();
    if (pick == 14) return std::numeric_limits<float>::denorm_min();
    return std::uniform_real_distribution<double>(-4, 4)(random);
  };
  if (t == KType::f64) return std::bit_cast<uint64_t>(number());
  if (t == KType::f32) return std::bit_cast<uint32_t>(static_cast<float>(number()));
  if (t == KType::mask) return random() & 1;
  const uint64_t x = pick < 8 ? random() % 7 - 3 : pick == 8 ? uint64_t{1} << 63 : random();
  return t == KType::i32 ? static_cast<uint32_t>(x) : x;
}

inline Array array(KType t, int64_t count, std::mt19937_64& random) {
  const auto size = static_cast<size_t>(bytes_of(t));
  Array a{t, std::vector<std::byte>(size * static_cast<size_t>(count))};
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    const uint64_t bits = special(t, random);
    std::memcpy(a.bytes.data() + i * size, &bits, size);
  }
  return a;
}

// Bit for bit, but any NaN equals any other.
inline bool same(KType t, const std::byte* a, const std::byte* b) {
  if (t == KType::f64 || t == KType::f32) {
    auto nan = [t](const std::byte* p) {
      double x = 0;
      float y = 0;
      if (t == KType::f64)
        std::memcpy(&x, p, 8);
      else
        std::memcpy(&y, p, 4);
      return std::isnan(x) || std::isnan(y);
    };
    if (nan(a) || nan(b)) return nan(a) && nan(b);
  }
  return std::memcmp(a, b, static_cast<size_t>(bytes_of(t))) == 0;
}

// Runs a kernel both ways; says what differs, or nothing.
inline std::string difference(const Kernel& kernel, Target t, const std::vector<Array>& arrays,
                              const std::vector<int64_t>& scalars, int64_t begin, int64_t end,
                              PlantedBug bug = PlantedBug::none) {
  verify(kernel);
  Memory expected(arrays, scalars), got(arrays, scalars);
  interpret(kernel, expected.args.data(), begin, end);
  EmittedCode code;
  try {
    code = emit(kernel, t, false, bug);
  } catch (const std::exception& e) {
    return std::string(e.what()) + "\n" + to_text(kernel);
  }
  const std::shared_ptr<const std::byte> memory = make_executable(code.bytes);
  run(reinterpret_cast<KernelCode::Fn>(std::bit_cast<uintptr_t>(memory.get()) + code.entry), code.spill_bytes,
      got.args.data(), begin, end);
  const std::string at = std::string(" on ") + std::string(to_string(t)) + ", lanes " + std::to_string(kernel.lanes) +
                         ", range " + std::to_string(begin) + " to " + std::to_string(end) + "\n";
  if (expected.error.code != got.error.code || expected.error.index != got.error.index ||
      expected.error.value != got.error.value)
    return "the error of a check" + at + to_text(kernel);
  for (size_t k = 0; k < arrays.size(); ++k) {
    const auto size = static_cast<size_t>(bytes_of(arrays[k].type));
    for (size_t i = 0; i < arrays[k].bytes.size(); i += size)
      if (!same(arrays[k].type, got.arrays[k].data() + i, expected.arrays[k].data() + i))
        return "array " + std::to_string(k) + ", element " + std::to_string(i / size) + at + to_text(kernel);
  }
  return "";
}

}  // namespace jot::cpu::testing
