// What infer and evaluation refuse: the class and the text of the error, with op, types and line.
#include <doctest/doctest.h>

#include "ir/build.h"
#include "tests/support/host.h"

namespace jot::test {
namespace {

using namespace ir;
using I = std::vector<int64_t>;

struct Refused {
  Op op;
  std::vector<Type> operands;
  Attrs attrs;
  const char* text;
};

Type f(const Shape& s) { return {DType::f64, false, s}; }
Type i(const Shape& s) { return {DType::i64, false, s}; }
Type p(const Shape& s) { return {DType::boolean, false, s}; }

template <class Kind>
void check_refused(const std::vector<Refused>& cases) {
  for (const Refused& c : cases) {
    CAPTURE(c.text);
    Builder b;
    std::vector<Value> operands;
    for (const Type& t : c.operands) operands.push_back(b.param(t));
    b.set_location({"model.cpp", 42});
    std::string prefix = "[" + std::string(name_of(c.op)) + "] ";
    std::string message;
    try {
      b.emit(c.op, operands, c.attrs);
    } catch (const Kind& e) {
      message = e.what();
    }
    CHECK(message.starts_with(prefix));
    CHECK(message.find(c.text) != std::string::npos);
    CHECK(message.ends_with("\n  at model.cpp:42"));
    if (!c.operands.empty()) CHECK(message.find("; operands: " + to_string(c.operands[0])) != std::string::npos);
    CHECK(b.emit(Op::neg_op, {b.param(f({2}))}) != kNoValue);  // the builder still works
  }
}

}  // namespace

TEST_CASE("Shape errors") {
  check_refused<ShapeError>({
      {Op::add_op, {f({2}), f({3})}, {}, "operands must have one shape: expected [2], got [3]; broadcast one of them"},
      {Op::add_op, {f({2})}, {}, "expected 2 operand(s), got 1"},
      {Op::where_op, {p({2}), f({3}), f({3})}, {}, "the predicate must be 0-d or of shape [3], got [2]"},
      {Op::where_op, {p({}), f({3}), f({4})}, {}, "expected [3], got [4]"},
      {Op::broadcast_op, {f({2})}, Attrs(Shape{3, 3}, I{1}), "axis 0 of extent 2 cannot be broadcast to extent 3"},
      {Op::broadcast_op, {f({2})}, Attrs(Shape{2, 2}, I{0, 1}), "dims [0,1]: expected one value for each of 1 axes"},
      {Op::reshape_op, {f({2, 3})}, Attrs(Shape{4}), "shape [4] is invalid for input of size 6"},
      {Op::reshape_op, {f({2, 3})}, Attrs(Shape{-2, -3}), "shape [-2,-3] has a negative extent"},
      {Op::permute_op, {f({2, 3})}, Attrs(I{0}), "perm [0]: expected one value for each of 2 axes, got 1"},
      {Op::pad_op, {f({2}), f({1})}, Attrs(I{0}, I{0}, I{0}), "the padding value must be 0-d, got [1]"},
      {Op::pad_op, {f({2}), f({})}, Attrs(I{-2}, I{-2}, I{0}), "axis 0 is cropped to the negative extent -2"},
      {Op::pad_op, {f({2}), f({})}, Attrs(I{0}, I{0}, I{-1}), "interior -1 of axis 0 is negative"},
      {Op::concat_op, {f({2, 3}), f({3, 3})}, Attrs(1), "sizes must match except in axis 1: operand 1: expected [2,3]"},
      {Op::concat_op, {f({2, 3}), f({3})}, Attrs(1), "operand 1: expected [2,3], got [3]"},
      {Op::dynamic_slice_op, {f({4}), i({})}, Attrs(I{5}), "a slice of shape [5] does not fit into [4]"},
      {Op::dynamic_slice_op, {f({4})}, Attrs(I{2}), "expected 2 operands, of which 1 are starts, one an axis; got 1"},
      {Op::dynamic_update_slice_op, {f({4}), f({5}), i({})}, {}, "a slice of shape [5] does not fit into [4]"},
      {Op::gather_op,
       {f({4}), i({3, 2})},
       Attrs(I{}, I{0}, I{0}, I{}, I{}).add(I{1}).add(IndexMode::check),
       "the last axis of the indices must have extent 1"},
      {Op::gather_op,
       {f({4}), i({3, 1})},
       Attrs(I{}, I{0}, I{0}, I{}, I{}).add(I{2}).add(IndexMode::check),
       "axis 0 is dropped: expected slice size 1, got 2"},
      {Op::gather_op,
       {f({4, 2}), i({3, 1})},
       Attrs(I{}, I{0}, I{0}, I{}, I{}).add(I{1, 2}).add(IndexMode::check),
       "offset_dims []: expected one for each of the 1 slice axes that are kept"},
      {Op::scatter_add_op,
       {f({4}), i({3, 1}), f({2})},
       Attrs(I{}, I{0}, I{0}, I{}, I{}).add(IndexMode::check).add(0),
       "updates: expected [3], got [2]"},
      {Op::dot_op,
       {f({2, 3}), f({4})},
       Attrs(I{1}, I{0}, I{}, I{}),
       "contract axes 1 and 0 must have one extent: expected 3, got 4"},
      {Op::dot_op, {f({2, 3}), f({3})}, Attrs(I{1}, I{}, I{}, I{}), "must name as many axes of either operand"},
      {Op::random_bits_op, {i({3}), i({})}, Attrs(Shape{2}, int64_t{32}), "the key must be [2]"},
      {Op::fold_in_op, {i({2}), i({3})}, {}, "the key must be [3,2], two words for each number, got [2]"},
      {Op::random_bits_op,
       {i({3, 2}), i({3})},
       Attrs(Shape{2}, int64_t{32}),
       "shape [2] must begin with the shape of the offset, [3]"},
      {Op::argmax_op, {f({4, 0})}, Attrs(int64_t{1}), "dim 1 of [4,0] has no elements; expected at least one"},
      {Op::const_op, {}, Attrs(Shape{3}, DType::f64, I{0, 0}), "expected one word or one an element, got 2"},
  });
}

TEST_CASE("DType errors") {
  check_refused<DTypeError>({
      {Op::add_op, {f({2}), i({2})}, {}, "must have one dtype: expected f64, got i64; convert one of them"},
      {Op::add_op, {p({2}), p({2})}, {}, "operand 0: bool is not supported; convert it"},
      {Op::sin_op, {i({2})}, {}, "operand 0: i64 is not supported; convert it"},
      {Op::and_op, {f({2}), f({2})}, {}, "operand 0: f64 is not supported"},
      {Op::reduce_or_op, {f({4})}, Attrs(I{0}), "operand 0: f64 is not supported; convert it"},
      {Op::where_op, {i({}), f({2}), f({2})}, {}, "the predicate must be bool, got i64; compare it with 0"},
      {Op::convert_op, {f({2})}, Attrs(DType::u8), "floats become u8 by way of i64: convert to i64 first"},
      {Op::iota_op, {}, Attrs(Shape{2}, 0, DType::boolean), "bool is not supported"},
      {Op::const_op, {}, Attrs(Shape{1}, DType::boolean, I{2}), "word 2 is not an element of bool"},
      {Op::const_op, {}, Attrs(Shape{1}, DType::i32, I{int64_t{1} << 40}), "is not an element of i32"},
      {Op::pad_op, {f({2}), i({})}, Attrs(I{0}, I{0}, I{0}), "must have one dtype"},
      {Op::dynamic_slice_op, {f({4}), f({})}, Attrs(I{2}), "start 0: expected i64, got f64"},
      {Op::gather_op,
       {f({4}), f({3, 1})},
       Attrs(I{}, I{0}, I{0}, I{}, I{}).add(I{1}).add(IndexMode::check),
       "the indices must be i64 or i32, got f64"},
      {Op::dot_op, {f({2}), i({2})}, Attrs(I{0}, I{0}, I{}, I{}), "must have one dtype"},
      {Op::random_bits_op, {i({2}), i({})}, Attrs(Shape{2}, int64_t{16}), "width must be 32 or 64, got 16"},
      {Op::fold_in_op, {i({2}), f({})}, {}, "operand 1: expected i64, got f64"},
      {Op::fill_op, {f({2}), f({})}, {}, "this op is in place only"},
  });
}

TEST_CASE("Index errors") {
  check_refused<IndexError>({
      {Op::broadcast_op, {f({2, 3})}, Attrs(Shape{3, 2}, I{1, 0}), "dims [1,0] must ascend; permute the operand"},
      {Op::permute_op, {f({2, 3})}, Attrs(I{0, 2}), "perm [0,2]: 2 is out of range; expected 0 to 1"},
      {Op::permute_op, {f({2, 3})}, Attrs(I{1, 1}), "perm [1,1]: 1 appears twice; expected distinct axes"},
      {Op::slice_op, {f({4})}, Attrs(I{1}, I{5}, I{1}), "expected 0 <= start <= limit <= 4"},
      {Op::slice_op, {f({4})}, Attrs(I{1}, I{2}, I{0}), "stride 0 of axis 0: expected at least 1"},
      {Op::concat_op, {f({4})}, Attrs(1), "dim [1]: 1 is out of range"},
      {Op::rev_op, {f({4})}, Attrs(I{-1}), "dims [-1]: -1 is out of range"},
      {Op::diag_embed_op, {f({4})}, Attrs(2), "batch_dims 2 is out of range; expected 0 to 1"},
      {Op::reduce_sum_op, {f({4})}, Attrs(I{1}), "dims [1]: 1 is out of range; expected 0 to 0"},
      {Op::reduce_max_op, {f({4, 2})}, Attrs(I{0, 0}), "0 appears twice"},
      {Op::dot_op, {f({2, 3}), f({3})}, Attrs(I{2}, I{0}, I{}, I{}), "contract and batch axes of operand 0 [2]"},
      {Op::iota_op, {}, Attrs(Shape{2}, 1, DType::f32), "dim [1]: 1 is out of range"},
  });
}

TEST_CASE("An index out of bounds is found at evaluation, with the user's line") {
  Builder b;
  Value x = b.param(f({5, 2})), at = b.param(i({2, 1}));
  b.set_location({"model.cpp", 42});
  Graph g = b.finish({build::gather(b, x, at, {{1}, {0}, {0}, {}, {}}, I{1, 2}, IndexMode::check)});
  HostTensor values(f({5, 2})), indices(DType::i64, {2, 1}, {-5, 5});
  CHECK_THROWS_WITH_AS(interpret(g, std::vector{values, indices}),
                       "[gather] index 5 is out of bounds for dimension 0 with size 5; expected -5 to 4\n"
                       "  at model.cpp:42",
                       IndexError);
  indices.set(1, -6);
  CHECK_THROWS_WITH_AS(interpret(g, std::vector{values, indices}), doctest::Contains("index -6 is out of bounds"),
                       IndexError);
  indices.set(1, 4);
  CHECK_NOTHROW(interpret(g, std::vector{values, indices}));
}

}  // namespace jot::test
