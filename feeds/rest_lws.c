/* HTTP GETs by libwebsockets: a connection each, whole bodies. The library times each step by
 * itself and the body not at all, so the whole exchange has a deadline of ours. */
#include "feeds/http.h"
#include "feeds/resolve.h"
#include "feeds/url.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#include "feeds/lws_tls.h"
#include "feeds/lws_wait.h"

#define NS_PER_S       1000000000
#define PIECE_BYTES    65536u
#define BODY_BYTES_MAX MD_FRAME_BYTES_MAX
#define TRUST_CNT_MAX  MD_FEED_CNT_MAX
#define TIMEOUT_SECONDS                                                                            \
  10 /* of a step; an address that does not answer leaves time for another                         \
      */

typedef struct flight {
  md_http_t  *http;
  bool        is_used, is_done;
  bool        is_resolving, is_reached; /* before, and once an address accepted the connection */
  void       *request;
  struct lws *wsi; /* NULL while no address is connected to */
  char       *url;
  uint32_t    trust, try_cnt;
  int64_t     deadline_ns;
  uint32_t    code;
  int64_t     retry_after_s;
  uint8_t    *body;
  uint32_t    len, capacity;
} flight_t;

struct md_http {
  md_http_config_t    cfg;
  struct lws_context *context;
  md_resolver_t      *resolver;
  struct lws_vhost   *trust[TRUST_CNT_MAX];
  uint32_t            trust_cnt;
  md_http_done_t      done;
  void               *ctx;
  bool                is_closing;
  md_lws_wait_t       wait;
  flight_t            flight[MD_HTTP_FLYING_MAX];
};

static void
finish(flight_t *f, bool is_whole) {
  if (f->is_done) return;
  f->is_done = true;
  if (f->http->is_closing) return;
  md_http_result_t result = {.code          = is_whole || f->code != 200 ? f->code : 0,
                             .retry_after_s = f->retry_after_s,
                             .body          = f->body,
                             .len           = f->len};
  f->http->done(f->http->ctx, f->request, &result);
}

static void
forget(flight_t *f) {
  free(f->body);
  free(f->url);
  *f = (flight_t){.http = f->http};
}

static int
on_body(flight_t *f, const void *p, size_t len) {
  if (f->len + len > BODY_BYTES_MAX) return -1;
  if (f->len + len > f->capacity) {
    uint32_t capacity = f->capacity ? f->capacity : PIECE_BYTES;
    while (capacity < f->len + len)
      capacity *= 2;
    uint8_t *grown = realloc(f->body, capacity);
    if (!grown) return -1;
    f->body     = grown;
    f->capacity = capacity;
  }
  memcpy(f->body + f->len, p, len);
  f->len += (uint32_t)len;
  return 0;
}

static void
on_headers(flight_t *f) {
  char text[32];
  f->code          = lws_http_client_http_response(f->wsi);
  f->retry_after_s = -1;
  if (lws_hdr_copy(f->wsi, text, sizeof text, WSI_TOKEN_HTTP_RETRY_AFTER) <= 0) return;
  char     *end;
  long long seconds = strtoll(text, &end, 10);
  if (end != text && *end == 0 && seconds >= 0 && seconds <= 7 * 86400) f->retry_after_s = seconds;
}

/* An agent's name; some hosts refuse clients without one. */
static int
add_headers(struct lws *wsi, unsigned char **at, size_t len) {
  static const unsigned char agent[] = "mdengine";
  return lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_USER_AGENT, agent, sizeof agent - 1, at,
                                      *at + len);
}

static int
read_piece(struct lws *wsi) {
  char  buffer[LWS_PRE + 4096];
  char *p   = buffer + LWS_PRE;
  int   len = (int)sizeof buffer - LWS_PRE;
  return lws_http_client_read(wsi, &p, &len) < 0 ? -1 : 0;
}

static void
give_up(flight_t *f) {
  finish(f, false);
  forget(f);
}

/* The library has no more to do with f. Where nobody accepted the connection, the name's next
 * address is tried. */
static void
on_gone(flight_t *f) {
  md_http_t *h = f->http;
  md_url_t   u;
  f->wsi = NULL;
  if (f->is_done || f->is_reached || h->is_closing || md_url_parse(f->url, &u, NULL)) {
    give_up(f);
    return;
  }
  md_resolver_refused(h->resolver, u.host);
  if (++f->try_cnt >= md_resolver_address_cnt(h->resolver, u.host))
    give_up(f);
  else
    f->is_resolving = true;
}

static int
callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
  if (reason == LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION) return len == 0;
  flight_t *f = user;
  if (!f) return 0;
    /* Everything else is nothing to us. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
  switch (reason) {
  case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
    return add_headers(wsi, in, len) ? -1 : 0;
  case LWS_CALLBACK_WSI_CREATE:
    f->is_reached = true;
    return 0;
  case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
    f->wsi = wsi;
    on_headers(f);
    return 0;
  case LWS_CALLBACK_RECEIVE_CLIENT_HTTP:
    return read_piece(wsi);
  case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ:
    return on_body(f, in, len);
  case LWS_CALLBACK_COMPLETED_CLIENT_HTTP:
    finish(f, true);
    return -1; /* one answer a connection */
  case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
    finish(f, false);
    return 0;
  case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
    lws_set_wsi_user(wsi, NULL); /* what still comes is not about f */
    on_gone(f);
    return 0;
  case LWS_CALLBACK_WSI_DESTROY:
    on_gone(f);
    return 0;
  default:
    return 0;
  }
#pragma GCC diagnostic pop
}

static const struct lws_protocols protocols[] = {
    {.name = "md-http", .callback = callback, .rx_buffer_size = PIECE_BYTES}, {0}};

static void
backend_close(md_http_t *h) {
  if (!h) return;
  h->is_closing = true;
  if (h->context) lws_context_destroy(h->context);
  for (uint32_t n = 0; n < MD_HTTP_FLYING_MAX; n++)
    forget(&h->flight[n]);
  md_resolver_close(h->resolver);
  free(h);
}

static md_err_t
backend_open(const md_http_config_t *cfg, md_http_done_t done, void *ctx, md_http_t **out,
             md_msg_t *msg) {
  struct lws_context_creation_info info = {
      .gid = -1, .uid = -1, .pt_serv_buf_size = PIECE_BYTES, .timeout_secs = TIMEOUT_SECONDS};
  info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
                 LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
  md_http_t *h = calloc(1, sizeof *h);
  if (!h) return md_fail(msg, MD_ERR_NOMEM, "no memory for REST requests");
  h->cfg  = *cfg;
  h->done = done;
  h->ctx  = ctx;
  for (uint32_t n = 0; n < MD_HTTP_FLYING_MAX; n++)
    h->flight[n].http = h;
  const md_resolver_config_t rc = {
      .clock = cfg->clock, .lookup = cfg->lookup, .lookup_ctx = cfg->lookup_ctx, .seed = cfg->seed};
  md_err_t err = md_resolver_open(&rc, &h->resolver, msg);
  if (err) {
    backend_close(h);
    return err;
  }
  lws_set_log_level(0, NULL);
  h->context = lws_create_context(&info);
  if (!h->context) {
    backend_close(h);
    return md_fail(msg, MD_ERR_IO, "libwebsockets gives no context: too few descriptors or memory");
  }
  *out = h;
  return MD_OK;
}

static md_err_t
backend_trust(md_http_t *h, const char *ca_file, uint32_t *out, md_msg_t *msg) {
  char                             name[16];
  struct lws_context_creation_info info = {.port         = CONTEXT_PORT_NO_LISTEN,
                                           .protocols    = protocols,
                                           .gid          = -1,
                                           .uid          = -1,
                                           .timeout_secs = TIMEOUT_SECONDS,
                                           .vhost_name   = name};
  (void)snprintf(name, sizeof name, "rest%u", h->trust_cnt);
  md_err_t err = md_lws_tls(&info, ca_file, msg);
  if (err) return err;
  if (h->trust_cnt == TRUST_CNT_MAX)
    return md_fail(msg, MD_ERR_FULL, "more than %u REST clients", TRUST_CNT_MAX);
  h->trust[h->trust_cnt] = lws_create_vhost(h->context, &info);
  if (!h->trust[h->trust_cnt])
    return md_fail(msg, MD_ERR_CONFIG, "the certificate authorities in '%s' cannot be used",
                   ca_file ? ca_file : MD_CA_FILE);
  *out = h->trust_cnt++;
  return MD_OK;
}

/* The name goes along: the certificate must hold for it, and the server is told it twice. */
static void
connect_to_address(flight_t *f, const md_url_t *u, const char *address) {
  md_http_t  *h   = f->http;
  struct lws *wsi = NULL;
  char        host[MD_URL_HOST_BYTES_MAX];
  md_url_host(u, host);
  struct lws_client_connect_info info = {.context        = h->context,
                                         .vhost          = h->trust[f->trust],
                                         .address        = address,
                                         .port           = u->port,
                                         .ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT |
                                                           (u->is_tls ? LCCSCF_USE_SSL : 0),
                                         .path                = u->path,
                                         .host                = host,
                                         .method              = "GET",
                                         .local_protocol_name = protocols[0].name,
                                         .userdata            = f,
                                         .alpn                = "http/1.1",
                                         .pwsi                = &wsi};
  f->is_resolving                     = false;
  (void)lws_client_connect_via_info(&info);
  if (!f->is_used || f->is_resolving) return; /* it was refused within the call */
  f->wsi = wsi;
  if (!wsi) on_gone(f);
}

static void
go_on_resolving(flight_t *f) {
  md_url_t    u;
  const char *address;
  md_err_t    err = md_url_parse(f->url, &u, NULL);
  if (!err) err = md_resolver_ask(f->http->resolver, u.host, &address, NULL);
  if (err == MD_ERR_BUSY) return;
  if (err)
    give_up(f);
  else
    connect_to_address(f, &u, address);
}

static md_err_t
backend_get(md_http_t *h, uint32_t trust, const char *url, int64_t timeout_ns, void *request) {
  flight_t *f = NULL;
  md_url_t  u;
  md_err_t  err = md_url_parse(url, &u, NULL);
  if (err || u.is_websocket) return MD_ERR_SYNTAX;
  for (uint32_t n = 0; n < MD_HTTP_FLYING_MAX && !f; n++)
    if (!h->flight[n].is_used) f = &h->flight[n];
  if (!f) return MD_ERR_FULL;
  char *copy = strdup(url);
  if (!copy) return MD_ERR_NOMEM;
  *f = (flight_t){.http          = h,
                  .is_used       = true,
                  .is_resolving  = true,
                  .request       = request,
                  .url           = copy,
                  .trust         = trust,
                  .deadline_ns   = md_clock_mono_ns(h->cfg.clock) + timeout_ns,
                  .retry_after_s = -1};
  go_on_resolving(f);
  return MD_OK;
}

/* What has had its time is told at once; the library then drops the connection. */
static void
end_late(flight_t *f) {
  struct lws *wsi = f->wsi;
  finish(f, false);
  if (!wsi) {
    forget(f);
    return;
  }
  f->deadline_ns = INT64_MAX;
  lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

static void
backend_poll(md_http_t *h, int64_t max_ns) {
  int64_t now = md_clock_mono_ns(h->cfg.clock);
  for (uint32_t n = 0; n < MD_HTTP_FLYING_MAX; n++) {
    flight_t *f = &h->flight[n];
    if (f->is_used && now >= f->deadline_ns)
      end_late(f);
    else if (f->is_used && f->is_resolving)
      go_on_resolving(f);
  }
  md_lws_wait(&h->wait, h->context, md_lws_wait_us(max_ns));
}

const md_http_ops_t md_http_lws = {.open  = backend_open,
                                   .close = backend_close,
                                   .trust = backend_trust,
                                   .get   = backend_get,
                                   .poll  = backend_poll};
