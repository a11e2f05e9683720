/* memory.h - a feed's limits of memory, as the engine keeps them. */
#ifndef ENGINE_MEMORY_H
#define ENGINE_MEMORY_H

#include "engine/engine_private.h"

/* md_engine_on_memory is md_feed_thread_config_t.on_memory, ctx being the engine: a line in the
 * log, and a feed that connects anew or an engine that stops. On the feed's thread. */
void md_engine_on_memory(void *ctx, uint16_t feed, md_memory_act_t act, uint64_t bytes);

#endif
