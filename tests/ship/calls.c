/* Calls jac 10^6 times between two writes that a tracer of system calls sees. */
#include <string.h>
#include <unistd.h>

#include "jac.h"

static double sink[4];

int main(void) {
  static char work[JAC_WORK_BYTES];
  double x[2], k[1], J[4];
  const double* in[JAC_INPUTS];
  double* out[JAC_OUTPUTS];
  long i;
  int failed = 0;
  in[0] = x, in[1] = k, out[0] = J;
  if (jac_work_bytes() != sizeof work) return 1;
  if (write(2, "begin\n", 6) != 6) return 1;
  for (i = 0; i < 1000000; ++i) {
    x[0] = 1e-3 * (double)(i % 1000), x[1] = 1e-6 * (double)i, k[0] = (double)(i % 7);
    failed |= jac(in, out, work);
    sink[i & 3] += J[i & 3];
  }
  if (write(2, "end\n", 4) != 4) return 1;
  return failed;
}
