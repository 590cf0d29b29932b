// Stacks of small matrices: backward errors at any condition, operands of every layout, faults of one lane among
// others, and how many kernels there are.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <bit>
#include <cmath>
#include <limits>

#include "check.h"

using namespace jot;

namespace {

constexpr int64_t kExtents[] = {1, 2, 3, 5, 6, 7, 8, 11, 15, 16, 17};

double epsilon(DType dtype) { return dtype == f64 ? 0x1p-52 : 0x1p-23; }
// Of each matrix the largest element.
Tensor size_of_each(const Tensor& a) { return amax(abs(a), {-2, -1}); }
double largest(const Tensor& x) { return x.numel() == 0 ? 0 : amax(x).item<double>(); }
// The worst of all matrices, in units of n epsilon.
double in_units(const Tensor& error, const Tensor& size, int64_t n, DType dtype) {
  return largest(size_of_each(error) / size) / (static_cast<double>(n) * epsilon(dtype));
}

// [batch, m, n] with singular values from 1 down to 1 / condition.
Tensor conditioned(int64_t batch, int64_t m, int64_t n, double condition, DType dtype, bool symmetric = false) {
  const int64_t k = std::min(m, n);
  Tensor u = linalg::qr(randn({batch, m, k}, f64)).Q, v = symmetric ? u : linalg::qr(randn({batch, n, k}, f64)).Q;
  Tensor s = k == 1 ? ones({1}, f64) : pow(condition, arange(k, f64) / static_cast<double>(1 - k));
  return matmul(u * s, mT(v)).to(dtype);
}
Tensor identities(const Tensor& like, int64_t n) { return eye(n, like.dtype()).expand({like.size(0), n, n}); }

}  // namespace

TEST_CASE("small matrices: solutions and factors have small backward errors at any condition") {
  manual_seed(1);
  for (DType dtype : {f32, f64})
    for (int64_t n : kExtents)
      for (double condition : {1.0, 1e3, 1e6, 1e12}) {
        CAPTURE(n);
        CAPTURE(condition);
        CAPTURE(dtype);
        Tensor a = conditioned(9, n, n, condition, dtype), b = randn({9, n, 2}, dtype);
        auto [x, info] = linalg::solve_ex(a, b);
        if (sum(info).item<int64_t>() == 0) {  // rounding may make it singular
          Tensor size = size_of_each(a) * size_of_each(x) + size_of_each(b);
          CHECK(in_units(matmul(a, x) - b, size, n, dtype) <= 10);
        }
        auto [p, l, u] = linalg::lu(a);
        CHECK(in_units(matmul(p, matmul(l, u)) - a, size_of_each(a), n, dtype) <= 10);
        auto [q, r] = linalg::qr(a);
        CHECK(in_units(matmul(q, r) - a, size_of_each(a), n, dtype) <= 10);
        CHECK(in_units(matmul(mT(q), q) - identities(a, n), ones({9}, dtype), n, dtype) <= 10);
        CHECK_SAME(tril(r, -1), zeros_like(r));
        auto [left, s, right] = linalg::svd(a);
        CHECK(in_units(matmul(left * s.unsqueeze(-2), right) - a, size_of_each(a), n, dtype) <= 10);
        CHECK(in_units(matmul(mT(left), left) - identities(a, n), ones({9}, dtype), n, dtype) <= 10);
        CHECK(in_units(matmul(right, mT(right)) - identities(a, n), ones({9}, dtype), n, dtype) <= 10);
        Tensor even = conditioned(9, n, n, condition, dtype, true);
        even = (even + mT(even)) / 2;
        auto [w, v] = linalg::eigh(even);
        CHECK(in_units(matmul(even, v) - v * w.unsqueeze(-2), size_of_each(even), n, dtype) <= 10);
        CHECK(in_units(matmul(mT(v), v) - identities(a, n), ones({9}, dtype), n, dtype) <= 10);
        if (condition * epsilon(dtype) * 100 > 1) continue;  // rounding may make it indefinite
        Tensor factor = linalg::cholesky(even);
        CHECK(in_units(matmul(factor, mT(factor)) - even, size_of_each(even), n, dtype) <= 10);
      }
}

TEST_CASE("small matrices: tall and wide ones, thin and full, of every rank") {
  manual_seed(2);
  for (DType dtype : {f32, f64})
    for (auto [m, n] : {std::pair<int64_t, int64_t>(3, 2), {2, 5}, {9, 4}, {4, 16}, {16, 7}, {17, 3}})
      for (int64_t rank : {int64_t{0}, int64_t{1}, std::min(m, n)})
        for (bool full : {false, true}) {
          CAPTURE(m);
          CAPTURE(n);
          CAPTURE(rank);
          CAPTURE(full);
          Tensor a =
              rank == 0 ? zeros({5, m, n}, dtype) : matmul(randn({5, m, rank}, dtype), randn({5, rank, n}, dtype));
          Tensor size = size_of_each(a) + 1;
          auto [u, s, vh] = linalg::svd(a, full);
          const int64_t k = std::min(m, n), longest = std::max(m, n);
          Tensor made = matmul(u.narrow(-1, 0, k) * s.unsqueeze(-2), vh.narrow(-2, 0, k));
          CHECK(in_units(made - a, size, longest, dtype) <= 10);
          CHECK(in_units(matmul(mT(u), u) - identities(a, u.size(-1)), ones({5}, dtype), longest, dtype) <= 10);
          CHECK(in_units(matmul(vh, mT(vh)) - identities(a, vh.size(-2)), ones({5}, dtype), longest, dtype) <= 10);
          CHECK(largest(s.narrow(-1, 1, k - 1) - s.narrow(-1, 0, k - 1)) <= 0);
          auto [q, r] = linalg::qr(a, full ? QrMode::complete : QrMode::reduced);
          CHECK(in_units(matmul(q, r) - a, size, longest, dtype) <= 10);
          CHECK(in_units(matmul(mT(q), q) - identities(a, q.size(-1)), ones({5}, dtype), longest, dtype) <= 10);
          auto [p, l, upper] = linalg::lu(a);
          CHECK(in_units(matmul(p, matmul(l, upper)) - a, size, longest, dtype) <= 10);
        }
}

TEST_CASE("small matrices: elements near the ends of the range") {
  manual_seed(3);
  for (DType dtype : {f32, f64})
    for (int64_t n : {2, 6, 9})
      for (double by : {dtype == f64 ? 0x1p-1000 : 0x1p-100, dtype == f64 ? 0x1p1000 : 0x1p100}) {
        CAPTURE(n);
        CAPTURE(by);
        Tensor a = conditioned(9, n, n, 10, dtype), even = a + mT(a), scaled = a * by;
        CHECK_NEAR_TO(linalg::qr(scaled).R / by, linalg::qr(a).R, 1e-5);
        CHECK_NEAR_TO(linalg::svdvals(scaled) / by, linalg::svdvals(a), 1e-5);
        CHECK_NEAR_TO(linalg::eigvalsh(even * by) / by, linalg::eigvalsh(even), 1e-5);
      }
}

// The products of the two columns that are little have no squares in f32.
TEST_CASE("small matrices: singular values of columns that are little beside the largest") {
  for (DType dtype : {f32, f64}) {
    Tensor a = tensor({1, 0, 0, 0, 2e-9, 2e-15, 0, 2e-15, 2e-9}, dtype).reshape({1, 3, 3}).expand({16, 3, 3});
    CHECK_NEAR_TO(linalg::svdvals(a) / tensor({1, 2e-9, 2e-9}, dtype), ones({16, 3}, dtype), 1e-5);
  }
}

// What stands in one lane does not show in another: of NaN, infinities, a singular matrix, an indefinite one, one whose
// reciprocal pivots overflow.
TEST_CASE("small matrices: a fault in one lane leaves the others") {
  manual_seed(4);
  for (DType dtype : {f32, f64})
    for (int64_t n : {2, 3, 6, 7, 12, 16})
      for (double wrong : {std::nan(""), HUGE_VAL, 0.0, -1.0, dtype == f64 ? 1e-310 : 1e-40}) {
        CAPTURE(n);
        CAPTURE(wrong);
        Tensor good = conditioned(11, n, n, 10, dtype, true), b = randn({11, n, 1}, dtype), bad = good.clone();
        bad.select(0, 5).copy_(eye(n, dtype) * wrong);
        auto others = [](const Tensor& x) { return cat({x.narrow(0, 0, 5), x.narrow(0, 6, 5)}); };
        auto bits = [](const Tensor& x) {
          std::vector<uint64_t> words;
          for (double e : x.to_vector<double>()) words.push_back(std::bit_cast<uint64_t>(e));
          return words;
        };
        auto leaves = [&](auto f) {
          std::vector<Tensor> ours = f(bad), clean = f(good);
          for (size_t i = 0; i < ours.size(); ++i) {
            CHECK(bits(others(ours[i])) == bits(others(clean[i])));
            if (std::isnan(wrong)) CHECK(isnan(ours[i].select(0, 5)).any().item<bool>());
          }
        };
        auto lists = [](auto tree) { return std::vector<Tensor>{std::get<0>(tree), std::get<1>(tree)}; };
        leaves([&](const Tensor& a) { return std::vector<Tensor>{linalg::cholesky_ex(a).L}; });
        leaves([&](const Tensor& a) { return std::vector<Tensor>{linalg::solve_ex(a, b).result}; });
        leaves([&](const Tensor& a) {
          auto [q, r] = linalg::qr(a);
          return lists(std::pair(q, r));
        });
        leaves([&](const Tensor& a) {
          auto [w, v] = linalg::eigh(a);
          return lists(std::pair(w, v));
        });
        leaves([&](const Tensor& a) {
          auto [u, s, vh] = linalg::svd(a);
          return std::vector<Tensor>{u, s, vh};
        });
        if (wrong == 0) CHECK_SAME(linalg::solve_ex(bad, b).info, (arange(11, i32).eq(5)).to(i32));
        if (wrong <= 0) CHECK_SAME(linalg::cholesky_ex(bad).info, (arange(11, i32).eq(5)).to(i32));
        if (wrong != 0) continue;
        CHECK_THROWS_WITH_AS(linalg::solve(bad, b).eval(), doctest::Contains("(Batch element 5)"), LinalgError);
        CHECK_THROWS_WITH_AS(linalg::cholesky(bad).eval(), doctest::Contains("(Batch element 5)"), LinalgError);
      }
}

TEST_CASE("small matrices: operands that are transposed, strided or broadcast") {
  manual_seed(5);
  for (int64_t n : {3, 6, 9}) {
    CAPTURE(n);
    Tensor a = conditioned(12, n, n, 10, f64), b = randn({12, n, 2}, f64), even = conditioned(12, n, n, 10, f64, true);
    auto same = [&](const Tensor& x, const Tensor& y, const Tensor& z) {
      CHECK_NEAR_TO(matmul(x, linalg::solve(x, z)), z, 1e-12);
      auto [q, r] = linalg::qr(x);
      CHECK_NEAR_TO(matmul(q, r), x, 1e-12);
      Tensor l = linalg::cholesky(y);
      CHECK_NEAR_TO(matmul(l, mT(l)), y, 1e-12);
      CHECK_NEAR_TO(matmul(l, linalg::solve_triangular(l, z, false)), z, 1e-12);
    };
    same(mT(a), mT(even), mT(mT(b).clone()));
    same(a.slice(0, 1, 12, 3), even.slice(0, 1, 12, 3), b.slice(0, 1, 12, 3));
    same(a[3].expand({12, n, n}), even[3].expand({12, n, n}), b);
    same(a.reshape({3, 4, n, n}).transpose(0, 1), even.reshape({3, 4, n, n}).transpose(0, 1),
         b.reshape({3, 4, n, 2}).transpose(0, 1));
    CHECK_NEAR_TO(vmap([&](const Tensor& x) { return linalg::solve(x, b[0]); })(a), linalg::solve(a, b[0]), 1e-12);
    CHECK_NEAR_TO(vmap([&](const Tensor& y) { return linalg::solve(a[0], y); })(b), linalg::solve(a[0], b), 1e-12);
  }
}

// ---- kernels

namespace {

ExecutableStats stats_of(const auto& f, const auto&... x) { return compile(f, x...).stats(); }
void check_kernels(const ExecutableStats& s, int64_t most) {
  CHECK(s.kernels <= most);
  CHECK(s.routines + s.library_calls == 0);
  CHECK(s.code_bytes <= 32 * 1024 * most);
}
bool has_kernels() {
  return stats_of([](const Tensor& x) { return x + 1; }, ones({100}, f64)).kernels > 0;
}

}  // namespace

TEST_CASE("small matrices: what makes and uses them is in their kernel") {
  if (!has_kernels()) return;
  const int64_t batch = 1000;
  Tensor a = conditioned(batch, 6, 6, 10, f64, true), x = rand({batch, 6}, f64);
  // A Gauss-Newton step, damped.
  auto step = [](const Tensor& j, const Tensor& r) {
    Tensor normal = matmul(j.t(), j) + 1e-3 * eye(6, f64);
    return r - linalg::solve(normal, matmul(j.t(), r));
  };
  check_kernels(stats_of(vmap(step), a, x), 1);
  // The update of a Kalman filter.
  auto update = [](const Tensor& p, const Tensor& mean) {
    Tensor h = ones({3, 6}, f64) + eye(6, f64).narrow(0, 0, 3), s = matmul(matmul(h, p), h.t()) + eye(3, f64);
    Tensor l = linalg::cholesky(s), half = linalg::solve_triangular(l, matmul(h, p), false);
    return std::pair(mean - matmul(half.t(), matmul(half, mean)), p - matmul(half.t(), half));
  };
  check_kernels(stats_of(vmap(update), a, x), 1);
  auto logdet = [](const Tensor& m) { return linalg::slogdet(m).logabsdet; };
  check_kernels(stats_of(vmap(grad(logdet)), a), 2);
  auto solved = [](const Tensor& m, const Tensor& y) { return sum(linalg::solve(m, y)); };
  check_kernels(stats_of(vmap(grad(solved, {0, 1})), a, x), 2);
  auto factor = [](const Tensor& m) { return sum(linalg::cholesky(m)); };
  check_kernels(stats_of(vmap(grad(factor)), a), 2);
  // Steps of a loop, too.
  auto filtered = [&](const Tensor& p, const Tensor& mean) {
    auto step = [&](const std::pair<Tensor, Tensor>& s, none_t) {
      auto next = update(s.second, s.first);
      return std::pair{next, next.first};
    };
    return scan(step, std::pair{mean, p}, none, {.length = 20}).first.first;
  };
  check_kernels(stats_of(vmap(filtered), a, x), 1);
}

// ---- tiles

namespace {

// A chain of ops of tiles and the kernels between them.
struct Chain {
  const char* name;
  Tensor (*f)(const Tensor& a, const Tensor& b);
  bool gathers_sources = false;  // which lie in memory
};
const Chain kChains[] = {
    {"solve", [](const Tensor& a, const Tensor& b) { return linalg::solve(a, b); }},
    {"solve from the right", [](const Tensor& a, const Tensor& b) { return linalg::solve(mT(a), mT(b), false); }},
    {"twice", [](const Tensor& a, const Tensor& b) { return linalg::solve(a, linalg::solve(mT(a), b) + b); }},
    {"inverse", [](const Tensor& a, const Tensor& b) { return matmul(linalg::inv(a), b); }, true},
    {"logdet",
     [](const Tensor& a, const Tensor& b) { return linalg::slogdet(a).logabsdet.unsqueeze(-1).unsqueeze(-1) * b; }},
    {"cholesky",
     [](const Tensor& a, const Tensor& b) {
       Tensor l = linalg::cholesky(matmul(a, mT(a)) + eye(a.size(-1), a.dtype()));
       return cholesky_solve(b, l) + linalg::solve_triangular(mT(l), b, true) * l.narrow(-1, 0, 1);
     }},
};
Tensor weighed(const Tensor& x) { return sum(x * cos(arange(x.numel(), f64).reshape(x.shape()))); }

}  // namespace

TEST_CASE("tiles: chains of what runs in them are what they are matrix by matrix, of any batch") {
  manual_seed(7);
  for (DType dtype : {f64, f32})
    for (int64_t n : {7, 8, 11, 15, 16})
      for (int64_t batch : {8, 16, 19, 64, 101})
        for (const Chain& chain : kChains) {
          CAPTURE(chain.name);
          CAPTURE(n);
          CAPTURE(batch);
          CAPTURE(dtype);
          Tensor a = conditioned(batch, n, n, 10, dtype) + eye(n, dtype), b = randn({batch, n, 2}, dtype);
          a = a.eval();
          const double near = dtype == f64 ? 1e-10 : 2e-2;
          auto rows = [](const Tensor& x, int64_t i) { return x.narrow(0, i, 1).eval(); };
          auto gradient = grad([&](const Tensor& x, const Tensor& y) { return sum(chain.f(x, y) * chain.f(x, y)); });
          Tensor x = jit(chain.f)(a, b), g = jit(gradient)(a, b);
          for (int64_t i : {int64_t{0}, batch / 2, batch - 1}) {
            CHECK_NEAR_TO(rows(x, i), chain.f(rows(a, i), rows(b, i)), near);
            CHECK_NEAR_TO(rows(g, i), gradient(rows(a, i), rows(b, i)), near);
          }
          CHECK_NEAR_TO(jit(vmap(chain.f))(a, b), x, near);
        }
}

TEST_CASE("tiles: the first fault of a batch is told, and the info of all") {
  manual_seed(8);
  auto chain = [](const Tensor& a) { return linalg::solve(a, linalg::solve(a, a.narrow(-1, 0, 1))); };
  auto factors = [](const Tensor& a) { return matmul(linalg::cholesky(a), linalg::cholesky(a * 2)); };
  for (DType dtype : {f64, f32})
    for (int64_t n : {7, 16})
      for (int64_t first : {0, 5, 70, 998}) {
        Tensor a = conditioned(1000, n, n, 2, dtype, true).eval();
        for (int64_t i = first; i < 1000; i += 29) a.select(0, i).select(1, n - 2).fill_(0);
        const std::string element = "(Batch element " + std::to_string(first) + ")";
        CHECK_THROWS_WITH_AS(jit(chain)(a).eval(), doctest::Contains(element.c_str()), LinalgError);
        CHECK_THROWS_WITH_AS(jit(factors)(a).eval(), doctest::Contains(element.c_str()), LinalgError);
        CHECK_THROWS_WITH_AS(jit(factors)(a).eval(), doctest::Contains(std::to_string(n - 1).c_str()), LinalgError);
        auto infos = jit([](const Tensor& m) {
          auto [x, info] = linalg::solve_ex(m, m.narrow(-1, 0, 1));
          auto [l, order] = linalg::cholesky_ex(m);
          return std::vector<Tensor>{info, order, x, l};
        })(a);
        Tensor place = arange(1000, i32) - first, wrong = logical_and(place >= 0, (place % 29).eq(0));
        CHECK_SAME(infos[0].ne(0), wrong);
        CHECK_SAME(infos[1], where(wrong, full({1000}, n - 1, i32), zeros({1000}, i32)));
        CHECK(all(logical_or(all(isfinite(infos[3]), {-2, -1}), wrong)).item<bool>());
      }
}

TEST_CASE("tiles: a chain keeps nothing of the batch in memory") {
  if (!has_kernels()) return;
  manual_seed(9);
  const int64_t batch = 20000, n = 12;
  Tensor a = (conditioned(batch, n, n, 10, f64) + eye(n, f64)).eval(), b = randn({batch, n, 1}, f64);
  for (const Chain& chain : kChains) {
    if (chain.gathers_sources) continue;
    CAPTURE(chain.name);
    auto loss = [&](const Tensor& x, const Tensor& y) { return weighed(chain.f(x, y)); };
    // Less than a number of each matrix.
    CHECK(stats_of(chain.f, a, b).arena_bytes < batch * 8 * 8);
    CHECK(stats_of(grad(loss), a, b).arena_bytes < batch * n * 4 * 8);
  }
}

// ---- the code of large kernels

TEST_CASE("small matrices: a long chain becomes kernels of bounded code, with what they hand on in tiles") {
  if (!has_kernels()) return;
  manual_seed(10);
  const int64_t batch = 100000;
  Tensor a = (conditioned(batch, 6, 6, 10, f64) + 2 * eye(6, f64)).eval(), b = randn({batch, 6, 6}, f64);
  auto chain = [](const Tensor& m, Tensor x) {
    for (int i = 0; i < 60; ++i) x = linalg::solve(m + static_cast<double>(i) * eye(6, f64), x);
    return x;
  };
  Executable made = compile(chain, a, b);
  const ExecutableStats s = made.stats();
  CHECK(s.kernels > 1);
  CHECK(s.code_bytes / s.kernels < 1 << 20);
  CHECK(s.arena_bytes < batch * 36 * 8 / 2);
  CHECK_NEAR_TO(jit(chain)(a, b).narrow(0, 1234, 1), chain(a.narrow(0, 1234, 1), b.narrow(0, 1234, 1)), 1e-10);
}
