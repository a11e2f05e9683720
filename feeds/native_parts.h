/* native_parts.h - the inside of the native transport, shared by transport_native.c and the
 * native_*.c files and by nobody else.
 *
 * transport_native.c has the table of functions, the wait and the timers; native_open.c the way to
 * an open connection: address, socket, TLS, upgrade; native_receive.c what is read and becomes
 * events; native_send.c what is written; native_ack.c when reads are acknowledged. One transport
 * belongs to one thread.
 *
 * Each connection has one receive buffer. A poll reads into it once, and the payloads of its events
 * lie in it until the next poll, when what was not given yet moves to the front. So the pad behind
 * a payload is often the next frame: readable, and nothing to look at. Behind the last byte
 * received it is zero. */
#ifndef FEEDS_NATIVE_PARTS_H
#define FEEDS_NATIVE_PARTS_H

#include "feeds/tls_client.h"
#include "feeds/transport.h"
#include "feeds/ws_deflate.h"
#include "feeds/ws_frame.h"
#include "feeds/ws_handshake.h"

#define MD_NATIVE_RX_BYTES     131072u /* first size of a receive buffer */
#define MD_NATIVE_RX_ROOM      16384u  /* less than this at its end: it grows */
#define MD_NATIVE_TX_BYTES     16384u
#define MD_NATIVE_SEND_CNT_MAX 64u
#define MD_NATIVE_PONG_BYTES_MAX                                                                   \
  8192u                              /* that wait to be written; above, only the last ping counts */
#define MD_NATIVE_EVENT_CNT    1024u /* of one poll; what is left comes with the next */
#define MD_NATIVE_REASON_BYTES 128u
#define MD_NATIVE_CLOSE_NS     3000000000ll /* for the peer to answer a close frame */
#define MD_NATIVE_NEVER        INT64_MAX

typedef enum md_native_phase {
  MD_NATIVE_RESOLVING,
  MD_NATIVE_CONNECTING,
  MD_NATIVE_TLS,
  MD_NATIVE_UPGRADE,
  MD_NATIVE_OPEN,
  MD_NATIVE_CLOSING, /* our close frame is on its way, the peer's is waited for */
  MD_NATIVE_GONE,    /* CLOSE is an event; the memory stays until it was given */
} md_native_phase_t;

typedef struct md_native_connection {
  md_transport_t   *transport;
  uint32_t          number;
  uint64_t          poll_id; /* of the poll that served it last: once in each, see above */
  md_native_phase_t phase;
  int               fd;         /* -1 none */
  bool              is_pending; /* there is more to give, or to read, that no socket tells of */
  bool              is_given;   /* its CLOSE was given by a poll */
  bool              is_writing; /* the socket takes no more for now */
  bool              owes_ack;   /* something was read since we last asked for one */
  bool              acks_late;  /* no read acknowledges by itself */
  uint32_t          epoll_events;
  md_tls_session_t *tls;

  md_ws_walk_t walk; /* and the receive buffer */
  size_t       rx_bytes;
  int64_t      read_ns; /* real time of what is in it */

  md_ws_inflate_t *inflate; /* NULL: the server's messages are not deflated */
  uint8_t         *plain;   /* inflated messages of this poll */
  size_t           plain_bytes, plain_used;

  uint8_t *tx;
  size_t   tx_bytes, tx_used, tx_sent;
  uint32_t text_cnt; /* messages in it */
  uint8_t  pong[MD_WS_CONTROL_BYTES];
  uint32_t pong_len;
  bool     has_pong; /* waits for room in tx */

  char    *url;
  char     key[MD_WS_KEY_BYTES];
  uint32_t try_cnt; /* addresses so far */
  bool     is_reached;

  int64_t  due_ns;            /* monotonic; the next thing that time alone brings */
  int64_t  valid_ns, ping_ns; /* last answer to a ping; last ping that none answered yet, 0 none */
  uint16_t close_code;        /* of the close frame that we sent */
  char     reason[MD_NATIVE_REASON_BYTES + MD_FRAME_PAD_BYTES];
} md_native_connection_t;

struct md_transport {
  md_transport_config_t   cfg;
  int                     epoll;
  bool                    has_no_pwait2; /* an older kernel, or one that does not let us */
  md_resolver_t          *resolver;
  md_tls_t               *tls;
  md_native_connection_t *connection[MD_CONNECTION_CNT_MAX];
  uint32_t                connection_cnt, resolving_cnt, pending_cnt, gone_cnt;
  md_transport_event_t   *event;
  uint32_t                event_cnt, given_cnt;
  uint32_t                look_cnt; /* without a wait and without anything, up to a bound */
  uint32_t                owing_cnt, late_cnt, ack_next;
  uint64_t                poll_id;
  int64_t                 recv_ns; /* of this look at the sockets, 0 not asked yet */
  int64_t                 now_ns, timer_ns;
  uint8_t                 random[256]; /* from the kernel, for masks and keys */
  uint32_t                random_used;
  md_transport_counts_t   counts;
};

/* ---- transport_native.c ---- */

/* md_native_event adds an event; the caller knows that there is room. */
md_transport_event_t *md_native_event(md_native_connection_t *c, md_transport_kind_t kind,
                                      const void *payload, size_t len);

/* md_native_finish ends a connection: CLOSE with this code and c->reason. */
void md_native_finish(md_native_connection_t *c, uint16_t code);

/* md_native_set_reason keeps the first reason of a connection. */
void md_native_set_reason(md_native_connection_t *c, const char *text, size_t len);

void md_native_set_phase(md_native_connection_t *c, md_native_phase_t phase);
void md_native_set_due(md_native_connection_t *c, int64_t due_ns);
void md_native_set_pending(md_native_connection_t *c, bool is_pending);

/* md_native_watch says to the kernel what of the socket is waited for. */
void md_native_watch(md_native_connection_t *c);

/* md_native_random fills in random bytes of the kernel. */
void md_native_random(md_transport_t *t, uint8_t *out, uint32_t len);

/* ---- native_open.c ---- */

/* md_native_resolve asks for an address and begins to connect to it. */
void md_native_resolve(md_native_connection_t *c);

/* md_native_go_on does what the socket of a connection that is not open yet allows. */
void md_native_go_on(md_native_connection_t *c);

/* md_native_unreached gives up this address: the next one, or the end. */
void md_native_unreached(md_native_connection_t *c);

/* md_native_drop_socket closes the socket and what stands on it. */
void md_native_drop_socket(md_native_connection_t *c);

/* ---- native_receive.c ---- */

/* md_native_reserve_rx makes the first receive buffer. False: no memory. */
bool md_native_reserve_rx(md_native_connection_t *c);

/* md_native_read reads once what the socket has (with TLS: and decrypts it). 1 something, 0 nothing
 * now, -1 the connection has ended. */
int md_native_read(md_native_connection_t *c);

/* md_native_service reads and gives events, of a connection that is open or being closed. */
void md_native_service(md_native_connection_t *c);

/* md_native_warm_plain makes the first buffer of inflated messages. False: no memory. */
bool md_native_warm_plain(md_native_connection_t *c);

/* md_native_walk gives events of what was read. */
void md_native_walk(md_native_connection_t *c);

/* ---- native_ack.c ---- */

/* md_native_ack_owe: something was read. md_native_ack_forget: the socket is going. */
void md_native_ack_owe(md_native_connection_t *c);
void md_native_ack_forget(md_native_connection_t *c);

/* md_native_ack_idle: a look that did not wait found nothing. md_native_ack_wait: the next one will
 * wait, so reads acknowledge again. */
void md_native_ack_idle(md_transport_t *t);
void md_native_ack_wait(md_transport_t *t);

/* ---- native_send.c ---- */

/* md_native_put_raw queues bytes, md_native_put a frame. MD_ERR_NOMEM. */
MD_MUST_USE md_err_t md_native_put_raw(md_native_connection_t *c, const void *p, size_t len);
MD_MUST_USE md_err_t md_native_put(md_native_connection_t *c, md_ws_opcode_t opcode, const void *p,
                                   size_t len);
void                 md_native_put_close(md_native_connection_t *c, uint16_t code);
void md_native_answer_ping(md_native_connection_t *c, const uint8_t *p, uint32_t len);

/* md_native_flush writes what the socket takes. */
void md_native_flush(md_native_connection_t *c);

#endif
