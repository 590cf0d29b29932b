// Which units run tile by tile: cholesky, lu and triangular_solve of small matrices that are too large for kernels, and
// kernels over the same batch. A chain of them (a solution, its gradient) reads its inputs once and writes its outputs
// once: all between lies in the memory of a tile, a matrix a lane, and no step turns what another one made.
#pragma once
#include "backends/cpu/cluster/cluster.h"

namespace jot::cpu {

// Sets tile_groups and tile_group.
void find_tiles(Clustering& c);

}  // namespace jot::cpu
