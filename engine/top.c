/* top.c - the page of all feeds. */
#include "engine/top.h"
#include "engine/screen.h"
#include "writers/pg_lag.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define STATE_COLUMN 1u

/* One column of the table of feeds: what it sorts by, and how wide it is. Names and states are
 * sorted as text. */
typedef struct column {
  const char *title;
  uint32_t    width;
  bool        is_left;
} column_t;

enum {
  NAME,
  STATE,
  MESSAGES,
  RECORDS,
  BOOKS,
  GAPS,
  RECONNECTS,
  LOST,
  RING,
  P50,
  P99,
  P999,
  PARSE,
  CPU,
  MEMORY,
  PUBLISHED,
  DURABLE,
  STORED,
  COLUMN_CNT
};

static const column_t columns[COLUMN_CNT] = {
    [NAME] = {"feed", 19, true},        [STATE] = {"state", 10, true},
    [MESSAGES] = {"msg/s", 6, false},   [RECORDS] = {"rec/s", 7, false},
    [BOOKS] = {"books", 9, false},      [GAPS] = {"gaps", 5, false},
    [RECONNECTS] = {"recon", 5, false}, [LOST] = {"lost", 5, false},
    [RING] = {"ring", 4, false},        [P50] = {"P50", 7, false},
    [P99] = {"P99", 7, false},          [P999] = {"P99.9", 7, false},
    [PARSE] = {"parse", 6, false},      [CPU] = {"cpu", 5, false},
    [MEMORY] = {"MiB", 7, false},       [PUBLISHED] = {"published", 12, false},
    [DURABLE] = {"durable", 12, false}, [STORED] = {"stored", 12, false}};

const md_status_ring_t *
md_top_ring(const md_status_view_t *view, const char *feed, const char *sink) {
  size_t len = strlen(feed);
  for (uint32_t i = 0; i < view->ring_cnt; i++) {
    const char *name = view->ring[i].name;
    if (strncmp(name, feed, len) == 0 && name[len] == '.' && strcmp(name + len + 1, sink) == 0)
      return &view->ring[i];
  }
  return NULL;
}

/* Of the fuller ring of a feed, in percent; -1 when nothing is known. */
static double
ring_percent(const md_status_view_t *view, const char *feed) {
  static const char *const sinks[] = {"journal", "postgres"};
  double                   most    = -1.0;
  for (size_t i = 0; i < MD_CNT(sinks); i++) {
    const md_status_ring_t *r = md_top_ring(view, feed, sinks[i]);
    if (!r || r->capacity_bytes == 0) continue;
    double used = (double)r->used_bytes * 100.0 / (double)r->capacity_bytes;
    if (used > most) most = used;
  }
  return most;
}

/* What a column sorts by. */
static double
value_of(const md_status_view_t *view, const md_status_feed_t *f, uint32_t column) {
  switch (column) {
  case MESSAGES:
    return f->frames_per_s;
  case RECORDS:
    return f->records_per_s;
  case BOOKS:
    return (double)f->books_valid;
  case GAPS:
    return (double)f->gaps;
  case RECONNECTS:
    return (double)f->reconnects;
  case LOST:
    return (double)f->lost;
  case RING:
    return ring_percent(view, f->feed.name);
  case P50:
    return (double)f->visible.p50_ns;
  case P99:
    return (double)f->visible.p99_ns;
  case P999:
    return (double)f->visible.p999_ns;
  case PARSE:
    return (double)f->parse_errors;
  case CPU:
    return f->cpu;
  case MEMORY:
    return (double)f->memory;
  case PUBLISHED:
    return (double)f->stream.published_seq;
  case DURABLE:
    return (double)f->stream.durable_seq;
  case STORED:
    return (double)f->stream.stored_seq;
  default:
    return 0.0;
  }
}

/* Whole numbers that fit stay as they are; others lose digits and say so: 123k, 4M, 5G. */
static void
count_text(double value, uint32_t width, char out[32]) {
  static const char units[] = " kMGT";
  size_t            unit    = 0;
  int               len     = snprintf(out, 32, "%.0f", value);
  while ((uint32_t)len > width && unit + 2 < sizeof units) {
    value /= 1000.0;
    unit++;
    len = snprintf(out, 32, "%.0f%c", value, units[unit]);
  }
}

static void
cell_text(const md_status_view_t *view, const md_status_feed_t *f, uint32_t column, char out[64]) {
  char   number[32];
  double value = value_of(view, f, column);
  switch (column) {
  case NAME:
    (void)snprintf(out, 64, "%s", f->feed.name);
    return;
  case STATE:
    (void)snprintf(out, 64, "%s", md_status_health(f));
    return;
  case BOOKS:
    (void)snprintf(out, 64, "%" PRIu64 "/%" PRIu64, f->books_valid, f->books);
    return;
  case RING:
    if (value < 0)
      (void)snprintf(out, 64, "-");
    else
      (void)snprintf(out, 64, "%.0f%%", value);
    return;
  case P50:
  case P99:
  case P999:
    (void)md_cli_time((uint64_t)value, number);
    (void)snprintf(out, 64, "%s", f->visible.cnt ? number : "-");
    return;
  case CPU:
    (void)snprintf(out, 64, "%.0f%%", value * 100.0);
    return;
  case MEMORY:
    (void)snprintf(out, 64, "%.1f", value / 1048576.0);
    return;
  default:
    count_text(value, columns[column].width, number);
    (void)snprintf(out, 64, "%s", number);
  }
}

static bool
passes(const md_top_t *top, const md_status_feed_t *f) {
  return top->filter[0] == 0 || strcasestr(f->feed.name, top->filter) ||
         strcasestr(md_status_health(f), top->filter);
}

static bool
comes_before(const md_top_t *top, const md_status_view_t *view, uint32_t a, uint32_t b) {
  const md_status_feed_t *x = &view->feed[a], *y = &view->feed[b];
  double                  difference;
  if (top->sort == NAME)
    difference = strcmp(x->feed.name, y->feed.name);
  else if (top->sort == STATE)
    difference = strcmp(md_status_health(x), md_status_health(y));
  else
    difference = value_of(view, x, top->sort) - value_of(view, y, top->sort);
  if (difference < 0 || difference > 0) return top->is_descending ? difference > 0 : difference < 0;
  return strcmp(x->feed.name, y->feed.name) < 0;
}

uint32_t
md_top_order(const md_top_t *top, const md_status_view_t *view, uint32_t order[MD_FEED_CNT_MAX]) {
  uint32_t cnt = 0;
  for (uint32_t i = 0; i < view->feed_cnt; i++) {
    if (!passes(top, &view->feed[i])) continue;
    uint32_t at = cnt++;
    for (; at > 0 && comes_before(top, view, i, order[at - 1]); at--)
      order[at] = order[at - 1];
    order[at] = i;
  }
  return cnt;
}

/* The place in order of the feed that is chosen. */
static uint32_t
chosen_place(const md_top_t *top, const md_status_view_t *view, const uint32_t *order,
             uint32_t cnt) {
  for (uint32_t i = 0; i < cnt; i++)
    if (strcmp(view->feed[order[i]].feed.name, top->chosen) == 0) return i;
  return 0;
}

const md_status_feed_t *
md_top_feed(const md_top_t *top, const md_status_view_t *view) {
  uint32_t order[MD_FEED_CNT_MAX], cnt = md_top_order(top, view, order);
  return cnt ? &view->feed[order[chosen_place(top, view, order, cnt)]] : NULL;
}

void
md_top_init(md_top_t *top) {
  memset(top, 0, sizeof *top);
}

static void
choose(md_top_t *top, const md_status_view_t *view, int step) {
  uint32_t order[MD_FEED_CNT_MAX], cnt = md_top_order(top, view, order);
  if (cnt == 0) return;
  uint32_t at = chosen_place(top, view, order, cnt);
  if (step < 0 && at > 0) at--;
  if (step > 0 && at + 1 < cnt) at++;
  memcpy(top->chosen, view->feed[order[at]].feed.name, sizeof top->chosen);
}

static void
type_filter(md_top_t *top, int key) {
  size_t len = strlen(top->filter);
  if (key == MD_KEY_ENTER || key == MD_KEY_ESCAPE || key == MD_KEY_CTRL_C) {
    top->is_typing = false;
    if (key != MD_KEY_ENTER) top->filter[0] = 0;
  } else if (key == MD_KEY_ERASE && len > 0) {
    top->filter[len - 1] = 0;
  } else if (key > ' ' && key <= '~' && len + 1 < sizeof top->filter) {
    top->filter[len]     = (char)key;
    top->filter[len + 1] = 0;
  }
}

bool
md_top_key(md_top_t *top, const md_status_view_t *view, int key) {
  if (key == MD_KEY_CLOSED) return false;
  if (top->is_typing) {
    type_filter(top, key);
    return true;
  }
  switch (key) {
  case 'q':
  case MD_KEY_CTRL_C:
    return false;
  case 'p':
  case ' ':
    top->is_paused = !top->is_paused;
    return true;
  case '?':
  case 'h':
    top->screen = top->screen == MD_TOP_HELP ? MD_TOP_FEEDS : MD_TOP_HELP;
    return true;
  case MD_KEY_ESCAPE:
  case MD_KEY_ERASE:
    if (top->screen == MD_TOP_FEEDS) top->filter[0] = 0;
    top->screen = MD_TOP_FEEDS;
    return true;
  case MD_KEY_ENTER:
    choose(top, view, 0);
    top->screen = MD_TOP_FEED;
    return true;
  case MD_KEY_UP:
  case 'k':
    choose(top, view, -1);
    return true;
  case MD_KEY_DOWN:
  case 'j':
    choose(top, view, 1);
    return true;
  case '/':
    top->is_typing = true;
    top->screen    = MD_TOP_FEEDS;
    top->filter[0] = 0;
    return true;
  case 's':
  case '>':
  case MD_KEY_RIGHT:
    top->sort          = (top->sort + 1) % COLUMN_CNT;
    top->is_descending = top->sort > STATE;
    return true;
  case '<':
  case MD_KEY_LEFT:
    top->sort          = (top->sort + COLUMN_CNT - 1) % COLUMN_CNT;
    top->is_descending = top->sort > STATE;
    return true;
  case 'r':
    top->is_descending = !top->is_descending;
    return true;
  default:
    return true;
  }
}

/* ---- drawing ---- */

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
              columns[top->sort].title, top->is_descending ? "highest first" : "lowest first");
  if (top->is_typing)
    md_page_put(page, 1, 46, MD_STYLE_BOLD, "filter: %s_", top->filter);
  else if (top->filter[0])
    md_page_put(page, 1, 46, MD_STYLE_BOLD, "filter: %s", top->filter);
  md_page_right(page, 1, MD_STYLE_PLAIN, "? help  q quit");
}

static void
draw_row(const md_status_view_t *view, const md_status_feed_t *f, uint32_t row, bool is_chosen,
         md_page_t *page) {
  char     cell[64];
  uint32_t col = 1;
  md_page_put(page, row, 0, MD_STYLE_MARK, "%s", is_chosen ? ">" : " ");
  for (uint32_t i = 0; i < COLUMN_CNT && col + columns[i].width <= page->cols; i++) {
    md_style_t style = is_chosen ? MD_STYLE_MARK : MD_STYLE_PLAIN;
    if (i == STATE) style = f->health == MDSHM_OK ? MD_STYLE_GOOD : MD_STYLE_BAD;
    if ((i == GAPS || i == LOST) && value_of(view, f, i) > 0) style = MD_STYLE_BAD;
    int width = (int)columns[i].width;
    cell_text(view, f, i, cell);
    md_page_put(page, row, col, style, columns[i].is_left ? "%-*.*s" : "%*.*s", width, width, cell);
    col += columns[i].width + 1;
  }
}

static uint32_t
draw_feeds(const md_top_t *top, const md_status_view_t *view, uint32_t row, uint32_t room,
           md_page_t *page) {
  uint32_t order[MD_FEED_CNT_MAX], cnt = md_top_order(top, view, order), col = 1;
  uint32_t at   = chosen_place(top, view, order, cnt);
  uint32_t from = at >= room ? at + 1 - room : 0;
  md_page_mark(page, row, MD_STYLE_HEAD);
  for (uint32_t i = 0; i < COLUMN_CNT && col + columns[i].width <= page->cols; i++) {
    md_page_put(page, row, col, i == top->sort ? MD_STYLE_BOLD : MD_STYLE_HEAD,
                columns[i].is_left ? "%-*s" : "%*s", (int)columns[i].width, columns[i].title);
    col += columns[i].width + 1;
  }
  row++;
  for (uint32_t i = from; i < cnt && i < from + room; i++)
    draw_row(view, &view->feed[order[i]], row++, i == at, page);
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
md_top_stages(const md_status_feed_t *feed, uint32_t row, md_page_t *page) {
  md_page_mark(page, row, MD_STYLE_HEAD);
  md_page_put(page, row++, 1, MD_STYLE_HEAD, "%-34.34s %9s %9s %9s %12s", feed->feed.name, "P50",
              "P99", "P99.9", "measured");
  draw_latency("exchange's time to receive", &feed->exchange, row++, page);
  draw_latency("receive to decoded", &feed->decode, row++, page);
  draw_latency("decoded to visible", &feed->visible, row++, page);
  return row;
}

static uint32_t
draw_sink_stages(const md_status_view_t *view, uint32_t row, md_page_t *page) {
  for (uint32_t i = 0; i < view->sink_cnt; i++) {
    bool journal = md_status_is_journal(&view->sink[i]);
    draw_latency(journal ? "ring wait, journal" : "ring wait, PostgreSQL", &view->sink[i].ring_wait,
                 row++, page);
    draw_latency(journal ? "published to durable" : "published to committed", &view->sink[i].done,
                 row++, page);
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
      "p, space         stand still; once more: go on",
      "?                this page",
      "q, Ctrl-C        quit",
      "",
      "state      STALE: no heartbeat for 2 s, DEAD: process gone; else of the input",
      "msg, rec   messages and records a second since the picture before",
      "gaps, lost holes of the exchange; records that a ring had no room for",
      "ring       how full the fuller ring is; -: only the engine's own user may know",
      "P50 ...    since the engine's start; in a wide table: decoded to visible",
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
    md_top_draw_feed(chosen, view, row, page);
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
      row = md_top_stages(&view->feed[order[i]], row, page);
  row = draw_sink_stages(view, row, page);
  for (uint32_t i = 0; i < cnt; i++)
    if (is_whole || &view->feed[order[i]] == chosen || row < page->rows - 1)
      row = draw_positions(&view->feed[order[i]], row, page);
}
