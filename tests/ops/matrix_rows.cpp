// Rows of what works on matrices: triangular solutions and factors.
#include <array>

#include "tests/ops/rows.h"

namespace jot::test {

using namespace ir;

namespace {

using Values = std::span<const Value>;
using V = std::vector<int64_t>;

Input f(Shape shape, double lo = -2, double hi = 2) { return {DType::f64, std::move(shape), lo, hi}; }

struct Table {
  std::vector<Row>& rows;
  void add(Op op, std::string label, std::vector<Input> inputs, std::function<Value(Builder&, Values)> build,
           int order = 2) {
    rows.push_back({op, std::move(label), std::move(inputs), std::move(build), order});
  }
};

// x plus `by` times the identity in the last two axes.
Value shifted(Builder& b, Value x, double by) {
  const Shape& shape = b.shape(x);
  auto rank = static_cast<int64_t>(shape.size());
  Value same = build::compare(b, build::iota(b, DType::i64, shape, rank - 2),
                              build::iota(b, DType::i64, shape, rank - 1), Direction::eq);
  return build::add(b, x, build::scale(b, build::convert(b, same, b.dtype(x)), by));
}

void triangular(Table& t) {
  auto add = [&](std::string label, Shape a, Shape x, std::array<bool, 4> way, int order = 2) {
    for (const char* name : {"right, ", "upper, ", "as it is, ", "diagonal, "}) {
      size_t i = name[0] == 'r' ? 0 : name[0] == 'u' ? 1 : name[0] == 'a' ? 2 : 3;
      if (!way[i]) label = name + label;
    }
    t.add(
        Op::triangular_solve_op, label, {f(a, -0.5, 0.5), f(x)},
        [=](Builder& b, Values v) {
          Value matrix = way[3] ? v[0] : shifted(b, v[0], 2);
          return b.emit(Op::triangular_solve_op, {matrix, v[1]},
                        Attrs(int64_t{way[0]}, int64_t{way[1]}, int64_t{way[2]}, int64_t{way[3]}));
        },
        order);
  };
  for (bool left : {true, false})
    for (bool lower : {true, false})
      for (bool transposed : {true, false}) {
        add("3 x 3", {2, 3, 3}, left ? Shape{2, 3, 2} : Shape{2, 2, 3}, {left, lower, transposed, false},
            lower ? 2 : 1);
        add("5 x 5", {5, 5}, left ? Shape{5, 3} : Shape{3, 5}, {left, lower, transposed, true}, 1);
        add("by the library", {17, 17}, left ? Shape{17, 2} : Shape{2, 17}, {left, lower, transposed, false}, 0);
      }
  add("one", {1, 1}, {1, 1}, {true, true, false, false});
  add("nothing", {2, 0, 0}, {2, 0, 3}, {true, true, false, false});
  add("no right side", {2, 3, 3}, {2, 3, 0}, {true, true, false, false});
  add("no matrices", {0, 3, 3}, {0, 3, 2}, {true, true, false, false});
}

void factors(Table& t) {
  auto add = [&](std::string label, Shape shape, int order = 2, Value result = 0) {
    t.add(
        Op::cholesky_op, label, {f(shape, -1, 1)},
        [=](Builder& b, Values v) {  // of x x^T + n
          auto rank = static_cast<int64_t>(shape.size());
          V last = {rank - 1}, batch = build::all_axes(shape.size() - 2);
          Value a = build::dot(b, v[0], v[0], last, last, batch, batch);
          return b.emit(Op::cholesky_op, {shifted(b, a, static_cast<double>(last[0] + 2))}, Attrs(int64_t{1})) + result;
        },
        order);
  };
  add("", {3, 3});
  add("batch", {2, 2, 4, 4}, 1);
  add("one", {1, 1});
  add("nothing", {2, 0, 0});
  add("no matrices", {0, 3, 3});
  add("largest in lanes", {16, 16}, 0);
  add("by the library", {17, 17}, 0);
  add("order of minors", {2, 3, 3}, 0, 1);
}

// x plus 2, 4, 6, ... on the diagonal: eigenvalues and singular values are far apart.
Value spread(Builder& b, Value x) {
  const Shape& shape = b.shape(x);
  auto rank = static_cast<int64_t>(shape.size());
  Value row = build::iota(b, DType::i64, shape, rank - 2), column = build::iota(b, DType::i64, shape, rank - 1);
  Value on = build::compare(b, row, column, Direction::eq);
  Value place = build::convert(b, build::add(b, row, build::constant_int(b, DType::i64, shape, 1)), b.dtype(x));
  return build::add(b, x, build::where(b, on, build::scale(b, place, 2), build::zeros_like(b, x)));
}
// The matrix that maps onto the space of columns [first, last): how these are chosen in it does not matter.
Value projector(Builder& b, Value x, int64_t first, int64_t last) {
  const auto column = static_cast<int64_t>(b.shape(x).size()) - 1;
  Value part = build::slice_axis(b, x, column, first, last);
  V along = {column}, batch = build::all_axes(static_cast<size_t>(column - 1));
  return build::dot(b, part, part, along, along, batch, batch);
}

void factorizations(Table& t) {
  auto add = [&](Op op, std::string label, Shape shape, Attrs attrs, Value result, int order = 2, bool turned = false) {
    t.add(
        op, label, {f(shape, -0.5, 0.5)},
        [=](Builder& b, Values v) {
          Value a = spread(b, v[0]);
          V rows = {static_cast<int64_t>(shape.size()) - 2}, swapped = build::all_axes(shape.size());
          std::swap(swapped[shape.size() - 1], swapped[shape.size() - 2]);
          if (op == Op::eigh_op) a = build::scale(b, build::add(b, a, build::permute(b, a, swapped)), 0.5);
          return b.emit(op, {turned ? build::rev(b, a, rows) : a}, attrs) + result;
        },
        order);
  };
  const Attrs unchecked(int64_t{0}), thin(int64_t{0}), full(int64_t{1});
  for (bool turned : {false, true}) {
    const std::string way = turned ? "rows exchanged, " : "";
    add(Op::lu_op, way + "3 x 3", {2, 3, 3}, unchecked, 0, 2, turned);
    add(Op::lu_op, way + "pivots", {2, 3, 3}, unchecked, 1, 0, turned);
    add(Op::lu_op, way + "order", {2, 3, 3}, unchecked, 2, 0, turned);
  }
  add(Op::lu_op, "tall, by the library", {4, 2}, unchecked, 0);
  add(Op::lu_op, "wide, by the library", {2, 4}, unchecked, 0);
  add(Op::lu_op, "order of a tall one, by the library", {5, 2}, unchecked, 2, 0, true);
  add(Op::lu_op, "largest in lanes", {8, 8}, unchecked, 0, 1, true);
  add(Op::lu_op, "by the library", {9, 9}, unchecked, 0, 0, true);
  add(Op::lu_op, "zero pivots", {2, 3, 3}, unchecked, 3, 0);
  for (Op op : {Op::lu_op, Op::qr_op, Op::svd_op}) {
    add(op, "one, by the library", {1, 1}, thin, 0);
    add(op, "nothing, by the library", {2, 0, 0}, thin, 0, 0);
    add(op, "no rows, by the library", {2, 0, 3}, thin, 0, 0);
    add(op, "no matrices, by the library", {0, 3, 3}, thin, 0);
  }
  for (Value result : {0, 1}) {
    const std::string of = result ? "r, " : "q, ";
    add(Op::qr_op, of + "by the library", {2, 3, 3}, thin, result);
    add(Op::qr_op, of + "tall, by the library", {4, 2}, thin, result);
    add(Op::qr_op, of + "wide, by the library", {2, 4}, thin, result);
    add(Op::qr_op, of + "full wide, by the library", {2, 4}, full, result);
  }
  add(Op::qr_op, "r, full, by the library", {4, 2}, full, 1);
  t.add(Op::qr_op, "further columns, by the library", {f({4, 2}, -0.5, 0.5)}, [](Builder& b, Values v) {
    return projector(b, b.emit(Op::qr_op, {spread(b, v[0])}, Attrs(int64_t{1})), 2, 4);
  });
  add(Op::eigh_op, "values, by the library", {2, 3, 3}, {}, 0);
  add(Op::eigh_op, "vectors, by the library", {2, 3, 3}, {}, 1);
  add(Op::eigh_op, "one, by the library", {1, 1}, {}, 1);
  add(Op::eigh_op, "nothing, by the library", {2, 0, 0}, {}, 0, 0);
  add(Op::eigh_op, "no matrices, by the library", {0, 3, 3}, {}, 0);
  add(Op::eigh_op, "many, by the library", {7, 7}, {}, 0, 0);
  for (Value result : {0, 1, 2}) {
    const std::string of = result == 0 ? "u, " : result == 1 ? "s, " : "v, ";
    add(Op::svd_op, of + "by the library", {2, 3, 3}, thin, result);
    add(Op::svd_op, of + "tall, by the library", {4, 2}, thin, result, 1);
    add(Op::svd_op, of + "wide, by the library", {2, 4}, thin, result, 1);
  }
  add(Op::svd_op, "s, full, by the library", {4, 2}, full, 1);
  t.add(Op::svd_op, "further columns, by the library", {f({4, 2}, -0.5, 0.5)}, [](Builder& b, Values v) {
    return projector(b, b.emit(Op::svd_op, {spread(b, v[0])}, Attrs(int64_t{1})), 2, 4);
  });
  t.add(Op::svd_op, "further rows, by the library", {f({2, 4}, -0.5, 0.5)}, [](Builder& b, Values v) {
    Value vt = b.emit(Op::svd_op, {spread(b, v[0])}, Attrs(int64_t{1})) + 2;
    return projector(b, build::permute(b, vt, V{1, 0}), 2, 4);
  });
}

}  // namespace

void add_matrix_rows(std::vector<Row>& rows) {
  Table t{rows};
  triangular(t);
  factors(t);
  factorizations(t);
}

}  // namespace jot::test
