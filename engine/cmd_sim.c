/* cmd_sim.c - mdengine sim: the built-in exchange, over real WebSocket and REST. */
#include "engine/cli.h"
#include "feeds/sim/sim.h"
#include "shm/atomics.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
  KEY_TLS_PORT = 1000,
  KEY_VENUE,
  KEY_CA_OUT,
  KEY_LAG,
  KEY_WAIT,
  KEY_HOLD,
  KEY_PING,
  KEY_LIFE,
  KEY_WARNING,
  KEY_WEIGHT,
  KEY_SECONDS,
  KEY_TRUTH,
  KEY_TRUTH_EVERY,
  KEY_NEW_IDS
};

static const struct argp_option option_rows[] = {
    {0, 0, 0, 0, "What it plays: a recording, or a synthetic market", 1},
    {"venue", KEY_VENUE, "NAME", 0,
     "the exchange to be: a feed's name (default: the recording's, else binance_spot)", 1},
    {"capture", 'c', "FILE", 0, "play this recording (.wscap, .wscap.zst)", 1},
    {"speed", 's', "N|max", 0, "of the recording: times real time, or as fast as clients take it",
     1},
    {"new-ids", KEY_NEW_IDS, NULL, 0,
     "give events of a recording that have no ids some of today's kind (OKX before 2023)", 1},
    {"symbols", 'n', "N", 0, "of the market (default 5)", 1},
    {"rate", 'r', "N|max", 0, "messages a second of the market (default 1000)", 1},
    {"seconds", KEY_SECONDS, "N", 0, "after which the market ends (default: never)", 1},
    {"seed", 'S', "N", 0, "of everything random (default 1)", 1},
    {"wait-clients", KEY_WAIT, "N", 0, "begin when N connections have subscribed", 1},
    {"hold", KEY_HOLD, NULL, 0, "keep serving after the end", 1},
    {0, 0, 0, 0, "Where it is", 2},
    {"port", 'p', "N", 0, "plain WebSocket and HTTP on 127.0.0.1 (default 0: any)", 2},
    {"tls-port", KEY_TLS_PORT, "N", 0, "the same over TLS (0: any; default: none)", 2},
    {"ca-out", KEY_CA_OUT, "FILE", 0, "write the certificate that clients must trust", 2},
    {0, 0, 0, 0, "What goes wrong", 3},
    {"fault", 'f', "NAME[:KEY=VALUE,...]", 0,
     "gap, duplicate, checksum, stall, cut, half-open, shutdown, ask, list, delist, slow, 429 or "
     "418, "
     "with "
     "after=, "
     "every=, for= (seconds), times=, cnt=, symbol=, retry=, code=; repeatable",
     3},
    {"snapshot-lag", KEY_LAG, "MS|before|inside|after", 0,
     "how a depth snapshot lies in time against what was sent: sent MS late, too old at first, in "
     "the middle, or ahead (default: the recording's own answers)",
     3},
    {"truth", KEY_TRUTH, "FILE", 0, "log what really happened, as JSON lines", 3},
    {"truth-every", KEY_TRUTH_EVERY, "N", 0, "depth events of a symbol (default 100)", 3},
    {0, 0, 0, 0, "Limits", 4},
    {"ping-interval", KEY_PING, "SECONDS", 0, "between pings (default: the venue's; 0: none)", 4},
    {"life", KEY_LIFE, "SECONDS", 0, "of a connection (default: the venue's; 0: without end)", 4},
    {"shutdown-warning", KEY_WARNING, "SECONDS", 0,
     "serverShutdown comes so long before the life's end (default 10)", 4},
    {"weight-limit", KEY_WEIGHT, "N", 0,
     "REST weight in a minute, 0: no limit (default: the venue's)", 4},
    {0}};

static double
seconds(const struct argp_state *state, const char *arg) {
  char  *end;
  double v = strtod(arg, &end);
  if (*end || end == arg || !(v >= 0) || v > 1e9)
    argp_error(state, "'%s' is not a number of seconds", arg);
  return v;
}

static uint64_t
number(const struct argp_state *state, const char *arg, uint64_t max) {
  char              *end;
  unsigned long long v = strtoull(arg, &end, 10);
  if (*end || *arg < '0' || *arg > '9' || v > max)
    argp_error(state, "'%s' is not a number up to %llu", arg, (unsigned long long)max);
  return v;
}

static void
parse_speed(md_sim_cfg_t *cfg, const char *arg, const struct argp_state *state) {
  if (strcmp(arg, "max") == 0) {
    cfg->speed_permille = 0;
    return;
  }
  double v            = seconds(state, arg);
  cfg->speed_permille = (uint32_t)(v * 1000);
  if (cfg->speed_permille == 0 || v > 1e6)
    argp_error(state, "--speed wants 0.001 to 1000000, or max");
}

static void
parse_lag(md_sim_cfg_t *cfg, const char *arg, const struct argp_state *state) {
  cfg->lag = strcmp(arg, "before") == 0   ? MD_SIM_LAG_BEFORE
             : strcmp(arg, "inside") == 0 ? MD_SIM_LAG_INSIDE
             : strcmp(arg, "after") == 0  ? MD_SIM_LAG_AFTER
                                          : MD_SIM_LAG_MS;
  if (cfg->lag == MD_SIM_LAG_MS) cfg->lag_ms = (int64_t)number(state, arg, 600000);
}

static int64_t
nanoseconds(const struct argp_state *state, const char *arg) {
  return (int64_t)(seconds(state, arg) * 1e9);
}

static error_t
parse_source(int key, char *arg, struct argp_state *state) {
  md_sim_cfg_t *cfg = state->input;
  switch (key) {
  case KEY_VENUE:
    cfg->venue = arg;
    return 0;
  case 'c':
    cfg->recording = arg;
    return 0;
  case 's':
    parse_speed(cfg, arg, state);
    return 0;
  case 'n':
    cfg->symbol_cnt = (uint32_t)number(state, arg, MD_SIM_SYMBOLS_MAX);
    if (cfg->symbol_cnt == 0) argp_error(state, "--symbols wants at least 1");
    return 0;
  case 'r':
    cfg->rate = strcmp(arg, "max") == 0 ? 0 : (uint32_t)number(state, arg, 100000000);
    return 0;
  case 'S':
    cfg->seed = number(state, arg, UINT64_MAX);
    return 0;
  case KEY_SECONDS:
    cfg->end_ns = nanoseconds(state, arg);
    return 0;
  case KEY_WAIT:
    cfg->wait_clients = (uint32_t)number(state, arg, 100000);
    return 0;
  case KEY_HOLD:
    cfg->hold = true;
    return 0;
  case KEY_NEW_IDS:
    cfg->gives_ids = true;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static error_t
parse_limit(int key, char *arg, struct argp_state *state) {
  md_sim_cfg_t *cfg = state->input;
  switch (key) {
  case 'p':
    cfg->port = (int)number(state, arg, 65535);
    return 0;
  case KEY_TLS_PORT:
    cfg->tls_port = (int)number(state, arg, 65535);
    return 0;
  case KEY_CA_OUT:
    cfg->ca_out = arg;
    return 0;
  case KEY_PING:
    cfg->ping_ns = nanoseconds(state, arg);
    return 0;
  case KEY_LIFE:
    cfg->life_ns = nanoseconds(state, arg);
    return 0;
  case KEY_WARNING:
    cfg->warning_ns = nanoseconds(state, arg);
    return 0;
  case KEY_WEIGHT:
    cfg->weight_max = (int64_t)number(state, arg, UINT32_MAX);
    return 0;
  default:
    return parse_source(key, arg, state);
  }
}

static error_t
parse_option(int key, char *arg, struct argp_state *state) {
  md_sim_cfg_t *cfg = state->input;
  switch (key) {
  case 'f':
    if (cfg->fault_cnt == MD_SIM_FAULTS_MAX) argp_error(state, "too many faults");
    cfg->faults[cfg->fault_cnt++] = arg;
    return 0;
  case KEY_LAG:
    parse_lag(cfg, arg, state);
    return 0;
  case KEY_TRUTH:
    cfg->truth = arg;
    return 0;
  case KEY_TRUTH_EVERY:
    cfg->truth_every = (uint32_t)number(state, arg, UINT32_MAX);
    return 0;
  case ARGP_KEY_ARG:
    argp_error(state, "unexpected argument '%s'", arg);
    return EINVAL;
  case ARGP_KEY_END:
    if (cfg->ca_out && cfg->tls_port < 0) argp_error(state, "--ca-out needs --tls-port");
    return 0;
  default:
    return parse_limit(key, arg, state);
  }
}

static const struct argp argp = {
    option_rows,
    parse_option,
    "",
    "Be an exchange over real WebSocket and REST on 127.0.0.1. The first line "
    "printed is JSON "
    "with the URLs."
    "\vExamples:\n  mdengine sim --symbols 20 --rate 5000 --tls-port 0 --ca-out ca.pem\n  mdengine "
    "sim --capture btcusdt.wscap.zst --speed 10 --wait-clients 1 --hold\n",
    NULL,
    NULL,
    NULL};

static md_atomic_u32 asked_to_stop;

static void
on_signal(int signal_no) {
  (void)signal_no;
  md_store_relaxed(&asked_to_stop, 1u); /* a flag alone: it orders nothing */
}

static bool
is_stopped(void) {
  return md_load_relaxed(&asked_to_stop) != 0;
}

int
md_cmd_sim(int argc, char **argv) {
  md_sim_cfg_t cfg = md_sim_cfg_default();
  md_msg_t     msg = {0};
  md_cli_parse(&argp, argc, argv, &cfg);
  const struct sigaction action = {.sa_handler = on_signal};
  (void)sigaction(SIGINT, &action, NULL);
  (void)sigaction(SIGTERM, &action, NULL);
  md_err_t err = md_sim_run(&cfg, is_stopped, stdout, &msg);
  if (err) return md_cli_error(err, msg.text);
  return md_cli_flush(MD_EXIT_OK);
}
