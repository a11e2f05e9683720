/* Attaching to a segment, leaving it, and following the engine to its next one. */
#include "shm/client/handle.h"
#include "shm/mutant.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MD_FOLLOW_EVERY_NS
#define MD_FOLLOW_EVERY_NS 1000000
#endif

mdshm_result_t
mdshm_map_open(const char *dir, const char *name, int *ask_fd, int wait_ms, mdshm_map_t **out,
               md_msg_t *msg) {
  *out             = NULL;
  mdshm_map_t *map = calloc(1, sizeof *map);
  if (!map) return mdshm_result_of(md_fail(msg, MD_ERR_NOMEM, "out of memory for a handle"));
  mdshm_guard_auto();
  md_err_t err = md_segment_join_within(dir, name, ask_fd, wait_ms, &map->segment, msg);
  if (!err && !mdshm_guard_add(map->segment.base, map->segment.bytes)) {
    md_segment_leave(&map->segment);
    err = md_fail(msg, MD_ERR_FULL, "this process has too many segments open: close some");
  }
  if (err) {
    free(map);
    return mdshm_result_of(err);
  }
  map->refs = 1;
  *out      = map;
  return MDSHM_OK;
}

void
mdshm_map_release(mdshm_map_t *map) {
  if (!map || --map->refs > 0) return;
  mdshm_guard_remove(map->segment.base);
  md_segment_leave(&map->segment);
  free(map);
}

/* ---- feeds ---- */

/* The local number of a feed's name; MDSHM_NONE when there are too many. */
static uint32_t
local_feed_of(mdshm_t *shm, const char *name) {
  for (uint32_t i = 0; i < shm->feed_cnt; i++)
    if (shm->feeds[i].row == MDSHM_NONE && strcmp(shm->feeds[i].name, name) == 0) return i;
  if (shm->feed_cnt == MDSHM_FEEDS_MAX) return MDSHM_NONE;
  feed_ref_t *f = &shm->feeds[shm->feed_cnt];
  memcpy(f->name, name, sizeof f->name);
  return shm->feed_cnt++;
}

static void
note_feeds(mdshm_t *shm, const md_segment_t *s) {
  for (uint32_t i = 0; i < shm->feed_cnt; i++)
    shm->feeds[i].row = MDSHM_NONE;
  for (uint32_t row = 0; row < s->feed_cnt; row++) {
    char name[MD_NAME_BYTES];
    mdshm_copy_name(name, s->feeds[row].name, sizeof name);
    uint32_t local       = local_feed_of(shm, name);
    shm->local_feed[row] = local;
    if (local == MDSHM_NONE) continue;
    uint32_t thread          = s->feeds[row].thread;
    shm->feeds[local].row    = row;
    shm->feeds[local].thread = thread < s->thread_cnt ? thread : MDSHM_NONE;
  }
}

mdshm_result_t
mdshm_attach(mdshm_t *shm, mdshm_map_t *map) {
  mdshm_result_t result = mdshm_directory_reset(shm, &map->segment);
  if (result != MDSHM_OK) return result;
  note_feeds(shm, &map->segment);
  mdshm_map_release(shm->map);
  shm->map = map;
  shm->generation++;
  mdshm_directory_sync(shm);
  return MDSHM_OK;
}

void
mdshm_ask_no_more(mdshm_t *shm) {
  if (shm->ask_fd >= 0) (void)close(shm->ask_fd);
  shm->ask_fd = -1;
}

/* What stands at the path now: EMPTY when it is nothing new, or not ready, or was asked for and has
 * not come. Who owned the segment before must own the next: anybody may put a file where an engine
 * has stopped. */
static mdshm_result_t
look_for_next(mdshm_t *shm, int64_t now_ns) {
  const md_segment_t *s = &shm->map->segment;
  struct stat         st;
  mdshm_map_t        *map;
  /* Who was asked may be of a segment that is replaced by now. */
  if (now_ns - shm->asked_ns > MD_SEGMENT_ANSWER_MS * 1000000ll) mdshm_ask_no_more(shm);
  if (shm->ask_fd < 0) {
    shm->asked_ns = now_ns;
    if (stat(s->path, &st) || (st.st_ino == s->inode && st.st_dev == s->device)) return MDSHM_EMPTY;
  }
  mdshm_result_t result = mdshm_map_open(shm->dir, shm->name, &shm->ask_fd, 0, &map, NULL);
  if (result != MDSHM_OK) return result == MDSHM_ABSENT ? MDSHM_EMPTY : result;
  result = MDSHM_EMPTY; /* a socket has an inode of its own: is this the segment that we have? */
  if (map->segment.inode != s->inode || map->segment.device != s->device)
    result = map->segment.owner_uid == s->owner_uid ? mdshm_attach(shm, map) : MDSHM_DENIED;
  if (result != MDSHM_OK) mdshm_map_release(map);
  return result;
}

mdshm_result_t
mdshm_follow(mdshm_t *shm, mdshm_result_t why) {
  int64_t now_ns = md_clock_mono_ns(md_clock_system());
  if (shm->tried_ns == 0 || now_ns - shm->tried_ns >= MD_FOLLOW_EVERY_NS) {
    shm->tried_ns = now_ns;
    shm->tried    = look_for_next(shm, now_ns);
  }
  if (shm->tried == MDSHM_EMPTY) return why;
#if MD_MUTANT == 33
  if (shm->tried == MDSHM_OK) shm->told = shm->generation;
#endif
  if (shm->tried == MDSHM_OK) shm->tried_ns = 0;
  return shm->tried;
}

/* ---- liveness ---- */

mdshm_result_t
mdshm_map_state(const mdshm_map_t *map) {
  const md_atomic_u64 *state = &map->segment.header->state;
  switch (md_load_acquire(state)) { /* A2: its last word; pairs with R2 in shm/segment.h */
  case MD_SEGMENT_READY:
    return MDSHM_OK;
  case MD_SEGMENT_SUPERSEDED:
    return MDSHM_SUPERSEDED;
  case MD_SEGMENT_STOPPED:
    return MDSHM_STOPPED;
  default: /* STARTING too: it was READY once, so these are the zeros of a file that was cut */
    return MDSHM_CORRUPT;
  }
}

int64_t
mdshm_heartbeat_age_ns(const md_thread_row_t *row) {
  uint64_t beat_ns = md_load_relaxed(&row->heartbeat_mono_ns); /* only compared with a clock */
  int64_t  now_ns  = md_clock_mono_ns(md_clock_system());
  return beat_ns >= (uint64_t)now_ns ? 0 : now_ns - (int64_t)beat_ns;
}

/* The segment ended, or its engine did: is there a next one? */
MD_COLD static mdshm_result_t
ended(mdshm_t *shm, mdshm_result_t why) {
  mdshm_result_t result = mdshm_follow(shm, why);
  return result == MDSHM_OK ? mdshm_tell(shm) : result;
}

mdshm_result_t
mdshm_check(mdshm_t *shm) {
  mdshm_result_t result = mdshm_tell(shm);
  if (result != MDSHM_OK) return result;
  result = mdshm_map_state(shm->map);
  if (result == MDSHM_OK && !md_segment_owner_alive(&shm->map->segment)) result = MDSHM_DEAD;
  return result == MDSHM_OK ? MDSHM_OK : ended(shm, result);
}

mdshm_result_t
mdshm_liveness(mdshm_t *shm, uint32_t feed, int64_t max_age_ns) {
  const md_segment_t *s      = &shm->map->segment;
  mdshm_result_t      result = mdshm_map_state(shm->map);
  if (MD_UNLIKELY(result != MDSHM_OK)) return ended(shm, result);
  if (max_age_ns == MDSHM_ANY_AGE) return MDSHM_OK;
  uint32_t thread = shm->feeds[feed].thread;
  if (thread == MDSHM_NONE) return MDSHM_CORRUPT;
  if (MD_LIKELY(mdshm_heartbeat_age_ns(&s->threads[thread]) <= max_age_ns)) return MDSHM_OK;
  result = mdshm_map_state(shm->map); /* the rows may have been cut off meanwhile */
  if (result == MDSHM_OK && !md_segment_owner_alive(s)) result = MDSHM_DEAD;
  return result == MDSHM_OK ? MDSHM_STALE : ended(shm, result);
}

mdshm_result_t
mdshm_feed_check(mdshm_t *shm, uint32_t feed, int64_t max_age_ns) {
  mdshm_result_t result = mdshm_tell(shm);
  if (result != MDSHM_OK) return result;
  if (feed >= shm->feed_cnt || shm->feeds[feed].row == MDSHM_NONE) {
    /* An engine without this feed may be followed by one that has it. */
    result = mdshm_map_state(shm->map);
    return result == MDSHM_OK ? MDSHM_ABSENT : ended(shm, result);
  }
  return mdshm_liveness(shm, feed, max_age_ns);
}
