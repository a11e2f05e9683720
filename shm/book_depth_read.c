/* Depth's readers: the words of the newest state's levels are copied while they change, and what
 * the log says was changed since is taken back. */
#include "shm/book_layout.h"

/* One side of one read. window has the words of the groups that were copied. */
typedef struct depth_view {
  const md_book_t            *book;
  const md_atomic_u64        *words;
  const md_book_depth_side_t *side;
  uint64_t                    group, logged;
  uint32_t                    depth_levels;
  uint32_t                    cap, near, far; /* places of the circle; levels to take */
  uint64_t                    copied, left;   /* groups */
  bool                        is_changed;     /* a word that was copied is not so any more */
  int64_t                     flip;           /* between a price and its key */
  uint64_t                   *window;
  md_level_t                 *out; /* best first */
} depth_view_t;

static inline uint32_t
depth_top_bit(uint64_t word) {
  return 63u - (uint32_t)__builtin_clzll(word);
}

/* depth_compact makes levels of a group's words, behind the n that there are, and returns how many
 * there are then, at most near. Without a branch on a word, which cannot be predicted. */
static uint32_t
depth_compact(const depth_view_t *v, uint32_t g, uint32_t n) {
  const uint64_t *words = v->window + (size_t)g * MD_BOOK_GROUP_TICKS;
  const uint64_t  key   = (uint64_t)v->side->low + (uint64_t)g * MD_BOOK_GROUP_TICKS;
  md_level_t     *out   = v->out;
  const int64_t   flip  = v->flip;
  const uint32_t  near  = v->near;

  if (near - n >= MD_BOOK_GROUP_TICKS) {
    for (uint32_t i = MD_BOOK_GROUP_TICKS; i-- > 0; n += words[i] != 0)
      out[n] = (md_level_t){(int64_t)(key + i) ^ flip, (int64_t)words[i]};
    return n;
  }
  for (uint32_t i = MD_BOOK_GROUP_TICKS; i-- > 0 && n < near; n += words[i] != 0)
    out[n] = (md_level_t){(int64_t)(key + i) ^ flip, (int64_t)words[i]};
  return n;
}

/* depth_copy_window copies groups from the best on, behind the n levels that there are, until there
 * are near. */
static uint32_t
depth_copy_window(depth_view_t *v, uint32_t n) {
  while (n < v->near && v->left != 0) {
    const uint32_t g   = depth_top_bit(v->left);
    const size_t   off = (size_t)g * MD_BOOK_GROUP_TICKS;
    md_book_words_load(v->words + off, v->window + off, MD_BOOK_GROUP_TICKS);
    v->left ^= UINT64_C(1) << g;
    v->copied |= UINT64_C(1) << g;
    n = depth_compact(v, g, n);
  }
  return n;
}

static void
depth_copy_far(const depth_view_t *v) {
  const md_atomic_u64 *levels = v->words + v->side->ticks;
  md_level_t          *out    = v->out + v->near;
  uint64_t             place = v->side->far_base + (uint64_t)v->side->far_cnt; /* behind the best */

  if (place >= v->cap) place -= v->cap;
  for (uint32_t n = 0; n < v->far; n++) {
    place = (place == 0 ? v->cap : place) - 1;
    md_book_words_load(levels + 2 * place, &out[n], 2);
  }
}

/* depth_take_back_word puts what a log entry says into the word that it stood in, if that was
 * copied. */
static void
depth_take_back_word(depth_view_t *v, uint32_t word, uint64_t was) {
  if (word < v->side->ticks) {
    if ((v->copied >> word / MD_BOOK_GROUP_TICKS & 1) == 0 || v->window[word] == was) return;
    v->window[word] = was;
    v->is_changed   = true;
    return;
  }
  const uint32_t place = (word - v->side->ticks) / 2, base = v->side->far_base;
  if (place >= v->cap) return;
  const uint32_t idx = place >= base ? place - base : place + v->cap - base;
  if (idx >= v->side->far_cnt || v->side->far_cnt - 1 - idx >= v->far) return;
  md_level_t *level = &v->out[v->near + v->side->far_cnt - 1 - idx];
  if ((word - v->side->ticks) % 2 == 0)
    level->px = (int64_t)was;
  else
    level->qty = (int64_t)was;
}

/* depth_take_back: MD_ERR_BUSY when the log, or the copy, was overwritten meanwhile. */
static md_err_t
depth_take_back(depth_view_t *v) {
  const md_book_t     *b       = v->book;
  const md_atomic_u64 *log     = md_book_words_at_const(b, md_book_log_off(v->depth_levels));
  const uint64_t       log_cnt = md_book_log_cnt(v->depth_levels);
  uint64_t             entry[MD_BOOK_ENTRY_WORDS];

  const md_atomic_u64 *logged = &b->depth_logged;
  const uint64_t end = md_load_acquire(logged); /* A6: whole; pairs with R6 in shm/book_depth.h */
  if (end - v->logged > log_cnt) return MD_ERR_BUSY;
  for (uint64_t pos = end; pos != v->logged; pos--) {
    md_book_words_load(&log[((pos - 1) & (log_cnt - 1)) * MD_BOOK_ENTRY_WORDS], entry,
                       MD_BOOK_ENTRY_WORDS);
    if (entry[0] >> 32 == v->group) depth_take_back_word(v, (uint32_t)entry[0], entry[1]);
  }
#if MD_MUTANT != 25
  if (md_load_relaxed(&b->depth_floor) > v->logged) return MD_ERR_BUSY; /* ordered by A1 */
#endif
  return MD_OK;
}

static md_err_t
depth_read_side(depth_view_t *v) {
  uint32_t n = 0;

  depth_copy_far(v);
  for (;;) { /* a turn copies a group at least */
    n                  = depth_copy_window(v, n);
    const md_err_t err = depth_take_back(v);
    if (err) return err;
    if (v->is_changed) {
      v->is_changed = false;
      n             = 0;
      for (uint64_t left = v->copied; left != 0 && n < v->near;) {
        const uint32_t g = depth_top_bit(left);
        left ^= UINT64_C(1) << g;
        n = depth_compact(v, g, n);
      }
    }
    if (n == v->near) return MD_OK;
    if (v->left == 0) return MD_ERR_CORRUPT; /* the state speaks of more than there are */
  }
}

/* depth_view takes a side from a state; false when it does not fit the book. */
static bool
depth_view(depth_view_t *v, const md_book_depth_state_t *state, unsigned which, uint32_t max) {
  const md_book_depth_side_t *s         = &state->side[which];
  const uint32_t              group_cnt = s->ticks / MD_BOOK_GROUP_TICKS;

  if (s->ticks > md_book_window_ticks(v->depth_levels) || s->ticks % MD_BOOK_GROUP_TICKS != 0)
    return false;
  v->cap = md_book_far_cap(v->depth_levels, s->ticks);
  if (s->window_cnt > s->ticks || s->far_cnt > v->cap || s->far_base >= v->cap) return false;
  if (group_cnt < 64 && s->groups >> group_cnt != 0) return false;
  v->side       = s;
  v->group      = 2 * state->copy + which;
  v->words      = md_book_words_at_const(v->book, md_book_side_off(v->depth_levels, v->group));
  v->logged     = state->logged;
  v->near       = s->window_cnt < max ? s->window_cnt : max;
  v->far        = s->far_cnt < max - v->near ? s->far_cnt : max - v->near;
  v->copied     = 0;
  v->is_changed = false;
  v->left       = s->groups;
  v->flip       = which == 0 ? 0 : -1;
  return true;
}

/* depth_read_sides makes one try at both sides. The buffer of a window is all that a read takes of
 * the stack. */
static md_err_t
depth_read_sides(depth_view_t views[2]) {
  uint64_t window[MD_BOOK_WINDOW_MAX];

  for (unsigned which = 0; which < 2; which++) {
    views[which].window = window;
    const md_err_t err  = depth_read_side(&views[which]);
    if (err) return err;
  }
  return MD_OK;
}

md_err_t
md_book_read_depth_view(const md_book_view_t *view, uint32_t max, md_book_meta_t *meta,
                        md_level_t *bids, uint32_t *bid_cnt, md_level_t *asks, uint32_t *ask_cnt) {
  const md_book_t      *b   = view->book;
  const uint32_t        cap = view->depth_levels;
  md_book_depth_state_t state;

  *bid_cnt = 0;
  *ask_cnt = 0;
  if (cap == 0) return MD_ERR_ABSENT;
  if (cap > MD_DEPTH_LEVELS_MAX) return MD_ERR_CORRUPT;
  const uint32_t want     = max < cap ? max : cap;
  depth_view_t   views[2] = {
        {.book = b, .depth_levels = cap, .out = bids},
        {.book = b, .depth_levels = cap, .out = asks},
  };
  for (unsigned turn = 0; turn < MD_READ_RETRY_MAX; turn++) {
    const uint64_t newest =
        md_load_acquire(&b->depth_newest); /* A3: state; pairs with R3 in shm/book_depth.c */
    md_book_words_load(md_book_words_at_const(b, md_book_state_off(newest)), &state,
                       MD_BOOK_STATE_WORDS);
    if (md_load_relaxed(&b->depth_newest) - newest >= MD_BOOK_STATES - 1) continue; /* by A1 */
    if (state.copy >= MD_DEPTH_COPIES || !md_book_meta_sane(&state.meta) ||
        !depth_view(&views[0], &state, 0, want) || !depth_view(&views[1], &state, 1, want))
      return MD_ERR_CORRUPT;
    const md_err_t err = depth_read_sides(views);
    if (err == MD_ERR_CORRUPT) return err;
    if (err) continue;
    *meta    = state.meta;
    *bid_cnt = views[0].near + views[0].far;
    *ask_cnt = views[1].near + views[1].far;
    return MD_OK;
  }
  return MD_ERR_BUSY;
}

md_err_t
md_book_read_depth(const md_book_t *b, uint32_t max, md_book_meta_t *meta, md_level_t *bids,
                   uint32_t *bid_cnt, md_level_t *asks, uint32_t *ask_cnt) {
  const md_book_view_t view = {b, b->depth_levels};

  return md_book_read_depth_view(&view, max, meta, bids, bid_cnt, asks, ask_cnt);
}
