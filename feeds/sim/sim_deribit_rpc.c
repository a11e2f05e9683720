/* JSON-RPC of the simulated Deribit: the same methods over WebSocket and HTTP, and what concerns a
 * connection: subscriptions, heartbeats, who it is. */
#include "feeds/json.h"
#include "feeds/sim/sim_deribit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CREDIT_MAX      30000
#define CREDIT_PER_S    10000
#define COST            500
#define COST_SUBSCRIBE  3000
#define HEARTBEAT_MIN_S 10
#define NS_PER_S        1000000000ll
#define EXPIRES_S       900
#define PATH            "/api/v2/"

/* ---- parameters ---- */

static md_sim_db_slice_t
member(md_sim_db_slice_t object, const char *name) {
  const uint8_t *p   = NULL;
  uint32_t       len = 0;
  if (!object.p || object.p[0] != '{') return (md_sim_db_slice_t){0};
  if (md_json_member((const uint8_t *)object.p, (uint32_t)object.len, name, &p, &len))
    return (md_sim_db_slice_t){0};
  return (md_sim_db_slice_t){(const char *)p, len};
}

static md_sim_db_slice_t
unquoted(md_sim_db_slice_t s) {
  if (s.len >= 2 && s.p[0] == '"') return (md_sim_db_slice_t){s.p + 1, s.len - 2};
  return s;
}

bool
md_sim_db_param(const md_sim_db_call_t *call, const char *name, md_sim_db_slice_t *out) {
  *out = (md_sim_db_slice_t){0};
  if (call->query) return md_sim_query(call->query, name, &out->p, &out->len);
  *out = unquoted(member(call->params, name));
  return out->p != NULL;
}

static bool
number_of(md_sim_db_slice_t s, uint64_t *out) {
  return s.p && md_uint_parse((const uint8_t *)s.p, s.len, out) == MD_OK;
}

/* ---- sessions ---- */

static int
test(md_sim_db_call_t *call, md_sim_text_t *out) {
  if (call->c) md_sim_db_conn(call->c)->answer_due_ns = 0;
  md_sim_text_str(out, "{\"version\":\"1.2.26\"}");
  return MD_SIM_DB_OK;
}

static int
get_time(md_sim_db_call_t *call, md_sim_text_t *out) {
  md_sim_text_format(out, "%" PRId64, call->sim->time_ms);
  return MD_SIM_DB_OK;
}

static int
status(md_sim_db_call_t *call, md_sim_text_t *out) {
  (void)call;
  md_sim_text_str(out, "{\"locked\":\"false\",\"locked_indices\":[]}");
  return MD_SIM_DB_OK;
}

static int
set_heartbeat(md_sim_db_call_t *call, md_sim_text_t *out) {
  md_sim_db_slice_t v;
  uint64_t          s;
  call->reason = "interval must be a number of seconds from 10";
  if (!call->c) return MD_SIM_DB_METHOD;
  if (!md_sim_db_param(call, "interval", &v) || !number_of(v, &s) || s < HEARTBEAT_MIN_S ||
      s > 86400)
    return MD_SIM_DB_PARAMS;
  md_sim_db_conn_t *c = md_sim_db_conn(call->c);
  c->heartbeat_ns     = (int64_t)s * NS_PER_S;
  c->next_ns          = call->sim->now_ns + c->heartbeat_ns;
  md_sim_text_str(out, "\"ok\"");
  return MD_SIM_DB_OK;
}

static int
disable_heartbeat(md_sim_db_call_t *call, md_sim_text_t *out) {
  if (!call->c) return MD_SIM_DB_METHOD;
  md_sim_db_conn(call->c)->heartbeat_ns  = 0;
  md_sim_db_conn(call->c)->answer_due_ns = 0;
  md_sim_text_str(out, "\"ok\"");
  return MD_SIM_DB_OK;
}

/* Everybody is let in but who says "wrong". client_id "expires-N" is known for N seconds. */
static int
auth(md_sim_db_call_t *call, md_sim_text_t *out) {
  md_sim_db_slice_t type, id, secret, token;
  uint64_t          expires_s = EXPIRES_S;
  if (!md_sim_db_param(call, "grant_type", &type)) return MD_SIM_DB_PARAMS;
  (void)md_sim_db_param(call, "client_id", &id);
  (void)md_sim_db_param(call, "client_secret", &secret);
  bool refreshes =
      md_sim_db_same(type, "refresh_token") && md_sim_db_param(call, "refresh_token", &token);
  if (refreshes) {
    if (token.len < 5 || memcmp(token.p, "simR-", 5) != 0) return MD_SIM_DB_UNAUTHORIZED;
    (void)number_of((md_sim_db_slice_t){token.p + 5, token.len - 5}, &expires_s);
  } else if (!md_sim_db_same(type, "client_credentials") &&
             !md_sim_db_same(type, "client_signature")) {
    return MD_SIM_DB_PARAMS;
  } else if (!id.p || id.len == 0 || md_sim_db_same(secret, "wrong")) {
    return MD_SIM_DB_CREDENTIALS;
  } else if (id.len > 8 && memcmp(id.p, "expires-", 8) == 0) {
    (void)number_of((md_sim_db_slice_t){id.p + 8, id.len - 8}, &expires_s);
  }
  if (expires_s == 0 || expires_s > 31536000) expires_s = EXPIRES_S;
  if (call->c)
    md_sim_db_conn(call->c)->known_until_ns = call->sim->now_ns + (int64_t)expires_s * NS_PER_S;
  md_sim_text_format(
      out,
      "{\"token_type\":\"bearer\",\"scope\":\"connection mainaccount\",\"refresh_token\":"
      "\"simR-%" PRIu64 "\",\"expires_in\":%" PRIu64 ",\"access_token\":\"simA-%" PRIu64 "\"}",
      expires_s, expires_s, expires_s);
  return MD_SIM_DB_OK;
}

/* ---- subscriptions ---- */

static bool
is_known(const md_sim_db_call_t *call) {
  return call->sim->now_ns < md_sim_db_conn(call->c)->known_until_ns;
}

/* A channel exists: of an instrument that trades, or of none. */
static bool
exists(md_sim_t *sim, md_sim_db_slice_t name) {
  md_sim_stream_t *s = md_sim_hub_stream(&sim->hub, name.p, name.len);
  if (!s || s->kind == MD_SIM_OTHER) return false;
  if (s->symbol_len == 0) return true;
  const md_sim_symbol_t *symbol = md_sim_symbol_of_stream(sim, s);
  return symbol && !symbol->is_unlisted;
}

static bool
is_raw(md_sim_db_slice_t name) {
  return name.len > 4 && memcmp(name.p + name.len - 4, ".raw", 4) == 0;
}

/* Reads the channels of a request; those that are good into out, as an array in another order. */
static int
choose_channels(md_sim_db_call_t *call, bool subscribes, md_sim_text_t *out) {
  md_sim_db_slice_t list = member(call->params, "channels"), names[MD_SIM_DB_CHANNELS_MAX];
  const uint8_t    *p;
  uint32_t          len, cnt = 0;
  md_json_t         j;
  call->reason = "channels must be an array of at most 500 names";
  if (!list.p || list.p[0] != '[') return MD_SIM_DB_PARAMS;
  md_json_init(&j, (const uint8_t *)list.p, list.len);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    if (!md_json_string(&j, &p, &len) || cnt == MD_SIM_DB_CHANNELS_MAX) return MD_SIM_DB_PARAMS;
    names[cnt] = (md_sim_db_slice_t){(const char *)p, len};
    if (subscribes && is_raw(names[cnt]) && !is_known(call)) {
      call->reason = NULL;
      return MD_SIM_DB_RAW;
    }
    cnt++;
  }
  if (md_json_finish(&j)) return MD_SIM_DB_PARAMS;
  md_sim_text_str(out, "[");
  const char *comma = "";
  for (uint32_t n = cnt; n-- > 0;) {
    if (!exists(call->sim, names[n])) continue;
    md_sim_text_str(out, comma);
    md_sim_text_str(out, "\"");
    md_sim_text_add(out, names[n].p, names[n].len);
    md_sim_text_str(out, "\"");
    comma = ",";
  }
  md_sim_text_str(out, "]");
  return MD_SIM_DB_OK;
}

static int
subscribe(md_sim_db_call_t *call, md_sim_text_t *out) {
  if (!call->c) return MD_SIM_DB_METHOD;
  int err = choose_channels(call, true, out);
  if (err) return err;
  md_sim_text_t *channels = &md_sim_db_state(call->sim)->channels;
  md_sim_text_clear(channels);
  md_sim_text_add(channels, out->p, out->len);
  return MD_SIM_DB_OK;
}

/* Calls fn for each name of an array of plain names. */
static void
each_channel(md_sim_t *sim, md_sim_conn_t *c, const md_sim_text_t *list,
             void (*fn)(md_sim_t *sim, md_sim_conn_t *c, const char *name, size_t len)) {
  const char *p = list->p, *end = list->p + list->len;
  while (p < end && (p = memchr(p, '"', (size_t)(end - p))) != NULL) {
    const char *quote = memchr(p + 1, '"', (size_t)(end - p - 1));
    if (!quote) return;
    fn(sim, c, p + 1, (size_t)(quote - p - 1));
    p = quote + 1;
  }
}

static void
subscribe_one(md_sim_t *sim, md_sim_conn_t *c, const char *name, size_t len) {
  if (md_sim_conn_subscribe(&sim->hub, c, name, len))
    md_sim_conn_end(&sim->hub, c, 1008, "too many channels", false);
}

static void
unsubscribe_one(md_sim_t *sim, md_sim_conn_t *c, const char *name, size_t len) {
  (void)md_sim_conn_unsubscribe(&sim->hub, c, name, len);
}

static int
unsubscribe(md_sim_db_call_t *call, md_sim_text_t *out) {
  if (!call->c) return MD_SIM_DB_METHOD;
  int err = choose_channels(call, false, out);
  if (!err) each_channel(call->sim, call->c, out, unsubscribe_one);
  return err;
}

static int
unsubscribe_all(md_sim_db_call_t *call, md_sim_text_t *out) {
  if (!call->c) return MD_SIM_DB_METHOD;
  while (call->c->sub_cnt) {
    const md_sim_stream_t *s = call->c->subs[call->c->sub_cnt - 1];
    unsubscribe_one(call->sim, call->c, s->name, s->name_len);
  }
  md_sim_text_str(out, "\"ok\"");
  return MD_SIM_DB_OK;
}

/* ---- methods ---- */

static const struct {
  const char *name;
  int (*fn)(md_sim_db_call_t *call, md_sim_text_t *out);
  int32_t cost;
} methods[] = {
    {"public/test", test, 0},
    {"public/hello", test, COST},
    {"public/get_time", get_time, COST},
    {"public/status", status, COST},
    {"public/set_heartbeat", set_heartbeat, COST},
    {"public/disable_heartbeat", disable_heartbeat, COST},
    {"public/auth", auth, COST},
    {"public/subscribe", subscribe, COST_SUBSCRIBE},
    {"private/subscribe", subscribe, COST_SUBSCRIBE},
    {"public/unsubscribe", unsubscribe, COST_SUBSCRIBE},
    {"private/unsubscribe", unsubscribe, COST_SUBSCRIBE},
    {"public/unsubscribe_all", unsubscribe_all, COST_SUBSCRIBE},
    {"public/get_currencies", md_sim_db_currencies, COST},
    {"public/get_instruments", md_sim_db_instruments, COST},
    {"public/get_instrument", md_sim_db_instrument, COST},
    {"public/get_order_book", md_sim_db_order_book, COST},
    {"public/ticker", md_sim_db_ticker, COST},
    {"public/get_index_price", md_sim_db_index_price, COST},
    {"public/get_index_price_names", md_sim_db_index_names, COST},
    {"public/get_last_trades_by_instrument", md_sim_db_no_trades, COST},
};

static bool
may_spend(md_sim_db_credit_t *credit, int64_t now_ns, int32_t cost) {
  if (credit->at_ns == 0) *credit = (md_sim_db_credit_t){CREDIT_MAX, now_ns};
  int64_t more = (now_ns - credit->at_ns) / (NS_PER_S / CREDIT_PER_S);
  if (more > 0) {
    credit->left  = credit->left + more > CREDIT_MAX ? CREDIT_MAX : credit->left + more;
    credit->at_ns = now_ns;
  }
  if (credit->left < cost) return false;
  credit->left -= cost;
  return true;
}

static int
dispatch(md_sim_db_call_t *call, md_sim_text_t *out) {
  md_sim_db_credit_t *credit =
      call->c ? &md_sim_db_conn(call->c)->credit : &md_sim_db_state(call->sim)->http;
  call->reason = "unknown";
  for (size_t n = 0; n < MD_CNT(methods); n++) {
    if (!md_sim_db_same(call->method, methods[n].name)) continue;
    call->reason = NULL;
    if (!may_spend(credit, call->sim->now_ns, methods[n].cost)) return MD_SIM_DB_TOO_MANY;
    return methods[n].fn(call, out);
  }
  return MD_SIM_DB_METHOD;
}

/* ---- answers ---- */

static const char *
message_of(int err) {
  switch (err) {
  case MD_SIM_DB_TOO_MANY:
    return "too_many_requests";
  case MD_SIM_DB_BAD_REQUEST:
    return "bad_request";
  case MD_SIM_DB_CREDENTIALS:
    return "invalid_credentials";
  case MD_SIM_DB_UNAUTHORIZED:
    return "unauthorized";
  case MD_SIM_DB_NOT_FOUND:
    return "not_found";
  case MD_SIM_DB_RAW:
    return "raw_subscriptions_not_available_for_unauthorized";
  case MD_SIM_DB_METHOD:
    return "Method not found";
  default:
    return "Invalid params";
  }
}

static void
write_answer(const md_sim_db_call_t *call, int err, const md_sim_text_t *result,
             md_sim_text_t *out) {
  int64_t us = call->sim->time_ms * 1000 + call->sim->now_ns / 1000 % 1000;
  md_sim_text_str(out, "{\"jsonrpc\":\"2.0\"");
  if (call->id.p) {
    md_sim_text_str(out, ",\"id\":");
    md_sim_text_add(out, call->id.p, call->id.len);
  }
  if (err == MD_SIM_DB_OK) {
    md_sim_text_str(out, ",\"result\":");
    md_sim_text_add(out, result->p, result->len);
  } else {
    md_sim_text_format(out, ",\"error\":{\"code\":%d", err);
    if (err == MD_SIM_DB_BAD_REQUEST)
      md_sim_text_str(out, ",\"data\":\"invalid json\"");
    else if (call->reason)
      md_sim_text_format(out, ",\"data\":{\"reason\":\"%s\"}", call->reason);
    md_sim_text_format(out, ",\"message\":\"%s\"}", message_of(err));
  }
  md_sim_text_format(out,
                     ",\"usIn\":%" PRId64 ",\"usOut\":%" PRId64 ",\"usDiff\":75,\"testnet\":false}",
                     us, us + 75);
}

static int
read_request(md_sim_db_call_t *call, const char *text, size_t len) {
  md_sim_db_slice_t all = {text, len};
  const uint8_t    *p;
  md_json_t         j;
  uint32_t          value_len;
  md_json_init(&j, (const uint8_t *)text, len);
  md_json_slice(&j, &p, &value_len);
  if (md_json_finish(&j)) return MD_SIM_DB_BAD_REQUEST;
  call->id     = member(all, "id");
  call->method = unquoted(member(all, "method"));
  call->params = member(all, "params");
  return MD_SIM_DB_OK;
}

void
md_sim_db_receive(md_sim_t *sim, md_sim_conn_t *c, const char *text, size_t len) {
  md_sim_db_state_t *st   = md_sim_db_state(sim);
  md_sim_db_call_t   call = {.sim = sim, .c = c};
  md_sim_text_clear(&st->result);
  md_sim_text_clear(&st->answer);
  md_sim_text_clear(&st->channels);
  int err = read_request(&call, text, len);
  if (!err) err = dispatch(&call, &st->result);
  write_answer(&call, err, &st->result, &st->answer);
  md_sim_conn_text(&sim->hub, c, &st->answer);
  /* The answer stands before the books with which the channels begin. */
  if (!err) each_channel(sim, c, &st->channels, subscribe_one);
}

void
md_sim_db_rest(md_sim_t *sim, const char *method, const char *path, const char *query,
               md_sim_answer_t *out) {
  const size_t       skip = sizeof PATH - 1;
  md_sim_db_state_t *st   = md_sim_db_state(sim);
  md_sim_db_call_t   call = {.sim = sim, .query = query};
  if (strcmp(method, "GET") != 0) {
    md_sim_refuse(sim, out, 405);
    return;
  }
  if (strncmp(path, PATH, skip) == 0)
    call.method = (md_sim_db_slice_t){path + skip, strlen(path + skip)};
  md_sim_text_clear(&st->result);
  int err     = call.method.p ? dispatch(&call, &st->result) : MD_SIM_DB_METHOD;
  out->status = err == MD_SIM_DB_OK         ? 200
                : err == MD_SIM_DB_TOO_MANY ? 429
                : err == MD_SIM_DB_METHOD   ? 404
                                            : 400;
  write_answer(&call, err, &st->result, &out->body);
}

void
md_sim_db_refuse(md_sim_answer_t *out, unsigned status_code) {
  md_sim_text_format(
      &out->body,
      "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":%d,\"message\":\"%s\"},\"testnet\":false}",
      status_code == 429 ? MD_SIM_DB_TOO_MANY : MD_SIM_DB_METHOD,
      message_of(status_code == 429 ? MD_SIM_DB_TOO_MANY : MD_SIM_DB_METHOD));
}
