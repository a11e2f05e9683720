/* network.h - feeds that collect from an exchange: the REST thread they share and their live
 * sources. Main thread, at start and stop. */
#ifndef ENGINE_NETWORK_H
#define ENGINE_NETWORK_H

#include "engine/engine_private.h"

/* md_network_open makes the live source of a feed, and the REST thread's context with the first
 * one. The source goes to e->feed[feed].source, ours to close until the feed's thread has it. */
MD_MUST_USE md_err_t md_network_open(md_engine_t *e, uint32_t feed, md_msg_t *msg);

/* md_network_start starts the REST thread, when there is one; before the feed threads. */
MD_MUST_USE md_err_t md_network_start(md_engine_t *e, md_msg_t *msg);

/* md_network_close ends it; behind the feed threads. */
void md_network_close(md_engine_t *e);

#endif
