/* Instruments: numbers of the handle that stay over a restart, found by a hash of their symbols. */
#include "shm/client/handle.h"
#include "shm/mutant.h"

#include <fnmatch.h>
#include <stdlib.h>

#define SLOTS_MIN 256u
#define PROBE_MAX 4096u /* a segment full of one symbol must not make a look-up endless */

/* ---- index ---- */

static char
fold(char c) {
  return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool
same_name(const char *a, const char *b) {
  for (uint32_t i = 0; i < MD_SYMBOL_BYTES; i++) {
    if (fold(a[i]) != fold(b[i])) return false;
    if (a[i] == 0) return true;
  }
  return false;
}

/* FNV-1a of the folded name. */
static uint32_t
hash_name(const char *name) {
  uint32_t hash = 2166136261u;
  for (uint32_t i = 0; i < MD_SYMBOL_BYTES && name[i]; i++)
    hash = (hash ^ (uint8_t)fold(name[i])) * 16777619u;
  return hash ^ hash >> 15;
}

/* Behind equal names that came before, so that the lowest number is found first. */
static void
index_put(mdshm_t *shm, const char *name, uint32_t local) {
  uint32_t mask = shm->index_slots - 1;
  uint32_t at   = hash_name(name) & mask;
  for (uint32_t i = 0; i < PROBE_MAX && i <= mask; i++, at = (at + 1) & mask)
    if (shm->index[at] == 0) {
      shm->index[at] = local + 1;
      return;
    }
}

static void
index_ref(mdshm_t *shm, uint32_t local) {
  const instrument_ref_t *ref = &shm->refs[local];
  index_put(shm, ref->symbol, local);
  if (!same_name(ref->symbol, ref->normalised)) index_put(shm, ref->normalised, local);
}

/* Keeps at least half of the slots free: a reference takes two. */
static bool
index_grow(mdshm_t *shm) {
  uint32_t slots = shm->index_slots ? shm->index_slots : SLOTS_MIN;
  while (slots < 4 * (shm->ref_cnt + 1))
    slots *= 2;
  if (slots == shm->index_slots) return true;
  uint32_t *index = calloc(slots, sizeof *index);
  if (!index) return false;
  free(shm->index);
  shm->index       = index;
  shm->index_slots = slots;
  for (uint32_t i = 0; i < shm->ref_cnt; i++)
    index_ref(shm, i);
  return true;
}

/* Whether ref is what is looked for: by its exchange's symbol, or by either of its names. */
typedef bool (*wanted_fn)(const instrument_ref_t *ref, const char *name);

static uint32_t
index_find(const mdshm_t *shm, uint32_t feed, const char *name, wanted_fn wanted) {
  if (shm->index_slots == 0) return MDSHM_NONE;
  uint32_t mask = shm->index_slots - 1;
  uint32_t at   = hash_name(name) & mask;
  for (uint32_t i = 0; i < PROBE_MAX && shm->index[at]; i++, at = (at + 1) & mask) {
    uint32_t                local = shm->index[at] - 1;
    const instrument_ref_t *ref   = &shm->refs[local];
    if ((feed == MDSHM_ANY_FEED || ref->feed == feed) && wanted(ref, name)) return local;
  }
  return MDSHM_NONE;
}

static bool
is_either(const instrument_ref_t *ref, const char *name) {
  return ref->row != MDSHM_NONE &&
         (same_name(ref->symbol, name) || same_name(ref->normalised, name));
}

static bool
is_gone(const instrument_ref_t *ref, const char *symbol) {
  return ref->row == MDSHM_NONE && same_name(ref->symbol, symbol);
}

/* ---- rows ---- */

mdshm_result_t
mdshm_directory_reset(mdshm_t *shm, const md_segment_t *s) {
  uint8_t *seen = calloc(s->instrument_capacity + 1u, 1);
  if (!seen) return MDSHM_FAILED;
  free(shm->seen);
  shm->seen      = seen;
  shm->seen_low  = 0;
  shm->has_holes = shm->ref_cnt > 0;
  for (uint32_t i = 0; i < shm->ref_cnt; i++) {
#if MD_MUTANT != 32
    shm->refs[i].book = NULL;
#endif
    shm->refs[i].row = MDSHM_NONE;
  }
  return MDSHM_OK;
}

static bool
refs_grow(mdshm_t *shm) {
  if (shm->ref_cnt < shm->ref_cap) return true;
  if (shm->ref_cnt >= MDSHM_REFS_MAX) return false;
  uint32_t cap  = shm->ref_cap ? shm->ref_cap * 2 : 64;
  void    *more = realloc(shm->refs, cap * sizeof *shm->refs);
  if (!more) return false;
  shm->refs    = more;
  shm->ref_cap = cap;
  return true;
}

/* Gives a row its number: the one it had in the segment before, else the next. False when there is
 * no room: it is tried again later. */
static bool
take_row(mdshm_t *shm, uint32_t row, const md_instrument_row_t *plain) {
  char     symbol[MD_SYMBOL_BYTES];
  uint32_t local = MDSHM_NONE, feed = shm->local_feed[plain->feed];
  mdshm_copy_name(symbol, plain->definition.symbol, sizeof symbol);
  if (shm->has_holes) local = index_find(shm, feed, symbol, is_gone);
  if (local == MDSHM_NONE) {
    if (!refs_grow(shm) || !index_grow(shm)) return false;
    local                 = shm->ref_cnt;
    instrument_ref_t *ref = &shm->refs[local];
    *ref                  = (instrument_ref_t){.feed = feed};
    memcpy(ref->symbol, symbol, sizeof ref->symbol);
    mdshm_copy_name(ref->normalised, plain->definition.normalised, sizeof ref->normalised);
    index_ref(shm, local);
    shm->ref_cnt++;
  }
  shm->refs[local].row = row;
  return true;
}

void
mdshm_directory_sync(mdshm_t *shm) {
  const md_segment_t *s   = &shm->map->segment;
  uint64_t            cnt = md_load_relaxed(&s->instruments->row_cnt); /* rows have ready */
  if (cnt > s->instrument_capacity) cnt = s->instrument_capacity;
  for (uint32_t row = shm->seen_low; row < cnt; row++) {
    md_instrument_row_t plain;
    if (shm->seen[row] || md_instrument_read(s, row, &plain) != MD_OK) continue;
    /* A row of no feed is damaged, and not listed. */
    if (plain.feed >= s->feed_cnt || shm->local_feed[plain.feed] == MDSHM_NONE ||
        take_row(shm, row, &plain))
      shm->seen[row] = 1;
  }
  while (shm->seen_low < cnt && shm->seen[shm->seen_low])
    shm->seen_low++;
}

/* ---- public ---- */

uint32_t
mdshm_instrument_cnt(mdshm_t *shm) {
  mdshm_directory_sync(shm);
  return shm->ref_cnt;
}

mdshm_result_t
mdshm_instrument_find(mdshm_t *shm, uint32_t feed, const char *symbol, uint32_t *row) {
  if (!symbol || !row) return MDSHM_USAGE;
  if (feed != MDSHM_ANY_FEED && feed >= shm->feed_cnt) return MDSHM_ABSENT;
  mdshm_directory_sync(shm);
  uint32_t local = index_find(shm, feed, symbol, is_either);
  if (local == MDSHM_NONE) return MDSHM_ABSENT;
  *row = local;
  return MDSHM_OK;
}

static void
copy_instrument(const md_instrument_row_t *plain, mdshm_instrument_t *out) {
  const md_definition_t *d = &plain->definition;
  out->id                  = plain->id;
  out->px_exp              = plain->px_exp;
  out->qty_exp             = plain->qty_exp;
  out->kind                = d->kind;
  out->trading             = d->trading;
  out->has_book            = plain->book_off != 0;
  out->pad0                = 0;
  out->tick_size           = d->tick_size;
  out->lot_size            = d->lot_size;
  out->min_qty             = d->min_qty;
  out->expiry_ns           = d->expiry_ns;
  mdshm_copy_name(out->symbol, d->symbol, sizeof out->symbol);
  mdshm_copy_name(out->normalised, d->normalised, sizeof out->normalised);
  mdshm_copy_name(out->base, d->base, sizeof out->base);
  mdshm_copy_name(out->quote, d->quote, sizeof out->quote);
  mdshm_copy_name(out->settle, d->settle, sizeof out->settle);
}

mdshm_result_t
mdshm_instrument_get(mdshm_t *shm, uint32_t row, mdshm_instrument_t *out) {
  md_instrument_row_t plain;
  if (!mdshm_sized(out, sizeof *out)) return MDSHM_USAGE;
  if (row >= shm->ref_cnt) mdshm_directory_sync(shm);
  if (row >= shm->ref_cnt || shm->refs[row].row == MDSHM_NONE) return MDSHM_ABSENT;
  md_err_t err = md_instrument_read(&shm->map->segment, shm->refs[row].row, &plain);
  if (mdshm_map_state(shm->map) == MDSHM_CORRUPT) return MDSHM_CORRUPT; /* it may be half zeros */
  if (err) return mdshm_result_of(err);
  out->row  = row;
  out->feed = shm->refs[row].feed;
  copy_instrument(&plain, out);
  return MDSHM_OK;
}

mdshm_result_t
mdshm_instrument_next(mdshm_t *shm, uint32_t feed, const char *pattern, uint32_t *next,
                      mdshm_instrument_t *out) {
  if (!next || !mdshm_sized(out, sizeof *out)) return MDSHM_USAGE;
  mdshm_directory_sync(shm);
  for (uint32_t row = *next; row < shm->ref_cnt; row++) {
    const instrument_ref_t *ref = &shm->refs[row];
    if (ref->row == MDSHM_NONE || (feed != MDSHM_ANY_FEED && ref->feed != feed)) continue;
    if (pattern && fnmatch(pattern, ref->symbol, FNM_CASEFOLD) != 0 &&
        fnmatch(pattern, ref->normalised, FNM_CASEFOLD) != 0)
      continue;
    mdshm_result_t result = mdshm_instrument_get(shm, row, out);
    if (result != MDSHM_OK) continue; /* changing all the time, or damaged */
    *next = row + 1;
    return MDSHM_OK;
  }
  *next = shm->ref_cnt > *next ? shm->ref_cnt : *next;
  return MDSHM_ABSENT;
}
