/* topology.h - what threads, rings, streams and tapes an engine has, worked out from its
 * configuration.
 *
 * The rows refer to the configuration and to the names kept here; nothing is created. `check`
 * prints the memory that they need. */
#ifndef ENGINE_TOPOLOGY_H
#define ENGINE_TOPOLOGY_H

#include "engine/config.h"
#include "shm/segment.h"

#define MD_SINK_JOURNAL  0u
#define MD_SINK_POSTGRES 1u

typedef struct md_topology {
  md_segment_config_t     segment;
  const md_config_feed_t *feed_cfg[MD_FEED_CNT_MAX]; /* enabled feeds, in order */
  uint32_t                feed_cnt;
  uint32_t                sink_cnt;                  /* 1 or 2 */
  uint32_t                book_cnt[MD_FEED_CNT_MAX]; /* that book_space has room for, by feed */
  bool                    is_book_space_given;       /* all of it for whoever comes first */
  md_segment_feed_t       feeds[MD_FEED_CNT_MAX];
  md_segment_ring_t       rings[MD_RING_CNT_MAX];     /* feed f, sink s: f * sink_cnt + s */
  md_segment_thread_t     threads[MD_THREAD_CNT_MAX]; /* feeds, sinks, monitor */
  char                    thread_name[MD_THREAD_CNT_MAX][MD_NAME_BYTES];
  char                    ring_name[MD_RING_CNT_MAX][MD_NAME_BYTES];
} md_topology_t;

/* md_topology_make fills t from cfg; stream ids, epoch and uuid are set later from the manifest. t
 * is large: not for the stack. only: the one feed to run, NULL for all. MD_ERR_CONFIG when `only`
 * is not there. */
MD_MUST_USE md_err_t md_topology_make(const md_config_t *cfg, const char *only, md_topology_t *t,
                                      md_msg_t *msg);

/* md_topology_writer_row returns the thread row of a sink; md_topology_monitor_row of the monitor.
 */
uint32_t md_topology_writer_row(const md_topology_t *t, uint32_t sink);
uint32_t md_topology_monitor_row(const md_topology_t *t);

/* md_topology_print says threads, rings and memory, for `check`. */
void md_topology_print(const md_topology_t *t, FILE *out);

#endif
