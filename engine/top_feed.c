/* top_feed.c - the page of one feed. */
#include "engine/cli.h"
#include "engine/top.h"

#include <inttypes.h>
#include <string.h>

#define MIDDLE 41u /* where the right half begins */

static void
put_count(md_page_t *page, uint32_t row, uint32_t col, const char *name, uint64_t value) {
  md_page_put(page, row, col, MD_STYLE_PLAIN, "%-18s %18" PRIu64, name, value);
}

static void
put_rate(md_page_t *page, uint32_t row, const char *name, uint64_t cnt, double per_s) {
  md_page_put(page, row, 1, MD_STYLE_PLAIN, "%-12s %14" PRIu64 " %7.0f/s", name, cnt, per_s);
}

static uint32_t
draw_counts(const md_status_feed_t *f, uint32_t row, md_page_t *page) {
  put_rate(page, row++, "messages", f->frames, f->frames_per_s);
  put_rate(page, row++, "records", f->records, f->records_per_s);
  put_count(page, row++, 1, "books VALID", f->books_valid);
  put_count(page, row++, 1, "of", f->books);
  put_count(page, row++, 1, "gaps", f->gaps);
  put_count(page, row++, 1, "reconnects", f->reconnects);
  put_count(page, row++, 1, "parse errors", f->parse_errors);
  md_page_put(page, row++, 1, MD_STYLE_PLAIN, "%-18s %14.1f MiB", "memory",
              (double)f->memory / 1048576.0);
  md_page_put(page, row++, 1, MD_STYLE_PLAIN, "%-18s %16.0f %%", "cpu", f->cpu * 100.0);
  return row;
}

static void
put_ring(const md_status_view_t *view, const md_status_feed_t *f, const char *sink, uint32_t row,
         md_page_t *page) {
  const md_status_ring_t *r = md_top_ring(view, f->feed.name, sink);
  if (!r)
    md_page_put(page, row, MIDDLE, MD_STYLE_PLAIN, "ring to %-10s %18s", sink, "-");
  else
    md_page_put(page, row, MIDDLE, r->lost ? MD_STYLE_BAD : MD_STYLE_PLAIN,
                "ring to %-10s %6" PRIu64 " of %" PRIu64 " KiB", sink, r->used_bytes >> 10,
                r->capacity_bytes >> 10);
}

static void
draw_positions(const md_status_feed_t *f, const md_status_view_t *view, uint32_t row,
               md_page_t *page) {
  put_count(page, row++, MIDDLE, "published", f->stream.published_seq);
  put_count(page, row++, MIDDLE, "written", f->stream.written_seq);
  put_count(page, row++, MIDDLE, "durable", f->stream.durable_seq);
  put_count(page, row++, MIDDLE, "stored", f->stream.stored_seq);
  if (f->has_raw) {
    put_count(page, row++, MIDDLE, "raw published", f->raw.published_seq);
    put_count(page, row++, MIDDLE, "raw durable", f->raw.durable_seq);
  }
  put_count(page, row++, MIDDLE, "lost", f->lost);
  put_ring(view, f, "journal", row++, page);
  put_ring(view, f, "postgres", row, page);
}

static void
draw_book(const md_status_book_t *b, uint32_t row, md_page_t *page) {
  char                     bid[MD_DECIMAL_BYTES], ask[MD_DECIMAL_BYTES];
  char                     bid_qty[MD_DECIMAL_BYTES], ask_qty[MD_DECIMAL_BYTES];
  const mdshm_book_meta_t *m     = &b->top.meta;
  bool                     fresh = b->result == MDSHM_OK || b->result == MDSHM_NOT_VALID;
  md_page_put(page, row, 1, MD_STYLE_PLAIN, "%-18.18s", b->symbol);
  md_page_put(page, row, 20, b->result == MDSHM_OK ? MD_STYLE_GOOD : MD_STYLE_BAD, "%-8s",
              fresh ? mdshm_state_name(m->state) : mdshm_result_name(b->result));
  md_page_put(page, row, 28, MD_STYLE_PLAIN, "%12.12s %12.12s %12.12s %12.12s",
              md_cli_decimal(b->top.bid_qty, m->qty_exp, bid_qty),
              md_cli_decimal(b->top.bid_px, m->px_exp, bid),
              md_cli_decimal(b->top.ask_px, m->px_exp, ask),
              md_cli_decimal(b->top.ask_qty, m->qty_exp, ask_qty));
}

void
md_top_draw_feed(const md_top_t *top, const md_status_feed_t *f, const md_status_view_t *view,
                 uint32_t row, md_page_t *page) {
  md_page_mark(page, row, MD_STYLE_HEAD);
  md_page_put(page, row, 1, MD_STYLE_HEAD, "%s  %s  venue %s  connections %" PRIu64, f->feed.name,
              md_status_health(f), f->feed.venue, f->feed.connect_cnt);
  md_page_right(page, row++, MD_STYLE_HEAD, "Esc back ");
  draw_positions(f, view, row, page);
  row = draw_counts(f, row, page);
  row = md_top_stages(top, view, f, row, page);
  md_page_mark(page, row, MD_STYLE_HEAD);
  md_page_put(page, row++, 1, MD_STYLE_HEAD, "%-18s %-8s%12s %12s %12s %12s", "book", "state",
              "bid qty", "bid", "ask", "ask qty");
  for (uint32_t i = 0; i < view->book_cnt && row < page->rows; i++)
    if (strcmp(view->book[i].feed, f->feed.name) == 0) draw_book(&view->book[i], row++, page);
}
