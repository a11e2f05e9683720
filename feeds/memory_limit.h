/* memory_limit.h - what happens when a feed uses more memory than it should: pure, one thread.
 *
 * Above the soft limit its thread gives back what is only kept to be quick; what is above it still,
 * is told, once. Above the hard limit for five seconds the feed connects anew, with the books of
 * its lost connections forgotten; when it is above it for five seconds again within an hour, only
 * another process helps. The feed's thread looks ten times a second. */
#ifndef FEEDS_MEMORY_LIMIT_H
#define FEEDS_MEMORY_LIMIT_H

#include "shm/base.h"

#define MD_MEMORY_OVER_NS    5000000000ll
#define MD_MEMORY_FORGIVE_NS 3600000000000ll

typedef enum md_memory_act {
  MD_MEMORY_NOTHING,
  MD_MEMORY_WARN,      /* above the soft limit now */
  MD_MEMORY_CALM,      /* below nine tenths of it again */
  MD_MEMORY_RECONNECT, /* above the hard limit for MD_MEMORY_OVER_NS */
  MD_MEMORY_RESTART    /* and again */
} md_memory_act_t;

typedef struct md_memory_limit {
  uint64_t soft_bytes, hard_bytes; /* 0: none */
  bool     is_above;               /* told of the soft limit */
  bool     is_over;                /* above the hard limit since over_ns */
  bool     has_reconnected;
  int64_t  over_ns, reconnect_ns;
} md_memory_limit_t;

/* md_memory_limit_look says what to do about bytes at now (monotonic ns), once for each reason. */
md_memory_act_t md_memory_limit_look(md_memory_limit_t *m, int64_t now_ns, uint64_t bytes);

/* md_memory_limit_state: 0 within the limits, 1 above the soft one, 2 above the hard one. */
unsigned md_memory_limit_state(const md_memory_limit_t *m, uint64_t bytes);

#endif
