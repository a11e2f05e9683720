#include "writers/pg_link.h"

#include <stdio.h>

#define PAUSE_FIRST_NS INT64_C(50000000)
#define PAUSE_MAX_NS   INT64_C(5000000000)

void
md_pg_link_drop(md_pg_link_t *l, int64_t mono_ns, bool at_once) {
  md_pg_disconnect(l->pg);
  l->phase = MD_PG_LINK_DOWN;
  if (at_once) {
    l->retry_mono_ns = mono_ns;
    return;
  }
  l->pause_ns = l->pause_ns == 0 ? PAUSE_FIRST_NS : 2 * l->pause_ns;
  if (l->pause_ns > PAUSE_MAX_NS) l->pause_ns = PAUSE_MAX_NS;
  l->retry_mono_ns = mono_ns + l->pause_ns;
}

void
md_pg_link_works(md_pg_link_t *l) {
  l->pause_ns = 0;
}

static int
fail(md_pg_link_t *l, int64_t mono_ns) {
  md_pg_link_drop(l, mono_ns, false);
  return MD_ERR_DB;
}

static int
step_down(md_pg_link_t *l, int64_t mono_ns, md_msg_t *msg) {
  if (mono_ns < l->retry_mono_ns) return 0;
  md_err_t err = md_pg_connect(l->pg);
  if (err == MD_ERR_BUSY) return 0;
  if (err != MD_OK) {
    (void)md_fail(msg, err, "%s: %s", md_pg_target(l->pg), md_pg_error(l->pg));
    return fail(l, mono_ns);
  }
  l->phase            = MD_PG_LINK_CONNECT;
  l->deadline_mono_ns = mono_ns + l->connect_timeout_ns;
  return 0;
}

static int
step_connect(md_pg_link_t *l, int64_t mono_ns, md_msg_t *msg) {
  md_pg_state_t state = md_pg_step(l->pg);
  if (state == MD_PG_DOWN) {
    (void)md_fail(msg, MD_ERR_DB, "%s: %s", md_pg_target(l->pg), md_pg_error(l->pg));
    return fail(l, mono_ns);
  }
  if (state == MD_PG_READY) {
    l->phase                 = MD_PG_LINK_SETUP;
    l->silence.moved_mono_ns = mono_ns;
    md_pg_setup_start(&l->setup, l->pg);
    return 0;
  }
  if (mono_ns < l->deadline_mono_ns) return 0;
  (void)md_fail(msg, MD_ERR_DB, "%s: no answer within %lld ms", md_pg_target(l->pg),
                (long long)(l->connect_timeout_ns / 1000000));
  return fail(l, mono_ns);
}

static int
step_setup(md_pg_link_t *l, md_pg_schema_t *schema, md_pg_progress_t *progress, int64_t mono_ns,
           md_msg_t *msg) {
  md_msg_t why = {{0}};
  int      rc  = md_pg_setup_step(&l->setup, l->pg, schema, progress, &why);
  if (rc == 1) l->phase = MD_PG_LINK_UP;
  if (rc >= 0) return rc;
  (void)md_fail(msg, rc, "%.120s: %.380s", md_pg_target(l->pg), why.text);
  return fail(l, mono_ns);
}

int64_t
md_pg_silence_ns(md_pg_silence_t *s, md_pg_t *pg, int64_t mono_ns) {
  md_pg_state_t state = md_pg_step(pg);
  uint64_t      moved = md_pg_moved_cnt(pg);
  if ((state != MD_PG_BUSY && state != MD_PG_COPY) || moved != s->moved_cnt) {
    s->moved_cnt     = moved;
    s->moved_mono_ns = mono_ns;
  }
  return mono_ns - s->moved_mono_ns;
}

/* Whoever waits for an answer and hears nothing for so long gives the connection up: the server
 * may hang, or the way to it may be gone without a word. */
void
md_pg_silence_end(md_pg_silence_t *s, md_pg_t *pg, int64_t mono_ns, int64_t limit_ns) {
  int64_t silent_ns = md_pg_silence_ns(s, pg, mono_ns);
  if (limit_ns == 0 || silent_ns < limit_ns) return;
  char why[64];
  (void)snprintf(why, sizeof why, "the server was silent for %lld ms",
                 (long long)(silent_ns / 1000000));
  md_pg_give_up(pg, why);
}

int
md_pg_link_step(md_pg_link_t *l, md_pg_schema_t *schema, md_pg_progress_t *progress,
                int64_t mono_ns, md_msg_t *msg) {
  if (l->phase == MD_PG_LINK_SETUP || l->phase == MD_PG_LINK_UP)
    md_pg_silence_end(&l->silence, l->pg, mono_ns, l->silence_ns);
  switch (l->phase) {
  case MD_PG_LINK_DOWN:
    return step_down(l, mono_ns, msg);
  case MD_PG_LINK_CONNECT:
    return step_connect(l, mono_ns, msg);
  case MD_PG_LINK_SETUP:
    return step_setup(l, schema, progress, mono_ns, msg);
  case MD_PG_LINK_UP:
    break;
  }
  return 0;
}
