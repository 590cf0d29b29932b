// Eigen: matrices of fixed size, a loop on all threads.
#include <omp.h>
#include <Eigen/Dense>

#include <memory>

#include "linalg.h"

namespace bench::linalg {

namespace {

// Whose rotations and reflections are measured: their code is large.
template <int N>
constexpr bool kSpectra = N == 3 || N == 6;

template <int N>
Job by_eigen_of(const Row& row) {
  using Matrix = Eigen::Matrix<double, N, N, Eigen::RowMajor>;
  using Vector = Eigen::Matrix<double, N, 1>;
  struct Memory {
    Numbers a, b, first, second, third;
  };
  auto m = std::make_shared<Memory>();
  m->a = matrices(row);
  if (row.op == Op::solve) m->b = right_sides(row);
  const auto of_matrix = static_cast<size_t>(row.batch * N * N), of_vector = static_cast<size_t>(row.batch * N);
  auto each = [=](auto f) {
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < row.batch; ++i) f(i, Eigen::Map<const Matrix>(m->a.data() + i * N * N));
  };
  auto matrix = [](Numbers& x, int64_t i) { return Eigen::Map<Matrix>(x.data() + i * N * N); };
  auto vector = [](Numbers& x, int64_t i) { return Eigen::Map<Vector>(x.data() + i * N); };
  auto of_spectra = [=](auto) -> std::function<void()> {  // made where it is called
    switch (row.op) {
      case Op::qr:
        m->first.resize(of_matrix), m->second.resize(of_matrix);
        return [=] {
          each([=](int64_t i, auto a) {
            Eigen::HouseholderQR<Matrix> qr(a);
            matrix(m->first, i) = Matrix(qr.householderQ());
            matrix(m->second, i) = Matrix(qr.matrixQR().template triangularView<Eigen::Upper>());
          });
        };
      case Op::eigh:
        m->first.resize(of_vector), m->second.resize(of_matrix);
        return [=] {
          each([=](int64_t i, auto a) {
            Eigen::SelfAdjointEigenSolver<Matrix> s(a);
            vector(m->first, i) = s.eigenvalues();
            matrix(m->second, i) = s.eigenvectors();
          });
        };
      case Op::svd:
        m->first.resize(of_vector), m->second.resize(of_matrix), m->third.resize(of_matrix);
        return [=] {
          each([=](int64_t i, auto a) {
            Eigen::JacobiSVD<Matrix> s(a, Eigen::ComputeFullU | Eigen::ComputeFullV);
            vector(m->first, i) = s.singularValues();
            matrix(m->second, i) = s.matrixU();
            matrix(m->third, i) = s.matrixV().transpose();
          });
        };
      default:
        return {};
    }
  };
  std::function<void()> call;
  switch (row.op) {
    case Op::cholesky:
      m->first.resize(of_matrix);
      call = [=] { each([=](int64_t i, auto a) { matrix(m->first, i) = Matrix(a.llt().matrixL()); }); };
      break;
    case Op::solve:
      m->first.resize(of_vector);
      call = [=] {
        each([=](int64_t i, auto a) { vector(m->first, i) = a.partialPivLu().solve(Vector(vector(m->b, i))); });
      };
      break;
    case Op::slogdet:
      m->first.resize(static_cast<size_t>(row.batch));
      call = [=] {
        each([=](int64_t i, auto a) {
          m->first[static_cast<size_t>(i)] = a.partialPivLu().matrixLU().diagonal().array().abs().log().sum();
        });
      };
      break;
    default:
      if constexpr (kSpectra<N>) call = of_spectra(0);
  }
  return {call, [=] {
            std::vector<Numbers> results = {m->first};
            for (const Numbers* x : {&m->second, &m->third})
              if (!x->empty()) results.push_back(*x);
            return results;
          }};
}

}  // namespace

std::optional<Job> by_eigen(const Row& row) {
  const bool spectra = row.op == Op::qr || row.op == Op::eigh || row.op == Op::svd;
  if (row.gradient || row.op == Op::ekf || row.threads == 1 || (spectra && row.n != 3 && row.n != 6)) return {};
  switch (row.n) {
    case 3:
      return by_eigen_of<3>(row);
    case 4:
      return by_eigen_of<4>(row);
    case 6:
      return by_eigen_of<6>(row);
    case 15:
      return by_eigen_of<15>(row);
  }
  return {};
}

}  // namespace bench::linalg
