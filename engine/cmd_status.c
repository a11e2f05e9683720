/* cmd_status.c - mdengine status: one picture, or a screen that is drawn again and again. */
#include "engine/live.h"
#include "engine/status_print.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

typedef struct options {
  md_live_t live;
  double    every_s; /* 0: once */
  bool      json;
} options_t;

static const struct argp_option option_rows[] = {
    {"json", 'j', NULL, 0, "print one JSON object", 0},
    {"watch", 'w', "SECONDS", OPTION_ARG_OPTIONAL,
     "draw again every SECONDS (default 1) until the engine stops", 0},
    MD_LIVE_OPTIONS,
    {0}};

static error_t
parse_option(int key, char *arg, struct argp_state *state) {
  options_t *o = state->input;
  char      *end;
  switch (key) {
  case 'j':
    o->json = true;
    return 0;
  case 'w':
    o->every_s = arg ? strtod(arg, &end) : 1.0;
    if (arg && (*end || o->every_s < 0.1 || o->every_s > 3600.0))
      argp_error(state, "--watch wants 0.1 to 3600 seconds, not '%s'", arg);
    return 0;
  case ARGP_KEY_ARG:
    argp_error(state, "unexpected argument '%s'", arg);
    return ARGP_ERR_UNKNOWN;
  default:
    return md_live_option(key, arg, &o->live);
  }
}

static const struct argp argp = {option_rows,
                                 parse_option,
                                 "",
                                 "Show feeds, sinks, positions, rates and latencies of a running "
                                 "engine. Reads shared memory only. Exit status 1 "
                                 "when a feed is not live."
                                 "\vExamples:\n  mdengine status\n  mdengine status --watch\n",
                                 NULL,
                                 NULL,
                                 NULL};

static void
pause_for(double seconds) {
  struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
  (void)nanosleep(&t, NULL);
}

static void
watch(const options_t *o, const md_status_source_t *source, md_status_view_t *view,
      md_status_view_t *before) {
  do {
    *before = *view;
    pause_for(o->every_s);
    md_status_take(source, before, view);
    (void)printf("%s", o->json ? "" : "\033[H\033[J");
    if (o->json)
      md_status_print_json(view);
    else
      md_status_print_text(view);
    (void)fflush(stdout);
  } while (!ferror(stdout) && view->check == MDSHM_OK);
}

int
md_cmd_status(int argc, char **argv) {
  options_t o = {0};
  md_cli_parse(&argp, argc, argv, &o);
  int status = md_live_open(&o.live);
  if (status) return status;
  md_status_view_t *view = calloc(2, sizeof *view);
  if (!view) {
    mdshm_close(o.live.shm);
    return md_cli_error(MD_ERR_NOMEM, "no memory for the status");
  }
  md_status_source_t source = {
      o.live.shm,        o.live.dir,     o.live.name,
      md_clock_system(), MDSHM_ANY_FEED, o.json ? MD_STATUS_BOOKS_MAX : MD_STATUS_BOOKS_USUAL};
  md_status_take(&source, NULL, view);
  if (o.every_s > 0) {
    watch(&o, &source, view, view + 1);
  } else {
    /* A rate needs two pictures. */
    view[1] = view[0];
    pause_for(0.2);
    md_status_take(&source, view + 1, view);
    if (o.json)
      md_status_print_json(view);
    else
      md_status_print_text(view);
  }
  for (uint32_t i = 0; i < view->feed_cnt; i++)
    status |= view->feed[i].health != MDSHM_OK;
  free(view);
  mdshm_close(o.live.shm);
  return status;
}
