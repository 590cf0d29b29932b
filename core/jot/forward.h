// Generated from the tables core/*.def by core/functions.py: change these and run ./dev generate.
// Results and options of functions, which tensor.h names.
#pragma once

namespace jot {

struct ValuesIndices;
struct MinMax;
struct VarMean;
struct StdMean;
struct ValuesInverseCounts;
struct CovOptions;
struct MantissaExponent;

}  // namespace jot
