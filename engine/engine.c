/* engine.c - start and stop, in order; watch.c has what happens in between. */
#include "engine/engine_private.h"

#include "engine/budget.h"
#include "engine/crash.h"
#include "engine/memory.h"
#include "engine/network.h"
#include "engine/resume.h"
#include "engine/secret.h"
#include "feeds/repeat.h"
#include "feeds/venue.h"
#include "shm/readers.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void
log_from_sink(void *ctx, const char *level, const char *text) {
  const md_engine_sink_t *sink = ctx;
  md_log(sink->engine->log, md_log_level_of(level), sink->sink->name, "%s", text);
}

static void
sink_failed(void *ctx, const char *sink, md_err_t err) {
  md_engine_t *e = ctx;
  md_log(e->log, MD_LOG_ERROR, sink, "gave up: %s", md_err_text(err));
  md_store_relaxed(&e->sink_failed, 1); /* the main thread looks now and then */
}

static void
feed_ended(void *ctx, uint16_t feed, md_err_t err, const md_msg_t *msg) {
  md_engine_t *e = ctx;
  if (err == MD_ERR_END)
    md_log(e->log, MD_LOG_INFO, e->topology.feeds[feed].name, "the recording ended");
  else
    md_log(e->log, MD_LOG_ERROR, e->topology.feeds[feed].name, "input failed: %s", msg->text);
  if (err != MD_ERR_END) (void)md_fetch_add_relaxed(&e->feed_failed_cnt, 1);
  (void)md_fetch_add_relaxed(&e->feed_ended_cnt, 1);
}

static md_err_t
recover(md_engine_t *e, md_msg_t *msg) {
  md_rings_header_t *old   = NULL;
  uint64_t           bytes = 0;
  md_recovery_t      found;
  md_err_t           err = md_rings_join_old(e->lock_fd, &old, &bytes, msg);
  if (err && err != MD_ERR_ABSENT)
    md_log(e->log, MD_LOG_WARN, "engine", "the old rings cannot be read: %s", msg->text);
  if (err) old = NULL;
  err = md_journal_recover(&e->journal_cfg, old, bytes, e->clock, &found, msg);
  if (!err && (found.torn_bytes || found.damaged_blocks || found.drained_records))
    md_log(e->log, MD_LOG_WARN, "journal",
           "recovered: %llu records from the rings of the killed engine, %llu bytes of a torn tail "
           "cut, %llu "
           "damaged blocks kept",
           (unsigned long long)found.drained_records, (unsigned long long)found.torn_bytes,
           (unsigned long long)found.damaged_blocks);
  if (old) md_rings_leave(old, bytes);
  return err;
}

/* Stream ids and the epoch come from the manifest. */
static md_err_t
name_streams(md_engine_t *e, md_msg_t *msg) {
  md_topology_t *t = &e->topology;
  for (uint32_t i = 0; i < t->feed_cnt; i++) {
    char     raw[MD_NAME_BYTES + 8];
    md_err_t err = md_manifest_stream(e->manifest, t->feeds[i].name, &t->feeds[i].stream, msg);
    (void)snprintf(raw, sizeof raw, "%s.raw", t->feeds[i].name);
    if (!err) err = md_manifest_stream(e->manifest, raw, &t->feeds[i].raw_stream, msg);
    if (err) return err;
  }
  memcpy(t->segment.journal_uuid, md_manifest_uuid(e->manifest), 16);
  t->segment.next_instrument_id = md_manifest_next_instrument(e->manifest);
  return md_manifest_epoch(e->manifest, md_clock_real_ns(e->clock), &t->segment.epoch, msg);
}

/* The list of readers is a convenience: without it the engine runs all the same. */
static void
open_registry(md_engine_t *e) {
  const md_segment_config_t *cfg = &e->topology.segment;
  char                       path[MD_READERS_PATH_BYTES];
  uint32_t                   gid;
  md_msg_t                   msg = {""};
  md_err_t                   err = md_segment_gid(cfg, &gid, &msg);
  md_readers_path(path, cfg->dir, cfg->name);
  if (!err) err = md_readers_new(path, cfg->mode == 0600 ? 0600 : 0660, gid, &msg);
  if (err) md_log(e->log, MD_LOG_WARN, "engine", "no list of readers: %s", msg.text);
}

static void
delete_segment(md_engine_t *e) {
  char path[MD_READERS_PATH_BYTES];
  md_readers_path(path, e->topology.segment.dir, e->topology.segment.name);
  (void)unlink(path);
  md_segment_delete(&e->segment);
}

static md_err_t
open_storage(md_engine_t *e, md_msg_t *msg) {
  const md_config_t *cfg = e->cfg;
  md_err_t           err = md_segment_lock(cfg->engine.shm_dir, cfg->engine.name, &e->lock_fd, msg);
  if (!err) err = md_manifest_open(cfg->journal.dir, true, true, &e->manifest, msg);
  e->journal_cfg = (md_journal_config_t){.dir            = cfg->journal.dir,
                                         .policy         = (md_journal_policy_t)cfg->journal.policy,
                                         .interval_ns    = cfg->journal.interval,
                                         .segment_bytes  = (uint64_t)cfg->journal.segment,
                                         .block_bytes    = (uint32_t)cfg->journal.block,
                                         .min_free_bytes = (uint64_t)cfg->journal.min_free,
                                         .reserve_bytes  = (uint64_t)cfg->journal.reserve,
                                         .manifest       = e->manifest};
  /* It may have to go on while feeds are asked for checkpoints: a little more than a segment. */
  if (cfg->journal.ahead)
    e->journal_cfg.ahead_bytes = e->journal_cfg.segment_bytes + e->journal_cfg.segment_bytes / 32 +
                                 2 * e->journal_cfg.block_bytes;
  if (!err) err = recover(e, msg);
  if (!err) err = name_streams(e, msg);
  if (!err) err = md_segment_new(&e->topology.segment, e->lock_fd, e->clock, &e->segment, msg);
  e->segment_made = err == MD_OK;
  if (!err) md_crash_watch(&e->segment);
  if (!err) open_registry(e);
  return err;
}

/* Instruments that the manifest knows for this feed keep their ids. */
static md_err_t
load_known(md_engine_t *e, uint32_t feed, md_known_instrument_t **out, uint32_t *cnt,
           md_msg_t *msg) {
  uint32_t all = md_manifest_instrument_cnt(e->manifest);
  *cnt         = 0;
  *out         = calloc(all + 1, sizeof **out);
  if (!*out) return md_fail(msg, MD_ERR_NOMEM, "no memory for %u known instruments", all);
  for (uint32_t i = 0; i < all; i++) {
    const md_manifest_instrument_t *known = md_manifest_instrument_at(e->manifest, i);
    if (strcmp(known->feed, e->topology.feeds[feed].name) != 0) continue;
    memcpy((*out)[*cnt].symbol, known->symbol, MD_SYMBOL_BYTES);
    (*out)[(*cnt)++].id = known->id;
  }
  return MD_OK;
}

static void
connect_out(md_engine_t *e, uint32_t feed) {
  const md_topology_t *t   = &e->topology;
  md_feed_row_t       *row = &e->segment.feeds[feed];
  md_out_t            *out = md_feed_out(e->feed[feed].feed);
  for (uint32_t s = 0; s < t->sink_cnt; s++) {
    md_ring_producer_init(&out->ring[s].producer,
                          md_segment_ring(&e->segment, feed * t->sink_cnt + s));
    out->ring[s].wants_raw        = s == MD_SINK_JOURNAL;
    out->ring[s].wants_checkpoint = s == MD_SINK_JOURNAL;
  }
  out->ring_cnt = t->sink_cnt;
  md_tape_writer_init(&out->tape, md_segment_tape(&e->segment, feed));
  out->stream_row = &e->segment.streams[row->stream_row];
  if (row->raw_row != UINT32_MAX) out->raw_row = &e->segment.streams[row->raw_row];
}

static md_err_t
make_feed(md_engine_t *e, uint32_t feed, md_msg_t *msg) {
  const md_config_feed_t *cfg   = e->topology.feed_cfg[feed];
  md_known_instrument_t  *known = NULL;
  md_feed_config_t        fc    = {.name             = cfg->name,
                                   .venue            = md_venue_find(cfg->name),
                                   .feed             = (uint16_t)feed,
                                   .stream           = e->topology.feeds[feed].stream,
                                   .raw_stream       = e->topology.feeds[feed].raw_stream,
                                   .epoch            = e->topology.segment.epoch,
                                   .keep_raw         = cfg->raw != 0,
                                   .ladder_every_ns  = cfg->ladder_every,
                                   .order_counts     = cfg->order_counts != 0,
                                   .microseconds     = cfg->microseconds != 0,
                                   .instrument_max   = (uint32_t)e->cfg->engine.instruments,
                                   .level_pool_bytes = (uint64_t)cfg->level_space,
                                   .sync_pool_bytes  = (uint64_t)cfg->sync_buffer,
                                   .sync_queue_bytes = (uint64_t)cfg->sync_buffer_book,
                                   .segment          = &e->segment,
                                   .metrics          = &e->segment.metrics[feed],
                                   .clock            = e->clock};
  md_err_t                err   = load_known(e, feed, &known, &fc.known_cnt, msg);
  fc.known                      = known;
  if (!err && !cfg->recording[0]) {
    err                 = md_network_open(e, feed, msg);
    fc.request_snapshot = md_feed_live_request_snapshot;
    fc.tell_depth       = md_feed_live_tell_depth;
    fc.tell_low         = md_feed_live_tell_low;
    fc.request_ctx      = e->feed[feed].live;
    if (!err)
      err = md_resume_tell(e->cfg->journal.dir, e->manifest, cfg->name, fc.stream,
                           e->feed[feed].live, msg);
  }
  if (!err) err = md_feed_new(&fc, &e->feed[feed].feed, msg);
  free(known);
  if (err) return err;
  connect_out(e, feed);
  if (!cfg->recording[0]) return MD_OK;
  err = md_repeat_open(cfg->recording, (uint32_t)cfg->speed, (uint64_t)cfg->repeat, e->clock,
                       &e->feed[feed].source, msg);
  e->feed[feed].source_open = err == MD_OK;
  return err;
}

static md_err_t
start_sink(md_engine_t *e, uint32_t index, md_msg_t *msg) {
  static const char *const names[] = {"journal", "postgres"};
  const md_config_t       *cfg     = e->cfg;
  md_engine_sink_t        *s       = &e->sink[index];
  uint32_t                 row     = md_topology_writer_row(&e->topology, index);
  s->engine                        = e;
  s->sink                          = md_sink_find(names[index]);
  md_assert(s->sink != NULL);
  for (uint32_t f = 0; f < e->topology.feed_cnt; f++)
    s->ring[f] = md_segment_ring(&e->segment, f * e->topology.sink_cnt + index);
  md_writer_config_t wc = {
      .sink        = s->sink,
      .core        = (int)(index == MD_SINK_JOURNAL ? cfg->journal.core : cfg->postgres.core),
      .wait_ns     = index == MD_SINK_JOURNAL ? cfg->journal.idle : cfg->postgres.idle,
      .on_fail     = sink_failed,
      .on_fail_ctx = e,
      .env         = {.segment     = &e->segment,
                      .rings       = s->ring,
                      .ring_cnt    = e->topology.feed_cnt,
                      .metrics     = &e->segment.metrics[row],
                      .thread_row  = row,
                      .clock       = e->clock,
                      .io          = (md_io_backend_t)cfg->engine.io,
                      .journal_dir = cfg->journal.dir,
                      .cfg = index == MD_SINK_JOURNAL ? (const void *)&e->journal_cfg : &e->postgres_cfg,
                      .log = log_from_sink,
                      .log_ctx = s}};
  return md_writer_start(&wc, &s->writer, msg);
}

static md_err_t
start_feed_thread(md_engine_t *e, uint32_t feed, md_msg_t *msg) {
  const md_config_feed_t *cfg = e->topology.feed_cfg[feed];
  md_feed_thread_config_t tc  = {.feed              = e->feed[feed].feed,
                                 .source            = e->feed[feed].source,
                                 .segment           = &e->segment,
                                 .thread_row        = feed,
                                 .feed_index        = (uint16_t)feed,
                                 .core              = (int)cfg->core,
                                 .idle              = (md_idle_t)cfg->idle,
                                 .hold_back         = cfg->recording[0] && cfg->speed == 0,
                                 .clock             = e->clock,
                                 .on_end            = feed_ended,
                                 .on_end_ctx        = e,
                                 .memory_soft_bytes = (uint64_t)cfg->memory_soft,
                                 .memory_hard_bytes = (uint64_t)cfg->memory_hard,
                                 .on_memory         = md_engine_on_memory,
                                 .on_memory_ctx     = e};
  md_err_t                err = md_feed_thread_start(&tc, &e->feed[feed].thread, msg);
  if (!err) e->feed[feed].source_open = false; /* the thread closes it now */
  return err;
}

static void
set_postgres_config(md_engine_t *e) {
  const md_config_postgres_t *p = &e->cfg->postgres;
  e->postgres_cfg =
      (md_postgres_config_t){.conninfo           = p->conninfo,
                             .schema             = p->schema,
                             .compat_schema      = p->compat_schema,
                             .timescale          = p->timescale != 0,
                             .record_types       = (uint64_t)p->records,
                             .batch_rows         = (uint32_t)p->batch_rows,
                             .batch_ns           = p->batch_age,
                             .connections        = (uint32_t)p->connections,
                             .partition_days     = (uint32_t)p->partition_days,
                             .connect_timeout_ms = (int)(p->connect_timeout / 1000000),
                             .timeout_ms         = (int)(p->timeout / 1000000),
                             .wait_at_start      = p->wait_at_start != 0,
                             .epoch              = e->topology.segment.epoch};
  memcpy(e->postgres_cfg.journal_uuid, e->topology.segment.journal_uuid, 16);
}

static void
log_request(void *ctx, const char *line) {
  md_log(ctx, MD_LOG_INFO, "http", "%s", line);
}

static md_err_t
start_monitor(md_engine_t *e, md_msg_t *msg) {
  const md_config_monitoring_t *m  = &e->cfg->monitoring;
  md_monitor_config_t           mc = {.health           = {.segment          = &e->segment,
                                                           .clock            = e->clock,
                                                           .grace_ns         = m->grace,
                                                           .data_age_ns      = m->data_age,
                                                           .heartbeat_age_ns = m->heartbeat_age},
                                      .bind             = m->bind,
                                      .http_port        = (uint16_t)m->http_port,
                                      .metrics_port     = (uint16_t)m->metrics_port,
                                      .has_page         = m->page != 0,
                                      .dir              = e->cfg->engine.shm_dir,
                                      .name             = e->cfg->engine.name,
                                      .page_interval_ns = m->page_interval,
                                      .page_clients     = (uint32_t)m->page_clients,
                                      .page_origins     = m->page_origins,
                                      .requests_per_min = (uint32_t)m->requests_per_min,
                                      .log              = m->log_requests ? log_request : NULL,
                                      .log_ctx          = e->log};
  if (!m->enabled) return MD_OK;
  md_err_t err = MD_OK;
  md_budget_make(e->cfg, &e->topology, &mc.budget);
  if (m->token_file[0]) {
    err      = md_secret_token(m->token_file, e->token, sizeof e->token, msg);
    mc.token = e->token;
  }
  if (!err) err = md_monitor_start(&mc, &e->monitor, msg);
  if (err) return err;
  uint16_t http = md_monitor_http_port(e->monitor), metrics = md_monitor_metrics_port(e->monitor);
  md_log(e->log, MD_LOG_INFO, "monitoring",
         "http://%s:%u/health and http://%s:%u/metrics are served%s", m->bind, http, m->bind,
         metrics, m->page ? ", the status page at / of the first" : "");
  struct in_addr bound = {0};
  (void)inet_pton(AF_INET, m->bind, &bound);    /* it was bound to */
  md_store_relaxed(&e->segment.header->monitor, /* a number by itself, for mdengine status */
                   (uint64_t)ntohl(bound.s_addr) << 32 | (uint64_t)http << 16 | metrics);
  return MD_OK;
}

static void
tell_budget(md_engine_t *e) {
  char          line[MD_BUDGET_LINE_BYTES];
  md_budget_t   budget;
  struct rlimit limit;
  for (unsigned kind = 0; kind < MD_BUDGET_CNT; kind++) {
    md_budget_line(e->cfg, &e->topology, (md_budget_kind_t)kind, line);
    md_log(e->log, MD_LOG_INFO, "engine", "budget of %s", line);
  }
  md_budget_make(e->cfg, &e->topology, &budget);
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < budget.value[MD_BUDGET_FDS])
    md_log(e->log, MD_LOG_WARN, "engine",
           "only %llu descriptors may be open: raise it (ulimit -n, LimitNOFILE=) to %llu or more",
           (unsigned long long)limit.rlim_cur, (unsigned long long)budget.value[MD_BUDGET_FDS]);
}

static md_err_t
start_all(md_engine_t *e, const char *only, md_msg_t *msg) {
  md_err_t err = md_topology_make(e->cfg, only, &e->topology, msg);
  if (!err) err = open_storage(e, msg);
  for (uint32_t f = 0; !err && f < e->topology.feed_cnt; f++)
    err = make_feed(e, f, msg);
  if (!err) err = start_monitor(e, msg);
  if (!err) set_postgres_config(e);
  for (uint32_t s = 0; !err && s < e->topology.sink_cnt; s++)
    err = start_sink(e, s, msg);
  if (!err) err = md_engine_tend(e, msg);
  if (!err) err = md_network_start(e, msg);
  if (!err) md_segment_ready(&e->segment);
  for (uint32_t f = 0; !err && f < e->topology.feed_cnt; f++)
    err = start_feed_thread(e, f, msg);
  return err;
}

md_err_t
md_engine_start(const md_config_t *cfg, const char *only, md_log_t *log, md_engine_t **out,
                md_msg_t *msg) {
  md_engine_t *e = calloc(1, sizeof *e);
  if (!e) return md_fail(msg, MD_ERR_NOMEM, "no memory for the engine");
  e->cfg       = cfg;
  e->log       = log;
  e->clock     = md_clock_system();
  e->lock_fd   = -1;
  md_err_t err = start_all(e, only, msg);
  if (err) {
    (void)md_engine_stop(e);
    return err;
  }
  tell_budget(e);
  md_log(log, MD_LOG_INFO, "engine", "epoch %u of journal %s is up: %u feeds, segment %s",
         e->topology.segment.epoch, cfg->journal.dir, e->topology.feed_cnt, e->segment.path);
  *out = e;
  return MD_OK;
}

/* From here on nobody beats for the main thread, which drains: it must not count as stuck. */
static void
halt_watch(md_engine_t *e) {
  if (!e->segment_made) return;
  uint32_t row = md_topology_monitor_row(&e->topology);
  md_store_relaxed(&e->segment.threads[row].state, MD_THREAD_HALT);
}

static void
stop_feeds(md_engine_t *e) {
  for (uint32_t f = 0; f < MD_FEED_CNT_MAX; f++) {
    if (e->feed[f].thread) md_feed_thread_stop(e->feed[f].thread);
    if (e->feed[f].source_open) e->feed[f].source.close(e->feed[f].source.ctx);
  }
}

md_err_t
md_engine_stop(md_engine_t *e) {
  int      timeout_ms = (int)(e->cfg->engine.stop_timeout / 1000000);
  md_err_t err        = MD_OK;
  halt_watch(e);
  md_journal_tend_stop(e->tend);
  stop_feeds(e);
  md_network_close(e);
  for (uint32_t s = 0; s < MD_SINK_CNT_MAX; s++) {
    if (!e->sink[s].writer) continue;
    md_err_t late = md_writer_stop(e->sink[s].writer, timeout_ms);
    if (late)
      md_log(e->log, MD_LOG_WARN, e->sink[s].sink->name,
             "not drained at stop (%s); the next start goes on from there", md_err_text(late));
    if (s == MD_SINK_JOURNAL) err = late;
  }
  for (uint32_t f = 0; f < MD_FEED_CNT_MAX; f++)
    if (e->feed[f].feed) md_feed_delete(e->feed[f].feed);
  if (e->monitor) md_monitor_stop(e->monitor);
  md_crash_watch(NULL);
  if (e->segment_made && !err)
    delete_segment(e);
  else if (e->lock_fd >= 0)
    (void)close(e->segment_made ? e->segment.rings_fd
                                : e->lock_fd); /* the files stay for the next start */
  if (e->manifest) md_manifest_close(e->manifest);
  free(e);
  return err;
}
