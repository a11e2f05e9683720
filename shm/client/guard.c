/* The SIGBUS guard: a page that is no longer behind a mapping of ours reads as zeros, which no
 * check takes for a segment. The table is the one state of this library that does not hang off a
 * handle: a signal handler has nothing else to look at. */
#include "shm/client/handle.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#define PLACES_MAX 1024u

/* R1: base stored last, with release; A1: the handler's load. */
typedef struct place {
  md_atomic_u64 base; /* 0: free */
  md_atomic_u64 bytes;
} place_t;

static place_t            places[PLACES_MAX];
static pthread_mutex_t    places_lock = PTHREAD_MUTEX_INITIALIZER;
static mdshm_guard_mode_t guard_mode  = MDSHM_GUARD_AUTO;
static struct sigaction   before; /* whose faults ours are not */

/* Zeros over the whole mapping: its header then says that nothing in it may be believed. */
static bool
cover(uintptr_t at) {
  for (uint32_t i = 0; i < PLACES_MAX; i++) {
    uint64_t base = md_load_acquire(&places[i].base); /* A1: its bytes; pairs with R1 */
    if (base == 0 || at < base) continue;
    uint64_t bytes = md_load_relaxed(&places[i].bytes); /* ordered by A1 */
    if (at - base >= bytes) continue;
    return mmap((void *)(uintptr_t)base, bytes, PROT_READ,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;
  }
  return false;
}

/* Somebody else's fault: their handler, or the default, under which the access fails again. */
static void
pass_on(int signal_no, siginfo_t *info, void *context) {
  if (before.sa_flags & SA_SIGINFO) {
    before.sa_sigaction(signal_no, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal_no);
  } else {
    struct sigaction plain = {.sa_handler = SIG_DFL};
    (void)sigaction(SIGBUS, &plain, NULL);
    if (info->si_code <= 0) (void)raise(SIGBUS); /* sent by kill: it does not come again */
  }
}

static void
on_sigbus(int signal_no, siginfo_t *info, void *context) {
  int saved = errno;
  if (info->si_code <= 0 || !cover((uintptr_t)info->si_addr)) pass_on(signal_no, info, context);
  errno = saved;
}

static bool
is_ours(const struct sigaction *a) {
  return (a->sa_flags & SA_SIGINFO) && a->sa_sigaction == on_sigbus;
}

/* Sets the handler before whatever is there, or only where there is none. */
static mdshm_result_t
install(bool only_alone) {
  struct sigaction now, ours = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
  if (sigaction(SIGBUS, NULL, &now)) return MDSHM_FAILED;
  if (is_ours(&now)) return MDSHM_OK;
  bool alone = !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL;
  if (only_alone && !alone) return MDSHM_OK;
  before            = now;
  ours.sa_sigaction = on_sigbus;
  (void)sigemptyset(&ours.sa_mask);
  return sigaction(SIGBUS, &ours, NULL) ? MDSHM_FAILED : MDSHM_OK;
}

mdshm_result_t
mdshm_guard(mdshm_guard_mode_t mode) {
  if ((unsigned)mode > MDSHM_GUARD_OFF) return MDSHM_USAGE;
  (void)pthread_mutex_lock(&places_lock);
  guard_mode            = mode;
  mdshm_result_t result = mode == MDSHM_GUARD_CHAIN ? install(false) : MDSHM_OK;
  (void)pthread_mutex_unlock(&places_lock);
  return result;
}

void
mdshm_guard_auto(void) {
  (void)pthread_mutex_lock(&places_lock);
  if (guard_mode == MDSHM_GUARD_AUTO) (void)install(true);
  (void)pthread_mutex_unlock(&places_lock);
}

bool
mdshm_guard_add(const void *base, uint64_t bytes) {
  bool found = false;
  (void)pthread_mutex_lock(&places_lock);
  for (uint32_t i = 0; i < PLACES_MAX && !found; i++) {
    if (md_load_relaxed(&places[i].base) != 0) continue; /* under the lock */
    md_store_relaxed(&places[i].bytes, bytes);           /* R1 publishes it */
    md_store_release(&places[i].base, (uintptr_t)base);  /* R1: place is filled; pairs with A1 */
    found = true;
  }
  (void)pthread_mutex_unlock(&places_lock);
  return found;
}

void
mdshm_guard_remove(const void *base) {
  (void)pthread_mutex_lock(&places_lock);
  for (uint32_t i = 0; i < PLACES_MAX; i++)
    if (md_load_relaxed(&places[i].base) == (uintptr_t)base) /* under the lock */
      md_store_relaxed(&places[i].base, 0u); /* no fault of the owner is under way */
  (void)pthread_mutex_unlock(&places_lock);
}
