#include "shm/status.h"

#include <string.h>

/* A row of this thread with the same error and text, or NULL. Only the thread itself adds rows with
 * its index, so what is found here cannot be in the making. */
static md_errlog_row_t *
find_row(md_errlog_t *log, md_err_t err, uint32_t thread, const char *text) {
  for (uint32_t i = 0; i < MD_ERRLOG_ROWS; i++) {
    md_errlog_row_t *row = &log->row[i];
    if (!md_load_acquire(&row->ready)) continue; /* A1: row is filled; pairs with R1 */
    if (row->err != err || row->thread != thread) continue;
    if (strncmp(row->text, text, sizeof row->text - 1) == 0) return row;
  }
  return NULL;
}

static void
fill_row(md_errlog_row_t *row, md_err_t err, uint32_t thread, int64_t real_ns, const char *text) {
  size_t len = strnlen(text, sizeof row->text - 1);
  memcpy(row->text, text, len);
  row->text[len] = 0;
  row->err       = err;
  row->thread    = thread;
  /* Relaxed: R1 orders them for the first reader, later values stand by themselves. */
  md_store_relaxed(&row->cnt, 1u);
  md_store_relaxed(&row->first_ns, (uint64_t)real_ns);
  md_store_relaxed(&row->last_ns, (uint64_t)real_ns);
  md_store_release(&row->ready, 1u); /* R1: publishes the filled row; pairs with A1 */
}

void
md_errlog_add(md_errlog_t *log, md_err_t err, uint32_t thread, int64_t real_ns, const char *text) {
  md_assert(err < 0);
  md_errlog_row_t *row = find_row(log, err, thread, text);
  if (row) {
    (void)md_fetch_add_relaxed(&row->cnt, 1u);
    md_store_relaxed(&row->last_ns, (uint64_t)real_ns);
    return;
  }
  /* Looked at first, so that a flood of new errors does not count up for ever. */
  uint64_t taken = md_load_relaxed(&log->row_cnt);
  if (taken < MD_ERRLOG_ROWS) taken = md_fetch_add_relaxed(&log->row_cnt, 1u);
  if (taken >= MD_ERRLOG_ROWS) {
    (void)md_fetch_add_relaxed(&log->overflow_cnt, 1u);
    return;
  }
  fill_row(&log->row[taken], err, thread, real_ns, text);
}
