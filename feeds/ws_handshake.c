#include "feeds/ws_handshake.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define GUID         "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define ACCEPT_BYTES 28u

typedef struct text {
  const char *p;
  size_t      len;
} text_t;

/* What was found in the answer. */
typedef struct found {
  bool        has_upgrade, has_connection, has_accept, has_extension;
  const char *key;
  bool        offers_deflate;
} found_t;

static void
base64(const uint8_t *in, size_t len, char *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t n = 0; n < len; n += 3) {
    uint32_t v = (uint32_t)in[n] << 16;
    if (n + 1 < len) v |= (uint32_t)in[n + 1] << 8;
    if (n + 2 < len) v |= in[n + 2];
    *out++ = digits[v >> 18];
    *out++ = digits[v >> 12 & 63];
    *out++ = n + 1 < len ? digits[v >> 6 & 63] : '=';
    *out++ = n + 2 < len ? digits[v & 63] : '=';
  }
  *out = 0;
}

void
md_ws_key(const uint8_t random[16], char out[MD_WS_KEY_BYTES]) {
  base64(random, 16, out);
}

size_t
md_ws_request(const md_url_t *u, const char *key, bool offers_deflate, char *out, size_t bytes) {
  char   host[MD_URL_HOST_BYTES_MAX];
  size_t path_bytes = strcspn(u->path, "#");
  md_url_host(u, host);
  for (size_t n = 0; n < path_bytes; n++)
    if ((unsigned char)u->path[n] <= ' ' || u->path[n] == 0x7f) return 0;
  int len =
      snprintf(out, bytes,
               "GET %.*s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
               (int)path_bytes, u->path, host, key,
               offers_deflate ? "Sec-WebSocket-Extensions: permessage-deflate; "
                                "client_no_context_takeover\r\n"
                              : "");
  return len > 0 && (size_t)len < bytes ? (size_t)len : 0;
}

static bool
is_same(text_t t, const char *word) {
  return t.len == strlen(word) && strncasecmp(t.p, word, t.len) == 0;
}

static text_t
trim(text_t t) {
  while (t.len && (t.p[0] == ' ' || t.p[0] == '\t')) {
    t.p++;
    t.len--;
  }
  while (t.len && (t.p[t.len - 1] == ' ' || t.p[t.len - 1] == '\t'))
    t.len--;
  return t;
}

/* The next piece of a list, and the rest of it behind the separator. */
static text_t
piece(text_t *rest, char separator) {
  const char *end = rest->len ? memchr(rest->p, separator, rest->len) : NULL;
  size_t      len = end ? (size_t)(end - rest->p) : rest->len;
  text_t      t   = {rest->p, len};
  size_t      cut = end ? len + 1 : len;
  rest->p += cut;
  rest->len -= cut;
  return trim(t);
}

static bool
has_word(text_t list, const char *word) {
  while (list.len)
    if (is_same(piece(&list, ','), word)) return true;
  return false;
}

static const char *
read_window(text_t value, md_ws_answer_t *out) {
  if (value.len >= 2 && value.p[0] == '"' && value.p[value.len - 1] == '"')
    value = (text_t){value.p + 1, value.len - 2};
  uint32_t bits = 0;
  if (value.len == 0 || value.len > 2 || value.p[0] == '0')
    return "a window of permessage-deflate that is none";
  for (size_t n = 0; n < value.len; n++) {
    if (value.p[n] < '0' || value.p[n] > '9') return "a window of permessage-deflate that is none";
    bits = bits * 10 + (uint32_t)(value.p[n] - '0');
  }
  if (bits < 8 || bits > 15) return "a window of permessage-deflate that is none";
  out->window_bits = bits;
  return NULL;
}

/* One extension, once, and no parameter twice. */
static const char *
read_extension(text_t value, found_t *f, md_ws_answer_t *out) {
  if (!f->offers_deflate) return "an extension that nobody asked for";
  if (f->has_extension) return "more than one extension";
  f->has_extension = true;
  if (memchr(value.p, ',', value.len)) return "more than one extension";
  if (!is_same(piece(&value, ';'), "permessage-deflate"))
    return "an extension that nobody asked for";
  bool has_client = false, has_window = false;
  while (value.len) {
    text_t parameter = piece(&value, ';');
    text_t name      = piece(&parameter, '=');
    if (is_same(name, "server_no_context_takeover") && !parameter.len && !out->is_reset) {
      out->is_reset = true;
    } else if (is_same(name, "client_no_context_takeover") && !parameter.len && !has_client) {
      has_client = true;
    } else if (is_same(name, "server_max_window_bits") && !has_window) {
      has_window      = true;
      const char *why = read_window(trim(parameter), out);
      if (why) return why;
    } else {
      return "a parameter of permessage-deflate that nobody asked for";
    }
  }
  out->is_deflated = true;
  return NULL;
}

static const char *
check_accept(text_t value, found_t *f) {
  char    text[MD_WS_KEY_BYTES + sizeof GUID], accept[ACCEPT_BYTES + 1];
  uint8_t digest[SHA_DIGEST_LENGTH];
  int     len = snprintf(text, sizeof text, "%s" GUID, f->key);
  (void)SHA1((const unsigned char *)text, (size_t)len, digest);
  base64(digest, sizeof digest, accept);
  if (f->has_accept) return "Sec-WebSocket-Accept twice";
  f->has_accept = true;
  if (value.len != ACCEPT_BYTES || memcmp(value.p, accept, ACCEPT_BYTES) != 0)
    return "a Sec-WebSocket-Accept that is not that of our key";
  return NULL;
}

static const char *
read_header(text_t line, found_t *f, md_ws_answer_t *out) {
  const char *colon = memchr(line.p, ':', line.len);
  if (!colon || colon == line.p) return "a header line without a name";
  text_t name  = {line.p, (size_t)(colon - line.p)};
  text_t value = trim((text_t){colon + 1, line.len - name.len - 1});
  for (size_t n = 0; n < name.len; n++)
    if ((unsigned char)name.p[n] <= ' ' || (unsigned char)name.p[n] >= 0x7f)
      return "a header line whose name has a blank or worse";
  for (size_t n = 0; n < value.len; n++)
    if ((unsigned char)value.p[n] < ' ' && value.p[n] != '\t')
      return "a header line with a control character";
  if (is_same(name, "Upgrade")) {
    if (f->has_upgrade || !is_same(value, "websocket")) return "an Upgrade to something else";
    f->has_upgrade = true;
  } else if (is_same(name, "Connection")) {
    f->has_connection = f->has_connection || has_word(value, "upgrade");
  } else if (is_same(name, "Sec-WebSocket-Accept")) {
    return check_accept(value, f);
  } else if (is_same(name, "Sec-WebSocket-Extensions")) {
    return read_extension(value, f, out);
  } else if (is_same(name, "Sec-WebSocket-Protocol")) {
    return "a subprotocol that nobody asked for";
  }
  return NULL;
}

/* What an answer that is no 101 says, without what is no text. */
static md_ws_verdict_t
refuse_status(text_t line, md_ws_answer_t *out) {
  char   text[64];
  size_t len = line.len < sizeof text - 1 ? line.len : sizeof text - 1;
  for (size_t n = 0; n < len; n++)
    text[n] = line.p[n] < ' ' || line.p[n] >= 0x7f ? '?' : line.p[n];
  text[len] = 0;
  (void)snprintf(out->why, sizeof out->why, "the server answered '%s'", text);
  return MD_WS_REFUSED;
}

static md_ws_verdict_t
refuse(md_ws_answer_t *out, const char *what) {
  (void)snprintf(out->why, sizeof out->why, "the answer to the upgrade has %s", what);
  return MD_WS_REFUSED;
}

static md_ws_verdict_t
read_lines(text_t rest, found_t *f, md_ws_answer_t *out) {
  bool is_first = true;
  while (rest.len) {
    const char *end = memchr(rest.p, '\n', rest.len);
    md_assert(end != NULL); /* the caller found the end of all lines */
    text_t line = {rest.p, (size_t)(end - rest.p)};
    rest        = (text_t){end + 1, rest.len - line.len - 1};
    if (line.len == 0 || line.p[line.len - 1] != '\r')
      return refuse(out, "a line that does not end with CR LF");
    line.len--;
    if (is_first) {
      is_first = false;
      if (line.len < 12 || memcmp(line.p, "HTTP/1.1 101", 12) != 0 ||
          (line.len > 12 && line.p[12] != ' '))
        return refuse_status(line, out);
      continue;
    }
    if (line.len == 0) break;
    const char *why = read_header(line, f, out);
    if (why) return refuse(out, why);
  }
  if (!f->has_upgrade) return refuse(out, "no Upgrade");
  if (!f->has_connection) return refuse(out, "no Connection: Upgrade");
  if (!f->has_accept) return refuse(out, "no Sec-WebSocket-Accept");
  return MD_WS_GRANTED;
}

md_ws_verdict_t
md_ws_answer(const uint8_t *p, size_t len, const char *key, bool offers_deflate,
             md_ws_answer_t *out) {
  found_t f          = {.key = key, .offers_deflate = offers_deflate};
  *out               = (md_ws_answer_t){.window_bits = 15};
  size_t         max = len < MD_WS_ANSWER_BYTES_MAX ? len : MD_WS_ANSWER_BYTES_MAX;
  const uint8_t *end = max >= 4 ? memmem(p, max, "\r\n\r\n", 4) : NULL;
  size_t         cnt = max < 9 ? max : 9;
  if (memcmp(p, "HTTP/1.1 ", cnt) != 0) {
    text_t line = {(const char *)p, max};
    if (!memchr(p, '\n', max) && len < MD_WS_ANSWER_BYTES_MAX) return MD_WS_WAIT;
    return refuse_status(piece(&line, '\n'), out);
  }
  if (!end) {
    if (len < MD_WS_ANSWER_BYTES_MAX) return MD_WS_WAIT;
    return refuse(out, "more header lines than fit");
  }
  out->bytes = (size_t)(end - p) + 4;
  return read_lines((text_t){(const char *)p, out->bytes}, &f, out);
}
