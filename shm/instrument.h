/* instrument.h - the directory of instruments in use, with the place of each book.
 *
 * Rows are taken in order by feed threads (fetch-add), filled, then made ready; never removed. The
 * id in a row is the journal's, append-only for ever; the row number is of this segment only. */
#ifndef SHM_INSTRUMENT_H
#define SHM_INSTRUMENT_H

#include "shm/atomics.h"
#include "shm/record.h"

typedef struct md_instrument_row {
  md_atomic_u64
           ready; /* R1 store-release of 1 when the row is filled; A1 load-acquire in readers */
  uint32_t id;
  uint16_t feed;
  int8_t   px_exp, qty_exp; /* of the DEFINITION kept here */
  uint64_t book_off;        /* from the start of the segment, 0: no book */
  uint64_t book_bytes;
  md_atomic_u64   version; /* of definition: odd while it changes */
  uint64_t        pad0[4];
  md_definition_t definition; /* symbol, normalised and assets never change once ready */
  uint8_t         pad1[320 - 72 - sizeof(md_definition_t)];
} md_instrument_row_t;

_Static_assert(sizeof(md_instrument_row_t) == 320, "rows are whole cache lines");

typedef struct md_instruments {
  uint32_t capacity;
  uint32_t pad0;
  uint64_t book_space_off, book_space_bytes;      /* where books are carved from */
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 row_cnt; /* taken; may exceed capacity for a moment */
  md_atomic_u64 book_used_bytes;
  md_atomic_u64 next_id; /* next free instrument id of the journal */
  _Alignas(MD_CACHE_BLOCK) md_instrument_row_t row[];
} md_instruments_t;

uint64_t md_instruments_footprint(uint32_t capacity);

#endif
