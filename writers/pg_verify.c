#include "writers/journal_file.h"
#include "writers/journal_write.h"
#include "writers/pg_verify_parts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REJECTS_MAX 1000000u
#define KEY_COLUMNS 6u /* stream, epoch, hour, count, first seq, last seq */

/* What the database says of one (stream, epoch). */
typedef struct progress {
  uint16_t stream;
  uint32_t epoch;
  uint64_t next, lost, last, seen; /* last, seen: of the journal */
} progress_t;

typedef struct reject {
  uint16_t stream;
  uint32_t epoch;
  uint64_t seq;
} reject_t;

typedef struct work {
  md_pg_verify_t       *v;
  md_pg_call_t         *call;
  const md_pg_schema_t *schema;
  int32_t               journal;
  md_pg_groups_t        groups;
  progress_t           *progress;
  uint32_t              progress_cnt;
  reject_t             *reject;
  uint32_t              reject_cnt;
  int64_t               before_ns[MD_PG_TABLE_MAX]; /* retention: rows before it are gone */
  md_journal_marks_t    gone; /* up to where retention took each stream from the journal */
} work_t;

static void
MD_PRINTF(2, 3) differ(work_t *w, const char *format, ...) {
  char    text[512];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  w->v->difference_cnt++;
  if (w->v->differs) w->v->differs(w->v->ctx, text);
}

static uint64_t
number(const work_t *w, uint32_t row, uint32_t column) {
  const char *text = md_pg_value(w->call->pg, row, column);
  return text ? strtoull(text, NULL, 10) : 0;
}

static bool
is_compared(const work_t *w, uint32_t table) {
  uint32_t type = w->schema->table[table].record;
  if (type == 0) return false;
  return type == MD_RECORD_DEFINITION || (w->v->record_types >> type & 1);
}

/* ---- what retention took from the journal ---- */

/* The header of the first segment that is left says how far its predecessors went. */
static md_err_t
learn_gone(work_t *w, const uint8_t *uuid, md_msg_t *msg) {
  uint64_t          first = 0;
  md_journal_head_t head;
  md_err_t          err = md_journal_next_id(NULL, w->v->journal_dir, 0, &first);
  if (!err && first) err = md_journal_head_read(NULL, w->v->journal_dir, first, uuid, &head);
  if (err == MD_ERR_CORRUPT) return MD_OK; /* nobody knows: what is missing will differ */
  if (err) return md_fail(msg, err, "cannot read the first segment of %s", w->v->journal_dir);
  if (first) md_journal_marks_from_head(&w->gone, &head);
  w->v->gone_cnt = w->gone.cnt;
  return MD_OK;
}

static const md_journal_mark_t *
gone_of(const work_t *w, uint16_t stream) {
  for (uint32_t i = 0; i < w->gone.cnt; i++)
    if (w->gone.row[i].stream == stream) return &w->gone.row[i];
  return NULL;
}

static bool
is_gone(const work_t *w, const md_record_t *rec) {
  const md_journal_mark_t *m = gone_of(w, rec->stream);
  return m && (rec->epoch < m->epoch || (rec->epoch == m->epoch && rec->seq <= m->seq));
}

/* Appends the condition under which a row or a loss of the database is still in the journal. */
static void
add_not_gone(const work_t *w, const char *table, const char *seq, md_sql_t *sql) {
  if (w->gone.cnt == 0) return;
  md_sql_add(sql, " AND NOT EXISTS (SELECT FROM (VALUES ");
  for (uint32_t i = 0; i < w->gone.cnt; i++)
    md_sql_add(sql, "%s(%u, %u::bigint, %" PRIu64 "::bigint)", i ? ", " : "", w->gone.row[i].stream,
               w->gone.row[i].epoch, w->gone.row[i].seq);
  md_sql_add(sql,
             ") gone(s, e, q) WHERE s = %sstream AND (%sepoch::bigint, %s%s::bigint) <= (e, q))",
             table, table, table, seq);
}

/* ---- what the database says of itself, in one snapshot ---- */

static md_err_t
ask_journal(work_t *w, const uint8_t uuid[16], md_msg_t *msg) {
  md_sql_t *sql = &w->call->sql;
  md_sql_add(sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT id FROM ");
  md_pg_schema_table(w->schema, "journals", sql);
  md_sql_add(sql, " WHERE uuid = '");
  for (unsigned i = 0; i < 16; i++)
    md_sql_add(sql, "%02x", uuid[i]);
  md_sql_add(sql, "'");
  md_err_t err = md_pg_call(w->call, msg);
  if (err != MD_OK) return err;
  if (md_pg_row_cnt(w->call->pg) == 0)
    return md_fail(msg, MD_ERR_ABSENT,
                   "schema %s has nothing of the journal %s: is it the right database?",
                   w->schema->name, w->v->journal_dir);
  w->journal = (int32_t)number(w, 0, 0);
  return MD_OK;
}

static md_err_t
ask_progress(work_t *w, md_msg_t *msg) {
  md_sql_t *sql = &w->call->sql;
  md_sql_add(sql, "SELECT p.stream, p.epoch, p.next, (SELECT coalesce(sum(l.seq_last - l.seq_first "
                  "+ 1), 0) FROM ");
  md_pg_schema_table(w->schema, "losses", sql);
  md_sql_add(sql, " l WHERE (l.journal, l.stream, l.epoch) = (p.journal, p.stream, p.epoch)");
  add_not_gone(w, "l.", "seq_last", sql);
  md_sql_add(sql, ") FROM ");
  md_pg_schema_table(w->schema, "progress", sql);
  md_sql_add(sql, " p WHERE p.journal = %d ORDER BY p.stream, p.epoch", w->journal);
  md_err_t err    = md_pg_call(w->call, msg);
  w->progress_cnt = err == MD_OK ? md_pg_row_cnt(w->call->pg) : 0;
  w->progress     = calloc(w->progress_cnt + 1, sizeof *w->progress);
  if (err != MD_OK) return err;
  if (!w->progress) return md_fail(msg, MD_ERR_NOMEM, "no memory for the progress of streams");
  for (uint32_t i = 0; i < w->progress_cnt; i++)
    w->progress[i] = (progress_t){.stream = (uint16_t)number(w, i, 0),
                                  .epoch  = (uint32_t)number(w, i, 1),
                                  .next   = number(w, i, 2),
                                  .lost   = number(w, i, 3)};
  return MD_OK;
}

static int
compare_rejects(const void *one, const void *two) {
  const reject_t *a = one, *b = two;
  if (a->stream != b->stream) return a->stream < b->stream ? -1 : 1;
  if (a->epoch != b->epoch) return a->epoch < b->epoch ? -1 : 1;
  return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static md_err_t
ask_rejects(work_t *w, md_msg_t *msg) {
  md_sql_add(&w->call->sql, "SELECT stream, epoch, seq FROM ");
  md_pg_schema_table(w->schema, "rejects", &w->call->sql);
  md_sql_add(&w->call->sql, " WHERE journal = %d LIMIT %u", w->journal, REJECTS_MAX);
  md_err_t err  = md_pg_call(w->call, msg);
  w->reject_cnt = err == MD_OK ? md_pg_row_cnt(w->call->pg) : 0;
  w->reject     = calloc(w->reject_cnt + 1, sizeof *w->reject);
  if (err != MD_OK) return err;
  if (!w->reject) return md_fail(msg, MD_ERR_NOMEM, "no memory for the list of rejects");
  for (uint32_t i = 0; i < w->reject_cnt; i++)
    w->reject[i] =
        (reject_t){(uint16_t)number(w, i, 0), (uint32_t)number(w, i, 1), number(w, i, 2)};
  qsort(w->reject, w->reject_cnt, sizeof *w->reject, compare_rejects);
  return MD_OK;
}

static md_err_t
ask_dropped(work_t *w, md_msg_t *msg) {
  for (uint32_t i = 0; i < MD_PG_TABLE_MAX; i++)
    w->before_ns[i] = INT64_MIN;
  md_sql_add(&w->call->sql,
             "SELECT table_name, (extract(epoch FROM before))::bigint * 1000000000 FROM ");
  md_pg_schema_table(w->schema, "dropped", &w->call->sql);
  md_err_t err = md_pg_call(w->call, msg);
  for (uint32_t row = 0; err == MD_OK && row < md_pg_row_cnt(w->call->pg); row++)
    for (uint32_t i = 0; i < w->schema->table_cnt; i++)
      if (!strcmp(w->schema->table[i].name, md_pg_value(w->call->pg, row, 0)))
        w->before_ns[i] = strtoll(md_pg_value(w->call->pg, row, 1), NULL, 10);
  return err;
}

/* ---- the journal ---- */

static progress_t *
progress_of(work_t *w, const md_record_t *rec) {
  for (uint32_t i = 0; i < w->progress_cnt; i++)
    if (w->progress[i].stream == rec->stream && w->progress[i].epoch == rec->epoch)
      return &w->progress[i];
  return NULL;
}

static bool
is_rejected(const work_t *w, const md_record_t *rec) {
  const reject_t key = {rec->stream, rec->epoch, rec->seq};
  return w->reject_cnt > 0 &&
         bsearch(&key, w->reject, w->reject_cnt, sizeof key, compare_rejects) != NULL;
}

static md_err_t
take(work_t *w, const md_record_t *rec, md_msg_t *msg) {
  if (rec->type == MD_RECORD_RAW || rec->type == MD_RECORD_CHECKPOINT ||
      rec->type == MD_RECORD_LOSS)
    return MD_OK;
  progress_t *p = is_gone(w, rec) ? NULL : progress_of(w, rec);
  if (!p || rec->seq >= p->next || rec->seq <= p->last) return MD_OK;
  p->last = rec->seq;
  p->seen++;
  w->v->record_cnt++;
  uint32_t table = w->schema->of_type[rec->type];
  if (table == UINT8_MAX || !is_compared(w, table) || is_rejected(w, rec)) return MD_OK;
  if (rec->ts_recv_ns < w->before_ns[table]) return MD_OK;
  md_pg_group_t *g = md_pg_groups_at(&w->groups, table, rec->stream, rec->epoch,
                                     rec->ts_recv_ns / MD_PG_HOUR_NS, true);
  if (!g) return md_fail(msg, MD_ERR_NOMEM, "no memory for so many hours");
  md_pg_group_add(g, &w->schema->table[table], rec);
  return MD_OK;
}

static md_err_t
read_journal(work_t *w, md_journal_reader_t *reader, md_msg_t *msg) {
  const md_record_t *rec;
  md_journal_pos_t   pos;
  md_err_t           err = MD_OK;
  while (err == MD_OK && (err = md_journal_reader_next(reader, &rec, &pos, msg)) == MD_OK)
    err = take(w, rec, msg);
  if (err != MD_ERR_END) return err;
  for (uint32_t i = 0; i < w->progress_cnt; i++) {
    const progress_t        *p    = &w->progress[i];
    const md_journal_mark_t *m    = gone_of(w, p->stream);
    uint64_t                 gone = m && p->epoch == m->epoch ? m->seq : 0;
    if (m && (p->epoch < m->epoch || (p->epoch == m->epoch && p->next <= m->seq + 1))) continue;
    if (gone + p->seen + p->lost + 1 == p->next) continue;
    differ(w,
           "stream %u epoch %u: progress says %" PRIu64 " seqs, the journal holds %" PRIu64
           " of them, %" PRIu64 " are declared lost",
           p->stream, p->epoch, p->next - 1 - gone, p->seen, p->lost);
  }
  return MD_OK;
}

/* ---- the tables ---- */

static void
compare_number(work_t *w, const md_pg_group_t *g, const char *what, const char *want,
               const char *got) {
  const md_pg_table_t *t = &w->schema->table[g->table];
  w->v->value_cnt++;
  if (!strcmp(want, got)) return;
  differ(w,
         "%s.%s stream %u epoch %u hour %" PRId64 ": %s is %s in the journal, %s in the database",
         w->schema->name, t->name, g->stream, g->epoch, g->hour, what, want, got);
}

static void
compare_u64(work_t *w, const md_pg_group_t *g, const char *what, uint64_t want, const char *got) {
  char text[24];
  (void)snprintf(text, sizeof text, "%" PRIu64, want);
  compare_number(w, g, what, text, got ? got : "0");
}

static void
compare_row(work_t *w, md_pg_group_t *g, uint32_t row) {
  const md_pg_table_t *t  = &w->schema->table[g->table];
  const md_pg_t       *pg = w->call->pg;
  g->is_seen              = true;
  compare_u64(w, g, "the number of rows", g->row_cnt, md_pg_value(pg, row, 3));
  compare_u64(w, g, "the first seq", g->seq_first, md_pg_value(pg, row, 4));
  compare_u64(w, g, "the last seq", g->seq_last, md_pg_value(pg, row, 5));
  for (uint32_t i = 0, at = KEY_COLUMNS; i < t->column_cnt; i++) {
    const md_pg_sum_t *s = &g->column[i];
    char               what[96], want[256];
    if (i >= 1 && i <= 3) continue; /* the key of the group */
    const char *cnt = md_pg_value(pg, row, at), *sum = md_pg_value(pg, row, at + 1);
    at += 2;
    (void)snprintf(what, sizeof what, "the number of %s", t->column[i].name);
    compare_u64(w, g, what, s->cnt, cnt);
    if (s->is_wide) continue;
    (void)md_decimal_format(s->sum, s->exp, want, sizeof want);
    (void)snprintf(what, sizeof what, "the sum of %s", t->column[i].name);
    compare_number(w, g, what, want, sum ? sum : "0");
  }
}

static void
add_question(work_t *w, uint32_t table, md_sql_t *sql) {
  const md_pg_table_t *t = &w->schema->table[table];
  md_sql_add(sql, "SELECT stream, epoch, ts_recv_ns / %" PRId64 ", count(*), min(seq), max(seq)",
             MD_PG_HOUR_NS);
  for (uint32_t i = 0; i < t->column_cnt; i++)
    if (i < 1 || i > 3) md_pg_groups_sql(&t->column[i], sql);
  md_sql_add(sql, " FROM ");
  md_pg_schema_table(w->schema, t->name, sql);
  md_sql_add(sql, " WHERE journal = %d", w->journal);
  if (w->before_ns[table] != INT64_MIN)
    md_sql_add(sql, " AND ts_recv_ns >= %" PRId64, w->before_ns[table]);
  add_not_gone(w, "", "seq", sql);
  md_sql_add(sql, " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3");
}

static md_err_t
compare_table(work_t *w, uint32_t table, md_msg_t *msg) {
  add_question(w, table, &w->call->sql);
  md_err_t err = md_pg_call(w->call, msg);
  for (uint32_t row = 0; err == MD_OK && row < md_pg_row_cnt(w->call->pg); row++) {
    int64_t        hour   = strtoll(md_pg_value(w->call->pg, row, 2), NULL, 10);
    uint16_t       stream = (uint16_t)number(w, row, 0);
    uint32_t       epoch  = (uint32_t)number(w, row, 1);
    md_pg_group_t *g      = md_pg_groups_at(&w->groups, table, stream, epoch, hour, false);
    w->v->row_cnt += number(w, row, 3);
    if (g)
      compare_row(w, g, row);
    else
      differ(w,
             "%s.%s stream %u epoch %u hour %" PRId64 ": %" PRIu64
             " rows of which the journal has none",
             w->schema->name, w->schema->table[table].name, stream, epoch, hour, number(w, row, 3));
  }
  return err;
}

static void
report_missing(work_t *w) {
  for (uint32_t i = 0; i < w->groups.cap; i++) {
    const md_pg_group_t *g = &w->groups.slot[i];
    if (!g->is_used || g->is_seen) continue;
    differ(w, "%s.%s stream %u epoch %u hour %" PRId64 ": no row of %" PRIu64 " in the journal",
           w->schema->name, w->schema->table[g->table].name, g->stream, g->epoch, g->hour,
           g->row_cnt);
  }
}

md_err_t
md_pg_verify_run(md_pg_verify_t *v, md_pg_call_t *c, const md_pg_schema_t *s, md_msg_t *msg) {
  work_t               w      = {.v = v, .call = c, .schema = s};
  md_journal_reader_t *reader = NULL;
  md_err_t             err    = md_journal_reader_open(v->journal_dir, &reader, msg);
  if (err != MD_OK) return err;
  const uint8_t *uuid = md_manifest_uuid(md_journal_reader_manifest(reader));
  err                 = learn_gone(&w, uuid, msg);
  if (err == MD_OK) err = ask_journal(&w, uuid, msg);
  if (err == MD_OK) err = ask_progress(&w, msg);
  if (err == MD_OK) err = ask_rejects(&w, msg);
  if (err == MD_OK) err = ask_dropped(&w, msg);
  if (err == MD_OK) err = read_journal(&w, reader, msg);
  for (uint32_t i = 0; err == MD_OK && i < s->table_cnt; i++)
    if (is_compared(&w, i)) err = compare_table(&w, i, msg);
  if (err == MD_OK) report_missing(&w);
  v->group_cnt = w.groups.cnt;
  md_journal_reader_close(reader);
  md_pg_groups_delete(&w.groups);
  free(w.progress);
  free(w.reject);
  return err;
}
