/* pg_schema.h - the tables of the PostgreSQL sink: what they look like, the SQL that makes them,
 * and the check that a database has them as expected.
 *
 * Record tables follow from md_record_info: a field row of shm/record_table.h is a column here. The
 * tables of the sink itself (journals, streams, progress, instruments ...) are rows in pg_schema.c.
 * Views are in pg_views.h, what TimescaleDB wants otherwise in pg_timescale.h. Text only: nothing
 * here talks to a server. Used by the writer thread of the sink and by the command db. */
#ifndef WRITERS_PG_SCHEMA_H
#define WRITERS_PG_SCHEMA_H

#include "writers/copy_encode.h"
#include "writers/pg.h"
#include "writers/pg_sql.h"

#define MD_PG_TABLE_MAX  40u
#define MD_PG_COLUMN_MAX 48u
#define MD_PG_NAME_BYTES 64u /* identifiers of PostgreSQL, with NUL */
#define MD_PG_DDL_BYTES  (1u << 20)

/* Counts changes of the tables: 1 had no tables of books and samples, and no row of its own; 2 had
 * fewer columns, and no details of trades. */
#define MD_PG_SCHEMA_VERSION 3

typedef struct md_pg_table {
  const char      *name;
  const char      *key; /* columns of the primary key, NULL for none */
  const char      *doc;
  uint32_t         record; /* md_record_type_t, 0 for a table of the sink itself */
  uint32_t         column_cnt;
  md_copy_column_t column[MD_PG_COLUMN_MAX];
  /* Said by md_pg_schema_check: the table, its view, what it is. */
  bool     is_found, is_view_found, is_partitioned;
  uint64_t missing; /* columns that an older version had not, a bit for each */
} md_pg_table_t;

_Static_assert(MD_PG_COLUMN_MAX <= 64, "a bit for each column");

typedef struct md_pg_schema {
  char          name[MD_PG_NAME_BYTES];
  uint32_t      table_cnt;
  md_pg_table_t table[MD_PG_TABLE_MAX];
  uint8_t       of_type[MD_RECORD_TYPE_END]; /* index into table, UINT8_MAX for none */
  /* Set by md_pg_schema_extras: the schema of the compatibility views, "" for none; whether record
   * tables become hypertables where TimescaleDB is there. */
  char compat[MD_PG_NAME_BYTES];
  bool wants_timescale;
  /* Said by md_pg_schema_check: the schema of TimescaleDB's functions, "" without it. */
  char timescale[MD_PG_NAME_BYTES];
} md_pg_schema_t;

/* md_pg_schema_init fills in all tables. name: 1 to 48 bytes, else MD_ERR_CONFIG. */
MD_MUST_USE md_err_t md_pg_schema_init(md_pg_schema_t *s, const char *name, md_msg_t *msg);

/* md_pg_schema_extras says which schema the compatibility views go to (NULL or "": none), and
 * whether TimescaleDB is to be used. */
void md_pg_schema_extras(md_pg_schema_t *s, const char *compat, bool wants_timescale);

/* md_pg_schema_query appends the question whose answer md_pg_schema_check reads. */
void md_pg_schema_query(const md_pg_schema_t *s, md_sql_t *sql);

/* md_pg_schema_check compares the answer in pg with the tables. MD_OK with *missing_cnt tables and
 * views that are not there at all, or that are of an older version and lack columns; MD_ERR_DB
 * names the first table and column that differ, found and expected type, and what to do. */
MD_MUST_USE md_err_t md_pg_schema_check(md_pg_schema_t *s, const md_pg_t *pg, uint32_t *missing_cnt,
                                        md_msg_t *msg);

/* md_pg_schema_create appends everything that is missing, and what an older version has otherwise:
 * one transaction under an advisory lock, so two engines may do it at once. */
void md_pg_schema_create(const md_pg_schema_t *s, md_sql_t *sql);

/* md_pg_schema_is_old says whether the tables that were found are of a version before this one. */
bool md_pg_schema_is_old(const md_pg_schema_t *s);

/* md_pg_schema_find returns a table by name; never NULL. */
const md_pg_table_t *md_pg_schema_find(const md_pg_schema_t *s, const char *name);

/* md_pg_schema_lock appends the advisory lock under which the tables of a schema are changed. */
void md_pg_schema_lock(const md_pg_schema_t *s, md_sql_t *sql);

/* md_pg_schema_comment appends what a column means and when it is NULL, without quotes. */
void md_pg_schema_comment(const md_pg_table_t *t, const md_copy_column_t *c, md_sql_t *sql);

/* md_pg_schema_table appends "schema"."table". */
void md_pg_schema_table(const md_pg_schema_t *s, const char *table, md_sql_t *sql);

/* md_pg_schema_copy appends the COPY statement of a table. */
void md_pg_schema_copy(const md_pg_schema_t *s, uint32_t table, md_sql_t *sql);

/* md_pg_schema_partition appends the statements that make the partition of one UTC day (days since
 * 1970-01-01). */
void md_pg_schema_partition(const md_pg_schema_t *s, uint32_t table, int32_t day, md_sql_t *sql);

/* md_pg_schema_instruments appends the statement that brings table instruments up to date with the
 * definitions of this journal received from first_ns to last_ns. */
void md_pg_schema_instruments(const md_pg_schema_t *s, int32_t journal, int64_t first_ns,
                              int64_t last_ns, md_sql_t *sql);

#endif
