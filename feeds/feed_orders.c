/* How many orders stand at the levels of a message, of feeds that keep that. Made from the inputs
 * alone, like every record: that they are kept stands in the RAW stream. */
#include "feeds/feed_parts.h"

#include <string.h>

#define COMMAND           "order_counts 1"
#define ORDERS_LEVELS_MAX MD_FEED_LEVELS_MAX(sizeof(md_book_orders_t))

bool
md_feed_orders_command(md_feed_t *f, const md_input_t *in) {
  const size_t n = sizeof COMMAND - 1;
  if (in->len != n || memcmp(in->payload, COMMAND, n) != 0) return false;
  f->order_counts = true;
  return true;
}

void
md_feed_orders_begin(md_feed_t *f, int64_t recv_ns) {
  uint8_t          text[sizeof COMMAND + MD_FRAME_PAD_BYTES] = COMMAND;
  const md_input_t in                                        = {.kind    = MD_RAW_COMMAND,
                                                                .leg     = MD_LEG_NONE,
                                                                .name    = "",
                                                                .payload = text,
                                                                .len     = sizeof COMMAND - 1,
                                                                .recv_ns = recv_ns};
  (void)md_out_raw(&f->out, &in);
  (void)md_feed_orders_command(f, &in);
}

bool
md_feed_wants_orders(const md_feed_t *f) {
  return f->order_counts;
}

void
md_feed_out_orders(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                   const md_update_ids_t *ids, bool whole, const md_feed_levels_t *levels) {
  md_feed_cut_t cut = {0};
  while (md_feed_cut_next(&cut, levels->bid_cnt, levels->ask_cnt, ORDERS_LEVELS_MAX)) {
    const uint64_t bytes = (uint64_t)(cut.bid_cnt + cut.ask_cnt) * sizeof(md_level_t);
    md_record_t   *rec =
        md_feed_record(f, i, MD_RECORD_BOOK_ORDERS, sizeof(md_book_orders_t) + bytes);
    rec->flags      = (uint16_t)(event->flags | (cut.is_last ? MD_FLAG_LAST : 0));
    rec->qty_exp    = 0;
    rec->exch_seq   = ids->last;
    rec->ts_exch_ns = event->ts_exch_ns;

    md_book_orders_t *body = md_record_body(rec);
    *body                  = (md_book_orders_t){.exch_seq_prev = ids->prev,
                                                .bid_cnt       = (uint16_t)cut.bid_cnt,
                                                .ask_cnt       = (uint16_t)cut.ask_cnt,
                                                .bid_total     = levels->bid_cnt,
                                                .ask_total     = levels->ask_cnt,
                                                .whole         = whole};
    md_level_t *to         = (void *)(body + 1);
    memcpy(to, levels->bids + cut.bid_off, cut.bid_cnt * sizeof *to);
    memcpy(to + cut.bid_cnt, levels->asks + cut.ask_off, cut.ask_cnt * sizeof *to);
  }
}
