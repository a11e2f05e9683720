/* One run of the simulator: source, sockets, start line, last line. */
#include "feeds/sim/sim.h"
#include "feeds/sim/sim_record.h"
#include "feeds/sim/sim_server.h"

#include <inttypes.h>
#include <string.h>

#define SECOND_NS 1000000000ll
#define DRAIN_NS  (10 * SECOND_NS) /* for clients to take what is queued at the end */

typedef struct run {
  const md_sim_cfg_t *cfg;
  md_sim_t            sim;
  md_sim_server_t    *server;
  bool                has_begun, has_ended;
  int64_t             begin_ns, end_ns;
} run_t;

md_sim_cfg_t
md_sim_cfg_default(void) {
  return (md_sim_cfg_t){.speed_permille  = 1000,
                        .symbol_cnt      = 5,
                        .rate            = 1000,
                        .seed            = 1,
                        .ping_ns         = 20 * SECOND_NS,
                        .pong_timeout_ns = 60 * SECOND_NS,
                        .warning_ns      = 10 * SECOND_NS,
                        .tls_port        = -1,
                        .weight_max      = 6000};
}

static uint32_t
subscriber_cnt(const md_sim_t *sim) {
  uint32_t cnt = 0;
  for (const md_sim_conn_t *c = sim->hub.conns; c; c = c->next)
    cnt += c->sub_cnt > 0;
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
  (void)fprintf(out, ",\"symbols\":%u}\n", r->sim.symbol_cnt);
  (void)fflush(out);
}

/* One step of the source. Returns how long to wait for the next. */
static int64_t
pump(run_t *r, md_err_t *err, md_msg_t *msg) {
  md_sim_t *sim = &r->sim;
  int64_t   due = sim->now_ns;
  if (r->has_ended) return SECOND_NS;
  if (!r->has_begun) {
    if (subscriber_cnt(sim) < r->cfg->wait_clients) return SECOND_NS;
    r->has_begun = true;
    r->begin_ns  = sim->now_ns;
  }
  if (r->cfg->speed_permille == 0 && md_sim_hub_is_busy(&sim->hub)) return 1000000;
  md_err_t e = md_sim_record_pump(sim->record, &due, msg);
  if (e) {
    r->has_ended = true;
    r->end_ns    = sim->now_ns;
    if (e != MD_ERR_END) *err = e;
  }
  return due > sim->now_ns ? due - sim->now_ns : 0;
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
  return err;
}

md_err_t
md_sim_run(const md_sim_cfg_t *cfg, bool (*is_stopped)(void), FILE *out, md_msg_t *msg) {
  run_t r = {.cfg = cfg};
  md_sim_init(&r.sim, md_clock_system(), cfg->seed);
  r.sim.lag        = cfg->lag;
  r.sim.lag_ms     = cfg->lag_ms;
  r.sim.weight_max = cfg->weight_max;
  md_err_t err =
      md_sim_record_open(&r.sim, cfg->recording, cfg->speed_permille, &r.sim.record, msg);
  if (err) goto done;
  const md_sim_server_cfg_t server = {.sim             = &r.sim,
                                      .port            = cfg->port,
                                      .tls_port        = cfg->tls_port,
                                      .ping_ns         = cfg->ping_ns,
                                      .pong_timeout_ns = cfg->pong_timeout_ns,
                                      .life_ns         = cfg->life_ns,
                                      .warning_ns      = cfg->warning_ns};
  err                              = md_sim_server_open(&server, &r.server, msg);
  if (err) goto done;
  say_start(&r, out);
  err = loop(&r, is_stopped, msg);
  (void)fprintf(out,
                "{\"frames\":%" PRIu64 ",\"sent_frames\":%" PRIu64 ",\"sent_bytes\":%" PRIu64 "}\n",
                md_sim_record_frame_cnt(r.sim.record), r.sim.hub.frame_cnt, r.sim.hub.byte_cnt);
  (void)fflush(out);

done:
  md_sim_server_close(r.server);
  md_sim_record_close(r.sim.record);
  md_sim_free(&r.sim);
  return err;
}
