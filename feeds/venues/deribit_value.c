/* Values of Deribit's messages: bare JSON numbers in all their forms, nulls, arrays of levels. */
#include "feeds/venues/deribit.h"

#include <string.h>

#define NS_PER_MS 1000000
#define MS_MAX    4102444800000 /* 2100-01-01 */

/* ---- objects ---- */

typedef struct key {
  uint8_t len;
  char    text[27];
} db_key_t;

static const db_key_t keys[MD_DB_KEY_CNT] = {
#define MD_DB_ROW(name) {sizeof #name - 1, #name},
    MD_DB_KEYS(MD_DB_ROW)
#undef MD_DB_ROW
};

static uint32_t
key_of(const uint8_t *p, uint32_t len) {
  uint32_t k = 0;
  while (k < MD_DB_KEY_CNT && (keys[k].len != len || memcmp(keys[k].text, p, len) != 0))
    k++;
  return k;
}

void
md_db_read_fields(md_json_t *j, md_db_fields_t *out) {
  const uint8_t *p;
  uint32_t       len;
  memset(out, 0, sizeof *out);
  md_json_object_begin(j);
  while (md_json_key(j, &p, &len)) {
    uint32_t k = key_of(p, len);
    if (k == MD_DB_KEY_CNT)
      md_json_skip(j);
    else
      md_json_slice(j, &out->value[k].p, &out->value[k].len);
  }
}

md_err_t
md_db_read_object(md_db_slice_t s, md_db_fields_t *out) {
  memset(out, 0, sizeof *out);
  if (!md_db_has(s)) return MD_OK;
  md_json_t j = md_db_cursor(s);
  md_db_read_fields(&j, out);
  return md_json_finish(&j);
}

/* ---- scalars ---- */

bool
md_db_has(md_db_slice_t s) {
  return s.p != NULL && !md_json_is(s.p, s.len, "null");
}

md_err_t
md_db_text(md_db_slice_t s, char *buffer, uint32_t max, const char **text, uint32_t *len) {
  if (!md_db_has(s)) return MD_ERR_SYNTAX;
  md_json_t j = md_db_cursor(s);
  return md_json_text(&j, buffer, max, text, len);
}

bool
md_db_is(md_db_slice_t s, const char *word) {
  size_t n = strlen(word);
  return s.p != NULL && s.len == n + 2 && s.p[0] == '"' && memcmp(s.p + 1, word, n) == 0;
}

bool
md_db_u64(md_db_slice_t s, uint64_t *out) {
  if (!md_db_has(s)) return false;
  md_json_t j = md_db_cursor(s);
  return md_json_u64(&j, out) && md_json_finish(&j) == MD_OK;
}

uint64_t
md_db_u64_or_absent(md_db_slice_t s) {
  uint64_t v;
  return md_db_u64(s, &v) ? v : MD_NULL_U64;
}

void
md_db_name(md_db_slice_t s, char *out, uint32_t bytes) {
  char        buffer[MD_SYMBOL_BYTES];
  const char *text;
  uint32_t    len;
  md_assert(bytes <= sizeof buffer);
  if (md_db_text(s, buffer, bytes - 1, &text, &len) == MD_OK) memcpy(out, text, len);
}

bool
md_db_bool(md_db_slice_t s, bool *out) {
  if (!md_db_has(s)) return false;
  md_json_t j = md_db_cursor(s);
  return md_json_bool(&j, out) && md_json_finish(&j) == MD_OK;
}

bool
md_db_dec128(md_db_slice_t s, md_dec128_t *out) {
  *out = MD_DEC128_NULL;
  if (!md_db_has(s) || *s.p == '"') return true;
  return md_decimal_to_dec128(s.p, s.len, out) == MD_OK;
}

int64_t
md_db_time(md_db_slice_t s, uint16_t *flags) {
  uint64_t ms = 0;
  if (!md_db_u64(s, &ms) || ms == 0 || ms >= MS_MAX) {
    *flags |= MD_FLAG_BAD_TS;
    return MD_NULL_I64;
  }
  return (int64_t)ms * NS_PER_MS;
}

/* ---- mantissas ---- */

static md_err_t
read_decimals(const md_feed_instrument_t *i, const md_db_decimal_t *d, uint32_t cnt, int *px_exp,
              int *qty_exp) {
  md_err_t result = MD_OK;
  for (uint32_t n = 0; n < cnt; n++) {
    *d[n].out = MD_NULL_I64;
    if (!md_db_has(d[n].text)) continue;
    const uint8_t *p   = d[n].text.p;
    uint32_t       len = d[n].text.len;
    md_err_t       err = md_decimal_to_exp(p, len, d[n].is_qty ? i->qty_exp : i->px_exp, d[n].out);
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
md_db_decimals(md_feed_t *f, md_feed_instrument_t *i, const md_db_decimal_t *d, uint32_t cnt) {
  int      px_exp = i->px_exp, qty_exp = i->qty_exp;
  md_err_t err = read_decimals(i, d, cnt, &px_exp, &qty_exp);
  if (err != MD_ERR_RANGE) return err;
  err = md_feed_widen(f, i, px_exp, qty_exp);
  return err ? err : read_decimals(i, d, cnt, &px_exp, &qty_exp);
}

/* ---- levels ---- */

/* Most numbers are bare digits and end at a comma or bracket; the others take the strict way. */
static inline md_err_t
mantissa(md_json_t *j, int exp, int64_t *out) {
  bool is_plain = j->p + 1 < j->end && (j->p[0] != '0' || j->p[1] == '.') && exp <= 0 &&
                  exp >= -(int)MD_SWAR_SCALE_MAX;
  if (MD_LIKELY(is_plain)) {
    const uint8_t *q = md_swar_decimal(j->p, (unsigned)-exp, out);
    if (MD_LIKELY(q != NULL && q < j->end && (*q == ',' || *q == ']'))) {
      j->p = q;
      return MD_OK;
    }
  }
  return md_json_mantissa(j, exp, out);
}

typedef enum action { ACTION_SET, ACTION_DELETE, ACTION_NONE } action_t;

/* Stands behind the action of a level afterwards, before its price. */
static action_t
read_action(md_json_t *j) {
  const uint8_t *p;
  uint32_t       len;
  if (!md_json_array_begin(j) || !md_json_element(j) || !md_json_string(j, &p, &len))
    return ACTION_NONE;
  if (!md_json_element(j)) return ACTION_NONE;
  if (md_json_is(p, len, "new") || md_json_is(p, len, "change")) return ACTION_SET;
  return md_json_is(p, len, "delete") ? ACTION_DELETE : ACTION_NONE;
}

static md_err_t
read_level(md_json_t *j, int px_exp, int qty_exp, md_level_t *out) {
  action_t action = read_action(j);
  if (action == ACTION_NONE) return MD_ERR_SYNTAX;
  md_err_t err = mantissa(j, px_exp, &out->px);
  if (err) return err;
  if (!md_json_element(j)) return MD_ERR_SYNTAX;
  err = mantissa(j, qty_exp, &out->qty);
  if (err) return err;
  if (out->px <= 0 || out->qty < 0) return MD_ERR_SYNTAX;
  if (action == ACTION_DELETE) out->qty = 0;
  while (md_json_element(j))
    md_json_skip(j);
  return j->err;
}

static md_err_t
read_side(md_db_slice_t s, int px_exp, int qty_exp, md_level_t *out, uint32_t *cnt) {
  md_json_t j = md_db_cursor(s);
  *cnt        = 0;
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    if (*cnt == MD_BOOK_LEVELS_MAX) return MD_ERR_FULL;
    md_err_t err = read_level(&j, px_exp, qty_exp, &out[*cnt]);
    if (MD_UNLIKELY(err)) return err;
    (*cnt)++;
  }
  return md_json_finish(&j);
}

/* Lowers the exponents to what the levels of a side need. */
static void
side_min_exp(md_db_slice_t s, int *px_exp, int *qty_exp) {
  md_json_t      j = md_db_cursor(s);
  const uint8_t *p;
  uint32_t       len;
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    if (read_action(&j) == ACTION_NONE) return;
    for (int column = 0; column < 2; column++) {
      if (column != 0 && !md_json_element(&j)) return;
      if (!md_json_number_or_string(&j, &p, &len)) return;
      int *exp = column == 0 ? px_exp : qty_exp;
      int  min = md_decimal_min_exp(p, len);
      if (min < *exp) *exp = min;
    }
    while (md_json_element(&j))
      md_json_skip(&j);
  }
}

static md_err_t
read_levels(md_feed_t *f, const md_feed_instrument_t *i, md_db_slice_t bids, md_db_slice_t asks,
            md_feed_levels_t *out) {
  md_level_t *b = md_feed_bid_scratch(f), *a = md_feed_ask_scratch(f);
  *out         = (md_feed_levels_t){.bids = b, .asks = a};
  md_err_t err = read_side(bids, i->px_exp, i->qty_exp, b, &out->bid_cnt);
  return err ? err : read_side(asks, i->px_exp, i->qty_exp, a, &out->ask_cnt);
}

md_err_t
md_db_levels(md_feed_t *f, md_feed_instrument_t *i, md_db_slice_t bids, md_db_slice_t asks,
             md_feed_levels_t *out) {
  md_err_t err = read_levels(f, i, bids, asks, out);
  if (err != MD_ERR_RANGE) return err;
  int px_exp = i->px_exp, qty_exp = i->qty_exp;
  side_min_exp(bids, &px_exp, &qty_exp);
  side_min_exp(asks, &px_exp, &qty_exp);
  err = md_feed_widen(f, i, px_exp, qty_exp);
  return err ? err : read_levels(f, i, bids, asks, out);
}

md_feed_instrument_t *
md_db_instrument(md_feed_t *f, md_db_slice_t name) {
  char        buffer[MD_SYMBOL_BYTES];
  const char *text;
  uint32_t    len;
  if (md_db_text(name, buffer, MD_SYMBOL_BYTES - 1, &text, &len)) return NULL;
  return md_feed_find(f, text, len);
}
