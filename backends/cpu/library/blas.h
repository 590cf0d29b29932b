// OpenBLAS, loaded at its first use: only then can its kernels be chosen (docs/codegen.md).
#pragma once
#include <cblas.h>

#include <mutex>
#include <string>
#include <string_view>

#include "backends/target.h"

// The name in the library: the build says with which prefix.
#define JOT_BLAS_PASTE(prefix, name) prefix##name
#define JOT_BLAS_EXPAND(prefix, name) JOT_BLAS_PASTE(prefix, name)
#define JOT_BLAS_NAME(name) JOT_BLAS_EXPAND(JOT_OPENBLAS_PREFIX, name)

namespace jot::cpu {

struct Blas {
#define JOT_BLAS(name) decltype(&::JOT_BLAS_NAME(name)) name = nullptr;
#define JOT_LAPACK(name, ...) void (*name)(__VA_ARGS__) = nullptr;
#include "backends/cpu/library/blas.def"
#undef JOT_BLAS
#undef JOT_LAPACK
  std::string title;  // "OpenBLAS 0.3.34 SkylakeX": version and kernels

  // To be held during a call. A sequential build keeps one buffer for all threads, so calls take turns; others run each
  // call on the thread that makes it.
  std::unique_lock<std::mutex> turn() const;
};

// Loaded once, with one thread of its own and the kernels for target(), unless OPENBLAS_CORETYPE says otherwise; says
// so on stderr if it has other kernels. Throws Error where it is not found.
const Blas& blas();

// OpenBLAS's name for the kernels of a target; empty: its own choice.
std::string_view blas_core(Target target);
// What there is to say of kernels that are not made for the instructions of a target; empty: they are.
std::string blas_misfit(std::string_view core, Target target);

}  // namespace jot::cpu
