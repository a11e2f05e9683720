/* cmd_doctor.c - mdengine doctor: what this machine costs in latency, and what to do about it. */
#include "engine/cli.h"
#include "engine/doctor.h"

#include <stdlib.h>

typedef struct options {
  const char *config;
  bool        json;
} options_t;

static const struct argp_option option_rows[] = {
    {"config", 'c', "FILE", 0, "look at the cores and the memory of this configuration too", 0},
    {"json", 'j', NULL, 0, "print one JSON object", 0},
    {0}};

static error_t
parse_option(int key, char *arg, struct argp_state *state) {
  options_t *o = state->input;
  switch (key) {
  case 'c':
    o->config = arg;
    return 0;
  case 'j':
    o->json = true;
    return 0;
  case ARGP_KEY_ARG:
    argp_error(state, "unexpected argument '%s'", arg);
    return EINVAL;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp argp = {
    option_rows,
    parse_option,
    "",
    "Look at kernel, cores, clock, memory, io_uring and shared memory of this machine: what is "
    "well, what costs latency here (measured, within a second), and what to do. Changes nothing. "
    "Exit status 3 when something should be better."
    "\vExample:\n  mdengine doctor -c mdengine.yaml\n",
    NULL,
    NULL,
    NULL};

typedef struct work {
  md_config_t         cfg;
  md_topology_t       topology;
  md_doctor_machine_t machine;
  md_findings_t       findings;
} work_t;

static int
examine(const options_t *o, work_t *w) {
  md_msg_t msg;
  if (o->config) {
    md_config_report_t report = md_cli_report(o->config);
    if (md_config_load(o->config, &w->cfg, &report)) return MD_EXIT_USAGE;
    md_err_t err = md_topology_make(&w->cfg, NULL, &w->topology, &msg);
    if (err) return md_cli_error(err, msg.text);
  }
  md_doctor_measure(o->config ? w->cfg.engine.shm_dir : MD_DEFAULT_DIR, &w->machine);
  md_doctor_examine(&w->machine, o->config ? &w->cfg : NULL, o->config ? &w->topology : NULL,
                    &w->findings);
  if (o->json)
    md_doctor_print_json(&w->findings, &w->machine, stdout);
  else
    md_doctor_print_text(&w->findings, stdout);
  return w->findings.warning_cnt ? MD_EXIT_DEGRADED : MD_EXIT_OK;
}

int
md_cmd_doctor(int argc, char **argv) {
  options_t o = {0};
  md_cli_parse(&argp, argc, argv, &o);
  work_t *w      = calloc(1, sizeof *w);
  int     status = w ? examine(&o, w) : md_cli_error(MD_ERR_NOMEM, "no memory for the findings");
  free(w);
  return status;
}
