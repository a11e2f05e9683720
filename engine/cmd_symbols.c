/* cmd_symbols.c - mdengine symbols: what a running engine knows. */
#include "engine/live.h"

#include <string.h>

typedef struct options {
  md_live_t   live;
  const char *pattern;
  bool        json;
} options_t;

static const struct argp_option option_rows[] = {
    {"json", 'j', NULL, 0, "print one JSON array", 0}, MD_LIVE_OPTIONS, {0}};

static error_t
parse_option(int key, char *arg, struct argp_state *state) {
  options_t *o = state->input;
  if (key == 'j') {
    o->json = true;
    return 0;
  }
  if (key == ARGP_KEY_ARG) {
    if (state->arg_num > 0) argp_error(state, "one pattern at a time");
    o->pattern = arg;
    return 0;
  }
  return md_live_option(key, arg, &o->live);
}

static const struct argp argp = {option_rows,
                                 parse_option,
                                 "[PATTERN]",
                                 "List the instruments of a running engine; PATTERN is a shell "
                                 "pattern over raw or normalised symbols."
                                 "\vExample:\n  mdengine symbols 'BTC-*'\n",
                                 NULL,
                                 NULL,
                                 NULL};

static void
print_json(const mdshm_instrument_t *i, const mdshm_feed_t *feed, const char *state, bool first) {
  char tick[MD_DECIMAL_BYTES], lot[MD_DECIMAL_BYTES];
  (void)printf("%s{\"feed\":", first ? "" : ",");
  md_cli_json_string(stdout, feed->name);
  (void)printf(",\"symbol\":");
  md_cli_json_string(stdout, i->symbol);
  (void)printf(",\"normalised\":");
  md_cli_json_string(stdout, i->normalised);
  (void)printf(",\"id\":%u,\"state\":\"%s\",\"px_exp\":%d,\"qty_exp\":%d", i->id, state, i->px_exp,
               i->qty_exp);
  if (i->tick_size != MDSHM_ABSENT_I64)
    (void)printf(",\"tick_size\":\"%s\"", md_cli_decimal(i->tick_size, i->px_exp, tick));
  if (i->lot_size != MDSHM_ABSENT_I64)
    (void)printf(",\"lot_size\":\"%s\"", md_cli_decimal(i->lot_size, i->qty_exp, lot));
  (void)printf("}");
}

static void
print_row(const mdshm_instrument_t *i, const mdshm_feed_t *feed, const char *state) {
  char tick[MD_DECIMAL_BYTES], lot[MD_DECIMAL_BYTES];
  (void)printf("%-20s %-16s %-16s %-8s %14s %14s\n", feed->name, i->symbol, i->normalised, state,
               md_cli_decimal(i->tick_size, i->px_exp, tick),
               md_cli_decimal(i->lot_size, i->qty_exp, lot));
}

static void
list(const options_t *o) {
  uint32_t           next = 0, shown = 0;
  mdshm_instrument_t i = {.struct_size = sizeof i};
  (void)printf("%s", o->json ? "[" : "");
  if (!o->json)
    (void)printf("%-20s %-16s %-16s %-8s %14s %14s\n", "feed", "symbol", "normalised", "state",
                 "tick", "lot");
  while (mdshm_instrument_next(o->live.shm, MDSHM_ANY_FEED, o->pattern, &next, &i) == MDSHM_OK) {
    mdshm_feed_t feed = {.struct_size = sizeof feed};
    mdshm_bbo_t  bbo  = {.struct_size = sizeof bbo};
    if (mdshm_feed(o->live.shm, i.feed, &feed)) continue;
    mdshm_result_t result = mdshm_read_bbo(o->live.shm, i.row, MD_LIVE_MAX_AGE_NS, &bbo);
    const char    *state  = result == MDSHM_OK || result == MDSHM_NOT_VALID
                                ? mdshm_state_name(bbo.state)
                                : mdshm_result_name(result);
    if (o->json)
      print_json(&i, &feed, state, shown == 0);
    else
      print_row(&i, &feed, state);
    shown++;
  }
  (void)printf("%s", o->json ? "]\n" : "");
}

int
md_cmd_symbols(int argc, char **argv) {
  options_t o = {0};
  md_cli_parse(&argp, argc, argv, &o);
  int status = md_live_open(&o.live);
  if (status) return status;
  list(&o);
  mdshm_close(o.live.shm);
  return MD_EXIT_OK;
}
