#include "writers/journal_ahead.h"

#include "shm/atomics.h"
#include "shm/signal_stack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define STEP_BYTES     ((size_t)1 << 20)
#define STEP_REST_NS   1000000       /* between two steps: the device belongs to the journal */
#define FIRST_FILL_MAX (16ull << 20) /* at a start */
#define SYNC_STEPS     8u /* a sync of few bytes each: none of the journal's waits long for it */

typedef enum ahead_state { AHEAD_IDLE, AHEAD_WANTED, AHEAD_READY } ahead_state_t;

/* The file belongs to the making thread while WANTED, else to the journal's. */
struct md_journal_ahead {
  md_journal_ahead_config_t cfg;
  char                      dir[MD_JOURNAL_PATH_BYTES];
  uint8_t                  *zeros;
  bool                      threaded;
  pthread_t                 thread;
  int                       wake;  /* eventfd, -1 without a thread */
  md_atomic_u64             stop;  /* relaxed: it orders nothing */
  md_atomic_u64             state; /* ahead_state_t: R1, R2, A1, A2 below */
  md_journal_file_t         file;  /* fd -1: not begun */
  uint64_t                  bytes; /* that it will have */
  uint64_t                  filled_bytes;
  uint32_t                  step_cnt;
  md_atomic_u64             finishing; /* 1: old and old_bytes wait: R3, A3, R4, A4 below */
  md_journal_file_t         old;
  uint64_t                  old_bytes;
};

/* ---- the pool ---- */

static void
spare_path(const char *dir, uint32_t i, char out[MD_JOURNAL_PATH_BYTES]) {
  (void)snprintf(out, MD_JOURNAL_PATH_BYTES, "%.540s/spare-%u.mdj", dir, i);
}

static int
note_spare(void *ctx, const char *name) {
  bool         *there = ctx;
  unsigned long i     = strncmp(name, "spare-", 6) == 0 ? strtoul(name + 6, NULL, 10) : ULONG_MAX;
  if (i < MD_JOURNAL_SPARE_MAX) there[i] = true;
  return 0;
}

md_err_t
md_journal_retire(const md_disk_t *disk, const char *dir, uint64_t segment, uint32_t spare_max,
                  md_msg_t *msg) {
  char path[MD_JOURNAL_PATH_BYTES], spare[MD_JOURNAL_PATH_BYTES];
  bool there[MD_JOURNAL_SPARE_MAX] = {false};
  md_journal_path(dir, segment, path);
  if (spare_max > MD_JOURNAL_SPARE_MAX) spare_max = MD_JOURNAL_SPARE_MAX;
  uint32_t i = 0;
  if (spare_max > 0 && md_disk_list(disk, dir, note_spare, there) < 0) spare_max = 0;
  while (i < spare_max && there[i])
    i++;
  spare_path(dir, i, spare);
  int rc = i < spare_max ? md_disk_rename(disk, path, spare) : md_disk_unlink(disk, path);
  if (rc >= 0) rc = md_disk_sync_dir(disk, dir);
  return rc >= 0 ? MD_OK : md_fail_errno(msg, -rc, "cannot give up the journal segment %s", path);
}

uint32_t
md_journal_spare_drop(const md_disk_t *disk, const char *dir) {
  bool     there[MD_JOURNAL_SPARE_MAX] = {false};
  uint32_t cnt                         = 0;
  if (md_disk_list(disk, dir, note_spare, there) < 0) return 0;
  for (uint32_t i = 0; i < MD_JOURNAL_SPARE_MAX; i++) {
    char path[MD_JOURNAL_PATH_BYTES];
    spare_path(dir, i, path);
    if (there[i] && md_disk_unlink(disk, path) >= 0) cnt++;
  }
  return cnt;
}

static bool
take_spare(md_journal_ahead_t *a, const char *path) {
  bool there[MD_JOURNAL_SPARE_MAX] = {false};
  if (md_disk_list(a->cfg.disk, a->dir, note_spare, there) < 0) return false;
  for (uint32_t i = 0; i < MD_JOURNAL_SPARE_MAX; i++) {
    char spare[MD_JOURNAL_PATH_BYTES];
    spare_path(a->dir, i, spare);
    if (there[i] && md_disk_rename(a->cfg.disk, spare, path) >= 0) return true;
  }
  return false;
}

/* ---- the steps ---- */

static int
begin_file(md_journal_ahead_t *a) {
  char             path[MD_JOURNAL_PATH_BYTES];
  const md_disk_t *disk = a->cfg.disk;
  md_journal_ahead_path(a->dir, path);
  const bool is_spare = take_spare(a, path);
  const int  flags    = O_RDWR | O_CREAT | (is_spare ? 0 : O_TRUNC);
  int        fd       = md_disk_open(disk, path, flags | O_DIRECT, 0640);
  a->file             = (md_journal_file_t){.disk = disk, .fd = fd, .direct = fd >= 0};
  if (fd == -EINVAL) a->file.fd = md_disk_open(disk, path, flags, 0640);
  if (a->file.fd < 0) return a->file.fd;
  int64_t written = is_spare ? md_disk_size(disk, a->file.fd) : 0;
  if (written < 0) return (int)written;
  /* A segment ends later than it is meant to when much waits in the rings: so will the next one. */
  const uint64_t most = a->cfg.bytes + MD_JOURNAL_GROW_BYTES;
  a->filled_bytes     = (uint64_t)written & ~(uint64_t)(MD_JOURNAL_PAGE_BYTES - 1);
  if (a->filled_bytes > most) a->filled_bytes = most;
  a->bytes       = a->filled_bytes > a->cfg.bytes ? a->filled_bytes : a->cfg.bytes;
  a->file.reused = a->filled_bytes > MD_JOURNAL_PAGE_BYTES;
  a->step_cnt    = 0;
  int rc         = md_disk_allocate(disk, a->file.fd, 0, a->bytes);
  return rc == -EOPNOTSUPP ? 0 : rc;
}

/* Zeros behind what a file of the pool has: that was written once, which is all that the file
 * system wants. Its old blocks are told from new ones by segment and checksum, and its header says
 * that they are there. */
static int
fill_step(md_journal_ahead_t *a) {
  uint64_t rest  = a->bytes - a->filled_bytes;
  size_t   bytes = rest < STEP_BYTES ? (size_t)rest : STEP_BYTES;
  int      rc    = md_disk_pwrite_all(a->cfg.disk, a->file.fd, a->zeros, bytes, a->filled_bytes);
  if (rc == -EINVAL && a->file.direct) {
    a->file.direct = false;
    rc             = md_disk_set_direct(a->cfg.disk, a->file.fd, false);
    return rc;
  }
  if (rc < 0) return rc;
  a->filled_bytes += bytes;
  if (++a->step_cnt % SYNC_STEPS == 0) rc = md_disk_fdatasync(a->cfg.disk, a->file.fd);
  return rc;
}

static int
end_file(md_journal_ahead_t *a) {
  int rc = md_disk_truncate(a->cfg.disk, a->file.fd, a->bytes); /* a longer one of the pool */
  return rc < 0 ? rc : md_disk_fsync(a->cfg.disk, a->file.fd);
}

static void
drop_file(md_journal_ahead_t *a) {
  char path[MD_JOURNAL_PATH_BYTES];
  if (a->file.fd >= 0) (void)md_disk_close(a->cfg.disk, a->file.fd);
  a->file.fd = -1;
  md_journal_ahead_path(a->dir, path);
  (void)md_disk_unlink(a->cfg.disk, path);
}

static void
make_step(md_journal_ahead_t *a) {
  int  rc   = 0;
  bool done = false;
  if (a->file.fd < 0) {
    rc = begin_file(a);
  } else if (a->filled_bytes < a->bytes) {
    rc = fill_step(a);
  } else {
    rc   = end_file(a);
    done = rc >= 0;
  }
  if (rc < 0) drop_file(a);
  if (rc < 0) md_store_release(&a->state, AHEAD_IDLE); /* R1: given up; pairs with A1 */
  if (done) md_store_release(&a->state, AHEAD_READY);  /* R1: file is whole; pairs with A1 */
}

static void
finish_old(md_journal_ahead_t *a) {
  md_msg_t ignored;
  (void)!md_journal_file_finish(&a->old, a->old_bytes, &ignored);
}

/* One step of whatever waits; false: nothing does. */
static bool
step(md_journal_ahead_t *a) {
  if (md_load_acquire(&a->finishing)) { /* A3: old is whole; pairs with R3 */
    finish_old(a);
    md_store_release(&a->finishing, 0); /* R4: old may be used again; pairs with A4 */
    return true;
  }
  if (md_load_acquire(&a->state) != AHEAD_WANTED) return false; /* A2: ours; pairs with R2 */
  make_step(a);
  return true;
}

static void *
ahead_run(void *arg) {
  md_journal_ahead_t   *a    = arg;
  const struct timespec rest = {.tv_nsec = STEP_REST_NS};
  uint64_t              woken;
  md_signal_stack();
  (void)pthread_setname_np(pthread_self(), "w:ahead");
  while (!md_load_relaxed(&a->stop)) {
    if (step(a))
      (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
    else
      (void)!read(a->wake, &woken, sizeof woken); /* a signal only makes it look again */
  }
  return NULL;
}

/* ---- for the journal ---- */

void
md_journal_ahead_first(md_journal_ahead_t *a) {
  bool there[MD_JOURNAL_SPARE_MAX] = {false}, any = false;
  if (md_load_acquire(&a->state) != AHEAD_IDLE) return; /* A1: file is ours; pairs with R1 */
  if (a->file.fd >= 0 || md_disk_list(a->cfg.disk, a->dir, note_spare, there) < 0) return;
  for (uint32_t i = 0; i < MD_JOURNAL_SPARE_MAX; i++)
    any = any || there[i];
  if (!any) return;
  int rc = begin_file(a);
  if (rc >= 0 && a->bytes - a->filled_bytes > FIRST_FILL_MAX) return; /* later, as any other */
  while (rc >= 0 && a->filled_bytes < a->bytes)
    rc = fill_step(a);
  if (rc >= 0) rc = end_file(a);
  if (rc < 0)
    drop_file(a);
  else
    md_store_relaxed(&a->state, AHEAD_READY); /* taken by this thread */
}

static void
wake(md_journal_ahead_t *a) {
  const uint64_t one = 1;
  if (a->threaded) (void)!write(a->wake, &one, sizeof one);
}

static bool
start_thread(md_journal_ahead_t *a) {
  sigset_t all, old;
  a->wake = eventfd(0, EFD_CLOEXEC);
  if (a->wake < 0) return false;
  sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &old);
  int rc = pthread_create(&a->thread, NULL, ahead_run, a);
  (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
  return rc == 0;
}

md_err_t
md_journal_ahead_open(const md_journal_ahead_config_t *cfg, md_journal_ahead_t **out,
                      md_msg_t *msg) {
  md_assert(cfg->bytes % MD_JOURNAL_PAGE_BYTES == 0);
  md_journal_ahead_t *a = calloc(1, sizeof *a);
  if (!a) return md_fail(msg, MD_ERR_NOMEM, "no memory to make segments ahead");
  a->cfg     = *cfg;
  a->file.fd = a->old.fd = -1;
  (void)snprintf(a->dir, sizeof a->dir, "%s", cfg->dir);
  void *zeros = mmap(NULL, STEP_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (zeros == MAP_FAILED) {
    free(a);
    return md_fail(msg, MD_ERR_NOMEM, "no memory to make segments ahead");
  }
  a->zeros    = zeros;
  a->wake     = -1;
  a->threaded = cfg->disk == NULL && start_thread(a);
  *out        = a;
  return MD_OK;
}

void
md_journal_ahead_close(md_journal_ahead_t *a) {
  if (!a) return;
  if (a->threaded) {
    md_store_relaxed(&a->stop, 1);
    wake(a);
    (void)pthread_join(a->thread, NULL);
  }
  if (a->old.fd >= 0) finish_old(a);
  drop_file(a);
  if (a->wake >= 0) (void)close(a->wake);
  (void)munmap(a->zeros, STEP_BYTES);
  free(a);
}

void
md_journal_ahead_want(md_journal_ahead_t *a) {
  if (md_load_acquire(&a->state) != AHEAD_IDLE) return; /* A1: file is ours; pairs with R1 */
  md_store_release(&a->state, AHEAD_WANTED);            /* R2: file is yours; pairs with A2 */
  wake(a);
}

bool
md_journal_ahead_busy(const md_journal_ahead_t *a) {
  return md_load_relaxed(&a->state) == AHEAD_WANTED; /* only asked, nothing is read behind it */
}

bool
md_journal_ahead_ready(const md_journal_ahead_t *a) {
  return md_load_acquire(&a->state) == AHEAD_READY; /* A1: file is whole; pairs with R1 */
}

bool
md_journal_ahead_take(md_journal_ahead_t *a, md_journal_file_t *f) {
  if (!md_journal_ahead_ready(a)) return false;
  *f                 = a->file;
  f->allocated_bytes = a->bytes;
  f->end_off         = MD_JOURNAL_PAGE_BYTES;
  a->file.fd         = -1;
  md_store_relaxed(&a->state, AHEAD_IDLE); /* both sides of it belong to this thread */
  return true;
}

void
md_journal_ahead_finish(md_journal_ahead_t *a, md_journal_file_t *f, uint64_t bytes) {
  md_msg_t ignored;
  if (!a->threaded || md_load_acquire(&a->finishing)) { /* A4: old is free; pairs with R4 */
    (void)!md_journal_file_finish(f, bytes, &ignored);
    return;
  }
  a->old       = *f;
  a->old_bytes = bytes;
  f->fd        = -1;
  md_store_release(&a->finishing, 1); /* R3: old is whole; pairs with A3 */
  wake(a);
}

void
md_journal_ahead_turn(md_journal_ahead_t *a) {
  if (!a->threaded) (void)step(a);
}
