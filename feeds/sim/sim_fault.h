/* sim_fault.h - what goes wrong on purpose, by a seed.
 *
 * A fault is NAME[:key=value,...]: gap, duplicate, checksum (where the venue gives them), stall,
 * cut, half-open, shutdown, ask, list, delist, slow, 429, 418.
 * Keys: after=SECONDS of the source's time before the first (default 2), every=SECONDS between more
 * (default: only once; both are taken within a half of it by the seed), times=N how many in all
 * with every (default: without end; more than one without every: 2 seconds), for=SECONDS how long
 * it lasts, cnt=N frames or answers, symbol=NAME (default: the seed chooses), retry=SECONDS of
 * Retry-After, code=N of a close. */
#ifndef FEEDS_SIM_SIM_FAULT_H
#define FEEDS_SIM_SIM_FAULT_H

#include "feeds/sim/sim_exchange.h"
#include "feeds/sim/sim_rest.h"

typedef enum md_sim_verdict {
  MD_SIM_PASS,
  MD_SIM_DROP,
  MD_SIM_TWICE,
  MD_SIM_SPOILT /* by the venue's spoil */
} md_sim_verdict_t;

/* md_sim_fault_add reads one fault of the command line and adds it. */
MD_MUST_USE md_err_t md_sim_fault_add(md_sim_t *sim, const char *text, md_msg_t *msg);
void                 md_sim_faults_free(md_sim_t *sim);

/* md_sim_faults_begin: the source has its symbols; those that a fault lists later are hidden. */
void md_sim_faults_begin(md_sim_t *sim);

/* md_sim_fault_turn begins and ends faults by the source's time and the clock. */
void md_sim_fault_turn(md_sim_t *sim);

/* md_sim_fault_end says in the truth what faults did that are on when the source ends. */
void md_sim_fault_end(md_sim_t *sim);

/* md_sim_fault_on_send judges a payload. */
md_sim_verdict_t md_sim_fault_on_send(md_sim_t *sim, md_sim_symbol_t *symbol,
                                      const md_sim_stream_t *s);

/* md_sim_fault_is_silent: a stall of the symbol is on. */
bool md_sim_fault_is_silent(const md_sim_t *sim, const md_sim_symbol_t *symbol);

/* md_sim_fault_on_depth changes a depth answer that is ready: refused, or later. True: refused. */
bool md_sim_fault_on_depth(md_sim_t *sim, md_sim_answer_t *out);

#endif
