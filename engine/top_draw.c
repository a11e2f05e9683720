/* top_draw.c - the page of all feeds, and the help. */
#include "engine/cli.h"
#include "engine/top.h"

#include <inttypes.h>
#include <string.h>

static void
draw_title(const md_top_t *top, const md_status_view_t *view, uint32_t shown, md_page_t *page) {
  const char *state = view->check == MDSHM_OK ? "live" : mdshm_result_name(view->check);
  md_page_put(page, 0, 0, MD_STYLE_BOLD, "mdengine %s  epoch %u  pid %u  up %.0f s",
              view->info.name, view->info.epoch, view->info.pid,
              (double)(view->taken_real_ns - view->info.created_ns) / 1e9);
  if (view->info.generation > 1)
    md_page_right(page, 0, MD_STYLE_BAD, "%s%s, restarted %u x", top->is_paused ? "PAUSED, " : "",
                  state, view->info.generation - 1);
  else
    md_page_right(page, 0, view->check == MDSHM_OK ? MD_STYLE_GOOD : MD_STYLE_BAD, "%s%s",
                  top->is_paused ? "PAUSED, " : "", state);
  md_page_put(page, 1, 0, MD_STYLE_PLAIN, "%u of %u feeds  sort: %s, %s", shown, view->feed_cnt,
              md_top_column[top->sort].title,
              top->is_descending ? "highest first" : "lowest first");
  if (top->is_typing)
    md_page_put(page, 1, 46, MD_STYLE_BOLD, "filter: %s_", top->filter);
  else if (top->filter[0])
    md_page_put(page, 1, 46, MD_STYLE_BOLD, "filter: %s", top->filter);
  md_page_right(page, 1, MD_STYLE_PLAIN, "? help  q quit");
}

static void
draw_row(const md_top_t *top, const md_status_view_t *view, const md_status_feed_t *f, uint32_t row,
         bool is_chosen, md_page_t *page) {
  char     cell[64];
  uint32_t col = 1;
  md_page_put(page, row, 0, MD_STYLE_MARK, "%s", is_chosen ? ">" : " ");
  for (uint32_t i = 0; i < MD_TOP_COLUMN_CNT && col + md_top_column[i].width <= page->cols; i++) {
    md_style_t style = is_chosen ? MD_STYLE_MARK : MD_STYLE_PLAIN;
    if (i == MD_TOP_STATE) style = f->health == MDSHM_OK ? MD_STYLE_GOOD : MD_STYLE_BAD;
    if ((i == MD_TOP_GAPS || i == MD_TOP_LOST) && md_top_value(top, view, f, i) > 0)
      style = MD_STYLE_BAD;
    int width = (int)md_top_column[i].width;
    md_top_cell(top, view, f, i, cell);
    md_page_put(page, row, col, style, md_top_column[i].is_left ? "%-*.*s" : "%*.*s", width, width,
                cell);
    col += md_top_column[i].width + 1;
  }
}

static uint32_t
draw_feeds(const md_top_t *top, const md_status_view_t *view, uint32_t row, uint32_t room,
           md_page_t *page) {
  uint32_t order[MD_FEED_CNT_MAX], cnt = md_top_order(top, view, order), col = 1;
  uint32_t at   = md_top_place(top, view, order, cnt);
  uint32_t from = at >= room ? at + 1 - room : 0;
  md_page_mark(page, row, MD_STYLE_HEAD);
  for (uint32_t i = 0; i < MD_TOP_COLUMN_CNT && col + md_top_column[i].width <= page->cols; i++) {
    md_page_put(page, row, col, i == top->sort ? MD_STYLE_BOLD : MD_STYLE_HEAD,
                md_top_column[i].is_left ? "%-*s" : "%*s", (int)md_top_column[i].width,
                md_top_column[i].title);
    col += md_top_column[i].width + 1;
  }
  row++;
  for (uint32_t i = from; i < cnt && i < from + room; i++)
    draw_row(top, view, &view->feed[order[i]], row++, i == at, page);
  if (cnt == 0) md_page_put(page, row++, 1, MD_STYLE_PLAIN, "no feed matches; Esc shows all");
  return row;
}

static uint32_t
draw_sinks(const md_status_view_t *view, uint32_t row, md_page_t *page) {
  md_page_mark(page, row, MD_STYLE_HEAD);
  md_page_put(page, row++, 1, MD_STYLE_HEAD, "%-10s %-8s %8s %8s %8s %10s %7s %8s", "sink", "from",
              "rec/s", "MiB/s", "rows/s", "lag rec.", "lag s", "errors");
  for (uint32_t i = 0; i < view->sink_cnt; i++) {
    const md_status_sink_t *s    = &view->sink[i];
    const char             *name = strchr(s->thread.name, ':');
    md_page_put(page, row++, 1, s->errors || s->catchup ? MD_STYLE_BAD : MD_STYLE_PLAIN,
                "%-10.10s %-8s %8.0f %8.2f %8.0f %10" PRIu64 " %7" PRIu64 " %8" PRIu64,
                name ? name + 1 : s->thread.name, s->catchup ? "journal" : "ring", s->records_per_s,
                s->bytes_per_s / 1048576.0, s->rows_per_s, s->lag, s->lag_s, s->errors);
  }
  return row;
}

static void
draw_latency(const char *name, const md_latency_t *l, uint32_t row, md_page_t *page) {
  char p50[MD_TIME_BYTES], p99[MD_TIME_BYTES], p999[MD_TIME_BYTES];
  if (l->cnt == 0)
    md_page_put(page, row, 1, MD_STYLE_PLAIN, "%-34s %9s %9s %9s %12d", name, "-", "-", "-", 0);
  else
    md_page_put(page, row, 1, MD_STYLE_PLAIN, "%-34s %9s %9s %9s %12" PRIu64, name,
                md_cli_time(l->p50_ns, p50), md_cli_time(l->p99_ns, p99),
                md_cli_time(l->p999_ns, p999), l->cnt);
}

uint32_t
md_top_stages(const md_top_t *top, const md_status_view_t *view, const md_status_feed_t *feed,
              uint32_t row, md_page_t *page) {
  const bool               recent = md_top_is_recent(top, view);
  const md_feed_latency_t *l      = recent ? &feed->recent : &feed->start;
  char                     title[64];
  (void)snprintf(title, sizeof title, "%.19s, since start", feed->feed.name);
  if (recent)
    (void)snprintf(title, sizeof title, "%.19s, last %.*f s", feed->feed.name,
                   view->recent_s < 2.0 ? 1 : 0, view->recent_s);
  md_page_mark(page, row, MD_STYLE_HEAD);
  md_page_put(page, row++, 1, MD_STYLE_HEAD, "%-34.34s %9s %9s %9s %12s", title, "P50", "P99",
              "P99.9", "measured");
  draw_latency("exchange's time to receive", &l->exchange, row++, page);
  draw_latency("receive to decoded", &l->decode, row++, page);
  draw_latency("decoded to visible", &l->visible, row++, page);
  return row;
}

static uint32_t
draw_sink_stages(const md_top_t *top, const md_status_view_t *view, uint32_t row, md_page_t *page) {
  for (uint32_t i = 0; i < view->sink_cnt; i++) {
    const md_status_sink_t  *s       = &view->sink[i];
    const md_sink_latency_t *l       = md_top_is_recent(top, view) ? &s->recent : &s->start;
    bool                     journal = md_status_is_journal(s);
    draw_latency(journal ? "ring wait, journal" : "ring wait, PostgreSQL", &l->ring_wait, row++,
                 page);
    draw_latency(journal ? "published to durable" : "published to committed", &l->done, row++,
                 page);
  }
  return row;
}

static uint32_t
draw_positions(const md_status_feed_t *f, uint32_t row, md_page_t *page) {
  md_page_put(page, row, 1, MD_STYLE_PLAIN,
              "%s published %" PRIu64 "  durable %" PRIu64 "  stored %" PRIu64, f->feed.name,
              f->stream.published_seq, f->stream.durable_seq, f->stream.stored_seq);
  return row + 1;
}

static void
draw_help(md_page_t *page) {
  static const char *const lines[] = {
      "up, down, k, j   choose a feed: its stages and positions are shown below",
      "Enter            the page of the feed: counters, positions, rings, books",
      "Esc              back; on the first page: forget the filter",
      "s, >, <          sort by the next or previous column; r: the other way round",
      "/                filter: part of a name or state; Enter keeps it, Esc drops it",
      "w                latencies since the start; once more: of the last seconds",
      "p, space         stand still; once more: go on",
      "?                this page",
      "q, Ctrl-C        quit",
      "",
      "state      STALE: no heartbeat for 2 s, DEAD: process gone; else of the input",
      "msg, rec   messages and records a second since the picture before",
      "gaps, lost holes of the exchange; records that a ring had no room for",
      "ring       how full the fuller ring is; -: only the engine's own user may know",
      "P50 ...    of the last seconds; in a wide table: decoded to visible",
      "lag        published records that the sink has not finished, and their age"};
  md_page_put(page, 0, 0, MD_STYLE_BOLD, "mdengine top: keys and columns");
  for (uint32_t i = 0; i < MD_CNT(lines); i++)
    md_page_put(page, 2 + i, 1, MD_STYLE_PLAIN, "%s", lines[i]);
}

uint32_t
md_top_rows(const md_status_view_t *view) {
  return 8 + view->feed_cnt * 6 + view->sink_cnt * 3;
}

void
md_top_draw(const md_top_t *top, const md_status_view_t *view, bool is_whole, md_page_t *page) {
  uint32_t                order[MD_FEED_CNT_MAX], cnt = md_top_order(top, view, order), row = 2;
  const md_status_feed_t *chosen = md_top_feed(top, view);
  if (top->screen == MD_TOP_HELP) {
    draw_help(page);
    return;
  }
  draw_title(top, view, cnt, page);
  if (top->screen == MD_TOP_FEED && chosen) {
    md_top_draw_feed(top, chosen, view, row, page);
    return;
  }
  /* What stands below the feeds: heading and rows of sinks, stages and positions. */
  uint32_t below = 1 + view->sink_cnt + 4 + 2 * view->sink_cnt + 1;
  uint32_t room  = page->rows > row + 1 + below ? page->rows - row - 1 - below : 1;
  row            = draw_feeds(top, view, row, room, page);
  /* A blank line where there is room for one. */
  uint32_t spare = page->rows > row + below ? page->rows - row - below : 0;
  row            = draw_sinks(view, row + (spare > 0), page) + (spare > 1);
  for (uint32_t i = 0; i < cnt; i++)
    if (is_whole || &view->feed[order[i]] == chosen)
      row = md_top_stages(top, view, &view->feed[order[i]], row, page);
  row = draw_sink_stages(top, view, row, page);
  for (uint32_t i = 0; i < cnt; i++)
    if (is_whole || &view->feed[order[i]] == chosen || row < page->rows - 1)
      row = draw_positions(&view->feed[order[i]], row, page);
}
