/* venue_net.h - how one venue is spoken to: endpoints, names, messages. Facts and pure functions of
 * a venue's file; the live source (live.h) uses them. Texts are written with their NUL; 0 means
 * that it did not fit. */
#ifndef FEEDS_VENUE_NET_H
#define FEEDS_VENUE_NET_H

#include "shm/err.h"

#include <stddef.h>

/* What can be collected of a symbol, as it stands in a configuration: X(NAME, name). Several may be
 * one stream of a venue, some come by polls only, and a venue need not have all. */
#define MD_CHANNEL_TABLE(X)                                                                        \
  X(DEPTH, "depth")                                                                                \
  X(TRADE, "trade")                                                                                \
  X(BBO, "bbo")                                                                                    \
  X(AGG_TRADE, "agg_trade")                                                                        \
  X(KLINE, "kline")                                                                                \
  X(TICKER, "ticker")                                                                              \
  X(MARK, "mark")                                                                                  \
  X(INDEX, "index")                                                                                \
  X(FUNDING, "funding")                                                                            \
  X(LIQUIDATION, "liquidation")                                                                    \
  X(OPEN_INTEREST, "open_interest")                                                                \
  X(LONG_SHORT_RATIO, "long_short_ratio")                                                          \
  X(FILL, "fill")

typedef enum md_channel {
#define MD_CHANNEL_ENUM(NAME, name) MD_CHANNEL_##NAME,
  MD_CHANNEL_TABLE(MD_CHANNEL_ENUM)
#undef MD_CHANNEL_ENUM
      MD_CHANNEL_CNT
} md_channel_t;

/* What a received message is to the live source. */
typedef enum md_frame_kind {
  MD_FRAME_DATA,     /* of a stream, whose name was found */
  MD_FRAME_SNAPSHOT, /* the same, and it is the whole book with which the stream begins */
  MD_FRAME_OTHER,    /* an answer, or nothing that is known */
  MD_FRAME_ASKS,     /* the server asks for a sign of life: answered by alive */
  MD_FRAME_ANSWER,   /* to a subscription: answer says what of it was refused */
  MD_FRAME_AUTH,     /* we are known now; holds tokens: read by auth_answer, kept by nobody else */
  MD_FRAME_REFUSED,  /* an error, of the stream that is named, or of none (length 0) */
  MD_FRAME_LISTING,  /* instruments came or went: the list should be read */
  MD_FRAME_SHUTDOWN  /* the server says that it will close this connection */
} md_frame_kind_t;

typedef void (*md_listing_fn)(void *ctx, const char *symbol, uint32_t len, bool is_trading);

typedef void (*md_accepted_fn)(void *ctx, const char *stream, uint32_t len);

#define MD_SECRET_BYTES 512u /* of a secret or a token, with its NUL */

/* Who we are to a venue, and what it said about it. In memory only: what is recorded or logged has
 * MD_SECRET_HIDDEN in its place. */
typedef struct md_venue_credentials {
  const char *client_id, *secret;
  const char *refresh_token; /* used instead of the secret; NULL: none */
} md_venue_credentials_t;

#define MD_SECRET_HIDDEN "***"

typedef struct md_venue_grant {
  uint64_t id;                             /* of the message that it answers */
  uint64_t expires_s;                      /* from now on; 0: it does not say */
  char     refresh_token[MD_SECRET_BYTES]; /* empty: none */
} md_venue_grant_t;

/* Something that a venue tells only when it is asked: of one symbol, or of all at once. */
typedef struct md_venue_poll {
  md_channel_t channel;
  bool         is_about_all; /* url is asked with an empty symbol */
  uint32_t     weight;
  int64_t      every_ns; /* 0: as configured */
  /* 0: nothing to ask for this symbol */
  uint32_t (*url)(char *out, size_t bytes, const char *base, const char *symbol);
} md_venue_poll_t;

#define MD_VENUE_POLL_CNT_MAX 8u

typedef struct md_venue_net {
  const char     *ws_url, *rest_url; /* bases, without a slash at the end */
  uint32_t        streams_max;       /* of one connection */
  uint32_t        messages_per_s;    /* that we may send on one connection, pongs not counted */
  uint32_t        messages_per_hour; /* that subscribe; 0: no limit. Used up: a new connection */
  uint32_t        connects_per_5min;
  int64_t         connect_pace_ns; /* between two connects; 0: 50 ms */
  int64_t         life_ns;         /* of a connection, after which it is closed */
  const uint32_t *snapshot_limits; /* levels that can be asked for, most first, 0 at the end */
  uint32_t        list_weight;
  uint32_t        weight_per_min; /* that the venue allows to one address; 0: as configured */

  const md_venue_poll_t *polls;
  uint32_t               poll_cnt;

  /* path gives what stands behind the base for connections with streams of a channel ("/public");
   * NULL: nothing does. A connection has streams of one path. */
  const char *(*path)(md_channel_t channel);
  /* stream_name: 0 where the channel is no stream of this venue. */
  uint32_t (*stream_name)(char *out, size_t bytes, const char *symbol, md_channel_t channel);
  /* connect_url subscribes to the first streams: as many as fit; *taken says how many. */
  uint32_t (*connect_url)(char *out, size_t bytes, const char *base, const char *const *streams,
                          uint32_t cnt, uint32_t *taken);
  uint32_t (*subscribe)(char *out, size_t bytes, bool on, const char *const *streams, uint32_t cnt,
                        uint64_t id);
  md_frame_kind_t (*frame)(const uint8_t *p, uint32_t len, const char **stream,
                           uint32_t *stream_len);
  uint32_t (*snapshot_url)(char *out, size_t bytes, const char *base, const char *symbol,
                           uint32_t limit);
  uint32_t (*snapshot_weight)(uint32_t limit);
  uint32_t (*list_url)(char *out, size_t bytes, const char *base);
  /* list calls fn for every symbol of an answer to list_url. */
  md_err_t (*list)(const uint8_t *p, uint32_t len, md_listing_fn fn, void *ctx);

  /* A venue whose books begin with a snapshot of their own stream has snapshot_ns: a book that
   * needs one is unsubscribed and subscribed again; when none comes within that time it is asked
   * for by snapshot_url, if there is one, and when that gives none either, the connection is made
   * anew. */
  int64_t snapshot_ns;
  /* Most of its streams say nothing for long: silence counts only until a stream gave data. */
  bool is_sparse;
  /* A book's stream says something at least so often, also when nothing changes; 0: no promise. */
  int64_t book_beat_ns;
  /* A text that is sent so often that the server does not call us silent; NULL: none. */
  const char *keepalive;
  int64_t     keepalive_ns;
  /* Optional, NULL where the venue needs none. greeting writes the n-th message to send on a new
   * connection of the link, before subscriptions; 0 behind the last. alive writes what answers
   * MD_FRAME_ASKS. answer reads MD_FRAME_ANSWER: the id of the message that subscribed, and fn for
   * every stream that was accepted. */
  uint32_t (*greeting)(char *out, size_t bytes, uint32_t link, uint32_t n, uint64_t id);
  uint32_t (*alive)(char *out, size_t bytes, uint64_t id);
  md_err_t (*answer)(const uint8_t *p, uint32_t len, uint64_t *id, md_accepted_fn fn, void *ctx);

  /* Streams of those that have an account, NULL where there are none. raw_stream_name names the
   * stream at full pace, 0 where there is none other. auth writes who we are, auth_answer reads
   * MD_FRAME_AUTH, is_unauthorised says that an answer refuses because nobody said who we are. */
  uint32_t (*raw_stream_name)(char *out, size_t bytes, const char *symbol, md_channel_t channel);
  uint32_t (*auth)(char *out, size_t bytes, const md_venue_credentials_t *who, uint64_t id);
  md_err_t (*auth_answer)(const uint8_t *p, uint32_t len, md_venue_grant_t *out);
  bool (*is_unauthorised)(const uint8_t *p, uint32_t len);
} md_venue_net_t;

#endif
