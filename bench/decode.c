/* bench decode: our cursor beside simdjson on the same bytes, every field an exact integer. */
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/calm.h"
#include "bench/message.h"
#include "bench/surprise.h"
#include "feeds/json.h"

#define CORPUS_SEED 20240808u
#define SLICE_NS    4000000 /* one turn of one parser */
#define SWITCH_MAX  2

_Static_assert(sizeof(md_bench_level_t) == sizeof(md_level_t) &&
                   offsetof(md_bench_level_t, qty) == offsetof(md_level_t, qty),
               "one layout, so that levels are written in place");

static md_level_t *
as_levels(md_bench_level_t *l) {
  return (md_level_t *)(void *)l;
}

/* ---- ours: the expected order first, any order on a surprise, as a venue does it ---- */

static bool
agg_trade_expected(md_json_t *j, md_bench_message_t *out) {
  const uint8_t *symbol = NULL;
  bool           ignored;
  if (!md_json_expect(j, ",\"data\":{\"e\":\"aggTrade\",\"E\":") ||
      !md_json_u64(j, &out->event_ms) || !md_json_expect(j, ",\"s\":") ||
      !md_json_string(j, &symbol, &out->symbol_len) || !md_json_expect(j, ",\"a\":") ||
      !md_json_u64(j, &out->id) || !md_json_expect(j, ",\"p\":") ||
      md_json_mantissa(j, -(int)MD_BENCH_PX_DIGITS, &out->px) != MD_OK ||
      !md_json_expect(j, ",\"q\":") ||
      md_json_mantissa(j, -(int)MD_BENCH_QTY_DIGITS, &out->qty) != MD_OK ||
      !md_json_expect(j, ",\"f\":") || !md_json_u64(j, &out->first_id) ||
      !md_json_expect(j, ",\"l\":") || !md_json_u64(j, &out->last_id) ||
      !md_json_expect(j, ",\"T\":") || !md_json_u64(j, &out->trade_ms) ||
      !md_json_expect(j, ",\"m\":") || !md_json_bool(j, &out->is_maker) ||
      !md_json_expect(j, ",\"M\":") || !md_json_bool(j, &ignored) || !md_json_expect(j, "}}"))
    return false;
  out->symbol = (const char *)symbol;
  return md_json_finish(j) == MD_OK;
}

static bool
depth_expected(md_json_t *j, md_bench_message_t *out) {
  const int      px_exp = -(int)MD_BENCH_PX_DIGITS, qty_exp = -(int)MD_BENCH_QTY_DIGITS;
  const uint8_t *symbol = NULL;
  if (!md_json_expect(j, ",\"data\":{\"e\":\"depthUpdate\",\"E\":") ||
      !md_json_u64(j, &out->event_ms) || !md_json_expect(j, ",\"s\":") ||
      !md_json_string(j, &symbol, &out->symbol_len) || !md_json_expect(j, ",\"U\":") ||
      !md_json_u64(j, &out->first_id) || !md_json_expect(j, ",\"u\":") ||
      !md_json_u64(j, &out->last_id) || !md_json_expect(j, ",\"b\":") ||
      md_json_levels(j, px_exp, qty_exp, as_levels(out->bids), MD_BENCH_LEVEL_MAX, &out->bid_cnt) ||
      !md_json_expect(j, ",\"a\":") ||
      md_json_levels(j, px_exp, qty_exp, as_levels(out->asks), MD_BENCH_LEVEL_MAX, &out->ask_cnt) ||
      !md_json_expect(j, "}}"))
    return false;
  out->symbol = (const char *)symbol;
  return md_json_finish(j) == MD_OK;
}

/* One field of "data"; both kinds of message use each letter for one thing only. */
static bool
read_field(md_json_t *j, uint8_t key, md_bench_message_t *out) {
  const int      px_exp = -(int)MD_BENCH_PX_DIGITS, qty_exp = -(int)MD_BENCH_QTY_DIGITS;
  const uint8_t *s;
  switch (key) {
  case 'E':
    return md_json_u64(j, &out->event_ms);
  case 'T':
    return md_json_u64(j, &out->trade_ms);
  case 'f':
  case 'U':
    return md_json_u64(j, &out->first_id);
  case 'l':
  case 'u':
    return md_json_u64(j, &out->last_id);
  case 'm':
    return md_json_bool(j, &out->is_maker);
  case 'p':
    return md_json_mantissa(j, px_exp, &out->px) == MD_OK;
  case 'q':
    return md_json_mantissa(j, qty_exp, &out->qty) == MD_OK;
  case 's':
    if (!md_json_string(j, &s, &out->symbol_len)) return false;
    out->symbol = (const char *)s;
    return true;
  default:
    return md_json_skip(j);
  }
}

static bool
any_order(md_bench_kind_t kind, const uint8_t *text, size_t len, md_bench_message_t *out) {
  const int      px_exp = -(int)MD_BENCH_PX_DIGITS, qty_exp = -(int)MD_BENCH_QTY_DIGITS;
  md_json_t      j;
  const uint8_t *key;
  uint32_t       n;
  bool           good = true;
  md_json_init(&j, text, len);
  md_json_object_begin(&j);
  while (good && md_json_key(&j, &key, &n)) {
    if (!md_json_is(key, n, "data")) {
      good = md_json_skip(&j);
      continue;
    }
    md_json_object_begin(&j);
    while (good && md_json_key(&j, &key, &n)) {
      if (kind == MD_BENCH_DEPTH && md_json_is(key, n, "b")) {
        good = md_json_levels(&j, px_exp, qty_exp, as_levels(out->bids), MD_BENCH_LEVEL_MAX,
                              &out->bid_cnt) == MD_OK;
      } else if (kind == MD_BENCH_DEPTH && md_json_is(key, n, "a")) {
        good = md_json_levels(&j, px_exp, qty_exp, as_levels(out->asks), MD_BENCH_LEVEL_MAX,
                              &out->ask_cnt) == MD_OK;
      } else if (md_json_is(key, n, "a")) {
        good = md_json_u64(&j, &out->id);
      } else {
        good = n == 1 ? read_field(&j, key[0], out) : md_json_skip(&j);
      }
    }
  }
  return good && md_json_finish(&j) == MD_OK;
}

static bool
ours(md_bench_kind_t kind, const uint8_t *text, size_t len, md_bench_message_t *out) {
  md_json_t      j;
  const uint8_t *stream;
  uint32_t       stream_len;
  md_json_init(&j, text, len);
  if (md_json_expect(&j, "{\"stream\":") && md_json_string(&j, &stream, &stream_len) &&
      (kind == MD_BENCH_AGG_TRADE ? agg_trade_expected(&j, out) : depth_expected(&j, out)))
    return true;
  return any_order(kind, text, len, out);
}

/* ---- the parsers behind one face ---- */

typedef enum parser { OURS, OURS_ANY_ORDER, ON_DEMAND, DOM, PARSER_CNT } parser_t;

static bool
parse(parser_t which, md_bench_simdjson_t *s, md_bench_kind_t kind, const uint8_t *text, size_t len,
      md_bench_message_t *out) {
  switch (which) {
  case OURS:
    return ours(kind, text, len, out);
  case OURS_ANY_ORDER:
    return any_order(kind, text, len, out);
  case ON_DEMAND:
    return md_bench_simdjson_on_demand(s, kind, text, len, out);
  case DOM:
    return md_bench_simdjson_dom(s, text, len);
  case PARSER_CNT:
    break;
  }
  return false;
}

static bool
equal(const md_bench_message_t *a, const md_bench_message_t *b) {
  return a->event_ms == b->event_ms && a->trade_ms == b->trade_ms && a->id == b->id &&
         a->first_id == b->first_id && a->last_id == b->last_id && a->px == b->px &&
         a->qty == b->qty && a->is_maker == b->is_maker && a->symbol_len == b->symbol_len &&
         memcmp(a->symbol, b->symbol, a->symbol_len) == 0 && a->bid_cnt == b->bid_cnt &&
         a->ask_cnt == b->ask_cnt &&
         memcmp(a->bids, b->bids, a->bid_cnt * sizeof a->bids[0]) == 0 &&
         memcmp(a->asks, b->asks, a->ask_cnt * sizeof a->asks[0]) == 0;
}

/* Every parser over every message, before anything is timed. */
static bool
all_agree(const md_bench_corpus_t *c, md_bench_simdjson_t *s) {
  static md_bench_message_t first, other;
  for (uint32_t i = 0; i < c->cnt; i++) {
    for (parser_t which = OURS; which < PARSER_CNT; which++) {
      md_bench_message_t *out = which == OURS ? &first : &other;
      memset(out, 0, sizeof *out);
      if (!parse(which, s, c->kind, c->text[i], c->len[i], out)) {
        fprintf(stderr, "mdengine bench: parser %d refuses message %u: a defect, report it\n",
                (int)which, i);
        return false;
      }
      if (which == DOM || equal(&first, &other) || which == OURS) continue;
      fprintf(stderr, "mdengine bench: parsers disagree on message %u: a defect, report it\n", i);
      return false;
    }
  }
  return true;
}

/* ns per message of one turn, MD_BENCH_NONE when the thread was preempted or a message was refused.
 */
static double
turn(parser_t which, const md_bench_corpus_t *c, md_bench_simdjson_t *s) {
  static md_bench_message_t out;
  int64_t                   switches = md_bench_switches();
  int64_t                   start_ns = md_bench_now_ns(), now_ns;
  uint64_t                  cnt      = 0;
  bool                      good     = true;
  do {
    for (uint32_t i = 0; i < c->cnt; i++)
      good &= parse(which, s, c->kind, c->text[i], c->len[i], &out);
    cnt += c->cnt;
    now_ns = md_bench_now_ns();
  } while (now_ns - start_ns < SLICE_NS);
  if (!good || md_bench_calm_switched(md_bench_switches() - switches, SWITCH_MAX))
    return MD_BENCH_NONE;
  return (double)(now_ns - start_ns) / (double)cnt;
}

typedef struct decode_case {
  const char     *name, *any_name, *dom_name;
  md_bench_kind_t kind;
  uint32_t        level_cnt, cnt;
  double          floor, target;
} decode_case_t;

/* A row of the report: ours against a baseline, with the median of the ratios of each round. */
static void
report(md_bench_t *b, const char *name, const md_bench_series_t *value, const char *baseline,
       const md_bench_series_t *base, const decode_case_t *goal) {
  md_bench_result_t *r     = md_bench_add(b, name, "ns");
  md_bench_series_t  ratio = {0};
  for (uint32_t i = 0; i < value->cnt; i++)
    md_bench_push(&ratio, base->v[i] / value->v[i]);
  md_bench_spread(r, value);
  r->baseline       = baseline;
  r->baseline_value = md_bench_median(base);
  md_bench_ratio(r, &ratio);
  if (goal != NULL) {
    r->floor  = goal->floor;
    r->target = goal->target;
  }
  if (value->cnt == 0) r->note = "the thread was preempted in every round";
}

static void
run_case(md_bench_t *b, const decode_case_t *d, const md_bench_corpus_t *c, md_bench_simdjson_t *s,
         int64_t budget_ns) {
  static md_bench_series_t series[PARSER_CNT];
  memset(series, 0, sizeof series);
  int64_t end_ns = md_bench_now_ns() + budget_ns;
  for (unsigned round = 0; round < MD_BENCH_ROUND_MAX && md_bench_may_go_on(round, end_ns);
       round++) {
    double ns[PARSER_CNT];
    bool   good = true;
    for (parser_t which = OURS; which < PARSER_CNT; which++)
      ns[which] = turn(which, c, s);
    for (parser_t i = OURS; i < PARSER_CNT; i++) { /* and back again: a drift hits all alike */
      parser_t which = (parser_t)(PARSER_CNT - 1 - i);
      double   again = turn(which, c, s);
      good           = good && again > 0 && ns[which] > 0;
      ns[which]      = (ns[which] + again) / 2;
    }
    for (parser_t which = OURS; good && which < PARSER_CNT && round > 0; which++)
      md_bench_push(&series[which], ns[which]); /* round 0 warms up */
  }
  report(b, d->name, &series[OURS], "simdjson On-Demand + extract", &series[ON_DEMAND], d);
  report(b, d->any_name, &series[OURS_ANY_ORDER], "simdjson On-Demand + extract",
         &series[ON_DEMAND], NULL);
  report(b, d->dom_name, &series[OURS], "simdjson DOM, no extract", &series[DOM], NULL);
}

/* ---- messages that surprise, and messages that are refused ---- */

static bool
read_surprise(bool is_ours, const md_bench_corpus_t *c, uint32_t i, md_bench_message_t *out) {
  return is_ours ? ours(c->kind, c->text[i], c->len[i], out)
                 : md_bench_jansson_depth(c->text[i], c->len[i], out);
}

/* Both read all of them, or both refuse all of them. */
static bool
surprises_agree(const md_bench_corpus_t *c, bool is_broken) {
  static md_bench_message_t first, other;
  bool                      good = true;
  for (uint32_t i = 0; good && i < c->cnt; i++) {
    memset(&first, 0, sizeof first);
    memset(&other, 0, sizeof other);
    good = read_surprise(true, c, i, &first) == !is_broken &&
           read_surprise(false, c, i, &other) == !is_broken;
    other.symbol     = first.symbol;
    other.symbol_len = first.symbol_len;
    good             = good && (is_broken || equal(&first, &other));
  }
  if (!good) fprintf(stderr, "mdengine bench: surprising messages are misread: a defect\n");
  return good;
}

static double
surprise_turn(bool is_ours, const md_bench_corpus_t *c) {
  static md_bench_message_t out;
  int64_t                   switches = md_bench_switches();
  int64_t                   start_ns = md_bench_now_ns(), now_ns;
  uint64_t                  cnt      = 0;
  do {
    for (uint32_t i = 0; i < c->cnt; i++)
      (void)read_surprise(is_ours, c, i, &out);
    cnt += c->cnt;
    now_ns = md_bench_now_ns();
  } while (now_ns - start_ns < SLICE_NS);
  if (md_bench_calm_switched(md_bench_switches() - switches, SWITCH_MAX)) return MD_BENCH_NONE;
  return (double)(now_ns - start_ns) / (double)cnt;
}

/* Rounds of ours, jansson, jansson, ours; the first one warms up. */
static void
run_surprise(md_bench_t *b, const decode_case_t *d, const md_bench_corpus_t *c, int64_t budget_ns) {
  static md_bench_series_t series[2];
  int64_t                  end_ns = md_bench_now_ns() + budget_ns;
  memset(series, 0, sizeof series);
  for (unsigned round = 0; round < MD_BENCH_ROUND_MAX && md_bench_now_ns() < end_ns; round++) {
    double own = surprise_turn(true, c), other = surprise_turn(false, c);
    double other_again = surprise_turn(false, c), own_again = surprise_turn(true, c);
    if (round == 0 || own < 0 || other < 0 || other_again < 0 || own_again < 0) continue;
    md_bench_push(&series[0], (own + own_again) / 2);
    md_bench_push(&series[1], (other + other_again) / 2);
  }
  report(b, d->name, &series[0], "jansson + extract", &series[1], d);
}

static bool
run_surprises(md_bench_t *b, int64_t budget_ns) {
  static const decode_case_t cases[] = {
      {"decode.surprising", NULL, NULL, MD_BENCH_DEPTH, 37, 128, 0.8, 1.0},
      {"decode.malformed", NULL, NULL, MD_BENCH_DEPTH, 37, 128, 0.8, 1.0}};
  md_bench_corpus_t usual = {0}, c = {0};
  bool              good =
      md_bench_corpus_new(&usual, MD_BENCH_DEPTH, cases[0].cnt, cases[0].level_cnt, CORPUS_SEED);
  for (size_t i = 0; good && i < MD_CNT(cases); i++) {
    good = md_bench_corpus_surprising(&c, &usual, i == 1) && surprises_agree(&c, i == 1);
    if (good) run_surprise(b, &cases[i], &c, budget_ns / (int64_t)MD_CNT(cases));
    md_bench_corpus_delete(&c);
  }
  md_bench_corpus_delete(&usual);
  return good;
}

bool
md_bench_decode(md_bench_t *b) {
  static const decode_case_t cases[] = {
      {"decode.agg_trade", "decode.agg_trade.any_order", "decode.agg_trade.dom", MD_BENCH_AGG_TRADE,
       0, 512, 1.8, 2.5},
      {"decode.depth_1k4", "decode.depth_1k4.any_order", "decode.depth_1k4.dom", MD_BENCH_DEPTH, 37,
       256, 4.0, 5.5},
      {"decode.depth_4k", "decode.depth_4k.any_order", "decode.depth_4k.dom", MD_BENCH_DEPTH, 117,
       128, 4.0, 5.5}};
  md_bench_simdjson_t *s    = md_bench_simdjson_new();
  bool                 good = s != NULL;
  for (size_t i = 0; good && i < MD_CNT(cases); i++) {
    const decode_case_t *d = &cases[i];
    md_bench_corpus_t    c;
    good = md_bench_corpus_new(&c, d->kind, d->cnt, d->level_cnt, CORPUS_SEED + i);
    if (!good) break;
    good = all_agree(&c, s);
    if (good) run_case(b, d, &c, s, (int64_t)b->seconds * 200000000 * 4 / (int64_t)MD_CNT(cases));
    md_bench_corpus_delete(&c);
  }
  md_bench_simdjson_delete(s);
  return good && run_surprises(b, (int64_t)b->seconds * 200000000);
}
