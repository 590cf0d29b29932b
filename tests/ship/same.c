/* Calls jac 10^4 times with N different inputs, or with one: what is counted must not depend on that. same N */
#include <stdlib.h>

#include "jac.h"

int main(int argc, char** argv) {
  static char work[JAC_WORK_BYTES];
  const long different = argc > 1 ? atol(argv[1]) : 0;
  double x[2], k[1], J[4];
  const double* in[JAC_INPUTS];
  double* out[JAC_OUTPUTS];
  long i;
  int failed = 0;
  in[0] = x, in[1] = k, out[0] = J;
  for (i = 0; i < 10000; ++i) {
    const long at = different ? i % different : 0;
    x[0] = 0.37 * (double)(at % 211) - 20, x[1] = 1e-3 * (double)at, k[0] = (double)(at % 17) - 8;
    failed |= jac(in, out, work);
  }
  return failed;
}
