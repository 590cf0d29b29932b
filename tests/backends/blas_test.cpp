#include "backends/cpu/library/blas.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

using namespace jot;

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "(not set)";
}

auto threads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
}

}  // namespace

TEST_CASE("blas: has the kernels of the target, starts no threads and leaves the environment alone") {
  const auto before = threads();
  const std::string count = variable("OPENBLAS_NUM_THREADS"), core = variable("OPENBLAS_CORETYPE");
  const cpu::Blas& blas = cpu::blas();
  CHECK(&blas == &cpu::blas());
  CHECK(threads() == before);
  CHECK(variable("OPENBLAS_NUM_THREADS") == count);
  CHECK(variable("OPENBLAS_CORETYPE") == core);
  CAPTURE(blas.title);
  CHECK(blas.title.starts_with("OpenBLAS 0.3."));
  const std::string kernels = blas.openblas_get_corename();
  CHECK(blas.title.ends_with(" " + kernels));
  if (core == "(not set)" && target() != Target::reference) CHECK(kernels == cpu::blas_core(target()));
}

TEST_CASE("blas: kernels that do not fit the target are named") {
  for (Target t : {Target::reference, Target::avx2, Target::avx512})
    CHECK(cpu::blas_misfit(cpu::blas_core(t), t) == "");
  for (const char* core : {"Zen", "SkylakeX", "Cooperlake"}) CHECK(cpu::blas_misfit(core, Target::avx2) == "");
  CHECK(cpu::blas_misfit("SAPPHIRERAPIDS", Target::avx512) == "");
  CHECK(cpu::blas_misfit("Prescott", Target::reference) == "");
  CHECK(
      cpu::blas_misfit("Prescott", Target::avx512) ==
      "OpenBLAS runs its Prescott kernels, which do without avx512: products are slow; unset OPENBLAS_CORETYPE or set "
      "it to SkylakeX, or take a newer OpenBLAS");
  for (const char* core : {"Prescott", "Sandybridge", "Haswell", "Zen"})
    CHECK(cpu::blas_misfit(core, Target::avx512) != "");
  for (const char* core : {"Prescott", "Sandybridge"})
    CHECK(cpu::blas_misfit(core, Target::avx2).find("set it to Haswell") != std::string::npos);
}

TEST_CASE("blas: LAPACK of the same library, by Fortran's convention") {
  const cpu::Blas& blas = cpu::blas();
  auto lock = blas.turn();
  const blasint n = 2;
  blasint info = -1;
  double a[] = {4, 2, 2, 5};
  blas.dpotrf("U", &n, a, &n, &info);
  CHECK(info == 0);
  CHECK((a[0] == 2 && a[2] == 1 && a[3] == 2));
  float b[] = {4, 6, 6, 9};
  blas.spotrf("U", &n, b, &n, &info);
  CHECK(info == 2);
}
