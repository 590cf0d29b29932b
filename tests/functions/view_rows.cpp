// Views, reads and writes by index, draws in place and initialisation.
#include <cmath>

#include "tests/functions/rows.h"

namespace jot::test {

namespace {

namespace F = nn::functional;
namespace init = nn::init;

const Input kVector{{5}}, kMatrix{{2, 3}}, kCube{{2, 3, 2}}, kScalar{{}};

// A writable base of its own: of an argument that has no lanes it takes them.
Tensor fresh(const Tensor& x) { return x.defined() ? x * 1 : x; }

// Several results as one vector, each scaled by its number.
Tensor joined(const std::vector<Tensor>& parts) {
  std::vector<Tensor> flat;
  for (size_t i = 0; i < parts.size(); ++i) flat.push_back(parts[i].reshape({-1}) * static_cast<int64_t>(i + 1));
  return cat(flat);
}

void views(FunctionRows& t) {
  t.add("select", "", {kMatrix}, [](Tensors x) { return x[0].select(1, -2); });
  t.add("slice", "", {kMatrix}, [](Tensors x) { return x[0].slice(1, 1); });
  t.add("slice", "in steps", {{{2, 7}}}, [](Tensors x) { return x[0].slice(-1, -6, 99, 2); });
  t.add("slice", "nothing", {kMatrix}, [](Tensors x) { return x[0].slice(0, 2, 1); });
  t.add("narrow", "", {kMatrix}, [](Tensors x) { return x[0].narrow(1, 1, 2); });
  t.add("transpose", "", {kCube}, [](Tensors x) { return x[0].transpose(0, -1); });
  t.add("permute", "", {kCube}, [](Tensors x) { return x[0].permute({2, 0, 1}); });
  t.add("permute", "0-d", {kScalar}, [](Tensors x) { return x[0].permute({}); });
  t.add("movedim", "", {kCube}, [](Tensors x) { return x[0].movedim({0, 2}, {1, 0}); });
  t.add("moveaxis", "", {kCube}, [](Tensors x) { return x[0].moveaxis(0, -1); });
  t.add("swapaxes", "", {kCube}, [](Tensors x) { return x[0].swapaxes(0, 1); });
  t.add("swapdims", "", {kCube}, [](Tensors x) { return x[0].swapdims(1, 2); });
  t.add("t", "", {kMatrix}, [](Tensors x) { return x[0].t(); });
  t.add("t", "vector", {kVector}, [](Tensors x) { return x[0].t(); });
  t.add("mT", "", {kCube}, [](Tensors x) { return x[0].mT(); });
  t.add("view", "", {kMatrix}, [](Tensors x) { return fresh(x[0]).view({3, -1}); });
  t.add("view", "split", {{{4, 3}}}, [](Tensors x) { return fresh(x[0]).t().view({3, 2, 2}); });
  t.add("view_as", "", {kMatrix, {{3, 2}}}, [](Tensors x) { return fresh(x[0]).view_as(x[1]) * x[1]; });
  t.add("reshape", "", {kCube}, [](Tensors x) { return x[0].reshape({4, -1}); });
  t.add("reshape", "of a transpose", {kCube}, [](Tensors x) { return x[0].transpose(0, 1).reshape({4, 3}); });
  t.add("reshape", "empty", {{{0, 3}}}, [](Tensors x) { return x[0].reshape({3, 0, 2}); });
  t.add("reshape_as", "", {kMatrix, {{6}}}, [](Tensors x) { return x[0].reshape_as(x[1]) * x[1]; });
  t.add("flatten", "", {kCube}, [](Tensors x) { return x[0].flatten(1); });
  t.add("flatten", "0-d", {kScalar}, [](Tensors x) { return x[0].flatten(); });
  t.add("ravel", "", {kMatrix}, [](Tensors x) { return x[0].t().ravel(); });
  t.add("unflatten", "", {{{2, 6}}}, [](Tensors x) { return x[0].unflatten(-1, {2, -1}); });
  t.add("expand", "", {{{3, 1}}}, [](Tensors x) { return x[0].expand({2, -1, 2}); });
  t.add("expand", "to nothing", {kScalar}, [](Tensors x) { return x[0].expand({2, 0}); });
  t.add("expand_as", "", {{{3}}, kMatrix}, [](Tensors x) { return x[0].expand_as(x[1]) * x[1]; });
  t.add("broadcast_to", "", {{{3}}}, [](Tensors x) { return x[0].broadcast_to({2, 3}); });
  t.add("squeeze", "", {{{1, 3, 1}}}, [](Tensors x) { return x[0].squeeze(); });
  t.add("squeeze", "dims", {{{1, 3, 1}}}, [](Tensors x) { return x[0].squeeze({-1, 1}); });
  t.add("unsqueeze", "", {kMatrix}, [](Tensors x) { return x[0].unsqueeze(-2); });
  t.add("diagonal", "", {{{3, 4}}}, [](Tensors x) { return x[0].diagonal(1); });
  t.add("diagonal", "dims", {kCube}, [](Tensors x) { return x[0].diagonal(-1, 2, 1); });
  t.add("diagonal", "outside", {kMatrix}, [](Tensors x) { return x[0].diagonal(5); });
  t.add("unfold", "", {{{2, 7}}}, [](Tensors x) { return x[0].unfold(1, 3, 2); });
  t.add("unfold", "that overlap", {{{4, 2}}}, [](Tensors x) { return x[0].unfold(0, 3, 1); });
  t.add("as_strided", "", {{{3, 4}}}, [](Tensors x) { return fresh(x[0]).as_strided({2, 3}, {5, 2}, 1); });
  t.add("as_strided", "that overlaps", {{{6}}}, [](Tensors x) { return fresh(x[0]).as_strided({3, 4}, {1, 1}); });
  // What they give is constant.
  t.add("detach", "", {kMatrix}, [](Tensors x) { return x[0].detach(); }).order = 0;
  t.add("detach", "product", {kMatrix}, [](Tensors x) { return x[0].detach() * 2; }).order = 0;
  t.add("stop_gradient", "", {kMatrix}, [](Tensors x) { return stop_gradient(x[0]); }).order = 0;
  t.add("split", "", {{{5, 2}}}, [](Tensors x) { return joined(x[0].split(2)); });
  t.add("split", "list", {{{2, 5}}}, [](Tensors x) { return joined(x[0].split({1, 0, 4}, 1)); });
  t.add("tensor_split", "", {{{2, 5}}}, [](Tensors x) { return joined(x[0].tensor_split(3, 1)); });
  t.add("tensor_split", "list", {{{5}}}, [](Tensors x) { return joined(x[0].tensor_split({1, 1, 9})); });
  t.add("chunk", "", {{{5, 2}}}, [](Tensors x) { return joined(x[0].chunk(3)); });
  t.add("unbind", "", {kCube}, [](Tensors x) { return joined(x[0].unbind(1)); });
  t.add("clone", "", {kMatrix}, [](Tensors x) { return x[0].clone(); });
  t.add("clone", "of a transpose", {kMatrix}, [](Tensors x) { return x[0].t().clone(); });
}

void indices(FunctionRows& t) {
  const Input rows{{4}, -2, 2, i64}, columns{{4}, -3, 3, i64};
  t.add("index", "slices", {kCube}, [](Tensors x) { return x[0].index({1, Slice(0, none, 2), none, Ellipsis}); });
  t.add("index", "list", {kMatrix, rows}, [](Tensors x) { return x[0].index({x[1]}); });
  t.add("index", "lists", {kMatrix, rows, {{2, 1}, -3, 3, i64}}, [](Tensors x) { return x[0].index({x[1], x[2]}); });
  t.add("index", "lists apart", {kCube, {{2}, -2, 2, i64}, {{2}, 0, 2, i64}}, [](Tensors x) {
    return x[0].index({x[1], Slice(), x[2]});
  });
  t.add("index", "mask", {kMatrix},
        [m = tensor({{true, false, true}, {false, true, true}})](Tensors x) { return x[0].index({m}); });
  t.add("index_select", "", {kMatrix, columns}, [](Tensors x) { return index_select(x[0], 1, x[1]); });
  t.add("index_select", "nothing", {kMatrix, {{0}, 0, 2, i64}}, [](Tensors x) { return index_select(x[0], 0, x[1]); });
  t.add("index_select", "0-d", {kScalar, {{1}, 0, 1, i64}}, [](Tensors x) { return index_select(x[0], 0, x[1]); });
  t.add("gather", "", {kMatrix, {{2, 2}, -3, 3, i64}}, [](Tensors x) { return gather(x[0], 1, x[1]); });
  t.add("gather", "longer", {kMatrix, {{4, 2}, 0, 2, i64}}, [](Tensors x) { return gather(x[0], 0, x[1]); });
  t.add("gather", "0-d", {kScalar, {{}, 0, 1, i64}}, [](Tensors x) { return gather(x[0], 0, x[1]); });
}

void writes(FunctionRows& t) {
  const Input index{{2, 2}, -3, 3, i64}, two{{2}, -3, 3, i64}, source{{2, 2}};
  t.add("scatter", "", {kMatrix, index, {{2, 3}}}, [](Tensors x) { return x[0].scatter(1, x[1], x[2]); });
  t.add("scatter", "number", {kMatrix, index}, [](Tensors x) { return x[0].scatter(1, x[1], 2) * x[0]; });
  t.add("scatter", "0-d", {kScalar, {{}, 0, 1, i64}, kScalar}, [](Tensors x) { return x[0].scatter(0, x[1], x[2]); });
  t.add("scatter_add", "", {kMatrix, index, {{2, 3}}}, [](Tensors x) { return x[0].scatter_add(1, x[1], x[2]); });
  t.add("index_add", "", {kMatrix, two, source}, [](Tensors x) { return x[0].index_add(1, x[1], x[2]); });
  t.add("index_add", "alpha", {kMatrix, two, source}, [](Tensors x) {
     return x[0].index_add(1, x[1], x[2], 2);
   }).takes = "kkr";
  t.add("index_copy", "", {kMatrix, two, source}, [](Tensors x) { return x[0].index_copy(1, x[1], x[2]); });
  t.add("index_fill", "number", {kMatrix, two}, [](Tensors x) { return x[0].index_fill(1, x[1], 3); });
  t.add("index_fill", "tensor", {kMatrix, two, kScalar}, [](Tensors x) { return x[0].index_fill(1, x[1], x[2]); });
  for (bool accumulate : {false, true}) {
    const std::string label = accumulate ? "accumulated" : "";
    t.add("index_put", label, {kMatrix, {{2}, -2, 2, i64}, {{2, 3}}},
          [accumulate](Tensors x) { return x[0].index_put({x[1]}, x[2], accumulate); });
    t.add("index_put", label + " elements", {kMatrix, {{4}, -2, 2, i64}, {{4}, -3, 3, i64}, {{4}}},
          [accumulate](Tensors x) {
            return x[0].index_put({x[1], x[2]}, x[3], accumulate);
          });
    t.add("index_put", label + " broadcast", {kCube, {{3}, 0, 2, i64}, {{3}}}, [accumulate](Tensors x) {
      return x[0].index_put({Slice(), Slice(), x[1]}, x[2], accumulate);
    });
  }
  t.add("index_put", "mask", {kMatrix, kScalar}, [m = tensor({true, false, true})](Tensors x) {
    return x[0].index_put({Slice(), m}, x[1]);
  });
  t.add("masked_scatter", "", {kMatrix, {{4}}},
        [m = tensor({true, false, true})](Tensors x) { return masked_scatter(x[0], m, x[1]); });
  t.add("select_scatter", "", {kMatrix, {{2}}}, [](Tensors x) { return select_scatter(x[0], x[1], 1, -1); });
  t.add("slice_scatter", "", {{{2, 5}}, {{2, 2}}}, [](Tensors x) { return slice_scatter(x[0], x[1], 1, 1, 4, 2); });
  t.add("diagonal_scatter", "", {{{3, 4}}, {{3}}}, [](Tensors x) { return diagonal_scatter(x[0], x[1], 1); });
  t.add("as_strided_scatter", "", {{{3, 4}}, {{2, 3}}}, [](Tensors x) {
    return as_strided_scatter(fresh(x[0]), x[1], {2, 3}, {5, 2}, 1);
  });
}

// Draws that are certain, and what is true of every draw.
void draws(FunctionRows& t) {
  auto add = [&](const std::string& name, const std::string& label, const Shape& shape, auto draw) {
    t.add(name, label, {{shape}}, [draw](Tensors x) {
      Tensor y = fresh(x[0]);
      return draw(y);
    });
  };
  const Shape many{3, 7}, square{4, 4};
  add("uniform", "", many, [](Tensor& y) { return y.uniform_(2, 2); });
  add("uniform", "range", many, [](Tensor& y) { return logical_and(y.uniform_(2, 5) >= 2, y <= 5).to(y.dtype()); });
  add("normal", "", many, [](Tensor& y) { return y.normal_(2, 0); });
  add("normal", "range", many, [](Tensor& y) { return isfinite(y.normal_(2, 3)).to(y.dtype()); });
  add("log_normal", "", many, [](Tensor& y) { return (y.log_normal_(0, 0.5) > 0).to(y.dtype()); });
  add("exponential", "", many, [](Tensor& y) { return (y.exponential_(2) >= 0).to(y.dtype()); });
  add("cauchy", "", many, [](Tensor& y) { return isnan(y.cauchy_(1, 2)).to(y.dtype()); });
  add("geometric", "", many, [](Tensor& y) { return y.geometric_(1 - 0x1p-53); });
  add("geometric", "whole", many,
      [](Tensor& y) { return logical_and(y.geometric_(0.3) >= 1, y == floor(y)).to(y.dtype()); });
  for (double p : {0.0, 1.0}) add("bernoulli", std::to_string(p), many, [p](Tensor& y) { return y.bernoulli_(p); });
  t.add("bernoulli", "of each", {{{3, 4}}, {{4}, 0, 2, i64}}, [](Tensors x) {
    Tensor y = fresh(x[0]);
    return y.bernoulli_(x[1].to(f32));
  });
  add("random", "one", many, [](Tensor& y) { return y.random_(1); });
  add("random", "from", many, [](Tensor& y) { return y.random_(7, 8); });
  add("random", "range", many, [](Tensor& y) { return logical_and(y.random_() >= 0, y == floor(y)).to(y.dtype()); });
  add("nn.uniform_", "", many, [](Tensor& y) { return init::uniform_(y, 3, 3); });
  add("nn.normal_", "", many, [](Tensor& y) { return init::normal_(y, 3, 0); });
  add("nn.trunc_normal_", "", many, [](Tensor& y) {
    return (abs(init::trunc_normal_(y, {.mean = 0.5, .std = 2, .a = -1, .b = 1})) <= 1).to(y.dtype());
  });
  add("nn.constant_", "", many, [](Tensor& y) { return init::constant_(y, 2.5); });
  add("nn.ones_", "", many, [](Tensor& y) { return init::ones_(y); });
  add("nn.zeros_", "", many, [](Tensor& y) { return init::zeros_(y); });
  add("nn.eye_", "", many, [](Tensor& y) { return init::eye_(y); });
  add("nn.dirac_", "", {4, 2, 3}, [](Tensor& y) { return init::dirac_(y, 2); });
  add("nn.xavier_uniform_", "", many,
      [](Tensor& y) { return (abs(init::xavier_uniform_(y, 2)) <= 1.6).to(y.dtype()); });
  add("nn.xavier_normal_", "", many, [](Tensor& y) { return init::xavier_normal_(y, 0); });
  add("nn.kaiming_uniform_", "", many, [](Tensor& y) { return (abs(init::kaiming_uniform_(y)) <= 1).to(y.dtype()); });
  add("nn.kaiming_normal_", "", many, [](Tensor& y) { return isfinite(init::kaiming_normal_(y)).to(y.dtype()); });
  add("nn.orthogonal_", "", {3, 5}, [](Tensor& y) { return round(matmul(init::orthogonal_(y, 2), y.t())); });
  add("nn.sparse_", "", {5, 3}, [](Tensor& y) { return sum((init::sparse_(y, 0.5, 1) == 0).to(y.dtype()), 0); });
}

void dropouts(FunctionRows& t) {
  for (bool training : {false, true}) {
    const std::string label = training ? "of none" : "evaluation";
    const double p = training ? 0 : 0.5;
    t.add("nn.dropout", label, {kMatrix}, [=](Tensors x) { return F::dropout(x[0], p, training); });
    t.add("nn.dropout1d", label, {kCube}, [=](Tensors x) { return F::dropout1d(x[0], p, training); });
    t.add("nn.dropout2d", label, {{{1, 2, 2, 2}}}, [=](Tensors x) { return F::dropout2d(x[0], p, training); });
    t.add("nn.dropout3d", label, {{{1, 2, 1, 2, 2}}}, [=](Tensors x) { return F::dropout3d(x[0], p, training); });
    t.add("nn.alpha_dropout", label, {kMatrix}, [=](Tensors x) { return F::alpha_dropout(x[0], p, training); });
    t.add("nn.feature_alpha_dropout", label, {kCube},
          [=](Tensors x) { return F::feature_alpha_dropout(x[0], p, training); });
  }
  t.add("nn.dropout", "of all", {kMatrix}, [](Tensors x) { return F::dropout(x[0], 1); }).takes = "rrr";
  t.add("nn.dropout", "twice or nothing", {kMatrix}, [](Tensors x) {
     Tensor y = F::dropout(x[0], 0.5);
     return y * (y - 2 * x[0]);
   }).takes = "rrr";
  t.add("nn.dropout1d", "of channels", {{{2, 3, 2}, 0.5, 2}}, [](Tensors x) {
     Tensor y = F::dropout1d(x[0], 0.5) / x[0];
     return y - y.select(-1, 0).unsqueeze(-1);
   }).takes = "rrr";
  t.add("nn.dropout2d", "of channels", {{{2, 3, 2, 2}, 0.5, 2}}, [](Tensors x) {
     Tensor y = F::dropout2d(x[0], 0.5) / x[0];
     return y - y.select(-1, 0).unsqueeze(-1);
   }).takes = "rrr";
  t.add("nn.gumbel_softmax", "of one", {{{3, 1}}}, [](Tensors x) { return F::gumbel_softmax(x[0]); });
  t.add("nn.gumbel_softmax", "hard", {{{3, 4}}}, [](Tensors x) {
     return sum(F::gumbel_softmax(x[0], {.tau = 2, .hard = true}), -1);
   }).order = 1;
}

}  // namespace

void view_rows(FunctionRows& t) {
  views(t);
  indices(t);
  writes(t);
  draws(t);
  dropouts(t);
}

}  // namespace jot::test
