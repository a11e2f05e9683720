/* sim_record.h - a recording as the source of the simulated exchange.
 *
 * The recording is read twice: at the start for its symbols, its REST answers and the first
 * snapshot of each book, then while it plays. With --snapshot-lag after, a third reader runs ahead
 * of what is sent. */
#ifndef FEEDS_SIM_SIM_RECORD_H
#define FEEDS_SIM_SIM_RECORD_H

#include "feeds/sim/sim_exchange.h"

/* md_sim_record_open reads path once and adds its symbols to sim. speed_permille as in
 * md_recording_open. */
MD_MUST_USE md_err_t md_sim_record_open(md_sim_t *sim, const char *path, uint32_t speed_permille,
                                        md_sim_record_t **out, md_msg_t *msg);
void                 md_sim_record_close(md_sim_record_t *r);

/* md_sim_record_pump sends what is due, a bounded number of frames. MD_OK: ask again at *due_ns
 * (monotonic; not later than now: at once); MD_ERR_END: it is over; others with msg: it is damaged
 * there. */
MD_MUST_USE md_err_t md_sim_record_pump(md_sim_record_t *r, int64_t *due_ns, md_msg_t *msg);

/* md_sim_record_ahead gives a symbol's book as it will be some diffs later; NULL when nothing is
 * known. */
const md_sim_book_t *md_sim_record_ahead(md_sim_record_t *r, const md_sim_symbol_t *symbol);

uint64_t md_sim_record_frame_cnt(const md_sim_record_t *r);

#endif
