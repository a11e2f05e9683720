#include "writers/pg_partition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_NS INT64_C(86400000000000)
/* Outside of these days a receive time is a broken clock: the DEFAULT partition takes it. */
#define DAY_FIRST 14245 /* 2009-01-01 */
#define DAY_LAST  84006 /* 2200-01-01 */
#define DAY_BITS  20u

_Static_assert(DAY_LAST < 1 << DAY_BITS, "a day fits its bits");

void
md_pg_partitions_clear(md_pg_partitions_t *p) {
  memset(p, 0, sizeof *p);
}

static void
want(md_pg_partitions_t *p, uint32_t table, int32_t day) {
  if (day < DAY_FIRST || day > DAY_LAST) return;
  uint32_t key = (table + 1) << DAY_BITS | (uint32_t)day;
  uint32_t at  = key * UINT32_C(2654435761) % MD_PG_KNOWN_SLOTS;
  for (; p->slot[at] != 0; at = (at + 1) % MD_PG_KNOWN_SLOTS)
    if (p->slot[at] == key) return;
  if (p->wanted_cnt == MD_PG_WANTED_MAX) return; /* the DEFAULT partition takes the row */
  if (p->known_cnt == MD_PG_KNOWN_SLOTS / 2) {
    memset(p->slot, 0, sizeof p->slot); /* asked for again, which changes nothing */
    p->known_cnt = 0;
    at           = key * UINT32_C(2654435761) % MD_PG_KNOWN_SLOTS;
  }
  p->slot[at] = key;
  p->known_cnt++;
  p->wanted[p->wanted_cnt++] = key;
}

static int32_t
day_of(int64_t ns) {
  return (int32_t)(ns / DAY_NS - (ns % DAY_NS < 0));
}

void
md_pg_partitions_meet(md_pg_partitions_t *p, uint32_t table, int64_t recv_ns) {
  int32_t day = day_of(recv_ns);
  if (p->last[table] == (uint32_t)day) return;
  p->last[table] = (uint32_t)day;
  want(p, table, day);
}

void
md_pg_partitions_ahead(md_pg_partitions_t *p, const md_pg_schema_t *s, uint64_t types,
                       int64_t now_ns, uint32_t days) {
  int32_t last = day_of(now_ns) + (int32_t)days;
  if (last == p->ahead_day) return;
  p->ahead_day = last;
  for (uint32_t i = 0; i < s->table_cnt; i++) {
    const md_pg_table_t *t = &s->table[i];
    if (t->record == 0 || !t->is_partitioned || !(types >> t->record & 1)) continue;
    for (int32_t day = day_of(now_ns); day <= last; day++)
      want(p, i, day);
  }
}

bool
md_pg_partitions_sql(const md_pg_partitions_t *p, const md_pg_schema_t *s, md_sql_t *sql) {
  if (p->wanted_cnt == 0) return false;
  uint32_t key = p->wanted[p->wanted_cnt - 1];
  md_pg_schema_partition(s, (key >> DAY_BITS) - 1, (int32_t)(key & ((1u << DAY_BITS) - 1)), sql);
  return true;
}

void
md_pg_partitions_done(md_pg_partitions_t *p) {
  md_assert(p->wanted_cnt > 0);
  p->wanted_cnt--;
}

/* ---- the DEFAULT partitions ---- */

void
md_pg_watch_clear(md_pg_watch_t *w) {
  w->next_mono_ns = 0;
  w->is_asked     = false;
}

bool
md_pg_watch_sql(md_pg_watch_t *w, const md_pg_schema_t *s, int64_t mono_ns, md_sql_t *sql) {
  bool is_first = true;
  if (w->is_asked || mono_ns < w->next_mono_ns) return false;
  w->next_mono_ns = mono_ns + MD_PG_WATCH_NS;
  for (uint32_t i = 0; i < s->table_cnt; i++) {
    char name[MD_PG_NAME_BYTES];
    if (!s->table[i].is_partitioned) continue;
    (void)snprintf(name, sizeof name, "%s_default", s->table[i].name);
    md_sql_add(sql, "%s SELECT '%s', count(*) FROM (SELECT FROM ", is_first ? "" : " UNION ALL",
               s->table[i].name);
    md_pg_schema_table(s, name, sql);
    md_sql_add(sql, " LIMIT %u) q", MD_PG_WATCH_ROW_MAX);
    is_first = false;
  }
  return w->is_asked = !is_first;
}

bool
md_pg_watch_take(md_pg_watch_t *w, const md_pg_t *pg) {
  w->is_asked = false;
  w->row_cnt  = 0;
  if (md_pg_fault(pg) != MD_PG_FAULT_NONE)
    return false; /* somebody took a DEFAULT partition away */
  for (uint32_t row = 0; row < md_pg_row_cnt(pg); row++) {
    const char *cnt = md_pg_value(pg, row, 1);
    if (!cnt || cnt[0] == '0') continue;
    if (w->row_cnt == 0) (void)snprintf(w->table, sizeof w->table, "%s", md_pg_value(pg, row, 0));
    w->row_cnt += strtoull(cnt, NULL, 10);
  }
  bool is_more = w->row_cnt > w->said_cnt;
  w->said_cnt  = w->row_cnt;
  return is_more;
}
