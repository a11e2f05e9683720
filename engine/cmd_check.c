/* cmd_check.c - mdengine check: is this configuration right, and what will it use? */
#include "engine/budget.h"
#include "engine/cli.h"
#include "engine/topology.h"
#include "monitoring/prometheus.h"

#include <stdlib.h>

typedef struct options {
  const char *config;
  bool        keys, metrics, markdown;
} options_t;

static const struct argp_option option_rows[] = {
    {"config", 'c', "FILE", 0, "configuration (default " MD_DEFAULT_CONFIG ")", 0},
    {"keys", 'k', NULL, 0, "list every key with its default and meaning", 0},
    {"metrics", 'M', NULL, 0, "list every metric with its labels and meaning", 0},
    {"markdown", 'm', NULL, 0,
     "with --keys or --metrics: as the tables of engine/README.md and monitoring/METRICS.md", 0},
    {0}};

static error_t
parse_option(int key, char *arg, struct argp_state *state) {
  options_t *o = state->input;
  switch (key) {
  case 'c':
    o->config = arg;
    return 0;
  case 'k':
    o->keys = true;
    return 0;
  case 'M':
    o->metrics = true;
    return 0;
  case 'm':
    o->markdown = true;
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
    "Validate the configuration; each problem as FILE:LINE:COL: key: what is wrong; what to do."
    "\vExample:\n  mdengine check -c mdengine.yaml\n",
    NULL,
    NULL,
    NULL};

static void
print_budget(const md_config_t *cfg, const md_topology_t *t) {
  char line[MD_BUDGET_LINE_BYTES];
  for (unsigned kind = 0; kind < MD_BUDGET_CNT; kind++) {
    md_budget_line(cfg, t, (md_budget_kind_t)kind, line);
    (void)printf("budget  %s\n", line);
  }
}

static int
check_file(const char *file) {
  md_config_report_t report = md_cli_report(file);
  md_config_t       *cfg    = malloc(sizeof *cfg);
  md_topology_t     *t      = malloc(sizeof *t);
  md_msg_t           msg;
  int                status = MD_EXIT_USAGE;
  if (!cfg || !t) {
    status = md_cli_error(MD_ERR_NOMEM, "no memory for the configuration");
  } else if (md_config_load(file, cfg, &report) == MD_OK) {
    md_err_t err = md_topology_make(cfg, NULL, t, &msg);
    status       = err ? md_cli_error(err, msg.text) : MD_EXIT_OK;
    if (!err) {
      md_topology_print(t, stdout);
      print_budget(cfg, t);
      (void)printf("%s: ok\n", file);
    }
  }
  free(cfg);
  free(t);
  return status;
}

int
md_cmd_check(int argc, char **argv) {
  options_t o = {MD_DEFAULT_CONFIG, false, false, false};
  md_cli_parse(&argp, argc, argv, &o);
  if (!o.keys && !o.metrics) return check_file(o.config);
  if (o.keys) md_config_print_keys(stdout, o.markdown);
  if (o.metrics) md_prometheus_reference(stdout, o.markdown);
  return MD_EXIT_OK;
}
