// How much arithmetic a library call is.
#pragma once
#include "ir/graph.h"

namespace jot::cpu {

// Additions and multiplications of an op that extents determine; 0 where data do (eigh, svd), and of other ops. The
// factorizations' leading terms are those of LAPACK Working Note 41.
double flops_of(const ir::GraphData& g, ir::Value v);

}  // namespace jot::cpu
