/* pg_batch.h - one transaction: the rows that go into it, and how it is sent.
 *
 * A batch is filled from records while others are on their way, one a connection; they are
 * committed in the order in which they were filled.
 * Rows are encoded at once into chunks of 128 KiB, a list for each table, from memory taken at
 * open. Sending is a state machine over pg.h; its last statement moves the progress rows from where
 * they stood when the batch began to where it ends, and when one of them does not stand there any
 * more nothing is stored. A batch that failed is thrown away: its records are read again from the
 * journal. One thread. */
#ifndef WRITERS_PG_BATCH_H
#define WRITERS_PG_BATCH_H

#include "writers/pg_partition.h"
#include "writers/pg_progress.h"

#define MD_PG_CHUNK_BYTES (128u << 10) /* holds the row of any record */
#define MD_PG_MOVE_MAX    64u
#define MD_PG_SAMPLE_MAX  16u
#define MD_PG_EXTRA_BYTES (256u << 10)

typedef struct md_pg_chunk {
  struct md_pg_chunk *next;
  uint32_t            len;
  uint8_t             data[MD_PG_CHUNK_BYTES];
} md_pg_chunk_t;

/* A step of one progress row. */
typedef struct md_pg_move {
  uint32_t row; /* index in md_pg_progress_t */
  uint64_t from, to;
} md_pg_move_t;

/* Names one record. */
typedef struct md_pg_place {
  uint16_t stream;
  uint32_t epoch;
  uint64_t seq;
} md_pg_place_t;

typedef struct md_pg_batch {
  md_pg_chunk_t *memory, *free;
  uint32_t       chunk_cnt;
  struct {
    md_pg_chunk_t *first, *last;
  } table[MD_PG_TABLE_MAX];
  md_pg_move_t  move[MD_PG_MOVE_MAX];
  uint32_t      move_cnt;
  md_sql_t      extra; /* losses and rejects */
  uint32_t      row_cnt, record_cnt;
  uint64_t      byte_cnt;
  int64_t       last_pub_ns;                             /* of the last record, 0: none known */
  int64_t       opened_mono_ns;                          /* of the first record */
  int64_t       definition_first_ns, definition_last_ns; /* receive times; first > last: none */
  md_pg_place_t last_row;
  int64_t       sample_pub_ns[MD_PG_SAMPLE_MAX];
  uint32_t      sample_cnt;
} md_pg_batch_t;

/* The record that the server refused in a batch of its own. */
typedef struct md_pg_refusal {
  bool          is_set;
  md_pg_place_t place;
  char          why[256];
} md_pg_refusal_t;

/* What filling and sending need to know. */
typedef struct md_pg_context {
  const md_pg_schema_t *schema;
  md_pg_partitions_t   *partitions;
  md_pg_progress_t     *progress;
  int32_t               journal;
  uint32_t              epoch; /* of this engine */
  uint64_t              record_types;
  uint32_t              row_limit; /* of a batch */
  md_pg_refusal_t       refusal;
} md_pg_context_t;

/* md_pg_batch_new takes memory for about row_cnt rows of the usual size; MD_ERR_NOMEM. */
MD_MUST_USE md_err_t md_pg_batch_new(md_pg_batch_t *b, uint32_t row_cnt);
void                 md_pg_batch_delete(md_pg_batch_t *b);
void                 md_pg_batch_clear(md_pg_batch_t *b);

/* md_pg_batch_add takes rec, whose seq is the next of progress row `row`, and moves that row on.
 * Types that are not stored only move it. MD_ERR_FULL: nothing happened, send the batch and try
 * again. A record that no row can hold goes to table rejects. */
MD_MUST_USE md_err_t md_pg_batch_add(md_pg_batch_t *b, const md_pg_context_t *ctx, uint32_t row,
                                     const md_record_t *rec, int64_t mono_ns);

/* md_pg_batch_reject puts rec into table rejects; md_pg_batch_loss puts a range that the journal
 * does not have into table losses and moves behind it. MD_ERR_FULL as above. */
MD_MUST_USE md_err_t md_pg_batch_reject(md_pg_batch_t *b, const md_pg_context_t *ctx, uint32_t row,
                                        const md_record_t *rec, const char *why, int64_t mono_ns);
MD_MUST_USE md_err_t md_pg_batch_loss(md_pg_batch_t *b, const md_pg_context_t *ctx, uint32_t row,
                                      uint64_t seq_first, uint64_t seq_last, unsigned reason,
                                      int64_t mono_ns);

/* ---- sending: pg_send.c ---- */

typedef enum md_pg_send_phase {
  MD_PG_SEND_IDLE,
  MD_PG_SEND_PARTITION,
  MD_PG_SEND_BEGIN, /* next table, or the end of the rows */
  MD_PG_SEND_DATA,
  MD_PG_SEND_COPIED, /* waits for the server to have taken the table */
  MD_PG_SEND_MOVED,  /* waits for the answer of the progress update */
  MD_PG_SEND_COMMIT
} md_pg_send_phase_t;

typedef struct md_pg_send {
  md_pg_send_phase_t   phase;
  md_pg_batch_t       *batch;
  uint32_t             table;
  const md_pg_chunk_t *chunk;
  bool                 is_begun;
  bool                 is_asked; /* the statement of the phase is on its way */
  md_sql_t             sql;
  char warning[512]; /* of a partition that was refused; the caller logs and clears it */
} md_pg_send_t;

MD_MUST_USE md_err_t md_pg_send_new(md_pg_send_t *s);
void                 md_pg_send_delete(md_pg_send_t *s);

/* md_pg_send_start begins with b, which stays untouched until the end; md_pg_send_stop forgets it.
 */
void md_pg_send_start(md_pg_send_t *s, md_pg_batch_t *b);
void md_pg_send_stop(md_pg_send_t *s);

/* md_pg_send_step goes on. May_finish: every batch before this one is committed; without it the
 * rows are sent, and progress stays. Returns 0 under way, 1 committed, MD_ERR_DB (see md_pg_fault),
 * MD_ERR_FENCED: a progress row does not stand where the batch begins. After an error the
 * transaction is not committed, or, when the link was lost during COMMIT, its outcome is unknown:
 * connect again and read progress. */
int md_pg_send_step(md_pg_send_t *s, md_pg_t *pg, const md_pg_context_t *ctx, bool may_finish);

/* md_pg_send_waits: all rows are sent, only its turn to finish is missing. */
bool md_pg_send_waits(const md_pg_send_t *s, const md_pg_context_t *ctx);

#endif
