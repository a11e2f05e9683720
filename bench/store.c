#include "bench/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "writers/io_loop.h"
#include "writers/journal_format.h"

#define WRITE_BYTES (256u << 10)
#define DEPTH       8u
#define PAGE_BYTES  4096u
#define SPARE_BYTES (256ull << 20) /* that the disk keeps free beside what we take */

/* ---- the folder ---- */

static md_atomic_u64 interrupted; /* relaxed: a flag that is looked at often */

static void
on_signal(int signo) {
  md_store_relaxed(&interrupted, (uint64_t)signo);
}

bool
md_bench_interrupted(void) {
  return md_load_relaxed(&interrupted) != 0;
}

static void
set_handlers(void (*handler)(int)) {
  static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
  for (size_t i = 0; i < MD_CNT(signals); i++)
    (void)signal(signals[i], handler);
}

static bool
refuse(md_bench_store_t *s, const char *what, const char *dir) {
  (void)snprintf(s->why, sizeof s->why, "%s: %.100s (TMPDIR names another place)", what, dir);
  return false;
}

static bool
fill_file(const char *path, uint64_t bytes) {
  void *block = mmap(NULL, 1u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) return false;
  memset(block, 0x5a, 1u << 20);
  int  fd   = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600);
  bool good = fd >= 0 && posix_fallocate(fd, 0, (off_t)bytes) == 0;
  for (uint64_t off = 0; good && off < bytes; off += 1u << 20)
    good = pwrite(fd, block, 1u << 20, (off_t)off) == 1 << 20;
  good = good && fsync(fd) == 0;
  if (fd >= 0) (void)close(fd);
  (void)munmap(block, 1u << 20);
  return good;
}

static bool
find_fio(void) {
  char  line[32] = "";
  FILE *f        = popen("fio --version 2>/dev/null", "r");
  if (!f) return false;
  (void)!fgets(line, sizeof line, f);
  return pclose(f) == 0 && strncmp(line, "fio-", 4) == 0;
}

bool
md_bench_store_new(md_bench_store_t *s, uint64_t file_bytes, uint64_t need_bytes) {
  const char   *parent = getenv("TMPDIR");
  struct statfs fs;
  memset(s, 0, sizeof *s);
  if (!parent || parent[0] != '/' || strlen(parent) > 200) parent = "/var/tmp";
  if (statfs(parent, &fs) != 0) return refuse(s, "no such folder", parent);
  if (fs.f_type == TMPFS_MAGIC) return refuse(s, "memory and not a disk", parent);
  s->file_bytes = file_bytes;
  if ((uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < need_bytes + file_bytes + SPARE_BYTES)
    return refuse(s, "not enough space", parent);
  (void)snprintf(s->dir, sizeof s->dir, "%s/mdbench.XXXXXX", parent);
  if (!mkdtemp(s->dir)) return refuse(s, "cannot make a folder", parent);
  set_handlers(on_signal);
  (void)snprintf(s->file, sizeof s->file, "%s/overwritten", s->dir);
  s->has_fio = find_fio();
  if (file_bytes == 0 || fill_file(s->file, file_bytes)) return true;
  md_bench_store_delete(s);
  return refuse(s, "no direct writes", parent);
}

void
md_bench_store_delete(md_bench_store_t *s) {
  char           path[600];
  struct dirent *e;
  DIR           *d = opendir(s->dir);
  while (d && (e = readdir(d)) != NULL) {
    (void)snprintf(path, sizeof path, "%s/%s", s->dir, e->d_name);
    (void)unlink(path);
  }
  if (d) (void)closedir(d);
  (void)rmdir(s->dir);
  set_handlers(SIG_DFL);
  if (md_bench_interrupted()) (void)raise((int)md_load_relaxed(&interrupted));
}

/* ---- overwriting ---- */

double
md_bench_fio(const md_bench_store_t *s, int64_t turn_ns) {
  char   command[800], line[256];
  bool   in_write = false;
  double bytes    = MD_BENCH_NONE;
  (void)snprintf(command, sizeof command,
                 "fio --name=overwrite --filename=%s --size=%llu --ioengine=io_uring --direct=1 "
                 "--fixedbufs --registerfiles --bs=256k --iodepth=8 --rw=write --overwrite=1 "
                 "--time_based --runtime=%lldms --thread --output-format=json 2>/dev/null",
                 s->file, (unsigned long long)s->file_bytes, (long long)(turn_ns / 1000000));
  FILE *f = md_bench_interrupted() ? NULL : popen(command, "r");
  if (!f) return MD_BENCH_NONE;
  while (fgets(line, sizeof line, f)) {
    const char *rate = strstr(line, "\"bw_bytes\" :");
    if (strstr(line, "\"write\" : {")) in_write = true;
    if (in_write && rate && bytes < 0) bytes = strtod(rate + 12, NULL);
  }
  return pclose(f) == 0 && bytes > 0 ? bytes / 1e6 : MD_BENCH_NONE;
}

typedef struct overwriter {
  md_io_t   *io;
  int        fd;
  int64_t    end_ns;
  uint64_t   off, file_bytes, done_bytes;
  bool       bad;
  uint8_t   *memory;
  md_io_op_t op[DEPTH], sync_op;
  int64_t    sync_every_ns, sync_ns; /* 0: never; when the last one began */
} overwriter_t;

static void
write_next(overwriter_t *w, uint32_t i) {
  uint8_t *data = w->memory + (size_t)i * WRITE_BYTES;
  md_err_t err  = md_io_write(w->io, &w->op[i], w->fd, data, WRITE_BYTES, w->off, (int)i);
  md_assert(err == MD_OK); /* its entry has just become free */
  w->off = (w->off + WRITE_BYTES) % w->file_bytes;
}

static void
write_done(md_io_op_t *op, int32_t result) {
  overwriter_t *w = op->ctx;
  if (result == (int32_t)WRITE_BYTES) {
    w->done_bytes += WRITE_BYTES;
  } else {
    w->bad = true;
  }
  if (!w->bad && md_bench_now_ns() < w->end_ns) write_next(w, (uint32_t)(op - w->op));
}

static void
sync_done(md_io_op_t *op, int32_t result) {
  overwriter_t *w = op->ctx;
  if (result < 0) w->bad = true;
}

static void
sync_when_due(overwriter_t *w) {
  int64_t now_ns = md_bench_now_ns();
  if (w->sync_every_ns == 0 || w->sync_op.in_flight || now_ns >= w->end_ns) return;
  if (now_ns - w->sync_ns < w->sync_every_ns) return;
  w->sync_ns   = now_ns;
  md_err_t err = md_io_sync(w->io, &w->sync_op, w->fd);
  md_assert(err == MD_OK); /* there are entries for all */
}

static bool
any_in_flight(const overwriter_t *w) {
  for (uint32_t i = 0; i < DEPTH; i++)
    if (w->op[i].in_flight) return true;
  return w->sync_op.in_flight;
}

static double
overwrite(overwriter_t *w, int64_t turn_ns) {
  void          *buffers[DEPTH];
  size_t         buffer_bytes[DEPTH];
  md_io_config_t cfg = {.backend      = MD_IO_URING,
                        .entry_cnt    = 2 * DEPTH,
                        .buffers      = buffers,
                        .buffer_bytes = buffer_bytes,
                        .buffer_cnt   = DEPTH};
  for (uint32_t i = 0; i < DEPTH; i++) {
    buffers[i]      = w->memory + (size_t)i * WRITE_BYTES;
    buffer_bytes[i] = WRITE_BYTES;
    w->op[i]        = (md_io_op_t){.done = write_done, .ctx = w};
  }
  if (md_io_open(&cfg, &w->io, NULL) != MD_OK) return MD_BENCH_NONE;
  int64_t begin_ns = md_bench_now_ns();
  w->end_ns        = begin_ns + turn_ns;
  for (uint32_t i = 0; i < DEPTH; i++)
    write_next(w, i);
  w->sync_op = (md_io_op_t){.done = sync_done, .ctx = w};
  w->sync_ns = begin_ns;
  while (any_in_flight(w) && md_io_turn(w->io, 1000000) >= 0)
    sync_when_due(w);
  double ns = (double)(md_bench_now_ns() - begin_ns);
  md_io_close(w->io);
  return w->bad ? MD_BENCH_NONE : (double)w->done_bytes * 1e3 / ns;
}

double
md_bench_overwrite(const md_bench_store_t *s, int64_t turn_ns, int64_t sync_every_ns) {
  overwriter_t w      = {.fd         = open(s->file, O_RDWR | O_DIRECT | O_CLOEXEC),
                         .file_bytes = s->file_bytes};
  void        *memory = mmap(NULL, (size_t)DEPTH * WRITE_BYTES, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  double       value  = MD_BENCH_NONE;
  w.sync_every_ns     = sync_every_ns;
  if (w.fd >= 0 && memory != MAP_FAILED && !md_bench_interrupted()) {
    w.memory = memory;
    memset(memory, 0x5a, (size_t)DEPTH * WRITE_BYTES);
    value = overwrite(&w, turn_ns);
  }
  if (memory != MAP_FAILED) (void)munmap(memory, (size_t)DEPTH * WRITE_BYTES);
  if (w.fd >= 0) (void)close(w.fd);
  return value;
}

/* ---- group commit ---- */

typedef struct committer {
  int             fd;
  int64_t         begin_ns, end_ns;
  pthread_mutex_t lock;
  uint64_t next, off, file_bytes; /* under the lock: the next record, and where its block goes */
  md_atomic_u64 bad;              /* relaxed: looked at behind both threads */
  uint8_t      *memory;           /* WRITE_BYTES for each thread */
  int64_t      *took_ns;          /* of each record; written by who wrote it */
  uint64_t      took_max;
} committer_t;

static int64_t
due_ns(const committer_t *c, uint64_t record) {
  return c->begin_ns + (int64_t)(record * (1000000000 / MD_BENCH_APPEND_RATE));
}

/* Takes what has come; false: the turn is over. */
static bool
take_group(committer_t *c, uint64_t *first, uint64_t *cnt, uint64_t *off) {
  int64_t now_ns;
  (void)pthread_mutex_lock(&c->lock);
  do {
    now_ns = md_bench_now_ns();
  } while (now_ns < due_ns(c, c->next));
  uint64_t until = (uint64_t)(now_ns - c->begin_ns) / (1000000000 / MD_BENCH_APPEND_RATE) + 1;
  uint64_t most  = (WRITE_BYTES - PAGE_BYTES) / MD_BENCH_APPEND_BYTES;
  *first         = c->next;
  *cnt           = until - c->next < most ? until - c->next : most;
  *off           = c->off;
  c->next += *cnt;
  c->off = (c->off + WRITE_BYTES) % c->file_bytes;
  (void)pthread_mutex_unlock(&c->lock);
  return now_ns < c->end_ns && *first + *cnt <= c->took_max;
}

static void
commit(committer_t *c, uint8_t *data) {
  uint64_t first, cnt, off;
  while (!md_load_relaxed(&c->bad) && take_group(c, &first, &cnt, &off)) {
    size_t bytes = md_align_up(cnt * MD_BENCH_APPEND_BYTES + 128, PAGE_BYTES);
    for (uint64_t i = 0; i < cnt; i++)
      memset(data + 128 + i * MD_BENCH_APPEND_BYTES, (int)(first + i), MD_BENCH_APPEND_BYTES);
    struct iovec v = {.iov_base = data, .iov_len = bytes};
    if (pwritev2(c->fd, &v, 1, (off_t)off, RWF_DSYNC) != (ssize_t)bytes)
      md_store_relaxed(&c->bad, 1);
    int64_t now_ns = md_bench_now_ns();
    for (uint64_t i = 0; i < cnt; i++)
      c->took_ns[first + i] = now_ns - due_ns(c, first + i);
  }
}

/* Without priority, as the first one: the threads of the system that write share the processors. */
static void *
commit_other(void *ctx) {
  committer_t *c = ctx;
  commit(c, c->memory + WRITE_BYTES);
  return NULL;
}

static bool
commit_both(committer_t *c, int64_t turn_ns, md_hist_t *hist) {
  if (pthread_mutex_init(&c->lock, NULL) != 0) return false;
  c->begin_ns = md_bench_now_ns() + 200000;
  c->end_ns   = c->begin_ns + turn_ns;
  pthread_t other;
  bool      good = pthread_create(&other, NULL, commit_other, c) == 0;
  if (good) {
    commit(c, c->memory);
    (void)pthread_join(other, NULL);
  }
  (void)pthread_mutex_destroy(&c->lock);
  if (!good || md_load_relaxed(&c->bad)) return false;
  for (uint64_t i = 0; i < c->took_max; i++)
    if (c->took_ns[i] > 0) md_hist_add(hist, c->took_ns[i]);
  return true;
}

bool
md_bench_group_commit(const md_bench_store_t *s, int64_t turn_ns, md_hist_t *hist) {
  committer_t c = {.fd = open(s->file, O_RDWR | O_DIRECT | O_CLOEXEC), .file_bytes = s->file_bytes};
  void       *memory = mmap(NULL, 2 * (size_t)WRITE_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  bool        good   = false;
  c.took_max         = (uint64_t)(turn_ns / 1000000 + 100) * (MD_BENCH_APPEND_RATE / 1000);
  c.took_ns          = calloc(c.took_max, sizeof c.took_ns[0]);
  if (c.fd >= 0 && memory != MAP_FAILED && c.took_ns && !md_bench_interrupted()) {
    memset(memory, 0, 2 * (size_t)WRITE_BYTES);
    c.memory = memory;
    good     = commit_both(&c, turn_ns, hist);
  }
  if (memory != MAP_FAILED) (void)munmap(memory, 2 * (size_t)WRITE_BYTES);
  if (c.fd >= 0) (void)close(c.fd);
  free(c.took_ns);
  return good;
}

/* ---- summing ---- */

double
md_bench_sum_file(const char *path) {
  static uint32_t last; /* keeps the sums from being left out */
  uint8_t        *piece    = malloc(WRITE_BYTES);
  int             fd       = open(path, O_RDONLY | O_CLOEXEC);
  uint64_t        bytes    = 0;
  uint32_t        crc      = 0;
  ssize_t         n        = -1;
  int64_t         begin_ns = md_bench_now_ns();
  while (piece && fd >= 0 && (n = read(fd, piece, WRITE_BYTES)) > 0) {
    crc = md_crc32c(crc, piece, (size_t)n);
    bytes += (uint64_t)n;
  }
  double ns = (double)(md_bench_now_ns() - begin_ns);
  last      = crc;
  (void)last;
  if (fd >= 0) (void)close(fd);
  free(piece);
  return n == 0 && bytes > 0 ? (double)bytes / ns : MD_BENCH_NONE;
}
