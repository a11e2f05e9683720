/* cmd_tail.c - mdengine tail: the records of a feed as they are published. */
#include "engine/live.h"
#include "shm/record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TAIL_LINE_BYTES (1u << 20)
#define TAIL_IDLE_NS    5000000

typedef struct options {
  md_live_t   live;
  const char *feed, *symbol;
  uint64_t    max;
  bool        json, oldest;
} options_t;

static const struct argp_option option_rows[] = {
    {"json", 'j', NULL, 0, "print each record as one JSON object with every field", 0},
    {"count", 'c', "N", 0, "stop after N records", 0},
    {"oldest", 'o', NULL, 0, "begin at the oldest record still there, not at the next one", 0},
    MD_LIVE_OPTIONS,
    {0}};

static error_t
parse_option(int key, char *arg, struct argp_state *state) {
  options_t *o = state->input;
  char      *end;
  switch (key) {
  case 'j':
    o->json = true;
    return 0;
  case 'o':
    o->oldest = true;
    return 0;
  case 'c':
    o->max = strtoull(arg, &end, 10);
    if (*end || o->max == 0) argp_error(state, "--count wants a number from 1, not '%s'", arg);
    return 0;
  case ARGP_KEY_ARG:
    if (state->arg_num > 1) argp_error(state, "unexpected argument '%s'", arg);
    *(state->arg_num == 0 ? &o->feed : &o->symbol) = arg;
    return 0;
  default:
    return md_live_option(key, arg, &o->live);
  }
}

static const struct argp argp = {option_rows,
                                 parse_option,
                                 "[FEED] [SYMBOL]",
                                 "Follow the records of a feed (default: the first) as they are "
                                 "published; ends when the engine stops."
                                 "\vExample:\n  mdengine tail binance_spot BTC-USDT --json -c 10\n",
                                 NULL,
                                 NULL,
                                 NULL};

/* Rows of the directory by instrument id, so that a line can name its symbol. */
typedef struct names {
  char (*symbol)[MDSHM_SYMBOL_BYTES];
  uint32_t cap;
} names_t;

static const char *
symbol_of(const options_t *o, names_t *names, uint32_t id) {
  if (id == 0) return "";
  if (id < names->cap && names->symbol[id][0]) return names->symbol[id];
  for (uint32_t row = 0; row < mdshm_instrument_cnt(o->live.shm); row++) {
    mdshm_instrument_t i = {.struct_size = sizeof i};
    if (mdshm_instrument_get(o->live.shm, row, &i) || i.id > MD_INSTRUMENT_CNT_MAX * 16) continue;
    if (i.id >= names->cap) {
      uint32_t cap  = i.id + 1024;
      void    *more = realloc(names->symbol, cap * sizeof *names->symbol);
      if (!more) return "?";
      names->symbol = more;
      memset(names->symbol + names->cap, 0, (cap - names->cap) * sizeof *names->symbol);
      names->cap = cap;
    }
    (void)snprintf(names->symbol[i.id], MDSHM_SYMBOL_BYTES, "%s", i.symbol);
  }
  return id < names->cap && names->symbol[id][0] ? names->symbol[id] : "?";
}

static void
print_levels(const md_record_t *rec) {
  const md_book_delta_t *d = md_record_body_const(rec);
  (void)printf(" %u bids %u asks", d->bid_cnt, d->ask_cnt);
}

static void
print_text(const md_record_t *rec, const char *symbol) {
  char px[MD_DECIMAL_BYTES], qty[MD_DECIMAL_BYTES], ask[MD_DECIMAL_BYTES],
      ask_qty[MD_DECIMAL_BYTES];
  const md_record_info_t *info = md_record_info(rec->type);
  const void             *body = md_record_body_const(rec);
  (void)printf("%10" PRIu64 " %" PRId64 ".%09" PRId64 " %-14s %-14s", rec->seq,
               rec->ts_recv_ns / 1000000000, rec->ts_recv_ns % 1000000000, info ? info->name : "?",
               symbol);
  if (rec->type == MD_RECORD_TRADE) {
    const md_trade_t *t = body;
    (void)printf(" %s %s @ %s", t->side == MD_SIDE_BUY ? "buy" : "sell",
                 md_cli_decimal(t->qty, rec->qty_exp, qty), md_cli_decimal(t->px, rec->px_exp, px));
  } else if (rec->type == MD_RECORD_BBO) {
    const md_bbo_t *b = body;
    (void)printf(" %s @ %s | %s @ %s", md_cli_decimal(b->bid_qty, rec->qty_exp, qty),
                 md_cli_decimal(b->bid_px, rec->px_exp, px),
                 md_cli_decimal(b->ask_qty, rec->qty_exp, ask_qty),
                 md_cli_decimal(b->ask_px, rec->px_exp, ask));
  } else if (rec->type == MD_RECORD_BOOK_DELTA || rec->type == MD_RECORD_BOOK_SNAPSHOT) {
    print_levels(rec);
  } else if (rec->type == MD_RECORD_STATUS) {
    const md_status_t *s = body;
    (void)printf(" %s -> %s %s", md_book_state_name(s->before), md_book_state_name(s->after),
                 md_reason_name(s->reason));
  } else if (rec->type == MD_RECORD_GAP) {
    const md_gap_t *g = body;
    (void)printf(" %s after %" PRIu64, md_reason_name(g->reason), g->exch_seq_last);
  }
  (void)printf("\n");
}

/* One record, or a pause; false when the engine is gone. */
static bool
step(const options_t *o, mdshm_tape_t *tape, names_t *names, uint32_t feed, char *line,
     uint64_t *shown) {
  const void    *bytes;
  size_t         len;
  uint64_t       lost;
  mdshm_result_t result = mdshm_tape_next(tape, &bytes, &len, &lost);
  if (result == MDSHM_LAPPED) {
    (void)fprintf(
        stderr, "mdengine: this reader was overtaken, %" PRIu64 " bytes of records were not read\n",
        lost);
    return true;
  }
  if (result == MDSHM_RESTARTED) {
    (void)fprintf(stderr, "mdengine: the engine was restarted, its next records follow\n");
    return true;
  }
  if (result == MDSHM_EMPTY) {
    struct timespec idle = {0, TAIL_IDLE_NS};
    (void)fflush(stdout);
    if (ferror(stdout)) return false;
    result = mdshm_feed_check(o->live.shm, feed, MD_LIVE_MAX_AGE_NS);
    (void)nanosleep(&idle, NULL);
    return result == MDSHM_OK || result == MDSHM_STALE || result == MDSHM_RESTARTED;
  }
  if (result != MDSHM_OK) return false;
  const md_record_t *rec    = bytes;
  const char        *symbol = symbol_of(o, names, rec->instrument);
  if (o->symbol && strcasecmp(symbol, o->symbol) != 0) return true;
  if (o->json && mdshm_record_json(bytes, len, symbol, line, TAIL_LINE_BYTES))
    (void)puts(line);
  else if (!o->json)
    print_text(rec, symbol);
  (*shown)++;
  return !ferror(stdout);
}

static int
follow(options_t *o, uint32_t feed) {
  mdshm_tape_t  *tape;
  names_t        names = {NULL, 0};
  uint64_t       shown = 0;
  char          *line  = malloc(TAIL_LINE_BYTES);
  mdshm_result_t result =
      mdshm_tape_open(o->live.shm, feed, o->oldest ? MDSHM_FROM_OLDEST : MDSHM_FROM_NOW, &tape);
  if (result || !line) {
    free(line);
    return md_cli_error(MD_ERR_ABSENT, result ? mdshm_result_name(result) : "no memory");
  }
  while ((o->max == 0 || shown < o->max) && step(o, tape, &names, feed, line, &shown))
    continue;
  mdshm_tape_close(tape);
  free(names.symbol);
  free(line);
  return o->max && shown < o->max
             ? md_cli_error(MD_ERR_DEAD, "the engine stopped before all were there")
             : MD_EXIT_OK;
}

/* A symbol may be given normalised; records carry the raw one. */
static int
resolve_symbol(options_t *o, mdshm_instrument_t *instrument) {
  uint32_t row;
  int      status = md_live_find(&o->live, o->feed, o->symbol, &row);
  if (status) return status;
  instrument->struct_size = sizeof *instrument;
  if (mdshm_instrument_get(o->live.shm, row, instrument) == MDSHM_OK)
    o->symbol = instrument->symbol;
  return MD_EXIT_OK;
}

int
md_cmd_tail(int argc, char **argv) {
  options_t          o = {0};
  mdshm_instrument_t instrument;
  mdshm_feed_t       first = {.struct_size = sizeof first};
  md_cli_parse(&argp, argc, argv, &o);
  int status = md_live_open(&o.live);
  if (status) return status;
  if (!o.feed && mdshm_feed(o.live.shm, 0, &first) == MDSHM_OK) o.feed = first.name;
  uint32_t feed = o.feed ? mdshm_feed_find(o.live.shm, o.feed) : MDSHM_NONE;
  if (feed == MDSHM_NONE)
    status = md_cli_error(MD_ERR_ABSENT, "no such feed; `mdengine status` lists them");
  else if (o.symbol)
    status = resolve_symbol(&o, &instrument);
  if (!status) status = follow(&o, feed);
  mdshm_close(o.live.shm);
  return status;
}
