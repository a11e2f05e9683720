#include "feeds/sim/sim_control.h"

#include "feeds/sim/sim_venue.h"

md_err_t
md_sim_control_open(md_sim_t *sim, md_sim_conn_t *c, const char *path, const char *query) {
  return sim->venue->open(sim, c, path, query);
}

static bool
is_within_rate(md_sim_t *sim, md_sim_conn_t *c) {
  if (md_sim_conn_may_receive(&sim->hub, c, sim->now_ns)) return true;
  md_sim_conn_end(&sim->hub, c, 1008, "Too many requests", false);
  return false;
}

void
md_sim_control_receive(md_sim_t *sim, md_sim_conn_t *c, const char *text, size_t len) {
  if (is_within_rate(sim, c)) sim->venue->receive(sim, c, text, len);
}

void
md_sim_control_pong(md_sim_t *sim, md_sim_conn_t *c) {
  c->pong_due_ns = 0;
  (void)is_within_rate(sim, c);
}
