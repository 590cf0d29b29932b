// linalg jot|eigen|lapack
//     prints its rows as a JSON line (name, op, batch, n, gradient, threads, sides), then answers each line "NUMBER
//     SECONDS" by {"samples": microseconds a call, "fingerprint": of the results, "stats": of what was compiled}
// linalg check
//     every row at toy size: the sides come to the same, or the program fails
//
// Matrices are f64. Of a row's results all but the first `compared` are left out of the fingerprint: vectors whose
// signs libraries choose.
#include <exception>
#include <iostream>
#include <memory>
#include <optional>

#include "backends/cpu/library/blas.h"
#include "bench/jot_job.h"
#include "bench/measure.h"
#include "linalg.h"
#include "tracks.h"

namespace bench::linalg {
namespace {

using jot::Tensor;
using Tensors = std::vector<Tensor>;
namespace la = jot::linalg;

std::vector<Row> all_rows(bool toy) {
  const int64_t million = toy ? 21 : 1'000'000, many = toy ? 19 : 100'000, tracks = toy ? 17 : 10'000;
  std::vector<Row> rows;
  for (int64_t n : {3, 4, 6, 15})
    for (Op op : {Op::cholesky, Op::solve, Op::slogdet})
      for (bool gradient : {false, true}) rows.push_back({op, n == 15 || n == 4 ? many : million, n, gradient});
  for (Op op : {Op::qr, Op::eigh, Op::svd})
    for (int64_t n : {3, 6, 15}) rows.push_back({op, many, n});
  rows.push_back({Op::ekf, tracks, tracks::kStates});
  for (int64_t n : {100, 1000})
    for (Op op : {Op::cholesky, Op::solve, Op::qr, Op::eigh, Op::svd})
      for (bool gradient : {false, true}) rows.push_back({op, 1, toy ? n / 100 + 17 : n, gradient, 1});
  return rows;
}

Tensor tensor(const Numbers& x, const jot::Shape& shape) { return Tensor::from(x, shape).to(jot::f64).eval(); }

size_t compared(const Row& r) { return !r.gradient && (r.op == Op::eigh || r.op == Op::svd) ? 1 : 9; }

// ---- jot

Tensors values(Op op, const Tensors& x) {
  switch (op) {
    case Op::cholesky:
      return {la::cholesky(x[0])};
    case Op::solve:
      return {la::solve(x[0], x[1])};
    case Op::slogdet:
      return {la::slogdet(x[0]).logabsdet};
    case Op::qr: {
      auto [q, r] = la::qr(x[0]);
      return {q, r};
    }
    case Op::eigh: {
      auto [w, v] = la::eigh(x[0]);
      return {w, v};
    }
    case Op::svd: {
      auto [u, s, vh] = la::svd(x[0], false);
      return {s, u, vh};
    }
    case Op::ekf:
      break;
  }
  return {};
}

// A number that weighs all elements, whatever the signs of vectors.
Tensor weighed(const Tensors& results) {
  Tensor sum;
  for (const Tensor& r : results) {
    Tensor term = (r * r * jot::arange(r.numel(), jot::f64).reshape(r.shape()) / static_cast<double>(r.numel())).sum();
    sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

Job by_jot(const Row& r) {
  if (r.op == Op::ekf) {
    const int64_t n = tracks::kStates, m = tracks::kMeasurements;
    Tensor mean = tensor(uniforms(1, r.batch * n), {r.batch, n}) + jot::arange(n, jot::f64).lt(3).to(jot::f64) * 3.0;
    Tensor covariance = jot::eye(n, jot::f64).expand({r.batch, n, n}).clone();
    tracks::Track start{mean.eval(), covariance.eval()};
    return job(jot::vmap(tracks::step), start, tensor(uniforms(2, r.batch * m), {r.batch, m}));
  }
  const jot::Shape shape{r.batch, r.n, r.n};
  Tensors x = {tensor(matrices(r), shape)};
  if (r.op == Op::solve) x.push_back(tensor(right_sides(r), {r.batch, r.n, 1}));
  auto f = [op = r.op](const Tensors& inputs) { return values(op, inputs); };
  if (!r.gradient) return job(f, x);
  return job(jot::grad([f](const Tensors& inputs) { return weighed(f(inputs)); }), x);
}

// ---- LAPACK, called directly on one matrix: it is copied, worked on, and what the call leaves are the results

std::optional<Job> by_lapack(const Row& row) {
  if (row.gradient || row.batch != 1) return {};
  struct Memory {
    Numbers a, b, factor, second, third, work, tau;
    std::vector<blasint> integers;
  };
  auto m = std::make_shared<Memory>();
  const auto n = static_cast<blasint>(row.n);
  const auto size = static_cast<size_t>(n);
  m->a = matrices(row);
  m->factor.resize(size * size);
  m->work.resize(6 * size * size + 100 * size);
  m->integers.resize(8 * size);
  auto numbers = static_cast<blasint>(m->work.size()), integers = static_cast<blasint>(m->integers.size());
  const jot::cpu::Blas& lapack = jot::cpu::blas();
  auto copy = [=] { std::ranges::copy(m->a, m->factor.begin()); };
  auto by_rows = [=](const Numbers& x) {  // of what is by columns
    Numbers t(size * size);
    for (size_t i = 0; i < size; ++i)
      for (size_t j = 0; j < size; ++j) t[i * size + j] = x[j * size + i];
    return t;
  };
  using Results = std::vector<Numbers>;
  switch (row.op) {
    case Op::cholesky:
      return Job{[=, &lapack] {
                   blasint info = 0;
                   copy();
                   lapack.dpotrf("U", &n, m->factor.data(), &n, &info);  // by rows: the lower triangle
                 },
                 [=] {
                   Results r = {m->factor};
                   for (size_t i = 0; i < size; ++i)
                     for (size_t j = i + 1; j < size; ++j) r[0][i * size + j] = 0;
                   return r;
                 }};
    case Op::solve:  // of a^T, which by columns is a: the elimination is of the columns of a
      m->a = by_rows(m->a);
      m->b = right_sides(row);
      m->second.resize(size);
      return Job{[=, &lapack] {
                   blasint info = 0;
                   copy();
                   lapack.dgetrf(&n, &n, m->factor.data(), &n, m->integers.data(), &info);
                   std::ranges::copy(m->b, m->second.begin());
                   for (size_t i = 0; i < size; ++i)
                     std::swap(m->second[i], m->second[static_cast<size_t>(m->integers[i]) - 1]);
                   for (auto [uplo, diag] : {std::pair(CblasLower, CblasUnit), std::pair(CblasUpper, CblasNonUnit)})
                     lapack.cblas_dtrsm(CblasColMajor, CblasLeft, uplo, CblasNoTrans, diag, n, 1, 1, m->factor.data(),
                                        n, m->second.data(), n);
                 },
                 [=] { return Results{m->second}; }};
    case Op::qr:  // by rows a is its transpose by columns: l q of that
      m->tau.resize(size);
      m->second.resize(size * size);
      return Job{[=, &lapack] {
                   blasint info = 0;
                   copy();
                   lapack.dgelqf(&n, &n, m->factor.data(), &n, m->tau.data(), m->work.data(), &numbers, &info);
                   std::ranges::copy(m->factor, m->second.begin());
                   lapack.dorglq(&n, &n, &n, m->second.data(), &n, m->tau.data(), m->work.data(), &numbers, &info);
                 },
                 [=] {
                   Results r = {m->second, m->factor};
                   for (size_t i = 0; i < size; ++i)
                     for (size_t j = 0; j < i; ++j) r[1][i * size + j] = 0;
                   return r;
                 }};
    case Op::eigh:
      m->second.resize(size);
      return Job{[=, &lapack] {
                   blasint info = 0;
                   copy();
                   lapack.dsyevd("V", "U", &n, m->factor.data(), &n, m->second.data(), m->work.data(), &numbers,
                                 m->integers.data(), &integers, &info);
                 },
                 [=] {
                   return Results{m->second, by_rows(m->factor)};
                 }};
    case Op::svd:
      m->second.resize(size), m->third.resize(size * size), m->b.resize(size * size);
      return Job{[=, &lapack] {
                   blasint info = 0;
                   copy();
                   lapack.dgesdd("S", &n, &n, m->factor.data(), &n, m->second.data(), m->third.data(), &n, m->b.data(),
                                 &n, m->work.data(), &numbers, m->integers.data(), &info);
                 },
                 [=] {
                   return Results{m->second, m->b, m->third};
                 }};
    case Op::slogdet:
    case Op::ekf:
      break;
  }
  return {};
}

// ---- the program

std::optional<Job> made(const std::string& side, const Row& row) {
  return side == "jot" ? by_jot(row) : side == "eigen" ? by_eigen(row) : by_lapack(row);
}

std::vector<Numbers> results_of(const Job& job, const Row& row) {
  std::vector<Numbers> results = job.results();
  if (results.size() > compared(row)) results.resize(compared(row));
  return results;
}

int serve(const std::string& side) {
  const std::vector<Row> rows = all_rows(false);
  std::string list;
  for (const Row& r : rows)
    list += (list.empty() ? "" : ", ") + std::string("{\"name\": \"") + r.name() + "\", \"op\": \"" +
            std::string(kNames[static_cast<size_t>(r.op)]) + "\", \"batch\": " + std::to_string(r.batch) +
            ", \"n\": " + std::to_string(r.n) + ", \"gradient\": " + (r.gradient ? "true" : "false") +
            ", \"threads\": " + std::to_string(r.threads) + ", \"compared\": " + std::to_string(compared(r)) + "}";
  std::cout << "[" << list << "]" << std::endl;
  size_t number, last = rows.size();
  std::optional<Job> job;
  int group = 1;
  for (double seconds; std::cin >> number >> seconds;) {
    const Row& row = rows.at(number);
    if (number != last) {
      job.reset();
      job = made(side, row);
      last = number;
      if (job) {
        job->call();
        group = group_size(job->call);
      }
    }
    if (!job) {
      std::cout << "{\"absent\": true}" << std::endl;
      continue;
    }
    const std::vector<double> samples = sample(job->call, group, seconds);
    std::string stats;
    for (const auto& [name, value] : job->stats())
      stats += (stats.empty() ? "\"" : ", \"") + name + "\": " + std::to_string(value);
    std::cout << "{\"samples\": " << text(samples) << ", \"fingerprint\": " << fingerprint(results_of(*job, row), 1000)
              << ", \"stats\": {" << stats << "}}" << std::endl;
  }
  return 0;
}

bool agree(const std::vector<Numbers>& a, const std::vector<Numbers>& b) {
  if (a.size() != b.size()) return false;
  for (size_t k = 0; k < a.size(); ++k) {
    if (a[k].size() != b[k].size()) return false;
    for (size_t i = 0; i < a[k].size(); ++i)
      if (!(std::abs(a[k][i] - b[k][i]) <= 1e-9 * (1 + std::abs(b[k][i])))) return false;
  }
  return true;
}

int check() {
  int wrong = 0;
  for (const Row& row : all_rows(true)) {
    std::cout << row.name() << std::endl;
    std::vector<std::vector<Numbers>> all;
    for (const char* side : {"jot", "eigen", "lapack"})
      if (std::optional<Job> job = made(side, row)) {
        job->call();
        all.push_back(results_of(*job, row));
      }
    for (const auto& other : all)
      if (!agree(all[0], other)) {
        std::cerr << "linalg: " << row.name() << ": " << fingerprint(all[0], 10) << "\n  " << fingerprint(other, 10)
                  << std::endl;
        ++wrong;
      }
  }
  return wrong ? 1 : 0;
}

}  // namespace
}  // namespace bench::linalg

int main(int argc, char** argv) {
  const std::string role = argc == 2 ? argv[1] : "";
  try {
    if (role == "jot" || role == "eigen" || role == "lapack") return bench::linalg::serve(role);
    if (role == "check") return bench::linalg::check();
    std::cerr << "usage: linalg jot|eigen|lapack|check\n";
    return 2;
  } catch (const std::exception& e) {
    std::cerr << "linalg: " << e.what() << "\n";
    return 1;
  }
}
