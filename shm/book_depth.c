/* Depth's writer: windows of ticks that are changed in place behind a log of what they held before,
 * and a second copy for messages that rewrite everything. Readers: book_depth_read.c. */
#include "shm/book_depth.h"

/* Levels that are fetched at a time. */
#define FETCH_CNT 64u

/* A side that was rewritten fewer messages ago and left its window again does without one. */
#define QUICK_CNT 8u

static md_depth_writer_t
depth_begin(md_book_t *b) {
  const uint64_t words = md_book_side_words(b->depth_levels);
  md_atomic_u64 *sides = md_book_words_at(b, md_book_side_off(b->depth_levels, 0));

  md_depth_writer_t w = {
      .book       = b,
      .own        = (md_book_depth_own_t *)(void *)((uint8_t *)b + sizeof(md_book_t)),
      .sides      = sides,
      .log        = sides + 2ull * MD_DEPTH_COPIES * words,
      .side_words = words,
      .ticks      = md_book_window_ticks(b->depth_levels),
      .cap        = b->depth_levels,
      .log_cnt    = md_book_log_cnt(b->depth_levels),
      .pos        = md_load_relaxed(&b->depth_logged), /* own words */
      .floor      = md_load_relaxed(&b->depth_floor),
  };

  w.end = w.pos + w.log_cnt - w.log_cnt / 8; /* who reads the state before can still take it back */
  return w;
}

/* depth_publish makes what the message left behind the newest state. */
static void
depth_publish(const md_depth_writer_t *w, const md_book_meta_t *meta) {
  const uint64_t newest  = md_load_relaxed(&w->book->depth_newest); /* only this thread stores it */
  md_atomic_u64 *words   = md_book_words_at(w->book, md_book_state_off(newest + 1));
  const uint64_t head[2] = {w->pos, w->own->copy};

  md_book_words_store(words, head, 2);
  md_book_words_store(words + 2, w->own->side, MD_BOOK_STATE_WORDS - MD_BOOK_META_WORDS - 2);
  md_book_words_store(words + MD_BOOK_STATE_WORDS - MD_BOOK_META_WORDS, meta, MD_BOOK_META_WORDS);
  md_atomic_u64 *to = &w->book->depth_newest;
  md_store_release(to, newest + 1); /* R3: whole; pairs with A3 in shm/book_depth_read.c */
}

/* ---- all levels, into the copy at rest ---- */

/* depth_low_for gives the begin of a window whose best level is key: a quarter is left above. */
static int64_t
depth_low_for(int64_t key, uint32_t ticks) {
  const int64_t below = ticks - ticks / 4 - 1;
  const int64_t last  = INT64_MAX - (int64_t)ticks + 1;
  const int64_t low   = key < INT64_MIN + below ? INT64_MIN : key - below;

  return low < last ? low : last;
}

/* depth_goal is how many levels a side holds when some were fetched: more than depth_levels, so
 * that not every message that takes one away has to fetch again. */
static uint32_t
depth_goal(const md_depth_writer_t *w) {
  return w->cap + w->cap / 32 + 1;
}

/* depth_reaches says whether the engine's n-th best level is not worse than key; none is what it is
 * told. */
static bool
depth_reaches(const md_book_message_t *m, md_side_t side, uint32_t n, int64_t key, bool none) {
  const md_levels_want_t want = {.first = n, .max = 1};
  md_level_t             level;

  if (m->read(m->ctx, side, &want, &level) == 0) return none;
  return md_book_key(side, level.px) >= key;
}

/* depth_fill_window fills the words of the side's window, which is chosen. */
static void
depth_fill_window(md_depth_writer_t *w, const md_book_message_t *m, unsigned which) {
  const md_side_t       side  = which == 0 ? MD_SIDE_BUY : MD_SIDE_SELL;
  md_book_depth_side_t *s     = &w->own->side[which];
  md_atomic_u64        *words = md_depth_words(w, 2 * w->own->copy + which);
  md_level_t            levels[FETCH_CNT];
  int64_t               key = INT64_MIN;

  for (uint32_t i = 0; i < s->ticks; i++)
    md_store_release(&words[i], 0); /* R1: after the floor; pairs with A1 in shm/book_layout.h */
  for (uint32_t got = FETCH_CNT; got == FETCH_CNT;) {
    const md_levels_want_t part = {.first = s->window_cnt, .max = FETCH_CNT};
    got                         = m->read(m->ctx, side, &part, levels);
    for (uint32_t n = 0; n < got; n++) {
      const int64_t  before = key;
      const uint64_t off    = (uint64_t)md_book_key(side, levels[n].px) - (uint64_t)s->low;
      key                   = md_book_key(side, levels[n].px);
      /* An engine's book that is not sorted ends the side early; it never writes beside it. */
      if (key < s->low || off >= s->ticks || (s->window_cnt > 0 && key >= before)) return;
      md_book_words_store(&words[off], &levels[n].qty, 1);
      s->groups |= UINT64_C(1) << off / MD_BOOK_GROUP_TICKS;
      s->window_cnt++;
    }
  }
}

/* depth_fill_side fills a side with a window of so many words; false when window and circle do not
 * hold as many levels as they should. */
static bool
depth_fill_side(md_depth_writer_t *w, const md_book_message_t *m, unsigned which, int64_t best,
                uint32_t ticks) {
  md_book_depth_side_t *s = &w->own->side[which];

  *s = (md_book_depth_side_t){.ticks = ticks};
  if (ticks > 0) {
    s->low = depth_low_for(best, ticks);
    depth_fill_window(w, m, which);
  }
  w->own->work[which]  = 0;
  w->own->floor[which] = ticks > 0 ? s->low : INT64_MIN;
  if (s->window_cnt >= w->cap) return true;
  md_depth_far_t far = md_depth_far_open(w, which);
  /* As above: a book that is not sorted ends the side early. */
  (void)md_depth_far_fill(&far, m, depth_goal(w));
  md_depth_far_close(&far);
  return s->window_cnt + s->far_cnt >= w->cap || w->own->floor[which] == INT64_MIN;
}

/* depth_rewrite_side takes the largest window of which a sixteenth would be levels, because readers
 * look at every word, and behind which the circle has room for the others. */
static void
depth_rewrite_side(md_depth_writer_t *w, const md_book_message_t *m, unsigned which,
                   bool wants_window) {
  const md_side_t       side  = which == 0 ? MD_SIDE_BUY : MD_SIDE_SELL;
  const md_book_best_t *best  = &m->best[which];
  const uint32_t        least = w->ticks / 8, goal = depth_goal(w);
  uint32_t              ticks = wants_window && best->cnt > 0 ? w->ticks : 0;

  for (; ticks >= MD_BOOK_WINDOW_MIN && ticks >= least; ticks /= 2) {
    const int64_t  key  = md_book_key(side, best->levels[0].px);
    const int64_t  low  = depth_low_for(key, ticks);
    const uint32_t room = md_book_far_cap(w->cap, ticks);
    if (!depth_reaches(m, side, ticks / 16, low, false)) continue;
    if (room < goal && !depth_reaches(m, side, goal - room - 1, low, true)) continue;
    if (depth_fill_side(w, m, which, key, ticks)) return;
  }
  (void)depth_fill_side(w, m, which, 0, 0);
}

/* depth_rewrite_all fills the copy at rest and makes it the one that is changed in place. Reads
 * that began before it came to rest, two such messages ago, count no more. */
static void
depth_rewrite_all(md_depth_writer_t *w, const md_book_message_t *m, const bool no_window[2]) {
  md_book_depth_own_t *own = w->own;

  if (w->floor < own->switched) md_depth_floor(w, own->switched);
  own->copy  = 1 - own->copy;
  w->is_rest = true;
  for (unsigned which = 0; which < 2; which++)
    depth_rewrite_side(w, m, which, !no_window[which]);
  w->is_over = false;
  w->end     = UINT64_MAX;
  if (md_depth_log_room(w, 1)) md_depth_log_put(w, MD_BOOK_NO_PLACE, 0);
  md_depth_log_close(w); /* so that this state's log is longer than any before it */
  own->switched  = w->pos;
  own->rewritten = md_load_relaxed(&w->book->depth_newest) + 1; /* only this thread stores it */
}

void
md_book_depth_all(md_book_t *b, const md_book_message_t *m) {
  static const bool with_windows[2];

  if (b->depth_levels == 0) return;
  md_depth_writer_t w = depth_begin(b);
  depth_rewrite_all(&w, m, with_windows);
  depth_publish(&w, m->meta);
}

void
md_book_depth_meta(md_book_t *b, const md_book_meta_t *meta) {
  if (b->depth_levels == 0) return;
  const md_depth_writer_t w = depth_begin(b);
  depth_publish(&w, meta);
}

/* ---- the changes of one message ---- */

/* Changes of one side that stand side by side. */
typedef struct depth_run {
  const md_book_change_t *changes;
  uint32_t                cnt;
  unsigned                which;
  md_side_t               side;
  uint64_t                low, ticks; /* of the window; no ticks: there is none */
} depth_run_t;

/* depth_log_run notes what stands in the words of the window that the changes concern, and returns
 * how many do. */
static uint32_t
depth_log_run(md_depth_writer_t *w, const depth_run_t *r, const md_atomic_u64 *words) {
  const uint64_t place = (2 * w->own->copy + r->which) << 32, begin = w->pos;

  if (r->ticks == 0 || !md_depth_log_room(w, r->cnt)) return 0;
  md_depth_writer_t at = *w; /* in registers */
  for (uint32_t i = 0; i < r->cnt; i++) {
    const uint64_t off = (uint64_t)md_book_key(r->side, r->changes[i].px) - r->low;
    if (off < r->ticks) md_depth_log_put(&at, place | off, md_load_relaxed(&words[off])); /* own */
  }
  w->pos = at.pos;
#if MD_MUTANT != 23
  if (w->pos != begin) md_depth_log_close(w);
#endif
  return (uint32_t)(w->pos - begin);
}

/* depth_group_is_empty looks at the words of a group from one on, round to it again. */
static bool
depth_group_is_empty(const md_atomic_u64 *words, uint64_t from) {
  const uint64_t first = from - from % MD_BOOK_GROUP_TICKS;

  for (uint64_t i = 0; i < MD_BOOK_GROUP_TICKS; i++)
    if (md_load_relaxed(&words[first + (from + i) % MD_BOOK_GROUP_TICKS]) != 0)
      return false; /* own */
  return true;
}

/* depth_set_run changes the words of the window, whose entries are there. Without a branch on what
 * a level does, which cannot be predicted. */
static void
depth_set_run(md_book_depth_side_t *s, const depth_run_t *r, md_atomic_u64 *words) {
  uint64_t put = 0, gone = 0, gone_at = 0;
  uint32_t cnt = s->window_cnt;

  for (uint32_t i = 0; i < r->cnt; i++) {
    const uint64_t off = (uint64_t)md_book_key(r->side, r->changes[i].px) - r->low;
    const uint64_t qty = (uint64_t)r->changes[i].qty;
    if (off >= r->ticks) continue;
    const uint64_t bit = UINT64_C(1) << off / MD_BOOK_GROUP_TICKS;
    const uint64_t was = md_load_relaxed(&words[off]); /* only this thread stores it */
    md_store_release(&words[off], qty); /* R1: logged; pairs with A1 in shm/book_layout.h */
    cnt += (uint32_t)(qty != 0) - (uint32_t)(was != 0);
    put |= qty != 0 ? bit : 0;
    gone |= qty != 0 ? 0 : bit;
    gone_at = qty != 0 ? gone_at : off;
  }
  s->window_cnt = cnt;
  s->groups |= put;
  for (gone &= s->groups & ~put; gone != 0; gone &= gone - 1) {
    const uint64_t group = (uint64_t)__builtin_ctzll(gone);
    const uint64_t from =
        group == gone_at / MD_BOOK_GROUP_TICKS ? gone_at : group * MD_BOOK_GROUP_TICKS;
    if (depth_group_is_empty(words, from)) s->groups &= ~(UINT64_C(1) << group);
  }
}

/* depth_outside follows the changes that are not in the window and says whether there were any that
 * concern depth. One above it makes the message rewrite all. */
static bool
depth_outside(md_depth_writer_t *w, const depth_run_t *r, bool *left) {
  md_depth_far_t far = md_depth_far_open(w, r->which);
  uint32_t       cnt = 0;

  for (uint32_t i = 0; i < r->cnt; i++) {
    const md_book_change_t *c   = &r->changes[i];
    const int64_t           key = md_book_key(r->side, c->px);
    if ((uint64_t)key - r->low < r->ticks) continue;
    if (r->ticks != 0 && key > (int64_t)r->low) {
      if (c->qty != 0) *left = true;
      continue;
    }
    cnt += key >= far.floor;
    md_depth_far_change(&far, c);
  }
  md_depth_far_close(&far);
  /* Many changes at once (a large frame, a short depth) cost more one by one than all levels. */
  if (*left || cnt > w->cap / 2 + 16) w->is_over = true;
  return *left || cnt > 0;
}

/* depth_run makes the changes of one side; it says whether they concern depth. */
static bool
depth_run(md_depth_writer_t *w, const depth_run_t *r, bool *left) {
  md_book_depth_side_t *s        = &w->own->side[r->which];
  md_atomic_u64        *words    = md_depth_words(w, 2 * w->own->copy + r->which);
  const uint32_t        in_cnt   = depth_log_run(w, r, words);
  bool                  concerns = in_cnt > 0;

  if (MD_UNLIKELY(w->is_over)) return true;
  if (in_cnt > 0) depth_set_run(s, r, words);
  if (MD_UNLIKELY(in_cnt < r->cnt)) concerns = depth_outside(w, r, left) || concerns;
  return concerns;
}

/* depth_is_worn says that a side would be cheaper with a window put anew: so much work went into
 * its circle as it costs to rewrite all. */
static bool
depth_is_worn(const md_depth_writer_t *w, const md_book_best_t *best, unsigned which) {
  const md_book_depth_side_t *s    = &w->own->side[which];
  const uint32_t              work = w->own->work[which];

  if (s->ticks == 0) return work / 4 > w->ticks && work / 4 > w->cap;
  if (best->cnt == 0 || work <= (w->ticks + w->cap) / 4) return false;
  const int64_t key = md_book_key(best->side, best->levels[0].px);
  return key < s->low || (uint64_t)key - (uint64_t)s->low < s->ticks / 8;
}

/* depth_tend fetches levels behind a side that lost some, and lets go of those it needs no more. */
static void
depth_tend(md_depth_writer_t *w, const md_book_message_t *m, unsigned which) {
  md_book_depth_side_t *s = &w->own->side[which];

  if (MD_UNLIKELY(s->window_cnt + s->far_cnt < w->cap && w->own->floor[which] > INT64_MIN)) {
    md_depth_far_t far = md_depth_far_open(w, which);
    /* A side that is not what the engine has, or has no room for it, is made anew. */
    bool good = md_depth_far_fill(&far, m, depth_goal(w));
    if (far.window_cnt + far.cnt < w->cap && far.floor > INT64_MIN) good = false;
    if (MD_UNLIKELY(!good)) w->is_over = true;
    md_depth_far_close(&far);
  } else if (s->far_cnt > 0 && s->window_cnt >= depth_goal(w)) {
    s->far_cnt           = 0;
    w->own->floor[which] = s->low;
  }
  if (MD_UNLIKELY(depth_is_worn(w, &m->best[which], which))) w->is_over = true;
}

void
md_book_depth_apply(md_book_t *b, const md_book_message_t *m) {
  bool left[2] = {false, false}, concerns = m->meta_matters;

  if (b->depth_levels == 0) return;
  md_depth_writer_t w = depth_begin(b);
  for (uint32_t i = 0, begin; i < m->change_cnt;) {
    const md_side_t side  = (md_side_t)m->changes[i].side;
    const unsigned  which = side == MD_SIDE_BUY ? 0 : 1;
    for (begin = i++; i < m->change_cnt && m->changes[i].side == (uint8_t)side;)
      i++;
    const md_book_depth_side_t *s = &w.own->side[which];
    const depth_run_t r = {m->changes + begin, i - begin, which, side, (uint64_t)s->low, s->ticks};
    if (depth_run(&w, &r, &left[which])) concerns = true;
  }
  if (!concerns) return;
  for (unsigned which = 0; which < 2 && !w.is_over; which++)
    depth_tend(&w, m, which);
  if (MD_UNLIKELY(w.is_over)) {
    const bool is_quick =
        md_load_relaxed(&b->depth_newest) - w.own->rewritten < QUICK_CNT; /* own */
    const bool no_window[2] = {is_quick && left[0], is_quick && left[1]};
    depth_rewrite_all(&w, m, no_window);
  }
  depth_publish(&w, m->meta);
}

/* ---- what a message will need ---- */

/* So many ticks of a window below the best one are asked for, and so many above: as many words of a
 * circle, too. Words of the log. Not all that a message may need: what is asked for in vain delays
 * the rest, and half as much again cost more than the misses that it saved. */
#define ASK_BELOW 40u
#define ASK_ABOVE 8u
#define ASK_LOG   (40 * MD_BOOK_ENTRY_WORDS)

/* depth_ask_from says from which word of a side on. Of a circle that goes round behind the best
 * levels only those in front of its end are asked for. */
static uint64_t
depth_ask_from(const md_depth_writer_t *w, unsigned which, int64_t px) {
  const md_book_depth_side_t *s   = &w->own->side[which];
  const int64_t               key = md_book_key(which == 0 ? MD_SIDE_BUY : MD_SIDE_SELL, px);
  const uint64_t              off = (uint64_t)key - (uint64_t)s->low;
  const uint32_t              cnt = s->far_cnt < ASK_BELOW / 2 ? s->far_cnt : ASK_BELOW / 2;

  if (s->ticks == 0) return 2 * (uint64_t)((s->far_base + s->far_cnt - cnt) % w->cap);
  return off < ASK_BELOW || off >= s->ticks ? 0 : off - ASK_BELOW;
}

void
md_book_depth_places(md_book_t *b, md_book_places_t *p) {
  if (b->depth_levels == 0) return;
  const md_depth_writer_t w      = depth_begin(b);
  const md_atomic_u64    *first  = md_book_words_at(b, 0);
  const uint64_t          newest = md_load_relaxed(&b->depth_newest); /* this thread's own */

  for (unsigned which = 0; which < 2; which++) {
    const md_atomic_u64 *words = md_depth_words(&w, 2 * w.own->copy + which);
    p->side[which] = (uint32_t)(words + depth_ask_from(&w, which, p->px[which]) - first);
  }
  p->log   = (uint32_t)(&w.log[(w.pos & (w.log_cnt - 1)) * MD_BOOK_ENTRY_WORDS] - first);
  p->state = (uint8_t)((newest + 1) % MD_BOOK_STATES);
}

void
md_book_prefetch_levels(const md_book_t *b, const md_book_places_t *p) {
  const md_atomic_u64 *first = md_book_words_at_const(b, 0);

  if (p->log == 0) return;
  /* A line of each first: pages that the processor does not know are looked up side by side. */
  md_prefetch(&first[p->side[0]]);
  md_prefetch(&first[p->side[1]]);
  md_prefetch(&first[p->log]);
  md_book_ask(&first[p->side[0]], (ASK_BELOW + ASK_ABOVE) * MD_BOOK_WORD_BYTES);
  md_book_ask(&first[p->side[1]], (ASK_BELOW + ASK_ABOVE) * MD_BOOK_WORD_BYTES);
  md_book_ask(&first[p->log], ASK_LOG * MD_BOOK_WORD_BYTES);
}

void
md_book_depth_prefetch(const md_book_t *b, const md_book_places_t *p) {
  if (p->log == 0) return;
  md_book_ask(md_book_words_at_const(b, sizeof(md_book_t)), sizeof(md_book_depth_own_t));
  md_book_ask(md_book_words_at_const(b, md_book_state_off(p->state)),
              MD_BOOK_STATE_WORDS * MD_BOOK_WORD_BYTES);
}
