/* Snapshots that were small because every book needed one at once are followed by deeper ones, with
 * weight that nothing else needs: one book after the other, those that know least first, a step at
 * a time. A book whose market has left most of what was known behind is asked for before its best
 * price is unknown: it goes first, and takes weight that others would leave, because without it the
 * book would need a snapshot all the same. */
#include "feeds/live_parts.h"

#include <stdio.h>
#include <string.h>

#define QUIET_NS        (2 * NS_PER_S)    /* since a book needed a snapshot at once */
#define NEXT_NS         (250 * NS_PER_MS) /* between two */
#define ANSWER_NS       (40 * NS_PER_S)   /* then it is given up; the feed does so before */
#define RETRY_NS        (5 * NS_PER_S)    /* of one book; twice as long each time in vain */
#define RETRY_SHIFT_MAX 7u

static void
in_vain(md_feed_live_t *l, md_feed_live_symbol_t *s) {
  uint32_t shift = s->deeper_cnt < RETRY_SHIFT_MAX ? s->deeper_cnt : RETRY_SHIFT_MAX;
  s->deeper_cnt++;
  s->deeper_ns = l->now_ns + (RETRY_NS << shift);
}

void
md_feed_live_tell_depth(void *ctx, const char *symbol, uint32_t limit, uint32_t left) {
  md_feed_live_t        *l = ctx;
  md_feed_live_symbol_t *s = md_feed_live_find_symbol(l, symbol, (uint32_t)strlen(symbol));
  if (!s) return;
  const bool is_new = limit == 0 || limit > l->deeper_from || (l->deeper_is_low && left == limit);
  s->depth          = limit;
  s->left           = left;
  if (l->deeper_symbol != (uint32_t)(s - l->symbol)) return;
  l->deeper_symbol = MD_LIVE_NONE;
  if (is_new)
    s->deeper_cnt = 0;
  else
    in_vain(l, s);
}

void
md_feed_live_tell_low(void *ctx, const char *symbol, uint32_t left) {
  md_feed_live_t        *l = ctx;
  md_feed_live_symbol_t *s = md_feed_live_find_symbol(l, symbol, (uint32_t)strlen(symbol));
  if (s && left < s->left) s->left = left;
}

static bool
is_low(const md_feed_live_symbol_t *s) {
  return s->left < s->depth;
}

/* The fewest levels above depth that can be asked for; 0: there is no more. */
static uint32_t
next_limit(const md_feed_live_t *l, uint32_t depth) {
  uint32_t found = 0;
  for (const uint32_t *limit = l->net->snapshot_limits; *limit > depth; limit++)
    found = *limit;
  return found;
}

static md_feed_live_symbol_t *
choose(md_feed_live_t *l) {
  md_feed_live_symbol_t *best = NULL;
  for (uint32_t n = 0; n < l->symbol_cnt; n++) {
    md_feed_live_symbol_t *s = &l->symbol[n];
    if (s->depth == 0 || s->is_removed || l->now_ns < s->deeper_ns) continue;
    if (best && best->left <= s->left) continue;
    if (is_low(s) || next_limit(l, s->depth)) best = s;
  }
  return best;
}

/* What must be left: weight for a snapshot of every book, if all connections were lost now. */
static uint64_t
reserve(const md_feed_live_t *l) {
  return (uint64_t)md_feed_live_symbols_in_use(l) *
         l->net->snapshot_weight(md_feed_live_snapshot_limit(l));
}

/* A step deeper. Where there is none, or no weight for it, a book of which little is left is asked
 * for as many levels again, which lie elsewhere now. 0: nothing yet. */
static uint32_t
limit_of(const md_feed_live_t *l, const md_feed_live_symbol_t *s) {
  const uint64_t spare  = md_rest_spare(l->cfg.rest);
  const uint32_t base   = md_feed_live_snapshot_limit(l);
  uint32_t       deeper = next_limit(l, s->depth), again = next_limit(l, s->left);
  const uint64_t reserved = is_low(s) ? 0 : reserve(l);
  if (deeper && spare >= reserved + l->net->snapshot_weight(deeper)) return deeper;
  if (!is_low(s)) return 0;
  if (again < base) again = base;
  return spare >= l->net->snapshot_weight(again) ? again : 0;
}

static void
ask(md_feed_live_t *l, md_feed_live_symbol_t *s) {
  char           url[MD_REST_URL_BYTES_MAX], text[MD_SYMBOL_BYTES + 8];
  const uint32_t limit = limit_of(l, s);
  if (limit == 0 || !l->net->snapshot_url(url, sizeof url, l->rest_url, s->name, limit)) return;
  int len = snprintf(text, sizeof text, "deepen %s", s->name);
  if (!md_feed_live_push(l, MD_RAW_TIMER, MD_LEG_NONE, "", text, (uint32_t)len)) return;
  l->deeper_symbol = (uint32_t)(s - l->symbol);
  l->deeper_from   = s->depth;
  l->deeper_is_low = is_low(s);
  l->deeper_end_ns = l->now_ns + ANSWER_NS;
  if (md_rest_ask_once(l->cfg.rest, url, l->net->snapshot_weight(limit)))
    l->deeper_end_ns = l->now_ns;
}

/* While a connection is away its books are no longer VALID, and will soon need weight. */
static bool
is_connected(const md_feed_live_t *l) {
  for (uint32_t n = 0; n < l->link_cnt; n++) {
    const md_feed_live_link_t *k = &l->link[n];
    if (k->half[k->active].state != MD_LIVE_OPEN && md_feed_live_is_wanted(l, k)) return false;
  }
  return true;
}

void
md_feed_live_deepen(md_feed_live_t *l) {
  if (l->now_ns < l->deeper_next_ns || !l->net->snapshot_url || l->net->snapshot_ns) return;
  l->deeper_next_ns = l->now_ns + NEXT_NS;
  if (l->deeper_symbol != MD_LIVE_NONE) {
    if (l->now_ns < l->deeper_end_ns) return;
    in_vain(l, &l->symbol[l->deeper_symbol]);
    l->deeper_symbol = MD_LIVE_NONE;
  }
  if (l->wants_snapshots || !is_connected(l)) return;
  md_feed_live_symbol_t *s = choose(l);
  if (s && (is_low(s) || l->now_ns - l->snapshot_ns >= QUIET_NS)) ask(l, s);
}
