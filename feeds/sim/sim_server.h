/* sim_server.h - the sockets of the simulated exchange: WebSocket and HTTP, plain and TLS, on
 * 127.0.0.1.
 *
 * Knows libwebsockets and nothing of the exchange's protocol: it hands requests to sim_control and
 * sim_rest and writes the queues of the hub's connections. One thread, which is the caller's. */
#ifndef FEEDS_SIM_SIM_SERVER_H
#define FEEDS_SIM_SIM_SERVER_H

#include "feeds/sim/sim_exchange.h"

typedef struct md_sim_server md_sim_server_t;

typedef struct md_sim_server_cfg {
  md_sim_t   *sim;
  int         port, tls_port; /* 0: any that is free; tls_port -1: no TLS */
  const char *cert_pem, *key_pem;
  int64_t     ping_ns;         /* a ping this often */
  int64_t     pong_timeout_ns; /* closed when a ping is unanswered for so long */
  int64_t     life_ns;         /* a connection is closed after this, 0: never */
  int64_t     warning_ns;      /* and told so this long before */
} md_sim_server_cfg_t;

MD_MUST_USE md_err_t md_sim_server_open(const md_sim_server_cfg_t *cfg, md_sim_server_t **out,
                                        md_msg_t *msg);
void                 md_sim_server_close(md_sim_server_t *s);

int md_sim_server_port(const md_sim_server_t *s);
int md_sim_server_tls_port(const md_sim_server_t *s); /* -1: none */

/* md_sim_server_turn serves what is ready; waits for at most wait_ns when nothing is. */
void md_sim_server_turn(md_sim_server_t *s, int64_t wait_ns);

/* md_sim_server_is_sent: nothing is queued for any client that still reads, and no answer is held
 * back. */
bool md_sim_server_is_sent(const md_sim_server_t *s);

#endif
