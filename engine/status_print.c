/* status_print.c - the picture of monitoring/status_view.h as a screen. */
#include "engine/status_print.h"
#include "engine/cli.h"
#include "writers/pg_lag.h"

#include <inttypes.h>
#include <string.h>

static void
print_latency(const char *name, const md_latency_t *l) {
  char p50[MD_TIME_BYTES], p99[MD_TIME_BYTES], p999[MD_TIME_BYTES];
  if (l->cnt == 0) return;
  (void)printf("  %-34s %9s %9s %9s %12" PRIu64 "\n", name, md_cli_time(l->p50_ns, p50),
               md_cli_time(l->p99_ns, p99), md_cli_time(l->p999_ns, p999), l->cnt);
}

static void
print_books(const md_status_view_t *v) {
  (void)printf("%-14s %-8s %13s %13s %13s %13s\n", "book", "state", "bid qty", "bid", "ask",
               "ask qty");
  for (uint32_t i = 0; i < v->book_cnt; i++) {
    const md_status_book_t  *b = &v->book[i];
    const mdshm_book_meta_t *m = &b->top.meta;
    char bid[MD_DECIMAL_BYTES], bid_qty[MD_DECIMAL_BYTES], ask[MD_DECIMAL_BYTES],
        ask_qty[MD_DECIMAL_BYTES];
    (void)printf("%-14s %-8s %13s %13s %13s %13s\n", b->symbol, md_status_book_state(b),
                 md_cli_decimal(b->top.bid_qty, m->qty_exp, bid_qty),
                 md_cli_decimal(b->top.bid_px, m->px_exp, bid),
                 md_cli_decimal(b->top.ask_px, m->px_exp, ask),
                 md_cli_decimal(b->top.ask_qty, m->qty_exp, ask_qty));
  }
}

/* Whom to ask from another program: an engine that listens on every address is here, too. */
static void
print_endpoints(const mdshm_info_t *info) {
  uint32_t ip = info->monitor_ipv4 ? info->monitor_ipv4 : 0x7f000001u;
  char     host[16];
  if (info->health_port == 0) return;
  (void)snprintf(host, sizeof host, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
                 ip & 255);
  (void)printf("http://%s:%u/health  http://%s:%u/metrics\n", host, info->health_port, host,
               info->metrics_port);
}

static void
print_feeds(const md_status_view_t *v) {
  (void)printf("%-19s %-10s %8s %8s %9s %6s %7s %6s\n", "feed", "input", "msg/s", "rec/s", "books",
               "gaps", "reconn.", "lost");
  for (uint32_t i = 0; i < v->feed_cnt; i++) {
    const md_status_feed_t *f = &v->feed[i];
    char                    books[48];
    (void)snprintf(books, sizeof books, "%" PRIu64 "/%" PRIu64, f->books_valid, f->books);
    (void)printf("%-19s %-10s %8.0f %8.0f %9s %6" PRIu64 " %7" PRIu64 " %6" PRIu64 "\n",
                 f->feed.name, md_status_health(f), f->frames_per_s, f->records_per_s, books,
                 f->gaps, f->reconnects, f->lost);
  }
}

/* What a row waits in PostgreSQL's ring is a part of `published to committed`: with one feed and
 * both sinks all of it fits a terminal of 24 lines. */
static void
print_stages(const md_status_view_t *v) {
  (void)printf("%-36s %9s %9s %9s %12s\n", "stage", "P50", "P99", "P99.9", "measured");
  for (uint32_t i = 0; i < v->feed_cnt; i++) {
    print_latency("exchange's time to receive", &v->feed[i].start.exchange);
    print_latency("receive to decoded", &v->feed[i].start.decode);
    print_latency("decoded to visible", &v->feed[i].start.visible);
  }
  for (uint32_t i = 0; i < v->sink_cnt; i++) {
    bool journal = md_status_is_journal(&v->sink[i]);
    if (journal) print_latency("ring wait, journal", &v->sink[i].start.ring_wait);
    print_latency(journal ? "published to durable" : "published to committed",
                  &v->sink[i].start.done);
  }
}

static void
print_database(const md_status_sink_t *s) {
  (void)printf("postgres %11" PRIu64 " rows (%.0f/s) %7" PRIu64 " commits %" PRIu64 " errors\n",
               s->rows, s->rows_per_s, s->batches, s->errors);
  if (!s->catchup) return;
  (void)printf("         from the journal: %" PRIu64 " records, %" PRIu64 " s behind", s->lag,
               s->lag_s);
  if (s->eta_s > 0 && s->eta_s < MD_PG_ETA_NEVER) (void)printf(", %" PRIu64 " s to go", s->eta_s);
  (void)printf("\n");
}

/* The rest of the journal's line, where it fits 80 columns; what is wrong in a line of its own. */
static void
print_journal_files(const md_status_sink_t *s, int len) {
  char text[64];
  (void)snprintf(text, sizeof text, "  %" PRIu64 " seg", s->segments);
  (void)printf("%s\n", s->segments && len + (int)strlen(text) <= 80 ? text : "");
  if (s->state)
    (void)printf("         %s, %" PRIu64 " segments of %.1f MiB\n", md_status_journal_state(s),
                 s->segments, (double)s->kept_bytes / 1048576.0);
  if (s->held) (void)printf("         %" PRIu64 " segments are kept for PostgreSQL\n", s->held);
}

static void
print_positions(const md_status_view_t *v) {
  bool has_database = false;
  for (uint32_t i = 0; i < v->sink_cnt; i++) {
    const md_status_sink_t *s = &v->sink[i];
    has_database              = has_database || !md_status_is_journal(s);
    if (!md_status_is_journal(s)) {
      print_database(s);
      continue;
    }
    int len = printf("journal  %11" PRIu64 " records %8.1f MiB (%.2f MiB/s) %7" PRIu64
                     " commits %" PRIu64 " errors",
                     s->records, (double)s->bytes / 1048576.0, s->bytes_per_s / 1048576.0,
                     s->batches, s->errors);
    print_journal_files(s, len);
  }
  for (uint32_t i = 0; i < v->feed_cnt; i++) {
    const mdshm_stream_t *s          = &v->feed[i].stream;
    char                  stored[32] = "", own[48];
    if (has_database) (void)snprintf(stored, sizeof stored, "  stored %" PRIu64, s->stored_seq);
    int len = printf("%-8s published %" PRIu64 "  durable %" PRIu64 "%s", s->name, s->published_seq,
                     s->durable_seq, stored);
    (void)snprintf(own, sizeof own, "  %.1f MiB  cpu %.0f %%",
                   (double)v->feed[i].memory / 1048576.0, v->feed[i].cpu * 100.0);
    (void)printf("%s\n", len + (int)strlen(own) <= 80 ? own : "");
  }
}

/* What readers say of themselves; a name may hold any bytes. */
static void
print_readers(const md_status_view_t *v) {
  for (uint32_t i = 0; i < v->reader_cnt; i++) {
    const mdshm_reader_t *r = &v->reader[i];
    char                  name[MDSHM_NAME_BYTES];
    for (uint32_t c = 0; c < sizeof name; c++)
      name[c] = r->name[c] == 0 || (r->name[c] >= ' ' && r->name[c] <= '~') ? r->name[c] : '?';
    (void)printf("reader   %.20s pid %u, %.1f s ago: %" PRIu64 " books, %" PRIu64
                 " records, %" PRIu64 " KiB behind, overtaken %" PRIu64 "\n",
                 name, r->pid, (double)(v->taken_real_ns - r->beat_ns) / 1e9, r->read_cnt,
                 r->record_cnt, r->lag_bytes / 1024, r->lapped_cnt);
  }
}

/* Made for 80 columns; one feed with two sinks and five books takes 23 lines. */
void
md_status_print_text(const md_status_view_t *v) {
  (void)printf("mdengine %s  epoch %u  pid %u  up %.0f s\n", v->info.name, v->info.epoch,
               v->info.pid, (double)(v->taken_real_ns - v->info.created_ns) / 1e9);
  print_endpoints(&v->info);
  (void)printf("\n");
  print_feeds(v);
  (void)printf("\n");
  print_books(v);
  (void)printf("\n");
  print_stages(v);
  print_positions(v);
  print_readers(v);
}

void
md_status_print_json(const md_status_view_t *v) {
  md_text_t t = {0};
  md_status_json(v, &t);
  if (t.failed)
    (void)md_cli_error(MD_ERR_NOMEM, "no memory for the status");
  else
    (void)printf("%s\n", t.bytes);
  md_text_free(&t);
}
