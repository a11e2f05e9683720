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
md_bench_cycle(void) {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return (uint64_t)md_bench_now_ns();
#endif
}

double
md_bench_cycle_ns(void) {
  static double tick_ns; /* a constant of the machine, measured on first use */
  if (tick_ns > 0) return tick_ns;
  int64_t  start_ns = md_bench_now_ns(), now_ns;
  uint64_t start    = md_bench_cycle();
  do {
    now_ns = md_bench_now_ns();
  } while (now_ns - start_ns < 20000000);
  tick_ns = (double)(now_ns - start_ns) / (double)(md_bench_cycle() - start);
  return tick_ns;
}

/* What can be measured. The command line names rows. */
typedef struct measurement {
  const char *name, *summary;
  bool (*run)(md_bench_t *b);
} measurement_t;

static const measurement_t measurements[] = {
    {"ring", "our ring beside ck_ring and a reference ring, two pinned threads", md_bench_ring},
    {"decode", "our JSON decoding beside simdjson, on the same bytes", md_bench_decode},
    {"book", "reading and writing books in shared memory beside plain copies", md_bench_book},
    {"tape", "the broadcast ring of records beside plain copies", md_bench_tape},
    {"tick", "from a message to its book in shared memory, readers and symbols", md_bench_tick},
    {"transport", "our WebSocket client beside libwebsockets and beside bare reads",
     md_bench_transport},
    {"journal", "records to durable beside what the disk does bare", md_bench_journal},
    {"replay", "recorded frames into the same books beside the live path", md_bench_replay},
};

static void
print_usage(void) {
  printf("usage: mdengine bench [NAME...] [--json] [--seconds N]\n"
         "Measures this machine and this build beside baselines in the same run.\n");
  for (size_t i = 0; i < MD_CNT(measurements); i++)
    printf("  %-10s %s\n", measurements[i].name, measurements[i].summary);
  printf("  %-10s %s\n", "all", "all of them (default)");
  printf("  %-10s %s\n", "--json", "print JSON instead of a table");
  printf("  %-10s %s\n", "--seconds", "time for each, roughly (default 10)");
  printf("example: mdengine bench book tick --seconds 5\n");
}

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

/* Adds the measurement of that name to those that are wanted. */
static bool
want(const char *name, bool *wanted) {
  bool found = false;
  for (size_t i = 0; i < MD_CNT(measurements); i++) {
    if (strcmp(name, measurements[i].name) != 0 && strcmp(name, "all") != 0) continue;
    wanted[i] = true;
    found     = true;
  }
  return found;
}

int
md_bench_main(int argc, char **argv) {
  static md_bench_t b; /* too large for a stack; the command runs once */
  bool              wanted[MD_CNT(measurements)] = {false}, json = false, any = false;
  b.seconds = SECONDS_DEFAULT;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      print_usage();
      return 0;
    } else if (strcmp(argv[i], "--json") == 0) {
      json = true;
    } else if (strcmp(argv[i], "--seconds") == 0) {
      if (++i == argc) return usage_error("a number must follow", "--seconds");
      if (!read_seconds(argv[i], &b.seconds)) return usage_error("not in 1 to 3600:", argv[i]);
    } else if (want(argv[i], wanted)) {
      any = true;
    } else {
      return usage_error("unknown measurement or option", argv[i]);
    }
  }
  if (!any) (void)want("all", wanted);
  for (size_t i = 0; i < MD_CNT(measurements); i++)
    if (wanted[i] && !measurements[i].run(&b)) return 1;
  if (json) {
    md_bench_json_print(&b);
  } else {
    md_bench_table_print(&b);
  }
  return 0;
}
