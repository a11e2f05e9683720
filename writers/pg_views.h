/* pg_views.h - what people read: a view with names for each record table, the function that makes
 * bars from trades, and the compatibility views under the tables of an older collector (schema
 * marketprism: orderbooks, trades, funding_rates, open_interests, liquidations, lsr_top_positions,
 * lsr_all_accounts, volatility_indices, klines). Text only; writers/README.md says what each column
 * is made of. */
#ifndef WRITERS_PG_VIEWS_H
#define WRITERS_PG_VIEWS_H

#include "writers/pg_schema.h"

/* md_pg_views_table appends the view v_<table> of a record table. */
void md_pg_views_table(const md_pg_schema_t *s, const md_pg_table_t *t, md_sql_t *sql);

/* md_pg_views_compat appends function bars and, unless s->compat is empty, the compatibility views.
 * Made again they replace themselves. */
void md_pg_views_compat(const md_pg_schema_t *s, md_sql_t *sql);

#endif
