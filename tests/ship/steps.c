/* Counts the instructions of calls of jac, one by one: of N calls with other arguments the least and the greatest number.
 * steps N */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jac.h"

static volatile int inside; /* the child is in a call */

static void child(long calls) {
  static char work[JAC_WORK_BYTES];
  double x[2], k[1], J[4];
  const double* in[JAC_INPUTS];
  double* out[JAC_OUTPUTS];
  long i;
  in[0] = x, in[1] = k, out[0] = J;
  x[0] = x[1] = k[0] = 1;
  jac(in, out, work); /* what the processor has is found out once */
  ptrace(PTRACE_TRACEME, 0, NULL, NULL);
  raise(SIGSTOP);
  for (i = 0; i < calls; ++i) {
    x[0] = 0.37 * (double)(i % 211) - 20, x[1] = 1e-3 * (double)i, k[0] = (double)(i % 17) - 8;
    inside = 1;
    jac(in, out, work);
    inside = 0;
  }
  _exit(0);
}

int main(int argc, char** argv) {
  const long calls = argc > 1 ? atol(argv[1]) : 100;
  const pid_t pid = fork();
  long least = -1, greatest = -1, seen = 0, count = 0;
  int status;
  if (pid == 0) child(calls);
  waitpid(pid, &status, 0);
  while (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
    const int now = (int)ptrace(PTRACE_PEEKDATA, pid, (void*)&inside, NULL);
    if (now) {
      ++count;
    } else if (count > 0) {
      if (least < 0 || count < least) least = count;
      if (count > greatest) greatest = count;
      ++seen, count = 0;
    }
  }
  printf("%ld %ld %ld\n", seen, least, greatest);
  return !WIFEXITED(status);
}
