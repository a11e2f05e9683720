/* test_ws_timers - what time alone brings to a native connection, by a clock that the test sets:
 * pings, an answer that never comes, a close that nobody answers. */
#include "tests/unit/ws_peer.h"

#define NS_PER_S 1000000000ll

static md_clock_manual_t now;
static md_clock_t        by_hand;

static md_transport_t *
open_transport(void) {
  md_transport_t *t;
  md_msg_t        msg       = {0};
  now                       = (md_clock_manual_t){.real_ns = 5 * NS_PER_S, .mono_ns = 7 * NS_PER_S};
  by_hand                   = md_clock_manual(&now);
  md_transport_config_t cfg = {.message_bytes_max  = 1u << 20,
                               .connection_cnt_max = 2,
                               .connect_timeout_ns = 10 * NS_PER_S,
                               .ping_ns            = 20 * NS_PER_S,
                               .pong_ns            = 30 * NS_PER_S,
                               .clock              = &by_hand};
  cr_assert_eq(md_transport_native.open(&cfg, &t, &msg), MD_OK, "%s", msg.text);
  return t;
}

static void
begin(ws_peer_t *s) {
  ws_peer_begin_on(s, open_transport());
  ws_peer_grant(s, NULL);
}

/* Looks until the replies are these; a difference is told at the end of the patience. */
static void
expect_replies(ws_peer_t *s, const char *replies) {
  int64_t since = 0;
  do {
    ws_peer_pump(s);
    ws_peer_replies(s);
  } while (strcmp(s->replies, replies) != 0 && !s->is_closed && !ws_peer_is_late(&since));
  cr_assert_str_eq(s->replies, replies);
}

static void
expect_close(ws_peer_t *s, const char *event) {
  int64_t since = 0;
  while (!s->is_closed && !ws_peer_is_late(&since))
    ws_peer_pump(s);
  cr_assert_str_eq(s->events, event);
}

static void
end(ws_peer_t *s) {
  ws_peer_close(s);
  md_transport_native.close(s->t);
}

Test(ws_timers, pings_go_out_when_none_was_answered_for_so_long_and_an_answer_begins_anew) {
  ws_peer_t s;
  begin(&s);
  now.mono_ns += 20 * NS_PER_S - 1;
  ws_peer_settle(&s);
  cr_assert_str_eq(s.replies, "", "too early: %s", s.replies);
  now.mono_ns += 1;
  expect_replies(&s, "9[]");
  ws_peer_send(&s, "\x8a\x00", 2, 0);
  ws_peer_settle(&s); /* the pong was seen when the ping behind it is answered */
  cr_assert_str_eq(s.events, "P[]");
  cr_assert_str_eq(s.replies, "9[]");
  now.mono_ns += 20 * NS_PER_S;
  expect_replies(&s, "9[]9[]");
  end(&s);
}

Test(ws_timers, a_ping_that_nobody_answers_is_the_end_though_data_comes) {
  ws_peer_t s;
  begin(&s);
  now.mono_ns += 20 * NS_PER_S;
  expect_replies(&s, "9[]");
  ws_peer_send(&s, "\x81\x02hi", 4, 0);
  now.mono_ns += 10 * NS_PER_S - 1;
  ws_peer_settle(&s);
  cr_assert_str_eq(s.events, "T[hi]");
  now.mono_ns += 1;
  expect_close(&s, "T[hi]C1006[no answer to a ping]");
  end(&s);
}

/* A process that was stopped for an hour asks first. */
Test(ws_timers, a_clock_that_leaps_loses_nothing_by_itself) {
  ws_peer_t s;
  begin(&s);
  now.mono_ns += 3600 * NS_PER_S;
  expect_replies(&s, "9[]");
  ws_peer_send(&s, "\x8a\x00", 2, 0);
  now.mono_ns += 3600 * NS_PER_S;
  int64_t since = 0;
  while (!strstr(s.events, "P[]") && !s.is_closed && !ws_peer_is_late(&since))
    ws_peer_pump(&s);
  cr_assert_str_eq(s.events, "P[]");
  end(&s);
}

Test(ws_timers, an_answer_to_the_upgrade_that_never_comes_is_the_end) {
  ws_peer_t s;
  ws_peer_begin_on(&s, open_transport());
  ws_peer_send(&s, "HTTP/1.1 101 x\r\n", 16, 0);
  now.mono_ns += 10 * NS_PER_S;
  expect_close(&s, "C1006[no answer in time]");
  end(&s);
}

Test(ws_timers, our_close_gives_nothing_more_but_the_end) {
  ws_peer_t s;
  begin(&s);
  md_transport_native.disconnect(s.t, s.connection, 4321);
  expect_replies(&s, "8[4321]");
  ws_peer_send(&s, "\x81\x02hi\x88\x02\x03\xe9", 8, 0);
  expect_close(&s, "C1001[closed by us]");
  end(&s);
}

Test(ws_timers, a_close_that_nobody_answers_ends_after_three_seconds) {
  ws_peer_t s;
  begin(&s);
  md_transport_native.disconnect(s.t, s.connection, MD_CLOSE_NORMAL);
  expect_replies(&s, "8[1000]");
  cr_assert_eq(md_transport_native.send(s.t, s.connection, "x", 1), MD_ERR_ABSENT);
  now.mono_ns += 3 * NS_PER_S - 1;
  ws_peer_pump(&s);
  cr_assert_not(s.is_closed);
  now.mono_ns += 1;
  expect_close(&s, "C1000[closed by us]");
  end(&s);
}

/* The socket is full: 64 wait, and the next is refused. All of them come, in order. */
Test(ws_timers, texts_are_masked_queued_and_bounded) {
  static char text[20000];
  ws_peer_t   s;
  uint32_t    cnt = 0;
  md_err_t    err = MD_OK;
  begin(&s);
  memset(text, 'x', sizeof text);
  cr_assert_eq(md_transport_native.send(s.t, s.connection, "first", 5), MD_OK);
  expect_replies(&s, "1[first]");
  while (!err && cnt < 100000) {
    err = md_transport_native.send(s.t, s.connection, text, sizeof text);
    cnt += err == MD_OK;
  }
  cr_assert_eq(err, MD_ERR_FULL);
  uint64_t want = (uint64_t)cnt * (sizeof text + 8), got = 0;
  int64_t  since = 0;
  while (got < want && !ws_peer_is_late(&since)) {
    const md_transport_event_t *event;
    uint8_t                     bytes[65536];
    (void)md_transport_native.poll(s.t, 0, &event);
    ssize_t n = read(s.fd, bytes, sizeof bytes);
    if (n > 0) got += (uint64_t)n;
  }
  cr_assert_eq(got, want);
  cr_assert_eq(md_transport_native.send(s.t, s.connection, "last", 4), MD_OK);
  expect_replies(&s, "1[first]1[last]");
  end(&s);
}
