/* live.h - how the commands reach a running engine: the options and the opening they share. */
#ifndef ENGINE_LIVE_H
#define ENGINE_LIVE_H

#include "engine/cli.h"
#include "monitoring/status_view.h"

#define MD_LIVE_MAX_AGE_NS MD_STATUS_MAX_AGE_NS

typedef struct md_live {
  const char *name;
  const char *dir;
  mdshm_t    *shm;
} md_live_t;

#define MD_LIVE_OPTIONS                                                                            \
  {"name", 'n', "NAME", 0, "name of the engine (default " MD_DEFAULT_NAME ")", 9}, {               \
    "shm-dir", 'S', "DIR", 0, "where its segment is (default " MD_DEFAULT_DIR ")", 9               \
  }

/* md_live_option takes the two options above; ARGP_ERR_UNKNOWN for others. */
error_t md_live_option(int key, char *arg, md_live_t *live);

/* md_live_open opens the segment: an exit status, 0 when it is open. Closed by mdshm_close. */
int md_live_open(md_live_t *live);

/* md_live_find_feed resolves FEED; an exit status with an error line when there is none. */
int md_live_find_feed(const md_live_t *live, const char *feed, uint32_t *row);

/* md_live_find resolves FEED and SYMBOL; an exit status with an error line when there is none. */
int md_live_find(const md_live_t *live, const char *feed, const char *symbol, uint32_t *row);

#endif
