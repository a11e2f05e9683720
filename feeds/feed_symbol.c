#include "feeds/feed_symbol.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* At most half of the slots are in use, so that a search ends soon. */
#define ROOM_FACTOR 2u

/* Where a symbol may stand: rows and instruments are found by this, four to a cache line. row is
 * its index + 1, 0 for an empty slot. */
typedef struct slot {
  uint32_t tag, row, instrument, pad;
} slot_t;

struct md_feed_symbols {
  slot_t           *slots;
  md_feed_symbol_t *rows;
  uint32_t          mask, capacity, cnt;
};

static void *
reserve(uint64_t bytes) {
  void *p =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? NULL : p;
}

static void
release(void *p, uint64_t bytes) {
  if (p) munmap(p, bytes);
}

static uint64_t
slots_bytes(const md_feed_symbols_t *t) {
  return (t->mask + 1ull) * sizeof *t->slots;
}

md_feed_symbols_t *
md_feed_symbols_new(uint32_t capacity) {
  md_assert(capacity > 0);
  uint64_t           slot_cnt = 1;
  md_feed_symbols_t *t        = calloc(1, sizeof *t);
  if (!t) return NULL;
  while (slot_cnt < (uint64_t)capacity * ROOM_FACTOR)
    slot_cnt *= 2;
  md_assert(slot_cnt <= 1ull << 31);
  t->mask     = (uint32_t)slot_cnt - 1;
  t->capacity = capacity;
  t->rows     = reserve(capacity * sizeof *t->rows);
  t->slots    = reserve(slots_bytes(t));
  if (t->rows && t->slots) return t;
  md_feed_symbols_delete(t);
  return NULL;
}

void
md_feed_symbols_delete(md_feed_symbols_t *t) {
  if (!t) return;
  release(t->slots, slots_bytes(t));
  release(t->rows, t->capacity * sizeof *t->rows);
  free(t);
}

uint64_t
md_feed_symbols_bytes(const md_feed_symbols_t *t) {
  return t->cnt * (sizeof *t->rows + ROOM_FACTOR * sizeof *t->slots);
}

/* The slot of a symbol, or the empty one where it would stand. */
static slot_t *
slot_of(const md_feed_symbols_t *t, uint64_t hash, const char *symbol, uint32_t len) {
  const uint32_t tag = (uint32_t)hash;
  for (uint32_t at = (uint32_t)(hash >> 32);; at++) { /* ends: half of them are empty */
    slot_t *s = &t->slots[at & t->mask];
    if (s->row == 0) return s;
    const md_feed_symbol_t *row = &t->rows[s->row - 1];
    if (s->tag == tag && row->len == len && memcmp(row->symbol, symbol, len) == 0) return s;
  }
}

void
md_feed_symbols_prefetch(const md_feed_symbols_t *t, uint64_t hash) {
  md_prefetch(&t->slots[(uint32_t)(hash >> 32) & t->mask]);
}

uint32_t
md_feed_symbols_guess(const md_feed_symbols_t *t, uint64_t hash) {
  const uint32_t tag = (uint32_t)hash;
  for (uint32_t at = (uint32_t)(hash >> 32);; at++) { /* as above */
    const slot_t *s = &t->slots[at & t->mask];
    if (s->row == 0) return UINT32_MAX;
    if (s->tag == tag) return s->instrument;
  }
}

void
md_feed_symbols_use(md_feed_symbols_t *t, md_feed_symbol_t *row, uint32_t instrument) {
  slot_t *s = slot_of(t, md_feed_symbol_hash(row->symbol, row->len), row->symbol, row->len);
  md_assert(s->row != 0 && &t->rows[s->row - 1] == row);
  s->instrument   = instrument;
  row->instrument = instrument;
}

md_feed_symbol_t *
md_feed_symbols_find(const md_feed_symbols_t *t, uint64_t hash, const char *symbol, uint32_t len) {
  if (len == 0 || len >= MD_SYMBOL_BYTES) return NULL;
  const slot_t *s = slot_of(t, hash, symbol, len);
  return s->row ? &t->rows[s->row - 1] : NULL;
}

md_feed_symbol_t *
md_feed_symbols_add(md_feed_symbols_t *t, const char *symbol, uint32_t len) {
  if (len == 0 || len >= MD_SYMBOL_BYTES) return NULL;
  const uint64_t hash = md_feed_symbol_hash(symbol, len);
  slot_t        *s    = slot_of(t, hash, symbol, len);
  if (s->row) return &t->rows[s->row - 1];
  if (t->cnt == t->capacity) return NULL;
  md_feed_symbol_t *row = &t->rows[t->cnt++];
  memset(row, 0, sizeof *row);
  memcpy(row->symbol, symbol, len);
  row->len        = (uint8_t)len;
  row->instrument = UINT32_MAX;
  *s              = (slot_t){.tag = (uint32_t)hash, .row = t->cnt, .instrument = UINT32_MAX};
  return row;
}
