#include "writers/pg_call.h"

#include "shm/clock.h"
#include "writers/pg_setup.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_NS    INT64_C(100000000)
#define IO_ENTRIES 16u

/* Turns until the state is neither of two; a statement may take as long as it takes, connecting not
 * longer than the deadline (0: none). */
static md_pg_state_t
settle(md_pg_call_t *c, md_pg_state_t busy, int64_t deadline_mono_ns) {
  md_pg_state_t state = md_pg_step(c->pg);
  while (state == busy) {
    if (deadline_mono_ns != 0 && md_clock_mono_ns(md_clock_system()) > deadline_mono_ns) break;
    if (md_io_turn(c->io, WAIT_NS) < 0) break;
    state = md_pg_step(c->pg);
  }
  return state;
}

md_err_t
md_pg_call_open(md_pg_call_t *c, const char *conninfo, int64_t timeout_ns, md_msg_t *msg) {
  const md_io_config_t io = {.entry_cnt = IO_ENTRIES};
  memset(c, 0, sizeof *c);
  md_err_t err = md_sql_new(&c->sql, MD_PG_DDL_BYTES);
  if (err == MD_OK) err = md_io_open(&io, &c->io, msg);
  if (err == MD_OK) err = md_pg_open(c->io, conninfo, &c->pg, msg);
  if (err != MD_OK) return err;
  if (md_pg_connect(c->pg) != MD_OK ||
      settle(c, MD_PG_CONNECTING, md_clock_mono_ns(md_clock_system()) + timeout_ns) != MD_PG_READY)
    return md_fail(msg, MD_ERR_DB, "PostgreSQL: %.120s: %.300s", md_pg_target(c->pg),
                   md_pg_error(c->pg)[0] ? md_pg_error(c->pg) : "no answer in time");
  md_sql_add(&c->sql, "%s", md_pg_setup_session());
  return md_pg_call(c, msg);
}

void
md_pg_call_close(md_pg_call_t *c) {
  md_pg_close(c->pg);
  if (c->io) md_io_close(c->io);
  md_sql_delete(&c->sql);
}

md_err_t
md_pg_call(md_pg_call_t *c, md_msg_t *msg) {
  if (c->sql.is_full) {
    md_sql_clear(&c->sql);
    return md_fail(msg, MD_ERR_FULL, "a statement for PostgreSQL is too long");
  }
  if (md_pg_step(c->pg) != MD_PG_READY)
    return md_fail(msg, MD_ERR_DB, "PostgreSQL: %s", md_pg_error(c->pg));
  md_pg_query(c->pg, c->sql.text, true);
  md_sql_clear(&c->sql);
  if (settle(c, MD_PG_BUSY, 0) == MD_PG_READY && md_pg_fault(c->pg) == MD_PG_FAULT_NONE)
    return MD_OK;
  return md_fail(msg, MD_ERR_DB, "PostgreSQL: %s", md_pg_error(c->pg));
}

md_err_t
md_pg_call_check(md_pg_call_t *c, md_pg_schema_t *s, uint32_t *missing_cnt, md_msg_t *msg) {
  md_pg_schema_query(s, &c->sql);
  md_err_t err = md_pg_call(c, msg);
  return err == MD_OK ? md_pg_schema_check(s, c->pg, missing_cnt, msg) : err;
}

md_err_t
md_pg_call_version(md_pg_call_t *c, const md_pg_schema_t *s, uint32_t *version, md_msg_t *msg) {
  *version = md_pg_schema_find(s, "progress")->is_found ? 1 : 0;
  if (!md_pg_schema_find(s, "schema_version")->is_found) return MD_OK;
  md_sql_add(&c->sql, "SELECT coalesce(max(version), 1) FROM ");
  md_pg_schema_table(s, "schema_version", &c->sql);
  md_err_t err = md_pg_call(c, msg);
  if (err != MD_OK) return err;
  *version = (uint32_t)strtoul(md_pg_value(c->pg, 0, 0), NULL, 10);
  if (*version <= MD_PG_SCHEMA_VERSION) return MD_OK;
  return md_fail(msg, MD_ERR_VERSION,
                 "schema %s is of version %u, this program knows %d: use the newer one", s->name,
                 *version, MD_PG_SCHEMA_VERSION);
}
