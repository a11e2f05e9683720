/* libwebsockets as a transport: one context for each feed thread. Messages of one poll are laid one
 * behind the other into an arena that the events point into. Host names are looked up by the
 * resolver and connected to by address: the library would block the thread for it. */
#include "feeds/resolve.h"
#include "feeds/transport.h"
#include "feeds/url.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#include "feeds/lws_tls.h"
#include "feeds/lws_wait.h"

#define PIECE_BYTES     65536u /* most that lws hands over at a time */
#define SEND_CNT_MAX    64u
#define CLOSE_SECONDS   3 /* for the peer to answer a close frame */
#define NS_PER_S        1000000000
#define RESOLVE_POLL_NS 2000000 /* longest wait while a name is looked up */
#define REASON_BYTES    128u
#define CLOSE_BYTES     (REASON_BYTES + MD_FRAME_PAD_BYTES + 8) /* of the arena, for a CLOSE event */

/* A growing buffer with the pad behind what is used. */
typedef struct bytes {
  uint8_t *p;
  size_t   used, capacity;
} bytes_t;

typedef enum phase { PHASE_RESOLVING, PHASE_CONNECTING, PHASE_OPEN, PHASE_CLOSING } phase_t;

typedef struct connection {
  md_transport_t *transport;
  uint32_t        number;
  struct lws     *wsi; /* NULL while no address is connected to */
  phase_t         phase;
  char           *url;
  uint32_t        try_cnt;    /* addresses so far */
  bool            is_reached; /* the last of them accepted the connection */
  bool            is_told;    /* its CLOSE event was given */
  bool            is_binary;
  uint16_t        code; /* for the close frame that we send, 0 none */
  uint16_t        peer_code;
  char            reason[REASON_BYTES];
  bytes_t         message;           /* fragments so far */
  char           *out[SEND_CNT_MAX]; /* LWS_PRE bytes, then the text */
  uint32_t        out_len[SEND_CNT_MAX];
  uint32_t        out_first, out_cnt;
} connection_t;

/* The number of a connection is given again after the poll that gave its CLOSE. */
typedef enum free_state { FREE_NO, FREE_TOLD, FREE_GIVEN } free_state_t;

struct md_transport {
  md_transport_config_t cfg;
  struct lws_context   *context;
  md_resolver_t        *resolver;
  uint32_t              resolving_cnt;
  lws_retry_bo_t        retry;
  md_lws_wait_t         wait;
  connection_t         *connection[MD_CONNECTION_CNT_MAX];
  bool                  is_free[MD_CONNECTION_CNT_MAX]; /* may be given again */
  free_state_t          free_next[MD_CONNECTION_CNT_MAX];
  md_transport_event_t *event;
  size_t               *offset; /* of each event's payload in the arena, which may move */
  uint32_t              event_cnt, event_max;
  uint32_t              given_cnt; /* of them, by the last poll */
  bytes_t               arena;
  int64_t               recv_ns; /* of this look at the sockets, 0 not asked yet */
  bool                  is_closing;
  md_transport_counts_t counts;
};

/* ---- memory ---- */

static bool
bytes_reserve(bytes_t *b, size_t more) {
  size_t need     = b->used + more + MD_FRAME_PAD_BYTES;
  size_t capacity = b->capacity ? b->capacity : PIECE_BYTES;
  if (need <= b->capacity) return true;
  while (capacity < need)
    capacity *= 2;
  uint8_t *grown = realloc(b->p, capacity);
  if (!grown) return false;
  b->p        = grown;
  b->capacity = capacity;
  return true;
}

static bool
bytes_add(bytes_t *b, const void *p, size_t len) {
  if (!bytes_reserve(b, len)) return false;
  if (len) memcpy(b->p + b->used, p, len);
  b->used += len;
  memset(b->p + b->used, 0, MD_FRAME_PAD_BYTES);
  return true;
}

static void
bytes_free(bytes_t *b) {
  free(b->p);
  *b = (bytes_t){0};
}

/* ---- events ---- */

static bool
events_reserve(md_transport_t *t, uint32_t more) {
  if (t->event_cnt + more <= t->event_max) return true;
  uint32_t              max   = (t->event_cnt + more) * 2;
  md_transport_event_t *grown = realloc(t->event, max * sizeof *grown);
  if (grown) t->event = grown;
  size_t *offset = realloc(t->offset, max * sizeof *offset);
  if (offset) t->offset = offset;
  if (!grown || !offset) return false;
  t->event_max = max;
  return true;
}

static bool
add_event(connection_t *c, md_transport_kind_t kind, const void *payload, size_t len) {
  md_transport_t *t = c->transport;
  if (t->is_closing) return true;
  if (!events_reserve(t, 1)) return false;
  size_t off = t->arena.used;
  if (!bytes_add(&t->arena, payload, len)) return false;
  t->arena.used = (t->arena.used + MD_FRAME_PAD_BYTES + 7) & ~(size_t)7;
  if (!bytes_reserve(&t->arena, 0)) return false;
  if (t->recv_ns == 0) t->recv_ns = md_clock_real_ns(t->cfg.clock);
  t->offset[t->event_cnt]  = off;
  t->event[t->event_cnt++] = (md_transport_event_t){
      .kind = kind, .connection = c->number, .len = (uint32_t)len, .recv_ns = t->recv_ns};
  return true;
}

/* What connect and disconnect may add between two polls must not move what was given. */
static bool
reserve_for_closes(md_transport_t *t) {
  return events_reserve(t, MD_CONNECTION_CNT_MAX) &&
         bytes_reserve(&t->arena, MD_CONNECTION_CNT_MAX * CLOSE_BYTES);
}

static void
set_phase(connection_t *c, phase_t phase) {
  md_transport_t *t = c->transport;
  if (c->phase == PHASE_RESOLVING) t->resolving_cnt--;
  if (phase == PHASE_RESOLVING) t->resolving_cnt++;
  c->phase = phase;
}

static void
tell_close(connection_t *c, const char *reason, size_t len) {
  md_transport_t *t = c->transport;
  if (c->is_told) return;
  c->is_told = true;
  set_phase(c, PHASE_CLOSING);
  if (t->is_closing || !add_event(c, MD_TRANSPORT_CLOSE, reason, len)) return;
  t->event[t->event_cnt - 1].code = c->peer_code ? c->peer_code
                                    : c->code    ? c->code
                                                 : (uint16_t)MD_CLOSE_LOST;
  t->free_next[c->number]         = FREE_TOLD;
}

static void
free_connection(connection_t *c) {
  md_transport_t *t = c->transport;
  for (uint32_t n = 0; n < c->out_cnt; n++)
    free(c->out[(c->out_first + n) % SEND_CNT_MAX]);
  bytes_free(&c->message);
  if (c->phase == PHASE_RESOLVING) t->resolving_cnt--;
  free(c->url);
  if (t->connection[c->number] == c) t->connection[c->number] = NULL;
  free(c);
}

/* ---- messages ---- */

static void
begin_close(connection_t *c, uint16_t code, const char *reason) {
  if (c->phase == PHASE_CLOSING) return;
  set_phase(c, PHASE_CLOSING);
  c->code = code;
  if (!c->reason[0]) (void)snprintf(c->reason, sizeof c->reason, "%s", reason);
  if (c->wsi) lws_set_timeout(c->wsi, PENDING_TIMEOUT_CLOSE_SEND, CLOSE_SECONDS);
}

/* A connection is never given up by what its receive callback returns: libwebsockets 4.1.6 then
 * keeps the place in its receive buffer, goes on receiving until the close frame is away, and
 * writes behind that buffer. */
static void
refuse(connection_t *c, const char *reason) {
  begin_close(c, MD_CLOSE_TOO_LARGE, reason);
  lws_callback_on_writable(c->wsi);
}

static void
on_receive(connection_t *c, const uint8_t *p, size_t len) {
  md_transport_t *t = c->transport;
  if (c->phase != PHASE_OPEN) return;
  if (lws_is_first_fragment(c->wsi)) {
    c->message.used = 0;
    c->is_binary    = lws_frame_is_binary(c->wsi);
  }
  bool   is_last = lws_is_final_fragment(c->wsi);
  size_t whole   = c->message.used + len;
  if (whole + lws_remaining_packet_payload(c->wsi) > t->cfg.message_bytes_max) {
    t->counts.oversize_cnt++;
    refuse(c, "a message above the limit");
    return;
  }
  md_transport_kind_t kind = c->is_binary ? MD_TRANSPORT_BINARY : MD_TRANSPORT_TEXT;
  bool                ok;
  if (is_last && c->message.used == 0) {
    ok = add_event(c, kind, p, len);
  } else {
    ok = bytes_add(&c->message, p, len);
    if (ok && is_last) {
      ok              = add_event(c, kind, c->message.p, c->message.used);
      c->message.used = 0;
    }
  }
  if (!ok) refuse(c, "no memory for a message");
}

static int
on_writable(connection_t *c) {
  if (c->phase == PHASE_CLOSING) {
    lws_close_reason(c->wsi, (enum lws_close_status)c->code, NULL, 0);
    return -1;
  }
  if (c->out_cnt == 0) return 0;
  char    *text = c->out[c->out_first];
  uint32_t len  = c->out_len[c->out_first];
  c->out_first  = (c->out_first + 1) % SEND_CNT_MAX;
  c->out_cnt--;
  int written = lws_write(c->wsi, (unsigned char *)text + LWS_PRE, len, LWS_WRITE_TEXT);
  free(text);
  if (written < (int)len) return -1;
  if (c->out_cnt) lws_callback_on_writable(c->wsi);
  return 0;
}

static void
on_peer_close(connection_t *c, const uint8_t *p, size_t len) {
  if (len >= 2) c->peer_code = (uint16_t)(p[0] << 8 | p[1]);
  size_t text = len > 2 ? len - 2 : 0;
  if (text >= sizeof c->reason) text = sizeof c->reason - 1;
  if (text && !c->reason[0]) memcpy(c->reason, p + 2, text);
}

/* The library only says that TLS failed; here OpenSSL says why. */
static int
on_certificate(connection_t *c, X509_STORE_CTX *store, bool is_good) {
  if (is_good) return 0;
  if (c && !c->reason[0])
    (void)snprintf(c->reason, sizeof c->reason, "the certificate is refused: %s",
                   X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
  return 1;
}

/* ---- opening ---- */

static void
give_up(connection_t *c) {
  tell_close(c, c->reason, strlen(c->reason));
  free_connection(c);
}

/* The library has no more to do with c. Where nobody accepted the connection, the name's next
 * address is tried. */
static void
on_unreached(connection_t *c) {
  md_transport_t *t = c->transport;
  md_url_t        u;
  c->wsi = NULL;
  if (c->phase != PHASE_CONNECTING || t->is_closing || md_url_parse(c->url, &u, NULL)) {
    give_up(c);
    return;
  }
  md_resolver_refused(t->resolver, u.host);
  if (c->is_reached || ++c->try_cnt >= md_resolver_address_cnt(t->resolver, u.host)) {
    give_up(c);
    return;
  }
  c->reason[0] = 0;
  set_phase(c, PHASE_RESOLVING);
}

static void
note_certificate(connection_t *c) {
  union lws_tls_cert_info_results info;
  if (lws_tls_peer_cert_info(c->wsi, LWS_TLS_CERT_INFO_VALIDITY_TO, &info, 0)) return;
  c->transport->counts.certificate_end_s = info.time > 0 ? (uint64_t)info.time : 0;
}

static int
callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
  if (reason == LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION)
    return on_certificate(lws_wsi_user(wsi), user, len != 0);
  connection_t *c = user;
  if (!c) return 0;
    /* Everything else is nothing to us. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
  switch (reason) {
  case LWS_CALLBACK_CLIENT_ESTABLISHED:
    if (c->phase == PHASE_CLOSING) return -1;
    set_phase(c, PHASE_OPEN);
    c->wsi = wsi;
    note_certificate(c);
    return add_event(c, MD_TRANSPORT_OPEN, NULL, 0) ? 0 : -1;
  case LWS_CALLBACK_CLIENT_RECEIVE:
    on_receive(c, in, len);
    return 0;
  case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
    if (c->phase == PHASE_OPEN) (void)add_event(c, MD_TRANSPORT_PONG, in, len);
    return 0;
  case LWS_CALLBACK_CLIENT_WRITEABLE:
    return on_writable(c);
  case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
    on_peer_close(c, in, len);
    return 0;
  case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
    if (in && !c->reason[0])
      (void)snprintf(c->reason, sizeof c->reason, "%.*s", (int)len, (const char *)in);
    lws_set_wsi_user(wsi, NULL); /* what still comes is not about c */
    on_unreached(c);
    return 0;
  case LWS_CALLBACK_WSI_CREATE:
    c->is_reached = true;
    return 0;
  case LWS_CALLBACK_CLIENT_CLOSED:
    tell_close(c, c->reason, strlen(c->reason));
    return 0;
  case LWS_CALLBACK_WSI_DESTROY:
    on_unreached(c);
    return 0;
  default:
    return 0;
  }
#pragma GCC diagnostic pop
}

static const struct lws_protocols protocols[] = {
    {.name = "md", .callback = callback, .rx_buffer_size = PIECE_BYTES}, {0}};

/* ---- the table ---- */

static void
backend_close(md_transport_t *t) {
  if (!t) return;
  t->is_closing = true;
  if (t->context) lws_context_destroy(t->context);
  for (uint32_t n = 0; n < t->cfg.connection_cnt_max; n++)
    if (t->connection[n]) free_connection(t->connection[n]);
  md_resolver_close(t->resolver);
  bytes_free(&t->arena);
  free(t->event);
  free(t->offset);
  free(t);
}

static md_err_t
backend_open(const md_transport_config_t *cfg, md_transport_t **out, md_msg_t *msg) {
  md_assert(cfg->connection_cnt_max > 0 && cfg->connection_cnt_max <= MD_CONNECTION_CNT_MAX);
  md_assert(cfg->message_bytes_max > 0 && cfg->message_bytes_max <= MD_FRAME_BYTES_MAX);
  struct lws_context_creation_info info = {.port             = CONTEXT_PORT_NO_LISTEN,
                                           .protocols        = protocols,
                                           .gid              = -1,
                                           .uid              = -1,
                                           .pt_serv_buf_size = PIECE_BYTES,
                                           .timeout_secs =
                                               (unsigned)(cfg->connect_timeout_ns / NS_PER_S)};
  md_err_t                         err  = md_lws_tls(&info, cfg->ca_file, msg);
  if (err) return err;
  md_transport_t *t = calloc(1, sizeof *t);
  if (!t || !bytes_add(&t->arena, NULL, 0)) {
    free(t);
    return md_fail(msg, MD_ERR_NOMEM, "no memory for connections");
  }
  t->cfg   = *cfg;
  t->retry = (lws_retry_bo_t){.secs_since_valid_ping   = (uint16_t)(cfg->ping_ns / NS_PER_S),
                              .secs_since_valid_hangup = (uint16_t)(cfg->pong_ns / NS_PER_S)};
  for (uint32_t n = 0; n < cfg->connection_cnt_max; n++)
    t->is_free[n] = true;
  const md_resolver_config_t rc = {
      .clock = cfg->clock, .lookup = cfg->lookup, .lookup_ctx = cfg->lookup_ctx, .seed = cfg->seed};
  err = md_resolver_open(&rc, &t->resolver, msg);
  if (err) {
    backend_close(t);
    return err;
  }
  info.retry_and_idle_policy = &t->retry;
  lws_set_log_level(0, NULL); /* what matters comes as the reason of a CLOSE */
  t->context = lws_create_context(&info);
  if (!t->context) {
    backend_close(t);
    return md_fail(msg, MD_ERR_IO, "libwebsockets gives no context: too few descriptors or memory");
  }
  *out = t;
  return MD_OK;
}

static md_err_t
take_connection(md_transport_t *t, connection_t **out) {
  for (uint32_t n = 0; n < t->cfg.connection_cnt_max; n++) {
    if (!t->is_free[n] || t->connection[n]) continue;
    connection_t *c = calloc(1, sizeof *c);
    if (!c) return MD_ERR_NOMEM;
    *c = (connection_t){.transport = t, .number = n, .phase = PHASE_RESOLVING};
    t->resolving_cnt++;
    t->connection[n] = c;
    t->is_free[n]    = false;
    *out             = c;
    return MD_OK;
  }
  return MD_ERR_FULL;
}

/* The name goes along: the certificate must hold for it, and the server is told it twice. */
static void
connect_to_address(connection_t *c, const md_url_t *u, const char *address) {
  md_transport_t *t      = c->transport;
  uint32_t        number = c->number;
  struct lws     *wsi    = NULL;
  char            host[MD_URL_HOST_BYTES_MAX];
  md_url_host(u, host);
  struct lws_client_connect_info info = {.context               = t->context,
                                         .address               = address,
                                         .port                  = u->port,
                                         .ssl_connection        = u->is_tls ? LCCSCF_USE_SSL : 0,
                                         .path                  = u->path,
                                         .host                  = host,
                                         .origin                = NULL,
                                         .protocol              = NULL,
                                         .local_protocol_name   = protocols[0].name,
                                         .userdata              = c,
                                         .alpn                  = "http/1.1",
                                         .retry_and_idle_policy = &t->retry,
                                         .pwsi                  = &wsi};
  set_phase(c, PHASE_CONNECTING);
  c->is_reached = false;
  (void)lws_client_connect_via_info(&info);
  /* A refusal inside the call has told of itself when the library had got as far as a wsi of ours,
   * and c may be gone, or wait for another address. */
  if (t->connection[number] != c || c->phase != PHASE_CONNECTING) return;
  c->wsi = wsi;
  if (wsi) return;
  if (!c->reason[0]) (void)snprintf(c->reason, sizeof c->reason, "no connection could be begun");
  on_unreached(c);
}

static void
go_on_resolving(connection_t *c) {
  md_url_t    u;
  md_msg_t    msg = {0};
  const char *address;
  md_err_t    err = md_url_parse(c->url, &u, &msg);
  if (!err) err = md_resolver_ask(c->transport->resolver, u.host, &address, &msg);
  if (err == MD_ERR_BUSY) return;
  if (!err) {
    connect_to_address(c, &u, address);
    return;
  }
  (void)snprintf(c->reason, sizeof c->reason, "%.*s", (int)sizeof c->reason - 1, msg.text);
  give_up(c);
}

static md_err_t
backend_connect(md_transport_t *t, const char *url, uint32_t *connection, md_msg_t *msg) {
  md_url_t      u;
  connection_t *c;
  md_err_t      err = md_url_parse(url, &u, msg);
  if (err) return err;
  if (!u.is_websocket)
    return md_fail(msg, MD_ERR_SYNTAX, "'%.80s' is not a ws:// or wss:// URL", url);
  err = take_connection(t, &c);
  if (err)
    return md_fail(msg, err, "%u connections are open, no more fit", t->cfg.connection_cnt_max);
  c->url = strdup(url);
  if (!c->url) {
    t->is_free[c->number] = true;
    free_connection(c);
    return md_fail(msg, MD_ERR_NOMEM, "no memory for a connection");
  }
  *connection = c->number;
  t->counts.connect_cnt++;
  go_on_resolving(c);
  return MD_OK;
}

static md_err_t
backend_send(md_transport_t *t, uint32_t connection, const char *text, uint32_t len) {
  connection_t *c = connection < MD_CONNECTION_CNT_MAX ? t->connection[connection] : NULL;
  if (!c || c->phase != PHASE_OPEN) return MD_ERR_ABSENT;
  if (c->out_cnt == SEND_CNT_MAX) return MD_ERR_FULL;
  char *copy = malloc(LWS_PRE + len + 1u);
  if (!copy) return MD_ERR_NOMEM;
  memcpy(copy + LWS_PRE, text, len);
  uint32_t at    = (c->out_first + c->out_cnt++) % SEND_CNT_MAX;
  c->out[at]     = copy;
  c->out_len[at] = len;
  lws_callback_on_writable(c->wsi);
  return MD_OK;
}

static void
backend_disconnect(md_transport_t *t, uint32_t connection, uint16_t code) {
  connection_t *c = connection < MD_CONNECTION_CNT_MAX ? t->connection[connection] : NULL;
  if (!c || c->phase == PHASE_CLOSING) return;
  bool was_open = c->phase == PHASE_OPEN;
  begin_close(c, code, "closed by us");
  if (!c->wsi) {
    give_up(c);
    return;
  }
  if (was_open)
    lws_callback_on_writable(c->wsi);
  else
    lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

/* The events of the last poll are forgotten; those that connect and disconnect made since are not.
 */
static void
forget_given(md_transport_t *t) {
  t->event_cnt -= t->given_cnt;
  for (uint32_t n = 0; n < t->event_cnt; n++) {
    t->event[n]  = t->event[n + t->given_cnt];
    t->offset[n] = t->offset[n + t->given_cnt];
  }
  t->given_cnt = 0;
  if (t->event_cnt == 0) t->arena.used = 0;
  for (uint32_t n = 0; n < t->cfg.connection_cnt_max; n++) {
    if (t->free_next[n] == FREE_GIVEN) t->is_free[n] = true;
    if (t->free_next[n] == FREE_GIVEN) t->free_next[n] = FREE_NO;
  }
}

static uint32_t
backend_poll(md_transport_t *t, int64_t max_ns, const md_transport_event_t **out) {
  forget_given(t);
  t->recv_ns = 0;
  for (uint32_t n = 0; t->resolving_cnt > 0 && n < t->cfg.connection_cnt_max; n++)
    if (t->connection[n] && t->connection[n]->phase == PHASE_RESOLVING)
      go_on_resolving(t->connection[n]);
  if (t->resolving_cnt > 0 && max_ns > RESOLVE_POLL_NS) max_ns = RESOLVE_POLL_NS;
  if (max_ns > 0 && t->event_cnt == 0)
    md_lws_wait(&t->wait, t->context, md_lws_wait_us(max_ns));
  else
    (void)lws_service(t->context, -1);
  if (!reserve_for_closes(t)) t->event_cnt = 0; /* no memory: as if the network had lost it */
  for (uint32_t n = 0; n < t->event_cnt; n++)
    t->event[n].payload = t->arena.p + t->offset[n];
  for (uint32_t n = 0; n < t->cfg.connection_cnt_max; n++)
    if (t->free_next[n] == FREE_TOLD) t->free_next[n] = FREE_GIVEN;
  t->given_cnt = t->event_cnt;
  *out         = t->event;
  return t->event_cnt;
}

static void
backend_counts(const md_transport_t *t, md_transport_counts_t *out) {
  *out              = t->counts;
  out->buffer_bytes = t->arena.capacity + t->event_max * (sizeof *t->event + sizeof *t->offset);
  for (uint32_t n = 0; n < t->cfg.connection_cnt_max; n++)
    if (t->connection[n]) out->buffer_bytes += t->connection[n]->message.capacity;
}

const md_transport_ops_t md_transport_lws = {.name       = "libwebsockets",
                                             .open       = backend_open,
                                             .close      = backend_close,
                                             .connect    = backend_connect,
                                             .send       = backend_send,
                                             .disconnect = backend_disconnect,
                                             .poll       = backend_poll,
                                             .counts     = backend_counts};
