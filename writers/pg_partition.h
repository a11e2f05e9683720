/* pg_partition.h - which daily partitions exist, and which ones the next transaction needs first.
 *
 * Owned by the writer thread of the PostgreSQL sink. A day is met when a row of it enters a batch,
 * or when it comes within the days made ahead. Making one is a statement of its own, outside the
 * batch; a day that the server refuses (rows of it are in the DEFAULT partition already) goes
 * there: md_pg_watch counts such rows now and then, between two batches. */
#ifndef WRITERS_PG_PARTITION_H
#define WRITERS_PG_PARTITION_H

#include "writers/pg_schema.h"

#define MD_PG_KNOWN_SLOTS 8192u
#define MD_PG_WANTED_MAX  2048u

typedef struct md_pg_partitions {
  uint32_t slot[MD_PG_KNOWN_SLOTS]; /* open addressing, 0 is free */
  uint32_t known_cnt;
  uint32_t wanted[MD_PG_WANTED_MAX];
  uint32_t wanted_cnt;
  uint32_t last[MD_PG_TABLE_MAX]; /* last day met, by table */
  int32_t  ahead_day;             /* partitions ahead are wanted up to this day */
} md_pg_partitions_t;

/* md_pg_partitions_clear forgets everything: after each connect the server is asked again. */
void md_pg_partitions_clear(md_pg_partitions_t *p);

/* md_pg_partitions_meet notes that a row of table with this receive time comes. */
void md_pg_partitions_meet(md_pg_partitions_t *p, uint32_t table, int64_t recv_ns);

/* md_pg_partitions_ahead wants days from the one of now_ns on, for each record table in types. */
void md_pg_partitions_ahead(md_pg_partitions_t *p, const md_pg_schema_t *s, uint64_t types,
                            int64_t now_ns, uint32_t days);

/* md_pg_partitions_sql writes the statement of the next wanted partition, false when there is none;
 * md_pg_partitions_done takes it off the list. */
bool md_pg_partitions_sql(const md_pg_partitions_t *p, const md_pg_schema_t *s, md_sql_t *sql);
void md_pg_partitions_done(md_pg_partitions_t *p);

/* ---- the DEFAULT partitions, which should be empty ---- */

#define MD_PG_WATCH_NS      INT64_C(60000000000)
#define MD_PG_WATCH_ROW_MAX 1000u /* counted of one table at most */

typedef struct md_pg_watch {
  int64_t  next_mono_ns; /* 0: at once */
  uint64_t row_cnt, said_cnt;
  bool     is_asked;
  char     table[MD_PG_NAME_BYTES]; /* one that has rows */
} md_pg_watch_t;

/* md_pg_watch_sql writes the question when it is due, false otherwise, or when no table has
 * partitions. md_pg_watch_take reads the answer in pg; true when there are more rows than were said
 * before. md_pg_watch_clear: after each connect it is asked again. */
bool md_pg_watch_sql(md_pg_watch_t *w, const md_pg_schema_t *s, int64_t mono_ns, md_sql_t *sql);
bool md_pg_watch_take(md_pg_watch_t *w, const md_pg_t *pg);
void md_pg_watch_clear(md_pg_watch_t *w);

#endif
