#include "monitoring/board.h"

#include "monitoring/board_history.h"
#include "monitoring/push.h"
#include "shm/decimal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000ll

struct md_board {
  md_board_config_t  cfg;
  mdshm_t           *shm; /* NULL until the segment is ready */
  md_history_t      *history;
  md_status_source_t source;
  int64_t            step_ns; /* of the newest point */
  /* now, and pictures of about one and two seconds before, which rates are taken against. */
  md_status_view_t now, one, two;
};

/* ---- the engine ---- */

/* Opened here and not at the start, when the segment is not ready yet. No guard: who truncates the
 * segment of this process ends it, handler or not. */
static bool
is_open(md_board_t *b) {
  if (b->shm) return true;
  if (mdshm_open(b->cfg.dir, b->cfg.name, 0, &b->shm, NULL, 0) != MDSHM_OK) return false;
  b->source = (md_status_source_t){b->shm,       b->cfg.dir,     b->cfg.name,
                                   b->cfg.clock, MDSHM_ANY_FEED, MD_STATUS_BOOKS_MAX};
  return true;
}

/* Rates are over one to two seconds, whenever they are asked for. */
static void
look(md_board_t *b) {
  const md_status_view_t *before = b->two.taken_mono_ns   ? &b->two
                                   : b->one.taken_mono_ns ? &b->one
                                                          : NULL;
  md_status_take(&b->source, before, &b->now);
  if (b->one.taken_mono_ns && b->now.taken_mono_ns - b->one.taken_mono_ns < SECOND_NS) return;
  b->two = b->one;
  b->one = b->now;
}

void
md_board_tick(md_board_t *b) {
  int64_t now_ns = md_clock_mono_ns(b->cfg.clock);
  if (!is_open(b) || now_ns - b->one.taken_mono_ns < SECOND_NS) return;
  look(b);
  if (now_ns - b->step_ns < MD_BOARD_STEP_NS) return;
  b->step_ns = now_ns;
  md_history_add(b->history, &b->now);
}

void
md_board_message(md_board_t *b, md_text_t *out) {
  md_text_add(out, ",\"time_ms\":%" PRId64, md_clock_real_ns(b->cfg.clock) / 1000000);
  if (!is_open(b)) {
    md_text_add(out, ",\"status\":null");
    return;
  }
  look(b);
  md_text_add(out, ",\"status\":");
  md_status_json(&b->now, out);
  md_text_add(out, ",\"point\":");
  md_history_newest(b->history, out);
}

void
md_board_history(md_board_t *b, md_text_t *out) {
  md_history_json(b->history, out);
}

/* ---- a book ---- */

static void
add_side(md_text_t *out, const char *name, const mdshm_level_t *levels, uint32_t cnt,
         const mdshm_book_meta_t *m) {
  char px[MD_DECIMAL_BYTES], qty[MD_DECIMAL_BYTES];
  md_text_add(out, ",\"%s\":[", name);
  for (uint32_t i = 0; i < cnt; i++)
    md_text_add(out, "%s[\"%s\",\"%s\"]", i ? "," : "",
                md_status_decimal(levels[i].px, m->px_exp, px),
                md_status_decimal(levels[i].qty, m->qty_exp, qty));
  md_text_add(out, "]");
}

/* Row of "FEED SYMBOL"; MDSHM_NONE when there is none. */
static uint32_t
find_row(md_board_t *b, const char *choice) {
  char        feed[MDSHM_NAME_BYTES];
  const char *blank = strchr(choice, ' ');
  size_t      len   = blank ? (size_t)(blank - choice) : sizeof feed;
  uint32_t    row;
  if (len >= sizeof feed || !is_open(b)) return MDSHM_NONE;
  memcpy(feed, choice, len);
  feed[len]         = 0;
  uint32_t feed_row = mdshm_feed_find(b->shm, feed);
  if (feed_row == MDSHM_NONE) return MDSHM_NONE;
  return mdshm_instrument_find(b->shm, feed_row, blank + 1, &row) == MDSHM_OK ? row : MDSHM_NONE;
}

void
md_board_ladder(md_board_t *b, const char *choice, md_text_t *out) {
  mdshm_ladder_t ladder = {.struct_size = sizeof ladder};
  uint32_t       row    = find_row(b, choice);
  mdshm_result_t result = MDSHM_ABSENT;
  if (row != MDSHM_NONE) result = mdshm_read_ladder(b->shm, row, MD_STATUS_MAX_AGE_NS, &ladder);
  const mdshm_book_meta_t *m     = &ladder.meta;
  bool                     lives = result == MDSHM_OK || result == MDSHM_NOT_VALID;
  md_text_add(out, "{\"choice\":");
  md_text_add_json(out, choice);
  md_text_add(out, ",\"state\":\"%s\"",
              lives ? mdshm_state_name(m->state) : mdshm_result_name(result));
  if (result > MDSHM_STOPPED) { /* nothing is known of it */
    md_text_add(out, "}");
    return;
  }
  md_text_add(out,
              ",\"reason\":\"%s\",\"gen\":%u,\"seq\":%" PRIu64 ",\"exch_seq\":%" PRIu64
              ",\"ts_recv_ns\":%" PRId64 ",\"bid_levels\":%u,\"ask_levels\":%u",
              mdshm_reason_name(m->reason), m->gen, m->last_seq, m->exch_seq, m->ts_recv_ns,
              m->bid_total, m->ask_total);
  add_side(out, "bids", ladder.bids, ladder.bid_cnt, m);
  add_side(out, "asks", ladder.asks, ladder.ask_cnt, m);
  md_text_add(out, "}");
}

/* ---- begin and end ---- */

md_board_t *
md_board_new(const md_board_config_t *cfg) {
  md_board_t *b = calloc(1, sizeof *b);
  if (!b) return NULL;
  b->cfg     = *cfg;
  b->history = md_history_new(cfg->segment);
  if (!b->history) {
    free(b);
    return NULL;
  }
  /* The default would put a handler into the engine, where a crash is to be seen as what it is. */
  if (mdshm_guard(MDSHM_GUARD_OFF) != MDSHM_OK) {
    md_board_free(b);
    return NULL;
  }
  return b;
}

void
md_board_free(md_board_t *b) {
  if (!b) return;
  mdshm_close(b->shm);
  md_history_free(b->history);
  free(b);
}
