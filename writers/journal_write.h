/* journal_write.h - making blocks: which streams there are, how far each is settled, and one block
 * being filled. The journal sink and recovery share it; one thread each, no I/O, no allocation. */
#ifndef WRITERS_JOURNAL_WRITE_H
#define WRITERS_JOURNAL_WRITE_H

#include "shm/ring.h"
#include "writers/journal_format.h"

/* ---- marks: the end of every stream, as segment headers carry it ---- */

typedef struct md_journal_marks {
  md_journal_mark_t row[MD_JOURNAL_MARK_CNT];
  uint32_t          cnt;
} md_journal_marks_t;

/* md_journal_marks_put raises the mark of stream: a later epoch, or the same with a higher seq.
 * When all rows are taken, the one of the oldest epoch gives way. */
void md_journal_marks_put(md_journal_marks_t *m, uint16_t stream, uint32_t epoch, uint64_t seq);

/* md_journal_marks_seq returns the last settled seq of (stream, epoch), 0 for none. */
uint64_t md_journal_marks_seq(const md_journal_marks_t *m, uint16_t stream, uint32_t epoch);

void md_journal_marks_to_head(const md_journal_marks_t *m, md_journal_head_t *head);
void md_journal_marks_from_head(md_journal_marks_t *m, const md_journal_head_t *head);

/* ---- streams of one epoch ---- */

typedef struct md_journal_streams {
  uint8_t *slot; /* of each stream id: index + 1, 0 unknown; UINT16_MAX + 1 bytes of the caller */
  uint32_t cnt;
  uint16_t id[MD_STREAM_CNT_MAX];
  uint64_t seq[MD_STREAM_CNT_MAX]; /* last one settled by what was taken */
} md_journal_streams_t;

#define MD_JOURNAL_STREAM_SLOTS (UINT16_MAX + 1u)

/* md_journal_streams_index returns the index of stream, taking a free one for a new stream; -1 when
 * all are taken. */
int md_journal_streams_index(md_journal_streams_t *s, uint16_t stream);

/* What a record does to the sequence of its stream: settles [first, last], or nothing (0, 0). */
typedef struct md_journal_range {
  uint64_t first, last;
} md_journal_range_t;

md_journal_range_t md_journal_range_of(const md_record_t *rec);

/* md_journal_streams_settle moves stream idx on; false when range does not begin right behind the
 * last: a hole or a repetition that nobody declared. */
bool md_journal_streams_settle(md_journal_streams_t *s, uint32_t idx, md_journal_range_t range);

/* ---- one group in a ring ---- */

typedef struct md_journal_group {
  const md_record_t *first;
  uint64_t           bytes;
  uint32_t           record_cnt;
  bool               whole; /* ends with LAST; else the ring ended within it */
} md_journal_group_t;

/* md_journal_group_next finds the next group of a ring. c is left where it was: the caller takes
 * the records one by one with md_ring_next. False: nothing there. */
bool md_journal_group_next(md_ring_consumer_t *c, md_journal_group_t *out);

/* ---- one block ---- */

typedef struct md_journal_builder {
  uint8_t         *data; /* aligned to MD_JOURNAL_PAGE_BYTES */
  uint32_t         cap_bytes;
  uint32_t         header_bytes; /* room for every stream's sub-header */
  uint32_t         used_bytes;   /* header_bytes and the records */
  uint32_t         record_cnt;
  uint32_t         sub_cap;
  uint32_t         flags;
  int64_t          ts_first_ns, ts_last_ns;
  md_journal_sub_t sub[MD_JOURNAL_SUB_CNT]; /* by stream index; record_cnt 0: not in this block */
} md_journal_builder_t;

/* md_journal_builder_begin empties b over data; sub_cap streams at most. */
void md_journal_builder_begin(md_journal_builder_t *b, uint8_t *data, uint32_t cap_bytes,
                              uint32_t sub_cap);

static inline bool
md_journal_builder_fits(const md_journal_builder_t *b, uint64_t bytes) {
  return bytes <= b->cap_bytes - b->used_bytes;
}

/* md_journal_builder_add copies rec of stream index idx. It fits. */
void md_journal_builder_add(md_journal_builder_t *b, uint32_t idx, const md_record_t *rec,
                            md_journal_range_t range);

/* Where the block goes and what was durable when it was closed. */
typedef struct md_journal_place {
  uint64_t        segment, offset, durable_off;
  uint32_t        epoch;
  const uint64_t *durable_seq; /* by stream index; may be NULL */
} md_journal_place_t;

/* md_journal_builder_finish writes header, sub-headers, padding and checksum. Returns the block's
 * bytes. */
uint32_t md_journal_builder_finish(md_journal_builder_t *b, const md_journal_streams_t *streams,
                                   const md_journal_place_t *place);

#endif
