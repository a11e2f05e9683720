/* test_sim_deribit - the simulated Deribit without sockets: what clients say and are answered, the
 * messages of its market, its REST. */
#include "feeds/sim/sim_control.h"
#include "feeds/sim/sim_deribit.h"
#include "feeds/sim/sim_fault.h"
#include "feeds/venue.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define S    1000000000ll
#define P    "BTC-PERPETUAL"
#define BOOK "book." P ".100ms"
#define RAW  "book." P ".raw"

static md_clock_manual_t hands;
static md_clock_t        hand_clock;
static md_sim_t          sim;
static md_sim_conn_t    *conn;
static md_sim_text_t     in, got;

static void
setup(void) {
  hands      = (md_clock_manual_t){.real_ns = 1795000000000000000, .mono_ns = 1000 * S};
  hand_clock = md_clock_manual(&hands);
  md_sim_init(&sim, md_sim_venue_find("deribit_derivatives"), &hand_clock, 7);
  md_sim_turn(&sim);
  sim.market =
      md_sim_market_open(&sim, &(md_sim_market_cfg_t){.symbol_cnt = 12, .rate = 2000, .end_ns = 0});
  conn = md_sim_conn_open(&sim.hub, sim.now_ns);
  cr_assert_eq(md_sim_control_open(&sim, conn, "/ws/api/v2", ""), MD_OK);
}

static void
teardown(void) {
  md_sim_market_close(sim.market);
  sim.market = NULL;
  md_sim_free(&sim);
  md_sim_text_free(&in);
  md_sim_text_free(&got);
}

TestSuite(sim_deribit, .init = setup, .fini = teardown);

/* What was queued for the client since the last call: its messages, a line each. */
static const char *
read_queue(void) {
  md_sim_text_clear(&got);
  while (conn->first) {
    const md_sim_chunk_t *k = conn->first;
    for (size_t at = 0; at < k->len;) {
      size_t len = k->data[at + 1], head = 2;
      if (len == 126 || len == 127) {
        size_t n = len == 126 ? 2 : 8;
        len      = 0;
        for (size_t i = 0; i < n; i++)
          len = len << 8 | k->data[at + 2 + i];
        head += n;
      }
      md_sim_text_add(&got, k->data + at + head, len);
      md_sim_text_str(&got, "\n");
      at += head + len;
    }
    md_sim_conn_sent(&sim.hub, conn);
  }
  *md_sim_text_room(&got, 1) = 0;
  return got.p;
}

static void
wait_ns(int64_t ns) {
  hands.mono_ns += ns;
  hands.real_ns += ns;
  md_sim_turn(&sim);
}

static const char *
say(const char *text) {
  md_sim_text_clear(&in);
  md_sim_text_str(&in, text);
  md_sim_control_receive(&sim, conn, in.p, in.len);
  return read_queue();
}

static const char *
call(int id, const char *method, const char *params) {
  char text[1024];
  (void)snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":{%s}}", id, method,
                 params);
  return say(text);
}

static void
pump(int64_t ns) {
  for (int64_t done = 0; done < ns; done += S / 50) {
    wait_ns(S / 50);
    int64_t due;
    cr_assert_eq(md_sim_market_pump(sim.market, &due), MD_OK);
  }
}

static uint32_t
count(const char *text, const char *what) {
  uint32_t cnt = 0;
  for (const char *p = text; (p = strstr(p, what)) != NULL; p += strlen(what))
    cnt++;
  return cnt;
}

static const char *
written(int64_t mantissa, int exp) {
  md_sim_text_clear(&got);
  md_sim_db_number(&got, mantissa, exp);
  *md_sim_text_room(&got, 1) = 0;
  return got.p;
}

Test(sim_deribit, case_36_numbers_have_the_texts_of_the_exchange) {
  cr_expect_str_eq(written(10002000, -1), "1.0002e6");
  cr_expect_str_eq(written(28, -5), "2.8e-4");
  cr_expect_str_eq(written(3000000, 0), "3.0e6");
  cr_expect_str_eq(written(1054, 0), "1054.0");
  cr_expect_str_eq(written(0, -4), "0.0");
  cr_expect_str_eq(written(769140, -1), "76914.0");
  cr_expect_str_eq(written(768715, -1), "76871.5");
  cr_expect_str_eq(written(5, -4), "0.0005");
  cr_expect_str_eq(written(308897, 0), "308897.0");
  cr_expect_str_eq(written(1423, -7), "1.423e-4");
  cr_expect_str_eq(written(11411, -5), "0.11411");
  cr_expect_str_eq(written(-21749347, -5), "-217.49347");
}

Test(sim_deribit, a_subscription_lists_what_was_accepted_in_another_order) {
  const char *said =
      call(3, "public/subscribe",
           "\"channels\":[\"" BOOK "\",\"book.NO-SUCH.100ms\",\"nonsense\",\"quote." P
           "\",\"book." P ".33ms\",\"platform_state\"]");
  const char *head = "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":[\"platform_state\",\"quote." P
                     "\",\"" BOOK "\"],\"usIn\":";
  cr_assert(strncmp(said, head, strlen(head)) == 0, "%s", said);
  const char *line = strchr(said, '\n') + 1;
  cr_assert(strstr(line, "\"type\":\"snapshot\""), "the book stands behind the answer: %s", line);
  cr_assert(
      strstr(call(4, "public/subscribe", "\"channels\":[\"book.X.100ms\"]"), "\"result\":[],"));
  said = call(5, "public/subscribe", "\"channels\":[\"" BOOK "\"]");
  cr_assert(strstr(said, "\"result\":[\"" BOOK "\"]"));
  cr_assert_null(strstr(said, "snapshot"), "no new book on a channel that is live");
  said = call(6, "public/unsubscribe", "\"channels\":[\"" BOOK "\"]");
  cr_assert(strstr(said, "\"result\":[\"" BOOK "\"]"), "%s", said);
  said = call(7, "public/subscribe", "\"channels\":[\"" BOOK "\"]");
  cr_assert(strstr(said, "snapshot"));
  cr_assert(strstr(call(8, "public/unsubscribe_all", ""), "\"result\":\"ok\""));
  cr_assert_eq(conn->sub_cnt, 0);
}

Test(sim_deribit, errors_have_the_codes_of_the_protocol_and_the_id_of_the_request) {
  cr_expect(
      strstr(say("{\"id\":1,\"method\":"), "\"error\":{\"code\":11050,\"data\":\"invalid json\""));
  cr_expect(strstr(call(2, "public/fly", ""), "\"id\":2,\"error\":{\"code\":-32601"));
  cr_expect(strstr(call(3, "public/subscribe", ""), "\"id\":3,\"error\":{\"code\":-32602"));
  cr_expect(strstr(call(4, "public/set_heartbeat", "\"interval\":5"), "\"code\":-32602"));
  cr_expect(
      strstr(call(5, "public/get_instrument", "\"instrument_name\":\"X\""), "\"code\":13020"));
  md_sim_text_t many = {0};
  md_sim_text_str(&many,
                  "{\"id\":6,\"method\":\"public/subscribe\",\"params\":{\"channels\":[\"a.0\"");
  for (unsigned n = 1; n < 501; n++)
    md_sim_text_format(&many, ",\"a.%u\"", n);
  md_sim_text_str(&many, "]}}");
  *md_sim_text_room(&many, 1) = 0;
  cr_expect(strstr(say(many.p), "\"id\":6,\"error\":{\"code\":-32602"));
  md_sim_text_free(&many);
}

Test(sim_deribit, case_42_raw_channels_want_a_name) {
  cr_assert(
      strstr(call(5, "public/subscribe", "\"channels\":[\"quote." P "\",\"" RAW "\"]"),
             "\"id\":5,\"error\":{\"code\":13778,\"message\":\"raw_subscriptions_not_available_"
             "for_unauthorized\"}"));
  cr_assert_eq(conn->sub_cnt, 0, "nothing of such a request");
  cr_assert(strstr(call(6, "public/auth",
                        "\"grant_type\":\"client_credentials\",\"client_id\":\"me\","
                        "\"client_secret\":\"wrong\""),
                   "\"code\":13004"));
  const char *said = call(7, "public/auth",
                          "\"grant_type\":\"client_credentials\",\"client_id\":\"expires-20\","
                          "\"client_secret\":\"s\"");
  cr_assert(strstr(said, "\"expires_in\":20") && strstr(said, "\"access_token\""), "%s", said);
  said = call(8, "public/subscribe", "\"channels\":[\"" RAW "\"]");
  cr_assert(strstr(said, "\"result\":[\"" RAW "\"]") && strstr(said, "snapshot"), "%s", said);
  wait_ns(21 * S);
  cr_assert(strstr(call(9, "public/subscribe", "\"channels\":[\"trades." P ".raw\"]"), "13778"));
  said = call(10, "public/auth", "\"grant_type\":\"refresh_token\",\"refresh_token\":\"simR-20\"");
  cr_assert(strstr(said, "\"expires_in\":20"), "%s", said);
  said = call(11, "public/subscribe", "\"channels\":[\"trades." P ".raw\"]");
  cr_assert(strstr(said, "\"result\":[\"trades." P ".raw\"]"), "%s", said);
}

Test(sim_deribit, requests_cost_credits_that_come_back) {
  uint32_t refused = 0;
  for (int n = 0; n < 12; n++)
    refused += strstr(call(n, "public/subscribe", "\"channels\":[]"), "\"code\":10028") != NULL;
  cr_assert_eq(refused, 2, "ten at once");
  wait_ns(S);
  for (int n = 0; n < 4; n++)
    refused += strstr(call(n, "public/subscribe", "\"channels\":[]"), "\"code\":10028") != NULL;
  cr_assert_eq(refused, 3, "and three more in a second");
}

Test(sim_deribit, case_41_an_unanswered_test_request_ends_the_connection) {
  cr_assert(strstr(call(1, "public/set_heartbeat", "\"interval\":10"), "\"result\":\"ok\""));
  wait_ns(10 * S);
  sim.venue->check(&sim, conn);
  const char *said = read_queue();
  cr_assert(strstr(said, "{\"params\":{\"type\":\"heartbeat\"},\"method\":\"heartbeat\","
                         "\"jsonrpc\":\"2.0\"}\n"));
  cr_assert(strstr(said, "{\"params\":{\"type\":\"test_request\"},\"method\":\"heartbeat\","
                         "\"jsonrpc\":\"2.0\"}\n"));
  cr_assert(strstr(call(2, "public/test", ""), "\"result\":{\"version\":"));
  for (int n = 0; n < 2; n++) {
    wait_ns(9 * S);
    sim.venue->check(&sim, conn);
    cr_assert_eq(conn->close_code, 0);
  }
  cr_assert(strstr(read_queue(), "test_request"));
  wait_ns(10 * S);
  sim.venue->check(&sim, conn);
  cr_assert_eq(conn->close_code, 4000);
  cr_assert_str_eq(conn->close_text, "heartbeat close");
}

Test(sim_deribit, more_than_32_connections_are_refused) {
  md_sim_conn_t *c = conn;
  for (int n = 0; n < 31; n++)
    c = md_sim_conn_open(&sim.hub, sim.now_ns);
  cr_assert_eq(md_sim_control_open(&sim, c, "/ws/api/v2", ""), MD_OK);
  c = md_sim_conn_open(&sim.hub, sim.now_ns);
  cr_assert_neq(md_sim_control_open(&sim, c, "/ws/api/v2", ""), MD_OK);
  cr_assert_eq(md_sim_control_open(&sim, conn, "/ws", ""), MD_ERR_ABSENT);
}

/* ---- the market ---- */

/* The value of a key behind a place in the text. */
static uint64_t
value_of(const char *line, const char *key) {
  const char *at = strstr(line, key);
  return at && at < line + strcspn(line, "\n") ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void
check_chain(const char *text, const char *channel) {
  uint64_t last = 0, cnt = 0;
  char     key[128];
  (void)snprintf(key, sizeof key, "\"channel\":\"%s\"", channel);
  for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
    const char *at = strstr(line, key);
    if (!at || at > line + strcspn(line, "\n")) continue;
    uint64_t id = value_of(line, "\"change_id\":"), prev = value_of(line, "\"prev_change_id\":");
    if (cnt++ == 0) {
      cr_assert(strstr(at, "\"type\":\"snapshot\""), "the first one is the book");
    } else {
      cr_assert_eq(prev, last, "%s: %zu behind %zu", channel, (size_t)prev, (size_t)last);
      cr_assert_gt(id, prev);
    }
    last = id;
  }
  cr_assert_gt(cnt, 5, "%s: %zu messages", channel, (size_t)cnt);
}

Test(sim_deribit, books_begin_with_a_snapshot_and_their_changes_are_chained) {
  (void)call(1, "public/auth",
             "\"grant_type\":\"client_credentials\",\"client_id\":\"me\",\"client_secret\":\"s\"");
  pump(S);
  char copy[2048];
  (void)snprintf(copy, sizeof copy, "%s",
                 call(2, "public/subscribe",
                      "\"channels\":[\"" BOOK "\",\"" RAW "\",\"book.ETH-PERPETUAL.100ms\"]"));
  cr_assert(strstr(copy, "\"result\":[\"book.ETH-PERPETUAL.100ms\""), "%s", copy);
  (void)call(3, "public/unsubscribe_all", "");
  (void)read_queue();
  md_sim_text_clear(&in);
  md_sim_text_str(&in, "{\"id\":4,\"method\":\"public/subscribe\",\"params\":{\"channels\":[\"" BOOK
                       "\",\"" RAW "\",\"book.ETH-PERPETUAL.100ms\"]}}");
  md_sim_control_receive(&sim, conn, in.p, in.len);
  pump(2 * S);
  const char *text = read_queue();
  check_chain(text, BOOK);
  check_chain(text, RAW);
  check_chain(text, "book.ETH-PERPETUAL.100ms");
  cr_assert(strstr(text, "[\"delete\",") && strstr(text, "[\"new\",") &&
            strstr(text, "[\"change\","));
  cr_assert(strstr(text, ",0.0]"), "a delete has no amount");
  cr_assert(strstr(text, "e6]") || strstr(text, "e5]"), "amounts in their short form");
}

Test(sim_deribit, an_empty_book_and_a_one_sided_one) {
  const char *said =
      call(1, "public/subscribe",
           "\"channels\":[\"book.ETH-25JUN27-9000-C.100ms\",\"book.ETH-25JUN27-1200-P.100ms\"]");
  cr_assert(strstr(said, "\"instrument_name\":\"ETH-25JUN27-9000-C\",\"bids\":[],\"asks\":[]}"),
            "%s", said);
  cr_assert(
      strstr(said, "\"instrument_name\":\"ETH-25JUN27-1200-P\",\"bids\":[],\"asks\":[[\"new\""),
      "%s", said);
}

Test(sim_deribit, tickers_trades_quotes_indices_and_states_are_told) {
  (void)call(1, "public/subscribe",
             "\"channels\":[\"ticker." P ".100ms\",\"trades." P ".100ms\",\"quote." P "\","
             "\"ticker.ETH-25JUN27-9000-C.100ms\",\"ticker.BTC-25JUN27-90000-C.100ms\"]");
  (void)call(2, "public/subscribe",
             "\"channels\":[\"deribit_price_index.btc_usd\",\"deribit_volatility_index.btc_usd\","
             "\"platform_state\",\"trades.option.any.100ms\",\"perpetual." P ".100ms\"]");
  pump(5 * S);
  const char *text = read_queue();
  cr_assert(strstr(text, "\"channel\":\"ticker." P ".100ms\""));
  cr_assert(strstr(text, "\"current_funding\":") && strstr(text, "\"greeks\":{\"delta\":"));
  cr_assert(strstr(text, "\"stats\":{\"high\":null") && strstr(text, "\"volume\":"));
  cr_assert(strstr(text, "\"best_bid_price\":0.0,\"best_bid_amount\":0.0"),
            "a book without a level");
  cr_assert(strstr(text, "\"channel\":\"trades." P ".100ms\",\"data\":[{\"timestamp\":"));
  cr_assert(strstr(text, "\"channel\":\"trades.option.any.100ms\",\"data\":[{"));
  cr_assert(strstr(text, "\"channel\":\"quote." P "\""));
  cr_assert(strstr(text, "\"channel\":\"deribit_price_index.btc_usd\",\"data\":{\"timestamp\":"));
  cr_assert(strstr(text, "\"volatility\":"));
  cr_assert(strstr(text, "\"locked\":true}"));
  cr_assert(strstr(text, "\"interest\":"));
}

Test(sim_deribit, nothing_is_written_for_nobody) {
  uint64_t bytes = sim.hub.byte_cnt;
  pump(2 * S);
  cr_assert_eq(sim.hub.byte_cnt, bytes);
  cr_assert_eq(md_sim_db_symbol(md_sim_symbol(&sim, P, strlen(P)))->trades.len, 0);
}

Test(sim_deribit, case_44_instruments_that_come_and_go_are_told) {
  md_msg_t msg;
  cr_assert_eq(md_sim_fault_add(&sim, "list:symbol=XRP_USDC-25JUN27-0d625-C,after=2", &msg), MD_OK);
  cr_assert_eq(md_sim_fault_add(&sim, "delist:symbol=ETH-25JUN27,after=3", &msg), MD_OK);
  md_sim_faults_begin(&sim);
  (void)call(1, "public/subscribe",
             "\"channels\":[\"instrument.state.any.any\",\"instrument.state.future.BTC\"]");
  cr_assert_null(strstr(call(2, "public/get_instruments", "\"currency\":\"any\""), "0d625"));
  for (int n = 0; n < 40; n++) {
    pump(S / 10);
    md_sim_fault_turn(&sim);
  }
  const char *text = read_queue();
  cr_assert(strstr(text, "\"state\":\"created\",\"instrument_name\":\"XRP_USDC-25JUN27-0d625-C\""));
  cr_assert(strstr(text, "\"state\":\"started\",\"instrument_name\":\"XRP_USDC-25JUN27-0d625-C\""));
  cr_assert(strstr(text, "\"state\":\"closed\",\"instrument_name\":\"ETH-25JUN27\""));
  cr_assert_null(strstr(text, "instrument.state.future.BTC"), "not of this currency");
  text = call(3, "public/get_instruments", "\"currency\":\"any\"");
  cr_assert(strstr(text, "\"XRP_USDC-25JUN27-0d625-C\"") && strstr(text, "\"strike\":0.625"));
  cr_assert_null(strstr(text, "\"instrument_name\":\"ETH-25JUN27\""));
}

/* ---- REST ---- */

static md_sim_answer_t answer;

static const char *
get(const char *path, const char *query) {
  md_sim_text_free(&answer.body);
  answer = (md_sim_answer_t){0};
  md_sim_rest(&sim, "GET", path, query, &answer);
  *md_sim_text_room(&answer.body, 1) = 0;
  return answer.body.p;
}

static uint32_t listed_cnt;

static void
on_listing(void *ctx, const char *symbol, uint32_t len, bool is_trading) {
  (void)ctx;
  listed_cnt += is_trading && md_sim_symbol(&sim, symbol, len) != NULL;
}

Test(sim_deribit, the_list_of_instruments_is_what_the_engine_reads) {
  const md_venue_net_t *net  = md_venue_find("deribit_derivatives")->net;
  const char           *body = get("/api/v2/public/get_instruments", "currency=any&expired=false");
  cr_assert_eq(answer.status, 200);
  md_sim_text_room(&answer.body, MD_FRAME_PAD_BYTES);
  cr_assert_eq(
      net->list((const uint8_t *)answer.body.p, (uint32_t)answer.body.len, on_listing, NULL),
      MD_OK);
  cr_assert_eq(listed_cnt, 12);
  cr_assert(strstr(body, "\"kind\":\"future\",\"instrument_name\":\"" P "\""));
  cr_assert(strstr(body, "\"instrument_type\":\"linear\"") &&
            strstr(body, "\"option_type\":\"put\""));
  body = get("/api/v2/public/get_instruments", "currency=USDC&kind=option");
  cr_assert_eq(count(body, "\"instrument_name\""), 1, "%s", body);
  body = get("/api/v2/public/get_currencies", "");
  cr_assert(strstr(body, "{\"currency\":\"BTC\"") && strstr(body, "\"coin_type\""));
  (void)get("/api/v2/public/fly", "");
  cr_assert_eq(answer.status, 404);
  (void)get("/elsewhere", "");
  cr_assert_eq(answer.status, 404);
  md_sim_text_free(&answer.body);
}

Test(sim_deribit, a_book_is_given_by_REST_too) {
  const char *body = get("/api/v2/public/get_order_book", "instrument_name=" P "&depth=3");
  const char *bids = strstr(body, "\"bids\":[[");
  cr_assert(bids != NULL, "%s", body);
  cr_assert_eq(count(bids, "[") - 2, 6, "%s", bids);
  cr_assert_eq(value_of(body, "\"change_id\":"), md_sim_symbol(&sim, P, strlen(P))->book.id);
  cr_assert(strstr(get("/api/v2/public/get_time", ""), "\"result\":"));
  (void)get("/api/v2/public/get_order_book", "instrument_name=X");
  cr_assert_eq(answer.status, 400);
  md_sim_text_free(&answer.body);
}
