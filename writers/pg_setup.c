#include "writers/pg_setup.h"

#include "writers/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

md_err_t
md_pg_setup_new(md_pg_setup_t *u, const uint8_t uuid[16], const char *journal_dir, uint32_t epoch,
                int timeout_ms) {
  memset(u, 0, sizeof *u);
  u->journal_dir = journal_dir;
  u->epoch       = epoch;
  u->timeout_ms  = timeout_ms;
  md_sql_t text  = {.text = u->uuid, .bytes = sizeof u->uuid};
  for (unsigned i = 0; i < 16; i++)
    md_sql_add(&text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
  return md_sql_new(&u->sql, MD_PG_DDL_BYTES);
}

void
md_pg_setup_delete(md_pg_setup_t *u) {
  md_sql_delete(&u->sql);
}

static void
ask(md_pg_setup_t *u, md_pg_t *pg, md_pg_setup_phase_t phase) {
  md_assert(!u->sql.is_full);
  u->phase = phase;
  md_pg_query(pg, u->sql.text, false);
}

const char *
md_pg_setup_session(void) {
  /* Segments are deleted when their rows are stored: a commit must not be lost with the server. */
  return "SET standard_conforming_strings = on; SET client_min_messages = warning; "
         "SET synchronous_commit = on; "
         "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET search_path = pg_catalog";
}

const char *
md_pg_setup_settings(md_pg_setup_t *u) {
  md_sql_clear(&u->sql);
  md_sql_add(&u->sql, "%s", md_pg_setup_session());
  /* A server that waits for a lock or for us gives up by itself, so that no session of ours stays
   * behind with what it holds. */
  if (u->timeout_ms > 0)
    md_sql_add(&u->sql,
               "; SET lock_timeout = %d; SET statement_timeout = %d; "
               "SET idle_in_transaction_session_timeout = %d; SET tcp_keepalives_idle = 30; "
               "SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3",
               u->timeout_ms, u->timeout_ms, u->timeout_ms);
  return u->sql.text;
}

void
md_pg_setup_start(md_pg_setup_t *u, md_pg_t *pg) {
  (void)md_pg_setup_settings(u);
  ask(u, pg, MD_PG_SETUP_SESSION);
}

static void
ask_catalog(md_pg_setup_t *u, md_pg_t *pg, const md_pg_schema_t *schema,
            md_pg_setup_phase_t phase) {
  md_sql_clear(&u->sql);
  md_pg_schema_query(schema, &u->sql);
  ask(u, pg, phase);
}

/* The select in front keeps an engine that comes again from using up an id. */
static void
ask_journal(md_pg_setup_t *u, md_pg_t *pg, const md_pg_schema_t *schema) {
  md_sql_clear(&u->sql);
  md_sql_add(&u->sql, "INSERT INTO ");
  md_pg_schema_table(schema, "journals", &u->sql);
  md_sql_add(&u->sql, " (uuid) SELECT '%s' WHERE NOT EXISTS (SELECT 1 FROM ", u->uuid);
  md_pg_schema_table(schema, "journals", &u->sql);
  md_sql_add(&u->sql,
             " WHERE uuid = '%s') ON CONFLICT DO NOTHING; SELECT id, complete_epoch, (SELECT "
             "max(version) FROM ",
             u->uuid);
  md_pg_schema_table(schema, "schema_version", &u->sql);
  md_sql_add(&u->sql, ") FROM ");
  md_pg_schema_table(schema, "journals", &u->sql);
  md_sql_add(&u->sql, " WHERE uuid = '%s'", u->uuid);
  ask(u, pg, MD_PG_SETUP_JOURNAL);
}

static void
add_epochs_query(md_pg_setup_t *u, const md_pg_schema_t *schema) {
  md_sql_add(&u->sql, "SELECT epoch, begun_ns FROM ");
  md_pg_schema_table(schema, "epochs", &u->sql);
  md_sql_add(&u->sql, " WHERE journal = %d AND epoch >= %u ORDER BY epoch DESC", u->journal,
             u->complete_epoch);
}

static void
ask_epochs(md_pg_setup_t *u, md_pg_t *pg, const md_pg_schema_t *schema) {
  md_sql_clear(&u->sql);
  add_epochs_query(u, schema);
  ask(u, pg, MD_PG_SETUP_EPOCHS);
}

static void
ask_claim(md_pg_setup_t *u, md_pg_t *pg, const md_pg_schema_t *schema, int64_t begun_ns) {
  md_sql_clear(&u->sql);
  md_sql_add(&u->sql, "INSERT INTO ");
  md_pg_schema_table(schema, "epochs", &u->sql);
  md_sql_add(&u->sql, " VALUES (%d, %u, %" PRId64 ") ON CONFLICT DO NOTHING; ", u->journal,
             u->epoch, begun_ns);
  add_epochs_query(u, schema);
  ask(u, pg, MD_PG_SETUP_CLAIM);
}

static void
ask_progress(md_pg_setup_t *u, md_pg_t *pg, const md_pg_schema_t *schema) {
  md_sql_clear(&u->sql);
  md_sql_add(&u->sql, "SELECT p.stream, p.epoch, p.next, coalesce(s.name, '') FROM ");
  md_pg_schema_table(schema, "progress", &u->sql);
  md_sql_add(&u->sql, " p LEFT JOIN ");
  md_pg_schema_table(schema, "streams", &u->sql);
  md_sql_add(&u->sql, " s USING (journal, stream) WHERE journal = %d AND epoch >= %u", u->journal,
             u->complete_epoch);
  ask(u, pg, MD_PG_SETUP_PROGRESS);
}

static uint64_t
number(const md_pg_t *pg, uint32_t row, uint32_t column) {
  const char *text = md_pg_value(pg, row, column);
  return text ? strtoull(text, NULL, 10) : 0;
}

static md_err_t
read_progress(md_pg_progress_t *progress, const md_pg_t *pg, md_msg_t *msg) {
  md_pg_progress_clear(progress);
  for (uint32_t i = 0; i < md_pg_row_cnt(pg); i++) {
    uint32_t row = md_pg_progress_add(progress, (uint16_t)number(pg, i, 0),
                                      (uint32_t)number(pg, i, 1), md_pg_value(pg, i, 3));
    if (row == UINT32_MAX)
      return md_fail(msg, MD_ERR_NOMEM, "no memory for the progress of streams");
    md_pg_progress_row_t *p = &progress->row[row];
    p->next = p->stored = number(pg, i, 2);
    p->is_new           = false;
  }
  return MD_OK;
}

static int
step_catalog(md_pg_setup_t *u, md_pg_t *pg, md_pg_schema_t *schema, md_msg_t *msg) {
  uint32_t missing_cnt;
  md_err_t err = md_pg_schema_check(schema, pg, &missing_cnt, msg);
  if (err != MD_OK) return err;
  if (missing_cnt == 0) {
    ask_journal(u, pg, schema);
    return 0;
  }
  if (u->phase == MD_PG_SETUP_RECHECK)
    return md_fail(msg, MD_ERR_DB,
                   "schema %s: tables are missing although they were just made: are "
                   "they views or foreign tables?",
                   schema->name);
  md_sql_clear(&u->sql);
  md_pg_schema_create(schema, &u->sql);
  ask(u, pg, MD_PG_SETUP_CREATE);
  return 0;
}

static int
step_journal(md_pg_setup_t *u, md_pg_t *pg, const md_pg_schema_t *schema, md_msg_t *msg) {
  if (md_pg_row_cnt(pg) != 1)
    return md_fail(msg, MD_ERR_DB, "table %s.journals has no row for journal %s", schema->name,
                   u->uuid);
  if (number(pg, 0, 2) > MD_PG_SCHEMA_VERSION)
    return md_fail(msg, MD_ERR_VERSION,
                   "schema %s is of version %llu, this engine knows %d: use the newer engine, or "
                   "configure another schema",
                   schema->name, (unsigned long long)number(pg, 0, 2), MD_PG_SCHEMA_VERSION);
  u->journal        = (int32_t)number(pg, 0, 0);
  u->complete_epoch = (uint32_t)number(pg, 0, 1);
  ask_epochs(u, pg, schema);
  return 0;
}

/* Two journals with one uuid are copies. Whichever opens an epoch here first owns it; who finds its
 * epoch taken, or a later one, may not go on: its records would be taken for the other's. */
static md_err_t
check_epochs(const md_pg_setup_t *u, const md_pg_t *pg, const md_manifest_t *manifest,
             const md_pg_schema_t *schema, bool *is_claimed, md_msg_t *msg) {
  *is_claimed = false;
  for (uint32_t i = 0; i < md_pg_row_cnt(pg); i++) {
    uint32_t epoch    = (uint32_t)number(pg, i, 0);
    int64_t  begun_ns = 0, said_ns = strtoll(md_pg_value(pg, i, 1), NULL, 10);
    bool     is_known = md_manifest_epoch_begun(manifest, epoch, &begun_ns);
    if (epoch == u->epoch) *is_claimed = true;
    if (epoch <= u->epoch && (!is_known || begun_ns == said_ns)) continue;
    return md_fail(msg, MD_ERR_FENCED,
                   "schema %.48s has epoch %u of journal %s from another engine: one of the two "
                   "journals is a copy; stop that engine, or give this one another schema",
                   schema->name, epoch, u->uuid);
  }
  return MD_OK;
}

static int
step_epochs(md_pg_setup_t *u, md_pg_t *pg, const md_pg_schema_t *schema, md_msg_t *msg) {
  md_manifest_t *manifest   = NULL;
  bool           is_claimed = false;
  int64_t        begun_ns   = 0;
  md_err_t       err        = md_manifest_open(u->journal_dir, false, false, &manifest, msg);
  if (err == MD_OK) err = check_epochs(u, pg, manifest, schema, &is_claimed, msg);
  if (err == MD_OK && !md_manifest_epoch_begun(manifest, u->epoch, &begun_ns))
    err = md_fail(msg, MD_ERR_CORRUPT, "the manifest of journal %.300s lacks epoch %u",
                  u->journal_dir, u->epoch);
  md_manifest_close(manifest);
  if (err != MD_OK) return err;
  if (is_claimed)
    ask_progress(u, pg, schema);
  else
    ask_claim(u, pg, schema, begun_ns);
  return 0;
}

int
md_pg_setup_step(md_pg_setup_t *u, md_pg_t *pg, md_pg_schema_t *schema, md_pg_progress_t *progress,
                 md_msg_t *msg) {
  md_pg_state_t state = md_pg_step(pg);
  if (state == MD_PG_DOWN) return md_fail(msg, MD_ERR_DB, "%s", md_pg_error(pg));
  if (state != MD_PG_READY) return 0;
  switch (u->phase) {
  case MD_PG_SETUP_SESSION:
    ask_catalog(u, pg, schema, MD_PG_SETUP_CATALOG);
    return 0;
  case MD_PG_SETUP_CATALOG:
  case MD_PG_SETUP_RECHECK:
    return step_catalog(u, pg, schema, msg);
  case MD_PG_SETUP_CREATE:
    ask_catalog(u, pg, schema, MD_PG_SETUP_RECHECK);
    return 0;
  case MD_PG_SETUP_JOURNAL:
    return step_journal(u, pg, schema, msg);
  case MD_PG_SETUP_EPOCHS:
  case MD_PG_SETUP_CLAIM:
    return step_epochs(u, pg, schema, msg);
  case MD_PG_SETUP_PROGRESS: {
    md_err_t err = read_progress(progress, pg, msg);
    u->phase     = MD_PG_SETUP_IDLE;
    return err == MD_OK ? 1 : err;
  }
  case MD_PG_SETUP_IDLE:
    break;
  }
  return MD_ERR_DB;
}
