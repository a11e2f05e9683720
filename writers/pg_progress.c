#include "writers/pg_progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
md_pg_progress_clear(md_pg_progress_t *p) {
  p->cnt  = 0;
  p->last = 0;
}

void
md_pg_progress_delete(md_pg_progress_t *p) {
  free(p->row);
  *p = (md_pg_progress_t){0};
}

uint32_t
md_pg_progress_find(md_pg_progress_t *p, uint16_t stream, uint32_t epoch) {
  if (p->last < p->cnt && p->row[p->last].stream == stream && p->row[p->last].epoch == epoch)
    return p->last;
  for (uint32_t i = p->cnt; i > 0; i--)
    if (p->row[i - 1].stream == stream && p->row[i - 1].epoch == epoch) return p->last = i - 1;
  return UINT32_MAX;
}

static bool
is_raw_name(const char *name) {
  size_t len = strlen(name);
  return len > 4 && !strcmp(name + len - 4, ".raw");
}

uint32_t
md_pg_progress_add(md_pg_progress_t *p, uint16_t stream, uint32_t epoch, const char *name) {
  if (p->cnt == p->capacity) {
    uint32_t              capacity = p->capacity ? 2 * p->capacity : 64;
    md_pg_progress_row_t *row      = realloc(p->row, capacity * sizeof *row);
    if (!row) return UINT32_MAX;
    p->row      = row;
    p->capacity = capacity;
  }
  md_pg_progress_row_t *row = &p->row[p->cnt];
  *row                      = (md_pg_progress_row_t){.stream     = stream,
                                                     .epoch      = epoch,
                                                     .next       = 1,
                                                     .stored     = 1,
                                                     .is_new     = true,
                                                     .is_skipped = is_raw_name(name)};
  snprintf(row->name, sizeof row->name, "%s", name);
  return p->last = p->cnt++;
}
