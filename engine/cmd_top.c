/* cmd_top.c - mdengine top: a running engine on a terminal, or once as text or JSON. */
#include "engine/live.h"
#include "engine/screen.h"
#include "engine/status_print.h"
#include "engine/top.h"
#include "monitoring/status_window.h"

#include <stdlib.h>
#include <time.h>

#define ONCE_COLS     80u
#define ONCE_WINDOW_S 0.2
#define WINDOW_S      10.0

typedef struct options {
  md_live_t live;
  double    every_s;
  double    window_s; /* 0: not said */
  bool      once, json;
} options_t;

static const struct argp_option option_rows[] = {
    {"once", '1', NULL, 0, "print one picture as plain text and end", 0},
    {"json", 'j', NULL, 0, "with --once: as one JSON object", 0},
    {"delay", 'd', "SECONDS", 0, "time between two pictures (default 1)", 0},
    {"window", 'w', "SECONDS", 0,
     "latencies of so many last seconds (default 10); with --once it waits so long, and without it "
     "they are since the engine's start",
     0},
    MD_LIVE_OPTIONS,
    {0}};

static error_t
parse_option(int key, char *arg, struct argp_state *state) {
  options_t *o = state->input;
  char      *end;
  switch (key) {
  case '1':
    o->once = true;
    return 0;
  case 'j':
    o->json = true;
    return 0;
  case 'd':
    o->every_s = strtod(arg, &end);
    if (*end || o->every_s < 0.1 || o->every_s > 60.0)
      argp_error(state, "--delay wants 0.1 to 60 seconds, not '%s'", arg);
    return 0;
  case 'w':
    o->window_s = strtod(arg, &end);
    if (*end || o->window_s < 0.1 || o->window_s > 600.0)
      argp_error(state, "--window wants 0.1 to 600 seconds, not '%s'", arg);
    return 0;
  case ARGP_KEY_ARG:
    argp_error(state, "unexpected argument '%s'", arg);
    return ARGP_ERR_UNKNOWN;
  case ARGP_KEY_END:
    if (o->json && !o->once) argp_error(state, "--json goes with --once");
    return 0;
  default:
    return md_live_option(key, arg, &o->live);
  }
}

static const struct argp argp = {
    option_rows,
    parse_option,
    "",
    "Watch a running engine: feeds, rates, gaps, rings, sinks, latencies, positions. Reads shared "
    "memory only; ? shows the keys."
    "\vExamples:\n  mdengine top\n  mdengine top --once --json --window 5\n",
    NULL,
    NULL,
    NULL};

typedef struct work {
  md_status_source_t  source;
  md_status_view_t    view, before;
  md_status_window_t *window; /* NULL: latencies since the start */
  md_top_t            top;
  md_page_t           page;
  bool                wants_books; /* of every feed: JSON */
} work_t;

static void
take(work_t *w) {
  const md_status_feed_t *feed = md_top_feed(&w->top, &w->view);
  bool                    open = w->top.screen == MD_TOP_FEED && feed;
  if (!w->wants_books) {
    w->source.book_feed = open ? mdshm_feed_find(w->source.shm, feed->feed.name) : 0;
    w->source.book_max  = open ? MD_STATUS_BOOKS_MAX : 0;
  }
  w->before = w->view;
  md_status_take(&w->source, &w->before, &w->view);
  if (w->window) md_status_window_take(w->window, &w->source, &w->view);
}

static int
print_once(const options_t *o, work_t *w) {
  const double    wait_s = o->window_s > 0.0 ? o->window_s : ONCE_WINDOW_S;
  struct timespec pause  = {(time_t)wait_s, (long)((wait_s - (double)(time_t)wait_s) * 1e9)};
  (void)nanosleep(&pause, NULL); /* a rate needs two pictures */
  take(w);
  if (o->json) {
    md_status_print_json(&w->view);
  } else {
    md_page_begin(&w->page, md_top_rows(&w->view), ONCE_COLS);
    md_top_draw(&w->top, &w->view, true, &w->page);
    md_page_print(&w->page, stdout);
  }
  return MD_EXIT_OK;
}

static void
draw(work_t *w) {
  uint32_t rows, cols;
  md_screen_size(&rows, &cols);
  md_page_begin(&w->page, rows, cols);
  md_top_draw(&w->top, &w->view, false, &w->page);
  md_screen_draw(&w->page);
}

static int
show(const options_t *o, work_t *w) {
  md_msg_t msg;
  md_err_t err      = md_screen_open(&msg);
  int64_t  every_ns = (int64_t)(o->every_s * 1e9);
  if (err) return md_cli_error(err, msg.text);
  int64_t next_ns = md_clock_mono_ns(w->source.clock) + every_ns;
  bool    goes_on = true;
  while (goes_on) {
    draw(w);
    int64_t left_ns = next_ns - md_clock_mono_ns(w->source.clock);
    int     key     = left_ns > 0 ? md_screen_key((int)(left_ns / 1000000) + 1) : MD_KEY_NONE;
    goes_on         = md_top_key(&w->top, &w->view, key);
    if (md_clock_mono_ns(w->source.clock) < next_ns && key != MD_KEY_ENTER) continue;
    if (!w->top.is_paused) take(w);
    next_ns = md_clock_mono_ns(w->source.clock) + every_ns;
  }
  md_screen_close();
  return MD_EXIT_OK;
}

int
md_cmd_top(int argc, char **argv) {
  options_t o = {.every_s = 1.0};
  md_cli_parse(&argp, argc, argv, &o);
  int status = md_live_open(&o.live);
  if (status) return status;
  work_t *w = calloc(1, sizeof *w);
  if (w && (!o.once || o.window_s > 0.0)) {
    w->window = md_status_window_new((int64_t)((o.window_s > 0.0 ? o.window_s : WINDOW_S) * 1e9));
    if (!w->window) {
      free(w);
      w = NULL;
    }
  }
  if (w) {
    w->source =
        (md_status_source_t){o.live.shm,        o.live.dir,     o.live.name,
                             md_clock_system(), MDSHM_ANY_FEED, o.json ? MD_STATUS_BOOKS_MAX : 0};
    w->wants_books = o.json;
    md_top_init(&w->top);
    take(w);
    status = o.once ? print_once(&o, w) : show(&o, w);
  } else {
    status = md_cli_error(MD_ERR_NOMEM, "no memory for the picture");
  }
  if (w) md_status_window_free(w->window);
  free(w);
  mdshm_close(o.live.shm);
  return status;
}
