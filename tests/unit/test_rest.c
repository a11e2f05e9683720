/* test_rest - the budget of weights, what is tried again and when, answers as inputs, and that no
 * server and no name server can hold a request for ever. */
#include "feeds/backoff.h"
#include "feeds/rest.h"
#include "feeds/rest_budget.h"
#include "feeds/rest_ring.h"
#include "tests/unit/ws_server.h"

#include <criterion/criterion.h>
#include <semaphore.h>

#define NS_PER_S 1000000000ll

Test(rest, case_10_the_budget_holds_in_every_60_seconds) {
  md_rest_budget_t b;
  uint64_t         seed = 7, used[400] = {0};
  md_rest_budget_init(&b, 6000);
  for (int64_t ms = 0; ms < 400000; ms += 50) {
    uint32_t weight = md_random_next(&seed) % 2 ? 250 : 50;
    if (!md_rest_budget_may(&b, ms * 1000000, weight)) continue;
    md_rest_budget_use(&b, ms * 1000000, weight, 0);
    used[ms / 1000] += weight;
  }
  uint64_t total = 0;
  for (int first = 0; first + 60 <= 400; first++) {
    uint64_t sum = 0;
    for (int n = 0; n < 60; n++)
      sum += used[first + n];
    cr_assert_leq(sum, 6000, "seconds %d to %d: %llu", first, first + 60, (unsigned long long)sum);
  }
  for (int n = 0; n < 400; n++)
    total += used[n];
  cr_assert_gt(total, 6ull * 5900, "and is used: %llu", (unsigned long long)total);
}

Test(rest, case_10_a_block_and_a_pause_hold_everything_back_until_they_end) {
  md_rest_budget_t b;
  md_rest_budget_init(&b, 100);
  md_rest_budget_use(&b, 0, 10, 20);
  cr_assert_not(md_rest_budget_may(&b, 19, 1));
  cr_assert(md_rest_budget_may(&b, 20, 1));
  md_rest_budget_block(&b, 30 * NS_PER_S);
  md_rest_budget_block(&b, 5 * NS_PER_S);
  cr_assert_not(md_rest_budget_may(&b, 30 * NS_PER_S - 1, 1));
  cr_assert(md_rest_budget_may(&b, 30 * NS_PER_S, 1));
  cr_assert_not(md_rest_budget_may(&b, 30 * NS_PER_S, 91), "what was used still counts");
  cr_assert(md_rest_budget_may(&b, 62 * NS_PER_S, 500), "more than all there is goes alone");
}

Test(rest, a_backoff_grows_to_its_limit_and_is_never_the_same) {
  uint64_t seed = 1, other = 2;
  bool     differs = false;
  for (uint32_t n = 0; n < 64; n++) {
    int64_t full = n < 6 ? 500ll << n : 30000, pause = md_backoff_ns(500, 30000, n, &seed);
    cr_assert(pause >= full / 2 && pause <= full, "try %u: %lld", n, (long long)pause);
    differs |= pause != md_backoff_ns(500, 30000, n, &other);
  }
  cr_assert(differs);
}

Test(rest, an_input_of_any_size_passes_the_ring_whole) {
  static const uint32_t sizes[] = {0, 1, 100, 32000, 32700, 40000, 1000000};
  md_ring_t            *ring    = md_rest_ring_new("test", 1u << 22);
  md_ring_producer_t    p;
  md_rest_taker_t       t = {0};
  md_input_t            out;
  uint64_t              value = 0;
  uint8_t              *body  = malloc(1000000);
  cr_assert(ring && body);
  for (uint32_t n = 0; n < 1000000; n++)
    body[n] = (uint8_t)(n * 31 >> 3);
  md_ring_producer_init(&p, ring);
  md_ring_consumer_init(&t.consumer, ring);
  for (uint32_t round = 0; round < 10; round++) {
    for (size_t n = 0; n < MD_CNT(sizes); n++) {
      const md_input_t in = {.kind     = MD_RAW_HTTP,
                             .leg      = MD_LEG_NONE,
                             .name     = "http://h/p?q",
                             .name_len = 12,
                             .payload  = body,
                             .len      = sizes[n],
                             .recv_ns  = 5};
      cr_assert_eq(md_rest_ring_put(&p, &in, n), MD_OK);
      cr_assert_eq(md_rest_ring_take(&t, &out, &value), MD_OK);
      cr_assert_eq(value, n);
      cr_assert_eq(out.len, sizes[n]);
      cr_assert_eq(memcmp(out.payload, body, sizes[n]), 0);
      cr_assert_eq(memcmp(out.name, "http://h/p?q", 12), 0);
      cr_assert_eq(out.payload[out.len + MD_FRAME_PAD_BYTES - 1], 0);
      cr_assert_eq(md_rest_ring_take(&t, &out, &value), MD_ERR_EMPTY);
    }
  }
  const md_input_t large = {
      .kind = MD_RAW_HTTP, .name = "n", .name_len = 1, .payload = body, .len = 1000000};
  uint32_t cnt = 0;
  while (md_rest_ring_put(&p, &large, 0) == MD_OK)
    cnt++;
  cr_assert(cnt >= 2 && cnt <= 4, "%u fit", cnt);
  while (md_rest_ring_take(&t, &out, &value) == MD_OK)
    cnt--;
  cr_assert_eq(cnt, 0, "what did not fit left nothing behind");
  free(t.buffer);
  free(body);
  md_rest_ring_delete(ring);
}

/* Asks for a path and waits at most seconds for its answer. */
static bool
get(md_rest_client_t *c, const ws_server_t *s, const char *path, int seconds, md_input_t *out) {
  char url[128];
  (void)snprintf(url, sizeof url, "http://127.0.0.1:%d%s", s->port, path);
  cr_assert_eq(md_rest_ask(c, url, 50), MD_OK);
  int64_t end = md_clock_mono_ns(md_clock_system()) + seconds * NS_PER_S;
  while (md_clock_mono_ns(md_clock_system()) < end) {
    if (md_rest_take(c, out) == MD_OK) return strncmp(out->name, url, strlen(url)) == 0;
    (void)usleep(1000);
  }
  return false;
}

static sem_t never;

/* A name server that does not answer for "stuck.test", and says this machine for all else. */
static bool
lookup(void *ctx, const char *name, md_addresses_t *out) {
  (void)ctx;
  if (strcmp(name, "stuck.test") == 0) (void)sem_wait(&never);
  out->cnt = 3; /* only the server's own address answers: the others are refused */
  (void)snprintf(out->text[0], sizeof out->text[0], "::1");
  (void)snprintf(out->text[1], sizeof out->text[1], "127.0.0.2");
  (void)snprintf(out->text[2], sizeof out->text[2], "127.0.0.1");
  return true;
}

static md_rest_t *
start_with(md_rest_client_t **client, int64_t timeout_ns) {
  const md_rest_config_t cfg = {
      .clock = md_clock_system(), .seed = 3, .timeout_ns = timeout_ns, .lookup = lookup};
  const md_rest_client_config_t cc = {.weight_per_min = 6000};
  md_rest_t                    *r;
  md_msg_t                      msg = {0};
  cr_assert_eq(md_rest_open(&cfg, &r, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(md_rest_client(r, &cc, client, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(md_rest_start(r, &msg), MD_OK, "%s", msg.text);
  return r;
}

static md_rest_t *
start(md_rest_client_t **client) {
  return start_with(client, 0);
}

/* What was sent, and how much of it brought no answer. */
static void
expect_counts(md_rest_client_t *c, uint64_t requests, uint64_t errors) {
  md_rest_counts_t counts;
  md_rest_counts(c, &counts);
  cr_expect_eq(counts.request_cnt, requests, "%llu requests",
               (unsigned long long)counts.request_cnt);
  cr_expect_eq(counts.error_cnt, errors, "%llu errors", (unsigned long long)counts.error_cnt);
}

Test(rest, an_answer_comes_back_as_an_input_of_kind_http) {
  ws_server_t       s = ws_server_start(NULL, NULL);
  md_rest_client_t *c;
  md_rest_t        *r  = start(&c);
  md_input_t        in = {0};
  cr_assert(get(c, &s, "/answer", 20, &in));
  cr_assert_eq(in.kind, MD_RAW_HTTP);
  cr_assert_eq(in.len, 13);
  cr_assert_eq(memcmp(in.payload, "{\"path\":true}", 13), 0);
  expect_counts(c, 1, 0);
  md_rest_close(r);
  ws_server_stop(&s);
}

Test(rest, case_10_retry_after_is_waited_for_and_then_the_answer_comes) {
  ws_server_t       s = ws_server_start(NULL, NULL);
  md_rest_client_t *c;
  md_rest_t        *r  = start(&c);
  md_input_t        in = {0};
  md_rest_counts_t  counts;
  int64_t           begin = md_clock_mono_ns(md_clock_system());
  cr_assert(get(c, &s, "/limited", 20, &in));
  cr_assert_geq(md_clock_mono_ns(md_clock_system()) - begin, 2 * NS_PER_S);
  md_rest_counts(c, &counts);
  cr_assert_eq(counts.limited_cnt, 1);
  expect_counts(c, 2, 1); /* none in between */
  md_rest_close(r);
  ws_server_stop(&s);
}

Test(rest, case_10_a_server_that_fails_is_asked_again_and_hides_no_other) {
  ws_server_t       s = ws_server_start(NULL, NULL);
  md_rest_client_t *c;
  md_rest_t        *r  = start(&c);
  md_input_t        in = {0};
  md_rest_counts_t  counts;
  cr_assert_not(get(c, &s, "/broken", 3, &in));
  md_rest_counts(c, &counts);
  cr_assert(counts.error_cnt >= 2 && counts.error_cnt <= 6, "%llu tries in 3 s",
            (unsigned long long)counts.error_cnt);
  cr_assert(get(c, &s, "/answer", 20, &in));
  md_rest_close(r);
  ws_server_stop(&s);
}

/* Lets some turns of the thread pass: what must not happen has had its chance. */
static void
let_pass(void) {
  for (int n = 0; n < 200; n++)
    (void)usleep(1000);
}

static void
url_of(const ws_server_t *s, const char *path, char *out, size_t bytes) {
  (void)snprintf(out, bytes, "http://127.0.0.1:%d%s", s->port, path);
}

Test(rest, what_can_wait_is_not_tried_again_when_it_fails) {
  ws_server_t       s = ws_server_start(NULL, NULL);
  md_rest_client_t *c;
  md_rest_t        *r = start(&c);
  md_input_t        in;
  char              url[128];
  url_of(&s, "/broken", url, sizeof url);
  cr_assert_eq(md_rest_spare(c), 0, "nothing is known of the host yet");
  cr_assert_eq(md_rest_ask_once(c, url, 100), MD_OK);
  md_rest_counts_t counts = {0};
  int64_t          end    = md_clock_mono_ns(md_clock_system()) + 20 * NS_PER_S;
  while (counts.error_cnt == 0 && md_clock_mono_ns(md_clock_system()) < end) {
    (void)usleep(1000);
    md_rest_counts(c, &counts);
  }
  cr_assert(get(c, &s, "/answer", 20, &in));
  let_pass();
  let_pass();
  let_pass(); /* a second try would have come after half a second */
  expect_counts(c, 2, 1);
  cr_assert_eq(md_rest_spare(c), 6000 - 100 - 50);
  md_rest_close(r);
  ws_server_stop(&s);
}

Test(rest, feeds_of_one_host_share_its_budget_and_the_smaller_one_counts) {
  ws_server_t                   s     = ws_server_start(NULL, NULL);
  const md_rest_config_t        cfg   = {.clock = md_clock_system(), .seed = 3};
  const md_rest_client_config_t large = {.weight_per_min = 6000}, small = {.weight_per_min = 120};
  md_rest_client_t             *a, *b;
  md_rest_t                    *r;
  md_msg_t                      msg = {0};
  md_input_t                    in;
  char                          url[128];
  cr_assert_eq(md_rest_open(&cfg, &r, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(md_rest_client(r, &large, &a, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(md_rest_client(r, &small, &b, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(md_rest_start(r, &msg), MD_OK, "%s", msg.text);
  cr_assert(get(a, &s, "/answer?a", 20, &in));
  cr_assert(get(b, &s, "/answer?b", 20, &in));
  let_pass();
  cr_assert_eq(md_rest_spare(a), 20, "120 less what both asked for: %u", md_rest_spare(a));
  cr_assert_eq(md_rest_spare(b), 20, "%u", md_rest_spare(b));
  url_of(&s, "/answer?c", url, sizeof url);
  cr_assert_eq(md_rest_ask(a, url, 50), MD_OK);
  let_pass();
  expect_counts(a, 1, 0); /* there is no weight for it for a minute */
  md_rest_close(r);
  ws_server_stop(&s);
}

Test(rest, what_can_wait_goes_when_nothing_else_waits) {
  ws_server_t       s = ws_server_start(NULL, NULL);
  md_rest_client_t *c;
  md_rest_t        *r = start(&c);
  md_input_t        in;
  char              url[128];
  cr_assert(get(c, &s, "/answer", 20, &in));
  url_of(&s, "/answer?large", url, sizeof url);
  cr_assert_eq(md_rest_ask(c, url, 5990), MD_OK); /* there is no weight for it for a minute */
  url_of(&s, "/answer?small", url, sizeof url);
  cr_assert_eq(md_rest_ask_once(c, url, 1), MD_OK);
  let_pass();
  expect_counts(c, 1, 0);
  cr_assert_eq(md_rest_spare(c), 0);
  url_of(&s, "/answer?first", url, sizeof url);
  cr_assert_eq(md_rest_ask(c, url, 1), MD_OK);
  cr_assert_eq(md_rest_take(c, &in), MD_ERR_EMPTY);
  int64_t end = md_clock_mono_ns(md_clock_system()) + 20 * NS_PER_S;
  while (md_rest_take(c, &in) != MD_OK && md_clock_mono_ns(md_clock_system()) < end)
    (void)usleep(1000);
  cr_assert(strstr(in.name, "first") != NULL, "what is needed at once goes");
  md_rest_close(r);
  ws_server_stop(&s);
}

Test(rest, an_answer_that_stops_in_its_middle_is_asked_for_again) {
  ws_server_t       s = ws_server_start(NULL, NULL);
  md_rest_client_t *c;
  md_rest_t        *r  = start_with(&c, NS_PER_S);
  md_input_t        in = {0};
  cr_assert(get(c, &s, "/half", 20, &in));
  cr_expect_eq(in.len, 13);
  expect_counts(c, 2, 1);
  md_rest_close(r);
  ws_server_stop(&s);
}

Test(rest, a_server_that_takes_a_request_and_says_nothing_is_asked_again) {
  ws_server_t       s = ws_server_start(NULL, NULL);
  md_rest_client_t *c;
  md_rest_t        *r  = start_with(&c, NS_PER_S);
  md_input_t        in = {0};
  cr_assert(get(c, &s, "/mute", 20, &in));
  expect_counts(c, 2, 1);
  md_rest_close(r);
  ws_server_stop(&s);
}

Test(rest, a_name_server_that_never_answers_stalls_no_other_request) {
  ws_server_t       s = ws_server_start(NULL, NULL);
  md_rest_client_t *c;
  (void)sem_init(&never, 0, 0);
  md_rest_t *r  = start_with(&c, NS_PER_S);
  md_input_t in = {0};
  for (int n = 0; n < 4; n++) { /* as many as may fly to one host */
    char url[64];
    (void)snprintf(url, sizeof url, "http://stuck.test/%d", n);
    cr_assert_eq(md_rest_ask(c, url, 1), MD_OK);
  }
  cr_assert(get(c, &s, "/answer", 20, &in));
  md_rest_close(r); /* does not wait for it either */
  ws_server_stop(&s);
}

Test(rest, the_addresses_of_a_name_are_tried_one_after_the_other) {
  ws_server_t       s = ws_server_start(NULL, NULL);
  md_rest_client_t *c;
  md_rest_t        *r = start_with(&c, 0);
  md_input_t        in;
  char              url[64];
  (void)snprintf(url, sizeof url, "http://three.test:%d/answer", s.port);
  cr_assert_eq(md_rest_ask(c, url, 1), MD_OK);
  int64_t end = md_clock_mono_ns(md_clock_system()) + 20 * NS_PER_S;
  while (md_rest_take(c, &in) != MD_OK) {
    cr_assert_lt(md_clock_mono_ns(md_clock_system()), end);
    (void)usleep(1000);
  }
  expect_counts(c, 1, 0);
  md_rest_close(r);
  ws_server_stop(&s);
}

/* As many books as lose their place at once when a connection of 200 symbols goes. */
Test(rest, case_12_a_storm_of_200_snapshots_keeps_the_budget_and_its_order) {
  ws_server_t       s = ws_server_start(NULL, NULL);
  md_rest_client_t *c;
  md_rest_t        *r = start(&c);
  md_input_t        in;
  md_rest_counts_t  counts;
  char              url[128];
  for (unsigned asked = 0; asked < 200; asked++) {
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/answer?n=%03u", s.port, asked);
    while (md_rest_ask(c, url, 50) == MD_ERR_FULL)
      (void)usleep(1000);
  }
  uint32_t got = 0, sum = 0;
  int64_t  end = md_clock_mono_ns(md_clock_system()) + 40 * NS_PER_S;
  while (got < 120 && md_clock_mono_ns(md_clock_system()) < end) {
    if (md_rest_take(c, &in) != MD_OK) {
      (void)usleep(1000);
      continue;
    }
    got++;
    sum += (uint32_t)strtoul(strstr(in.name, "n=") + 2, NULL, 10);
  }
  cr_assert_eq(got, 120, "%u snapshots: 6000 weight", got);
  cr_assert_eq(sum, 119 * 120 / 2, "those that were asked for first");
  let_pass();
  md_rest_counts(c, &counts);
  cr_assert_eq(counts.request_cnt, 120, "none above the budget of the minute");
  cr_assert_eq(counts.limited_cnt, 0);
  md_rest_close(r);
  ws_server_stop(&s);
}

Test(rest, a_redirection_is_an_error_and_is_not_followed) {
  ws_server_t       s = ws_server_start(NULL, NULL);
  md_rest_client_t *c;
  md_rest_t        *r  = start(&c);
  md_input_t        in = {0};
  cr_assert_not(get(c, &s, "/elsewhere", 2, &in));
  md_rest_counts_t counts;
  md_rest_counts(c, &counts);
  cr_expect_geq(counts.error_cnt, 1);
  cr_assert(get(c, &s, "/answer", 20, &in));
  md_rest_close(r);
  ws_server_stop(&s);
}
