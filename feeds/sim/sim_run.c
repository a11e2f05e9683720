/* One run of the simulator: source, sockets, start line, last line. */
#include "feeds/sim/sim.h"

#include "feeds/recording.h"
#include "feeds/sim/sim_cert.h"
#include "feeds/sim/sim_fault.h"
#include "feeds/sim/sim_market.h"
#include "feeds/sim/sim_record.h"
#include "feeds/sim/sim_server.h"
#include "feeds/sim/sim_truth.h"
#include "feeds/sim/sim_venue.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS  1000000000ll
#define BUSY_NS    1000000          /* until a client that is behind is looked at again */
#define DRAIN_NS   (10 * SECOND_NS) /* for clients to take what is queued at the end */
#define CERT_NAMES "DNS:localhost,IP:127.0.0.1"

typedef struct run {
  const md_sim_cfg_t *cfg;
  md_sim_t            sim;
  md_sim_cert_t       cert;
  md_sim_server_t    *server;
  bool                has_begun, has_ended;
  int64_t             end_ns;
} run_t;

md_sim_cfg_t
md_sim_cfg_default(void) {
  return (md_sim_cfg_t){.speed_permille = 1000,
                        .symbol_cnt     = 5,
                        .rate           = 1000,
                        .seed           = 1,
                        .ping_ns        = -1,
                        .life_ns        = -1,
                        .warning_ns     = 10 * SECOND_NS,
                        .tls_port       = -1,
                        .weight_max     = -1,
                        .truth_every    = 100};
}

/* A stream that does not exist is no subscription: some connect to /ws/0 and subscribe then. Nor is
 * one about the platform, which may come long before those of instruments. */
static bool
has_subscribed(const md_sim_conn_t *c) {
  for (uint32_t i = 0; i < c->sub_cnt; i++) {
    const md_sim_stream_t *s      = c->subs[i];
    bool                   is_all = s->kind >= MD_SIM_ALL_MARK && s->kind <= MD_SIM_ALL_LIQUIDATION;
    if (is_all || (s->kind != MD_SIM_OTHER && s->symbol_len > 0)) return true;
  }
  return false;
}

static uint32_t
subscriber_cnt(const md_sim_t *sim) {
  uint32_t cnt = 0;
  for (const md_sim_conn_t *c = sim->hub.conns; c; c = c->next)
    cnt += has_subscribed(c);
  return cnt;
}

static void
say_start(const run_t *r, FILE *out) {
  int port = md_sim_server_port(r->server), tls = md_sim_server_tls_port(r->server);
  (void)fprintf(out, "{\"ws\":\"ws://127.0.0.1:%d\",\"rest\":\"http://127.0.0.1:%d\"", port, port);
  if (tls > 0)
    (void)fprintf(out, ",\"wss\":\"wss://127.0.0.1:%d\",\"rest_tls\":\"https://127.0.0.1:%d\"", tls,
                  tls);
  if (tls > 0 && r->cfg->ca_out) {
    md_sim_text_t text = {0};
    md_sim_text_quote(&text, r->cfg->ca_out, strlen(r->cfg->ca_out));
    (void)fprintf(out, ",\"ca\":%.*s", (int)text.len, text.p);
    md_sim_text_free(&text);
  }
  (void)fprintf(out, ",\"venue\":\"%s\",\"symbols\":%u}\n", r->sim.venue->name, r->sim.symbol_cnt);
  (void)fflush(out);
}

static uint64_t
produced_cnt(const run_t *r) {
  return r->sim.market ? md_sim_market_message_cnt(r->sim.market)
                       : md_sim_record_frame_cnt(r->sim.record);
}

static void
say_end(const run_t *r, FILE *out) {
  const md_sim_hub_t *h = &r->sim.hub;
  (void)fprintf(out,
                "{\"messages\":%" PRIu64 ",\"sent_frames\":%" PRIu64 ",\"sent_bytes\":%" PRIu64
                ",\"sent_texts\":%" PRIu64 ",\"connections\":%" PRIu64 "}\n",
                produced_cnt(r), h->frame_cnt, h->byte_cnt, h->text_cnt, h->conn_id_last);
  (void)fflush(out);
}

/* ---- the loop ---- */

static void
end_source(run_t *r) {
  r->has_ended = true;
  r->end_ns    = r->sim.now_ns;
  md_sim_fault_end(&r->sim);
  if (r->sim.truth) md_sim_truth_end(r->sim.truth, &r->sim);
}

static bool
is_flat_out(const run_t *r) {
  return r->sim.market ? r->cfg->rate == 0 : r->cfg->speed_permille == 0;
}

/* One step of the source. Returns how long to wait for the next. */
static int64_t
pump(run_t *r, md_err_t *err, md_msg_t *msg) {
  md_sim_t *sim = &r->sim;
  int64_t   due = sim->now_ns;
  if (r->has_ended) return SECOND_NS;
  if (!r->has_begun && subscriber_cnt(sim) < r->cfg->wait_clients) return SECOND_NS;
  r->has_begun = true;
  if (is_flat_out(r) && md_sim_hub_is_busy(&sim->hub)) return BUSY_NS;
  md_err_t e = sim->market ? md_sim_market_pump(sim->market, &due)
                           : md_sim_record_pump(sim->record, &due, msg);
  if (sim->faults) md_sim_fault_turn(sim);
  if (e) end_source(r);
  if (e && e != MD_ERR_END) *err = e;
  return due > sim->now_ns ? due - sim->now_ns : 0;
}

static bool
somebody_reads(const md_sim_t *sim) {
  for (const md_sim_conn_t *c = sim->hub.conns; c; c = c->next)
    if (!c->half_open) return true;
  return false;
}

/* Every client that still reads gets a close frame. */
static void
say_goodbye(run_t *r) {
  md_sim_t *sim = &r->sim;
  for (md_sim_conn_t *c = sim->hub.conns; c; c = c->next)
    md_sim_conn_end(&sim->hub, c, 1001, "The simulation is over", true);
  md_sim_turn(sim);
  int64_t until = sim->now_ns + SECOND_NS;
  while (somebody_reads(sim) && sim->now_ns < until) {
    md_sim_turn(sim);
    md_sim_server_turn(r->server, BUSY_NS);
  }
}

static md_err_t
loop(run_t *r, bool (*is_stopped)(void), md_msg_t *msg) {
  md_err_t err = MD_OK;
  while (!is_stopped() && !err) {
    md_sim_turn(&r->sim);
    int64_t wait_ns = pump(r, &err, msg);
    md_sim_server_turn(r->server, wait_ns);
    if (!r->has_ended || r->cfg->hold) continue;
    if (md_sim_server_is_sent(r->server) || r->sim.now_ns > r->end_ns + DRAIN_NS) break;
  }
  if (!r->has_ended) end_source(r);
  say_goodbye(r);
  return err;
}

/* ---- start ---- */

static md_err_t
open_source(run_t *r, md_msg_t *msg) {
  const md_sim_cfg_t *cfg = r->cfg;
  md_sim_t           *sim = &r->sim;
  md_err_t            err = MD_OK;
  for (uint32_t i = 0; i < cfg->fault_cnt && !err; i++)
    err = md_sim_fault_add(sim, cfg->faults[i], msg);
  if (err) return err;
  const md_sim_market_cfg_t market = {cfg->symbol_cnt, cfg->rate, cfg->end_ns};
  if (cfg->recording)
    err = md_sim_record_open(sim, cfg->recording, cfg->speed_permille, &sim->record, msg);
  else
    sim->market = md_sim_market_open(sim, &market);
  if (!err) md_sim_faults_begin(sim);
  return err;
}

static md_err_t
open_server(run_t *r, md_msg_t *msg) {
  const md_sim_cfg_t   *cfg    = r->cfg;
  const md_sim_venue_t *venue  = r->sim.venue;
  md_sim_server_cfg_t   server = {.sim      = &r->sim,
                                  .port     = cfg->port,
                                  .tls_port = cfg->tls_port,
                                  .ping_ns  = cfg->ping_ns >= 0 ? cfg->ping_ns : venue->ping_ns,
                                  .pong_timeout_ns = venue->pong_timeout_ns,
                                  .life_ns    = cfg->life_ns >= 0 ? cfg->life_ns : venue->life_ns,
                                  .warning_ns = cfg->warning_ns};
  if (cfg->tls_port >= 0) {
    md_err_t err = md_sim_cert_make(CERT_NAMES, &r->cert, msg);
    if (!err && cfg->ca_out) err = md_sim_cert_save(&r->cert, cfg->ca_out, msg);
    if (err) return err;
    server.cert_pem = r->cert.cert_pem;
    server.key_pem  = r->cert.key_pem;
  }
  return md_sim_server_open(&server, &r->server, msg);
}

/* The venue that was asked for, else the recording's, else the first. */
static md_err_t
find_venue(const md_sim_cfg_t *cfg, const md_sim_venue_t **out, md_msg_t *msg) {
  const char *name = cfg->venue;
  if (!name && cfg->recording) {
    name = md_recording_find_venue(cfg->recording, msg);
    if (!name) return MD_ERR_USAGE;
  }
  *out = name ? md_sim_venue_find(name) : md_sim_venue_at(0);
  if (*out) return MD_OK;
  char     list[512];
  uint32_t len = 0;
  for (uint32_t i = 0; md_sim_venue_at(i) && len < sizeof list; i++)
    len += (uint32_t)snprintf(list + len, sizeof list - len, "%s%s (%s)", i ? ", " : "",
                              md_sim_venue_at(i)->name, md_sim_venue_at(i)->about);
  return md_fail(msg, MD_ERR_USAGE, "no venue '%s' in the simulator; --venue wants one of %s", name,
                 list);
}

md_err_t
md_sim_run(const md_sim_cfg_t *cfg, bool (*is_stopped)(void), FILE *out, md_msg_t *msg) {
  const md_sim_venue_t *venue = NULL;
  md_err_t              err   = find_venue(cfg, &venue, msg);
  if (err) return err;
  run_t *r = md_sim_alloc(1, sizeof *r);
  r->cfg   = cfg;
  md_sim_init(&r->sim, venue, md_clock_system(), cfg->seed);
  r->sim.lag       = cfg->lag;
  r->sim.lag_ms    = cfg->lag_ms;
  r->sim.gives_ids = cfg->gives_ids;
  if (cfg->weight_max >= 0) r->sim.weight_max = (uint32_t)cfg->weight_max;
  err = open_source(r, msg);
  if (!err && cfg->truth) err = md_sim_truth_open(cfg->truth, cfg->truth_every, &r->sim.truth, msg);
  if (!err) err = open_server(r, msg);
  if (!err) {
    say_start(r, out);
    err = loop(r, is_stopped, msg);
    say_end(r, out);
  }
  md_sim_server_close(r->server);
  md_sim_market_close(r->sim.market);
  md_sim_record_close(r->sim.record);
  if (md_sim_truth_close(r->sim.truth) && !err)
    err = md_fail(msg, MD_ERR_IO, "%s: the truth could not be written", cfg->truth);
  md_sim_free(&r->sim);
  free(r);
  return err;
}
