#include "shm/signal_stack.h"

#include "shm/base.h"

#include <pthread.h>
#include <sys/mman.h>

static pthread_key_t  key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
give_back(void *stack) {
  const stack_t none = {.ss_flags = SS_DISABLE};
  (void)sigaltstack(&none, NULL);
  (void)munmap(stack, MD_SIGNAL_STACK_BYTES);
}

static void
make_key(void) {
  int rc = pthread_key_create(&key, give_back);
  md_assert(rc == 0);
}

void
md_signal_stack(void) {
  static const int faults[] = MD_FAULT_SIGNALS;
  sigset_t         set;
  (void)sigemptyset(&set);
  for (size_t i = 0; i < MD_CNT(faults); i++)
    (void)sigaddset(&set, faults[i]);
  (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  (void)pthread_once(&once, make_key);
  if (pthread_getspecific(key)) return;
  void *memory =
      mmap(NULL, MD_SIGNAL_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  const stack_t stack = {.ss_sp = memory, .ss_size = MD_SIGNAL_STACK_BYTES};
  if (sigaltstack(&stack, NULL) || pthread_setspecific(key, memory))
    (void)munmap(memory, MD_SIGNAL_STACK_BYTES);
}
