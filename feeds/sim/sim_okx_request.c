#include "feeds/sim/sim_okx_request.h"

#include "feeds/json.h"

#include <string.h>

#define ID_MAX 32u

typedef md_sim_okx_slice_t slice_t;

bool
md_sim_okx_is(slice_t s, const char *word) {
  return s.p && s.len == strlen(word) && memcmp(s.p, word, s.len) == 0;
}

/* ---- requests ---- */

static slice_t
value_of(md_json_t *j) {
  const uint8_t *p   = NULL;
  uint32_t       len = 0;
  if (!md_json_slice(j, &p, &len)) return (slice_t){0};
  return (slice_t){(const char *)p, len};
}

/* The inside of a string; anything else counts as absent. */
static slice_t
inside(slice_t s) {
  if (!s.p || s.len < 2 || s.p[0] != '"') return (slice_t){0};
  return (slice_t){s.p + 1, s.len - 2};
}

static void
read_arg(slice_t text, md_sim_okx_arg_t *out) {
  md_json_t      j;
  const uint8_t *key;
  uint32_t       len;
  *out = (md_sim_okx_arg_t){0};
  md_json_init(&j, (const uint8_t *)text.p, text.len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &len)) {
    slice_t v = inside(value_of(&j));
    if (md_json_is(key, len, "channel"))
      out->channel = v;
    else if (md_json_is(key, len, "instId"))
      out->symbol = v;
    else if (md_json_is(key, len, "instType"))
      out->type = v;
    else if (md_json_is(key, len, "instFamily") || md_json_is(key, len, "uly"))
      out->family = v;
  }
  if (md_json_finish(&j)) *out = (md_sim_okx_arg_t){0};
}

/* False: no array, or too many. */
static bool
read_args(slice_t text, md_sim_okx_request_t *r) {
  static md_sim_okx_arg_t args[MD_SIM_OKX_ARGS_MAX];
  md_json_t               j;
  if (!text.p || text.p[0] != '[') return false;
  md_json_init(&j, (const uint8_t *)text.p, text.len);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    slice_t v = value_of(&j);
    if (r->arg_cnt == MD_SIM_OKX_ARGS_MAX) return false;
    if (v.p) read_arg(v, &args[r->arg_cnt++]);
  }
  r->args = args;
  return md_json_finish(&j) == MD_OK && r->arg_cnt > 0;
}

static bool
id_is_good(slice_t id) {
  for (size_t i = 0; i < id.len; i++) {
    char c = id.p[i];
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) return false;
  }
  return id.len <= ID_MAX;
}

void
md_sim_okx_read(const char *text, size_t len, md_sim_okx_request_t *out) {
  md_json_t      j;
  const uint8_t *key;
  uint32_t       key_len;
  slice_t        op = {0}, args = {0}, id = {0};
  *out = (md_sim_okx_request_t){0};
  md_json_init(&j, (const uint8_t *)text, len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    slice_t v = value_of(&j);
    if (md_json_is(key, key_len, "op"))
      op = inside(v);
    else if (md_json_is(key, key_len, "args"))
      args = v;
    else if (md_json_is(key, key_len, "id"))
      id = inside(v);
  }
  if (md_json_finish(&j) || !id_is_good(id)) return;
  out->id = id;
  if (md_sim_okx_is(op, "login")) {
    out->op = MD_SIM_OKX_LOGIN;
    return;
  }
  const bool on = md_sim_okx_is(op, "subscribe");
  if (!on && !md_sim_okx_is(op, "unsubscribe")) return;
  if (read_args(args, out)) out->op = on ? MD_SIM_OKX_SUBSCRIBE : MD_SIM_OKX_UNSUBSCRIBE;
}

/* ---- channels ---- */

static const md_sim_okx_channel_t channels[] = {
    {"books", false, MD_SIM_OKX_BY_SYMBOL},
    {"books5", false, MD_SIM_OKX_BY_SYMBOL},
    {"bbo-tbt", false, MD_SIM_OKX_BY_SYMBOL},
    {"trades", false, MD_SIM_OKX_BY_SYMBOL},
    {"tickers", false, MD_SIM_OKX_BY_SYMBOL},
    {"funding-rate", false, MD_SIM_OKX_BY_SYMBOL},
    {"open-interest", false, MD_SIM_OKX_BY_SYMBOL},
    {"mark-price", false, MD_SIM_OKX_BY_SYMBOL},
    {"price-limit", false, MD_SIM_OKX_BY_SYMBOL},
    {"index-tickers", false, MD_SIM_OKX_BY_PAIR},
    {"liquidation-orders", false, MD_SIM_OKX_BY_TYPE},
    {"instruments", false, MD_SIM_OKX_BY_TYPE},
    {"trades-all", true, MD_SIM_OKX_BY_SYMBOL},
    {"candle1m", true, MD_SIM_OKX_BY_SYMBOL},
    {"candle5m", true, MD_SIM_OKX_BY_SYMBOL},
    {"candle1H", true, MD_SIM_OKX_BY_SYMBOL},
    {"candle1D", true, MD_SIM_OKX_BY_SYMBOL},
    {"books-l2-tbt", false, MD_SIM_OKX_BY_TIER},
    {"books50-l2-tbt", false, MD_SIM_OKX_BY_TIER},
    {"account", false, MD_SIM_OKX_BY_ACCOUNT},
    {"positions", false, MD_SIM_OKX_BY_ACCOUNT},
    {"orders", false, MD_SIM_OKX_BY_ACCOUNT},
};

const md_sim_okx_channel_t *
md_sim_okx_channel(slice_t name) {
  for (uint32_t n = 0; n < MD_CNT(channels); n++)
    if (md_sim_okx_is(name, channels[n].name)) return &channels[n];
  return NULL;
}

uint32_t
md_sim_okx_channel_idx(const md_sim_okx_channel_t *channel) {
  _Static_assert(MD_CNT(channels) <= 32, "a bit of a word for each");
  return (uint32_t)(channel - channels);
}

/* ---- answers ---- */

/* Repeats what stood in a message, with its own escapes. */
static void
member(md_sim_text_t *out, const char *name, slice_t v) {
  if (!v.p) return;
  md_sim_text_str(out, out->p[out->len - 1] == '{' ? "\"" : ",\"");
  md_sim_text_str(out, name);
  md_sim_text_str(out, "\":\"");
  md_sim_text_add(out, v.p, v.len);
  md_sim_text_str(out, "\"");
}

static void
finish(md_sim_text_t *out, uint32_t conn_id) {
  md_sim_text_format(out, ",\"connId\":\"%08x\"}", conn_id);
}

void
md_sim_okx_ack(md_sim_text_t *out, const md_sim_okx_request_t *r, const char *event,
               const md_sim_okx_arg_t *arg, uint32_t conn_id) {
  md_sim_text_clear(out);
  md_sim_text_str(out, "{");
  member(out, "id", r->id);
  member(out, "event", (slice_t){event, strlen(event)});
  md_sim_text_str(out, ",\"arg\":{");
  member(out, "channel", arg->channel);
  member(out, "instType", arg->type);
  member(out, "instFamily", arg->family);
  member(out, "instId", arg->symbol);
  md_sim_text_str(out, "}");
  finish(out, conn_id);
}

void
md_sim_okx_error(md_sim_text_t *out, slice_t id, unsigned code, const char *msg, size_t msg_len,
                 uint32_t conn_id) {
  md_sim_text_clear(out);
  md_sim_text_str(out, "{");
  member(out, "id", id);
  member(out, "event", (slice_t){"error", 5});
  md_sim_text_str(out, ",\"msg\":");
  md_sim_text_quote(out, msg, msg_len);
  md_sim_text_format(out, ",\"code\":\"%u\"", code);
  finish(out, conn_id);
}

void
md_sim_okx_absent(md_sim_text_t *out, slice_t id, const md_sim_okx_arg_t *arg, uint32_t conn_id) {
  md_sim_text_t msg = {0};
  md_sim_text_str(&msg, "Wrong URL or channel:");
  md_sim_text_add(&msg, arg->channel.p, arg->channel.len);
  const slice_t what = arg->symbol.p ? arg->symbol : arg->type;
  if (what.p) {
    md_sim_text_str(&msg, arg->symbol.p ? ",instId:" : ",instType:");
    md_sim_text_add(&msg, what.p, what.len);
  }
  md_sim_text_str(&msg, " doesn't exist. Please use the correct URL, channel and parameters "
                        "referring to API document.");
  md_sim_okx_error(out, id, 60018, msg.p, msg.len, conn_id);
  md_sim_text_free(&msg);
}

void
md_sim_okx_illegal(md_sim_text_t *out, slice_t id, const char *text, size_t len, uint32_t conn_id) {
  md_sim_text_t msg = {0};
  md_sim_text_str(&msg, "Illegal request: ");
  md_sim_text_add(&msg, text, len < 512 ? len : 512);
  md_sim_okx_error(out, id, 60012, msg.p, msg.len, conn_id);
  md_sim_text_free(&msg);
}

void
md_sim_okx_conn_count(md_sim_text_t *out, const char *channel, uint32_t cnt, uint32_t conn_id) {
  md_sim_text_clear(out);
  md_sim_text_format(out,
                     "{\"event\":\"channel-conn-count\",\"channel\":\"%s\",\"connCount\":\"%u\"",
                     channel, cnt);
  finish(out, conn_id);
}

void
md_sim_okx_notice(md_sim_text_t *out, uint32_t conn_id) {
  md_sim_text_clear(out);
  md_sim_text_str(out, "{\"event\":\"notice\",\"msg\":\"The connection will soon be closed for a "
                       "service upgrade. Please reconnect.\",\"code\":\"64008\"");
  finish(out, conn_id);
}
