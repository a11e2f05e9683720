/* test_prometheus - /metrics says what the segment holds, exactly, in a form that promtool takes.
 */
#include "monitoring/prometheus.h"
#include "tests/unit/segment_fixture.h"

static md_segment_t      segment;
static md_clock_manual_t now = {1700000000000000000, 5000000000};
static md_clock_t        clock_at;
static md_health_t       health;
static md_text_t         text;

static md_quantile_windows_t *windows; /* NULL: none are shown */

static void
set_up(void) {
  make_dir();
  md_segment_config_t cfg = fixture_config(7);
  start_engine(&cfg, &segment);
  clock_at              = md_clock_manual(&now);
  md_health_config_t hc = {.segment          = &segment,
                           .clock            = &clock_at,
                           .grace_ns         = 0,
                           .data_age_ns      = 1000000000,
                           .heartbeat_age_ns = 1000000000};
  md_health_init(&health, &hc);
}

static void
tear_down(void) {
  md_text_free(&text);
  md_segment_delete(&segment);
  remove_dir();
}

static const char *
render(void) {
  md_text_free(&text);
  md_health_observe(&health);
  md_prometheus_render(&(md_prometheus_source_t){.health = &health, .windows = windows}, &text);
  cr_assert_not(text.failed);
  return text.bytes;
}

/* A whole line of the exposition. */
static bool
has_line(const char *all, const char *line) {
  size_t len = strlen(line);
  for (const char *p = strstr(all, line); p; p = strstr(p + 1, line))
    if ((p == all || p[-1] == '\n') && p[len] == '\n') return true;
  return false;
}

static unsigned
count_lines(const char *all, const char *begin) {
  unsigned cnt = 0;
  for (const char *p = strstr(all, begin); p; p = strstr(p + 1, begin))
    cnt += p == all || p[-1] == '\n';
  return cnt;
}

Test(prometheus, a_histogram_bound_ends_a_bucket_so_that_its_count_is_exact) {
  for (uint32_t i = 0; i < MD_PROMETHEUS_BOUND_CNT; i++) {
    uint64_t bound = md_prometheus_bound_ns(i);
    cr_expect_eq(md_hist_bucket_high(md_hist_bucket_of(bound)), bound, "bound %u: %llu ns", i,
                 (unsigned long long)bound);
    cr_expect_eq(bound + 1, 100ull << i);
  }
}

Test(prometheus, cumulated_counts_equal_those_of_the_values_themselves) {
  static md_hist_t hist;
  static uint64_t  values[4096];
  md_hist_copy_t   copy;
  uint64_t         cumulated[MD_PROMETHEUS_BOUND_CNT + 1];
  uint64_t         seed = 12345;
  for (size_t i = 0; i < MD_CNT(values); i++) {
    seed      = seed * 6364136223846793005ull + 1442695040888963407ull;
    values[i] = (seed >> 20) >> (seed % 44);
    if (i < 3 * MD_PROMETHEUS_BOUND_CNT) /* around each bound */
      values[i] = md_prometheus_bound_ns((uint32_t)i / 3) + i % 3 - 1;
    md_hist_add(&hist, (int64_t)values[i]);
  }
  md_hist_read(&hist, &copy);
  md_prometheus_cumulate(&copy, cumulated);
  for (uint32_t b = 0; b < MD_PROMETHEUS_BOUND_CNT; b++) {
    uint64_t want = 0;
    for (size_t i = 0; i < MD_CNT(values); i++)
      want += values[i] <= md_prometheus_bound_ns(b);
    cr_expect_eq(cumulated[b], want, "bound %u: %llu, want %llu", b,
                 (unsigned long long)cumulated[b], (unsigned long long)want);
  }
  cr_expect_eq(cumulated[MD_PROMETHEUS_BOUND_CNT], MD_CNT(values));
}

Test(prometheus, every_row_of_the_tables_is_there_with_help_and_type, .init = set_up,
     .fini = tear_down) {
  const char *all = render();
  char        line[256];
  for (unsigned c = 0; c < MD_COUNTER_CNT; c++) {
    const md_counter_info_t *info = &md_counter_info[c];
    (void)snprintf(line, sizeof line, "# TYPE %s %s", info->name,
                   info->is_gauge ? "gauge" : "counter");
    cr_expect(has_line(all, line), "%s is missing", line);
    (void)snprintf(line, sizeof line, "# HELP %s %s", info->name, info->help);
    cr_expect(has_line(all, line), "%s is missing", line);
    (void)snprintf(line, sizeof line, "%s{", info->name);
    cr_expect_gt(count_lines(all, line), 0, "no series of %s", info->name);
  }
  for (unsigned i = 0; i < MD_STAGE_CNT; i++) {
    (void)snprintf(line, sizeof line, "# TYPE %s histogram", md_stage_name[i]);
    cr_expect(has_line(all, line), "%s is missing", line);
  }
}

Test(prometheus, a_family_stands_once_and_no_series_twice, .init = set_up, .fini = tear_down) {
  const char *all = render();
  for (const char *p = all; (p = strstr(p, "# TYPE ")); p++) {
    char   family[160] = "";
    size_t len         = strcspn(p + 7, " ");
    (void)snprintf(family, sizeof family, "# TYPE %.*s ", (int)len, p + 7);
    cr_expect_eq(count_lines(all, family), 1, "%s stands more than once", family);
  }
  for (const char *p = all; *p; p += strcspn(p, "\n") + 1) {
    char        series[256];
    const char *blank = strchr(p, '}');
    if (*p == '#' || !blank || blank > p + strcspn(p, "\n")) continue;
    (void)snprintf(series, sizeof series, "%.*s ", (int)(blank - p + 1), p);
    cr_expect_eq(count_lines(all, series), 1, "%s stands more than once", series);
  }
}

Test(prometheus, a_counter_is_told_with_its_thread_and_its_feed_or_sink, .init = set_up,
     .fini = tear_down) {
  md_count(&segment.metrics[0], MD_COUNTER_FRAMES, 17);
  md_count(&segment.metrics[2], MD_COUNTER_SINK_BYTES, 4096);
  const char *all = render();
  cr_expect(has_line(all, "mdengine_feed_frames_total{thread=\"feed:binance_spot\","
                          "feed=\"binance_spot\"} 17"));
  cr_expect(has_line(all, "mdengine_feed_frames_total{thread=\"feed:binance_us\","
                          "feed=\"binance_us\"} 0"));
  cr_expect(has_line(all, "mdengine_sink_bytes_total{thread=\"writer:journal\","
                          "sink=\"journal\"} 4096"));
  cr_expect_eq(count_lines(all, "mdengine_feed_frames_total{"), 2, "a writer has no frames");
}

Test(prometheus, a_counter_that_counts_in_an_unexpected_thread_is_not_hidden, .init = set_up,
     .fini = tear_down) {
  md_count(&segment.metrics[2], MD_COUNTER_FRAMES, 3);
  cr_expect(has_line(render(), "mdengine_feed_frames_total{thread=\"writer:journal\","
                               "sink=\"journal\"} 3"));
}

Test(prometheus, a_stage_is_a_histogram_whose_count_is_its_last_bucket, .init = set_up,
     .fini = tear_down) {
  md_stage_add(&segment.metrics[0], MD_STAGE_DECODE, 99);
  md_stage_add(&segment.metrics[0], MD_STAGE_DECODE, 100);
  md_stage_add(&segment.metrics[0], MD_STAGE_DECODE, 20000000000);
  md_stage_add(&segment.metrics[0], MD_STAGE_DECODE, -5);
  const char *all = render();
#define DECODE "mdengine_stage_receive_to_decoded_seconds"
#define SPOT   "{thread=\"feed:binance_spot\",feed=\"binance_spot\""
  cr_expect(has_line(all, DECODE "_bucket" SPOT ",le=\"0.000000099\"} 1"));
  cr_expect(has_line(all, DECODE "_bucket" SPOT ",le=\"0.000000199\"} 2"));
  cr_expect(has_line(all, DECODE "_bucket" SPOT ",le=\"13.421772799\"} 2"));
  cr_expect(has_line(all, DECODE "_bucket" SPOT ",le=\"+Inf\"} 3"));
  cr_expect(has_line(all, DECODE "_count" SPOT "} 3"));
  cr_expect(has_line(all, DECODE "_sum" SPOT "} 20.000000199"));
  cr_expect(has_line(all, "mdengine_stage_negative_total" SPOT ",stage=\"" DECODE "\"} 1"));
}

Test(prometheus, defect_8_a_ring_that_lost_records_still_adds_up, .init = set_up,
     .fini = tear_down) {
  md_ring_producer_t p;
  md_record_t        r;
  memset(&r, 0, sizeof r);
  r.len    = sizeof r;
  r.type   = MD_RECORD_STATUS;
  r.stream = 5;
  md_ring_producer_init(&p, md_segment_ring(&segment, 0));
  for (uint64_t seq = 1; seq <= 2000; seq++) {
    r.seq = seq;
    (void)md_ring_write_group(&p, &r, 1, sizeof r);
  }
  md_ring_publish(&p);
  cr_assert_gt(p.lost_cnt, 0, "the ring took them all");
  const char *all = render();
  char        line[160];
#define RING "_records_total{feed=\"binance_spot\",sink=\"journal\"} "
  cr_expect(has_line(all, "mdengine_ring_account_offered" RING "2000"));
  (void)snprintf(line, sizeof line, "mdengine_ring_account_lost" RING "%llu",
                 (unsigned long long)p.lost_cnt);
  cr_expect(has_line(all, line));
  cr_expect(has_line(all, "mdengine_ring_account_difference_records{feed=\"binance_spot\","
                          "sink=\"journal\"} 0"));
  /* The negative control: a record that vanished. */
  md_store_relaxed(&md_segment_ring(&segment, 0)->offered_cnt, 2003);
  cr_expect(has_line(render(), "mdengine_ring_account_difference_records{feed=\"binance_spot\","
                               "sink=\"journal\"} 3"));
}

Test(prometheus, positions_and_ages_are_those_of_the_rows, .init = set_up, .fini = tear_down) {
  md_store_relaxed(&segment.streams[0].published_seq, 12);
  md_store_relaxed(&segment.streams[0].durable_seq, 10);
  md_store_relaxed(&segment.threads[0].heartbeat_mono_ns, (uint64_t)now.mono_ns - 250000000);
  const char *all = render();
  cr_expect(has_line(all, "mdengine_stream_published_seq{stream=\"binance_spot\","
                          "feed=\"binance_spot\"} 12"));
  cr_expect(has_line(all, "mdengine_stream_durable_seq{stream=\"binance_spot\","
                          "feed=\"binance_spot\"} 10"));
  cr_expect(has_line(all, "mdengine_thread_heartbeat_age_seconds{thread=\"feed:binance_spot\","
                          "feed=\"binance_spot\"} 0.25"));
  cr_expect(has_line(all, "mdengine_feed_last_data_timestamp_seconds{feed=\"binance_spot\"} "
                          "1700000000"));
  cr_expect_eq(count_lines(all, "mdengine_stream_stored_seq"), 0, "there is no database");
  now.mono_ns += 2500000000;
  now.real_ns += 2500000000;
  cr_expect(has_line(render(), "mdengine_feed_last_data_timestamp_seconds{feed=\"binance_spot\"} "
                               "1700000000"));
}

Test(prometheus, books_are_counted_by_state, .init = set_up, .fini = tear_down) {
  md_book_t     *book = NULL;
  md_book_meta_t meta = {.state = MD_BOOK_SYNCING, .px_exp = -2, .qty_exp = -5};
  (void)add_instrument(&segment, 0, "BTCUSDT", true, &book);
  md_book_write_state(book, &meta);
  (void)add_instrument(&segment, 0, "ETHUSDT", true, &book);
  (void)add_instrument(&segment, 1, "BTCUSDT", false, &book);
  const char *all = render();
  cr_expect(has_line(all, "mdengine_feed_book_states{feed=\"binance_spot\",state=\"SYNCING\"} 1"));
  cr_expect(has_line(all, "mdengine_feed_book_states{feed=\"binance_spot\",state=\"EMPTY\"} 1"));
  cr_expect(has_line(all, "mdengine_feed_book_states{feed=\"binance_us\",state=\"EMPTY\"} 0"));
}

Test(prometheus, series_do_not_grow_with_symbols, .init = set_up, .fini = tear_down) {
  unsigned   before = count_lines(render(), "mdengine_");
  md_book_t *book;
  (void)add_instrument(&segment, 0, "BTCUSDT", true, &book);
  (void)add_instrument(&segment, 0, "ETHUSDT", true, &book);
  cr_expect_eq(count_lines(render(), "mdengine_"), before);
}

Test(prometheus, the_process_is_described_by_the_standard_names, .init = set_up,
     .fini = tear_down) {
  const char *all     = render();
  const char *names[] = {"process_cpu_seconds_total ",
                         "process_resident_memory_bytes ",
                         "process_virtual_memory_bytes ",
                         "process_open_fds ",
                         "process_max_fds ",
                         "process_start_time_seconds ",
                         "process_threads "};
  for (size_t i = 0; i < MD_CNT(names); i++)
    cr_expect_eq(count_lines(all, names[i]), 1, "%s", names[i]);
}

Test(prometheus, seconds_are_written_without_rounding) {
  md_text_t t = {0};
  md_text_add_seconds(&t, 0);
  md_text_add(&t, " ");
  md_text_add_seconds(&t, 1500000000);
  md_text_add(&t, " ");
  md_text_add_seconds(&t, 18446744073709551615ull);
  cr_expect_str_eq(t.bytes, "0 1.5 18446744073.709551615");
  md_text_free(&t);
}

Test(prometheus, records_are_told_by_type_and_when_the_last_came, .init = set_up,
     .fini = tear_down) {
  md_metrics_t *metrics = &segment.metrics[segment.feeds[0].thread];
  md_count_record(metrics, MD_RECORD_KLINE);
  md_count_record(metrics, MD_RECORD_KLINE);
  now.mono_ns += 1000000000;
  now.real_ns += 1000000000;
  const char *all = render();
  char        line[256];
  (void)snprintf(line, sizeof line,
                 "mdengine_feed_type_records_total{feed=\"%s\",type=\"kline\"} 2",
                 segment.feeds[0].name);
  cr_expect(has_line(all, line), "%s is missing", line);
  (void)snprintf(line, sizeof line,
                 "mdengine_feed_type_last_timestamp_seconds{feed=\"%s\",type=\"kline\"} 1700000001",
                 segment.feeds[0].name);
  cr_expect(has_line(all, line), "%s is missing", line);
  cr_expect_eq(count_lines(all, "mdengine_feed_type_records_total{"), 1, "a type that never came");
}

Test(prometheus, openmetrics_names_counters_without_total_and_ends_with_eof, .init = set_up,
     .fini = tear_down) {
  text.is_openmetrics = true;
  md_prometheus_render(&(md_prometheus_source_t){.health = &health}, &text);
  cr_expect(has_line(text.bytes, "# TYPE mdengine_feed_gaps counter"));
  cr_expect_gt(count_lines(text.bytes, "mdengine_feed_gaps_total{"), 0);
  cr_expect_eq(count_lines(text.bytes, "# TYPE mdengine_feed_gaps_total"), 0);
  cr_expect_str_eq(text.bytes + text.len - 6, "# EOF\n");
}

static void
two_seconds(void) {
  now.mono_ns += MD_QUANTILE_STEP_NS;
  md_quantile_windows_tick(windows);
}

static void
open_windows(void) {
  set_up();
  windows = md_quantile_windows_new(&segment, &clock_at);
  cr_assert(windows);
}

static void
close_windows(void) {
  md_quantile_windows_free(windows);
  windows = NULL;
  tear_down();
}

static const char *
window_line(const char *window, const char *q, const char *value) {
  static char line[256];
  (void)snprintf(line, sizeof line,
                 "mdengine_stage_window_seconds{thread=\"%s\",feed=\"%s\",stage=\"mdengine_stage_"
                 "receive_to_decoded_seconds\",window=\"%s\",q=\"%s\"} %s",
                 segment.threads[0].name, segment.feeds[0].name, window, q, value);
  return line;
}

Test(prometheus, quantiles_are_of_the_last_seconds_and_none_without_a_measurement,
     .init = open_windows, .fini = close_windows) {
  md_hist_t *decode = &segment.metrics[0].stage[MD_STAGE_DECODE];
  cr_expect_eq(count_lines(render(), "mdengine_stage_window_seconds{"), 0, "nothing was measured");
  for (unsigned i = 0; i < 99; i++)
    md_hist_add(decode, 20);
  md_hist_add(decode, 31);
  two_seconds();
  const char *all = render();
  cr_expect(has_line(all, window_line("10s", "0.5", "0.00000002")), "%s", all);
  cr_expect(has_line(all, window_line("10s", "0.99", "0.00000002")));
  cr_expect(has_line(all, window_line("10s", "0.999", "0.000000031")));
  for (unsigned i = 0; i < 4; i++)
    two_seconds();
  cr_expect(has_line(render(), window_line("10s", "0.5", "0.00000002")), "10 s are not over");
  md_hist_add(decode, 25);
  two_seconds();
  all = render();
  cr_expect(has_line(all, window_line("10s", "0.5", "0.000000025")), "the first ones are too old");
  cr_expect(has_line(all, window_line("60s", "0.5", "0.00000002")));
  for (unsigned i = 0; i < 40; i++)
    two_seconds();
  cr_expect_eq(count_lines(render(), "mdengine_stage_window_seconds{"), 0, "all are too old");
}

Test(prometheus, the_offset_of_the_exchanges_clock_has_a_sign, .init = open_windows,
     .fini = close_windows) {
  char       line[256];
  md_hist_t *stage = segment.metrics[0].stage;
  for (unsigned i = 0; i < 60; i++)
    md_hist_add(&stage[MD_STAGE_AHEAD], 16);
  for (unsigned i = 0; i < 40; i++)
    md_hist_add(&stage[MD_STAGE_EXCHANGE], 8);
  two_seconds();
  const char              *all       = render();
  static const char *const want[][2] = {{"0.5", "-0.000000016"}, {"0.99", "0.000000008"}};
  for (size_t i = 0; i < MD_CNT(want); i++) {
    (void)snprintf(line, sizeof line,
                   "mdengine_feed_exchange_offset_seconds{feed=\"%s\",window=\"10s\",q=\"%s\"} %s",
                   segment.feeds[0].name, want[i][0], want[i][1]);
    cr_expect(has_line(all, line), "%s is missing in %s", line, all);
  }
}

Test(prometheus, the_page_has_every_family_that_is_exported, .init = open_windows,
     .fini = close_windows) {
  static char page[64 << 10];
  FILE       *out = fmemopen(page, sizeof page, "w");
  cr_assert(out);
  md_prometheus_reference(out, true);
  cr_assert_eq(fclose(out), 0);
  const char *all = render();
  for (const char *p = strstr(all, "# TYPE "); p; p = strstr(p + 1, "# TYPE ")) {
    char name[128], type[16], row[160];
    cr_assert_eq(sscanf(p, "# TYPE %127s %15s", name, type), 2);
    (void)snprintf(row, sizeof row, "| `%s` | %s |", name, type);
    cr_expect(strstr(page, row), "%s is not on the page", row);
  }
}
