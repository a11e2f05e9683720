/* pg_retention.h - taking old days away from the database.
 *
 * A day goes in one short transaction: it is noted in table dropped, its partition is detached
 * (plain DETACH: CONCURRENTLY is refused where there is a DEFAULT partition) and dropped. DETACH
 * needs the table for itself for a moment; it waits at most lock_timeout for it, so that a COPY
 * that came later waits no longer than that behind it, and is tried again after a pause. Killed
 * anywhere, it is run again. Definitions stay: every view lives on them. Used by the command db. */
#ifndef WRITERS_PG_RETENTION_H
#define WRITERS_PG_RETENTION_H

#include "writers/pg_call.h"

typedef struct md_pg_retention {
  uint32_t lock_timeout_ms; /* of one try */
  uint32_t try_max;         /* of one partition */
  int64_t  pause_ns;        /* after the first failed try; doubled up to 2 s */
  /* Told of each partition: dropped, or not after the last try (why not NULL). May be NULL. */
  void (*told)(void *ctx, const char *partition, uint32_t try_cnt, const char *why);
  void *ctx;
  /* What was done. */
  uint32_t dropped_cnt, refused_cnt, retry_cnt;
  uint64_t default_row_cnt, chunk_cnt;
} md_pg_retention_t;

/* md_pg_retention_run drops what was received before the UTC day `before` (days since 1970). s was
 * checked. MD_ERR_BUSY: some partitions stay, because others held them; the rest is done. */
MD_MUST_USE md_err_t md_pg_retention_run(md_pg_retention_t *r, md_pg_call_t *c,
                                         const md_pg_schema_t *s, int32_t before, md_msg_t *msg);

#endif
