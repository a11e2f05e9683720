/* sim_control.h - what clients say on a WebSocket connection, and what they are answered.
 *
 * Text in, text out, no sockets: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY,
 * GET_PROPERTY and the URL of the connection. */
#ifndef FEEDS_SIM_SIM_CONTROL_H
#define FEEDS_SIM_SIM_CONTROL_H

#include "feeds/sim/sim_hub.h"

/* md_sim_control_open reads path and query of a connection's URL: /ws, /ws/<stream>[/<stream>...],
 * /stream[?streams=a/b], with timeUnit=MICROSECOND anywhere. MD_ERR_ABSENT: no such path;
 * MD_ERR_FULL: too many streams. */
MD_MUST_USE md_err_t md_sim_control_open(md_sim_hub_t *h, md_sim_conn_t *c, const char *path,
                                         const char *query);

/* md_sim_control_receive handles one text message (MD_FRAME_PAD_BYTES readable behind it) and
 * writes the answer. A message beyond the rate, or streams beyond the limit, end the connection
 * with 1008: then nothing is answered (out->len 0). */
void md_sim_control_receive(md_sim_hub_t *h, md_sim_conn_t *c, const char *text, size_t len,
                            int64_t now_ns, md_sim_text_t *out);

/* md_sim_query finds name= in a query without its question mark; false when it is not there. */
bool md_sim_query(const char *query, const char *name, const char **value, size_t *len);

#endif
