/* Deribit: its row, the names of its channels, and what is looked after on a connection. */
#include "feeds/sim/sim_deribit.h"

#include "feeds/sim/sim_truth.h"
#include "feeds/venue.h"

#include <inttypes.h>
#include <string.h>

#define NS_PER_S     1000000000ll
#define ANSWER_NS    (10 * NS_PER_S) /* within which a test_request wants its answer */
#define IDLE_NS      (60 * NS_PER_S) /* after which a connection without a channel goes away */
#define CLOSE_SILENT 4000
#define FIRST_ID     193809616666u
#define FIRST_TRADE  267258393u

/* ---- names ---- */

md_sim_db_slice_t
md_sim_db_part(const char *name, size_t len, uint32_t n) {
  const char *p = name, *end = name + len;
  for (; n > 0; n--) {
    p = memchr(p, '.', (size_t)(end - p));
    if (!p) return (md_sim_db_slice_t){0};
    p++;
  }
  const char *stop = memchr(p, '.', (size_t)(end - p));
  return (md_sim_db_slice_t){p, (size_t)((stop ? stop : end) - p)};
}

bool
md_sim_db_same(md_sim_db_slice_t s, const char *word) {
  return s.p != NULL && s.len == strlen(word) && memcmp(s.p, word, s.len) == 0;
}

/* The channels of one instrument: what stands before and behind its name. Tickers and trades at
 * full pace have kinds that Deribit has no other use for. */
static const struct {
  const char   *before, *behind;
  md_sim_kind_t kind;
} names[] = {
    {"book", "100ms", MD_SIM_BOOK},
    {"book", "raw", MD_SIM_BOOK_FAST},
    {"book", "agg2", MD_SIM_BOOK_SLOW},
    {"book", "none.1.100ms", MD_SIM_PARTIAL_5_100},
    {"book", "none.10.100ms", MD_SIM_PARTIAL_10_100},
    {"book", "none.20.100ms", MD_SIM_PARTIAL_20_100},
    {"trades", "100ms", MD_SIM_TRADE},
    {"trades", "raw", MD_SIM_FILL},
    {"ticker", "100ms", MD_SIM_TICKER},
    {"ticker", "raw", MD_SIM_MARK},
    {"quote", "", MD_SIM_BBO},
    {"perpetual", "100ms", MD_SIM_FUNDING},
};

/* The others: how many parts they have. */
static const struct {
  const char   *first;
  uint32_t      part_cnt;
  md_sim_kind_t kind;
} wild[] = {
    {"trades", 4, MD_SIM_ALL_TRADE},
    {"instrument", 4, MD_SIM_LISTING},
    {"platform_state", 1, MD_SIM_STATE},
    {"deribit_price_index", 2, MD_SIM_INDEX},
    {"deribit_volatility_index", 2, MD_SIM_VOLATILITY},
};

static uint32_t
part_cnt(const md_sim_stream_t *s) {
  uint32_t cnt = 1;
  for (uint32_t n = 0; n < s->name_len; n++)
    cnt += s->name[n] == '.';
  return cnt;
}

static void
parse_name(md_sim_stream_t *s) {
  md_sim_db_slice_t first  = md_sim_db_part(s->name, s->name_len, 0);
  md_sim_db_slice_t symbol = md_sim_db_part(s->name, s->name_len, 1);
  for (size_t n = 0; n < MD_CNT(wild); n++)
    if (md_sim_db_same(first, wild[n].first) && part_cnt(s) == wild[n].part_cnt)
      s->kind = wild[n].kind;
  if (s->kind != MD_SIM_OTHER || !symbol.p) return;
  const char *behind = symbol.p + symbol.len + (symbol.p[symbol.len] == '.');
  for (size_t n = 0; n < MD_CNT(names); n++) {
    if (!md_sim_db_same(first, names[n].before) || strcmp(behind, names[n].behind) != 0) continue;
    s->kind       = names[n].kind;
    s->symbol_off = (uint32_t)(symbol.p - s->name);
    s->symbol_len = (uint32_t)symbol.len;
  }
}

static size_t
stream_name(char *out, size_t bytes, const md_sim_symbol_t *symbol, md_sim_kind_t kind) {
  for (size_t n = 0; n < MD_CNT(names); n++) {
    if (names[n].kind != kind) continue;
    const char *point = names[n].behind[0] ? "." : "";
    int         len =
        snprintf(out, bytes, "%s.%s%s%s", names[n].before, symbol->name, point, names[n].behind);
    return len > 0 && (size_t)len < bytes ? (size_t)len : 0;
  }
  return 0;
}

const char *
md_sim_db_kind(const md_sim_symbol_t *symbol) {
  return md_sim_db_is_option(symbol) ? "option" : "future";
}

void
md_sim_db_index(const md_sim_symbol_t *symbol, char *out, size_t bytes) {
  const md_definition_t *d = &md_sim_db_symbol(symbol)->definition;
  (void)snprintf(out, bytes, "%s_%s", d->base, strchr(symbol->name, '_') ? d->quote : "usd");
  for (char *p = out; *p; p++)
    *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
}

bool
md_sim_db_wild_wants(const md_sim_stream_t *s, uint32_t first, const md_sim_symbol_t *symbol) {
  const md_definition_t *d        = &md_sim_db_symbol(symbol)->definition;
  md_sim_db_slice_t      kind     = md_sim_db_part(s->name, s->name_len, first);
  md_sim_db_slice_t      currency = md_sim_db_part(s->name, s->name_len, first + 1);
  if (!md_sim_db_same(kind, "any") && !md_sim_db_same(kind, md_sim_db_kind(symbol))) return false;
  return md_sim_db_same(currency, "any") || md_sim_db_same(currency, d->settle) ||
         md_sim_db_same(currency, d->base);
}

/* ---- life ---- */

static void
init(md_sim_t *sim) {
  md_sim_db_state(sim)->change_id = FIRST_ID;
  md_sim_db_state(sim)->trade_id  = FIRST_TRADE;
}

static void
end(md_sim_t *sim) {
  md_sim_text_free(&md_sim_db_state(sim)->result);
  md_sim_text_free(&md_sim_db_state(sim)->answer);
  md_sim_text_free(&md_sim_db_state(sim)->channels);
}

static void
symbol_init(md_sim_t *sim, md_sim_symbol_t *symbol) {
  md_sim_db_symbol_t *s = md_sim_db_symbol(symbol);
  md_feed_definition_init(&s->definition, symbol->name, symbol->len);
  md_venue_find("deribit_derivatives")->define(symbol->name, symbol->len, &s->definition);
  s->id = 124972 + sim->symbol_cnt;
}

static void
symbol_end(md_sim_symbol_t *symbol) {
  md_sim_text_free(&md_sim_db_symbol(symbol)->trades);
}

/* ---- connections ---- */

static md_err_t
open(md_sim_t *sim, md_sim_conn_t *c, const char *path, const char *query) {
  (void)c;
  (void)query;
  if (strcmp(path, "/ws/api/v2") != 0 && strcmp(path, "/ws/api/v2/") != 0) return MD_ERR_ABSENT;
  return sim->hub.conn_cnt > MD_SIM_DB_CONNS_MAX ? MD_ERR_FULL : MD_OK;
}

static void
heartbeat(md_sim_t *sim, md_sim_conn_t *c, const char *type) {
  md_sim_text_t *t = &md_sim_db_state(sim)->answer;
  md_sim_text_clear(t);
  md_sim_text_format(
      t, "{\"params\":{\"type\":\"%s\"},\"method\":\"heartbeat\",\"jsonrpc\":\"2.0\"}", type);
  md_sim_conn_text(&sim->hub, c, t);
}

void
md_sim_db_ask(md_sim_t *sim, md_sim_conn_t *c, int64_t for_ns) {
  md_sim_db_conn_t *state = md_sim_db_conn(c);
  if (state->answer_due_ns) return; /* the first question counts */
  heartbeat(sim, c, "test_request");
  state->answer_due_ns = sim->now_ns + for_ns;
}

static void
check(md_sim_t *sim, md_sim_conn_t *c) {
  md_sim_db_conn_t *state     = md_sim_db_conn(c);
  bool              is_silent = state->answer_due_ns && sim->now_ns >= state->answer_due_ns;
  if (is_silent && !c->close_code)
    md_sim_truth_fault(sim->truth, sim, "unanswered", ",\"connection\":%" PRIu64, c->id);
  if (is_silent)
    md_sim_conn_end(&sim->hub, c, CLOSE_SILENT, "heartbeat close", false);
  else if (c->sub_cnt == 0 && !state->heartbeat_ns && sim->now_ns - c->open_ns >= IDLE_NS)
    md_sim_conn_end(&sim->hub, c, MD_SIM_CLOSE_CUT, "idle", false);
  if (!state->heartbeat_ns || sim->now_ns < state->next_ns) return;
  state->next_ns = sim->now_ns + state->heartbeat_ns;
  heartbeat(sim, c, "heartbeat");
  md_sim_db_ask(sim, c, ANSWER_NS);
}

/* Streams of no single instrument are found by those who send. */
static void
remember(md_sim_db_state_t *st, md_sim_stream_t *s) {
  for (uint32_t n = 0; n < st->wild_cnt; n++)
    if (st->wild[n] == s) return;
  if (st->wild_cnt < MD_SIM_DB_WILD_MAX) st->wild[st->wild_cnt++] = s;
}

/* A book's channel begins with the book. In a recording it is there when its own snapshot was. */
static void
subscribed(md_sim_t *sim, md_sim_conn_t *c, md_sim_stream_t *s) {
  if (s->symbol_len == 0) {
    remember(md_sim_db_state(sim), s);
    return;
  }
  if (!md_sim_is_book(s->kind) && s->kind != MD_SIM_BOOK_SLOW) return;
  md_sim_symbol_t *symbol = md_sim_symbol_of_stream(sim, s);
  if (!symbol || !symbol->book.valid) return;
  md_sim_db_snapshot(sim, symbol, s, &sim->text);
  md_sim_send_to(sim, symbol, s, c, sim->text.p, sim->text.len);
}

static void
tell_state(md_sim_t *sim, const md_sim_symbol_t *symbol, const char *state) {
  md_sim_db_state_t *st = md_sim_db_state(sim);
  md_sim_text_t     *t  = &sim->text;
  for (uint32_t n = 0; n < st->wild_cnt; n++) {
    md_sim_stream_t *s = st->wild[n];
    if (s->kind != MD_SIM_LISTING || !s->conn_cnt || !md_sim_db_wild_wants(s, 2, symbol)) continue;
    md_sim_db_begin(t, s);
    md_sim_text_format(t, "{\"timestamp\":%" PRId64 ",\"state\":\"%s\",\"instrument_name\":\"%s\"}",
                       sim->time_ms, state, symbol->name);
    md_sim_db_done(t);
    md_sim_send(sim, NULL, s, t->p, t->len);
  }
}

static void
listing(md_sim_t *sim, md_sim_symbol_t *symbol) {
  if (symbol->is_over) {
    tell_state(sim, symbol, "closed");
    return;
  }
  if (!md_sim_db_symbol(symbol)->was_started) tell_state(sim, symbol, "created");
  md_sim_db_symbol(symbol)->was_started = true;
  tell_state(sim, symbol, "started");
}

const md_sim_venue_t md_sim_deribit = {
    .name              = "deribit_derivatives",
    .about             = "Deribit, JSON-RPC",
    .subscriptions_max = 65536,
    .life_ns           = 0,
    .state_bytes       = sizeof(md_sim_db_state_t),
    .symbol_bytes      = sizeof(md_sim_db_symbol_t),
    .conn_bytes        = sizeof(md_sim_db_conn_t),
    .begins_with_book  = true,
    .init              = init,
    .end               = end,
    .symbol_init       = symbol_init,
    .symbol_end        = symbol_end,
    .parse_name        = parse_name,
    .stream_name       = stream_name,
    .open              = open,
    .receive           = md_sim_db_receive,
    .subscribed        = subscribed,
    .check             = check,
    .ask               = md_sim_db_ask,
    .listing           = listing,
    .frame             = md_sim_db_frame,
    .depth             = md_sim_db_depth,
    .join              = md_sim_db_join,
    .count             = md_sim_db_count,
    .rewrite           = md_sim_db_rewrite,
    .rest              = md_sim_db_rest,
    .refuse            = md_sim_db_refuse,
    .market            = &md_sim_db_writers,
};
