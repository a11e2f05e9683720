/* engine.h - one running engine: what is started in which order, watched, and stopped again.
 *
 * Start: name lock, manifest, recovery (with the rings of a dead engine), epoch, segment, feeds,
 * sinks, feed threads. Stop: feed threads, journal, PostgreSQL, segment, manifest. All calls on the
 * main thread. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "engine/config.h"
#include "engine/log.h"

typedef struct md_engine md_engine_t;

#define MD_EXIT_OK       0
#define MD_EXIT_FAILED   1
#define MD_EXIT_USAGE    2
#define MD_EXIT_DEGRADED 3 /* of doctor: it works, and should be better */
#define MD_EXIT_RESTART  75
#define MD_EXIT_STUCK    (-1) /* 75 too, without md_engine_stop */

/* md_engine_start starts everything or nothing; only: one feed, NULL for all. Signals that stop the
 * engine must be blocked in the calling thread, so that every thread inherits that. */
MD_MUST_USE md_err_t md_engine_start(const md_config_t *cfg, const char *only, md_log_t *log,
                                     md_engine_t **out, md_msg_t *msg);

/* md_engine_run watches until SIGTERM or SIGINT, the end of all recordings that say exit, a sink
 * that failed for good, a feed that is above memory_hard again (MD_EXIT_RESTART), or a thread that
 * is stuck; returns the exit status. After MD_EXIT_STUCK the process must end at once with
 * MD_EXIT_RESTART, without md_engine_stop, which would wait for that thread: the rings stay for the
 * recovery of the next start. SIGHUP is answered by md_reload. */
int md_engine_run(md_engine_t *e);

/* md_engine_stop drains and frees everything. MD_ERR_TIMEOUT: a sink was not drained in time; what
 * is left in the rings is kept for the next start. */
md_err_t md_engine_stop(md_engine_t *e);

#endif
