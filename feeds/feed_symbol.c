#include "feeds/feed_symbol.h"

#include <ck_ht.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The table is twice as large as it may ever get, so it never grows while messages flow. */
#define ROOM_FACTOR 2u
#define HASH_SEED   0x6d64656e67696e65u

struct md_feed_symbols {
  ck_ht_t           names;
  md_feed_symbol_t *rows;
  uint32_t          capacity, cnt;
};

static void *
ht_malloc(size_t bytes) {
  return malloc(bytes);
}

static void *
ht_realloc(void *p, size_t before, size_t after, bool defer) {
  (void)before;
  (void)defer; /* one thread: nobody reads the old table */
  return realloc(p, after);
}

static void
ht_free(void *p, size_t bytes, bool defer) {
  (void)bytes;
  (void)defer;
  free(p);
}

static struct ck_malloc allocator = {.malloc = ht_malloc, .realloc = ht_realloc, .free = ht_free};

md_feed_symbols_t *
md_feed_symbols_new(uint32_t capacity) {
  md_assert(capacity > 0);
  md_feed_symbols_t *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  t->capacity = capacity;
  void *rows  = mmap(NULL, capacity * sizeof *t->rows, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (rows == MAP_FAILED) goto fail_rows;
  t->rows = rows;
  if (!ck_ht_init(&t->names, CK_HT_MODE_BYTESTRING, NULL, &allocator,
                  (CK_HT_TYPE)capacity * ROOM_FACTOR, HASH_SEED))
    goto fail_names;
  return t;

fail_names:
  munmap(t->rows, capacity * sizeof *t->rows);
fail_rows:
  free(t);
  return NULL;
}

void
md_feed_symbols_delete(md_feed_symbols_t *t) {
  if (!t) return;
  ck_ht_destroy(&t->names);
  munmap(t->rows, t->capacity * sizeof *t->rows);
  free(t);
}

uint64_t
md_feed_symbols_bytes(const md_feed_symbols_t *t) {
  return t->cnt * sizeof *t->rows;
}

md_feed_symbol_t *
md_feed_symbols_find(md_feed_symbols_t *t, const char *symbol, uint32_t len) {
  if (len == 0 || len >= MD_SYMBOL_BYTES) return NULL;
  ck_ht_hash_t  hash;
  ck_ht_entry_t entry;
  ck_ht_hash(&hash, &t->names, symbol, (uint16_t)len);
  ck_ht_entry_key_set(&entry, symbol, (uint16_t)len);
  return ck_ht_get_spmc(&t->names, hash, &entry) ? ck_ht_entry_value(&entry) : NULL;
}

md_feed_symbol_t *
md_feed_symbols_add(md_feed_symbols_t *t, const char *symbol, uint32_t len) {
  md_feed_symbol_t *row = md_feed_symbols_find(t, symbol, len);
  if (row || len == 0 || len >= MD_SYMBOL_BYTES || t->cnt == t->capacity) return row;
  row = &t->rows[t->cnt];
  memset(row, 0, sizeof *row);
  memcpy(row->symbol, symbol, len);
  row->len        = (uint8_t)len;
  row->instrument = UINT32_MAX;

  ck_ht_hash_t  hash;
  ck_ht_entry_t entry;
  ck_ht_hash(&hash, &t->names, row->symbol, (uint16_t)len);
  ck_ht_entry_set(&entry, hash, row->symbol, (uint16_t)len, row);
  if (!ck_ht_put_spmc(&t->names, hash, &entry)) return NULL;
  t->cnt++;
  return row;
}
