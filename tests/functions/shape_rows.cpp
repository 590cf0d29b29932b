#include "tests/functions/rows.h"

namespace jot::test {

namespace {

using Parts = std::vector<Tensor>;

// Several results as one vector, each scaled by its number.
Tensor joined(const Parts& parts) {
  Parts flat;
  for (size_t i = 0; i < parts.size(); ++i) flat.push_back(parts[i].reshape({-1}) * static_cast<int64_t>(i + 1));
  return cat(flat);
}
Parts list(Tensors x) { return {x.begin(), x.end()}; }

const Input kVector{{3}}, kMatrix{{2, 3}}, kCube{{2, 3, 2}}, kScalar{{}};

void joins(FunctionRows& t) {
  t.add("cat", "", {kMatrix, {{1, 3}}}, [](Tensors x) { return cat(list(x)); });
  t.add("cat", "dim 1", {kMatrix, {{2, 0}}, {{2, 2}}}, [](Tensors x) { return cat(list(x), -1); });
  t.add("cat", "one", {kVector}, [](Tensors x) { return cat(list(x)); });
  t.add("cat", "one twice", {kMatrix}, [](Tensors x) { return cat({x[0], x[0], x[0].flip({1})}, 1); });
  t.add("cat", "long", {{{17}}, {{33}}}, [](Tensors x) { return cat(list(x)); });
  t.add("stack", "", {kMatrix, kMatrix}, [](Tensors x) { return stack(list(x)); });
  t.add("stack", "last", {kMatrix, kMatrix}, [](Tensors x) { return stack(list(x), -1); });
  t.add("stack", "0-d", {kScalar, kScalar, kScalar}, [](Tensors x) { return stack(list(x)); });
  t.add("hstack", "vectors", {kVector, kScalar}, [](Tensors x) { return hstack(list(x)); });
  t.add("hstack", "matrices", {kMatrix, {{2, 1}}}, [](Tensors x) { return hstack(list(x)); });
  t.add("vstack", "", {kMatrix, kVector}, [](Tensors x) { return vstack(list(x)); });
  t.add("row_stack", "", {kVector, kVector}, [](Tensors x) { return row_stack(list(x)); });
  t.add("dstack", "", {kVector, {{1, 3}}}, [](Tensors x) { return dstack(list(x)); });
  t.add("column_stack", "", {kVector, {{3, 2}}}, [](Tensors x) { return column_stack(list(x)); });
  t.add("hsplit", "", {{{2, 4}}}, [](Tensors x) { return joined(hsplit(x[0], 2)); });
  t.add("hsplit", "list", {{{4}}}, [](Tensors x) { return joined(hsplit(x[0], {1, 3})); });
  t.add("vsplit", "", {{{4, 2}}}, [](Tensors x) { return joined(vsplit(x[0], 2)); });
  t.add("dsplit", "", {{{1, 2, 4}}}, [](Tensors x) { return joined(dsplit(x[0], {2})); });
  t.add("split_with_sizes", "", {{{5, 2}}}, [](Tensors x) { return joined(split_with_sizes(x[0], {2, 0, 3})); });
  t.add("broadcast_tensors", "", {kMatrix, kVector, kScalar},
        [](Tensors x) { return joined(broadcast_tensors(list(x))); });
  t.add("meshgrid", "ij", {kVector, {{2}}, kScalar}, [](Tensors x) { return joined(meshgrid(list(x))); });
  t.add("meshgrid", "xy", {kVector, {{2}}}, [](Tensors x) { return joined(meshgrid(list(x), Indexing::xy)); });
  t.add("cartesian_prod", "", {kVector, {{2}}}, [](Tensors x) { return cartesian_prod(list(x)); });
  t.add("combinations", "", {{{4}}}, [](Tensors x) { return combinations(x[0]); });
  t.add("combinations", "with replacement", {kVector}, [](Tensors x) { return combinations(x[0], 3, true); });
  t.add("block_diag", "", {kMatrix, kVector, kScalar}, [](Tensors x) { return block_diag(list(x)); });
}

void arrangements(FunctionRows& t) {
  t.add("flip", "", {kCube}, [](Tensors x) { return flip(x[0], {0, -1}); });
  t.add("flip", "none", {kMatrix}, [](Tensors x) { return flip(x[0], {}); });
  t.add("flip", "long", {{{2, 33}}}, [](Tensors x) { return flip(x[0], 1); });
  for (int64_t diagonal : {-5, -1, 0, 2}) {
    const std::string label = std::to_string(diagonal);
    t.add("tril", label, {{{3, 4}}}, [diagonal](Tensors x) { return tril(x[0], diagonal); });
    t.add("triu", label, {kCube}, [diagonal](Tensors x) { return triu(x[0], diagonal); });
  }
  t.add("atleast_1d", "", {kScalar}, [](Tensors x) { return atleast_1d(x[0]); });
  t.add("atleast_2d", "", {kVector}, [](Tensors x) { return atleast_2d(x[0]); });
  t.add("atleast_1d", "several", {kScalar, kVector}, [](Tensors x) { return cat(atleast_1d(list(x))); });
  t.add("atleast_2d", "several", {kScalar, kScalar}, [](Tensors x) { return cat(atleast_2d(list(x))); });
  t.add("concat", "", {kVector, kVector}, [](Tensors x) { return concat(list(x)); });
  t.add("concatenate", "", {kMatrix, kMatrix}, [](Tensors x) { return concatenate(list(x), 1); });
  t.add("ger", "", {kVector, {{2}}}, [](Tensors x) { return ger(x[0], x[1]); });
  t.add("atleast_3d", "several", {kVector, kVector}, [](Tensors x) { return cat(atleast_3d(list(x)), 2); });
  t.add("atleast_3d", "vector", {kVector}, [](Tensors x) { return atleast_3d(x[0]); });
  t.add("atleast_3d", "matrix", {kMatrix}, [](Tensors x) { return atleast_3d(x[0]); });
  t.add("fliplr", "", {kMatrix}, [](Tensors x) { return fliplr(x[0]); });
  t.add("flipud", "", {kMatrix}, [](Tensors x) { return flipud(x[0]); });
  for (int64_t k : {1, 2, 3, 4, -1})
    t.add("rot90", std::to_string(k), {kCube}, [k](Tensors x) { return rot90(x[0], k, {1, 2}); });
  t.add("roll", "all", {kMatrix}, [](Tensors x) { return roll(x[0], 2); });
  t.add("roll", "dims", {kMatrix}, [](Tensors x) { return roll(x[0], {1, -4}, {0, 1}); });
  t.add("roll", "empty", {{{0, 2}}}, [](Tensors x) { return roll(x[0], 1, 0); });
  t.add("repeat", "", {kMatrix}, [](Tensors x) { return x[0].repeat({2, 3, 2}); });
  t.add("repeat", "none", {kMatrix}, [](Tensors x) { return x[0].repeat({0, 2}); });
  t.add("tile", "", {kMatrix}, [](Tensors x) { return tile(x[0], {2}); });
  t.add("repeat_interleave", "all", {kMatrix}, [](Tensors x) { return repeat_interleave(x[0], 2); });
  t.add("repeat_interleave", "dim", {kMatrix}, [](Tensors x) { return repeat_interleave(x[0], 3, 1); });
  t.add("repeat_interleave", "tensor", {kMatrix},
        [r = tensor({2, 0, 1})](Tensors x) { return repeat_interleave(x[0], r, -1); });
  t.add("diag", "vector", {kVector}, [](Tensors x) { return diag(x[0], -1); });
  t.add("diag", "matrix", {kMatrix}, [](Tensors x) { return diag(x[0], 1); });
  t.add("diag_embed", "", {kMatrix}, [](Tensors x) { return diag_embed(x[0]); });
  t.add("diag_embed", "dims", {kMatrix}, [](Tensors x) { return diag_embed(x[0], -1, 2, 0); });
  t.add("diagflat", "", {{{2, 2}}}, [](Tensors x) { return diagflat(x[0], 1); });
  t.add("kron", "", {kMatrix, {{2, 2}}}, [](Tensors x) { return kron(x[0], x[1]); });
  t.add("kron", "ranks", {kVector, {{2, 1, 2}}}, [](Tensors x) { return kron(x[0], x[1]); });
  t.add("vander", "", {kVector}, [](Tensors x) { return vander(x[0]); });
  t.add("vander", "increasing", {kVector}, [](Tensors x) { return vander(x[0], 4, true); });
  t.add("sum_to_size", "", {kCube}, [](Tensors x) { return x[0].sum_to_size({3, 1}); });
  t.add("mH", "", {kCube}, [](Tensors x) { return x[0].mH() * 2; });
  t.add("tril_indices", "", {kScalar}, [](Tensors) { return tril_indices(3, 4, 1); }).order = 0;
  t.add("triu_indices", "", {kScalar}, [](Tensors) { return triu_indices(4, 3, -1); }).order = 0;
}

void places(FunctionRows& t) {
  const Input index{{2, 2}, -3, 3, i64};
  t.add("take_along_dim", "", {kMatrix, index}, [](Tensors x) { return take_along_dim(x[0], x[1], 1); });
  t.add("take_along_dim", "broadcast", {kMatrix, {{1, 4}, 0, 3, i64}},
        [](Tensors x) { return take_along_dim(x[0], x[1], 1); });
  t.add("take_along_dim", "all", {kMatrix, {{4}, 0, 6, i64}}, [](Tensors x) { return take_along_dim(x[0], x[1]); });
  t.add("take", "", {kMatrix, {{2, 2}, -6, 6, i64}}, [](Tensors x) { return take(x[0], x[1]); });
  t.add("put", "", {kMatrix, kVector}, [](Tensors x) { return put(x[0], tensor({0, 5, 2}), x[1]); });
  t.add("put", "accumulate", {kMatrix, {{2, 2}, 0, 6, i64}, {{4}}},
        [](Tensors x) { return put(x[0], x[1], x[2], true); });
  for (const auto& [name, reduce] :
       {std::pair{"sum", Reduce::sum}, std::pair{"prod", Reduce::prod}, std::pair{"mean", Reduce::mean},
        std::pair{"amax", Reduce::amax}, std::pair{"amin", Reduce::amin}})
    for (bool self : {true, false}) {
      const std::string label = std::string(name) + (self ? " self" : "");
      const bool mean = reduce == Reduce::mean;
      t.add("scatter_reduce", label, {{{3, 2}}, {{4, 2}, -3, 3, i64}, {{4, 3}}}, [reduce = reduce, self](Tensors x) {
         return scatter_reduce(x[0], 0, x[1], x[2], reduce, self);
       }).takes = mean ? "--r" : "kkk";
      t.add("index_reduce", label, {{{2, 3}}, {{4}, 0, 3, i64}, {{2, 4}}}, [reduce = reduce, self](Tensors x) {
         return index_reduce(x[0], 1, x[1], x[2], reduce, self);
       }).takes = mean ? "--r" : "kkr";
    }
  t.add("scatter_reduce", "0-d", {kScalar, {{}, 0, 1, i64}, kScalar}, [](Tensors x) {
     return scatter_reduce(x[0], 0, x[1], x[2], Reduce::prod);
   }).takes = "kkk";
  auto none_of = [&](std::string name, std::string label, std::vector<Input> inputs, auto call) -> FunctionRow& {
    FunctionRow& row = t.add(std::move(name), std::move(label), std::move(inputs), call);
    row.order = 0;
    return row;
  };
  none_of("one_hot", "", {{{2, 3}, 0, 4, i64}}, [](Tensors x) { return one_hot(x[0], 4); });
  for (bool right : {false, true}) {
    none_of("searchsorted", "vector", {{{2, 3}, 0, 6, i64}}, [right](Tensors x) {
      return searchsorted(tensor({0, 1, 1, 3, 5}), x[0], right);
    });
    none_of("searchsorted", "lines", {{{2, 7}}, {{2, 3}}},
            [right](Tensors x) { return searchsorted(msort(x[0].t()).t(), x[1], right); });
    none_of("bucketize", "", {kMatrix, {{4}}}, [right](Tensors x) { return bucketize(x[0], msort(x[1]), right); });
  }
  none_of("searchsorted", "nothing", {kVector}, [](Tensors x) { return searchsorted(zeros({0}, f64), x[0]); });
  none_of("isin", "", {{{2, 3}, 0, 6, i64}, {{4}, 0, 6, i64}}, [](Tensors x) { return isin(x[0], x[1]); });
  none_of("histc", "range", {{{20}}}, [](Tensors x) { return histc(x[0], 5, -1, 1); });
  none_of("histc", "own range", {{{20}}}, [](Tensors x) { return histc(x[0], 4); });
  none_of("bincount", "", {{{9}, 0, 5, i64}}, [](Tensors x) { return bincount(x[0], {}, 7); }).lanes = false;
  none_of("unique", "", {{{9}, 0, 5, i64}}, [](Tensors x) {
    auto [values, inverse, counts] = unique(x[0]);
    return cat({values, inverse, counts});
  }).lanes = false;
  none_of("nonzero", "", {{{3, 3}, 0, 2, i64}}, [](Tensors x) { return nonzero(x[0]); }).lanes = false;
  t.add("masked_select", "", {kMatrix},
        [m = tensor({true, false, true})](Tensors x) { return masked_select(x[0], m); });
}

}  // namespace

void shape_rows(FunctionRows& t) {
  joins(t);
  arrangements(t);
  places(t);
}

}  // namespace jot::test
