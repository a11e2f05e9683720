/* What a connection reads, and the events that come of it. */
#include "feeds/native_parts.h"

#include "feeds/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* ---- the receive buffer ---- */

static bool
set_rx_bytes(md_native_connection_t *c, size_t bytes) {
  uint8_t *grown = realloc(c->walk.p, bytes + MD_FRAME_PAD_BYTES);
  if (!grown) return false;
  c->walk.p   = grown;
  c->rx_bytes = bytes;
  return true;
}

bool
md_native_reserve_rx(md_native_connection_t *c) {
  return c->walk.p || set_rx_bytes(c, MD_NATIVE_RX_BYTES);
}

/* Nothing in the buffer is an event any more. It grows when what is not whole yet fills it: never
 * above the largest message, whose head the walk has refused otherwise. */
static bool
make_room(md_native_connection_t *c) {
  md_ws_keep(&c->walk);
  if (c->rx_bytes - c->walk.end >= MD_NATIVE_RX_ROOM) return true;
  return set_rx_bytes(c, c->rx_bytes * 2);
}

static ssize_t
read_tls(md_native_connection_t *c, uint8_t *p, size_t room) {
  size_t  got = 0;
  ssize_t n   = 0;
  md_tls_look(c->tls);
  while (got < room && (n = md_tls_read(c->tls, p + got, room - got)) > 0)
    got += (size_t)n;
  /* A full buffer says nothing about what OpenSSL still holds. */
  md_native_set_pending(c, got == room);
  return got ? (ssize_t)got : n;
}

int
md_native_read(md_native_connection_t *c) {
  md_transport_t *t = c->transport;
  if (!make_room(c)) {
    md_native_set_reason(c, "no memory for a message", 23);
    return -1;
  }
  uint8_t *p    = c->walk.p + c->walk.end;
  size_t   room = c->rx_bytes - c->walk.end;
  ssize_t  n    = c->tls ? read_tls(c, p, room) : recv(c->fd, p, room, 0);
  if (n > 0) {
    md_native_ack_owe(c);
    if (t->recv_ns == 0) t->recv_ns = md_clock_real_ns(t->cfg.clock);
    c->read_ns = t->recv_ns;
    c->walk.end += (size_t)n;
    memset(c->walk.p + c->walk.end, 0, MD_FRAME_PAD_BYTES);
    return 1;
  }
  return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* ---- inflated messages ---- */

/* The buffer may move: then what this poll made of it so far moves along. */
static bool
grow_plain(md_native_connection_t *c) {
  md_transport_t *t     = c->transport;
  size_t          bytes = c->plain_bytes ? c->plain_bytes * 2 : MD_NATIVE_RX_BYTES;
  const uint8_t  *old   = c->plain;
  uint8_t        *grown = malloc(bytes);
  if (!grown) return false;
  if (c->plain_used) memcpy(grown, old, c->plain_used);
  for (uint32_t n = 0; n < t->event_cnt; n++) {
    md_transport_event_t *e = &t->event[n];
    if (e->connection == c->number && old && e->payload >= old && e->payload < old + c->plain_bytes)
      e->payload = grown + (e->payload - old);
  }
  free(c->plain);
  c->plain       = grown;
  c->plain_bytes = bytes;
  return true;
}

bool
md_native_warm_plain(md_native_connection_t *c) {
  return c->plain || grow_plain(c);
}

/* Inflates a message in front of the pad; 0 or the code to fail with. */
static uint16_t
inflate_message(md_native_connection_t *c, md_ws_item_t *item, const char **why) {
  size_t   begin = c->plain_used, used = begin, max = c->transport->cfg.message_bytes_max;
  md_err_t err = MD_ERR_FULL;
  md_ws_inflate_begin(c->inflate, item->payload, item->len);
  while (err == MD_ERR_FULL) {
    size_t written;
    if (used - begin > max) {
      *why = "a message above the limit";
      return MD_WS_CODE_TOO_LARGE;
    }
    if (c->plain_bytes < used + 2 * MD_FRAME_PAD_BYTES) {
      /* Grown in the middle: what is there of this message is kept like what was given. */
      c->plain_used = used;
      bool ok       = grow_plain(c);
      c->plain_used = begin;
      *why          = "no memory for a message";
      if (!ok) return MD_WS_CODE_UNEXPECTED;
    }
    err = md_ws_inflate_more(c->inflate, c->plain + used,
                             c->plain_bytes - used - MD_FRAME_PAD_BYTES, &written);
    used += written;
  }
  *why = "a message that cannot be inflated";
  if (err) return MD_WS_CODE_NOT_UTF8;
  *why = "a message above the limit";
  if (used - begin > max) return MD_WS_CODE_TOO_LARGE;
  item->payload = c->plain + begin;
  item->len     = (uint32_t)(used - begin);
  memset(c->plain + used, 0, MD_FRAME_PAD_BYTES);
  c->plain_used = md_align_up(used + MD_FRAME_PAD_BYTES, 8);
  if (c->plain_used > c->plain_bytes) c->plain_used = c->plain_bytes;
  return 0;
}

/* ---- frames ---- */

/* The peer broke a rule, or one of ours: it is told, and that was it. */
static void
fail(md_native_connection_t *c, uint16_t code, const char *why) {
  if (code == MD_WS_CODE_TOO_LARGE) c->transport->counts.oversize_cnt++;
  md_native_set_reason(c, why, strlen(why));
  md_native_put_close(c, code);
  md_native_flush(c);
  md_native_finish(c, code);
}

static void
on_message(md_native_connection_t *c, md_ws_kind_t kind, md_ws_item_t *item) {
  bool is_text = kind == MD_WS_IS_TEXT;
  if (MD_UNLIKELY(item->is_deflated)) {
    const char *why;
    uint16_t    code = inflate_message(c, item, &why);
    if (!code && is_text && !md_utf8_is_valid(item->payload, item->len)) {
      code = MD_WS_CODE_NOT_UTF8;
      why  = "a text that is not UTF-8";
    }
    if (code) {
      fail(c, code, why);
      return;
    }
  }
  (void)md_native_event(c, is_text ? MD_TRANSPORT_TEXT : MD_TRANSPORT_BINARY, item->payload,
                        item->len);
}

/* Its code is echoed, as the RFC asks for; when we closed first, that was the answer. */
static void
on_close(md_native_connection_t *c, const md_ws_item_t *item) {
  uint16_t code = item->code == MD_WS_CODE_NONE ? (uint16_t)MD_CLOSE_LOST : item->code;
  if (c->phase == MD_NATIVE_OPEN) {
    md_native_set_reason(c, (const char *)item->payload, item->len);
    md_native_put_close(c, item->code);
    md_native_flush(c);
  } else if (item->code == MD_WS_CODE_NONE) {
    code = c->close_code;
  }
  md_native_finish(c, code);
}

static void
on_pong(md_native_connection_t *c) {
  c->valid_ns = c->transport->now_ns;
  c->ping_ns  = 0;
  if (c->transport->cfg.ping_ns > 0) md_native_set_due(c, c->valid_ns + c->transport->cfg.ping_ns);
  (void)md_native_event(c, MD_TRANSPORT_PONG, NULL, 0);
}

/* Only the close counts when we have closed. */
static bool
is_wanted(const md_native_connection_t *c, md_ws_kind_t kind) {
  return c->phase == MD_NATIVE_OPEN || kind == MD_WS_IS_CLOSE || kind == MD_WS_IS_BAD;
}

void
md_native_walk(md_native_connection_t *c) {
  md_transport_t *t = c->transport;
  while (c->phase == MD_NATIVE_OPEN || c->phase == MD_NATIVE_CLOSING) {
    md_ws_item_t item;
    if (t->event_cnt >= MD_NATIVE_EVENT_CNT) {
      md_native_set_pending(c, true);
      break;
    }
    md_ws_kind_t kind = md_ws_next(&c->walk, &item);
    if (kind == MD_WS_IS_MORE) break;
    if (!is_wanted(c, kind)) continue;
    switch (kind) {
    case MD_WS_IS_TEXT:
    case MD_WS_IS_BINARY:
      on_message(c, kind, &item);
      break;
    case MD_WS_IS_PING:
      md_native_answer_ping(c, item.payload, item.len);
      break;
    case MD_WS_IS_PONG:
      on_pong(c);
      break;
    case MD_WS_IS_CLOSE:
      on_close(c, &item);
      break;
    case MD_WS_IS_BAD:
      if (c->phase == MD_NATIVE_CLOSING)
        md_native_finish(c, c->close_code);
      else
        fail(c, item.code, item.why);
      break;
    case MD_WS_IS_MORE:
      break;
    }
  }
  if (c->tx_sent < c->tx_used || c->has_pong) md_native_flush(c);
}

/* Frames that the last poll had no room for come before anything new. */
void
md_native_service(md_native_connection_t *c) {
  c->plain_used   = 0;
  bool has_frames = c->is_pending && c->walk.at < c->walk.end;
  md_native_set_pending(c, false);
  if (has_frames) {
    uint32_t before = c->transport->event_cnt;
    md_native_walk(c);
    if (c->is_pending || c->transport->event_cnt > before) {
      /* What is behind them, in OpenSSL, no socket tells of. */
      md_native_set_pending(c, c->phase != MD_NATIVE_GONE);
      return;
    }
  }
  if (c->phase == MD_NATIVE_GONE) return;
  int n = md_native_read(c);
  if (n > 0) md_native_walk(c);
  if (n >= 0 || c->phase == MD_NATIVE_GONE) return;
  md_native_finish(c, c->phase == MD_NATIVE_CLOSING ? c->close_code : (uint16_t)MD_CLOSE_LOST);
}
