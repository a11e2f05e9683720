/* board_history.h - numbers over time for the status page: a ring of points for each series.
 *
 * A series is a rate, a count, or a quantile of a stage over one step. Memory is taken when it is
 * made; one thread. */
#ifndef MONITORING_BOARD_HISTORY_H
#define MONITORING_BOARD_HISTORY_H

#include "monitoring/board.h"
#include "monitoring/status_view.h"

typedef struct md_history md_history_t;

/* md_history_new makes the series of the segment's feeds and sinks; NULL without memory. */
md_history_t *md_history_new(const md_segment_t *segment);
void          md_history_free(md_history_t *h);

/* md_history_add adds the point of now: view is the newest picture. */
void md_history_add(md_history_t *h, const md_status_view_t *view);

/* md_history_newest appends the newest point, null before the first; md_history_json all. */
void md_history_newest(const md_history_t *h, md_text_t *out);
void md_history_json(const md_history_t *h, md_text_t *out);

#endif
