/* sink.h - what a sink is to its writer thread: a row of functions.
 *
 * A sink is one file in writers/sinks/ and one row in sink_table.h. One thread runs one sink: it
 * calls turn again and again; the sink drains its rings (one a feed) in bounded steps, never blocks
 * but inside its io loop for at most the time it is given, and says how much it did. */
#ifndef WRITERS_SINK_H
#define WRITERS_SINK_H

#include "shm/clock.h"
#include "shm/segment.h"
#include "writers/io_loop.h"

/* What every sink gets. Everything stays valid until close. */
typedef struct md_sink_env {
  md_segment_t     *segment;
  md_ring_t *const *rings; /* this sink's ring of each feed */
  uint32_t          ring_cnt;
  md_metrics_t     *metrics; /* of the writer's thread */
  uint32_t          thread_row;
  const md_clock_t *clock;
  md_io_backend_t   io;          /* what runs the sink's I/O; MD_IO_AUTO decides at open */
  const char       *journal_dir; /* for sinks that catch up from the journal */
  const void       *cfg;         /* md_journal_config_t, md_postgres_config_t */
  /* One line for the operator's log; rate limited by the receiver. level: "info", "warn", "error".
   */
  void (*log)(void *ctx, const char *level, const char *text);
  void *log_ctx;
} md_sink_env_t;

typedef struct md_sink {
  const char *name; /* "journal", "postgres" */
  /* open prepares everything before the thread starts; errors here stop the engine's start. */
  md_err_t (*open)(const md_sink_env_t *env, void **state, md_msg_t *msg);
  /* turn does one bounded step and waits at most wait_ns when there is nothing to do. Returns the
   * number of records and completions handled, or a negative md_err_t when the sink cannot go on at
   * all. */
  int (*turn)(void *state, int64_t wait_ns);
  /* drained: everything published is durable or committed (or declared lost). stopping is set once
   * the feeds have stopped: the sink then flushes without waiting for more. */
  bool (*drained)(void *state, bool stopping);
  void (*close)(void *state);
} md_sink_t;

const md_sink_t *md_sink_find(const char *name);

/* md_sink_open_io opens the loop of a sink as env wants it, and says in the log and in the sink's
 * metrics what runs it. cfg->backend is set here. */
MD_MUST_USE md_err_t md_sink_open_io(const md_sink_env_t *env, md_io_config_t *cfg, md_io_t **out,
                                     md_msg_t *msg);

#endif
