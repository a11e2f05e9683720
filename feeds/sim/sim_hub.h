/* sim_hub.h - streams, connections and who subscribed what.
 *
 * A stream is a name such as btcusdt@depth@100ms; what names mean is the venue's. A connection
 * holds subscriptions and a queue of frames that are ready for the wire: the server writes whole
 * chunks of them and knows nothing of their content. One thread. No sockets here: tests open
 * connections by hand and read their queues.
 */
#ifndef FEEDS_SIM_SIM_HUB_H
#define FEEDS_SIM_SIM_HUB_H

#include "feeds/sim/sim_text.h"

#define MD_SIM_STREAMS_MAX   65536u      /* names known in all */
#define MD_SIM_MESSAGES_MAX  16u         /* that a venue may allow a client in a second */
#define MD_SIM_CHUNK_BYTES   16384u      /* one TLS record */
#define MD_SIM_BACKLOG_BYTES (64u << 20) /* a client that is further behind is cut off */
#define MD_SIM_BUSY_BYTES    (2u << 20)  /* a flat-out source waits above this */
#define MD_SIM_CLOSE_CUT     1006        /* ends without a close frame */

#define MD_SIM_NO_SYMBOL UINT32_MAX

/* What a stream carries. A venue has some of them; which names they have is its own. */
typedef enum md_sim_kind {
  MD_SIM_OTHER,     /* a name that no source sends: acknowledged all the same */
  MD_SIM_BOOK,      /* a symbol's book at the venue's ordinary cadence, mostly 100 ms */
  MD_SIM_BOOK_FAST, /* the same at its fastest (@0ms, l2-tbt, raw): faults hit both */
  MD_SIM_BOOK_SLOW, /* the same every second */
  MD_SIM_PARTIAL_5, /* the best 5 levels, slow; 10 and 20 follow */
  MD_SIM_PARTIAL_10,
  MD_SIM_PARTIAL_20,
  MD_SIM_PARTIAL_5_100, /* every 100 ms */
  MD_SIM_PARTIAL_10_100,
  MD_SIM_PARTIAL_20_100,
  MD_SIM_BBO,
  MD_SIM_TRADE,
  MD_SIM_AGG_TRADE, /* an aggregate, where TRADE is single fills */
  MD_SIM_FILL,      /* a single fill, where TRADE is an aggregate */
  MD_SIM_KLINE_1M,
  MD_SIM_TICKER,
  MD_SIM_MARK, /* mark price; of Binance with index and funding */
  MD_SIM_MARK_SLOW,
  MD_SIM_INDEX,
  MD_SIM_FUNDING,
  MD_SIM_OPEN_INTEREST,
  MD_SIM_LIQUIDATION,
  MD_SIM_VOLATILITY,
  MD_SIM_ALL_MARK, /* of all symbols at once, from here on */
  MD_SIM_ALL_MARK_SLOW,
  MD_SIM_ALL_TRADE,
  MD_SIM_ALL_LIQUIDATION,
  MD_SIM_STATE,   /* of the platform */
  MD_SIM_LISTING, /* instruments that come and go */
  MD_SIM_KIND_CNT
} md_sim_kind_t;

typedef struct md_sim_venue  md_sim_venue_t;
typedef struct md_sim_conn   md_sim_conn_t;
typedef struct md_sim_stream md_sim_stream_t;

struct md_sim_stream {
  char           *name;
  uint32_t        name_len;
  uint32_t        hash;
  uint32_t        symbol_off, symbol_len; /* the symbol in the name; 0 long: it has none */
  md_sim_kind_t   kind;
  bool            is_known; /* symbol was looked up */
  void           *symbol;   /* the exchange's, NULL: none */
  md_sim_conn_t **conns;
  uint32_t        conn_cnt, conn_cap;
};

typedef struct md_sim_chunk {
  struct md_sim_chunk *next;
  size_t               len, cap;
  uint8_t              head[32]; /* room that the WebSocket library may use before the data */
  uint8_t              data[];
} md_sim_chunk_t;

struct md_sim_conn {
  md_sim_conn_t    *next, *prev;
  uint64_t          id;
  bool              combined, microseconds;
  bool              half_open;  /* nothing is sent nor read any more */
  int               close_code; /* 0 open, MD_SIM_CLOSE_CUT, else a close code */
  const char       *close_text;
  bool              close_when_sent; /* after the queue, not at once */
  md_sim_stream_t **subs;
  uint32_t          sub_cnt, sub_cap;
  md_sim_chunk_t   *first, *last;
  size_t            pending_bytes;
  int64_t           message_ns[MD_SIM_MESSAGES_MAX]; /* when the last ones came */
  uint32_t          message_idx;
  int64_t           open_ns, next_ping_ns, pong_due_ns; /* pong_due_ns 0: no ping is unanswered */
  int64_t           end_ns;                             /* closed then with 1001, 0: not */
  bool              told_shutdown;
  uint64_t          frame_cnt;   /* data frames queued */
  uint32_t          path;        /* of the URL, as the venue counts them */
  void             *socket;      /* the server's */
  void             *venue_state; /* the venue's, conn_bytes of it */
};

typedef struct md_sim_hub {
  const md_sim_venue_t *venue;
  md_sim_stream_t     **streams;
  uint32_t              stream_cnt, stream_cap;
  uint32_t             *table; /* index + 1 by hash */
  uint32_t              table_cap;
  md_sim_conn_t        *conns;
  uint32_t              conn_cnt;
  uint64_t              conn_id_last;
  md_sim_chunk_t       *spare;
  uint32_t              spare_cnt;
  uint64_t              frame_cnt, byte_cnt;
  uint64_t              text_cnt; /* texts that are no data: answers to SUBSCRIBE and so on */
  md_sim_text_t         scratch;  /* a payload in microseconds */
  /* wake asks the server to call for c's queue; may be NULL. subscribing tells a new subscription
   * before the connection is added to the stream, subscribed afterwards. */
  void (*wake)(void *ctx, md_sim_conn_t *c);
  void (*subscribing)(void *ctx, md_sim_stream_t *s);
  void (*subscribed)(void *ctx, md_sim_conn_t *c, md_sim_stream_t *s);
  void *ctx;
} md_sim_hub_t;

void md_sim_hub_init(md_sim_hub_t *h, const md_sim_venue_t *venue);
void md_sim_hub_free(md_sim_hub_t *h);

/* md_sim_is_book: an event stream of a symbol's book that faults and truth are about. */
static inline bool
md_sim_is_book(md_sim_kind_t kind) {
  return kind == MD_SIM_BOOK || kind == MD_SIM_BOOK_FAST;
}

/* md_sim_hub_stream finds or makes the stream of a name; NULL when there are too many. */
md_sim_stream_t *md_sim_hub_stream(md_sim_hub_t *h, const char *name, size_t len);

md_sim_conn_t *md_sim_conn_open(md_sim_hub_t *h, int64_t now_ns);
void           md_sim_conn_close(md_sim_hub_t *h, md_sim_conn_t *c);

/* md_sim_conn_end asks for the end of a connection: code MD_SIM_CLOSE_CUT or a close code; text
 * lives as long as the program. when_sent: after what is queued. */
void md_sim_conn_end(md_sim_hub_t *h, md_sim_conn_t *c, int code, const char *text, bool when_sent);

/* md_sim_conn_subscribe: MD_ERR_FULL when the connection has as many streams as it may. */
MD_MUST_USE md_err_t md_sim_conn_subscribe(md_sim_hub_t *h, md_sim_conn_t *c, const char *name,
                                           size_t len);
/* md_sim_conn_unsubscribe: false when it was not subscribed. */
bool md_sim_conn_unsubscribe(md_sim_hub_t *h, md_sim_conn_t *c, const char *name, size_t len);

/* md_sim_conn_text queues one text frame. */
void md_sim_conn_text(md_sim_hub_t *h, md_sim_conn_t *c, const md_sim_text_t *text);

/* md_sim_conn_ping queues a ping with a payload of at most 125 bytes. */
void md_sim_conn_ping(md_sim_hub_t *h, md_sim_conn_t *c, const char *payload, size_t len);

/* md_sim_conn_freeze makes it half-open. */
void md_sim_conn_freeze(md_sim_hub_t *h, md_sim_conn_t *c);

/* md_sim_conn_sent takes the first chunk off the queue once it was written. */
void md_sim_conn_sent(md_sim_hub_t *h, md_sim_conn_t *c);

/* md_sim_conn_may_receive counts a message of the client at now_ns: false when it is one too many.
 */
bool md_sim_conn_may_receive(const md_sim_hub_t *h, md_sim_conn_t *c, int64_t now_ns);

/* md_sim_hub_publish sends a payload (one JSON value, times in ms) to the subscribers of s, wrapped
 * and in microseconds for those that want it so. */
void md_sim_hub_publish(md_sim_hub_t *h, md_sim_stream_t *s, const char *data, size_t len);

/* md_sim_conn_data sends a payload of s to one connection alone. */
void md_sim_conn_data(md_sim_hub_t *h, md_sim_conn_t *c, md_sim_stream_t *s, const char *data,
                      size_t len);

/* md_sim_hub_is_busy: some connection has more to send than a flat-out source should add to. */
bool md_sim_hub_is_busy(const md_sim_hub_t *h);

#endif
