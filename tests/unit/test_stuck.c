/* test_stuck - the rule by which the main thread finds a stuck thread, on a clock that the test
 * moves. */
#include "engine/stuck.h"
#include "tests/unit/segment_fixture.h"

#define SECOND 1000000000ll
#define LIMIT  (30 * SECOND)

static md_segment_t segment;
static md_stuck_t   watch;
static int64_t      now;

static void
set_up(void) {
  make_dir();
  md_segment_config_t cfg = fixture_config(7);
  start_engine(&cfg, &segment);
  now = 1000 * SECOND;
  md_stuck_init(&watch, now);
}

static void
tear_down(void) {
  md_segment_delete(&segment);
  remove_dir();
}

/* Looks every 50 ms for so long, while all but one thread beat; returns the first that is found. */
static uint32_t
look_for(int64_t ns, uint32_t silent) {
  uint32_t found = MD_STUCK_NONE;
  for (int64_t end = now + ns; now < end && found == MD_STUCK_NONE;) {
    now += SECOND / 20;
    for (uint32_t t = 0; t < segment.thread_cnt; t++)
      if (t != silent) md_store_relaxed(&segment.threads[t].heartbeat_mono_ns, (uint64_t)now);
    found = md_stuck_look(&watch, &segment, now, LIMIT);
  }
  return found;
}

Test(stuck, a_thread_without_a_heartbeat_is_found_behind_the_limit, .init = set_up,
     .fini = tear_down) {
  cr_assert_eq(look_for(100 * SECOND, UINT32_MAX), MD_STUCK_NONE);
  int64_t begin = now;
  cr_assert_eq(look_for(100 * SECOND, 1), 1);
  cr_expect(now - begin > LIMIT && now - begin < LIMIT + SECOND, "after %lld ms",
            (long long)((now - begin) / 1000000));
}

Test(stuck, one_beat_in_time_is_enough, .init = set_up, .fini = tear_down) {
  for (int n = 0; n < 10; n++) {
    cr_assert_eq(look_for(29 * SECOND, 1), MD_STUCK_NONE);
    cr_assert_eq(look_for(SECOND / 20, UINT32_MAX), MD_STUCK_NONE);
  }
}

Test(stuck, a_thread_that_never_ran_is_found_too, .init = set_up, .fini = tear_down) {
  md_store_relaxed(&segment.threads[2].heartbeat_mono_ns, 0);
  cr_assert_eq(look_for(29 * SECOND, 2), MD_STUCK_NONE);
  cr_assert_eq(look_for(2 * SECOND, 2), 2);
}

Test(stuck, a_thread_that_has_ended_or_failed_is_not_counted, .init = set_up, .fini = tear_down) {
  md_store_relaxed(&segment.threads[0].state, MD_THREAD_HALT);
  cr_assert_eq(look_for(100 * SECOND, 0), MD_STUCK_NONE);
  md_store_relaxed(&segment.threads[0].state, MD_THREAD_FAIL);
  cr_assert_eq(look_for(100 * SECOND, 0), MD_STUCK_NONE);
}

/* A stop signal, a machine that sleeps: nobody beat, and nobody is stuck. */
Test(stuck, an_engine_that_was_stopped_as_a_whole_finds_nobody, .init = set_up, .fini = tear_down) {
  cr_assert_eq(look_for(10 * SECOND, UINT32_MAX), MD_STUCK_NONE);
  now += 3600 * SECOND;
  cr_assert_eq(md_stuck_look(&watch, &segment, now, LIMIT), MD_STUCK_NONE);
  cr_assert_eq(look_for(100 * SECOND, UINT32_MAX), MD_STUCK_NONE);
}
