/* sim_venue.h - what one exchange is to the simulator: a row of facts and functions.
 *
 * One row in sim_venue_table.h adds a venue. Everything that sounds different on the wire stands
 * behind it: names of streams, what clients say and are told, how recorded messages are read, what
 * the synthetic market writes, REST. The market itself (how books walk), faults, truth, queues and
 * sockets are common and know no venue. Called on the simulator's one thread; no function here sees
 * a socket, sleeps or reads a clock but sim's. A function may be NULL only where its text says so.
 *
 * Texts that clients see are written into a md_sim_text_t; what is sent of the market goes through
 * md_sim_send (to all subscribers, faults have their say) or md_sim_send_to (to one), answers to
 * one client through md_sim_conn_text. */
#ifndef FEEDS_SIM_SIM_VENUE_H
#define FEEDS_SIM_SIM_VENUE_H

#include "feeds/input.h"
#include "feeds/sim/sim_exchange.h"
#include "feeds/sim/sim_market_parts.h"
#include "feeds/sim/sim_rest.h"

/* A symbol of the synthetic market. Prices and quantities are mantissas with these exponents, in
 * the book, in listings, in the truth. */
typedef struct md_sim_spec {
  char     name[MD_SIM_NAME_BYTES];
  int8_t   px_exp, qty_exp;
  int64_t  tick, lot;
  int64_t  px;                                   /* of the first bid; 0: by the seed */
  uint32_t levels_start, levels_min, levels_max; /* of a side; 0: 400, 200 and 1500 */
} md_sim_spec_t;

/* A recorded message as clients get it: name of its stream and the payload, which may lie in the
 * input or in memory of the venue that stays until the next call. */
typedef struct md_sim_frame {
  char        name[256];
  size_t      name_len;
  const char *data;
  size_t      len;
} md_sim_frame_t;

/* How a book event stands to a book. */
typedef enum md_sim_join {
  MD_SIM_JOIN_NEXT, /* it continues the book */
  MD_SIM_JOIN_OLD,  /* the book has it already */
  MD_SIM_JOIN_HOLE  /* something is missing between them */
} md_sim_join_t;

/* The synthetic market's side of a venue. All but list, book and kinds may be NULL: the venue has
 * no such thing. wanted() of sim_market_parts.h says whether anybody listens; numbers drawn from
 * md_sim_random must not depend on that. */
typedef struct md_sim_writers {
  /* Kinds of the book streams by cadence: [0] every 100 ms, [1] every second, [2] behind every move
   * of the book, at most every 25 ms. MD_SIM_OTHER: there is none. */
  md_sim_kind_t cadence[MD_SIM_CADENCE_CNT];
  /* list describes the idx-th symbol; false: there are no more, which ends the list. */
  bool (*list)(md_sim_t *sim, uint32_t idx, md_sim_spec_t *out);
  /* listed: the symbol, its book and its id are there; the venue may set what is its own. */
  void (*listed)(md_sim_t *sim, md_sim_listing_t *l, uint32_t idx);
  /* next_id gives the id behind a change of the book; NULL: one more than the book's. It may be
   * shared with other symbols, jump, or fall (a reset). */
  uint64_t (*next_id)(md_sim_t *sim, md_sim_listing_t *l);
  /* book writes the event of a batch into sim->text, which is empty: what changed since the last
   * one of its cadence (md_sim_batch_next), from first_id to last_id, the event before it at
   * prev_id. The core sends it, counts it and keeps the truth. */
  void (*book)(md_sim_t *sim, md_sim_listing_t *l, const md_sim_batch_t *b, unsigned cadence);
  /* The best price or its quantity is another: l->best. */
  void (*top)(md_sim_t *sim, md_sim_listing_t *l);
  /* A trade happened; candles and totals have it already. */
  void (*trade)(md_sim_t *sim, md_sim_listing_t *l, const md_sim_print_t *p);
  /* Of each symbol every 100 ms of the market's time, behind its book events of that time;
   * is_second: every tenth, before the slow book event. */
  void (*tenth)(md_sim_t *sim, md_sim_listing_t *l, bool is_second);
  /* Of each symbol every second, behind everything else of it. */
  void (*second)(md_sim_t *sim, md_sim_listing_t *l);
  /* l->minute: every two seconds, and once when it is over. */
  void (*kline)(md_sim_t *sim, md_sim_listing_t *l, bool is_closed);
  /* About the whole market, every second of its time: arrays over all symbols, states. */
  void (*all)(md_sim_t *sim, md_sim_listing_t *listings, uint32_t cnt);
} md_sim_writers_t;

struct md_sim_venue {
  const char *name;  /* of its feed: "binance_spot" */
  const char *about; /* what it is, in a few words: for who asks for one that is not there */

  /* Facts. Options of the command line override those with (option). */
  uint32_t subscriptions_max; /* of one connection; more: MD_ERR_FULL */
  uint32_t messages_per_s;    /* that a client may send, pongs too; 0: any. At most 16 */
  uint32_t weight_max;        /* of REST in a minute (option) */
  int64_t  ping_ns;           /* between WebSocket pings of ours (option), 0: none */
  int64_t  pong_timeout_ns;
  int64_t  life_ns;                             /* of a connection (option), 0: without end */
  size_t state_bytes, symbol_bytes, conn_bytes; /* of sim->venue_state, md_sim_symbol_t.venue_state
                                                   and md_sim_conn_t.venue_state; zeroed */
  bool has_lower_names;                         /* stream names have symbols in small letters */
  /* A subscription of a book begins with it: before a client is added to a book stream the market
   * makes the events that are pending, so that symbol->book.id is what the next event follows. */
  bool begins_with_book;

  /* init and end of the venue's own state; NULL: nothing to do. */
  void (*init)(md_sim_t *sim);
  void (*end)(md_sim_t *sim);
  void (*symbol_init)(md_sim_t        *sim,
                      md_sim_symbol_t *symbol); /* exponents are set here, if not -8 */
  void (*symbol_end)(md_sim_symbol_t *symbol);

  /* ---- streams ---- */

  /* parse_name sets kind, symbol_off and symbol_len (of the name) of a new stream; all are 0: a
   * name of no known kind. stream_name writes the name of a symbol's stream of a kind; 0: the venue
   * has no such. */
  void (*parse_name)(md_sim_stream_t *s);
  size_t (*stream_name)(char *out, size_t bytes, const md_sim_symbol_t *symbol, md_sim_kind_t kind);
  /* hears: the connection gets data of a stream that it subscribed (is it on the right path?);
   * NULL: always. */
  bool (*hears)(const md_sim_conn_t *c, const md_sim_stream_t *s);
  /* microseconds writes a payload with times in us for a connection that wants it so
   * (md_sim_conn_t.microseconds); NULL: nobody does. */
  void (*microseconds)(md_sim_kind_t kind, const char *data, size_t len, md_sim_text_t *out);

  /* ---- what clients say ---- */

  /* open reads path and query of a new connection and subscribes what they name. MD_ERR_ABSENT: no
   * such path, the handshake is refused; MD_ERR_FULL: too many streams, closed with 1008. */
  md_err_t (*open)(md_sim_t *sim, md_sim_conn_t *c, const char *path, const char *query);
  /* receive handles one text message (MD_FRAME_PAD_BYTES readable behind it) that came within the
   * rate, and queues its answers, as many as the venue gives, by md_sim_conn_text, or ends the
   * connection by md_sim_conn_end. An answer that should come before the data of a subscription is
   * queued before md_sim_conn_subscribe is called: that queues the snapshot (subscribed). */
  void (*receive)(md_sim_t *sim, md_sim_conn_t *c, const char *text, size_t len);
  /* subscribed: a connection was added to a stream (not: was on it already). What the venue sends
   * on a new subscription goes out here, by md_sim_send_to. NULL: nothing. */
  void (*subscribed)(md_sim_t *sim, md_sim_conn_t *c, md_sim_stream_t *s);
  /* check looks at a connection every 100 ms: heartbeats, silence. NULL: nothing to look at. */
  void (*check)(md_sim_t *sim, md_sim_conn_t *c);
  /* ask wants a sign of life of a connection within for_ns, else closes it; NULL: the venue never
   * asks. */
  void (*ask)(md_sim_t *sim, md_sim_conn_t *c, int64_t for_ns);
  /* goodbye queues what is said some time before the server closes (once); NULL: nothing is. */
  void (*goodbye)(md_sim_t *sim, md_sim_conn_t *c, int64_t time_ms);
  /* listing: a symbol begins or ends to trade (is_unlisted, is_over say which); NULL: nobody is
   * told. */
  void (*listing)(md_sim_t *sim, md_sim_symbol_t *symbol);

  /* ---- recordings ---- */

  /* scan sees every input of the recording once before it plays: to learn exponents, states, lists.
   * md_sim_recorded finds HTTP answers without it. NULL: nothing to learn. */
  void (*scan)(md_sim_t *sim, const md_input_t *in);
  /* frame finds stream and payload; false: nothing that clients get (answers, pings, a repeat on
   * another connection). Symbols come from the names of streams. */
  bool (*frame)(md_sim_t *sim, const md_input_t *in, md_sim_frame_t *out);
  /* depth reads a book event of a symbol, or the body of a recorded depth answer, into scratch that
   * stays until the next call (md_sim_scratch); exponents are the symbol's. An event without ids of
   * its own is given rising ones by the venue. */
  md_err_t (*depth)(md_sim_t *sim, md_sim_symbol_t *symbol, const char *data, size_t len,
                    md_sim_depth_t *out);
  /* join: the venue's rule. is_fresh: the book is a REST snapshot that nothing was applied to. */
  md_sim_join_t (*join)(uint64_t id, bool is_fresh, const md_sim_depth_t *d);
  /* count adds the trades of a recorded payload to the symbol's totals. */
  void (*count)(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_kind_t kind, const char *data,
                size_t len);
  /* depth_url: a recorded URL asks for a symbol's book. NULL: no REST answer is one. */
  bool (*depth_url)(const char *path, const char *query, const char **symbol, size_t *len);
  /* rewrite makes the payload of `from` one of `to` (the same, or another book cadence of the
   * symbol: a recording has one, and whoever asks for another gets what was recorded), called after
   * book and totals have it. false: nothing is sent. NULL: payloads are sent as they are. */
  bool (*rewrite)(md_sim_t *sim, md_sim_symbol_t *symbol, const md_sim_stream_t *from,
                  const md_sim_stream_t *to, const char *data, size_t len, md_sim_text_t *out);

  /* spoil writes a book payload with a checksum that is wrong; NULL: it has none. */
  void (*spoil)(const char *data, size_t len, md_sim_text_t *out);

  /* ---- REST ---- */

  /* rest answers a GET or another method; refuse writes the body of a status 405, 418, 429, 503 or
   * any other that the core gives. */
  void (*rest)(md_sim_t *sim, const char *method, const char *path, const char *query,
               md_sim_answer_t *out);
  void (*refuse)(md_sim_answer_t *out, unsigned status);

  const md_sim_writers_t *market;
};

/* md_sim_venue_find returns the row of a feed's name, NULL if none; md_sim_venue_at the i-th, NULL
 * behind the end. */
const md_sim_venue_t *md_sim_venue_find(const char *name);
const md_sim_venue_t *md_sim_venue_at(uint32_t i);

#endif
