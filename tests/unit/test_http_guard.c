/* test_http_guard - the limit of requests a minute, names of status codes. */
#include "monitoring/http_guard.h"

#include <criterion/criterion.h>

#define NS_PER_S 1000000000ll

static md_http_limiter_t limiter;

static int
take(uint32_t address, int64_t at_s) {
  uint32_t wait_s;
  return md_http_limiter_take(&limiter, address, at_s * NS_PER_S + 1, &wait_s);
}

Test(http_guard, a_client_may_ask_so_often_within_a_minute_and_then_waits_for_its_end) {
  uint32_t wait_s = 0;
  limiter         = (md_http_limiter_t){.per_min = 3};
  for (int left = 2; left >= 0; left--)
    cr_assert_eq(take(7, 100), left);
  cr_assert_eq(md_http_limiter_take(&limiter, 7, 130 * NS_PER_S + 1, &wait_s), -1);
  cr_assert_eq(wait_s, 30);
  cr_assert_eq(take(7, 159), -1);
  cr_assert_eq(take(7, 160), 2);
}

Test(http_guard, clients_do_not_use_up_each_others_requests) {
  limiter = (md_http_limiter_t){.per_min = 1};
  cr_assert_eq(take(1, 1), 0);
  cr_assert_eq(take(1, 1), -1);
  cr_assert_eq(take(2, 1), 0);
}

Test(http_guard, a_new_client_takes_the_place_of_the_one_silent_longest) {
  limiter = (md_http_limiter_t){.per_min = 1};
  for (uint32_t client = 0; client < MD_HTTP_CLIENT_CNT; client++)
    cr_assert_eq(take(client, 1 + client / 64), 0);
  cr_assert_eq(take(1000, 10), 0);
  cr_assert_eq(take(1000, 10), -1);
  cr_assert_eq(take(255, 10), -1, "one that asked later was forgotten");
}

Test(http_guard, without_a_limit_nobody_waits) {
  limiter = (md_http_limiter_t){.per_min = 0};
  for (int i = 0; i < 1000; i++)
    cr_assert_geq(take(1, 1), 0);
}

Test(http_guard, every_status_has_a_name) {
  cr_assert_str_eq(md_http_code_name(md_http_code_index(429)), "429");
  cr_assert_str_eq(md_http_code_name(md_http_code_index(418)), "other");
}
