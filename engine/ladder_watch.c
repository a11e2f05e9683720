/* ladder_watch.c - mdengine book --watch: the ladder on the terminal. */
#include "engine/ladder.h"
#include "engine/screen.h"
#include "shm/clock.h"

#include <stdlib.h>

#define PICTURE_MS 200

typedef struct work {
  mdshm_level_t    bids[MD_LADDER_WATCH_MAX], asks[MD_LADDER_WATCH_MAX];
  md_book_levels_t ladder;
  md_page_t        page;
} work_t;

static void
take(const md_live_t *live, uint32_t row, md_ladder_screen_t *screen, work_t *w) {
  mdshm_info_t info = {.struct_size = sizeof info};
  uint32_t     rows, cols;
  md_screen_size(&rows, &cols);
  uint32_t room = md_ladder_room(rows), levels = screen->levels < room ? screen->levels : room;
  /* A feed that keeps no depth, or less, has its twenty levels all the same. */
  if (levels > MDSHM_LADDER_LEVELS && mdshm_depth_levels(live->shm, row) <= MDSHM_LADDER_LEVELS)
    levels = MDSHM_LADDER_LEVELS;
  md_ladder_read(live->shm, row, levels ? levels : 1, &w->ladder);
  if (mdshm_info(live->shm, &info) == MDSHM_OK) screen->restart_cnt = info.generation - 1;
  screen->now_ns = md_clock_real_ns(md_clock_system());
}

static void
draw(const md_ladder_screen_t *screen, work_t *w) {
  uint32_t rows, cols;
  md_screen_size(&rows, &cols);
  md_page_begin(&w->page, rows, cols);
  md_ladder_draw(screen, &w->ladder, &w->page);
  md_screen_draw(&w->page);
}

int
md_ladder_watch(const md_live_t *live, uint32_t row, md_ladder_screen_t *screen) {
  md_msg_t msg;
  work_t  *w = calloc(1, sizeof *w);
  if (!w) return md_cli_error(MD_ERR_NOMEM, "no memory for the ladder");
  md_err_t err = md_screen_open(&msg);
  if (err) {
    free(w);
    return md_cli_error(err, msg.text);
  }
  w->ladder.bids = w->bids;
  w->ladder.asks = w->asks;
  do {
    if (!screen->is_paused) take(live, row, screen, w);
    draw(screen, w);
  } while (md_ladder_key(screen, md_screen_key(PICTURE_MS)));
  md_screen_close();
  free(w);
  return MD_EXIT_OK;
}
