#include "writers/pg_timescale.h"

#include <string.h>

/* A function of the extension, wherever it was made. */
static void
add_function(const md_pg_schema_t *s, const char *name, md_sql_t *sql) {
  md_sql_name(sql, s->timescale);
  md_sql_add(sql, ".%s(", name);
}

/* The table as a value of type regclass. */
static void
add_class(const md_pg_schema_t *s, const md_pg_table_t *t, md_sql_t *sql) {
  char     text[2 * MD_PG_NAME_BYTES + 8];
  md_sql_t name = {.text = text, .bytes = sizeof text};
  md_pg_schema_table(s, t->name, &name);
  md_sql_text(sql, text);
  md_sql_add(sql, "::regclass");
}

void
md_pg_timescale_table(const md_pg_schema_t *s, const md_pg_table_t *t, md_sql_t *sql) {
  md_sql_add(sql, "SELECT ");
  add_function(s, "create_hypertable", sql);
  add_class(s, t, sql);
  md_sql_add(sql, ", 'recv_ts'::name, chunk_time_interval => interval '1 day', "
                  "create_default_indexes => false, if_not_exists => true);\n");
  md_sql_add(sql, "DO $do$ BEGIN ALTER TABLE ");
  md_pg_schema_table(s, t->name, sql);
  md_sql_add(sql, " SET (timescaledb.compress, timescaledb.compress_segmentby = 'instrument', "
                  "timescaledb.compress_orderby = 'recv_ts, seq'); PERFORM ");
  add_function(s, "add_compression_policy", sql);
  add_class(s, t, sql);
  md_sql_add(sql, ", interval '7 days', if_not_exists => true); EXCEPTION WHEN "
                  "invalid_parameter_value OR feature_not_supported THEN RAISE WARNING 'not "
                  "compressed: %%', SQLERRM; END $do$;\n");
}

void
md_pg_timescale_drop(const md_pg_schema_t *s, const md_pg_table_t *t, const char *before,
                     md_sql_t *sql) {
  md_sql_add(sql, "SELECT count(*) FROM ");
  add_function(s, "drop_chunks", sql);
  add_class(s, t, sql);
  md_sql_add(sql, ", older_than => ");
  md_sql_text(sql, before);
  md_sql_add(sql, "::timestamptz);\n");
}
