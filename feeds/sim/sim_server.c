#include "feeds/sim/sim_server.h"

#include "feeds/sim/sim_control.h"
#include "feeds/sim/sim_rest.h"
#include "feeds/sim/sim_venue.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#include "feeds/lws_wait.h"

#define QUERY_BYTES_MAX   60000u
#define MESSAGE_BYTES_MAX 65536u
#define WRITES_PER_TURN   16u
#define HTTP_PIECE_BYTES  32768u
#define CHECK_NS          100000000 /* how often pings and lives are looked at */

/* Of each connection, by the library: an HTTP request, or a WebSocket connection. */
typedef struct session {
  struct session *next_waiting; /* HTTP answers that are not due yet */
  struct lws     *wsi;
  md_sim_conn_t  *conn;
  md_sim_text_t   message; /* coming in */
  md_sim_answer_t answer;
  size_t          body_off;
  bool            is_answering, is_waiting, has_headers;
} session_t;

struct md_sim_server {
  md_sim_server_cfg_t cfg;
  struct lws_context *context;
  struct lws_vhost   *plain, *tls;
  session_t          *waiting;
  md_lws_wait_t       wait;
  int64_t             check_ns;
};

static void
wake(void *ctx, md_sim_conn_t *c) {
  (void)ctx;
  session_t *session = c->socket;
  if (session) lws_callback_on_writable(session->wsi);
}

/* ---- URLs ---- */

/* The decoded query, its parts joined again by &; false when it is too long. */
static bool
query_of(struct lws *wsi, char *out, size_t bytes) {
  size_t len = 0;
  out[0]     = 0;
  for (int i = 0; i < 64; i++) {
    if (len + 2 >= bytes) return false;
    char *to = out + len + (len > 0);
    int   n  = lws_hdr_copy_fragment(wsi, to, (int)(bytes - len - 2), WSI_TOKEN_HTTP_URI_ARGS, i);
    if (n < 0) break;
    if (len > 0) out[len++] = '&';
    len += (size_t)n;
    out[len] = 0;
  }
  return true;
}

/* ---- WebSocket ---- */

static int
ws_open(md_sim_server_t *s, session_t *session, struct lws *wsi) {
  static char path[QUERY_BYTES_MAX], query[QUERY_BYTES_MAX];
  md_sim_t   *sim = s->cfg.sim;
  md_sim_turn(sim);
  memset(session, 0, sizeof *session);
  session->wsi     = wsi;
  session->conn    = md_sim_conn_open(&sim->hub, sim->now_ns);
  md_sim_conn_t *c = session->conn;
  c->socket        = session;
  c->next_ping_ns  = sim->now_ns + s->cfg.ping_ns;
  if (lws_hdr_copy(wsi, path, sizeof path, WSI_TOKEN_GET_URI) <= 0 ||
      !query_of(wsi, query, sizeof query)) {
    return -1;
  }
  md_err_t err = md_sim_control_open(sim, c, path, query);
  if (err == MD_ERR_FULL) md_sim_conn_end(&sim->hub, c, 1008, "Too many streams", false);
  return err == MD_ERR_ABSENT ? -1 : 0;
}

static int
ws_close(session_t *session, md_sim_conn_t *c) {
  if (c->close_code != MD_SIM_CLOSE_CUT) {
    char text[124];
    int  n = snprintf(text, sizeof text, "%s", c->close_text);
    lws_close_reason(session->wsi, (enum lws_close_status)c->close_code, (unsigned char *)text,
                     (size_t)n);
  }
  return -1;
}

static int
ws_writable(md_sim_server_t *s, session_t *session) {
  md_sim_conn_t *c = session->conn;
  if (!c) return -1;
  if (c->close_code && (!c->close_when_sent || !c->first)) return ws_close(session, c);
  if (c->half_open) {
    lws_rx_flow_control(session->wsi, 0);
    return 0;
  }
  for (unsigned i = 0; i < WRITES_PER_TURN && c->first; i++) {
    md_sim_chunk_t *k = c->first;
    /* The frames are complete already: as "HTTP" the library writes bytes as they are. */
    if (lws_write(session->wsi, k->data, k->len, LWS_WRITE_HTTP) < 0) return -1;
    md_sim_conn_sent(&s->cfg.sim->hub, c);
    if (c->first && lws_send_pipe_choked(session->wsi)) break;
  }
  if (c->first || c->close_code) lws_callback_on_writable(session->wsi);
  return 0;
}

static int
ws_receive(md_sim_server_t *s, session_t *session, const void *in, size_t len) {
  md_sim_t      *sim = s->cfg.sim;
  md_sim_conn_t *c   = session->conn;
  if (!c) return -1;
  if (session->message.len + len > MESSAGE_BYTES_MAX) {
    md_sim_conn_end(&sim->hub, c, 1009, "Message too big", false);
    return 0;
  }
  md_sim_text_add(&session->message, in, len);
  if (lws_remaining_packet_payload(session->wsi) || !lws_is_final_fragment(session->wsi)) return 0;
  md_sim_turn(sim);
  md_sim_control_receive(sim, c, session->message.p, session->message.len);
  md_sim_text_clear(&session->message);
  return 0;
}

static void
ws_pong(md_sim_server_t *s, session_t *session) {
  md_sim_conn_t *c = session->conn;
  if (!c) return;
  md_sim_turn(s->cfg.sim);
  md_sim_control_pong(s->cfg.sim, c);
}

/* ---- HTTP ---- */

static void
waiting_remove(md_sim_server_t *s, session_t *session) {
  for (session_t **at = &s->waiting; *at; at = &(*at)->next_waiting) {
    if (*at != session) continue;
    *at                 = session->next_waiting;
    session->is_waiting = false;
    return;
  }
}

static int
http_request(md_sim_server_t *s, session_t *session, struct lws *wsi, const char *path) {
  static char query[QUERY_BYTES_MAX];
  md_sim_t   *sim    = s->cfg.sim;
  const char *method = lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0 ? "GET" : "POST";
  if (!query_of(wsi, query, sizeof query)) return -1;
  md_sim_turn(sim);
  session->wsi          = wsi;
  session->body_off     = 0;
  session->has_headers  = false;
  session->is_answering = true;
  md_sim_rest(sim, method, path, query, &session->answer);
  if (!md_sim_answer_is_due(&session->answer, sim->now_ns)) {
    session->is_waiting   = true;
    session->next_waiting = s->waiting;
    s->waiting            = session;
    lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, 600);
  } else {
    lws_callback_on_writable(wsi);
  }
  return 0;
}

static int
add_header(struct lws *wsi, const char *name, uint32_t v, unsigned char **p, unsigned char *end) {
  char text[16];
  int  n = snprintf(text, sizeof text, "%u", v);
  return lws_add_http_header_by_name(wsi, (const unsigned char *)name, (const unsigned char *)text,
                                     n, p, end);
}

static int
add_weights(struct lws *wsi, const md_sim_answer_t *a, unsigned char **p, unsigned char *end) {
  for (unsigned i = 0; i < MD_SIM_HEADERS_MAX && a->headers[i]; i++)
    if (add_header(wsi, a->headers[i], a->weight, p, end)) return -1;
  return 0;
}

static int
http_headers(session_t *session) {
  unsigned char          buffer[LWS_PRE + 2048], *start = buffer + LWS_PRE, *p = start;
  unsigned char         *end = buffer + sizeof buffer - 1;
  const md_sim_answer_t *a   = &session->answer;
  struct lws            *wsi = session->wsi;
  if (lws_add_http_common_headers(wsi, a->status, "application/json;charset=UTF-8", a->body.len, &p,
                                  end) ||
      add_weights(wsi, a, &p, end) ||
      (a->retry_after_s && add_header(wsi, "retry-after:", a->retry_after_s, &p, end)) ||
      lws_finalize_write_http_header(wsi, start, &p, end)) {
    return -1;
  }
  session->has_headers = true;
  lws_callback_on_writable(wsi);
  return 0;
}

static int
http_writable(session_t *session) {
  if (!session->is_answering || session->is_waiting) return 0;
  if (!session->has_headers) return http_headers(session);
  md_sim_text_t *body  = &session->answer.body;
  size_t         left  = body->len - session->body_off;
  size_t         piece = left > HTTP_PIECE_BYTES ? HTTP_PIECE_BYTES : left;
  bool           last  = piece == left;
  if (lws_write(session->wsi, (unsigned char *)body->p + session->body_off, piece,
                last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0) {
    return -1;
  }
  session->body_off += piece;
  if (!last) {
    lws_callback_on_writable(session->wsi);
    return 0;
  }
  session->is_answering = false;
  md_sim_text_free(body);
  return lws_http_transaction_completed(session->wsi) ? -1 : 0;
}

static void
session_end(md_sim_server_t *s, session_t *session) {
  if (session->conn) md_sim_conn_close(&s->cfg.sim->hub, session->conn);
  session->conn = NULL;
  if (session->is_waiting) waiting_remove(s, session);
  md_sim_text_free(&session->answer.body);
  md_sim_text_free(&session->message);
}

/* ---- the library's side ---- */

static int
on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
  md_sim_server_t *s       = lws_context_user(lws_get_context(wsi));
  session_t       *session = user;
  /* The library has some hundred reasons; the others are for it to handle. */
  switch ((int)reason) {
  case LWS_CALLBACK_ESTABLISHED:
    return ws_open(s, session, wsi);
  case LWS_CALLBACK_SERVER_WRITEABLE:
    return ws_writable(s, session);
  case LWS_CALLBACK_RECEIVE:
    return ws_receive(s, session, in, len);
  case LWS_CALLBACK_RECEIVE_PONG:
    ws_pong(s, session);
    return 0;
  case LWS_CALLBACK_HTTP:
    return http_request(s, session, wsi, in);
  case LWS_CALLBACK_HTTP_WRITEABLE:
    return http_writable(session);
  case LWS_CALLBACK_CLOSED:
  case LWS_CALLBACK_CLOSED_HTTP:
    if (session) session_end(s, session);
    return 0;
  default:
    return lws_callback_http_dummy(wsi, reason, user, in, len);
  }
}

static const struct lws_protocols protocols[] = {
    {"exchange", on_event, sizeof(session_t), 65536, 0, NULL, 0}, {NULL, NULL, 0, 0, 0, NULL, 0}};

static struct lws_vhost *
vhost_open(md_sim_server_t *s, int port, bool is_tls, md_msg_t *msg) {
  struct lws_context_creation_info info;
  memset(&info, 0, sizeof info);
  info.port              = port;
  info.iface             = "127.0.0.1";
  info.vhost_name        = is_tls ? "tls" : "plain";
  info.protocols         = protocols;
  info.alpn              = "http/1.1"; /* bodies leave no room for the frames of HTTP/2 */
  info.keepalive_timeout = 60;
  info.timeout_secs      = 600;
  info.options           = LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND;
  if (is_tls) {
    info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.server_ssl_cert_mem            = s->cfg.cert_pem;
    info.server_ssl_cert_mem_len        = (unsigned)strlen(s->cfg.cert_pem) + 1;
    info.server_ssl_private_key_mem     = s->cfg.key_pem;
    info.server_ssl_private_key_mem_len = (unsigned)strlen(s->cfg.key_pem) + 1;
  }
  struct lws_vhost *v = lws_create_vhost(s->context, &info);
  if (!v)
    md_fail(msg, MD_ERR_IO, "cannot listen on 127.0.0.1:%d%s; choose another port, or 0 for any",
            port, is_tls ? " with TLS" : "");
  return v;
}

md_err_t
md_sim_server_open(const md_sim_server_cfg_t *cfg, md_sim_server_t **out, md_msg_t *msg) {
  md_sim_server_t                 *s = md_sim_alloc(1, sizeof *s);
  struct lws_context_creation_info info;
  memset(&info, 0, sizeof info);
  s->cfg = *cfg;
  lws_set_log_level(LLL_ERR, NULL);
  info.port                 = CONTEXT_PORT_NO_LISTEN;
  info.options              = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
  info.user                 = s;
  info.max_http_header_data = 65500;
  info.max_http_header_pool = 256;
  info.pt_serv_buf_size     = 65536;
  if (cfg->tls_port >= 0) info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
  s->context = lws_create_context(&info);
  if (!s->context) {
    md_sim_server_close(s);
    return md_fail(msg, MD_ERR_IO, "libwebsockets does not start");
  }
  cfg->sim->hub.wake = wake;
  s->plain           = vhost_open(s, cfg->port, false, msg);
  if (s->plain && cfg->tls_port >= 0) s->tls = vhost_open(s, cfg->tls_port, true, msg);
  if (!s->plain || (cfg->tls_port >= 0 && !s->tls)) {
    md_sim_server_close(s);
    return MD_ERR_IO;
  }
  *out = s;
  return MD_OK;
}

void
md_sim_server_close(md_sim_server_t *s) {
  if (!s) return;
  if (s->context) lws_context_destroy(s->context);
  free(s);
}

int
md_sim_server_port(const md_sim_server_t *s) {
  return lws_get_vhost_listen_port(s->plain);
}

int
md_sim_server_tls_port(const md_sim_server_t *s) {
  return s->tls ? lws_get_vhost_listen_port(s->tls) : -1;
}

/* ---- time ---- */

static void
check_conn(md_sim_server_t *s, md_sim_conn_t *c) {
  md_sim_t *sim = s->cfg.sim;
  int64_t   now = sim->now_ns;
  if (c->half_open || c->close_code) return;
  if (sim->venue->check) sim->venue->check(sim, c);
  if (c->pong_due_ns && now >= c->pong_due_ns) {
    md_sim_conn_end(&sim->hub, c, 1011, "Pong timeout", false);
    return;
  }
  if (s->cfg.ping_ns && now >= c->next_ping_ns) {
    char payload[32];
    int  n          = snprintf(payload, sizeof payload, "%lld", (long long)(now / 1000000));
    c->next_ping_ns = now + s->cfg.ping_ns;
    if (!c->pong_due_ns) c->pong_due_ns = now + s->cfg.pong_timeout_ns;
    md_sim_conn_ping(&sim->hub, c, payload, (size_t)n);
  }
  if (c->end_ns && now >= c->end_ns)
    md_sim_conn_end(&sim->hub, c, 1001, "Server is shutting down", true);
  if (s->cfg.life_ns == 0) return;
  if (!c->told_shutdown && now >= c->open_ns + s->cfg.life_ns - s->cfg.warning_ns)
    md_sim_goodbye(sim, c, md_clock_real_ns(sim->clock) / 1000000);
  if (now >= c->open_ns + s->cfg.life_ns)
    md_sim_conn_end(&sim->hub, c, 1001, "Connection life is over", true);
}

static void
check(md_sim_server_t *s) {
  md_sim_t *sim = s->cfg.sim;
  for (session_t *w = s->waiting, *next; w; w = next) {
    next = w->next_waiting;
    if (!md_sim_answer_is_due(&w->answer, sim->now_ns)) continue;
    waiting_remove(s, w);
    lws_callback_on_writable(w->wsi);
  }
  if (sim->now_ns < s->check_ns) return;
  s->check_ns = sim->now_ns + CHECK_NS;
  for (md_sim_conn_t *c = sim->hub.conns; c; c = c->next)
    check_conn(s, c);
}

void
md_sim_server_turn(md_sim_server_t *s, int64_t wait_ns) {
  check(s);
  if (wait_ns <= 0) {
    (void)lws_service(s->context, -1);
    return;
  }
  if (s->waiting && wait_ns > 1000000) wait_ns = 1000000;
  if (wait_ns > CHECK_NS) wait_ns = CHECK_NS;
  int64_t wait_us = wait_ns / 1000;
  if (wait_us < MD_LWS_WAIT_US_MIN) wait_us = MD_LWS_WAIT_US_MIN;
  md_lws_wait(&s->wait, s->context, wait_us);
}

bool
md_sim_server_is_sent(const md_sim_server_t *s) {
  if (s->waiting) return false;
  for (const md_sim_conn_t *c = s->cfg.sim->hub.conns; c; c = c->next)
    if (!c->half_open && c->pending_bytes > 0) return false;
  return true;
}
