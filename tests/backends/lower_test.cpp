// What kernels look like.
#include "backends/cpu/lower/lower.h"

#include <doctest/doctest.h>

#include "backends/cpu/executable.h"
#include "jot/ir.h"

using namespace jot;

namespace {

std::string kernel_text(const std::string& graph, size_t step = 0, const cpu::CompileOptions& options = {}) {
  cpu::Compiled made = cpu::compile(ir::parse(graph), options);
  const cpu::Kernel& kernel = *std::get<cpu::KernelStep>(made.program.steps[step].what).kernel;
  cpu::verify(kernel);
  return cpu::to_text(kernel);
}

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("lower: contiguous values of any rank are one flat loop") {
  CHECK(kernel_text("func @main(%x: f32[20,30,40], %y: f32[20,30,40]) -> (f32[20,30,40]) {\n"
                    "  %0: f32[20,30,40] = add(%x, %y)\n  return %0\n}\n") ==
        "kernel lanes=16 args=4\n"
        "  %0 = arg 1\n"
        "  %1 = arg 2\n"
        "  %2 = arg 3\n"
        "  %3 = vrange\n"
        "    %4 = f32 load [%0 + %3]\n"
        "    %5 = f32 load [%1 + %3]\n"
        "    %6 = f32 add %4, %5\n"
        "    f32 store [%2 + %3] = %6\n"
        "  endloop %3\n");
}

TEST_CASE("lower: rows of a short axis are transposed in registers, once") {
  std::string text = kernel_text(
      "func @main(%x: f64[1000,3]) -> (f64[1000,3]) {\n"
      "  %0: f64[1000,3] = rev(%x) {dims=[1]}\n  %1: f64[1000,3] = mul(%x, %0)\n  return %1\n}\n");
  CHECK(count(text, "load_rows") == 1);
  CHECK(count(text, "store_rows") == 1);
  CHECK(count(text, " mul ") == 2);  // x0 x2 twice the same
}

TEST_CASE("lower: results that do not fit the caches are written past them") {
  const std::string scaled =
      "func @main(%x: f64[1000]) -> (f64[1000]) {\n  %0: f64[1000] = mul(%x, %x)\n  return %0\n}\n";
  CHECK(kernel_text(scaled, 0, {.stream = 8000}).find("f64 store.stream [%1 + %2] = %4") != std::string::npos);
  CHECK(count(kernel_text(scaled, 0, {.stream = 23'000}), "stream") == 1);  // of which both fill two thirds
  CHECK(count(kernel_text(scaled, 0, {.stream = 24'003}), "stream") == 0);
  // Elements of all lanes are put together; so are those that are read, where lanes are far apart.
  auto reversed = [](int columns) {
    const std::string type = "f64[1000," + std::to_string(columns) + "]";
    return "func @main(%x: " + type + ") -> (" + type + ") {\n  %0: " + type + " = rev(%x) {dims=[1]}\n  %1: " + type +
           " = mul(%0, %0)\n  return %1\n}\n";
  };
  CHECK(count(kernel_text(reversed(3), 0, {.stream = 0}), "copy") == 0);
  const std::string narrow = kernel_text(reversed(4), 0, {.stream = 0}),
                    wide = kernel_text(reversed(36), 0, {.stream = 0});
  CHECK(count(narrow, "copy.stream") == 1);
  CHECK(count(narrow, "copy [") == 0);
  CHECK(count(wide, "copy.stream") == 1);
  CHECK(count(wide, "copy [") == 1);
  CHECK(count(kernel_text(reversed(36)), "copy") == 0);
  // Of 36 columns two are needed.
  CHECK(count(kernel_text("func @main(%x: f64[1000,36]) -> (f64[1000,2]) {\n"
                          "  %0: f64[1000,2] = slice(%x) {start=[0,4], limit=[1000,6], stride=[1,1]}\n"
                          "  %1: f64[1000,2] = mul(%0, %0)\n  return %1\n}\n",
                          0, {.stream = 0}),
              "copy [") == 0);
  // Not what is read again, nor what takes the place of an input.
  CHECK(count(kernel_text("func @main(%x: f64[1000,1000]) -> (f64[1000,1000], f64[1000,1000]) {\n"
                          "  %0: f64[1000,1000] = mul(%x, %x)\n"
                          "  %1: f64[1000,1000] = dot(%0, %x) {contract=[[1],[0]], batch=[[],[]]}\n"
                          "  return %0, %1\n}\n",
                          0, {.stream = 0}),
              "stream") == 0);
  const int32_t replaces[] = {0};
  CHECK(count(kernel_text(scaled, 0, {.replaces = replaces, .stream = 0}), "stream") == 0);
}

TEST_CASE("lower: products with one use are contracted") {
  std::string text = kernel_text(
      "func @main(%x: f64[1000], %y: f64[1000], %z: f64[1000]) -> (f64[1000], f64[1000], f64[1000]) {\n"
      "  %0: f64[1000] = mul(%x, %y)\n  %1: f64[1000] = add(%0, %z)\n"
      "  %2: f64[1000] = mul(%x, %x)\n  %3: f64[1000] = sub(%z, %2)\n"
      "  %4: f64[1000] = mul(%y, %y)\n  %5: f64[1000] = sub(%4, %4)\n"
      "  return %1, %3, %5\n}\n");
  CHECK(count(text, " fma ") == 1);
  CHECK(count(text, " fnma ") == 1);
  CHECK(count(text, " mul ") == 1);  // two uses: x - x stays 0
}

TEST_CASE("lower: zeros of identity are absent, zeros of pad are numbers") {
  // diag(w) x for a mapped x, and pad(x) * w
  std::string absent = kernel_text(
      "func @main(%x: f64[1000,3], %w: f64[3]) -> (f64[1000,3]) {\n"
      "  %0: f64[3,3] = diag_embed(%w) {batch_dims=0}\n"
      "  %1: f64[1000,3] = dot(%x, %0) {contract=[[1],[0]], batch=[[],[]]}\n  return %1\n}\n");
  CHECK(count(absent, " mul ") == 3);
  CHECK(count(absent, " fma ") == 0);
  std::string numbers = kernel_text(
      "func @main(%x: f64[1000,2], %w: f64[1000,3]) -> (f64[1000,3]) {\n"
      "  %0: f64[] = const() {shape=[], dtype=f64, data=[0]}\n"
      "  %1: f64[1000,3] = pad(%x, %0) {lo=[0,1], hi=[0,0], interior=[0,0]}\n"
      "  %2: f64[1000,3] = mul(%1, %w)\n  return %2\n}\n");
  CHECK(count(numbers, " mul ") == 3);
}

TEST_CASE("lower: sums of cotangents leave zeros out") {
  std::string text = kernel_text(
      "func @main(%x: f64[1000,2], %y: f64[1000,2]) -> (f64[1000,4]) {\n"
      "  %0: f64[] = const() {shape=[], dtype=f64, data=[0]}\n"
      "  %1: f64[1000,4] = pad(%x, %0) {lo=[0,0], hi=[0,2], interior=[0,0]}\n"
      "  %2: f64[1000,4] = pad(%y, %0) {lo=[0,2], hi=[0,0], interior=[0,0]}\n"
      "  %3: f64[1000,4] = add_any(%1, %2)\n  return %3\n}\n");
  CHECK(count(text, " add ") == 0);
}

TEST_CASE("lower: sums over the loop of a kernel are kept in registers") {
  // Long ones in strips: what an accumulator came to is folded into a sum and what rounding lost of it.
  for (auto [rows, variables] : {std::pair{"100000", 6}, {"200", 2}}) {
    const std::string type = std::string("f64[") + rows + ",2]";
    std::string text = kernel_text("func @main(%x: " + type + ") -> (f64[2]) {\n  %0: " + type +
                                   " = mul(%x, %x)\n  %1: f64[2] = reduce_sum(%0) {dims=[0]}\n  return %1\n}\n");
    CHECK(count(text, " var ") == variables);
    CHECK(count(text, " fma ") == 2);
    CHECK(count(text, "reduce.add") == 2);
    CHECK(count(text, "store") == 2);
  }
}

TEST_CASE("lower: what costs much and several phases of a row need is computed once") {
  auto softmax = [](const std::string& op, const std::string& columns) {
    const std::string type = "f32[512," + columns + "]", shape = " {shape=[512," + columns + "], dims=[0]}\n";
    return kernel_text("func @main(%x: " + type + ") -> (" + type +
                       ") {\n  %0: f32[512] = reduce_max(%x) {dims=[1]}\n" + "  %1: " + type + " = broadcast(%0)" +
                       shape + "  %2: " + type + " = sub(%x, %1)\n  %3: " + type + " = " + op +
                       "(%2)\n  %4: f32[512] = reduce_sum(%3) {dims=[1]}\n  %5: " + type + " = broadcast(%4)" + shape +
                       "  %6: " + type + " = div(%3, %5)\n  return %6\n}\n");
  };
  std::string dear = softmax("exp", "1000"), cheap = softmax("neg", "1000"), wide = softmax("exp", "1000000");
  CHECK(count(dear, "fixup.exp") == 1);
  CHECK(count(dear, " store ") == 2);  // kept, and the result
  CHECK(count(cheap, " store ") == 1);
  CHECK(count(wide, "fixup.exp") == 2);  // a row that fits in no cache is computed again
  CHECK(count(wide, " store ") == 1);
}

TEST_CASE("lower: the cost of a kernel counts scattered elements, and what runs once in a row once") {
  auto chunks = [](const std::string& graph) {
    int64_t most = 0;
    cpu::Compiled made = cpu::compile(ir::parse(graph), {});
    for (const cpu::Step& s : made.program.steps)
      if (auto* k = std::get_if<cpu::KernelStep>(&s.what)) most = std::max(most, k->chunks);
    return most;
  };
  const int64_t dense = chunks(
      "func @main(%x: f32[1048576], %y: f32[1048576]) -> (f32[1048576]) {\n"
      "  %0: f32[1048576] = add(%x, %y)\n  return %0\n}\n");
  const int64_t scattered = chunks(
      "func @main(%x: f32[1048576], %i: i32[1048576,1]) -> (f32[1048576]) {\n"
      "  %0: f32[1048576] = gather(%x, %i) {offset_dims=[], collapsed=[0], index_map=[0], operand_batch=[], "
      "index_batch=[], sizes=[1], mode=clip}\n"
      "  %1: f32[1048576] = add(%0, %0)\n  return %1\n}\n");
  CHECK(scattered > 5 * dense);
  const int64_t in_rows = chunks(
      "func @main(%x: f32[2048,256]) -> (f32[2048]) {\n"
      "  %0: f32[2048,256] = tanh(%x)\n  %1: f32[2048,256] = tanh(%0)\n  %2: f32[2048,256] = tanh(%1)\n"
      "  %3: f32[2048] = reduce_sum(%2) {dims=[1]}\n  return %3\n}\n");
  const int64_t after_rows = chunks(
      "func @main(%x: f32[2048,256]) -> (f32[2048]) {\n"
      "  %0: f32[2048] = reduce_sum(%x) {dims=[1]}\n"
      "  %1: f32[2048] = tanh(%0)\n  %2: f32[2048] = tanh(%1)\n  %3: f32[2048] = tanh(%2)\n  return %3\n}\n");
  CHECK(in_rows > 2 * after_rows);
}

TEST_CASE("lower: a scalar program has one lane and no loop") {
  std::string text = kernel_text(
      "func @main(%a: f64[], %b: f64[]) -> (f64[]) {\n"
      "  %0: f64[] = mul(%a, %b)\n  %1: f64[] = sin(%0)\n  return %1\n}\n");
  CHECK(text.find("lanes=1") != std::string::npos);
  CHECK(count(text, "loop") == 0);
  CHECK(count(text, "call.sin") == 1);
}
