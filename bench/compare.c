#include "bench/compare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feeds/json.h"

#define FILE_BYTES_MAX (1u << 20)
#define STEP_MIN       0.05 /* a smaller change is none */

/* ---- reading ---- */

/* The file's text with what a cursor may read behind it; NULL: told. */
static uint8_t *
read_text(const char *file, size_t *len) {
  uint8_t *text = calloc(1, FILE_BYTES_MAX + MD_FRAME_PAD_BYTES);
  FILE    *f    = fopen(file, "r");
  if (f == NULL || text == NULL) {
    fprintf(stderr, "mdengine bench: --compare %s: %s\n", file, strerror(f ? ENOMEM : errno));
    if (f) (void)fclose(f);
    free(text);
    return NULL;
  }
  *len     = fread(text, 1, FILE_BYTES_MAX, f);
  bool bad = ferror(f) || !feof(f);
  (void)fclose(f);
  if (!bad) return text;
  fprintf(stderr, "mdengine bench: --compare %s: cannot be read, or is above 1 MiB\n", file);
  free(text);
  return NULL;
}

/* Texts stay where they are in the file and end at their closing quote. */
static bool
read_string(md_json_t *j, const char **out) {
  const uint8_t *s;
  uint32_t       len;
  if (!md_json_string(j, &s, &len) || j->has_escape) return false;
  *out = (const char *)s;
  return true;
}

static bool
read_double(md_json_t *j, double *out) {
  const uint8_t *s;
  uint32_t       len;
  char           text[64];
  if (md_json_null_if(j)) return true;
  if (!md_json_number(j, &s, &len) || len >= sizeof text) return false;
  memcpy(text, s, len);
  text[len] = 0;
  *out      = strtod(text, NULL);
  return true;
}

static bool
read_result(md_json_t *j, md_bench_t *old) {
  md_bench_result_t *r = md_bench_add(old, NULL, NULL);
  const uint8_t     *key;
  uint32_t           len;
  bool               good = md_json_object_begin(j);
  while (good && md_json_key(j, &key, &len)) {
    if (md_json_is(key, len, "name")) {
      good = read_string(j, &r->name);
    } else if (md_json_is(key, len, "unit")) {
      good = read_string(j, &r->unit);
    } else if (md_json_is(key, len, "value")) {
      good = read_double(j, &r->value);
    } else if (md_json_is(key, len, "min")) {
      good = read_double(j, &r->min);
    } else if (md_json_is(key, len, "max")) {
      good = read_double(j, &r->max);
    } else if (md_json_is(key, len, "ratio")) {
      good = read_double(j, &r->ratio);
    } else if (md_json_is(key, len, "ratio_min")) {
      good = read_double(j, &r->ratio_min);
    } else if (md_json_is(key, len, "ratio_max")) {
      good = read_double(j, &r->ratio_max);
    } else {
      good = md_json_skip(j);
    }
  }
  return good && j->err == MD_OK && r->name != NULL && r->unit != NULL;
}

static bool
read_report(md_json_t *j, md_bench_t *old) {
  const uint8_t *key;
  uint32_t       len;
  bool           good = md_json_object_begin(j), found = false;
  while (good && md_json_key(j, &key, &len)) {
    if (!md_json_is(key, len, "results")) {
      good = md_json_skip(j);
      continue;
    }
    found = true;
    good  = md_json_array_begin(j);
    while (good && md_json_element(j))
      good = old->result_cnt < MD_BENCH_RESULT_MAX && read_result(j, old);
  }
  return good && found && md_json_finish(j) == MD_OK;
}

/* The part of a result's name that says which measurement it is of. */
static size_t
measurement_len(const char *name) {
  return strcspn(name, ".");
}

bool
md_bench_report_read(md_bench_t *old, const char *file) {
  size_t    len  = 0;
  uint8_t  *text = read_text(file, &len); /* never freed: the names stand in it */
  md_json_t j;
  if (text == NULL) return false;
  md_json_init(&j, text, len);
  if (!read_report(&j, old)) {
    fprintf(stderr, "mdengine bench: --compare %s: not a report that mdengine bench --json wrote\n",
            file);
    free(text);
    old->result_cnt = 0;
    return false;
  }
  for (uint32_t i = 0; i < old->result_cnt; i++) {
    md_bench_result_t *r                                                      = &old->results[i];
    text[(const uint8_t *)r->name - text + (ptrdiff_t)strcspn(r->name, "\"")] = 0;
    text[(const uint8_t *)r->unit - text + (ptrdiff_t)strcspn(r->unit, "\"")] = 0;
    if (md_bench_is_measurement(r->name, measurement_len(r->name))) continue;
    fprintf(stderr, "mdengine bench: --compare %s: '%s' is of no measurement of this program\n",
            file, r->name);
    return false;
  }
  return true;
}

/* ---- comparing ---- */

/* One number of a result with its range over the rounds. */
typedef struct figure {
  double value, min, max;
} figure_t;

static figure_t
figure_of(const md_bench_result_t *r, bool is_ratio) {
  figure_t f = is_ratio ? (figure_t){r->ratio, r->ratio_min, r->ratio_max}
                        : (figure_t){r->value, r->min, r->max};
  if (f.min < 0 || f.min > f.value) f.min = f.value; /* no rounds are known */
  if (f.max < f.value) f.max = f.value;
  return f;
}

/* Is a worse than b, smaller being better, beyond the noise of both? */
static bool
is_above(figure_t a, figure_t b) {
  return a.value > b.value * (1 + STEP_MIN) && a.value > b.max && b.value < a.min;
}

static bool
is_less_better(const md_bench_result_t *r, bool is_ratio) {
  if (is_ratio || r->is_value) return r->is_cost;
  return strstr(r->unit, "/s") == NULL; /* times and bytes, not rates */
}

static const md_bench_result_t *
find(const md_bench_t *b, const char *name) {
  for (uint32_t i = 0; i < b->result_cnt; i++)
    if (strcmp(b->results[i].name, name) == 0) return &b->results[i];
  return NULL;
}

/* Did the measurement run that a result belongs to? */
static bool
ran(const md_bench_t *b, const char *name) {
  size_t len = measurement_len(name);
  for (uint32_t i = 0; i < b->result_cnt; i++)
    if (measurement_len(b->results[i].name) == len && memcmp(b->results[i].name, name, len) == 0)
      return true;
  return false;
}

/* 1 worse, -1 better, 0 neither; both have a value. */
static int
compare(const md_bench_result_t *now, const md_bench_result_t *old) {
  bool     is_ratio = now->ratio >= 0 && old->ratio >= 0;
  figure_t a = figure_of(now, is_ratio), b = figure_of(old, is_ratio);
  bool     less   = is_less_better(now, is_ratio);
  bool     worse  = less ? is_above(a, b) : is_above(b, a);
  bool     better = less ? is_above(b, a) : is_above(a, b);
  if (worse || better)
    fprintf(stderr, "%s: %s: %s %.4g (%.4g to %.4g) -> %.4g (%.4g to %.4g)\n",
            worse ? "worse" : "better", now->name, is_ratio ? "ratio" : now->unit, b.value, b.min,
            b.max, a.value, a.min, a.max);
  return worse ? 1 : better ? -1 : 0;
}

md_bench_comparison_t
md_bench_compare(const md_bench_t *b, const md_bench_t *old, const char *file) {
  unsigned compared = 0, worse = 0, better = 0, unknown = 0;
  for (uint32_t i = 0; i < old->result_cnt; i++) {
    const md_bench_result_t *was = &old->results[i], *now = find(b, was->name);
    if (now == NULL && ran(b, was->name)) {
      fprintf(stderr, "mdengine bench: --compare %s: '%s' is no result of this program\n", file,
              was->name);
      unknown++;
    }
    if (now == NULL || now->value < 0 || was->value < 0) continue;
    compared++;
    int verdict = compare(now, was);
    worse += verdict > 0;
    better += verdict < 0;
  }
  fprintf(stderr, "%u results compared with %s: %u worse, %u better\n", compared, file, worse,
          better);
  return unknown ? MD_BENCH_UNKNOWN : worse ? MD_BENCH_WORSE : MD_BENCH_SAME;
}
