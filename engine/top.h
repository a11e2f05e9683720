/* top.h - `mdengine top` without its terminal: what is shown of a status view, and what keys do.
 *
 * The model is md_status_view_t (monitoring/status_view.h): counters, rates, positions, latencies
 * of a running engine. md_top_draw makes a page of it in any size from 80 x 24 on (in less it is
 * cut); md_top_key changes what is shown. Neither reads a clock, the segment or a terminal. */
#ifndef ENGINE_TOP_H
#define ENGINE_TOP_H

#include "engine/page.h"
#include "monitoring/status_view.h"

#define MD_TOP_FILTER_BYTES 32u

typedef enum md_top_screen { MD_TOP_FEEDS, MD_TOP_FEED, MD_TOP_HELP } md_top_screen_t;

typedef struct md_top {
  md_top_screen_t screen;
  uint32_t        sort; /* column */
  bool            is_descending, is_paused, is_typing;
  bool            is_since_start;              /* latencies: not of the last seconds */
  char            filter[MD_TOP_FILTER_BYTES]; /* part of a feed's name or state */
  char            chosen[MDSHM_NAME_BYTES];    /* the feed whose stages and page are shown */
} md_top_t;

/* md_top_init begins with all feeds by name. */
void md_top_init(md_top_t *top);

/* md_top_key acts on a key (screen.h); false when it says quit. */
bool md_top_key(md_top_t *top, const md_status_view_t *view, int key);

/* md_top_order puts the feeds that the filter lets through into order[] in the order of the
 * sorting, and returns how many they are. */
uint32_t md_top_order(const md_top_t *top, const md_status_view_t *view,
                      uint32_t order[MD_FEED_CNT_MAX]);

/* md_top_feed returns the feed that is chosen: the first in order when the named one is not there,
 * NULL without any. */
const md_status_feed_t *md_top_feed(const md_top_t *top, const md_status_view_t *view);

/* md_top_draw fills page, which md_page_begin made. is_whole: the stages of every feed, one below
 * the other, for a page that is printed and not looked at. */
void md_top_draw(const md_top_t *top, const md_status_view_t *view, bool is_whole, md_page_t *page);

/* md_top_rows returns how many rows a whole page needs. */
uint32_t md_top_rows(const md_status_view_t *view);

/* ---- between the files of top ---- */

/* The columns of the table of feeds, as many from the left as there is room for. */
typedef enum md_top_column_id {
  MD_TOP_NAME,
  MD_TOP_STATE,
  MD_TOP_MESSAGES,
  MD_TOP_RECORDS,
  MD_TOP_BOOKS,
  MD_TOP_GAPS,
  MD_TOP_RECONNECTS,
  MD_TOP_LOST,
  MD_TOP_RING,
  MD_TOP_P50,
  MD_TOP_P99,
  MD_TOP_P999,
  MD_TOP_PARSE,
  MD_TOP_CPU,
  MD_TOP_MEMORY,
  MD_TOP_PUBLISHED,
  MD_TOP_DURABLE,
  MD_TOP_STORED,
  MD_TOP_COLUMN_CNT
} md_top_column_id_t;

typedef struct md_top_column {
  const char *title;
  uint32_t    width;
  bool        is_left;
} md_top_column_t;

extern const md_top_column_t md_top_column[MD_TOP_COLUMN_CNT];

/* md_top_value returns what a column sorts by, 0 for names and states, which are sorted as text;
 * md_top_cell writes what stands in it. */
double md_top_value(const md_top_t *top, const md_status_view_t *view, const md_status_feed_t *feed,
                    uint32_t column);
void   md_top_cell(const md_top_t *top, const md_status_view_t *view, const md_status_feed_t *feed,
                   uint32_t column, char out[64]);

/* md_top_is_recent says whether latencies are shown of the last seconds: not when the engine's
 * whole run is wanted, nor in the first picture, which has no other. */
bool md_top_is_recent(const md_top_t *top, const md_status_view_t *view);

/* md_top_place returns the place in order of the feed that is chosen. */
uint32_t md_top_place(const md_top_t *top, const md_status_view_t *view, const uint32_t *order,
                      uint32_t cnt);

/* md_top_ring finds the ring of a feed to a sink ("journal"); NULL when nothing is known of it. */
const md_status_ring_t *md_top_ring(const md_status_view_t *view, const char *feed,
                                    const char *sink);

/* md_top_stages draws the three stages of a feed below row, and returns the next row. */
uint32_t md_top_stages(const md_top_t *top, const md_status_view_t *view,
                       const md_status_feed_t *feed, uint32_t row, md_page_t *page);

/* md_top_draw_feed draws the page of a feed, from row on. */
void md_top_draw_feed(const md_top_t *top, const md_status_feed_t *feed,
                      const md_status_view_t *view, uint32_t row, md_page_t *page);

#endif
