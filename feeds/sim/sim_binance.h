/* sim_binance.h - what Binance's markets have in common on the simulator's wire.
 *
 * Names of streams, SUBSCRIBE and its kin, combined frames, microseconds, recorded frames, bodies
 * of REST. Used by the rows of Binance alone, on the simulator's one thread. */
#ifndef FEEDS_SIM_SIM_BINANCE_H
#define FEEDS_SIM_SIM_BINANCE_H

#include "feeds/sim/sim_venue.h"

/* What stands behind the first @ of a stream's name, NULL behind the last. */
typedef struct md_sim_bn_name {
  const char   *suffix;
  md_sim_kind_t kind;
} md_sim_bn_name_t;

/* ---- sim_binance.c: names and control ---- */

void   md_sim_bn_parse_name(md_sim_stream_t *s, const md_sim_bn_name_t *names);
size_t md_sim_bn_stream_name(char *out, size_t bytes, const md_sim_symbol_t *symbol,
                             md_sim_kind_t kind, const md_sim_bn_name_t *names);

/* md_sim_bn_open reads /ws, /ws/<stream>[/<stream>...], /stream[?streams=a/b], with
 * timeUnit=MICROSECOND anywhere. */
md_err_t md_sim_bn_open(md_sim_t *sim, md_sim_conn_t *c, const char *path, const char *query);
void     md_sim_bn_receive(md_sim_t *sim, md_sim_conn_t *c, const char *text, size_t len);

/* md_sim_bn_receive_as: futures wrap their errors, {"error":{"code":2,...},"id":1}, and say what is
 * wrong before they close. */
void md_sim_bn_receive_as(md_sim_t *sim, md_sim_conn_t *c, const char *text, size_t len,
                          bool is_futures);

/* md_sim_bn_base: the asset of the idx-th symbol of a market; NULL when names are made up. */
const char *md_sim_bn_base(uint32_t idx);

void md_sim_bn_goodbye(md_sim_t *sim, md_sim_conn_t *c, int64_t time_ms);
void md_sim_bn_microseconds(md_sim_kind_t kind, const char *data, size_t len, md_sim_text_t *out);

/* ---- sim_binance_record.c: recorded messages ---- */

bool     md_sim_bn_frame(md_sim_t *sim, const md_input_t *in, md_sim_frame_t *out);
md_err_t md_sim_bn_depth(md_sim_t *sim, md_sim_symbol_t *symbol, const char *data, size_t len,
                         md_sim_depth_t *out);
void md_sim_bn_count(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_kind_t kind, const char *data,
                     size_t len);
bool md_sim_bn_depth_url(const char *path, const char *query, const char **symbol, size_t *len);

/* ---- sim_binance_rest.c: REST ---- */

/* md_sim_bn_answer begins an answer: its headers of the weight. */
void md_sim_bn_answer(md_sim_answer_t *out);
void md_sim_bn_error(md_sim_answer_t *out, unsigned status, int code, const char *text);
void md_sim_bn_refuse(md_sim_answer_t *out, unsigned status);

/* md_sim_bn_symbol: the symbol that the query asks for; refused when it is missing or unknown. */
md_sim_symbol_t *md_sim_bn_symbol(md_sim_t *sim, const char *query, md_sim_answer_t *out);

/* md_sim_bn_symbols: symbols=["A","B"], cnt of them in list (of MD_SIM_SYMBOLS_MAX); false: one is
 * unknown, or it is no list. */
bool md_sim_bn_symbols(md_sim_t *sim, const char *text, size_t len, md_sim_symbol_t **list,
                       uint32_t *cnt);

/* md_sim_bn_common answers ping and time, what stands behind /api/v3/ and the like; false: it is
 * neither. */
bool md_sim_bn_common(md_sim_t *sim, const char *what, md_sim_answer_t *out);

/* md_sim_bn_levels writes "bids":[...],"asks":[...] with at most limit levels a side. */
void md_sim_bn_levels(const md_sim_symbol_t *symbol, const md_sim_book_t *b, uint32_t limit,
                      md_sim_text_t *out);

/* md_sim_bn_recorded_info: the recorded exchangeInfo of all symbols; NULL when there is none, or
 * symbols come and go here, which it does not know. */
const md_sim_recorded_t *md_sim_bn_recorded_info(const md_sim_t *sim);

/* ---- sim_binance_spot_info.c ---- */

/* md_sim_bn_spot_info writes the body of exchangeInfo over cnt symbols. */
void md_sim_bn_spot_info(md_sim_t *sim, md_sim_symbol_t *const *symbols, uint32_t cnt,
                         md_sim_text_t *out);

/* ---- sim_binance_spot_out.c ---- */

extern const md_sim_writers_t md_sim_bn_spot_writers;

/* md_sim_bn_spot_body writes {"lastUpdateId":id,"bids":[...],"asks":[...]}. */
void md_sim_bn_spot_body(const md_sim_symbol_t *symbol, const md_sim_book_t *b, uint64_t id,
                         uint32_t limit, md_sim_text_t *out);

#endif
