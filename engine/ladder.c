#include "engine/ladder.h"
#include "engine/screen.h"

#include <inttypes.h>
#include <string.h>

#define HEAD_ROWS 3u /* title, positions, heading */
#define FOOT_ROWS 1u
#define GAP_COLS  3u /* between the sides */
#define BAR_MAX   60u
#define QTY_MAX   (INT64_MAX / (int64_t)MD_LADDER_WATCH_MAX)

void
md_ladder_read(mdshm_t *shm, uint32_t row, uint32_t levels, md_book_levels_t *out) {
  mdshm_ladder_t ladder = {.struct_size = sizeof ladder};
  mdshm_depth_t  depth  = {
        .struct_size = sizeof depth, .max_levels = levels, .bids = out->bids, .asks = out->asks};
  bool deep = levels > MDSHM_LADDER_LEVELS;
  /* The first call that finds a new engine attaches to it, the next one reads. */
  for (int i = 0; i < 2; i++) {
    out->result = deep ? mdshm_read_depth(shm, row, MD_LIVE_MAX_AGE_NS, &depth)
                       : mdshm_read_ladder(shm, row, MD_LIVE_MAX_AGE_NS, &ladder);
    if (out->result != MDSHM_RESTARTED) break;
  }
  memset(&out->meta, 0, sizeof out->meta);
  out->bid_cnt = out->ask_cnt = 0;
  if (out->result > MDSHM_STOPPED) return;
  if (deep) {
    out->meta    = depth.meta;
    out->bid_cnt = depth.bid_cnt;
    out->ask_cnt = depth.ask_cnt;
    return;
  }
  out->meta    = ladder.meta;
  out->bid_cnt = ladder.bid_cnt < levels ? ladder.bid_cnt : levels;
  out->ask_cnt = ladder.ask_cnt < levels ? ladder.ask_cnt : levels;
  memcpy(out->bids, ladder.bids, out->bid_cnt * sizeof *out->bids);
  memcpy(out->asks, ladder.asks, out->ask_cnt * sizeof *out->asks);
}

const char *
md_ladder_state(const md_book_levels_t *l) {
  return l->result == MDSHM_OK || l->result == MDSHM_NOT_VALID ? mdshm_state_name(l->meta.state)
                                                               : mdshm_result_name(l->result);
}

bool
md_ladder_key(md_ladder_screen_t *screen, int key) {
  switch (key) {
  case 'q':
  case MD_KEY_CTRL_C:
  case MD_KEY_CLOSED:
    return false;
  case 'p':
  case ' ':
    screen->is_paused = !screen->is_paused;
    return true;
  case '+':
  case '=':
  case MD_KEY_DOWN:
    screen->levels += screen->levels < MD_LADDER_WATCH_MAX;
    return true;
  case '-':
  case MD_KEY_UP:
    screen->levels -= screen->levels > 1;
    return true;
  default:
    return true;
  }
}

uint32_t
md_ladder_room(uint32_t rows) {
  return rows > HEAD_ROWS + FOOT_ROWS ? rows - HEAD_ROWS - FOOT_ROWS : 0;
}

/* Quantity of the first cnt levels. More than that is no quantity, but must not overflow either. */
static uint64_t
sum_of(const mdshm_level_t *levels, uint32_t cnt) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < cnt; i++)
    if (levels[i].qty > 0 && levels[i].qty <= QTY_MAX) sum += (uint64_t)levels[i].qty;
  return sum;
}

static void
draw_bar(uint32_t row, uint32_t col, uint32_t len, md_style_t style, md_page_t *page) {
  for (uint32_t i = 0; i < len; i++)
    md_page_put(page, row, col + i, style, "#");
}

static void
draw_levels(const md_book_levels_t *l, uint32_t cnt, md_page_t *page) {
  uint32_t width  = page->cols >= 100 ? 16 : 12; /* of a price and of a quantity */
  uint32_t middle = 4 * width + 2 + GAP_COLS;
  uint32_t bar    = page->cols > middle + 2 ? (page->cols - middle) / 2 - 1 : 0;
  uint32_t bids = l->bid_cnt < cnt ? l->bid_cnt : cnt, asks = l->ask_cnt < cnt ? l->ask_cnt : cnt;
  uint64_t bid_sum = sum_of(l->bids, bids), ask_sum = sum_of(l->asks, asks);
  uint64_t most = bid_sum > ask_sum ? bid_sum : ask_sum;
  if (bar > BAR_MAX) bar = BAR_MAX;
  uint64_t each = most / (bar ? bar : 1) + 1; /* quantity of one character of a bar */
  uint32_t left = bar + 1, right = left + 2 * width + 1 + GAP_COLS;
  int      w = (int)width;
  md_page_mark(page, 2, MD_STYLE_HEAD);
  md_page_put(page, 2, left, MD_STYLE_HEAD, "%*s %*s | %-*s %-*s", w, "bid qty", w, "bid", w, "ask",
              w, "ask qty");
  for (uint32_t i = 0; i < cnt; i++) {
    char px[MD_DECIMAL_BYTES], qty[MD_DECIMAL_BYTES];
    md_page_put(page, HEAD_ROWS + i, left + 2 * width + 2, MD_STYLE_PLAIN, "|");
    if (i < bids) {
      uint32_t len = (uint32_t)(sum_of(l->bids, i + 1) / each);
      draw_bar(HEAD_ROWS + i, bar - len, len, MD_STYLE_GOOD, page);
      md_page_put(page, HEAD_ROWS + i, left, MD_STYLE_PLAIN, "%*s %*s", w,
                  md_cli_decimal(l->bids[i].qty, l->meta.qty_exp, qty), w,
                  md_cli_decimal(l->bids[i].px, l->meta.px_exp, px));
    }
    if (i < asks) {
      uint32_t len = (uint32_t)(sum_of(l->asks, i + 1) / each);
      md_page_put(page, HEAD_ROWS + i, right, MD_STYLE_PLAIN, "%-*s %-*s", w,
                  md_cli_decimal(l->asks[i].px, l->meta.px_exp, px), w,
                  md_cli_decimal(l->asks[i].qty, l->meta.qty_exp, qty));
      draw_bar(HEAD_ROWS + i, right + 2 * width + 2, len, MD_STYLE_BAD, page);
    }
  }
}

/* Why the book is not to be believed, where that is so. */
static void
draw_state(const md_ladder_screen_t *screen, const md_book_levels_t *l, md_page_t *page) {
  const char *why = "";
  if (l->result == MDSHM_DEAD)
    why = ": the engine's process is gone, this is what it knew last";
  else if (l->result == MDSHM_STALE)
    why = ": the feed's thread hangs";
  else if (l->result == MDSHM_STOPPED || l->result == MDSHM_SUPERSEDED)
    why = ": waiting for the next engine";
  else if (l->result == MDSHM_NOT_VALID && l->meta.reason)
    why = mdshm_reason_name(l->meta.reason);
  uint32_t col = (uint32_t)(strlen(screen->feed) + strlen(screen->symbol)) + 3;
  md_page_put(page, 0, 0, MD_STYLE_BOLD, "%s %s", screen->feed, screen->symbol);
  md_page_put(page, 0, col, l->result == MDSHM_OK ? MD_STYLE_GOOD : MD_STYLE_BAD, "%s%s%s",
              md_ladder_state(l), *why && *why != ':' ? ": " : "", why);
}

void
md_ladder_draw(const md_ladder_screen_t *screen, const md_book_levels_t *l, md_page_t *page) {
  uint32_t room = md_ladder_room(page->rows), cnt = screen->levels < room ? screen->levels : room;
  char     spread[MD_DECIMAL_BYTES] = "-";
  draw_state(screen, l, page);
  if (screen->restart_cnt > 0 || screen->is_paused)
    md_page_right(page, 0, MD_STYLE_BAD, screen->is_paused ? "PAUSED%.0u" : "restarted %u x",
                  screen->restart_cnt);
  if (l->bid_cnt && l->ask_cnt && l->bids[0].px != MDSHM_ABSENT_I64)
    (void)md_cli_decimal(l->asks[0].px - l->bids[0].px, l->meta.px_exp, spread);
  double age_s = (double)(screen->now_ns - l->meta.ts_recv_ns) / 1e9;
  if (l->result <= MDSHM_STOPPED)
    md_page_put(page, 1, 0, MD_STYLE_PLAIN,
                "update %" PRIu64 "  seq %" PRIu64 "  %u bids, %u asks  spread %s  age %.*f s",
                l->meta.exch_seq, l->meta.last_seq, l->meta.bid_total, l->meta.ask_total, spread,
                age_s < 10.0 ? 3 : 0, age_s);
  draw_levels(l, cnt, page);
  if (page->rows > HEAD_ROWS + FOOT_ROWS)
    md_page_put(page, page->rows - 1, 0, MD_STYLE_PLAIN,
                "q quit  p pause  + - more, fewer levels (%u)%s", cnt,
                screen->restart_cnt && screen->is_paused ? "  restarted" : "");
}
