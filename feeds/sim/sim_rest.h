/* sim_rest.h - REST of the simulated exchange: a request's method, path and query in, the answer
 * out.
 *
 * No sockets: status, headers and body, and when the answer may be sent. Routes and bodies are the
 * venue's. Weights are counted per minute; who goes on beyond them gets 429, then 418. */
#ifndef FEEDS_SIM_SIM_REST_H
#define FEEDS_SIM_SIM_REST_H

#include "feeds/sim/sim_exchange.h"

#define MD_SIM_HEADERS_MAX 4u

typedef struct md_sim_answer {
  unsigned    status;
  uint32_t    weight;                      /* used in this minute */
  const char *headers[MD_SIM_HEADERS_MAX]; /* "name:" in small letters, each with the weight as its
                                              value; NULL behind the last */
  uint32_t retry_after_s;                  /* 0: no such header */
  int64_t  due_ns;                         /* not to be sent before (monotonic) ... */
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

/* For the venues: */

/* md_sim_query finds name= in a query without its question mark; false when it is not there. */
bool md_sim_query(const char *query, const char *name, const char **value, size_t *len);

/* md_sim_query_number: name= as a number, cut at max, or otherwise when it is not there; false when
 * it is not a number from 1. */
bool md_sim_query_number(const char *query, const char *name, uint32_t otherwise, uint32_t max,
                         uint32_t *out);

/* md_sim_weigh counts the weight of a request; false: it was one too many and was refused. */
bool md_sim_weigh(md_sim_t *sim, uint32_t weight, md_sim_answer_t *out);

/* md_sim_refuse answers with the venue's words for a status. */
void md_sim_refuse(md_sim_t *sim, md_sim_answer_t *out, unsigned status);

/* md_sim_rest_book chooses the book that a depth request is answered with and when: faults, the
 * lag, holes of a recording. NULL: out is complete (refused, or the recorded answer, which only
 * helps when is_deep: the request asks for as many levels). *id is what the answer says of itself.
 */
const md_sim_book_t *md_sim_rest_book(md_sim_t *sim, md_sim_symbol_t *symbol, bool is_deep,
                                      md_sim_answer_t *out, uint64_t *id);

#endif
