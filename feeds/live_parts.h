/* live_parts.h - the inside of a live source, shared by the live*.c files and by nobody else.
 *
 * live.c has the order of inputs, live_link.c connections, live_subscribe.c symbols and streams,
 * live_auth.c who we are, live_poll.c what is asked for now and then, live_deepen.c deeper
 * snapshots, live_liveness.c what is silent. All on the feed's thread. */
#ifndef FEEDS_LIVE_PARTS_H
#define FEEDS_LIVE_PARTS_H

#include "feeds/backoff.h"
#include "feeds/live.h"

#define NS_PER_MS 1000000ll
#define NS_PER_S  1000000000ll

#define MD_LIVE_LINK_CNT_MAX 100u
#define MD_LIVE_STREAM_BYTES 64u
#define MD_LIVE_LINK_STREAMS 300u  /* on one connection, though more would be allowed */
#define MD_LIVE_URL_BYTES    2000u /* of a connection's URL: what proxies and servers take */
#define MD_LIVE_BATCH        100u  /* streams in one message */
#define MD_LIVE_TEXT_BYTES   8192u /* a message that we send */
#define MD_LIVE_PENDING_CNT  64u
#define MD_LIVE_NONE         UINT32_MAX
#define MD_LIVE_CONNECT_CNT  512u /* connects that are remembered for the limit */
#define MD_LIVE_GREETING_CNT 8u
#define MD_LIVE_REFUSED_NS   (10 * NS_PER_S) /* before a refused stream is asked for again */

/* What a stream's control messages still have to say. */
typedef enum md_feed_live_todo {
  MD_LIVE_DONE,
  MD_LIVE_SUBSCRIBE,
  MD_LIVE_UNSUBSCRIBE,
  MD_LIVE_REMOVE
} md_feed_live_todo_t;

typedef struct md_feed_live_stream {
  char     name[MD_LIVE_STREAM_BYTES];
  uint8_t  channel, todo;
  uint8_t  seen; /* bit h: half h of its link gave data */
  bool     is_live, is_silent, is_removed;
  bool     wants_snapshot; /* of a venue whose snapshots come by the stream */
  bool     is_by_rest;     /* none came: it was asked for by REST */
  bool     is_refused, is_accepted;
  uint32_t symbol, link, retry_cnt;
  uint64_t message_id;                 /* of the message that subscribed last */
  int64_t  snapshot_due_ns;            /* 0: none is waited for */
  int64_t  last_ns, mean_ns, retry_ns; /* monotonic; mean of the times between messages */
  uint64_t last_hash;
} md_feed_live_stream_t;

typedef struct md_feed_live_symbol {
  char     name[MD_SYMBOL_BYTES];
  bool     wants_snapshot, is_removed;
  bool     was_listed; /* by some list of the venue */
  bool     is_told;    /* the feed knows that it is removed */
  bool     is_missed;  /* logged: it stood in no list */
  uint32_t list_cnt;   /* of the last list that had it as trading */
  uint32_t depth;      /* its VALID book is known by a snapshot of so many levels; 0: no wish */
  uint32_t left;       /* of these, at most; less than depth: the market leaves them behind */
  uint32_t deeper_cnt; /* asked for more in vain so often, one after the other */
  int64_t  deeper_ns;  /* not before this time */
} md_feed_live_symbol_t;

typedef enum md_feed_live_state {
  MD_LIVE_DOWN,
  MD_LIVE_CONNECTING,
  MD_LIVE_OPEN
} md_feed_live_state_t;

/* Whether the server knows who we are, on one connection. */
typedef enum md_feed_live_auth {
  MD_LIVE_NOBODY, /* we have no name to say */
  MD_LIVE_ASKED,  /* nothing is subscribed before the answer */
  MD_LIVE_KNOWN,
  MD_LIVE_REFUSED
} md_feed_live_auth_t;

/* One connection of a link. A link has two places for one, so that the next stands before the last
 * goes. */
typedef struct md_feed_live_half {
  md_feed_live_state_t state;
  uint32_t             connection; /* number of the transport while not DOWN */
  uint8_t              leg;
  char                 name[MD_NAME_BYTES];
  char                *url;
  uint32_t             subscribed_cnt; /* the first of the link's streams that were asked for */
  uint32_t             seen_cnt;
  int64_t              open_ns, message_ns; /* opened; last control message */
  int64_t              keepalive_ns;        /* last text that keeps it alive */
  int64_t              hour_ns;             /* since when messages that subscribe are counted */
  uint32_t             hour_cnt;
  md_feed_live_auth_t  auth;
  uint64_t             auth_id;     /* of the message that said who we are */
  int64_t              auth_due_ns; /* ASKED: until when; KNOWN: when it is said again, 0 never */
  char                 refresh_token[MD_SECRET_BYTES];
} md_feed_live_half_t;

/* A set of streams that share a connection. */
typedef struct md_feed_live_link {
  const char         *path; /* of the venue, behind the base */
  md_feed_live_half_t half[2];
  uint32_t            active; /* the half that counts */
  uint32_t           *stream;
  uint32_t            stream_cnt, stream_max;
  uint32_t            attempt;
  bool                was_open;
  bool                is_raw; /* its streams are those at full pace */
  int64_t             not_before_ns, replace_ns, replace_try_ns;
  int64_t             last_ns, mean_ns;
} md_feed_live_link_t;

typedef struct md_feed_live_pending {
  md_input_t in;
  char       name[MD_NAME_BYTES];
  uint8_t   *payload;
} md_feed_live_pending_t;

/* Where a poll of the venue stands. */
typedef struct md_feed_live_poll {
  uint32_t next;      /* symbol */
  uint32_t round_cnt; /* rounds over all symbols that are done */
  int64_t  due_ns;
} md_feed_live_poll_t;

/* Which half a transport's connection is. */
typedef struct md_feed_live_owner {
  uint32_t link; /* MD_LIVE_NONE: forgotten, only its CLOSE is waited for */
  uint32_t half;
} md_feed_live_owner_t;

struct md_feed_live {
  md_feed_live_config_t cfg;
  const md_venue_net_t *net;
  char                  url[512], rest_url[512], list_url[1024];
  bool                  channel[MD_CHANNEL_CNT];
  bool                  has_patterns;
  char                  client_id[MD_SECRET_BYTES], client_secret[MD_SECRET_BYTES];
  md_transport_t       *transport;
  uint64_t              seed, message_id;

  md_feed_live_symbol_t *symbol;
  uint32_t               symbol_cnt, symbol_max;
  md_feed_live_stream_t *stream;
  uint32_t               stream_cnt, stream_max;
  uint32_t              *hash; /* stream index + 1 by name */
  uint32_t               hash_mask;
  md_feed_live_link_t    link[MD_LIVE_LINK_CNT_MAX];
  uint32_t               link_cnt;
  md_feed_live_owner_t   owner[MD_CONNECTION_CNT_MAX];
  int64_t                connect_ns[MD_LIVE_CONNECT_CNT]; /* a ring of times */
  uint64_t               connect_cnt;

  const md_transport_event_t *event;
  uint32_t                    event_cnt, event_next;
  uint32_t                    event_shown; /* those before it were given or shown */
  md_feed_live_pending_t      pending[MD_LIVE_PENDING_CNT];
  uint32_t                    pending_first, pending_cnt;
  bool                        pending_given; /* the first one is with the feed */
  bool                        is_renewing;   /* all connections are to be made anew */

  md_feed_live_poll_t poll[MD_VENUE_POLL_CNT_MAX];

  int64_t now_ns; /* monotonic, of the last poll or tick */
  int64_t tick_ns, scan_ns, grace_ns, begin_ns, list_ns;
  bool    all_valid_told, wants_snapshots;
  /* Deeper snapshots: the symbol that waits for one (MD_LIVE_NONE), of how many levels it had,
   * until when, and when the next may be asked for. */
  uint32_t deeper_symbol, deeper_from;
  bool     deeper_is_low; /* asked for because little was left */
  int64_t  deeper_end_ns, deeper_next_ns, snapshot_ns;
  bool     has_seen_snapshot, has_no_stream_snapshots; /* of streams */
  bool     wants_list, has_news; /* a stream fell silent; the feed must be told of a symbol */
  uint32_t list_cnt;
};

/* ---- live.c ---- */

/* md_feed_live_push adds an input of our own; false: no room, try at a later tick. */
bool md_feed_live_push(md_feed_live_t *l, md_raw_kind_t kind, uint8_t leg, const char *name,
                       const char *payload, uint32_t len);
void md_feed_live_log(md_feed_live_t *l, const char *level, const char *format, ...)
    MD_PRINTF(3, 4);

/* ---- live_link.c ---- */

void md_feed_live_links_tick(md_feed_live_t *l);
void md_feed_live_on_open(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h);
/* md_feed_live_on_lost: the connection went away, or is given up; its CLOSE input must be pushed
 * before.
 */
void md_feed_live_on_lost(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h,
                          const char *why);
/* md_feed_live_give_up closes a connection from our side, and tells the feed at once. */
bool md_feed_live_give_up(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h,
                          const char *why);
/* md_feed_live_replace asks for another connection before this one ends. */
void md_feed_live_replace(md_feed_live_t *l, md_feed_live_link_t *k);

/* ---- live_subscribe.c ---- */

MD_MUST_USE md_err_t   md_feed_live_choose(md_feed_live_t *l, md_msg_t *msg);
void                   md_feed_live_on_list(md_feed_live_t *l, const md_input_t *in);
md_feed_live_stream_t *md_feed_live_find_stream(md_feed_live_t *l, const char *name, uint32_t len);
/* md_feed_live_speak sends at most one control message on a half, when its pace allows. */
void md_feed_live_speak(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h);
void md_feed_live_ask_snapshots(md_feed_live_t *l);
/* md_feed_live_snapshot_limit: the most levels that a minute's budget gives to every book. */
uint32_t               md_feed_live_snapshot_limit(const md_feed_live_t *l);
md_feed_live_symbol_t *md_feed_live_find_symbol(md_feed_live_t *l, const char *name, uint32_t len);
uint32_t               md_feed_live_symbols_in_use(const md_feed_live_t *l);
/* md_feed_live_tell gives the feed inputs about symbols that ended or came back. */
void md_feed_live_tell(md_feed_live_t *l);
/* md_feed_live_greet sends what a venue wants to be told on a new connection; md_feed_live_alive
 * answers its question for a sign of life. */
void md_feed_live_greet(md_feed_live_t *l, const md_feed_live_link_t *k, md_feed_live_half_t *h);
void md_feed_live_alive(md_feed_live_t *l, md_feed_live_half_t *h);
/* md_feed_live_keep_alive says something before the server takes silence for an end. */
void md_feed_live_keep_alive(md_feed_live_t *l, md_feed_live_half_t *h);
/* md_feed_live_on_refused notes a stream that the server refused by an error of its own. */
void md_feed_live_on_refused(md_feed_live_t *l, const char *name, uint32_t len, const uint8_t *text,
                             uint32_t text_len);
/* md_feed_live_snapshot_late: true when a book did not come, neither by its stream nor by REST. */
bool md_feed_live_snapshot_late(md_feed_live_t *l, md_feed_live_stream_t *s);
/* md_feed_live_on_answer notes which streams of a subscription were refused. */
void md_feed_live_on_answer(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h,
                            const uint8_t *p, uint32_t len);
/* md_feed_live_name writes a stream's name; 0: the venue has no such stream. */
uint32_t md_feed_live_name(const md_feed_live_t *l, const md_feed_live_link_t *k, char *out,
                           size_t bytes, uint32_t symbol, uint32_t channel);
/* md_feed_live_rename gives the streams of a link the names that they have now. */
void md_feed_live_rename(md_feed_live_t *l, md_feed_live_link_t *k);
/* md_feed_live_is_wanted says whether a link still has a stream that is wanted. */
bool md_feed_live_is_wanted(const md_feed_live_t *l, const md_feed_live_link_t *k);

/* ---- live_auth.c ---- */

MD_MUST_USE md_err_t md_feed_live_auth_open(md_feed_live_t *l, md_msg_t *msg);
/* md_feed_live_auth_begin says who we are on a new connection. */
void md_feed_live_auth_begin(md_feed_live_t *l, md_feed_live_half_t *h);
/* md_feed_live_auth_tick says it again before it expires; true: nothing may be subscribed yet. */
bool md_feed_live_auth_tick(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h);
/* md_feed_live_on_grant reads MD_FRAME_AUTH and gives the feed an input without the tokens. */
void md_feed_live_on_grant(md_feed_live_t *l, md_feed_live_half_t *h, const uint8_t *p,
                           uint32_t len);
/* md_feed_live_auth_refused: true when an answer was to what we said about us. */
bool md_feed_live_auth_refused(md_feed_live_t *l, md_feed_live_half_t *h, uint64_t id);
/* md_feed_live_fall_back takes the streams of everybody where those at full pace were refused. */
bool md_feed_live_fall_back(md_feed_live_t *l, md_feed_live_link_t *k, const uint8_t *p,
                            uint32_t len);
void md_feed_live_auth_close(md_feed_live_t *l);

/* ---- live_poll.c ---- */

/* md_feed_live_polls asks for what is due. */
void md_feed_live_polls(md_feed_live_t *l);

/* ---- live_deepen.c ---- */

/* md_feed_live_deepen asks for one deeper snapshot when there is weight that nothing else needs. */
void md_feed_live_deepen(md_feed_live_t *l);

/* ---- live_liveness.c ---- */

/* md_feed_live_seen notes a message of a half; false: it is not for the feed. */
bool md_feed_live_seen(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h,
                       const md_transport_event_t *e);
void md_feed_live_scan(md_feed_live_t *l);

#endif
