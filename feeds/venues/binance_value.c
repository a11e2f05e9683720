/* Values of a Binance message: fields, texts, times, numbers, levels. Every number is exact or an
 * error. */
#include "feeds/venues/binance.h"

#include <string.h>

#define NS_PER_MS 1000000
#define NS_PER_US 1000
#define S_MAX     4102444800 /* 2100-01-01 */

/* ---- fields ---- */

char
md_bn_letter(const uint8_t *key, uint32_t len) {
  if (len == 1) {
    bool is_letter = (key[0] >= 'A' && key[0] <= 'Z') || (key[0] >= 'a' && key[0] <= 'z');
    return is_letter ? (char)key[0] : 0;
  }
  if (len != 2) return 0;
  if (key[0] == 'p' && key[1] == 'u') return MD_BN_PU;
  if (key[0] == 'a' && key[1] == 'p') return MD_BN_AP;
  if (key[0] == 'p' && key[1] == 's') return MD_BN_PS;
  if (key[0] == 's' && key[1] == 't') return MD_BN_ST;
  if (key[0] == 'n' && key[1] == 'q') return MD_BN_NQ;
  return 0;
}

void
md_bn_read_fields(md_json_t *j, md_bn_fields_t *s) {
  const uint8_t *key;
  uint32_t       key_len;
  s->seen = 0;
  md_json_object_begin(j);
  while (md_json_key(j, &key, &key_len)) {
    char letter = md_bn_letter(key, key_len);
    if (!letter) {
      md_json_skip(j);
      continue;
    }
    md_bn_slice_t *v = &s->value[letter - 'A'];
    if (md_json_slice(j, &v->p, &v->len)) s->seen |= 1ull << (letter - 'A');
  }
}

/* ---- values ---- */

bool
md_bn_ts(int64_t v, bool microseconds, int64_t *out) {
  const int64_t unit = microseconds ? NS_PER_US : NS_PER_MS;
  const int64_t max  = S_MAX * (1000000000 / unit);
  *out               = v > 0 && v < max ? v * unit : MD_NULL_I64;
  return *out != MD_NULL_I64;
}

md_err_t
md_bn_text(md_bn_slice_t s, char *buffer, uint32_t max, const char **text, uint32_t *len) {
  md_json_t j = md_bn_cursor(s);
  return md_json_text(&j, buffer, max, text, len);
}

void
md_bn_word(md_bn_slice_t s, char out[MD_WORD_BYTES]) {
  char        buffer[MD_WORD_BYTES];
  const char *text;
  uint32_t    len;
  if (s.len == 0 || md_bn_text(s, buffer, MD_WORD_BYTES - 1, &text, &len)) return;
  memcpy(out, text, len);
}

bool
md_bn_text_is(md_bn_slice_t s, const char *text) {
  size_t n = strlen(text);
  return s.len == n + 2 && s.p[0] == '"' && memcmp(s.p + 1, text, n) == 0;
}

/* By the sign of everything that must not be below zero: without a branch for each level. */
static bool
side_is_sane(const md_level_t *levels, uint32_t cnt) {
  uint64_t sign = 0;
  for (uint32_t n = 0; n < cnt; n++) {
    const uint64_t px = (uint64_t)levels[n].px;
    sign |= px | (px - 1) | (uint64_t)levels[n].qty;
  }
  return sign >> 63 == 0;
}

bool
md_bn_levels_are_sane(md_feed_levels_t *l) {
  l->is_checked = side_is_sane(l->bids, l->bid_cnt) && side_is_sane(l->asks, l->ask_cnt);
  return l->is_checked;
}

static md_err_t
read_levels(md_feed_t *f, const md_feed_instrument_t *i, md_bn_slice_t bids, md_bn_slice_t asks,
            md_feed_levels_t *out) {
  md_level_t *b = md_feed_bid_scratch(f), *a = md_feed_ask_scratch(f);
  *out          = (md_feed_levels_t){.bids = b, .asks = a};
  md_json_t j   = md_bn_cursor(bids);
  md_err_t  err = md_json_levels(&j, i->px_exp, i->qty_exp, b, MD_BOOK_LEVELS_MAX, &out->bid_cnt);
  if (!err) err = md_json_finish(&j);
  if (err) return err;
  j   = md_bn_cursor(asks);
  err = md_json_levels(&j, i->px_exp, i->qty_exp, a, MD_BOOK_LEVELS_MAX, &out->ask_cnt);
  return err ? err : md_json_finish(&j);
}

md_err_t
md_bn_levels(md_feed_t *f, md_feed_instrument_t *i, md_bn_slice_t bids, md_bn_slice_t asks,
             md_feed_levels_t *out) {
  md_err_t err = read_levels(f, i, bids, asks, out);
  if (err == MD_ERR_RANGE) {
    int px_exp = i->px_exp, qty_exp = i->qty_exp;
    err = md_json_levels_min_exp(md_bn_cursor(bids), &px_exp, &qty_exp);
    if (!err) err = md_json_levels_min_exp(md_bn_cursor(asks), &px_exp, &qty_exp);
    if (!err) err = md_feed_widen(f, i, px_exp, qty_exp);
    if (!err) err = read_levels(f, i, bids, asks, out);
  }
  if (!err && !md_bn_levels_are_sane(out)) err = MD_ERR_SYNTAX;
  return err;
}

static md_err_t
decimal_text(md_bn_slice_t s, const uint8_t **p, uint32_t *len) {
  md_json_t j = md_bn_cursor(s);
  if (!md_json_number_or_string(&j, p, len)) return MD_ERR_SYNTAX;
  return md_json_finish(&j);
}

static md_err_t
read_decimals(const md_feed_instrument_t *i, const md_bn_decimal_t *d, uint32_t cnt, int *px_exp,
              int *qty_exp) {
  md_err_t result = MD_OK;
  for (uint32_t n = 0; n < cnt; n++) {
    const uint8_t *p;
    uint32_t       len;
    if (d[n].may_be_absent && d[n].text.len == 0) {
      *d[n].out = MD_NULL_I64;
      continue;
    }
    md_err_t err = decimal_text(d[n].text, &p, &len);
    if (!err) err = md_decimal_to_exp(p, len, d[n].is_qty ? i->qty_exp : i->px_exp, d[n].out);
    if (err && err != MD_ERR_RANGE) return err;
    if (!err) continue;
    result   = MD_ERR_RANGE;
    int *exp = d[n].is_qty ? qty_exp : px_exp;
    int  min = md_decimal_min_exp(p, len);
    if (min < *exp) *exp = min;
  }
  return result;
}

md_err_t
md_bn_decimals(md_feed_t *f, md_feed_instrument_t *i, const md_bn_decimal_t *d, uint32_t cnt) {
  int      px_exp = i->px_exp, qty_exp = i->qty_exp;
  md_err_t err = read_decimals(i, d, cnt, &px_exp, &qty_exp);
  if (err != MD_ERR_RANGE) return err;
  err = md_feed_widen(f, i, px_exp, qty_exp);
  return err ? err : read_decimals(i, d, cnt, &px_exp, &qty_exp);
}

bool
md_bn_u64(const md_bn_fields_t *s, char letter, uint64_t *out) {
  md_json_t j = md_bn_cursor(md_bn_value(s, letter));
  return md_json_u64(&j, out) && md_json_finish(&j) == MD_OK;
}

uint64_t
md_bn_u64_or_absent(const md_bn_fields_t *s, char letter) {
  uint64_t v;
  return md_bn_u64(s, letter, &v) ? v : MD_NULL_U64;
}

bool
md_bn_bool(const md_bn_fields_t *s, char letter, bool *out) {
  md_json_t j = md_bn_cursor(md_bn_value(s, letter));
  return md_json_bool(&j, out) && md_json_finish(&j) == MD_OK;
}

bool
md_bn_dec128(const md_bn_fields_t *s, char letter, md_dec128_t *out) {
  md_json_t j = md_bn_cursor(md_bn_value(s, letter));
  return md_json_dec128(&j, out) && md_json_finish(&j) == MD_OK;
}

int64_t
md_bn_time(const md_bn_fields_t *s, char letter, bool microseconds, uint16_t *flags) {
  md_json_t j = md_bn_cursor(md_bn_value(s, letter));
  int64_t   v = 0, ns;
  if (!md_json_i64(&j, &v) || md_json_finish(&j) || !md_bn_ts(v, microseconds, &ns)) {
    *flags |= MD_FLAG_BAD_TS;
    return MD_NULL_I64;
  }
  return ns;
}

bool
md_bn_dec128_or_absent(const md_bn_fields_t *s, char letter, md_dec128_t *out) {
  *out            = MD_DEC128_NULL;
  md_bn_slice_t v = md_bn_value(s, letter);
  if (v.len == 0 || md_bn_text_is(v, "") || md_json_is(v.p, v.len, "null")) return true;
  return md_bn_dec128(s, letter, out);
}
