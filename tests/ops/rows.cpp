#include "tests/ops/rows.h"

#include <array>
#include <memory>

#include "ir/host.h"

namespace jot::test {

using namespace ir;
using build::GatherDims;

namespace {

using Values = std::span<const Value>;
using V = std::vector<int64_t>;

Input f(Shape shape, double lo = -2, double hi = 2) { return {DType::f64, std::move(shape), lo, hi}; }
Input i64s(Shape shape, double lo = -9, double hi = 10) { return {DType::i64, std::move(shape), lo, hi}; }
Input i32s(Shape shape, double lo = -9, double hi = 10) { return {DType::i32, std::move(shape), lo, hi}; }
Input bools(Shape shape) { return {DType::boolean, std::move(shape), 0, 1}; }

class Table {
 public:
  std::vector<Row> rows;

  void add(Op op, std::string label, std::vector<Input> inputs, std::function<Value(Builder&, Values)> build,
           int order = 2) {
    rows.push_back({op, std::move(label), std::move(inputs), std::move(build), order});
  }
  // An op without attributes, on one interval.
  void unary(Op op, double lo = -2, double hi = 2, int order = 2) {
    auto emit = [op](Builder& b, Values x) { return b.emit(op, {x[0]}); };
    add(op, "vector", {f({5}, lo, hi)}, emit, order);
    add(op, "0-d", {f({}, lo, hi)}, emit, order);
    add(op, "empty", {f({0}, lo, hi)}, emit, order);
  }
  void binary(Op op, Input x, Input y, int order = 2) {
    add(
        op, "", {std::move(x), std::move(y)},
        [op](Builder& b, Values v) {
          return b.emit(op, {v[0], v[1]});
        },
        order);
  }
};

void sources(Table& t) {
  t.add(Op::param_op, "", {f({2, 3})}, [](Builder&, Values x) { return x[0]; });
  t.add(
      Op::const_op, "list", {},
      [](Builder& b, Values) {
        return build::constant_data(b, DType::i64, {2, 2}, V{1, -2, 3, 1});
      },
      0);
  t.add(
      Op::const_op, "splat", {}, [](Builder& b, Values) { return build::constant(b, DType::f64, {3}, -0.0); }, 0);
  t.add(Op::const_op, "factor", {f({3})}, [](Builder& b, Values x) { return build::scale(b, x[0], 0.75); });
  t.add(
      Op::iota_op, "", {},
      [](Builder& b, Values) {
        return build::iota(b, DType::f32, {2, 3}, 1);
      },
      0);
  t.add(
      Op::iota_op, "i32", {},
      [](Builder& b, Values) {
        return build::iota(b, DType::i32, {4, 2}, 0);
      },
      0);
  t.add(
      Op::identity_op, "", {},
      [](Builder& b, Values) {
        return build::identity(b, DType::f64, {2, 3});
      },
      0);
  t.add(Op::identity_op, "times", {f({3, 3})},
        [](Builder& b, Values x) { return build::mul(b, x[0], build::identity(b, b.dtype(x[0]), {3})); });
  for (int64_t width : {32, 64}) {
    t.add(
        Op::random_bits_op, std::to_string(width), {i64s({2}, 0, 1e9), i64s({}, 0, 1e9)},
        [width](Builder& b, Values x) {
          return b.emit(Op::random_bits_op, {x[0], x[1]}, Attrs(Shape{3, 3}, width));
        },
        0);
    t.add(
        Op::random_bits_op, "keys" + std::to_string(width), {i64s({2, 2}, 0, 1e9), i64s({2}, 0, 1e9)},
        [width](Builder& b, Values x) {
          return b.emit(Op::random_bits_op, {x[0], x[1]}, Attrs(Shape{2, 3}, width));
        },
        0);
  }
  t.add(
      Op::fold_in_op, "", {i64s({2}, 0, 1e9), i64s({}, -1e9, 1e9)},
      [](Builder& b, Values x) {
        return b.emit(Op::fold_in_op, {x[0], x[1]});
      },
      0);
  t.add(
      Op::fold_in_op, "keys", {i64s({3, 2}, 0, 1e9), i64s({3}, -1e9, 1e9)},
      [](Builder& b, Values x) {
        return b.emit(Op::fold_in_op, {x[0], x[1]});
      },
      0);
}

void structural(Table& t) {
  auto broadcast = [&](std::string label, Shape from, Shape to, V dims) {
    t.add(Op::broadcast_op, std::move(label), {f(std::move(from))},
          [to, dims](Builder& b, Values x) { return build::broadcast(b, x[0], to, dims); });
  };
  broadcast("scalar", {}, {2, 3}, {});
  broadcast("new axes", {3}, {2, 3, 2}, {1});
  broadcast("expand", {2, 1}, {2, 3}, {0, 1});
  broadcast("expand and new", {1, 2}, {3, 2, 2}, {0, 2});
  broadcast("to nothing", {1, 2}, {0, 2}, {0, 1});

  auto reshape = [&](std::string label, Shape from, Shape to) {
    t.add(Op::reshape_op, std::move(label), {f(std::move(from))},
          [to](Builder& b, Values x) { return build::reshape(b, x[0], to); });
  };
  reshape("merge", {2, 3}, {6});
  reshape("split", {6}, {3, 1, 2});
  reshape("0-d", {1, 1}, {});
  reshape("empty", {0, 3}, {5, 0});

  auto permute = [&](std::string label, Shape from, V perm) {
    t.add(Op::permute_op, std::move(label), {f(std::move(from))},
          [perm](Builder& b, Values x) { return build::permute(b, x[0], perm); });
  };
  permute("matrix", {2, 3}, {1, 0});
  permute("cycle", {2, 3, 4}, {1, 2, 0});

  auto slice = [&](std::string label, Shape from, V start, V limit, V stride) {
    t.add(Op::slice_op, std::move(label), {f(std::move(from))},
          [=](Builder& b, Values x) { return build::slice(b, x[0], start, limit, stride); });
  };
  slice("middle", {5}, {1}, {4}, {1});
  slice("strided", {3, 8}, {1, 1}, {3, 7}, {1, 2});
  slice("stride past end", {5}, {0}, {5}, {3});
  slice("nothing", {4}, {2}, {2}, {3});

  auto pad = [&](std::string label, Shape from, V lo, V hi, V interior) {
    t.add(Op::pad_op, std::move(label), {f(std::move(from)), f({})},
          [=](Builder& b, Values x) { return build::pad(b, x[0], x[1], lo, hi, interior); });
  };
  pad("edges", {2, 2}, {1, 0}, {0, 2}, {0, 0});
  pad("interior", {3}, {1}, {1}, {2});
  pad("crop", {5}, {-1}, {-2}, {0});
  pad("crop and spread", {4}, {-1}, {2}, {1});
  pad("of nothing", {0}, {2}, {1}, {1});
  t.add(Op::pad_op, "zero", {f({2, 3})}, [](Builder& b, Values x) {
    return build::pad_zero(b, x[0], V{1, 0}, V{1, 2}, V{0, 1});
  });

  t.add(Op::concat_op, "three", {f({2, 1}), f({2, 3}), f({2, 0})},
        [](Builder& b, Values x) { return build::concat(b, x, 1); });
  t.add(Op::concat_op, "twice", {f({2})}, [](Builder& b, Values x) {
    return build::concat(b, std::vector<Value>{x[0], x[0]}, 0);
  });
  t.add(Op::rev_op, "", {f({2, 3, 2})}, [](Builder& b, Values x) { return build::rev(b, x[0], V{0, 2}); });

  auto diag_embed = [&](std::string label, Shape from, int64_t batch) {
    t.add(Op::diag_embed_op, std::move(label), {f(std::move(from))},
          [=](Builder& b, Values x) { return b.emit(Op::diag_embed_op, {x[0]}, Attrs(batch)); });
  };
  diag_embed("vector", {3}, 0);
  diag_embed("matrix", {2, 3}, 0);
  diag_embed("batch", {2, 3}, 1);
  diag_embed("all batch", {2}, 1);
  diag_embed("empty", {0}, 0);

  t.add(Op::copy_op, "", {f({3})}, [](Builder& b, Values x) { return b.emit(Op::copy_op, {x[0]}); });
  t.add(Op::after_op, "", {f({3}), f({2})}, [](Builder& b, Values x) { return b.emit(Op::after_op, {x[0], x[1]}); });
  t.add(
      Op::stop_gradient_op, "", {f({3})},
      [](Builder& b, Values x) { return build::mul(b, x[0], b.emit(Op::stop_gradient_op, {x[0]})); }, 0);
}

void indexing(Table& t) {
  t.add(Op::dynamic_slice_op, "", {f({4, 5}), i64s({}, -2, 6), i64s({}, -2, 6)}, [](Builder& b, Values x) {
    return build::dynamic_slice(b, x[0], x.subspan(1), V{2, 3});
  });
  t.add(Op::dynamic_slice_op, "0-d", {f({})},
        [](Builder& b, Values x) { return build::dynamic_slice(b, x[0], {}, V{}); });
  t.add(Op::dynamic_update_slice_op, "", {f({4, 5}), f({2, 3}), i64s({}, -2, 6), i64s({}, -2, 6)},
        [](Builder& b, Values x) { return build::dynamic_update_slice(b, x[0], x[1], x.subspan(2)); });

  struct Case {
    std::string label;
    Shape operand, indices;
    GatherDims dims;
    V sizes;
    Shape updates;
    double lo, hi;
  };
  const std::vector<Case> cases = {
      {"rows", {4, 3}, {5, 1}, {{1}, {0}, {0}, {}, {}}, {1, 3}, {5, 3}, 0, 4},
      {"elements", {4, 3}, {2, 2, 2}, {{}, {0, 1}, {0, 1}, {}, {}}, {1, 1}, {2, 2}, 0, 3},
      {"windows", {5, 4}, {3, 1}, {{0, 2}, {}, {1}, {}, {}}, {5, 2}, {5, 3, 2}, 0, 3},
      {"along", {3, 4}, {3, 2, 1}, {{}, {1}, {1}, {0}, {0}}, {1, 1}, {3, 2}, 0, 4},
      {"empty", {0, 3}, {0, 1}, {{1}, {0}, {0}, {}, {}}, {1, 3}, {0, 3}, 0, 1},
  };
  for (const Case& c : cases) {
    for (IndexMode mode : {IndexMode::check, IndexMode::clip, IndexMode::fill, IndexMode::wrap}) {
      std::string label = c.label + " " + std::string(name_of(mode));
      double lo = mode == IndexMode::check ? (c.label == "windows" ? 0 : -2) : -3;
      double hi = mode == IndexMode::check ? c.hi : c.hi + 3;
      if (mode == IndexMode::check && c.label == "elements") lo = -3;
      Input index = mode == IndexMode::clip ? i32s(c.indices, lo, hi) : i64s(c.indices, lo, hi);
      t.add(Op::gather_op, label, {f(c.operand), index},
            [=](Builder& b, Values x) { return build::gather(b, x[0], x[1], c.dims, c.sizes, mode); });
      for (Op op : {Op::scatter_add_op, Op::scatter_set_op, Op::scatter_mul_op, Op::scatter_max_op, Op::scatter_min_op})
        t.add(op, label, {f(c.operand), index, f(c.updates)},
              [=](Builder& b, Values x) { return build::scatter(b, op, x[0], x[1], x[2], c.dims, mode, false); });
    }
  }
  for (Op op : {Op::scatter_add_op, Op::scatter_mul_op, Op::scatter_max_op, Op::scatter_min_op})
    for (DType dtype : {DType::i32, DType::i64})
      t.add(
          op, "integers" + std::string(to_string(dtype)),
          {{dtype, {5}, -9, 9}, i64s({300, 1}, -5, 5), {dtype, {300}, -9, 9}},
          [op](Builder& b, Values x) {
            return build::scatter(b, op, x[0], x[1], x[2], {{}, {0}, {0}, {}, {}}, IndexMode::check, false);
          },
          0);
  t.add(
      Op::scatter_set_op, "bool", {bools({4}), i64s({2, 1}, 0, 4), bools({2})},
      [](Builder& b, Values x) {
        return build::scatter_set(b, x[0], x[1], x[2], {{}, {0}, {0}, {}, {}}, IndexMode::check, false);
      },
      0);
}

void elementwise(Table& t) {
  auto where = [](Builder& b, Values x) { return build::where(b, x[0], x[1], x[2]); };
  t.add(Op::where_op, "elements", {bools({2, 3}), f({2, 3}), f({2, 3})}, where);
  t.add(Op::where_op, "0-d predicate", {bools({}), f({2, 3}), f({2, 3})}, where);
  t.add(Op::where_op, "0-d", {bools({}), f({}), f({})}, where);
  t.add(Op::where_op, "integers", {bools({4}), i64s({4}), i64s({4})}, where, 0);
  auto demand = [](Builder& b, Values x) {  // of NaN, too
    Value fine = build::unary(b, Op::not_op, build::compare(b, x[1], x[1], Direction::lt));
    return build::demand(b, x[0], fine, x[1]);
  };
  t.add(Op::demand_op, "elements", {f({2, 3}), f({2, 3})}, demand);
  t.add(Op::demand_op, "0-d found", {f({2, 3}), i64s({})}, demand);
  t.add(Op::demand_op, "0-d", {f({}), f({})}, demand);
  t.add(Op::demand_op, "integers", {i64s({4}), i64s({4})}, demand, 0);
  constexpr DType kAll[] = {DType::boolean, DType::i32, DType::i64, DType::f32, DType::f64};
  for (DType from : kAll)
    for (DType to : kAll)
      t.add(
          Op::convert_op, std::string(to_string(from)) + " to " + std::string(to_string(to)),
          {Input{from, {4}, from == DType::boolean ? 0.0 : -9.0, from == DType::boolean ? 1.0 : 9.0}},
          [to](Builder& b, Values x) { return b.emit(Op::convert_op, {x[0]}, Attrs(to)); }, 0);
  t.add(Op::convert_op, "derivative", {f({4})},
        [](Builder& b, Values x) { return b.emit(Op::convert_op, {x[0]}, Attrs(DType::f64)); });

  for (Op op : {Op::add_op, Op::add_any_op, Op::sub_op, Op::mul_op, Op::max_op, Op::min_op}) {
    t.binary(op, f({2, 3}), f({2, 3}));
    t.binary(op, f({}), f({}));
    t.binary(op, i64s({9}), i64s({9}), 0);
    t.binary(op, i32s({9}), i32s({9}), 0);
  }
  t.binary(Op::mul_no_nan_op, f({2, 3}), f({2, 3}));
  t.binary(Op::mul_no_nan_op, f({}), f({}));
  t.add(Op::mul_no_nan_op, "identity", {f({3, 3})},
        [](Builder& b, Values x) { return build::mul_no_nan(b, build::identity(b, b.dtype(x[0]), {3}), x[0]); });
  t.binary(Op::div_op, f({2, 3}), f({2, 3}, 0.5, 2));
  t.binary(Op::div_op, i64s({9}), i64s({9}, -3, 3), 0);
  t.binary(Op::div_op, i32s({9}), i32s({9}, -3, 3), 0);
  t.add(Op::mul_op, "square", {f({3})}, [](Builder& b, Values x) { return build::mul(b, x[0], x[0]); });
  t.unary(Op::neg_op);
  t.add(
      Op::neg_op, "integers", {i64s({4})}, [](Builder& b, Values x) { return build::neg(b, x[0]); }, 0);
  for (int64_t n : {-3, -1, 0, 1, 2, 3, 7}) {
    auto emit = [n](Builder& b, Values x) { return build::integer_pow(b, x[0], n); };
    t.add(Op::integer_pow_op, std::to_string(n), {f({3}, 0.5, 1.5)}, emit);
    t.add(Op::integer_pow_op, std::to_string(n) + " integers", {i64s({3}, -3, 4)}, emit, 0);
  }
}

// Functions of one argument, each on an interval of its domain.
void functions(Table& t) {
  t.unary(Op::expm1_op);
  t.unary(Op::exp2_op);
  t.unary(Op::log1p_op, -0.7, 2);
  for (Op op : {Op::log2_op, Op::log10_op, Op::cbrt_op, Op::lgamma_op, Op::digamma_op}) t.unary(op, 0.3, 3);
  for (Op op : {Op::tan_op, Op::atan_op, Op::sinh_op, Op::cosh_op, Op::asinh_op, Op::erf_op, Op::erfc_op, Op::erfcx_op})
    t.unary(op, -1.3, 1.3);
  for (Op op : {Op::asin_op, Op::acos_op, Op::atanh_op, Op::erf_inv_op}) t.unary(op, -0.8, 0.8);
  t.unary(Op::acosh_op, 1.3, 4);
  t.binary(Op::pow_op, f({7}, 0.3, 2), f({7}));
  t.binary(Op::pow_op, f({}, 0.3, 2), f({}));
  t.binary(Op::rem_op, f({7}, -7, 7), f({7}, 0.4, 0.6), 1);
  t.binary(Op::rem_op, i64s({7}), i64s({7}), 0);
  t.binary(Op::rem_op, i32s({7}), i32s({7}, -1, 2), 0);
  t.add(
      Op::bitcast_op, "of i64", {i64s({5})},
      [](Builder& b, Values x) { return b.emit(Op::bitcast_op, {x[0]}, Attrs(DType::f64)); }, 0);
  t.add(
      Op::bitcast_op, "of i32", {i32s({5})},
      [](Builder& b, Values x) { return b.emit(Op::bitcast_op, {x[0]}, Attrs(DType::f32)); }, 0);
}

void special(Table& t) {
  auto on = [&](Op op, const char* where, double lo, double hi) {
    t.add(op, where, {f({5}, lo, hi)}, [op](Builder& b, Values x) { return b.emit(op, {x[0]}); });
  };
  for (Op op : {Op::bessel_i0e_op, Op::bessel_i1e_op, Op::bessel_j0_op, Op::bessel_j1_op}) {
    t.unary(op, 0.3, 4);
    on(op, "near 0", -0.3, 0.3);
  }
  for (Op op : {Op::bessel_y0_op, Op::bessel_y1_op, Op::bessel_k0e_op, Op::bessel_k1e_op}) t.unary(op, 0.5, 4);
  for (Op op : {Op::bessel_i0e_op, Op::bessel_i1e_op, Op::bessel_k0e_op, Op::bessel_k1e_op}) on(op, "far", 29, 32);
  for (Op op : {Op::bessel_i0_op, Op::bessel_i1_op, Op::ndtr_op}) t.unary(op);
  t.unary(Op::ndtri_op, 0.1, 0.9);
  const Input a = f({5}, 0.5, 4), x = f({5}, 0.4, 5);
  for (Op op : {Op::igamma_op, Op::igammac_op, Op::gamma_density_op}) t.binary(op, a, x);
  t.binary(Op::igamma_grad_a_op, a, x, 1);
  for (const auto& [op, first] :
       {std::pair{Op::igamma_grad_aa_op, 1.5}, std::pair{Op::zeta_op, 2.5}, std::pair{Op::polygamma_op, 2.0}})
    t.add(op, "", {f({5}, 0.5, 4)}, [op = op, first = first](Builder& b, Values v) {
      return build::binary(b, op, build::constant(b, b.dtype(v[0]), {5}, first), v[0]);
    });
  t.binary(Op::log_gamma_draw_op, a, f({5}), 0);  // its derivative is that of a place in a distribution: tests of draws
}

void pointwise(Table& t) {
  t.binary(Op::atan2_op, f({7}, 0.3, 2), f({7}));
  t.binary(Op::atan2_op, f({7}), f({7}, -3, -0.5));
  t.binary(Op::atan2_op, f({}, -3, -1), f({}));
  t.binary(Op::atan2_op, f({0}), f({0}));
  functions(t);
  special(t);
  t.unary(Op::exp_op);
  t.unary(Op::log_op, 0.5, 3);
  t.unary(Op::sqrt_op, 0.5, 3);
  t.unary(Op::rsqrt_op, 0.5, 3);
  t.unary(Op::sin_op);
  t.unary(Op::cos_op);
  t.unary(Op::tanh_op);
  t.unary(Op::logistic_op);
  t.unary(Op::abs_op);
  for (Op op : {Op::sign_op, Op::floor_op, Op::ceil_op, Op::round_even_op, Op::trunc_op}) t.unary(op, -3, 3, 1);
  for (Op op : {Op::abs_op, Op::sign_op})
    t.add(
        op, "integers", {i32s({5})}, [op](Builder& b, Values x) { return b.emit(op, {x[0]}); }, 0);
}

void logical(Table& t) {
  for (Direction d : {Direction::eq, Direction::ne, Direction::lt, Direction::le, Direction::gt, Direction::ge})
    for (const Input& x : {f({4}), i64s({9}, 0, 3), i32s({9}, 0, 3), bools({9})})
      t.add(
          Op::compare_op, std::string(name_of(d)), {x, x},
          [d](Builder& b, Values v) { return build::compare(b, v[0], v[1], d); }, 0);
  for (Op op : {Op::and_op, Op::or_op, Op::xor_op})
    for (const Input& x : {bools({5}), i32s({5}), i64s({5})}) t.binary(op, x, x, 0);
  for (Op op : {Op::shl_op, Op::shr_op, Op::sar_op}) {
    t.binary(op, i32s({9}, -1e9, 1e9), i32s({9}, -3, 40), 0);
    t.binary(op, i64s({9}, -1e12, 1e12), i64s({9}, -3, 70), 0);
  }
  for (const Input& x : {bools({5}), i32s({5}), i64s({5})})
    t.add(
        Op::not_op, "", {x}, [](Builder& b, Values v) { return b.emit(Op::not_op, {v[0]}); }, 0);
  for (const Input& x : {i32s({5}), i64s({5})})
    t.add(
        Op::popcnt_op, "", {x}, [](Builder& b, Values v) { return b.emit(Op::popcnt_op, {v[0]}); }, 0);
}

void reductions(Table& t) {
  for (Op op : {Op::reduce_sum_op, Op::reduce_max_op, Op::reduce_min_op, Op::reduce_prod_op}) {
    auto reduce = [&](std::string label, Input x, V dims, int order = 2) {
      t.add(
          op, std::move(label), {std::move(x)}, [=](Builder& b, Values v) { return b.emit(op, {v[0]}, Attrs(dims)); },
          order);
    };
    reduce("last", f({2, 4}), {1});
    reduce("first", f({3, 2}), {0});
    reduce("outer", f({2, 3, 2}), {0, 2});
    reduce("all", f({2, 3}), {1, 0});
    reduce("none", f({2}), {});
    reduce("integers", i64s({3, 4}), {1}, 0);
    reduce("nothing", f({2, 0}), {1}, op == Op::reduce_sum_op || op == Op::reduce_prod_op ? 2 : 0);
  }
  for (Op op : {Op::reduce_and_op, Op::reduce_or_op}) {
    auto reduce = [&](std::string label, Input x, V dims) {
      t.add(
          op, std::move(label), {std::move(x)}, [=](Builder& b, Values v) { return b.emit(op, {v[0]}, Attrs(dims)); },
          0);
    };
    reduce("last", bools({4, 3}), {1});
    reduce("first", bools({3, 4}), {0});
    reduce("outer", bools({2, 3, 2}), {0, 2});
    reduce("all", bools({2, 2}), {1, 0});
    reduce("none", bools({2}), {});
    reduce("nothing", bools({2, 0}), {1});
    t.add(
        op, "of a comparison", {f({5, 60})},
        [=](Builder& b, Values v) {
          Value least = build::constant(b, b.dtype(v[0]), b.shape(v[0]), op == Op::reduce_and_op ? -0.95 : 0.95);
          return b.emit(op, {build::compare(b, v[0], least, Direction::gt)}, Attrs(V{1}));
        },
        0);
  }
}

void contractions(Table& t) {
  auto dot = [&](std::string label, Shape x, Shape y, V cx, V cy, V bx, V by) {
    t.add(Op::dot_op, std::move(label), {f(std::move(x)), f(std::move(y))},
          [=](Builder& b, Values v) { return build::dot(b, v[0], v[1], cx, cy, bx, by); });
  };
  dot("matrix vector", {2, 3}, {3}, {1}, {0}, {}, {});
  dot("matrix matrix", {2, 3}, {3, 4}, {1}, {0}, {}, {});
  dot("transposed", {3, 2}, {4, 3}, {0}, {1}, {}, {});
  dot("inner", {4}, {4}, {0}, {0}, {}, {});
  dot("outer", {2}, {3}, {}, {}, {}, {});
  dot("batched", {2, 3, 4}, {2, 4, 2}, {2}, {1}, {0}, {0});
  dot("batch last", {3, 2}, {4, 3, 2}, {0}, {1}, {1}, {2});
  dot("two batches", {2, 3, 2}, {2, 2, 4}, {}, {}, {0, 2}, {1, 0});
  dot("two contracted", {2, 3, 4}, {4, 3, 2}, {1, 2}, {1, 0}, {}, {});
  dot("crossed", {2, 3, 2}, {3, 2, 2}, {0, 1}, {1, 0}, {2}, {2});
  dot("contract nothing", {2, 0}, {0, 3}, {1}, {0}, {}, {});
  t.add(
      Op::dot_op, "integers", {i64s({2, 3}), i64s({3, 2})},
      [](Builder& b, Values v) { return build::dot(b, v[0], v[1], V{1}, V{0}, {}, {}); }, 0);
}

// Compositions whose jacobians keep structural zeros through several ops.
void structured(Table& t) {
  t.add(Op::mul_op, "elementwise chain", {f({4}), f({4})}, [](Builder& b, Values x) {
    Value s = build::mul(b, build::unary(b, Op::sin_op, x[0]), x[1]);
    return build::add(b, build::neg(b, s), build::mul(b, x[0], x[0]));
  });
  t.add(Op::where_op, "relu", {f({5})}, [](Builder& b, Values x) {
    Value zero = build::zeros_like(b, x[0]);
    return build::where(b, build::compare(b, x[0], zero, Direction::gt), x[0], zero);
  });
  t.add(Op::slice_op, "pieces", {f({6})}, [](Builder& b, Values x) {
    Value head = build::slice_axis(b, x[0], 0, 0, 3), tail = build::slice_axis(b, x[0], 0, 3, 6);
    return build::concat(b, std::vector<Value>{build::unary(b, Op::sin_op, head), build::mul(b, head, tail)}, 0);
  });
  t.add(Op::slice_op, "strided scalars", {f({5})}, [](Builder& b, Values x) {
    Value odd = build::slice_axis(b, x[0], 0, 1, 5, 2), one = build::slice_axis(b, x[0], 0, 2, 3);
    one = build::broadcast_to(b, build::reshape(b, one, {}), {2});
    return build::mul(b, build::mul(b, odd, odd), one);
  });
  t.add(Op::dot_op, "layer", {f({3, 4}), f({2, 4}), f({2})}, [](Builder& b, Values x) {
    Value y = build::dot(b, x[0], x[1], V{1}, V{1}, {}, {});
    return build::unary(b, Op::tanh_op, build::add(b, y, build::broadcast_to(b, x[2], {3, 2})));
  });
  t.add(Op::permute_op, "transposed scaled", {f({2, 3})}, [](Builder& b, Values x) {
    Value y = build::permute(b, build::unary(b, Op::exp_op, x[0]), V{1, 0});
    y = build::mul(b, build::reshape(b, y, {6}), build::reshape(b, x[0], {6}));
    return build::reshape(b, y, {2, 3});
  });
  t.add(Op::broadcast_op, "rows scaled", {f({3}), f({2, 3})}, [](Builder& b, Values x) {
    return build::mul(b, build::broadcast_to(b, build::unary(b, Op::sin_op, x[0]), {2, 3}), x[1]);
  });
  t.add(Op::reduce_sum_op, "squares", {f({2, 3})},
        [](Builder& b, Values x) { return build::reduce_sum(b, build::mul(b, x[0], x[0]), V{1}); });
  t.add(Op::reduce_max_op, "softmax", {f({2, 3})}, [](Builder& b, Values x) {
    Value top = build::broadcast(b, build::reduce(b, Op::reduce_max_op, x[0], V{1}), {2, 3}, V{0});
    Value e = build::unary(b, Op::exp_op, build::sub(b, x[0], top));
    return build::div(b, e, build::broadcast(b, build::reduce_sum(b, e, V{1}), {2, 3}, V{0}));
  });
  t.add(Op::pad_op, "padded scaled", {f({2, 2}), f({3, 4})}, [](Builder& b, Values x) {
    Value y = build::pad_zero(b, build::unary(b, Op::sin_op, x[0]), V{1, 1}, V{0, 1}, V{0, 0});
    return build::mul(b, y, x[1]);
  });
  t.add(Op::diag_embed_op, "diagonal times", {f({3}), f({3, 2})}, [](Builder& b, Values x) {
    Value d = build::diag_embed(b, build::unary(b, Op::exp_op, x[0]), 0);
    return build::dot(b, d, x[1], V{1}, V{0}, {}, {});
  });
}

void order(Table& t) {
  for (bool descending : {false, true}) {
    std::string way = descending ? " down" : " up";
    t.add(Op::sort_op, "line" + way, {f({5})}, [=](Builder& b, Values x) { return build::sort(b, x, 0, descending); });
    t.add(Op::sort_op, "columns, with another" + way, {f({4, 3}), f({4, 3})}, [=](Builder& b, Values x) {
      Value first = build::sort(b, x, 0, descending);
      return build::mul(b, build::unary(b, Op::sin_op, first), first + 1);
    });
    t.add(
        Op::sort_op, "integers with ties" + way, {i64s({2, 20}, 0, 4)},
        [=](Builder& b, Values x) {
          Value positions = build::iota(b, DType::i64, b.shape(x[0]), 1);
          return build::sort(b, std::vector<Value>{x[0], positions}, 1, descending) + 1;
        },
        0);
    t.add(Op::sort_op, "nothing" + way, {f({3, 0})},
          [=](Builder& b, Values x) { return build::sort(b, x, 1, descending); });
    t.add(
        Op::sort_op, "long" + way, {f({40})}, [=](Builder& b, Values x) { return build::sort(b, x, 0, descending); },
        1);
  }
}

void argmax(Table& t) {
  for (Op op : {Op::argmax_op, Op::argmin_op}) {
    auto add = [&](std::string label, Input x, int64_t dim) {
      t.add(
          op, std::move(label), {std::move(x)}, [=](Builder& b, Values v) { return b.emit(op, {v[0]}, Attrs(dim)); },
          0);
    };
    add("line", f({5}), 0);
    add("rows", f({3, 4}), 1);
    add("columns", f({4, 3}), 0);
    add("middle", f({2, 70, 3}), 1);
    add("one", f({3, 1}), 1);
    add("of no lines", f({0, 3}), 1);
    add("long, with ties", i64s({3, 200}, 0, 4), 1);
    add("wide columns, with ties", i32s({70, 40}, 0, 4), 0);
    t.add(
        op, "of what is computed", {f({3, 80})},
        [=](Builder& b, Values v) { return b.emit(op, {build::mul(b, v[0], v[0])}, Attrs(int64_t{1})); }, 0);
  }
}

void top_k(Table& t) {
  for (bool descending : {false, true}) {
    auto add = [&](std::string label, std::vector<Input> inputs, int64_t dim, int64_t k, int order = 2) {
      t.add(
          Op::top_k_op, label + (descending ? " down" : " up"), std::move(inputs),
          [=](Builder& b, Values x) { return build::top_k(b, x[0], dim, k, descending); }, order);
    };
    add("line", {f({5})}, 0, 3);
    add("columns", {f({6, 3})}, 0, 2);
    add("none", {f({2, 3})}, 1, 0);
    add("all", {f({2, 4})}, 1, 4);
    add("of nothing", {f({0, 4})}, 1, 2);
    add("long", {f({200})}, 0, 5, 1);
    add("wide columns", {f({70, 20})}, 0, 3, 1);
    add("many", {f({3, 200})}, 1, 40, 1);
    t.add(
        Op::top_k_op, std::string("places, with ties") + (descending ? " down" : " up"), {i64s({3, 100}, 0, 4)},
        [=](Builder& b, Values x) { return build::top_k(b, x[0], 1, 7, descending) + 1; }, 0);
    t.add(
        Op::top_k_op, std::string("many places, with ties") + (descending ? " down" : " up"), {i64s({3, 300}, 0, 4)},
        [=](Builder& b, Values x) { return build::top_k(b, x[0], 1, 50, descending) + 1; }, 0);
  }
}

void cumulative(Table& t) {
  constexpr Op kOne[] = {Op::cumulative_sum_op, Op::cumulative_prod_op, Op::cumulative_logsumexp_op,
                         Op::cumulative_max_op, Op::cumulative_min_op};
  for (bool reverse : {false, true}) {
    const std::string way = reverse ? " back" : "";
    auto add = [&](Op op, std::string label, std::vector<Input> inputs, int64_t dim, int order = 2) {
      t.add(
          op, label + way, std::move(inputs),
          [=](Builder& b, Values x) {
            if (op == Op::linear_recurrence_op) return build::linear_recurrence(b, x[0], x[1], dim, reverse);
            return build::cumulative(b, op, x[0], dim, reverse);
          },
          order);
    };
    auto operands = [](Op op, Shape shape) {
      std::vector<Input> inputs = {f(shape)};
      if (op == Op::linear_recurrence_op) inputs.push_back(f(shape));
      return inputs;
    };
    auto all = [&](Op op) {
      add(op, "line", operands(op, {5}), 0);
      add(op, "columns", operands(op, {4, 3}), 0);
      add(op, "middle", operands(op, {2, 3, 9}), 1);
      add(op, "nothing", operands(op, {3, 0}), 1);
      add(op, "one", operands(op, {2, 1}), 1);
      add(op, "lines beside each other", operands(op, {9, 17}), 1, 1);
      add(op, "many columns", operands(op, {5, 70}), 0, 1);
    };
    for (Op op : kOne) all(op);
    all(Op::linear_recurrence_op);
    for (Op op : {Op::cumulative_sum_op, Op::cumulative_prod_op})
      for (int64_t dim : {0, 1}) add(op, "integers" + std::to_string(dim), {i64s({5, 12})}, dim, 0);
    for (Op op : {Op::cumulative_max_op, Op::cumulative_min_op})
      for (bool wide : {false, true})
        t.add(
            op, std::string(wide ? "wide places" : "places") + ", with ties" + way, {i32s({40, wide ? 12 : 2}, 0, 4)},
            [=](Builder& b, Values x) { return build::cumulative(b, op, x[0], 0, reverse) + 1; }, 0);
  }
}

// A region: parameters of these types, results of `body`.
Graph region(std::span<const Type> types, const std::function<std::vector<Value>(Builder&, Values)>& body) {
  Builder b("branch");
  std::vector<Value> params;
  for (const Type& t : types) params.push_back(b.param(t));
  return b.finish(body(b, params));
}

// (i64[3], i64[]) -> their sum
class HostSum final : public HostFunction {
 public:
  std::string name() const override { return "sum"; }
  void call(std::span<const void* const> inputs, std::span<void* const> outputs) const override {
    for (size_t i = 0; i < 3; ++i)
      static_cast<uint64_t*>(outputs[0])[i] =
          static_cast<const uint64_t*>(inputs[0])[i] + *static_cast<const uint64_t*>(inputs[1]);  // wraps
  }
  uint64_t hash() const override { return 1; }
  bool equal(const HostFunction&) const override { return true; }
};

void control(Table& t) {
  t.add(Op::cond_op, "two results", {i64s({}, -1, 3), f({3}), f({3})}, [](Builder& b, Values x) {
    std::vector<Type> types = {b.type(x[1]), b.type(x[2])};
    Graph branches[] = {
        region(types,
               [](Builder& r, Values y) {
                 return std::vector<Value>{build::mul(r, build::unary(r, Op::sin_op, y[0]), y[1]), y[0]};
               }),
        region(types, [](Builder& r, Values y) {
          return std::vector<Value>{build::add(r, y[0], y[1]), build::mul(r, y[1], y[1])};
        })};
    Value first = build::cond(b, x[0], branches, x.subspan(1));
    return build::mul(b, first, first + 1);
  });
  t.add(Op::cond_op, "three branches", {i64s({}, 0, 3), f({2, 2}), f({})}, [](Builder& b, Values x) {
    std::vector<Type> types = {b.type(x[1]), b.type(x[2])};
    auto sum = [](Builder& r, Value v) { return build::reduce_sum(r, v, build::all_axes(r.shape(v).size())); };
    Graph branches[] = {
        region(types,
               [&](Builder& r, Values y) { return std::vector<Value>{sum(r, build::unary(r, Op::exp_op, y[0]))}; }),
        region(types, [&](Builder& r, Values y) { return std::vector<Value>{build::unary(r, Op::tanh_op, y[1])}; }),
        region(types,
               [&](Builder& r, Values y) { return std::vector<Value>{build::constant(r, r.dtype(y[0]), {}, 3)}; })};
    return build::cond(b, x[0], branches, x.subspan(1));
  });
  t.add(Op::cond_op, "nested", {i64s({}, 0, 2), f({2})}, [](Builder& b, Values x) {
    std::vector<Type> types = {b.type(x[0]), b.type(x[1])};
    Graph inner[] = {
        region(types, [](Builder& r, Values y) { return std::vector<Value>{build::mul(r, y[1], y[1])}; }),
        region(types, [](Builder& r, Values y) { return std::vector<Value>{build::unary(r, Op::cos_op, y[1])}; })};
    Graph outer[] = {region(types,
                            [&](Builder& r, Values y) {
                              Value other = build::sub(r, build::constant_int(r, DType::i64, {}, 1), y[0]);
                              return std::vector<Value>{build::cond(r, other, inner, y)};
                            }),
                     region(types, [](Builder&, Values y) { return std::vector<Value>{y[1]}; })};
    return build::cond(b, x[0], outer, x);
  });
  for (bool reverse : {false, true})
    t.add(Op::scan_op, reverse ? "in reverse" : "constants, two carries, slices", {f({2}), f({2}), f({}), f({3, 2})},
          [=](Builder& b, Values x) {
            Type slice = b.type(x[3]);
            slice.shape.erase(0);
            const std::vector<Type> types = {b.type(x[0]), b.type(x[1]), b.type(x[2]), slice};
            Graph body = region(types, [](Builder& r, Values y) {
              Value next = build::add(r, build::mul(r, y[0], y[1]), build::unary(r, Op::sin_op, y[3]));
              Value sum = build::add(r, y[2], build::reduce_sum(r, next, build::all_axes(1)));
              return std::vector<Value>{next, sum, build::mul(r, next, y[3])};
            });
            Value first = build::scan(b, body, 3, reverse, 1, 2, x);
            Value all = build::add(b, first, build::reduce_sum(b, first + 2, std::vector<int64_t>{0}));
            return build::mul(b, all, build::broadcast_to(b, first + 1, {2}));
          });
  t.add(Op::scan_op, "no steps", {f({2}), f({0, 2})}, [](Builder& b, Values x) {
    const std::vector<Type> types = {b.type(x[0]), b.type(x[0])};
    Graph body = region(types, [](Builder& r, Values y) {
      return std::vector<Value>{build::mul(r, y[0], y[1]), y[0]};
    });
    Value first = build::scan(b, body, 0, false, 0, 1, x);
    return build::add(b, first, build::reduce_sum(b, first + 1, std::vector<int64_t>{0}));
  });
  // Rules of custom ops are what the derivative of their body is.
  auto body_of = [](Builder& r, Values y) { return build::mul(r, build::unary(r, Op::sin_op, y[0]), y[1]); };
  auto partials = [](Builder& r, Values y) {
    return std::pair{build::mul(r, build::unary(r, Op::cos_op, y[0]), y[1]), build::unary(r, Op::sin_op, y[0])};
  };
  t.add(Op::checkpoint_op, "a body", {f({3}), f({3})}, [=](Builder& b, Values x) {
    const std::vector<Type> types = {b.type(x[0]), b.type(x[1])};
    Graph body = region(types, [=](Builder& r, Values y) { return std::vector<Value>{body_of(r, y), y[1]}; });
    Value first = b.emit(Op::checkpoint_op, x, Attrs().add(body).add(int64_t{0}));
    return build::mul(b, first, first + 1);
  });
  t.add(Op::custom_jvp_op, "the derivative", {f({3}), f({3})}, [=](Builder& b, Values x) {
    const std::vector<Type> types(2, b.type(x[0])), twice(4, types[0]);
    Graph body = region(types, [=](Builder& r, Values y) { return std::vector<Value>{body_of(r, y)}; });
    Graph rule = region(twice, [=](Builder& r, Values y) {
      auto [dx, dy] = partials(r, y);
      return std::vector<Value>{body_of(r, y), build::add(r, build::mul(r, dx, y[2]), build::mul(r, dy, y[3]))};
    });
    return b.emit(Op::custom_jvp_op, x, Attrs().add(body).add(rule).add(int64_t{0}));
  });
  t.add(Op::custom_vjp_op, "the derivative", {f({3}), f({3})}, [=](Builder& b, Values x) {
    const std::vector<Type> types(2, b.type(x[0])), three(3, types[0]);
    Graph body = region(types, [=](Builder& r, Values y) { return std::vector<Value>{body_of(r, y)}; });
    Graph forward = region(types, [=](Builder& r, Values y) { return std::vector<Value>{body_of(r, y), y[0], y[1]}; });
    Graph backward = region(three, [=](Builder& r, Values y) {
      auto [dx, dy] = partials(r, y);
      return std::vector<Value>{build::mul(r, dx, y[2]), build::mul(r, dy, y[2])};
    });
    return b.emit(Op::custom_vjp_op, x, Attrs().add(body).add(forward).add(backward).add(int64_t{0}));
  });
  t.add(Op::pushforward_op, "of a product", {f({3}), f({3})}, [](Builder& b, Values x) {
    const std::vector<Type> types(2, b.type(x[0]));
    Graph backward = region(types, [](Builder& r, Values y) {
      return std::vector<Value>{build::mul(r, build::unary(r, Op::cos_op, y[0]), y[1])};
    });
    return b.emit(Op::pushforward_op, x, Attrs().add(backward).add(int64_t{1}));
  });
  t.add(
      Op::host_call_op, "", {i64s({3}, -9, 9), i64s({}, -9, 9)},
      [](Builder& b, Values x) {
        Builder r("sum");
        for (Value v : x) r.param(b.type(v));
        Value type = build::zeros(r, b.type(x[0]));
        Graph sum = r.finish_host({&type, 1}, std::make_shared<const HostSum>());
        Value order = build::zeros(b, {DType::u8, false, Shape{0}});
        return b.emit(Op::host_call_op, {order, x[0], x[1]}, Attrs().add(sum)) + 1;
      },
      0);
  // Solutions that are written down: of (2 + p) x = b, with and without a transposed one, and of x^2 = p.
  for (bool given : {false, true})
    t.add(Op::linear_solve_op, given ? "a transposed solve" : "", {f({3}, 0.2, 1), f({3})}, [=](Builder& b, Values x) {
      const std::vector<Type> types(2, b.type(x[0]));
      auto factor = [](Builder& r, Value p) { return build::add(r, p, build::constant(r, r.dtype(p), {3}, 2)); };
      Graph matvec =
          region(types, [=](Builder& r, Values y) { return std::vector<Value>{build::mul(r, factor(r, y[0]), y[1])}; });
      Graph solve =
          region(types, [=](Builder& r, Values y) { return std::vector<Value>{build::div(r, y[1], factor(r, y[0]))}; });
      std::vector<Graph> transposes;
      if (given) transposes.push_back(solve);
      return b.emit(Op::linear_solve_op, x, Attrs().add(solve).add(matvec).add(transposes).add(int64_t{1}));
    });
  t.add(Op::custom_root_op, "of a number", {f({3}, 0.5, 2), f({3})}, [](Builder& b, Values x) {
    const std::vector<Type> types(2, b.type(x[0])), three(3, types[0]);
    Graph body =
        region(types, [](Builder& r, Values y) { return std::vector<Value>{build::unary(r, Op::sqrt_op, y[0])}; });
    Graph equation = region(
        types, [](Builder& r, Values y) { return std::vector<Value>{build::sub(r, build::mul(r, y[1], y[1]), y[0])}; });
    Graph matvec = region(
        three, [](Builder& r, Values y) { return std::vector<Value>{build::mul(r, build::scale(r, y[1], 2), y[2])}; });
    Graph solve = region(
        three, [](Builder& r, Values y) { return std::vector<Value>{build::div(r, y[2], build::scale(r, y[1], 2))}; });
    Attrs attrs;
    attrs.add(body).add(equation).add(matvec).add(solve).add(std::vector<Graph>{}).add(int64_t{1});
    return b.emit(Op::custom_root_op, x, attrs);
  });
  // While a sum of squares is small; in each lane for as long as it takes there.
  t.add(Op::while_op, "a constant and two states", {f({2}), f({2}), f({})}, [](Builder& b, Values x) {
    const std::vector<Type> types = {b.type(x[0]), b.type(x[1]), b.type(x[2])};
    Graph condition = region(types, [](Builder& r, Values y) {
      Value squares = build::reduce_sum(r, build::mul(r, y[1], y[1]), build::all_axes(1));
      return std::vector<Value>{
          build::compare(r, squares, build::constant(r, r.dtype(squares), {}, 40), Direction::lt)};
    });
    Graph body = region(types, [](Builder& r, Values y) {
      Value grown = build::add(r, build::scale(r, y[1], 1.5), build::mul(r, y[0], y[0]));
      Value one = build::constant(r, r.dtype(y[1]), {2}, 1);
      return std::vector<Value>{build::add(r, grown, one), build::unary(r, Op::tanh_op, y[2])};
    });
    Value first = build::while_loop(b, condition, body, 1, -1, x);
    return build::mul(b, first, build::broadcast_to(b, first + 1, {2}));
  });
}

}  // namespace

const std::vector<Row>& op_rows() {
  static const std::vector<Row> rows = [] {
    Table t;
    sources(t);
    structural(t);
    indexing(t);
    elementwise(t);
    pointwise(t);
    logical(t);
    reductions(t);
    contractions(t);
    add_window_rows(t.rows);
    structured(t);
    order(t);
    argmax(t);
    top_k(t);
    cumulative(t);
    add_matrix_rows(t.rows);
    control(t);
    return std::move(t.rows);
  }();
  return rows;
}

namespace {
Type type_of(const Input& x, DType floating) { return {x.dtype == DType::f64 ? floating : x.dtype, false, x.shape}; }
}  // namespace

Graph graph_of(const Row& row, DType floating) {
  Builder b;
  std::vector<Value> inputs;
  for (const Input& x : row.inputs) inputs.push_back(b.param(type_of(x, floating)));
  return b.finish({row.build(b, inputs)});
}

std::vector<HostTensor> inputs_of(const Row& row, std::mt19937& random, DType floating) {
  std::vector<HostTensor> inputs;
  for (const Input& x : row.inputs) inputs.push_back(random_tensor(type_of(x, floating), x.lo, x.hi, random));
  return inputs;
}

std::string title(const Row& row) {
  std::string text = std::string(name_of(row.op)) + (row.label.empty() ? "" : " ") + row.label + ":";
  for (const Input& x : row.inputs) text += " " + to_string(type_of(x, x.dtype));
  return text;
}

}  // namespace jot::test
