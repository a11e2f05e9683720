#include "writers/journal_tend.h"

#include "shm/signal_stack.h"
#include "writers/journal_ahead.h"
#include "writers/journal_index.h"
#include "writers/journal_pack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/ioprio.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOCK_NAME "tend.lock"
#define PAUSE_NS  2000000000 /* between two passes */
#define SLICE_NS  50000000   /* how long a stop may have to wait */
#define SECOND_NS 1000000000

struct md_journal_tend {
  md_journal_tend_config_t cfg;
  pthread_t                thread;
  md_atomic_u64            stop;
};

typedef struct pass {
  const md_journal_tend_config_t *cfg;
  md_journal_tended_t            *out;
  md_journal_tend_t              *thread; /* NULL: nobody stops it */
  int64_t                         now_ns;
  uint64_t                       *ids;
  uint32_t                        cnt;
} pass_t;

static void
say(const md_journal_tend_config_t *cfg, const char *level, const char *text) {
  if (cfg->log) cfg->log(cfg->log_ctx, level, text);
}

/* ---- pace ---- */

static bool
is_stopped(const pass_t *p) {
  return p->thread && md_load_relaxed(&p->thread->stop) != 0; /* nothing else comes with it */
}

/* Sleeps in slices, so that a stop is seen; false when asked to. */
static bool
rest(const pass_t *p, int64_t ns) {
  while (ns > 0 && !is_stopped(p)) {
    const int64_t   slice = ns < SLICE_NS ? ns : SLICE_NS;
    struct timespec t     = {.tv_nsec = slice};
    (void)nanosleep(&t, NULL);
    ns -= slice;
  }
  return !is_stopped(p);
}

static bool
pace(void *ctx, uint64_t bytes) {
  const pass_t *p = ctx;
  if (p->cfg->bytes_per_s == 0) return !is_stopped(p);
  return rest(p, (int64_t)(bytes * SECOND_NS / p->cfg->bytes_per_s));
}

/* ---- retention ---- */

bool
md_journal_tend_stored(void *positions, const md_journal_head_t *successor) {
  const md_journal_positions_t *p     = positions;
  bool                          begun = false;
  for (uint32_t i = 0; i < p->cnt; i++) /* relaxed: a position by itself, it only rises */
    begun |= !p->row[i].is_raw && md_load_relaxed(&p->row[i].stored_seq) > 0;
  for (uint32_t i = 0; i < successor->mark_cnt; i++) {
    const md_journal_mark_t *mark = &successor->mark[i];
    md_stream_row_t         *row  = NULL;
    for (uint32_t n = 0; n < p->cnt; n++)
      if (p->row[n].stream == mark->stream) row = &p->row[n];
    if (row && row->is_raw) continue;
    if (mark->epoch < p->epoch) {
      if (!begun) return false;
    } else if (!row || md_load_relaxed(&row->stored_seq) < mark->seq) { /* relaxed: as above */
      return false;
    }
  }
  return true;
}

static uint64_t
file_bytes(const pass_t *p, uint64_t segment) {
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(p->cfg->dir, segment, path);
  int fd = md_disk_open(p->cfg->disk, path, O_RDONLY, 0);
  if (fd < 0) return 0;
  int64_t bytes = md_disk_size(p->cfg->disk, fd);
  (void)md_disk_close(p->cfg->disk, fd);
  return bytes > 0 ? (uint64_t)bytes : 0;
}

static bool
is_due(const pass_t *p, const md_journal_head_t *successor) {
  const md_journal_tend_config_t *cfg = p->cfg;
  if (cfg->keep_bytes != 0 && p->out->segment_bytes > cfg->keep_bytes) return true;
  return cfg->keep_age_ns != 0 && p->now_ns - successor->created_ns > cfg->keep_age_ns;
}

static md_err_t
retire(pass_t *p, uint32_t i, md_msg_t *msg) {
  const uint64_t bytes = file_bytes(p, p->ids[i]);
  md_journal_index_remove(p->cfg->disk, p->cfg->dir, p->ids[i]);
  md_err_t err = md_journal_retire(p->cfg->disk, p->cfg->dir, p->ids[i], p->cfg->spare_max, msg);
  if (err) return err;
  p->out->retired_cnt++;
  p->out->segment_cnt--;
  p->out->segment_bytes -= bytes;
  return MD_OK;
}

/* From the oldest on, so that a header whose predecessor is there always is. */
static md_err_t
retain(pass_t *p, md_msg_t *msg) {
  const md_journal_tend_config_t *cfg = p->cfg;
  for (uint32_t i = 0; i < p->cnt; i++)
    p->out->segment_bytes += file_bytes(p, p->ids[i]);
  p->out->segment_cnt = p->cnt;
  if (cfg->keep_age_ns == 0 && cfg->keep_bytes == 0) return MD_OK;
  for (uint32_t i = 0; i + 1 < p->cnt && !is_stopped(p); i++) {
    md_journal_head_t successor;
    /* Without the header nobody knows what stands before it: repair comes first. */
    if (md_journal_head_read(cfg->disk, cfg->dir, p->ids[i + 1], NULL, &successor) != MD_OK) break;
    if (!is_due(p, &successor)) break;
    if (p->out->held_cnt > 0 || (cfg->stored && !cfg->stored(cfg->stored_ctx, &successor))) {
      p->out->held_cnt++;
      continue;
    }
    md_err_t err = retire(p, i, msg);
    if (err) return err;
  }
  return MD_OK;
}

/* ---- indexes and packing ---- */

static bool
has_index(const pass_t *p, uint64_t segment, bool packed) {
  char                    path[MD_JOURNAL_PATH_BYTES];
  md_journal_index_head_t h = {0};
  md_journal_index_path(p->cfg->dir, segment, path);
  int fd = md_disk_open(p->cfg->disk, path, O_RDONLY, 0);
  if (fd < 0) return false;
  int64_t n = md_disk_pread_all(p->cfg->disk, fd, &h, sizeof h, 0);
  (void)md_disk_close(p->cfg->disk, fd);
  return n == (int64_t)sizeof h && h.magic == MD_JOURNAL_INDEX_MAGIC && h.segment == segment &&
         h.version >= MD_JOURNAL_INDEX_VERSION && (h.plain_bytes != 0) == packed;
}

static md_err_t
make_index(pass_t *p, uint64_t segment, uint64_t limit, md_msg_t *msg) {
  md_journal_index_t x;
  md_err_t err = md_journal_index_build(p->cfg->disk, p->cfg->dir, segment, limit, &x, msg);
  if (!err) err = md_journal_index_write(p->cfg->disk, p->cfg->dir, &x, msg);
  if (!err) p->out->indexed_cnt++;
  if (!err && !pace(p, x.head->segment_bytes)) err = MD_ERR_STOPPED;
  md_journal_index_free(&x);
  return err;
}

static md_err_t
pack(pass_t *p, uint64_t segment, uint64_t limit, bool *packed, md_msg_t *msg) {
  const md_journal_pack_config_t cfg = {
      .disk = p->cfg->disk, .dir = p->cfg->dir, .pace = pace, .pace_ctx = p};
  md_journal_packed_t done;
  md_err_t            err = md_journal_pack(&cfg, segment, limit, &done, msg);
  *packed                 = done.is_packed;
  if (err || !done.is_packed) return err;
  p->out->packed_cnt++;
  p->out->plain_bytes += done.plain_bytes;
  p->out->packed_bytes += done.packed_bytes;
  p->out->segment_bytes -= done.plain_bytes - done.packed_bytes;
  return MD_OK;
}

static md_err_t
tend_segment(pass_t *p, uint32_t i, md_msg_t *msg) {
  const md_journal_tend_config_t *cfg = p->cfg;
  md_journal_head_t               head, successor;
  /* A damaged header says nothing; repair deals with it. */
  if (md_journal_head_read(cfg->disk, cfg->dir, p->ids[i], NULL, &head) != MD_OK) return MD_OK;
  if (md_journal_head_read(cfg->disk, cfg->dir, p->ids[i + 1], NULL, &successor) != MD_OK)
    return MD_OK;
  if (successor.prev_segment != p->ids[i]) return MD_OK;
  bool       packed = head.packed_bytes != 0, changed = false;
  const bool old = p->now_ns - successor.created_ns >= cfg->compress_after_ns;
  md_err_t   err = MD_OK;
  if (cfg->compress && !packed && old)
    err = pack(p, p->ids[i], successor.prev_bytes, &changed, msg);
  packed |= changed;
  if (!err && !has_index(p, p->ids[i], packed))
    err = make_index(p, p->ids[i], successor.prev_bytes, msg);
  if (err != MD_ERR_CORRUPT) return err;
  p->out->damaged_cnt++;
  return MD_OK;
}

/* ---- a pass ---- */

/* What a killed pass was making. */
static void
clean_up(const pass_t *p) {
  static const char *const names[] = {MD_JOURNAL_PACK_TEMPORARY, "index.tmp"};
  for (size_t i = 0; i < MD_CNT(names); i++) {
    char path[MD_JOURNAL_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%.540s/%s", p->cfg->dir, names[i]);
    (void)md_disk_unlink(p->cfg->disk, path);
  }
}

static md_err_t
take_lock(const pass_t *p, int *fd, md_msg_t *msg) {
  char path[MD_JOURNAL_PATH_BYTES];
  (void)snprintf(path, sizeof path, "%.540s/" LOCK_NAME, p->cfg->dir);
  *fd = md_disk_open(p->cfg->disk, path, O_RDWR | O_CREAT, 0640);
  if (*fd < 0) return md_fail_errno(msg, -*fd, "cannot open %s", path);
  int rc = md_disk_lock(p->cfg->disk, *fd);
  if (rc == 0) return MD_OK;
  (void)md_disk_close(p->cfg->disk, *fd);
  if (rc != -EWOULDBLOCK) return md_fail_errno(msg, -rc, "cannot lock %s", path);
  return md_fail(msg, MD_ERR_BUSY, "another program tends the segments of %s now: try again later",
                 p->cfg->dir);
}

static md_err_t
do_pass(pass_t *p, md_msg_t *msg) {
  const md_journal_tend_config_t *cfg = p->cfg;
  clean_up(p);
  md_err_t err = md_journal_list(cfg->disk, cfg->dir, &p->ids, &p->cnt, msg);
  if (!err) err = retain(p, msg);
  for (uint32_t i = (uint32_t)p->out->retired_cnt; i + 1 < p->cnt && !err && !is_stopped(p); i++)
    err = tend_segment(p, i, msg);
  free(p->ids);
  md_gauge(cfg->metrics, MD_COUNTER_JOURNAL_KEPT, p->out->segment_cnt);
  md_gauge(cfg->metrics, MD_COUNTER_JOURNAL_KEPT_BYTES, p->out->segment_bytes);
  md_gauge(cfg->metrics, MD_COUNTER_JOURNAL_HELD, p->out->held_cnt);
  md_count(cfg->metrics, MD_COUNTER_JOURNAL_PACKED, p->out->packed_cnt);
  md_count(cfg->metrics, MD_COUNTER_JOURNAL_RETIRED, p->out->retired_cnt);
  return err;
}

static md_err_t
run_pass(const md_journal_tend_config_t *cfg, md_journal_tend_t *thread, md_journal_tended_t *out,
         md_msg_t *msg) {
  pass_t p       = {.cfg = cfg, .out = out, .thread = thread};
  int    lock_fd = -1;
  *out           = (md_journal_tended_t){0};
  p.now_ns       = md_clock_real_ns(cfg->clock);
  md_err_t err   = take_lock(&p, &lock_fd, msg);
  if (err) return err;
  err = do_pass(&p, msg);
  (void)md_disk_close(cfg->disk, lock_fd);
  return err;
}

md_err_t
md_journal_tend_pass(const md_journal_tend_config_t *cfg, md_journal_tended_t *out, md_msg_t *msg) {
  return run_pass(cfg, NULL, out, msg);
}

/* ---- the thread ---- */

/* Only what the writer and the feeds leave over. A refusal is no error: the pace still holds. */
static void
step_back(void) {
  const struct sched_param none = {0};
  (void)sched_setscheduler(0, SCHED_IDLE, &none);
  (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 7));
}

/* One line when something was done, or when retention begins or ends to be held back. */
static void
report(const md_journal_tend_config_t *cfg, const md_journal_tended_t *t, bool *held) {
  char text[300];
  if (t->retired_cnt + t->packed_cnt > 0) {
    (void)snprintf(text, sizeof text,
                   "journal: %" PRIu64 " segments packed (%" PRIu64 " to %" PRIu64
                   " bytes), %" PRIu64 " deleted, %" PRIu64 " kept in %" PRIu64 " bytes",
                   t->packed_cnt, t->plain_bytes, t->packed_bytes, t->retired_cnt, t->segment_cnt,
                   t->segment_bytes);
    say(cfg, "info", text);
  }
  if ((t->held_cnt > 0) == *held) return;
  *held = t->held_cnt > 0;
  (void)snprintf(text, sizeof text,
                 *held ? "journal: %" PRIu64 " segments are over keep_age or keep_bytes, but "
                         "PostgreSQL has not stored them yet: they stay"
                       : "journal: retention is no longer held back by PostgreSQL (%" PRIu64 ")",
                 t->held_cnt);
  say(cfg, *held ? "warn" : "info", text);
}

static void *
tend_main(void *arg) {
  md_journal_tend_t  *t    = arg;
  const pass_t        stop = {.thread = t};
  bool                held = false;
  md_journal_tended_t done;
  char                last[sizeof((md_msg_t *)0)->text] = "";
  md_signal_stack();
  (void)pthread_setname_np(pthread_self(), "w:tend");
  step_back();
  do {
    md_msg_t msg = {0};
    md_err_t err = run_pass(&t->cfg, t, &done, &msg);
    report(&t->cfg, &done, &held);
    if (err && err != MD_ERR_STOPPED && err != MD_ERR_BUSY && strcmp(last, msg.text) != 0) {
      (void)snprintf(last, sizeof last, "%s", msg.text);
      say(&t->cfg, "warn", msg.text);
    }
  } while (rest(&stop, PAUSE_NS));
  return NULL;
}

md_err_t
md_journal_tend_start(const md_journal_tend_config_t *cfg, md_journal_tend_t **out, md_msg_t *msg) {
  md_journal_tend_t *t = calloc(1, sizeof *t);
  if (!t) return md_fail(msg, MD_ERR_NOMEM, "no memory for the pass over old segments");
  t->cfg = *cfg;
  int rc = pthread_create(&t->thread, NULL, tend_main, t);
  if (rc != 0) {
    free(t);
    return md_fail_errno(msg, rc, "cannot start the thread for old segments");
  }
  *out = t;
  return MD_OK;
}

void
md_journal_tend_stop(md_journal_tend_t *t) {
  if (!t) return;
  md_store_relaxed(&t->stop, 1); /* nothing else comes with it; the join orders the rest */
  (void)pthread_join(t->thread, NULL);
  free(t);
}
