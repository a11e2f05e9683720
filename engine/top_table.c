/* top_table.c - the table of feeds: its columns, and what stands in a cell. */
#include "engine/cli.h"
#include "engine/top.h"

#include <inttypes.h>
#include <string.h>

const md_top_column_t md_top_column[MD_TOP_COLUMN_CNT] = {
    [MD_TOP_NAME] = {"feed", 19, true},        [MD_TOP_STATE] = {"state", 10, true},
    [MD_TOP_MESSAGES] = {"msg/s", 6, false},   [MD_TOP_RECORDS] = {"rec/s", 7, false},
    [MD_TOP_BOOKS] = {"books", 9, false},      [MD_TOP_GAPS] = {"gaps", 5, false},
    [MD_TOP_RECONNECTS] = {"recon", 5, false}, [MD_TOP_LOST] = {"lost", 5, false},
    [MD_TOP_RING] = {"ring", 4, false},        [MD_TOP_P50] = {"P50", 7, false},
    [MD_TOP_P99] = {"P99", 7, false},          [MD_TOP_P999] = {"P99.9", 7, false},
    [MD_TOP_PARSE] = {"parse", 6, false},      [MD_TOP_CPU] = {"cpu", 5, false},
    [MD_TOP_MEMORY] = {"MiB", 7, false},       [MD_TOP_PUBLISHED] = {"published", 12, false},
    [MD_TOP_DURABLE] = {"durable", 12, false}, [MD_TOP_STORED] = {"stored", 12, false}};

const md_status_ring_t *
md_top_ring(const md_status_view_t *view, const char *feed, const char *sink) {
  size_t len = strlen(feed);
  for (uint32_t i = 0; i < view->ring_cnt; i++) {
    const char *name = view->ring[i].name;
    if (strncmp(name, feed, len) == 0 && name[len] == '.' && strcmp(name + len + 1, sink) == 0)
      return &view->ring[i];
  }
  return NULL;
}

/* Of the fuller ring of a feed, in percent; -1 when nothing is known. */
static double
ring_percent(const md_status_view_t *view, const char *feed) {
  static const char *const sinks[] = {"journal", "postgres"};
  double                   most    = -1.0;
  for (size_t i = 0; i < MD_CNT(sinks); i++) {
    const md_status_ring_t *r = md_top_ring(view, feed, sinks[i]);
    if (!r || r->capacity_bytes == 0) continue;
    double used = (double)r->used_bytes * 100.0 / (double)r->capacity_bytes;
    if (used > most) most = used;
  }
  return most;
}

bool
md_top_is_recent(const md_top_t *top, const md_status_view_t *view) {
  return !top->is_since_start && view->recent_s > 0.0;
}

static const md_latency_t *
visible(const md_top_t *top, const md_status_view_t *view, const md_status_feed_t *f) {
  return md_top_is_recent(top, view) ? &f->recent.visible : &f->start.visible;
}

/* What a column sorts by. */
double
md_top_value(const md_top_t *top, const md_status_view_t *view, const md_status_feed_t *f,
             uint32_t column) {
  switch (column) {
  case MD_TOP_MESSAGES:
    return f->frames_per_s;
  case MD_TOP_RECORDS:
    return f->records_per_s;
  case MD_TOP_BOOKS:
    return (double)f->books_valid;
  case MD_TOP_GAPS:
    return (double)f->gaps;
  case MD_TOP_RECONNECTS:
    return (double)f->reconnects;
  case MD_TOP_LOST:
    return (double)f->lost;
  case MD_TOP_RING:
    return ring_percent(view, f->feed.name);
  case MD_TOP_P50:
    return (double)visible(top, view, f)->p50_ns;
  case MD_TOP_P99:
    return (double)visible(top, view, f)->p99_ns;
  case MD_TOP_P999:
    return (double)visible(top, view, f)->p999_ns;
  case MD_TOP_PARSE:
    return (double)f->parse_errors;
  case MD_TOP_CPU:
    return f->cpu;
  case MD_TOP_MEMORY:
    return (double)f->memory;
  case MD_TOP_PUBLISHED:
    return (double)f->stream.published_seq;
  case MD_TOP_DURABLE:
    return (double)f->stream.durable_seq;
  case MD_TOP_STORED:
    return (double)f->stream.stored_seq;
  default:
    return 0.0;
  }
}

/* Whole numbers that fit stay as they are; others lose digits and say so: 123k, 4M, 5G. */
static void
count_text(double value, uint32_t width, char out[32]) {
  static const char units[] = " kMGT";
  size_t            unit    = 0;
  int               len     = snprintf(out, 32, "%.0f", value);
  while ((uint32_t)len > width && unit + 2 < sizeof units) {
    value /= 1000.0;
    unit++;
    len = snprintf(out, 32, "%.0f%c", value, units[unit]);
  }
}

void
md_top_cell(const md_top_t *top, const md_status_view_t *view, const md_status_feed_t *f,
            uint32_t column, char out[64]) {
  char   number[32];
  double value = md_top_value(top, view, f, column);
  switch (column) {
  case MD_TOP_NAME:
    (void)snprintf(out, 64, "%s", f->feed.name);
    return;
  case MD_TOP_STATE:
    (void)snprintf(out, 64, "%s", md_status_health(f));
    return;
  case MD_TOP_BOOKS:
    (void)snprintf(out, 64, "%" PRIu64 "/%" PRIu64, f->books_valid, f->books);
    return;
  case MD_TOP_RING:
    if (value < 0)
      (void)snprintf(out, 64, "-");
    else
      (void)snprintf(out, 64, "%.0f%%", value);
    return;
  case MD_TOP_P50:
  case MD_TOP_P99:
  case MD_TOP_P999:
    (void)md_cli_time((uint64_t)value, number);
    (void)snprintf(out, 64, "%s", visible(top, view, f)->cnt ? number : "-");
    return;
  case MD_TOP_CPU:
    (void)snprintf(out, 64, "%.0f%%", value * 100.0);
    return;
  case MD_TOP_MEMORY:
    (void)snprintf(out, 64, "%.1f", value / 1048576.0);
    return;
  default:
    count_text(value, md_top_column[column].width, number);
    (void)snprintf(out, 64, "%s", number);
  }
}
