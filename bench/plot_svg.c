#include "bench/plot_svg.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "shm/base.h"

#define WIDTH      960.0
#define HEIGHT     480.0
#define LEFT       84.0
#define RIGHT      660.0 /* of the axes; names of the lines stand behind it */
#define TOP        52.0
#define BOTTOM     410.0
#define LABEL_STEP 22.0
#define MARK_SPACE 34.0 /* marks of the x axis that are nearer are left out */

/* To be read on white and on black. */
static const char *const colours[MD_PLOT_LINE_MAX] = {
    "#2f81f7", "#e5534b", "#2da44e", "#bf8700", "#a371f7", "#db61a2", "#1b9aaa", "#8c959f",
    "#e16f24", "#7aa317", "#6e7bd9", "#b08d57", "#d4526e", "#3fa37f", "#9e6ab8", "#798a3c"};

static const char style[] =
    "<style>.plot{fill:#1f2328}.page{fill:#fff}.grid{stroke:#d0d7de;stroke-width:1}"
    "@media (prefers-color-scheme:dark){.plot{fill:#e6edf3}.page{fill:#0d1117}"
    ".grid{stroke:#30363d}}</style>\n";

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

/* 5000 nanoseconds as "5 us". */
static void
time_text(double ns, char *out, size_t out_bytes) {
  if (ns >= 1e9) {
    (void)snprintf(out, out_bytes, "%g s", ns / 1e9);
  } else if (ns >= 1e6) {
    (void)snprintf(out, out_bytes, "%g ms", ns / 1e6);
  } else if (ns >= 1e3) {
    (void)snprintf(out, out_bytes, "%g \xc2\xb5s", ns / 1e3);
  } else {
    (void)snprintf(out, out_bytes, "%g ns", ns);
  }
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

static bool
is_near(double at, const double *marked, uint32_t cnt) {
  for (uint32_t i = 0; i < cnt; i++)
    if (fabs(marked[i] - at) < MARK_SPACE) return true;
  return false;
}

static void
write_x_axis(FILE *f, const md_plot_t *p, const range_t *x) {
  const double edge = 1e-6;
  double       marked[32];
  uint32_t     marked_cnt = 0;
  char         text[32];
  for (uint32_t i = 0; i < p->tick_cnt; i++) {
    double at = log10(p->ticks[i].x);
    if (at >= x->low - edge && at <= x->high + edge)
      x_mark(f, x_at(x, p->ticks[i].x), p->ticks[i].text);
  }
  for (uint32_t i = 0; p->tick_cnt == 0 && i < p->line_cnt; i++)
    for (uint32_t k = 0; k < p->line[i].cnt; k++) {
      double at = x_at(x, p->line[i].x[k]);
      if (is_near(at, marked, marked_cnt)) continue;
      if (marked_cnt < MD_CNT(marked)) marked[marked_cnt++] = at;
      number_text(p->line[i].x[k], text, sizeof text);
      x_mark(f, at, text);
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
      time_text(v, text, sizeof text);
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
          "height=\"%.0f\" font-family=\"sans-serif\" font-size=\"13\" class=\"plot\">\n%s"
          "<rect width=\"100%%\" height=\"100%%\" class=\"page\"/>\n"
          "<text x=\"%.1f\" y=\"28\" font-size=\"16\" font-weight=\"bold\">%s</text>\n",
          WIDTH, HEIGHT, WIDTH, HEIGHT, style, LEFT, p->title);
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
