/* status_window.h - latencies of the last seconds, for `mdengine top`.
 *
 * The histograms of a segment count since the engine's start. A window keeps copies of them, about
 * one a second, and the difference to the copy that is as old as the window is what was measured in
 * it. Read through the public library, as the view. One thread. */
#ifndef MONITORING_STATUS_WINDOW_H
#define MONITORING_STATUS_WINDOW_H

#include "monitoring/status_view.h"

typedef struct md_status_window md_status_window_t;

/* md_status_window_new makes one of so many nanoseconds, of which the first view begins it; NULL
 * without memory (5 MiB, of which feeds that are not there take none). */
md_status_window_t *md_status_window_new(int64_t length_ns);
void                md_status_window_free(md_status_window_t *w);

/* md_status_window_take fills the recent latencies of a view that was just taken from source, and
 * recent_s: over how long they are. That is less than the window at first and after a restart of
 * the engine, and 0 in the first view. */
void md_status_window_take(md_status_window_t *w, const md_status_source_t *source,
                           md_status_view_t *view);

#endif
