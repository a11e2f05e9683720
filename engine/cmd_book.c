/* cmd_book.c - mdengine book: one live book, or digests taken inside the engine. */
#include "engine/book_digest.h"
#include "engine/ladder.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct options {
  md_live_t   live;
  const char *feed, *symbol;
  uint32_t    levels;
  bool        json, digest, all, watch;
} options_t;

static const struct argp_option option_rows[] = {
    {"levels", 'd', "N", 0, "levels a side (default 10; above 20 from the depth tier)", 0},
    {"json", 'j', NULL, 0, "print one JSON object", 0},
    {"watch", 'w', NULL, 0, "a live ladder on the terminal: q ends, p pauses, + and - levels", 0},
    {"digest", 'D', NULL, 0,
     "ask the feed thread for the SHA-256 of every level, taken between two messages (same user "
     "only)",
     0},
    {"all", 'a', NULL, 0, "with --digest: every book of the feed, one line each", 0},
    MD_LIVE_OPTIONS,
    {0}};

static error_t
parse_option(int key, char *arg, struct argp_state *state) {
  options_t    *o = state->input;
  char         *end;
  unsigned long levels;
  switch (key) {
  case 'd':
    levels = strtoul(arg, &end, 10);
    if (*end || levels < 1 || levels > MD_DEPTH_LEVELS_MAX)
      argp_error(state, "-d wants 1 to %u levels, not '%s'", MD_DEPTH_LEVELS_MAX, arg);
    o->levels = (uint32_t)levels;
    return 0;
  case 'j':
    o->json = true;
    return 0;
  case 'D':
    o->digest = true;
    return 0;
  case 'a':
    o->all = true;
    return 0;
  case 'w':
    o->watch = true;
    return 0;
  case ARGP_KEY_ARG:
    if (state->arg_num > 1) argp_error(state, "unexpected argument '%s'", arg);
    *(state->arg_num == 0 ? &o->feed : &o->symbol) = arg;
    return 0;
  case ARGP_KEY_END:
    if (o->all && (!o->feed || o->symbol || !o->digest))
      argp_error(state, "--all wants a feed, no symbol, and --digest");
    if (!o->symbol && !o->all) argp_error(state, "name a feed and a symbol");
    return 0;
  default:
    return md_live_option(key, arg, &o->live);
  }
}

static const struct argp argp = {
    option_rows,
    parse_option,
    "FEED SYMBOL\nFEED --all --digest",
    "Print a live order book. Exit status 1 when it, or one of all, is not VALID."
    "\vExamples:\n  mdengine book binance_spot BTC-USDT -d 5\n"
    "  mdengine book binance_spot BTC-USDT --watch\n"
    "  mdengine book binance_spot BTCUSDT --digest\n"
    "  mdengine book binance_spot --all --digest --json\n",
    NULL,
    NULL,
    NULL};

static void
print_side_json(const char *name, const mdshm_level_t *levels, uint32_t cnt,
                const mdshm_book_meta_t *meta) {
  char px[MD_DECIMAL_BYTES], qty[MD_DECIMAL_BYTES];
  (void)printf(",\"%s\":[", name);
  for (uint32_t i = 0; i < cnt; i++)
    (void)printf("%s[\"%s\",\"%s\"]", i ? "," : "", md_cli_decimal(levels[i].px, meta->px_exp, px),
                 md_cli_decimal(levels[i].qty, meta->qty_exp, qty));
  (void)printf("]");
}

/* Up to where a side is surely known; null: all of it is. */
static void
print_edge_json(const char *name, int64_t px, int px_exp) {
  char text[MD_DECIMAL_BYTES];
  if (px == MDSHM_ABSENT_I64)
    (void)printf(",\"%s\":null", name);
  else
    (void)printf(",\"%s\":\"%s\"", name, md_cli_decimal(px, px_exp, text));
}

static void
print_json(const options_t *o, const md_book_levels_t *v) {
  (void)printf("{\"feed\":");
  md_cli_json_string(stdout, o->feed);
  (void)printf(",\"symbol\":");
  md_cli_json_string(stdout, o->symbol);
  (void)printf(",\"state\":\"%s\",\"reason\":\"%s\",\"gen\":%u,\"seq\":%" PRIu64
               ",\"exch_seq\":%" PRIu64 ",\"ts_recv_ns\":%" PRId64
               ",\"bid_levels\":%u,\"ask_levels\":%u",
               md_ladder_state(v), mdshm_reason_name(v->meta.reason), v->meta.gen, v->meta.last_seq,
               v->meta.exch_seq, v->meta.ts_recv_ns, v->meta.bid_total, v->meta.ask_total);
  print_edge_json("trusted_bid", v->meta.trusted_bid, v->meta.px_exp);
  print_edge_json("trusted_ask", v->meta.trusted_ask, v->meta.px_exp);
  print_side_json("bids", v->bids, v->bid_cnt, &v->meta);
  print_side_json("asks", v->asks, v->ask_cnt, &v->meta);
  (void)printf("}\n");
}

static void
print_text(const options_t *o, const md_book_levels_t *v) {
  uint32_t rows = v->bid_cnt > v->ask_cnt ? v->bid_cnt : v->ask_cnt;
  (void)printf("%s %s  %s  update %" PRIu64 "  seq %" PRIu64 "  %u bids, %u asks\n", o->feed,
               o->symbol, md_ladder_state(v), v->meta.exch_seq, v->meta.last_seq, v->meta.bid_total,
               v->meta.ask_total);
  (void)printf("%20s %18s | %-18s %-20s\n", "quantity", "bid", "ask", "quantity");
  for (uint32_t i = 0; i < rows; i++) {
    char px[MD_DECIMAL_BYTES] = "", qty[MD_DECIMAL_BYTES] = "";
    if (i < v->bid_cnt) {
      (void)md_cli_decimal(v->bids[i].px, v->meta.px_exp, px);
      (void)md_cli_decimal(v->bids[i].qty, v->meta.qty_exp, qty);
    }
    (void)printf("%20s %18s | ", qty, px);
    px[0] = qty[0] = 0;
    if (i < v->ask_cnt) {
      (void)md_cli_decimal(v->asks[i].px, v->meta.px_exp, px);
      (void)md_cli_decimal(v->asks[i].qty, v->meta.qty_exp, qty);
    }
    (void)printf("%-18s %-20s\n", px, qty);
  }
}

static int
show(const options_t *o, uint32_t row) {
  md_book_levels_t v      = {.bids = calloc(o->levels, sizeof *v.bids),
                             .asks = calloc(o->levels, sizeof *v.asks)};
  int              status = MD_EXIT_FAILED;
  if (!v.bids || !v.asks) {
    status = md_cli_error(MD_ERR_NOMEM, "no memory for the levels");
  } else {
    md_ladder_read(o->live.shm, row, o->levels, &v);
    mdshm_result_t result = v.result;
    bool           shown  = result <= MDSHM_STOPPED;
    if (shown && o->json)
      print_json(o, &v);
    else if (shown)
      print_text(o, &v);
    else
      (void)md_cli_error(MD_ERR_ABSENT,
                         o->levels > MDSHM_LADDER_LEVELS && result == MDSHM_ABSENT
                             ? "the feed keeps no depth; use -d 20 or less, or set feeds.FEED.depth"
                             : mdshm_result_name(result));
    status = result == MDSHM_OK ? MD_EXIT_OK : MD_EXIT_FAILED;
  }
  free(v.bids);
  free(v.asks);
  return status;
}

static int
show_one(const options_t *o) {
  uint32_t           row;
  md_ladder_screen_t screen = {.feed = o->feed, .symbol = o->symbol, .levels = o->levels};
  int                status = md_live_find(&o->live, o->feed, o->symbol, &row);
  if (status) return status;
  if (screen.levels > MD_LADDER_WATCH_MAX) screen.levels = MD_LADDER_WATCH_MAX;
  if (o->watch) return md_ladder_watch(&o->live, row, &screen);
  return o->digest ? md_book_digest(&o->live, o->feed, row, o->json) : show(o, row);
}

int
md_cmd_book(int argc, char **argv) {
  options_t o = {.levels = 10};
  md_cli_parse(&argp, argc, argv, &o);
  int status = md_live_open(&o.live);
  if (status) return status;
  status = o.all ? md_book_digest_all(&o.live, o.feed, o.json) : show_one(&o);
  mdshm_close(o.live.shm);
  return status;
}
