/* test_health - what /live, /ready and /health say of a segment, on a clock that the test moves. */
#include "monitoring/health.h"
#include "tests/unit/segment_fixture.h"

#define SECOND 1000000000ll
#define GRACE  (20 * SECOND)

static md_segment_t      segment;
static md_clock_manual_t now = {1700000000000000000, 1000 * SECOND};
static md_clock_t        clock_at;
static md_health_t       health;

static void
set_up(void) {
  make_dir();
  md_segment_config_t cfg = fixture_config(7);
  start_engine(&cfg, &segment);
  clock_at              = md_clock_manual(&now);
  md_health_config_t hc = {.segment          = &segment,
                           .clock            = &clock_at,
                           .grace_ns         = GRACE,
                           .data_age_ns      = 60 * SECOND,
                           .heartbeat_age_ns = 30 * SECOND};
  md_health_init(&health, &hc);
}

static void
tear_down(void) {
  md_segment_delete(&segment);
  remove_dir();
}

static void
beat(void) {
  for (uint32_t t = 0; t < segment.thread_cnt; t++) {
    md_store_relaxed(&segment.threads[t].heartbeat_mono_ns, (uint64_t)now.mono_ns);
    md_store_relaxed(&segment.threads[t].state, MD_THREAD_RUN);
  }
}

/* One record of the feed, durable at once. */
static void
publish(uint32_t feed) {
  md_stream_row_t *row = &segment.streams[segment.feeds[feed].stream_row];
  md_bump(&row->published_seq, 1);
  md_store_relaxed(&row->durable_seq, md_load_relaxed(&row->published_seq));
}

static void
pass_time(int64_t ns) {
  now.mono_ns += ns;
  now.real_ns += ns;
}

/* Everything as it should be, behind the grace. */
static void
run_well(void) {
  md_segment_ready(&segment);
  pass_time(GRACE + SECOND);
  beat();
  publish(0);
  publish(1);
  md_health_observe(&health);
}

static bool
passes(md_health_rule_t rule) {
  md_health_result_t result;
  md_health_check(&health, rule, &result);
  cr_expect_eq(result.ok, result.detail[0] == 0, "a failure says what is wrong");
  return result.ok;
}

/* Only this rule fails. */
static void
expect_only(md_health_rule_t rule) {
  for (unsigned i = 0; i < MD_HEALTH_RULE_CNT; i++)
    cr_expect_eq(passes((md_health_rule_t)i), i != (unsigned)rule, "rule %s", md_health_info[i].id);
}

Test(health, an_engine_that_runs_well_is_healthy_live_and_ready, .init = set_up,
     .fini = tear_down) {
  run_well();
  for (unsigned i = 0; i < MD_HEALTH_RULE_CNT; i++)
    cr_expect(passes((md_health_rule_t)i), "rule %s", md_health_info[i].id);
  cr_expect_eq(md_health_status(&health), MD_HEALTHY);
  cr_expect(md_health_live(&health));
  cr_expect(md_health_ready(&health));
}

Test(health, within_the_grace_a_start_without_data_is_healthy_but_not_ready, .init = set_up,
     .fini = tear_down) {
  pass_time(GRACE - SECOND);
  md_health_observe(&health);
  cr_expect_eq(md_health_status(&health), MD_HEALTHY);
  cr_expect(md_health_live(&health));
  cr_expect_not(md_health_ready(&health));
}

Test(health, behind_the_grace_a_start_without_data_is_unhealthy, .init = set_up,
     .fini = tear_down) {
  md_segment_ready(&segment);
  pass_time(GRACE);
  beat();
  md_health_observe(&health);
  cr_expect_not(passes(MD_HEALTH_any_feed_fresh));
  cr_expect_eq(md_health_status(&health), MD_UNHEALTHY);
  cr_expect(md_health_live(&health), "no data is no reason to restart");
}

Test(health, one_of_two_feeds_without_data_degrades_only, .init = set_up, .fini = tear_down) {
  run_well();
  pass_time(61 * SECOND);
  beat();
  publish(0);
  md_health_observe(&health);
  expect_only(MD_HEALTH_feeds_fresh);
  cr_expect_eq(md_health_status(&health), MD_DEGRADED);
  cr_expect(md_health_ready(&health));
}

Test(health, no_feed_with_data_is_unhealthy_and_not_ready, .init = set_up, .fini = tear_down) {
  run_well();
  pass_time(61 * SECOND);
  beat();
  md_health_observe(&health);
  cr_expect_eq(md_health_status(&health), MD_UNHEALTHY);
  cr_expect_not(md_health_ready(&health));
  publish(1);
  md_health_observe(&health);
  cr_expect_eq(md_health_status(&health), MD_DEGRADED);
  cr_expect(md_health_ready(&health), "it comes back by itself");
}

Test(health, a_recording_that_has_ended_is_no_fault_and_is_noted, .init = set_up,
     .fini = tear_down) {
  md_health_result_t result;
  run_well();
  pass_time(3600 * SECOND);
  beat();
  publish(0);
  md_store_relaxed(&segment.feeds[1].input_state, MD_INPUT_ENDED);
  md_health_observe(&health);
  cr_expect_eq(md_health_status(&health), MD_HEALTHY);
  md_health_check(&health, MD_HEALTH_feeds_fresh, &result);
  cr_expect(result.ok && strstr(result.detail, "has ended"), "%s", result.detail);
  pass_time(3600 * SECOND);
  beat();
  md_health_observe(&health);
  cr_expect_eq(md_health_status(&health), MD_UNHEALTHY, "the other feed collects nothing");
  md_store_relaxed(&segment.feeds[0].input_state, MD_INPUT_ENDED);
  cr_expect_eq(md_health_status(&health), MD_HEALTHY, "both have ended");
  cr_expect(md_health_ready(&health), "the books are held");
  md_store_relaxed(&segment.feeds[0].input_state, MD_INPUT_FAILED);
  cr_expect_eq(md_health_status(&health), MD_UNHEALTHY, "one that failed is none that ended");
}

Test(health, a_stuck_thread_is_not_live, .init = set_up, .fini = tear_down) {
  run_well();
  pass_time(31 * SECOND);
  beat();
  md_store_relaxed(&segment.threads[2].heartbeat_mono_ns, (uint64_t)(now.mono_ns - 31 * SECOND));
  publish(0);
  publish(1);
  md_health_observe(&health);
  expect_only(MD_HEALTH_threads_alive);
  cr_expect_not(md_health_live(&health));
  cr_expect_eq(md_health_status(&health), MD_UNHEALTHY);
  md_store_relaxed(&segment.threads[2].heartbeat_mono_ns, (uint64_t)(now.mono_ns - 30 * SECOND));
  cr_expect(md_health_live(&health), "at the limit it still lives");
}

Test(health, a_thread_that_failed_is_not_live_and_one_that_ended_is, .init = set_up,
     .fini = tear_down) {
  run_well();
  md_store_relaxed(&segment.threads[2].state, MD_THREAD_HALT);
  md_store_relaxed(&segment.threads[2].heartbeat_mono_ns, 1);
  cr_expect(md_health_live(&health));
  md_store_relaxed(&segment.threads[2].state, MD_THREAD_FAIL);
  cr_expect_not(md_health_live(&health));
}

Test(health, a_thread_that_never_ran_is_not_live_behind_the_grace, .init = set_up,
     .fini = tear_down) {
  run_well();
  md_store_relaxed(&segment.threads[1].heartbeat_mono_ns, 0);
  cr_expect_not(md_health_live(&health));
}

Test(health, a_clock_that_steps_makes_no_feed_stale, .init = set_up, .fini = tear_down) {
  run_well();
  now.real_ns -= 3600 * SECOND;
  md_health_observe(&health);
  cr_expect_eq(md_health_status(&health), MD_HEALTHY);
  now.real_ns += 7200 * SECOND;
  md_health_observe(&health);
  cr_expect_eq(md_health_status(&health), MD_HEALTHY);
}

Test(health, defect_7_a_book_that_is_not_valid_degrades, .init = set_up, .fini = tear_down) {
  run_well();
  md_gauge(&segment.metrics[0], MD_COUNTER_BOOKS_KNOWN, 5);
  md_gauge(&segment.metrics[0], MD_COUNTER_BOOKS_VALID, 4);
  expect_only(MD_HEALTH_books_valid);
  cr_expect_eq(md_health_status(&health), MD_DEGRADED);
}

Test(health, a_gap_degrades_for_a_minute, .init = set_up, .fini = tear_down) {
  run_well();
  md_count(&segment.metrics[0], MD_COUNTER_GAPS, 1);
  md_health_observe(&health);
  expect_only(MD_HEALTH_gaps);
  pass_time(59 * SECOND);
  beat();
  md_health_observe(&health);
  cr_expect_not(passes(MD_HEALTH_gaps));
  pass_time(SECOND);
  md_health_observe(&health);
  cr_expect(passes(MD_HEALTH_gaps));
}

Test(health, a_loss_and_a_failed_write_degrade, .init = set_up, .fini = tear_down) {
  run_well();
  md_ring_t *ring = md_segment_ring(&segment, 0);
  md_store_relaxed(&ring->lost_cnt, 4);
  md_store_relaxed(&ring->offered_cnt, 4);
  md_health_observe(&health);
  expect_only(MD_HEALTH_ring_loss);
  pass_time(60 * SECOND);
  beat();
  publish(0);
  publish(1);
  md_count(&segment.metrics[2], MD_COUNTER_SINK_ERRORS, 1);
  md_health_observe(&health);
  expect_only(MD_HEALTH_sink_errors);
}

Test(health, an_account_that_does_not_add_up_degrades, .init = set_up, .fini = tear_down) {
  run_well();
  md_ring_t *ring = md_segment_ring(&segment, 1);
  md_store_relaxed(&ring->offered_cnt, 1);
  expect_only(MD_HEALTH_conservation);
  md_store_relaxed(&ring->offered_cnt, 0);
  md_store_relaxed(&ring->consumed_cnt, 1);
  expect_only(MD_HEALTH_conservation);
}

Test(health, a_journal_that_makes_nothing_durable_degrades_and_an_idle_one_does_not, .init = set_up,
     .fini = tear_down) {
  run_well();
  pass_time(20 * SECOND);
  beat();
  md_health_observe(&health);
  cr_expect(passes(MD_HEALTH_journal_durable), "nothing waits");
  md_bump(&segment.streams[0].published_seq, 5);
  pass_time(10 * SECOND);
  beat();
  md_health_observe(&health);
  cr_expect(passes(MD_HEALTH_journal_durable));
  pass_time(SECOND);
  beat();
  md_health_observe(&health);
  expect_only(MD_HEALTH_journal_durable);
  md_bump(&segment.streams[0].durable_seq, 1);
  md_health_observe(&health);
  cr_expect(passes(MD_HEALTH_journal_durable), "it goes on");
}

Test(health, a_full_disk_degrades, .init = set_up, .fini = tear_down) {
  run_well();
  for (uint64_t state = 1; state <= 2; state++) {
    md_gauge(&segment.metrics[2], MD_COUNTER_JOURNAL_STATE, state);
    expect_only(MD_HEALTH_journal_space);
    cr_expect_eq(md_health_status(&health), MD_DEGRADED);
  }
  md_gauge(&segment.metrics[2], MD_COUNTER_JOURNAL_STATE, 0);
  cr_expect(passes(MD_HEALTH_journal_space));
}

Test(health, a_database_that_is_behind_degrades, .init = set_up, .fini = tear_down) {
  run_well();
  md_gauge(&segment.metrics[2], MD_COUNTER_SINK_CATCHUP, 1);
  expect_only(MD_HEALTH_database_live);
}

Test(health, a_segment_that_is_not_ready_behind_the_grace_is_unhealthy, .init = set_up,
     .fini = tear_down) {
  pass_time(GRACE + SECOND);
  beat();
  publish(0);
  publish(1);
  md_health_observe(&health);
  expect_only(MD_HEALTH_segment_ready);
  cr_expect_eq(md_health_status(&health), MD_UNHEALTHY);
  cr_expect_not(md_health_ready(&health));
}

Test(health, defect_7_the_body_names_status_feeds_sinks_and_every_rule, .init = set_up,
     .fini = tear_down) {
  md_text_t body = {0};
  run_well();
  md_health_json(&health, &body);
  cr_assert_not(body.failed);
  const char *parts[] = {"{\"status\":\"healthy\",\"timestamp\":\"2023-11-14T22:13:41.000Z\",",
                         "\"uptime_seconds\":21,",
                         "{\"name\":\"binance_spot\",\"state\":\"",
                         "\"last_data_age_seconds\":0,",
                         "\"sinks\":[{\"name\":\"journal\",\"state\":\"running\",",
                         "{\"stream\":\"binance_spot\",\"published\":1,\"durable\":1,\"lag\":0}"};
  for (size_t i = 0; i < MD_CNT(parts); i++)
    cr_expect(strstr(body.bytes, parts[i]), "%s is missing in %s", parts[i], body.bytes);
  for (unsigned i = 0; i < MD_HEALTH_RULE_CNT; i++)
    cr_expect(strstr(body.bytes, md_health_info[i].id), "rule %s", md_health_info[i].id);
  md_text_free(&body);
  publish(0);
  pass_time(3 * SECOND);
  beat();
  md_health_observe(&health);
  body = (md_text_t){0};
  md_health_json(&health, &body);
  cr_expect(strstr(body.bytes, "\"uptime_seconds\":24,"), "as time passes: %s", body.bytes);
  cr_expect(strstr(body.bytes, "\"published\":2,\"durable\":2,"), "as records come: %s",
            body.bytes);
  md_text_free(&body);
}
