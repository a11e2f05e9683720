#include "writers/pg_batch.h"

#include <stdio.h>
#include <string.h>

#define SEND_SQL_BYTES (MD_PG_EXTRA_BYTES + (64u << 10))
#define STEP_MAX       64u /* chunks and statements in one step */

md_err_t
md_pg_send_new(md_pg_send_t *s) {
  memset(s, 0, sizeof *s);
  return md_sql_new(&s->sql, SEND_SQL_BYTES);
}

void
md_pg_send_delete(md_pg_send_t *s) {
  md_sql_delete(&s->sql);
}

void
md_pg_send_start(md_pg_send_t *s, md_pg_batch_t *b) {
  md_assert(s->phase == MD_PG_SEND_IDLE);
  md_assert(b->move_cnt > 0);
  s->phase    = MD_PG_SEND_PARTITION;
  s->batch    = b;
  s->table    = 0;
  s->chunk    = NULL;
  s->is_begun = s->is_asked = false;
  for (uint32_t i = 0; i < MD_PG_TABLE_MAX; i++) {
    md_pg_chunk_t *last = b->table[i].last;
    if (!last) continue;
    md_copy_trailer(last->data + last->len);
    last->len += MD_COPY_TRAILER_BYTES;
  }
}

void
md_pg_send_stop(md_pg_send_t *s) {
  s->phase = MD_PG_SEND_IDLE;
  s->batch = NULL;
}

static void
ask(md_pg_send_t *s, md_pg_t *pg, md_pg_send_phase_t then, bool may_fail) {
  md_assert(!s->sql.is_full);
  s->phase    = then;
  s->is_asked = true;
  md_pg_query(pg, s->sql.text, may_fail);
}

/* A refused partition costs nothing but its place: the DEFAULT partition takes the rows. */
static void
step_partition(md_pg_send_t *s, md_pg_t *pg, const md_pg_context_t *ctx) {
  if (s->is_asked && md_pg_fault(pg) != MD_PG_FAULT_NONE)
    snprintf(s->warning, sizeof s->warning, "rows go to a DEFAULT partition: %s", md_pg_error(pg));
  if (s->is_asked) md_pg_partitions_done(ctx->partitions);
  s->is_asked = false;
  md_sql_clear(&s->sql);
  if (md_pg_partitions_sql(ctx->partitions, ctx->schema, &s->sql))
    ask(s, pg, MD_PG_SEND_PARTITION, true);
  else
    s->phase = MD_PG_SEND_BEGIN;
}

/* Rows of progress that are new come first; the update, last, counts them like the others. */
static void
add_new_rows(md_pg_send_t *s, const md_pg_context_t *ctx) {
  for (uint32_t i = 0; i < s->batch->move_cnt; i++) {
    const md_pg_progress_row_t *p = &ctx->progress->row[s->batch->move[i].row];
    if (!p->is_new) continue;
    md_sql_add(&s->sql, "INSERT INTO ");
    md_pg_schema_table(ctx->schema, "streams", &s->sql);
    md_sql_add(&s->sql, " VALUES (%d, %u, ", ctx->journal, p->stream);
    md_sql_text(&s->sql, p->name);
    md_sql_add(&s->sql, ") ON CONFLICT DO NOTHING; INSERT INTO ");
    md_pg_schema_table(ctx->schema, "progress", &s->sql);
    md_sql_add(&s->sql, " VALUES (%d, %u, %u, 1) ON CONFLICT DO NOTHING;\n", ctx->journal,
               p->stream, p->epoch);
  }
}

static void
add_update(md_pg_send_t *s, const md_pg_context_t *ctx) {
#ifdef MD_BREAK_PG_PROGRESS
  md_sql_add(&s->sql, "SELECT 1"); /* negative control of the tests: rows without their progress */
  return;
#endif
  md_sql_add(&s->sql, "UPDATE ");
  md_pg_schema_table(ctx->schema, "progress", &s->sql);
  md_sql_add(&s->sql, " p SET next = v.t FROM (VALUES ");
  for (uint32_t i = 0; i < s->batch->move_cnt; i++) {
    const md_pg_move_t         *m = &s->batch->move[i];
    const md_pg_progress_row_t *p = &ctx->progress->row[m->row];
    md_sql_add(&s->sql, "%s(%u, %u, %llu::int8, %llu::int8)", i ? ", " : "", p->stream, p->epoch,
               (unsigned long long)m->from, (unsigned long long)m->to);
  }
  md_sql_add(&s->sql,
             ") AS v (s, e, f, t) WHERE p.journal = %d AND p.stream = v.s AND p.epoch = v.e AND "
             "p.next = v.f AND NOT EXISTS (SELECT 1 FROM ",
             ctx->journal);
  md_pg_schema_table(ctx->schema, "epochs", &s->sql);
  md_sql_add(&s->sql, " n WHERE n.journal = %d AND n.epoch > %u)", ctx->journal, ctx->epoch);
}

static void
ask_finish(md_pg_send_t *s, md_pg_t *pg, const md_pg_context_t *ctx) {
  const md_pg_batch_t *b = s->batch;
  md_sql_clear(&s->sql);
  if (!s->is_begun) md_sql_add(&s->sql, "BEGIN;\n");
  md_sql_add(&s->sql, "%s", b->extra.text);
  add_new_rows(s, ctx);
  if (b->definition_first_ns <= b->definition_last_ns)
    md_pg_schema_instruments(ctx->schema, ctx->journal, b->definition_first_ns,
                             b->definition_last_ns, &s->sql);
  add_update(s, ctx);
  ask(s, pg, MD_PG_SEND_MOVED, false);
}

/* The next table with rows; behind the last one, what ends the transaction. */
static void
step_begin(md_pg_send_t *s, md_pg_t *pg, const md_pg_context_t *ctx) {
  if (s->table == ctx->schema->table_cnt) {
    ask_finish(s, pg, ctx);
    return;
  }
  md_sql_clear(&s->sql);
  if (!s->is_begun) md_sql_add(&s->sql, "BEGIN;\n");
  s->is_begun = true;
  s->chunk    = s->batch->table[s->table].first;
  md_pg_schema_copy(ctx->schema, s->table, &s->sql);
  ask(s, pg, MD_PG_SEND_DATA, false);
}

/* False when the server does not keep up. */
static bool
step_data(md_pg_send_t *s, md_pg_t *pg) {
  if (s->chunk) {
    if (md_pg_put(pg, s->chunk->data, s->chunk->len) != MD_OK) return false;
    s->chunk = s->chunk->next;
    return true;
  }
  if (md_pg_put_end(pg) != MD_OK) return false;
  s->phase = MD_PG_SEND_COPIED;
  return true;
}

static int
step_moved(md_pg_send_t *s, md_pg_t *pg) {
#ifndef MD_BREAK_PG_PROGRESS
  if (md_pg_affected(pg) != s->batch->move_cnt) return MD_ERR_FENCED;
#endif
  md_sql_clear(&s->sql);
  md_sql_add(&s->sql, "COMMIT");
  ask(s, pg, MD_PG_SEND_COMMIT, false);
  return 0;
}

/* A transaction that failed answers COMMIT with ROLLBACK and no error. */
static int
step_commit(md_pg_send_t *s, md_pg_t *pg, const md_pg_context_t *ctx) {
  if (strcmp(md_pg_tag(pg), "COMMIT") != 0) return MD_ERR_FENCED;
  for (uint32_t i = 0; i < s->batch->move_cnt; i++) {
    const md_pg_move_t   *m = &s->batch->move[i];
    md_pg_progress_row_t *p = &ctx->progress->row[m->row];
    md_assert(p->stored == m->from);
    p->stored = m->to;
    p->is_new = false;
  }
  s->phase = MD_PG_SEND_IDLE;
  return 1;
}

static void
find_table(md_pg_send_t *s, const md_pg_context_t *ctx) {
  while (s->table < ctx->schema->table_cnt && !s->batch->table[s->table].first)
    s->table++;
}

bool
md_pg_send_waits(const md_pg_send_t *s, const md_pg_context_t *ctx) {
  return s->phase == MD_PG_SEND_BEGIN && s->table == ctx->schema->table_cnt;
}

int
md_pg_send_step(md_pg_send_t *s, md_pg_t *pg, const md_pg_context_t *ctx, bool may_finish) {
  md_assert(s->phase != MD_PG_SEND_IDLE);
  for (unsigned i = 0; i < STEP_MAX; i++) {
    md_pg_state_t state = md_pg_step(pg);
    int           rc    = 0;
    if (state == MD_PG_DOWN) return MD_ERR_DB;
    if (state == MD_PG_COPY) {
      if (s->phase != MD_PG_SEND_DATA) return MD_ERR_DB;
      if (!step_data(s, pg)) return md_pg_step(pg) == MD_PG_DOWN ? MD_ERR_DB : 0;
      continue;
    }
    if (state != MD_PG_READY) return 0;
    switch (s->phase) {
    case MD_PG_SEND_PARTITION:
      step_partition(s, pg, ctx);
      break;
    case MD_PG_SEND_BEGIN:
      find_table(s, ctx);
      if (!may_finish && md_pg_send_waits(s, ctx)) return 0;
      step_begin(s, pg, ctx);
      break;
    case MD_PG_SEND_COPIED:
      s->table++;
      s->phase = MD_PG_SEND_BEGIN;
      break;
    case MD_PG_SEND_MOVED:
      rc = step_moved(s, pg);
      break;
    case MD_PG_SEND_COMMIT:
      return step_commit(s, pg, ctx);
    case MD_PG_SEND_IDLE:
    case MD_PG_SEND_DATA:
      return MD_ERR_DB;
    }
    if (rc < 0) return rc;
  }
  return 0;
}
