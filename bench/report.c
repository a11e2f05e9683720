/* The two forms of a report: a table for people, JSON for programs. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/calm.h"

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* The model of the processor, "unknown" where the kernel does not tell. */
static void
cpu_model(char *out, size_t out_bytes) {
  char  line[512];
  FILE *f = fopen("/proc/cpuinfo", "r");
  snprintf(out, out_bytes, "unknown");
  while (f != NULL && fgets(line, sizeof line, f) != NULL) {
    char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || colon == NULL) continue;
    colon[1 + strcspn(colon + 1, "\n")] = 0;
    snprintf(out, out_bytes, "%s", colon + 1 + strspn(colon + 1, " "));
    break;
  }
  if (f != NULL) fclose(f);
}

static void
cell(double v, const char *format) {
  char text[32];
  if (v < 0) {
    snprintf(text, sizeof text, "-");
  } else {
    /* The format is one of the literals below. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, format, v);
#pragma GCC diagnostic pop
  }
  printf(" %9s", text);
}

int
md_bench_keeps(const md_bench_result_t *r, double bound) {
  double v = r->is_value ? r->value : r->ratio;
  if (v < 0 || bound < 0) return -1;
  return r->is_cost ? v <= bound : v >= bound;
}

void
md_bench_table_print(const md_bench_t *b) {
  static const char *const words[] = {"-", "no", "yes"};
  char                     model[128];
  cpu_model(model, sizeof model);
  printf("%s, %ld processors online, %s\n", model, sysconf(_SC_NPROCESSORS_ONLN), COMPILER);
  printf("%s\n\n",
         md_bench_rt_has()
             ? "Turns on two processors had real-time priority."
             : "No real-time priority was to be had (CAP_SYS_NICE or ulimit -r): whatever "
               "else runs is in the figures.");
  printf("%-32s %9s %-5s %9s %9s %9s %9s %9s %9s  %-28s %9s %7s %6s %6s %s\n", "measurement",
         "median", "unit", "min", "max", "p50 ns", "p99 ns", "p99.9 ns", "worst ns", "baseline",
         "value", "ratio", "floor", "target", "holds");
  for (uint32_t i = 0; i < b->result_cnt; i++) {
    const md_bench_result_t *r = &b->results[i];
    printf("%-32s", r->name);
    cell(r->value, "%.1f");
    printf(" %-5s", r->unit);
    cell(r->min, "%.1f");
    cell(r->max, "%.1f");
    cell(r->p50, "%.0f");
    cell(r->p99, "%.0f");
    cell(r->p999, "%.0f");
    cell(r->top, "%.0f");
    printf("  %-28s", r->baseline ? r->baseline : "-");
    cell(r->baseline_value, "%.1f");
    printf(" ");
    cell(r->ratio, "%.2fx");
    cell(r->floor, "%.2f");
    cell(r->target, "%.2f");
    printf(" %s%s%s\n", words[md_bench_keeps(r, r->floor) + 1], r->note ? "  not measured: " : "",
           r->note ? r->note : "");
  }
  printf(
      "\nA ratio is how many times better than the baseline; for round trips, how many times its "
      "cost.\nbench/README.md says what is measured and what the limits are.\n");
}

static void
json_number(const char *key, double v) {
  if (v < 0) {
    printf(",\"%s\":null", key);
  } else {
    printf(",\"%s\":%.6g", key, v);
  }
}

/* Texts here come from literals and the kernel: quotes, backslashes and controls become spaces. */
static void
json_text(const char *s) {
  putchar('"');
  for (; *s; s++)
    putchar(*s == '"' || *s == '\\' || (unsigned char)*s < 0x20 ? ' ' : *s);
  putchar('"');
}

void
md_bench_json_print(const md_bench_t *b) {
  static const char *const words[] = {"null", "false", "true"};
  char                     model[128];
  struct utsname           system_name = {0};
  cpu_model(model, sizeof model);
  (void)uname(&system_name);
  printf("{\"machine\":{\"cpu\":");
  json_text(model);
  printf(",\"cpu_cnt\":%ld,\"kernel\":", sysconf(_SC_NPROCESSORS_ONLN));
  json_text(system_name.release);
  printf(",\"arch\":");
  json_text(system_name.machine);
  printf(",\"compiler\":");
  json_text(COMPILER);
  printf(",\"realtime\":%s", md_bench_rt_has() ? "true" : "false");
  printf("},\"results\":[");
  for (uint32_t i = 0; i < b->result_cnt; i++) {
    const md_bench_result_t *r = &b->results[i];
    printf("%s{\"name\":", i ? "," : "");
    json_text(r->name);
    json_number("value", r->value);
    printf(",\"unit\":");
    json_text(r->unit);
    json_number("min", r->min);
    json_number("max", r->max);
    json_number("p50_ns", r->p50);
    json_number("p99_ns", r->p99);
    json_number("p999_ns", r->p999);
    json_number("max_ns", r->top);
    if (r->baseline == NULL) {
      printf(",\"baseline\":null");
    } else {
      printf(",\"baseline\":{\"name\":");
      json_text(r->baseline);
      json_number("value", r->baseline_value);
      putchar('}');
    }
    json_number("ratio", r->ratio);
    json_number("ratio_min", r->ratio_min);
    json_number("ratio_max", r->ratio_max);
    json_number("floor", r->floor);
    json_number("target", r->target);
    printf(",\"holds\":%s,\"why\":", words[md_bench_keeps(r, r->floor) + 1]);
    if (r->note) {
      json_text(r->note);
    } else {
      printf("null");
    }
    putchar('}');
  }
  printf("]}\n");
}
