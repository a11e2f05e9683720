/* writer.h - one pinned thread that runs one sink: turn, heartbeat, idle policy, orderly stop. */
#ifndef WRITERS_WRITER_H
#define WRITERS_WRITER_H

#include "writers/sink.h"

typedef struct md_writer md_writer_t;

typedef struct md_writer_config {
  const md_sink_t *sink;
  md_sink_env_t    env;
  int              core;    /* -1: not pinned */
  int64_t          wait_ns; /* longest sleep when idle; 0 spins */
  /* Told once from the thread when the sink fails for good. */
  void (*on_fail)(void *ctx, const char *sink, md_err_t err);
  void *on_fail_ctx;
} md_writer_config_t;

/* md_writer_start opens the sink on the calling thread, then starts the thread. */
MD_MUST_USE md_err_t md_writer_start(const md_writer_config_t *cfg, md_writer_t **out,
                                     md_msg_t *msg);

/* md_writer_stop: the feeds have stopped; drain, then join and close. MD_ERR_TIMEOUT when it was
 * not drained within timeout_ms (it is closed all the same; the next start recovers the rest). */
md_err_t md_writer_stop(md_writer_t *w, int timeout_ms);

#endif
