/* pg_timescale.h - what is different where TimescaleDB is made in the database: record tables
 * become hypertables with chunks of one day instead of native partitions, are compressed after a
 * week, and lose old chunks by drop_chunks. Text only.
 *
 * Written after TimescaleDB's documentation (2.x) and tested against a stand-in that has functions
 * of the same names; never run against TimescaleDB itself. */
#ifndef WRITERS_PG_TIMESCALE_H
#define WRITERS_PG_TIMESCALE_H

#include "writers/pg_schema.h"

/* md_pg_timescale_table appends what makes a hypertable of an empty table, with its compression. A
 * server that does not know the compression settings keeps the table uncompressed and warns. */
void md_pg_timescale_table(const md_pg_schema_t *s, const md_pg_table_t *t, md_sql_t *sql);

/* md_pg_timescale_drop appends the statement that drops the chunks older than an instant. */
void md_pg_timescale_drop(const md_pg_schema_t *s, const md_pg_table_t *t, const char *before,
                          md_sql_t *sql);

#endif
