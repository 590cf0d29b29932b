// CasADi's interface of external functions: the function, its jacobian and its reverse derivative.
#pragma once
#include <string_view>

#include "backends/cpu/ship/export.h"

namespace jot::cpu {

// NAME, jac_NAME, adj1_NAME and jac_adj1_NAME, each with n_in, n_out, name_in, name_out, sparsity_in, sparsity_out,
// work, checkout, release, incref, decref, alloc_mem, init_mem and free_mem. Matrices are CasADi's, column by column;
// tensors of more dims are columns of their elements. narrow: integers are int (acados), else long long. Doubles alone.
ExportedCode export_casadi(const ExportedFunction& f, bool narrow, bool avx512, std::string_view api);

}  // namespace jot::cpu
