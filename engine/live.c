#include "engine/live.h"

#include <string.h>

error_t
md_live_option(int key, char *arg, md_live_t *live) {
  switch (key) {
  case 'n':
    live->name = arg;
    return 0;
  case 'S':
    live->dir = arg;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

int
md_live_open(md_live_t *live) {
  char message[256];
  if (!live->name) live->name = MD_DEFAULT_NAME;
  if (!live->dir) live->dir = MD_DEFAULT_DIR;
  mdshm_result_t result = mdshm_open(live->dir, live->name, 0, &live->shm, message, sizeof message);
  return result == MDSHM_OK ? MD_EXIT_OK : md_cli_error(MD_ERR_ABSENT, message);
}

int
md_live_find_feed(const md_live_t *live, const char *feed, uint32_t *row) {
  char text[256];
  *row = mdshm_feed_find(live->shm, feed);
  if (*row != MDSHM_NONE) return MD_EXIT_OK;
  (void)snprintf(text, sizeof text, "engine %s runs no feed '%s'; `mdengine status` lists them",
                 live->name, feed);
  return md_cli_error(MD_ERR_ABSENT, text);
}

int
md_live_find(const md_live_t *live, const char *feed, const char *symbol, uint32_t *row) {
  char     text[256];
  uint32_t feed_row;
  int      status = md_live_find_feed(live, feed, &feed_row);
  if (status) return status;
  if (mdshm_instrument_find(live->shm, feed_row, symbol, row) != MDSHM_OK) {
    (void)snprintf(text, sizeof text, "feed %s has no symbol '%s'; `mdengine symbols` lists them",
                   feed, symbol);
    return md_cli_error(MD_ERR_ABSENT, text);
  }
  return MD_EXIT_OK;
}
