/* live.h - the network as the source of one feed: a transport, REST answers and timers, as inputs
 * in one order, each with the clock value seen, exactly like a recording.
 *
 * It keeps the wanted symbols subscribed: streams spread over connections, connected again without
 * end, replaced before their life ends or when they fall silent. feed_thread.c calls it from the
 * feed's thread. It decodes nothing but the name of a message's stream and changes no book: what it
 * finds out becomes a CLOSE or TIMER input, so that a replay of the inputs gives the same books. */
#ifndef FEEDS_LIVE_H
#define FEEDS_LIVE_H

#include "feeds/input.h"
#include "feeds/rest.h"
#include "feeds/transport.h"
#include "feeds/venue.h"
#include "shm/metric.h"

typedef struct md_feed_live md_feed_live_t;

/* Which streams of a venue that has two sorts of them. */
typedef enum md_feed_live_pace {
  MD_LIVE_PACE_PUBLIC,
  MD_LIVE_PACE_RAW,
  MD_LIVE_PACE_RAW_OR_PUBLIC /* where raw is refused because nobody said who we are */
} md_feed_live_pace_t;

typedef struct md_feed_live_config {
  const char         *name; /* feed */
  const md_venue_t   *venue;
  const char         *url, *rest_url; /* bases; NULL or empty: the venue's */
  const char         *ca_file;        /* NULL or empty: the system's */
  const char         *symbols;  /* names, patterns with '*', or all; blanks or commas between */
  const char         *exclude;  /* the same: taken out of what symbols chose */
  const char         *channels; /* names of MD_CHANNEL_TABLE */
  md_feed_live_pace_t pace;
  const char         *client_id;     /* NULL or empty: we are nobody */
  const char         *client_secret; /* copied, and wiped by close */
  uint32_t            symbol_cnt_max;
  uint32_t            weight_per_min;
  int64_t             silence_ns[MD_CHANNEL_CNT]; /* of one stream; 0: not looked at */
  int64_t             silence_connection_ns;
  int64_t  reconnect_min_ns, reconnect_max_ns; /* pauses; 0: a tenth of a second, 30 seconds */
  int64_t  poll_ns; /* between two polls of a value that has no pace of its own; 0: a minute */
  int64_t  list_ns; /* between two readings of the venue's list of symbols; 0: only once */
  uint64_t seed;
  const md_clock_t         *clock;
  const md_transport_ops_t *transport;
  bool                      offers_deflate; /* permessage-deflate */
  md_rest_client_t         *rest;
  md_metrics_t             *metrics; /* NULL: nothing is counted */
  /* A line for people about connections; NULL: none. From the feed's thread, never for each
   * message. */
  void (*log)(void *ctx, const char *level, const char *text);
  void *log_ctx;
} md_feed_live_config_t;

/* md_feed_live_open prepares everything and connects nothing yet. MD_ERR_CONFIG with msg. */
MD_MUST_USE md_err_t md_feed_live_open(const md_feed_live_config_t *cfg, md_feed_live_t **out,
                                       md_msg_t *msg);

/* md_feed_live_source returns the source of l; its close closes l. */
md_source_t md_feed_live_source(md_feed_live_t *l);
void        md_feed_live_close(md_feed_live_t *l);

/* md_feed_live_reconnect gives all connections up, has the feed forget their books, and connects
 * anew: for a feed that holds too much memory. On the feed's thread. */
void md_feed_live_reconnect(md_feed_live_t *l);

/* md_feed_live_collects says whether a channel is among those that are subscribed. */
bool md_feed_live_collects(const md_feed_live_t *l, md_channel_t channel);

/* md_feed_live_command gives the feed a COMMAND input in front of all that comes from the network.
 * Before the feed's thread starts. MD_ERR_FULL, MD_ERR_NOMEM. */
MD_MUST_USE md_err_t md_feed_live_command(md_feed_live_t *l, const char *text, uint32_t len,
                                          md_msg_t *msg);

/* md_feed_live_request_snapshot is md_feed_config_t.request_snapshot, ctx being the live source. */
void md_feed_live_request_snapshot(void *ctx, uint32_t instrument_id, const char *symbol);

/* md_feed_live_tell_depth is md_feed_config_t.tell_depth: what may be asked for more, later. */
void md_feed_live_tell_depth(void *ctx, const char *symbol, uint32_t limit, uint32_t left);

/* md_feed_live_tell_low is md_feed_config_t.tell_low: what must be asked for before it runs out. */
void md_feed_live_tell_low(void *ctx, const char *symbol, uint32_t left);

/* md_feed_live_check_names says what is wrong with channels and symbols as they stand in a
 * configuration. */
MD_MUST_USE md_err_t md_feed_live_check_names(const char *symbols, const char *channels,
                                              md_msg_t *msg);

#endif
