/* journal_make.h - a journal of several segments made block by block, without an engine: the same
 * input gives the same bytes. Streams 1 to 4 in turn, messages of several records, LOSS,
 * CHECKPOINT, two epochs. For tests that damage, pack, delete or repair it. One thread. */
#ifndef TESTS_FAULT_JOURNAL_MAKE_H
#define TESTS_FAULT_JOURNAL_MAKE_H

#include "shm/ring.h"
#include "writers/journal.h"
#include "writers/journal_file.h"
#include "writers/journal_index.h"
#include "writers/journal_pack.h"
#include "writers/journal_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAKE_STREAM_CNT 4u
#define MAKE_UUID       "6d64656e-6769-6e65-2d74-6573740000a1"
#define MAKE_BEGIN_NS   1700000000000000000 /* of the first record; each later one is 1 ms later */

typedef struct make_config {
  uint32_t segment_cnt; /* the last third of them in a second epoch */
  uint32_t block_cnt;   /* of a segment */
  uint32_t record_cnt;  /* of a block, at most; blocks differ */
} make_config_t;

typedef struct make {
  const char          *dir;
  md_manifest_t       *manifest;
  md_journal_streams_t streams;
  md_journal_builder_t builder;
  md_journal_marks_t   marks;
  md_journal_file_t    file;
  uint8_t             *memory;
  uint64_t             prev_segment, prev_bytes;
  uint32_t             epoch;
  uint64_t             record_no; /* of all records; gives them their times and contents */
} make_t;

/* A small generator: the same seed, the same journal. */
static inline uint64_t
make_random(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
  z          = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z          = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

typedef struct make_record {
  md_record_t head;
  uint8_t     body[1024];
} make_record_t;

static inline int64_t
make_time(const make_t *m) {
  return MAKE_BEGIN_NS + (int64_t)m->record_no * 1000000;
}

static inline void
make_head(make_t *m, make_record_t *out, unsigned type, uint16_t stream, uint64_t seq,
          size_t body_bytes) {
  memset(out, 0, sizeof *out);
  out->head.len        = (uint16_t)(sizeof out->head + body_bytes);
  out->head.type       = (uint8_t)type;
  out->head.leg        = MD_LEG_NONE;
  out->head.flags      = MD_FLAG_LAST;
  out->head.stream     = stream;
  out->head.epoch      = m->epoch;
  out->head.seq        = seq;
  out->head.instrument = 1 + stream;
  out->head.px_exp     = -2;
  out->head.qty_exp    = -8;
  out->head.ts_exch_ns = MD_NULL_I64;
  out->head.ts_recv_ns = make_time(m) - 1000;
  out->head.ts_pub_ns  = make_time(m);
}

static inline void
make_add(make_t *m, uint16_t stream, const make_record_t *rec) {
  int idx = md_journal_streams_index(&m->streams, stream);
  md_assert(idx >= 0);
  md_journal_range_t range = md_journal_range_of(&rec->head);
  md_assert(md_journal_streams_settle(&m->streams, (uint32_t)idx, range));
  md_journal_builder_add(&m->builder, (uint32_t)idx, &rec->head, range);
  m->record_no++;
}

/* The next record of the journal: mostly trades, some frames, now and then a loss or a checkpoint.
 */
static inline void
make_next(make_t *m) {
  make_record_t  rec;
  const uint64_t n      = m->record_no;
  const uint16_t stream = (uint16_t)(1 + n % MAKE_STREAM_CNT);
  int            idx    = md_journal_streams_index(&m->streams, stream);
  const uint64_t seq    = m->streams.seq[idx] + 1;
  if (n % 97 == 96) {
    make_head(m, &rec, MD_RECORD_LOSS, stream, 0, sizeof(md_loss_t));
    md_loss_t loss = {
        .seq_first = seq, .seq_last = seq + 2, .record_cnt = 3, .reason = MD_REASON_RING_FULL};
    memcpy(rec.body, &loss, sizeof loss);
  } else if (n % 61 == 60) {
    make_head(m, &rec, MD_RECORD_CHECKPOINT, stream, seq - 1, sizeof(md_checkpoint_t));
    md_checkpoint_t checkpoint = {.inner = MD_CHECKPOINT_BEGIN, .request = n};
    memcpy(rec.body, &checkpoint, sizeof checkpoint);
  } else {
    make_head(m, &rec, MD_RECORD_TRADE, stream, seq, sizeof(md_trade_t));
    md_trade_t trade = {.px = 4200000 + (int64_t)(n % 1000), .qty = (int64_t)n, .trade_id = n};
    memcpy(rec.body, &trade, sizeof trade);
  }
  make_add(m, stream, &rec);
}

static inline void
make_block(make_t *m, uint32_t record_cnt) {
  md_journal_builder_begin(&m->builder, m->memory, 1u << 20, MAKE_STREAM_CNT);
  for (uint32_t i = 0; i < record_cnt; i++)
    make_next(m);
  md_journal_place_t place = {.segment     = m->file.segment,
                              .offset      = m->file.end_off,
                              .durable_off = m->file.end_off,
                              .epoch       = m->epoch,
                              .durable_seq = m->streams.seq};
  uint32_t           bytes = md_journal_builder_finish(&m->builder, &m->streams, &place);
  md_assert(pwrite(m->file.fd, m->memory, bytes, (off_t)place.offset) == (ssize_t)bytes);
  m->file.end_off += bytes;
}

static inline void
make_segment(make_t *m, uint64_t id, const make_config_t *cfg) {
  md_journal_head_t head = {.segment      = id,
                            .epoch        = m->epoch,
                            .created_ns   = make_time(m),
                            .prev_segment = m->prev_segment,
                            .prev_bytes   = m->prev_bytes};
  memcpy(head.uuid, md_manifest_uuid(m->manifest), sizeof head.uuid);
  for (uint32_t i = 0; i < m->streams.cnt; i++)
    if (m->streams.seq[i])
      md_journal_marks_put(&m->marks, m->streams.id[i], m->epoch, m->streams.seq[i]);
  md_journal_marks_to_head(&m->marks, &head);
  md_assert(md_journal_file_create(&m->file, NULL, m->dir, &head, 1u << 16, NULL) == MD_OK);
  md_assert(md_manifest_segment(m->manifest, id, m->epoch, head.created_ns, NULL) == MD_OK);
  uint64_t state = id;
  for (uint32_t b = 0; b < cfg->block_cnt; b++)
    make_block(m, 1 + (uint32_t)(make_random(&state) % cfg->record_cnt));
  m->prev_bytes   = md_journal_file_seal(&m->file, m->epoch, m->memory);
  m->prev_segment = id;
  md_assert(md_journal_file_finish(&m->file, m->prev_bytes, NULL) == MD_OK);
}

/* A manifest whose uuid is known, so that the bytes of all files are. */
static inline void
make_manifest(make_t *m) {
  static const char *const names[MAKE_STREAM_CNT] = {"alpha", "alpha.raw", "beta", "beta.raw"};
  char                     path[300];
  (void)snprintf(path, sizeof path, "%s/MANIFEST", m->dir);
  FILE *f = fopen(path, "w");
  md_assert(f != NULL);
  const char *line = "journal 1 " MAKE_UUID;
  (void)fprintf(f, "%s crc=%08x\n", line, md_crc32c(0, line, strlen(line)));
  md_assert(fclose(f) == 0);
  md_assert(md_manifest_open(m->dir, true, false, &m->manifest, NULL) == MD_OK);
  for (uint32_t i = 0; i < MAKE_STREAM_CNT; i++) {
    uint16_t id = 0;
    char     symbol[16];
    (void)snprintf(symbol, sizeof symbol, "COIN%uUSDT", i);
    md_assert(md_manifest_stream(m->manifest, names[i], &id, NULL) == MD_OK && id == i + 1);
    md_assert(md_manifest_instrument(m->manifest, 2 + i, i < 2 ? names[0] : names[2], symbol,
                                     NULL) == MD_OK);
  }
}

static inline void
make_epoch(make_t *m) {
  md_assert(md_manifest_epoch(m->manifest, make_time(m), &m->epoch, NULL) == MD_OK);
  for (uint32_t i = 0; i < m->streams.cnt; i++) {
    if (m->streams.seq[i])
      md_journal_marks_put(&m->marks, m->streams.id[i], m->epoch - 1, m->streams.seq[i]);
    m->streams.seq[i] = 0;
  }
}

/* Makes the journal in dir, which is there and empty. */
static inline void
make_journal(const char *dir, const make_config_t *cfg) {
  make_t *m       = calloc(1, sizeof *m);
  m->dir          = dir;
  m->memory       = aligned_alloc(4096, 1u << 20);
  m->streams.slot = calloc(MD_JOURNAL_STREAM_SLOTS, 1);
  make_manifest(m);
  make_epoch(m);
  const uint32_t second = cfg->segment_cnt - cfg->segment_cnt / 3;
  for (uint32_t i = 0; i < cfg->segment_cnt; i++) {
    if (i == second) make_epoch(m);
    make_segment(m, i + 1, cfg);
  }
  md_manifest_close(m->manifest);
  free(m->streams.slot);
  free(m->memory);
  free(m);
}

/* Packs every segment but the last, in small blocks. */
static inline void
make_packed(const char *dir, uint32_t segment_cnt, uint32_t join_bytes) {
  const md_journal_pack_config_t cfg = {.dir = dir, .join_bytes = join_bytes};
  uint64_t                      *ids = NULL;
  uint32_t                       cnt = 0;
  md_assert(md_journal_list(NULL, dir, &ids, &cnt, NULL) == MD_OK && cnt == segment_cnt);
  for (uint32_t i = 0; i + 1 < cnt; i++) {
    md_journal_packed_t out;
    md_msg_t            msg;
    uint64_t            limit = 0;
    md_assert(md_journal_limit_of(NULL, dir, ids, cnt, i, &limit) == MD_OK);
    md_err_t err = md_journal_pack(&cfg, ids[i], limit, &out, &msg);
    if (err) (void)fprintf(stderr, "%s\n", msg.text);
    md_assert(err == MD_OK && out.is_packed);
  }
  free(ids);
}

static inline void
make_indexes(const char *dir, uint32_t segment_cnt) {
  uint64_t *ids = NULL;
  uint32_t  cnt = 0;
  md_assert(md_journal_list(NULL, dir, &ids, &cnt, NULL) == MD_OK && cnt == segment_cnt);
  for (uint32_t i = 0; i < cnt; i++) {
    md_journal_index_t x;
    uint64_t           limit = 0;
    md_assert(md_journal_limit_of(NULL, dir, ids, cnt, i, &limit) == MD_OK);
    md_assert(md_journal_index_build(NULL, dir, ids[i], limit, &x, NULL) == MD_OK);
    md_assert(md_journal_index_write(NULL, dir, &x, NULL) == MD_OK);
    md_journal_index_free(&x);
  }
  free(ids);
}

#endif
