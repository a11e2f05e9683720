/* metric.h - the metric block of one thread: every counter of the table and one histogram a stage.
 * Written by its thread with plain loads and stores, read by anybody. */
#ifndef SHM_METRIC_H
#define SHM_METRIC_H

#include "shm/hist.h"
#include "shm/metric_table.h"

typedef enum md_counter {
#define MD_COUNTER_ENUM(ID, kind, name, help) MD_COUNTER_##ID,
  MD_COUNTER_TABLE(MD_COUNTER_ENUM)
#undef MD_COUNTER_ENUM
      MD_COUNTER_CNT
} md_counter_t;

typedef enum md_stage {
#define MD_STAGE_ENUM(ID, name, help) MD_STAGE_##ID,
  MD_STAGE_TABLE(MD_STAGE_ENUM)
#undef MD_STAGE_ENUM
      MD_STAGE_CNT
} md_stage_t;

#define MD_METRIC_RECORD_CNT 32u /* record types fit, with room for more */

typedef struct md_metrics {
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 counter[MD_COUNTER_CNT];
  _Alignas(MD_CACHE_BLOCK) md_hist_t stage[MD_STAGE_CNT];
  /* Records published by type (record_table.h); feed threads. */
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 record[MD_METRIC_RECORD_CNT];
} md_metrics_t;

typedef struct md_counter_info {
  const char *name;
  const char *help;
  bool        is_gauge;
} md_counter_info_t;

extern const md_counter_info_t md_counter_info[MD_COUNTER_CNT];
extern const char *const       md_stage_name[MD_STAGE_CNT]; /* "mdengine_stage_..._seconds" */

/* Owner thread only. m may be NULL: then nothing is counted (offline replay). */
static inline void
md_count(md_metrics_t *m, md_counter_t id, uint64_t n) {
  if (m) md_bump(&m->counter[id], n);
}

static inline void
md_gauge(md_metrics_t *m, md_counter_t id, uint64_t value) {
  if (m) md_store_relaxed(&m->counter[id], value); /* relaxed: a number by itself, orders nothing */
}

static inline void
md_count_record(md_metrics_t *m, uint32_t type) {
  if (m) md_bump(&m->record[type % MD_METRIC_RECORD_CNT], 1);
}

static inline void
md_stage_add(md_metrics_t *m, md_stage_t id, int64_t ns) {
  if (m) md_hist_add(&m->stage[id], ns);
}

#endif
