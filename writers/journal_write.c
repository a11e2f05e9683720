#include "writers/journal_write.h"

#include <string.h>

/* ---- marks ---- */

void
md_journal_marks_put(md_journal_marks_t *m, uint16_t stream, uint32_t epoch, uint64_t seq) {
  md_journal_mark_t *row = NULL;
  for (uint32_t i = 0; i < m->cnt; i++) {
    if (m->row[i].stream == stream) row = &m->row[i];
  }
  if (!row && m->cnt < MD_JOURNAL_MARK_CNT) {
    row  = &m->row[m->cnt++];
    *row = (md_journal_mark_t){.stream = stream};
  }
  if (!row) {
    row = &m->row[0];
    for (uint32_t i = 1; i < m->cnt; i++) {
      if (m->row[i].epoch < row->epoch) row = &m->row[i];
    }
    if (row->epoch > epoch) return;
    *row = (md_journal_mark_t){.stream = stream};
  }
  if (epoch < row->epoch || (epoch == row->epoch && seq <= row->seq)) return;
  row->epoch = epoch;
  row->seq   = seq;
}

uint64_t
md_journal_marks_seq(const md_journal_marks_t *m, uint16_t stream, uint32_t epoch) {
  for (uint32_t i = 0; i < m->cnt; i++) {
    if (m->row[i].stream == stream && m->row[i].epoch == epoch) return m->row[i].seq;
  }
  return 0;
}

void
md_journal_marks_to_head(const md_journal_marks_t *m, md_journal_head_t *head) {
  md_assert(m->cnt <= MD_JOURNAL_MARK_CNT);
  head->mark_cnt = m->cnt;
  memcpy(head->mark, m->row, m->cnt * sizeof m->row[0]);
}

void
md_journal_marks_from_head(md_journal_marks_t *m, const md_journal_head_t *head) {
  for (uint32_t i = 0; i < head->mark_cnt && i < MD_JOURNAL_MARK_CNT; i++)
    md_journal_marks_put(m, head->mark[i].stream, head->mark[i].epoch, head->mark[i].seq);
}

/* ---- streams ---- */

int
md_journal_streams_index(md_journal_streams_t *s, uint16_t stream) {
  if (MD_LIKELY(s->slot[stream] != 0)) return s->slot[stream] - 1;
  if (s->cnt == MD_STREAM_CNT_MAX) return -1;
  uint32_t idx    = s->cnt++;
  s->id[idx]      = stream;
  s->seq[idx]     = 0;
  s->slot[stream] = (uint8_t)(idx + 1);
  return (int)idx;
}

md_journal_range_t
md_journal_range_of(const md_record_t *rec) {
  if (rec->type == MD_RECORD_CHECKPOINT) return (md_journal_range_t){0, 0};
  if (rec->type != MD_RECORD_LOSS) return (md_journal_range_t){rec->seq, rec->seq};
  md_loss_t loss;
  memcpy(&loss, md_record_body_const(rec), sizeof loss);
  return (md_journal_range_t){loss.seq_first, loss.seq_last};
}

bool
md_journal_streams_settle(md_journal_streams_t *s, uint32_t idx, md_journal_range_t range) {
  if (range.last == 0) return true;
  bool in_order = range.first == s->seq[idx] + 1;
  if (range.last > s->seq[idx]) s->seq[idx] = range.last;
  return in_order;
}

/* ---- groups ---- */

bool
md_journal_group_next(md_ring_consumer_t *c, md_journal_group_t *out) {
  const uint64_t     read = c->read, handed_cnt = c->handed_cnt;
  const md_record_t *rec = md_ring_next(c);
  if (!rec) return false;
  *out = (md_journal_group_t){.first = rec};
  for (; rec; rec = md_ring_next(c)) {
    out->bytes += rec->len;
    out->record_cnt++;
    out->whole = (rec->flags & MD_FLAG_LAST) != 0;
    /* A group that is longer than any group may be is cut: it must not stop the journal. */
    if (out->record_cnt == MD_GROUP_RECORDS_MAX) out->whole = true;
    if (out->whole) break;
  }
  c->read       = read;
  c->handed_cnt = handed_cnt;
  return true;
}

/* ---- blocks ---- */

void
md_journal_builder_begin(md_journal_builder_t *b, uint8_t *data, uint32_t cap_bytes,
                         uint32_t sub_cap) {
  md_assert(sub_cap <= MD_JOURNAL_SUB_CNT);
  md_assert(cap_bytes % MD_JOURNAL_PAGE_BYTES == 0);
  md_assert(((uintptr_t)data & (MD_JOURNAL_PAGE_BYTES - 1)) == 0);
  b->data         = data;
  b->cap_bytes    = cap_bytes;
  b->sub_cap      = sub_cap;
  b->header_bytes = (uint32_t)(sizeof(md_journal_block_t) + sub_cap * sizeof(md_journal_sub_t));
  b->used_bytes   = b->header_bytes;
  b->record_cnt   = 0;
  b->flags        = 0;
  b->ts_first_ns  = 0;
  b->ts_last_ns   = 0;
  memset(b->sub, 0, sizeof b->sub);
}

void
md_journal_builder_add(md_journal_builder_t *b, uint32_t idx, const md_record_t *rec,
                       md_journal_range_t range) {
  md_assert(idx < b->sub_cap);
  md_assert(rec->len <= b->cap_bytes - b->used_bytes);
  md_journal_sub_t *sub = &b->sub[idx];
  if (b->record_cnt == 0) {
    b->ts_first_ns = rec->ts_pub_ns;
    b->ts_last_ns  = rec->ts_pub_ns;
  }
  if (rec->ts_pub_ns < b->ts_first_ns) b->ts_first_ns = rec->ts_pub_ns;
  if (rec->ts_pub_ns > b->ts_last_ns) b->ts_last_ns = rec->ts_pub_ns;
  if (rec->type == MD_RECORD_CHECKPOINT) b->flags |= MD_BLOCK_CHECKPOINT;
  if (range.last != 0) {
    if (sub->first_seq == 0 || range.first < sub->first_seq) sub->first_seq = range.first;
    if (range.last > sub->last_seq) sub->last_seq = range.last;
  }
  sub->record_cnt++;
  memcpy(b->data + b->used_bytes, rec, rec->len);
  b->used_bytes += rec->len;
  b->record_cnt++;
}

uint32_t
md_journal_builder_finish(md_journal_builder_t *b, const md_journal_streams_t *streams,
                          const md_journal_place_t *place) {
  uint32_t block_bytes = (uint32_t)md_align_up(b->used_bytes, MD_JOURNAL_PAGE_BYTES);
  md_assert(block_bytes <= b->cap_bytes);
  memset(b->data, 0, b->header_bytes);
  memset(b->data + b->used_bytes, 0, block_bytes - b->used_bytes);
  md_journal_block_t *block = (md_journal_block_t *)(void *)b->data;
  block->header_bytes       = (uint16_t)b->header_bytes;
  block->flags              = b->flags;
  block->segment            = place->segment;
  block->offset             = place->offset;
  block->durable_off        = place->durable_off;
  block->epoch              = place->epoch;
  block->block_bytes        = block_bytes;
  block->record_cnt         = b->record_cnt;
  block->raw_bytes          = b->used_bytes - b->header_bytes;
  block->stored_bytes       = block->raw_bytes;
  block->ts_first_ns        = b->ts_first_ns;
  block->ts_last_ns         = b->ts_last_ns;
  for (uint32_t i = 0; i < streams->cnt && i < b->sub_cap; i++) {
    if (b->sub[i].record_cnt == 0) continue;
    md_journal_sub_t *sub = &block->sub[block->stream_cnt++];
    *sub                  = b->sub[i];
    sub->stream           = streams->id[i];
    sub->epoch            = place->epoch;
    sub->durable_seq      = place->durable_seq ? place->durable_seq[i] : 0;
  }
  md_journal_block_seal(block);
  return block_bytes;
}
