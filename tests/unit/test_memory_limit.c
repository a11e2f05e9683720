/* test_memory_limit - when a feed's memory is told, when it connects anew, when the process ends.
 */
#include "feeds/memory_limit.h"

#include <criterion/criterion.h>

#define S 1000000000ll

static md_memory_limit_t limit;

/* Looks ten times a second for so long with so many bytes; the last act that was not nothing, and
 * how many there were. */
static md_memory_act_t
look(int64_t *now, int64_t ns, uint64_t bytes, unsigned *cnt) {
  md_memory_act_t last = MD_MEMORY_NOTHING;
  *cnt                 = 0;
  for (int64_t end = *now + ns; *now < end; *now += S / 10) {
    md_memory_act_t act = md_memory_limit_look(&limit, *now, bytes);
    if (act == MD_MEMORY_NOTHING) continue;
    last = act;
    ++*cnt;
  }
  return last;
}

Test(memory_limit, the_soft_limit_is_told_once_until_the_memory_fell_by_a_tenth) {
  int64_t  now = 0;
  unsigned cnt;
  limit = (md_memory_limit_t){.soft_bytes = 1000, .hard_bytes = 2000};
  cr_assert_eq(look(&now, 10 * S, 1000, &cnt), MD_MEMORY_NOTHING);
  cr_assert_eq(look(&now, 60 * S, 1001, &cnt), MD_MEMORY_WARN);
  cr_assert_eq(cnt, 1);
  cr_assert_eq(look(&now, 10 * S, 950, &cnt), MD_MEMORY_NOTHING);
  cr_assert_eq(look(&now, 10 * S, 1500, &cnt), MD_MEMORY_NOTHING, "told already");
  cr_assert_eq(look(&now, 10 * S, 900, &cnt), MD_MEMORY_CALM);
  cr_assert_eq(look(&now, 10 * S, 1500, &cnt), MD_MEMORY_WARN);
}

Test(memory_limit, five_seconds_over_the_hard_limit_reconnect_and_five_more_end_the_process) {
  int64_t  now = 0;
  unsigned cnt;
  limit = (md_memory_limit_t){.hard_bytes = 2000};
  cr_assert_eq(look(&now, 49 * S / 10, 3000, &cnt), MD_MEMORY_NOTHING);
  cr_assert_eq(look(&now, S / 10, 2000, &cnt), MD_MEMORY_NOTHING, "a pause begins it anew");
  cr_assert_eq(look(&now, 5 * S, 3000, &cnt), MD_MEMORY_NOTHING);
  cr_assert_eq(look(&now, S / 10, 3000, &cnt), MD_MEMORY_RECONNECT);
  cr_assert_eq(look(&now, 49 * S / 10, 3000, &cnt), MD_MEMORY_NOTHING);
  cr_assert_eq(look(&now, S / 10, 3000, &cnt), MD_MEMORY_RESTART);
}

Test(memory_limit, a_reconnect_that_helped_for_an_hour_is_forgotten) {
  int64_t  now = 0;
  unsigned cnt;
  limit = (md_memory_limit_t){.hard_bytes = 2000};
  cr_assert_eq(look(&now, 6 * S, 3000, &cnt), MD_MEMORY_RECONNECT);
  cr_assert_eq(look(&now, 3500 * S, 1000, &cnt), MD_MEMORY_NOTHING);
  cr_assert_eq(look(&now, 6 * S, 3000, &cnt), MD_MEMORY_RESTART, "within the hour");
  limit = (md_memory_limit_t){.hard_bytes = 2000};
  cr_assert_eq(look(&now, 6 * S, 3000, &cnt), MD_MEMORY_RECONNECT);
  cr_assert_eq(look(&now, 3600 * S, 1000, &cnt), MD_MEMORY_NOTHING);
  cr_assert_eq(look(&now, 6 * S, 3000, &cnt), MD_MEMORY_RECONNECT);
}

Test(memory_limit, no_limit_is_never_reached) {
  int64_t  now = 0;
  unsigned cnt;
  limit = (md_memory_limit_t){0};
  cr_assert_eq(look(&now, 20 * S, UINT64_MAX, &cnt), MD_MEMORY_NOTHING);
  cr_assert_eq(md_memory_limit_state(&limit, UINT64_MAX), 0);
  limit = (md_memory_limit_t){.soft_bytes = 10, .hard_bytes = 20};
  cr_assert_eq(md_memory_limit_state(&limit, 10), 0);
  cr_assert_eq(md_memory_limit_state(&limit, 11), 1);
  cr_assert_eq(md_memory_limit_state(&limit, 21), 2);
}
