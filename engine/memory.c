/* memory.c - what the engine does when a feed is above its limits of memory (feeds/memory_limit.h).
 */
#include "engine/memory.h"

static double
mib(uint64_t bytes) {
  return (double)bytes / 1048576.0;
}

void
md_engine_on_memory(void *ctx, uint16_t feed, md_memory_act_t act, uint64_t bytes) {
  md_engine_t            *e    = ctx;
  const md_config_feed_t *cfg  = e->topology.feed_cfg[feed];
  const double            soft = mib((uint64_t)cfg->memory_soft);
  const double            hard = mib((uint64_t)cfg->memory_hard);
  switch (act) {
  case MD_MEMORY_NOTHING:
    return;
  case MD_MEMORY_WARN:
    md_log(e->log, MD_LOG_WARN, cfg->name,
           "uses %.1f MiB, more than memory_soft (%.1f MiB): collect fewer symbols, or raise it",
           mib(bytes), soft);
    return;
  case MD_MEMORY_CALM:
    md_log(e->log, MD_LOG_INFO, cfg->name, "uses %.1f MiB, less than memory_soft again",
           mib(bytes));
    return;
  case MD_MEMORY_RECONNECT:
    md_log(e->log, MD_LOG_WARN, cfg->name,
           "uses %.1f MiB, more than memory_hard (%.1f MiB) for 5 s: %s", mib(bytes), hard,
           e->feed[feed].live ? "it forgets its books and connects anew"
                              : "a recording cannot connect anew");
    if (e->feed[feed].live) md_feed_live_reconnect(e->feed[feed].live);
    return;
  case MD_MEMORY_RESTART:
    md_log(e->log, MD_LOG_ERROR, cfg->name,
           "uses %.1f MiB, more than memory_hard (%.1f MiB) again: stopping with status %d",
           mib(bytes), hard, MD_EXIT_RESTART);
    md_store_relaxed(&e->restart_wanted, 1); /* the main thread looks now and then */
    return;
  }
}
