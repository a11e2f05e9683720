/* test_log - lines of the log: whole and none lost while the file is rotated under many threads,
 * and limited in a file as on stderr. */
#include "engine/log.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITERS 4
#define LINES   2000

static char              dir[64], path[128];
static md_log_t          logger;
static md_clock_manual_t now = {.real_ns = 1700000000000000000, .mono_ns = 1};
static md_clock_t        hands;

static void
set_up(void) {
  md_msg_t msg = {0};
  (void)snprintf(dir, sizeof dir, "/tmp/md-log-XXXXXX");
  cr_assert(mkdtemp(dir));
  (void)snprintf(path, sizeof path, "%s/engine.log", dir);
  hands = md_clock_manual(&now);
  md_log_init(&logger, STDERR_FILENO, false, MD_LOG_INFO, &hands);
  cr_assert_eq(md_log_open(&logger, path, &msg), MD_OK, "%s", msg.text);
}

static void
tear_down(void) {
  char command[128];
  (void)snprintf(command, sizeof command, "rm -rf %s", dir);
  (void)!system(command);
}

/* Lines of a file that are whole; everything else fails. */
static unsigned
count_lines(const char *file) {
  char     line[4096];
  unsigned cnt = 0;
  FILE    *in  = fopen(file, "r");
  cr_assert(in, "%s", file);
  while (fgets(line, sizeof line, in)) {
    cr_assert_eq(strncmp(line, "ts=", 3), 0, "torn: %s", line);
    cr_assert_eq(line[strlen(line) - 1], '\n', "torn: %s", line);
    cr_assert(strstr(line + 3, "ts=") == NULL, "two in one: %s", line);
    cnt++;
  }
  (void)fclose(in);
  return cnt;
}

static void *
write_lines(void *arg) {
  for (int n = 0; n < LINES; n++)
    md_log(&logger, MD_LOG_ERROR, "writer", "line %d of %s", n, (const char *)arg);
  return NULL;
}

Test(log, a_rotation_loses_no_line_and_tears_none, .init = set_up, .fini = tear_down) {
  static char names[WRITERS][2] = {"a", "b", "c", "d"};
  pthread_t   thread[WRITERS];
  char        rotated[160];
  md_msg_t    msg = {0};
  unsigned    cnt = 0;
  for (int n = 0; n < WRITERS; n++)
    cr_assert_eq(pthread_create(&thread[n], NULL, write_lines, names[n]), 0);
  for (int n = 0; n < 50; n++) {
    (void)snprintf(rotated, sizeof rotated, "%s.%d", path, n);
    cr_assert_eq(rename(path, rotated), 0);
    cr_assert_eq(md_log_open(&logger, path, &msg), MD_OK, "%s", msg.text);
    (void)usleep(500);
  }
  for (int n = 0; n < WRITERS; n++)
    (void)pthread_join(thread[n], NULL);
  for (int n = 0; n < 50; n++) {
    (void)snprintf(rotated, sizeof rotated, "%s.%d", path, n);
    cnt += count_lines(rotated);
  }
  cr_assert_eq(cnt + count_lines(path), WRITERS * LINES);
}

Test(log, a_file_is_limited_as_stderr_is, .init = set_up, .fini = tear_down) {
  char  line[4096];
  bool  told = false;
  FILE *in;
  for (int n = 0; n < 200; n++)
    md_log(&logger, MD_LOG_INFO, "engine", "again");
  cr_assert_eq(count_lines(path), MD_LOG_LINES_PER_S);
  md_log(&logger, MD_LOG_ERROR, "engine", "errors are never left out");
  now.real_ns += 1000000000;
  md_log(&logger, MD_LOG_INFO, "engine", "the next second");
  cr_assert_eq(count_lines(path), MD_LOG_LINES_PER_S + 2);
  in = fopen(path, "r");
  while (fgets(line, sizeof line, in))
    told |= strstr(line, "left_out=150") != NULL;
  (void)fclose(in);
  cr_assert(told, "what was left out is told");
}

Test(log, a_file_that_cannot_be_opened_leaves_the_old_one, .init = set_up, .fini = tear_down) {
  md_msg_t msg = {0};
  cr_assert_neq(md_log_open(&logger, "/nonexistent/engine.log", &msg), MD_OK);
  cr_assert(strstr(msg.text, "/nonexistent/engine.log"), "%s", msg.text);
  md_log(&logger, MD_LOG_INFO, "engine", "still here");
  cr_assert_eq(count_lines(path), 1);
}

Test(log, a_feed_has_its_lines_in_a_file_of_its_own_too, .init = set_up, .fini = tear_down) {
  char     own[100], rotated[160];
  md_msg_t msg = {0};
  (void)snprintf(own, sizeof own, "%s/spot.log", dir);
  (void)snprintf(rotated, sizeof rotated, "%s.1", own);
  cr_assert_eq(md_log_feed_open(&logger, "binance_spot", own, &msg), MD_OK, "%s", msg.text);
  md_log(&logger, MD_LOG_INFO, "binance_spot", "of the feed");
  md_log(&logger, MD_LOG_INFO, "okx_spot", "of another");
  md_log(&logger, MD_LOG_INFO, "engine", "of the engine");
  cr_assert_eq(count_lines(path), 3, "the main log has all");
  cr_assert_eq(count_lines(own), 1);
  cr_assert_eq(rename(own, rotated), 0);
  cr_assert_eq(md_log_feeds_reopen(&logger, &msg), MD_OK, "%s", msg.text);
  md_log(&logger, MD_LOG_INFO, "binance_spot", "after the rotation");
  cr_assert_eq(count_lines(own), 1);
  cr_assert_eq(count_lines(rotated), 1);
  cr_assert_neq(md_log_feed_open(&logger, "x", "/nonexistent/x.log", &msg), MD_OK);
  cr_assert(strstr(msg.text, "/nonexistent/x.log"), "%s", msg.text);
}

Test(log, form_and_level_change_at_once, .init = set_up, .fini = tear_down) {
  char  line[4096];
  FILE *in;
  md_log(&logger, MD_LOG_DEBUG, "engine", "too fine");
  md_log_form(&logger, true, MD_LOG_DEBUG);
  md_log(&logger, MD_LOG_DEBUG, "engine", "a \"word\"");
  in = fopen(path, "r");
  cr_assert(fgets(line, sizeof line, in));
  cr_assert_eq(strncmp(line, "{\"ts\":\"2023-11-14T22:13:20", 26), 0, "%s", line);
  cr_assert(strstr(line, "\"level\":\"debug\",\"at\":\"engine\",\"msg\":\"a \\\"word\\\"\"}"), "%s",
            line);
  cr_assert_not(fgets(line, sizeof line, in));
  (void)fclose(in);
}
