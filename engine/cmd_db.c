/* cmd_db.c - mdengine db init|migrate|verify|retention|columns. */
#include "engine/cli.h"
#include "writers/pg_null_table.h"
#include "writers/pg_partition.h"
#include "writers/pg_retention.h"
#include "writers/pg_verify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DAY_NS            INT64_C(86400000000000)
#define SHOWN_MAX         20u
#define LOCK_TIMEOUT_MS   200u
#define RETENTION_TRY_MAX 30u
#define PAUSE_FIRST_NS    INT64_C(100000000)

typedef struct options {
  const char *verb, *config, *conninfo, *schema;
  int64_t     keep_days; /* -1: of the configuration */
  bool        json, markdown;
} options_t;

typedef struct db {
  const options_t *o;
  md_config_t     *cfg;
  md_pg_call_t     call;
  md_pg_schema_t   schema;
  uint32_t         missing_cnt;
  uint64_t         shown_cnt;
} db_t;

enum { KEY_CONNINFO = 300, KEY_SCHEMA, KEY_KEEP, KEY_MARKDOWN };

static const struct argp_option option_rows[] = {
    {"config", 'c', "FILE", 0, "configuration (" MD_DEFAULT_CONFIG "): sections postgres, journal",
     0},
    {"conninfo", KEY_CONNINFO, "TEXT", 0, "instead of postgres.conninfo", 0},
    {"schema", KEY_SCHEMA, "NAME", 0, "instead of postgres.schema", 0},
    {"keep-days", KEY_KEEP, "N", 0, "retention: instead of postgres.keep_days", 0},
    {"json", 'j', NULL, 0, "machine-readable output", 0},
    {"markdown", KEY_MARKDOWN, NULL, 0, "columns: as a table for a document", 0},
    {0}};

static error_t
parse_option(int key, char *arg, struct argp_state *state) {
  options_t *o = state->input;
  char      *end;
  switch (key) {
  case 'c':
    o->config = arg;
    return 0;
  case KEY_CONNINFO:
    o->conninfo = arg;
    return 0;
  case KEY_SCHEMA:
    o->schema = arg;
    return 0;
  case KEY_KEEP:
    o->keep_days = strtoll(arg, &end, 10);
    if (*end || o->keep_days < 1 || o->keep_days > 36500)
      argp_error(state, "--keep-days wants a number from 1 to 36500, not '%s'", arg);
    return 0;
  case 'j':
    o->json = true;
    return 0;
  case KEY_MARKDOWN:
    o->markdown = true;
    return 0;
  case ARGP_KEY_ARG:
    if (state->arg_num > 0) argp_error(state, "unexpected argument '%s'", arg);
    o->verb = arg;
    return 0;
  case ARGP_KEY_END:
    if (!o->verb) argp_error(state, "name what to do: init, migrate, verify, retention, columns");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp argp = {
    option_rows,
    parse_option,
    "init|migrate|verify|retention|columns",
    "Look after the tables in PostgreSQL. init: make what is missing, with partitions for the days "
    "to come; migrate: bring tables of an older version up to date; verify: compare counts, first "
    "and last sequence and the sum of every column with the journal, by table, stream, epoch and "
    "hour; retention: drop days that are older than postgres.keep_days; columns: what each column "
    "means and when it is NULL (needs no database).\vExamples:\n  mdengine db init -c "
    "mdengine.yaml\n  mdengine db verify --json\n  mdengine db retention --keep-days 30\n",
    NULL,
    NULL,
    NULL};

static int
fail(md_err_t err, const md_msg_t *msg) {
  return md_cli_error(err, msg->text[0] ? msg->text : md_err_text(err));
}

/* ---- connection ---- */

static md_err_t
prepare(db_t *d, md_msg_t *msg) {
  const options_t *o  = d->o;
  const char      *to = o->conninfo ? o->conninfo : d->cfg->postgres.conninfo;
  if (!to[0])
    return md_fail(msg, MD_ERR_CONFIG,
                   "%s names no database: set postgres.conninfo, or give --conninfo", o->config);
  md_err_t err =
      md_pg_schema_init(&d->schema, o->schema ? o->schema : d->cfg->postgres.schema, msg);
  if (err != MD_OK) return err;
  md_pg_schema_extras(&d->schema, d->cfg->postgres.compat_schema, d->cfg->postgres.timescale != 0);
  err = md_pg_call_open(&d->call, to, d->cfg->postgres.connect_timeout, msg);
  if (err == MD_OK) err = md_pg_call_check(&d->call, &d->schema, &d->missing_cnt, msg);
  return err;
}

/* For what works on tables that must be there as this program knows them. */
static md_err_t
want_complete(db_t *d, md_msg_t *msg) {
  uint32_t version = 0;
  md_err_t err     = md_pg_call_version(&d->call, &d->schema, &version, msg);
  if (err != MD_OK) return err;
  if (version == 0)
    return md_fail(msg, MD_ERR_ABSENT, "schema %s has no tables yet: mdengine db init",
                   d->schema.name);
  if (version < MD_PG_SCHEMA_VERSION || d->missing_cnt > 0)
    return md_fail(msg, MD_ERR_VERSION,
                   "schema %s is of version %u and lacks %u tables or views: mdengine db migrate",
                   d->schema.name, version, d->missing_cnt);
  return MD_OK;
}

/* ---- init and migrate ---- */

static md_err_t
make_partitions(db_t *d, uint32_t *cnt, md_msg_t *msg) {
  md_pg_partitions_t *p = calloc(1, sizeof *p);
  if (!p) return md_fail(msg, MD_ERR_NOMEM, "no memory for the list of days");
  uint64_t types = (uint64_t)d->cfg->postgres.records | 1ull << MD_RECORD_DEFINITION;
  md_err_t err   = MD_OK;
  md_pg_partitions_ahead(p, &d->schema, types, md_clock_real_ns(md_clock_system()),
                         (uint32_t)d->cfg->postgres.partition_days);
  while (err == MD_OK && md_pg_partitions_sql(p, &d->schema, &d->call.sql)) {
    err = md_pg_call(&d->call, msg);
    md_pg_partitions_done(p);
    *cnt += 1;
  }
  free(p);
  return err;
}

static void
print_roles(const db_t *d) {
  const char *s = d->schema.name, *c = d->schema.compat;
  (void)printf("The engine must connect as the owner of the tables: it makes a partition for each "
               "day.\nA role that only reads:\n  CREATE ROLE md_reader;\n  GRANT USAGE ON SCHEMA "
               "\"%s\" TO md_reader;\n  GRANT SELECT ON ALL TABLES IN SCHEMA \"%s\" TO "
               "md_reader;\n  ALTER DEFAULT PRIVILEGES IN SCHEMA \"%s\" GRANT SELECT ON TABLES TO "
               "md_reader;\n",
               s, s, s);
  if (c[0])
    (void)printf("  GRANT USAGE ON SCHEMA \"%s\" TO md_reader;\n  GRANT SELECT ON ALL TABLES IN "
                 "SCHEMA \"%s\" TO md_reader;\n",
                 c, c);
}

/* Both make what is missing; init wants to begin, migrate something to begin with. */
static md_err_t
make(db_t *d, bool is_migration, md_msg_t *msg) {
  uint32_t before = 0, after = 0, made = d->missing_cnt, partition_cnt = 0;
  md_err_t err = md_pg_call_version(&d->call, &d->schema, &before, msg);
  if (err == MD_OK && is_migration && before == 0)
    return md_fail(msg, MD_ERR_ABSENT, "schema %s has no tables yet: mdengine db init",
                   d->schema.name);
  if (err == MD_OK && !is_migration && before != 0 && before < MD_PG_SCHEMA_VERSION)
    return md_fail(msg, MD_ERR_VERSION, "schema %s is of version %u: mdengine db migrate",
                   d->schema.name, before);
  if (err == MD_OK) {
    md_pg_schema_create(&d->schema, &d->call.sql);
    err = md_pg_call(&d->call, msg);
  }
  if (err == MD_OK) err = md_pg_call_check(&d->call, &d->schema, &d->missing_cnt, msg);
  if (err == MD_OK) err = md_pg_call_version(&d->call, &d->schema, &after, msg);
  if (err == MD_OK) err = make_partitions(d, &partition_cnt, msg);
  if (err != MD_OK) return err;
  if (d->o->json) {
    (void)printf("{\"schema\":\"%s\",\"version_before\":%u,\"version\":%u,\"made\":%u,"
                 "\"partitions\":%u,\"timescale\":%s}\n",
                 d->schema.name, before, after, made, partition_cnt,
                 d->schema.timescale[0] && d->schema.wants_timescale ? "true" : "false");
    return MD_OK;
  }
  (void)printf("schema %s: version %u (was %u), %u tables and views made, %u partitions there\n",
               d->schema.name, after, before, made, partition_cnt);
  if (!is_migration) print_roles(d);
  return MD_OK;
}

/* ---- verify ---- */

static void
show_difference(void *ctx, const char *text) {
  db_t *d = ctx;
  if (d->shown_cnt++ >= SHOWN_MAX) return;
  if (d->o->json) {
    (void)printf("%s", d->shown_cnt > 1 ? "," : "");
    md_cli_json_string(stdout, text);
  } else {
    (void)printf("%s\n", text);
  }
}

static md_err_t
verify(db_t *d, int *status, md_msg_t *msg) {
  md_pg_verify_t v   = {.journal_dir  = d->cfg->journal.dir,
                        .record_types = (uint64_t)d->cfg->postgres.records,
                        .differs      = show_difference,
                        .ctx          = d};
  md_err_t       err = want_complete(d, msg);
  if (err != MD_OK) return err;
  if (d->o->json) (void)printf("{\"first\":[");
  err = md_pg_verify_run(&v, &d->call, &d->schema, msg);
  if (d->o->json)
    (void)printf("],\"records\":%" PRIu64 ",\"rows\":%" PRIu64 ",\"groups\":%" PRIu64
                 ",\"values\":%" PRIu64 ",\"streams_begin_later\":%" PRIu32
                 ",\"differences\":%" PRIu64 ",\"complete\":%s}\n",
                 v.record_cnt, v.row_cnt, v.group_cnt, v.value_cnt, v.gone_cnt, v.difference_cnt,
                 err == MD_OK ? "true" : "false");
  else if (err == MD_OK)
    (void)printf("%" PRIu64 " records of the journal, %" PRIu64 " rows in %" PRIu64
                 " groups, %" PRIu64 " values compared: %" PRIu64 " differ\n",
                 v.record_cnt, v.row_cnt, v.group_cnt, v.value_cnt, v.difference_cnt);
  if (err == MD_OK && v.gone_cnt > 0 && !d->o->json)
    (void)printf("not compared: the beginning of %" PRIu32
                 " streams, which the journal's retention took\n",
                 v.gone_cnt);
  *status = v.difference_cnt > 0 ? MD_EXIT_FAILED : MD_EXIT_OK;
  return err;
}

/* ---- retention ---- */

static void
show_partition(void *ctx, const char *partition, uint32_t try_cnt, const char *why) {
  const db_t *d = ctx;
  if (d->o->json) return;
  if (why)
    (void)printf("%s stays after %u tries: %s\n", partition, try_cnt, why);
  else
    (void)printf("%s dropped%s\n", partition, try_cnt > 1 ? ", had to be waited for" : "");
}

static md_err_t
retention(db_t *d, md_msg_t *msg) {
  int64_t keep = d->o->keep_days > 0 ? d->o->keep_days : d->cfg->postgres.keep_days;
  if (keep == 0)
    return md_fail(msg, MD_ERR_CONFIG,
                   "all days are kept: set postgres.keep_days, or give --keep-days");
  md_pg_retention_t r   = {.lock_timeout_ms = LOCK_TIMEOUT_MS,
                           .try_max         = RETENTION_TRY_MAX,
                           .pause_ns        = PAUSE_FIRST_NS,
                           .told            = show_partition,
                           .ctx             = d};
  int64_t           day = md_clock_real_ns(md_clock_system()) / DAY_NS - keep;
  md_err_t          err = want_complete(d, msg);
  if (err == MD_OK) err = md_pg_retention_run(&r, &d->call, &d->schema, (int32_t)day, msg);
  if (d->o->json)
    (void)printf("{\"dropped\":%u,\"refused\":%u,\"retries\":%u,\"default_rows\":%" PRIu64
                 ",\"chunks\":%" PRIu64 "}\n",
                 r.dropped_cnt, r.refused_cnt, r.retry_cnt, r.default_row_cnt, r.chunk_cnt);
  else if (err == MD_OK)
    (void)printf("%u partitions dropped, %" PRIu64 " rows of DEFAULT partitions deleted\n",
                 r.dropped_cnt, r.default_row_cnt);
  return err;
}

/* ---- columns ---- */

static void
print_column(const options_t *o, const md_pg_table_t *t, const md_copy_column_t *c,
             bool *is_first) {
  char     text[1024];
  md_sql_t comment = {.text = text, .bytes = sizeof text};
  md_sql_clear(&comment);
  md_pg_schema_comment(t, c, &comment);
  const char *type = md_copy_type_name(c->type);
  if (o->json) {
    (void)printf("%s{\"table\":\"%s\",\"column\":\"%s\",\"type\":", *is_first ? "" : ",\n", t->name,
                 c->name);
    md_cli_json_string(stdout, type);
    (void)printf(",\"null\":%s,\"meaning\":", c->is_null ? "true" : "false");
    md_cli_json_string(stdout, text);
    (void)printf("}");
  } else {
    (void)printf(o->markdown ? "| `%s` | `%s` | %s | %s |\n" : "%-20s %-16s %-26s %s\n", t->name,
                 c->name, type, text);
  }
  *is_first = false;
}

/* In a document the columns that all tables have stand once, elsewhere in it. */
static int
columns(const options_t *o) {
  md_pg_schema_t *s        = calloc(1, sizeof *s);
  bool            is_first = true;
  md_msg_t        msg      = {{0}};
  if (!s) return md_cli_error(MD_ERR_NOMEM, "no memory for the tables");
  md_err_t err = md_pg_schema_init(s, o->schema ? o->schema : "md", &msg);
  if (o->json) (void)printf("[");
  if (o->markdown && !err)
    (void)printf("| table | column | type | meaning, and when it is NULL |\n|---|---|---|---|\n");
  for (uint32_t i = 0; !err && i < s->table_cnt; i++) {
    const md_pg_table_t *t = &s->table[i];
    if (o->markdown && t->record == 0) continue;
    for (uint32_t k = 0; k < t->column_cnt; k++) {
      bool is_fixed = k < MD_COPY_FIXED_CNT && !t->column[k].is_null;
      if (!(o->markdown && is_fixed)) print_column(o, t, &t->column[k], &is_first);
    }
  }
  if (o->json) (void)printf("]\n");
  free(s);
  return err ? fail(err, &msg) : MD_EXIT_OK;
}

static int
work(db_t *d) {
  const char *verb   = d->o->verb;
  md_msg_t    msg    = {{0}};
  int         status = MD_EXIT_OK;
  md_err_t    err    = prepare(d, &msg);
  if (err == MD_OK && !strcmp(verb, "verify"))
    err = verify(d, &status, &msg);
  else if (err == MD_OK && !strcmp(verb, "retention"))
    err = retention(d, &msg);
  else if (err == MD_OK)
    err = make(d, !strcmp(verb, "migrate"), &msg);
  md_pg_call_close(&d->call);
  return err == MD_OK ? status : fail(err, &msg);
}

int
md_cmd_db(int argc, char **argv) {
  static const char *const verbs[] = {"init", "migrate", "verify", "retention"};
  options_t                o       = {.config = MD_DEFAULT_CONFIG, .keep_days = -1};
  bool                     known   = false;
  md_cli_parse(&argp, argc, argv, &o);
  if (!strcmp(o.verb, "columns")) return md_cli_flush(columns(&o));
  for (unsigned i = 0; i < MD_CNT(verbs); i++)
    known |= !strcmp(o.verb, verbs[i]);
  if (!known)
    return md_cli_error(MD_ERR_USAGE,
                        "mdengine db knows init, migrate, verify, retention and columns");
  db_t *d = calloc(1, sizeof *d);
  if (d) d->cfg = calloc(1, sizeof *d->cfg);
  if (!d || !d->cfg) {
    free(d);
    return md_cli_error(MD_ERR_NOMEM, "no memory for the configuration");
  }
  d->o                            = &o;
  const md_config_report_t report = md_cli_report(o.config);
  md_err_t                 err    = md_config_load(o.config, d->cfg, &report);
  int                      status = err ? MD_EXIT_USAGE : work(d);
  free(d->cfg);
  free(d);
  return md_cli_flush(status);
}
