/* plot_svg.h - one plot with two logarithmic axes, written as an SVG file.
 *
 * The caller adds lines and points; points without a positive value are left out, lines without two
 * points too. Axes follow from what is there; y is time, in nanoseconds. Colours are for light and
 * for dark pages. Called by plot.c only. */
#ifndef BENCH_PLOT_SVG_H
#define BENCH_PLOT_SVG_H

#include <stdbool.h>
#include <stdint.h>

#define MD_PLOT_LINE_MAX  16u
#define MD_PLOT_POINT_MAX 20u

typedef struct md_plot_line {
  const char *name;
  uint32_t    cnt;
  double      x[MD_PLOT_POINT_MAX], y[MD_PLOT_POINT_MAX];
} md_plot_line_t;

/* A mark of the x axis; without any the points of the lines are marked. */
typedef struct md_plot_tick {
  double      x;
  const char *text;
} md_plot_tick_t;

typedef struct md_plot {
  const char           *title, *x_label, *y_label;
  const md_plot_tick_t *ticks;
  uint32_t              tick_cnt, line_cnt;
  md_plot_line_t        line[MD_PLOT_LINE_MAX];
} md_plot_t;

/* md_plot_line begins a line; NULL when there are enough. The name must live as long as the plot.
 */
md_plot_line_t *md_plot_line(md_plot_t *p, const char *name);
void            md_plot_point(md_plot_line_t *line, double x, double y);

/* md_plot_write writes the file unless there is nothing to show; false: told on stderr. */
bool md_plot_write(md_plot_t *p, const char *dir, const char *file);

#endif
