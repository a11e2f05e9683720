/* http.c - libwebsockets as the HTTP server. Its log is silenced: what it has to say about a client
 * is not worth a line, and a port that cannot be had is told by us. */
#include "monitoring/http.h"

#include "shm/atomics.h"
#include "shm/signal_stack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libwebsockets.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK_BYTES 8192u
#define SPARE_FDS   16u /* listening sockets and what the library opens for itself */
#define TICK_US     1000000
/* Whatever a client does, CONNECT for one, which the library leaves open for ever. */
#define CONNECTION_US                                                                              \
  ((lws_usec_t)(MD_HTTP_HEADER_SECONDS + MD_HTTP_ANSWER_SECONDS) * LWS_US_PER_SEC)
#define ANSWER_HEAD_BYTES  1024u
#define METHOD_NOT_ALLOWED 405
#define BEARER             "Bearer "
#define BEARER_BYTES       512u
#define PROTOCOL_CNT       3u /* HTTP, the WebSocket, the end */

#define TOO_MANY_REQUESTS 429
#define PATH_OTHER        0u /* of the counts: no route */

typedef struct session {
  md_http_answer_t answer;
  size_t           sent;
  uint64_t         id; /* of the request, 0: none */
  int64_t          begun_ns;
  uint32_t         path; /* of the counts */
  bool             is_limited;
  int              allowance; /* requests that are left, -1: this one was too many */
  uint32_t         wait_s;
} session_t;

struct md_http {
  md_http_config_t       cfg;
  struct lws_context    *context;
  struct lws_vhost      *vhost[MD_HTTP_PORT_CNT_MAX];
  struct lws_protocols   protocols[PROTOCOL_CNT];
  md_push_t             *push; /* NULL: no WebSocket */
  lws_sorted_usec_list_t timer;
  pthread_t              thread;
  bool                   thread_runs;
  md_atomic_u64          stop;           /* relaxed: the wake-up that follows it orders */
  uint32_t               connection_cnt; /* from here on of the server's thread */
  uint64_t               request_cnt;
  md_http_limiter_t      limiter;
  md_http_stats_t        stats;
};

/* ---- answers ---- */

bool
md_http_token_is(const char *token, const char *given) {
  size_t   len = strlen(token), given_len = strlen(given);
  unsigned differs = len != given_len;
  for (size_t i = 0; i < given_len; i++)
    differs |= (unsigned)(token[len ? i % len : 0] ^ given[i]);
  return differs == 0;
}

static bool
is_authorised(const md_http_port_t *port, struct lws *wsi) {
  char given[BEARER_BYTES];
  if (!port->token) return true;
  if (lws_hdr_copy(wsi, given, sizeof given, WSI_TOKEN_HTTP_AUTHORIZATION) <= 0) return false;
  size_t len = strlen(BEARER);
  return strncasecmp(given, BEARER, len) == 0 && md_http_token_is(port->token, given + len);
}

/* What the client said of itself, as far as a route may want to know. */
static void
read_request(struct lws *wsi, md_http_answer_t *a) {
  char accepted[BEARER_BYTES] = "";
  memset(a, 0, sizeof *a);
  (void)lws_hdr_copy(wsi, a->known_tag, sizeof a->known_tag, WSI_TOKEN_HTTP_IF_NONE_MATCH);
  if (lws_hdr_copy(wsi, accepted, sizeof accepted, WSI_TOKEN_HTTP_ACCEPT_ENCODING) > 0)
    a->takes_gzip = strstr(accepted, "gzip") != NULL;
  if (lws_hdr_copy(wsi, accepted, sizeof accepted, WSI_TOKEN_HTTP_ACCEPT) > 0)
    a->takes_openmetrics = strstr(accepted, "application/openmetrics-text") != NULL;
}

static uint32_t
address_of(struct lws *wsi) {
  char           text[64];
  struct in_addr address = {0};
  (void)lws_get_peer_simple(wsi, text, sizeof text);
  (void)inet_pton(AF_INET, text, &address);
  return ntohl(address.s_addr);
}

static bool
may_ask(md_http_t *h, const md_http_route_t *route, struct lws *wsi, session_t *s) {
  s->is_limited = route->is_limited && h->limiter.per_min > 0;
  if (!s->is_limited) return true;
  s->allowance = md_http_limiter_take(&h->limiter, address_of(wsi), s->begun_ns, &s->wait_s);
  return s->allowance >= 0;
}

static void
fill_route(md_http_t *h, const md_http_port_t *port, const md_http_route_t *route, struct lws *wsi,
           session_t *s) {
  md_http_answer_t *a = &s->answer;
  if (!route->is_open && !is_authorised(port, wsi)) {
    a->status = HTTP_STATUS_UNAUTHORIZED;
    md_text_add(&a->body, "{\"error\":\"send the header Authorization: Bearer TOKEN\"}\n");
    return;
  }
  if (!may_ask(h, route, wsi, s)) {
    a->status = TOO_MANY_REQUESTS;
    md_text_add(&a->body, "{\"error\":\"too many requests within a minute\"}\n");
    return;
  }
  route->fill(h->cfg.ctx, a);
  if (!a->body.failed) return;
  md_text_free(&a->body);
  a->status = HTTP_STATUS_INTERNAL_SERVER_ERROR;
  md_text_add(&a->body, "{\"error\":\"the answer does not fit into memory\"}\n");
}

static uint32_t
find_path(const md_http_t *h, const char *path) {
  uint32_t i = PATH_OTHER + 1;
  while (i < h->stats.path_cnt && h->stats.path[i].path != path)
    i++;
  return i < h->stats.path_cnt ? i : PATH_OTHER;
}

static void
fill_answer(md_http_t *h, const md_http_port_t *port, const char *path, bool allowed,
            struct lws *wsi, session_t *s) {
  md_http_answer_t *a = &s->answer;
  read_request(wsi, a);
  s->path         = PATH_OTHER;
  a->status       = HTTP_STATUS_OK;
  a->content_type = "application/json";
  if (!allowed) {
    a->status = METHOD_NOT_ALLOWED;
    md_text_add(&a->body, "{\"error\":\"only GET and HEAD are served\"}\n");
    return;
  }
  for (uint32_t i = 0; i < port->route_cnt; i++) {
    if (strcmp(path, port->routes[i].path) != 0) continue;
    s->path = find_path(h, port->routes[i].path);
    fill_route(h, port, &port->routes[i], wsi, s);
    return;
  }
  a->status = HTTP_STATUS_NOT_FOUND;
  md_text_add(&a->body, "{\"error\":\"no such path\",\"paths\":[");
  for (uint32_t i = 0; i < port->route_cnt; i++)
    md_text_add(&a->body, "%s\"%s\"", i ? "," : "", port->routes[i].path);
  md_text_add(&a->body, "]}\n");
}

static bool
add_header(struct lws *wsi, const char *name, const char *value, uint8_t **p, uint8_t *end) {
  return lws_add_http_header_by_name(wsi, (const uint8_t *)name, (const uint8_t *)value,
                                     (int)strlen(value), p, end) == 0;
}

/* A browser is to run nothing but what this program brought along, and to show it in no frame. */
static const struct {
  const char *name, *value;
} safety[] = {{"content-security-policy:",
               "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
              {"x-content-type-options:", "nosniff"},
              {"referrer-policy:", "no-referrer"}};

static bool
add_number(struct lws *wsi, const char *name, uint64_t value, uint8_t **p, uint8_t *end) {
  char text[24];
  (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
  return add_header(wsi, name, text, p, end);
}

static bool
add_request(struct lws *wsi, const md_http_t *h, const session_t *s, uint8_t **p, uint8_t *end) {
  if (!add_number(wsi, "x-request-id:", s->id, p, end)) return false;
  if (!s->is_limited) return true;
  if (!add_number(wsi, "x-ratelimit-limit:", h->limiter.per_min, p, end)) return false;
  uint64_t left = s->allowance > 0 ? (uint64_t)s->allowance : 0;
  if (!add_number(wsi, "x-ratelimit-remaining:", left, p, end)) return false;
  if (!add_number(wsi, "x-ratelimit-reset:", s->wait_s, p, end)) return false;
  return s->allowance >= 0 || add_number(wsi, "retry-after:", s->wait_s, p, end);
}

static int
send_head(struct lws *wsi, const md_http_t *h, const session_t *s) {
  const md_http_answer_t *a = &s->answer;
  uint8_t                 bytes[LWS_PRE + ANSWER_HEAD_BYTES];
  uint8_t                *start = bytes + LWS_PRE, *p = start, *end = bytes + sizeof bytes - 1;
  if (lws_add_http_common_headers(wsi, (unsigned)a->status, a->content_type, a->body.len, &p, end))
    return -1;
  if (!add_header(wsi, "connection:", "close", &p, end)) return -1;
  if (!add_header(wsi, "cache-control:", a->tag ? "no-cache" : "no-store", &p, end)) return -1;
  if (a->tag && !add_header(wsi, "etag:", a->tag, &p, end)) return -1;
  if (a->is_gzip && (!add_header(wsi, "content-encoding:", "gzip", &p, end) ||
                     !add_header(wsi, "vary:", "accept-encoding", &p, end)))
    return -1;
  for (size_t i = 0; i < MD_CNT(safety); i++)
    if (!add_header(wsi, safety[i].name, safety[i].value, &p, end)) return -1;
  if (a->status == HTTP_STATUS_UNAUTHORIZED &&
      !add_header(wsi, "www-authenticate:", "Bearer", &p, end))
    return -1;
  if (a->status == METHOD_NOT_ALLOWED && !add_header(wsi, "allow:", "GET, HEAD", &p, end))
    return -1;
  if (!add_request(wsi, h, s, &p, end)) return -1;
  return lws_finalize_write_http_header(wsi, start, &p, end) ? -1 : 0;
}

static void
end_request(md_http_t *h, session_t *s) {
  if (s->id == 0) return;
  md_http_path_stats_t *path = &h->stats.path[s->path];
  md_hist_add(&path->time, md_clock_mono_ns(h->cfg.clock) - s->begun_ns);
  md_bump(&path->code_cnt[md_http_code_index(s->answer.status)], 1);
  s->id = 0;
}

/* What a client wrote goes into the log only where it is a path of ours. */
static void
log_request(const md_http_t *h, struct lws *wsi, bool is_head, const session_t *s) {
  char line[256], client[64];
  if (!h->cfg.log) return;
  int64_t took_ns = md_clock_mono_ns(h->cfg.clock) - s->begun_ns;
  (void)lws_get_peer_simple(wsi, client, sizeof client);
  (void)snprintf(line, sizeof line, "request %llu of %s: %s %s: %d, %zu bytes, %lld us",
                 (unsigned long long)s->id, client, is_head ? "HEAD" : "GET",
                 h->stats.path[s->path].path, s->answer.status, s->answer.body.len,
                 (long long)(took_ns / 1000));
  h->cfg.log(h->cfg.log_ctx, line);
}

static int
begin_answer(md_http_t *h, struct lws *wsi, session_t *s, const char *path) {
  const md_http_port_t *port    = lws_vhost_user(lws_get_vhost(wsi));
  bool                  is_head = lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;
  bool                  is_get  = lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0;
  md_text_free(&s->answer.body);
  s->sent       = 0;
  s->is_limited = false;
  s->id         = ++h->request_cnt;
  s->begun_ns   = md_clock_mono_ns(h->cfg.clock);
  fill_answer(h, port, path, is_get || is_head, wsi, s);
  log_request(h, wsi, is_head, s);
  if (send_head(wsi, h, s) || is_head || s->answer.body.len == 0) {
    end_request(h, s);
    return -1;
  }
  lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, (int)MD_HTTP_ANSWER_SECONDS);
  (void)lws_callback_on_writable(wsi);
  return 0;
}

/* One chunk of the body; -1 behind the last closes the connection once it is flushed. */
static int
continue_answer(md_http_t *h, struct lws *wsi, session_t *s) {
  uint8_t bytes[LWS_PRE + CHUNK_BYTES];
  size_t  left = s->answer.body.len - s->sent;
  size_t  len  = left < CHUNK_BYTES ? left : CHUNK_BYTES;
  if (len == 0) return -1;
  memcpy(bytes + LWS_PRE, s->answer.body.bytes + s->sent, len);
  if (lws_write(wsi, bytes + LWS_PRE, len, len == left ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
    return -1;
  s->sent += len;
  if (len == left) {
    end_request(h, s);
    return -1;
  }
  (void)lws_callback_on_writable(wsi);
  return 0;
}

/* ---- connections ---- */

/* A connection that was counted carries a mark, so that its end is counted once. */
static void
count_connection(md_http_t *h, struct lws *wsi, bool begins) {
  bool counted = lws_get_opaque_user_data(wsi) == h;
  if (begins && !counted) {
    lws_set_opaque_user_data(wsi, h);
    h->connection_cnt++;
  } else if (!begins && counted) {
    lws_set_opaque_user_data(wsi, NULL);
    h->connection_cnt--;
  }
  md_store_relaxed(&h->stats.connection_cnt, h->connection_cnt); /* only shown */
}

static bool
may_upgrade(const md_http_t *h, struct lws *wsi) {
  const md_http_port_t *port = lws_vhost_user(lws_get_vhost(wsi));
  return h->push && port == &h->cfg.port[0] && md_push_may_open(h->push, wsi, port->token);
}

static int
on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
  struct lws_context *context = lws_get_context(wsi);
  md_http_t          *h       = context ? lws_context_user(context) : NULL;
  session_t          *s       = user;
  (void)len;
  /* No switch: the library has a hundred more reasons, all of them default. */
  if (!h) return 0;
  if (reason == LWS_CALLBACK_FILTER_NETWORK_CONNECTION) {
    if (h->connection_cnt < MD_HTTP_CONNECTION_CNT_MAX) return 0;
    md_bump(&h->stats.refused_connection_cnt, 1);
    return -1;
  }
  if (reason == LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED) {
    count_connection(h, wsi, true);
    lws_set_timer_usecs(wsi, CONNECTION_US);
  }
  if (reason == LWS_CALLBACK_TIMER) {
    md_bump(&h->stats.overdue_connection_cnt, 1);
    return -1;
  }
  if (reason == LWS_CALLBACK_WSI_DESTROY) count_connection(h, wsi, false);
  /* No other WebSocket: it would stay for ever. */
  if (reason == LWS_CALLBACK_HTTP_CONFIRM_UPGRADE) return may_upgrade(h, wsi) ? 0 : -1;
  if (reason == LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION) return -1;
  if (reason == LWS_CALLBACK_HTTP) return begin_answer(h, wsi, s, in);
  if (reason == LWS_CALLBACK_HTTP_WRITEABLE) return continue_answer(h, wsi, s);
  if (reason == LWS_CALLBACK_HTTP_DROP_PROTOCOL && s) {
    end_request(h, s); /* one whose client left counts, too */
    md_text_free(&s->answer.body);
  }
  return 0;
}

/* ---- start and stop ---- */

/* The library does not say why it could not bind; so the same is tried first, and told. */
static md_err_t
try_port(const char *bind_to, const md_http_port_t *port, md_msg_t *msg) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port->port)};
  if (inet_pton(AF_INET, bind_to, &at.sin_addr) != 1)
    return md_fail(msg, MD_ERR_RANGE,
                   "monitoring.bind: '%s' is no IPv4 address; write 127.0.0.1, or 0.0.0.0 for all",
                   bind_to);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  if (fd < 0) return md_fail_errno(msg, errno, "cannot make a socket for %s", port->key);
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  int failed = bind(fd, (const struct sockaddr *)&at, sizeof at) || listen(fd, 1) ? errno : 0;
  (void)close(fd);
  if (failed == EADDRINUSE)
    return md_fail(msg, MD_ERR_EXISTS,
                   "%s: port %u of %s is taken, perhaps by another engine; choose another port (0: "
                   "any free one), or set monitoring.enabled to false",
                   port->key, port->port, bind_to);
  if (failed)
    return md_fail_errno(msg, failed, "%s: cannot listen on port %u of %s", port->key, port->port,
                         bind_to);
  return MD_OK;
}

static void
on_timer(lws_sorted_usec_list_t *timer) {
  md_http_t *h = (md_http_t *)(void *)((char *)timer - offsetof(md_http_t, timer));
  if (h->cfg.tick) h->cfg.tick(h->cfg.ctx);
  lws_sul_schedule(h->context, 0, timer, on_timer, TICK_US);
}

static md_err_t
listen_all(md_http_t *h, md_msg_t *msg) {
  struct lws_context_creation_info info = {0};
  info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_IPV6;
  info.user    = h;
  info.port    = CONTEXT_PORT_NO_LISTEN;
  info.gid     = -1;
  info.uid     = -1;
  /* One header table for each connection, so that a slow one holds up no other. */
  info.max_http_header_pool = MD_HTTP_CONNECTION_CNT_MAX;
  info.max_http_header_data = MD_HTTP_HEADER_BYTES_MAX;
  info.fd_limit_per_thread  = MD_HTTP_CONNECTION_CNT_MAX + SPARE_FDS;
  h->context                = lws_create_context(&info);
  if (!h->context) return md_fail(msg, MD_ERR_NOMEM, "cannot make the context of the HTTP server");
  for (uint32_t i = 0; i < h->cfg.port_cnt; i++) {
    info.options      = LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND | LWS_SERVER_OPTION_DISABLE_IPV6;
    info.port         = h->cfg.port[i].port;
    info.iface        = h->cfg.bind;
    info.vhost_name   = h->cfg.port[i].key;
    info.protocols    = h->protocols;
    info.user         = &h->cfg.port[i];
    info.timeout_secs = MD_HTTP_HEADER_SECONDS;
    info.timeout_secs_ah_idle = MD_HTTP_HEADER_SECONDS;
    info.keepalive_timeout    = (int)MD_HTTP_HEADER_SECONDS;
    h->vhost[i]               = lws_create_vhost(h->context, &info);
    if (!h->vhost[i])
      return md_fail(msg, MD_ERR_IO, "%s: cannot listen on port %u of %s", h->cfg.port[i].key,
                     h->cfg.port[i].port, h->cfg.bind);
  }
  return MD_OK;
}

static void *
serve(void *ctx) {
  md_http_t *h = ctx;
  md_signal_stack();
  (void)pthread_setname_np(pthread_self(), "md-http");
  lws_sul_schedule(h->context, 0, &h->timer, on_timer, 1);
  if (h->push) md_push_begin(h->push, h->context);
  while (!md_load_relaxed(&h->stop))
    if (lws_service(h->context, 0) < 0) break;
  lws_sul_schedule(h->context, 0, &h->timer, on_timer, LWS_SET_TIMER_USEC_CANCEL);
  if (h->push) md_push_end(h->push);
  return NULL;
}

static void
name_paths(md_http_t *h) {
  h->stats.path[PATH_OTHER].path = "other";
  h->stats.path_cnt              = PATH_OTHER + 1;
  for (uint32_t i = 0; i < h->cfg.port_cnt; i++)
    for (uint32_t r = 0; r < h->cfg.port[i].route_cnt; r++) {
      md_assert(h->stats.path_cnt < MD_HTTP_PATH_CNT_MAX);
      h->stats.path[h->stats.path_cnt++].path = h->cfg.port[i].routes[r].path;
    }
}

md_err_t
md_http_start(const md_http_config_t *cfg, md_http_t **out, md_msg_t *msg) {
  md_assert(cfg->port_cnt > 0 && cfg->port_cnt <= MD_HTTP_PORT_CNT_MAX);
  for (uint32_t i = 0; i < cfg->port_cnt; i++) {
    md_err_t err = try_port(cfg->bind, &cfg->port[i], msg);
    if (err) return err;
  }
  md_http_t *h = calloc(1, sizeof *h);
  if (!h) return md_fail(msg, MD_ERR_NOMEM, "no memory for the HTTP server");
  h->cfg             = *cfg;
  h->limiter.per_min = cfg->requests_per_min;
  name_paths(h);
  lws_set_log_level(0, NULL);
  h->protocols[0] = (struct lws_protocols){
      .name = "http", .callback = on_event, .per_session_data_size = sizeof(session_t)};
  h->cfg.push = NULL; /* the caller's */
  if (cfg->push) h->push = md_push_new(cfg->push);
  if (h->push) md_push_protocol(h->push, &h->protocols[1]);
  md_err_t err = cfg->push && !h->push ? md_fail(msg, MD_ERR_NOMEM, "no memory for the status page")
                                       : listen_all(h, msg);
  if (!err) {
    int failed     = pthread_create(&h->thread, NULL, serve, h);
    h->thread_runs = failed == 0;
    if (failed) err = md_fail_errno(msg, failed, "cannot start the thread of the HTTP server");
  }
  if (err) {
    md_http_stop(h);
    return err;
  }
  *out = h;
  return MD_OK;
}

uint16_t
md_http_port_of(const md_http_t *h, uint32_t index) {
  md_assert(index < h->cfg.port_cnt);
  return (uint16_t)lws_get_vhost_listen_port(h->vhost[index]);
}

const md_http_stats_t *
md_http_stats(const md_http_t *h) {
  return &h->stats;
}

void
md_http_stop(md_http_t *h) {
  if (h->thread_runs) {
    md_store_relaxed(&h->stop, 1); /* the thread sees it behind the wake-up at the latest */
    lws_cancel_service(h->context);
    (void)pthread_join(h->thread, NULL);
  }
  if (h->context) lws_context_destroy(h->context);
  md_push_free(h->push);
  free(h);
}
