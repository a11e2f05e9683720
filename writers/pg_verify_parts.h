/* pg_verify_parts.h - the inside of pg_verify: sums of the journal's records by group
 * (pg_verify_sum.c), and their comparison with the database (pg_verify.c). */
#ifndef WRITERS_PG_VERIFY_PARTS_H
#define WRITERS_PG_VERIFY_PARTS_H

#include "writers/pg_verify.h"

#define MD_PG_HOUR_NS INT64_C(3600000000000)

/* One column: values that are not NULL (elements of an array), and their sum * 10^exp. */
typedef struct md_pg_sum {
  uint64_t cnt;
  md_i128  sum;
  int      exp;
  bool     is_wide; /* did not fit 128 bits: not compared */
} md_pg_sum_t;

typedef struct md_pg_group {
  uint32_t    table, epoch;
  uint16_t    stream;
  bool        is_used, is_seen; /* by the database's answer */
  int64_t     hour;             /* of the receive time, since 1970 */
  uint64_t    row_cnt, seq_first, seq_last;
  md_pg_sum_t column[MD_PG_COLUMN_MAX];
} md_pg_group_t;

typedef struct md_pg_groups {
  md_pg_group_t *slot; /* open addressing */
  uint32_t       cap, cnt;
} md_pg_groups_t;

/* md_pg_groups_at finds a group, or makes it (make); NULL: not there, or no memory. */
md_pg_group_t *md_pg_groups_at(md_pg_groups_t *g, uint32_t table, uint16_t stream, uint32_t epoch,
                               int64_t hour, bool make);
void           md_pg_groups_delete(md_pg_groups_t *g);

/* md_pg_group_add adds a record of the table's type. */
void md_pg_group_add(md_pg_group_t *g, const md_pg_table_t *t, const md_record_t *rec);

/* md_pg_groups_sql appends, for a column, count and sum as the database has them. */
void md_pg_groups_sql(const md_copy_column_t *c, md_sql_t *sql);

#endif
