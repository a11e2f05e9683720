/* Sums over the journal's records. A value is taken from its field as shm/record_table.h describes
 * it, not through the COPY encoder: what that would do wrong shows as a difference. */
#include "writers/pg_verify_parts.h"

#include <stdlib.h>
#include <string.h>

#define GROUPS_FIRST 256u

/* ---- groups ---- */

static uint32_t
slot_of(const md_pg_groups_t *g, uint32_t table, uint16_t stream, uint32_t epoch, int64_t hour) {
  uint64_t h = ((uint64_t)table << 48 ^ (uint64_t)stream << 32 ^ epoch) * 0x9e3779b97f4a7c15u;
  h          = (h ^ (uint64_t)hour) * 0x9e3779b97f4a7c15u;
  return (uint32_t)(h >> 32) & (g->cap - 1);
}

static md_pg_group_t *
place_of(const md_pg_groups_t *g, uint32_t table, uint16_t stream, uint32_t epoch, int64_t hour) {
  uint32_t at = slot_of(g, table, stream, epoch, hour);
  for (;; at = (at + 1) & (g->cap - 1)) {
    md_pg_group_t *p = &g->slot[at];
    if (!p->is_used) return p;
    if (p->table == table && p->stream == stream && p->epoch == epoch && p->hour == hour) return p;
  }
}

static bool
grow(md_pg_groups_t *g) {
  md_pg_groups_t more = {.cap = g->cap ? 2 * g->cap : GROUPS_FIRST};
  more.slot           = calloc(more.cap, sizeof *more.slot);
  if (!more.slot) return false;
  for (uint32_t i = 0; i < g->cap; i++) {
    const md_pg_group_t *p = &g->slot[i];
    if (p->is_used) *place_of(&more, p->table, p->stream, p->epoch, p->hour) = *p;
  }
  more.cnt = g->cnt;
  free(g->slot);
  *g = more;
  return true;
}

md_pg_group_t *
md_pg_groups_at(md_pg_groups_t *g, uint32_t table, uint16_t stream, uint32_t epoch, int64_t hour,
                bool make) {
  if (g->cap == 0 || g->cnt > g->cap / 2) {
    if (!make && g->cap == 0) return NULL;
    if (make && !grow(g)) return NULL;
  }
  md_pg_group_t *p = place_of(g, table, stream, epoch, hour);
  if (p->is_used) return p;
  if (!make) return NULL;
  *p = (md_pg_group_t){
      .table = table, .stream = stream, .epoch = epoch, .hour = hour, .is_used = true};
  g->cnt++;
  return p;
}

void
md_pg_groups_delete(md_pg_groups_t *g) {
  free(g->slot);
  *g = (md_pg_groups_t){0};
}

/* ---- sums ---- */

static bool
scale(md_i128 *v, int digits) {
  for (int i = 0; i < digits; i++)
    if (__builtin_mul_overflow(*v, 10, v)) return false;
  return true;
}

/* The sum keeps the smallest exponent that it met. */
static void
add(md_pg_sum_t *s, md_i128 value, int exp) {
  bool is_first = s->cnt++ == 0;
  if (s->is_wide) return;
  if (is_first) s->exp = exp;
  bool is_whole = exp < s->exp ? scale(&s->sum, s->exp - exp) : scale(&value, exp - s->exp);
  if (exp < s->exp) s->exp = exp;
  if (!is_whole || __builtin_add_overflow(s->sum, value, &s->sum)) s->is_wide = true;
}

static void
add_field(md_pg_sum_t *s, const md_record_t *rec, const md_field_t *f) {
  const uint8_t *at = (const uint8_t *)md_record_body_const(rec) + f->off;
  uint64_t       u  = 0;
  int64_t        i;
  md_dec128_t    d;
  md_i128        mantissa;
  int            exp;
  if (f->bytes <= sizeof u) memcpy(&u, at, f->bytes);
  memcpy(&i, &u, sizeof i);
  switch (f->kind) {
  case MD_FIELD_PX:
    if (i != MD_NULL_I64) add(s, i, rec->px_exp);
    break;
  case MD_FIELD_QTY:
    if (i != MD_NULL_I64) add(s, i, rec->qty_exp);
    break;
  case MD_FIELD_TS:
    if (i != MD_NULL_I64) add(s, i, 0);
    break;
  case MD_FIELD_U64:
    if (u != MD_NULL_U64) add(s, u, 0);
    break;
  case MD_FIELD_D128:
    memcpy(&d, at, sizeof d);
    if (md_dec128_split(d, &mantissa, &exp)) add(s, mantissa, exp);
    break;
  case MD_FIELD_SIDE:
    if (u == MD_SIDE_BUY || u == MD_SIDE_SELL) add(s, u == MD_SIDE_BUY ? 'B' : 'S', 0);
    break;
  case MD_FIELD_SYM:
  case MD_FIELD_ASSET:
    if (at[0] != 0) add(s, (md_i128)strnlen((const char *)at, f->bytes), 0);
    break;
  case MD_FIELD_LAG:
    if (u != 0) add(s, u - 1, 0);
    break;
  case MD_FIELD_U32:
  case MD_FIELD_U16:
  case MD_FIELD_U8:
  case MD_FIELD_BOOL:
    add(s, u, 0);
    break;
  case MD_FIELD_PAD:
    break;
  }
}

static void
add_header(md_pg_sum_t *column, const md_record_t *rec) {
  const int64_t ns = rec->ts_recv_ns;
  add(&column[0], ns / 1000 - (ns % 1000 < 0), 0);
  add(&column[4], rec->seq, 0);
  if (rec->instrument != 0) add(&column[5], rec->instrument, 0);
  if (rec->exch_seq != 0) add(&column[6], rec->exch_seq, 0);
  if (rec->ts_exch_ns != MD_NULL_I64) add(&column[7], rec->ts_exch_ns, 0);
  add(&column[8], ns, 0);
  add(&column[9], rec->ts_pub_ns, 0);
  add(&column[10], rec->flags, 0);
}

void
md_pg_group_add(md_pg_group_t *g, const md_pg_table_t *t, const md_record_t *rec) {
  const md_record_info_t *info   = md_record_info(rec->type);
  uint32_t                column = MD_COPY_FIXED_CNT, bid_cnt, ask_cnt;
  if (g->row_cnt++ == 0) g->seq_first = rec->seq;
  g->seq_last = rec->seq;
  add_header(g->column, rec);
  for (uint32_t i = 0; i < info->field_cnt; i++)
    if (info->fields[i].kind != MD_FIELD_PAD)
      add_field(&g->column[column++], rec, &info->fields[i]);
  const md_level_t *level = md_copy_levels(rec, info, &bid_cnt, &ask_cnt);
  for (uint32_t i = 0; level && i < bid_cnt + ask_cnt; i++) {
    uint32_t at = column + (i < bid_cnt ? 0 : 2);
    add(&g->column[at], level[i].px, rec->px_exp);
    add(&g->column[at + 1], level[i].qty, rec->qty_exp);
  }
  md_assert(column + (level ? MD_COPY_SIDES_CNT : 0) == t->column_cnt);
}

void
md_pg_groups_sql(const md_copy_column_t *c, md_sql_t *sql) {
  char     text[2 * MD_PG_NAME_BYTES];
  md_sql_t name = {.text = text, .bytes = sizeof text};
  md_sql_name(&name, c->name);
  switch (c->type) {
  case MD_COPY_TIMESTAMPTZ:
    md_sql_add(sql, ", count(%s), trim_scale(sum(extract(epoch FROM %s) * 1000000))", text, text);
    return;
  case MD_COPY_BOOL:
    md_sql_add(sql, ", count(%s), sum(%s::int)", text, text);
    return;
  case MD_COPY_CHAR:
    md_sql_add(sql, ", count(%s), sum(ascii(%s::text))", text, text);
    return;
  case MD_COPY_TEXT:
    md_sql_add(sql, ", count(%s), sum(octet_length(%s))", text, text);
    return;
  case MD_COPY_NUMERIC_ARRAY:
    md_sql_add(sql, ", sum(cardinality(%s)), trim_scale(sum((SELECT sum(e) FROM unnest(%s) e)))",
               text, text);
    return;
  case MD_COPY_INT2:
  case MD_COPY_INT4:
  case MD_COPY_INT8:
    md_sql_add(sql, ", count(%s), sum(%s)", text, text);
    return;
  case MD_COPY_NUMERIC:
    md_sql_add(sql, ", count(%s), trim_scale(sum(%s))", text, text);
    return;
  case MD_COPY_UUID:
  case MD_COPY_BYTEA:
  case MD_COPY_TYPE_CNT:
    break;
  }
  md_assert(false); /* no record table has such a column */
}
