#include "monitoring/push.h"

#include "monitoring/http.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SEND_BUFFER_BYTES (128 * 1024) /* of the kernel: beyond it a browser counts as slow */
#define ORIGIN_BYTES      256u
#define PROTOCOLS_BYTES   512u
#define NS_PER_S          1000000000ll

/* What libwebsockets keeps for each connection. */
typedef struct session {
  struct lws *wsi; /* NULL: not in the list */
  uint64_t    sent_cnt, confirmed_cnt;
  int64_t     moved_ns; /* when it last confirmed, or had nothing to confirm */
  int64_t     second_ns;
  uint32_t    request_cnt; /* since second_ns */
  bool        wants_message, wants_chosen, is_dropped;
  char        choice[MD_PUSH_CHOICE_BYTES];
} session_t;

struct md_push {
  md_push_config_t       cfg;
  struct lws_context    *context;
  lws_sorted_usec_list_t timer;
  session_t             *client[MD_PUSH_CLIENT_CNT_MAX];
  uint32_t               client_cnt;
  uint64_t               message_cnt, dropped_cnt;
  md_text_t              message; /* LWS_PRE bytes of room before it */
  md_text_t              chosen;
};

/* ---- who may open it ---- */

/* The host of a request that needs no name service, so that no other site's name can stand for it.
 */
static bool
is_plain_host(const char *host) {
  static const char digits[] = "0123456789.:";
  if (host[0] == '[') return strspn(host + 1, "0123456789abcdefABCDEF:.]") == strlen(host + 1);
  if (strncmp(host, "localhost", 9) == 0) host += 9;
  return strspn(host, digits) == strlen(host);
}

/* The list as the configuration holds it: "a", "[a,b,]". */
static bool
is_listed(const char *list, const char *origin) {
  static const char between[] = "[], ";
  size_t            len       = strlen(origin);
  for (const char *at = list; *at;) {
    size_t n = strcspn(at, between);
    if (n == len && strncasecmp(at, origin, n) == 0) return true;
    at += n;
    at += strspn(at, between);
  }
  return false;
}

/* A program sends no origin, a browser always does: that of the page which opens the socket. */
static bool
origin_fits(const md_push_t *s, struct lws *wsi) {
  char origin[ORIGIN_BYTES], host[ORIGIN_BYTES];
  int  len = lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN);
  if (len == 0) return true;
  if (lws_hdr_copy(wsi, origin, sizeof origin, WSI_TOKEN_ORIGIN) <= 0) return false;
  if (is_listed(s->cfg.origins, origin)) return true;
  if (lws_hdr_copy(wsi, host, sizeof host, WSI_TOKEN_HOST) <= 0) return false;
  const char *slashes = strstr(origin, "://");
  return slashes && strcasecmp(slashes + 3, host) == 0 && is_plain_host(host);
}

/* Offered protocols: ours, and "bearer.TOKEN" behind it, the only way in which a browser's script
 * can give one. */
static bool
protocol_fits(struct lws *wsi, const char *token) {
  char offered[PROTOCOLS_BYTES], *rest = NULL;
  bool is_ours = false, is_known = token == NULL;
  if (lws_hdr_copy(wsi, offered, sizeof offered, WSI_TOKEN_PROTOCOL) <= 0) return false;
  for (char *p = strtok_r(offered, ", ", &rest); p; p = strtok_r(NULL, ", ", &rest)) {
    if (strcmp(p, MD_PUSH_PROTOCOL) == 0) is_ours = true;
    if (token && strncmp(p, "bearer.", 7) == 0 && md_http_token_is(token, p + 7)) is_known = true;
  }
  return is_ours && is_known;
}

bool
md_push_may_open(const md_push_t *s, struct lws *wsi, const char *token) {
  char path[sizeof MD_PUSH_PATH + 1];
  if (lws_hdr_copy(wsi, path, sizeof path, WSI_TOKEN_GET_URI) <= 0) return false;
  return strcmp(path, MD_PUSH_PATH) == 0 && s->client_cnt < s->cfg.client_max &&
         origin_fits(s, wsi) && protocol_fits(wsi, token);
}

/* ---- one browser ---- */

/* Reset, not closed: what it did not take would be kept by the kernel for as long as it likes. */
static void
drop(md_push_t *s, session_t *c) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  if (c->is_dropped) return;
  (void)setsockopt(lws_get_socket_fd(c->wsi), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  c->is_dropped = true;
  s->dropped_cnt++;
  lws_set_timeout(c->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
}

static int
open_session(md_push_t *s, session_t *c, struct lws *wsi) {
  int bytes = SEND_BUFFER_BYTES;
  if (s->client_cnt >= s->cfg.client_max) return -1;
  memset(c, 0, sizeof *c);
  c->wsi      = wsi;
  c->moved_ns = c->second_ns = md_clock_mono_ns(s->cfg.clock);
  s->client[s->client_cnt++] = c;
  (void)setsockopt(lws_get_socket_fd(wsi), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  lws_set_timer_usecs(wsi, LWS_SET_TIMER_USEC_CANCEL); /* the limit of an HTTP connection */
  return 0;
}

static void
close_session(md_push_t *s, const session_t *c) {
  for (uint32_t i = 0; i < s->client_cnt; i++) {
    if (s->client[i] != c) continue;
    s->client[i] = s->client[--s->client_cnt];
    return;
  }
}

/* One frame; what the kernel does not take at once the library keeps, and comes back here behind
 * it. */
static int
send_frame(struct lws *wsi, md_text_t *t) {
  if (t->failed || t->len <= LWS_PRE) return 0;
  size_t len = t->len - LWS_PRE;
  return lws_write(wsi, (unsigned char *)t->bytes + LWS_PRE, len, LWS_WRITE_TEXT) < 0 ? -1 : 0;
}

static void
begin_frame(md_text_t *t) {
  static const char room[LWS_PRE] = {0};
  t->len                          = 0;
  t->failed                       = false;
  md_text_add_bytes(t, room, sizeof room);
}

static int
continue_session(md_push_t *s, session_t *c) {
  if (c->is_dropped) return -1;
  if (c->wants_message) {
    c->wants_message = false;
    if (c->sent_cnt == c->confirmed_cnt) c->moved_ns = md_clock_mono_ns(s->cfg.clock);
    c->sent_cnt++;
    if (send_frame(c->wsi, &s->message)) return -1;
    c->wants_chosen = c->choice[0] != 0;
    if (c->wants_chosen) (void)lws_callback_on_writable(c->wsi);
    return 0;
  }
  if (!c->wants_chosen) return 0;
  c->wants_chosen = false;
  begin_frame(&s->chosen);
  md_text_add(&s->chosen, "{\"chosen\":");
  s->cfg.chosen(s->cfg.ctx, c->choice, &s->chosen);
  md_text_add(&s->chosen, "}");
  return send_frame(c->wsi, &s->chosen);
}

/* "ok" confirms a message, "show FEED SYMBOL" chooses, "show" alone chooses nothing. */
static int
take_request(md_push_t *s, session_t *c, const char *text, size_t len) {
  int64_t now_ns = md_clock_mono_ns(s->cfg.clock);
  if (now_ns - c->second_ns >= NS_PER_S) {
    c->second_ns   = now_ns;
    c->request_cnt = 0;
  }
  if (++c->request_cnt > MD_PUSH_REQUESTS_MAX) return -1;
  if (len == 2 && memcmp(text, "ok", 2) == 0) {
    if (c->confirmed_cnt == c->sent_cnt) return -1;
    c->confirmed_cnt++;
    c->moved_ns = now_ns;
    return 0;
  }
  if (len < 4 || memcmp(text, "show", 4) != 0 || len - 4 >= sizeof c->choice) return -1;
  size_t skip = len > 4 ? 5 : 4;
  memcpy(c->choice, text + skip, len - skip);
  c->choice[len - skip] = 0;
  c->wants_chosen       = c->choice[0] != 0;
  if (c->wants_chosen) (void)lws_callback_on_writable(c->wsi);
  return 0;
}

static int
on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
  const struct lws_protocols *row = lws_get_protocol(wsi);
  md_push_t                  *s   = row ? row->user : NULL;
  session_t                  *c   = user;
  if (!s) return 0;
  if (reason == LWS_CALLBACK_ESTABLISHED) return open_session(s, c, wsi);
  if (reason == LWS_CALLBACK_SERVER_WRITEABLE) return continue_session(s, c);
  if (reason == LWS_CALLBACK_CLOSED) close_session(s, c);
  /* Every message to us is one short frame. */
  if (reason == LWS_CALLBACK_RECEIVE) {
    bool whole = lws_is_first_fragment(wsi) && lws_is_final_fragment(wsi) &&
                 lws_remaining_packet_payload(wsi) == 0;
    return whole && !c->is_dropped ? take_request(s, c, in, len) : -1;
  }
  return 0;
}

void
md_push_protocol(md_push_t *s, struct lws_protocols *row) {
  memset(row, 0, sizeof *row);
  row->name                  = MD_PUSH_PROTOCOL;
  row->callback              = on_event;
  row->per_session_data_size = sizeof(session_t);
  row->rx_buffer_size        = MD_PUSH_CHOICE_BYTES * 2;
  row->user                  = s;
}

/* ---- all browsers ---- */

static void
send_round(md_push_t *s) {
  int64_t now_ns = md_clock_mono_ns(s->cfg.clock);
  begin_frame(&s->message);
  md_text_add(&s->message, "{\"n\":%llu,\"browsers\":%u,\"dropped\":%llu",
              (unsigned long long)++s->message_cnt, s->client_cnt,
              (unsigned long long)s->dropped_cnt);
  s->cfg.message(s->cfg.ctx, &s->message);
  md_text_add(&s->message, "}");
  for (uint32_t i = 0; i < s->client_cnt; i++) {
    session_t *c       = s->client[i];
    uint64_t   waiting = c->sent_cnt - c->confirmed_cnt;
    if (waiting == 0 && !c->wants_message) c->moved_ns = now_ns;
    if (now_ns - c->moved_ns > s->cfg.patience_ns) drop(s, c);
    if (c->is_dropped || c->wants_message || waiting >= MD_PUSH_WINDOW) continue;
    c->wants_message = true;
    (void)lws_callback_on_writable(c->wsi);
  }
}

static void
on_timer(lws_sorted_usec_list_t *timer) {
  md_push_t *s = (md_push_t *)(void *)((char *)timer - offsetof(md_push_t, timer));
  s->cfg.tick(s->cfg.ctx);
  if (s->client_cnt > 0) send_round(s);
  lws_sul_schedule(s->context, 0, timer, on_timer, s->cfg.interval_ns / 1000);
}

void
md_push_begin(md_push_t *s, struct lws_context *context) {
  s->context = context;
  lws_sul_schedule(context, 0, &s->timer, on_timer, 1);
}

void
md_push_end(md_push_t *s) {
  if (s->context) lws_sul_schedule(s->context, 0, &s->timer, on_timer, LWS_SET_TIMER_USEC_CANCEL);
}

md_push_t *
md_push_new(const md_push_config_t *cfg) {
  md_push_t *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  md_assert(cfg->client_max <= MD_PUSH_CLIENT_CNT_MAX);
  s->cfg = *cfg;
  return s;
}

void
md_push_free(md_push_t *s) {
  if (!s) return;
  md_text_free(&s->message);
  md_text_free(&s->chosen);
  free(s);
}
