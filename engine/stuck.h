/* stuck.h - which thread no longer beats: the rule by which the main thread ends the engine.
 *
 * Time is counted as this watch saw it pass, at most a second from one look to the next: an engine
 * that was stopped as a whole, by a signal or with its machine, finds nobody stuck when it goes on.
 * A thread that never beat is counted from the first look; one that has ended or failed is not
 * counted. Main thread only; the clock is given. */
#ifndef ENGINE_STUCK_H
#define ENGINE_STUCK_H

#include "shm/segment.h"

#define MD_STUCK_NONE UINT32_MAX

typedef struct md_stuck {
  int64_t  looked_ns;
  uint64_t beat[MD_THREAD_CNT_MAX];
  int64_t  still_ns[MD_THREAD_CNT_MAX]; /* without a new beat */
} md_stuck_t;

void md_stuck_init(md_stuck_t *w, int64_t now_ns);

/* md_stuck_look looks at every thread and returns the row of the first that has been still for more
 * than limit_ns, else MD_STUCK_NONE. */
uint32_t md_stuck_look(md_stuck_t *w, const md_segment_t *s, int64_t now_ns, int64_t limit_ns);

#endif
