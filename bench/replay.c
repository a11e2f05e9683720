/* bench replay: what was recorded, played again into the same books, beside the live path. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/calm.h"
#include "bench/rig.h"
#include "bench/rounds.h"
#include "bench/store.h"
#include "engine/replay.h"

#define JOURNAL_BYTES (256ull << 20)
#define LIVE_BATCHES  1500u
#define NEED_BYTES    (2ull << 30)
#define SEGMENT_BYTES (8ull << 30) /* one segment */

typedef struct replay {
  md_bench_store_t  store;
  md_bench_rig_t    rig;
  md_bench_source_t made, live; /* what wrote the journal; what the live path is measured with */
  char              recording[300];
  uint64_t          frame_cnt;
  const char       *broken; /* what went wrong for good */
} replay_t;

/* ---- the recording: the RAW records of the journal in the text format ---- */

static bool
write_line(FILE *f, const md_record_t *rec) {
  const md_raw_t *raw  = md_record_body_const(rec);
  const char     *name = (const char *)(raw + 1);
  return fprintf(f, "%lld\t%c\t%.*s\t", (long long)rec->ts_recv_ns,
                 raw->kind == MD_RAW_HTTP ? 'H' : 'I', (int)raw->name_len, name) > 0 &&
         fwrite(name + raw->name_len, 1, raw->part_len, f) == raw->part_len;
}

/* A message that is longer than a record is several, of which the first has the name. */
static bool
write_part(FILE *f, const md_record_t *rec) {
  const md_raw_t *raw = md_record_body_const(rec);
  const char     *at  = (const char *)(raw + 1) + raw->name_len;
  bool good = raw->part_off ? fwrite(at, 1, raw->part_len, f) == raw->part_len : write_line(f, rec);
  return good && (!(rec->flags & MD_FLAG_LAST) || fputc('\n', f) == '\n');
}

/* A recording is a file that was read from a disk, which puts it into the page cache in large
 * pieces. One that was just written in stdio's pieces of 4 KiB lies there page by page, and copying
 * it out takes nearly twice as long. So it is forgotten, and the round that warms up reads it
 * again. */
static bool
leave_to_disk(const char *path) {
  int  fd   = open(path, O_RDONLY | O_CLOEXEC);
  bool good = fd >= 0 && fsync(fd) == 0;
  if (good) (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* it may not, and then stays */
  if (fd >= 0) (void)close(fd);
  return good;
}

static bool
write_recording(replay_t *p) {
  md_journal_reader_t *r = NULL;
  const md_record_t   *rec;
  FILE                *f    = fopen(p->recording, "we");
  bool                 good = f && md_journal_reader_open(p->rig.dir, &r, NULL) == MD_OK;
  while (good && md_journal_reader_next(r, &rec, NULL, NULL) == MD_OK) {
    if (rec->type != MD_RECORD_RAW) continue;
    good = write_part(f, rec);
    p->frame_cnt += (rec->flags & MD_FLAG_LAST) != 0;
  }
  if (r) md_journal_reader_close(r);
  if (f) good = fclose(f) == 0 && good;
  return good && leave_to_disk(p->recording);
}

/* ---- turns: ns per frame ---- */

static double
live_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  replay_t *p  = ctx;
  double    ns = 0, cycle_ns = md_bench_cycle_ns();
  (void)cell;
  (void)hist;
  for (uint32_t k = 0; k < LIVE_BATCHES; k++) {
    md_bench_source_fill(&p->live, 1);
    uint64_t begin = md_bench_cycle();
    for (uint32_t i = 0; i < MD_BENCH_BATCH_CNT; i++)
      md_bench_source_next(&p->live, i);
    ns += (double)(md_bench_cycle() - begin) * cycle_ns;
  }
  return ns / (LIVE_BATCHES * MD_BENCH_BATCH_CNT);
}

static bool
same_side(const md_orderbook_t *a, const md_orderbook_t *b, md_side_t side) {
  md_level_t x, y;
  for (uint32_t n = 0;; n++) {
    bool there = md_orderbook_at(a, side, n, &x);
    if (there != md_orderbook_at(b, side, n, &y)) return false;
    if (!there) return n > 0;
    if (x.px != y.px || x.qty != y.qty) return false;
  }
}

/* One instrument, its book VALID and level by level the one that was recorded. */
static bool
is_same(const replay_t *p, const md_replay_t *r) {
  const md_orderbook_t *book = &md_feed_instrument_at(p->made.feed, 0)->book;
  if (r->cnt != 1 || r->instruments[0].state != MD_BOOK_VALID) return false;
  return same_side(book, &r->instruments[0].book, MD_SIDE_BUY) &&
         same_side(book, &r->instruments[0].book, MD_SIDE_SELL);
}

typedef enum way { RECORDING, JOURNAL, VERIFY } way_t;

static bool
play(replay_t *p, way_t way, md_msg_t *msg) {
  const md_replay_part_t all     = {0};
  md_replay_t            r       = {0};
  md_replay_verdict_t    verdict = {0};
  bool                   good;
  if (way == VERIFY)
    return md_replay_verify(p->rig.dir, NULL, &verdict, msg) == MD_OK && verdict.differ_cnt == 0 &&
           verdict.raw_cnt == p->frame_cnt;
  good = (way == RECORDING ? md_replay_recording(p->recording, "binance_spot", &r, msg)
                           : md_replay_journal(p->rig.dir, NULL, &all, &r, msg)) == MD_OK &&
         r.frame_cnt == p->frame_cnt && is_same(p, &r);
  md_replay_free(&r);
  return good;
}

static double
replay_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  replay_t *p   = ctx;
  md_msg_t  msg = {0};
  (void)hist;
  if (p->broken || md_bench_interrupted()) return MD_BENCH_NONE;
  md_bench_calm_t calm;
  md_bench_calm_begin(&calm);
  int64_t begin_ns = md_bench_now_ns();
  if (!play(p, (way_t)cell->a, &msg)) {
    fprintf(stderr, "mdengine bench: %s\n", msg.text);
    p->broken = "a replay does not end in the books that were recorded";
  }
  double ns = (double)(md_bench_now_ns() - begin_ns);
  if (!md_bench_calm_judge(md_bench_calm_lost_ppm(&calm), MD_BENCH_LOST_MAX_PPM))
    return MD_BENCH_NONE;
  return ns / (double)p->frame_cnt;
}

/* ---- all of it ---- */

#define NONE MD_BENCH_NONE
#define LIVE "decode, apply, publish, live"

static const md_bench_cell_t cells[] = {
    {NULL, "ns", live_turn, 0, 0, NULL, 0, MD_BENCH_COST, NONE, NONE},
    {"replay.raw", "ns", replay_turn, RECORDING, 0, LIVE, 0, MD_BENCH_SPEED, 1.0, 1.3},
    {"replay.records", "ns", replay_turn, JOURNAL, 0, LIVE, 0, MD_BENCH_SPEED, NONE, NONE},
    {"replay.verify", "ns", replay_turn, VERIFY, 0, LIVE, 0, MD_BENCH_SPEED, NONE, NONE}};

static bool
prepare(replay_t *p, uint64_t bytes) {
  (void)snprintf(p->recording, sizeof p->recording, "%.250s/frames.wscap", p->store.dir);
  if (!md_bench_rig_new(&p->rig, p->store.dir, "journal", MD_JOURNAL_NONE, SEGMENT_BYTES) ||
      !md_bench_rig_record(&p->rig, &p->made, bytes)) {
    (void)snprintf(p->store.why, sizeof p->store.why, "%.190s", p->rig.why);
    return false;
  }
  md_bench_rig_close(&p->rig);
  if (!md_bench_source_new(&p->live, 1, true)) {
    (void)snprintf(p->store.why, sizeof p->store.why, "%.190s", p->live.world.why);
    return false;
  }
  if (write_recording(p)) return true;
  (void)snprintf(p->store.why, sizeof p->store.why, "the recording could not be written");
  return false;
}

bool
md_bench_replay(md_bench_t *b) {
  static replay_t p; /* the reason in it lives as long as the report */
  if (!md_bench_store_new(&p.store, 0, NEED_BYTES)) {
    md_bench_rows_without(b, cells, MD_CNT(cells), p.store.why);
    return true;
  }
  md_bench_rounds_t *r = NULL;
  if (!prepare(&p, b->seconds < 5 ? JOURNAL_BYTES / 8 : JOURNAL_BYTES)) {
    md_bench_rows_without(b, cells, MD_CNT(cells), p.store.why);
  } else {
    r = md_bench_rounds_run(cells, MD_CNT(cells), &p, false, (int64_t)b->seconds * 1000000000);
    if (r) md_bench_rounds_report(b, r);
    md_bench_rounds_delete(r);
  }
  if (p.live.feed) md_bench_source_delete(&p.live);
  if (p.made.feed) md_bench_source_delete(&p.made);
  md_bench_rig_delete(&p.rig);
  md_bench_store_delete(&p.store);
  if (p.broken) fprintf(stderr, "mdengine bench: %s: a defect\n", p.broken);
  return !p.broken;
}
