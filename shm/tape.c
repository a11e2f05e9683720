#include "shm/tape.h"

#include <string.h>

#include "shm/mutant.h"

#define TAPE_WORD_BYTES 8u

/* The first word of a record or a pad; a pad may be as short as this. */
typedef struct tape_lead {
  uint16_t len;
  uint8_t  type;
  uint8_t  leg;
  uint16_t flags;
  uint16_t stream;
} tape_lead_t;

_Static_assert(sizeof(tape_lead_t) == TAPE_WORD_BYTES, "a pad fits any place");
_Static_assert(offsetof(tape_lead_t, type) == offsetof(md_record_t, type), "as in a record");
_Static_assert(MD_RECORD_HEADER_BYTES % TAPE_WORD_BYTES == 0, "records are whole words");

uint64_t
md_tape_footprint(uint64_t capacity_bytes) {
  if (!md_is_pow2(capacity_bytes)) return 0;
  if (capacity_bytes < MD_RING_BYTES_MIN || capacity_bytes > MD_RING_BYTES_MAX) return 0;
  return offsetof(md_tape_t, words) + capacity_bytes;
}

md_err_t
md_tape_new(void *mem, uint16_t stream, uint32_t epoch, uint64_t capacity_bytes) {
  md_tape_t *tape = mem;

  if (md_tape_footprint(capacity_bytes) == 0) return MD_ERR_RANGE;
  md_assert((uintptr_t)mem % MD_CACHE_BLOCK == 0);
  memset(mem, 0, offsetof(md_tape_t, words));
  tape->capacity_bytes = capacity_bytes;
  tape->stream         = stream;
  tape->epoch          = epoch;
  tape->magic          = MD_TAPE_MAGIC;
  return MD_OK;
}

md_err_t
md_tape_join(const void *mem, uint64_t avail_bytes, const md_tape_t **out) {
  const md_tape_t *tape = mem;
  uint64_t         bytes;

  *out = NULL;
  if (mem == NULL || (uintptr_t)mem % MD_CACHE_BLOCK != 0) return MD_ERR_CORRUPT;
  if (avail_bytes < sizeof(md_tape_t)) return MD_ERR_CORRUPT;
  if (tape->magic != MD_TAPE_MAGIC) return MD_ERR_VERSION;
  bytes = md_tape_footprint(tape->capacity_bytes);
  if (bytes == 0 || bytes > avail_bytes) return MD_ERR_CORRUPT;
  *out = tape;
  return MD_OK;
}

/* ---- writer ---- */

void
md_tape_writer_init(md_tape_writer_t *w, md_tape_t *tape) {
  memset(w, 0, sizeof *w);
  w->tape        = tape;
  w->mask        = tape->capacity_bytes - 1;
  w->block_bytes = tape->capacity_bytes / MD_TAPE_MARKS;
  w->write       = md_load_relaxed(&tape->tail);     /* this side's own words */
  w->seq_last    = md_load_relaxed(&tape->tail_seq); /* as above */
  w->mark_next   = w->write;
}

/* tape_mark notes a boundary for late readers: the first record that begins in its block. */
static void
tape_mark(md_tape_writer_t *w, uint64_t pos) {
  const uint64_t block = pos / w->block_bytes;

  md_store_relaxed(&w->tape->mark[block % MD_TAPE_MARKS], pos); /* ordered by tail behind it */
  w->mark_next = (block + 1) * w->block_bytes;
}

uint64_t
md_tape_write(md_tape_writer_t *w, const md_record_t *rec) {
  md_tape_t     *tape  = w->tape;
  const uint32_t len   = rec->len;
  uint64_t       place = w->write & w->mask;
  const uint64_t left  = w->mask + 1 - place;
  uint64_t       pos   = w->write;

  md_assert(len >= MD_RECORD_HEADER_BYTES && len <= MD_RECORD_BYTES_MAX);
  md_assert(len % MD_RECORD_ALIGN_BYTES == 0);
  if (MD_UNLIKELY(len > left)) pos += left;
#if MD_MUTANT != 11
  md_store_relaxed(&tape->intent, pos + len); /* ordered before the words by their R1 */
#endif
#if MD_MUTANT == 12
  md_store_release(&tape->tail, pos + len); /* R2: too early on purpose; pairs with A2 */
#endif
  if (MD_UNLIKELY(pos != w->write)) {
    const tape_lead_t pad = {.len = (uint16_t)left};
    uint64_t          word;
    memcpy(&word, &pad, sizeof word);
    md_store_release(&tape->words[place / TAPE_WORD_BYTES], word); /* R1: pad; pairs with A1 */
    place = 0;
  }
  md_atomic_u64 *to   = &tape->words[place / TAPE_WORD_BYTES];
  const uint8_t *from = (const uint8_t *)rec;
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 8
#endif
  for (uint32_t i = 0; i < len / TAPE_WORD_BYTES; i++) {
    uint64_t word;
    memcpy(&word, from + (size_t)i * TAPE_WORD_BYTES, sizeof word);
    md_store_release(&to[i], word); /* R1: word after intent; pairs with A1 */
  }
  if (MD_UNLIKELY(pos >= w->mark_next)) tape_mark(w, pos);
  w->write    = pos + len;
  w->seq_last = rec->seq;
  return pos;
}

void
md_tape_publish(md_tape_writer_t *w) {
  md_tape_t *tape = w->tape;

  if (md_load_relaxed(&tape->tail) == w->write) return; /* this side's own word */
  md_store_relaxed(&tape->tail_seq, w->seq_last);       /* a hint, ordered by tail behind it */
  md_store_release(&tape->tail, w->write); /* R2: publishes bytes below tail; pairs with A2 */
}

/* ---- readers ---- */

/* tape_oldest returns the oldest marked boundary in the newer half of what lies below tail. */
static uint64_t
tape_oldest(const md_tape_t *tape, uint64_t capacity_bytes, uint64_t tail) {
  const uint64_t from = tail - capacity_bytes / 2;
  uint64_t       best = tail;

  if (tail <= capacity_bytes / 2) return 0;
  for (uint32_t i = 0; i < MD_TAPE_MARKS; i++) {
    const uint64_t mark = md_load_relaxed(&tape->mark[i]); /* at least as new as tail (A2) */
    if (mark >= from && mark < best) best = mark;
  }
  return best;
}

void
md_tape_reader_init(md_tape_reader_t *r, const md_tape_t *tape, bool from_oldest) {
  uint64_t tail;

  memset(r, 0, sizeof *r);
  r->tape           = tape;
  r->capacity_bytes = tape->capacity_bytes;
  /* The word was checked by join; should it have changed since, the reader never leaves CORRUPT. */
  if (md_tape_footprint(r->capacity_bytes) == 0) r->capacity_bytes = 0;
  tail      = md_load_acquire(&tape->tail); /* A2: bytes and marks below tail; pairs with R2 */
  r->cursor = tail;
  if (from_oldest && r->capacity_bytes != 0) r->cursor = tape_oldest(tape, r->capacity_bytes, tail);
}

void
md_tape_reader_seek(md_tape_reader_t *r, uint64_t pos) {
  r->cursor   = pos;
  r->seq_last = 0;
}

/* tape_overtaken says whether the bytes from the cursor on may have been overwritten. */
static bool
tape_overtaken(const md_tape_reader_t *r) {
  /* Relaxed: the words were loaded with acquire (A1), so intent is as new as the newest of them. */
  const uint64_t intent = md_load_relaxed(&r->tape->intent);

  return intent > r->cursor && intent - r->cursor > r->capacity_bytes;
}

MD_COLD static md_err_t
tape_lapped(md_tape_reader_t *r, uint64_t *lost_bytes) {
  /* Relaxed: only where to go on; the next read looks at tail again before it reads there. */
  const uint64_t tail = md_load_relaxed(&r->tape->tail);

  *lost_bytes = tail > r->cursor ? tail - r->cursor : 0;
  r->cursor   = tail;
  r->lapped_cnt++;
  return MD_ERR_LAPPED;
}

/* tape_bad tells being overtaken while reading the lead from real garbage. */
MD_COLD static md_err_t
tape_bad(md_tape_reader_t *r, uint64_t *lost_bytes) {
  return tape_overtaken(r) ? tape_lapped(r, lost_bytes) : MD_ERR_CORRUPT;
}

md_err_t
md_tape_read(md_tape_reader_t *r, void *out, uint64_t *lost_bytes) {
  const uint64_t       capacity = r->capacity_bytes;
  const md_atomic_u64 *words    = r->tape->words;

  if (MD_UNLIKELY(capacity == 0 || r->cursor % TAPE_WORD_BYTES != 0)) return MD_ERR_CORRUPT;
  const uint64_t tail = md_load_acquire(&r->tape->tail); /* A2: bytes below tail; pairs with R2 */
  /* Two turns at most: a pad ends at the wrap, and behind the wrap stands a record. */
  for (unsigned turn = 0; turn < 2; turn++) {
    if (r->cursor >= tail) return r->cursor - tail <= capacity ? MD_ERR_EMPTY : MD_ERR_CORRUPT;
    if (MD_UNLIKELY(tail - r->cursor > capacity)) return tape_lapped(r, lost_bytes);
    const uint64_t       place = r->cursor & (capacity - 1);
    const md_atomic_u64 *from  = &words[place / TAPE_WORD_BYTES];
    uint64_t             word  = md_load_acquire(&from[0]); /* A1: before intent; pairs with R1 */
    tape_lead_t          lead;
    memcpy(&lead, &word, sizeof lead);
    if (MD_UNLIKELY(lead.type == 0)) {
      if (lead.len != capacity - place || lead.len > tail - r->cursor)
        return tape_bad(r, lost_bytes);
      if (tape_overtaken(r)) return tape_lapped(r, lost_bytes);
      r->cursor += lead.len;
      continue;
    }
    if (lead.len < MD_RECORD_HEADER_BYTES || lead.len > MD_RECORD_BYTES_MAX ||
        lead.len % TAPE_WORD_BYTES != 0 || lead.type >= MD_RECORD_TYPE_END ||
        lead.len > capacity - place || lead.len > tail - r->cursor) {
      return tape_bad(r, lost_bytes);
    }
#if MD_MUTANT == 13
    if (tape_overtaken(r)) return tape_lapped(r, lost_bytes);
#endif
    memcpy(out, &word, sizeof word);
    for (uint32_t i = 1; i < lead.len / TAPE_WORD_BYTES; i++) {
      word = md_load_acquire(&from[i]); /* A1: before intent; pairs with R1 */
      memcpy((uint8_t *)out + (size_t)i * TAPE_WORD_BYTES, &word, sizeof word);
    }
#if MD_MUTANT != 13
    if (MD_UNLIKELY(tape_overtaken(r))) return tape_lapped(r, lost_bytes);
#endif
    r->seq_last = ((const md_record_t *)out)->seq;
    r->cursor += lead.len;
    return MD_OK;
  }
  return MD_ERR_CORRUPT;
}
