// Values of every row in bf16 and f16, and of integers and booleans, or that they are refused.
#include <doctest/doctest.h>

#include <map>
#include <set>
#include <sstream>

#include "tests/functions/row_values.h"
#include "tests/functions/table.h"

namespace jot::test {

namespace {

// FunctionRow::takes of the functions whose bodies do not tell it.
const std::vector<std::pair<std::string, std::string>> kTakes = {
    {"c-r", "trapz trapezoid cumulative_trapezoid"},
    {"ccc",
     "reciprocal frac deg2rad rad2deg sinc logit polygamma mvlgamma modified_bessel_k0 modified_bessel_k1 "
     "spherical_bessel_j0 entr log_ndtr multigammaln xlog1py hypot copysign logaddexp logaddexp2 xlogy "
     "nextafter ldexp clip logsumexp softmax log_softmax nn.elu nn.selu nn.celu nn.gelu nn.silu nn.mish "
     "nn.softplus nn.softsign nn.softshrink nn.hardshrink nn.tanhshrink nn.hardsigmoid nn.hardswish "
     "nn.leaky_relu nn.logsigmoid nn.rrelu nn.prelu nn.glu nn.bilinear nn.mse_loss nn.l1_loss "
     "nn.smooth_l1_loss nn.huber_loss nn.nll_loss nn.cross_entropy nn.binary_cross_entropy "
     "nn.binary_cross_entropy_with_logits nn.kl_div nn.poisson_nll_loss nn.gaussian_nll_loss "
     "nn.hinge_embedding_loss nn.margin_ranking_loss nn.multi_margin_loss nn.multilabel_margin_loss "
     "nn.multilabel_soft_margin_loss nn.soft_margin_loss nn.triplet_margin_loss nn.cosine_embedding_loss "
     "nn.ctc_loss nn.cosine_similarity nn.pairwise_distance nn.pdist nn.embedding_bag nn.lp_pool1d "
     "nn.lp_pool2d nn.lp_pool3d"},
    {"ccr", "softmin cov corrcoef"},
    {"crr", "gradient"},
    {"kkk",
     "square addr logical_not bitwise_not max min pow eq ne lt le gt ge logical_and logical_or logical_xor "
     "bitwise_and bitwise_or bitwise_xor where clamp masked_fill nan_to_num fmax fmin heaviside outer scatter_add "
     "index_add isfinite isinf isnan isposinf "
     "isneginf signbit floor_divide float_power isclose gcd lcm bitwise_left_shift bitwise_right_shift "
     "clamp_min clamp_max cat stack hstack vstack dstack column_stack hsplit vsplit dsplit "
     "split_with_sizes broadcast_tensors meshgrid cartesian_prod combinations block_diag flip tril triu "
     "atleast_1d atleast_2d atleast_3d fliplr flipud rot90 roll repeat tile repeat_interleave diag "
     "diag_embed diagflat kron vander sum_to_size mH tril_indices triu_indices take_along_dim take put "
     "one_hot searchsorted bucketize isin bincount unique nonzero masked_select sum prod amax amin all "
     "any nansum count_nonzero argmax median sort argsort topk msort aminmax argmin nanmedian kthvalue "
     "diff cumsum cumprod cummax cummin mode trace linalg.diagonal linalg.vander nn.embedding nn.unfold "
     "nn.pad nn.pixel_shuffle nn.pixel_unshuffle nn.channel_shuffle select slice narrow transpose permute "
     "movedim moveaxis swapaxes swapdims t mT view view_as reshape reshape_as flatten ravel unflatten "
     "expand expand_as broadcast_to squeeze unsqueeze diagonal unfold as_strided detach stop_gradient "
     "split tensor_split chunk unbind clone index index_select gather scatter index_copy index_fill "
     "index_put masked_scatter select_scatter slice_scatter diagonal_scatter as_strided_scatter geometric "
     "bernoulli random nn.constant_ nn.ones_ nn.zeros_ nn.eye_ nn.dirac_ nn.dropout nn.dropout1d "
     "nn.dropout2d nn.dropout3d nn.alpha_dropout nn.feature_alpha_dropout"},
    {"kkr",
     "relu positive remainder matmul mm mv bmm dot "
     "cross vdot inner addmv chain_matmul tensordot einsum linalg.vecdot linalg.multi_dot "
     "nn.relu6 nn.hardtanh nn.threshold nn.linear nn.conv1d nn.conv2d nn.conv3d nn.conv_transpose1d "
     "nn.conv_transpose2d nn.conv_transpose3d nn.fold nn.avg_pool1d nn.avg_pool2d nn.avg_pool3d "
     "nn.max_pool1d nn.max_pool2d nn.max_pool3d nn.max_pool1d_with_indices nn.max_pool2d_with_indices "
     "nn.max_pool3d_with_indices nn.max_unpool1d nn.max_unpool2d nn.max_unpool3d nn.adaptive_avg_pool1d "
     "nn.adaptive_avg_pool2d nn.adaptive_avg_pool3d nn.adaptive_max_pool1d nn.adaptive_max_pool2d "
     "nn.adaptive_max_pool3d nn.adaptive_max_pool1d_with_indices nn.adaptive_max_pool2d_with_indices "
     "nn.adaptive_max_pool3d_with_indices"},
    {"rrr",
     "frexp lerp addcmul addcdiv histc mean var std quantile nanquantile var_mean std_mean nanmean norm "
     "cdist dist renorm logcumsumexp addmm baddbmm addbmm linalg.solve_triangular linalg.cholesky "
     "linalg.cholesky_ex cholesky_solve cholesky_inverse linalg.det linalg.solve linalg.slogdet logdet "
     "linalg.inv linalg.inv_ex linalg.solve_ex linalg.lu_factor linalg.lu_solve linalg.lu linalg.qr "
     "linalg.tensorsolve linalg.tensorinv linalg.eigh linalg.eigvalsh linalg.svd linalg.svdvals "
     "linalg.pinv linalg.lstsq linalg.matrix_rank linalg.matrix_power linalg.matrix_exp "
     "linalg.matrix_norm linalg.cond linalg.vector_norm linalg.norm linalg.householder_product "
     "nn.batch_norm nn.layer_norm nn.rms_norm nn.group_norm nn.instance_norm nn.local_response_norm "
     "nn.normalize nn.scaled_dot_product_attention nn.multi_head_attention nn.interpolate nn.grid_sample "
     "nn.affine_grid uniform normal log_normal exponential cauchy nn.uniform_ nn.normal_ nn.trunc_normal_ "
     "nn.xavier_uniform_ nn.xavier_normal_ nn.kaiming_uniform_ nn.kaiming_normal_ nn.orthogonal_ "
     "nn.sparse_ nn.gumbel_softmax"},
};

// Functions made of several ops or library calls, each of which rounds to bf16 and f16. linalg: all.
const char* const kRoundsBetween =
    "addbmm addmm addmv addr baddbmm cdist chain_matmul cholesky_inverse cholesky_solve corrcoef cov "
    "cross cumulative_trapezoid diff dist einsum gradient index_reduce logdet nn.adaptive_avg_pool1d "
    "nn.adaptive_avg_pool2d nn.avg_pool1d nn.batch_norm nn.conv1d nn.conv_transpose1d nn.instance_norm "
    "nn.linear nn.lp_pool1d nn.lp_pool2d nn.multi_head_attention_forward nn.multi_head_attention "
    "nn.normalize norm quantile renorm std_mean trapezoid trapz vander";

std::set<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::set<std::string> result;
  for (std::string word; in >> word;) result.insert(word);
  return result;
}

// What unary(dtypes, op) and binary(dtypes, op, of_booleans) say.
std::string of_body(const std::string& name, const std::map<std::string, std::string>& known) {
  std::string body;
  for (const TableLine& b : kTable)
    if (b.name == name) {
      body = b.body;
      break;  // other forms of the name have rows that tell it
    }
  const size_t open = body.find('(');
  const std::string kind = body.substr(0, open);
  std::string list = body.substr(open + 1, body.size() - open - 2);
  std::ranges::replace(list, ',', ' ');
  std::istringstream in(list);
  std::string first, op, of_booleans;
  in >> first >> op >> of_booleans;
  if (kind == "alias") {
    const std::string other = name.substr(0, name.rfind('.') + 1) + first;
    return known.contains(other) ? known.at(other) : of_body(other, known);
  }
  if (kind != "unary" && kind != "binary") return {};
  if (first == "floating") return "ccc";
  if (first == "any") return "kkk";
  return kind == "unary" || op == of_booleans ? "kkr" : "kkk";
}

std::string takes(const FunctionRow& row) {
  static const auto* known = [] {
    auto* map = new std::map<std::string, std::string>;
    for (const auto& [code, names] : kTakes)
      for (const std::string& name : words(names)) map->emplace(name, code);
    return map;
  }();
  if (!row.takes.empty()) return row.takes;
  return known->contains(row.name) ? known->at(row.name) : of_body(row.name, *known);
}

// The greatest distance in steps of a half float.
double steps(const Tensor& got, const Tensor& want, DType dtype) {
  std::vector<double> a = got.to_vector<double>(), b = want.to_vector<double>();
  double worst = a.size() == b.size() ? 0 : inf;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    const double size = std::max(std::abs(b[i]), dtype == f16 ? 0x1p-14 : 0x1p-126);
    worst = std::max(worst, std::abs(a[i] - b[i]) / std::exp2(std::floor(std::log2(size)) - (dtype == f16 ? 10 : 7)));
  }
  return worst;
}

bool has_floats(const FunctionRow& row) {
  return std::ranges::any_of(row.inputs, [](const Input& in) { return in.dtype == f64; });
}

// Small integers, not 0 where the row's interval has no numbers below 0.
List whole_numbers(const FunctionRow& row, std::mt19937& random, bool negative, bool truth) {
  List result;
  for (const Input& in : row.inputs) {
    std::vector<double> values(static_cast<size_t>(in.shape.numel()));
    double lo = in.lo, hi = in.hi;
    if (in.dtype == f64) {
      lo = truth ? 0 : in.lo >= 0 ? 1 : negative ? -4 : 0;
      hi = truth ? 2 : 5;
    } else if (!negative && in.hi > 0) {
      lo = std::max(lo, 0.0);
    }
    std::uniform_real_distribution<double> uniform(lo, hi);
    for (double& v : values) v = std::floor(uniform(random));
    result.push_back(Tensor::from(values, in.shape).to(in.dtype));
  }
  return result;
}

// The floats among the arguments as this dtype.
List as(const FunctionRow& row, List x, DType dtype, DType instead_of = f64) {
  for (size_t i = 0; i < x.size(); ++i)
    if (row.inputs[i].dtype == instead_of) x[i] = x[i].to(dtype);
  return x;
}

// x in an integer dtype or boolean, modulo 2 where that is asked for.
Tensor wrapped(const Tensor& x, DType dtype, bool modulo_two) {
  if (is_floating(dtype)) return x.to(dtype);
  Tensor whole = x.to(i64);
  return (modulo_two ? remainder(whole, 2) : whole).to(dtype);
}

}  // namespace

// Computed in f32 and rounded to nearest even, once where one kernel computes it.
TEST_CASE("functions: bf16 and f16") {
  const std::set<std::string> between = words(kRoundsBetween);
  for (const FunctionRow& row : function_rows()) {
    if (!has_floats(row)) continue;
    for (DType dtype : {bf16, f16}) {
      std::mt19937 random = generator(row, 7);
      CAPTURE(title(row));
      CAPTURE(to_string(dtype));
      const List x = drawn(row, random, dtype);
      if (row.name == "nextafter") {
        CHECK_THROWS_AS(row.call(x), DTypeError);
        continue;
      }
      const Tensor got = row.call(x), single = row.call(as(row, x, f32)), want = single.to(got.dtype());
      CHECK((single.dtype() != f32 || got.dtype() == dtype));
      if (between.contains(row.name) || row.name.starts_with("linalg."))
        CHECK_EQ(difference(got, want, 16 * (dtype == f16 ? 0x1p-10 : 0x1p-7)), "");
      else if (row.elementwise)
        CHECK_EQ(difference(got, want, 0), "");
      else
        CHECK(steps(got, want, dtype) <= 1);  // sums in another order
      if (!row.lanes) continue;
      auto call = [&](const List& v) { return row.call(v); };
      const Tensor traced = interpret(trace(call, x), x).at(0);
      CHECK_EQ(traced.dtype(), got.dtype());
      if (between.contains(row.name) || row.name.starts_with("linalg."))
        CHECK_EQ(difference(got, traced, 16 * (dtype == f16 ? 0x1p-10 : 0x1p-7)), "");
      else
        CHECK(steps(got, traced, dtype) <= 1);
    }
  }
}

TEST_CASE("functions: integers and booleans in the place of floats") {
  for (const FunctionRow& row : function_rows()) {
    if (!has_floats(row)) continue;
    const std::string codes = takes(row);
    CAPTURE(title(row));
    REQUIRE_EQ(codes.size(), 3);
    for (DType dtype : {i64, i32, u8, boolean}) {
      const char code = codes[dtype == boolean ? 2 : dtype == u8 ? 1 : 0];
      CAPTURE(code);
      CAPTURE(to_string(dtype));
      std::mt19937 random = generator(row, 8);
      const List values = whole_numbers(row, random, dtype == i64 || dtype == i32, dtype == boolean);
      const List x = as(row, values, dtype);
      if (code == 'r') {
        CHECK_THROWS_AS(row.call(x).eval(), DTypeError);
        continue;
      }
      const Tensor got = row.call(x);
      if (code == '-') continue;
      const Tensor want = row.call(as(row, values, code == 'c' ? f32 : f64));
      CHECK_EQ(is_floating(got.dtype()), is_floating(want.dtype()) && (code == 'c' || got.dtype() == f64));
      if (code == 'c')
        CHECK_EQ(difference(got, want, 4 * 0x1p29 * row.tolerance), "");
      else
        CHECK_EQ(difference(got, wrapped(want, got.dtype(), code == '2'), 0), "");
    }
  }
}

// Indices and whole numbers that a row has anyway.
TEST_CASE("functions: integers of other widths") {
  for (const FunctionRow& row : function_rows()) {
    const bool whole = std::ranges::any_of(row.inputs, [](const Input& in) { return in.dtype == i64; });
    if (!whole) continue;
    CAPTURE(title(row));
    for (DType dtype : {i32, u8}) {
      if (dtype == u8 && has_floats(row)) continue;
      CAPTURE(to_string(dtype));
      std::mt19937 random = generator(row, 9);
      const List x = whole_numbers(row, random, dtype == i32, false);
      const Tensor want = row.call(x), got = row.call(as(row, x, dtype, i64));
      CHECK_EQ(difference(got, wrapped(want, got.dtype(), false), 0), "");
    }
  }
}

}  // namespace jot::test
