/* tape.h - broadcast ring of one normalised stream: one writer, any number of read-only readers.
 *
 * The writer never waits and knows no reader. It stores `intent` (the end of what it is about to
 * overwrite), then the words, then `tail` (the end of what is complete). A reader copies a record
 * and then checks that intent has not passed its cursor by more than the capacity.
 *
 * Orders: R1 data words store-release after intent   <-> A1 reader's data load-acquire before intent
 *         R2 tail store-release publishes the bytes   <-> A2 reader's tail load-acquire
 * Data words are atomic: a plain copy under a position check would be a data race.
 *
 * A record never straddles the end (pad record, type 0). Readers trust nothing that they read. */
#ifndef SHM_TAPE_H
#define SHM_TAPE_H

#include "shm/atomics.h"
#include "shm/record.h"

#define MD_TAPE_MAGIC 0x3145504154444d00ull /* "\0MDTAPE1" */

typedef struct md_tape {
  uint64_t magic;
  uint64_t capacity_bytes; /* power of two in [MD_RING_BYTES_MIN, MD_RING_BYTES_MAX] */
  uint16_t stream;
  uint16_t pad0;
  uint32_t epoch;
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 intent;
  md_atomic_u64 tail;
  md_atomic_u64 tail_seq; /* seq of the last complete record; a hint */
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 words[]; /* capacity_bytes / 8 */
} md_tape_t;

_Static_assert(offsetof(md_tape_t, intent) == MD_CACHE_BLOCK, "tape ABI");
_Static_assert(offsetof(md_tape_t, words) == 2 * MD_CACHE_BLOCK, "tape ABI");

typedef struct md_tape_writer {
  md_tape_t *tape;
  uint64_t   mask;
  uint64_t   write;
  uint64_t   seq_last;
} md_tape_writer_t;

typedef struct md_tape_reader {
  const md_tape_t *tape;
  uint64_t         capacity_bytes; /* checked copy: the segment's word is not trusted again */
  uint64_t         cursor;
  uint64_t         seq_last;   /* of the last record read, 0 before the first */
  uint64_t         lapped_cnt; /* times overtaken */
} md_tape_reader_t;

uint64_t md_tape_footprint(uint64_t capacity_bytes);
MD_MUST_USE md_err_t md_tape_new(void *mem, uint16_t stream, uint32_t epoch, uint64_t capacity_bytes);
MD_MUST_USE md_err_t md_tape_join(const void *mem, uint64_t avail_bytes, const md_tape_t **out);

/* ---- writer only (the feed thread) ---- */
void md_tape_writer_init(md_tape_writer_t *w, md_tape_t *tape);

/* md_tape_write copies one record; not visible before md_tape_publish. Never fails. Returns the
 * record's position: the cursor at which a reader finds it. */
uint64_t md_tape_write(md_tape_writer_t *w, const md_record_t *rec);
void     md_tape_publish(md_tape_writer_t *w);

/* ---- readers, any thread of any process, read-only mapping ---- */

/* md_tape_reader_init starts at the newest complete record's end (from_oldest false) or at a record
 * about capacity/2 back (from_oldest true; a record boundary is found by the writer's pads: see .c). */
void md_tape_reader_init(md_tape_reader_t *r, const md_tape_t *tape, bool from_oldest);

/* md_tape_reader_seek puts the cursor on a position that a book reported (its tape_pos). */
void md_tape_reader_seek(md_tape_reader_t *r, uint64_t pos);

/* md_tape_read copies the next record into out (at least MD_RECORD_BYTES_MAX bytes, 8-byte aligned).
 * MD_OK; MD_ERR_EMPTY caught up; MD_ERR_LAPPED overtaken: *lost_bytes says by how much, the cursor
 * now stands at the tail; MD_ERR_CORRUPT the segment holds garbage. Never blocks, never loops
 * without bound. */
MD_MUST_USE md_err_t md_tape_read(md_tape_reader_t *r, void *out, uint64_t *lost_bytes);

#endif
