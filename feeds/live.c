/* The order of inputs: our own first, then what the sockets gave, then REST answers. */
#include "feeds/live_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS    (5 * NS_PER_MS)
#define SCAN_NS    (250 * NS_PER_MS)
#define STALL_NS   (2 * NS_PER_S) /* we slept ourselves: */
#define GRACE_NS   (5 * NS_PER_S) /* then nobody is called silent for so long */
#define CONNECT_NS (10 * NS_PER_S)
#define PING_NS    (20 * NS_PER_S)
#define PONG_NS    (35 * NS_PER_S)
#define LOG_BYTES  256u

#define RECONNECT_MIN_NS (100 * NS_PER_MS)
#define RECONNECT_MAX_NS (30 * NS_PER_S)
#define POLL_NS          (60 * NS_PER_S)

void
md_feed_live_log(md_feed_live_t *l, const char *level, const char *format, ...) {
  char    text[LOG_BYTES];
  va_list args;
  if (!l->cfg.log) return;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  l->cfg.log(l->cfg.log_ctx, level, text);
}

/* ---- inputs of our own ---- */

bool
md_feed_live_push(md_feed_live_t *l, md_raw_kind_t kind, uint8_t leg, const char *name,
                  const char *payload, uint32_t len) {
  if (l->pending_cnt == MD_LIVE_PENDING_CNT) return false;
  md_feed_live_pending_t *p =
      &l->pending[(l->pending_first + l->pending_cnt) % MD_LIVE_PENDING_CNT];
  p->payload = calloc(1, (size_t)len + MD_FRAME_PAD_BYTES);
  if (!p->payload) return false;
  memcpy(p->payload, payload, len);
  (void)snprintf(p->name, sizeof p->name, "%s", name);
  p->in = (md_input_t){.kind     = kind,
                       .leg      = leg,
                       .name     = p->name,
                       .name_len = (uint32_t)strlen(p->name),
                       .payload  = p->payload,
                       .len      = len,
                       .recv_ns  = md_clock_real_ns(l->cfg.clock)};
  l->pending_cnt++;
  return true;
}

bool
md_feed_live_collects(const md_feed_live_t *l, md_channel_t channel) {
  return l->channel[channel];
}

md_err_t
md_feed_live_command(md_feed_live_t *l, const char *text, uint32_t len, md_msg_t *msg) {
  if (md_feed_live_push(l, MD_RAW_COMMAND, MD_LEG_NONE, "", text, len)) return MD_OK;
  return md_fail(msg, MD_ERR_FULL, "too many commands wait for feed %s, or no memory", l->cfg.name);
}

static void
forget_given(md_feed_live_t *l) {
  if (!l->pending_given) return;
  free(l->pending[l->pending_first].payload);
  l->pending_first = (l->pending_first + 1) % MD_LIVE_PENDING_CNT;
  l->pending_cnt--;
  l->pending_given = false;
}

/* ---- events of the transport ---- */

static void
as_input(const md_feed_live_half_t *h, const md_transport_event_t *e, md_raw_kind_t kind,
         md_input_t *out) {
  *out = (md_input_t){.kind     = kind,
                      .leg      = h->leg,
                      .name     = h->name,
                      .name_len = (uint32_t)strlen(h->name),
                      .payload  = e->payload,
                      .len      = e->len,
                      .recv_ns  = e->recv_ns};
}

/* True when the event is an input of the feed. */
static bool
take_event(md_feed_live_t *l, const md_transport_event_t *e, md_input_t *out) {
  md_feed_live_owner_t *owner = &l->owner[e->connection];
  if (owner->link == MD_LIVE_NONE)
    return false; /* given up or replaced: it says nothing any more */
  md_feed_live_link_t *k = &l->link[owner->link];
  md_feed_live_half_t *h = &k->half[owner->half];
  char                 why[96];
  switch (e->kind) {
  case MD_TRANSPORT_OPEN:
    md_feed_live_on_open(l, k, h);
    (void)md_feed_live_push(l, MD_RAW_CONNECT, h->leg, h->name, h->url, (uint32_t)strlen(h->url));
    md_feed_live_greet(l, k, h);
    md_feed_live_auth_begin(l, h);
    return false;
  case MD_TRANSPORT_TEXT:
  case MD_TRANSPORT_BINARY:
    if (!md_feed_live_seen(l, k, h, e)) return false;
    as_input(h, e, e->kind == MD_TRANSPORT_TEXT ? MD_RAW_TEXT_IN : MD_RAW_BINARY_IN, out);
    return true;
  case MD_TRANSPORT_PONG:
    return false;
  case MD_TRANSPORT_CLOSE:
    (void)snprintf(why, sizeof why, "%u %.*s", e->code, e->len < 80 ? (int)e->len : 80,
                   (const char *)e->payload);
    as_input(h, e, MD_RAW_CLOSE, out);
    bool was_open = h->state == MD_LIVE_OPEN;
    md_feed_live_on_lost(l, k, h, why);
    return was_open; /* one that never opened is nothing to the feed */
  }
  return false;
}

/* ---- timers ---- */

static void
tick_metrics(md_feed_live_t *l) {
  md_metrics_t         *m = l->cfg.metrics;
  md_rest_counts_t      rest;
  md_transport_counts_t transport;
  if (!m) return;
  md_rest_counts(l->cfg.rest, &rest);
  l->cfg.transport->counts(l->transport, &transport);
  md_gauge(m, MD_COUNTER_REST_REQUESTS, rest.request_cnt);
  md_gauge(m, MD_COUNTER_REST_ERRORS, rest.error_cnt);
  md_gauge(m, MD_COUNTER_REST_LIMITED, rest.limited_cnt);
  md_gauge(m, MD_COUNTER_SNAPSHOT_REQUESTS, rest.plain_cnt);
  md_gauge(m, MD_COUNTER_SNAPSHOT_ERRORS, rest.plain_error_cnt);
  md_gauge(m, MD_COUNTER_OVERSIZE, transport.oversize_cnt);
  md_gauge(m, MD_COUNTER_CERT_EXPIRY, transport.certificate_end_s);
  uint64_t wanted = l->channel[MD_CHANNEL_DEPTH] ? md_feed_live_symbols_in_use(l) : 0;
  /* relaxed: this thread writes it */
  if (l->all_valid_told || wanted == 0 ||
      md_load_relaxed(&m->counter[MD_COUNTER_BOOKS_VALID]) < wanted)
    return;
  l->all_valid_told = true;
  int64_t took      = l->now_ns - l->begin_ns;
  md_gauge(m, MD_COUNTER_ALL_VALID, (uint64_t)((took + NS_PER_S - 1) / NS_PER_S));
  md_feed_live_log(l, "info", "all %llu books are valid after %lld ms", (unsigned long long)wanted,
                   (long long)(took / NS_PER_MS));
}

/* A pattern may choose a new symbol at any time. Names alone are looked up again when one of their
 * streams fell silent: a list is megabytes. */
static void
tick_list(md_feed_live_t *l) {
  bool is_needed = l->has_patterns || l->wants_list;
  if (l->list_ns && (!is_needed || l->cfg.list_ns == 0 || l->now_ns - l->list_ns < l->cfg.list_ns))
    return;
  if (md_rest_ask_paced(l->cfg.rest, l->list_url, l->net->list_weight)) return;
  l->list_ns    = l->now_ns;
  l->wants_list = false;
}

static void
tick(md_feed_live_t *l) {
  if (l->begin_ns == 0) l->begin_ns = l->now_ns;
  if (l->tick_ns && l->now_ns - l->tick_ns > STALL_NS) l->grace_ns = l->now_ns + GRACE_NS;
  l->tick_ns = l->now_ns;
  tick_list(l);
  md_feed_live_tell(l);
  md_feed_live_ask_snapshots(l);
  md_feed_live_polls(l);
  md_feed_live_deepen(l);
  md_feed_live_links_tick(l);
  if (l->now_ns - l->scan_ns < SCAN_NS) return;
  l->scan_ns = l->now_ns;
  md_feed_live_scan(l);
  tick_metrics(l);
}

/* ---- the source ---- */

static void
look(md_feed_live_t *l, int64_t max_ns) {
  l->event_cnt  = l->cfg.transport->poll(l->transport, max_ns, &l->event);
  l->event_next = l->event_shown = 0;
  l->now_ns                      = md_clock_mono_ns(l->cfg.clock);
}

static bool
next_ready(md_feed_live_t *l, md_input_t *out) {
  for (;;) {
    if (l->pending_cnt > 0) {
      *out             = l->pending[l->pending_first].in;
      l->pending_given = true;
      return true;
    }
    if (l->event_next == l->event_cnt) return false;
    const md_transport_event_t *e = &l->event[l->event_next++];
    if (take_event(l, e, out)) return true;
  }
}

static md_err_t
source_next(void *ctx, md_input_t *out, int64_t *due_mono_ns, md_msg_t *msg) {
  md_feed_live_t *l = ctx;
  (void)msg;
  forget_given(l);
  if (next_ready(l, out)) return MD_OK;
  if (md_rest_take(l->cfg.rest, out) == MD_OK) {
    int64_t took_ns = md_rest_took_ns(l->cfg.rest);
    if (took_ns >= 0) md_stage_add(l->cfg.metrics, MD_STAGE_SNAPSHOT, took_ns);
    md_feed_live_on_list(l, out);
    return MD_OK;
  }
  look(l, 0);
  /* With nothing to read, or now and then in a flood: what was not read yet must not count as
   * silence. */
  if (l->event_cnt == 0 || l->now_ns - l->tick_ns > 10 * TICK_NS) {
    if (l->now_ns - l->tick_ns >= TICK_NS || l->tick_ns == 0) tick(l);
  }
  if (next_ready(l, out)) return MD_OK;
  *due_mono_ns = l->tick_ns + TICK_NS;
  return MD_ERR_EMPTY;
}

static bool
source_ahead(void *ctx, uint32_t max, const uint8_t **payload, uint32_t *len, uint32_t *ahead) {
  md_feed_live_t *l = ctx;
  if (l->event_shown < l->event_next) l->event_shown = l->event_next;
  while (l->event_shown < l->event_cnt && l->event_shown - l->event_next < max) {
    const md_transport_event_t *e = &l->event[l->event_shown++];
    if (e->kind != MD_TRANSPORT_TEXT) continue;
    *payload = e->payload;
    *len     = e->len;
    *ahead   = l->event_shown - l->event_next;
    return true;
  }
  return false;
}

static void
source_wait(void *ctx, int64_t max_ns) {
  md_feed_live_t *l = ctx;
  if (l->pending_cnt > 0 || l->event_next < l->event_cnt) return;
  look(l, max_ns);
}

static void
source_close(void *ctx) {
  md_feed_live_close(ctx);
}

static uint64_t
source_memory(void *ctx) {
  const md_feed_live_t *l = ctx;
  md_transport_counts_t transport;
  l->cfg.transport->counts(l->transport, &transport);
  return l->symbol_cnt * sizeof *l->symbol + l->stream_cnt * sizeof *l->stream +
         transport.buffer_bytes;
}

/* One open connection is enough: what the others lack, streams and books show. */
static bool
source_connected(void *ctx) {
  const md_feed_live_t *l = ctx;
  for (uint32_t n = 0; n < l->link_cnt; n++)
    for (uint32_t half = 0; half < 2; half++)
      if (l->link[n].half[half].state == MD_LIVE_OPEN) return true;
  return false;
}

md_source_t
md_feed_live_source(md_feed_live_t *l) {
  return (md_source_t){.next      = source_next,
                       .wait      = source_wait,
                       .ahead     = source_ahead,
                       .close     = source_close,
                       .memory    = source_memory,
                       .connected = source_connected,
                       .ctx       = l};
}

/* ---- life ---- */

static void
copy_base(char *out, size_t bytes, const char *own, const char *venues) {
  (void)snprintf(out, bytes, "%s", own && own[0] ? own : venues);
  size_t len = strlen(out);
  while (len > 0 && out[len - 1] == '/')
    out[--len] = 0;
}

static md_err_t
open_transport(md_feed_live_t *l, md_msg_t *msg) {
  const md_transport_config_t tc = {.ca_file            = l->cfg.ca_file,
                                    .message_bytes_max  = MD_FRAME_BYTES_MAX,
                                    .connection_cnt_max = MD_CONNECTION_CNT_MAX,
                                    .connect_timeout_ns = CONNECT_NS,
                                    .ping_ns            = PING_NS,
                                    .pong_ns            = PONG_NS,
                                    .offers_deflate     = l->cfg.offers_deflate,
                                    .clock              = l->cfg.clock,
                                    .seed               = md_random_next(&l->seed)};
  return l->cfg.transport->open(&tc, &l->transport, msg);
}

md_err_t
md_feed_live_open(const md_feed_live_config_t *cfg, md_feed_live_t **out, md_msg_t *msg) {
  if (!cfg->venue->net)
    return md_fail(msg, MD_ERR_CONFIG,
                   "%s cannot be collected from the network; give it a recording",
                   cfg->venue->name);
  md_feed_live_t *l = calloc(1, sizeof *l);
  if (!l) return md_fail(msg, MD_ERR_NOMEM, "no memory for the connections of %s", cfg->name);
  l->cfg = *cfg;
  if (l->cfg.reconnect_min_ns <= 0) l->cfg.reconnect_min_ns = RECONNECT_MIN_NS;
  if (l->cfg.reconnect_max_ns <= 0) l->cfg.reconnect_max_ns = RECONNECT_MAX_NS;
  if (l->cfg.poll_ns <= 0) l->cfg.poll_ns = POLL_NS;
  l->net = cfg->venue->net;
  if (l->net->weight_per_min && l->cfg.weight_per_min > l->net->weight_per_min)
    l->cfg.weight_per_min = l->net->weight_per_min;
  l->seed          = cfg->seed;
  l->deeper_symbol = MD_LIVE_NONE;
  copy_base(l->url, sizeof l->url, cfg->url, l->net->ws_url);
  copy_base(l->rest_url, sizeof l->rest_url, cfg->rest_url, l->net->rest_url);
  for (uint32_t n = 0; n < MD_CONNECTION_CNT_MAX; n++)
    l->owner[n].link = MD_LIVE_NONE;
  md_err_t err = MD_OK;
  if (!l->net->list_url(l->list_url, sizeof l->list_url, l->rest_url))
    err = md_fail(msg, MD_ERR_CONFIG, "the REST URL of %s is too long", cfg->name);
  if (!err) err = md_feed_live_auth_open(l, msg);
  if (!err) err = md_feed_live_choose(l, msg);
  if (!err) err = open_transport(l, msg);
  if (err) {
    md_feed_live_close(l);
    return err;
  }
  *out = l;
  return MD_OK;
}

void
md_feed_live_close(md_feed_live_t *l) {
  if (!l) return;
  if (l->transport) l->cfg.transport->close(l->transport);
  for (uint32_t n = 0; n < l->pending_cnt; n++)
    free(l->pending[(l->pending_first + n) % MD_LIVE_PENDING_CNT].payload);
  for (uint32_t n = 0; n < l->link_cnt; n++) {
    free(l->link[n].half[0].url);
    free(l->link[n].half[1].url);
    free(l->link[n].stream);
  }
  md_feed_live_auth_close(l);
  free(l->symbol);
  free(l->stream);
  free(l->hash);
  free(l);
}
