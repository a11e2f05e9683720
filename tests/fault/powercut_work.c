/* powercut_work PHASE DIR LOG ACKS POLICY: one process in the life of a journal in DIR, on a disk
 * of which each block write goes to LOG. append: an engine that is killed with records in its
 * rings. recover: the next start takes them over, appends, stops in order. tend: segments are
 * packed and deleted, then an engine appends into the files that were kept for that. Each line of
 * ACKS is a promise: "ENTRIES STREAM EPOCH SEQ", SEQ was called durable when LOG had at most
 * ENTRIES entries, or, with F in front, a leave: from ENTRIES on the records up to SEQ may be gone.
 */
#include "tests/fault/powercut.h"
#include "writers/journal_tend.h"

#include <fcntl.h>
#include <inttypes.h>

#define SEGMENT_BYTES (192ull << 10)
#define RINGS_BYTES   (MD_SEGMENT_HEADER_BYTES + HELP_RING_CNT * (HELP_RING_BYTES + 4096u))

#define KEEP_BYTES (1200u << 10)

typedef struct work {
  help_t   h;
  int      log_fd;
  FILE    *acks;
  char     rings_path[600]; /* what the killed process leaves, in no need of a disk */
  uint64_t told[HELP_STREAM_CNT];
} work_t;

static void
want(md_err_t err, const md_msg_t *msg) {
  if (err == MD_OK) return;
  (void)fprintf(stderr, "%s\n", msg->text);
  exit(1);
}

/* The log's own count of its entries; it is rewritten by each flush of the disk. */
static uint64_t
entry_cnt(const work_t *w) {
  uint64_t head[3] = {0};
  md_assert(pread(w->log_fd, head, sizeof head, 0) == (ssize_t)sizeof head);
  return head[2];
}

static void
acknowledge(work_t *w) {
  for (uint32_t i = 0; i < HELP_STREAM_CNT; i++) {
    const uint64_t seq = md_load_relaxed(&w->h.stream[i].durable_seq); /* same thread */
    if (seq == w->told[i]) continue;
    w->told[i] = seq;
    (void)fprintf(w->acks, "%" PRIu64 " %u %u %" PRIu64 "\n", entry_cnt(w), i + 1u,
                  w->h.header.epoch, seq);
  }
}

static void
put(work_t *w, uint16_t stream) {
  help_record_t rec;
  help_t       *h = &w->h;
  powercut_make(&rec, stream, h->header.epoch, ++h->seq[stream]);
  md_assert(help_put(h, (stream - 1u) / 2u, &rec) == MD_OK);
}

static void
epoch(work_t *w, uint32_t round_cnt) {
  help_t  *h   = &w->h;
  md_msg_t msg = {0};
  help_epoch(h);
  for (uint32_t i = 0; i < HELP_STREAM_CNT; i++)
    md_store_relaxed(&h->stream[i].durable_seq, 0); /* rows begin anew with an epoch */
  memset(w->told, 0, sizeof w->told);
  want(help_open(h, &msg), &msg);
  for (uint32_t round = 0; round < round_cnt; round++) {
    for (uint32_t i = 0; i < 1 + round % 7; i++)
      put(w, (uint16_t)(1u + (round + i) % HELP_STREAM_CNT));
    /* A roll asks for checkpoints that nobody here gives: its time must pass. */
    h->time.mono_ns += 700000000;
    /* Some rounds end before the disk has answered. */
    for (uint32_t i = 0; i < (round % 3 ? 3u : 400u); i++) {
      help_turn(h);
      acknowledge(w);
      if (w->told[0] == h->seq[1] && w->told[1] == h->seq[2]) break;
    }
  }
}

/* As kill -9 leaves it: rings with records that no block has, a segment without an end. */
static void
die(work_t *w) {
  help_t *h = &w->h;
  for (uint32_t i = 0; i < 40; i++)
    put(w, (uint16_t)(1u + i % HELP_STREAM_CNT));
  FILE    *out   = fopen(w->rings_path, "w");
  uint64_t epoch = h->header.epoch;
  md_assert(out != NULL);
  (void)fwrite(&epoch, sizeof epoch, 1, out);
  (void)fwrite(h->seq, sizeof h->seq, 1, out);
  for (uint32_t r = 0; r < HELP_RING_CNT; r++)
    (void)fwrite(h->ring[r], md_ring_footprint(HELP_RING_BYTES), 1, out);
  md_assert(fclose(out) == 0);
  (void)fflush(NULL);
  _exit(0);
}

static void
take_over(work_t *w) {
  help_t  *h   = &w->h;
  FILE    *in  = fopen(w->rings_path, "r");
  uint8_t *mem = aligned_alloc(4096, RINGS_BYTES);
  uint64_t epoch, seq[HELP_STREAM_CNT + 1];
  memset(mem, 0, RINGS_BYTES);
  md_assert(in != NULL);
  md_assert(fread(&epoch, sizeof epoch, 1, in) == 1);
  md_assert(fread(seq, sizeof seq, 1, in) == 1);
  md_rings_header_t *rings = (md_rings_header_t *)(void *)mem;
  rings->epoch             = (uint32_t)epoch;
  rings->total_bytes       = RINGS_BYTES;
  rings->ring_cnt          = HELP_RING_CNT;
  memcpy(rings->journal_uuid, md_manifest_uuid(h->manifest), 16);
  for (uint32_t r = 0; r < HELP_RING_CNT; r++) {
    rings->ring_off[r] = MD_SEGMENT_HEADER_BYTES + r * (HELP_RING_BYTES + 4096u);
    md_assert(fread(mem + rings->ring_off[r], md_ring_footprint(HELP_RING_BYTES), 1, in) == 1);
  }
  (void)fclose(in);
  md_recovery_t out;
  md_msg_t      msg = {0};
  want(md_journal_recover(&h->cfg, rings, RINGS_BYTES, &h->clock, &out, &msg), &msg);
  for (uint32_t i = 1; i <= HELP_STREAM_CNT; i++)
    (void)fprintf(w->acks, "%" PRIu64 " %u %u %" PRIu64 "\n", entry_cnt(w), i, rings->epoch,
                  seq[i]);
  free(mem);
}

/* What the journal begins with, of each stream and epoch; 0 nothing. */
static void
read_first(const char *dir, uint64_t first[HELP_STREAM_CNT + 1][POWERCUT_EPOCH_CNT]) {
  md_journal_reader_t *r = NULL;
  const md_record_t   *rec;
  md_msg_t             msg = {0};
  want(md_journal_reader_open(dir, &r, &msg), &msg);
  while (md_journal_reader_next(r, &rec, NULL, NULL) == MD_OK)
    if (first[rec->stream][rec->epoch] == 0) first[rec->stream][rec->epoch] = rec->seq;
  md_journal_reader_close(r);
}

/* Old segments are deleted, the others packed; nothing may be gone that a pass did not delete. */
static void
tend(work_t *w) {
  static uint64_t          first[HELP_STREAM_CNT + 1][POWERCUT_EPOCH_CNT];
  const uint64_t           entries = entry_cnt(w);
  md_journal_tend_config_t cfg     = {.dir        = w->h.dir,
                                      .compress   = true,
                                      .keep_bytes = KEEP_BYTES,
                                      .spare_max  = 2,
                                      .clock      = &w->h.clock};
  md_journal_tended_t      done;
  md_msg_t                 msg = {0};
  want(md_journal_tend_pass(&cfg, &done, &msg), &msg);
  md_assert(done.retired_cnt > 0);
  md_assert(done.packed_cnt > 0);
  read_first(w->h.dir, first);
  for (uint32_t s = 1; s <= HELP_STREAM_CNT; s++)
    for (uint32_t e = 1; e <= md_manifest_last_epoch(w->h.manifest); e++)
      (void)fprintf(w->acks, "F %" PRIu64 " %u %u %" PRIu64 "\n", entries, s, e,
                    first[s][e] ? first[s][e] - 1 : UINT64_MAX);
}

static void
stop(work_t *w) {
  md_assert(help_drain(&w->h, true));
  acknowledge(w);
  help_close(&w->h);
  md_manifest_close(w->h.manifest);
}

int
main(int argc, char **argv) {
  if (argc != 6) {
    (void)fprintf(stderr,
                  "usage: powercut_work append|recover|tend DIR LOG ACKS batch|interval|none\n");
    return 2;
  }
  static work_t             w;
  const char                phase  = argv[1][0];
  const md_journal_policy_t policy = argv[5][0] == 'b'   ? MD_JOURNAL_BATCH
                                     : argv[5][0] == 'i' ? MD_JOURNAL_INTERVAL
                                                         : MD_JOURNAL_NONE;
  help_init_at(&w.h, argv[2], policy);
  w.h.cfg.segment_bytes = SEGMENT_BYTES;
  w.h.cfg.ahead_bytes   = SEGMENT_BYTES;
  w.h.cfg.reserve_bytes = 1u << 20;
  w.h.cfg.block_bytes   = 32u << 10;
  w.log_fd              = open(argv[3], O_RDONLY | O_CLOEXEC);
  w.acks                = fopen(argv[4], "a");
  md_assert(w.log_fd >= 0);
  md_assert(w.acks != NULL);
  (void)snprintf(w.rings_path, sizeof w.rings_path, "%s.rings", argv[4]);
  if (phase == 'a') {
    epoch(&w, 160);
    die(&w);
  }
  if (phase == 'r') take_over(&w);
  if (phase == 't') tend(&w);
  epoch(&w, 60);
  stop(&w);
  (void)fprintf(stderr, "%u errors, %u warnings: %s\n", w.h.error_cnt, w.h.warn_cnt, w.h.last_text);
  return fclose(w.acks) == 0 && w.h.error_cnt == 0 ? 0 : 1;
}
