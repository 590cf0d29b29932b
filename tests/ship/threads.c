/* Eight threads call jac, each with memory of its own; all get what one call alone gives. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jac.h"

enum { kThreads = 8, kPoints = 64, kTurns = 2000 };
static double expected[kPoints][4];

static int call(int point, double* J, void* work) {
  double x[2], k[1];
  const double* in[JAC_INPUTS];
  double* out[JAC_OUTPUTS];
  x[0] = point * 1e9, x[1] = 0.25 * point, k[0] = 3 - point;
  in[0] = x, in[1] = k, out[0] = J;
  return jac(in, out, work);
}

static void* run(void* first) {
  void* work = malloc(jac_work_bytes());
  double J[4];
  long i, wrong = 0;
  for (i = 0; i < kTurns; ++i) {
    const int point = (int)((i + (long)(size_t)first) % kPoints);
    wrong += call(point, J, work) != 0 || memcmp(J, expected[point], sizeof J) != 0;
  }
  free(work);
  return (void*)wrong;
}

int main(void) {
  pthread_t threads[kThreads];
  void* work = malloc(jac_work_bytes());
  long i, wrong = 0;
  for (i = 0; i < kPoints; ++i) wrong += call((int)i, expected[i], work);
  free(work);
  for (i = 0; i < kThreads; ++i)
    if (pthread_create(&threads[i], NULL, run, (void*)(size_t)(9 * i)) != 0) return 1;
  for (i = 0; i < kThreads; ++i) {
    void* result;
    pthread_join(threads[i], &result);
    wrong += (long)result;
  }
  if (wrong) printf("%ld calls differ\n", wrong);
  return wrong != 0;
}
