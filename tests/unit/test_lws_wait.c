/* test_lws_wait - a wait for sockets ends in time, also when its timer was due before it began. */
#include <criterion/criterion.h>
#include <libwebsockets.h>

#include "feeds/lws_wait.h"

#define ROUND_CNT 200

/* Regression: the timer rang before the wait, and the REST thread slept for 23 s. A microsecond is
 * over before the library has looked at its timers. */
Test(lws_wait, a_timer_that_is_due_before_the_wait_ends_it_all_the_same, .timeout = 60) {
  struct lws_context_creation_info info = {
      .port = CONTEXT_PORT_NO_LISTEN, .gid = -1, .uid = -1, .timeout_secs = 60};
  lws_set_log_level(0, NULL);
  struct lws_context *context = lws_create_context(&info);
  cr_assert_not_null(context);
  md_lws_wait_t wait = {0};
  for (int n = 0; n < ROUND_CNT; n++)
    md_lws_wait(&wait, context, 1);
  cr_assert_eq(md_lws_wait_us(1), 1000);
  cr_assert_eq(md_lws_wait_us(2000000), 2000);
  lws_context_destroy(context);
}
