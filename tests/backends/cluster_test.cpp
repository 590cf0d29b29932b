// What ends up in one kernel.
#include "backends/cpu/cluster/cluster.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "backends/cpu/cluster/code_room.h"
#include "backends/cpu/cluster/made_anew.h"
#include "backends/cpu/executable.h"
#include "jot/ir.h"

using namespace jot;

namespace {

struct Counts {
  int64_t kernels, routines, library;
  friend bool operator==(const Counts&, const Counts&) = default;
};
std::ostream& operator<<(std::ostream& out, const Counts& c) {
  return out << c.kernels << " kernels, " << c.routines << " routines, " << c.library << " library calls";
}

Counts counts(const std::string& body) {
  ExecutableStats s = cpu::compile(ir::parse(body), {}).stats;
  return {s.kernels, s.routines, s.library_calls};
}

std::string listing(const std::string& body) {
  ir::Graph graph = ir::parse(body);
  return to_text(cpu::cluster(graph.data()));
}

}  // namespace

TEST_CASE("cluster: elementwise ops and broadcasts are one kernel") {
  CHECK(counts("func @main(%x: f32[1000,64], %b: f32[64], %s: f32[]) -> (f32[1000,64]) {\n"
               "  %0: f32[1000,64] = broadcast(%b) {shape=[1000,64], dims=[1]}\n"
               "  %1: f32[1000,64] = add(%x, %0)\n"
               "  %2: f32[1000,64] = tanh(%1)\n"
               "  %3: f32[1000,64] = broadcast(%s) {shape=[1000,64], dims=[]}\n"
               "  %4: f32[1000,64] = mul(%2, %3)\n"
               "  return %4\n}\n") == Counts{1, 0, 0});
}

TEST_CASE("cluster: softmax of rows is one kernel") {
  std::string text = listing(
      "func @main(%x: f32[512,1000]) -> (f32[512,1000]) {\n"
      "  %0: f32[512] = reduce_max(%x) {dims=[1]}\n"
      "  %1: f32[512,1000] = broadcast(%0) {shape=[512,1000], dims=[0]}\n"
      "  %2: f32[512,1000] = sub(%x, %1)\n"
      "  %3: f32[512,1000] = exp(%2)\n"
      "  %4: f32[512] = reduce_sum(%3) {dims=[1]}\n"
      "  %5: f32[512,1000] = broadcast(%4) {shape=[512,1000], dims=[0]}\n"
      "  %6: f32[512,1000] = div(%3, %5)\n"
      "  return %6\n}\n");
  CHECK(text ==
        "kernel loop 512 | loop 1000\n"
        "  %1 reduce_max[512]\n"
        "  %3 sub[512,1000]\n"
        "  %4 exp[512,1000]\n"
        "  %5 reduce_sum[512]\n"
        "  %7 div[512,1000] stored\n");
}

TEST_CASE("cluster: reductions around and below the channels of images are rows of one kernel") {
  // Also where heights and widths are short: they are one loop.
  for (const std::string n : {"32,64,14,14", "8,32,112,112", "4,128,7,7", "16,8,5,7"}) {
    const std::string c = n.substr(n.find(',') + 1, n.find(',', n.find(',') + 1) - n.find(',') - 1);
    std::string text =
        listing("func @main(%x: f32[" + n + "]) -> (f32[" + n + "]) {\n  %0: f32[" + c +
                "] = reduce_sum(%x) {dims=[0,2,3]}\n  %1: f32[" + n + "] = broadcast(%0) {shape=[" + n +
                "], dims=[1]}\n  %2: f32[" + n + "] = sub(%x, %1)\n  %3: f32[" + n + "] = mul(%2, %2)\n  %4: f32[" + c +
                "] = reduce_sum(%3) {dims=[0,2,3]}\n  %5: f32[" + n + "] = broadcast(%4) {shape=[" + n +
                "], dims=[1]}\n  %6: f32[" + n + "] = mul(%2, %5)\n  return %6\n}\n");
    CAPTURE(text);
    CHECK(text.starts_with("kernel loop " + c + " | loop "));
    CHECK(text.find("kernel", 1) == std::string::npos);
    CHECK(text.find("routine") == std::string::npos);
  }
}

TEST_CASE("cluster: short axes are unrolled under a mapped one") {
  // picks rows by index, takes them apart, multiplies small matrices, puts results together
  std::string text = listing(
      "func @main(%table: f64[49,11], %i: i64[5000], %x: f64[5000,3], %m: f64[3,3]) -> (f64[5000,6]) {\n"
      "  %0: i64[5000,1] = reshape(%i) {shape=[5000,1]}\n"
      "  %1: f64[5000,11] = gather(%table, %0) {offset_dims=[1], collapsed=[0], index_map=[0], operand_batch=[], "
      "index_batch=[], sizes=[1,11], mode=check}\n"
      "  %2: f64[5000,3] = slice(%1) {start=[0,3], limit=[5000,6], stride=[1,1]}\n"
      "  %3: f64[5000,3] = sub(%x, %2)\n"
      "  %4: f64[5000,3] = dot(%3, %m) {contract=[[1],[0]], batch=[[],[]]}\n"
      "  %5: f64[5000,6] = concat(%4, %3) {dim=1}\n"
      "  return %5\n}\n");
  CHECK(text ==
        "kernel loop 5000\n"
        "  %5 gather[5000,11]\n"
        "  %7 sub[5000,3]\n"
        "  %8 dot[5000,3]\n"
        "  %9 concat[5000,6] stored\n");
}

TEST_CASE("cluster: small programs are one scalar kernel") {
  CHECK(counts("func @main(%w: f32[3,3], %b: f32[3], %x: f32[3]) -> (f32[3,3]) {\n"
               "  %0: f32[3] = dot(%w, %x) {contract=[[1],[0]], batch=[[],[]]}\n"
               "  %1: f32[3] = add(%0, %b)\n"
               "  %2: f32[3] = tanh(%1)\n"
               "  %3: f32[3] = mul(%2, %2)\n"
               "  %4: f32[3,3] = broadcast(%3) {shape=[3,3], dims=[0]}\n"
               "  %5: f32[3,3] = mul(%w, %4)\n"
               "  return %5\n}\n") == Counts{1, 0, 0});
}

TEST_CASE("cluster: a reduction of everything ends a kernel, unless that is short") {
  auto normalised = [](int64_t n) {
    std::string m = std::to_string(n);
    return "func @main(%x: f32[" + m + "]) -> (f32[" + m + "]) {\n  %0: f32[" + m +
           "] = exp(%x)\n  %1: f32[] = reduce_sum(%0) {dims=[0]}\n  %2: f32[" + m + "] = broadcast(%1) {shape=[" + m +
           "], dims=[]}\n  %3: f32[" + m + "] = div(%0, %2)\n  return %3\n}\n";
  };
  CHECK(counts(normalised(1000)) == Counts{1, 0, 0});
  CHECK(counts(normalised(100000)) == Counts{2, 0, 0});
}

TEST_CASE("cluster: cheap values without loops are made where they are used") {
  CHECK(counts("func @main(%x: f32[1000], %s: f32[], %t: f32[]) -> (f32[1000]) {\n"
               "  %0: f32[] = mul(%s, %t)\n"
               "  %1: f32[1000] = broadcast(%0) {shape=[1000], dims=[]}\n"
               "  %2: f32[1000] = mul(%x, %1)\n"
               "  return %2\n}\n") == Counts{1, 0, 0});
}

TEST_CASE("cluster: an axis that meets itself is not one loop") {
  // x + x^T and x_i - x_j
  CHECK(counts("func @main(%x: f64[700,700]) -> (f64[700,700]) {\n"
               "  %0: f64[700,700] = permute(%x) {perm=[1,0]}\n"
               "  %1: f64[700,700] = add(%x, %0)\n"
               "  return %1\n}\n") == Counts{1, 0, 0});
  CHECK(counts("func @main(%x: f64[700]) -> (f64[700,700]) {\n"
               "  %0: f64[700,700] = broadcast(%x) {shape=[700,700], dims=[0]}\n"
               "  %1: f64[700,700] = broadcast(%x) {shape=[700,700], dims=[1]}\n"
               "  %2: f64[700,700] = sub(%0, %1)\n"
               "  return %2\n}\n") == Counts{1, 0, 0});
}

TEST_CASE("cluster: what only a later kernel needs moves there") {
  // 1 - h^2 of the forward pass belongs to the backward pass: only tanh is written
  std::string text = listing(
      "func @main(%x: f32[512,64], %w: f32[64,64], %c: f32[512,64]) -> (f32[512,64]) {\n"
      "  %h: f32[512,64] = tanh(%x)\n"
      "  %0: f32[512,64] = mul(%h, %h)\n"
      "  %1: f32[512,64] = neg(%0)\n"
      "  %2: f32[512,64] = dot(%h, %w) {contract=[[1],[0]], batch=[[],[]]}\n"
      "  %3: f32[512,64] = mul(%2, %1)\n"
      "  return %3\n}\n");
  CHECK(text ==
        "kernel loop 512 loop 64\n"
        "  %3 tanh[512,64] stored\n"
        "routine %6 dot\n"
        "kernel loop 512 loop 64\n"
        "  %4 mul[512,64]\n"
        "  %5 neg[512,64]\n"
        "  %7 mul[512,64] stored\n");
}

TEST_CASE("cluster: products are rewritten until no transposition is left") {
  CHECK(counts("func @main(%x: f32[512,64], %w: f32[50,64]) -> (f32[512,50]) {\n"
               "  %0: f32[64,50] = permute(%w) {perm=[1,0]}\n"
               "  %1: f32[512,50] = dot(%x, %0) {contract=[[1],[0]], batch=[[],[]]}\n"
               "  return %1\n}\n") == Counts{0, 0, 1});
  CHECK(counts("func @main(%x: f32[512,64], %w: f32[50,64]) -> (f32[512,50]) {\n"
               "  %0: f32[50,512] = dot(%w, %x) {contract=[[1],[1]], batch=[[],[]]}\n"
               "  %1: f32[512,50] = permute(%0) {perm=[1,0]}\n"
               "  return %1\n}\n") == Counts{0, 0, 1});
  CHECK(counts("func @main(%w: f32[300,400]) -> (f32[300,400]) {\n"
               "  %0: f32[400,400] = identity() {shape=[400], dtype=f32}\n"
               "  %1: f32[300,400] = dot(%w, %0) {contract=[[1],[0]], batch=[[],[]]}\n"
               "  return %1\n}\n") == Counts{0, 0, 0});
}

TEST_CASE("cluster: what only products read is computed in the layout of its operands") {
  ir::Graph graph = ir::parse(
      "func @main(%x: f32[512,64], %s: f32[512]) -> (f32[64,64]) {\n"
      "  %0: f32[64,512] = permute(%x) {perm=[1,0]}\n"
      "  %1: f32[64,512] = neg(%0)\n"
      "  %2: f32[64,512] = broadcast(%s) {shape=[64,512], dims=[1]}\n"
      "  %3: f32[64,512] = mul(%1, %2)\n"
      "  %4: f32[64,64] = dot(%3, %x) {contract=[[1],[0]], batch=[[],[]]}\n"
      "  return %4\n}\n");
  cpu::Compiled made = cpu::compile(graph, {}, true);
  CHECK(made.stats.kernels == 1);
  CHECK(made.listing.find("kernel loop 512 loop 64") != std::string::npos);
  CHECK(made.listing.find("load_strided") == std::string::npos);
}

TEST_CASE("cluster: a product with a vector is a sum, fused with what makes its operands") {
  CHECK(counts("func @main(%x: f32[512,64], %w: f32[64]) -> (f32[512]) {\n"
               "  %0: f32[512,64] = tanh(%x)\n"
               "  %1: f32[512] = dot(%0, %w) {contract=[[1],[0]], batch=[[],[]]}\n"
               "  %2: f32[512] = neg(%1)\n"
               "  return %2\n}\n") == Counts{1, 0, 0});
  CHECK(counts("func @main(%x: f64[3000], %y: f64[3000]) -> (f64[]) {\n"
               "  %0: f64[3000] = sub(%x, %y)\n"
               "  %1: f64[] = dot(%0, %0) {contract=[[0],[0]], batch=[[],[]]}\n"
               "  return %1\n}\n") == Counts{1, 0, 0});
  // Batched, the vector on the left; its axes in another order are read where they lie.
  CHECK(counts("func @main(%v: f64[40,9,30], %x: f64[9,20,30,40]) -> (f64[9,20]) {\n"
               "  %0: f64[9,20] = dot(%v, %x) {contract=[[0,2],[3,2]], batch=[[1],[0]]}\n"
               "  return %0\n}\n") == Counts{1, 0, 0});
  // Columns that lie side by side: a routine.
  CHECK(counts("func @main(%v: f64[9,40], %x: f64[9,40,30]) -> (f64[9,30]) {\n"
               "  %0: f64[9,30] = dot(%v, %x) {contract=[[1],[1]], batch=[[0],[0]]}\n"
               "  return %0\n}\n") == Counts{0, 1, 0});
}

TEST_CASE("cluster: another length of the mapped axis gives the same kernel") {
  auto kernel = [](int64_t n) {
    std::string m = std::to_string(n);
    ir::Graph graph = ir::parse(
        "func @main(%x: f64[" + m + ",3], %b: f64[3]) -> (f64[" + m + ",3], f64[3," + m + "], f64[]) {\n  %0: f64[" +
        m + ",3] = broadcast(%b) {shape=[" + m + ",3], dims=[1]}\n  %1: f64[" + m + ",3] = mul(%x, %0)\n  %2: f64[" +
        m + ",3] = rev(%1) {dims=[1]}\n  %3: f64[3," + m + "] = permute(%1) {perm=[1,0]}\n  %4: f64[" + m +
        "] = reduce_sum(%1) {dims=[1]}\n  %5: f64[] = reduce_sum(%4) {dims=[0]}\n  return %2, %3, %5\n}\n");
    cpu::Compiled made = cpu::compile(graph, {});
    REQUIRE(made.stats.kernels == 1);
    return *std::get<cpu::KernelStep>(made.program.steps[0].what).kernel;
  };
  CHECK(kernel(5000) == kernel(5001));
  CHECK(kernel(5000) == kernel(1'000'000));
}

// A product of matrices stands between the members that the levels would put into one kernel.
TEST_CASE("cluster: where sinking would make a cycle, nodes stay where they were") {
  ir::Graph graph = ir::parse(
      "func @main(%x: f64[64,64]) -> (f64[64,64]) {\n"
      "  %0: f64[64,64] = exp(%x)\n"
      "  %1: f64[64,64] = dot(%0, %x) {contract=[[1],[0]], batch=[[],[]]}\n"
      "  %2: f64[64,64] = add(%1, %0)\n"
      "  return %2\n}\n");
  cpu::Clustering sound = cpu::cluster(graph.data());
  CHECK(sound.sunk);
  cpu::Clustering planted =
      cpu::cluster(graph.data(), {}, cpu::Ways::all, [](std::span<uint32_t> levels) { std::ranges::fill(levels, 7); });
  CHECK(!planted.sunk);
  CHECK(to_text(planted) == to_text(sound));
  CHECK(to_text(planted) ==
        "kernel loop 64 loop 64\n"
        "  %1 exp[64,64] stored\n"
        "routine %2 dot\n"
        "kernel loop 64 loop 64\n"
        "  %3 add[64,64] stored\n");
}

// A column's elements less their mean, times the sum of their squares: the second kernel reads x again.
TEST_CASE("cluster: cheap values of one parameter are not written for a kernel behind a reduction of them") {
  auto differences = [](const std::string& shape, const std::string& columns, const std::string& op, bool returned) {
    const std::string large = "f32[" + shape + "]", small = "f32[" + columns + "]",
                      attrs = "{shape=[" + shape + "], dims=[1]}";
    ir::Graph graph = cpu::made_anew(
        ir::parse("func @main(%x: " + large + ", %m: " + small + ") -> (" + large + (returned ? ", " + large : "") +
                  ") {\n  %0: " + large + " = broadcast(%m) " + attrs + "\n  %1: " + large + " = " + op +
                  "(%x, %0)\n  %2: " + large + " = mul(%1, %1)\n  %3: " + small +
                  " = reduce_sum(%2) {dims=[0]}\n  %4: " + large + " = broadcast(%3) " + attrs + "\n  %5: " + large +
                  " = mul(%1, %4)\n  return %5" + (returned ? ", %1" : "") + "\n}\n"));
    const std::string text = to_text(graph);
    int64_t n = 0;
    for (size_t at = text.find(op + "("); at != std::string::npos; at = text.find(op + "(", at + 1)) ++n;
    return n;
  };
  CHECK(differences("4096,256", "256", "sub", false) == 2);
  CHECK(differences("4096,256", "256", "sub", true) == 1);     // it is in memory
  CHECK(differences("4096,256", "256", "atan2", false) == 1);  // not cheap
  CHECK(differences("10,20", "20", "sub", false) == 1);        // not large
  CHECK(differences("8,1024", "1024", "sub", false) == 1);     // what is broadcast is large, too
}

// The squares of an outer product for each lane, then the sum over the lanes of its products with these: rows across
// memory, around which the loop of lanes is the outermost. `twice`: both factors are one value, so that one loop would
// run along two dims and a library makes the product.
TEST_CASE("cluster: outer products are not written for a kernel behind a reduction of them") {
  auto kernels = [](const std::string& columns, const std::string& sum, bool twice) {
    const std::string n = twice ? columns : "256", lane = "f32[64]", second = twice ? "%a" : "%b",
                      shape = "[64," + n + "," + columns + "]", all = "f32" + shape;
    return ir::parse("func @main(%a: f32[64," + n + "], %b: f32[64," + columns + "]) -> (f32[" + n + "," + columns +
                     "]) {\n  %0: " + all + " = dot(%a, " + second + ") {contract=[[],[]], batch=[[0],[0]]}\n  %1: " +
                     all + " = mul(%0, %0)\n  %2: " + lane + " = reduce_sum(%1) {dims=[1,2]}\n  %3: " + all +
                     " = broadcast(%2) {shape=" + shape + ", dims=[0]}\n  %4: " + all + " = mul(%0, %3)\n  %5: f32[" +
                     n + "," + columns + "] = " + sum + "(%4) {dims=[0]}\n  return %5\n}\n");
  };
  auto clusters = [](const ir::Graph& g) { return to_text(cpu::cluster(cpu::made_anew(g).data())); };
  CHECK(clusters(kernels("512", "reduce_sum", false)) ==
        "kernel loop 64 | loop 256 loop 512\n"
        "  %2 dot[64,256,512]\n"
        "  %3 mul[64,256,512]\n"
        "  %4 reduce_sum[64] stored\n"
        "kernel loop 512 loop 256 | loop 64\n"
        "  %6 dot[64,256,512]\n"
        "  %7 mul[64,256,512]\n"
        "  %8 reduce_sum[256,512] stored\n");
  for (const bool twice : {false, true}) {
    const std::string text = to_text(cpu::made_anew(kernels("512", "reduce_max", twice)));
    CHECK((text.find("dot", text.find("dot") + 1) == std::string::npos) == twice);
  }
}

// As many levels as it takes, each looked at a few times: levels that have no room are passed over.
TEST_CASE("cluster: the code of a million values of one nest finds room") {
  cpu::CodeRoom room;
  std::map<uint32_t, int64_t> instructions;
  for (int i = 0; i < 1'000'000; ++i) instructions[room.take(1, 0, 500)] += 500;
  CHECK(instructions.size() == 10'000);
  CHECK(std::ranges::all_of(instructions, [](const auto& level) { return level.second == 50'000; }));
  CHECK(room.take(1, 20'000, 60'000) == 20'000);  // more than there is room for: alone
  CHECK(room.take(1, 20'000, 1) == 20'001);
  CHECK(room.take(2, 0, 1) == 0);
  CHECK(room.move(2, 0, 5, 1));
  CHECK(!room.move(2, 5, 20'000 - 1, 50'001));
}
