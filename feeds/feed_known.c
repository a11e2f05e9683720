/* Of a book whose snapshot was cut only the levels up to an edge are known, and the market walks:
 * fewer and fewer of them are left, and at last the best price lies where nobody has seen all. Who
 * can ask for more is told in time. Most of what the market comes to was changed while it came, so
 * the book is right for the most part even there; where a level is missing that nothing changed,
 * the venue's own best price shows it. */
#include "feeds/feed_parts.h"
#include "feeds/rule.h"

/* Of the levels that a snapshot showed, the part of which the first warning is given; later ones
 * come at half as many each time. */
#define FIRST_PART 2u

static int64_t
edge_of(const md_feed_instrument_t *i, md_side_t side) {
  return side == MD_SIDE_BUY ? i->trusted_bid : i->trusted_ask;
}

static bool
is_better(md_side_t side, int64_t px, int64_t than) {
  return side == MD_SIDE_BUY ? px > than : px < than;
}

/* So many levels of a side are surely there, the best of all among them. */
static bool
side_has(const md_feed_instrument_t *i, md_side_t side, uint32_t cnt) {
  const int64_t edge = edge_of(i, side);
  md_level_t    level;
  if (edge == MD_NULL_I64) return true;
  return md_orderbook_at(&i->book, side, cnt - 1, &level) && !is_better(side, edge, level.px);
}

static bool
both_have(const md_feed_instrument_t *i, uint32_t cnt) {
  return side_has(i, MD_SIDE_BUY, cnt) && side_has(i, MD_SIDE_SELL, cnt);
}

void
md_feed_known_begin(md_feed_t *f, md_feed_instrument_t *i) {
  const bool     is_cut = i->trusted_bid != MD_NULL_I64 || i->trusted_ask != MD_NULL_I64;
  const uint32_t part   = i->snapshot_limit / FIRST_PART;
  i->known_first        = part > 0 ? part : 1;
  i->known_min          = is_cut && !f->rule->keeps_window ? i->known_first : 0;
}

/* known_min is what there was still, the last time that it was told. */
uint32_t
md_feed_known_left(const md_feed_instrument_t *i, uint32_t limit) {
  return i->known_min == 0 || i->known_min == i->known_first ? limit : 2 * i->known_min - 1;
}

/* A warning is given once for each half: fewer than known_min are left, which becomes the next
 * number to watch. */
void
md_feed_known_check(md_feed_t *f, md_feed_instrument_t *i) {
  const uint32_t was = i->known_min;
  if (was == 0 || both_have(i, was)) return;
  while (i->known_min > 1 && !both_have(i, i->known_min))
    i->known_min /= 2;
  if (f->cfg.tell_low && i->known_min < was)
    f->cfg.tell_low(f->cfg.request_ctx, i->symbol, md_feed_known_left(i, 0));
}

/* A best price of the venue that lies beyond the edge, and nothing that we know is as good. */
bool
md_feed_known_lacks(const md_feed_instrument_t *i, md_side_t side, int64_t px) {
  md_level_t best;
  if (i->known_min == 0 || !MD_RULE(DEPTH) || px == MD_NULL_I64) return false;
  if (edge_of(i, side) == MD_NULL_I64 || !is_better(side, edge_of(i, side), px)) return false;
  return !md_orderbook_at(&i->book, side, 0, &best) || is_better(side, px, best.px);
}
