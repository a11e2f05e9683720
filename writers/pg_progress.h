/* pg_progress.h - how far each (stream, epoch) was taken and how far it is stored.
 *
 * Owned by the writer thread of the PostgreSQL sink. Filled from table progress after each connect
 * and thrown away with the connection: the database alone says what is stored. */
#ifndef WRITERS_PG_PROGRESS_H
#define WRITERS_PG_PROGRESS_H

#include "shm/err.h"
#include "shm/limits.h"

typedef struct md_pg_progress_row {
  uint16_t stream;
  uint32_t epoch;
  uint64_t next;       /* next seq to take into a batch */
  uint64_t stored;     /* next of the row in the database; batches under way end above it */
  bool     is_new;     /* no row in the database yet */
  bool     is_skipped; /* a raw stream: never stored */
  char     name[MD_NAME_BYTES];
} md_pg_progress_row_t;

typedef struct md_pg_progress {
  md_pg_progress_row_t *row;
  uint32_t              cnt, capacity;
  uint32_t              last; /* found last: records of a stream come in runs */
} md_pg_progress_t;

void md_pg_progress_clear(md_pg_progress_t *p);
void md_pg_progress_delete(md_pg_progress_t *p);

/* md_pg_progress_find returns the row's index, UINT32_MAX when there is none. */
uint32_t md_pg_progress_find(md_pg_progress_t *p, uint16_t stream, uint32_t epoch);

/* md_pg_progress_add appends a row that was not found: next 1, new, skipped when name ends in
 * ".raw". UINT32_MAX: out of memory. Moves rows: keep indexes, not pointers. */
uint32_t md_pg_progress_add(md_pg_progress_t *p, uint16_t stream, uint32_t epoch, const char *name);

#endif
