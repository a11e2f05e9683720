#include "feeds/ws_frame.h"

#include "feeds/utf8.h"

#include <endian.h>
#include <string.h>

#define FIN       0x80u
#define RSV       0x70u
#define RSV1      0x40u
#define OPCODE    0x0fu
#define MASKED    0x80u
#define LENGTH    0x7fu
#define LENGTH_16 126u
#define LENGTH_64 127u

typedef struct head {
  uint64_t len;
  size_t   bytes;
  uint8_t  opcode;
  bool     is_last, is_deflated, is_control;
} head_t;

static md_ws_kind_t
bad(md_ws_item_t *out, uint16_t code, const char *why) {
  *out = (md_ws_item_t){.code = code, .why = why};
  return MD_WS_IS_BAD;
}

/* What is wrong with the first two bytes of a frame, NULL when nothing is. */
static const char *
wrong(const md_ws_walk_t *w, uint8_t first, uint8_t second) {
  unsigned opcode = first & OPCODE;
  if (second & MASKED) return "a masked frame";
  if (opcode > MD_WS_PONG || (opcode > MD_WS_BINARY && opcode < MD_WS_CLOSE))
    return "a reserved opcode";
  if (first & RSV) {
    bool is_begin = opcode == MD_WS_TEXT || opcode == MD_WS_BINARY;
    if ((first & RSV) != RSV1 || !w->may_deflate || !is_begin) return "a reserved bit";
  }
  if (opcode >= MD_WS_CLOSE) {
    if (!(first & FIN)) return "a control frame in fragments";
    if ((second & LENGTH) > MD_WS_CONTROL_BYTES) return "a control frame above 125 bytes";
    return NULL;
  }
  if (opcode == MD_WS_CONTINUATION && !w->is_in_message) return "a continuation of nothing";
  if (opcode != MD_WS_CONTINUATION && w->is_in_message)
    return "a new message within the fragments of another";
  return NULL;
}

/* The head of the frame at p. IS_TEXT stands for: it is good. */
static md_ws_kind_t
read_head(const md_ws_walk_t *w, const uint8_t *p, size_t have, head_t *h, md_ws_item_t *out) {
  if (have < 2) return MD_WS_IS_MORE;
  const char *why = wrong(w, p[0], p[1]);
  if (MD_UNLIKELY(why != NULL)) return bad(out, MD_WS_CODE_PROTOCOL, why);
  uint64_t len   = p[1];
  size_t   bytes = 2;
  if (len == LENGTH_16) {
    bytes = 4;
    if (have < bytes) return MD_WS_IS_MORE;
    len = (uint64_t)p[2] << 8 | p[3];
    if (len < LENGTH_16) return bad(out, MD_WS_CODE_PROTOCOL, "a length in more bytes than needed");
  } else if (len == LENGTH_64) {
    bytes = 10;
    if (have < bytes) return MD_WS_IS_MORE;
    uint64_t big;
    memcpy(&big, p + 2, sizeof big);
    len = be64toh(big);
    if (len >> 63) return bad(out, MD_WS_CODE_PROTOCOL, "a length with its highest bit set");
    if (len <= UINT16_MAX)
      return bad(out, MD_WS_CODE_PROTOCOL, "a length in more bytes than needed");
  }
  h->len         = len;
  h->bytes       = bytes;
  h->opcode      = p[0] & OPCODE;
  h->is_last     = (p[0] & FIN) != 0;
  h->is_deflated = (p[0] & RSV1) != 0;
  h->is_control  = h->opcode >= MD_WS_CLOSE;
  if (h->is_control) return MD_WS_IS_TEXT;
  uint64_t before = w->is_in_message ? w->message_len : 0;
  if (len > w->message_bytes_max - before)
    return bad(out, MD_WS_CODE_TOO_LARGE, "a message above the limit");
  return MD_WS_IS_TEXT;
}

static md_ws_kind_t
control(const head_t *h, uint8_t *payload, md_ws_item_t *out) {
  uint32_t len = (uint32_t)h->len;
  *out         = (md_ws_item_t){.payload = payload, .len = len};
  if (h->opcode == MD_WS_PING) return MD_WS_IS_PING;
  if (h->opcode == MD_WS_PONG) return MD_WS_IS_PONG;
  out->code = MD_WS_CODE_NONE;
  if (len == 0) return MD_WS_IS_CLOSE;
  if (len == 1) return bad(out, MD_WS_CODE_PROTOCOL, "a close frame with half a code");
  uint16_t code = (uint16_t)(payload[0] << 8 | payload[1]);
  if (!md_ws_close_code_is_valid(code))
    return bad(out, MD_WS_CODE_PROTOCOL, "a close frame with a code that none may bear");
  if (!md_utf8_is_valid(payload + 2, len - 2))
    return bad(out, MD_WS_CODE_NOT_UTF8, "a close frame whose reason is not UTF-8");
  *out = (md_ws_item_t){.payload = payload + 2, .len = len - 2, .code = code};
  return MD_WS_IS_CLOSE;
}

static md_ws_kind_t
whole(md_ws_walk_t *w, uint8_t *p, size_t len, bool is_text, bool is_deflated, md_ws_item_t *out) {
  w->is_in_message = false;
  if (is_text && !is_deflated && MD_UNLIKELY(!md_utf8_is_valid(p, len)))
    return bad(out, MD_WS_CODE_NOT_UTF8, "a text that is not UTF-8");
  *out = (md_ws_item_t){.payload = p, .len = (uint32_t)len, .is_deflated = is_deflated};
  return is_text ? MD_WS_IS_TEXT : MD_WS_IS_BINARY;
}

/* One fragment more, pushed against those before it. */
static void
append(md_ws_walk_t *w, const head_t *h, const uint8_t *payload) {
  if (h->opcode != MD_WS_CONTINUATION) {
    w->is_in_message = true;
    w->is_text       = h->opcode == MD_WS_TEXT;
    w->is_deflated   = h->is_deflated;
    w->message       = (size_t)(payload - w->p);
    w->message_len   = 0;
  }
  memmove(w->p + w->message + w->message_len, payload, h->len);
  w->message_len += h->len;
}

md_ws_kind_t
md_ws_next(md_ws_walk_t *w, md_ws_item_t *out) {
  for (;;) {
    head_t       h;
    size_t       have = w->end - w->at;
    uint8_t     *p    = w->p + w->at;
    md_ws_kind_t kind = read_head(w, p, have, &h, out);
    if (kind != MD_WS_IS_TEXT) return kind;
    if (have - h.bytes < h.len) return MD_WS_IS_MORE;
    w->at += h.bytes + h.len;
    p += h.bytes;
    if (h.is_control) return control(&h, p, out);
    if (h.is_last && h.opcode != MD_WS_CONTINUATION)
      return whole(w, p, h.len, h.opcode == MD_WS_TEXT, h.is_deflated, out);
    append(w, &h, p);
    if (h.is_last)
      return whole(w, w->p + w->message, w->message_len, w->is_text, w->is_deflated, out);
  }
}

void
md_ws_keep(md_ws_walk_t *w) {
  size_t kept = 0, rest = w->end - w->at;
  if (w->is_in_message) {
    kept = w->message_len;
    if (w->message) memmove(w->p, w->p + w->message, kept);
    w->message = 0;
  }
  if (rest && kept != w->at) memmove(w->p + kept, w->p + w->at, rest);
  w->at  = kept;
  w->end = kept + rest;
}

size_t
md_ws_head(uint8_t out[MD_WS_HEAD_BYTES_MAX], md_ws_opcode_t opcode, size_t len,
           const uint8_t mask[4]) {
  size_t bytes = 2;
  out[0]       = (uint8_t)(FIN | opcode);
  if (len < LENGTH_16) {
    out[1] = (uint8_t)(MASKED | len);
  } else if (len <= UINT16_MAX) {
    out[1] = (uint8_t)(MASKED | LENGTH_16);
    out[2] = (uint8_t)(len >> 8);
    out[3] = (uint8_t)len;
    bytes  = 4;
  } else {
    uint64_t big = htobe64(len);
    out[1]       = (uint8_t)(MASKED | LENGTH_64);
    memcpy(out + 2, &big, sizeof big);
    bytes = 10;
  }
  memcpy(out + bytes, mask, 4);
  return bytes + 4;
}

void
md_ws_mask(uint8_t *out, const uint8_t *in, size_t len, const uint8_t mask[4]) {
  for (size_t n = 0; n < len; n++)
    out[n] = in[n] ^ mask[n % 4];
}

/* Those of the RFC that may be sent, those registered since, and those free for use. */
bool
md_ws_close_code_is_valid(uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}
