#include <doctest/doctest.h>

#include <array>
#include <set>

#include "ir/build.h"
#include "ir/ops/philox.h"
#include "passes/transforms.h"
#include "tests/support/host.h"

namespace jot::test {
namespace {

using namespace ir;
using Words = std::array<uint32_t, 4>;
using Dims = std::vector<std::optional<int64_t>>;

Graph draw(const Shape& shape, int64_t width) {
  Builder b;
  Value key = b.param({DType::i64, false, {2}}), offset = b.param({DType::i64, false, {}});
  return b.finish({b.emit(Op::random_bits_op, {key, offset}, Attrs(shape, width))});
}
HostTensor key(double seed, double stream) { return {DType::i64, {2}, {seed, stream}}; }
HostTensor offset(double at) { return {DType::i64, {}, {at}}; }

}  // namespace

TEST_CASE("Philox4x32-10: the published vectors") {
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr uint32_t kOnes = 0xffffffff;
  CHECK(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("A draw is a slice of the stream") {
  for (int64_t width : {32, 64}) {
    HostTensor whole = interpret(draw({40}, width), std::vector{key(3, 1), offset(100)})[0];
    for (int64_t first : {0, 1, 5, 7}) {
      HostTensor part =
          interpret(draw({3, 4}, width), std::vector{key(3, 1), offset(100 + static_cast<double>(first))})[0];
      for (int64_t i = 0; i < 12; ++i) CHECK(part.number(i) == whole.number(first + i));
    }
    HostTensor first_words = interpret(draw({4}, width), std::vector{key(0, 0), offset(0)})[0];
    if (width == 32) CHECK(static_cast<uint32_t>(static_cast<int32_t>(first_words.number(0))) == 0x6627e8d5);
  }
}

TEST_CASE("Streams, seeds, widths and offsets differ") {
  std::set<uint64_t> seen;
  for (uint64_t seed : {0, 1})
    for (uint64_t stream : {0, 1})
      for (int width : {32, 64})
        for (uint64_t at = 0; at < 64; ++at) seen.insert(random_draw(seed, stream, at, width));
  CHECK(seen.size() == 2 * 2 * 2 * 64);
}

TEST_CASE("vmap: different lanes are slices of one draw, same lanes are equal, error throws") {
  constexpr int64_t kLanes = 3;
  Builder b;
  Value x = b.param({DType::f64, false, {}}), key_ = b.param({DType::i64, false, {2}}),
        at = b.param({DType::i64, false, {}});
  Value bits = b.emit(Op::random_bits_op, {key_, at}, Attrs(Shape{5}, int64_t{64}));
  Graph g = b.finish({x, bits});
  Dims in = {0, std::nullopt, std::nullopt}, out = {0, 0};
  HostTensor lanes(DType::f64, {kLanes}, {1, 2, 3});
  std::vector<HostTensor> args = {lanes, key(9, 0), offset(17)};
  auto mapped = [&](Randomness mode) { return interpret(passes::vmap(g, in, out, kLanes, mode), args)[1]; };
  CHECK(mapped(Randomness::different) == interpret(draw({kLanes, 5}, 64), std::vector{key(9, 0), offset(17)})[0]);
  HostTensor same = mapped(Randomness::same), one = interpret(draw({5}, 64), std::vector{key(9, 0), offset(17)})[0];
  for (int64_t l = 0; l < kLanes; ++l) CHECK(lane(same, l) == one);
  CHECK_THROWS_WITH_AS(mapped(Randomness::error), doctest::Contains("randomness error mode"), TransformError);

  Dims none(3), twice = {0, std::nullopt, std::nullopt};
  Graph inner = passes::vmap(g, twice, out, kLanes, Randomness::different);
  HostTensor nested(DType::f64, {2, kLanes}, {1, 2, 3, 4, 5, 6});
  std::vector<HostTensor> nested_args = {nested, key(9, 0), offset(17)};
  HostTensor both = interpret(passes::vmap(inner, in, out, 2, Randomness::different), nested_args)[1];
  CHECK(both == interpret(draw({2, kLanes, 5}, 64), std::vector{key(9, 0), offset(17)})[0]);
}

TEST_CASE("vmap over keys: each lane draws from its own, in every mode; lanes around them differ") {
  Graph g = draw({4}, 32);
  HostTensor keys(DType::i64, {2, 2}, {1, 0, 5, 7});
  Dims in = {0, std::nullopt}, out = {0}, unmapped = {std::nullopt, std::nullopt};
  Graph mapped = passes::vmap(g, in, out, 2, Randomness::error);
  HostTensor bits = interpret(mapped, std::vector{keys, offset(3)})[0];
  for (int64_t l = 0; l < 2; ++l) CHECK(lane(bits, l) == interpret(g, std::vector{lane(keys, l), offset(3)})[0]);
  HostTensor outer =
      interpret(passes::vmap(mapped, unmapped, out, 3, Randomness::different), std::vector{keys, offset(3)})[0];
  for (int64_t o = 0; o < 3; ++o)
    CHECK(lane(outer, o) == interpret(mapped, std::vector{keys, offset(3 + 4 * static_cast<double>(o))})[0]);
}

TEST_CASE("fold_in names streams: one to one, apart from the draws; each lane's own") {
  std::set<std::array<uint64_t, 2>> keys;
  std::set<uint64_t> words;
  for (uint64_t stream : {0, 1})
    for (uint64_t i = 0; i < 64; ++i) {
      auto key = folded_key(7, stream, i - 8);
      keys.insert(key);
      words.insert({key[0], key[1], random_draw(7, stream, 2 * i, 64), random_draw(7, stream, 2 * i + 1, 64)});
    }
  CHECK(keys.size() == 2 * 64);
  CHECK(words.size() == 4 * 2 * 64);

  Builder b;
  Value key_ = b.param({DType::i64, false, {2}}), i = b.param({DType::i64, false, {}});
  Graph g = b.finish({b.emit(Op::fold_in_op, {key_, i})});
  Graph lanes = passes::vmap(g, Dims{std::nullopt, 0}, Dims{0}, 3, Randomness::error);
  HostTensor folded = interpret(lanes, std::vector{key(1, 2), HostTensor(DType::i64, {3}, {5, 6, -1})})[0];
  for (int64_t l = 0; l < 3; ++l)
    CHECK(lane(folded, l) == interpret(g, std::vector{key(1, 2), offset(std::array{5.0, 6.0, -1.0}[l])})[0]);
}

}  // namespace jot::test
