/* Reading what another process wrote: every offset and count is checked once against the size of
 * the mapping and copied; after that the header's words are not trusted again. */
#include "shm/segment_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_LEN_MAX  24u
#define LOCK_WAIT_NS  2000000
#define MAP_BYTES_MAX (1ull << 46)

md_err_t
md_segment_paths(md_segment_t *s, const char *dir, const char *name, md_msg_t *msg) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
  size_t            len       = strspn(name, allowed);
  if (len == 0 || len > NAME_LEN_MAX || name[len] != 0)
    return md_fail(msg, MD_ERR_CONFIG,
                   "engine name \"%.64s\" is not made of 1 to %u of a-z 0-9 _ -: choose another",
                   name, NAME_LEN_MAX);
  int n = snprintf(s->path, sizeof s->path, "%s/mdengine.%s", dir, name);
  int m = snprintf(s->rings_path, sizeof s->rings_path, "%s/mdengine.%s.rings", dir, name);
  /* Room for ".new", under which a file is filled. */
  if (n < 0 || m < 0 || (size_t)m + 4 >= sizeof s->rings_path)
    return md_fail(msg, MD_ERR_CONFIG,
                   "path of the segment is too long: choose another folder than "
                   "%.100s",
                   dir);
  return MD_OK;
}

void
md_segment_views(md_segment_t *s) {
  s->threads             = (void *)(s->base + s->section[MD_SECTION_THREADS].off);
  s->feeds               = (void *)(s->base + s->section[MD_SECTION_FEEDS].off);
  s->streams             = (void *)(s->base + s->section[MD_SECTION_STREAMS].off);
  s->metrics             = (void *)(s->base + s->section[MD_SECTION_METRICS].off);
  s->errlog              = (void *)(s->base + s->section[MD_SECTION_ERRLOG].off);
  s->instruments         = (void *)(s->base + s->section[MD_SECTION_INSTRUMENTS].off);
  s->thread_cnt          = s->section[MD_SECTION_THREADS].cnt;
  s->feed_cnt            = s->section[MD_SECTION_FEEDS].cnt;
  s->stream_cnt          = s->section[MD_SECTION_STREAMS].cnt;
  s->tape_cnt            = s->section[MD_SECTION_TAPES].cnt;
  s->instrument_capacity = s->section[MD_SECTION_INSTRUMENTS].cnt;
}

/* Fields 3 and 22 of /proc/PID/stat, counted behind the name, which may hold spaces and brackets.
 */
static bool
parse_stat(const char *line, char *state, uint64_t *start) {
  const char *p = strrchr(line, ')');
  if (!p || p[1] != ' ') return false;
  p += 2;
  *state = *p;
  for (int field = 3; field < 22; field++) {
    p = strchr(p, ' ');
    if (!p) return false;
    p++;
  }
  unsigned long long value;
  if (sscanf(p, "%20llu", &value) != 1) return false;
  *start = value;
  return true;
}

bool
md_process_start(uint32_t pid, uint64_t *start) {
  char path[32], line[1024];
  (void)snprintf(path, sizeof path, "/proc/%u/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, line, sizeof line - 1);
  (void)close(fd);
  if (n <= 0) return false;
  line[n]    = 0;
  char state = 0;
  return parse_stat(line, &state, start) && state != 'Z' && state != 'X';
}

bool
md_segment_owner_alive(const md_segment_t *s) {
  uint64_t start;
  uint32_t pid = s->header->pid;
  if (pid == 0 || pid > INT32_MAX) return false;
  return md_process_start(pid, &start) && start == s->header->pid_start;
}

/* One section: inside the file, aligned, and as many rows of this size as it says. */
static bool
section_holds(const md_section_t *c, uint64_t total_bytes, uint64_t stride, uint32_t cnt_max) {
  if (c->off < MD_SEGMENT_HEADER_BYTES || c->off % MD_CACHE_BLOCK != 0) return false;
  if (c->off > total_bytes || c->bytes > total_bytes - c->off) return false;
  if (c->cnt > cnt_max || (stride && c->stride != stride)) return false;
  return (uint64_t)c->cnt * c->stride <= c->bytes;
}

static bool
sections_hold(const md_section_t *c, uint64_t total_bytes) {
  static const struct {
    uint32_t stride, cnt_max;
  } rows[MD_SECTION_CNT] = {
      [MD_SECTION_THREADS] = {sizeof(md_thread_row_t), MD_THREAD_CNT_MAX},
      [MD_SECTION_FEEDS]   = {sizeof(md_feed_row_t), MD_FEED_CNT_MAX},
      [MD_SECTION_STREAMS] = {sizeof(md_stream_row_t), MD_STREAM_CNT_MAX},
      [MD_SECTION_METRICS] = {0, MD_THREAD_CNT_MAX}, /* another version may have other metrics */
      [MD_SECTION_ERRLOG]  = {sizeof(md_errlog_t), 1},
      [MD_SECTION_INSTRUMENTS] = {sizeof(md_instrument_row_t), MD_INSTRUMENT_CNT_MAX},
      [MD_SECTION_TAPES]       = {sizeof(uint64_t), MD_FEED_CNT_MAX},
      [MD_SECTION_BOOKS]       = {0, 0},
  };
  for (unsigned i = 0; i < MD_SECTION_CNT; i++)
    if (!section_holds(&c[i], total_bytes, rows[i].stride, rows[i].cnt_max)) return false;
  if (c[MD_SECTION_ERRLOG].cnt != 1) return false;
  if (c[MD_SECTION_METRICS].cnt != c[MD_SECTION_THREADS].cnt) return false;
  if (c[MD_SECTION_TAPES].cnt != c[MD_SECTION_FEEDS].cnt) return false;
  uint32_t capacity = c[MD_SECTION_INSTRUMENTS].cnt;
  return md_instruments_footprint(capacity) <= c[MD_SECTION_INSTRUMENTS].bytes;
}

/* The header's words, in the order in which a wrong one says most. */
static md_err_t
check_header(md_segment_t *s, md_msg_t *msg) {
  const md_segment_header_t *h = s->header;
  uint64_t magic = md_load_acquire(&h->magic); /* A1: header is filled; pairs with R1 */
  if (magic == 0) return md_fail(msg, MD_ERR_EMPTY, "%s is being made: try again", s->path);
  if (magic != MD_SEGMENT_MAGIC)
    return md_fail(msg, MD_ERR_CORRUPT, "%s is not a segment of mdengine: remove it", s->path);
  if (h->abi_version != MD_SEGMENT_ABI_VERSION || h->header_bytes != MD_SEGMENT_HEADER_BYTES)
    return md_fail(msg, MD_ERR_VERSION,
                   "%s has layout %u and this program reads %u: use programs of one version",
                   s->path, h->abi_version, MD_SEGMENT_ABI_VERSION);
  memcpy(s->section, h->section, sizeof s->section);
  if (h->total_bytes != s->bytes || !sections_hold(s->section, s->bytes))
    return md_fail(msg, MD_ERR_CORRUPT, "%s is damaged: restart its engine", s->path);
  switch (md_load_acquire(&h->state)) { /* A2: rows of the start are there; pairs with R2 */
  case MD_SEGMENT_READY:
    return MD_OK;
  case MD_SEGMENT_STARTING:
  case MD_SEGMENT_SUPERSEDED:
    return md_fail(msg, MD_ERR_EMPTY, "the engine of %s is starting: try again", s->path);
  case MD_SEGMENT_STOPPED:
    return md_fail(msg, MD_ERR_ABSENT, "the engine of %s has stopped: start it", s->path);
  default:
    return md_fail(msg, MD_ERR_CORRUPT, "%s is damaged: restart its engine", s->path);
  }
}

/* Maps fd whole; closes it. Only the mapping stays. */
static md_err_t
map_file(int fd, md_segment_t *s, md_msg_t *msg) {
  struct stat st;
  int         rc       = fstat(fd, &st);
  int         reason   = errno;
  bool        is_plain = rc == 0 && S_ISREG(st.st_mode);
  uint64_t    bytes    = is_plain ? (uint64_t)st.st_size : 0;
  void       *base     = MAP_FAILED;
  bool        fits     = bytes >= MD_SEGMENT_HEADER_BYTES && bytes <= MAP_BYTES_MAX;
  if (fits) {
    base   = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
    reason = errno;
  }
  (void)close(fd);
  if (rc == 0 && !fits)
    return md_fail(msg, MD_ERR_CORRUPT, "%s is not a segment of mdengine: remove it", s->path);
  if (is_plain && (st.st_mode & (S_IWGRP | S_IWOTH))) {
    if (base != MAP_FAILED) (void)munmap(base, bytes);
    return md_fail(msg, MD_ERR_DENIED,
                   "%s may be written by others than its owner, who could forge it: chmod go-w",
                   s->path);
  }
  if (base == MAP_FAILED) return md_fail_errno(msg, reason, "cannot map %s", s->path);
  s->base      = base;
  s->bytes     = bytes;
  s->header    = base;
  s->device    = st.st_dev;
  s->inode     = st.st_ino;
  s->owner_uid = st.st_uid;
  return MD_OK;
}

/* What stands at the path, opened; of a sealed segment what its engine hands out, which wait_ms is
 * for. */
static md_err_t
open_main(const md_segment_t *s, const char *name, int *ask_fd, int wait_ms, int *fd,
          md_msg_t *msg) {
  md_err_t err;
  if (*ask_fd >= 0) return md_sealed_answer(s->path, ask_fd, wait_ms, fd, msg);
  *fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (*fd >= 0) return MD_OK;
  if (errno == ENOENT)
    return md_fail(msg, MD_ERR_ABSENT,
                   "no engine \"%s\" runs here (%s is not there): start it, or "
                   "give another name",
                   name, s->path);
  if (errno != ENXIO) return md_fail_errno(msg, errno, "cannot open %s", s->path);
  err = md_sealed_ask(s->path, ask_fd, msg); /* a socket */
  return err ? err : md_sealed_answer(s->path, ask_fd, wait_ms, fd, msg);
}

md_err_t
md_segment_join_within(const char *dir, const char *name, int *ask_fd, int wait_ms,
                       md_segment_t *out, md_msg_t *msg) {
  int fd = -1;
  memset(out, 0, sizeof *out);
  out->rings_fd = out->listen_fd = out->hand_fd = -1;
  md_err_t err                                  = md_segment_paths(out, dir, name, msg);
  if (!err) err = open_main(out, name, ask_fd, wait_ms, &fd, msg);
  if (!err) err = map_file(fd, out, msg);
  if (err) return err;
  err = check_header(out, msg);
  if (err) {
    md_segment_leave(out);
    return err;
  }
  md_segment_views(out);
  return MD_OK;
}

md_err_t
md_segment_join(const char *dir, const char *name, md_segment_t *out, md_msg_t *msg) {
  int      ask_fd = -1;
  md_err_t err    = md_segment_join_within(dir, name, &ask_fd, MD_SEGMENT_ANSWER_MS, out, msg);
  if (ask_fd >= 0) (void)close(ask_fd);
  return err;
}

void
md_segment_leave(md_segment_t *s) {
  if (s->base) (void)munmap(s->base, s->bytes);
  if (s->rings_base) (void)munmap(s->rings_base, s->rings_bytes);
  if (s->rings_fd >= 0) (void)close(s->rings_fd); /* gives the client lock back */
  if (s->listen_fd >= 0) (void)close(s->listen_fd);
  if (s->hand_fd >= 0) (void)close(s->hand_fd);
  s->base         = NULL;
  s->header       = NULL;
  s->rings_base   = NULL;
  s->rings_header = NULL;
  s->rings_fd     = -1;
  s->listen_fd    = -1;
  s->hand_fd      = -1;
}

/* The places that the rings file names. */
static bool
rings_hold(const md_rings_header_t *h, uint64_t bytes) {
  if (h->total_bytes != bytes || h->ring_cnt > MD_RING_CNT_MAX) return false;
  if (h->command_cnt > MD_FEED_CNT_MAX || h->command_off % MD_CACHE_BLOCK != 0) return false;
  if (h->command_off < MD_SEGMENT_HEADER_BYTES || h->command_off > bytes) return false;
  if (h->command_cnt * sizeof(md_command_slot_t) > bytes - h->command_off) return false;
  for (uint32_t i = 0; i < h->ring_cnt; i++)
    if (h->ring_off[i] < MD_SEGMENT_HEADER_BYTES || h->ring_off[i] % MD_CACHE_BLOCK != 0 ||
        h->ring_off[i] >= bytes)
      return false;
  return true;
}

static md_err_t
map_rings(int fd, int protection, md_rings_header_t **out, uint64_t *bytes, md_msg_t *msg) {
  struct stat st;
  if (fstat(fd, &st)) return md_fail_errno(msg, errno, "cannot look at the rings file");
  if (st.st_size == 0) return md_fail(msg, MD_ERR_ABSENT, "no rings are left of an earlier engine");
  uint64_t size = (uint64_t)st.st_size;
  if (size < MD_SEGMENT_HEADER_BYTES || size > MAP_BYTES_MAX)
    return md_fail(msg, MD_ERR_CORRUPT, "the rings file is damaged: its size is %llu bytes",
                   (unsigned long long)size);
  void *base = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return md_fail_errno(msg, errno, "cannot map the rings file");
  md_rings_header_t *h     = base;
  uint64_t           magic = md_load_acquire(&h->magic); /* A1: file is filled; pairs with R1 */
  md_err_t           err   = MD_OK;
  if (magic == 0)
    err = md_fail(msg, MD_ERR_ABSENT, "the rings of an earlier engine were never ready");
  else if (magic == MD_RINGS_MAGIC && h->abi_version != MD_SEGMENT_ABI_VERSION)
    err = md_fail(msg, MD_ERR_VERSION,
                  "the rings of an earlier engine have layout %u, this one reads %u: start the "
                  "earlier version once, so that it saves what they hold",
                  h->abi_version, MD_SEGMENT_ABI_VERSION);
  else if (magic != MD_RINGS_MAGIC || !rings_hold(h, size))
    err = md_fail(msg, MD_ERR_CORRUPT, "the rings file of an earlier engine is damaged");
  if (err) {
    (void)munmap(base, size);
    return err;
  }
  *out   = h;
  *bytes = size;
  return MD_OK;
}

md_err_t
md_rings_join_old(int fd, md_rings_header_t **out, uint64_t *bytes, md_msg_t *msg) {
  return map_rings(fd, PROT_READ | PROT_WRITE, out, bytes, msg);
}

md_err_t
md_rings_look(const char *dir, const char *name, md_rings_header_t **out, uint64_t *bytes,
              md_msg_t *msg) {
  md_segment_t s;
  md_err_t     err = md_segment_paths(&s, dir, name, msg);
  if (err) return err;
  int fd = open(s.rings_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return md_fail_errno(msg, errno, "cannot open %s", s.rings_path);
  err = map_rings(fd, PROT_READ, out, bytes, msg);
  (void)close(fd);
  return err;
}

void
md_rings_leave(md_rings_header_t *rings, uint64_t bytes) {
  (void)munmap(rings, bytes);
}

md_ring_t *
md_rings_ring(md_rings_header_t *rings, uint64_t bytes, uint32_t i) {
  if (i >= rings->ring_cnt || i >= MD_RING_CNT_MAX) return NULL;
  uint64_t off = rings->ring_off[i];
  if (off % MD_CACHE_BLOCK != 0 || off >= bytes) return NULL;
  md_ring_t *ring;
  md_err_t   err = md_ring_join((uint8_t *)rings + off, bytes - off, &ring);
  return err ? NULL : ring;
}

/* Clients queue up behind each other here; the feed thread knows nothing of it. */
static md_err_t
take_client_lock(const md_segment_t *s, int timeout_ms, md_msg_t *msg) {
  const md_clock_t *clock    = md_clock_system();
  int64_t           deadline = md_clock_mono_ns(clock) + (int64_t)timeout_ms * 1000000;
  struct flock      lock     = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
  while (fcntl(s->rings_fd, F_OFD_SETLK, &lock)) {
    if (errno != EAGAIN && errno != EACCES && errno != EINTR)
      return md_fail_errno(msg, errno, "cannot lock %s", s->rings_path);
    if (md_clock_mono_ns(clock) >= deadline)
      return md_fail(msg, MD_ERR_TIMEOUT, "another command is using %s: try again", s->rings_path);
    struct timespec pause = {0, LOCK_WAIT_NS};
    (void)nanosleep(&pause, NULL);
  }
  return MD_OK;
}

md_err_t
md_segment_join_rings(md_segment_t *s, int timeout_ms, md_msg_t *msg) {
  md_assert(!s->rings_base);
  s->rings_fd = open(s->rings_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (s->rings_fd < 0)
    return md_fail_errno(msg, errno, "cannot open %s (only the engine's own user may)",
                         s->rings_path);
  md_err_t err = take_client_lock(s, timeout_ms, msg);
  if (!err) err = md_rings_join_old(s->rings_fd, &s->rings_header, &s->rings_bytes, msg);
  if (!err) s->rings_base = (uint8_t *)s->rings_header;
  if (!err && s->rings_header->epoch != s->header->epoch)
    err = md_fail(msg, MD_ERR_EMPTY, "the engine of %s is being restarted: try again", s->path);
  if (!err) return MD_OK;
  if (s->rings_base) md_rings_leave(s->rings_header, s->rings_bytes);
  (void)close(s->rings_fd);
  s->rings_fd     = -1;
  s->rings_base   = NULL;
  s->rings_header = NULL;
  return err;
}

md_command_slot_t *
md_segment_command(const md_segment_t *s, uint32_t feed) {
  md_assert(s->rings_header);
  md_assert(feed < s->rings_header->command_cnt);
  return (md_command_slot_t *)(void *)(s->rings_base + s->rings_header->command_off) + feed;
}

md_tape_t *
md_segment_tape(const md_segment_t *s, uint32_t i) {
  if (i >= s->tape_cnt) return NULL;
  const md_section_t *c    = &s->section[MD_SECTION_TAPES];
  const uint64_t     *offs = (const void *)(s->base + c->off);
  uint64_t            off  = offs[i];
  if (off < c->off || off >= c->off + c->bytes || off % MD_CACHE_BLOCK != 0) return NULL;
  const md_tape_t *checked;
  if (md_tape_join(s->base + off, c->off + c->bytes - off, &checked)) return NULL;
  return (void *)(s->base + off);
}
