#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "shm/status.h"

static md_errlog_t log_;

TestSuite(errlog);

Test(errlog, equal_errors_share_a_row_and_are_counted) {
  memset(&log_, 0, sizeof log_);
  md_errlog_add(&log_, MD_ERR_IO, 3, 100, "disk went away");
  md_errlog_add(&log_, MD_ERR_IO, 3, 200, "disk went away");
  md_errlog_add(&log_, MD_ERR_IO, 4, 300, "disk went away");
  md_errlog_add(&log_, MD_ERR_DB, 3, 400, "disk went away");
  md_errlog_add(&log_, MD_ERR_IO, 3, 500, "disk came back");
  cr_assert_eq(md_load_relaxed(&log_.row_cnt), 4);
  const md_errlog_row_t *row = &log_.row[0];
  cr_assert_eq(md_load_relaxed(&row->ready), 1);
  cr_assert_eq(md_load_relaxed(&row->cnt), 2);
  cr_assert_eq(md_load_relaxed(&row->first_ns), 100);
  cr_assert_eq(md_load_relaxed(&row->last_ns), 200);
  cr_assert_eq(row->err, MD_ERR_IO);
  cr_assert_eq(row->thread, 3);
  cr_assert_str_eq(row->text, "disk went away");
}

Test(errlog, long_text_is_cut_and_still_found_again) {
  char text[600];
  memset(&log_, 0, sizeof log_);
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = 0;
  md_errlog_add(&log_, MD_ERR_IO, 0, 1, text);
  md_errlog_add(&log_, MD_ERR_IO, 0, 2, text);
  cr_assert_eq(md_load_relaxed(&log_.row_cnt), 1);
  cr_assert_eq(md_load_relaxed(&log_.row[0].cnt), 2);
  cr_assert_eq(strlen(log_.row[0].text), sizeof log_.row[0].text - 1);
}

Test(errlog, a_full_log_only_counts) {
  memset(&log_, 0, sizeof log_);
  for (unsigned i = 0; i < MD_ERRLOG_ROWS + 5; i++) {
    char text[32];
    (void)snprintf(text, sizeof text, "error %u", i);
    md_errlog_add(&log_, MD_ERR_IO, 0, i, text);
  }
  cr_assert_eq(md_load_relaxed(&log_.row_cnt), MD_ERRLOG_ROWS);
  cr_assert_eq(md_load_relaxed(&log_.overflow_cnt), 5);
  md_errlog_add(&log_, MD_ERR_IO, 0, 99, "error 3");
  cr_assert_eq(md_load_relaxed(&log_.row[3].cnt), 2, "known errors are still counted");
}

static void *
add_many(void *arg) {
  uint32_t thread = *(const uint32_t *)arg;
  for (unsigned i = 0; i < 2000; i++)
    md_errlog_add(&log_, MD_ERR_FULL, thread, i, i % 2 ? "odd" : "even");
  return NULL;
}

Test(errlog, threads_never_share_a_row) {
  enum { THREADS = 4 };
  pthread_t threads[THREADS];
  uint32_t  ids[THREADS];
  memset(&log_, 0, sizeof log_);
  for (uint32_t i = 0; i < THREADS; i++) {
    ids[i] = i;
    cr_assert_eq(pthread_create(&threads[i], NULL, add_many, &ids[i]), 0);
  }
  for (uint32_t i = 0; i < THREADS; i++)
    cr_assert_eq(pthread_join(threads[i], NULL), 0);
  cr_assert_eq(md_load_relaxed(&log_.row_cnt), 2 * THREADS);
  for (uint32_t i = 0; i < 2 * THREADS; i++)
    cr_assert_eq(md_load_relaxed(&log_.row[i].cnt), 1000);
}
