/* Which results stand in which plot, over what. */
#include "bench/plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/plot_svg.h"

/* ---- percentiles of latency ---- */

static const md_plot_tick_t percentile_ticks[] = {
    {1, "0 %"},       {2, "50 %"},        {10, "90 %"},        {100, "99 %"},
    {1000, "99.9 %"}, {10000, "99.99 %"}, {100000, "99.999 %"}};

static bool
is_of(const md_bench_result_t *r, const char *measurement) {
  size_t len = strlen(measurement);
  return strncmp(r->name, measurement, len) == 0 && r->name[len] == '.';
}

static bool
plot_latency(const md_bench_t *b, const char *dir, const char *measurement) {
  static md_plot_t p;
  char             title[64], file[64];
  (void)snprintf(title, sizeof title, "%s: latency by percentile", measurement);
  (void)snprintf(file, sizeof file, "latency_%s.svg", measurement);
  p = (md_plot_t){.title    = title,
                  .x_label  = "percentile",
                  .y_label  = "time",
                  .ticks    = percentile_ticks,
                  .tick_cnt = MD_CNT(percentile_ticks)};
  for (uint32_t i = 0; i < b->result_cnt; i++) {
    const md_bench_result_t *r = &b->results[i];
    if (!is_of(r, measurement) || r->curve[0] < 0) continue;
    md_plot_line_t *line = md_plot_line(&p, r->name);
    for (uint32_t k = 0; line && k < MD_BENCH_CURVE_CNT; k++)
      md_plot_point(line, 1e6 / (1e6 - md_bench_curve_ppm[k]), r->curve[k]);
  }
  return md_plot_write(&p, dir, file);
}

/* ---- costs ---- */

typedef struct point {
  double      x;
  const char *name; /* of the result */
} point_t;

typedef struct line {
  const char *name;
  point_t     points[8];
} line_t;

typedef struct chart {
  const char *file, *title, *x_label, *y_label;
  line_t      lines[6];
} chart_t;

static const chart_t charts[] = {
    {"cost_batch.svg",
     "A record through the ring, published in batches",
     "records published at once",
     "time for a record",
     {{"ring, two threads",
       {{1, "ring.every_1"},
        {2, "ring.every_2"},
        {4, "ring.every_4"},
        {8, "ring.every_8"},
        {16, "ring.every_16"},
        {32, "ring.every_32"},
        {64, "ring.every_64"}}}}},
    {"cost_rows.svg",
     "A row into PostgreSQL, by COPY in batches",
     "rows in a batch",
     "time for a row",
     {{"one connection", {{10000, "copy.rows_10k"}, {100000, "copy.rows_100k"}}}}},
    {"cost_symbols.svg",
     "A message to its book in shared memory, instruments at random",
     "instruments",
     "time for a message",
     {{"decode, apply, publish",
       {{1, "tick.1"}, {100, "tick.100"}, {1000, "tick.1000"}, {10000, "tick.10000"}}},
      {"the same, a reader",
       {{1, "tick.1.readers_1"}, {100, "tick.100.readers_1"}, {10000, "tick.10000.readers_1"}}},
      {"publish alone",
       {{1, "book.publish.1"},
        {100, "book.publish.100"},
        {1000, "book.publish.1000"},
        {10000, "book.publish.10000"}}}}},
    {"cost_readers.svg",
     "A message to its book in shared memory, beside readers that never rest",
     "readers",
     "time for a message",
     {{"1 instrument",
       {{1, "tick.1.readers_1"}, {8, "tick.1.readers_8"}, {64, "tick.1.readers_64"}}},
      {"100 instruments",
       {{1, "tick.100.readers_1"}, {8, "tick.100.readers_8"}, {64, "tick.100.readers_64"}}},
      {"10,000 instruments",
       {{1, "tick.10000.readers_1"}, {8, "tick.10000.readers_8"}, {64, "tick.10000.readers_64"}}},
      {"publish alone, 1 instrument",
       {{1, "book.publish.1.readers_1"},
        {8, "book.publish.1.readers_8"},
        {64, "book.publish.1.readers_64"}}}}},
    {"cost_depth.svg",
     "Reading a book, by how much of it",
     "levels a side",
     "time of a read",
     {{"no writer",
       {{1, "book.top"}, {20, "book.ladder"}, {100, "book.depth_100"}, {1000, "book.depth_1000"}}},
      {"1 M updates a second",
       {{1, "book.top.at_1m"},
        {20, "book.ladder.at_1m"},
        {100, "book.depth_100.at_1m"},
        {1000, "book.depth_1000.at_1m"}}},
      {"a writer flat out",
       {{1, "book.top.flat_out"},
        {20, "book.ladder.flat_out"},
        {100, "book.depth_100.flat_out"},
        {1000, "book.depth_1000.flat_out"}}}}},
    {"cost_sockets.svg",
     "A message received, by how many sockets a thread has",
     "sockets",
     "time for a message",
     {{"equal total rate", {{1, "e2e.sockets_1"}, {64, "e2e.sockets_64"}}}}},
};

/* Nanoseconds for each, whatever the unit; MD_BENCH_NONE when it is none of time. */
static double
cost_ns(const md_bench_t *b, const char *name) {
  for (uint32_t i = 0; i < b->result_cnt; i++) {
    const md_bench_result_t *r = &b->results[i];
    if (strcmp(r->name, name) != 0 || r->value <= 0) continue;
    if (strcmp(r->unit, "ns") == 0) return r->value;
    if (strcmp(r->unit, "M/s") == 0) return 1e3 / r->value;
    if (strcmp(r->unit, "k/s") == 0) return 1e6 / r->value;
  }
  return MD_BENCH_NONE;
}

static bool
plot_cost(const md_bench_t *b, const char *dir, const chart_t *c) {
  static md_plot_t p;
  p = (md_plot_t){.title = c->title, .x_label = c->x_label, .y_label = c->y_label};
  for (size_t i = 0; i < MD_CNT(c->lines) && c->lines[i].name; i++) {
    md_plot_line_t *line = md_plot_line(&p, c->lines[i].name);
    for (size_t k = 0; line && k < MD_CNT(c->lines[i].points) && c->lines[i].points[k].name; k++)
      md_plot_point(line, c->lines[i].points[k].x, cost_ns(b, c->lines[i].points[k].name));
  }
  return md_plot_write(&p, dir, c->file);
}

bool
md_bench_plot_begin(const char *dir) {
  struct stat st;
  if (mkdir(dir, 0755) == 0 || (errno == EEXIST && stat(dir, &st) == 0 && S_ISDIR(st.st_mode)))
    return true;
  fprintf(stderr, "mdengine bench: --plot %s: cannot make this folder: %s\n", dir, strerror(errno));
  return false;
}

bool
md_bench_plot(const md_bench_t *b, const char *dir) {
  static const char *const measurements[] = {"ring",      "book",    "tape", "tick",
                                             "transport", "journal", "copy", "e2e"};
  bool                     good           = true;
  for (size_t i = 0; i < MD_CNT(measurements) && good; i++)
    good = plot_latency(b, dir, measurements[i]);
  for (size_t i = 0; i < MD_CNT(charts) && good; i++)
    good = plot_cost(b, dir, &charts[i]);
  return good;
}
