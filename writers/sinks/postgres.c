/* The PostgreSQL sink: one turn is link, intake (ring or journal into the batch that fills),
 * transactions (the batches that are sent, one a lane, committed in the order in which they were
 * filled). Whatever fails, all connections are dropped, all batches are forgotten and the journal
 * is read again from where the database says that it stands: there is no other kind of retry. */
#include "writers/postgres.h"

#include "writers/pg_catchup.h"
#include "writers/pg_lag.h"
#include "writers/pg_lane.h"
#include "writers/pg_link.h"
#include "writers/pg_ring.h"
#include "writers/sink.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAKE_MAX     1024u /* records of one ring, or of the journal, in one turn */
#define TURN_STEP_NS INT64_C(1000000)
#define IO_ENTRIES   16u
#define SWEEP_MAX    100000u

typedef enum md_pg_mode {
  MODE_JOURNAL, /* reading the journal; rings are let go */
  MODE_JOIN,    /* at the journal's end; rings are held until they go on where it stands */
  MODE_LIVE     /* reading the rings */
} md_pg_mode_t;

typedef struct md_pg_sink {
  md_sink_env_t        env;
  md_postgres_config_t cfg;
  md_io_t             *io;
  md_pg_link_t         link;
  md_pg_schema_t       schema;
  md_pg_partitions_t   partitions;
  md_pg_watch_t        watch;
  md_pg_progress_t     progress;
  md_pg_context_t      ctx;
  md_pg_catchup_t      catchup;
  md_pg_ring_t         ring[MD_FEED_CNT_MAX];
  uint32_t             ring_cnt;
  md_pg_lanes_t        lanes;                     /* the first one's connection is the link's */
  md_pg_batch_t        batch[MD_PG_LANE_MAX + 1]; /* one more than lanes */
  md_pg_lag_t          lag;
  uint32_t             filling;   /* the others are being sent, or empty */
  bool                 is_closed; /* the filling one takes no more */
  md_pg_mode_t         mode;
  bool                 is_stopping;
  bool                 is_marking; /* the statement that moves complete_epoch is under way */
  bool                 was_up, is_down_said;
  char                 down_why[512]; /* said last */
  int                  fatal;
} md_pg_sink_t;

static void
MD_PRINTF(3, 4) say(const md_pg_sink_t *k, const char *level, const char *format, ...) {
  char    text[768];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (k->env.log) k->env.log(k->env.log_ctx, level, text);
}

static int64_t
mono_ns(const md_pg_sink_t *k) {
  return md_clock_mono_ns(k->env.clock);
}

/* ---- failing and coming back ---- */

static void
read_journal(md_pg_sink_t *k) {
  md_pg_catchup_stop(&k->catchup);
  k->mode = MODE_JOURNAL;
}

/* Forgets everything that is not in the database. */
static void
forget(md_pg_sink_t *k, bool at_once) {
  md_pg_link_drop(&k->link, mono_ns(k), at_once);
  md_pg_lanes_drop(&k->lanes);
  for (uint32_t i = 0; i <= k->lanes.cnt; i++)
    md_pg_batch_clear(&k->batch[i]);
  md_pg_progress_clear(&k->progress);
  k->is_closed = k->is_marking = false;
  read_journal(k);
}

/* Says that the database is away, and why: once for each reason that follows another. */
static void
go_down(md_pg_sink_t *k, const char *why) {
  md_count(k->env.metrics, MD_COUNTER_SINK_ERRORS, 1);
  if (!k->is_down_said || strcmp(k->down_why, why) != 0)
    say(k, "warn", "PostgreSQL is not available, the journal keeps everything, trying again: %s",
        why);
  k->is_down_said = true;
  (void)snprintf(k->down_why, sizeof k->down_why, "%s", why);
  forget(k, false);
}

/* The server refused a value. Half as many rows are tried until one is alone; that one is put
 * aside. */
static void
narrow(md_pg_sink_t *k, const md_pg_lane_t *lane) {
  const md_pg_batch_t *b = lane->send.batch;
  md_count(k->env.metrics, MD_COUNTER_SINK_ERRORS, 1);
  if (b->row_cnt == 1) {
    md_pg_refusal_t *r = &k->ctx.refusal;
    r->is_set          = true;
    r->place           = b->last_row;
    snprintf(r->why, sizeof r->why, "%s", md_pg_error(lane->pg));
    for (char *c = r->why; *c; c++)
      if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e) *c = '?';
    say(k, "error", "PostgreSQL refuses record %u/%u/%llu, it goes to table rejects: %s",
        r->place.stream, r->place.epoch, (unsigned long long)r->place.seq, r->why);
  } else {
    k->ctx.row_limit = b->row_cnt / 2;
  }
  forget(k, true);
}

static void
fail_send(md_pg_sink_t *k, const md_pg_lane_t *lane, int err) {
  if (err == MD_ERR_FENCED) {
    md_count(k->env.metrics, MD_COUNTER_SINK_ERRORS, 1);
    say(k, "warn", "progress in PostgreSQL was moved by another writer: reading it again");
    forget(k, false);
    return;
  }
  if (md_pg_fault(lane->pg) == MD_PG_FAULT_DATA && lane->send.batch &&
      lane->send.batch->row_cnt > 0)
    narrow(k, lane);
  else
    go_down(k, md_pg_error(lane->pg));
}

static void
publish_stored(md_pg_sink_t *k) {
  for (uint32_t i = 0; i < k->ring_cnt; i++) {
    md_stream_row_t *row    = k->ring[i].row;
    uint32_t         p      = md_pg_progress_find(&k->progress, row->stream, k->cfg.epoch);
    uint64_t         stored = p == UINT32_MAX ? 0 : k->progress.row[p].stored - 1;
    md_store_relaxed(&row->stored_seq, stored); /* a number by itself */
  }
}

/* Published and not known to be stored, of this epoch. */
static uint64_t
behind_cnt(const md_pg_sink_t *k) {
  uint64_t cnt = 0;
  for (uint32_t i = 0; i < k->ring_cnt; i++) {
    const md_stream_row_t *row       = k->ring[i].row;
    uint64_t               stored    = md_load_relaxed(&row->stored_seq); /* numbers */
    uint64_t               published = md_load_relaxed(&row->published_seq);
    cnt += published > stored ? published - stored : 0;
  }
  return cnt;
}

static void
come_up(md_pg_sink_t *k) {
  k->ctx.journal            = k->link.setup.journal;
  k->catchup.complete_epoch = k->link.setup.complete_epoch;
  md_pg_partitions_clear(&k->partitions);
  md_pg_watch_clear(&k->watch);
  if (k->was_up) md_count(k->env.metrics, MD_COUNTER_SINK_RECONNECTS, 1);
  if (!k->was_up || k->is_down_said)
    say(k, "info", "PostgreSQL: connected to %s", md_pg_target(k->link.pg));
  k->was_up       = true;
  k->is_down_said = false;
  publish_stored(k);
  read_journal(k);
}

/* ---- intake ---- */

/* The seq that ring i must go on with. */
static uint64_t
next_seq(md_pg_sink_t *k, uint32_t i) {
  uint32_t row = md_pg_progress_find(&k->progress, k->ring[i].row->stream, k->cfg.epoch);
  return row == UINT32_MAX ? 1 : k->progress.row[row].next;
}

/* Once every ring goes on where the journal has brought its stream to, the rings are read. */
static void
try_join(md_pg_sink_t *k) {
  for (uint32_t i = 0; i < k->ring_cnt; i++) {
    if (!md_pg_ring_joins(&k->ring[i], next_seq(k, i))) return;
  }
  md_pg_catchup_stop(&k->catchup);
  k->mode = MODE_LIVE;
}

static uint32_t
take_journal(md_pg_sink_t *k) {
  md_pg_batch_t *b   = &k->batch[k->filling];
  md_msg_t       msg = {{0}};
  uint32_t       cnt = 0;
  md_err_t err = md_pg_catchup_take(&k->catchup, b, &k->ctx, mono_ns(k), TAKE_MAX, &cnt, &msg);
  if (err == MD_ERR_END && k->mode == MODE_JOURNAL) k->mode = MODE_JOIN;
  if (err == MD_ERR_END) try_join(k);
  if (err == MD_ERR_FULL) k->is_closed = true;
  if (err != MD_OK && err != MD_ERR_END && err != MD_ERR_FULL) {
    go_down(k, msg.text[0] ? msg.text : md_err_text(err));
    return 0;
  }
  return cnt;
}

static uint32_t
take_rings(md_pg_sink_t *k) {
  uint32_t total = 0;
  int64_t  now   = mono_ns(k);
  for (uint32_t i = 0; i < k->ring_cnt && !k->is_closed; i++) {
    uint32_t cnt = 0;
    md_err_t err = md_pg_ring_take(&k->ring[i], &k->batch[k->filling], &k->ctx, k->cfg.epoch, now,
                                   TAKE_MAX, &cnt);
    total += cnt;
    /* One sample a take, its oldest record, as the journal does. */
    if (k->ring[i].oldest_pub_ns != 0)
      md_stage_add(k->env.metrics, MD_STAGE_RING_WAIT,
                   md_clock_real_ns(k->env.clock) - k->ring[i].oldest_pub_ns);
    if (err == MD_ERR_FULL) k->is_closed = true;
    if (err == MD_ERR_SEQUENCE) {
      say(k, "warn", "ring %s lost records for PostgreSQL: reading the journal",
          k->ring[i].consumer.ring->name);
      read_journal(k);
      break;
    }
    if (err == MD_ERR_NOMEM) k->fatal = err;
  }
  return total;
}

static uint32_t
let_rings_go(md_pg_sink_t *k) {
  uint32_t total = 0;
  for (uint32_t i = 0; i < k->ring_cnt; i++)
    total += md_pg_ring_let_go(&k->ring[i], TAKE_MAX);
  return total;
}

static void
close_if_due(md_pg_sink_t *k, uint32_t cnt) {
  const md_pg_batch_t *b = &k->batch[k->filling];
  if (b->record_cnt == 0) {
    k->is_closed = false; /* nothing fitted an empty batch: it is not the batch that is full */
    return;
  }
  if ((k->is_stopping && cnt == 0) || b->row_cnt >= k->ctx.row_limit ||
      mono_ns(k) - b->opened_mono_ns >= k->cfg.batch_ns)
    k->is_closed = true;
}

static uint32_t
intake(md_pg_sink_t *k) {
  uint32_t cnt = 0;
  if (!k->is_closed) {
    cnt = k->mode == MODE_LIVE ? take_rings(k) : take_journal(k);
    md_count(k->env.metrics, MD_COUNTER_SINK_RECORDS, cnt);
  }
  if (k->mode == MODE_JOURNAL) let_rings_go(k);
  md_gauge(k->env.metrics, MD_COUNTER_SINK_CATCHUP, k->mode != MODE_LIVE);
  close_if_due(k, cnt);
  return cnt;
}

/* ---- transactions ---- */

/* Once what stands behind the refused record is stored. */
static void
forget_refusal(md_pg_sink_t *k) {
  const md_pg_place_t *p   = &k->ctx.refusal.place;
  uint32_t             row = md_pg_progress_find(&k->progress, p->stream, p->epoch);
  if (row == UINT32_MAX || k->progress.row[row].stored > p->seq) k->ctx.refusal.is_set = false;
}

static void
committed(md_pg_sink_t *k, const md_pg_lane_t *lane, md_pg_batch_t *b) {
  int64_t now = md_clock_real_ns(k->env.clock);
  md_pg_lanes_stored(&k->lanes);
  for (uint32_t i = 0; i < b->sample_cnt; i++)
    md_stage_add(k->env.metrics, MD_STAGE_STORED, now - b->sample_pub_ns[i]);
  md_stage_add(k->env.metrics, MD_STAGE_BATCH, mono_ns(k) - lane->send_mono_ns);
  md_count(k->env.metrics, MD_COUNTER_SINK_ROWS, b->row_cnt);
  md_count(k->env.metrics, MD_COUNTER_SINK_BYTES, b->byte_cnt);
  md_count(k->env.metrics, MD_COUNTER_SINK_BATCHES, 1);
  md_pg_lag_stored(&k->lag, b->record_cnt, b->last_pub_ns);
  md_pg_link_works(&k->link);
  md_pg_batch_clear(b);
  forget_refusal(k);
  k->ctx.row_limit =
      k->ctx.row_limit > k->cfg.batch_rows / 2 ? k->cfg.batch_rows : 2 * k->ctx.row_limit;
  publish_stored(k);
}

/* All of the older epochs is stored: the next start need not look for them. */
static bool
mark_complete(md_pg_sink_t *k) {
  md_pg_t *pg = k->link.pg;
  if (k->is_marking) {
    if (md_pg_step(pg) == MD_PG_DOWN) {
      go_down(k, md_pg_error(pg));
      return true;
    }
    if (md_pg_step(pg) != MD_PG_READY) return true;
    k->is_marking             = false;
    k->catchup.complete_epoch = k->cfg.epoch;
    return true;
  }
  if (k->mode != MODE_LIVE || k->catchup.complete_epoch >= k->cfg.epoch) return false;
  for (uint32_t i = 0; i < k->progress.cnt; i++) {
    const md_pg_progress_row_t *p = &k->progress.row[i];
    if (p->epoch < k->cfg.epoch && !p->is_skipped && p->stored != p->next) return false;
  }
  char     text[256];
  md_sql_t sql = {.text = text, .bytes = sizeof text};
  md_sql_add(&sql, "UPDATE ");
  md_pg_schema_table(&k->schema, "journals", &sql);
  md_sql_add(&sql, " SET complete_epoch = %u WHERE id = %d AND complete_epoch < %u", k->cfg.epoch,
             k->ctx.journal, k->cfg.epoch);
  md_pg_query(pg, text, false);
  k->is_marking = true;
  return true;
}

/* Counts rows in DEFAULT partitions now and then; true while the answer is under way. */
static bool
watch_defaults(md_pg_sink_t *k) {
  md_pg_t *pg = k->link.pg;
  if (k->watch.is_asked) {
    md_pg_state_t state = md_pg_step(pg);
    if (state == MD_PG_DOWN) go_down(k, md_pg_error(pg));
    if (state != MD_PG_READY) return true;
    if (md_pg_watch_take(&k->watch, pg))
      say(k, "warn",
          "PostgreSQL: rows in the DEFAULT partition of %s.%s: their receive time has no day, or "
          "its partition could not be made",
          k->schema.name, k->watch.table);
    md_gauge(k->env.metrics, MD_COUNTER_SINK_DEFAULT_ROWS, k->watch.row_cnt);
    return false;
  }
  md_sql_clear(&k->link.setup.sql);
  if (!md_pg_watch_sql(&k->watch, &k->schema, mono_ns(k), &k->link.setup.sql)) return false;
  md_pg_query(pg, k->link.setup.sql.text, true);
  return true;
}

/* Statements of the first lane that are no batch; true while there is one. */
static bool
keep_house(md_pg_sink_t *k) {
  if (k->lanes.lane[0].send.phase != MD_PG_SEND_IDLE) return false;
  if (k->watch.is_asked && watch_defaults(k)) return true; /* one statement at a time */
  return mark_complete(k) || watch_defaults(k);
}

/* Gives the closed batch to a lane, and goes on filling another one. Making a partition waits for
 * all who write to its table, and they may have to wait for this batch: it goes alone. So do all
 * where TimescaleDB makes chunks in our transactions. */
static void
start_batch(md_pg_sink_t *k, bool is_first_taken) {
  if (!k->is_closed) return;
  md_pg_partitions_ahead(&k->partitions, &k->schema, k->cfg.record_types,
                         md_clock_real_ns(k->env.clock), k->cfg.partition_days);
  bool          is_alone = k->partitions.wanted_cnt > 0 || k->schema.timescale[0] != 0;
  md_pg_lane_t *lane     = md_pg_lanes_free(&k->lanes, is_alone, is_first_taken);
  if (!lane) return;
  md_pg_lanes_start(&k->lanes, lane, &k->batch[k->filling], mono_ns(k));
  k->is_closed = false;
  while (md_pg_lanes_have(&k->lanes, &k->batch[k->filling]))
    k->filling = (k->filling + 1) % (k->lanes.cnt + 1);
}

/* Returns 1 when something moved: the batch is committed, or all is dropped. */
static uint32_t
step_lane(md_pg_sink_t *k, md_pg_lane_t *lane) {
  md_pg_batch_t *b       = lane->send.batch;
  bool           is_turn = lane->ticket == k->lanes.committed + 1;
  int            rc      = md_pg_send_step(&lane->send, lane->pg, &k->ctx, is_turn);
  if (lane->send.warning[0]) {
    say(k, "warn", "PostgreSQL: %s", lane->send.warning);
    lane->send.warning[0] = 0;
  }
  if (rc < 0) fail_send(k, lane, rc);
  if (rc == 1) committed(k, lane, b);
  return rc != 0;
}

/* The oldest first: behind its commit the next one may finish at once. */
static uint32_t
transact(md_pg_sink_t *k) {
  uint32_t moved          = 0;
  bool     is_first_taken = keep_house(k);
  if (k->link.phase != MD_PG_LINK_UP) return 1;
  start_batch(k, is_first_taken);
  for (uint64_t t = k->lanes.committed + 1; t <= k->lanes.ticket; t++) {
    md_pg_lane_t *lane = md_pg_lanes_of(&k->lanes, t);
    if (lane) moved += step_lane(k, lane);
  }
  if (md_pg_lanes_are_stuck(&k->lanes, &k->link, &k->ctx, mono_ns(k))) {
    say(k, "warn", "PostgreSQL: two transactions stand in each other's way: one at a time");
    forget(k, true);
  }
  return moved;
}

/* ---- the row of the sink table ---- */

static uint32_t
work(md_pg_sink_t *k) {
  md_msg_t msg = {{0}};
  md_pg_lag_tell(&k->lag, k->env.metrics, behind_cnt(k), k->mode == MODE_LIVE, mono_ns(k),
                 md_clock_real_ns(k->env.clock));
  int rc = md_pg_link_step(&k->link, &k->schema, &k->progress, mono_ns(k), &msg);
  if (rc < 0) go_down(k, msg.text);
  if (rc == 1) come_up(k);
  md_gauge(k->env.metrics, MD_COUNTER_SINK_UP, k->link.phase == MD_PG_LINK_UP);
  if (k->link.phase != MD_PG_LINK_UP) return let_rings_go(k) + (rc != 0);
  md_pg_lanes_step(&k->lanes, &k->link, mono_ns(k));
  uint32_t cnt = intake(k);
  return k->link.phase == MD_PG_LINK_UP ? cnt + transact(k) : cnt;
}

static int
pg_turn(void *state, int64_t wait_ns) {
  md_pg_sink_t *k  = state;
  int           io = md_io_turn(k->io, 0);
  if (io < 0) return io;
  int done = io + (int)work(k);
  if (k->fatal) return k->fatal;
  if (done > 0 || wait_ns <= 0) return done;
  io = md_io_turn(k->io, wait_ns);
  return io;
}

/* Nobody waits at a stop for a database that is away: the attempt to connect that is under way is
 * the last one. What is missing stands in the journal. */
static bool
is_given_up(md_pg_sink_t *k) {
  if (k->link.phase != MD_PG_LINK_DOWN || k->link.pause_ns == 0) return false;
  say(k, "warn",
      "PostgreSQL is not available: stopped without %llu records of this epoch, the next start "
      "takes them from the journal",
      (unsigned long long)behind_cnt(k));
  return true;
}

static bool
pg_drained(void *state, bool stopping) {
  md_pg_sink_t *k = state;
  k->is_stopping  = stopping;
  /* A stop waits for a server that says nothing as long as for one that does not let us in. */
  if (stopping && (k->link.silence_ns == 0 || k->link.silence_ns > k->link.connect_timeout_ns))
    k->link.silence_ns = k->link.connect_timeout_ns;
  if (stopping && is_given_up(k)) return true;
  if (k->mode != MODE_LIVE || !md_pg_lanes_are_idle(&k->lanes) || k->is_marking) return false;
  if (k->watch.is_asked || k->batch[k->filling].record_cnt > 0) return false;
  for (uint32_t i = 0; i < k->ring_cnt; i++)
    if (!md_pg_ring_is_empty(&k->ring[i], next_seq(k, i))) return false;
  return true;
}

static void
pg_close(void *state) {
  md_pg_sink_t *k = state;
  if (!k) return;
  md_pg_catchup_stop(&k->catchup);
  md_pg_close(k->link.pg);
  for (uint32_t i = 1; i < k->lanes.cnt; i++)
    md_pg_close(k->lanes.lane[i].pg);
  md_io_close(k->io);
  md_pg_setup_delete(&k->link.setup);
  md_pg_lanes_delete(&k->lanes);
  for (uint32_t i = 0; i <= k->lanes.cnt; i++)
    md_pg_batch_delete(&k->batch[i]);
  md_pg_progress_delete(&k->progress);
  free(k);
}

static md_err_t
take_memory(md_pg_sink_t *k, md_msg_t *msg) {
  md_err_t err = md_pg_setup_new(&k->link.setup, k->cfg.journal_uuid, k->env.journal_dir,
                                 k->cfg.epoch, k->cfg.timeout_ms);
  if (err == MD_OK) err = md_pg_lanes_new(&k->lanes, k->cfg.connections ? k->cfg.connections : 1);
  for (uint32_t i = 0; err == MD_OK && i <= k->lanes.cnt; i++)
    err = md_pg_batch_new(&k->batch[i], k->cfg.batch_rows);
  if (err != MD_OK)
    return md_fail(msg, err,
                   "PostgreSQL: no memory for batches of %u rows: make batch_rows smaller",
                   k->cfg.batch_rows);
  return MD_OK;
}

static void
join_rings(md_pg_sink_t *k) {
  const md_segment_t *s = k->env.segment;
  md_assert(k->env.ring_cnt <= MD_FEED_CNT_MAX);
  for (uint32_t i = 0; i < k->env.ring_cnt; i++) {
    md_ring_t *ring = k->env.rings[i];
    md_pg_ring_init(&k->ring[k->ring_cnt++], ring, &s->streams[s->feeds[ring->feed].stream_row]);
  }
  k->catchup.dir        = k->env.journal_dir;
  k->catchup.epoch      = k->cfg.epoch;
  k->catchup.streams    = s->streams;
  k->catchup.stream_cnt = s->header->section[MD_SECTION_STREAMS].cnt;
}

/* Waits for the first connection; the schema may take longer than connecting. */
static md_err_t
wait_up(md_pg_sink_t *k, md_msg_t *msg) {
  for (uint32_t i = 0; i < SWEEP_MAX; i++) {
    md_msg_t why = {{0}};
    if (md_io_turn(k->io, i == 0 ? 0 : TURN_STEP_NS) < 0) break;
    int rc = md_pg_link_step(&k->link, &k->schema, &k->progress, mono_ns(k), &why);
    if (rc == 1) {
      come_up(k);
      return MD_OK;
    }
    if (rc < 0)
      return md_fail(msg, MD_ERR_DB,
                     "PostgreSQL: %.380s (start the server, correct the connection string, or set "
                     "wait_at_start)",
                     why.text);
  }
  return md_fail(msg, MD_ERR_DB,
                 "PostgreSQL: %s did not get the schema ready in time: is it locked?",
                 md_pg_target(k->link.pg));
}

static md_err_t
pg_open(const md_sink_env_t *env, void **state, md_msg_t *msg) {
  md_pg_sink_t *k = calloc(1, sizeof *k);
  if (!k) return md_fail(msg, MD_ERR_NOMEM, "PostgreSQL: no memory for the sink");
  k->env                     = *env;
  k->cfg                     = *(const md_postgres_config_t *)env->cfg;
  k->link.connect_timeout_ns = (int64_t)k->cfg.connect_timeout_ms * 1000000;
  k->link.silence_ns         = (int64_t)k->cfg.timeout_ms * 1250000; /* the server speaks first */
  k->ctx                     = (md_pg_context_t){.schema       = &k->schema,
                                                 .partitions   = &k->partitions,
                                                 .progress     = &k->progress,
                                                 .epoch        = k->cfg.epoch,
                                                 .record_types = k->cfg.record_types,
                                                 .row_limit    = k->cfg.batch_rows};
  md_assert(k->cfg.batch_rows > 0);
  md_pg_lag_begin(&k->lag, mono_ns(k), md_clock_real_ns(k->env.clock));
  md_io_config_t io  = {.entry_cnt = IO_ENTRIES};
  md_err_t       err = md_pg_schema_init(&k->schema, k->cfg.schema, msg);
  md_pg_schema_extras(&k->schema, k->cfg.compat_schema, k->cfg.timescale);
  if (err == MD_OK) err = take_memory(k, msg);
  if (err == MD_OK) err = md_sink_open_io(env, &io, &k->io, msg);
  for (uint32_t i = 0; err == MD_OK && i < k->lanes.cnt; i++)
    err = md_pg_open(k->io, k->cfg.conninfo, &k->lanes.lane[i].pg, msg);
  k->link.pg = k->lanes.lane[0].pg;
  if (err == MD_OK) join_rings(k);
  if (err == MD_OK && !k->cfg.wait_at_start) err = wait_up(k, msg);
  if (err != MD_OK) {
    pg_close(k);
    return err;
  }
  *state = k;
  return MD_OK;
}

extern const md_sink_t md_sink_postgres;
const md_sink_t        md_sink_postgres = {
           .name = "postgres", .open = pg_open, .turn = pg_turn, .drained = pg_drained, .close = pg_close};
