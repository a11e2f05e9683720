/* pg_verify.h - does the database hold what the journal holds? Counts, first and last seq, and the
 * exact sum of every column by (table, stream, epoch, hour), both sides read on their own: the
 * journal's records field by field, the tables by SQL in one snapshot.
 *
 * Compared is what the database says that it has: seqs below `next` of table progress, less the
 * records in rejects and the days that retention took, and less what retention took of the journal,
 * as the header of its first segment says. Types that are not stored are left out. Used by the
 * command db; reads only. */
#ifndef WRITERS_PG_VERIFY_H
#define WRITERS_PG_VERIFY_H

#include "writers/journal.h"
#include "writers/pg_call.h"

typedef struct md_pg_verify {
  const char *journal_dir;
  uint64_t    record_types; /* as md_postgres_config_t */
  /* Told of each difference, in one line. */
  void (*differs)(void *ctx, const char *text);
  void *ctx;
  /* What was found. */
  uint64_t group_cnt; /* (table, stream, epoch, hour) */
  uint64_t row_cnt;   /* of the database */
  uint64_t value_cnt; /* numbers compared */
  uint64_t record_cnt, difference_cnt;
  uint32_t gone_cnt; /* streams whose beginning retention took from the journal: not compared */
} md_pg_verify_t;

/* md_pg_verify_run compares the journal with schema s, which was checked. MD_OK whatever it found;
 * errors are of the journal, the database or memory. */
MD_MUST_USE md_err_t md_pg_verify_run(md_pg_verify_t *v, md_pg_call_t *c, const md_pg_schema_t *s,
                                      md_msg_t *msg);

#endif
