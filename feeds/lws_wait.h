/* lws_wait.h - one bounded wait for the sockets of a libwebsockets context. Included by the files
 * that include libwebsockets.h, behind it.
 *
 * lws_service waits until something happens or until the next timer of the library, so the end of
 * a wait is a timer of ours. But timers that are due are rung before the wait begins: one that
 * comes due between being set and that moment (the thread was put aside for a while) rings, is
 * gone, and the library sleeps to a timer of its own, which may be a minute away. Therefore ours
 * sets itself anew whenever it rings. */
#ifndef FEEDS_LWS_WAIT_H
#define FEEDS_LWS_WAIT_H

#include <stddef.h>
#include <stdint.h>

#define MD_LWS_WAIT_US_MIN 1000 /* poll(2) waits whole milliseconds */

/* Zeroed at the start; of one thread. */
typedef struct md_lws_wait {
  lws_sorted_usec_list_t timer;
  struct lws_context    *context;
} md_lws_wait_t;

static inline void
md_lws_wait_rang(lws_sorted_usec_list_t *timer) {
  md_lws_wait_t *w = (md_lws_wait_t *)(void *)((char *)timer - offsetof(md_lws_wait_t, timer));
  lws_sul_schedule(w->context, 0, timer, md_lws_wait_rang, MD_LWS_WAIT_US_MIN);
}

/* md_lws_wait serves the sockets of a context, at most max_us microseconds and a millisecond after
 * the call when nothing happens there, however late the call itself gets to run. */
static inline void
md_lws_wait(md_lws_wait_t *w, struct lws_context *context, int64_t max_us) {
  w->context = context;
  lws_sul_schedule(context, 0, &w->timer, md_lws_wait_rang, max_us);
  (void)lws_service(context, 0);
  lws_sul_cancel(&w->timer);
}

/* In whole milliseconds, upwards: less is no wait at all to poll(2). */
static inline int64_t
md_lws_wait_us(int64_t max_ns) {
  return (max_ns + 999999) / 1000000 * 1000;
}

#endif
