#include "ir/fence.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ir/fork.h"

namespace jot {

namespace {

long membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0); }

void enlist() noexcept { detail::rare_fence_serves_both = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0; }
const ForkHandlers in_process(nullptr, (enlist(), enlist));

}  // namespace

void rare_fence() {
  full_fence();
  if (detail::rare_fence_serves_both) membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

}  // namespace jot
