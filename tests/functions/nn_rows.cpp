// Functions of jot::nn::functional.
#include "tests/functions/rows.h"

namespace jot::test {

namespace {

namespace F = nn::functional;

void linear_rows(FunctionRows& t) {
  t.add("nn.linear", "", {{{2, 3}}, {{4, 3}}}, [](Tensors x) { return F::linear(x[0], x[1]); });
  t.add("nn.linear", "bias", {{{2, 2, 3}}, {{4, 3}}, {{4}}}, [](Tensors x) { return F::linear(x[0], x[1], x[2]); });
}

}  // namespace

void nn_rows(FunctionRows& t) { linear_rows(t); }

}  // namespace jot::test
