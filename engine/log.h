/* log.h - the engine's log: one line an event on stderr or in a file, logfmt or JSON, rate limited.
 *
 * Any thread; one write(2) a line, so lines of threads do not mix. Never called for each message.
 * At most MD_LOG_LINES_PER_S lines in a second, errors not counted; what was left out is told.
 * md_log_open and md_log_form: the main thread, while others log: the descriptor keeps its number
 * and becomes the other file at once, so each line is whole in the one or in the other. */
#ifndef ENGINE_LOG_H
#define ENGINE_LOG_H

#include "shm/atomics.h"
#include "shm/clock.h"
#include "shm/err.h"
#include "shm/limits.h"

#define MD_LOG_LINES_PER_S 50u
#define MD_LOG_PATH_BYTES  256u

typedef enum md_log_level {
  MD_LOG_DEBUG = 0,
  MD_LOG_INFO  = 1,
  MD_LOG_WARN  = 2,
  MD_LOG_ERROR = 3
} md_log_level_t;

/* The file of one feed's lines. */
typedef struct md_log_feed {
  char name[MD_NAME_BYTES], path[MD_LOG_PATH_BYTES];
  int  fd;
} md_log_feed_t;

typedef struct md_log {
  const md_clock_t *clock;
  int               fd;
  char              path[MD_LOG_PATH_BYTES]; /* "": stderr */
  md_atomic_u64     json, level;             /* numbers by themselves */
  md_atomic_u64     second;                  /* the running second of the limit */
  md_atomic_u64     line_cnt;                /* lines in it */
  md_atomic_u64     left_out_cnt;            /* since the last line that said so */
  md_log_feed_t     feed[MD_FEED_CNT_MAX];
  uint32_t          feed_cnt;
} md_log_t;

void md_log_init(md_log_t *log, int fd, bool json, md_log_level_t level, const md_clock_t *clock);

/* md_log writes one line; component is "engine", "feed:binance_spot", "journal", ... */
void md_log(md_log_t *log, md_log_level_t level, const char *component, const char *format, ...)
    MD_PRINTF(4, 5);

/* md_log_open sends what is logged from now on to the end of the file path, which is made where it
 * is not there; "": to stderr. The same path again: the file of that name now, after a rotation. On
 * an error everything stays as it was. */
MD_MUST_USE md_err_t md_log_open(md_log_t *log, const char *path, md_msg_t *msg);

/* md_log_feed_open has lines whose component is feed written to the end of the file path as well.
 * Before threads log. */
MD_MUST_USE md_err_t md_log_feed_open(md_log_t *log, const char *feed, const char *path,
                                      md_msg_t *msg);

/* md_log_feeds_reopen opens these files again, after a rotation; what cannot be opened goes on as
 * it was, and msg says which. */
MD_MUST_USE md_err_t md_log_feeds_reopen(md_log_t *log, md_msg_t *msg);

/* md_log_form changes form and level. */
void md_log_form(md_log_t *log, bool json, md_log_level_t level);

/* md_log_level_of reads "debug", "info", "warn", "error"; anything else is info. */
md_log_level_t md_log_level_of(const char *name);

#endif
