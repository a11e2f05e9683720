/* What a venue tells only when it is asked: one symbol after another, at an even pace, with a part
 * of the REST budget that leaves room for snapshots. */
#include "feeds/live_parts.h"

#include <string.h>

#define BUDGET_PART  4u /* of the weight of a minute, for all polls together */
#define PAUSE_MIN_NS (100 * NS_PER_MS)
#define ABOUT_ALL_NS (10 * NS_PER_S) /* by then the symbols are known of which it tells */

/* Between two requests of a poll, as far as the budget goes. */
static int64_t
pause_min(const md_feed_live_t *l, const md_venue_poll_t *poll) {
  uint32_t cnt = 0;
  for (uint32_t n = 0; n < l->net->poll_cnt; n++)
    cnt += l->channel[l->net->polls[n].channel];
  uint64_t per_min = l->cfg.weight_per_min / BUDGET_PART / (cnt ? cnt : 1);
  if (per_min == 0) per_min = 1;
  int64_t pause = 60 * NS_PER_S * (int64_t)poll->weight / (int64_t)per_min;
  return pause > PAUSE_MIN_NS ? pause : PAUSE_MIN_NS;
}

/* The first round goes as fast as it may, later ones are spread over their time. */
static int64_t
pause_of(const md_feed_live_t *l, const md_venue_poll_t *poll, const md_feed_live_poll_t *p) {
  int64_t  least = pause_min(l, poll);
  int64_t  every = poll->every_ns ? poll->every_ns : l->cfg.poll_ns;
  uint32_t cnt   = poll->is_about_all ? 1 : md_feed_live_symbols_in_use(l);
  if (p->round_cnt == 0 || cnt == 0) return least;
  return every / cnt > least ? every / cnt : least;
}

static void
end_round(const md_feed_live_t *l, const md_venue_poll_t *poll, md_feed_live_poll_t *p) {
  bool was_first = p->round_cnt++ == 0;
  p->next        = 0;
  /* After the first, quick round the next one waits for its time. */
  int64_t every = poll->every_ns ? poll->every_ns : l->cfg.poll_ns;
  if (was_first) p->due_ns = l->now_ns + every;
}

/* False: no room for the request now. */
static bool
ask(md_feed_live_t *l, const md_venue_poll_t *poll, const char *symbol, bool *asked) {
  char url[MD_REST_URL_BYTES_MAX];
  *asked = poll->url(url, sizeof url, l->rest_url, symbol) != 0;
  return !*asked || md_rest_ask_paced(l->cfg.rest, url, poll->weight) != MD_ERR_FULL;
}

static void
poll_next(md_feed_live_t *l, const md_venue_poll_t *poll, md_feed_live_poll_t *p) {
  bool     asked = false;
  uint32_t cnt   = poll->is_about_all ? 1 : l->symbol_cnt;
  while (p->next < cnt && !asked) {
    const md_feed_live_symbol_t *s = &l->symbol[p->next];
    if (!poll->is_about_all && s->is_removed) {
      p->next++;
      continue;
    }
    if (!ask(l, poll, poll->is_about_all ? "" : s->name, &asked)) return;
    p->next++;
  }
  p->due_ns = l->now_ns + pause_of(l, poll, p);
  if (p->next >= cnt && cnt > 0) end_round(l, poll, p);
}

void
md_feed_live_polls(md_feed_live_t *l) {
  md_assert(l->net->poll_cnt <= MD_VENUE_POLL_CNT_MAX);
  for (uint32_t n = 0; n < l->net->poll_cnt; n++) {
    const md_venue_poll_t *poll = &l->net->polls[n];
    if (!l->channel[poll->channel] || l->now_ns < l->poll[n].due_ns) continue;
    if (poll->is_about_all && l->now_ns - l->begin_ns < ABOUT_ALL_NS) continue;
    poll_next(l, poll, &l->poll[n]);
  }
}
