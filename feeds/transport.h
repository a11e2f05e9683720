/* transport.h - WebSocket connections of one feed, as a table of functions.
 *
 * A transport belongs to one feed thread; every call comes from there. It keeps sockets, TLS,
 * framing, reassembly, answers to pings and its own pings to itself and hands over whole messages,
 * many at a time. It never reconnects and never decides that a connection is silent: live.h does.
 * Two stand behind it: libwebsockets (transport_lws.c), and our own (transport_native.c).
 *
 * A connection is a small number, valid from md_transport_connect to its CLOSE event, which comes
 * exactly once for each connect that succeeded; afterwards the number is given again. */
#ifndef FEEDS_TRANSPORT_H
#define FEEDS_TRANSPORT_H

#include "feeds/resolve.h"
#include "shm/clock.h"
#include "shm/err.h"
#include "shm/limits.h"

#define MD_CONNECTION_CNT_MAX 200u /* of one transport; legs are 8 bits */

/* Close codes that are not on the wire or that we send. */
#define MD_CLOSE_NORMAL    1000u
#define MD_CLOSE_LOST      1006u /* without a close frame, or never opened */
#define MD_CLOSE_TOO_LARGE 1009u

typedef struct md_transport_config {
  const char *ca_file;        /* PEM; NULL: the system's */
  uint32_t message_bytes_max; /* above: closed with 1009 and counted; at most MD_FRAME_BYTES_MAX */
  uint32_t connection_cnt_max;
  int64_t  connect_timeout_ns; /* until OPEN, for each address of the name */
  int64_t  ping_ns, pong_ns;   /* ping when nothing was answered for so long; lost after */
  bool     offers_deflate;     /* permessage-deflate; native only */
  const md_clock_t *clock;
  uint64_t          seed;   /* of the masking and the jitter where a backend has a choice */
  md_lookup_t       lookup; /* of host names; NULL: the system's */
  void             *lookup_ctx;
} md_transport_config_t;

typedef enum md_transport_kind {
  MD_TRANSPORT_OPEN,   /* the handshake is done */
  MD_TRANSPORT_TEXT,   /* a whole message */
  MD_TRANSPORT_BINARY, /* the same */
  MD_TRANSPORT_PONG,   /* answer to a ping of ours; what payload it has is the backend's matter */
  MD_TRANSPORT_CLOSE   /* gone; payload: reason for people */
} md_transport_kind_t;

/* payload has MD_FRAME_PAD_BYTES readable bytes behind it; what stands there means nothing. */
typedef struct md_transport_event {
  md_transport_kind_t kind;
  uint32_t            connection;
  uint16_t            code; /* of CLOSE */
  const uint8_t      *payload;
  uint32_t            len;
  int64_t             recv_ns; /* real time, one value for all that one look at the sockets gave */
} md_transport_event_t;

typedef struct md_transport_counts {
  uint64_t connect_cnt, oversize_cnt;
  uint64_t certificate_end_s; /* seconds since 1970 of the newest one that was met; 0: no TLS */
  uint64_t buffer_bytes;      /* of messages, now */
} md_transport_counts_t;

typedef struct md_transport md_transport_t;

/* What a backend is. */
typedef struct md_transport_ops {
  const char *name;
  md_err_t (*open)(const md_transport_config_t *cfg, md_transport_t **out, md_msg_t *msg);
  void (*close)(md_transport_t *t);
  /* connect begins a connection to a ws or wss URL. MD_ERR_FULL: connection_cnt_max of them are
   * there; MD_ERR_SYNTAX: no such URL. What goes wrong later comes as CLOSE. */
  md_err_t (*connect)(md_transport_t *t, const char *url, uint32_t *connection, md_msg_t *msg);
  /* send queues one text message. MD_ERR_FULL: too many wait; MD_ERR_ABSENT: the connection is not
   * open or is being closed. */
  md_err_t (*send)(md_transport_t *t, uint32_t connection, const char *text, uint32_t len);
  /* disconnect begins to close; nothing but CLOSE comes from the connection any more. */
  void (*disconnect)(md_transport_t *t, uint32_t connection, uint16_t code);
  /* poll waits at most max_ns for something to happen (0: not at all) and gives what did. The
   * events and their payloads stay valid until the next poll. Returns their number, 0 for none. */
  uint32_t (*poll)(md_transport_t *t, int64_t max_ns, const md_transport_event_t **out);
  void (*counts)(const md_transport_t *t, md_transport_counts_t *out);
} md_transport_ops_t;

extern const md_transport_ops_t md_transport_lws;
extern const md_transport_ops_t md_transport_native;

#endif
