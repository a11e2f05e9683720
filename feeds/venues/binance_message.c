/* Messages of the Binance markets: the envelope, and which stream it came from. */
#include "feeds/venues/binance.h"

#include <string.h>

static void
take_data(md_bn_slice_t data, md_bn_message_t *m) {
  if (data.p[0] == '[') m->rows = data;
  if (data.p[0] != '{') return;
  md_json_t inner = md_bn_cursor(data);
  md_bn_read_fields(&inner, &m->event);
}

/* The keys of a bare event are looked for at the top until "data" says otherwise. */
md_err_t
md_bn_read_message(const md_input_t *in, md_bn_message_t *m) {
  md_json_t      j;
  const uint8_t *key;
  uint32_t       key_len;
  m->stream     = (md_bn_slice_t){NULL, 0};
  m->rows       = (md_bn_slice_t){NULL, 0};
  m->event.seen = 0;
  m->is_reply   = false;
  m->is_error   = false;
  md_json_init(&j, in->payload, in->len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    char letter = md_bn_letter(key, key_len);
    if (letter) {
      md_bn_slice_t *v = &m->event.value[letter - 'A'];
      if (md_json_slice(&j, &v->p, &v->len)) m->event.seen |= 1ull << (letter - 'A');
    } else if (md_json_is(key, key_len, "stream")) {
      md_json_string(&j, &m->stream.p, &m->stream.len);
    } else if (md_json_is(key, key_len, "data")) {
      md_bn_slice_t data;
      if (!md_json_slice(&j, &data.p, &data.len)) break;
      take_data(data, m);
    } else {
      m->is_reply |= md_json_is(key, key_len, "result");
      m->is_error |= md_json_is(key, key_len, "code") || md_json_is(key, key_len, "error");
      md_json_skip(&j);
    }
  }
  return md_json_finish(&j);
}

md_bn_slice_t
md_bn_stream_kind(md_feed_t *f, const md_input_t *in, md_bn_slice_t name) {
  if (!name.p) {
    static const char root[] = "/ws/";
    uint32_t          len;
    const char       *url = md_feed_url(f, in, &len);
    const char       *at  = url ? memmem(url, len, root, sizeof root - 1) : NULL;
    if (!at) return name;
    at += sizeof root - 1;
    name.p = (const uint8_t *)at;
    while (at + name.len < url + len && at[name.len] != '?')
      name.len++;
    if (memchr(name.p, '/', name.len)) return (md_bn_slice_t){NULL, 0}; /* several streams */
  }
  const uint8_t *at = memchr(name.p, '@', name.len);
  if (!at) return (md_bn_slice_t){NULL, 0};
  at++;
  return (md_bn_slice_t){at, (uint32_t)(name.p + name.len - at)};
}

md_err_t
md_bn_broken(md_feed_t *f, const md_bn_message_t *m, md_err_t err) {
  char                  buffer[MD_SYMBOL_BYTES];
  const char           *e, *symbol;
  uint32_t              e_len, symbol_len;
  const md_bn_fields_t *s = &m->event;
  if (!md_bn_has(s, 'e') || !md_bn_has(s, 's') ||
      md_bn_text(md_bn_value(s, 'e'), buffer, 24, &e, &e_len) ||
      !md_json_is(e, e_len, "depthUpdate"))
    return err;
  if (md_bn_text(md_bn_value(s, 's'), buffer, MD_SYMBOL_BYTES - 1, &symbol, &symbol_len))
    return err;
  md_feed_bad_message(f, md_feed_lookup(f, symbol, symbol_len), err);
  return MD_OK;
}

md_err_t
md_bn_run(md_bn_context_t *c, const md_bn_fields_t *s, md_bn_event_fn fn) {
  char buffer[MD_SYMBOL_BYTES];
  c->s                = s;
  c->event.ts_exch_ns = MD_NULL_I64;
  if (!md_bn_has(s, 's') ||
      md_bn_text(md_bn_value(s, 's'), buffer, MD_SYMBOL_BYTES - 1, &c->symbol, &c->symbol_len))
    return MD_ERR_UNKNOWN;
  if (md_bn_has(s, 'e')) c->event.ts_exch_ns = md_bn_time(s, 'E', c->microseconds, &c->event.flags);
  return fn(c);
}

md_feed_instrument_t *
md_bn_instrument(md_bn_context_t *c) {
  return c->known_only ? md_feed_find_known(c->feed, c->symbol, c->symbol_len)
                       : md_feed_find(c->feed, c->symbol, c->symbol_len);
}

/* Eight letters at once: those of ASCII become capitals, the others stay. */
static uint64_t
capitals(uint64_t w) {
  const uint64_t ones = 0x0101010101010101u, low = w & 0x7f * ones;
  const uint64_t from_a = low + (0x80 - 'a') * ones, behind_z = low + (0x80 - 'z' - 1) * ones;
  return w ^ ((from_a & ~behind_z & ~w & 0x80 * ones) >> 2);
}

bool
md_bn_peek(const uint8_t *payload, uint32_t len, md_venue_peek_t *out) {
  static const char head[] = "{\"stream\":\"", book[] = "depth";
  const uint32_t    begin = sizeof head - 1;
  if (len < 2 * MD_SYMBOL_BYTES || !md_json_same(payload, head, begin)) return false;
  const uint8_t *name = payload + begin, *at = memchr(name, '@', MD_SYMBOL_BYTES);
  if (!at || at == name) return false;
  out->len     = (uint32_t)(at - name);
  out->is_book = memcmp(at + 1, book, sizeof book - 1) == 0;
  for (uint32_t n = 0; n < out->len; n += 8) {
    const uint64_t word = capitals(md_swar_load(name + n));
    memcpy(out->symbol + n, &word, sizeof word);
  }
  return out->len < MD_SYMBOL_BYTES;
}
