#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "shm/clock.h"

#define SECONDS_DEFAULT 10u
#define SECONDS_MAX     3600u

md_bench_result_t *
md_bench_add(md_bench_t *b, const char *name, const char *unit) {
  md_assert(b->result_cnt < MD_BENCH_RESULT_MAX);
  md_bench_result_t *r = &b->results[b->result_cnt++];
  *r                   = (md_bench_result_t){.name           = name,
                                             .unit           = unit,
                                             .value          = MD_BENCH_NONE,
                                             .min            = MD_BENCH_NONE,
                                             .max            = MD_BENCH_NONE,
                                             .p50            = MD_BENCH_NONE,
                                             .p99            = MD_BENCH_NONE,
                                             .p999           = MD_BENCH_NONE,
                                             .top            = MD_BENCH_NONE,
                                             .baseline_value = MD_BENCH_NONE,
                                             .ratio          = MD_BENCH_NONE,
                                             .floor          = MD_BENCH_NONE,
                                             .target         = MD_BENCH_NONE};
  return r;
}

void
md_bench_push(md_bench_series_t *s, double v) {
  if (s->cnt < MD_BENCH_ROUND_MAX) s->v[s->cnt++] = v;
}

static int
compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double
md_bench_median(const md_bench_series_t *s) {
  if (s->cnt == 0) return MD_BENCH_NONE;
  md_bench_series_t copy = *s;
  qsort(copy.v, copy.cnt, sizeof copy.v[0], compare_doubles);
  uint32_t half = copy.cnt / 2;
  return copy.cnt % 2 ? copy.v[half] : (copy.v[half - 1] + copy.v[half]) / 2;
}

void
md_bench_spread(md_bench_result_t *r, const md_bench_series_t *s) {
  r->value = md_bench_median(s);
  for (uint32_t i = 0; i < s->cnt; i++) {
    if (i == 0 || s->v[i] < r->min) r->min = s->v[i];
    if (i == 0 || s->v[i] > r->max) r->max = s->v[i];
  }
}

int64_t
md_bench_now_ns(void) {
  return md_clock_mono_ns(md_clock_system());
}

int64_t
md_bench_switches(void) {
  struct rusage u;
  if (getrusage(RUSAGE_THREAD, &u) != 0) return 0;
  return u.ru_nivcsw;
}

uint64_t
md_bench_tick(void) {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return (uint64_t)md_bench_now_ns();
#endif
}

double
md_bench_tick_ns(void) {
  static double tick_ns; /* a constant of the machine, measured on first use */
  if (tick_ns > 0) return tick_ns;
  int64_t  start_ns = md_bench_now_ns(), now_ns;
  uint64_t start    = md_bench_tick();
  do {
    now_ns = md_bench_now_ns();
  } while (now_ns - start_ns < 20000000);
  tick_ns = (double)(now_ns - start_ns) / (double)(md_bench_tick() - start);
  return tick_ns;
}

static const char usage[] =
    "usage: mdengine bench [ring|decode|all] [--json] [--seconds N]\n"
    "Measures this machine and this build beside baselines in the same run.\n"
    "  ring       our ring beside ck_ring and a reference ring, two pinned threads\n"
    "  decode     our JSON decoding beside simdjson, on the same bytes\n"
    "  all        both (default)\n"
    "  --json     print JSON instead of a table\n"
    "  --seconds  time for each, roughly (default 10)\n"
    "example: mdengine bench decode --seconds 5\n";

static int
usage_error(const char *what, const char *which) {
  fprintf(stderr, "mdengine bench: %s '%s': see mdengine bench --help\n", what, which);
  return 2;
}

static bool
read_seconds(const char *text, unsigned *out) {
  char         *end;
  unsigned long v = strtoul(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != 0 || v < 1 || v > SECONDS_MAX) return false;
  *out = (unsigned)v;
  return true;
}

int
md_bench_main(int argc, char **argv) {
  static md_bench_t b; /* too large for a stack; the command runs once */
  bool              ring = false, decode = false, json = false;
  b.seconds = SECONDS_DEFAULT;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      fputs(usage, stdout);
      return 0;
    } else if (strcmp(argv[i], "--json") == 0) {
      json = true;
    } else if (strcmp(argv[i], "--seconds") == 0) {
      if (++i == argc) return usage_error("a number must follow", "--seconds");
      if (!read_seconds(argv[i], &b.seconds)) return usage_error("not in 1 to 3600:", argv[i]);
    } else if (strcmp(argv[i], "ring") == 0) {
      ring = true;
    } else if (strcmp(argv[i], "decode") == 0) {
      decode = true;
    } else if (strcmp(argv[i], "all") == 0) {
      ring = decode = true;
    } else {
      return usage_error("unknown measurement or option", argv[i]);
    }
  }
  if (!ring && !decode) ring = decode = true;
  if (ring && !md_bench_ring(&b)) return 1;
  if (decode && !md_bench_decode(&b)) return 1;
  if (json) {
    md_bench_json_print(&b);
  } else {
    md_bench_table_print(&b);
  }
  return 0;
}
