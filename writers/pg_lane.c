#include "writers/pg_lane.h"

#include <string.h>

#define PAUSE_FIRST_NS INT64_C(1000000000)
#define PAUSE_MAX_NS   INT64_C(60000000000)
#define STUCK_NS       INT64_C(2000000000)
/* Batches that go one by one after a failure, doubled each time until that many are stored. */
#define ALONE_FIRST 8u
#define ALONE_MAX   64u

md_err_t
md_pg_lanes_new(md_pg_lanes_t *s, uint32_t cnt) {
  md_err_t err = MD_OK;
  md_assert(cnt > 0 && cnt <= MD_PG_LANE_MAX);
  memset(s, 0, sizeof *s);
  s->cnt        = cnt;
  s->alone_next = ALONE_FIRST;
  for (uint32_t i = 0; err == MD_OK && i < cnt; i++)
    err = md_pg_send_new(&s->lane[i].send);
  return err;
}

void
md_pg_lanes_delete(md_pg_lanes_t *s) {
  for (uint32_t i = 0; i < s->cnt; i++)
    md_pg_send_delete(&s->lane[i].send);
}

/* ---- coming up ---- */

static void
drop(md_pg_lane_t *a) {
  md_pg_send_stop(&a->send);
  md_pg_disconnect(a->pg);
  a->phase         = MD_PG_LANE_DOWN;
  a->retry_mono_ns = 0;
}

static void
fail(md_pg_lane_t *a, int64_t mono_ns) {
  drop(a);
  a->pause_ns = a->pause_ns == 0 ? PAUSE_FIRST_NS : 2 * a->pause_ns;
  if (a->pause_ns > PAUSE_MAX_NS) a->pause_ns = PAUSE_MAX_NS;
  a->retry_mono_ns = mono_ns + a->pause_ns;
}

static void
step_down(md_pg_lane_t *a, const md_pg_link_t *l, int64_t mono_ns) {
  if (mono_ns < a->retry_mono_ns) return;
  md_err_t err = md_pg_connect(a->pg);
  if (err == MD_ERR_BUSY) return;
  if (err != MD_OK) {
    fail(a, mono_ns);
    return;
  }
  a->phase            = MD_PG_LANE_CONNECT;
  a->deadline_mono_ns = mono_ns + l->connect_timeout_ns;
}

static void
step_lane(md_pg_lane_t *a, md_pg_link_t *l, int64_t mono_ns) {
  if (a->phase == MD_PG_LANE_DOWN) {
    step_down(a, l, mono_ns);
    return;
  }
  if (a->phase != MD_PG_LANE_CONNECT) md_pg_silence_end(&a->silence, a->pg, mono_ns, l->silence_ns);
  if (a->send.phase != MD_PG_SEND_IDLE) return; /* what fails now is the batch's */
  md_pg_state_t state   = md_pg_step(a->pg);
  bool          is_late = a->phase == MD_PG_LANE_CONNECT && mono_ns >= a->deadline_mono_ns;
  if (state == MD_PG_DOWN || is_late) {
    fail(a, mono_ns);
  } else if (state == MD_PG_READY && a->phase == MD_PG_LANE_CONNECT) {
    a->silence.moved_mono_ns = mono_ns;
    a->phase                 = MD_PG_LANE_SETTINGS;
    md_pg_query(a->pg, md_pg_setup_settings(&l->setup), false);
  } else if (state == MD_PG_READY && a->phase == MD_PG_LANE_SETTINGS) {
    a->phase    = MD_PG_LANE_UP;
    a->pause_ns = 0;
  }
}

void
md_pg_lanes_step(md_pg_lanes_t *s, md_pg_link_t *l, int64_t mono_ns) {
  for (uint32_t i = 1; i < s->cnt; i++)
    step_lane(&s->lane[i], l, mono_ns);
}

void
md_pg_lanes_drop(md_pg_lanes_t *s) {
  for (uint32_t i = 0; i < s->cnt; i++)
    drop(&s->lane[i]);
  s->committed  = s->ticket;
  s->alone_cnt  = s->alone_next;
  s->alone_next = s->alone_next < ALONE_MAX ? 2 * s->alone_next : ALONE_MAX;
}

/* ---- sending ---- */

bool
md_pg_lanes_are_idle(const md_pg_lanes_t *s) {
  for (uint32_t i = 0; i < s->cnt; i++)
    if (s->lane[i].send.phase != MD_PG_SEND_IDLE) return false;
  return true;
}

bool
md_pg_lanes_have(const md_pg_lanes_t *s, const md_pg_batch_t *b) {
  for (uint32_t i = 0; i < s->cnt; i++)
    if (s->lane[i].send.batch == b) return true;
  return false;
}

md_pg_lane_t *
md_pg_lanes_of(md_pg_lanes_t *s, uint64_t ticket) {
  for (uint32_t i = 0; i < s->cnt; i++)
    if (s->lane[i].send.phase != MD_PG_SEND_IDLE && s->lane[i].ticket == ticket) return &s->lane[i];
  return NULL;
}

/* Nothing starts beside a lane that still makes partitions: that waits for every transaction which
 * writes to the table. */
md_pg_lane_t *
md_pg_lanes_free(md_pg_lanes_t *s, bool is_alone, bool is_first_taken) {
  if ((is_alone || s->alone_cnt > 0) && !md_pg_lanes_are_idle(s)) return NULL;
  for (uint32_t i = 0; i < s->cnt; i++)
    if (s->lane[i].send.phase == MD_PG_SEND_PARTITION) return NULL;
  for (uint32_t i = is_first_taken ? 1 : 0; i < s->cnt; i++) {
    md_pg_lane_t *a     = &s->lane[i];
    bool          is_up = i == 0 || a->phase == MD_PG_LANE_UP;
    if (is_up && a->send.phase == MD_PG_SEND_IDLE) return a;
  }
  return NULL;
}

void
md_pg_lanes_start(md_pg_lanes_t *s, md_pg_lane_t *lane, md_pg_batch_t *b, int64_t mono_ns) {
  md_pg_send_start(&lane->send, b);
  lane->send_mono_ns = mono_ns;
  lane->ticket       = ++s->ticket;
}

void
md_pg_lanes_stored(md_pg_lanes_t *s) {
  s->committed++;
  if (s->alone_cnt > 0 && --s->alone_cnt == 0) s->alone_next = ALONE_FIRST;
}

bool
md_pg_lanes_are_stuck(md_pg_lanes_t *s, md_pg_link_t *l, const md_pg_context_t *ctx,
                      int64_t mono_ns) {
  md_pg_lane_t *oldest = md_pg_lanes_of(s, s->committed + 1);
  md_pg_lane_t *next   = md_pg_lanes_of(s, s->committed + 2);
  if (!oldest || !next || !md_pg_send_waits(&next->send, ctx)) return false;
  md_pg_silence_t *silence = oldest == s->lane ? &l->silence : &oldest->silence;
  return md_pg_silence_ns(silence, oldest->pg, mono_ns) > STUCK_NS;
}
