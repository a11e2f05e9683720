#include "monitoring/status_view.h"

#include "shm/record.h"
#include "shm/segment.h"
#include "shm/status.h"

#include <string.h>

static uint64_t
counter(const mdshm_t *shm, uint32_t thread, const char *name) {
  uint64_t value = 0;
  return mdshm_counter(shm, thread, name, &value) == MDSHM_OK ? value : 0;
}

static md_latency_t
latency(const mdshm_t *shm, uint32_t thread, const char *name) {
  md_latency_t l = {0};
  if (mdshm_stage_quantile(shm, thread, name, 500000, &l.p50_ns, &l.cnt) ||
      mdshm_stage_quantile(shm, thread, name, 990000, &l.p99_ns, &l.cnt) ||
      mdshm_stage_quantile(shm, thread, name, 999000, &l.p999_ns, &l.cnt))
    memset(&l, 0, sizeof l);
  return l;
}

static double
rate(uint64_t now, uint64_t before, int64_t window_ns) {
  return window_ns > 0 && now >= before ? (double)(now - before) * 1e9 / (double)window_ns : 0.0;
}

static void
take_feed(mdshm_t *shm, uint32_t row, md_status_feed_t *f) {
  memset(f, 0, sizeof *f);
  f->feed.struct_size   = sizeof f->feed;
  f->stream.struct_size = f->raw.struct_size = sizeof f->stream;
  if (mdshm_feed(shm, row, &f->feed) || mdshm_stream(shm, f->feed.stream, &f->stream)) return;
  f->has_raw = f->feed.raw_stream != MDSHM_NONE &&
               mdshm_stream(shm, f->feed.raw_stream, &f->raw) == MDSHM_OK;
  f->health             = mdshm_feed_check(shm, row, MD_STATUS_MAX_AGE_NS);
  uint32_t thread       = f->feed.thread;
  f->frames             = counter(shm, thread, "mdengine_feed_frames_total");
  f->records            = counter(shm, thread, "mdengine_feed_records_total");
  f->gaps               = counter(shm, thread, "mdengine_feed_gaps_total");
  f->reconnects         = counter(shm, thread, "mdengine_feed_reconnects_total");
  f->lost               = counter(shm, thread, "mdengine_ring_lost_records_total");
  f->parse_errors       = counter(shm, thread, "mdengine_feed_parse_errors_total");
  f->books_valid        = counter(shm, thread, "mdengine_feed_books_valid");
  f->books              = counter(shm, thread, "mdengine_feed_books");
  f->all_valid_s        = counter(shm, thread, "mdengine_feed_all_books_valid_seconds");
  f->memory             = counter(shm, thread, "mdengine_feed_memory_bytes");
  mdshm_thread_t row_of = {.struct_size = sizeof row_of};
  if (mdshm_thread(shm, thread, &row_of) == MDSHM_OK) f->cpu_ns = row_of.cpu_ns;
  f->start.exchange = latency(shm, thread, "mdengine_stage_exchange_to_receive_seconds");
  f->start.decode   = latency(shm, thread, "mdengine_stage_receive_to_decoded_seconds");
  f->start.visible  = latency(shm, thread, "mdengine_stage_decoded_to_visible_seconds");
}

static void
take_sink(mdshm_t *shm, uint32_t thread, const mdshm_thread_t *row, md_status_sink_t *s) {
  bool journal = strcmp(row->name, "writer:journal") == 0;
  memset(s, 0, sizeof *s);
  s->thread          = *row;
  s->row             = thread;
  s->records         = counter(shm, thread, "mdengine_sink_records_total");
  s->bytes           = counter(shm, thread, "mdengine_sink_bytes_total");
  s->rows            = counter(shm, thread, "mdengine_sink_rows_total");
  s->batches         = counter(shm, thread, "mdengine_sink_batches_total");
  s->errors          = counter(shm, thread, "mdengine_sink_errors_total");
  s->catchup         = counter(shm, thread, "mdengine_sink_catchup");
  s->lag             = counter(shm, thread, "mdengine_sink_lag_records");
  s->lag_s           = counter(shm, thread, "mdengine_sink_lag_seconds");
  s->eta_s           = counter(shm, thread, "mdengine_sink_catchup_eta_seconds");
  s->state           = counter(shm, thread, "mdengine_journal_state");
  s->segments        = counter(shm, thread, "mdengine_journal_kept_segments");
  s->kept_bytes      = counter(shm, thread, "mdengine_journal_kept_bytes");
  s->held            = counter(shm, thread, "mdengine_journal_held_segments");
  s->start.ring_wait = latency(shm, thread, "mdengine_stage_ring_wait_seconds");
  s->start.done      = latency(
           shm, thread, journal ? "mdengine_stage_durable_seconds" : "mdengine_stage_stored_seconds");
}

static void
take_books(const md_status_source_t *source, md_status_view_t *v) {
  mdshm_t *shm = source->shm;
  uint32_t cnt = mdshm_instrument_cnt(shm);
  md_assert(source->book_max <= MD_STATUS_BOOKS_MAX);
  for (uint32_t row = 0; row < cnt && v->book_cnt < source->book_max; row++) {
    md_status_book_t  *b = &v->book[v->book_cnt];
    mdshm_instrument_t i = {.struct_size = sizeof i};
    mdshm_feed_t       f = {.struct_size = sizeof f};
    memset(b, 0, sizeof *b);
    b->top.struct_size = sizeof b->top;
    if (mdshm_instrument_get(shm, row, &i) || !i.has_book || mdshm_feed(shm, i.feed, &f)) continue;
    if (source->book_feed != MDSHM_ANY_FEED && source->book_feed != i.feed) continue;
    b->result = mdshm_read_top(shm, row, MD_STATUS_MAX_AGE_NS, &b->top);
    if (b->result > MDSHM_STOPPED ||
        (b->result == MDSHM_NOT_VALID && b->top.meta.state == MD_BOOK_EMPTY))
      continue;
    memcpy(b->feed, f.name, sizeof b->feed);
    memcpy(b->symbol, i.normalised, sizeof b->symbol);
    v->book_cnt++;
  }
}

static void
take_readers(mdshm_t *shm, md_status_view_t *v) {
  uint32_t next = 0;
  while (v->reader_cnt < MD_STATUS_READERS_MAX) {
    mdshm_reader_t *r = &v->reader[v->reader_cnt];
    r->struct_size    = sizeof *r;
    if (mdshm_reader(shm, &next, r) != MDSHM_OK) return;
    v->reader_cnt++;
  }
}

/* The rings file belongs to the engine's user alone; without it nothing is known of the rings. */
static void
take_rings(const md_status_source_t *source, md_status_view_t *v) {
  md_rings_header_t *rings;
  uint64_t           bytes;
  if (md_rings_look(source->dir, source->name, &rings, &bytes, NULL)) return;
  uint32_t cnt = rings->epoch == v->info.epoch ? rings->ring_cnt : 0;
  for (uint32_t i = 0; i < cnt && v->ring_cnt < MD_RING_CNT_MAX; i++) {
    const md_ring_t  *ring = md_rings_ring(rings, bytes, i);
    md_status_ring_t *r    = &v->ring[v->ring_cnt];
    md_ring_stat_t    stat;
    if (!ring || md_ring_stat(ring, &stat)) continue;
    memcpy(r->name, ring->name, sizeof r->name);
    r->name[sizeof r->name - 1] = 0;
    r->capacity_bytes           = stat.capacity_bytes;
    r->used_bytes               = stat.used_bytes;
    r->lost                     = stat.lost_cnt;
    v->ring_cnt++;
  }
  md_rings_leave(rings, bytes);
}

/* Rates over the time since `before`. */
static void
take_rates(md_status_view_t *v, const md_status_view_t *before) {
  int64_t window_ns = v->taken_mono_ns - before->taken_mono_ns;
  if (before->info.generation != v->info.generation) return;
  for (uint32_t i = 0; i < v->feed_cnt && i < before->feed_cnt; i++) {
    v->feed[i].frames_per_s  = rate(v->feed[i].frames, before->feed[i].frames, window_ns);
    v->feed[i].cpu           = rate(v->feed[i].cpu_ns, before->feed[i].cpu_ns, window_ns) / 1e9;
    v->feed[i].records_per_s = rate(v->feed[i].records, before->feed[i].records, window_ns);
  }
  for (uint32_t i = 0; i < v->sink_cnt && i < before->sink_cnt; i++) {
    v->sink[i].bytes_per_s   = rate(v->sink[i].bytes, before->sink[i].bytes, window_ns);
    v->sink[i].records_per_s = rate(v->sink[i].records, before->sink[i].records, window_ns);
    v->sink[i].rows_per_s    = rate(v->sink[i].rows, before->sink[i].rows, window_ns);
  }
}

void
md_status_take(const md_status_source_t *source, const md_status_view_t *before,
               md_status_view_t *v) {
  mdshm_t *shm = source->shm;
  memset(v, 0, sizeof *v);
  /* Attaches to the next engine where there is one; the rest reads from that. */
  v->check = mdshm_check(shm);
  if (v->check == MDSHM_RESTARTED) v->check = mdshm_check(shm);
  v->info.struct_size = sizeof v->info;
  v->taken_mono_ns    = md_clock_mono_ns(source->clock);
  v->taken_real_ns    = md_clock_real_ns(source->clock);
  if (mdshm_info(shm, &v->info)) return;
  for (uint32_t i = 0; i < v->info.feed_cnt && v->feed_cnt < MD_FEED_CNT_MAX; i++) {
    mdshm_feed_t feed = {.struct_size = sizeof feed};
    if (mdshm_feed(shm, i, &feed) != MDSHM_ABSENT) take_feed(shm, i, &v->feed[v->feed_cnt++]);
  }
  for (uint32_t i = 0; i < v->info.thread_cnt; i++) {
    mdshm_thread_t row = {.struct_size = sizeof row};
    if (mdshm_thread(shm, i, &row) == MDSHM_OK && row.kind == MD_THREAD_WRITER &&
        v->sink_cnt < MD_SINK_CNT_MAX)
      take_sink(shm, i, &row, &v->sink[v->sink_cnt++]);
  }
  take_books(source, v);
  take_rings(source, v);
  take_readers(shm, v);
  if (before) take_rates(v, before);
}
