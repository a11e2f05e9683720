/* Instruments, books and tapes: the data itself. */
#include "shm/client/handle.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(mdshm_book_meta_t) == sizeof(md_book_meta_t), "public meta is the engine's");
_Static_assert(offsetof(mdshm_book_meta_t, last_seq) == offsetof(md_book_meta_t, last_seq), "meta");
_Static_assert(offsetof(mdshm_book_meta_t, trusted_bid) == offsetof(md_book_meta_t, trusted_bid),
               "meta");
_Static_assert(offsetof(mdshm_book_meta_t, flags) == offsetof(md_book_meta_t, flags), "meta");
_Static_assert(sizeof(mdshm_level_t) == sizeof(md_level_t), "public levels are the engine's");
_Static_assert(offsetof(mdshm_level_t, qty) == offsetof(md_level_t, qty), "levels");
_Static_assert(sizeof(mdshm_top_t) - offsetof(mdshm_top_t, meta) == sizeof(md_book_top_t), "top");
_Static_assert(sizeof(mdshm_ladder_t) - offsetof(mdshm_ladder_t, meta) == sizeof(md_book_ladder_t),
               "ladder");
_Static_assert(MDSHM_LADDER_LEVELS == MD_LADDER_LEVELS, "ladder");
_Static_assert(MDSHM_SYMBOL_BYTES == MD_SYMBOL_BYTES && MDSHM_ASSET_BYTES == MD_ASSET_BYTES,
               "names");
_Static_assert(MDSHM_ABSENT_I64 == MD_NULL_I64, "absent values");

/* ---- instruments ---- */

uint32_t
mdshm_instrument_cnt(const mdshm_t *shm) {
  uint32_t capacity = shm->segment.instrument_capacity;
  uint64_t cnt = md_load_relaxed(&shm->segment.instruments->row_cnt); /* a bound: rows have ready */
  return cnt < capacity ? (uint32_t)cnt : capacity;
}

mdshm_result_t
mdshm_instrument_find(const mdshm_t *shm, uint32_t feed, const char *symbol, uint32_t *row) {
  if (!symbol || !row) return MDSHM_USAGE;
  if (feed != MDSHM_ANY_FEED && feed >= shm->segment.feed_cnt) return MDSHM_ABSENT;
  uint16_t of    = feed == MDSHM_ANY_FEED ? UINT16_MAX : (uint16_t)feed;
  int64_t  found = md_instrument_find(&shm->segment, of, symbol);
  if (found < 0) return MDSHM_ABSENT;
  *row = (uint32_t)found;
  return MDSHM_OK;
}

mdshm_result_t
mdshm_instrument_get(const mdshm_t *shm, uint32_t row, mdshm_instrument_t *out) {
  md_instrument_row_t plain;
  if (!out || out->struct_size < sizeof *out) return MDSHM_USAGE;
  if (row >= mdshm_instrument_cnt(shm)) return MDSHM_ABSENT;
  md_err_t err = md_instrument_read(&shm->segment, row, &plain);
  if (err) return mdshm_result_of(err);
  if (plain.feed >= shm->segment.feed_cnt) return MDSHM_CORRUPT;
  const md_definition_t *d = &plain.definition;
  out->id                  = plain.id;
  out->feed                = plain.feed;
  out->px_exp              = plain.px_exp;
  out->qty_exp             = plain.qty_exp;
  out->kind                = d->kind;
  out->trading             = d->trading;
  out->has_book            = plain.book_off != 0;
  out->tick_size           = d->tick_size;
  out->lot_size            = d->lot_size;
  out->min_qty             = d->min_qty;
  out->expiry_ns           = d->expiry_ns;
  mdshm_copy_name(out->symbol, d->symbol, sizeof out->symbol);
  mdshm_copy_name(out->normalised, d->normalised, sizeof out->normalised);
  mdshm_copy_name(out->base, d->base, sizeof out->base);
  mdshm_copy_name(out->quote, d->quote, sizeof out->quote);
  mdshm_copy_name(out->settle, d->settle, sizeof out->settle);
  return MDSHM_OK;
}

/* ---- books ---- */

/* Looks a book up for the first time: every later read finds it in the handle. */
MD_COLD static mdshm_result_t
find_book(mdshm_t *shm, uint32_t row) {
  md_instrument_row_t plain;
  md_err_t            err = md_instrument_read(&shm->segment, row, &plain);
  if (err) return mdshm_result_of(err);
  if (plain.feed >= shm->segment.feed_cnt) return MDSHM_CORRUPT;
  if (plain.book_off == 0) return MDSHM_ABSENT;
  book_ref_t       ref  = {.feed = plain.feed};
  const md_book_t *book = md_instrument_book(&shm->segment, row);
  if (!book) return MDSHM_CORRUPT;
  ref.depth_levels = md_book_depth_levels(book);
  if (md_book_footprint(ref.depth_levels) > plain.book_bytes) return MDSHM_CORRUPT;
  ref.book        = book;
  shm->books[row] = ref;
  return MDSHM_OK;
}

static mdshm_result_t
get_book(mdshm_t *shm, uint32_t row, const book_ref_t **out) {
  if (row >= shm->segment.instrument_capacity) return MDSHM_ABSENT;
  if (MD_UNLIKELY(!shm->books[row].book)) {
    mdshm_result_t result = find_book(shm, row);
    if (result != MDSHM_OK) return result;
  }
  *out = &shm->books[row];
  return MDSHM_OK;
}

/* The answer for a book that was read: the owner must be alive, then the book must be VALID. */
static mdshm_result_t
judge(const mdshm_t *shm, const book_ref_t *ref, int64_t max_age_ns, unsigned state) {
  mdshm_result_t result = mdshm_liveness(shm, ref->feed, max_age_ns);
  if (result != MDSHM_OK) return result;
  return state == MD_BOOK_VALID ? MDSHM_OK : MDSHM_NOT_VALID;
}

/* The answer for a book that could not be read. One that its engine left half written when it was
 * killed would be BUSY for ever: BUSY is said only while the owner lives. */
MD_COLD static mdshm_result_t
judge_unread(const mdshm_t *shm, const book_ref_t *ref, int64_t max_age_ns, md_err_t err) {
  if (err != MD_ERR_BUSY) return mdshm_result_of(err);
  mdshm_result_t result = mdshm_liveness(shm, ref->feed, max_age_ns);
  return result == MDSHM_OK ? MDSHM_BUSY : result;
}

mdshm_result_t
mdshm_read_top(mdshm_t *shm, uint32_t row, int64_t max_age_ns, mdshm_top_t *out) {
  const book_ref_t *ref;
  md_book_top_t     top;
  if (!out || out->struct_size < sizeof *out) return MDSHM_USAGE;
  mdshm_result_t result = get_book(shm, row, &ref);
  if (result != MDSHM_OK) return result;
  md_err_t err = md_book_read_top(ref->book, &top);
  if (err) {
    memset(&out->meta, 0, sizeof out->meta);
    out->bid_px = out->ask_px = MDSHM_ABSENT_I64;
    out->bid_qty = out->ask_qty = 0;
    return judge_unread(shm, ref, max_age_ns, err);
  }
  memcpy(&out->meta, &top.meta, sizeof top.meta);
  out->bid_px  = top.bid_px;
  out->bid_qty = top.bid_qty;
  out->ask_px  = top.ask_px;
  out->ask_qty = top.ask_qty;
  return judge(shm, ref, max_age_ns, top.meta.state);
}

mdshm_result_t
mdshm_read_ladder(mdshm_t *shm, uint32_t row, int64_t max_age_ns, mdshm_ladder_t *out) {
  const book_ref_t *ref;
  md_book_ladder_t  ladder;
  if (!out || out->struct_size < sizeof *out) return MDSHM_USAGE;
  mdshm_result_t result = get_book(shm, row, &ref);
  if (result != MDSHM_OK) return result;
  md_err_t err = md_book_read_ladder(ref->book, &ladder);
  if (err) {
    memset(&out->meta, 0, sizeof out->meta);
    out->bid_cnt = out->ask_cnt = 0;
    return judge_unread(shm, ref, max_age_ns, err);
  }
  memcpy(&out->meta, &ladder.meta, sizeof ladder.meta);
  memcpy(out->bids, ladder.bids, sizeof ladder.bids);
  memcpy(out->asks, ladder.asks, sizeof ladder.asks);
  out->bid_cnt = ladder.bid_cnt;
  out->ask_cnt = ladder.ask_cnt;
  return judge(shm, ref, max_age_ns, ladder.meta.state);
}

mdshm_result_t
mdshm_read_depth(mdshm_t *shm, uint32_t row, int64_t max_age_ns, mdshm_depth_t *out) {
  const book_ref_t *ref;
  md_book_meta_t    meta;
  if (!out || out->struct_size < sizeof *out || !out->bids || !out->asks) return MDSHM_USAGE;
  mdshm_result_t result = get_book(shm, row, &ref);
  if (result != MDSHM_OK) return result;
  /* The place of the copies follows from this word, so it must be the one that was checked. */
  if (md_book_depth_levels(ref->book) != ref->depth_levels) return MDSHM_CORRUPT;
  md_err_t err =
      md_book_read_depth(ref->book, out->max_levels, &meta, (md_level_t *)(void *)out->bids,
                         &out->bid_cnt, (md_level_t *)(void *)out->asks, &out->ask_cnt);
  if (err) {
    memset(&out->meta, 0, sizeof out->meta);
    out->bid_cnt = out->ask_cnt = 0;
    return judge_unread(shm, ref, max_age_ns, err);
  }
  memcpy(&out->meta, &meta, sizeof meta);
  return judge(shm, ref, max_age_ns, meta.state);
}

uint32_t
mdshm_depth_levels(mdshm_t *shm, uint32_t row) {
  const book_ref_t *ref;
  return get_book(shm, row, &ref) == MDSHM_OK ? ref->depth_levels : 0;
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

/* ---- tape ---- */

struct mdshm_tape {
  md_tape_reader_t reader;
  _Alignas(8) uint8_t record[MD_RECORD_BYTES_MAX];
};

mdshm_result_t
mdshm_tape_open(const mdshm_t *shm, uint32_t feed, mdshm_from_t from, mdshm_tape_t **out) {
  const md_segment_t *s = &shm->segment;
  if (!out) return MDSHM_USAGE;
  *out = NULL;
  if (feed >= s->feed_cnt) return MDSHM_ABSENT;
  uint32_t stream = s->feeds[feed].stream_row;
  if (stream >= s->stream_cnt) return MDSHM_CORRUPT;
  uint32_t i = s->streams[stream].tape;
  if (i == UINT32_MAX) return MDSHM_ABSENT;
  const md_tape_t *shared = md_segment_tape(s, i);
  if (!shared) return MDSHM_CORRUPT;
  mdshm_tape_t *tape = malloc(sizeof *tape);
  if (!tape) return MDSHM_FAILED;
  md_tape_reader_init(&tape->reader, shared, from == MDSHM_FROM_OLDEST);
  /* The reader keeps a copy of the capacity: that copy must fit behind the tape's place. */
  const md_section_t *c     = &s->section[MD_SECTION_TAPES];
  uint64_t            avail = (uint64_t)(s->base + c->off + c->bytes - (const uint8_t *)shared);
  uint64_t            bytes = md_tape_footprint(tape->reader.capacity_bytes);
  if (bytes == 0 || bytes > avail) {
    free(tape);
    return MDSHM_CORRUPT;
  }
  *out = tape;
  return MDSHM_OK;
}

void
mdshm_tape_close(mdshm_tape_t *tape) {
  free(tape);
}

mdshm_result_t
mdshm_tape_next(mdshm_tape_t *tape, const void **record, size_t *bytes, uint64_t *lost_bytes) {
  *lost_bytes  = 0;
  md_err_t err = md_tape_read(&tape->reader, tape->record, lost_bytes);
  if (err) return mdshm_result_of(err);
  if (md_record_check(tape->record, sizeof tape->record)) return MDSHM_CORRUPT;
  uint16_t len;
  memcpy(&len, tape->record, sizeof len);
  *record = tape->record;
  *bytes  = len;
  return MDSHM_OK;
}

void
mdshm_tape_seek(mdshm_tape_t *tape, uint64_t tape_pos) {
  md_tape_reader_seek(&tape->reader, tape_pos);
}

size_t
mdshm_record_json(const void *record, size_t bytes, const char *symbol, char *out,
                  size_t out_bytes) {
  if (!record || !out || (uintptr_t)record % 8 != 0) return 0;
  if (md_record_check(record, bytes)) return 0;
  return md_record_json(record, symbol, out, out_bytes);
}
