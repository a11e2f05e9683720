#include "feeds/url.h"

#include <stdio.h>
#include <string.h>

typedef struct scheme {
  const char *text;
  bool        is_tls, is_websocket;
  uint16_t    port;
} scheme_t;

static const scheme_t schemes[] = {{"wss://", true, true, 443},
                                   {"ws://", false, true, 80},
                                   {"https://", true, false, 443},
                                   {"http://", false, false, 80}};

static md_err_t
parse_port(const char *p, size_t len, uint16_t *out) {
  uint32_t port = 0;
  if (len == 0 || len > 5) return MD_ERR_SYNTAX;
  for (size_t n = 0; n < len; n++) {
    if (p[n] < '0' || p[n] > '9') return MD_ERR_SYNTAX;
    port = port * 10 + (uint32_t)(p[n] - '0');
  }
  if (port == 0 || port > UINT16_MAX) return MD_ERR_SYNTAX;
  *out = (uint16_t)port;
  return MD_OK;
}

static md_err_t
parse_authority(const char *p, size_t len, md_url_t *out) {
  const char *host = p, *host_end, *colon;
  if (len > 0 && p[0] == '[') {
    host     = p + 1;
    host_end = memchr(p, ']', len);
    if (!host_end) return MD_ERR_SYNTAX;
    colon = host_end + 1;
  } else {
    colon    = memchr(p, ':', len);
    host_end = colon ? colon : p + len;
    if (!colon) colon = p + len;
  }
  size_t host_len = (size_t)(host_end - host);
  if (host_len == 0 || host_len >= sizeof out->host) return MD_ERR_SYNTAX;
  for (size_t n = 0; n < host_len; n++)
    if (host[n] <= ' ' || host[n] == '@') return MD_ERR_SYNTAX;
  memcpy(out->host, host, host_len);
  if (colon == p + len) return MD_OK;
  if (*colon != ':') return MD_ERR_SYNTAX;
  return parse_port(colon + 1, (size_t)(p + len - colon - 1), &out->port);
}

md_err_t
md_url_parse(const char *text, md_url_t *out, md_msg_t *msg) {
  memset(out, 0, sizeof *out);
  if (strlen(text) >= MD_URL_BYTES_MAX)
    return md_fail(msg, MD_ERR_SYNTAX, "a URL of %zu bytes is too long; at most %u", strlen(text),
                   MD_URL_BYTES_MAX - 1);
  for (size_t n = 0; n < MD_CNT(schemes); n++) {
    const scheme_t *s   = &schemes[n];
    size_t          len = strlen(s->text);
    if (strncmp(text, s->text, len) != 0) continue;
    out->is_tls       = s->is_tls;
    out->is_websocket = s->is_websocket;
    out->port         = s->port;
    const char *rest  = text + len;
    size_t      cnt   = strcspn(rest, "/?#");
    out->path         = rest[cnt] == '/' ? rest + cnt : "/";
    if (parse_authority(rest, cnt, out))
      return md_fail(msg, MD_ERR_SYNTAX,
                     "'%.80s' has no host or port that can be read; write it as %shost:port", text,
                     s->text);
    return MD_OK;
  }
  return md_fail(msg, MD_ERR_SYNTAX,
                 "'%.80s' is no URL; begin it with wss://, ws://, https:// or http://", text);
}

void
md_url_host(const md_url_t *u, char out[MD_URL_HOST_BYTES_MAX]) {
  bool is_v6 = strchr(u->host, ':') != NULL;
  int  len =
      snprintf(out, MD_URL_HOST_BYTES_MAX, "%s%s%s", is_v6 ? "[" : "", u->host, is_v6 ? "]" : "");
  if (u->port != (u->is_tls ? 443 : 80))
    (void)snprintf(out + len, MD_URL_HOST_BYTES_MAX - (size_t)len, ":%u", u->port);
}
