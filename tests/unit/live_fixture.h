/* live_fixture.h - the live source over a transport that only pretends, with a clock that the test
 * moves. */
#ifndef TESTS_LIVE_FIXTURE_H
#define TESTS_LIVE_FIXTURE_H

#include "feeds/live.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define S  1000000000ll
#define MS 1000000ll

/* The pretended transport: what it was asked for, and the events that come next. */
typedef struct fake {
  uint32_t             connect_cnt, disconnect_cnt, sent_cnt;
  int64_t              connect_ns[2000];
  uint32_t             last; /* number of the last connection */
  char                 url[4096], sent[8192];
  md_transport_event_t event[16];
  uint32_t             event_cnt;
  bool                 is_used[MD_CONNECTION_CNT_MAX];
} fake_t;

static fake_t            fake;
static md_clock_manual_t now;

static inline md_err_t
fake_open(const md_transport_config_t *cfg, md_transport_t **out, md_msg_t *msg) {
  (void)cfg;
  (void)msg;
  *out = (md_transport_t *)&fake;
  return MD_OK;
}

static inline void
fake_close(md_transport_t *t) {
  (void)t;
}

static inline md_err_t
fake_connect(md_transport_t *t, const char *url, uint32_t *connection, md_msg_t *msg) {
  uint32_t n = 0;
  (void)t;
  (void)msg;
  while (fake.is_used[n])
    n++;
  fake.is_used[n]                            = true;
  fake.connect_ns[fake.connect_cnt++ % 2000] = now.mono_ns;
  fake.last = *connection = n;
  (void)snprintf(fake.url, sizeof fake.url, "%s", url);
  return MD_OK;
}

static inline md_err_t
fake_send(md_transport_t *t, uint32_t connection, const char *text, uint32_t len) {
  (void)t;
  (void)connection;
  (void)snprintf(fake.sent, sizeof fake.sent, "%.*s", (int)len, text);
  fake.sent_cnt++;
  return MD_OK;
}

static inline void
fake_disconnect(md_transport_t *t, uint32_t connection, uint16_t code) {
  (void)t;
  (void)code;
  fake.disconnect_cnt++;
  fake.is_used[connection] = false;
}

static inline uint32_t
fake_poll(md_transport_t *t, int64_t max_ns, const md_transport_event_t **out) {
  static md_transport_event_t given[16];
  uint32_t                    cnt = fake.event_cnt;
  (void)t;
  (void)max_ns;
  memcpy(given, fake.event, sizeof given);
  fake.event_cnt = 0;
  *out           = given;
  return cnt;
}

static inline void
fake_counts(const md_transport_t *t, md_transport_counts_t *out) {
  (void)t;
  *out = (md_transport_counts_t){0};
}

static const md_transport_ops_t fake_ops = {"fake",    fake_open,       fake_close, fake_connect,
                                            fake_send, fake_disconnect, fake_poll,  fake_counts};

static md_clock_t      test_clock;
static md_rest_t      *rest;
static md_metrics_t    metrics;
static md_feed_live_t *live;
static md_source_t     source;

/* Who the next setup_venue says that we are. */
static struct {
  md_feed_live_pace_t pace;
  const char         *client_id, *client_secret;
  void (*log)(void *ctx, const char *level, const char *text);
} account;

static inline void
setup_venue(const char *venue, const char *symbols, const char *channels) {
  static const md_rest_client_config_t cc  = {.weight_per_min = 6000};
  md_msg_t                             msg = {0};
  memset(&fake, 0, sizeof fake);
  memset(&metrics, 0, sizeof metrics);
  now                              = (md_clock_manual_t){.real_ns = 1000 * S, .mono_ns = 1000 * S};
  test_clock                       = md_clock_manual(&now);
  const md_rest_config_t rc        = {.clock = &test_clock, .seed = 1};
  md_feed_live_config_t  cfg       = {.name                  = venue,
                                      .venue                 = md_venue_find(venue),
                                      .symbols               = symbols,
                                      .channels              = channels,
                                      .pace                  = account.pace,
                                      .client_id             = account.client_id,
                                      .client_secret         = account.client_secret,
                                      .symbol_cnt_max        = 1000,
                                      .weight_per_min        = 6000,
                                      .silence_connection_ns = 60 * S,
                                      .seed                  = 1,
                                      .clock                 = &test_clock,
                                      .transport             = &fake_ops,
                                      .metrics               = &metrics,
                                      .log                   = account.log};
  cfg.silence_ns[MD_CHANNEL_DEPTH] = 30 * S;
  cr_assert_eq(md_rest_open(&rc, &rest, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(md_rest_client(rest, &cc, &cfg.rest, &msg), MD_OK, "%s", msg.text);
  cr_assert_eq(md_feed_live_open(&cfg, &live, &msg), MD_OK, "%s", msg.text);
  source = md_feed_live_source(live);
}

static inline void
teardown(void) {
  source.close(source.ctx);
  md_rest_close(rest);
}

static inline void
happen(md_transport_kind_t kind, uint32_t connection, const char *text) {
  static uint8_t buffer[16][512 + MD_FRAME_PAD_BYTES], behind;
  cr_assert_lt(fake.event_cnt, 16);
  uint8_t *at = buffer[fake.event_cnt];
  memset(at, ++behind, sizeof buffer[0]); /* anything may stand behind a payload */
  memcpy(at, text, strlen(text));
  fake.event[fake.event_cnt++] = (md_transport_event_t){.kind       = kind,
                                                        .connection = connection,
                                                        .payload    = at,
                                                        .len        = (uint32_t)strlen(text),
                                                        .recv_ns    = now.real_ns};
  if (kind == MD_TRANSPORT_CLOSE) fake.is_used[connection] = false;
}

/* Asks until nothing is due; counts inputs by kind and keeps the last of each. */
typedef struct got {
  uint32_t cnt[9];
  uint8_t  leg[9];
  char     payload[9][256];
} got_t;

static inline got_t
drain(void) {
  got_t      g = {0};
  md_input_t in;
  int64_t    due;
  md_msg_t   msg;
  while (source.next(source.ctx, &in, &due, &msg) == MD_OK) {
    g.cnt[in.kind]++;
    g.leg[in.kind] = in.leg;
    (void)snprintf(g.payload[in.kind], 256, "%.*s", (int)in.len, (const char *)in.payload);
  }
  return g;
}

static inline got_t
step(int64_t ns) {
  now.mono_ns += ns;
  now.real_ns += ns;
  return drain();
}

static inline void
data(uint32_t connection, const char *stream, unsigned id) {
  char text[200];
  (void)snprintf(text, sizeof text, "{\"stream\":\"%s\",\"data\":{\"u\":%u}}", stream, id);
  happen(MD_TRANSPORT_TEXT, connection, text);
}

#endif
