/* ladder.h - the levels of one book for `mdengine book`: read from shared memory, and drawn as a
 * live ladder. md_ladder_draw and md_ladder_key read neither clock, segment nor terminal. */
#ifndef ENGINE_LADDER_H
#define ENGINE_LADDER_H

#include "engine/live.h"
#include "engine/page.h"

#define MD_LADDER_WATCH_MAX 200u /* levels a side on a screen */

typedef struct md_book_levels {
  mdshm_result_t    result; /* above MDSHM_STOPPED: nothing but this is known */
  mdshm_book_meta_t meta;
  mdshm_level_t    *bids, *asks; /* room for the levels that are asked for */
  uint32_t          bid_cnt, ask_cnt;
} md_book_levels_t;

/* What is shown of it. */
typedef struct md_ladder_screen {
  const char *feed, *symbol;
  uint32_t    levels; /* a side that are wanted; the page may have room for fewer */
  uint32_t    restart_cnt;
  int64_t     now_ns; /* CLOCK_REALTIME of the reading */
  bool        is_paused;
} md_ladder_screen_t;

/* md_ladder_read reads levels a side of an instrument row, from the depth tier above 20, of the
 * engine that runs now. */
void md_ladder_read(mdshm_t *shm, uint32_t row, uint32_t levels, md_book_levels_t *out);

/* md_ladder_state says VALID, STALE, DEAD ...: the book's own state where the engine lives. */
const char *md_ladder_state(const md_book_levels_t *l);

/* md_ladder_key acts on a key (screen.h); false when it says quit. */
bool md_ladder_key(md_ladder_screen_t *screen, int key);

/* md_ladder_room returns how many levels a page of so many rows can show. */
uint32_t md_ladder_room(uint32_t rows);

/* md_ladder_draw fills page; the bars are the quantity from the best price to the level, of the
 * deeper side. */
void md_ladder_draw(const md_ladder_screen_t *screen, const md_book_levels_t *l, md_page_t *page);

/* md_ladder_watch shows the book of a row on the terminal until q: an exit status. */
int md_ladder_watch(const md_live_t *live, uint32_t row, md_ladder_screen_t *screen);

#endif
