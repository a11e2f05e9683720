#include "writers/pg_ring.h"

#include <string.h>

#define SAMPLE_EVERY 256u

void
md_pg_ring_init(md_pg_ring_t *r, md_ring_t *ring, md_stream_row_t *row) {
  *r = (md_pg_ring_t){.row = row};
  md_ring_consumer_init(&r->consumer, ring);
  r->done_pos = r->consumer.read;
  r->done_cnt = r->consumer.handed_cnt;
}

static const md_record_t *
peek(md_pg_ring_t *r) {
  if (!r->held) r->held = md_ring_next(&r->consumer);
  return r->held;
}

static void
drop(md_pg_ring_t *r) {
  r->held     = NULL;
  r->done_pos = r->consumer.read;
  r->done_cnt = r->consumer.handed_cnt;
}

static void
release(md_pg_ring_t *r) {
  md_ring_release(&r->consumer, r->done_pos, r->done_cnt);
}

/* Last seq that rec stands for in the normalised stream, 0 for none. */
static uint64_t
last_seq(const md_pg_ring_t *r, const md_record_t *rec) {
  if (rec->stream != r->row->stream || rec->type == MD_RECORD_CHECKPOINT) return 0;
  if (rec->type != MD_RECORD_LOSS) return rec->seq;
  md_loss_t loss;
  memcpy(&loss, md_record_body_const(rec), sizeof loss);
  return loss.seq_last;
}

static void
see(md_pg_ring_t *r, const md_record_t *rec) {
  uint64_t seq = last_seq(r, rec);
  if (seq > r->seen_seq) r->seen_seq = seq;
}

uint32_t
md_pg_ring_let_go(md_pg_ring_t *r, uint32_t max) {
  uint32_t cnt = 0;
  for (const md_record_t *rec; cnt < max && (rec = peek(r)); cnt++) {
    see(r, rec);
    drop(r);
  }
  if (cnt > 0) release(r);
  return cnt;
}

bool
md_pg_ring_joins(md_pg_ring_t *r, uint64_t next) {
  const md_record_t *rec;
  bool               is_dropped = false;
  while ((rec = peek(r)) && (rec->type == MD_RECORD_LOSS || last_seq(r, rec) == 0)) {
    see(r, rec);
    drop(r);
    is_dropped = true;
  }
  if (is_dropped) release(r);
  return rec ? next >= rec->seq : next > r->seen_seq;
}

static void
sample(md_pg_batch_t *b, const md_record_t *rec) {
  if (b->sample_cnt == MD_PG_SAMPLE_MAX) return;
  if (b->sample_cnt > 0 && rec->seq % SAMPLE_EVERY != 0) return;
  b->sample_pub_ns[b->sample_cnt++] = rec->ts_pub_ns;
}

/* The progress row of the ring's stream under this epoch. */
static uint32_t
progress_row(const md_pg_ring_t *r, const md_pg_context_t *ctx, uint32_t epoch) {
  uint32_t row = md_pg_progress_find(ctx->progress, r->row->stream, epoch);
  if (row != UINT32_MAX) return row;
  return md_pg_progress_add(ctx->progress, r->row->stream, epoch, r->row->name);
}

md_err_t
md_pg_ring_take(md_pg_ring_t *r, md_pg_batch_t *b, const md_pg_context_t *ctx, uint32_t epoch,
                int64_t mono_ns, uint32_t max, uint32_t *cnt) {
  uint64_t durable = md_pg_durable_seq(r->row);
  uint64_t published =
      md_load_relaxed(&r->row->published_seq); /* only compared; looked at before the ring */
  uint32_t row     = progress_row(r, ctx, epoch);
  md_err_t err     = MD_OK;
  *cnt             = 0;
  r->oldest_pub_ns = 0;
  if (row == UINT32_MAX) return MD_ERR_NOMEM;
  for (const md_record_t *rec; *cnt < max && (rec = peek(r)); *cnt += 1) {
    uint64_t seq = last_seq(r, rec), next = ctx->progress->row[row].next;
    if (seq >= next) {
      if (rec->type == MD_RECORD_LOSS || seq > next) err = MD_ERR_SEQUENCE;
      if (err != MD_OK || seq > durable) break;
      err = md_pg_batch_add(b, ctx, row, rec, mono_ns);
      if (err != MD_OK) break;
      if (r->oldest_pub_ns == 0) r->oldest_pub_ns = rec->ts_pub_ns;
      sample(b, rec);
    }
    see(r, rec);
    drop(r);
  }
  if (*cnt > 0) release(r);
  /* A loss is declared in front of the next group that fits. When none comes, an empty ring is all
   * that there is to see of it. */
  uint64_t next = ctx->progress->row[row].next;
  if (err == MD_OK && *cnt < max && !r->held && published >= next && durable >= next)
    return MD_ERR_SEQUENCE;
  return err;
}

bool
md_pg_ring_is_empty(const md_pg_ring_t *r, uint64_t next) {
  md_ring_stat_t stat;
  uint64_t       durable = md_pg_durable_seq(r->row);
  if (durable >= next && md_load_relaxed(&r->row->published_seq) >= next)
    return false; /* as above */
  return !r->held && md_ring_stat(r->consumer.ring, &stat) == MD_OK && stat.used_bytes == 0;
}
