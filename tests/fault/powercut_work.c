/* powercut_work DIR LOG ACKS POLICY: writes a journal in DIR, on a disk of which each block write
 * goes to LOG: appends and rolls, is killed with records in its rings, recovers them, appends
 * again, closes. Each line of ACKS is a promise: "ENTRIES STREAM EPOCH SEQ", SEQ was called durable
 * when LOG had at most ENTRIES entries. */
#include "tests/fault/powercut.h"

#include <fcntl.h>
#include <inttypes.h>

#define SEGMENT_BYTES (192ull << 10)
#define RINGS_BYTES   (MD_SEGMENT_HEADER_BYTES + HELP_RING_CNT * (HELP_RING_BYTES + 4096u))

typedef struct work {
  help_t   h;
  int      log_fd;
  FILE    *acks;
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
die_and_recover(work_t *w) {
  help_t *h = &w->h;
  for (uint32_t i = 0; i < 40; i++)
    put(w, (uint16_t)(1u + i % HELP_STREAM_CNT));
  h->dead      = h->state;
  h->state     = NULL;
  uint8_t *mem = aligned_alloc(4096, RINGS_BYTES);
  memset(mem, 0, RINGS_BYTES);
  md_rings_header_t *rings = (md_rings_header_t *)(void *)mem;
  rings->epoch             = h->header.epoch;
  rings->total_bytes       = RINGS_BYTES;
  rings->ring_cnt          = HELP_RING_CNT;
  memcpy(rings->journal_uuid, md_manifest_uuid(h->manifest), 16);
  for (uint32_t r = 0; r < HELP_RING_CNT; r++) {
    rings->ring_off[r] = MD_SEGMENT_HEADER_BYTES + r * (HELP_RING_BYTES + 4096u);
    memcpy(mem + rings->ring_off[r], h->ring[r], md_ring_footprint(HELP_RING_BYTES));
  }
  md_recovery_t out;
  md_msg_t      msg = {0};
  want(md_journal_recover(&h->cfg, rings, RINGS_BYTES, &h->clock, &out, &msg), &msg);
  for (uint32_t i = 0; i < HELP_STREAM_CNT; i++)
    (void)fprintf(w->acks, "%" PRIu64 " %u %u %" PRIu64 "\n", entry_cnt(w), i + 1u, h->header.epoch,
                  h->seq[i + 1]);
  free(mem);
}

int
main(int argc, char **argv) {
  if (argc != 5) {
    (void)fprintf(stderr, "usage: powercut_work DIR LOG ACKS batch|interval|none\n");
    return 2;
  }
  static work_t             w;
  const md_journal_policy_t policy = argv[4][0] == 'b'   ? MD_JOURNAL_BATCH
                                     : argv[4][0] == 'i' ? MD_JOURNAL_INTERVAL
                                                         : MD_JOURNAL_NONE;
  help_init_at(&w.h, argv[1], policy);
  w.h.cfg.segment_bytes = SEGMENT_BYTES;
  w.h.cfg.block_bytes   = 32u << 10;
  w.log_fd              = open(argv[2], O_RDONLY | O_CLOEXEC);
  w.acks                = fopen(argv[3], "w");
  md_assert(w.log_fd >= 0);
  md_assert(w.acks != NULL);
  epoch(&w, 160);
  die_and_recover(&w);
  epoch(&w, 60);
  md_assert(help_drain(&w.h, true));
  acknowledge(&w);
  help_close(&w.h);
  (void)fprintf(stderr, "%u errors, %u warnings: %s\n", w.h.error_cnt, w.h.warn_cnt, w.h.last_text);
  (void)fclose(w.acks);
  md_sink_journal.close(w.h.dead);
  md_manifest_close(w.h.manifest);
  return w.h.error_cnt ? 1 : 0;
}
