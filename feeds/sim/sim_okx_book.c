#include "feeds/sim/sim_okx_book.h"

#include "feeds/json.h"

#include <stdlib.h>
#include <string.h>

typedef md_sim_okx_slice_t slice_t;

/* ---- messages ---- */

static slice_t
value_of(md_json_t *j) {
  const uint8_t *p   = NULL;
  uint32_t       len = 0;
  if (!md_json_slice(j, &p, &len)) return (slice_t){0};
  return (slice_t){(const char *)p, len};
}

static slice_t
inside(slice_t s) {
  if (!s.p || s.len < 2 || s.p[0] != '"') return (slice_t){0};
  return (slice_t){s.p + 1, s.len - 2};
}

static md_json_t
cursor(slice_t s) {
  md_json_t j;
  md_json_init(&j, (const uint8_t *)s.p, s.len);
  return j;
}

static void
read_arg(slice_t text, md_sim_okx_arg_t *out) {
  md_json_t      j = cursor(text);
  const uint8_t *key;
  uint32_t       len;
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &len)) {
    slice_t v = inside(value_of(&j));
    if (md_json_is(key, len, "channel")) out->channel = v;
    if (md_json_is(key, len, "instId")) out->symbol = v;
    if (md_json_is(key, len, "instType")) out->type = v;
  }
  if (md_json_finish(&j)) *out = (md_sim_okx_arg_t){0};
}

bool
md_sim_okx_message(const char *text, size_t len, md_sim_okx_message_t *out) {
  md_json_t      j;
  const uint8_t *key;
  uint32_t       key_len;
  slice_t        arg = {0};
  *out               = (md_sim_okx_message_t){0};
  if (len < 2 || text[0] != '{') return false;
  md_json_init(&j, (const uint8_t *)text, len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    slice_t v = value_of(&j);
    if (md_json_is(key, key_len, "arg")) arg = v;
    if (md_json_is(key, key_len, "action")) out->action = inside(v);
    if (md_json_is(key, key_len, "data")) out->data = v;
  }
  if (md_json_finish(&j) || !arg.p || !out->data.p || out->data.p[0] != '[') return false;
  read_arg(arg, &out->arg);
  return out->arg.channel.p != NULL;
}

static int64_t
integer(slice_t s, int64_t otherwise) {
  if (!s.p) return otherwise;
  md_json_t j = cursor(s);
  int64_t   v;
  return md_json_i64(&j, &v) && md_json_finish(&j) == MD_OK ? v : otherwise;
}

bool
md_sim_okx_row(slice_t data, md_sim_okx_row_t *out) {
  const uint8_t *key;
  uint32_t       len;
  slice_t        ts = {0}, checksum = {0}, seq = {0}, prev = {0};
  *out        = (md_sim_okx_row_t){0};
  md_json_t j = cursor(data);
  md_json_array_begin(&j);
  if (!md_json_element(&j)) return false;
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &len)) {
    slice_t v = value_of(&j);
    if (md_json_is(key, len, "asks")) out->asks = v;
    if (md_json_is(key, len, "bids")) out->bids = v;
    if (md_json_is(key, len, "ts")) ts = v;
    if (md_json_is(key, len, "checksum")) checksum = v;
    if (md_json_is(key, len, "seqId")) seq = v;
    if (md_json_is(key, len, "prevSeqId")) prev = v;
  }
  if (j.err || !out->asks.p || !out->bids.p) return false;
  out->ts_ms    = integer(ts, 0);
  out->checksum = integer(checksum, 0);
  out->seq      = integer(seq, MD_SIM_OKX_NO_SEQ);
  out->prev     = integer(prev, MD_SIM_OKX_NO_SEQ);
  return true;
}

/* Levels that cannot be read need nothing: reading them fails where they are used. */
void
md_sim_okx_row_exps(const md_sim_okx_row_t *row, int *px_exp, int *qty_exp) {
  md_err_t err = md_json_levels_min_exp(cursor(row->asks), px_exp, qty_exp);
  if (!err) err = md_json_levels_min_exp(cursor(row->bids), px_exp, qty_exp);
  (void)err;
}

/* ---- levels ---- */

static bool
read_level(const md_sim_okx_book_t *b, slice_t text, md_sim_okx_level_t *out) {
  const uint8_t *px, *qty;
  uint32_t       px_len, qty_len;
  md_json_t      j = cursor(text);
  if (text.len > MD_SIM_OKX_LEVEL_BYTES) return false;
  md_json_array_begin(&j);
  if (!md_json_element(&j) || !md_json_number_or_string(&j, &px, &px_len)) return false;
  if (!md_json_element(&j) || !md_json_number_or_string(&j, &qty, &qty_len)) return false;
  memcpy(out->text, text.p, text.len);
  out->len     = (uint8_t)text.len;
  out->px_off  = (uint8_t)((const char *)px - text.p);
  out->px_len  = (uint8_t)px_len;
  out->qty_off = (uint8_t)((const char *)qty - text.p);
  out->qty_len = (uint8_t)qty_len;
  return md_decimal_to_exp(px, px_len, b->px_exp, &out->px) == MD_OK &&
         md_decimal_to_exp(qty, qty_len, b->qty_exp, &out->qty) == MD_OK;
}

/* Where a price stands, or would: bids fall, asks rise. */
static uint32_t
place(const md_sim_okx_side_t *s, bool is_bid, int64_t px) {
  uint32_t low = 0, high = s->cnt;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    int64_t  at     = s->levels[middle].px;
    if (is_bid ? at > px : at < px)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void
set_level(md_sim_okx_side_t *s, bool is_bid, const md_sim_okx_level_t *level) {
  uint32_t            n     = place(s, is_bid, level->px);
  bool                found = n < s->cnt && s->levels[n].px == level->px;
  md_sim_okx_level_t *at;
  if (level->qty == 0 && !found) return;
  if (level->qty == 0) {
    s->cnt--;
    memmove(&s->levels[n], &s->levels[n + 1], (s->cnt - n) * sizeof *at);
    return;
  }
  if (!found) {
    if (s->cnt == s->cap) {
      s->cap    = s->cap ? s->cap * 2 : 64;
      s->levels = md_sim_resize(s->levels, s->cap, sizeof *at);
    }
    memmove(&s->levels[n + 1], &s->levels[n], (s->cnt - n) * sizeof *at);
    s->cnt++;
  }
  s->levels[n] = *level;
}

static bool
apply_side(md_sim_okx_book_t *b, bool is_bid, slice_t levels) {
  md_json_t          j = cursor(levels);
  md_sim_okx_level_t level;
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    slice_t text = value_of(&j);
    if (!text.p || !read_level(b, text, &level)) return false;
    set_level(&b->side[is_bid ? 0 : 1], is_bid, &level);
  }
  return md_json_finish(&j) == MD_OK;
}

static md_err_t
apply(md_sim_okx_book_t *b, const md_sim_okx_row_t *row) {
  b->valid   = apply_side(b, true, row->bids) && apply_side(b, false, row->asks);
  b->seq     = row->seq;
  b->ts_ms   = row->ts_ms;
  b->has_crc = row->checksum != 0;
  if (b->valid && b->has_crc && md_sim_okx_crc(b) != (int32_t)row->checksum) b->valid = false;
  return b->valid ? MD_OK : MD_ERR_RANGE;
}

void
md_sim_okx_book_free(md_sim_okx_book_t *b) {
  free(b->side[0].levels);
  free(b->side[1].levels);
  *b = (md_sim_okx_book_t){0};
}

md_err_t
md_sim_okx_book_load(md_sim_okx_book_t *b, const md_sim_okx_row_t *row) {
  b->side[0].cnt = b->side[1].cnt = 0;
  return apply(b, row);
}

md_err_t
md_sim_okx_book_apply(md_sim_okx_book_t *b, const md_sim_okx_row_t *row) {
  if (!b->valid) return MD_ERR_RANGE;
  if (row->prev != b->seq && row->seq != MD_SIM_OKX_NO_SEQ) {
    b->valid = false;
    return MD_ERR_RANGE;
  }
  return apply(b, row);
}

/* ---- the checksum ---- */

static uint32_t
crc_add(uint32_t crc, const char *p, size_t len) {
  static uint32_t table[256];
  if (!table[1]) {
    for (uint32_t n = 0; n < 256; n++) {
      uint32_t v = n;
      for (unsigned k = 0; k < 8; k++)
        v = v >> 1 ^ (v & 1 ? 0xedb88320u : 0);
      table[n] = v;
    }
  }
  for (size_t n = 0; n < len; n++)
    crc = crc >> 8 ^ table[(crc ^ (uint8_t)p[n]) & 0xff];
  return crc;
}

int32_t
md_sim_okx_crc_text(const char *p, size_t len) {
  return (int32_t)~crc_add(UINT32_MAX, p, len);
}

int32_t
md_sim_okx_crc(const md_sim_okx_book_t *b) {
  uint32_t crc      = UINT32_MAX;
  bool     is_first = true;
  for (uint32_t n = 0; n < 2 * MD_SIM_OKX_CRC_LEVELS; n++) {
    const md_sim_okx_side_t *s = &b->side[n % 2];
    if (n / 2 >= s->cnt) continue;
    const md_sim_okx_level_t *l = &s->levels[n / 2];
    if (!is_first) crc = crc_add(crc, ":", 1);
    is_first = false;
    crc      = crc_add(crc, l->text + l->px_off, l->px_len);
    crc      = crc_add(crc, ":", 1);
    crc      = crc_add(crc, l->text + l->qty_off, l->qty_len);
  }
  return (int32_t)~crc;
}

/* ---- writing ---- */

static void
write_side(const md_sim_okx_side_t *s, uint32_t limit, md_sim_text_t *out) {
  for (uint32_t n = 0; n < s->cnt && n < limit; n++) {
    if (n) md_sim_text_str(out, ",");
    md_sim_text_add(out, s->levels[n].text, s->levels[n].len);
  }
}

void
md_sim_okx_book_rows(const md_sim_okx_book_t *b, uint32_t limit, md_sim_text_t *out) {
  md_sim_text_str(out, "\"asks\":[");
  write_side(&b->side[1], limit, out);
  md_sim_text_str(out, "],\"bids\":[");
  write_side(&b->side[0], limit, out);
  md_sim_text_str(out, "]");
}
