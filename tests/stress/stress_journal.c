/* A feed thread writes sequenced records at full speed while the journal's thread takes them; in
 * the end every record that was not declared lost is read back once and in order. Run with the
 * number of records (default 300000); with "rate" behind it, prints what the sink managed. */
#include "shm/ring.h"
#include "writers/journal.h"
#include "writers/writer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RING_BYTES   (16u << 20)
#define RECORD_BYTES 256u
#define STREAM       1u

extern const md_sink_t md_sink_journal;

typedef struct stress {
  md_ring_t *ring;
  uint64_t   record_cnt;
  uint64_t   lost_cnt;
  bool       wait; /* for room instead of losing */
} stress_t;

static void
fill(md_record_t *rec, uint64_t seq) {
  uint8_t *body = md_record_body(rec);
  memset(rec, 0, RECORD_BYTES);
  rec->len        = RECORD_BYTES;
  rec->type       = MD_RECORD_RAW;
  rec->flags      = MD_FLAG_LAST;
  rec->stream     = STREAM;
  rec->epoch      = 1;
  rec->seq        = seq;
  rec->ts_exch_ns = MD_NULL_I64;
  rec->ts_pub_ns  = md_clock_real_ns(md_clock_system());
  md_raw_t raw    = {.kind = MD_RAW_TEXT_IN, .part_len = 160, .total_len = 160};
  memcpy(body, &raw, sizeof raw);
  memset(body + sizeof raw, (int)(seq & 0xff), 160);
}

static void *
produce(void *arg) {
  stress_t           *s = arg;
  md_ring_producer_t  p;
  _Alignas(8) uint8_t bytes[RECORD_BYTES];
  md_record_t        *rec = (md_record_t *)(void *)bytes;
  md_ring_producer_init(&p, s->ring);
  for (uint64_t seq = 1; seq <= s->record_cnt; seq++) {
    while (s->wait && md_ring_free_bytes(&p) < 4 * RECORD_BYTES) {
      struct timespec pause = {0, 20000};
      (void)nanosleep(&pause, NULL);
    }
    fill(rec, seq);
    s->lost_cnt += md_ring_write_group(&p, rec, 1, RECORD_BYTES) != MD_OK;
    if (seq % 16 == 0) md_ring_publish(&p);
  }
  md_ring_publish(&p);
  return NULL;
}

static void
log_line(void *ctx, const char *level, const char *text) {
  (void)ctx;
  (void)fprintf(stderr, "%s: %s\n", level, text);
}

static int
check(const char *dir, const stress_t *s) {
  md_journal_reader_t *r = NULL;
  const md_record_t   *rec;
  uint64_t             next = 1, read_cnt = 0, loss_cnt = 0;
  if (md_journal_reader_open(dir, &r, NULL) != MD_OK) return 1;
  while (md_journal_reader_next(r, &rec, NULL, NULL) == MD_OK) {
    if (rec->type == MD_RECORD_LOSS) {
      md_loss_t loss;
      memcpy(&loss, md_record_body_const(rec), sizeof loss);
      if (loss.seq_first != next) break;
      loss_cnt += loss.record_cnt;
      next = loss.seq_last + 1;
      continue;
    }
    const uint8_t *body = md_record_body_const(rec);
    if (rec->seq != next || body[sizeof(md_raw_t)] != (uint8_t)(rec->seq & 0xff)) break;
    next++;
    read_cnt++;
  }
  md_journal_damage_t damage;
  md_journal_reader_damage(r, &damage);
  md_journal_reader_close(r);
  /* What is lost at the very end has no group behind it that could declare it. */
  uint64_t silent_cnt = s->record_cnt + 1 - next;
  bool     ok = read_cnt + loss_cnt + silent_cnt == s->record_cnt && damage.block_cnt == 0 &&
            loss_cnt + silent_cnt == s->lost_cnt;
  (void)printf("%s: %llu read, %llu declared lost, %llu damaged blocks\n", ok ? "ok" : "FAILED",
               (unsigned long long)read_cnt, (unsigned long long)loss_cnt,
               (unsigned long long)damage.block_cnt);
  return ok ? 0 : 1;
}

static void
remove_dir(const char *dir) {
  char command[100];
  (void)snprintf(command, sizeof command, "rm -rf -- '%s'", dir);
  if (system(command) != 0) (void)fprintf(stderr, "cannot remove %s\n", dir);
}

static double
cpu_s(const struct timespec *t) {
  return (double)t->tv_sec + (double)t->tv_nsec * 1e-9;
}

static void
print_rate(const stress_t *s, int64_t start_ns, double other_cpu_s, const md_metrics_t *metrics) {
  double          wall_s = (double)(md_clock_mono_ns(md_clock_system()) - start_ns) * 1e-9;
  struct timespec all;
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &all);
  double         mb     = (double)(s->record_cnt - s->lost_cnt) * RECORD_BYTES / 1e6;
  double         sink_s = cpu_s(&all) - other_cpu_s;
  md_hist_copy_t h;
  md_hist_read(&metrics->stage[MD_STAGE_DURABLE], &h);
  (void)printf(
      "%.0f MB/s, %.2f M records/s, sink %.2f ms CPU a MB (%.0f %% of a core), durable P50 "
      "%.2f ms P99 %.2f ms, %llu blocks\n",
      mb / wall_s, (double)(s->record_cnt - s->lost_cnt) / wall_s / 1e6, sink_s * 1e3 / mb,
      100 * sink_s / wall_s, (double)md_hist_quantile(&h, 500000) * 1e-6,
      (double)md_hist_quantile(&h, 990000) * 1e-6,
      (unsigned long long)md_load_relaxed(&metrics->counter[MD_COUNTER_SINK_BATCHES]));
}

static int
run(const char *dir, md_journal_policy_t policy, stress_t *s, bool rate) {
  static md_segment_header_t header;
  static md_stream_row_t     stream;
  static md_thread_row_t     row;
  md_manifest_t             *manifest = NULL;
  md_metrics_t              *metrics =
      aligned_alloc(MD_CACHE_BLOCK, md_align_up(sizeof *metrics, MD_CACHE_BLOCK));
  memset(metrics, 0, sizeof *metrics);
  md_assert(md_manifest_open(dir, true, true, &manifest, NULL) == MD_OK);
  md_assert(md_manifest_stream(manifest, "feed.raw", &stream.stream, NULL) == MD_OK);
  md_assert(md_manifest_epoch(manifest, 1, &header.epoch, NULL) == MD_OK);
  header.section[MD_SECTION_STREAMS].cnt = 1;
  md_segment_t        segment            = {.header = &header, .streams = &stream, .threads = &row};
  md_journal_config_t cfg                = {.dir           = dir,
                                            .policy        = policy,
                                            .interval_ns   = 10000000,
                                            .segment_bytes = 1ull << 40,
                                            .block_bytes   = 1u << 20,
                                            .manifest      = manifest};
  md_writer_config_t  writer             = {.sink    = &md_sink_journal,
                                            .env     = {.segment     = &segment,
                                                        .rings       = &s->ring,
                                                        .ring_cnt    = 1,
                                                        .metrics     = metrics,
                                                        .clock       = md_clock_system(),
                                                        .journal_dir = dir,
                                                        .cfg         = &cfg,
                                                        .log         = log_line},
                                            .core    = -1,
                                            .wait_ns = 1000000};
  md_writer_t        *w                  = NULL;
  md_msg_t            msg                = {0};
  md_err_t            err                = md_writer_start(&writer, &w, &msg);
  if (err) {
    (void)fprintf(stderr, "%s\n", msg.text);
    return 1;
  }
  struct timespec before;
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  int64_t   start_ns = md_clock_mono_ns(md_clock_system());
  pthread_t feed;
  md_assert(pthread_create(&feed, NULL, produce, s) == 0);
  clockid_t       feed_clock;
  struct timespec feed_cpu = {0};
  md_assert(pthread_getcpuclockid(feed, &feed_clock) == 0);
  uint64_t until_seq = 0;
  while (rate && until_seq < s->record_cnt) { /* the feed's share, read while it lives */
    (void)clock_gettime(feed_clock, &feed_cpu);
    until_seq             = md_load_relaxed(&s->ring->offered_cnt);
    struct timespec pause = {0, 1000000};
    (void)nanosleep(&pause, NULL);
  }
  (void)pthread_join(feed, NULL);
  bool timeout = md_writer_stop(w, 60000) != MD_OK;
  if (rate) print_rate(s, start_ns, cpu_s(&before) + cpu_s(&feed_cpu), metrics);
  md_manifest_close(manifest);
  free(metrics);
  return timeout ? 1 : check(dir, s);
}

int
main(int argc, char **argv) {
  uint64_t record_cnt = argc > 1 ? strtoull(argv[1], NULL, 10) : 300000;
  bool     rate       = argc > 2 && strcmp(argv[2], "rate") == 0;
  int      bad        = 0;
  for (int policy = MD_JOURNAL_BATCH; policy <= MD_JOURNAL_NONE; policy++) {
    char dir[] = "/tmp/mdengine-stress-XXXXXX";
    if (!mkdtemp(dir)) return 1;
    stress_t s = {.record_cnt = record_cnt, .wait = rate || policy == MD_JOURNAL_INTERVAL};
    s.ring     = aligned_alloc(MD_CACHE_BLOCK, md_ring_footprint(RING_BYTES));
    if (md_ring_new(s.ring, "feed.journal", 0, 0, 1, RING_BYTES) != MD_OK) return 1;
    bad |= run(dir, (md_journal_policy_t)policy, &s, rate);
    free(s.ring);
    remove_dir(dir);
  }
  return bad;
}
