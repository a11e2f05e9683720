#include "writers/pg_partition.h"

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
