/* sim_control.h - what arrives on a WebSocket connection, before its venue reads it.
 *
 * Text in, no sockets: the rate of messages is counted here, what they mean is the venue's. */
#ifndef FEEDS_SIM_SIM_CONTROL_H
#define FEEDS_SIM_SIM_CONTROL_H

#include "feeds/sim/sim_exchange.h"

/* md_sim_control_open opens a connection's URL. MD_ERR_ABSENT: no such path; MD_ERR_FULL: too many
 * streams. */
MD_MUST_USE md_err_t md_sim_control_open(md_sim_t *sim, md_sim_conn_t *c, const char *path,
                                         const char *query);

/* md_sim_control_receive handles one text message (MD_FRAME_PAD_BYTES readable behind it); answers
 * are queued. A message beyond the rate ends the connection with 1008, unanswered. */
void md_sim_control_receive(md_sim_t *sim, md_sim_conn_t *c, const char *text, size_t len);

/* md_sim_control_pong counts a pong as a message. */
void md_sim_control_pong(md_sim_t *sim, md_sim_conn_t *c);

#endif
