/* Endpoints, channels and control messages of Deribit: JSON-RPC over one WebSocket. Names that the
 * exchange does not know are left out of its answer without a word. */
#include "feeds/venues/deribit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HEARTBEAT_S   30
#define LIFE_NS       (365ll * 86400 * 1000000000) /* it names no limit */
#define SNAPSHOT_NS   (10ll * 1000000000)
#define CHANNEL_BYTES 96u
#define LIST_WEIGHT   50u
#define AUTH_BYTES    8192u /* no answer to public/auth is longer */

#define ERROR_UNAUTHORIZED     13009 /* unauthorized */
#define ERROR_RAW_UNAUTHORIZED 13778 /* raw_subscriptions_not_available_for_unauthorized */

static uint32_t format(char *out, size_t bytes, const char *text, ...) MD_PRINTF(3, 4);

static uint32_t
format(char *out, size_t bytes, const char *text, ...) {
  va_list args;
  va_start(args, text);
  int len = vsnprintf(out, bytes, text, args);
  va_end(args);
  return len > 0 && (size_t)len < bytes ? (uint32_t)len : 0;
}

static uint32_t
stream_name(char *out, size_t bytes, const char *symbol, md_channel_t channel) {
  switch (channel) {
  case MD_CHANNEL_DEPTH:
    return format(out, bytes, "book.%s.100ms", symbol);
  case MD_CHANNEL_TRADE:
  case MD_CHANNEL_LIQUIDATION: /* it is said of a trade */
    return format(out, bytes, "trades.%s.100ms", symbol);
  case MD_CHANNEL_BBO:
    return format(out, bytes, "quote.%s", symbol);
  case MD_CHANNEL_TICKER: /* has them all */
  case MD_CHANNEL_MARK:
  case MD_CHANNEL_INDEX:
  case MD_CHANNEL_FUNDING:
  case MD_CHANNEL_OPEN_INTEREST:
    return format(out, bytes, "ticker.%s.100ms", symbol);
  case MD_CHANNEL_AGG_TRADE:
  case MD_CHANNEL_KLINE:
  case MD_CHANNEL_LONG_SHORT_RATIO:
  case MD_CHANNEL_FILL:
  case MD_CHANNEL_CNT:
    break;
  }
  return 0; /* it has no such channel */
}

/* At full pace, for those who said who they are. A quote has no pace. */
static uint32_t
raw_stream_name(char *out, size_t bytes, const char *symbol, md_channel_t channel) {
  static const char pace[] = ".100ms";
  uint32_t          len    = stream_name(out, bytes, symbol, channel);
  if (len < sizeof pace || strcmp(out + len - (sizeof pace - 1), pace) != 0) return 0;
  memcpy(out + len - (sizeof pace - 1), ".raw", sizeof ".raw");
  return len - 2;
}

/* Everything is subscribed by message. */
static uint32_t
connect_url(char *out, size_t bytes, const char *base, const char *const *streams, uint32_t cnt,
            uint32_t *taken) {
  (void)streams;
  (void)cnt;
  *taken = 0;
  return format(out, bytes, "%s", base);
}

static uint32_t
subscribe(char *out, size_t bytes, bool on, const char *const *streams, uint32_t cnt, uint64_t id) {
  uint32_t used = format(out, bytes,
                         "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"public/%s\",\"params\":{"
                         "\"channels\":[",
                         (unsigned long long)id, on ? "subscribe" : "unsubscribe");
  for (uint32_t n = 0; used && n < cnt; n++) {
    uint32_t add = format(out + used, bytes - used, "%s\"%s\"", n ? "," : "", streams[n]);
    used         = add ? used + add : 0;
  }
  uint32_t end = used ? format(out + used, bytes - used, "]}}") : 0;
  return end ? used + end : 0;
}

/* What is not of one symbol is asked for on the first link only. */
static uint32_t
greeting(char *out, size_t bytes, uint32_t link, uint32_t n, uint64_t id) {
  static const char *const common[] = {"platform_state", "instrument.state.any.any",
                                       "deribit_volatility_index.btc_usd",
                                       "deribit_volatility_index.eth_usd"};
  if (n == 0)
    return format(out, bytes,
                  "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"public/set_heartbeat\","
                  "\"params\":{\"interval\":%d}}",
                  (unsigned long long)id, HEARTBEAT_S);
  return n == 1 && link == 0 ? subscribe(out, bytes, true, common, MD_CNT(common), id) : 0;
}

static uint32_t
alive(char *out, size_t bytes, uint64_t id) {
  return format(out, bytes,
                "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"public/test\",\"params\":{}}",
                (unsigned long long)id);
}

static uint32_t
auth(char *out, size_t bytes, const md_venue_credentials_t *who, uint64_t id) {
  static const char head[] =
      "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"public/auth\",\"params\":{";
  char begin[128];
  (void)format(begin, sizeof begin, head, (unsigned long long)id);
  if (who->refresh_token)
    return format(out, bytes, "%s\"grant_type\":\"refresh_token\",\"refresh_token\":\"%s\"}}",
                  begin, who->refresh_token);
  return format(out, bytes,
                "%s\"grant_type\":\"client_credentials\",\"client_id\":\"%s\","
                "\"client_secret\":\"%s\"}}",
                begin, who->client_id, who->secret);
}

/* ---- what comes ---- */

static bool
has(const uint8_t *p, uint32_t len, const char *text) {
  return memmem(p, len, text, strlen(text)) != NULL;
}

/* The channel's name stands near the beginning, and so does the type of a book's message, but for
 * old ones. */
static md_frame_kind_t
frame(const uint8_t *p, uint32_t len, const char **stream, uint32_t *stream_len) {
  static const char key[] = "\"channel\":\"";
  const uint32_t    head  = len < 256 ? len : 256;
  const uint8_t    *at    = memmem(p, head, key, sizeof key - 1);
  if (!at) {
    if (len < 256 && has(p, len, "\"test_request\"")) return MD_FRAME_ASKS;
    if (len < AUTH_BYTES && has(p, len, "\"access_token\"")) return MD_FRAME_AUTH;
    return has(p, head, "\"result\":[\"") || has(p, head, "\"result\":[]") ||
                   has(p, head, "\"error\":{")
               ? MD_FRAME_ANSWER
               : MD_FRAME_OTHER;
  }
  at += sizeof key - 1;
  uint32_t       left = (uint32_t)(p + len - at);
  const uint8_t *end  = memchr(at, '"', left < CHANNEL_BYTES ? left : CHANNEL_BYTES);
  if (!end) return MD_FRAME_OTHER;
  *stream     = (const char *)at;
  *stream_len = (uint32_t)(end - at);
  if (*stream_len > 17 && memcmp(at, "instrument.state.", 17) == 0) return MD_FRAME_LISTING;
  return has(end, (uint32_t)(p + len - end) < 160 ? (uint32_t)(p + len - end) : 160,
             "\"type\":\"snapshot\"")
             ? MD_FRAME_SNAPSHOT
             : MD_FRAME_DATA;
}

/* {"jsonrpc":"2.0","id":3,"result":["book.ETH-PERPETUAL.100ms",...]}; an error accepts none. */
static md_err_t
answer(const uint8_t *p, uint32_t len, uint64_t *id, md_accepted_fn fn, void *ctx) {
  md_db_slice_t  result = {0};
  const uint8_t *key, *name;
  uint32_t       key_len, name_len;
  bool           has_id = false;
  md_json_t      j;
  md_json_init(&j, p, len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    if (md_json_is(key, key_len, "id") && !md_json_null_if(&j))
      has_id = md_json_u64(&j, id);
    else if (md_json_is(key, key_len, "result"))
      md_json_slice(&j, &result.p, &result.len);
    else if (!md_json_is(key, key_len, "id"))
      md_json_skip(&j);
  }
  md_err_t err = md_json_finish(&j);
  if (err) return err;
  if (!has_id) return MD_ERR_UNKNOWN;
  if (!result.p) return MD_OK;
  j = md_db_cursor(result);
  md_json_array_begin(&j);
  while (md_json_element(&j))
    if (md_json_string(&j, &name, &name_len)) fn(ctx, (const char *)name, name_len);
  return md_json_finish(&j);
}

/* {"id":2,"result":{"access_token":"...","expires_in":900,"refresh_token":"...",...}} */
static md_err_t
auth_answer(const uint8_t *p, uint32_t len, md_venue_grant_t *out) {
  const uint8_t *key, *token        = NULL, *result, *id;
  uint32_t       key_len, token_len = 0, result_len, id_len;
  md_json_t      j;
  md_err_t       err = md_json_member(p, len, "id", &id, &id_len);
  if (!err) err = md_json_member(p, len, "result", &result, &result_len);
  if (err) return err;
  if (!md_db_u64((md_db_slice_t){id, id_len}, &out->id)) return MD_ERR_SYNTAX;
  j = md_db_cursor((md_db_slice_t){result, result_len});
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    if (md_json_is(key, key_len, "expires_in"))
      md_json_u64(&j, &out->expires_s);
    else if (md_json_is(key, key_len, "refresh_token"))
      md_json_string(&j, &token, &token_len);
    else
      md_json_skip(&j);
  }
  err = md_json_finish(&j);
  if (!err && token && token_len < sizeof out->refresh_token) {
    memcpy(out->refresh_token, token, token_len);
    out->refresh_token[token_len] = 0;
  }
  return err;
}

static bool
is_unauthorised(const uint8_t *p, uint32_t len) {
  const uint8_t *error, *code;
  uint32_t       error_len, code_len;
  uint64_t       v = 0;
  if (md_json_member(p, len, "error", &error, &error_len)) return false;
  if (md_json_member(error, error_len, "code", &code, &code_len)) return false;
  return md_db_u64((md_db_slice_t){code, code_len}, &v) &&
         (v == ERROR_RAW_UNAUTHORIZED || v == ERROR_UNAUTHORIZED);
}

/* ---- the list ---- */

static uint32_t
list_url(char *out, size_t bytes, const char *base) {
  return format(out, bytes, "%s/api/v2/public/get_instruments?currency=any&expired=false", base);
}

/* Futures, perpetuals and options; spot pairs and combinations are another market. */
static void
list_one(const md_db_slice_t *v, md_listing_fn fn, void *ctx) {
  char        buffer[MD_SYMBOL_BYTES];
  const char *name;
  uint32_t    len;
  bool        is_active = true;
  if (!md_db_is(v[MD_DB_kind], "future") && !md_db_is(v[MD_DB_kind], "option")) return;
  if (md_db_text(v[MD_DB_instrument_name], buffer, MD_SYMBOL_BYTES - 1, &name, &len)) return;
  if (!md_db_bool(v[MD_DB_is_active], &is_active)) is_active = true;
  if (md_db_has(v[MD_DB_state])) is_active &= md_db_is(v[MD_DB_state], "open");
  fn(ctx, name, len, is_active);
}

static md_err_t
list(const uint8_t *p, uint32_t len, md_listing_fn fn, void *ctx) {
  md_db_slice_t  result = {0};
  md_db_fields_t row;
  md_json_t      j;
  md_err_t       err = md_json_member(p, len, "result", &result.p, &result.len);
  if (err) return err;
  if (*result.p != '[') return MD_ERR_UNKNOWN;
  j = md_db_cursor(result);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    md_db_read_fields(&j, &row);
    if (!j.err) list_one(row.value, fn, ctx);
  }
  return md_json_finish(&j);
}

const md_venue_net_t md_db_net = {.ws_url            = "wss://www.deribit.com/ws/api/v2",
                                  .rest_url          = "https://www.deribit.com",
                                  .streams_max       = 500,
                                  .messages_per_s    = 3,
                                  .connects_per_5min = 100,
                                  .life_ns           = LIFE_NS,
                                  .list_weight       = LIST_WEIGHT,
                                  .stream_name       = stream_name,
                                  .connect_url       = connect_url,
                                  .subscribe         = subscribe,
                                  .frame             = frame,
                                  .list_url          = list_url,
                                  .list              = list,
                                  .snapshot_ns       = SNAPSHOT_NS,
                                  .is_sparse         = true,
                                  .greeting          = greeting,
                                  .alive             = alive,
                                  .answer            = answer,
                                  .raw_stream_name   = raw_stream_name,
                                  .auth              = auth,
                                  .auth_answer       = auth_answer,
                                  .is_unauthorised   = is_unauthorised};
