#include "writers/pg_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of bbo and trades take about 170 bytes; wide tables close a batch earlier. */
#define ROW_BYTES_USUAL 192u

md_err_t
md_pg_batch_new(md_pg_batch_t *b, uint32_t row_cnt) {
  memset(b, 0, sizeof *b);
  uint64_t bytes = (uint64_t)row_cnt * ROW_BYTES_USUAL;
  b->chunk_cnt = MD_PG_TABLE_MAX + (uint32_t)(bytes / (MD_PG_CHUNK_BYTES - MD_COPY_ROW_BYTES_MAX));
  b->memory    = calloc(b->chunk_cnt, sizeof *b->memory);
  if (!b->memory) return MD_ERR_NOMEM;
  md_err_t err = md_sql_new(&b->extra, MD_PG_EXTRA_BYTES);
  if (err != MD_OK) {
    free(b->memory);
    b->memory = NULL;
    return err;
  }
  md_pg_batch_clear(b);
  return MD_OK;
}

void
md_pg_batch_delete(md_pg_batch_t *b) {
  free(b->memory);
  md_sql_delete(&b->extra);
  memset(b, 0, sizeof *b);
}

void
md_pg_batch_clear(md_pg_batch_t *b) {
  b->free = NULL;
  for (uint32_t i = b->chunk_cnt; i > 0; i--) {
    b->memory[i - 1].next = b->free;
    b->free               = &b->memory[i - 1];
  }
  memset(b->table, 0, sizeof b->table);
  md_sql_clear(&b->extra);
  b->move_cnt = b->row_cnt = b->record_cnt = b->sample_cnt = 0;
  b->byte_cnt                                              = 0;
  b->last_pub_ns                                           = 0;
  b->definition_first_ns                                   = INT64_MAX;
  b->definition_last_ns                                    = INT64_MIN;
}

/* The move of a progress row, a new one when it has none yet; NULL when there is no room. */
static md_pg_move_t *
move_of(md_pg_batch_t *b, uint32_t row, uint64_t next) {
  for (uint32_t i = 0; i < b->move_cnt; i++)
    if (b->move[i].row == row) return &b->move[i];
  if (b->move_cnt == MD_PG_MOVE_MAX) return NULL;
  md_pg_move_t *m = &b->move[b->move_cnt++];
  *m              = (md_pg_move_t){.row = row, .from = next, .to = next};
  return m;
}

static void
move_on(md_pg_batch_t *b, const md_pg_context_t *ctx, md_pg_move_t *move, uint64_t to,
        int64_t mono_ns) {
  md_pg_progress_row_t *p = &ctx->progress->row[move->row];
  md_assert(move->to == p->next);
  md_assert(to > p->next);
  if (b->record_cnt++ == 0) b->opened_mono_ns = mono_ns;
  p->next  = to;
  move->to = to;
}

/* A chunk with room for a row of so many bytes behind what the table has. */
static md_pg_chunk_t *
chunk_for(md_pg_batch_t *b, uint32_t table, uint32_t row_bytes) {
  md_assert(MD_COPY_HEADER_BYTES + row_bytes + MD_COPY_TRAILER_BYTES <= MD_PG_CHUNK_BYTES);
  md_pg_chunk_t *last = b->table[table].last;
  if (last && last->len + row_bytes + MD_COPY_TRAILER_BYTES <= MD_PG_CHUNK_BYTES) return last;
  md_pg_chunk_t *c = b->free;
  if (!c) return NULL;
  b->free = c->next;
  c->next = NULL;
  c->len  = 0;
  if (last) {
    last->next = c;
  } else {
    b->table[table].first = c;
    md_copy_header(c->data);
    c->len = MD_COPY_HEADER_BYTES;
  }
  return b->table[table].last = c;
}

static void
note_row(md_pg_batch_t *b, const md_pg_context_t *ctx, uint32_t table, const md_record_t *rec,
         uint32_t len) {
  b->row_cnt++;
  b->byte_cnt += len;
  b->last_row = (md_pg_place_t){rec->stream, rec->epoch, rec->seq};
  if (ctx->schema->table[table].is_partitioned)
    md_pg_partitions_meet(ctx->partitions, table, rec->ts_recv_ns);
  if (rec->type != MD_RECORD_DEFINITION) return;
  if (rec->ts_recv_ns < b->definition_first_ns) b->definition_first_ns = rec->ts_recv_ns;
  if (rec->ts_recv_ns > b->definition_last_ns) b->definition_last_ns = rec->ts_recv_ns;
}

/* Definitions are always kept: table instruments and every view live on them. */
static bool
is_stored(const md_pg_context_t *ctx, unsigned type) {
  if (type >= MD_RECORD_TYPE_END || ctx->schema->of_type[type] == UINT8_MAX) return false;
  return type == MD_RECORD_DEFINITION || (ctx->record_types >> type & 1);
}

static bool
is_refused(const md_pg_context_t *ctx, const md_record_t *rec) {
  const md_pg_refusal_t *r = &ctx->refusal;
  return MD_UNLIKELY(r->is_set) && r->place.stream == rec->stream && r->place.epoch == rec->epoch &&
         r->place.seq == rec->seq;
}

md_err_t
md_pg_batch_add(md_pg_batch_t *b, const md_pg_context_t *ctx, uint32_t row, const md_record_t *rec,
                int64_t mono_ns) {
  md_assert(rec->seq == ctx->progress->row[row].next);
  md_pg_move_t *move = move_of(b, row, rec->seq);
  if (!move) return MD_ERR_FULL;
  if (is_refused(ctx, rec)) return md_pg_batch_reject(b, ctx, row, rec, ctx->refusal.why, mono_ns);
  if (is_stored(ctx, rec->type)) {
    uint32_t                table = ctx->schema->of_type[rec->type];
    const md_record_info_t *info  = md_record_info(rec->type);
    md_pg_chunk_t          *c     = chunk_for(b, table, md_copy_row_bound(rec, info));
    uint32_t                len   = 0;
    const char             *column;
    if (!c || b->row_cnt >= ctx->row_limit) return MD_ERR_FULL;
    md_err_t err = md_copy_row(rec, info, ctx->journal, c->data + c->len, &len, &column);
    if (err != MD_OK) {
      char why[128];
      snprintf(why, sizeof why, "column %s: %s", column, md_err_text(err));
      return md_pg_batch_reject(b, ctx, row, rec, why, mono_ns);
    }
    c->len += len;
    note_row(b, ctx, table, rec, len);
  }
  move_on(b, ctx, move, rec->seq + 1, mono_ns);
  b->last_pub_ns = rec->ts_pub_ns;
  return MD_OK;
}

static void
add_place(md_pg_batch_t *b, const md_pg_context_t *ctx, const char *table, uint32_t row) {
  const md_pg_progress_row_t *p = &ctx->progress->row[row];
  md_sql_add(&b->extra, "INSERT INTO ");
  md_pg_schema_table(ctx->schema, table, &b->extra);
  md_sql_add(&b->extra, " VALUES (%d, %u, %u, ", ctx->journal, p->stream, p->epoch);
}

/* Takes back a statement that did not fit. */
static md_err_t
check_extra(md_pg_batch_t *b, size_t len) {
  if (!b->extra.is_full) return MD_OK;
  b->extra.is_full   = false;
  b->extra.len       = len;
  b->extra.text[len] = 0;
  return MD_ERR_FULL;
}

md_err_t
md_pg_batch_reject(md_pg_batch_t *b, const md_pg_context_t *ctx, uint32_t row,
                   const md_record_t *rec, const char *why, int64_t mono_ns) {
  size_t        len  = b->extra.len;
  md_pg_move_t *move = move_of(b, row, rec->seq);
  if (!move) return MD_ERR_FULL;
  add_place(b, ctx, "rejects", row);
  md_sql_add(&b->extra, "%llu, ", (unsigned long long)rec->seq);
  md_sql_text(&b->extra, why);
  md_sql_add(&b->extra, ", ");
  md_sql_bytes(&b->extra, rec, rec->len);
  md_sql_add(&b->extra, ");\n");
  md_err_t err = check_extra(b, len);
  if (err == MD_OK) move_on(b, ctx, move, rec->seq + 1, mono_ns);
  return err;
}

md_err_t
md_pg_batch_loss(md_pg_batch_t *b, const md_pg_context_t *ctx, uint32_t row, uint64_t seq_first,
                 uint64_t seq_last, unsigned reason, int64_t mono_ns) {
  size_t        len  = b->extra.len;
  md_pg_move_t *move = move_of(b, row, seq_first);
  if (!move) return MD_ERR_FULL;
  add_place(b, ctx, "losses", row);
  md_sql_add(&b->extra, "%llu, %llu, %u);\n", (unsigned long long)seq_first,
             (unsigned long long)seq_last, reason);
  md_err_t err = check_extra(b, len);
  if (err == MD_OK) move_on(b, ctx, move, seq_last + 1, mono_ns);
  return err;
}
