/* message.h - generated Binance messages, and the form into which every parser must bring them.
 *
 * The generator walks a price and keeps a book, so that updates change and delete levels that exist
 * and ids follow each other. One seed, the same bytes on every machine. */
#ifndef BENCH_MESSAGE_H
#define BENCH_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MD_BENCH_LEVEL_MAX  256u
#define MD_BENCH_PX_DIGITS  2u /* digits behind the point that a price keeps */
#define MD_BENCH_QTY_DIGITS 5u

#ifdef __cplusplus
extern "C" {
#endif

typedef struct md_bench_level {
  int64_t px, qty;
} md_bench_level_t;

/* All fields of an aggTrade or of a depthUpdate, as exact integers. */
typedef struct md_bench_message {
  uint64_t         event_ms, trade_ms, id, first_id, last_id;
  int64_t          px, qty;
  const char      *symbol; /* in the text */
  uint32_t         symbol_len;
  bool             is_maker;
  uint32_t         bid_cnt, ask_cnt;
  md_bench_level_t bids[MD_BENCH_LEVEL_MAX], asks[MD_BENCH_LEVEL_MAX];
} md_bench_message_t;

typedef enum md_bench_kind { MD_BENCH_AGG_TRADE, MD_BENCH_DEPTH } md_bench_kind_t;

/* Messages one behind the other, each followed by 64 bytes that may be read. */
typedef struct md_bench_corpus {
  md_bench_kind_t kind;
  uint32_t        cnt;
  uint64_t        text_bytes; /* without the padding */
  const uint8_t **text;
  uint32_t       *len;
  uint8_t        *bytes;
} md_bench_corpus_t;

/* md_bench_corpus_still does the same for depth updates of a book whose middle stays where it is,
 * so that they may be applied over and over, in any order, and never cross it.
 * md_bench_snapshot_new gives the book of about a thousand levels a side that they begin with, as
 * the exchange's answer to a request for it; free *text. */
bool md_bench_corpus_still(md_bench_corpus_t *c, uint32_t cnt, uint32_t level_cnt, uint64_t seed);
bool md_bench_snapshot_new(uint64_t seed, char **text, uint32_t *len);

/* md_bench_corpus_new generates cnt messages, depth updates with about level_cnt levels; false: no
 * memory. md_bench_corpus_delete frees them. */
bool md_bench_corpus_new(md_bench_corpus_t *c, md_bench_kind_t kind, uint32_t cnt,
                         uint32_t level_cnt, uint64_t seed);
void md_bench_corpus_delete(md_bench_corpus_t *c);

/* md_bench_simdjson_new makes the parsers of simdjson, NULL without memory; _version names the
 * library. */
typedef struct md_bench_simdjson md_bench_simdjson_t;
md_bench_simdjson_t             *md_bench_simdjson_new(void);
void                             md_bench_simdjson_delete(md_bench_simdjson_t *s);

/* md_bench_simdjson_on_demand reads every field with the On-Demand front end and turns decimals
 * into integers; false when the message is bad. */
bool md_bench_simdjson_on_demand(md_bench_simdjson_t *s, md_bench_kind_t kind, const uint8_t *text,
                                 size_t len, md_bench_message_t *out);

/* md_bench_simdjson_dom only builds the tree, and takes nothing out of it. */
bool md_bench_simdjson_dom(md_bench_simdjson_t *s, const uint8_t *text, size_t len);

#ifdef __cplusplus
}
#endif

#endif
