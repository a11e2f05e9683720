/* Books: the tiers of one instrument, and whether what was read may be believed. */
#include "shm/client/handle.h"

_Static_assert(sizeof(mdshm_book_meta_t) == sizeof(md_book_meta_t), "public meta is the engine's");
_Static_assert(offsetof(mdshm_book_meta_t, last_seq) == offsetof(md_book_meta_t, last_seq), "meta");
_Static_assert(offsetof(mdshm_book_meta_t, trusted_bid) == offsetof(md_book_meta_t, trusted_bid),
               "meta");
_Static_assert(offsetof(mdshm_book_meta_t, flags) == offsetof(md_book_meta_t, flags), "meta");
_Static_assert(sizeof(mdshm_level_t) == sizeof(md_level_t), "public levels are the engine's");
_Static_assert(offsetof(mdshm_level_t, qty) == offsetof(md_level_t, qty), "levels");
_Static_assert(sizeof(mdshm_bbo_t) - offsetof(mdshm_bbo_t, state) == sizeof(md_book_bbo_t) &&
                   offsetof(mdshm_bbo_t, ask_qty) - offsetof(mdshm_bbo_t, state) ==
                       offsetof(md_book_bbo_t, ask_qty),
               "bbo");
_Static_assert(sizeof(mdshm_top_t) - offsetof(mdshm_top_t, meta) == sizeof(md_book_top_t), "top");
_Static_assert(sizeof(mdshm_ladder_t) - offsetof(mdshm_ladder_t, meta) == sizeof(md_book_ladder_t),
               "ladder");
_Static_assert(MDSHM_LADDER_LEVELS == MD_LADDER_LEVELS, "ladder");
_Static_assert(MDSHM_SYMBOL_BYTES == MD_SYMBOL_BYTES && MDSHM_ASSET_BYTES == MD_ASSET_BYTES,
               "names");
_Static_assert(MDSHM_ABSENT_I64 == MD_NULL_I64, "absent values");

/* Looks a book up for the first time in this segment: every later read finds it in the handle. */
MD_COLD static mdshm_result_t
find_book(mdshm_t *shm, uint32_t local) {
  const md_segment_t *s      = &shm->map->segment;
  mdshm_result_t      result = mdshm_tell(shm);
  md_instrument_row_t plain;
  if (result != MDSHM_OK) return result;
  if (local >= shm->ref_cnt || shm->refs[local].row == MDSHM_NONE) mdshm_directory_sync(shm);
  if (local >= shm->ref_cnt || shm->refs[local].row == MDSHM_NONE) {
    /* Not here; but this engine may have ended, and the next one may have it. */
    result = mdshm_map_state(shm->map);
    if (result == MDSHM_OK || mdshm_follow(shm, result) != MDSHM_OK) return MDSHM_ABSENT;
    return mdshm_tell(shm);
  }
  instrument_ref_t *ref = &shm->refs[local];
  md_err_t          err = md_instrument_read(s, ref->row, &plain);
  if (err) return mdshm_result_of(err);
  if (plain.book_off == 0) return MDSHM_ABSENT;
  const md_book_t *book = md_instrument_book(s, ref->row);
  if (!book) return MDSHM_CORRUPT;
  /* The words may have changed since they were checked: what is kept is checked once more. */
  uint32_t levels = md_book_depth_levels(book);
  uint64_t off    = (uint64_t)((const uint8_t *)book - s->base);
  uint64_t bytes  = md_book_footprint(levels);
  if (levels > MD_DEPTH_LEVELS_MAX || bytes == 0 || bytes > s->bytes - off) return MDSHM_CORRUPT;
  ref->depth_levels = levels;
  ref->book         = book;
  return MDSHM_OK;
}

static inline mdshm_result_t
get_book(mdshm_t *shm, uint32_t row, const instrument_ref_t **out) {
  if (MD_UNLIKELY(row >= shm->ref_cnt || !shm->refs[row].book)) {
    mdshm_result_t result = find_book(shm, row);
    if (result != MDSHM_OK) return result;
  }
  shm->read_cnt++;
  *out = &shm->refs[row];
  return MDSHM_OK;
}

/* The answer for a book that was read: the owner must be alive, then the book must be VALID. */
static mdshm_result_t
judge(mdshm_t *shm, uint32_t feed, int64_t max_age_ns, unsigned state) {
  mdshm_result_t result = mdshm_liveness(shm, feed, max_age_ns);
  if (result != MDSHM_OK) return result;
  return state == MD_BOOK_VALID ? MDSHM_OK : MDSHM_NOT_VALID;
}

/* The answer for a book that could not be read. One that its engine left half written when it was
 * killed would be BUSY for ever, and one that was cut off looks damaged for ever: the owner is
 * asked first, and with it for a newer segment. */
MD_COLD static mdshm_result_t
judge_unread(mdshm_t *shm, uint32_t feed, int64_t max_age_ns, md_err_t err) {
  if (err == MD_ERR_ABSENT) return MDSHM_ABSENT;
  mdshm_result_t result = mdshm_liveness(shm, feed, max_age_ns);
  if (err == MD_ERR_BUSY) return result == MDSHM_OK ? MDSHM_BUSY : result;
  return result == MDSHM_RESTARTED ? result : mdshm_result_of(err);
}

static void
copy_meta(const mdshm_t *shm, mdshm_book_meta_t *out, const md_book_meta_t *meta) {
  memcpy(out, meta, sizeof *out);
  out->generation = shm->generation;
}

static void
empty_meta(const mdshm_t *shm, mdshm_book_meta_t *out) {
  memset(out, 0, sizeof *out);
  out->generation = shm->generation;
}

/* bbo, top and ladder are copied to where the caller wants them, behind struct_size: a copy by way
 * of one of our own would wait for the words that were just stored. */

mdshm_result_t
mdshm_read_bbo(mdshm_t *shm, uint32_t row, int64_t max_age_ns, mdshm_bbo_t *out) {
  const instrument_ref_t *ref;
  if (!mdshm_sized(out, sizeof *out)) return MDSHM_USAGE;
  mdshm_result_t result = get_book(shm, row, &ref);
  if (MD_UNLIKELY(result != MDSHM_OK)) return result;
  md_err_t err    = md_book_read_bbo(ref->book, (md_book_bbo_t *)(void *)&out->state);
  out->generation = shm->generation;
  if (MD_UNLIKELY(err)) {
    out->state  = MD_BOOK_EMPTY;
    out->bid_px = out->ask_px = MDSHM_ABSENT_I64;
    out->bid_qty = out->ask_qty = 0;
    return judge_unread(shm, ref->feed, max_age_ns, err);
  }
  return judge(shm, ref->feed, max_age_ns, out->state);
}

mdshm_result_t
mdshm_read_top(mdshm_t *shm, uint32_t row, int64_t max_age_ns, mdshm_top_t *out) {
  const instrument_ref_t *ref;
  if (!mdshm_sized(out, sizeof *out)) return MDSHM_USAGE;
  mdshm_result_t result = get_book(shm, row, &ref);
  if (MD_UNLIKELY(result != MDSHM_OK)) return result;
  md_err_t err = md_book_read_top(ref->book, (md_book_top_t *)(void *)&out->meta);
  if (MD_UNLIKELY(err)) {
    empty_meta(shm, &out->meta);
    out->bid_px = out->ask_px = MDSHM_ABSENT_I64;
    out->bid_qty = out->ask_qty = 0;
    return judge_unread(shm, ref->feed, max_age_ns, err);
  }
  out->meta.generation = shm->generation;
  return judge(shm, ref->feed, max_age_ns, out->meta.state);
}

mdshm_result_t
mdshm_read_ladder(mdshm_t *shm, uint32_t row, int64_t max_age_ns, mdshm_ladder_t *out) {
  const instrument_ref_t *ref;
  if (!mdshm_sized(out, sizeof *out)) return MDSHM_USAGE;
  mdshm_result_t result = get_book(shm, row, &ref);
  if (MD_UNLIKELY(result != MDSHM_OK)) return result;
  md_err_t err = md_book_read_ladder(ref->book, (md_book_ladder_t *)(void *)&out->meta);
  if (MD_UNLIKELY(err)) {
    empty_meta(shm, &out->meta);
    out->bid_cnt = out->ask_cnt = 0;
    return judge_unread(shm, ref->feed, max_age_ns, err);
  }
  out->meta.generation = shm->generation;
  return judge(shm, ref->feed, max_age_ns, out->meta.state);
}

mdshm_result_t
mdshm_read_depth(mdshm_t *shm, uint32_t row, int64_t max_age_ns, mdshm_depth_t *out) {
  const instrument_ref_t *ref;
  md_book_meta_t          meta;
  if (!mdshm_sized(out, sizeof *out) || !out->bids || !out->asks) return MDSHM_USAGE;
  mdshm_result_t result = get_book(shm, row, &ref);
  if (MD_UNLIKELY(result != MDSHM_OK)) return result;
  const md_book_view_t view = {ref->book, ref->depth_levels};
  md_err_t             err =
      md_book_read_depth_view(&view, out->max_levels, &meta, (md_level_t *)(void *)out->bids,
                              &out->bid_cnt, (md_level_t *)(void *)out->asks, &out->ask_cnt);
  if (MD_UNLIKELY(err)) {
    empty_meta(shm, &out->meta);
    out->bid_cnt = out->ask_cnt = 0;
    return judge_unread(shm, ref->feed, max_age_ns, err);
  }
  copy_meta(shm, &out->meta, &meta);
  return judge(shm, ref->feed, max_age_ns, meta.state);
}

uint32_t
mdshm_depth_levels(mdshm_t *shm, uint32_t row) {
  const instrument_ref_t *ref;
  /* A restart is left to be told by a call that can tell it. */
  uint32_t told   = shm->told;
  shm->told       = shm->generation;
  uint32_t levels = get_book(shm, row, &ref) == MDSHM_OK ? ref->depth_levels : 0;
  shm->told       = told;
  return levels;
}

const char *
mdshm_state_name(unsigned state) {
  return md_book_state_name(state);
}

const char *
mdshm_reason_name(unsigned reason) {
  return md_reason_name(reason);
}

size_t
mdshm_decimal(int64_t mantissa, int exponent, char *out, size_t out_bytes) {
  if (!out || out_bytes < 192 || exponent < -128 || exponent > 127) return 0;
  return md_decimal_format(mantissa, exponent, out, out_bytes);
}
