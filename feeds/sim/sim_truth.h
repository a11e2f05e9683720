/* sim_truth.h - the log of what really happened, to hold clients against.
 *
 * JSON lines. {"at":"point",...}: a symbol's book after a book event, by its update id;
 * {"at":"end"}: the last state of each symbol with its trade totals; {"at":"fault"}: what was done
 * to clients and what they may have missed by it; {"at":"request"}: each REST request.
 * Digests are md_orderbook_digest's. */
#ifndef FEEDS_SIM_SIM_TRUTH_H
#define FEEDS_SIM_SIM_TRUTH_H

#include "feeds/sim/sim_exchange.h"

/* md_sim_truth_open begins the log in path; a point after every `every` depth events of a symbol,
 * 0: none. */
MD_MUST_USE md_err_t md_sim_truth_open(const char *path, uint32_t every, md_sim_truth_t **out,
                                       md_msg_t *msg);

/* md_sim_truth_close writes what is left; MD_ERR_IO when any of the log could not be written. */
MD_MUST_USE md_err_t md_sim_truth_close(md_sim_truth_t *t);

void md_sim_truth_depth(md_sim_truth_t *t, const md_sim_symbol_t *symbol);
void md_sim_truth_end(md_sim_truth_t *t, const md_sim_t *sim);

/* md_sim_truth_request logs a REST request and how it was answered, at the monotonic time of the
 * turn. t may be NULL. */
void md_sim_truth_request(md_sim_truth_t *t, const md_sim_t *sim, const char *path,
                          const char *query, unsigned status, uint32_t retry_after_s);

/* md_sim_truth_fault logs name and the rest of the object's members, which begin with a comma or
 * are empty. t may be NULL. */
void md_sim_truth_fault(md_sim_truth_t *t, const md_sim_t *sim, const char *name,
                        const char *members, ...) MD_PRINTF(4, 5);

#endif
