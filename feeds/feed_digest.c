#include "feeds/feed_thread.h"

#include <string.h>

md_err_t
md_feed_digest(const md_feed_t *f, uint32_t instrument_id, md_command_answer_t *out) {
  memset(out, 0, sizeof *out);
  const md_feed_instrument_t *i = md_feed_instrument_by_id(f, instrument_id);
  if (!i) {
    out->err = MD_ERR_ABSENT;
    return MD_ERR_ABSENT;
  }
  out->state     = i->state;
  out->exch_seq  = i->exch_seq;
  out->last_seq  = i->last_seq;
  out->gen       = i->gen;
  out->bid_cnt   = i->book.bids.cnt;
  out->ask_cnt   = i->book.asks.cnt;
  out->trade_cnt = i->trades.cnt;
  md_orderbook_digest(&i->book, i->px_exp, i->qty_exp, 0, out->digest);
  md_orderbook_digest(&i->book, i->px_exp, i->qty_exp, 20, out->digest_top20);
  md_orderbook_digest(&i->book, i->px_exp, i->qty_exp, 400, out->digest_top400);
  return MD_OK;
}
