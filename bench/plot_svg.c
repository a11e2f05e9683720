#include "bench/plot_svg.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDTH      960.0
#define HEIGHT     480.0
#define LEFT       84.0
#define RIGHT      660.0 /* of the axes; names of the lines stand behind it */
#define TOP        52.0
#define BOTTOM     410.0
#define LABEL_STEP 26.0

static const char *const colours[MD_PLOT_LINE_MAX] = {"#1f6feb", "#d1242f", "#1a7f37", "#9a6700",
                                                      "#8250df", "#bf3989", "#0a7c86", "#57606a",
                                                      "#bc4c00", "#4d7c0f", "#0550ae", "#7d4e00"};

/* Logarithms of what an axis shows. */
typedef struct range {
  double low, high;
} range_t;

md_plot_line_t *
md_plot_line(md_plot_t *p, const char *name) {
  if (p->line_cnt == MD_PLOT_LINE_MAX) return NULL;
  md_plot_line_t *line = &p->line[p->line_cnt++];
  line->name           = name;
  line->cnt            = 0;
  return line;
}

void
md_plot_point(md_plot_line_t *line, double x, double y) {
  if (line->cnt == MD_PLOT_POINT_MAX || !(x > 0) || !(y > 0)) return;
  line->x[line->cnt]   = x;
  line->y[line->cnt++] = y;
}

static void
drop_short_lines(md_plot_t *p) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < p->line_cnt; i++)
    if (p->line[i].cnt >= 2) p->line[kept++] = p->line[i];
  p->line_cnt = kept;
}

static void
find_ranges(const md_plot_t *p, range_t *x, range_t *y) {
  *x = *y = (range_t){HUGE_VAL, -HUGE_VAL};
  for (uint32_t i = 0; i < p->line_cnt; i++) {
    for (uint32_t k = 0; k < p->line[i].cnt; k++) {
      x->low  = fmin(x->low, log10(p->line[i].x[k]));
      x->high = fmax(x->high, log10(p->line[i].x[k]));
      y->low  = fmin(y->low, log10(p->line[i].y[k]));
      y->high = fmax(y->high, log10(p->line[i].y[k]));
    }
  }
  if (x->high - x->low < 0.1) x->high = x->low + 0.1;
  y->low  = floor(y->low * 2 - 0.05) / 2; /* halves of a decade */
  y->high = ceil(y->high * 2 + 0.05) / 2;
}

static double
x_at(const range_t *r, double v) {
  return LEFT + (log10(v) - r->low) / (r->high - r->low) * (RIGHT - LEFT);
}

static double
y_at(const range_t *r, double v) {
  return BOTTOM - (log10(v) - r->low) / (r->high - r->low) * (BOTTOM - TOP);
}

/* 1000 as "1,000", 1000000 as "1 M": for the marks of an axis. */
static void
number_text(double v, char *out, size_t out_bytes) {
  if (v >= 1e6) {
    (void)snprintf(out, out_bytes, "%g M", v / 1e6);
  } else if (v >= 1e3) {
    (void)snprintf(out, out_bytes, "%d,%03d", (int)(v / 1e3), (int)fmod(v, 1e3));
  } else {
    (void)snprintf(out, out_bytes, "%g", v);
  }
}

static void
x_mark(FILE *f, double at, const char *text) {
  fprintf(f,
          "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n"
          "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
          at, TOP, at, BOTTOM, at, BOTTOM + 20, text);
}

static void
write_x_axis(FILE *f, const md_plot_t *p, const range_t *x) {
  const double edge = 1e-6;
  char         text[32];
  for (uint32_t i = 0; i < p->tick_cnt; i++) {
    double at = log10(p->ticks[i].x);
    if (at >= x->low - edge && at <= x->high + edge)
      x_mark(f, x_at(x, p->ticks[i].x), p->ticks[i].text);
  }
  for (int n = (int)floor(x->low); p->tick_cnt == 0 && n <= (int)ceil(x->high); n++) {
    if (n < x->low - edge || n > x->high + edge) continue;
    number_text(pow(10, n), text, sizeof text);
    x_mark(f, x_at(x, pow(10, n)), text);
  }
  fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", (LEFT + RIGHT) / 2,
          BOTTOM + 44, p->x_label);
}

static void
write_y_axis(FILE *f, const md_plot_t *p, const range_t *y) {
  static const double steps[] = {1, 2, 5};
  char                text[32];
  for (int n = (int)floor(y->low); n <= (int)ceil(y->high); n++) {
    for (unsigned k = 0; k < 3; k++) {
      double v = steps[k] * pow(10, n), at = log10(v);
      if (at < y->low - 1e-6 || at > y->high + 1e-6) continue;
      number_text(v, text, sizeof text);
      fprintf(f,
              "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n"
              "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
              LEFT, y_at(y, v), RIGHT, y_at(y, v), LEFT - 8, y_at(y, v) + 4, text);
    }
  }
  fprintf(f,
          "<text x=\"20\" y=\"%.1f\" text-anchor=\"middle\" transform=\"rotate(-90 20 %.1f)\">"
          "%s</text>\n",
          (TOP + BOTTOM) / 2, (TOP + BOTTOM) / 2, p->y_label);
}

/* Names stand where their lines end, moved apart so that each can be read. */
static void
write_names(FILE *f, const md_plot_t *p, const range_t *x, const range_t *y) {
  uint32_t order[MD_PLOT_LINE_MAX];
  double   at[MD_PLOT_LINE_MAX], next = TOP;
  for (uint32_t i = 0; i < p->line_cnt; i++) {
    uint32_t k = i;
    at[i]      = y_at(y, p->line[i].y[p->line[i].cnt - 1]);
    for (; k > 0 && at[order[k - 1]] > at[i]; k--)
      order[k] = order[k - 1];
    order[k] = i;
  }
  for (uint32_t i = 0; i < p->line_cnt; i++) {
    const md_plot_line_t *line  = &p->line[order[i]];
    double                below = BOTTOM - (double)(p->line_cnt - 1 - i) * LABEL_STEP;
    double                place = fmax(next, fmin(at[order[i]], below));
    next                        = place + LABEL_STEP;
    fprintf(f,
            "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
            "stroke-width=\"0.7\" stroke-dasharray=\"2 3\"/>\n"
            "<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\">%s</text>\n",
            x_at(x, line->x[line->cnt - 1]), at[order[i]], RIGHT + 20, place, colours[order[i]],
            RIGHT + 24, place + 4, colours[order[i]], line->name);
  }
}

static void
write_lines(FILE *f, const md_plot_t *p, const range_t *x, const range_t *y) {
  for (uint32_t i = 0; i < p->line_cnt; i++) {
    const md_plot_line_t *line = &p->line[i];
    fprintf(f, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colours[i]);
    for (uint32_t k = 0; k < line->cnt; k++)
      fprintf(f, "%s%.1f,%.1f", k ? " " : "", x_at(x, line->x[k]), y_at(y, line->y[k]));
    fprintf(f, "\"/>\n");
    for (uint32_t k = 0; k < line->cnt && p->tick_cnt == 0; k++)
      fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>\n", x_at(x, line->x[k]),
              y_at(y, line->y[k]), colours[i]);
  }
}

bool
md_plot_write(md_plot_t *p, const char *dir, const char *file) {
  char    path[4096];
  range_t x, y;
  drop_short_lines(p);
  if (p->line_cnt == 0) return true;
  find_ranges(p, &x, &y);
  int   len = snprintf(path, sizeof path, "%s/%s", dir, file);
  FILE *f   = len < (int)sizeof path ? fopen(path, "w") : NULL;
  if (f == NULL) {
    fprintf(stderr, "mdengine bench: cannot write %s/%s: %s\n", dir, file, strerror(errno));
    return false;
  }
  fprintf(f,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
          "height=\"%.0f\" font-family=\"sans-serif\" font-size=\"13\">\n"
          "<style>.grid{stroke:#d0d7de;stroke-width:1}</style>\n"
          "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
          "<text x=\"%.1f\" y=\"28\" font-size=\"16\" font-weight=\"bold\">%s</text>\n",
          WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT, p->title);
  write_x_axis(f, p, &x);
  write_y_axis(f, p, &y);
  write_lines(f, p, &x, &y);
  write_names(f, p, &x, &y);
  fprintf(f, "</svg>\n");
  bool bad = ferror(f) != 0;
  bad |= fclose(f) != 0;
  if (bad) fprintf(stderr, "mdengine bench: cannot write %s: %s\n", path, strerror(errno));
  return !bad;
}
