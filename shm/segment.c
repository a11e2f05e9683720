/* Making, locking and deleting the two files of an engine. Only the engine comes here, at start and
 * at stop. */
#include "shm/mutant.h"
#include "shm/segment_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LOCK_TRIES 8u
#define PAGE_BYTES 4096u

typedef struct layout {
  md_section_t section[MD_SECTION_CNT];
  uint64_t     main_bytes;
  uint64_t     ring_off[MD_RING_CNT_MAX];
  uint64_t     rings_bytes;
} layout_t;

/* ---- lock ---- */

/* The process that holds a flock on fd's file, from /proc/locks; 0 when that does not tell. */
static uint32_t
find_locker(int fd) {
  struct stat st;
  FILE       *locks = fstat(fd, &st) ? NULL : fopen("/proc/locks", "re");
  uint32_t    found = 0;
  char        line[256];
  while (locks && found == 0 && fgets(line, sizeof line, locks)) {
    unsigned           pid, major_no, minor_no;
    unsigned long long inode;
    if (sscanf(line, "%*s FLOCK %*s %*s %u %x:%x:%llu", &pid, &major_no, &minor_no, &inode) == 4 &&
        inode == st.st_ino && makedev(major_no, minor_no) == st.st_dev)
      found = pid;
  }
  if (locks) (void)fclose(locks);
  return found;
}

/* Whether path still names the file that fd has open: its owner may just have replaced it. */
static bool
is_same_file(int fd, const char *path) {
  struct stat by_fd, by_path;
  if (fstat(fd, &by_fd) || lstat(path, &by_path)) return false;
  return by_fd.st_ino == by_path.st_ino && by_fd.st_dev == by_path.st_dev;
}

static md_err_t
refuse_second(const md_segment_t *s, const char *name, int fd, md_msg_t *msg) {
  uint32_t pid = find_locker(fd);
  if (pid == 0)
    return md_fail(msg, MD_ERR_EXISTS,
                   "another engine named \"%s\" holds %s: stop it, or choose another name", name,
                   s->rings_path);
  return md_fail(msg, MD_ERR_EXISTS,
                 "an engine named \"%s\" runs already as pid %u: stop it, or choose another name",
                 name, pid);
}

md_err_t
md_segment_lock(const char *dir, const char *name, int *fd, md_msg_t *msg) {
  md_segment_t s   = {0};
  md_err_t     err = md_segment_paths(&s, dir, name, msg);
  if (err) return err;
  for (unsigned i = 0; i < LOCK_TRIES; i++) {
    int file = open(s.rings_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
      return md_fail_errno(msg, errno, "cannot create %s (is it another user's?)", s.rings_path);
    int rc     = flock(file, LOCK_EX | LOCK_NB);
    int reason = errno;
    if (rc == 0 && is_same_file(file, s.rings_path)) {
      *fd = file;
      return MD_OK;
    }
    err = MD_OK;
    if (rc && reason == EWOULDBLOCK)
      err = refuse_second(&s, name, file, msg);
    else if (rc && reason != EINTR)
      err = md_fail_errno(msg, reason, "cannot lock %s", s.rings_path);
    (void)close(file);
    if (err) return err;
  }
  return md_fail(msg, MD_ERR_EXISTS, "%s is being replaced by another engine all the time",
                 s.rings_path);
}

void
md_segment_unlock(const char *dir, const char *name, int fd) {
  md_segment_t s = {0};
  struct stat  st;
  md_err_t     err = md_segment_paths(&s, dir, name, NULL);
  if (!err && fstat(fd, &st) == 0 && st.st_size == 0 && is_same_file(fd, s.rings_path))
    (void)unlink(s.rings_path);
  (void)close(fd);
}

/* ---- layout ---- */

static void
place(layout_t *l, md_section_kind_t kind, uint64_t cnt, uint64_t stride, uint64_t bytes) {
  md_section_t *c = &l->section[kind];
  c->off          = l->main_bytes;
  c->bytes        = md_align_up(bytes, MD_CACHE_BLOCK);
  c->cnt          = (uint32_t)cnt;
  c->stride       = (uint32_t)stride;
  l->main_bytes += c->bytes;
}

static uint64_t
tapes_bytes(const md_segment_config_t *cfg) {
  uint64_t bytes = md_align_up(cfg->feed_cnt * sizeof(uint64_t), MD_CACHE_BLOCK);
  for (uint32_t i = 0; i < cfg->feed_cnt; i++)
    if (cfg->feeds[i].tape_bytes)
      bytes += md_align_up(md_tape_footprint(cfg->feeds[i].tape_bytes), MD_CACHE_BLOCK);
  return bytes;
}

static void
make_layout(const md_segment_config_t *cfg, layout_t *l) {
  uint64_t stream_cnt = 0;
  for (uint32_t i = 0; i < cfg->feed_cnt; i++)
    stream_cnt += cfg->feeds[i].keep_raw ? 2 : 1;
  uint64_t thread_cnt = cfg->thread_cnt, feed_cnt = cfg->feed_cnt;
  memset(l, 0, sizeof *l);
  l->main_bytes = MD_SEGMENT_HEADER_BYTES;
  place(l, MD_SECTION_THREADS, thread_cnt, sizeof(md_thread_row_t),
        thread_cnt * sizeof(md_thread_row_t));
  place(l, MD_SECTION_FEEDS, feed_cnt, sizeof(md_feed_row_t), feed_cnt * sizeof(md_feed_row_t));
  place(l, MD_SECTION_STREAMS, stream_cnt, sizeof(md_stream_row_t),
        stream_cnt * sizeof(md_stream_row_t));
  place(l, MD_SECTION_METRICS, thread_cnt, sizeof(md_metrics_t), thread_cnt * sizeof(md_metrics_t));
  place(l, MD_SECTION_ERRLOG, 1, sizeof(md_errlog_t), sizeof(md_errlog_t));
  place(l, MD_SECTION_INSTRUMENTS, cfg->instrument_capacity, sizeof(md_instrument_row_t),
        md_instruments_footprint(cfg->instrument_capacity));
  place(l, MD_SECTION_TAPES, feed_cnt, sizeof(uint64_t), tapes_bytes(cfg));
  place(l, MD_SECTION_BOOKS, 0, 0, cfg->book_bytes);
  l->main_bytes = md_align_up(l->main_bytes, PAGE_BYTES);

  l->rings_bytes =
      MD_SEGMENT_HEADER_BYTES + md_align_up(feed_cnt * sizeof(md_command_slot_t), MD_CACHE_BLOCK);
  for (uint32_t i = 0; i < cfg->ring_cnt; i++) {
    l->ring_off[i] = l->rings_bytes;
    l->rings_bytes += md_align_up(md_ring_footprint(cfg->rings[i].capacity_bytes), MD_CACHE_BLOCK);
  }
  l->rings_bytes = md_align_up(l->rings_bytes, PAGE_BYTES);
}

void
md_segment_bytes(const md_segment_config_t *cfg, uint64_t *main_bytes, uint64_t *rings_bytes) {
  layout_t l;
  make_layout(cfg, &l);
  *main_bytes  = l.main_bytes;
  *rings_bytes = l.rings_bytes;
}

static md_err_t
check_config(const md_segment_config_t *cfg, md_msg_t *msg) {
  if (cfg->feed_cnt > MD_FEED_CNT_MAX || cfg->ring_cnt > MD_RING_CNT_MAX ||
      cfg->thread_cnt > MD_THREAD_CNT_MAX || cfg->instrument_capacity > MD_INSTRUMENT_CNT_MAX)
    return md_fail(msg, MD_ERR_CONFIG,
                   "%u feeds, %u rings, %u threads, %u instruments are more than a segment holds "
                   "(%u, %u, %u, %u): use fewer",
                   cfg->feed_cnt, cfg->ring_cnt, cfg->thread_cnt, cfg->instrument_capacity,
                   MD_FEED_CNT_MAX, MD_RING_CNT_MAX, MD_THREAD_CNT_MAX, MD_INSTRUMENT_CNT_MAX);
  for (uint32_t i = 0; i < cfg->ring_cnt; i++)
    if (md_ring_footprint(cfg->rings[i].capacity_bytes) == 0)
      return md_fail(msg, MD_ERR_CONFIG,
                     "ring %s of %llu bytes: take a power of two from %u to %llu",
                     cfg->rings[i].name, (unsigned long long)cfg->rings[i].capacity_bytes,
                     MD_RING_BYTES_MIN, (unsigned long long)MD_RING_BYTES_MAX);
  for (uint32_t i = 0; i < cfg->feed_cnt; i++) {
    const md_segment_feed_t *f = &cfg->feeds[i];
    if (f->tape_bytes && md_tape_footprint(f->tape_bytes) == 0)
      return md_fail(msg, MD_ERR_CONFIG,
                     "tape of %s of %llu bytes: take a power of two from %u to "
                     "%llu, or 0 for none",
                     f->name, (unsigned long long)f->tape_bytes, MD_RING_BYTES_MIN,
                     (unsigned long long)MD_RING_BYTES_MAX);
    if (f->depth_levels > MD_DEPTH_LEVELS_MAX)
      return md_fail(msg, MD_ERR_CONFIG, "depth of %s: at most %u levels", f->name,
                     MD_DEPTH_LEVELS_MAX);
  }
  return MD_OK;
}

/* ---- files ---- */

/* Marks the header of the file at path, so that readers of a dead engine know that a new one came.
 */
static void
supersede(const char *path) {
  struct stat st;
  int         fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return;
  void *page = MAP_FAILED;
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= (off_t)MD_SEGMENT_HEADER_BYTES)
    page = mmap(NULL, MD_SEGMENT_HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  (void)close(fd);
  if (page == MAP_FAILED) return;
  md_segment_header_t *h = page;
  /* Relaxed: nothing else is read here, and who sees the new state looks at nothing behind it. */
  if (md_load_relaxed(&h->magic) == MD_SEGMENT_MAGIC)
    md_store_relaxed(&h->state, MD_SEGMENT_SUPERSEDED);
  (void)munmap(page, MD_SEGMENT_HEADER_BYTES);
}

static uint64_t
room_bytes(const char *dir) {
  struct statvfs fs;
  return statvfs(dir, &fs) ? UINT64_MAX : (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* A small /dev/shm does not hold the dead engine's files beside ours: they go first then. Readers
 * keep their mapping of the main file. The rings are emptied only while no client has them mapped.
 */
static void
make_room(const md_segment_t *s, int lock_fd) {
  struct flock client = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
  supersede(s->path);
  (void)unlink(s->path);
  if (fcntl(lock_fd, F_OFD_SETLK, &client) == 0) {
    int rc = ftruncate(lock_fd, 0);
    (void)rc; /* refused: the next look at the room says so */
  }
}

static md_err_t
check_room(const md_segment_config_t *cfg, const md_segment_t *s, const layout_t *l, int lock_fd,
           md_msg_t *msg) {
  uint64_t want = (cfg->sealed ? 0 : l->main_bytes) + l->rings_bytes;
  if (room_bytes(cfg->dir) < want) make_room(s, lock_fd);
  uint64_t room = room_bytes(cfg->dir);
  if (room >= want) return MD_OK;
  return md_fail(msg, MD_ERR_NOSPACE,
                 "engine \"%s\" needs %llu MiB of shared memory and %s has room for %llu MiB: free "
                 "some, enlarge it, or configure smaller rings, tapes or fewer instruments",
                 cfg->name, (unsigned long long)(want >> 20) + 1, cfg->dir,
                 (unsigned long long)(room >> 20));
}

/* Makes path anew with all its bytes taken and touched; path is removed again on an error. */
static md_err_t
make_file(const char *path, const md_access_t *access, uint64_t bytes, int *fd, uint8_t **base,
          md_msg_t *msg) {
  (void)unlink(path); /* left by a start that died; we hold the lock of the name */
  int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return md_fail_errno(msg, errno, "cannot create %s", path);
  int rc = posix_fallocate(file, 0, (off_t)bytes);
  if (rc == 0 && access->gid != UINT32_MAX && fchown(file, (uid_t)-1, access->gid)) rc = errno;
  if (rc == 0 && fchmod(file, (mode_t)access->mode)) rc = errno;
  void *map = MAP_FAILED;
  if (rc == 0) {
    map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
    if (map == MAP_FAILED) rc = errno;
  }
  if (rc) {
    (void)close(file);
    (void)unlink(path);
    unsigned long long mib = (bytes >> 20) + 1;
    if (rc == EFBIG)
      return md_fail(msg, MD_ERR_NOSPACE,
                     "cannot take %llu MiB for %s: the limit on file sizes (ulimit -f) is lower",
                     mib, path);
    return md_fail_errno(msg, rc, "cannot take %llu MiB for %s", mib, path);
  }
  *fd   = file;
  *base = map;
  return MD_OK;
}

/* ---- rows ---- */

static void
copy_name(char *out, size_t out_bytes, const char *name) {
  size_t len = strnlen(name, out_bytes - 1);
  memcpy(out, name, len);
  memset(out + len, 0, out_bytes - len);
}

static void
fill_threads(const md_segment_config_t *cfg, md_segment_t *s) {
  for (uint32_t i = 0; i < cfg->thread_cnt; i++) {
    copy_name(s->threads[i].name, sizeof s->threads[i].name, cfg->threads[i].name);
    s->threads[i].kind  = cfg->threads[i].kind;
    s->threads[i].core  = cfg->threads[i].core;
    s->threads[i].index = cfg->threads[i].index;
  }
}

static uint32_t
thread_of_feed(const md_segment_config_t *cfg, uint32_t feed) {
  for (uint32_t i = 0; i < cfg->thread_cnt; i++)
    if (cfg->threads[i].kind == MD_THREAD_FEED && cfg->threads[i].index == feed) return i;
  return UINT32_MAX;
}

static void
fill_stream(md_stream_row_t *row, const md_segment_feed_t *f, uint32_t feed, bool is_raw) {
  char name[MD_NAME_BYTES];
  (void)snprintf(name, sizeof name, "%.*s%s", (int)MD_NAME_BYTES - 5, f->name,
                 is_raw ? ".raw" : "");
  copy_name(row->name, sizeof row->name, name);
  row->stream = is_raw ? f->raw_stream : f->stream;
  row->feed   = (uint16_t)feed;
  row->is_raw = is_raw;
  row->tape   = !is_raw && f->tape_bytes ? feed : UINT32_MAX;
}

static void
fill_feeds(const md_segment_config_t *cfg, md_segment_t *s) {
  uint32_t stream = 0;
  for (uint32_t i = 0; i < cfg->feed_cnt; i++) {
    const md_segment_feed_t *f   = &cfg->feeds[i];
    md_feed_row_t           *row = &s->feeds[i];
    copy_name(row->name, sizeof row->name, f->name);
    copy_name(row->venue, sizeof row->venue, f->venue);
    row->thread       = thread_of_feed(cfg, i);
    row->depth_levels = f->depth_levels;
    row->stream_row   = stream;
    fill_stream(&s->streams[stream++], f, i, false);
    row->raw_row = f->keep_raw ? stream : UINT32_MAX;
    if (f->keep_raw) fill_stream(&s->streams[stream++], f, i, true);
  }
}

static md_err_t
fill_tapes(const md_segment_config_t *cfg, md_segment_t *s) {
  const md_section_t *c    = &s->section[MD_SECTION_TAPES];
  uint64_t           *offs = (void *)(s->base + c->off);
  uint64_t            off  = c->off + md_align_up(cfg->feed_cnt * sizeof(uint64_t), MD_CACHE_BLOCK);
  for (uint32_t i = 0; i < cfg->feed_cnt; i++) {
    uint64_t capacity = cfg->feeds[i].tape_bytes;
    if (capacity == 0) continue;
    md_err_t err = md_tape_new(s->base + off, cfg->feeds[i].stream, cfg->epoch, capacity);
    if (err) return err;
    offs[i] = off;
    off += md_align_up(md_tape_footprint(capacity), MD_CACHE_BLOCK);
  }
  return MD_OK;
}

static md_err_t
fill_main(const md_segment_config_t *cfg, const layout_t *l, const md_clock_t *clock,
          md_segment_t *s) {
  md_segment_header_t *h = (void *)s->base;
  s->header              = h;
  memcpy(s->section, l->section, sizeof s->section);
  memcpy(h->section, l->section, sizeof l->section);
  h->abi_version  = MD_SEGMENT_ABI_VERSION;
  h->header_bytes = MD_SEGMENT_HEADER_BYTES;
  h->total_bytes  = l->main_bytes;
  h->epoch        = cfg->epoch;
  h->pid          = (uint32_t)getpid();
  h->created_ns   = md_clock_real_ns(clock);
  memcpy(h->journal_uuid, cfg->journal_uuid, sizeof h->journal_uuid);
  copy_name(h->name, sizeof h->name, cfg->name);
  copy_name(h->version, sizeof h->version, MD_VERSION);
  if (!md_process_start(h->pid, &h->pid_start)) h->pid_start = 0;
  md_store_relaxed(&h->state, MD_SEGMENT_STARTING); /* R1 below publishes it */

  md_segment_views(s);
  fill_threads(cfg, s);
  fill_feeds(cfg, s);
  s->instruments->capacity         = cfg->instrument_capacity;
  s->instruments->book_space_off   = s->section[MD_SECTION_BOOKS].off;
  s->instruments->book_space_bytes = s->section[MD_SECTION_BOOKS].bytes;
  md_store_relaxed(&s->instruments->next_id, cfg->next_instrument_id); /* R1 below publishes it */
  md_err_t err = fill_tapes(cfg, s);
  if (err) return err;
#if MD_MUTANT == 31
  md_store_relaxed(&h->magic, MD_SEGMENT_MAGIC);
#else
  md_store_release(&h->magic, MD_SEGMENT_MAGIC); /* R1: publishes the filled file; pairs with A1 */
#endif
  return MD_OK;
}

static md_err_t
fill_rings(const md_segment_config_t *cfg, const layout_t *l, md_segment_t *s) {
  md_rings_header_t *h = (void *)s->rings_base;
  s->rings_header      = h;
  h->abi_version       = MD_SEGMENT_ABI_VERSION;
  h->epoch             = cfg->epoch;
  h->total_bytes       = l->rings_bytes;
  h->ring_cnt          = cfg->ring_cnt;
  h->command_cnt       = cfg->feed_cnt;
  h->command_off       = MD_SEGMENT_HEADER_BYTES;
  memcpy(h->journal_uuid, cfg->journal_uuid, sizeof h->journal_uuid);
  memcpy(h->ring_off, l->ring_off, cfg->ring_cnt * sizeof h->ring_off[0]);
  for (uint32_t i = 0; i < cfg->ring_cnt; i++) {
    const md_segment_ring_t *r = &cfg->rings[i];
    md_err_t err = md_ring_new(s->rings_base + l->ring_off[i], r->name, r->feed, r->sink,
                               cfg->epoch, r->capacity_bytes);
    if (err) return err;
  }
  md_store_release(&h->magic, MD_RINGS_MAGIC); /* R1: publishes the filled file; pairs with A1 */
  return MD_OK;
}

/* ---- new, ready, delete ---- */

/* Puts the filled files in their places. The rings go first: their lock stands before the old one,
 * on lock_fd, is given back. */
static md_err_t
publish_files(const char *main_new, const char *rings_new, const md_segment_t *s, md_msg_t *msg) {
  if (flock(s->rings_fd, LOCK_EX | LOCK_NB))
    return md_fail_errno(msg, errno, "cannot lock %s", rings_new);
  supersede(s->path);
  if (rename(rings_new, s->rings_path))
    return md_fail_errno(msg, errno, "cannot replace %s (is it another user's?)", s->rings_path);
  if (rename(main_new, s->path))
    return md_fail_errno(msg, errno, "cannot replace %s (is it another user's?)", s->path);
  return MD_OK;
}

md_err_t
md_segment_gid(const md_segment_config_t *cfg, uint32_t *gid, md_msg_t *msg) {
  *gid = UINT32_MAX;
  if (!cfg->group || !cfg->group[0]) return MD_OK;
  const struct group *group = getgrnam(cfg->group);
  if (!group)
    return md_fail(msg, MD_ERR_CONFIG, "there is no group \"%s\": add it, or name another",
                   cfg->group);
  *gid = group->gr_gid;
  return MD_OK;
}

/* The main file, or sealed memory and the socket that stands for it. */
static md_err_t
make_main(const md_segment_config_t *cfg, const md_access_t *readers, const char *path,
          uint64_t bytes, md_segment_t *out, md_msg_t *msg) {
  int      fd = -1;
  md_err_t err;
  if (cfg->sealed) {
    err = md_sealed_make(readers, bytes, &out->base, &out->hand_fd, msg);
    if (!err) out->bytes = bytes;
    if (!err) err = md_sealed_listen(readers, path, &out->listen_fd, msg);
    if (err) md_segment_leave(out);
    return err;
  }
  err = make_file(path, readers, bytes, &fd, &out->base, msg);
  if (err) return err;
  (void)close(fd);
  out->bytes = bytes;
  return MD_OK;
}

md_err_t
md_segment_new(const md_segment_config_t *cfg, int lock_fd, const md_clock_t *clock,
               md_segment_t *out, md_msg_t *msg) {
  layout_t          l;
  md_access_t       readers = {.mode = cfg->mode ? cfg->mode : 0640};
  const md_access_t owner   = {.mode = 0600, .gid = UINT32_MAX};
  char              main_new[sizeof out->path + 8], rings_new[sizeof out->rings_path + 8];
  memset(out, 0, sizeof *out);
  out->rings_fd = out->listen_fd = out->hand_fd = -1;
  md_err_t err                                  = md_segment_paths(out, cfg->dir, cfg->name, msg);
  if (!err) err = check_config(cfg, msg);
  if (!err) err = md_segment_gid(cfg, &readers.gid, msg);
  if (err) return err;
  make_layout(cfg, &l);
  err = check_room(cfg, out, &l, lock_fd, msg);
  if (err) return err;
  (void)snprintf(main_new, sizeof main_new, "%s.new", out->path);
  (void)snprintf(rings_new, sizeof rings_new, "%s.new", out->rings_path);

  err = make_main(cfg, &readers, main_new, l.main_bytes, out, msg);
  if (err) return err;
  err = make_file(rings_new, &owner, l.rings_bytes, &out->rings_fd, &out->rings_base, msg);
  if (!err) {
    out->rings_bytes = l.rings_bytes;
    err              = fill_rings(cfg, &l, out);
    if (!err) err = fill_main(cfg, &l, clock, out);
    if (err)
      (void)md_fail(msg, err, "cannot lay out %s: %s", out->path, md_err_text(err));
    else
      err = publish_files(main_new, rings_new, out, msg);
  }
  if (err) {
    (void)unlink(main_new);
    (void)unlink(rings_new);
    md_segment_leave(out);
    return err;
  }
  (void)close(lock_fd); /* the lock of the name stands on rings_fd now */
  return MD_OK;
}

void
md_segment_ready(md_segment_t *s) {
  md_store_release(&s->header->state, MD_SEGMENT_READY); /* R2: rows are filled; pairs with A2 */
}

void
md_segment_delete(md_segment_t *s) {
  md_store_relaxed(&s->header->state, MD_SEGMENT_STOPPED); /* who sees it reads nothing behind it */
  (void)unlink(s->path);
  (void)unlink(s->rings_path);
  md_segment_leave(s); /* gives the name back */
}

md_ring_t *
md_segment_ring(const md_segment_t *s, uint32_t i) {
  md_assert(s->rings_header);
  md_assert(i < s->rings_header->ring_cnt);
  return (void *)(s->rings_base + s->rings_header->ring_off[i]);
}
