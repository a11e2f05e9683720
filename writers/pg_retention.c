#include "writers/pg_retention.h"

#include "writers/pg_timescale.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAUSE_MAX_NS   INT64_C(2000000000)
#define PARTITIONS_MAX 4096u

typedef struct partition {
  const md_pg_table_t *table;
  char                 name[MD_PG_NAME_BYTES];
} partition_t;

static void
instant_of(int32_t day, char out[40]) {
  time_t    seconds = (time_t)day * 86400;
  struct tm tm;
  gmtime_r(&seconds, &tm);
  (void)snprintf(out, 40, "%04d-%02d-%02d 00:00:00+00", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday);
}

static bool
is_kept(const md_pg_table_t *t) {
  return t->record == 0 || t->record == MD_RECORD_DEFINITION || !t->is_found;
}

static void
add_noted(const md_pg_schema_t *s, const md_pg_table_t *t, const char *before, md_sql_t *sql) {
  md_sql_add(sql, "INSERT INTO ");
  md_pg_schema_table(s, "dropped", sql);
  md_sql_add(sql,
             " AS d VALUES ('%s', '%s') ON CONFLICT (table_name) DO UPDATE SET before = "
             "greatest(d.before, excluded.before);\n",
             t->name, before);
}

static void
pause_for(int64_t ns) {
  struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
  (void)nanosleep(&t, NULL);
}

/* The partitions that end at or before the instant, whoever made them. */
static md_err_t
list(md_pg_call_t *c, const md_pg_schema_t *s, const char *before, partition_t *out, uint32_t *cnt,
     md_msg_t *msg) {
  md_sql_add(&c->sql,
             "SELECT p.relname, k.relname FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid "
             "JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace n ON n.oid = "
             "p.relnamespace AND n.oid = k.relnamespace WHERE n.nspname = ");
  md_sql_text(&c->sql, s->name);
  md_sql_add(&c->sql,
             " AND (regexp_match(pg_get_expr(k.relpartbound, k.oid), 'TO \\(''([^'']+)''\\)'))[1]"
             "::timestamptz <= '%s' ORDER BY k.relname LIMIT %u",
             before, PARTITIONS_MAX);
  md_err_t err = md_pg_call(c, msg);
  *cnt         = 0;
  for (uint32_t row = 0; err == MD_OK && row < md_pg_row_cnt(c->pg); row++)
    for (uint32_t i = 0; i < s->table_cnt; i++) {
      const md_pg_table_t *t = &s->table[i];
      if (is_kept(t) || strcmp(t->name, md_pg_value(c->pg, row, 0)) != 0) continue;
      partition_t *p = &out[(*cnt)++];
      p->table       = t;
      (void)snprintf(p->name, sizeof p->name, "%s", md_pg_value(c->pg, row, 1));
    }
  return err;
}

static md_err_t
drop_one(md_pg_retention_t *r, md_pg_call_t *c, const md_pg_schema_t *s, const partition_t *p,
         const char *before, md_msg_t *msg) {
  md_err_t err   = MD_ERR_DB;
  int64_t  pause = r->pause_ns;
  uint32_t tries = 0;
  while (err != MD_OK && tries < r->try_max && md_pg_fault(c->pg) != MD_PG_FAULT_LINK) {
    if (tries++ > 0) {
      pause_for(pause);
      pause = 2 * pause < PAUSE_MAX_NS ? 2 * pause : PAUSE_MAX_NS;
      r->retry_cnt++;
    }
    md_sql_add(&c->sql, "SET LOCAL lock_timeout = %u;\n", r->lock_timeout_ms);
    add_noted(s, p->table, before, &c->sql);
    md_sql_add(&c->sql, "ALTER TABLE ");
    md_pg_schema_table(s, p->table->name, &c->sql);
    md_sql_add(&c->sql, " DETACH PARTITION ");
    md_pg_schema_table(s, p->name, &c->sql);
    md_sql_add(&c->sql, ";\nDROP TABLE ");
    md_pg_schema_table(s, p->name, &c->sql);
    md_sql_add(&c->sql, ";\n");
    err = md_pg_call(c, msg);
  }
  *(err == MD_OK ? &r->dropped_cnt : &r->refused_cnt) += 1;
  if (r->told) r->told(r->ctx, p->name, tries, err == MD_OK ? NULL : msg->text);
  return err;
}

/* Rows of the DEFAULT partition, or the chunks of a hypertable. */
static md_err_t
drop_others(md_pg_retention_t *r, md_pg_call_t *c, const md_pg_schema_t *s, const char *before,
            md_msg_t *msg) {
  md_err_t err = MD_OK;
  for (uint32_t i = 0; i < s->table_cnt && err == MD_OK; i++) {
    const md_pg_table_t *t = &s->table[i];
    char                 name[MD_PG_NAME_BYTES];
    if (is_kept(t)) continue;
    bool is_hyper = !t->is_partitioned && s->timescale[0] != 0;
    (void)snprintf(name, sizeof name, t->is_partitioned ? "%s_default" : "%s", t->name);
    add_noted(s, t, before, &c->sql);
    if (is_hyper) {
      md_pg_timescale_drop(s, t, before, &c->sql);
    } else {
      md_sql_add(&c->sql, "DELETE FROM ");
      md_pg_schema_table(s, name, &c->sql);
      md_sql_add(&c->sql, " WHERE recv_ts < '%s'", before);
    }
    err = md_pg_call(c, msg);
    if (err != MD_OK) break;
    if (is_hyper)
      r->chunk_cnt += strtoull(md_pg_value(c->pg, 0, 0), NULL, 10);
    else
      r->default_row_cnt += md_pg_affected(c->pg);
  }
  return err;
}

md_err_t
md_pg_retention_run(md_pg_retention_t *r, md_pg_call_t *c, const md_pg_schema_t *s, int32_t before,
                    md_msg_t *msg) {
  char         instant[40];
  uint32_t     cnt  = 0;
  partition_t *rows = calloc(PARTITIONS_MAX, sizeof *rows);
  if (!rows) return md_fail(msg, MD_ERR_NOMEM, "no memory for the list of partitions");
  instant_of(before, instant);
  md_err_t err = list(c, s, instant, rows, &cnt, msg);
  for (uint32_t i = 0; err == MD_OK && i < cnt; i++) {
    md_err_t one = drop_one(r, c, s, &rows[i], instant, msg);
    if (one != MD_OK && md_pg_fault(c->pg) == MD_PG_FAULT_LINK) err = one;
  }
  free(rows);
  if (err == MD_OK) err = drop_others(r, c, s, instant, msg);
  if (err == MD_OK && r->refused_cnt > 0)
    return md_fail(msg, MD_ERR_BUSY,
                   "%u partitions stay, others held their tables for longer than was waited: run "
                   "it again (select * from pg_locks shows who)",
                   r->refused_cnt);
  return err;
}
