#include "writers/pg_views.h"

#include <stdio.h>
#include <string.h>

/* ---- v_<table> ---- */

static bool
has_column(const md_pg_table_t *t, const char *name) {
  for (uint32_t i = 0; i < t->column_cnt; i++)
    if (!strcmp(t->column[i].name, name)) return true;
  return false;
}

/* The tables behind every view: rows as t, their stream as s, their instrument as i. */
static void
add_from(const md_pg_schema_t *s, const char *table, md_sql_t *sql) {
  md_sql_add(sql, " FROM ");
  md_pg_schema_table(s, table, sql);
  md_sql_add(sql, " t LEFT JOIN ");
  md_pg_schema_table(s, "streams", sql);
  md_sql_add(sql, " s ON s.journal = t.journal AND s.stream = t.stream LEFT JOIN ");
  md_pg_schema_table(s, "instruments", sql);
  md_sql_add(sql, " i ON i.journal = t.journal AND i.id = t.instrument");
}

void
md_pg_views_table(const md_pg_schema_t *s, const md_pg_table_t *t, md_sql_t *sql) {
  static const char *const joined[] = {"symbol", "normalised"};
  char                     name[MD_PG_NAME_BYTES];
  (void)snprintf(name, sizeof name, "v_%s", t->name);
  md_sql_add(sql, "CREATE OR REPLACE VIEW ");
  md_pg_schema_table(s, name, sql);
  md_sql_add(sql, " AS SELECT t.recv_ts, s.name AS feed");
  for (unsigned i = 0; i < MD_CNT(joined); i++)
    if (!has_column(t, joined[i])) md_sql_add(sql, ", i.%s", joined[i]);
  for (uint32_t i = 1; i < t->column_cnt; i++) {
    md_sql_add(sql, ", t.");
    md_sql_name(sql, t->column[i].name);
  }
  add_from(s, t->name, sql);
  md_sql_add(sql, ";\n");
}

/* ---- bars ---- */

/* Written so that the server can take the body in place of the call: the days that the two instants
 * leave out are then never read. */
static void
add_bars(const md_pg_schema_t *s, md_sql_t *sql) {
  md_sql_add(sql, "CREATE OR REPLACE FUNCTION ");
  md_pg_schema_table(s, "bars", sql);
  md_sql_add(
      sql,
      "(from_ts timestamptz, until_ts timestamptz, interval_s integer DEFAULT 60) RETURNS TABLE "
      "(journal integer, stream smallint, instrument integer, ts_open_ns bigint, open numeric, "
      "high numeric, low numeric, close numeric, volume numeric, turnover numeric, taker_volume "
      "numeric, taker_turnover numeric, trade_cnt bigint) LANGUAGE sql STABLE PARALLEL SAFE AS "
      "$do$ SELECT b.journal, b.stream, b.instrument, b.at, (array_agg(b.px ORDER BY b.ts, "
      "b.trade_id, b.epoch, b.seq))[1], max(b.px), min(b.px), (array_agg(b.px ORDER BY b.ts DESC, "
      "b.trade_id DESC, b.epoch DESC, b.seq DESC))[1], sum(b.qty), sum(b.px * b.qty), "
      "coalesce(sum(b.qty) FILTER (WHERE b.side = 'B'), 0), coalesce(sum(b.px * b.qty) FILTER "
      "(WHERE b.side = 'B'), 0), count(*) FROM (SELECT t.*, coalesce(t.ts_match_ns, t.ts_exch_ns, "
      "t.ts_recv_ns) AS ts, coalesce(t.ts_match_ns, t.ts_exch_ns, t.ts_recv_ns) - "
      "coalesce(t.ts_match_ns, t.ts_exch_ns, t.ts_recv_ns) %% (interval_s * 1000000000::bigint) "
      "AS at FROM ");
  md_pg_schema_table(s, "trades", sql);
  md_sql_add(sql,
             " t WHERE t.recv_ts >= from_ts AND t.recv_ts < until_ts AND t.flags & %d = 0) b GROUP "
             "BY 1, 2, 3, 4 $do$;\nCOMMENT ON FUNCTION ",
             MD_FLAG_OFF_BOOK);
  md_pg_schema_table(s, "bars", sql);
  md_sql_add(sql, "(timestamptz, timestamptz, integer) IS 'bars of interval_s seconds by the time "
                  "of the match, from the trades received from from_ts on and before until_ts; "
                  "trades outside of the book are left out';\n");
}

/* ---- compatibility ---- */

#define AT_MS(column) "timestamptz 'epoch' + (" column " / 1000000) * interval '1 millisecond'"
#define NAMES                                                                                      \
  "split_part(s.name, '_', 1) AS exchange, CASE i.kind WHEN 0 THEN 'spot' WHEN 1 THEN "            \
  "'perpetual' WHEN 2 THEN 'future' WHEN 3 THEN 'options' WHEN 4 THEN 'index' END AS "             \
  "market_type, coalesce(i.normalised, i.symbol) AS symbol"
#define PERIOD(column)                                                                             \
  "CASE WHEN " column " % 86400 = 0 THEN " column " / 86400 || 'd' WHEN " column                   \
  " % 3600 = 0 THEN " column " / 3600 || 'h' WHEN " column " % 60 = 0 THEN " column                \
  " / 60 || 'm' ELSE " column " || 's' END"
#define SIDE "CASE t.side WHEN 'B' THEN 'buy' WHEN 'S' THEN 'sell' END AS side"
#define LADDER(px, qty)                                                                            \
  "(SELECT coalesce(json_agg(json_build_object('price', l.p::text, 'quantity', l.q::text) ORDER "  \
  "BY l.n), '[]')::text FROM unnest(t." px ", t." qty ") WITH ORDINALITY l(p, q, n))"

typedef struct compat_view {
  const char *name, *columns;
  const char *from; /* record table */
  const char *where;
  const char *more; /* columns that came later, behind all others */
} compat_view_t;

/* Rows with one name are one view. */
static const compat_view_t views[] = {
    {"orderbooks",
     "t.exch_seq AS last_update_id, cardinality(t.bid_px) AS bids_count, cardinality(t.ask_px) AS "
     "asks_count, t.bid_px[1] AS best_bid_price, t.ask_px[1] AS best_ask_price, t.bid_qty[1] AS "
     "best_bid_quantity, t.ask_qty[1] AS best_ask_quantity, " LADDER(
         "bid_px", "bid_qty") " AS "
                              "bids, " LADDER("ask_px", "ask_qty") " AS asks",
     "book_ladders", "", ""},
    {"trades",
     "t.trade_id::text AS trade_id, t.px AS price, t.qty AS quantity, " SIDE
     ", t.side = 'S' AS is_maker, " AT_MS("t.ts_match_ns") " AS trade_time",
     "trades", "", ""},
    {"trades",
     "t.agg_id::text AS trade_id, t.px AS price, t.qty AS quantity, " SIDE
     ", t.side = 'S' AS is_maker, " AT_MS("t.ts_match_ns") " AS trade_time",
     "agg_trades", " WHERE i.kind <> 0", ""},
    {"funding_rates",
     "t.rate AS funding_rate, " AT_MS(
         "coalesce(t.ts_exch_ns, t.ts_recv_ns)") " AS funding_time, " AT_MS("t.ts_next_ns") " AS "
                                                                                            "next_"
                                                                                            "fundin"
                                                                                            "g_"
                                                                                            "time, "
                                                                                            "m."
                                                                                            "mark_"
                                                                                            "px AS "
                                                                                            "mark_"
                                                                                            "price,"
                                                                                            " x."
                                                                                            "index_"
                                                                                            "px AS "
                                                                                            "index_"
                                                                                            "price",
     "funding", NULL,
     ", t.predicted AS estimated_funding_rate, t.interval_s AS funding_interval, t.premium AS "
     "premium_index"},
    {"open_interests",
     "coalesce(t.base_qty, t.contracts) AS open_interest, t.quote_qty AS open_interest_value, "
     "NULL::bigint AS count",
     "open_interest", "", ""},
    {"liquidations",
     SIDE ", t.px AS price, coalesce(t.filled_qty, t.qty) AS quantity, " AT_MS(
         "t.ts_match_ns") " AS liquidation_time",
     "liquidations", "", ", t.status AS order_status, t.order_type AS liquidation_type"},
    {"lsr_top_positions",
     "t.long_share AS long_position_ratio, t.short_share AS short_position_ratio, " PERIOD(
         "t.period_s") " AS period",
     "long_short_ratios", " WHERE t.basis = 0", ", t.ratio AS long_short_ratio"},
    {"lsr_all_accounts",
     "t.long_share AS long_account_ratio, t.short_share AS short_account_ratio, " PERIOD(
         "t.period_s") " AS period",
     "long_short_ratios", " WHERE t.basis = 2", ", t.ratio AS long_short_ratio"},
    {"volatility_indices",
     "t.value AS index_value, coalesce(i.base, i.symbol) AS underlying_asset, NULL::date AS "
     "maturity_date",
     "volatility_indices", "", ", t.open, t.high, t.low"},
};

static void
add_compat_name(const md_pg_schema_t *s, const char *name, md_sql_t *sql) {
  md_sql_name(sql, s->compat);
  md_sql_add(sql, ".");
  md_sql_name(sql, name);
}

/* The last price of the same instrument within a minute before the funding rate: a message that has
 * all three gives them as records of one receive time. */
static void
add_last(const md_pg_schema_t *s, const char *table, const char *as, md_sql_t *sql) {
  md_sql_add(sql, " LEFT JOIN LATERAL (SELECT p.* FROM ");
  md_pg_schema_table(s, table, sql);
  md_sql_add(sql,
             " p WHERE p.journal = t.journal AND p.stream = t.stream AND p.epoch = t.epoch AND "
             "p.instrument = t.instrument AND p.recv_ts <= t.recv_ts AND p.recv_ts > t.recv_ts - "
             "interval '1 minute' ORDER BY p.recv_ts DESC, p.seq DESC LIMIT 1) %s ON true",
             as);
}

static void
add_compat_rows(const md_pg_schema_t *s, const compat_view_t *v, md_sql_t *sql) {
  md_sql_add(
      sql,
      "SELECT t.recv_ts AS timestamp, " NAMES
      ", %s, 'mdengine'::text AS data_source, " AT_MS("t.ts_pub_ns") " AS created_at, "
                                                                     "t.ts_exch_ns, t.ts_recv_ns%s",
      v->columns, v->more);
  add_from(s, v->from, sql);
  if (v->where) md_sql_add(sql, "%s", v->where);
  if (v->where) return;
  add_last(s, "marks", "m", sql);
  add_last(s, "indices", "x", sql);
}

/* One half of klines: bars t with their names. */
static void
add_kline_rows(const md_pg_schema_t *s, const char *interval, const char *closed, const char *rows,
               md_sql_t *sql) {
  md_sql_add(sql,
             "SELECT " AT_MS("t.ts_open_ns") ", split_part(s.name, '_', 1), coalesce(i.normalised, "
                                             "i.symbol), %s, t.open, t.high, t.low, t.close, "
                                             "t.volume, t.turnover, t.trade_cnt, "
                                             "CASE i.kind WHEN 0 THEN 'spot' WHEN 1 THEN "
                                             "'perpetual' WHEN 2 THEN 'future' WHEN 3 "
                                             "THEN 'options' END, %s FROM %s t LEFT JOIN ",
             interval, closed, rows);
  md_pg_schema_table(s, "streams", sql);
  md_sql_add(sql, " s ON s.journal = t.journal AND s.stream = t.stream LEFT JOIN ");
  md_pg_schema_table(s, "instruments", sql);
  md_sql_add(sql, " i ON i.journal = t.journal AND i.id = t.instrument");
}

/* The newest word of the exchange on each bar; for minutes of which it gave none, our own. */
static void
add_klines(const md_pg_schema_t *s, md_sql_t *sql) {
  char     text[2 * MD_PG_NAME_BYTES + 64];
  md_sql_t bars = {.text = text, .bytes = sizeof text};
  md_sql_add(sql, "CREATE OR REPLACE VIEW ");
  add_compat_name(s, "klines", sql);
  md_sql_add(sql, " (time, exchange, symbol, interval, open, high, low, close, volume, "
                  "quote_volume, trades_count, market_type, closed, made_from) AS WITH bar AS "
                  "(SELECT DISTINCT ON (journal, stream, instrument, interval_s, ts_open_ns) * "
                  "FROM ");
  md_pg_schema_table(s, "klines", sql);
  md_sql_add(sql, " ORDER BY journal, stream, instrument, interval_s, ts_open_ns, epoch DESC, seq "
                  "DESC) ");
  add_kline_rows(s, PERIOD("t.interval_s"), "t.closed, 'exchange'", "bar", sql);
  md_sql_add(sql, " UNION ALL ");
  md_pg_schema_table(s, "bars", &bars);
  md_sql_add(&bars, "('-infinity', 'infinity', 60)");
  add_kline_rows(s, "'1m'", "NULL, 'trades'", text, sql);
  md_sql_add(sql, " WHERE NOT EXISTS (SELECT FROM ");
  md_pg_schema_table(s, "klines", sql);
  md_sql_add(sql, " k WHERE k.journal = t.journal AND k.stream = t.stream AND k.instrument = "
                  "t.instrument AND k.interval_s = 60 AND k.ts_open_ns = t.ts_open_ns);\n");
}

void
md_pg_views_compat(const md_pg_schema_t *s, md_sql_t *sql) {
  add_bars(s, sql);
  if (!s->compat[0]) return;
  md_sql_add(sql, "CREATE SCHEMA IF NOT EXISTS ");
  md_sql_name(sql, s->compat);
  md_sql_add(sql, ";\n");
  for (unsigned i = 0; i < MD_CNT(views); i++) {
    bool is_more = i > 0 && !strcmp(views[i].name, views[i - 1].name);
    bool is_last = i + 1 == MD_CNT(views) || strcmp(views[i].name, views[i + 1].name) != 0;
    if (is_more) {
      md_sql_add(sql, " UNION ALL ");
    } else {
      md_sql_add(sql, "CREATE OR REPLACE VIEW ");
      add_compat_name(s, views[i].name, sql);
      md_sql_add(sql, " AS ");
    }
    add_compat_rows(s, &views[i], sql);
    if (is_last) md_sql_add(sql, ";\n");
  }
  add_klines(s, sql);
}
