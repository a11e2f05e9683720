#include "feeds/sim/sim_binance.h"

#include "feeds/json.h"

#include <stdio.h>
#include <string.h>

#define PARAMS_MAX 1025u /* the largest number of streams, and one more */
#define ID_MAX     36u

typedef struct slice {
  const char *p;
  size_t      len;
} slice_t;

/* A request; a slice without p was not there. Values keep their quotes. */
typedef struct request {
  slice_t method, params, id;
  bool    is_futures;
} request_t;

static const char *const bases[] = {"BTC",  "ETH",  "BNB", "SOL", "XRP",  "ADA",  "DOGE",
                                    "AVAX", "LINK", "DOT", "LTC", "ATOM", "NEAR", "UNI",
                                    "APT",  "ARB",  "FIL", "OP",  "SUI",  "TRX"};

const char *
md_sim_bn_base(uint32_t idx) {
  return idx < MD_CNT(bases) ? bases[idx] : NULL;
}

/* ---- names ---- */

void
md_sim_bn_parse_name(md_sim_stream_t *s, const md_sim_bn_name_t *names) {
  const char *at = memchr(s->name, '@', s->name_len);
  if (!at) return;
  s->symbol_len = (uint32_t)(at - s->name);
  for (const md_sim_bn_name_t *n = names; n->suffix; n++)
    if (strcmp(at + 1, n->suffix) == 0) s->kind = n->kind;
}

size_t
md_sim_bn_stream_name(char *out, size_t bytes, const md_sim_symbol_t *symbol, md_sim_kind_t kind,
                      const md_sim_bn_name_t *names) {
  for (const md_sim_bn_name_t *n = names; n->suffix; n++) {
    if (n->kind != kind) continue;
    int len = snprintf(out, bytes, "%s@%s", symbol->key, n->suffix);
    return len > 0 && (size_t)len < bytes ? (size_t)len : 0;
  }
  return 0;
}

/* ---- URLs ---- */

static md_err_t
subscribe_list(md_sim_hub_t *h, md_sim_conn_t *c, const char *names, size_t len) {
  size_t begin = 0;
  while (begin < len) {
    const char *slash = memchr(names + begin, '/', len - begin);
    size_t      end   = slash ? (size_t)(slash - names) : len;
    if (end > begin) {
      md_err_t err = md_sim_conn_subscribe(h, c, names + begin, end - begin);
      if (err) return err;
    }
    begin = end + 1;
  }
  return MD_OK;
}

md_err_t
md_sim_bn_open(md_sim_t *sim, md_sim_conn_t *c, const char *path, const char *query) {
  md_sim_hub_t *h = &sim->hub;
  const char   *value;
  size_t        len;
  if (md_sim_query(query, "timeUnit", &value, &len)) {
    c->microseconds =
        md_json_is(value, len, "MICROSECOND") || md_json_is(value, len, "microsecond");
  }
  if (strcmp(path, "/ws") == 0 || strcmp(path, "/ws/") == 0) return MD_OK;
  if (strncmp(path, "/ws/", 4) == 0) return subscribe_list(h, c, path + 4, strlen(path + 4));
  if (strcmp(path, "/stream") != 0 && strcmp(path, "/stream/") != 0) return MD_ERR_ABSENT;
  c->combined = true;
  if (!md_sim_query(query, "streams", &value, &len)) return MD_OK;
  return subscribe_list(h, c, value, len);
}

/* ---- requests ---- */

static slice_t
value_of(md_json_t *j) {
  const uint8_t *p   = NULL;
  uint32_t       len = 0;
  if (!md_json_slice(j, &p, &len)) return (slice_t){0};
  return (slice_t){(const char *)p, len};
}

static md_err_t
parse(const char *text, size_t len, request_t *r) {
  md_json_t      j;
  const uint8_t *key;
  uint32_t       key_len;
  *r = (request_t){0};
  md_json_init(&j, (const uint8_t *)text, len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    if (md_json_is(key, key_len, "method"))
      r->method = value_of(&j);
    else if (md_json_is(key, key_len, "params"))
      r->params = value_of(&j);
    else if (md_json_is(key, key_len, "id"))
      r->id = value_of(&j);
    else
      md_json_skip(&j);
  }
  return md_json_finish(&j);
}

static bool
is_string(slice_t s) {
  return s.len >= 2 && s.p[0] == '"';
}

/* A signed integer, a string of up to 36 letters and digits (and the dashes of a UUID), or null. */
static bool
id_is_good(slice_t id) {
  if (md_json_is(id.p, id.len, "null")) return true;
  if (is_string(id)) {
    if (id.len > ID_MAX + 2) return false;
    for (size_t i = 1; i + 1 < id.len; i++) {
      char ch = id.p[i];
      bool ok = (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
      if (!ok && ch != '-' && ch != '_') return false;
    }
    return true;
  }
  size_t i = id.p[0] == '-';
  if (id.len == i || id.len - i > 19) return false;
  for (; i < id.len; i++)
    if (id.p[i] < '0' || id.p[i] > '9') return false;
  return true;
}

static void
answer_id(md_sim_text_t *out, slice_t id) {
  md_sim_text_str(out, ",\"id\":");
  if (id.p && id_is_good(id))
    md_sim_text_add(out, id.p, id.len);
  else
    md_sim_text_str(out, "null");
  md_sim_text_str(out, "}");
}

static void
refuse(md_sim_text_t *out, const request_t *r, int code, const char *text) {
  md_sim_text_clear(out);
  md_sim_text_format(out, "%s{\"code\":%d,\"msg\":", r->is_futures ? "{\"error\":" : "", code);
  md_sim_text_quote(out, text, strlen(text));
  if (r->is_futures) md_sim_text_str(out, "}");
  answer_id(out, r->id);
}

static void
accept(md_sim_text_t *out, slice_t id, const char *result) {
  md_sim_text_format(out, "{\"result\":%s", result);
  answer_id(out, id);
}

/* The members of an array: their number, or -1 when it is none or has more than max. */
static int
members(slice_t array, slice_t *out, unsigned max) {
  md_json_t j;
  unsigned  cnt = 0;
  if (!array.p || array.p[0] != '[') return -1;
  md_json_init(&j, (const uint8_t *)array.p, array.len);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    slice_t v = value_of(&j);
    if (cnt == max) return -1;
    out[cnt++] = v;
  }
  return md_json_finish(&j) ? -1 : (int)cnt;
}

/* A stream too many ends the connection. */
static void
refuse_more(md_sim_hub_t *h, md_sim_conn_t *c, const request_t *r, md_sim_text_t *out) {
  if (!r->is_futures) {
    md_sim_conn_end(h, c, 1008, "Too many streams", false);
    return;
  }
  md_sim_text_str(out, "{\"error\":{\"code\":4,\"msg\":\"Too many subscriptions\"}}");
  md_sim_conn_text(h, c, out);
  md_sim_text_clear(out);
  md_sim_conn_end(h, c, 1008, "Invalid request", true);
}

static void
handle_streams(md_sim_hub_t *h, md_sim_conn_t *c, const request_t *r, bool add,
               md_sim_text_t *out) {
  static slice_t list[PARAMS_MAX];
  int            cnt = members(r->params, list, PARAMS_MAX);
  if (cnt < 0) {
    refuse(out, r, 2, "Invalid request: params must be an array of stream names");
    return;
  }
  for (int i = 0; i < cnt; i++) {
    if (!is_string(list[i])) {
      refuse(out, r, 2, "Invalid request: stream name must be a string");
      return;
    }
  }
  for (int i = 0; i < cnt; i++) {
    const char *name = list[i].p + 1;
    size_t      len  = list[i].len - 2;
    if (!add) {
      (void)md_sim_conn_unsubscribe(h, c, name, len);
    } else if (md_sim_conn_subscribe(h, c, name, len)) {
      refuse_more(h, c, r, out);
      return;
    }
  }
  accept(out, r->id, "null");
}

static void
handle_list(const md_sim_conn_t *c, const request_t *r, md_sim_text_t *out) {
  md_sim_text_str(out, "{\"result\":[");
  for (uint32_t i = 0; i < c->sub_cnt; i++) {
    if (i) md_sim_text_str(out, ",");
    md_sim_text_quote(out, c->subs[i]->name, c->subs[i]->name_len);
  }
  md_sim_text_str(out, "]");
  answer_id(out, r->id);
}

static void
handle_property(md_sim_conn_t *c, const request_t *r, bool set, md_sim_text_t *out) {
  slice_t list[3];
  int     cnt = members(r->params, list, MD_CNT(list));
  if (cnt != (set ? 2 : 1)) {
    refuse(out, r, 2,
           cnt < (set ? 2 : 1) ? "Invalid request: too few parameters"
                               : "Invalid request: too many parameters");
  } else if (!is_string(list[0])) {
    refuse(out, r, 2, "Invalid request: property name must be a string");
  } else if (!md_json_is(list[0].p, list[0].len, "\"combined\"")) {
    refuse(out, r, 0, "Unknown property");
  } else if (!set) {
    accept(out, r->id, c->combined ? "true" : "false");
  } else if (!md_json_is(list[1].p, list[1].len, "true") &&
             !md_json_is(list[1].p, list[1].len, "false")) {
    refuse(out, r, 1, "Invalid value type: expected Boolean");
  } else {
    c->combined = list[1].p[0] == 't';
    accept(out, r->id, "null");
  }
}

static void
handle(md_sim_hub_t *h, md_sim_conn_t *c, const request_t *r, md_sim_text_t *out) {
  slice_t m = r->method;
  if (!m.p) {
    refuse(out, r, 2, "Invalid request: missing field `method`");
  } else if (r->id.p && !id_is_good(r->id)) {
    refuse(
        out, r, 2,
        "Invalid request: request ID must be an integer, a string of up to 36 characters, or null");
  } else if (md_json_is(m.p, m.len, "\"SUBSCRIBE\"")) {
    handle_streams(h, c, r, true, out);
  } else if (md_json_is(m.p, m.len, "\"UNSUBSCRIBE\"")) {
    handle_streams(h, c, r, false, out);
  } else if (md_json_is(m.p, m.len, "\"LIST_SUBSCRIPTIONS\"")) {
    handle_list(c, r, out);
  } else if (md_json_is(m.p, m.len, "\"SET_PROPERTY\"")) {
    handle_property(c, r, true, out);
  } else if (md_json_is(m.p, m.len, "\"GET_PROPERTY\"")) {
    handle_property(c, r, false, out);
  } else {
    refuse(out, r, 2,
           "Invalid request: unknown variant, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, "
           "`LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`");
  }
}

void
md_sim_bn_receive_as(md_sim_t *sim, md_sim_conn_t *c, const char *text, size_t len,
                     bool is_futures) {
  md_sim_text_t out = {0};
  request_t     r;
  md_err_t      err = parse(text, len, &r);
  r.is_futures      = is_futures;
  if (err) r.id = (slice_t){0};
  if (err)
    refuse(&out, &r, 3, "Invalid JSON: expected value at line 1 column 1");
  else
    handle(&sim->hub, c, &r, &out);
  if (out.len) md_sim_conn_text(&sim->hub, c, &out);
  md_sim_text_free(&out);
}

void
md_sim_bn_receive(md_sim_t *sim, md_sim_conn_t *c, const char *text, size_t len) {
  md_sim_bn_receive_as(sim, c, text, len, false);
}

void
md_sim_bn_goodbye(md_sim_t *sim, md_sim_conn_t *c, int64_t time_ms) {
  md_sim_text_t text = {0};
  md_sim_text_format(&text, "%s{\"e\":\"serverShutdown\",\"E\":%lld%s}%s",
                     c->combined ? "{\"stream\":\"!serverShutdown\",\"data\":" : "",
                     (long long)time_ms, c->microseconds ? "000" : "", c->combined ? "}" : "");
  md_sim_conn_text(&sim->hub, c, &text);
  md_sim_text_free(&text);
}

/* ---- microseconds ---- */

/* Keys, one letter each, that hold a time in a stream's payload. A trade's t is an id. */
static const char *
time_keys(md_sim_kind_t kind) {
  if (kind == MD_SIM_KLINE_1M) return "EtT";
  if (kind == MD_SIM_TICKER) return "EOC";
  return "ET";
}

void
md_sim_bn_microseconds(md_sim_kind_t kind, const char *data, size_t len, md_sim_text_t *out) {
  const char *keys = time_keys(kind);
  size_t      done = 0;
  md_sim_text_clear(out);
  for (size_t i = 0; i + 4 < len; i++) {
    if (data[i] != '"' || data[i + 2] != '"' || data[i + 3] != ':' || !data[i + 1]) continue;
    if (!strchr(keys, data[i + 1])) continue;
    size_t end = i + 4;
    while (end < len && data[end] >= '0' && data[end] <= '9')
      end++;
    if (end == i + 4) continue;
    md_sim_text_add(out, data + done, end - done);
    md_sim_text_str(out, "000");
    done = end;
    i    = end - 1;
  }
  md_sim_text_add(out, data + done, len - done);
}
