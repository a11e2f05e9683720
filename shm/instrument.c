#include "shm/segment.h"

#include <string.h>
#include <strings.h>

/* Everything behind the ready word is read and written as words, because md_instrument_update may
 * change any of them while a reader copies. */
#define ROW_WORDS       (sizeof(md_instrument_row_t) / sizeof(uint64_t))
#define VERSION_WORD    (offsetof(md_instrument_row_t, version) / sizeof(uint64_t))
#define BOOK_OFF_WORD   (offsetof(md_instrument_row_t, book_off) / sizeof(uint64_t))
#define BOOK_BYTES_WORD (offsetof(md_instrument_row_t, book_bytes) / sizeof(uint64_t))
#define FIRST_WORD      1u

_Static_assert(offsetof(md_instrument_row_t, ready) == 0, "the ready word is the first");
_Static_assert(offsetof(md_instrument_row_t, definition) % 8 == 0, "definitions are whole words");

uint64_t
md_instruments_footprint(uint32_t capacity) {
  return sizeof(md_instruments_t) + (uint64_t)capacity * sizeof(md_instrument_row_t);
}

static md_atomic_u64 *
row_words(md_instrument_row_t *row) {
  return (void *)row;
}

static const md_atomic_u64 *
row_words_const(const md_instrument_row_t *row) {
  return (const void *)row;
}

/* Copies a row from `from` into shared words; ready and version are left alone. */
static void
store_words(md_instrument_row_t *row, const md_instrument_row_t *from) {
  uint64_t words[ROW_WORDS];
  memcpy(words, from, sizeof words);
  for (size_t i = FIRST_WORD; i < ROW_WORDS; i++)
    if (i != VERSION_WORD)
      md_store_release(&row_words(row)[i], words[i]); /* R2: after the odd mark; pairs with A2 */
}

/* What a row says beside its book. */
static void
set_definition(md_instrument_row_t *plain, int8_t px_exp, int8_t qty_exp,
               const md_definition_t *definition) {
  plain->px_exp     = px_exp;
  plain->qty_exp    = qty_exp;
  plain->definition = *definition;
}

/* Takes bytes of the book space, 0 when it is used up. Threads that fail give back what they took,
 * so a smaller book of another thread may be refused while they do; that is at a full segment only.
 */
static uint64_t
take_book_space(md_instruments_t *d, uint64_t bytes) {
  uint64_t used = md_fetch_add_relaxed(&d->book_used_bytes, bytes); /* a counter: orders nothing */
  if (used <= d->book_space_bytes && bytes <= d->book_space_bytes - used)
    return d->book_space_off + used;
  (void)md_fetch_add_relaxed(&d->book_used_bytes, 0 - bytes);
  return 0;
}

static bool
take_row(md_instruments_t *d, uint32_t *row) {
  uint64_t taken = md_fetch_add_relaxed(&d->row_cnt, 1u); /* a counter: ready publishes the row */
  if (taken < d->capacity) {
    *row = (uint32_t)taken;
    return true;
  }
  (void)md_fetch_add_relaxed(&d->row_cnt, 0 - (uint64_t)1);
  return false;
}

static md_err_t
new_book(md_segment_t *s, uint16_t feed, md_instrument_row_t *plain, md_book_t **book) {
  md_instruments_t *d      = s->instruments;
  uint32_t          levels = s->feeds[feed].depth_levels;
  plain->book_bytes        = md_align_up(md_book_footprint(levels), MD_CACHE_BLOCK);
  plain->book_off          = take_book_space(d, plain->book_bytes);
  if (plain->book_off == 0) return MD_ERR_FULL;
  void    *mem = s->base + plain->book_off;
  md_err_t err = md_book_new(mem, levels);
  md_assert(err == MD_OK); /* levels were checked when the segment was made */
  *book = mem;
  return MD_OK;
}

md_err_t
md_instrument_add(md_segment_t *s, const md_instrument_spec_t *spec, uint32_t *id, uint32_t *row,
                  md_book_t **book) {
  md_assert(spec->feed < s->feed_cnt);
  md_assert(spec->definition->symbol[MD_SYMBOL_BYTES - 1] == 0);
  md_instruments_t   *d     = s->instruments;
  md_instrument_row_t plain = {.feed = spec->feed};
  *book                     = NULL;
  if (spec->want_book) {
    md_err_t err = new_book(s, spec->feed, &plain, book);
    if (err) return err;
  }
  if (!take_row(d, row)) {
    *book = NULL; /* its space stays used: the directory is full for good */
    return MD_ERR_FULL;
  }
  if (*id == 0) *id = (uint32_t)md_fetch_add_relaxed(&d->next_id, 1u); /* a counter */
  plain.id = *id;
  set_definition(&plain, spec->px_exp, spec->qty_exp, spec->definition);
  md_instrument_row_t *shared = &d->row[*row];
  store_words(shared, &plain);
  md_store_release(&shared->ready, 1u); /* R1: publishes the row and its book; pairs with A1 */
  return MD_OK;
}

void
md_instrument_update(md_segment_t *s, uint32_t row, int8_t px_exp, int8_t qty_exp,
                     const md_definition_t *definition) {
  md_assert(row < s->instrument_capacity);
  md_instrument_row_t *shared = &s->instruments->row[row];
  md_instrument_row_t  plain;
  md_err_t             err = md_instrument_read(s, row, &plain);
  md_assert(err == MD_OK);                              /* only this thread writes the row */
  uint64_t version = md_load_relaxed(&shared->version); /* own word */
  set_definition(&plain, px_exp, qty_exp, definition);
  md_store_relaxed(&shared->version, version + 1); /* odd; R2 of each word carries it */
  store_words(shared, &plain);
  md_store_release(&shared->version, version + 2); /* R3: the words are whole; pairs with A3 */
}

/* One try: false when the row changed under it. */
static bool
load_words(const md_instrument_row_t *shared, uint64_t words[ROW_WORDS]) {
  uint64_t before =
      md_load_acquire(&shared->version); /* A3: words of this version; pairs with R3 */
  if (before & 1) return false;
  for (size_t i = FIRST_WORD; i < ROW_WORDS; i++)
    words[i] =
        md_load_acquire(&row_words_const(shared)[i]); /* A2: sees the odd mark; pairs with R2 */
  words[VERSION_WORD] = before;
  return md_load_relaxed(&shared->version) == before; /* ordered behind the words by A2 */
}

md_err_t
md_instrument_read(const md_segment_t *s, uint32_t row, md_instrument_row_t *out) {
  if (row >= s->instrument_capacity) return MD_ERR_RANGE;
  const md_instrument_row_t *shared = &s->instruments->row[row];
  if (!md_load_acquire(&shared->ready)) return MD_ERR_EMPTY; /* A1: row is filled; pairs with R1 */
  uint64_t words[ROW_WORDS] = {1};
  for (unsigned i = 0; i < MD_READ_RETRY_MAX; i++) {
    if (!load_words(shared, words)) continue;
    memcpy(out, words, sizeof *out);
    return MD_OK;
  }
  return MD_ERR_BUSY;
}

/* Names are compared within their bytes: another process may have left out the NUL. */
static bool
is_name(const char field[MD_SYMBOL_BYTES], const char *symbol) {
  return strnlen(field, MD_SYMBOL_BYTES) < MD_SYMBOL_BYTES &&
         strncasecmp(field, symbol, MD_SYMBOL_BYTES) == 0;
}

int64_t
md_instrument_find(const md_segment_t *s, uint16_t feed, const char *symbol) {
  uint64_t cnt = md_load_relaxed(&s->instruments->row_cnt); /* a bound only: ready says the rest */
  if (cnt > s->instrument_capacity) cnt = s->instrument_capacity;
  for (uint32_t i = 0; i < cnt; i++) {
    md_instrument_row_t row;
    if (md_instrument_read(s, i, &row)) continue;
    if (feed != UINT16_MAX && row.feed != feed) continue;
    if (is_name(row.definition.symbol, symbol) || is_name(row.definition.normalised, symbol))
      return i;
  }
  return -1;
}

/* The place of a book never changes once the row is ready, so it is read without the version: an
 * owner that updates the row all the time cannot hide the book. */
const md_book_t *
md_instrument_book(const md_segment_t *s, uint32_t row) {
  if (row >= s->instrument_capacity) return NULL;
  const md_instrument_row_t *shared = &s->instruments->row[row];
  const md_atomic_u64       *words  = row_words_const(shared);
  const md_section_t        *c      = &s->section[MD_SECTION_BOOKS];
  if (!md_load_acquire(&shared->ready)) return NULL; /* A1: row and book; pairs with R1 */
  const uint64_t off   = md_load_relaxed(&words[BOOK_OFF_WORD]); /* ordered by A1 */
  const uint64_t bytes = md_load_relaxed(&words[BOOK_BYTES_WORD]);
  if (off == 0 || off < c->off || off % MD_CACHE_BLOCK != 0) return NULL;
  if (off - c->off > c->bytes || bytes > c->bytes - (off - c->off)) return NULL;
  const md_book_t *book;
  return md_book_join(s->base + off, bytes, &book) ? NULL : book;
}
