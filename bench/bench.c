#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/calm.h"
#include "bench/compare.h"
#include "bench/plot.h"
#include "shm/clock.h"

#define SECONDS_DEFAULT 10u
#define SECONDS_MAX     3600u
#define SECONDS_SHORT   5u /* below: whether it works, not how fast */
#define ROUNDS_MAX      64u
#define SHM_DIR_MAX     64u

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
                                             .ratio_min      = MD_BENCH_NONE,
                                             .ratio_max      = MD_BENCH_NONE,
                                             .floor          = MD_BENCH_NONE,
                                             .target         = MD_BENCH_NONE,
                                             .curve          = {MD_BENCH_NONE}};
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

void
md_bench_ratio(md_bench_result_t *r, const md_bench_series_t *ratio) {
  md_bench_result_t of_ratio = {.min = MD_BENCH_NONE, .max = MD_BENCH_NONE};
  md_bench_spread(&of_ratio, ratio);
  r->ratio     = of_ratio.value;
  r->ratio_min = of_ratio.min;
  r->ratio_max = of_ratio.max;
}

const uint32_t md_bench_curve_ppm[MD_BENCH_CURVE_CNT] = {
    10000,  100000, 250000, 400000, 500000, 600000, 750000, 850000, 900000,
    950000, 975000, 990000, 995000, 999000, 999500, 999900, 999950, 999990};

void
md_bench_percentiles(md_bench_result_t *r, const md_hist_copy_t *h) {
  if (h->cnt == 0) return;
  r->p50  = (double)md_hist_quantile(h, 500000);
  r->p99  = (double)md_hist_quantile(h, 990000);
  r->p999 = (double)md_hist_quantile(h, 999000);
  r->top  = (double)h->max_ns;
  for (uint32_t i = 0; i < MD_BENCH_CURVE_CNT; i++)
    r->curve[i] = (double)md_hist_quantile(h, md_bench_curve_ppm[i]);
}

static unsigned    round_max;            /* of --rounds, 0 none */
static const char *shm_dir = "/dev/shm"; /* of --shm-dir */

const char *
md_bench_shm_dir(void) {
  return shm_dir;
}
static bool is_short;
static bool takes_all; /* of --disturbed */

bool
md_bench_may_go_on(uint32_t done, int64_t end_ns) {
  return round_max ? done < round_max : md_bench_now_ns() < end_ns;
}

bool
md_bench_is_patient(void) {
  return round_max == 0 && !is_short;
}

bool
md_bench_takes_all(void) {
  return takes_all;
}

unsigned
md_bench_rounds_or(unsigned usual) {
  return round_max ? round_max : usual;
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
    {"e2e", "from the wire to shared memory; sockets, feeds, start and attach", md_bench_e2e},
    {"journal", "records to durable beside what the disk does bare", md_bench_journal},
    {"replay", "recorded frames into the same books beside the live path", md_bench_replay},
    {"copy", "PostgreSQL from ring to committed beside COPY FROM file and psql", md_bench_copy},
    {"resident", "memory of an engine under full load, and what its feed thread asks for",
     md_bench_resident},
};

static void
print_usage(void) {
  printf("usage: mdengine bench [NAME...] [OPTION...]\n"
         "Measures this machine and this build beside baselines in the same run.\n");
  for (size_t i = 0; i < MD_CNT(measurements); i++)
    printf("  %-10s %s\n", measurements[i].name, measurements[i].summary);
  printf("  %-10s %s\n", "all", "all of them (default)");
  printf(
      "  --json             print JSON instead of a table\n"
      "  --seconds N        time for each, roughly (default 10)\n"
      "  --rounds N         so many rounds of each, however long they take\n"
      "  --disturbed        turns count however busy the machine was: to see that all works, not "
      "how fast\n"
      "  --plot DIR         write plots as SVG: percentiles of latency; cost against batch, "
      "symbols,\n"
      "                     readers and depth\n"
      "  --shm-dir DIR      tmpfs for shared memory (default /dev/shm), as shm_dir of the "
      "configuration\n"
      "  --compare OLD      name on stderr what got worse, beyond noise, than in this report of\n"
      "                     --json; then the exit status is 1\n"
      "example: mdengine bench book tick --seconds 5 --plot plots --compare yesterday.json\n");
}

static int
usage_error(const char *what, const char *which) {
  fprintf(stderr, "mdengine bench: %s '%s': see mdengine bench --help\n", what, which);
  return 2;
}

static bool
read_number(const char *text, unsigned max, unsigned *out) {
  char         *end;
  unsigned long v = strtoul(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != 0 || v < 1 || v > max) return false;
  *out = (unsigned)v;
  return true;
}

/* What the command line says. */
typedef struct options {
  bool        wanted[MD_CNT(measurements)], json, help;
  unsigned    seconds;
  const char *plot_dir, *old_file;
} options_t;

/* Adds the measurement of that name to those that are wanted. */
static bool
want(options_t *o, const char *name) {
  bool found = false;
  for (size_t i = 0; i < MD_CNT(measurements); i++) {
    if (strcmp(name, measurements[i].name) != 0 && strcmp(name, "all") != 0) continue;
    o->wanted[i] = true;
    found        = true;
  }
  return found;
}

/* An option with a value; 0, or the exit code. */
static int
read_valued(options_t *o, const char *name, const char *value) {
  if (value == NULL) return usage_error("a value must follow", name);
  if (strcmp(name, "--seconds") == 0) {
    if (!read_number(value, SECONDS_MAX, &o->seconds))
      return usage_error("not in 1 to 3600:", value);
  } else if (strcmp(name, "--rounds") == 0) {
    if (!read_number(value, ROUNDS_MAX, &round_max)) return usage_error("not in 1 to 64:", value);
  } else if (strcmp(name, "--plot") == 0) {
    o->plot_dir = value;
  } else if (strcmp(name, "--shm-dir") == 0) {
    if (strlen(value) > SHM_DIR_MAX) return usage_error("a folder's name is too long:", value);
    shm_dir = value;
  } else {
    o->old_file = value;
  }
  return 0;
}

static bool
has_value(const char *name) {
  return strcmp(name, "--seconds") == 0 || strcmp(name, "--rounds") == 0 ||
         strcmp(name, "--plot") == 0 || strcmp(name, "--compare") == 0 ||
         strcmp(name, "--shm-dir") == 0;
}

static int
read_options(options_t *o, int argc, char **argv) {
  bool any = false;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      o->help = true;
    } else if (strcmp(argv[i], "--json") == 0) {
      o->json = true;
    } else if (strcmp(argv[i], "--disturbed") == 0) {
      takes_all = true;
    } else if (has_value(argv[i])) {
      int status = read_valued(o, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
      if (status) return status;
      i++;
    } else if (want(o, argv[i])) {
      any = true;
    } else {
      return usage_error("unknown measurement or option", argv[i]);
    }
  }
  if (!any) (void)want(o, "all");
  return 0;
}

bool
md_bench_is_measurement(const char *name, size_t len) {
  for (size_t i = 0; i < MD_CNT(measurements); i++)
    if (strlen(measurements[i].name) == len && memcmp(measurements[i].name, name, len) == 0)
      return true;
  return false;
}

static bool
run_one(const measurement_t *m, md_bench_t *b) {
  const bool is_ring = m->run == md_bench_ring;
  if (is_ring) md_bench_rt_as_started(true);
  bool good = m->run(b);
  if (is_ring) md_bench_rt_as_started(false);
  return good;
}

int
md_bench_main(int argc, char **argv) {
  static md_bench_t     b, old; /* too large for a stack; the command runs once */
  static options_t      o;
  md_bench_comparison_t comparison = MD_BENCH_SAME;
  o.seconds                        = SECONDS_DEFAULT;
  int status                       = read_options(&o, argc, argv);
  if (status) return status;
  if (o.help) {
    print_usage();
    return 0;
  }
  b.seconds = o.seconds;
  is_short  = o.seconds < SECONDS_SHORT;
  md_bench_rt_begin();
  if (o.old_file && !md_bench_report_read(&old, o.old_file)) return 2;
  if (o.plot_dir && !md_bench_plot_begin(o.plot_dir)) return 2;
  for (size_t i = 0; i < MD_CNT(measurements); i++)
    if (o.wanted[i] && !run_one(&measurements[i], &b)) return 1;
  if (o.json) {
    md_bench_json_print(&b);
  } else {
    md_bench_table_print(&b);
  }
  if (o.old_file) comparison = md_bench_compare(&b, &old, o.old_file);
  if (o.plot_dir && !md_bench_plot(&b, o.plot_dir)) return 1;
  return comparison == MD_BENCH_UNKNOWN ? 2 : comparison == MD_BENCH_WORSE ? 1 : 0;
}
