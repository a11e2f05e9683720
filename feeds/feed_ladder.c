/* Samples of the books: the state after every input that was received before a multiple of the
 * interval. They depend on nothing but the inputs, so that a replay makes the same ones. */
#include "feeds/feed_parts.h"

#include <stdio.h>
#include <string.h>

#define COMMAND_NAME "ladder_every_ns "
#define EVERY_NS_MAX INT64_C(86400000000000)

/* The last multiple of the interval that is not behind ns. */
static int64_t
floor_to(int64_t ns, int64_t every_ns) {
  int64_t rest = ns % every_ns;
  return ns - rest - (rest < 0 ? every_ns : 0);
}

void
md_feed_ladder_command(md_feed_t *f, const md_input_t *in) {
  const size_t n  = sizeof COMMAND_NAME - 1;
  int64_t      ns = 0;
  if (in->len <= n || memcmp(in->payload, COMMAND_NAME, n) != 0) return;
  for (size_t i = n; i < in->len; i++) {
    uint8_t c = in->payload[i];
    if (c < '0' || c > '9' || ns > EVERY_NS_MAX) return;
    ns = ns * 10 + (c - '0');
  }
  if (ns > EVERY_NS_MAX) return;
  f->ladder_every_ns = ns;
  f->ladder_next_ns  = INT64_MIN;
}

void
md_feed_ladder_begin(md_feed_t *f, int64_t recv_ns) {
  uint8_t text[sizeof COMMAND_NAME + 24 + MD_FRAME_PAD_BYTES] = {0};
  int     len = snprintf((char *)text, sizeof text, "%s%lld", COMMAND_NAME,
                         (long long)f->cfg.ladder_every_ns);
  md_assert(f->cfg.ladder_every_ns <= EVERY_NS_MAX);
  const md_input_t in = {.kind    = MD_RAW_COMMAND,
                         .leg     = MD_LEG_NONE,
                         .name    = "",
                         .payload = text,
                         .len     = (uint32_t)len,
                         .recv_ns = recv_ns};
  (void)md_out_raw(&f->out, &in);
  md_feed_ladder_command(f, &in);
}

static void
out_ladder(md_feed_t *f, md_feed_instrument_t *i) {
  const uint32_t bid_total = i->book.bids.cnt, ask_total = i->book.asks.cnt;
  md_feed_cut_t  cut   = {.bid_cnt = bid_total < MD_LADDER_LEVELS ? bid_total : MD_LADDER_LEVELS,
                          .ask_cnt = ask_total < MD_LADDER_LEVELS ? ask_total : MD_LADDER_LEVELS};
  uint64_t       bytes = (uint64_t)(cut.bid_cnt + cut.ask_cnt) * sizeof(md_level_t);
  md_feed_define(f, i);
  md_record_t *rec = md_feed_record(f, i, MD_RECORD_LADDER, sizeof(md_ladder_t) + bytes);
  rec->flags       = (uint16_t)(MD_FLAG_LAST | i->book_flags);
  rec->exch_seq    = i->exch_seq;
  rec->ts_exch_ns  = i->ts_exch_ns;

  md_ladder_t *body = md_record_body(rec);
  *body             = (md_ladder_t){.every_ns  = (uint64_t)f->ladder_every_ns,
                                    .gen       = i->gen,
                                    .bid_cnt   = (uint16_t)cut.bid_cnt,
                                    .ask_cnt   = (uint16_t)cut.ask_cnt,
                                    .bid_total = bid_total,
                                    .ask_total = ask_total};
  md_feed_copy_book(&i->book, &cut, (void *)(body + 1));
}

/* Where several instants passed without an input the books did not change: the last one counts. */
void
md_feed_ladders(md_feed_t *f, int64_t recv_ns) {
  const int64_t every = f->ladder_every_ns, at = floor_to(recv_ns, every);
  bool          is_first = f->ladder_next_ns == INT64_MIN;
  bool          is_back  = !is_first && at < f->ladder_next_ns - every; /* the clock was set back */
  if (!is_first && !is_back && recv_ns < f->ladder_next_ns) return;
  f->ladder_next_ns = at + every;
  if (is_first || is_back) return;

  f->recv_ns    = at;
  f->raw_lo     = 0;
  f->leg        = MD_LEG_NONE;
  f->is_decoded = true; /* a sample is no part of any input's latency */
  for (uint32_t n = 0; n < f->instrument_cnt; n++) {
    md_feed_instrument_t *i = &f->instruments[n];
    if (i->state != MD_BOOK_VALID || i->ladder_seq == i->last_seq) continue;
    i->ladder_seq = i->last_seq;
    out_ladder(f, i);
  }
  md_feed_commit(f);
}
