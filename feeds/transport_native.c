/* The native transport: the table of functions, the wait for sockets, and what time alone brings.
 */
#include "feeds/native_parts.h"

#include "feeds/url.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#define NS_PER_S        1000000000
#define NS_PER_MS       1000000
#define RESOLVE_POLL_NS 2000000 /* longest wait while a name is looked up */
#define READY_CNT       64
/* An open and a close of each connection always find room, and those between two polls. */
#define EVENT_ROOM (MD_NATIVE_EVENT_CNT + 3 * MD_CONNECTION_CNT_MAX)

static const uint8_t nothing[MD_FRAME_PAD_BYTES];

/* ---- what the other files ask for ---- */

md_transport_event_t *
md_native_event(md_native_connection_t *c, md_transport_kind_t kind, const void *payload,
                size_t len) {
  md_transport_t *t = c->transport;
  md_assert(t->event_cnt < EVENT_ROOM);
  if (c->read_ns == 0 || kind == MD_TRANSPORT_CLOSE) {
    if (t->recv_ns == 0) t->recv_ns = md_clock_real_ns(t->cfg.clock);
    c->read_ns = t->recv_ns;
  }
  md_transport_event_t *e = &t->event[t->event_cnt++];
  *e                      = (md_transport_event_t){.kind       = kind,
                                                   .connection = c->number,
                                                   .payload    = payload ? payload : nothing,
                                                   .len        = (uint32_t)len,
                                                   .recv_ns    = c->read_ns};
  return e;
}

void
md_native_set_reason(md_native_connection_t *c, const char *text, size_t len) {
  if (c->reason[0]) return;
  if (len >= MD_NATIVE_REASON_BYTES) len = MD_NATIVE_REASON_BYTES - 1;
  memcpy(c->reason, text, len);
}

void
md_native_set_phase(md_native_connection_t *c, md_native_phase_t phase) {
  md_transport_t *t = c->transport;
  t->resolving_cnt += (phase == MD_NATIVE_RESOLVING) - (uint32_t)(c->phase == MD_NATIVE_RESOLVING);
  t->gone_cnt += (phase == MD_NATIVE_GONE) - (uint32_t)(c->phase == MD_NATIVE_GONE);
  c->phase = phase;
}

void
md_native_set_due(md_native_connection_t *c, int64_t due_ns) {
  c->due_ns = due_ns;
  if (due_ns < c->transport->timer_ns) c->transport->timer_ns = due_ns;
}

void
md_native_set_pending(md_native_connection_t *c, bool is_pending) {
  c->transport->pending_cnt += is_pending - (uint32_t)c->is_pending;
  c->is_pending = is_pending;
}

void
md_native_watch(md_native_connection_t *c) {
  if (c->fd < 0) return;
  uint32_t events = c->phase == MD_NATIVE_CONNECTING ? EPOLLOUT : EPOLLIN;
  if (c->is_writing) events |= EPOLLOUT;
  if (events == c->epoll_events) return;
  struct epoll_event e = {.events = events, .data.u32 = c->number};
  /* Without memory for it the connection runs into its timeout. */
  (void)epoll_ctl(c->transport->epoll, c->epoll_events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e);
  c->epoll_events = events;
}

void
md_native_random(md_transport_t *t, uint8_t *out, uint32_t len) {
  if (sizeof t->random - t->random_used < len) {
    ssize_t got = getrandom(t->random, sizeof t->random, 0);
    md_assert(got == sizeof t->random); /* the kernel never gives less than 256 bytes */
    t->random_used = 0;
  }
  memcpy(out, t->random + t->random_used, len);
  t->random_used += len;
}

/* ---- connections ---- */

static void
free_connection(md_native_connection_t *c) {
  md_transport_t *t = c->transport;
  md_native_drop_socket(c);
  md_native_set_phase(c, MD_NATIVE_GONE);
  t->gone_cnt--;
  t->connection[c->number] = NULL;
  t->connection_cnt--;
  md_ws_inflate_close(c->inflate);
  free(c->walk.p);
  free(c->plain);
  free(c->tx);
  free(c->url);
  free(c);
}

void
md_native_finish(md_native_connection_t *c, uint16_t code) {
  if (c->phase == MD_NATIVE_GONE) return;
  md_native_drop_socket(c);
  md_native_set_phase(c, MD_NATIVE_GONE);
  c->due_ns                                                                  = MD_NATIVE_NEVER;
  md_native_event(c, MD_TRANSPORT_CLOSE, c->reason, strlen(c->reason))->code = code;
}

static md_native_connection_t *
connection_of(md_transport_t *t, uint32_t number) {
  return number < MD_CONNECTION_CNT_MAX ? t->connection[number] : NULL;
}

/* ---- the table ---- */

static void
backend_close(md_transport_t *t) {
  if (!t) return;
  for (uint32_t n = 0; n < t->cfg.connection_cnt_max; n++)
    if (t->connection[n]) free_connection(t->connection[n]);
  if (t->epoll >= 0) (void)close(t->epoll);
  md_resolver_close(t->resolver);
  md_tls_close(t->tls);
  explicit_bzero(t->random, sizeof t->random);
  free(t->event);
  free(t);
}

static md_err_t
backend_open(const md_transport_config_t *cfg, md_transport_t **out, md_msg_t *msg) {
  md_assert(cfg->connection_cnt_max > 0 && cfg->connection_cnt_max <= MD_CONNECTION_CNT_MAX);
  md_assert(cfg->message_bytes_max > 0 && cfg->message_bytes_max <= MD_FRAME_BYTES_MAX);
  md_transport_t *t = calloc(1, sizeof *t);
  if (!t) return md_fail(msg, MD_ERR_NOMEM, "no memory for connections");
  t->cfg         = *cfg;
  t->timer_ns    = MD_NATIVE_NEVER;
  t->random_used = sizeof t->random;
  t->epoll       = epoll_create1(EPOLL_CLOEXEC);
  t->event       = calloc(EVENT_ROOM, sizeof *t->event);
  md_err_t err   = MD_OK;
  if (t->epoll < 0) err = md_fail_errno(msg, errno, "cannot wait for sockets");
  if (!t->event) err = md_fail(msg, MD_ERR_NOMEM, "no memory for connections");
  if (!err) err = md_tls_open(cfg->ca_file, &t->tls, msg);
  const md_resolver_config_t rc = {
      .clock = cfg->clock, .lookup = cfg->lookup, .lookup_ctx = cfg->lookup_ctx, .seed = cfg->seed};
  if (!err) err = md_resolver_open(&rc, &t->resolver, msg);
  if (err) {
    backend_close(t);
    return err;
  }
  *out = t;
  return MD_OK;
}

static md_err_t
take_connection(md_transport_t *t, const char *url, md_native_connection_t **out) {
  uint32_t n = 0;
  while (n < t->cfg.connection_cnt_max && t->connection[n])
    n++;
  if (n == t->cfg.connection_cnt_max) return MD_ERR_FULL;
  md_native_connection_t *c    = calloc(1, sizeof *c);
  char                   *copy = strdup(url);
  if (!c || !copy) {
    free(c);
    free(copy);
    return MD_ERR_NOMEM;
  }
  *c = (md_native_connection_t){
      .transport = t,
      .number    = n,
      .phase     = MD_NATIVE_RESOLVING,
      .fd        = -1,
      .url       = copy,
      .due_ns    = MD_NATIVE_NEVER,
      .walk      = {.message_bytes_max = t->cfg.message_bytes_max},
  };
  t->resolving_cnt++;
  t->connection_cnt++;
  t->connection[n] = c;
  *out             = c;
  return MD_OK;
}

static md_err_t
backend_connect(md_transport_t *t, const char *url, uint32_t *connection, md_msg_t *msg) {
  md_url_t                u;
  md_native_connection_t *c;
  md_err_t                err = md_url_parse(url, &u, msg);
  if (err) return err;
  if (!u.is_websocket)
    return md_fail(msg, MD_ERR_SYNTAX, "'%.80s' is not a ws:// or wss:// URL", url);
  err = take_connection(t, url, &c);
  if (err == MD_ERR_FULL)
    return md_fail(msg, err, "%u connections are open, no more fit", t->cfg.connection_cnt_max);
  if (err) return md_fail(msg, err, "no memory for a connection");
  *connection = c->number;
  t->counts.connect_cnt++;
  t->now_ns = md_clock_mono_ns(t->cfg.clock);
  md_native_resolve(c);
  return MD_OK;
}

static md_err_t
backend_send(md_transport_t *t, uint32_t connection, const char *text, uint32_t len) {
  md_native_connection_t *c = connection_of(t, connection);
  if (!c || c->phase != MD_NATIVE_OPEN) return MD_ERR_ABSENT;
  if (c->text_cnt == MD_NATIVE_SEND_CNT_MAX) return MD_ERR_FULL;
  md_err_t err = md_native_put(c, MD_WS_TEXT, text, len);
  if (err) return err;
  c->text_cnt++;
  md_native_flush(c);
  return MD_OK;
}

static void
backend_disconnect(md_transport_t *t, uint32_t connection, uint16_t code) {
  static const char       why[] = "closed by us";
  md_native_connection_t *c     = connection_of(t, connection);
  if (!c || c->phase == MD_NATIVE_CLOSING || c->phase == MD_NATIVE_GONE) return;
  md_native_set_reason(c, why, sizeof why - 1);
  if (c->phase != MD_NATIVE_OPEN) {
    md_native_finish(c, code);
    return;
  }
  t->now_ns     = md_clock_mono_ns(t->cfg.clock);
  c->close_code = code;
  md_native_set_phase(c, MD_NATIVE_CLOSING);
  md_native_set_due(c, t->now_ns + MD_NATIVE_CLOSE_NS);
  md_native_put_close(c, code);
  md_native_flush(c);
}

/* ---- poll ---- */

/* The events of the last poll are forgotten; those that connect and disconnect made since are not.
 * A connection whose CLOSE was among them goes now, and its number may be given again. */
static void
forget_given(md_transport_t *t) {
  t->event_cnt -= t->given_cnt;
  if (t->event_cnt) memmove(t->event, t->event + t->given_cnt, t->event_cnt * sizeof *t->event);
  t->given_cnt = 0;
  for (uint32_t n = 0; t->gone_cnt > 0 && n < t->cfg.connection_cnt_max; n++)
    if (t->connection[n] && t->connection[n]->is_given) free_connection(t->connection[n]);
}

/* Once in a poll: a second read would move what its events point to. */
static void
serve(md_native_connection_t *c, bool may_write) {
  if (c->poll_id == c->transport->poll_id || c->phase == MD_NATIVE_GONE) return;
  c->poll_id = c->transport->poll_id;
  if (c->phase < MD_NATIVE_OPEN) {
    md_native_go_on(c);
    return;
  }
  if (may_write && c->is_writing) md_native_flush(c);
  md_native_service(c);
}

static int
wait_for_sockets(md_transport_t *t, int64_t max_ns, struct epoll_event *ready) {
  if (max_ns <= 0) return epoll_wait(t->epoll, ready, READY_CNT, 0);
  if (!t->has_no_pwait2) {
    struct timespec limit = {.tv_sec = max_ns / NS_PER_S, .tv_nsec = max_ns % NS_PER_S};
    int             cnt   = epoll_pwait2(t->epoll, ready, READY_CNT, &limit, NULL);
    if (cnt >= 0 || errno == EINTR) return cnt;
    t->has_no_pwait2 = true;
  }
  int64_t ms = (max_ns + NS_PER_MS - 1) / NS_PER_MS; /* upwards: less is no wait at all */
  return epoll_wait(t->epoll, ready, READY_CNT, ms < INT_MAX ? (int)ms : INT_MAX);
}

/* The only connection there is needs no asking which: its socket is read at once. */
static md_native_connection_t *
only_one(md_transport_t *t) {
  if (t->connection_cnt != 1) return NULL;
  uint32_t n = 0;
  while (!t->connection[n])
    n++;
  md_native_connection_t *c = t->connection[n];
  return c->phase == MD_NATIVE_OPEN && !c->is_writing ? c : NULL;
}

static void
look(md_transport_t *t, int64_t max_ns) {
  struct epoll_event      ready[READY_CNT];
  md_native_connection_t *only = max_ns <= 0 ? only_one(t) : NULL;
  if (only) {
    serve(only, false);
    return;
  }
  for (uint32_t n = 0; t->pending_cnt > 0 && n < t->cfg.connection_cnt_max; n++)
    if (t->connection[n] && t->connection[n]->is_pending) serve(t->connection[n], false);
  if (t->event_cnt > 0) max_ns = 0;
  int cnt = wait_for_sockets(t, max_ns, ready);
  if (max_ns > 0) t->now_ns = md_clock_mono_ns(t->cfg.clock);
  for (int n = 0; n < cnt; n++) {
    md_native_connection_t *c = t->connection[ready[n].data.u32];
    if (c) serve(c, ready[n].events & EPOLLOUT);
  }
}

static void
on_due(md_native_connection_t *c) {
  static const char late[] = "no answer in time", mute[] = "no answer to a ping";
  md_transport_t   *t = c->transport;
  if (c->phase < MD_NATIVE_OPEN) {
    md_native_set_reason(c, late, sizeof late - 1);
    md_native_unreached(c);
  } else if (c->phase == MD_NATIVE_CLOSING) {
    md_native_finish(c, c->close_code);
  } else if (c->ping_ns) {
    md_native_set_reason(c, mute, sizeof mute - 1);
    md_native_finish(c, MD_CLOSE_LOST);
  } else {
    int64_t patience = t->cfg.pong_ns - t->cfg.ping_ns;
    c->ping_ns       = t->now_ns;
    md_native_set_due(c, t->now_ns + (patience > NS_PER_S ? patience : NS_PER_S));
    (void)!md_native_put(c, MD_WS_PING, NULL, 0);
    md_native_flush(c);
  }
}

/* Behind the sockets: what came in time counts, however late we look. */
static void
ring_timers(md_transport_t *t) {
  if (t->now_ns < t->timer_ns) return;
  t->timer_ns = MD_NATIVE_NEVER;
  for (uint32_t n = 0; n < t->cfg.connection_cnt_max; n++) {
    md_native_connection_t *c = t->connection[n];
    if (!c) continue;
    if (c->due_ns <= t->now_ns) on_due(c);
    if (c->due_ns < t->timer_ns) t->timer_ns = c->due_ns;
  }
}

static uint32_t
backend_poll(md_transport_t *t, int64_t max_ns, const md_transport_event_t **out) {
  forget_given(t);
  t->recv_ns = 0;
  t->poll_id++;
  t->now_ns = md_clock_mono_ns(t->cfg.clock);
  for (uint32_t n = 0; t->resolving_cnt > 0 && n < t->cfg.connection_cnt_max; n++)
    if (t->connection[n] && t->connection[n]->phase == MD_NATIVE_RESOLVING)
      md_native_resolve(t->connection[n]);
  if (t->resolving_cnt > 0 && max_ns > RESOLVE_POLL_NS) max_ns = RESOLVE_POLL_NS;
  if (max_ns > t->timer_ns - t->now_ns) max_ns = t->timer_ns - t->now_ns;
  if (t->event_cnt > 0 || t->pending_cnt > 0) max_ns = 0;
  if (max_ns > 0) md_native_ack_wait(t);
  look(t, max_ns);
  if (max_ns <= 0 && t->event_cnt == 0) md_native_ack_idle(t);
  ring_timers(t);
  for (uint32_t n = 0; t->gone_cnt > 0 && n < t->cfg.connection_cnt_max; n++)
    if (t->connection[n] && t->connection[n]->phase == MD_NATIVE_GONE)
      t->connection[n]->is_given = true;
  t->given_cnt = t->event_cnt;
  *out         = t->event;
  return t->event_cnt;
}

static void
backend_counts(const md_transport_t *t, md_transport_counts_t *out) {
  *out              = t->counts;
  out->buffer_bytes = EVENT_ROOM * sizeof *t->event;
  for (uint32_t n = 0; n < t->cfg.connection_cnt_max; n++) {
    const md_native_connection_t *c = t->connection[n];
    if (c)
      out->buffer_bytes +=
          c->rx_bytes + c->plain_bytes + c->tx_bytes + (c->tls ? MD_TLS_SOCKET_BYTES : 0);
  }
}

const md_transport_ops_t md_transport_native = {.name       = "native",
                                                .open       = backend_open,
                                                .close      = backend_close,
                                                .connect    = backend_connect,
                                                .send       = backend_send,
                                                .disconnect = backend_disconnect,
                                                .poll       = backend_poll,
                                                .counts     = backend_counts};
