/* test_sim_fault - what the simulated exchange does wrong on purpose, by a clock that the test
 * moves. */
#include "feeds/sim/sim_control.h"
#include "feeds/sim/sim_fault.h"
#include "feeds/sim/sim_market.h"
#include "feeds/sim/sim_rest.h"
#include "feeds/sim/sim_truth.h"
#include "feeds/sim/sim_venue.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#define S  1000000000ll
#define MS 1000000ll

static md_clock_manual_t hands;
static md_clock_t        hand_clock;
static md_sim_t          sim;
static char              path[64], truth[65536];
static uint32_t          cut_cnt;

static void
setup(void) {
  md_msg_t msg = {0};
  hands        = (md_clock_manual_t){.real_ns = 1700000000 * S, .mono_ns = S};
  hand_clock   = md_clock_manual(&hands);
  md_sim_init(&sim, md_sim_venue_find("binance_spot"), &hand_clock, 7);
  (void)snprintf(path, sizeof path, "/tmp/test_sim_fault.XXXXXX");
  int fd = mkstemp(path);
  cr_assert_geq(fd, 0);
  (void)close(fd);
  cr_assert_eq(md_sim_truth_open(path, 0, &sim.truth, &msg), MD_OK, "%s", msg.text);
  const md_sim_market_cfg_t cfg = {.symbol_cnt = 3, .rate = 300};
  sim.market                    = md_sim_market_open(&sim, &cfg);
  cut_cnt                       = 0;
}

static void
teardown(void) {
  cr_assert_eq(md_sim_truth_close(sim.truth), MD_OK);
  md_sim_market_close(sim.market);
  md_sim_free(&sim);
  (void)unlink(path);
}

TestSuite(sim_fault, .init = setup, .fini = teardown);

static void
add(const char *text) {
  md_msg_t msg = {0};
  cr_assert_eq(md_sim_fault_add(&sim, text, &msg), MD_OK, "%s", msg.text);
}

/* A client that connects anew whenever it was cut off, and takes what is sent. */
static void
play(int64_t ns) {
  for (int64_t end = hands.mono_ns + ns; hands.mono_ns < end; hands.mono_ns += 10 * MS) {
    int64_t due;
    md_sim_turn(&sim);
    if (sim.hub.conns && sim.hub.conns->close_code) {
      cut_cnt++;
      md_sim_conn_close(&sim.hub, sim.hub.conns);
    }
    if (!sim.hub.conns) {
      md_sim_conn_t *c = md_sim_conn_open(&sim.hub, sim.now_ns);
      cr_assert_eq(md_sim_control_open(&sim, c, "/stream",
                                       "streams=btcusdt@depth@100ms/ethusdt@depth@100ms"),
                   MD_OK);
    }
    cr_assert_eq(md_sim_market_pump(sim.market, &due), MD_OK);
    md_sim_fault_turn(&sim);
    while (sim.hub.conns->first)
      md_sim_conn_sent(&sim.hub, sim.hub.conns);
  }
}

static const char *
read_truth(void) {
  FILE *f = fopen(path, "re");
  cr_assert_not_null(f);
  size_t len = fread(truth, 1, sizeof truth - 1, f);
  truth[len] = 0;
  (void)fclose(f);
  return truth;
}

Test(sim_fault, a_cut_that_is_to_come_twice_cuts_twice) {
  add("cut:after=1,times=2");
  play(30 * S);
  cr_assert_eq(cut_cnt, 2);
}

Test(sim_fault, with_every_it_goes_on_and_times_ends_it) {
  add("cut:after=1,every=1");
  play(20 * S);
  cr_assert_gt(cut_cnt, 10);
  md_sim_faults_free(&sim);
  cut_cnt = 0;
  add("cut:after=1,every=1,times=4");
  play(20 * S);
  cr_assert_eq(cut_cnt, 4);
}

Test(sim_fault, a_count_that_means_nothing_is_refused) {
  md_msg_t msg = {0};
  cr_assert_eq(md_sim_fault_add(&sim, "cut:cnt=2", &msg), MD_ERR_USAGE);
  cr_assert(strstr(msg.text, "times=2"), "%s", msg.text);
}

Test(sim_fault, a_cut_tells_the_last_id_of_each_book_on_the_connection) {
  char want[128];
  add("cut:after=1");
  while (cut_cnt == 0) {
    const md_sim_symbol_t *a = sim.symbols[0], *b = sim.symbols[1];
    (void)snprintf(want, sizeof want, "\"symbols\":{\"BTCUSDT\":%llu,\"ETHUSDT\":%llu}",
                   (unsigned long long)a->sent_id, (unsigned long long)b->sent_id);
    play(10 * MS);
  }
  cr_assert(strstr(read_truth(), want), "%s not in %s", want, truth);
}

Test(sim_fault, a_stall_that_is_on_at_the_end_is_in_the_truth) {
  add("stall:after=1,for=60,symbol=BTCUSDT");
  play(5 * S);
  cr_assert_null(strstr(read_truth(), "stall"));
  md_sim_fault_end(&sim);
  cr_assert(strstr(read_truth(), "\"fault\":\"stall\""), "%s", truth);
}

Test(sim_fault, a_refused_request_is_in_the_truth_with_its_pause) {
  md_sim_answer_t answer;
  add("429:after=0,cnt=1,retry=7");
  play(1 * S);
  md_sim_rest(&sim, "GET", "/api/v3/depth", "symbol=BTCUSDT&limit=100", &answer);
  cr_assert_eq(answer.status, 429);
  md_sim_text_free(&answer.body);
  cr_assert(strstr(read_truth(), "\"query\":\"symbol=BTCUSDT&limit=100\",\"status\":429,"
                                 "\"retry_after_s\":7}"),
            "%s", truth);
}
