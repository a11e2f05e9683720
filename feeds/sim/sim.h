/* sim.h - mdengine sim: a simulated exchange over real WebSocket and REST.
 *
 * The only header that the command needs. A run owns one exchange, one source (a recording or a
 * seeded synthetic market), its sockets and the log of the truth, all on the caller's thread. */
#ifndef FEEDS_SIM_SIM_H
#define FEEDS_SIM_SIM_H

#include "feeds/sim/sim_exchange.h"

#define MD_SIM_FAULTS_MAX 32u

typedef struct md_sim_cfg {
  const char  *venue;     /* of sim_venue_table.h; NULL: the recording's, else the first */
  const char  *recording; /* NULL: the synthetic market */
  uint32_t     speed_permille;
  uint32_t     symbol_cnt; /* of the market */
  uint32_t     rate;       /* messages a second of the market, 0: flat out */
  uint64_t     seed;
  int64_t      end_ns;       /* the market ends then, 0: never */
  uint32_t     wait_clients; /* begin when so many connections have a subscription */
  bool         hold;         /* stay after the source's end */
  bool         gives_ids;    /* as of md_sim_t */
  md_sim_lag_t lag;
  int64_t      lag_ms;
  int          port, tls_port;   /* tls_port -1: none */
  const char  *ca_out;           /* NULL: none */
  int64_t      ping_ns, life_ns; /* -1: as the venue has it */
  int64_t      warning_ns;
  int64_t      weight_max;  /* of REST in a minute, 0: no limit, -1: the venue's */
  const char  *truth;       /* file, NULL: none */
  uint32_t     truth_every; /* depth events of a symbol between points */
  const char  *faults[MD_SIM_FAULTS_MAX];
  uint32_t     fault_cnt;
} md_sim_cfg_t;

/* md_sim_cfg_default: a market of 5 symbols at 1000 messages a second on any free ports. */
md_sim_cfg_t md_sim_cfg_default(void);

/* md_sim_run runs until the source ends, or is_stopped says so (asked every turn). It writes one
 * line of JSON to out when clients may connect, and one at the end. */
MD_MUST_USE md_err_t md_sim_run(const md_sim_cfg_t *cfg, bool (*is_stopped)(void), FILE *out,
                                md_msg_t *msg);

#endif
