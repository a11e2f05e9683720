#include "writers/journal_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define MIB_SHIFT 20

static void
reserve_path(const md_journal_sink_t *s, char out[MD_JOURNAL_PATH_BYTES]) {
  (void)snprintf(out, MD_JOURNAL_PATH_BYTES, "%.540s/reserve", s->cfg.dir);
}

/* What there is for this user; a file system that does not say has enough until a write fails. */
static uint64_t
free_bytes(const md_journal_sink_t *s) {
  int64_t n = md_disk_free_bytes(s->cfg.disk, s->cfg.dir);
  return n < 0 ? UINT64_MAX : (uint64_t)n;
}

static void
set_state(md_journal_sink_t *s, md_journal_state_t state) {
  s->space.state = state;
  md_gauge(s->env.metrics, MD_COUNTER_JOURNAL_STATE, (uint64_t)state);
}

/* ---- the reserve: space for the lines of the manifest and the end of a segment ---- */

static void
make_reserve(md_journal_sink_t *s) {
  char path[MD_JOURNAL_PATH_BYTES];
  reserve_path(s, path);
  int fd = md_disk_open(s->cfg.disk, path, O_RDWR | O_CREAT, 0640);
  if (fd < 0) return;
  int rc = md_disk_allocate(s->cfg.disk, fd, 0, s->cfg.reserve_bytes);
  (void)md_disk_close(s->cfg.disk, fd);
  s->space.has_reserve =
      rc >= 0 || rc == -EOPNOTSUPP; /* there it cannot be: it is not asked again */
  if (rc < 0) (void)md_disk_unlink(s->cfg.disk, path);
}

static void
give_reserve_back(md_journal_sink_t *s) {
  char path[MD_JOURNAL_PATH_BYTES];
  reserve_path(s, path);
  (void)md_disk_unlink(s->cfg.disk, path);
  s->space.has_reserve = false;
}

/* ---- the threshold ---- */

bool
md_journal_space_allows(const md_journal_sink_t *s, uint64_t bytes) {
  if (s->cfg.min_free_bytes == 0) return true;
  uint64_t there = free_bytes(s);
  return there >= bytes && there - bytes >= s->cfg.min_free_bytes;
}

static void
look_for_low(md_journal_sink_t *s, uint64_t there) {
  const uint64_t limit = s->cfg.min_free_bytes;
  if (s->space.state == MD_JOURNAL_WRITING && there < limit) {
    set_state(s, MD_JOURNAL_LOW);
    md_journal_say(s, "warn",
                   "journal: degraded: %llu MiB are free for %s, journal.min_free wants %llu MiB: "
                   "it goes on in the space that it has and takes no more; make room",
                   (unsigned long long)(there >> MIB_SHIFT), s->cfg.dir,
                   (unsigned long long)(limit >> MIB_SHIFT));
  } else if (s->space.state == MD_JOURNAL_LOW && there >= limit + limit / 8) {
    set_state(s, MD_JOURNAL_WRITING);
    md_journal_say(s, "info", "journal: %llu MiB are free again for %s",
                   (unsigned long long)(there >> MIB_SHIFT), s->cfg.dir);
  }
}

void
md_journal_space_turn(md_journal_sink_t *s, int64_t now_ns) {
  if (now_ns < s->space.look_ns) return;
  s->space.look_ns = now_ns + MD_JOURNAL_LOOK_NS;
  uint64_t there   = free_bytes(s);
  md_gauge(s->env.metrics, MD_COUNTER_JOURNAL_FREE, there == UINT64_MAX ? 0 : there);
  md_gauge(s->env.metrics, MD_COUNTER_SINK_UP,
           s->space.state != MD_JOURNAL_WAITING && s->failure_cnt == 0 && !s->failed);
  if (s->cfg.min_free_bytes == 0 && s->cfg.reserve_bytes == 0) return;
  look_for_low(s, there);
  if (s->space.state != MD_JOURNAL_WRITING || s->space.has_reserve || s->cfg.reserve_bytes == 0)
    return;
  if (there / 2 >= s->cfg.reserve_bytes && there - s->cfg.reserve_bytes >= s->cfg.min_free_bytes)
    make_reserve(s);
}

/* ---- no space ---- */

void
md_journal_space_wait(md_journal_sink_t *s, const char *what) {
  md_count(s->env.metrics, MD_COUNTER_SINK_ERRORS, 1);
  if (s->space.state != MD_JOURNAL_WAITING && s->failure_cnt == 0 && !s->failed)
    md_journal_say(
        s, "error",
        "journal: degraded, no space: %s; books stay live, and it goes on by itself when "
        "there is room in %s",
        what, s->cfg.dir);
  set_state(s, MD_JOURNAL_WAITING);
  give_reserve_back(s);
  (void)md_journal_spare_drop(s->cfg.disk, s->cfg.dir);
  s->hold = true;
  md_journal_back_off(s);
}

bool
md_journal_space_back(md_journal_sink_t *s) {
  if (s->space.state != MD_JOURNAL_WAITING) return true;
  const uint64_t want = s->cfg.min_free_bytes + s->cfg.reserve_bytes + MD_JOURNAL_ROOM_MIN;
  if (free_bytes(s) < want) return false;
  set_state(s, MD_JOURNAL_WRITING);
  s->space.look_ns = 0;
  return true;
}
