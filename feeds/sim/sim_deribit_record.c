/* Recordings of Deribit: messages are played as they were. */
#include "feeds/json.h"
#include "feeds/sim/sim_deribit.h"

#include <string.h>

static const char channel_key[] = "\"channel\":\"";

/* The name of the channel stands near the beginning of a message. */
static const char *
find_channel(const char *p, size_t len, size_t *name_len) {
  const char *at = memmem(p, len < 256 ? len : 256, channel_key, sizeof channel_key - 1);
  if (!at) return NULL;
  at += sizeof channel_key - 1;
  const char *end = memchr(at, '"', (size_t)(p + len - at));
  if (!end) return NULL;
  *name_len = (size_t)(end - at);
  return at;
}

bool
md_sim_db_frame(md_sim_t *sim, const md_input_t *in, md_sim_frame_t *out) {
  (void)sim;
  const char *p = (const char *)in->payload;
  size_t      len;
  if (in->kind != MD_RAW_TEXT_IN) return false;
  const char *name = find_channel(p, in->len, &len);
  if (!name || len >= sizeof out->name) return false;
  memcpy(out->name, name, len);
  out->name[len] = 0;
  out->name_len  = len;
  out->data      = p;
  out->len       = in->len;
  return true;
}

/* The data of a message of a channel. */
static md_sim_db_slice_t
data_of(const char *p, size_t len) {
  const uint8_t *params, *data;
  uint32_t       params_len, data_len;
  if (md_json_member((const uint8_t *)p, (uint32_t)len, "params", &params, &params_len) ||
      md_json_member(params, params_len, "data", &data, &data_len))
    return (md_sim_db_slice_t){0};
  return (md_sim_db_slice_t){(const char *)data, data_len};
}

/* ---- books ---- */

/* [["new",price,amount],...] */
static md_err_t
read_levels(md_json_t *j, const md_sim_symbol_t *symbol, md_level_t *out, uint32_t *cnt) {
  const uint8_t *action;
  uint32_t       len;
  *cnt = 0;
  md_json_array_begin(j);
  while (md_json_element(j)) {
    md_level_t *l = &out[*cnt];
    if (*cnt == MD_SIM_LEVELS_MAX) return MD_ERR_FULL;
    md_json_array_begin(j);
    if (!md_json_element(j) || !md_json_string(j, &action, &len) || !md_json_element(j))
      return MD_ERR_SYNTAX;
    md_err_t err = md_json_mantissa(j, symbol->px_exp, &l->px);
    if (!err && !md_json_element(j)) err = MD_ERR_SYNTAX;
    if (!err) err = md_json_mantissa(j, symbol->qty_exp, &l->qty);
    if (err) return err;
    if (md_json_is(action, len, "delete")) l->qty = 0;
    while (md_json_element(j))
      md_json_skip(j);
    (*cnt)++;
  }
  return j->err;
}

static bool
is_null(md_json_t *j, uint64_t *v) {
  if (md_json_null_if(j)) return true;
  md_json_u64(j, v);
  return false;
}

md_err_t
md_sim_db_depth(md_sim_t *sim, md_sim_symbol_t *symbol, const char *data, size_t len,
                md_sim_depth_t *out) {
  md_sim_db_slice_t all  = data_of(data, len);
  md_level_t       *bids = md_sim_scratch(MD_SIDE_BUY), *asks = md_sim_scratch(MD_SIDE_SELL);
  const uint8_t    *key, *type                                = NULL;
  uint32_t          key_len, type_len                         = 0;
  md_json_t         j;
  md_err_t          err = MD_OK;
  (void)sim;
  if (!all.p) return MD_ERR_SYNTAX;
  *out = (md_sim_depth_t){.bids = bids, .asks = asks};
  md_json_init(&j, (const uint8_t *)all.p, all.len);
  md_json_object_begin(&j);
  while (!err && md_json_key(&j, &key, &key_len)) {
    if (md_json_is(key, key_len, "change_id"))
      md_json_u64(&j, &out->last);
    else if (md_json_is(key, key_len, "prev_change_id"))
      out->has_prev = !is_null(&j, &out->prev);
    else if (md_json_is(key, key_len, "type"))
      md_json_string(&j, &type, &type_len);
    else if (md_json_is(key, key_len, "bids"))
      err = read_levels(&j, symbol, bids, &out->bid_cnt);
    else if (md_json_is(key, key_len, "asks"))
      err = read_levels(&j, symbol, asks, &out->ask_cnt);
    else
      md_json_skip(&j);
  }
  if (!err) err = md_json_finish(&j);
  out->first       = out->last;
  out->is_snapshot = (type && md_json_is(type, type_len, "snapshot")) || !out->has_prev;
  return err;
}

md_sim_join_t
md_sim_db_join(uint64_t id, bool is_fresh, const md_sim_depth_t *d) {
  (void)is_fresh;
  if (d->is_snapshot || (d->has_prev && d->prev == id)) return MD_SIM_JOIN_NEXT;
  return d->last <= id ? MD_SIM_JOIN_OLD : MD_SIM_JOIN_HOLE;
}

/* ---- trades ---- */

void
md_sim_db_count(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_kind_t kind, const char *data,
                size_t len) {
  md_sim_db_slice_t rows = data_of(data, len);
  const uint8_t    *key;
  uint32_t          key_len;
  md_json_t         j;
  (void)sim;
  if ((kind != MD_SIM_TRADE && kind != MD_SIM_FILL) || !rows.p || rows.p[0] != '[') return;
  md_json_init(&j, (const uint8_t *)rows.p, rows.len);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    int64_t  qty = 0;
    md_err_t err = MD_OK;
    md_json_object_begin(&j);
    while (!err && md_json_key(&j, &key, &key_len)) {
      if (md_json_is(key, key_len, "amount"))
        err = md_json_mantissa(&j, symbol->qty_exp, &qty);
      else
        md_json_skip(&j);
    }
    if (err) return;
    symbol->trades.cnt++;
    symbol->trades.qty_sum += qty;
  }
}

/* ---- other channels than the recorded ones ---- */

/* The name of a channel stands in its messages. */
bool
md_sim_db_rewrite(md_sim_t *sim, md_sim_symbol_t *symbol, const md_sim_stream_t *from,
                  const md_sim_stream_t *to, const char *data, size_t len, md_sim_text_t *out) {
  (void)sim;
  (void)symbol;
  size_t      name_len;
  const char *name = find_channel(data, len, &name_len);
  if (from == to || !name) {
    md_sim_text_add(out, data, len);
    return true;
  }
  md_sim_text_add(out, data, (size_t)(name - data));
  md_sim_text_add(out, to->name, to->name_len);
  md_sim_text_add(out, name + name_len, len - (size_t)(name - data) - name_len);
  return true;
}
