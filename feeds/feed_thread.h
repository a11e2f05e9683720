/* feed_thread.h - one pinned thread that runs one feed: source -> logic -> publish, and
 * housekeeping.
 *
 * The loop takes up to MD_BURST_MAX inputs, publishes, then looks after heartbeat, checkpoint
 * requests, commands and metrics. It never waits for a sink, a disk or a reader. Only a recording
 * that is played as fast as possible is held back while the journal's ring is short of room: the
 * pause is at the source, as a slow file would make it, not in the feed. */
#ifndef FEEDS_FEED_THREAD_H
#define FEEDS_FEED_THREAD_H

#include "feeds/feed.h"
#include "feeds/memory_limit.h"

typedef enum md_idle { MD_IDLE_SPIN = 0, MD_IDLE_YIELD = 1, MD_IDLE_WAIT = 2 } md_idle_t;

typedef struct md_feed_thread_config {
  md_feed_t        *feed;
  md_source_t       source;
  md_segment_t     *segment;
  uint32_t          thread_row;
  uint16_t          feed_index;
  int               core; /* -1: not pinned */
  md_idle_t         idle;
  bool              hold_back; /* see above */
  const md_clock_t *clock;
  /* Told once from the thread: MD_ERR_END, or the error of the source. */
  void (*on_end)(void *ctx, uint16_t feed_index, md_err_t err, const md_msg_t *msg);
  void    *on_end_ctx;
  uint64_t memory_soft_bytes, memory_hard_bytes; /* of feed and source; 0: no limit */
  /* Told from the thread what a limit asks for, never MD_MEMORY_NOTHING. */
  void (*on_memory)(void *ctx, uint16_t feed_index, md_memory_act_t act, uint64_t bytes);
  void *on_memory_ctx;
} md_feed_thread_config_t;

typedef struct md_feed_thread md_feed_thread_t;

MD_MUST_USE md_err_t md_feed_thread_start(const md_feed_thread_config_t *cfg,
                                          md_feed_thread_t **out, md_msg_t *msg);

/* md_feed_thread_stop asks the thread to stop after its batch, joins it, closes the source. When it
 * returns everything is published and nothing more comes. */
void md_feed_thread_stop(md_feed_thread_t *t);

/* md_feed_digest fills the answer of MD_COMMAND_DIGEST for an instrument id; used by the thread and
 * by tests. MD_ERR_ABSENT. */
md_err_t md_feed_digest(const md_feed_t *f, uint32_t instrument_id, md_command_answer_t *out);

#endif
