// Tables of eight numbers, which `lookup` reads: coefficients of polynomials by piece, and the steps of logarithms.
// Made by bench/math_rows.py.
#pragma once
#include <cstdint>

#include "backends/cpu/kernel/kernel_ir.h"

namespace jot::cpu {

constexpr int kRowEntries = 8;
int num_rows();
// Entry modulo 8 of a row, as a number of the type.
uint64_t row_bits(KType type, int64_t row, uint64_t entry);

// So many rows from the first: a coefficient each, the lowest first.
struct Rows {
  int first, count;
};
// By type.
struct RowsOf {
  Rows f64, f32;
};
extern const RowsOf kErfRows, kErfcxRows, kErfInvRows, kLgammaRows, kDigammaRows, kBesselI0Rows, kBesselI1Rows,
    kNdtriRows, kLogStepRows, kTwoOverPiRows;

}  // namespace jot::cpu
