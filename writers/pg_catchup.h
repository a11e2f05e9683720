/* pg_catchup.h - the PostgreSQL sink reads the journal: at its start, after an outage, and when a
 * ring had no room. Batches are filled in the journal's order from where table progress stands; raw
 * streams are passed over; a range that the journal itself does not have goes to table losses. One
 * thread. */
#ifndef WRITERS_PG_CATCHUP_H
#define WRITERS_PG_CATCHUP_H

#include "shm/segment.h"
#include "writers/journal.h"
#include "writers/pg_batch.h"

typedef struct md_pg_catchup {
  const char          *dir;
  uint32_t             epoch; /* of this engine: its records count up to durable_seq only */
  uint32_t             complete_epoch; /* records of lower epochs are passed over */
  md_stream_row_t     *streams;
  uint32_t             stream_cnt;
  md_journal_reader_t *reader; /* NULL: not reading */
  const md_record_t   *held;   /* read, not taken yet */
  uint64_t             damage_cnt;
} md_pg_catchup_t;

/* md_pg_catchup_start opens the journal at the first record that progress lacks. A journal that has
 * no segment yet is not an error: the first take opens it. */
MD_MUST_USE md_err_t md_pg_catchup_start(md_pg_catchup_t *c, md_pg_progress_t *progress,
                                         md_msg_t *msg);
void                 md_pg_catchup_stop(md_pg_catchup_t *c);

/* md_pg_catchup_take moves up to max records into b. MD_OK: max reached; MD_ERR_END: nothing more
 * is durable now; MD_ERR_FULL: b is full; else msg says why the journal cannot be read. */
MD_MUST_USE md_err_t md_pg_catchup_take(md_pg_catchup_t *c, md_pg_batch_t *b,
                                        const md_pg_context_t *ctx, int64_t mono_ns, uint32_t max,
                                        uint32_t *cnt, md_msg_t *msg);

#endif
