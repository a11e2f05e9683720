/* sim_rest.h - REST of the simulated exchange: a request's method, path and query in, the answer
 * out.
 *
 * No sockets: status, headers and body, and when the answer may be sent. Weights are counted per
 * minute as the exchange does; who goes on beyond them gets 429, then 418. */
#ifndef FEEDS_SIM_SIM_REST_H
#define FEEDS_SIM_SIM_REST_H

#include "feeds/sim/sim_exchange.h"

typedef struct md_sim_answer {
  unsigned status;
  uint32_t weight;        /* used in this minute: X-MBX-USED-WEIGHT-1M */
  uint32_t retry_after_s; /* 0: no such header */
  int64_t  due_ns;        /* not to be sent before (monotonic) ... */
  /* ... but when this symbol had an update wholly behind behind_id; NULL: only by time. */
  const md_sim_symbol_t *symbol;
  uint64_t               behind_id;
  md_sim_text_t          body; /* the caller frees it */
} md_sim_answer_t;

/* md_sim_rest answers one request; query is decoded, without its question mark, "" if none. */
void md_sim_rest(md_sim_t *sim, const char *method, const char *path, const char *query,
                 md_sim_answer_t *out);

/* md_sim_answer_is_due says whether an answer may be sent now. */
bool md_sim_answer_is_due(const md_sim_answer_t *a, int64_t now_ns);

/* md_sim_rest_exchange_info writes the body of exchangeInfo over cnt symbols. */
void md_sim_rest_exchange_info(md_sim_t *sim, md_sim_symbol_t *const *symbols, uint32_t cnt,
                               md_sim_text_t *out);

#endif
