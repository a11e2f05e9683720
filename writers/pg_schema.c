#include "writers/pg_schema.h"

#include "writers/pg_null_table.h"
#include "writers/pg_timescale.h"
#include "writers/pg_views.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define US_PER_S INT64_C(1000000)

static const md_copy_column_t journals_columns[] = {
    {"id", "short name of the journal in all tables", MD_COPY_INT4, false},
    {"uuid", "of the journal's manifest", MD_COPY_UUID, false},
    {"created", "when the first row came here", MD_COPY_TIMESTAMPTZ, false},
    {"complete_epoch", "every record of epochs below it is stored", MD_COPY_INT4, false},
};

static const md_copy_column_t streams_columns[] = {
    {"journal", "id in table journals", MD_COPY_INT4, false},
    {"stream", "id in the journal's manifest", MD_COPY_INT2, false},
    {"name", "the feed", MD_COPY_TEXT, false},
};

static const md_copy_column_t progress_columns[] = {
    {"journal", "id in table journals", MD_COPY_INT4, false},
    {"stream", "id in table streams", MD_COPY_INT2, false},
    {"epoch", "engine start", MD_COPY_INT4, false},
    {"next", "first seq that is not stored yet", MD_COPY_INT8, false},
};

static const md_copy_column_t instruments_columns[] = {
    {"journal", "id in table journals", MD_COPY_INT4, false},
    {"id", "instrument id of the journal's manifest", MD_COPY_INT4, false},
    {"feed", "name of the stream that defined it", MD_COPY_TEXT, true},
    {"symbol", "the exchange's raw symbol", MD_COPY_TEXT, true},
    {"normalised", "BTC-USDT", MD_COPY_TEXT, true},
    {"base", "base asset", MD_COPY_TEXT, true},
    {"quote", "quote asset", MD_COPY_TEXT, true},
    {"settle", "settlement asset", MD_COPY_TEXT, true},
    {"kind", "md_instrument_kind_t", MD_COPY_INT2, false},
    {"tick_size", "smallest price step", MD_COPY_NUMERIC, true},
    {"lot_size", "smallest quantity step", MD_COPY_NUMERIC, true},
    {"min_qty", "smallest order quantity", MD_COPY_NUMERIC, true},
    {"min_notional", "smallest order value in quote", MD_COPY_NUMERIC, true},
    {"contract_size", "base or quote units of one contract", MD_COPY_NUMERIC, true},
    {"strike", "strike price of an option", MD_COPY_NUMERIC, true},
    {"expiry_ns", "end of a dated instrument", MD_COPY_INT8, true},
    {"trading", "md_trading_t", MD_COPY_INT2, false},
    {"option_type", "0 none, 1 call, 2 put", MD_COPY_INT2, false},
    {"inverse", "contract_size counts quote units", MD_COPY_BOOL, false},
    {"epoch", "of the DEFINITION kept here, the last one", MD_COPY_INT4, false},
    {"seq", "of the DEFINITION kept here", MD_COPY_INT8, false},
};

static const md_copy_column_t losses_columns[] = {
    {"journal", "id in table journals", MD_COPY_INT4, false},
    {"stream", "id in table streams", MD_COPY_INT2, false},
    {"epoch", "engine start", MD_COPY_INT4, false},
    {"seq_first", "first seq that the journal does not have", MD_COPY_INT8, false},
    {"seq_last", "last one", MD_COPY_INT8, false},
    {"reason", "md_reason_t", MD_COPY_INT2, false},
};

static const md_copy_column_t rejects_columns[] = {
    {"journal", "id in table journals", MD_COPY_INT4, false},
    {"stream", "id in table streams", MD_COPY_INT2, false},
    {"epoch", "engine start", MD_COPY_INT4, false},
    {"seq", "of the record that is in no table", MD_COPY_INT8, false},
    {"error", "why", MD_COPY_TEXT, false},
    {"record", "its bytes, as in the journal", MD_COPY_BYTEA, false},
};

static const md_copy_column_t epochs_columns[] = {
    {"journal", "id in table journals", MD_COPY_INT4, false},
    {"epoch", "engine start", MD_COPY_INT4, false},
    {"begun_ns", "when, as in the journal's MANIFEST: a copy of the journal has another one",
     MD_COPY_INT8, false},
};

static const md_copy_column_t version_columns[] = {
    {"version", "of the tables of this schema; the highest row counts", MD_COPY_INT4, false},
    {"applied", "when it was made or migrated", MD_COPY_TIMESTAMPTZ, false},
};

static const md_copy_column_t dropped_columns[] = {
    {"table_name", "record table", MD_COPY_TEXT, false},
    {"before", "rows received before it were dropped by retention", MD_COPY_TIMESTAMPTZ, false},
};

static const struct own_table {
  const char             *name, *key, *doc;
  const md_copy_column_t *column;
  uint32_t                column_cnt;
} own_tables[] = {
    {"journals", "id", "journals that feed this schema", journals_columns,
     MD_CNT(journals_columns)},
    {"streams", "journal, stream", "names of streams", streams_columns, MD_CNT(streams_columns)},
    {"progress", "journal, stream, epoch", "how far each stream is stored", progress_columns,
     MD_CNT(progress_columns)},
    {"instruments", "journal, id", "last definition of each instrument", instruments_columns,
     MD_CNT(instruments_columns)},
    {"losses", "journal, stream, epoch, seq_first", "ranges that the journal itself does not have",
     losses_columns, MD_CNT(losses_columns)},
    {"rejects", "journal, stream, epoch, seq", "records that no table could hold", rejects_columns,
     MD_CNT(rejects_columns)},
    {"epochs", "journal, epoch", "engine starts that wrote here: who comes later fences the others",
     epochs_columns, MD_CNT(epochs_columns)},
    {"schema_version", "version", "versions of these tables", version_columns,
     MD_CNT(version_columns)},
    {"dropped", "table_name", "what retention took away", dropped_columns, MD_CNT(dropped_columns)},
};

static const md_pg_null_t nulls[] = {
#define NULL_ROW(venue, record, field, reason) {#venue, #record, #field, reason},
    MD_PG_NULL_TABLE(NULL_ROW)
#undef NULL_ROW
};

uint32_t
md_pg_null_cnt(void) {
  return MD_CNT(nulls);
}

const md_pg_null_t *
md_pg_null_at(uint32_t i) {
  return i < MD_CNT(nulls) ? &nulls[i] : NULL;
}

/* What a record table says of itself. */
static const char *
doc_of(unsigned type) {
  switch ((md_record_type_t)type) {
  case MD_RECORD_DEFINITION:
    return "what the exchange says of an instrument, each time that it changed";
  case MD_RECORD_BOOK_DELTA:
    return "updates of books; a message above one record is several rows, the last has flag 1";
  case MD_RECORD_BOOK_SNAPSHOT:
    return "whole books, best first, as they were loaded; several rows as in book_deltas";
  case MD_RECORD_LADDER:
    return "the best 20 levels of each VALID book that changed, every so often, best first; "
           "recv_ts is the instant of the sample";
  case MD_RECORD_BBO:
    return "best prices as the exchange sends them";
  case MD_RECORD_TRADE:
    return "single trades";
  case MD_RECORD_AGG_TRADE:
    return "trades of one order at one price";
  case MD_RECORD_KLINE:
    return "bars as the exchange sends them, open ones too";
  case MD_RECORD_TICKER:
    return "statistics of a moving window";
  case MD_RECORD_FUNDING:
    return "funding rates";
  case MD_RECORD_MARK:
    return "mark prices";
  case MD_RECORD_INDEX:
    return "index prices";
  case MD_RECORD_OPEN_INTEREST:
    return "open contracts";
  case MD_RECORD_LIQUIDATION:
    return "liquidations";
  case MD_RECORD_LONG_SHORT_RATIO:
    return "long against short";
  case MD_RECORD_VOLATILITY_INDEX:
    return "volatility indices";
  case MD_RECORD_GREEKS:
    return "greeks and volatilities of options";
  case MD_RECORD_NBBO:
    return "best prices over several feeds";
  case MD_RECORD_STATUS:
    return "changes of state: books, connections, venues, instruments";
  case MD_RECORD_GAP:
    return "what the exchange did not give us";
  case MD_RECORD_TRADE_DETAIL:
    return "what few exchanges say of a trade beside it: the row of trades with seq one less";
  case MD_RECORD_BOOK_ORDERS:
    return "numbers of orders, as bid_qty and ask_qty, at the levels of the message before";
  case MD_RECORD_RAW:
  case MD_RECORD_CHECKPOINT:
  case MD_RECORD_LOSS:
  case MD_RECORD_TYPE_END:
    break;
  }
  return "";
}

static void
add_record_table(md_pg_schema_t *s, unsigned type) {
  const md_record_info_t *info = md_record_info(type);
  if (!info || info->table[0] == 0) return;
  md_assert(s->table_cnt < MD_PG_TABLE_MAX);
  s->of_type[type] = (uint8_t)s->table_cnt;
  md_pg_table_t *t = &s->table[s->table_cnt++];
  *t               = (md_pg_table_t){.name = info->table, .record = type, .doc = doc_of(type)};
  memcpy(t->column, md_copy_fixed, sizeof md_copy_fixed);
  t->column_cnt = MD_COPY_FIXED_CNT;
  for (uint32_t i = 0; i < info->field_cnt; i++) {
    const md_field_t *f = &info->fields[i];
    md_copy_column_t  c = {.name = f->name, .doc = f->doc, .is_null = true};
    if (!md_copy_type_of(f->kind, &c.type)) continue;
    c.is_null = c.type != MD_COPY_BOOL && c.type != MD_COPY_INT2 && c.type != MD_COPY_INT4 &&
                f->kind != MD_FIELD_U32;
    md_assert(t->column_cnt < MD_PG_COLUMN_MAX);
    t->column[t->column_cnt++] = c;
  }
  for (uint32_t i = 0; md_copy_has_levels(type) && i < MD_COPY_SIDES_CNT; i++) {
    md_assert(t->column_cnt < MD_PG_COLUMN_MAX);
    t->column[t->column_cnt++] = md_copy_sides[i];
  }
}

md_err_t
md_pg_schema_init(md_pg_schema_t *s, const char *name, md_msg_t *msg) {
  memset(s, 0, sizeof *s);
  size_t len = name ? strlen(name) : 0;
  if (len == 0 || len > 48)
    return md_fail(msg, MD_ERR_CONFIG, "schema name of PostgreSQL: give 1 to 48 characters");
  memcpy(s->name, name, len + 1);
  memset(s->of_type, UINT8_MAX, sizeof s->of_type);
  for (unsigned i = 0; i < MD_CNT(own_tables); i++) {
    const struct own_table *own = &own_tables[i];
    md_pg_table_t          *t   = &s->table[s->table_cnt++];
    md_assert(own->column_cnt <= MD_PG_COLUMN_MAX);
    *t = (md_pg_table_t){.name = own->name, .key = own->key, .doc = own->doc};
    memcpy(t->column, own->column, own->column_cnt * sizeof own->column[0]);
    t->column_cnt = own->column_cnt;
  }
  for (unsigned type = 1; type < MD_RECORD_TYPE_END; type++)
    add_record_table(s, type);
  return MD_OK;
}

void
md_pg_schema_extras(md_pg_schema_t *s, const char *compat, bool wants_timescale) {
  (void)snprintf(s->compat, sizeof s->compat, "%s", compat ? compat : "");
  s->wants_timescale = wants_timescale;
}

void
md_pg_schema_table(const md_pg_schema_t *s, const char *table, md_sql_t *sql) {
  md_sql_name(sql, s->name);
  md_sql_add(sql, ".");
  md_sql_name(sql, table);
}

/* ---- making ---- */

void
md_pg_schema_lock(const md_pg_schema_t *s, md_sql_t *sql) {
  md_sql_add(sql, "SELECT pg_advisory_xact_lock(hashtext('mdengine'), hashtext(");
  md_sql_text(sql, s->name);
  md_sql_add(sql, "));\n");
}

static void
add_column(const md_pg_table_t *t, const md_copy_column_t *c, md_sql_t *sql) {
  md_sql_name(sql, c->name);
  md_sql_add(sql, " %s%s", md_copy_type_name(c->type), c->is_null ? "" : " NOT NULL");
  if (!strcmp(c->name, "applied")) md_sql_add(sql, " DEFAULT now()");
  if (strcmp(t->name, "journals") != 0) return;
  if (!strcmp(c->name, "id")) md_sql_add(sql, " GENERATED BY DEFAULT AS IDENTITY");
  if (!strcmp(c->name, "uuid")) md_sql_add(sql, " UNIQUE");
  if (!strcmp(c->name, "created")) md_sql_add(sql, " DEFAULT now()");
  if (!strcmp(c->name, "complete_epoch")) md_sql_add(sql, " DEFAULT 0");
}

static const char *
record_name(const md_pg_table_t *t) {
  return t->record ? md_record_info(t->record)->name : "";
}

void
md_pg_schema_comment(const md_pg_table_t *t, const md_copy_column_t *c, md_sql_t *sql) {
  const char *sep = "; NULL: ";
  md_sql_add(sql, "%s", c->doc);
  if (!c->is_null || t->record == 0) return;
  for (uint32_t i = 0; i < MD_CNT(nulls); i++) {
    if (strcmp(nulls[i].record, record_name(t)) != 0 || strcmp(nulls[i].field, c->name) != 0)
      continue;
    md_sql_add(sql, "%s%s: %s", sep, nulls[i].venue, nulls[i].reason);
    sep = "; ";
  }
}

static void
add_comments(const md_pg_schema_t *s, const md_pg_table_t *t, md_sql_t *sql) {
  char     text[1024];
  md_sql_t comment = {.text = text, .bytes = sizeof text};
  md_sql_add(sql, "COMMENT ON TABLE ");
  md_pg_schema_table(s, t->name, sql);
  md_sql_add(sql, " IS ");
  md_sql_text(sql, t->doc);
  md_sql_add(sql, ";\n");
  for (uint32_t i = 0; i < t->column_cnt; i++) {
    md_sql_add(sql, "COMMENT ON COLUMN ");
    md_pg_schema_table(s, t->name, sql);
    md_sql_add(sql, ".");
    md_sql_name(sql, t->column[i].name);
    md_sql_add(sql, " IS ");
    md_sql_clear(&comment);
    md_pg_schema_comment(t, &t->column[i], &comment);
    md_assert(!comment.is_full);
    md_sql_text(sql, text);
    md_sql_add(sql, ";\n");
  }
}

static bool
is_hypertable(const md_pg_schema_t *s, const md_pg_table_t *t) {
  return t->record != 0 && s->wants_timescale && s->timescale[0] != 0;
}

static void
add_table(const md_pg_schema_t *s, const md_pg_table_t *t, md_sql_t *sql) {
  md_sql_add(sql, "CREATE TABLE IF NOT EXISTS ");
  md_pg_schema_table(s, t->name, sql);
  md_sql_add(sql, " (");
  for (uint32_t i = 0; i < t->column_cnt; i++) {
    md_sql_add(sql, i ? ", " : "");
    add_column(t, &t->column[i], sql);
  }
  if (t->key) md_sql_add(sql, ", PRIMARY KEY (%s)", t->key);
  md_sql_add(sql, t->record && !is_hypertable(s, t) ? ") PARTITION BY RANGE (recv_ts);\n" : ");\n");
}

/* The net for rows whose day has no partition, and the index that costs next to nothing. */
static void
add_net(const md_pg_schema_t *s, const md_pg_table_t *t, md_sql_t *sql) {
  char name[MD_PG_NAME_BYTES];
  snprintf(name, sizeof name, "%s_default", t->name);
  if (is_hypertable(s, t)) {
    md_pg_timescale_table(s, t, sql);
  } else {
    md_sql_add(sql, "CREATE TABLE IF NOT EXISTS ");
    md_pg_schema_table(s, name, sql);
    md_sql_add(sql, " PARTITION OF ");
    md_pg_schema_table(s, t->name, sql);
    md_sql_add(sql, " DEFAULT;\n");
  }
  snprintf(name, sizeof name, "%s_recv_ts", t->name);
  md_sql_add(sql, "CREATE INDEX IF NOT EXISTS ");
  md_sql_name(sql, name);
  md_sql_add(sql, " ON ");
  md_pg_schema_table(s, t->name, sql);
  md_sql_add(sql, " USING brin (recv_ts) WITH (autosummarize = on);\n");
}

static bool
has_column(const md_pg_table_t *t, const char *name) {
  for (uint32_t i = 0; i < t->column_cnt; i++)
    if (!strcmp(t->column[i].name, name)) return true;
  return false;
}

const md_pg_table_t *
md_pg_schema_find(const md_pg_schema_t *s, const char *name) {
  const md_pg_table_t *t = NULL;
  for (uint32_t i = 0; i < s->table_cnt; i++)
    if (!strcmp(s->table[i].name, name)) t = &s->table[i];
  md_assert(t);
  return t;
}

bool
md_pg_schema_is_old(const md_pg_schema_t *s) {
  return md_pg_schema_find(s, "progress")->is_found &&
         !(md_pg_schema_find(s, "schema_version")->is_found &&
           md_pg_schema_find(s, "trade_details")->is_found);
}

/* Columns that came later. Numbers that are never NULL begin with 0, which says unknown; what
 * stands behind one that was put between others cannot be replaced, so the view is made anew. */
static void
add_missing(const md_pg_schema_t *s, const md_pg_table_t *t, md_sql_t *sql) {
  char name[MD_PG_NAME_BYTES];
  if (t->missing == 0) return;
  (void)snprintf(name, sizeof name, "v_%s", t->name);
  md_sql_add(sql, "DROP VIEW IF EXISTS ");
  md_pg_schema_table(s, name, sql);
  md_sql_add(sql, ";\n");
  for (uint32_t i = 0; i < t->column_cnt; i++) {
    const md_copy_column_t *c = &t->column[i];
    if (!(t->missing >> i & 1)) continue;
    md_sql_add(sql, "ALTER TABLE ");
    md_pg_schema_table(s, t->name, sql);
    md_sql_add(sql, " ADD COLUMN IF NOT EXISTS ");
    md_sql_name(sql, c->name);
    md_sql_add(sql, " %s", md_copy_type_name(c->type));
    if (!c->is_null)
      md_sql_add(sql, " NOT NULL DEFAULT %s", c->type == MD_COPY_BOOL ? "false" : "0");
    md_sql_add(sql, ";\n");
  }
}

void
md_pg_schema_create(const md_pg_schema_t *s, md_sql_t *sql) {
  bool is_old = md_pg_schema_is_old(s);
  md_pg_schema_lock(s, sql);
  md_sql_add(sql, "CREATE SCHEMA IF NOT EXISTS ");
  md_sql_name(sql, s->name);
  md_sql_add(sql, ";\n");
  for (uint32_t i = 0; i < s->table_cnt; i++) {
    const md_pg_table_t *t = &s->table[i];
    if (!t->is_found) add_table(s, t, sql);
    if (!t->is_found && t->record) add_net(s, t, sql);
    if (t->is_found) add_missing(s, t, sql);
    if (!t->is_found || is_old) add_comments(s, t, sql);
  }
  for (uint32_t i = 0; i < s->table_cnt; i++) {
    const md_pg_table_t *t = &s->table[i];
    if (t->record && !(t->is_found && t->is_view_found && t->missing == 0))
      md_pg_views_table(s, t, sql);
  }
  md_pg_views_compat(s, sql);
  md_sql_add(sql, "INSERT INTO ");
  md_pg_schema_table(s, "schema_version", sql);
  md_sql_add(sql, " (version) VALUES (%d) ON CONFLICT DO NOTHING;\n", MD_PG_SCHEMA_VERSION);
}

static void
add_day(int32_t day, const char *format, md_sql_t *sql) {
  time_t    seconds = (time_t)day * 86400;
  struct tm tm;
  char      text[32];
  gmtime_r(&seconds, &tm);
  snprintf(text, sizeof text, format[0] == '-' ? "%04d-%02d-%02d" : "%04d%02d%02d",
           tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
  md_sql_add(sql, "%s", text);
}

/* ATTACH instead of CREATE ... PARTITION OF: it does not lock readers of the table out. The default
 * partition is locked for its scan, so the wait for that is bounded. */
void
md_pg_schema_partition(const md_pg_schema_t *s, uint32_t table, int32_t day, md_sql_t *sql) {
  const md_pg_table_t *t = &s->table[table];
  char                 name[MD_PG_NAME_BYTES];
  md_sql_t             date = {.text = name, .bytes = sizeof name};
  md_sql_add(&date, "%s_", t->name);
  add_day(day, "", &date);
  md_pg_schema_lock(s, sql);
  md_sql_add(sql, "SET LOCAL lock_timeout = '2s';\nDO $do$ BEGIN IF NOT EXISTS (SELECT 1 FROM "
                  "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ");
  md_sql_text(sql, s->name);
  md_sql_add(sql, " AND c.relname = ");
  md_sql_text(sql, name);
  md_sql_add(sql, ") THEN CREATE TABLE ");
  md_pg_schema_table(s, name, sql);
  md_sql_add(sql, " (LIKE ");
  md_pg_schema_table(s, t->name, sql);
  md_sql_add(sql, " INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS); ALTER TABLE ");
  md_pg_schema_table(s, t->name, sql);
  md_sql_add(sql, " ATTACH PARTITION ");
  md_pg_schema_table(s, name, sql);
  md_sql_add(sql, " FOR VALUES FROM ('");
  add_day(day, "-", sql);
  md_sql_add(sql, " 00:00:00+00') TO ('");
  add_day(day + 1, "-", sql);
  md_sql_add(sql, " 00:00:00+00'); END IF; END $do$;\n");
}

void
md_pg_schema_copy(const md_pg_schema_t *s, uint32_t table, md_sql_t *sql) {
  const md_pg_table_t *t = &s->table[table];
  md_sql_add(sql, "COPY ");
  md_pg_schema_table(s, t->name, sql);
  for (uint32_t i = 0; i < t->column_cnt; i++) {
    md_sql_add(sql, i ? ", " : " (");
    md_sql_name(sql, t->column[i].name);
  }
  md_sql_add(sql, ") FROM STDIN (FORMAT binary);\n");
}

static void
add_instant(int64_t ns, int64_t extra_us, md_sql_t *sql) {
  int64_t   us      = ns / 1000 - (ns % 1000 < 0) + extra_us;
  int64_t   rest    = us % US_PER_S < 0 ? us % US_PER_S + US_PER_S : us % US_PER_S;
  time_t    seconds = (time_t)((us - rest) / US_PER_S);
  struct tm tm;
  gmtime_r(&seconds, &tm);
  md_sql_add(sql, "'%04d-%02d-%02d %02d:%02d:%02d.%06d+00'::timestamptz", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)rest);
}

/* Values travel as binary rows of table definitions and are copied inside the server: exact, and
 * nothing to quote. The comparison of (epoch, seq) lets a definition read again change nothing. */
void
md_pg_schema_instruments(const md_pg_schema_t *s, int32_t journal, int64_t first_ns,
                         int64_t last_ns, md_sql_t *sql) {
  static const char *const copied =
      "symbol, normalised, base, quote, settle, kind, tick_size, lot_size, min_qty, min_notional, "
      "contract_size, strike, expiry_ns, trading, option_type, inverse, epoch, seq";
  md_sql_add(sql, "INSERT INTO ");
  md_pg_schema_table(s, "instruments", sql);
  md_sql_add(sql,
             " AS old (journal, id, feed, %s) SELECT DISTINCT ON (d.instrument) d.journal, "
             "d.instrument, s.name, %s FROM ",
             copied, copied);
  md_pg_schema_table(s, "definitions", sql);
  md_sql_add(sql, " d LEFT JOIN ");
  md_pg_schema_table(s, "streams", sql);
  md_sql_add(sql,
             " s USING (journal, stream) WHERE journal = %d AND d.instrument IS NOT NULL AND "
             "d.recv_ts >= ",
             journal);
  add_instant(first_ns, 0, sql);
  md_sql_add(sql, " AND d.recv_ts < ");
  add_instant(last_ns, 1, sql);
  md_sql_add(sql,
             " ORDER BY d.instrument, d.epoch DESC, d.seq DESC ON CONFLICT (journal, id) DO UPDATE "
             "SET (feed, %s) = (excluded.feed",
             copied);
  const md_pg_table_t *t = md_pg_schema_find(s, "instruments");
  for (uint32_t i = 3; i < t->column_cnt; i++)
    md_sql_add(sql, ", excluded.%s", t->column[i].name);
  md_sql_add(sql, ") WHERE (old.epoch, old.seq) < (excluded.epoch, excluded.seq);\n");
}

/* ---- checking ---- */

/* Columns of tables and views, and one row for TimescaleDB when it is made in this database. */
void
md_pg_schema_query(const md_pg_schema_t *s, md_sql_t *sql) {
  md_sql_add(
      sql,
      "SELECT c.relname, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod), "
      "(a.attnotnull AND NOT a.atthasdef AND a.attidentity = '')::int FROM pg_class c JOIN "
      "pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid WHERE "
      "NOT c.relispartition AND c.relkind IN ('p', 'r', 'v') AND a.attnum > 0 AND NOT "
      "a.attisdropped AND n.nspname = ");
  md_sql_text(sql, s->name);
  md_sql_add(sql, " UNION ALL SELECT '', 'x', n.nspname, '', 0 FROM pg_extension e JOIN "
                  "pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb' ORDER "
                  "BY 1, 2;\n");
}

static md_err_t
check_column(const md_pg_schema_t *s, md_pg_table_t *t, uint32_t column, const md_pg_t *pg,
             md_msg_t *msg) {
  const md_copy_column_t *c        = &t->column[column];
  const char             *expected = md_copy_type_name(c->type);
  for (uint32_t row = 0; row < md_pg_row_cnt(pg); row++) {
    if (strcmp(md_pg_value(pg, row, 0), t->name) != 0) continue;
    if (strcmp(md_pg_value(pg, row, 2), c->name) != 0) continue;
    const char *found = md_pg_value(pg, row, 3);
    if (!strcmp(found, expected)) return MD_OK;
    return md_fail(
        msg, MD_ERR_DB,
        "table %s.%s: column %s is %s, expected %s: ALTER TABLE \"%s\".\"%s\" ALTER COLUMN "
        "\"%s\" TYPE %s, or configure another schema",
        s->name, t->name, c->name, found, expected, s->name, t->name, c->name, expected);
  }
  if (t->record && md_pg_schema_is_old(s)) {
    t->missing |= 1ull << column;
    return MD_OK;
  }
  return md_fail(
      msg, MD_ERR_DB,
      "table %s.%s: column %s is missing, expected %s: ALTER TABLE \"%s\".\"%s\" ADD COLUMN "
      "\"%s\" %s, or configure another schema",
      s->name, t->name, c->name, expected, s->name, t->name, c->name, expected);
}

/* A column that we do not know is fine unless it must have a value that we do not give. */
static md_err_t
check_row(const md_pg_schema_t *s, md_pg_table_t *t, const md_pg_t *pg, uint32_t row,
          md_msg_t *msg) {
  const char *column = md_pg_value(pg, row, 2);
  const char  kind   = md_pg_value(pg, row, 1)[0];
  if (kind == 'v')
    return md_fail(msg, MD_ERR_DB,
                   "%s.%s is a view, expected a table: drop or rename it, or configure another "
                   "schema",
                   s->name, t->name);
  t->is_found       = true;
  t->is_partitioned = kind == 'p';
  if (has_column(t, column) || md_pg_value(pg, row, 4)[0] != '1') return MD_OK;
  return md_fail(
      msg, MD_ERR_DB,
      "table %s.%s: column %s %s is not expected and must not be NULL: give it a default or "
      "drop NOT NULL",
      s->name, t->name, column, md_pg_value(pg, row, 3));
}

static void
check_others(md_pg_schema_t *s, const md_pg_t *pg) {
  s->timescale[0] = 0;
  for (uint32_t row = 0; row < md_pg_row_cnt(pg); row++) {
    const char *name = md_pg_value(pg, row, 0), *kind = md_pg_value(pg, row, 1);
    if (kind[0] == 'x')
      (void)snprintf(s->timescale, sizeof s->timescale, "%s", md_pg_value(pg, row, 2));
    if (kind[0] != 'v' || strncmp(name, "v_", 2) != 0) continue;
    for (uint32_t i = 0; i < s->table_cnt; i++)
      if (!strcmp(s->table[i].name, name + 2)) s->table[i].is_view_found = true;
  }
}

md_err_t
md_pg_schema_check(md_pg_schema_t *s, const md_pg_t *pg, uint32_t *missing_cnt, md_msg_t *msg) {
  md_err_t err = MD_OK;
  *missing_cnt = 0;
  for (uint32_t i = 0; i < s->table_cnt; i++) {
    s->table[i].is_found = s->table[i].is_view_found = false;
    s->table[i].missing                              = 0;
  }
  check_others(s, pg);
  for (uint32_t i = 0; i < s->table_cnt && err == MD_OK; i++) {
    md_pg_table_t *t = &s->table[i];
    for (uint32_t row = 0; row < md_pg_row_cnt(pg) && err == MD_OK; row++)
      if (!strcmp(md_pg_value(pg, row, 0), t->name)) err = check_row(s, t, pg, row, msg);
  }
  for (uint32_t i = 0; i < s->table_cnt && err == MD_OK; i++) {
    md_pg_table_t *t = &s->table[i];
    for (uint32_t c = 0; t->is_found && c < t->column_cnt && err == MD_OK; c++)
      err = check_column(s, t, c, pg, msg);
    if (!t->is_found || (t->record && !t->is_view_found) || t->missing) *missing_cnt += 1;
  }
  return err;
}
