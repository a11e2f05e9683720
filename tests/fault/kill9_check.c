/* kill9_check JOURNAL TRUTH SEEN ROWS: a journal that was written across many kills, against what
 * strangers know. TRUTH  the simulator's log: the number of trades and the sum of their quantities
 * at many points SEEN   what tape_witness saw: each of these records must stand in the journal,
 * with the same bytes ROWS   is written: count, exact sums and ranges of the records that
 * PostgreSQL has, by type, epoch, instrument And by itself: no seq missing or twice in an epoch, no
 * id of a trade missing or twice, no update of a book missing, but what a GAP declares with the
 * right ids. Prints one line; exit 0 when nothing is lost, doubled or undeclared. */
#include "tests/fault/witness.h"
#include "writers/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INSTRUMENTS 4096u
#define EPOCHS      4096u
#define STREAMS     16u
#define SAID_MAX    5u
#define QTY_EXP     (-12) /* of sums */

typedef struct point {
  char     symbol[MD_SYMBOL_BYTES];
  uint64_t trades;  /* id of the last trade before it */
  md_i128  qty_sum; /* at QTY_EXP */
} point_t;

typedef struct rows {
  uint64_t cnt, seq_min, seq_max, id_min, id_max;
  md_i128  sum_a, sum_b; /* at the exponents below */
  int      exp_a, exp_b;
} rows_t;

enum { ROW_TRADE, ROW_BBO, ROW_KLINE, ROW_GAP, ROW_TYPES };
static const char *const row_name[ROW_TYPES] = {"trade", "bbo", "kline", "gap"};

typedef struct instrument {
  bool           known;
  uint64_t       trade_last, book_last;
  md_gap_t       gap[2]; /* declared and not used up: of trades, of the book */
  bool           has_gap[2];
  bool           anchored; /* trades are whole since a point of the truth */
  const point_t *anchor;
  md_i128        since; /* quantities since then */
  const point_t *points;
  uint32_t       point_cnt, point_next;
} instrument_t;

static instrument_t instruments[INSTRUMENTS];
static uint64_t     seq_last[STREAMS][EPOCHS];
static rows_t      *rows[ROW_TYPES][EPOCHS]; /* by instrument */
static point_t     *points;
static uint32_t     point_cnt;
static uint16_t     normalised; /* the stream that witnesses and rows are about */

static uint64_t record_cnt, lost_cnt, doubled_cnt, undeclared_cnt, declared_cnt, seen_cnt, sum_cnt,
    wrong_sum_cnt;

static bool
say(uint64_t *counter) {
  return (*counter)++ < SAID_MAX;
}

/* ---- the truth ---- */

static bool
text_of(const char *line, const char *key, char *out, size_t out_bytes) {
  const char *at = strstr(line, key);
  if (!at) return false;
  at += strlen(key);
  size_t n = strcspn(at, "\",}");
  if (n >= out_bytes) return false;
  memcpy(out, at, n);
  out[n] = 0;
  return true;
}

static md_i128
fixed(const char *text) {
  md_i128 v      = 0;
  int     digits = -1;
  for (; *text; text++) {
    if (*text == '.') {
      digits = 0;
      continue;
    }
    v = v * 10 + (*text - '0');
    if (digits >= 0) digits++;
  }
  for (int n = digits < 0 ? 0 : digits; n < -QTY_EXP; n++)
    v *= 10;
  return v;
}

static int
compare_points(const void *a, const void *b) {
  const point_t *x = a, *y = b;
  int            c = strcmp(x->symbol, y->symbol);
  return c ? c : x->trades < y->trades ? -1 : x->trades > y->trades;
}

static void
read_truth(const char *path) {
  static char line[2048];
  char        number[256];
  FILE       *in  = fopen(path, "r");
  uint32_t    cap = 0;
  md_assert(in != NULL);
  while (fgets(line, sizeof line, in)) {
    point_t p = {0};
    if (!strstr(line, "\"at\":\"point\"") && !strstr(line, "\"at\":\"end\"")) continue;
    if (!text_of(line, "\"symbol\":\"", p.symbol, sizeof p.symbol)) continue;
    if (!text_of(line, "\"trades\":", number, sizeof number)) continue;
    p.trades = strtoull(number, NULL, 10);
    if (!text_of(line, "\"trade_id_first\":", number, sizeof number)) continue;
    p.trades += strtoull(number, NULL, 10) - 1;
    if (!text_of(line, "\"trade_qty_sum\":\"", number, sizeof number)) continue;
    p.qty_sum = fixed(number);
    if (point_cnt == cap) {
      cap    = cap ? cap * 2 : 1024;
      points = realloc(points, cap * sizeof *points);
      md_assert(points != NULL);
    }
    points[point_cnt++] = p;
  }
  (void)fclose(in);
  qsort(points, point_cnt, sizeof *points, compare_points);
}

static void
find_instruments(const md_manifest_t *m) {
  for (uint32_t n = 0; n < md_manifest_instrument_cnt(m); n++) {
    const md_manifest_instrument_t *known = md_manifest_instrument_at(m, n);
    md_assert(known->id < INSTRUMENTS);
    instrument_t *i = &instruments[known->id];
    for (uint32_t p = 0; p < point_cnt; p++) {
      if (strcmp(points[p].symbol, known->symbol) != 0) continue;
      if (!i->points) i->points = &points[p];
      i->point_cnt++;
    }
  }
}

/* ---- trades and books ---- */

/* A jump from last to seen is right when a GAP said just that. seen MD_NULL_U64: the GAP cannot
 * know it. */
static void
jump(instrument_t *i, uint32_t id, unsigned which, uint64_t last, uint64_t seen) {
  const md_gap_t *g  = &i->gap[which];
  bool            ok = i->has_gap[which] && g->exch_seq_last == last;
  if (which == 0) ok = ok && g->exch_seq_seen == seen;
  declared_cnt += ok;
  if (!ok && say(&undeclared_cnt))
    printf("instrument %u: %s from %" PRIu64 " to %" PRIu64 " without a GAP\n", id,
           which ? "updates" : "trades", last, seen);
}

static void
check_sum(instrument_t *i, const md_trade_t *t, int qty_exp, uint32_t id) {
  md_i128 qty = t->qty;
  for (int n = QTY_EXP; n < qty_exp; n++)
    qty *= 10;
  if (i->anchored) i->since += qty;
  while (i->point_next < i->point_cnt && i->points[i->point_next].trades < t->trade_id)
    i->point_next++;
  if (i->point_next == i->point_cnt || i->points[i->point_next].trades != t->trade_id) return;
  const point_t *p = &i->points[i->point_next];
  if (i->anchored) {
    sum_cnt++;
    if (i->since != p->qty_sum - i->anchor->qty_sum && say(&wrong_sum_cnt))
      printf("instrument %u: quantities of trades %" PRIu64 " to %" PRIu64
             " differ from the truth\n",
             id, i->anchor->trades, p->trades);
  }
  i->anchored = true;
  i->anchor   = p;
  i->since    = 0;
}

static void
on_trade(instrument_t *i, const md_record_t *rec) {
  md_trade_t t;
  memcpy(&t, md_record_body_const(rec), sizeof t);
  if (i->trade_last && t.trade_id <= i->trade_last) {
    if (say(&doubled_cnt))
      printf("instrument %u: trade %" PRIu64 " twice\n", rec->instrument, t.trade_id);
    return;
  }
  if (i->trade_last && t.trade_id != i->trade_last + 1) {
    jump(i, rec->instrument, 0, i->trade_last, t.trade_id);
    i->anchored = false;
  }
  i->has_gap[0] = false;
  i->trade_last = t.trade_id;
  check_sum(i, &t, rec->qty_exp, rec->instrument);
}

static void
on_book(instrument_t *i, const md_record_t *rec) {
  md_book_delta_t d;
  memcpy(&d, md_record_body_const(rec), sizeof d);
  const bool is_snapshot = rec->type == MD_RECORD_BOOK_SNAPSHOT;
  if (is_snapshot) {
    if (i->book_last && !(rec->exch_seq == i->book_last))
      jump(i, rec->instrument, 1, i->book_last, rec->exch_seq);
    i->has_gap[1] = false;
  } else if (rec->exch_seq <= i->book_last && !(rec->flags & MD_FLAG_RESYNC) &&
             d.exch_seq_first <= i->book_last && rec->exch_seq != i->book_last) {
    if (say(&doubled_cnt))
      printf("instrument %u: update %" PRIu64 " twice\n", rec->instrument, rec->exch_seq);
  } else if (d.exch_seq_first > i->book_last + 1) {
    jump(i, rec->instrument, 1, i->book_last, d.exch_seq_first);
  }
  i->book_last = rec->exch_seq;
}

static void
on_gap(instrument_t *i, const md_record_t *rec) {
  md_gap_t g;
  memcpy(&g, md_record_body_const(rec), sizeof g);
  unsigned which = g.record_type == MD_RECORD_TRADE ? 0 : 1;
  if (g.record_type != MD_RECORD_TRADE && g.record_type != MD_RECORD_BOOK_DELTA) return;
  if (i->has_gap[which] && i->gap[which].exch_seq_last == g.exch_seq_last) return; /* said twice */
  i->gap[which]     = g;
  i->has_gap[which] = true;
}

/* ---- rows ---- */

static void
add_sum(md_i128 *sum, int *sum_exp, bool is_first, int64_t v, int exp) {
  if (is_first) *sum_exp = exp;
  if (v == MD_NULL_I64) return;
  md_i128 wide = v;
  for (; *sum_exp > exp; (*sum_exp)--)
    *sum *= 10;
  for (int n = *sum_exp; n < exp; n++)
    wide *= 10;
  *sum += wide;
}

static void
add_row(unsigned type, const md_record_t *rec, int64_t a, int exp_a, int64_t b, int exp_b) {
  if (!rows[type][rec->epoch]) rows[type][rec->epoch] = calloc(INSTRUMENTS, sizeof(rows_t));
  md_assert(rows[type][rec->epoch] != NULL);
  rows_t    *r        = &rows[type][rec->epoch][rec->instrument];
  const bool is_first = r->cnt++ == 0;
  add_sum(&r->sum_a, &r->exp_a, is_first, a, exp_a);
  add_sum(&r->sum_b, &r->exp_b, is_first, b, exp_b);
  if (is_first) r->seq_min = rec->seq;
  r->seq_max = rec->seq;
  if (rec->exch_seq == 0) return;
  if (r->id_min == 0 || rec->exch_seq < r->id_min) r->id_min = rec->exch_seq;
  if (rec->exch_seq > r->id_max) r->id_max = rec->exch_seq;
}

static void
count_row(const md_record_t *rec) {
  const void *body = md_record_body_const(rec);
  if (rec->type == MD_RECORD_TRADE) {
    const md_trade_t *t = body;
    add_row(ROW_TRADE, rec, t->px, rec->px_exp, t->qty, rec->qty_exp);
  } else if (rec->type == MD_RECORD_BBO) {
    const md_bbo_t *b = body;
    add_row(ROW_BBO, rec, b->bid_px, rec->px_exp, b->ask_qty, rec->qty_exp);
  } else if (rec->type == MD_RECORD_KLINE) {
    const md_kline_t *k = body;
    add_row(ROW_KLINE, rec, k->close, rec->px_exp, k->volume, rec->qty_exp);
  } else if (rec->type == MD_RECORD_GAP) {
    add_row(ROW_GAP, rec, 0, 0, 0, 0);
  }
}

static void
write_number(FILE *out, md_i128 v, int exp) {
  char text[64];
  int  at    = (int)sizeof text;
  bool minus = v < 0;
  text[--at] = 0;
  if (minus) v = -v;
  do {
    text[--at] = (char)('0' + (int)(v % 10));
    v /= 10;
  } while (v);
  if (minus) text[--at] = '-';
  (void)fprintf(out, "%se%d", text + at, exp);
}

static void
write_rows(const char *path) {
  FILE *out = fopen(path, "w");
  md_assert(out != NULL);
  for (unsigned t = 0; t < ROW_TYPES; t++) {
    for (unsigned e = 0; e < EPOCHS; e++) {
      for (unsigned i = 0; rows[t][e] && i < INSTRUMENTS; i++) {
        const rows_t *r = &rows[t][e][i];
        if (!r->cnt) continue;
        (void)fprintf(out, "%s,%u,%u,%u,%" PRIu64 ",", row_name[t], normalised, e, i, r->cnt);
        write_number(out, r->sum_a, r->exp_a);
        (void)fputc(',', out);
        write_number(out, r->sum_b, r->exp_b);
        (void)fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", r->seq_min,
                      r->seq_max, r->id_min, r->id_max);
      }
    }
  }
  (void)fclose(out);
}

/* ---- the journal ---- */

static FILE     *seen;
static witness_t next_seen;
static bool      has_seen;

static void
read_seen(void) {
  has_seen = seen && fread(&next_seen, sizeof next_seen, 1, seen) == 1;
}

static bool
seen_before(uint32_t epoch, uint64_t seq) {
  return has_seen && (next_seen.epoch < epoch || (next_seen.epoch == epoch && next_seen.seq < seq));
}

static void
check_witness(const md_record_t *rec) {
  while (seen_before(rec->epoch, rec->seq)) {
    if (say(&lost_cnt))
      printf("epoch %u seq %" PRIu64 " was seen on the tape and is not in the journal\n",
             next_seen.epoch, next_seen.seq);
    read_seen();
  }
  if (!has_seen || next_seen.epoch != rec->epoch || next_seen.seq != rec->seq) return;
  if (next_seen.sum != witness_sum(rec, rec->len) && say(&lost_cnt))
    printf("epoch %u seq %" PRIu64 ": other bytes than on the tape\n", rec->epoch, rec->seq);
  seen_cnt++;
  read_seen();
}

static void
check_record(const md_record_t *rec) {
  md_assert(rec->stream < STREAMS);
  md_assert(rec->epoch < EPOCHS);
  md_assert(rec->instrument < INSTRUMENTS);
  if (rec->type == MD_RECORD_CHECKPOINT) return;
  uint64_t *last  = &seq_last[rec->stream][rec->epoch];
  uint64_t  first = rec->seq, end = rec->seq;
  if (rec->type == MD_RECORD_LOSS) {
    md_loss_t loss;
    memcpy(&loss, md_record_body_const(rec), sizeof loss);
    first = loss.seq_first;
    end   = loss.seq_last;
    if (say(&lost_cnt))
      printf("a LOSS of %" PRIu64 " records, which nothing here explains\n", end - first + 1);
  }
  if (first <= *last && say(&doubled_cnt))
    printf("stream %u epoch %u: seq %" PRIu64 " twice\n", rec->stream, rec->epoch, first);
  if (first > *last + 1 && say(&lost_cnt))
    printf("stream %u epoch %u: seq %" PRIu64 " after %" PRIu64 "\n", rec->stream, rec->epoch,
           first, *last);
  *last = end;
  if (rec->stream != normalised) return;
  record_cnt++;
  check_witness(rec);
  count_row(rec);
  instrument_t *i = &instruments[rec->instrument];
  if (rec->type == MD_RECORD_TRADE) on_trade(i, rec);
  if (rec->type == MD_RECORD_BOOK_DELTA || rec->type == MD_RECORD_BOOK_SNAPSHOT) on_book(i, rec);
  if (rec->type == MD_RECORD_GAP) on_gap(i, rec);
}

int
main(int argc, char **argv) {
  if (argc != 5) {
    (void)fprintf(stderr, "usage: kill9_check JOURNAL TRUTH SEEN ROWS\n");
    return 2;
  }
  md_journal_reader_t *reader = NULL;
  md_msg_t             msg    = {0};
  const md_record_t   *rec;
  read_truth(argv[2]);
  if (md_journal_reader_open(argv[1], &reader, &msg)) {
    printf("%s\n", msg.text);
    return 1;
  }
  const md_manifest_t *manifest = md_journal_reader_manifest(reader);
  for (uint16_t s = 1; md_manifest_stream_name(manifest, s); s++)
    if (strcmp(md_manifest_stream_name(manifest, s), "binance_spot") == 0) normalised = s;
  find_instruments(manifest);
  seen = fopen(argv[3], "rb");
  read_seen();
  md_err_t err;
  while ((err = md_journal_reader_next(reader, &rec, NULL, &msg)) == MD_OK)
    check_record(rec);
  if (err != MD_ERR_END && say(&lost_cnt)) printf("%s\n", msg.text);
  for (; has_seen; read_seen())
    if (say(&lost_cnt))
      printf("epoch %u seq %" PRIu64 " was seen on the tape and is not in the journal\n",
             next_seen.epoch, next_seen.seq);
  md_journal_damage_t damage;
  md_journal_reader_damage(reader, &damage);
  if (damage.block_cnt && say(&lost_cnt)) printf("damage: %s\n", damage.first);
  md_journal_reader_close(reader);
  write_rows(argv[4]);
  printf("%" PRIu64 " records, %" PRIu64 " of them seen on the tape before a kill; %" PRIu64
         " sums of trades equal the truth, %" PRIu64 " differ; %" PRIu64
         " holes declared; lost %" PRIu64 ", doubled %" PRIu64 ", undeclared %" PRIu64 "\n",
         record_cnt, seen_cnt, sum_cnt - wrong_sum_cnt, wrong_sum_cnt, declared_cnt, lost_cnt,
         doubled_cnt, undeclared_cnt);
  bool good = lost_cnt + doubled_cnt + undeclared_cnt + wrong_sum_cnt == 0;
  return good && record_cnt && seen_cnt && sum_cnt ? 0 : 1;
}
