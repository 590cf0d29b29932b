// Rows of what moves a window: convolutions, sums and greatest elements.
#include "tests/ops/rows.h"

namespace jot::test {

using namespace ir;
using build::ConvAxes;
using build::Windows;

namespace {

using Values = std::span<const Value>;
using V = std::vector<int64_t>;

Input f(Shape shape) { return {DType::f64, std::move(shape), -2, 2}; }
Input ints(DType dtype, Shape shape) { return {dtype, std::move(shape), -9, 10}; }

struct ConvRow {
  std::string label;
  Shape x, w;
  ConvAxes axes;
  Windows windows;
  bool flip;
  V perm;
  int order = 2;
};

void convolutions(std::vector<Row>& rows) {
  // [batch, features, length] and [made, features, window] to [batch, made, length].
  const ConvAxes plain{{{1}, {1}}, {{}, {}}, {{2}, {2}}};
  const ConvAxes images{{{1}, {1}}, {{}, {}}, {{2, 3}, {2, 3}}};
  // Features in groups: [batch, groups, features, length] and [groups, made, features, window].
  const ConvAxes groups{{{2}, {2}}, {{1}, {0}}, {{3}, {3}}};
  const std::vector<ConvRow> list = {
      {"plain", {2, 3, 5}, {2, 3, 3}, plain, {}, false, {0, 1, 2}},
      {"padded, stride", {2, 2, 6}, {3, 2, 3}, plain, {{2}, {1}, {2}, {}, {}}, false, {0, 1, 2}},
      {"stride that leaves some out", {1, 2, 8}, {1, 2, 2}, plain, {{3}, {}, {}, {}, {}}, false, {0, 1, 2}},
      {"window apart", {1, 2, 7}, {2, 2, 3}, plain, {{}, {2}, {1}, {}, {2}}, false, {0, 1, 2}},
      {"x apart", {2, 2, 3}, {2, 2, 3}, plain, {{}, {1}, {2}, {2}, {}}, false, {0, 1, 2}},
      {"x apart, stride, window apart", {1, 1, 4}, {2, 1, 3}, plain, {{3}, {2}, {3}, {2}, {2}}, false, {0, 1, 2}},
      {"flipped", {2, 2, 5}, {2, 2, 3}, plain, {{}, {1}, {1}, {}, {}}, true, {0, 1, 2}},
      {"flipped, x apart", {1, 2, 4}, {3, 2, 3}, plain, {{}, {2}, {2}, {2}, {}}, true, {0, 1, 2}},
      {"flipped, x apart, stride", {1, 2, 4}, {1, 2, 3}, plain, {{3}, {2}, {4}, {2}, {2}}, true, {0, 1, 2}},
      {"cropped", {1, 2, 7}, {2, 2, 2}, plain, {{}, {-1}, {-2}, {}, {}}, false, {0, 1, 2}},
      {"nothing covered", {1, 2, 2}, {2, 2, 3}, plain, {}, false, {0, 1, 2}},
      {"no batch", {0, 2, 4}, {2, 2, 3}, plain, {}, false, {0, 1, 2}},
      {"no features", {2, 0, 4}, {3, 0, 3}, plain, {}, false, {0, 1, 2}},
      {"of nothing but padding", {1, 2, 0}, {2, 2, 2}, plain, {{}, {2}, {1}, {}, {}}, false, {0, 1, 2}},
      {"one", {1, 1, 1}, {1, 1, 1}, plain, {}, false, {0, 1, 2}},
      {"no axis", {2, 3}, {4, 3}, {{{1}, {1}}, {{}, {}}, {{}, {}}}, {}, false, {1, 0}},
      {"images", {2, 2, 4, 3}, {3, 2, 2, 2}, images, {{2, 1}, {1, 0}, {0, 1}, {}, {}}, false, {0, 1, 2, 3}},
      {"images, 1 x 1", {2, 3, 2, 3}, {2, 3, 1, 1}, images, {}, false, {0, 1, 2, 3}},
      {"volumes",
       {1, 2, 2, 3, 2},
       {2, 2, 2, 2, 1},
       {{{1}, {1}}, {{}, {}}, {{2, 3, 4}, {2, 3, 4}}},
       {{1, 2, 1}, {1, 0, 0}, {0, 1, 0}, {}, {}},
       false,
       {0, 1, 2, 3, 4},
       1},
      {"groups", {2, 2, 2, 5}, {2, 3, 2, 3}, groups, {{}, {1}, {0}, {}, {}}, false, {1, 0, 2, 3}},
      {"one feature a group", {2, 3, 1, 5}, {3, 1, 1, 3}, groups, {{2}, {1}, {1}, {}, {}}, false, {1, 0, 2, 3}},
      {"any order of axes",
       {4, 2, 3, 2},
       {3, 2, 2, 2},
       {{{3}, {2}}, {{1}, {1}}, {{0}, {0}}},
       {{}, {1}, {1}, {}, {}},
       false,
       {3, 1, 0, 2}},
      {"windows as large as x", {3, 2, 6}, {2, 2, 5}, plain, {{}, {0}, {0}, {}, {}}, false, {0, 1, 2}},
  };
  for (const ConvRow& row : list)
    rows.push_back(
        {Op::conv_op,
         row.label,
         {f(row.x), f(row.w)},
         [row](Builder& b, Values x) { return build::conv(b, x[0], x[1], row.axes, row.windows, row.flip, row.perm); },
         row.order});
  for (DType dtype : {DType::i32, DType::i64})
    rows.push_back({Op::conv_op,
                    "integers",
                    {ints(dtype, {2, 2, 5}), ints(dtype, {2, 2, 3})},
                    [plain](Builder& b, Values x) {
                      return build::conv(b, x[0], x[1], plain, {{2}, {1}, {1}, {}, {}}, true, V{0, 1, 2});
                    },
                    0});
}

struct WindowRow {
  std::string label;
  Shape x;
  V dims, sizes;
  Windows windows;
};

void windows(std::vector<Row>& rows) {
  const std::vector<WindowRow> list = {
      {"line", {7}, {0}, {3}, {}},
      {"padded, stride", {2, 8}, {1}, {3}, {{2}, {1}, {1}, {}, {}}},
      {"apart", {1, 9}, {1}, {3}, {{}, {2}, {1}, {}, {2}}},
      {"images", {2, 5, 6}, {1, 2}, {2, 3}, {{1, 2}, {1, 0}, {0, 1}, {}, {}}},
      {"columns", {5, 3}, {0}, {2}, {{2}, {}, {}, {}, {}}},
      {"columns that are apart", {2, 4, 3}, {0, 2}, {2, 2}, {}},
      {"volumes", {1, 3, 3, 4}, {1, 2, 3}, {2, 2, 3}, {{1, 1, 2}, {0, 1, 1}, {0, 0, 1}, {}, {}}},
      {"all", {2, 3}, {0, 1}, {2, 3}, {}},
      {"nothing", {0, 4}, {1}, {2}, {}},
      {"too large", {2, 2}, {1}, {3}, {}},
      {"cropped", {6}, {0}, {2}, {{}, {-1}, {-2}, {}, {}}},
      {"no axis", {3}, {}, {}, {}},
      {"more window than x", {2, 3}, {1}, {5}, {{}, {3}, {3}, {}, {}}},
      {"places beside x", {3}, {0}, {2}, {{}, {3}, {4}, {}, {}}},
      {"side by side", {2, 6, 9}, {1, 2}, {3, 3}, {{3, 3}, {}, {}, {}, {}}},
      {"side by side, some left over", {2, 5, 7}, {1, 2}, {2, 3}, {{2, 3}, {}, {}, {}, {}}},
      {"gaps between windows", {3, 11}, {1}, {2}, {{3}, {}, {}, {}, {}}},
      {"side by side, of elements apart", {2, 12}, {1}, {2}, {{4}, {}, {}, {}, {2}}},
      {"long, side by side", {2, 36}, {1}, {18}, {{18}, {}, {}, {}, {}}},
  };
  for (const WindowRow& row : list) {
    rows.push_back({Op::reduce_window_sum_op, row.label, {f(row.x)}, [row](Builder& b, Values x) {
                      return build::reduce_window_sum(b, x[0], row.dims, row.sizes, row.windows);
                    }});
    // Of nothing it is -inf, of which there are no differences.
    rows.push_back(
        {Op::window_argmax_op,
         row.label,
         {f(row.x)},
         [row](Builder& b, Values x) { return build::window_argmax(b, x[0], row.dims, row.sizes, row.windows); },
         row.label == "places beside x" ? 0 : 2});
    rows.push_back(
        {Op::window_argmax_op,
         row.label + ", positions",
         {f(row.x)},
         [row](Builder& b, Values x) { return build::window_argmax(b, x[0], row.dims, row.sizes, row.windows) + 1; },
         0});
  }
  for (Windows w :
       {Windows{{1}, {1}, {2}, {2}, {1}}, Windows{{3}, {2}, {3}, {2}, {1}}, Windows{{2}, {4}, {3}, {4}, {3}}})
    rows.push_back({Op::reduce_window_sum_op, "x apart", {f({2, 5})}, [w](Builder& b, Values x) {
                      return build::reduce_window_sum(b, x[0], V{1}, V{3}, w);
                    }});
  rows.push_back({Op::reduce_window_sum_op, "few apart, under many", {f({2, 2})}, [](Builder& b, Values x) {
                    return build::reduce_window_sum(b, x[0], V{1}, V{4}, {{1}, {3}, {5}, {4}, {1}});
                  }});
  for (DType dtype : {DType::i32, DType::i64}) {
    rows.push_back({Op::reduce_window_sum_op,
                    "integers",
                    {ints(dtype, {2, 5})},
                    [](Builder& b, Values x) { return build::reduce_window_sum(b, x[0], V{1}, V{3}, {}); },
                    0});
    rows.push_back({Op::window_argmax_op,
                    "integers with ties",
                    {{dtype, {3, 20}, 0, 3}},
                    [](Builder& b, Values x) { return build::window_argmax(b, x[0], V{1}, V{4}, {}) + 1; },
                    0});
  }
}

}  // namespace

void add_window_rows(std::vector<Row>& rows) {
  convolutions(rows);
  windows(rows);
}

}  // namespace jot::test
