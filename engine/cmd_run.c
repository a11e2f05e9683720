/* cmd_run.c - mdengine run: one engine in the foreground. */
#include "engine/cli.h"
#include "engine/crash.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct options {
  const char *config;
  const char *feed;
} options_t;

static const struct argp_option option_rows[] = {
    {"config", 'c', "FILE", 0, "configuration (default " MD_DEFAULT_CONFIG ")", 0},
    {"feed", 'f', "FEED", 0, "run only this feed of the configuration", 0},
    {0}};

static error_t
parse_option(int key, char *arg, struct argp_state *state) {
  options_t *o = state->input;
  switch (key) {
  case 'c':
    o->config = arg;
    return 0;
  case 'f':
    o->feed = arg;
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
    "Run the engine in the foreground until SIGTERM or Ctrl-C; then it drains to "
    "durable and committed, and stops."
    "\vExample:\n  mdengine run -c mdengine.yaml\n",
    NULL,
    NULL,
    NULL};

/* Every thread inherits this mask; the main thread waits for these signals. */
static void
block_signals(void) {
  sigset_t set;
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGINT);
  (void)sigaddset(&set, SIGTERM);
  (void)sigaddset(&set, SIGHUP);
  (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static int
run_engine(const md_config_t *cfg, const char *feed) {
  md_log_t     log;
  md_engine_t *engine;
  md_msg_t     msg;
  md_log_init(&log, STDERR_FILENO, cfg->engine.log_format == 1,
              (md_log_level_t)cfg->engine.log_level, md_clock_system());
  block_signals();
  md_err_t err = cfg->engine.log_file[0] ? md_log_open(&log, cfg->engine.log_file, &msg) : MD_OK;
  for (uint32_t f = 0; !err && f < cfg->feed_cnt; f++)
    if (cfg->feed[f].enabled && cfg->feed[f].log_file[0])
      err = md_log_feed_open(&log, cfg->feed[f].name, cfg->feed[f].log_file, &msg);
  if (err) return md_cli_error(MD_ERR_CONFIG, msg.text);
  md_crash_arm(cfg->journal.dir, cfg->engine.name);
  err = md_engine_start(cfg, feed, &log, &engine, &msg);
  if (err) return md_cli_error(err, msg.text);
  int status = md_engine_run(engine);
  if (status == MD_EXIT_STUCK) _exit(MD_EXIT_RESTART); /* to stop would wait for that thread */
  err = md_engine_stop(engine);
  md_log(&log, MD_LOG_INFO, "engine", "stopped%s", err ? ", not everything was drained" : "");
  return err && status == MD_EXIT_OK ? MD_EXIT_FAILED : status;
}

int
md_cmd_run(int argc, char **argv) {
  options_t o = {MD_DEFAULT_CONFIG, NULL};
  md_cli_parse(&argp, argc, argv, &o);
  md_config_report_t report = md_cli_report(o.config);
  md_config_t       *cfg    = malloc(sizeof *cfg);
  if (!cfg) return md_cli_error(MD_ERR_NOMEM, "no memory for the configuration");
  int status = md_config_load(o.config, cfg, &report) ? MD_EXIT_USAGE : run_engine(cfg, o.feed);
  free(cfg);
  return status;
}
