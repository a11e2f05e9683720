/* postgres.h - configuration and offline functions of the PostgreSQL sink (sinks/postgres.c).
 *
 * COPY BINARY batches into daily partitions of schema md, one transaction each, whose last
 * statement moves the progress row of (journal, stream, epoch): a batch is stored once or not at
 * all. Never commits past the journal's durable position. libpq-fe.h is included by pg.c only. */
#ifndef WRITERS_POSTGRES_H
#define WRITERS_POSTGRES_H

#include "shm/record.h"

typedef struct md_postgres_config {
  const char *conninfo; /* libpq connection string or URI; a password belongs into a passfile */
  const char *schema;   /* "md" */
  const char *compat_schema;  /* of the compatibility views; NULL or "": none */
  bool        timescale;      /* hypertables where TimescaleDB is there */
  uint64_t    record_types;   /* bit (1 << type) for every type that goes to the database */
  uint32_t    batch_rows;     /* a transaction closes at this many rows ... */
  int64_t     batch_ns;       /* ... or at this age */
  uint32_t    connections;    /* 1 to MD_PG_LANE_MAX; 0 is 1 */
  uint32_t    partition_days; /* daily partitions made ahead */
  int         connect_timeout_ms;
  int         timeout_ms; /* of one answer; 0: none */
  bool     wait_at_start; /* false: no database at start is an error; true: keep trying, catch up */
  uint8_t  journal_uuid[16];
  uint32_t epoch; /* of this engine */
} md_postgres_config_t;

#endif
