/* Stream names, control messages and lists of symbols as all Binance markets have them. */
#include "feeds/venues/binance.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STREAM_BYTES 64u

uint32_t
md_bn_format(char *out, size_t bytes, const char *text, ...) {
  va_list args;
  va_start(args, text);
  int len = vsnprintf(out, bytes, text, args);
  va_end(args);
  return len > 0 && (size_t)len < bytes ? (uint32_t)len : 0;
}

uint32_t
md_bn_stream(char *out, size_t bytes, const char *symbol, const char *kind) {
  uint32_t len = md_bn_format(out, bytes, "%s@%s", symbol, kind);
  for (uint32_t n = 0; n < len && out[n] != '@'; n++)
    if (out[n] >= 'A' && out[n] <= 'Z') out[n] = (char)(out[n] + ('a' - 'A'));
  return len;
}

/* Symbols may hold letters of any script: in a URL these are written as bytes in hex. */
uint32_t
md_bn_encode(char *out, size_t bytes, const char *text) {
  static const char hex[] = "0123456789ABCDEF";
  size_t            used  = 0;
  for (const char *p = text; *p; p++) {
    unsigned char c = (unsigned char)*p;
    if (used + 4 > bytes) return 0;
    if (c > ' ' && c < 0x7f && !strchr("\"%&#+?/", c)) {
      out[used++] = *p;
    } else {
      out[used++] = '%';
      out[used++] = hex[c >> 4];
      out[used++] = hex[c & 15];
    }
  }
  out[used] = 0;
  return (uint32_t)used;
}

uint32_t
md_bn_connect_url(char *out, size_t bytes, const char *base, const char *const *streams,
                  uint32_t cnt, uint32_t *taken) {
  uint32_t used = md_bn_format(out, bytes, "%s/stream", base);
  *taken        = 0;
  for (uint32_t n = 0; used && n < cnt; n++) {
    char     name[3 * STREAM_BYTES];
    uint32_t len = md_bn_encode(name, sizeof name, streams[n]);
    uint32_t add =
        len ? md_bn_format(out + used, bytes - used, "%s%s", n ? "/" : "?streams=", name) : 0;
    if (!add) {
      out[used] = 0;
      break;
    }
    used += add;
    *taken = n + 1;
  }
  return used;
}

uint32_t
md_bn_subscribe(char *out, size_t bytes, bool on, const char *const *streams, uint32_t cnt,
                uint64_t id) {
  uint32_t used =
      md_bn_format(out, bytes, "{\"method\":\"%s\",\"params\":[", on ? "SUBSCRIBE" : "UNSUBSCRIBE");
  for (uint32_t n = 0; used && n < cnt; n++) {
    uint32_t add = md_bn_format(out + used, bytes - used, "%s\"%s\"", n ? "," : "", streams[n]);
    used         = add ? used + add : 0;
  }
  uint32_t end =
      used ? md_bn_format(out + used, bytes - used, "],\"id\":%llu}", (unsigned long long)id) : 0;
  return end ? used + end : 0;
}

md_frame_kind_t
md_bn_frame(const uint8_t *p, uint32_t len, const char **stream, uint32_t *stream_len) {
  static const char head[] = "{\"stream\":\"", notice[] = "serverShutdown";
  const uint32_t    n = sizeof head - 1;
  if (len > n && memcmp(p, head, n) == 0) {
    const uint8_t *end = memchr(p + n, '"', len - n < 128 ? len - n : 128);
    if (!end) return MD_FRAME_OTHER;
    *stream     = (const char *)p + n;
    *stream_len = (uint32_t)(end - p - n);
    return p[n] == '!' && memmem(p, len, notice, sizeof notice - 1) ? MD_FRAME_SHUTDOWN
                                                                    : MD_FRAME_DATA;
  }
  return len < 256 && memmem(p, len, notice, sizeof notice - 1) ? MD_FRAME_SHUTDOWN
                                                                : MD_FRAME_OTHER;
}

/* The same walk as the venue's own reader of exchangeInfo, of names and states only. */
static void
list_one(md_json_t *j, md_listing_fn fn, void *ctx) {
  char           buffer[MD_SYMBOL_BYTES], state[MD_ASSET_BYTES];
  md_bn_slice_t  symbol = {0}, status = {0};
  const uint8_t *key;
  const char    *name, *word;
  uint32_t       key_len, name_len, word_len;
  bool           is_trading = true;
  md_json_object_begin(j);
  while (md_json_key(j, &key, &key_len)) {
    if (md_json_is(key, key_len, "symbol"))
      md_json_slice(j, &symbol.p, &symbol.len);
    else if (md_json_is(key, key_len, "status") || md_json_is(key, key_len, "contractStatus"))
      md_json_slice(j, &status.p, &status.len);
    else
      md_json_skip(j);
  }
  if (md_json_finish(j) || !symbol.p ||
      md_bn_text(symbol, buffer, MD_SYMBOL_BYTES - 1, &name, &name_len))
    return;
  if (status.p && !md_bn_text(status, state, MD_ASSET_BYTES - 1, &word, &word_len))
    is_trading = md_json_is((const uint8_t *)word, word_len, "TRADING");
  fn(ctx, name, name_len, is_trading);
}

md_err_t
md_bn_list(const uint8_t *p, uint32_t len, md_listing_fn fn, void *ctx) {
  md_bn_slice_t symbols = {0};
  md_json_t     j;
  md_err_t      err = md_json_member(p, len, "symbols", &symbols.p, &symbols.len);
  if (err) return err;
  j = md_bn_cursor(symbols);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    md_bn_slice_t row;
    if (!md_json_slice(&j, &row.p, &row.len)) break;
    md_json_t one = md_bn_cursor(row);
    list_one(&one, fn, ctx);
  }
  return MD_OK;
}
