// Machine code against the kernel interpreter: every op, special values, every tail, on each target of the machine.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <random>
#include <thread>

#include "backends/cpu/kernel/combine_gathers.h"
#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/kernel/math.h"
#include "backends/cpu/ops/cpu_ops.h"
#include "jot/half.h"
#include "tests/backends/kernel_run.h"

using namespace jot;
using namespace jot::cpu;
using namespace jot::cpu::testing;
using Value = KernelBuilder::Value;

namespace {

// Runs a kernel both ways and compares every array.
void check(const Kernel& kernel, Target t, const std::vector<Array>& arrays, const std::vector<int64_t>& scalars,
           int64_t begin, int64_t end, const std::string& what) {
  const std::string found = difference(kernel, t, arrays, scalars, begin, end);
  CHECK_MESSAGE(found.empty(), what, ": ", found);
}

struct Op {
  const char* name;
  std::vector<KType> operands;
  KType result;
  std::function<Value(KernelBuilder&, std::vector<Value>)> build;
};

std::vector<Op> all_ops() {
  using B = KernelBuilder;
  std::vector<Op> ops;
  using V = std::vector<Value>;
  using enum KType;
  for (KType t : {f64, f32}) {
    ops.push_back({"add", {t, t}, t, [](B& b, V x) { return b.add(x[0], x[1]); }});
    ops.push_back({"sub", {t, t}, t, [](B& b, V x) { return b.sub(x[0], x[1]); }});
    ops.push_back({"mul", {t, t}, t, [](B& b, V x) { return b.mul(x[0], x[1]); }});
    ops.push_back({"div", {t, t}, t, [](B& b, V x) { return b.div(x[0], x[1]); }});
    ops.push_back({"fma", {t, t, t}, t, [](B& b, V x) { return b.fma(x[0], x[1], x[2]); }});
    ops.push_back({"fnma", {t, t, t}, t, [](B& b, V x) { return b.fnma(x[0], x[1], x[2]); }});
    ops.push_back({"fms", {t, t, t}, t, [](B& b, V x) { return b.fms(x[0], x[1], x[2]); }});
    ops.push_back({"fma, operands live on", {t, t, t}, t, [](B& b, V x) {
                     return b.add(b.fma(x[0], x[1], x[2]), b.add(x[0], b.add(x[1], x[2])));
                   }});
    ops.push_back({"fma of constants", {t, t}, t, [t](B& b, V x) {
                     return b.fma(b.fma(x[0], b.number(t, 3), b.number(t, 0.25)), x[1], b.number(t, -7));
                   }});
    ops.push_back({"min", {t, t}, t, [](B& b, V x) { return b.min(x[0], x[1]); }});
    ops.push_back({"max", {t, t}, t, [](B& b, V x) { return b.max(x[0], x[1]); }});
    ops.push_back({"sqrt", {t}, t, [](B& b, V x) { return b.sqrt(x[0]); }});
    ops.push_back({"neg", {t}, t, [](B& b, V x) { return b.neg(x[0]); }});
    ops.push_back({"abs", {t}, t, [](B& b, V x) { return b.abs(x[0]); }});
    for (auto mode : {B::even, B::floor, B::ceil, B::trunc})
      ops.push_back({"round", {t}, t, [mode](B& b, V x) { return b.round(x[0], mode); }});
    ops.push_back({"is_nan", {t}, mask, [](B& b, V x) { return b.is_nan(x[0]); }});
    ops.push_back(
        {"bitcast", {t}, t == f64 ? i64 : i32, [t](B& b, V x) { return b.bitcast(t == f64 ? i64 : i32, x[0]); }});
    using M = ir::Op;
    for (M fn : {M::exp_op, M::log_op, M::sin_op, M::cos_op, M::tanh_op, M::logistic_op, M::rsqrt_op})
      ops.push_back({"math", {t}, t, [fn](B& b, V x) { return cpu_op(fn).element({b, fn, x}); }});
    ops.push_back({"atan2", {t, t}, t, [](B& b, V x) { return elementary(b, M::atan2_op, x[0], x[1]); }});
  }
  for (KType t : {i64, i32}) {
    ops.push_back({"add", {t, t}, t, [](B& b, V x) { return b.add(x[0], x[1]); }});
    ops.push_back({"sub", {t, t}, t, [](B& b, V x) { return b.sub(x[0], x[1]); }});
    ops.push_back({"mul", {t, t}, t, [](B& b, V x) { return b.mul(x[0], x[1]); }});
    ops.push_back({"min", {t, t}, t, [](B& b, V x) { return b.min(x[0], x[1]); }});
    ops.push_back({"max", {t, t}, t, [](B& b, V x) { return b.max(x[0], x[1]); }});
    ops.push_back({"neg", {t}, t, [](B& b, V x) { return b.neg(x[0]); }});
    ops.push_back({"abs", {t}, t, [](B& b, V x) { return b.abs(x[0]); }});
    ops.push_back({"popcnt", {t}, t, [](B& b, V x) { return b.popcnt(x[0]); }});
    ops.push_back({"shl", {t}, t, [](B& b, V x) { return b.shl(x[0], 5); }});
    ops.push_back({"shr", {t}, t, [](B& b, V x) { return b.shr(x[0], 5); }});
    ops.push_back({"sar", {t}, t, [](B& b, V x) { return b.sar(x[0], 5); }});
    ops.push_back({"shlv", {t, t}, t, [](B& b, V x) { return b.shlv(x[0], x[1]); }});
    ops.push_back({"shrv", {t, t}, t, [](B& b, V x) { return b.shrv(x[0], x[1]); }});
    ops.push_back({"sarv", {t, t}, t, [](B& b, V x) { return b.sarv(x[0], x[1]); }});
    ops.push_back({"mask_to_int", {mask}, t, [t](B& b, V x) { return b.mask_to_int(t, x[0]); }});
    ops.push_back({"lane_index", {t}, t, [t](B& b, V x) { return b.add(x[0], b.lane_index(t)); }});
  }
  ops.push_back({"mulu32", {i64, i64}, i64, [](B& b, V x) { return b.mulu32(x[0], x[1]); }});
  for (KType t : {f64, f32, i64, i32}) {
    ops.push_back({"and", {t, t}, t, [](B& b, V x) { return b.bit_and(x[0], x[1]); }});
    ops.push_back({"or", {t, t}, t, [](B& b, V x) { return b.bit_or(x[0], x[1]); }});
    ops.push_back({"xor", {t, t}, t, [](B& b, V x) { return b.bit_xor(x[0], x[1]); }});
    ops.push_back({"and_not", {t, t}, t, [](B& b, V x) { return b.and_not(x[0], x[1]); }});
    for (auto how : {KCmp::eq, KCmp::ne, KCmp::lt, KCmp::le, KCmp::gt, KCmp::ge})
      ops.push_back({"cmp", {t, t}, mask, [how](B& b, V x) { return b.cmp(how, x[0], x[1]); }});
    ops.push_back({"select", {mask, t, t}, t, [](B& b, V x) { return b.select(x[0], x[1], x[2]); }});
    for (KType to : {f64, f32, i64, i32})
      if (to != t) ops.push_back({"convert", {t}, to, [to](B& b, V x) { return b.convert(to, x[0]); }});
  }
  ops.push_back({"mand", {mask, mask}, mask, [](B& b, V x) { return b.mand(x[0], x[1]); }});
  ops.push_back({"mor", {mask, mask}, mask, [](B& b, V x) { return b.mor(x[0], x[1]); }});
  ops.push_back({"mxor", {mask, mask}, mask, [](B& b, V x) { return b.mxor(x[0], x[1]); }});
  ops.push_back({"mnot", {mask}, mask, [](B& b, V x) { return b.mnot(x[0]); }});
  ops.push_back({"select", {mask, mask, mask}, mask, [](B& b, V x) { return b.select(x[0], x[1], x[2]); }});
  return ops;
}

int widest(const Op& op) {
  int bytes = op.result == KType::mask ? 4 : bytes_of(op.result);
  for (KType t : op.operands) bytes = std::max(bytes, t == KType::mask ? 4 : bytes_of(t));
  return bytes;
}

}  // namespace

TEST_CASE("emit: every op, every tail, special values") {
  std::mt19937_64 random(1);
  for (Target t : targets())
    for (const Op& op : all_ops())
      for (int lanes : {lanes_for(t, widest(op)), lanes_for(t, 8), 1}) {
        if (lanes > lanes_for(t, widest(op))) continue;
        KernelBuilder b(lanes);
        std::vector<Value> pointers, values;
        for (size_t i = 0; i <= op.operands.size(); ++i) pointers.push_back(b.arg(static_cast<int64_t>(i) + 1));
        Value i = b.vrange();
        for (size_t k = 0; k < op.operands.size(); ++k) values.push_back(b.load(op.operands[k], pointers[k], i));
        b.store(op.build(b, values), pointers.back(), i);
        b.endloop();
        Kernel kernel = std::move(b).finish();
        for (int64_t n : {0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33}) {
          std::vector<Array> arrays;
          for (KType x : op.operands) arrays.push_back(array(x, 40, random));
          arrays.push_back(array(op.result, 40, random));
          check(kernel, t, arrays, {}, 0, n, op.name);
          if (n > 3) check(kernel, t, arrays, {}, 3, n, op.name);
        }
      }
}

TEST_CASE("emit: rows, strides, gathers and scatters") {
  std::mt19937_64 random(2);
  using enum KType;
  for (Target t : targets())
    for (KType type : {f64, f32, i64, i32})
      for (int lanes : {lanes_for(t, bytes_of(type)), lanes_for(t, 8), 1})
        for (uint16_t count : {1, 2, 3, 4, 5, 8, 11, 30})
          for (int64_t n : {1, 4, 7, 8, 16, 21}) {
            KernelBuilder b(lanes);
            Value from = b.arg(1), to = b.arg(2), stride = b.arg(3), i = b.vrange();
            Value first = b.load_rows(type, count, from, b.imul(i, stride), stride, 0);
            std::vector<Value> xs;
            for (uint16_t j = 0; j < count; ++j) xs.push_back(first + static_cast<uint16_t>(count - 1 - j));
            b.store_rows(xs, to, b.imul(i, stride), stride);
            b.endloop();
            int64_t step = count + 2;
            check(std::move(b).finish(), t, {array(type, 40 * step, random), array(type, 40 * step, random)}, {step}, 0,
                  n, "rows");
          }
  for (Target t : targets())
    for (KType type : {f64, f32, i64, i32, mask})
      for (KType index : {i64, i32})
        for (int lanes : {lanes_for(t, std::max(bytes_of(index), type == mask ? 4 : bytes_of(type))), 1})
          for (int64_t n : {1, 5, 8, 16, 19}) {
            KernelBuilder b(lanes);
            Value table = b.arg(1), indices = b.arg(2), out = b.arg(3), scattered = b.arg(4), stride = b.arg(5);
            Value i = b.vrange(), at = b.load(index, indices, i);
            Value x = b.gather(type, table, at, type == mask ? 3 : 8);
            b.store_strided(x, out, b.imul(i, stride), stride);
            b.scatter(b.load_strided(type, table, b.imul(i, stride), stride), scattered, at);
            b.endloop();
            std::vector<std::byte> list(static_cast<size_t>(bytes_of(index)) * 40);
            for (size_t k = 0; k < 40; ++k) {
              uint64_t v = random() % 50;
              std::memcpy(list.data() + k * static_cast<size_t>(bytes_of(index)), &v,
                          static_cast<size_t>(bytes_of(index)));
            }
            check(std::move(b).finish(), t,
                  {array(type, 90, random), Array{index, list}, array(type, 90, random), array(type, 90, random)}, {2},
                  0, n, "indexed");
          }
}

// Arrays end, or begin, with the elements that are read: nothing before or behind these is touched.
TEST_CASE("emit: elements a few apart, forward and backward") {
  std::mt19937_64 random(6);
  using enum KType;
  for (Target t : targets())
    for (KType type : {f64, f32, i64, i32})
      for (KType other : {f64, f32})
        for (int64_t step : {-5, -4, -3, -2, -1, 1, 2, 3, 4, 5})
          for (int64_t n : {1, 4, 7, 8, 16, 33, 48}) {
            const int64_t span = (n - 1) * std::abs(step);
            KernelBuilder b(lanes_for(t, std::max(bytes_of(type), bytes_of(other))));
            const int64_t back = step < 0 ? span * bytes_of(type) : 0;
            Value i = b.vrange();
            Value x = b.load_strided(type, b.arg(1), b.imuli(i, step), b.iconst(step), back);
            b.store(x, b.arg(2), i);
            b.endloop();
            check(std::move(b).finish(), t, {array(type, span + 1, random), array(type, n, random)}, {}, 0, n, "near");
          }
}

TEST_CASE("emit: what passes the caches by, aligned or not") {
  std::mt19937_64 random(6);
  using enum KType;
  for (Target t : targets())
    for (KType type : {f64, f32, i64, i32})
      for (int lanes : {lanes_for(t, bytes_of(type)), lanes_for(t, 8)})
        for (int64_t offset = 0; offset < 64; offset += bytes_of(type)) {
          KernelBuilder b(lanes);
          const Value from = b.arg(1), to = b.arg(2), i = b.vrange();
          b.store(b.load(type, from, i), to, i, offset, KMem::own, true);
          b.endloop();
          const Kernel kernel = std::move(b).finish();
          for (int64_t n : {1, 7, 8, 16, 37})
            check(kernel, t, {array(type, 40, random), array(type, 56, random)}, {}, 0, n, "store");
        }
  for (Target t : targets())
    for (KType type : {f64, f32, i64, i32})
      for (int lanes : {lanes_for(t, bytes_of(type)), lanes_for(t, 8), 1})
        for (uint16_t count : {1, 2, 3, 5, 8, 9, 30})
          for (int64_t offset = 0; offset < 64; offset += 3 * bytes_of(type)) {
            KernelBuilder b(lanes);
            const Value from = b.arg(1), to = b.arg(2), tile = b.arg(3), i = b.vrange(), at = b.imuli(i, count);
            const Value first = b.load_rows(type, count, from, at, b.iconst(count));
            std::vector<Value> xs;
            for (uint16_t j = 0; j < count; ++j) xs.push_back(first + static_cast<uint16_t>(count - 1 - j));
            b.store_rows(xs, tile, kNone, b.iconst(count));
            b.copy(type, count, tile, to, at, offset, true);
            b.endloop();
            const Kernel kernel = std::move(b).finish();
            CHECK(disassembly(kernel, t).find("sfence") != std::string::npos);
            for (int64_t n : {1, 7, 8, 16, 21})
              check(kernel, t,
                    {array(type, 48 * count, random), array(type, 48 * count + 16, random),
                     array(type, lanes * count, random)},
                    {}, 0, n, "stream");
          }
}

TEST_CASE("emit: offsets of more than 32 bits") {
  std::mt19937_64 random(5);
  using enum KType;
  constexpr int64_t far = int64_t{1} << 35;
  for (Target t : targets()) {
    KernelBuilder b(lanes_for(t, 8));
    const Value back = b.iconst(-far), in = b.iadd(b.arg(1), back), out = b.iadd(b.arg(2), back), i = b.vrange();
    const Value stride = b.iconst(3), at = b.imuli(i, 3), element = b.broadcast(i64, i);
    const Value row = b.load_rows(f64, 3, in, at, stride, far);
    const Value sum = b.add(b.add(row, row + 2), b.add(b.gather(f64, in, element, far), b.load(f64, in, i, far + 8)));
    b.store_rows(std::vector<Value>{sum, row + 1, row}, out, at, stride, far);
    b.store(b.load_bcast(f64, in, i, far), out, i, far + 100 * 8);
    b.scatter(sum, out, b.add(element, b.lane_index(i64)), far + 150 * 8);
    b.endloop();
    check(std::move(b).finish(), t, {array(f64, 100, random), array(f64, 200, random)}, {}, 0, 21, "far");
  }
}

TEST_CASE("emit: gathers of neighbouring elements become rows, but not from memory that is written") {
  std::mt19937_64 random(4);
  using enum KType;
  for (Target t : targets())
    for (KType type : {f64, f32})
      for (KType index : {i64, i32})
        for (bool written : {false, true}) {
          KernelBuilder b(lanes_for(t, std::max(bytes_of(type), bytes_of(index))));
          const Value table = b.arg(1), indices = b.arg(2), out = b.arg(3);
          if (written) b.read_write(table);
          const Value i = b.vrange(), at = b.load(index, indices, i);
          Value sum = b.number(type, 0);
          for (int64_t column : {7, 0, 1, 2, 3, 4, 5, 9, 10, 13}) {
            sum = b.sub(b.gather(type, table, at, column * bytes_of(type)), sum);
            b.store(sum, out, i, 400 * bytes_of(type) + column * 40 * bytes_of(type));
            if (written) b.store(sum, table, i);
          }
          b.endloop();
          const Kernel kernel = std::move(b).finish();
          std::vector<uint32_t> from;
          CHECK(combine_gathers(kernel, from).has_value() == !written);
          Array list{index, std::vector<std::byte>(static_cast<size_t>(bytes_of(index)) * 40)};
          for (size_t k = 0; k < 40; ++k) {
            const uint64_t v = random() % 50;
            std::memcpy(list.bytes.data() + k * static_cast<size_t>(bytes_of(index)), &v,
                        static_cast<size_t>(bytes_of(index)));
          }
          for (int64_t n : {0, 1, 3, 4, 7, 8, 16, 21})
            check(kernel, t, {array(type, 64, random), list, array(type, 1000, random)}, {}, 0, n, "rows by index");
        }
}

// Random bits: halves of every kind, NaN with payloads, denormals; floats of all magnitudes.
TEST_CASE("emit: bytes, words and halves in memory") {
  std::mt19937_64 random(11);
  using enum KType;
  for (Target t : targets())
    for (KMem memory : {KMem::byte, KMem::word, KMem::half})
      for (int lanes : {1, lanes_for(t, 4), lanes_for(t, 8)})
        for (int way = 0; way < 4; ++way)
          for (int64_t n : {0, 1, 2, 3, 5, 7, 8, 9, 16, 19, 37}) {
            const KElement element(memory == KMem::half ? f32 : i32, memory);
            KernelBuilder b(lanes);
            Value from = b.arg(1), to = b.arg(2), own = b.arg(3), wide = b.arg(4), list = b.arg(5), i = b.vrange();
            Value stride = b.iconst(3), index = b.load(i32, list, i);
            Value x = way == 0   ? b.load(element, from, i, 6)
                      : way == 1 ? b.load_strided(element, from, b.imuli(i, 3), stride)
                      : way == 2 ? b.gather(element, from, index, 2)
                                 : b.load_bcast(element, from, kNone, 4);
            b.store(x, wide, i);
            Value y = b.load(element.type, own, i);
            if (way == 0)
              b.store(y, to, i, 2, memory);
            else if (way == 1)
              b.store_strided(y, to, b.imuli(i, 3), stride, 0, memory);
            else if (way == 2)
              b.scatter(y, to, index, 4, memory);
            else
              b.store_one(y, to, b.imuli(i, 2), 0, memory);
            b.endloop();
            const Kernel kernel = std::move(b).finish();
            verify(kernel);
            Array indices = array(i32, 64, random);
            for (size_t l = 0; l < 64; ++l) {
              const auto at = static_cast<int32_t>(random() % 200);
              std::memcpy(&indices.bytes[4 * l], &at, 4);
            }
            // Contiguous ones end at the guard page.
            auto bits = [&](int64_t front) {
              const int64_t bytes = way == 0 ? front + n * (memory == KMem::byte ? 1 : 2) : 1024;
              Array a{i32, std::vector<std::byte>(static_cast<size_t>((bytes + 3) / 4 * 4))};
              for (std::byte& x_byte : a.bytes) x_byte = static_cast<std::byte>(random());
              return a;
            };
            check(kernel, t,
                  {bits(6), bits(2), array(element.type, 64, random), array(element.type, 64, random), indices}, {}, 0,
                  n, "narrow");
          }
}

// Of each half, there and back; a kernel and the bits agree with those of the language's functions.
TEST_CASE("emit: f16 and bf16 as storage") {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const float x = ir::f32_from_f16(static_cast<uint16_t>(h));
    const bool nan = (h & 0x7fff) > 0x7c00;
    CHECK(std::isnan(x) == nan);
    CHECK(ir::f16_from_f32(x) == (nan ? (h | 0x200) : h));
  }
  CHECK(ir::f16_from_f32(65519) == 0x7bff);
  CHECK(ir::f16_from_f32(65520) == 0x7c00);
  CHECK(ir::f16_from_f32(0x1p-25f) == 0);
  CHECK(ir::f16_from_f32(0x1.8p-24f) == 2);
  CHECK(ir::f32_from_f16(0x3555) == 0x1.554p-2f);
  // Rounding in registers, of each upper half of a float and what is beside it.
  for (Target t : targets())
    for (DType dtype : {f16, bf16}) {
      KernelBuilder b(lanes_for(t, 4));
      Value i = b.vrange();
      b.store(rounded(b, dtype, b.load(KType::f32, b.arg(1), i)), b.arg(2), i);
      b.endloop();
      const Kernel kernel = std::move(b).finish();
      std::vector<float> in, out(0x40000 - 3);
      for (uint32_t h = 0; h < 0x10000; ++h)
        for (uint32_t lower : {0u, 0x7fffu, 0x8000u, 0x8001u}) in.push_back(std::bit_cast<float>(h << 16 | lower));
      in.resize(out.size());
      KernelError error;
      auto address = [](const void* p) { return static_cast<int64_t>(reinterpret_cast<intptr_t>(p)); };
      const int64_t args[] = {address(&error), address(in.data()), address(out.data())};
      const auto code = compile(kernel, t);
      for (bool compiled : {false, true}) {
        const auto n = static_cast<int64_t>(in.size());
        std::ranges::fill(out, 7.0f);
        compiled ? run(code->fn, code->spill_bytes, args, 0, n) : interpret(kernel, args, 0, n);
        int wrong = 0;
        for (size_t at = 0; at < in.size(); ++at) {
          const float want = dtype == f16 ? static_cast<float>(float16(in[at])) : static_cast<float>(bfloat16(in[at]));
          wrong += std::bit_cast<uint32_t>(out[at]) != std::bit_cast<uint32_t>(want);
        }
        CHECK(wrong == 0);
      }
    }
  for (Target t : targets()) {
    KernelBuilder b(lanes_for(t, 4));
    const KElement element = element_in_memory(bf16);
    Value i = b.vrange(), x = widened(b, bf16, b.load(element, b.arg(1), i));
    b.store(x, b.arg(2), i);
    b.store(narrowed(b, bf16, rounded(b, bf16, b.load(KType::f32, b.arg(3), i))), b.arg(4), i, 0, element.memory);
    b.endloop();
    const Kernel kernel = std::move(b).finish();
    const std::vector<float> in = {1,         -2.5f, 0x1.01p0f,   0x1.03p0f, 0x1.00fp0f,
                                   HUGE_VALF, NAN,   0x1.ffp127f, -0.0f,     0x1p-133f};
    const std::vector<uint16_t> want = {0x3f80, 0xc020, 0x3f80, 0x3f82, 0x3f80, 0x7f80, 0x7fc0, 0x7f80, 0x8000, 0x0001};
    std::vector<uint16_t> stored(in.size()), halves = {0x3f80, 0xc020, 0x0001, 0x7f80, 0x8000, 0x3f81, 0, 0, 0, 0};
    std::vector<float> loaded(in.size());
    KernelError error;
    auto address = [](const void* p) { return static_cast<int64_t>(reinterpret_cast<intptr_t>(p)); };
    const int64_t args[] = {address(&error), address(halves.data()), address(loaded.data()), address(in.data()),
                            address(stored.data())};
    const auto code = compile(kernel, t);
    std::vector<std::byte> spill(static_cast<size_t>(code->spill_bytes) + 64);
    auto run = [&](auto f) {
      std::ranges::fill(stored, uint16_t{7});
      f();
      CHECK(stored == want);
      CHECK(loaded[0] == 1);
      CHECK(loaded[1] == -2.5f);
      CHECK(loaded[2] == 0x1p-133f);
      CHECK(loaded[5] == 0x1.02p0f);
    };
    run([&] { interpret(kernel, args, 0, 10); });
    run([&] { code->fn(args, 0, 10, spill.data() + (64 - reinterpret_cast<uintptr_t>(spill.data()) % 64) % 64); });
  }
}

TEST_CASE("emit: loops, variables, reductions, broadcast, checks") {
  std::mt19937_64 random(3);
  using enum KType;
  for (Target t : targets())
    for (KType type : {f64, f32, i64, i32})
      for (KOp how : {KOp::add, KOp::mul, KOp::min, KOp::max})
        for (int64_t n : {0, 1, 5, 8, 16, 37}) {
          KernelBuilder b(lanes_for(t, bytes_of(type)));
          Value from = b.arg(1), to = b.arg(2), columns = b.arg(3);
          Value row = b.range(), start = b.imul(row, columns);
          Value total = b.var(b.number(type, how == KOp::add ? 0 : 1)), factor = b.load_bcast(type, from);
          Value j = b.vloop(columns);
          Value x = b.load(type, from, b.iadd(start, j));
          b.set(total, how == KOp::add   ? b.add(total, x)
                       : how == KOp::mul ? b.mul(total, x)
                       : how == KOp::min ? b.min(x, total)
                                         : b.max(x, total));
          b.endloop();
          Value sum = b.reduce(how, total);
          Value k = b.vloop(columns);
          b.store(b.add(b.mul(b.load(type, from, b.iadd(start, k)), factor), sum), to, b.iadd(start, k));
          b.endloop();
          b.endloop();
          check(std::move(b).finish(), t, {array(type, 200, random), array(type, 200, random)}, {n}, 1, 4, "reduce");
        }
  for (Target t : targets())
    for (int64_t n : {1, 6, 8, 19}) {
      KernelBuilder b(lanes_for(t, 8));
      Value from = b.arg(1), to = b.arg(2), i = b.vrange(), x = b.load(i64, from, i);
      b.check(7, b.cmp(KCmp::gt, x, b.constant(i64, 2)), x, i, b.iconst(n == 8 ? 0 : n == 19 ? 5 : 1));
      b.store(b.add(x, b.broadcast(i64, i)), to, i);
      b.endloop();
      check(std::move(b).finish(), t, {array(i64, 30, random), array(i64, 30, random)}, {}, 0, n, "check");
    }
}

// Random straight-line code with more live values than registers, masks among them.
TEST_CASE("emit: register pressure") {
  for (Target t : targets())
    for (uint64_t seed = 0; seed < 60; ++seed) {
      std::mt19937_64 random(seed);
      int lanes = seed % 3 == 2 ? 1 : lanes_for(t, 8);
      KernelBuilder b(lanes, lanes == 1);
      Value in = b.arg(1), out = b.arg(2), i = lanes == 1 ? b.range() : b.vrange();
      std::vector<Value> xs, ms;
      Value row = b.imuli(i, 8);
      for (int64_t k = 0; k < 8; ++k) xs.push_back(b.load_strided(KType::f64, in, row, b.iconst(8), 8 * k));
      ms.push_back(b.cmp(KCmp::lt, xs[0], xs[1]));
      auto x = [&] { return xs[random() % xs.size()]; };
      auto m = [&] { return ms[random() % ms.size()]; };
      for (int step = 0; step < 150; ++step) {
        switch (random() % 9) {
          case 0:
            xs.push_back(b.add(x(), x()));
            break;
          case 1:
            xs.push_back(b.fma(x(), x(), x()));
            break;
          case 2:
            xs.push_back(b.fnma(x(), b.number(KType::f64, 0.5), x()));
            break;
          case 3:
            ms.push_back(b.cmp(KCmp::le, x(), x()));
            break;
          case 4:
            ms.push_back(b.mxor(m(), b.mnot(m())));
            break;
          case 5:
            xs.push_back(b.select(m(), x(), x()));
            break;
          case 6:
            xs.push_back(elementary(b, ir::Op::sin_op, x()));
            break;
          case 7:
            xs.push_back(b.max(x(), b.neg(x())));
            break;
          default:
            xs.push_back(b.div(x(), b.number(KType::f64, 3)));
        }
      }
      Value sum = xs[0];
      for (size_t k = 1; k < xs.size(); ++k) sum = b.add(b.mul(sum, b.number(KType::f64, 0.25)), xs[k]);
      for (Value mask : ms) sum = b.select(mask, b.neg(sum), sum);
      b.store(sum, out, i);
      b.endloop();
      std::mt19937_64 data(seed + 100);
      check(std::move(b).finish(), t, {array(KType::f64, 400, data), array(KType::f64, 40, data)}, {}, 0,
            13 + static_cast<int64_t>(seed % 8), "pressure");
    }
}

TEST_CASE("kernel_code: freed with its last user") {
  const size_t before = shared_code_bytes();
  for (Target t : targets()) {
    KernelBuilder b(lanes_for(t, 8));
    const Value i = b.vrange();
    b.store(b.neg(b.load(KType::f64, b.arg(1), i)), b.arg(2), i);
    b.endloop();
    auto code = compile(std::move(b).finish(), t), other = code;
    CHECK(shared_code_bytes() >= before + static_cast<size_t>(code->code_bytes));
    code = nullptr;
    CHECK(shared_code_bytes() > before);
    other = nullptr;
    CHECK(shared_code_bytes() == before);
  }
}

TEST_CASE("kernel_code: many threads share one copy") {
  if (targets().empty()) return;
  constexpr int kKernels = 40, kThreads = 4;
  std::array<std::array<std::shared_ptr<const KernelCode>, kKernels>, kThreads> codes;
  std::vector<std::thread> threads;
  for (auto& mine : codes)
    threads.emplace_back([&mine] {
      for (int n = 0; n < kKernels; ++n) {
        KernelBuilder b(lanes_for(target(), 8));
        const Value i = b.vrange();
        b.store(b.mul(b.load(KType::f64, b.arg(1), i), b.number(KType::f64, 1000 + n)), b.arg(2), i);
        b.endloop();
        mine[static_cast<size_t>(n)] = kernel_code(std::move(b).finish());
      }
    });
  for (auto& t : threads) t.join();
  for (const auto& mine : codes) CHECK(mine == codes[0]);
}

TEST_CASE("kernel_code: compiled once") {
  if (targets().empty()) return;
  auto make = [](double c) {
    KernelBuilder b(lanes_for(target(), 8));
    Value in = b.arg(1), i = b.vrange();
    b.store(b.add(b.load(KType::f64, in, i), b.number(KType::f64, c)), b.arg(2), i);
    b.endloop();
    return std::move(b).finish();
  };
  bool compiled = false;
  auto first = kernel_code(make(123.5), &compiled);
  CHECK(compiled);
  CHECK(kernel_code(make(123.5), &compiled) == first);
  CHECK_FALSE(compiled);
  CHECK(kernel_code(make(124.5), &compiled) != first);
  CHECK(compiled);
  CHECK(disassembly(make(123.5)).find("vadd") != std::string::npos);
}

TEST_CASE("kernel_code: of many kernels the least recently used are dropped; code in use stays") {
  if (targets().empty()) return;
  constexpr int kMore = 4600, kEvery = 500;  // than the cache holds; how often one of them is used
  auto make = [](int n) {
    KernelBuilder b(lanes_for(target(), 8));
    Value i = b.vrange();
    b.store(b.add(b.load(KType::f64, b.arg(1), i), b.number(KType::f64, 1e6 + n)), b.arg(2), i);
    b.endloop();
    return std::move(b).finish();
  };
  bool compiled = false;
  auto held = kernel_code(make(0)), same = kernel_code(make(0), &compiled);
  CHECK(held == same);
  CHECK_FALSE(compiled);
  const int64_t each = held->code_bytes;
  kernel_code(make(1));
  int misses = 0;
  for (int n = 2; n < kMore; ++n) {
    kernel_code(make(n));
    if (n % kEvery != 0) continue;
    kernel_code(make(1), &compiled);
    misses += compiled;
  }
  CHECK(misses == 0);
  const size_t full = shared_code_bytes();
  for (int n = kMore; n < kMore + kEvery; ++n) kernel_code(make(n));
  CHECK(shared_code_bytes() < full + static_cast<size_t>(20 * each));
  kernel_code(make(kMore + kEvery - 1), &compiled);
  CHECK_FALSE(compiled);
  CHECK(kernel_code(make(0), &compiled) != held);
  CHECK(compiled);

  std::array<double, 8> in = {1, 2, 3, 4, 5, 6, 7, 8}, out = {};
  alignas(64) std::array<std::byte, 4096> spill;
  REQUIRE(held->spill_bytes <= static_cast<int64_t>(spill.size()));
  const std::array<int64_t, 3> args = {0, static_cast<int64_t>(reinterpret_cast<intptr_t>(in.data())),
                                       static_cast<int64_t>(reinterpret_cast<intptr_t>(out.data()))};
  held->fn(args.data(), 0, 8, spill.data());
  CHECK(out == std::array<double, 8>{1e6 + 1, 1e6 + 2, 1e6 + 3, 1e6 + 4, 1e6 + 5, 1e6 + 6, 1e6 + 7, 1e6 + 8});
}

// What C is written of may have calls in lanes; machine code may not.
TEST_CASE("a call in several lanes is no machine code") {
  for (Target t : targets()) {
    KernelBuilder b(lanes_for(t, 8));
    const Value i = b.vrange();
    b.store(b.call(function(ir::Op::exp_op), b.load(KType::f64, b.arg(1), i)), b.arg(2), i);
    b.endloop();
    const Kernel kernel = std::move(b).finish();
    CHECK_THROWS_WITH_AS(emit(kernel, t, false), doctest::Contains("a call has one lane"), InternalError);
  }
}

// A function with a cold range and a check, from one array of bytes: emitted again it is the same, two copies of it run
// where they are, and it holds the address of nothing.
TEST_CASE("code holds no address: the same bytes run wherever they are mapped") {
  for (Target t : targets()) {
    KernelBuilder b(lanes_for(t, 8));
    const Value i = b.vrange();
    b.store(elementary(b, ir::Op::sin_op, b.load(KType::f64, b.arg(1), i)), b.arg(2), i);
    b.endloop();
    const Kernel kernel = std::move(b).finish();
    const EmittedCode code = emit(kernel, t, false);
    CHECK(emit(kernel, t, false).bytes == code.bytes);
    const auto cold = std::bit_cast<std::array<std::byte, 8>>(&run_cold);
    CHECK(std::ranges::search(code.bytes, cold).empty());
    std::mt19937_64 random(5);
    std::vector<Array> arrays = {array(KType::f64, 43, random), array(KType::f64, 43, random)};
    const double large = 1e300;  // beyond the range of the vector code
    std::memcpy(arrays[0].bytes.data(), &large, sizeof large);
    Memory expected(arrays, {});
    interpret(kernel, expected.args.data(), 0, 43);
    const std::shared_ptr<const std::byte> copies[] = {make_executable(code.bytes), make_executable(code.bytes)};
    CHECK(copies[0] != copies[1]);
    for (const auto& memory : copies) {
      Memory got(arrays, {});
      run(reinterpret_cast<KernelCode::Fn>(std::bit_cast<uintptr_t>(memory.get()) + code.entry), code.spill_bytes,
          got.args.data(), 0, 43);
      for (size_t at = 0; at < arrays[1].bytes.size(); at += 8)
        CHECK(same(KType::f64, got.arrays[1].data() + at, expected.arrays[1].data() + at));
    }
  }
}
