/* Which symbols and streams are wanted, on which connection, and the messages that ask for them. */
#include "feeds/live_parts.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_NS (3600 * NS_PER_S)

#define CHANNEL_NAME(NAME, name) name,
static const char *const channel_names[MD_CHANNEL_CNT] = {MD_CHANNEL_TABLE(CHANNEL_NAME)};
#undef CHANNEL_NAME

#define CHANNEL_LIST(NAME, name) ", " name
static const char channel_list[] = MD_CHANNEL_TABLE(CHANNEL_LIST);
#undef CHANNEL_LIST

/* ---- lists of names in a configuration ---- */

/* Copies the next word of a list; false at its end. */
static bool
next_word(const char **at, char *out, size_t bytes) {
  *at += strspn(*at, " ,[]\t\n");
  size_t len = strcspn(*at, " ,[]\t\n");
  if (len == 0) return false;
  size_t cut = len < bytes ? len : bytes - 1;
  memcpy(out, *at, cut);
  out[cut] = 0;
  *at += len;
  return true;
}

static bool
is_pattern(const char *word) {
  return strcmp(word, "all") == 0 || strpbrk(word, "*?") != NULL;
}

static bool
list_has(const char *list, const char *symbol) {
  char word[MD_SYMBOL_BYTES];
  while (list && next_word(&list, word, sizeof word))
    if (strcmp(word, "all") == 0 || fnmatch(word, symbol, 0) == 0) return true;
  return false;
}

static uint32_t
channel_of(const char *word) {
  uint32_t n = 0;
  while (n < MD_CHANNEL_CNT && strcmp(word, channel_names[n]) != 0)
    n++;
  return n;
}

md_err_t
md_feed_live_check_names(const char *symbols, const char *channels, md_msg_t *msg) {
  char     word[MD_SYMBOL_BYTES];
  uint32_t cnt = 0;
  while (next_word(&channels, word, sizeof word)) {
    if (channel_of(word) == MD_CHANNEL_CNT)
      return md_fail(msg, MD_ERR_CONFIG, "'%s' is no channel; choose from %s", word,
                     channel_list + 2);
    cnt++;
  }
  if (cnt == 0)
    return md_fail(msg, MD_ERR_CONFIG,
                   "no channel is named; write for example [depth, trade, bbo]");
  if (!next_word(&symbols, word, sizeof word))
    return md_fail(msg, MD_ERR_CONFIG,
                   "no symbol is named; write for example [BTCUSDT, ETHUSDT], \"*USDT\" or all");
  return MD_OK;
}

/* ---- streams ---- */

static uint32_t
name_hash(const char *name, uint32_t len) {
  uint32_t h = 2166136261u;
  for (uint32_t n = 0; n < len; n++)
    h = (h ^ (uint8_t)name[n]) * 16777619u;
  return h ^ h >> 15;
}

md_feed_live_stream_t *
md_feed_live_find_stream(md_feed_live_t *l, const char *name, uint32_t len) {
  for (uint32_t at = name_hash(name, len) & l->hash_mask; l->hash[at];
       at          = (at + 1) & l->hash_mask) {
    md_feed_live_stream_t *s = &l->stream[l->hash[at] - 1];
    if (strncmp(s->name, name, len) == 0 && s->name[len] == 0) return s;
  }
  return NULL;
}

/* Puts a stream where its name is looked for. */
static void
hash_add(md_feed_live_t *l, uint32_t stream) {
  const char *name = l->stream[stream].name;
  uint32_t    at   = name_hash(name, (uint32_t)strlen(name)) & l->hash_mask;
  while (l->hash[at])
    at = (at + 1) & l->hash_mask;
  l->hash[at] = stream + 1;
}

uint32_t
md_feed_live_name(const md_feed_live_t *l, const md_feed_live_link_t *k, char *out, size_t bytes,
                  uint32_t symbol, uint32_t channel) {
  const char *name = l->symbol[symbol].name;
  uint32_t len = k->is_raw ? l->net->raw_stream_name(out, bytes, name, (md_channel_t)channel) : 0;
  return len ? len : l->net->stream_name(out, bytes, name, (md_channel_t)channel);
}

void
md_feed_live_rename(md_feed_live_t *l, md_feed_live_link_t *k) {
  for (uint32_t n = 0; n < k->stream_cnt; n++) {
    md_feed_live_stream_t *s = &l->stream[k->stream[n]];
    (void)md_feed_live_name(l, k, s->name, sizeof s->name, s->symbol, s->channel);
  }
  memset(l->hash, 0, ((size_t)l->hash_mask + 1) * sizeof *l->hash);
  for (uint32_t n = 0; n < l->stream_cnt; n++)
    hash_add(l, n);
}

static bool
link_add(md_feed_live_link_t *k, uint32_t stream) {
  if (k->stream_cnt == k->stream_max) {
    uint32_t  max   = k->stream_max ? k->stream_max * 2 : 64;
    uint32_t *grown = realloc(k->stream, max * sizeof *grown);
    if (!grown) return false;
    k->stream     = grown;
    k->stream_max = max;
  }
  k->stream[k->stream_cnt++] = stream;
  return true;
}

/* The last link of a path, if it has room for all streams of a symbol, or a new one. */
static md_feed_live_link_t *
take_link(md_feed_live_t *l, const char *path, uint32_t stream_cnt) {
  md_feed_live_link_t *k = NULL;
  for (uint32_t n = l->link_cnt; n > 0 && !k; n--)
    if (strcmp(l->link[n - 1].path, path) == 0) k = &l->link[n - 1];
  uint32_t max =
      l->net->streams_max < MD_LIVE_LINK_STREAMS ? l->net->streams_max : MD_LIVE_LINK_STREAMS;
  if (k && k->stream_cnt + stream_cnt <= max) return k;
  if (l->link_cnt == MD_LIVE_LINK_CNT_MAX) return NULL;
  k         = &l->link[l->link_cnt];
  k->path   = path;
  k->is_raw = l->cfg.pace != MD_LIVE_PACE_PUBLIC && l->net->raw_stream_name;
  for (uint32_t n = 0; n < 2; n++) {
    md_feed_live_half_t *h = &k->half[n];
    h->connection          = MD_LIVE_NONE;
    h->leg                 = (uint8_t)(2 * l->link_cnt + n);
    (void)snprintf(h->name, sizeof h->name, "%.20s.%u%c", l->cfg.name, l->link_cnt, "ab"[n]);
  }
  l->link_cnt++;
  return k;
}

static bool
add_stream(md_feed_live_t *l, md_feed_live_link_t *k, uint32_t symbol, uint32_t channel) {
  md_feed_live_stream_t *s   = &l->stream[l->stream_cnt];
  uint32_t               len = md_feed_live_name(l, k, s->name, sizeof s->name, symbol, channel);
  if (len == 0 || l->stream_cnt == l->stream_max) return false;
  if (md_feed_live_find_stream(l, s->name, len)) return false; /* two channels, one stream */
  if (!link_add(k, l->stream_cnt)) return false;
  s->channel = (uint8_t)channel;
  s->symbol  = symbol;
  s->link    = (uint32_t)(k - l->link);
  hash_add(l, l->stream_cnt++);
  return true;
}

md_feed_live_symbol_t *
md_feed_live_find_symbol(md_feed_live_t *l, const char *name, uint32_t len) {
  for (uint32_t n = 0; n < l->symbol_cnt; n++)
    if (strncmp(l->symbol[n].name, name, len) == 0 && l->symbol[n].name[len] == 0)
      return &l->symbol[n];
  return NULL;
}

/* A stream that is asked for now has its own time to give data, whatever its connection's age is.
 */
static void
begin_stream(md_feed_live_t *l, md_feed_live_stream_t *s) {
  s->is_removed = s->is_silent = s->is_live = false;
  s->retry_cnt                              = 0;
  s->last_ns = s->mean_ns = 0;
  s->retry_ns             = l->now_ns + l->cfg.silence_ns[s->channel];
}

static void
come_back(md_feed_live_t *l, md_feed_live_symbol_t *symbol) {
  symbol->is_removed = false;
  l->has_news        = true;
  md_feed_live_log(l, "info", "%s is listed again", symbol->name);
  for (uint32_t n = 0; n < l->stream_cnt; n++) {
    if (&l->symbol[l->stream[n].symbol] != symbol) continue;
    begin_stream(l, &l->stream[n]);
    l->stream[n].todo = MD_LIVE_SUBSCRIBE;
  }
}

static const char *
path_of(const md_feed_live_t *l, uint32_t channel) {
  return l->net->path ? l->net->path((md_channel_t)channel) : "";
}

/* The channels that share the path of `first`, when it is the first of them; how many in *cnt. */
static bool
leads_path(const md_feed_live_t *l, const char *symbol, uint32_t first, uint32_t *cnt) {
  char        name[MD_LIVE_STREAM_BYTES];
  const char *path = path_of(l, first);
  *cnt             = 0;
  for (uint32_t c = 0; c < MD_CHANNEL_CNT; c++) {
    if (!l->channel[c] || strcmp(path_of(l, c), path) != 0) continue;
    if (!l->net->stream_name(name, sizeof name, symbol, (md_channel_t)c)) continue;
    if (c < first) return false;
    ++*cnt;
  }
  return *cnt > 0;
}

/* The streams of a symbol that have the path of a channel, on one connection. */
static bool
add_streams(md_feed_live_t *l, uint32_t symbol, uint32_t first, uint32_t cnt) {
  const char          *path = path_of(l, first);
  md_feed_live_link_t *k    = take_link(l, path, cnt);
  if (!k) return false;
  for (uint32_t c = first; c < MD_CHANNEL_CNT; c++)
    if (l->channel[c] && strcmp(path_of(l, c), path) == 0 && add_stream(l, k, symbol, c))
      begin_stream(l, &l->stream[l->stream_cnt - 1]);
  return true;
}

/* A symbol comes (again): its streams stand on one connection for each path. */
static void
add_symbol(md_feed_live_t *l, const char *name, uint32_t len) {
  md_feed_live_symbol_t *known = md_feed_live_find_symbol(l, name, len);
  uint32_t               cnt   = 0;
  if (known && known->is_removed) come_back(l, known);
  if (known) return;
  bool is_full = l->symbol_cnt == l->symbol_max || len >= MD_SYMBOL_BYTES;
  if (is_full) {
    md_feed_live_log(l, "error", "%.*s is left out: no room for more symbols", (int)len, name);
    return;
  }
  md_feed_live_symbol_t *s = &l->symbol[l->symbol_cnt];
  memcpy(s->name, name, len);
  l->symbol_cnt++;
  if (l->list_cnt > 1) md_feed_live_log(l, "info", "%s is listed now", s->name);
  for (uint32_t c = 0; c < MD_CHANNEL_CNT && !is_full; c++)
    if (l->channel[c] && leads_path(l, s->name, c, &cnt))
      is_full = !add_streams(l, l->symbol_cnt - 1, c, cnt);
  if (is_full)
    md_feed_live_log(l, "error", "%s is left out: no room for more connections", s->name);
}

static void
remove_symbol(md_feed_live_t *l, md_feed_live_symbol_t *symbol) {
  symbol->is_removed = true;
  l->has_news        = true;
  md_feed_live_log(l, "info", "%s is no longer listed", symbol->name);
  for (uint32_t n = 0; n < l->stream_cnt; n++) {
    if (&l->symbol[l->stream[n].symbol] != symbol) continue;
    l->stream[n].is_removed = true;
    l->stream[n].is_live    = false;
    l->stream[n].todo       = MD_LIVE_REMOVE;
    l->stream[n].retry_ns   = 0;
  }
}

void
md_feed_live_tell(md_feed_live_t *l) {
  char text[MD_SYMBOL_BYTES + 16];
  if (!l->has_news) return;
  for (uint32_t n = 0; n < l->symbol_cnt; n++) {
    md_feed_live_symbol_t *s = &l->symbol[n];
    if (s->is_told == s->is_removed) continue;
    int len = snprintf(text, sizeof text, "%s %s", s->is_removed ? "delisted" : "listed", s->name);
    if (!md_feed_live_push(l, MD_RAW_TIMER, MD_LEG_NONE, "", text, (uint32_t)len)) return;
    s->is_told = s->is_removed;
  }
  l->has_news = false;
}

bool
md_feed_live_is_wanted(const md_feed_live_t *l, const md_feed_live_link_t *k) {
  for (uint32_t n = 0; n < k->stream_cnt; n++)
    if (!l->stream[k->stream[n]].is_removed) return true;
  return false;
}

uint32_t
md_feed_live_symbols_in_use(const md_feed_live_t *l) {
  uint32_t cnt = 0;
  for (uint32_t n = 0; n < l->symbol_cnt; n++)
    cnt += !l->symbol[n].is_removed;
  return cnt;
}

/* ---- choosing ---- */

static bool
reserve(md_feed_live_t *l) {
  uint32_t slots = 64;
  l->symbol_max  = l->cfg.symbol_cnt_max;
  l->stream_max  = l->symbol_max * MD_CHANNEL_CNT;
  while (slots < 2 * l->stream_max)
    slots *= 2;
  l->symbol    = calloc(l->symbol_max, sizeof *l->symbol);
  l->stream    = calloc(l->stream_max + 1, sizeof *l->stream);
  l->hash      = calloc(slots, sizeof *l->hash);
  l->hash_mask = slots - 1;
  return l->symbol && l->stream && l->hash;
}

md_err_t
md_feed_live_choose(md_feed_live_t *l, md_msg_t *msg) {
  char        word[MD_SYMBOL_BYTES];
  md_err_t    err = md_feed_live_check_names(l->cfg.symbols, l->cfg.channels, msg);
  const char *at  = l->cfg.channels;
  if (err) return err;
  if (!reserve(l))
    return md_fail(msg, MD_ERR_NOMEM, "no memory for the streams of %s", l->cfg.name);
  while (next_word(&at, word, sizeof word))
    l->channel[channel_of(word)] = true;
  at = l->cfg.symbols;
  while (next_word(&at, word, sizeof word)) {
    if (is_pattern(word))
      l->has_patterns = true;
    else if (!list_has(l->cfg.exclude, word))
      add_symbol(l, word, (uint32_t)strlen(word));
  }
  return MD_OK;
}

static void on_rest_snapshot(md_feed_live_t *l, const md_input_t *in);

static void
on_listing(void *ctx, const char *symbol, uint32_t len, bool is_trading) {
  md_feed_live_t *l = ctx;
  char            name[MD_SYMBOL_BYTES];
  if (!is_trading || len >= sizeof name) return;
  memcpy(name, symbol, len);
  name[len] = 0;
  if (!list_has(l->cfg.symbols, name) || list_has(l->cfg.exclude, name)) return;
  add_symbol(l, name, len);
  md_feed_live_symbol_t *known = md_feed_live_find_symbol(l, symbol, len);
  if (!known) return;
  known->was_listed = true;
  known->list_cnt   = l->list_cnt;
}

/* Those that some list had and this one has not are over. A name that no list ever had is kept: the
 * list may be of another market. */
void
md_feed_live_on_list(md_feed_live_t *l, const md_input_t *in) {
  if (in->name_len != strlen(l->list_url) || memcmp(in->name, l->list_url, in->name_len) != 0) {
    if (l->net->snapshot_ns && l->net->snapshot_url) on_rest_snapshot(l, in);
    return;
  }
  l->list_cnt++;
  if (l->net->list(in->payload, in->len, on_listing, l)) {
    md_feed_live_log(l, "error", "the list of symbols cannot be read");
    return;
  }
  for (uint32_t n = 0; n < l->symbol_cnt; n++) {
    md_feed_live_symbol_t *s = &l->symbol[n];
    if (s->list_cnt == l->list_cnt || s->is_removed) continue;
    if (s->was_listed)
      remove_symbol(l, s);
    else if (!s->is_missed)
      md_feed_live_log(l, "warn", "%s is not in the venue's list", s->name);
    s->is_missed = true;
  }
  for (uint32_t n = 0; n < l->symbol_cnt; n++)
    l->wants_list |= l->symbol[n].is_removed; /* it may come back */
  if (l->list_cnt == 1 || l->has_news)
    md_feed_live_log(l, "info", "%u symbols are wanted", md_feed_live_symbols_in_use(l));
}

/* ---- control messages ---- */

static void
send_text(md_feed_live_t *l, md_feed_live_half_t *h, const char *text, uint32_t len) {
  if (len == 0 || !md_feed_live_push(l, MD_RAW_TEXT_OUT, h->leg, h->name, text, len)) return;
  (void)l->cfg.transport->send(l->transport, h->connection, text, len);
  h->message_ns = l->now_ns;
}

static void
send_streams(md_feed_live_t *l, md_feed_live_half_t *h, bool on, const char *const *names,
             uint32_t cnt) {
  char     text[MD_LIVE_TEXT_BYTES];
  uint32_t len = l->net->subscribe(text, sizeof text, on, names, cnt, ++l->message_id);
  send_text(l, h, text, len);
  h->hour_cnt++;
}

void
md_feed_live_greet(md_feed_live_t *l, const md_feed_live_link_t *k, md_feed_live_half_t *h) {
  char     text[MD_LIVE_TEXT_BYTES];
  uint32_t link = (uint32_t)(k - l->link), len;
  for (uint32_t n = 0; l->net->greeting && n < MD_LIVE_GREETING_CNT; n++) {
    len = l->net->greeting(text, sizeof text, link, n, ++l->message_id);
    if (len == 0) return;
    send_text(l, h, text, len);
  }
}

void
md_feed_live_alive(md_feed_live_t *l, md_feed_live_half_t *h) {
  char text[256];
  if (l->net->alive) send_text(l, h, text, l->net->alive(text, sizeof text, ++l->message_id));
}

void
md_feed_live_keep_alive(md_feed_live_t *l, md_feed_live_half_t *h) {
  const char *text = l->net->keepalive;
  if (!text || l->now_ns - h->keepalive_ns < l->net->keepalive_ns) return;
  const uint32_t len = (uint32_t)strlen(text);
  if (!md_feed_live_push(l, MD_RAW_TEXT_OUT, h->leg, h->name, text, len)) return;
  (void)l->cfg.transport->send(l->transport, h->connection, text, len);
  h->keepalive_ns = l->now_ns;
}

/* A stream is asked for by the next message. */
static void
note_subscribe(md_feed_live_t *l, md_feed_live_stream_t *s) {
  s->message_id = l->message_id + 1;
  if (s->wants_snapshot) s->snapshot_due_ns = l->now_ns + l->net->snapshot_ns;
}

/* Streams behind those of the URL, in their order. */
static void
subscribe_next(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h) {
  const char *names[MD_LIVE_BATCH];
  uint32_t    cnt = 0;
  while (h->subscribed_cnt < k->stream_cnt && cnt < MD_LIVE_BATCH) {
    md_feed_live_stream_t *s = &l->stream[k->stream[h->subscribed_cnt++]];
    if (s->todo == MD_LIVE_SUBSCRIBE) s->todo = MD_LIVE_DONE;
    if (s->is_removed) continue;
    note_subscribe(l, s);
    names[cnt++] = s->name;
  }
  if (cnt) send_streams(l, h, true, names, cnt);
}

/* Streams that are to be asked for again, or no longer. */
static void
subscribe_changed(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h) {
  const char *names[MD_LIVE_BATCH];
  uint32_t    cnt = 0;
  bool        on  = true;
  for (uint32_t n = 0; n < k->stream_cnt && cnt < MD_LIVE_BATCH; n++) {
    md_feed_live_stream_t *s = &l->stream[k->stream[n]];
    if (s->todo == MD_LIVE_DONE || (s->todo == MD_LIVE_REMOVE && s->retry_ns == INT64_MAX))
      continue;
    bool subscribes = s->todo == MD_LIVE_SUBSCRIBE;
    if (cnt == 0) on = subscribes;
    if (subscribes != on) continue;
    if (s->todo == MD_LIVE_REMOVE) s->retry_ns = INT64_MAX; /* said once */
    if (s->todo != MD_LIVE_REMOVE) s->todo = subscribes ? MD_LIVE_DONE : MD_LIVE_SUBSCRIBE;
    if (subscribes) note_subscribe(l, s);
    names[cnt++] = s->name;
  }
  if (cnt) send_streams(l, h, on, names, cnt);
}

static bool
has_to_speak(const md_feed_live_t *l, const md_feed_live_link_t *k, const md_feed_live_half_t *h) {
  if (h->subscribed_cnt < k->stream_cnt) return true;
  for (uint32_t n = 0; n < k->stream_cnt; n++) {
    const md_feed_live_stream_t *s = &l->stream[k->stream[n]];
    if (s->todo != MD_LIVE_DONE && !(s->todo == MD_LIVE_REMOVE && s->retry_ns == INT64_MAX))
      return true;
  }
  return false;
}

/* A server that has had enough messages of a connection takes as many from a new one. */
static bool
is_used_up(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h) {
  if (l->net->messages_per_hour == 0) return false;
  if (l->now_ns - h->hour_ns >= HOUR_NS) {
    h->hour_ns  = l->now_ns;
    h->hour_cnt = 0;
  }
  if (h->hour_cnt < l->net->messages_per_hour) return false;
  if (h == &k->half[k->active] && has_to_speak(l, k, h))
    (void)md_feed_live_give_up(l, k, h, "its messages of an hour are used up");
  return true;
}

void
md_feed_live_speak(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h) {
  if (l->now_ns - h->message_ns < NS_PER_S / l->net->messages_per_s) return;
  if (l->pending_cnt + 4 > MD_LIVE_PENDING_CNT) return;
  if (is_used_up(l, k, h)) return;
  if (h->subscribed_cnt < k->stream_cnt)
    subscribe_next(l, k, h);
  else if (h == &k->half[k->active])
    subscribe_changed(l, k, h);
}

/* ---- answers ---- */

static void
on_accepted(void *ctx, const char *stream, uint32_t len) {
  md_feed_live_stream_t *s = md_feed_live_find_stream(ctx, stream, len);
  if (s) s->is_accepted = true;
}

/* What the answer leaves out was refused: it is asked for again, with growing pauses. */
void
md_feed_live_on_answer(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h,
                       const uint8_t *p, uint32_t len) {
  uint64_t    id    = 0;
  uint32_t    cnt   = 0;
  const char *first = "";
  for (uint32_t n = 0; n < k->stream_cnt; n++)
    l->stream[k->stream[n]].is_accepted = false;
  if (!l->net->answer || l->net->answer(p, len, &id, on_accepted, l)) return;
  if (md_feed_live_auth_refused(l, h, id) || md_feed_live_fall_back(l, k, p, len)) return;
  for (uint32_t n = 0; n < k->stream_cnt; n++) {
    md_feed_live_stream_t *s = &l->stream[k->stream[n]];
    if (s->message_id != id || id == 0 || s->todo != MD_LIVE_DONE) continue;
    s->is_refused = !s->is_accepted;
    if (s->is_accepted) continue;
    s->retry_ns = l->now_ns + (MD_LIVE_REFUSED_NS << (s->retry_cnt < 5 ? s->retry_cnt : 5));
    s->retry_cnt++;
    if (cnt++ == 0) first = s->name;
  }
  if (cnt)
    md_feed_live_log(l, "error", "%u streams were refused, %s the first of them", cnt, first);
}

void
md_feed_live_on_refused(md_feed_live_t *l, const char *name, uint32_t len, const uint8_t *text,
                        uint32_t text_len) {
  md_feed_live_stream_t *s = len ? md_feed_live_find_stream(l, name, len) : NULL;
  md_feed_live_log(l, "error", "the server says: %.*s", text_len < 200 ? (int)text_len : 200,
                   (const char *)text);
  if (!s) return;
  s->is_refused      = true;
  s->snapshot_due_ns = 0;
  s->retry_ns        = l->now_ns + (MD_LIVE_REFUSED_NS << (s->retry_cnt < 5 ? s->retry_cnt : 5));
  s->retry_cnt++;
}

/* ---- snapshots ---- */

/* The stream itself begins with the book: it ends and begins again. */
static void
renew_stream(md_feed_live_t *l, uint32_t symbol) {
  for (uint32_t n = 0; n < l->stream_cnt; n++) {
    md_feed_live_stream_t *s = &l->stream[n];
    if (s->symbol != symbol || s->channel != MD_CHANNEL_DEPTH) continue;
    if (s->wants_snapshot || s->todo != MD_LIVE_DONE) return;
    s->wants_snapshot = true;
    s->todo           = MD_LIVE_UNSUBSCRIBE;
    return;
  }
}

/* None came by the stream. Where that never was otherwise, REST is asked at once from now on. */
bool
md_feed_live_snapshot_late(md_feed_live_t *l, md_feed_live_stream_t *s) {
  if (s->snapshot_due_ns == 0 || l->now_ns < s->snapshot_due_ns || s->is_removed) return false;
  if (!l->net->snapshot_url || s->is_by_rest) return true;
  l->has_no_stream_snapshots          = !l->has_seen_snapshot;
  l->symbol[s->symbol].wants_snapshot = true;
  l->wants_snapshots                  = true;
  s->is_by_rest                       = true;
  s->wants_snapshot                   = false;
  s->snapshot_due_ns                  = l->now_ns + l->net->snapshot_ns;
  return false;
}

/* The answer to a request that a stream's own snapshot made necessary. */
static void
on_rest_snapshot(md_feed_live_t *l, const md_input_t *in) {
  char url[MD_REST_URL_BYTES_MAX];
  for (uint32_t n = 0; n < l->stream_cnt; n++) {
    md_feed_live_stream_t *s = &l->stream[n];
    if (!s->is_by_rest) continue;
    uint32_t len = l->net->snapshot_url(url, sizeof url, l->rest_url, l->symbol[s->symbol].name,
                                        md_feed_live_snapshot_limit(l));
    if (len != in->name_len || memcmp(url, in->name, len) != 0) continue;
    s->is_by_rest      = false;
    s->snapshot_due_ns = 0;
  }
}

uint32_t
md_feed_live_snapshot_limit(const md_feed_live_t *l) {
  uint64_t        cnt   = md_feed_live_symbols_in_use(l);
  const uint32_t *limit = l->net->snapshot_limits;
  while (limit[1] && cnt * l->net->snapshot_weight(*limit) > l->cfg.weight_per_min * 9ull / 10)
    limit++;
  return *limit;
}

void
md_feed_live_request_snapshot(void *ctx, uint32_t instrument_id, const char *symbol) {
  md_feed_live_t        *l = ctx;
  md_feed_live_symbol_t *s = md_feed_live_find_symbol(l, symbol, (uint32_t)strlen(symbol));
  (void)instrument_id;
  if (!s || s->is_removed || !l->channel[MD_CHANNEL_DEPTH]) return;
  if (l->net->snapshot_ns && !l->has_no_stream_snapshots) {
    renew_stream(l, (uint32_t)(s - l->symbol));
    return;
  }
  s->wants_snapshot  = true;
  s->depth           = 0;
  l->wants_snapshots = true;
}

void
md_feed_live_ask_snapshots(md_feed_live_t *l) {
  char url[MD_REST_URL_BYTES_MAX];
  if (!l->wants_snapshots) return;
  uint32_t limit = md_feed_live_snapshot_limit(l);
  l->snapshot_ns = l->now_ns;
  for (uint32_t n = 0; n < l->symbol_cnt; n++) {
    md_feed_live_symbol_t *s = &l->symbol[n];
    if (!s->wants_snapshot) continue;
    if (l->net->snapshot_url(url, sizeof url, l->rest_url, s->name, limit) &&
        md_rest_ask(l->cfg.rest, url, l->net->snapshot_weight(limit)) == MD_ERR_FULL)
      return; /* the next tick goes on */
    s->wants_snapshot = false;
  }
  l->wants_snapshots = false;
}
