/* board.h - what the status page shows: the status document, what was measured over time, and the
 * ladder of a book.
 *
 * Reads the segment through the reader library, as any program could, and the stages' histograms
 * for windows of them; never a feed, a writer or a file. One thread, that of the HTTP server which
 * serves the page. */
#ifndef MONITORING_BOARD_H
#define MONITORING_BOARD_H

#include "monitoring/text.h"
#include "shm/clock.h"
#include "shm/segment.h"

#define MD_BOARD_POINT_CNT 450u /* of each series: 15 minutes */
#define MD_BOARD_STEP_NS   2000000000ll

typedef struct md_board_config {
  const md_segment_t *segment;
  const char         *dir, *name; /* where it is */
  const md_clock_t   *clock;
} md_board_config_t;

typedef struct md_board md_board_t;

/* md_board_new makes an empty board; NULL without memory. */
md_board_t *md_board_new(const md_board_config_t *cfg);
void        md_board_free(md_board_t *b);

/* md_board_tick looks at the engine once a second, and adds a point to the series every step.
 * Called more often than that. */
void md_board_tick(md_board_t *b);

/* md_board_message appends what every browser is sent: the document of `mdengine status --json` and
 * the newest point. */
void md_board_message(md_board_t *b, md_text_t *out);

/* md_board_history appends all series as one JSON object. */
void md_board_history(md_board_t *b, md_text_t *out);

/* md_board_ladder appends the best levels of a book; choice is "FEED SYMBOL". */
void md_board_ladder(md_board_t *b, const char *choice, md_text_t *out);

#endif
