/* cmd_replay.c - mdengine replay: a recording or a journal, and the books it ends in. */
#include "engine/cli.h"
#include "engine/replay.h"
#include "engine/time_option.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct options {
  const char      *path;
  const char      *feed;
  md_replay_part_t part;
  bool             json, verify;
} options_t;

static const struct argp_option option_rows[] = {
    {"json", 'j', NULL, 0, "print one JSON object", 0},
    {"feed", 'f', "FEED", 0,
     "the feed of the recording (default: found from its URLs), or of the journal", 0},
    {"segment", 's', "N", 0, "begin a journal at segment N, as `mdengine journal ls` numbers them",
     0},
    {"count", 'c', "N", 0, "stop after N normalised records of a journal", 0},
    {"from", 'F', "T", 0,
     "count only what a journal got at T or later: ISO 8601 in UTC, or ns since 1970", 0},
    {"to", 'T', "T", 0, "stop a journal before T", 0},
    {"verify", 'v', NULL, 0,
     "play a journal's RAW frames through the feed logic and compare every record that comes out",
     0},
    {0}};

static error_t
parse_option(int key, char *arg, struct argp_state *state) {
  options_t *o = state->input;
  char      *end;
  switch (key) {
  case 'j':
    o->json = true;
    return 0;
  case 'f':
    o->feed = arg;
    return 0;
  case 'v':
    o->verify = true;
    return 0;
  case 's':
  case 'c':
    *(key == 's' ? &o->part.segment : &o->part.record_max) = strtoull(arg, &end, 10);
    if (*end || *arg == '0') argp_error(state, "-%c wants a number from 1, not '%s'", key, arg);
    return 0;
  case 'F':
  case 'T':
    if (!md_time_option(arg, key == 'F' ? &o->part.from_ns : &o->part.to_ns))
      argp_error(state, "'%s' is no time: write 2026-11-21T14:05:00Z, or ns since 1970", arg);
    return 0;
  case ARGP_KEY_ARG:
    if (state->arg_num > 0) argp_error(state, "one recording or journal at a time");
    o->path = arg;
    return 0;
  case ARGP_KEY_END:
    if (!o->path) argp_error(state, "name a recording or a journal directory");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp argp = {
    option_rows,
    parse_option,
    "RECORDING|DIR",
    "Play a recording (.wscap, .wscap.zst) through the feed logic, or a journal's records into "
    "books, and print "
    "what each instrument ends in."
    "\vExamples:\n  mdengine replay capture.wscap.zst --json\n  mdengine replay journal --verify\n "
    " mdengine replay "
    "journal --from 2026-11-21T14:00:00Z --to 2026-11-21T15:00:00Z\n",
    NULL,
    NULL,
    NULL};

static void
print_level(const char *name, const md_replay_instrument_t *i, md_side_t side) {
  md_level_t level;
  char       px[MD_DECIMAL_BYTES], qty[MD_DECIMAL_BYTES];
  if (!md_orderbook_at(&i->book, side, 0, &level)) {
    (void)printf(",\"%s\":null", name);
    return;
  }
  (void)printf(",\"%s\":[\"%s\",\"%s\"]", name, md_cli_decimal(level.px, i->px_exp, px),
               md_cli_decimal(level.qty, i->qty_exp, qty));
}

/* The trade channel's totals, or those of the aggregates where the recording has only these. */
static const md_trade_totals_t *
totals(const md_replay_instrument_t *i) {
  return i->trades.cnt ? &i->trades : &i->agg_trades;
}

static void
print_json_instrument(const md_replay_instrument_t *i, bool first) {
  char sum[192], digest[65];
  (void)md_decimal_format(totals(i)->qty_sum, i->qty_exp, sum, sizeof sum);
  (void)printf("%s{\"feed\":", first ? "" : ",");
  md_cli_json_string(stdout, i->feed);
  (void)printf(",\"symbol\":");
  md_cli_json_string(stdout, i->symbol);
  (void)printf(",\"state\":\"%s\",\"exch_seq\":%" PRIu64 ",\"bids\":%u,\"asks\":%u",
               md_book_state_name(i->state), i->exch_seq, i->book.bids.cnt, i->book.asks.cnt);
  print_level("best_bid", i, MD_SIDE_BUY);
  print_level("best_ask", i, MD_SIDE_SELL);
  (void)printf(",\"gaps\":%" PRIu64, i->gap_cnt);
  md_orderbook_digest(&i->book, i->px_exp, i->qty_exp, 0, digest);
  (void)printf(",\"digest\":\"%s\"", digest);
  md_orderbook_digest(&i->book, i->px_exp, i->qty_exp, 20, digest);
  (void)printf(",\"digest_top20\":\"%s\"", digest);
  md_orderbook_digest(&i->book, i->px_exp, i->qty_exp, 400, digest);
  (void)printf(",\"digest_top400\":\"%s\",\"trades\":%" PRIu64 ",\"trade_qty_sum\":\"%s\"}", digest,
               totals(i)->cnt, sum);
}

static void
print_text(const md_replay_t *r) {
  (void)printf("%-20s %-14s %-8s %7s %7s %16s %16s %5s %9s  %s\n", "feed", "symbol", "state",
               "bids", "asks", "best bid", "best ask", "gaps", "trades", "digest");
  for (uint32_t n = 0; n < r->cnt; n++) {
    const md_replay_instrument_t *i = &r->instruments[n];
    md_level_t                    level;
    char bid[MD_DECIMAL_BYTES] = "-", ask[MD_DECIMAL_BYTES] = "-", digest[65];
    if (md_orderbook_at(&i->book, MD_SIDE_BUY, 0, &level))
      (void)md_cli_decimal(level.px, i->px_exp, bid);
    if (md_orderbook_at(&i->book, MD_SIDE_SELL, 0, &level))
      (void)md_cli_decimal(level.px, i->px_exp, ask);
    md_orderbook_digest(&i->book, i->px_exp, i->qty_exp, 0, digest);
    (void)printf("%-20s %-14s %-8s %7u %7u %16s %16s %5" PRIu64 " %9" PRIu64 "  %.16s\n", i->feed,
                 i->symbol, md_book_state_name(i->state), i->book.bids.cnt, i->book.asks.cnt, bid,
                 ask, i->gap_cnt, totals(i)->cnt, digest);
  }
  (void)printf("%" PRIu64 " frames, %" PRIu64 " records, %u instruments\n", r->frame_cnt,
               r->record_cnt, r->cnt);
}

static void
print_json(const md_replay_t *r) {
  (void)printf("{\"frames\":%" PRIu64 ",\"records\":%" PRIu64 ",\"lost\":%" PRIu64
               ",\"damaged_blocks\":%" PRIu64 ",\"instruments\":[",
               r->frame_cnt, r->record_cnt, r->loss_cnt, r->damage.block_cnt);
  for (uint32_t n = 0; n < r->cnt; n++)
    print_json_instrument(&r->instruments[n], n == 0);
  (void)printf("]}\n");
}

static int
replay(const options_t *o, bool is_journal) {
  md_replay_t r;
  md_msg_t    msg;
  md_err_t    err = is_journal ? md_replay_journal(o->path, o->feed, &o->part, &r, &msg)
                               : md_replay_recording(o->path, o->feed, &r, &msg);
  /* What came before damage counts and is printed; the exit status still says that it was damaged.
   */
  if (!err || err == MD_ERR_CORRUPT) {
    if (o->json)
      print_json(&r);
    else
      print_text(&r);
  }
  int status = err ? md_cli_error(err, msg.text) : MD_EXIT_OK;
  if (!err && r.damage.block_cnt) status = md_cli_error(MD_ERR_CORRUPT, r.damage.first);
  if (!err && r.mismatch_cnt) {
    (void)snprintf(msg.text, sizeof msg.text,
                   "%" PRIu64 " checkpoints differ from the replayed book", r.mismatch_cnt);
    status = md_cli_error(MD_ERR_CORRUPT, msg.text);
  }
  md_replay_free(&r);
  return status;
}

static int
verify(const options_t *o) {
  md_replay_verdict_t v;
  md_msg_t            msg;
  md_err_t            err = md_replay_verify(o->path, o->feed, &v, &msg);
  if (err) return md_cli_error(err, msg.text);
  if (o->json)
    (void)printf("{\"epochs\":%" PRIu64 ",\"raw\":%" PRIu64 ",\"compared\":%" PRIu64
                 ",\"lost\":%" PRIu64 ",\"differ\":%" PRIu64 "}\n",
                 v.epoch_cnt, v.raw_cnt, v.compared_cnt, v.lost_cnt, v.differ_cnt);
  else
    (void)printf("%" PRIu64 " RAW messages of %" PRIu64 " epochs played again: %" PRIu64
                 " records equal, %" PRIu64 " differ, %" PRIu64 " declared lost\n",
                 v.raw_cnt, v.epoch_cnt, v.compared_cnt - v.differ_cnt, v.differ_cnt, v.lost_cnt);
  return v.differ_cnt ? md_cli_error(MD_ERR_CORRUPT, v.first) : MD_EXIT_OK;
}

int
md_cmd_replay(int argc, char **argv) {
  options_t   o = {0};
  struct stat st;
  md_cli_parse(&argp, argc, argv, &o);
  bool       is_journal = stat(o.path, &st) == 0 && S_ISDIR(st.st_mode);
  const bool parted     = o.part.segment || o.part.record_max || o.part.from_ns || o.part.to_ns;
  if ((o.verify || parted) && !is_journal)
    return md_cli_error(MD_ERR_USAGE,
                        "--verify, --segment, --count, --from and --to want a journal directory");
  return o.verify ? verify(&o) : replay(&o, is_journal);
}
