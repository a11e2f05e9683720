/* bench journal: how fast records become durable, and how soon, beside what the disk does bare. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/calm.h"
#include "bench/crowd.h"
#include "bench/durable.h"
#include "bench/rig.h"
#include "bench/rounds.h"
#include "bench/store.h"
#include "writers/journal_file.h"
#include "writers/journal_scan.h"
#include "writers/journal_sink.h"

#define WRITE_TURN_NS 300000000
#define WARM_NS       40000000
#define LONG_TURN_NS  20000000000
#define FRAME_BYTES   1536u /* a depth update of 1.4 KB as it was received */
#define BATCH_CNT     16u
#define SEGMENT_BYTES (256ull << 20) /* the configuration's default */
#define NEED_BYTES    (4ull << 30)
#define FILE_BYTES    (512ull << 20)
#define SCAN_BYTES    (1ull << 30)
#define RETIRE_NS     5000000
#define SYNC_NS       10000000 /* the journal's interval */

typedef struct journal {
  md_bench_store_t store;
  md_bench_rig_t   flow, group; /* policies interval and batch */
  md_bench_rig_t   scanned;
  uint64_t         scanned_seq;
  char             scanned_path[MD_JOURNAL_PATH_BYTES];
  const char      *broken; /* what went wrong for good */
} journal_t;

/* ---- flat out ---- */

static void
pause_for(long ns) {
  struct timespec t = {.tv_nsec = ns};
  (void)nanosleep(&t, NULL);
}

/* Thread 0 is the feed, thread 1 the engine's background pass. */
static void
feed_flat_out(void *ctx, uint32_t index, const md_atomic_u64 *stop) {
  journal_t *j = ctx;
  while (index == 1 && md_load_relaxed(stop) == 0) {
    md_bench_rig_retire(&j->flow);
    pause_for(RETIRE_NS);
  }
  if (index == 1) return;
  while (md_load_relaxed(stop) == 0) {
    bool    has_room = true;
    int64_t now_ns   = md_clock_real_ns(md_clock_system());
    for (uint32_t i = 0; has_room && i < BATCH_CNT; i++)
      has_room = md_bench_rig_put(&j->flow, FRAME_BYTES, now_ns);
    md_bench_rig_publish(&j->flow);
    if (!has_room) pause_for(20000);
  }
}

/* A turn's time is over; where every turn is to have a figure, not before it has one. */
static bool
may_end(int64_t took_ns, int64_t seen_ns) {
  if (took_ns < WARM_NS + WRITE_TURN_NS) return false;
  return !md_bench_takes_all() || seen_ns >= WRITE_TURN_NS / 2 || took_ns > LONG_TURN_NS;
}

/* From one advance of what is durable to another: MB a second. */
static double
flow_rate(journal_t *j) {
  int64_t  begin_ns = md_bench_now_ns(), first_ns = 0, last_ns = 0, now_ns = begin_ns;
  uint64_t seen = md_bench_rig_durable(&j->flow), first = 0, last = 0;
  while (!may_end(now_ns - begin_ns, last_ns - first_ns) && !md_bench_interrupted()) {
    if (!md_bench_rig_turn(&j->flow)) return MD_BENCH_NONE;
    uint64_t durable = md_bench_rig_durable(&j->flow);
    now_ns           = md_bench_now_ns();
    if (durable == seen) continue;
    seen = durable;
    if (now_ns < begin_ns + WARM_NS) continue;
    if (first == 0) first_ns = now_ns;
    if (first == 0) first = durable;
    last    = durable;
    last_ns = now_ns;
  }
  if (last_ns - first_ns < WRITE_TURN_NS / 2) return MD_BENCH_NONE;
  return (double)(last - first) * FRAME_BYTES * 1e3 / (double)(last_ns - first_ns);
}

static double
write_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  journal_t      *j = ctx;
  md_bench_calm_t calm;
  (void)cell;
  (void)hist;
  if (j->broken || md_bench_interrupted()) return MD_BENCH_NONE;
  if (!md_bench_crowd_start(2, feed_flat_out, j)) return MD_BENCH_NONE;
  md_bench_others_begin(&calm);
  double value = flow_rate(j);
  (void)md_bench_crowd_stop(); /* the two of it share a processor */
  if (!md_bench_rig_drain(&j->flow)) j->broken = "the journal does not become durable";
  return md_bench_others_end(&calm) ? value : MD_BENCH_NONE;
}

enum { BARE, SYNCED, FIO };

static double
disk_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  journal_t      *j = ctx;
  md_bench_calm_t calm;
  (void)hist;
  md_bench_others_begin(&calm);
  double value = cell->a == FIO ? md_bench_fio(&j->store, WRITE_TURN_NS)
                                : md_bench_overwrite(&j->store, WRITE_TURN_NS,
                                                     cell->a == SYNCED ? SYNC_NS : 0);
  return md_bench_others_end(&calm) ? value : MD_BENCH_NONE;
}

/* ---- after a crash ---- */

/* As the next start looks at the last segment; GB a second. */
static double
scan_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  static md_journal_scan_t scan;
  journal_t               *j = ctx;
  (void)hist;
  if (j->broken || md_bench_interrupted()) return MD_BENCH_NONE;
  md_msg_t        msg = {0};
  md_bench_calm_t calm;
  md_bench_calm_begin(&calm);
  int64_t begin_ns = md_bench_now_ns();
  if (cell->a == 0) {
    double value = md_bench_sum_file(j->scanned_path);
    return md_bench_calm_judge(md_bench_calm_lost_ppm(&calm), MD_BENCH_LOST_MAX_PPM)
               ? value
               : MD_BENCH_NONE;
  }
  md_err_t err      = md_journal_scan_segment(NULL, j->scanned.dir, 1, 0, &scan, &msg);
  double   ns       = (double)(md_bench_now_ns() - begin_ns);
  uint64_t lost_ppm = md_bench_calm_lost_ppm(&calm);
  if (err || scan.info.damaged_cnt > 0 || scan.info.torn_bytes > 0 ||
      md_journal_marks_seq(&scan.marks, MD_BENCH_RIG_STREAM + 1, 1) != j->scanned_seq)
    j->broken = "the journal is not what was written";
  if (!md_bench_calm_judge(lost_ppm, MD_BENCH_LOST_MAX_PPM)) return MD_BENCH_NONE;
  return (double)scan.file_bytes / ns;
}

static bool
make_scanned(journal_t *j, uint64_t bytes) {
  static md_bench_source_t source;
  if (!md_bench_rig_new(&j->scanned, j->store.dir, "scanned", MD_JOURNAL_NONE, 4 * bytes))
    return false;
  bool good      = md_bench_rig_record(&j->scanned, &source, bytes);
  j->scanned_seq = md_bench_rig_durable(&j->scanned);
  if (source.feed) md_bench_source_delete(&source);
  md_bench_rig_close(&j->scanned);
  md_journal_path(j->scanned.dir, 1, j->scanned_path);
  return good;
}

/* ---- all of it ---- */

#define NONE MD_BENCH_NONE

static const md_bench_cell_t fio_cells[] = {
    {NULL, "MB/s", disk_turn, FIO, 0, NULL, 0, MD_BENCH_RATE, NONE, NONE},
    {"journal.write", "MB/s", write_turn, 0, 0, "fio overwrite", 0, MD_BENCH_RATE, 0.6, 0.9},
    {"journal.bare", "MB/s", disk_turn, SYNCED, 0, "fio overwrite", 0, MD_BENCH_RATE, NONE, NONE}};

static const md_bench_cell_t own_cells[] = {
    {NULL, "MB/s", disk_turn, BARE, 0, NULL, 0, MD_BENCH_RATE, NONE, NONE},
    {"journal.write", "MB/s", write_turn, 0, 0, "overwrite, built in", 0, MD_BENCH_RATE, 0.6, 0.9},
    {"journal.bare", "MB/s", disk_turn, SYNCED, 0, "overwrite, built in", 0, MD_BENCH_RATE, NONE,
     NONE}};

static const md_bench_cell_t scan_cells[] = {
    {NULL, "GB/s", scan_turn, 0, 0, NULL, 0, MD_BENCH_RATE, NONE, NONE},
    {"journal.recovery_scan", "GB/s", scan_turn, 1, 0, "crc32c, cached file", 0, MD_BENCH_RATE, 0.4,
     0.8}};

static bool
run_cells(md_bench_t *b, journal_t *j, const md_bench_cell_t *cells, uint32_t cnt,
          int64_t budget_ns) {
  md_bench_rounds_t *r = md_bench_rounds_run(cells, cnt, j, false, budget_ns);
  if (!r) return false;
  md_bench_rounds_report(b, r);
  md_bench_rounds_delete(r);
  return true;
}

static void
rows_without(md_bench_t *b, const char *why) {
  md_bench_rows_without(b, own_cells, MD_CNT(own_cells), why);
  md_bench_durable_without(b, why);
  md_bench_rows_without(b, scan_cells, MD_CNT(scan_cells), why);
}

/* Until the journal writes to a file that had been another segment's, as it does when it has run
 * for long: not faster than such files can be made. */
static bool
prime(md_bench_rig_t *r, uint64_t segment_cnt) {
  const md_journal_sink_t *s = r->sink;
  /* Relaxed: counted by this thread. */
  while (md_load_relaxed(&r->metrics->counter[MD_COUNTER_JOURNAL_SEGMENTS]) < segment_cnt ||
         !s->file.reused) {
    bool wait = s->file.end_off > s->cfg.segment_bytes * 3 / 4 && md_journal_ahead_busy(s->ahead);
    for (uint32_t i = 0; !wait && i < 8 * BATCH_CNT; i++)
      if (!md_bench_rig_put(r, FRAME_BYTES, 0)) break;
    md_bench_rig_publish(r);
    if (md_bench_interrupted() || !md_bench_rig_turn(r)) return false;
    md_bench_rig_retire(r);
  }
  return md_bench_rig_drain(r);
}

/* A short run only shows that it works: it writes less. */
static uint64_t
part_of(const md_bench_t *b) {
  return b->seconds < 5 ? 8 : 1;
}

static bool
run_all(md_bench_t *b, journal_t *j) {
  int64_t                budget_ns = (int64_t)b->seconds * 1000000000;
  const md_bench_cell_t *cells     = j->store.has_fio ? fio_cells : own_cells;
  uint32_t               cnt       = j->store.has_fio ? MD_CNT(fio_cells) : MD_CNT(own_cells);
  if (!prime(&j->flow, 6) || !run_cells(b, j, cells, cnt, budget_ns * 2 / 3)) return false;
  if (!prime(&j->group, 5)) return false;
  if (!md_bench_durable(b, &j->store, &j->group, budget_ns * 2 / 3))
    j->broken = "the journal does not become durable";
  if (j->broken) return false;
  if (make_scanned(j, SCAN_BYTES / part_of(b)))
    return run_cells(b, j, scan_cells, MD_CNT(scan_cells), budget_ns / 3);
  md_bench_rows_without(b, scan_cells, MD_CNT(scan_cells), j->scanned.why);
  return true;
}

bool
md_bench_journal(md_bench_t *b) {
  static journal_t j; /* the reason in it lives as long as the report */
  bool             good = true;
  const uint64_t   part = part_of(b);
  if (!md_bench_store_new(&j.store, FILE_BYTES / part, NEED_BYTES / part)) {
    rows_without(b, j.store.why);
    return true;
  }
  if (!md_bench_rig_new(&j.flow, j.store.dir, "flow", MD_JOURNAL_INTERVAL, SEGMENT_BYTES / part) ||
      !md_bench_rig_new(&j.group, j.store.dir, "group", MD_JOURNAL_BATCH, SEGMENT_BYTES / part)) {
    rows_without(b, j.flow.why[0] ? j.flow.why : j.group.why);
  } else {
    good = run_all(b, &j);
  }
  md_bench_rig_delete(&j.flow);
  md_bench_rig_delete(&j.group);
  md_bench_rig_delete(&j.scanned);
  md_bench_store_delete(&j.store);
  if (j.broken) fprintf(stderr, "mdengine bench: %s: a defect\n", j.broken);
  return good && !j.broken;
}
