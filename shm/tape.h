/* tape.h - broadcast ring of one normalised stream: one writer, any number of read-only readers.
 *
 * The writer never waits and knows no reader. It stores `intent` (the end of what it is about to
 * overwrite), then the words, then `tail` (the end of what is complete). A reader copies a record
 * and then checks that intent has not passed its cursor by more than the capacity.
 *
 * Orders: R1 data words store-release after intent   <-> A1 reader's data load-acquire before
 * intent R2 tail store-release publishes the bytes   <-> A2 reader's tail load-acquire Data words
 * are atomic: a plain copy under a position check would be a data race.
 *
 * A record never straddles the end (pad record, type 0). Positions are 64-bit byte counts; place =
 * position & (capacity - 1). The capacity is cut into MD_TAPE_MARKS blocks; mark[k] is the position
 * of the newest record that is the first to begin in block k, so a reader can begin at a boundary
 * in the past. Readers trust nothing that they read. */
#ifndef SHM_TAPE_H
#define SHM_TAPE_H

#include "shm/atomics.h"
#include "shm/record.h"

#define MD_TAPE_MAGIC 0x3145504154444d00ull /* "\0MDTAPE1" */
#define MD_TAPE_MARKS 16u

typedef struct md_tape {
  uint64_t magic;
  uint64_t capacity_bytes; /* power of two in [MD_RING_BYTES_MIN, MD_RING_BYTES_MAX] */
  uint16_t stream;
  uint16_t pad0;
  uint32_t epoch;
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 intent;
  md_atomic_u64 tail;
  md_atomic_u64 tail_seq; /* seq of the last complete record; a hint */
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 mark[MD_TAPE_MARKS];
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 words[]; /* capacity_bytes / 8 */
} md_tape_t;

_Static_assert(offsetof(md_tape_t, intent) == MD_CACHE_BLOCK, "tape ABI");
_Static_assert(offsetof(md_tape_t, mark) == 2 * MD_CACHE_BLOCK, "tape ABI");
_Static_assert(offsetof(md_tape_t, words) == 3 * MD_CACHE_BLOCK, "tape ABI");

typedef struct md_tape_writer {
  md_tape_t *tape;
  uint64_t   mask;
  uint64_t   block_bytes; /* capacity / MD_TAPE_MARKS */
  uint64_t   write;
  uint64_t   mark_next; /* the first record at or behind this position is marked */
  uint64_t   seq_last;
} md_tape_writer_t;

typedef struct md_tape_reader {
  const md_tape_t *tape;
  uint64_t         capacity_bytes; /* checked copy: the segment's word is not trusted again */
  uint64_t         cursor;
  uint64_t         seq_last;   /* of the last record read, 0 before the first */
  uint64_t         lapped_cnt; /* times overtaken */
} md_tape_reader_t;

uint64_t             md_tape_footprint(uint64_t capacity_bytes);
MD_MUST_USE md_err_t md_tape_new(void *mem, uint16_t stream, uint32_t epoch,
                                 uint64_t capacity_bytes);
MD_MUST_USE md_err_t md_tape_join(const void *mem, uint64_t avail_bytes, const md_tape_t **out);

/* ---- writer only (the feed thread) ---- */
void md_tape_writer_init(md_tape_writer_t *w, md_tape_t *tape);

/* md_tape_write copies one record; not visible before md_tape_publish. Never fails. Returns the
 * record's position: the cursor at which a reader finds it (behind the pad, if there was one). */
uint64_t md_tape_write(md_tape_writer_t *w, const md_record_t *rec);
void     md_tape_publish(md_tape_writer_t *w);

/* ---- readers, any thread of any process, read-only mapping ---- */

/* md_tape_reader_init starts at the newest complete record's end (from_oldest false) or at a record
 * about capacity/2 back (from_oldest true: the oldest mark in that half; the end when the half has
 * none, the first record when less than half was ever written). tape comes from md_tape_join. */
void md_tape_reader_init(md_tape_reader_t *r, const md_tape_t *tape, bool from_oldest);

/* md_tape_reader_seek puts the cursor on a position that a book reported (its tape_pos). */
void md_tape_reader_seek(md_tape_reader_t *r, uint64_t pos);

/* md_tape_read copies the next record into out (at least MD_RECORD_BYTES_MAX bytes, 8-byte
 * aligned). MD_OK; MD_ERR_EMPTY caught up; MD_ERR_LAPPED overtaken: *lost_bytes says how many bytes
 * are skipped, the cursor now stands at the tail; MD_ERR_CORRUPT the cursor is no record boundary
 * or the segment holds garbage, the cursor stays (begin again with md_tape_reader_init). Length,
 * alignment and type are checked here, counts inside a body by md_record_check. Never blocks, never
 * loops without bound. */
MD_MUST_USE md_err_t md_tape_read(md_tape_reader_t *r, void *out, uint64_t *lost_bytes);

#endif
