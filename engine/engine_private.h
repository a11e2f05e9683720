/* engine_private.h - the state of a running engine, shared by engine.c and watch.c. */
#ifndef ENGINE_ENGINE_PRIVATE_H
#define ENGINE_ENGINE_PRIVATE_H

#include "engine/engine.h"
#include "engine/topology.h"
#include "feeds/feed_thread.h"
#include "feeds/live.h"
#include "monitoring/monitor.h"
#include "writers/journal.h"
#include "writers/journal_tend.h"
#include "writers/postgres.h"
#include "writers/writer.h"

#define MD_TOKEN_BYTES 256u

typedef struct md_engine_feed {
  md_feed_t        *feed;
  md_feed_thread_t *thread;
  md_source_t       source;
  bool              source_open; /* ours to close */
  md_feed_live_t   *live;        /* the source, when it is the network; for snapshots */
  md_engine_t      *engine;
  const char       *name;
} md_engine_feed_t;

typedef struct md_engine_sink {
  md_engine_t     *engine;
  const md_sink_t *sink;
  md_writer_t     *writer;
  md_ring_t       *ring[MD_FEED_CNT_MAX];
} md_engine_sink_t;

struct md_engine {
  const md_config_t     *cfg;
  md_log_t              *log;
  md_rest_t             *rest; /* NULL: no feed collects from the network */
  const md_clock_t      *clock;
  int                    lock_fd;
  md_manifest_t         *manifest;
  bool                   segment_made;
  md_segment_t           segment;
  md_topology_t          topology;
  md_journal_config_t    journal_cfg;
  md_postgres_config_t   postgres_cfg;
  md_engine_feed_t       feed[MD_FEED_CNT_MAX];
  md_engine_sink_t       sink[MD_SINK_CNT_MAX];
  md_monitor_t          *monitor;
  char                   token[MD_TOKEN_BYTES]; /* of its HTTP port */
  md_journal_tend_t     *tend;                  /* the pass over full segments */
  md_journal_positions_t positions;
  md_atomic_u64          sink_failed;
  md_atomic_u64          restart_wanted; /* a feed is above memory_hard again */
  md_atomic_u64          feed_ended_cnt, feed_failed_cnt;
};

/* ---- tend.c ---- */

/* md_engine_tend starts the pass that indexes, compresses and deletes full segments. */
MD_MUST_USE md_err_t md_engine_tend(md_engine_t *e, md_msg_t *msg);

#endif
