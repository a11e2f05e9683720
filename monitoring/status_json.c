/* status_json.c - the picture of status_view.h as JSON: one function for everybody who shows it. */
#include "monitoring/status_view.h"

#include "shm/decimal.h"
#include "shm/record.h"
#include "shm/status.h"

#include <inttypes.h>
#include <string.h>

const char *
md_status_health(const md_status_feed_t *f) {
  static const char *const inputs[] = {"idle", "connecting", "live", "ended", "failed"};
  if (f->health != MDSHM_OK) return mdshm_result_name(f->health);
  return f->feed.input_state < MD_CNT(inputs) ? inputs[f->feed.input_state] : "?";
}

bool
md_status_is_journal(const md_status_sink_t *s) {
  return strcmp(s->thread.name, "writer:journal") == 0;
}

const char *
md_status_journal_state(const md_status_sink_t *s) {
  static const char *const names[] = {"writing", "degraded: low space",
                                      "degraded: waiting for space"};
  return s->state < MD_CNT(names) ? names[s->state] : "?";
}

static void
json_latency(md_text_t *t, const char *name, const md_latency_t *l) {
  md_text_add(t,
              ",\"%s\":{\"count\":%" PRIu64 ",\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64
              ",\"p999_ns\":%" PRIu64 "}",
              name, l->cnt, l->p50_ns, l->p99_ns, l->p999_ns);
}

static void
json_feed(md_text_t *t, const md_status_feed_t *f, bool is_recent) {
  md_text_add(t,
              "{\"feed\":\"%s\",\"health\":\"%s\",\"input\":\"%s\",\"frames\":%" PRIu64
              ",\"records\":%" PRIu64
              ",\"frames_per_s\":%.1f,\"records_per_s\":%.1f,\"books_valid\":%" PRIu64
              ",\"books\":%" PRIu64 ",\"gaps\":%" PRIu64 ",\"reconnects\":%" PRIu64
              ",\"lost\":%" PRIu64 ",\"parse_errors\":%" PRIu64 ",\"published_seq\":%" PRIu64
              ",\"written_seq\":%" PRIu64 ",\"durable_seq\":%" PRIu64 ",\"stored_seq\":%" PRIu64,
              f->feed.name, mdshm_result_name(f->health), md_status_health(f), f->frames,
              f->records, f->frames_per_s, f->records_per_s, f->books_valid, f->books, f->gaps,
              f->reconnects, f->lost, f->parse_errors, f->stream.published_seq,
              f->stream.written_seq, f->stream.durable_seq, f->stream.stored_seq);
  md_text_add(t, ",\"memory_bytes\":%" PRIu64 ",\"cpu_seconds\":%.3f,\"cpu_of_a_core\":%.3f",
              f->memory, (double)f->cpu_ns / 1e9, f->cpu);
  if (f->all_valid_s) md_text_add(t, ",\"all_books_valid_seconds\":%" PRIu64, f->all_valid_s);
  if (f->has_raw)
    md_text_add(t, ",\"raw_published_seq\":%" PRIu64 ",\"raw_durable_seq\":%" PRIu64,
                f->raw.published_seq, f->raw.durable_seq);
  json_latency(t, "exchange_to_receive", &f->start.exchange);
  json_latency(t, "receive_to_decoded", &f->start.decode);
  json_latency(t, "decoded_to_visible", &f->start.visible);
  if (is_recent) {
    json_latency(t, "recent_exchange_to_receive", &f->recent.exchange);
    json_latency(t, "recent_receive_to_decoded", &f->recent.decode);
    json_latency(t, "recent_decoded_to_visible", &f->recent.visible);
  }
  md_text_add(t, "}");
}

static void
json_ring(md_text_t *t, const md_status_ring_t *r, bool first) {
  md_text_add(t,
              "%s{\"ring\":\"%s\",\"capacity_bytes\":%" PRIu64 ",\"used_bytes\":%" PRIu64
              ",\"lost\":%" PRIu64 "}",
              first ? "" : ",", r->name, r->capacity_bytes, r->used_bytes, r->lost);
}

static void
json_sink(md_text_t *t, const md_status_sink_t *s, bool is_recent) {
  md_text_add(t,
              "{\"thread\":\"%s\",\"heartbeat_age_ns\":%" PRId64 ",\"records\":%" PRIu64
              ",\"bytes\":%" PRIu64 ",\"rows\":%" PRIu64 ",\"batches\":%" PRIu64
              ",\"errors\":%" PRIu64 ",\"catchup\":%s,\"lag_records\":%" PRIu64
              ",\"lag_s\":%" PRIu64 ",\"catchup_eta_s\":%" PRIu64
              ",\"records_per_s\":%.1f,\"rows_per_s\":%.1f,\"bytes_per_s\":%.1f",
              s->thread.name, s->thread.heartbeat_age_ns, s->records, s->bytes, s->rows, s->batches,
              s->errors, s->catchup ? "true" : "false", s->lag, s->lag_s, s->eta_s,
              s->records_per_s, s->rows_per_s, s->bytes_per_s);
  if (md_status_is_journal(s))
    md_text_add(t,
                ",\"state\":\"%s\",\"degraded\":%s,\"segments\":%" PRIu64
                ",\"segment_bytes\":%" PRIu64 ",\"held_segments\":%" PRIu64,
                md_status_journal_state(s), s->state ? "true" : "false", s->segments, s->kept_bytes,
                s->held);
  json_latency(t, "ring_wait", &s->start.ring_wait);
  json_latency(t, md_status_is_journal(s) ? "durable" : "stored", &s->start.done);
  if (is_recent) {
    json_latency(t, "recent_ring_wait", &s->recent.ring_wait);
    json_latency(t, md_status_is_journal(s) ? "recent_durable" : "recent_stored", &s->recent.done);
  }
  md_text_add(t, "}");
}

static void
json_reader(md_text_t *t, const md_status_view_t *v, uint32_t i) {
  const mdshm_reader_t *r = &v->reader[i];
  md_text_add(t, "%s{\"name\":", i ? "," : "");
  md_text_add_json(t, r->name);
  md_text_add(t,
              ",\"pid\":%u,\"epoch\":%u,\"since_ns\":%" PRId64 ",\"beat_ns\":%" PRId64
              ",\"reads\":%" PRIu64 ",\"records\":%" PRIu64 ",\"lapped\":%" PRIu64
              ",\"lag_bytes\":%" PRIu64 "}",
              r->pid, r->epoch, r->since_ns, r->beat_ns, r->read_cnt, r->record_cnt, r->lapped_cnt,
              r->lag_bytes);
}

const char *
md_status_book_state(const md_status_book_t *b) {
  bool lives = b->result == MDSHM_OK || b->result == MDSHM_NOT_VALID;
  return lives ? mdshm_state_name(b->top.meta.state) : mdshm_result_name(b->result);
}

const char *
md_status_decimal(int64_t mantissa, int exponent, char *out) {
  if (mantissa == MDSHM_ABSENT_I64)
    (void)memcpy(out, "-", 2);
  else
    (void)md_decimal_format(mantissa, exponent, out, MD_DECIMAL_BYTES);
  return out;
}

/* Prices as text, exact. */
static void
json_book(md_text_t *t, const md_status_book_t *b, bool first) {
  const mdshm_book_meta_t *m = &b->top.meta;
  char                     bid[MD_DECIMAL_BYTES], bid_qty[MD_DECIMAL_BYTES], ask[MD_DECIMAL_BYTES],
      ask_qty[MD_DECIMAL_BYTES];
  md_text_add(t, "%s{\"feed\":", first ? "" : ",");
  md_text_add_json(t, b->feed);
  md_text_add(t, ",\"symbol\":");
  md_text_add_json(t, b->symbol);
  md_text_add(t,
              ",\"state\":\"%s\",\"reason\":\"%s\",\"bid_qty\":\"%s\",\"bid\":\"%s\",\"ask\":\"%s\""
              ",\"ask_qty\":\"%s\",\"seq\":%" PRIu64 ",\"exch_seq\":%" PRIu64
              ",\"ts_recv_ns\":%" PRId64 "}",
              md_status_book_state(b), mdshm_reason_name(m->reason),
              md_status_decimal(b->top.bid_qty, m->qty_exp, bid_qty),
              md_status_decimal(b->top.bid_px, m->px_exp, bid),
              md_status_decimal(b->top.ask_px, m->px_exp, ask),
              md_status_decimal(b->top.ask_qty, m->qty_exp, ask_qty), m->last_seq, m->exch_seq,
              m->ts_recv_ns);
}

void
md_status_json(const md_status_view_t *v, md_text_t *t) {
  md_text_add(t,
              "{\"name\":\"%s\",\"version\":\"%s\",\"engine\":\"%s\",\"epoch\":%u,\"pid\":%u"
              ",\"created_ns\":%" PRId64 ",\"health_port\":%u,\"metrics_port\":%u,\"feeds\":[",
              v->info.name, v->info.version, mdshm_result_name(v->check), v->info.epoch,
              v->info.pid, v->info.created_ns, v->info.health_port, v->info.metrics_port);
  for (uint32_t i = 0; i < v->feed_cnt; i++) {
    md_text_add(t, "%s", i ? "," : "");
    json_feed(t, &v->feed[i], v->recent_s > 0.0);
  }
  md_text_add(t, "],\"sinks\":[");
  for (uint32_t i = 0; i < v->sink_cnt; i++) {
    md_text_add(t, "%s", i ? "," : "");
    json_sink(t, &v->sink[i], v->recent_s > 0.0);
  }
  md_text_add(t, "],\"rings\":[");
  for (uint32_t i = 0; i < v->ring_cnt; i++)
    json_ring(t, &v->ring[i], i == 0);
  md_text_add(t, "]");
  if (v->recent_s > 0.0) md_text_add(t, ",\"recent_s\":%.3f", v->recent_s);
  md_text_add(t, ",\"readers\":[");
  for (uint32_t i = 0; i < v->reader_cnt; i++)
    json_reader(t, v, i);
  md_text_add(t, "],\"books\":[");
  for (uint32_t i = 0; i < v->book_cnt; i++)
    json_book(t, &v->book[i], i == 0);
  md_text_add(t, "]}");
}
