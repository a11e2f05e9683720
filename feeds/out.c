#include "feeds/out.h"

#include <string.h>
#include <sys/mman.h>

/* Touched at start, so that the usual messages never meet a fresh page. */
#define TOUCH_BYTES (256u << 10)

#define RAW_PART_BYTES_MAX                                                                         \
  (MD_RECORD_BYTES_MAX - MD_RECORD_HEADER_BYTES - (uint32_t)sizeof(md_raw_t))

_Static_assert(MD_OUT_NAME_BYTES_MAX < RAW_PART_BYTES_MAX, "a name leaves room for payload");

md_err_t
md_out_init(md_out_t *o, uint64_t stage_bytes, const md_clock_t *clock) {
  md_assert(stage_bytes >= MD_RECORD_BYTES_MAX);
  memset(o, 0, sizeof *o);
  void *stage = mmap(NULL, stage_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stage == MAP_FAILED) return MD_ERR_NOMEM;
  o->stage       = stage;
  o->stage_bytes = stage_bytes;
  o->clock       = clock;
  memset(o->stage, 0, stage_bytes < TOUCH_BYTES ? stage_bytes : TOUCH_BYTES);
  return MD_OK;
}

void
md_out_fini(md_out_t *o) {
  if (o->stage) munmap(o->stage, o->stage_bytes);
  o->stage = NULL;
}

md_record_t *
md_out_stage(md_out_t *o, md_record_type_t type, uint64_t body_bytes) {
  uint64_t bytes = md_align_up(sizeof(md_record_t) + body_bytes, MD_RECORD_ALIGN_BYTES);
  if (bytes > MD_RECORD_BYTES_MAX || bytes > o->stage_bytes - o->stage_used) return NULL;
  uint8_t       *at = o->stage + o->stage_used;
  const uint64_t fixed =
      sizeof(md_record_t) + md_record_info(type)->body_bytes; /* not the levels */
  memset(at, 0, bytes < fixed ? bytes : fixed);
  memset(at + bytes - MD_RECORD_ALIGN_BYTES, 0, MD_RECORD_ALIGN_BYTES);

  md_record_t *rec = (void *)at;
  rec->len         = (uint16_t)bytes;
  rec->type        = (uint8_t)type;
  rec->leg         = MD_LEG_NONE;
  rec->stream      = o->stream;
  rec->epoch       = o->epoch;
  o->stage_used += bytes;
  o->stage_cnt++;
  return rec;
}

static md_record_t *
behind(md_record_t *rec) {
  return (void *)((uint8_t *)rec + rec->len);
}

/* Writes one group to every ring that wants it, the journal's first. What the journal's ring has no
 * room for goes to no other sink either: the database must never hold what the journal lacks. */
static void
write_group(md_out_t *o, const md_record_t *first, uint32_t cnt, uint64_t bytes) {
  bool journal_lost = false;
  for (uint32_t r = 0; r < o->ring_cnt; r++) {
    md_out_ring_t *ring = &o->ring[r];
    if (first->type == MD_RECORD_RAW && !ring->wants_raw) continue;
    if (first->type == MD_RECORD_CHECKPOINT && !ring->wants_checkpoint) continue;
    if (MD_UNLIKELY(journal_lost)) { /* counted once, in the ring that lost it */
      md_ring_drop_group(&ring->producer, first, cnt);
      continue;
    }
    md_err_t err = md_ring_write_group(&ring->producer, first, cnt, bytes);
    if (MD_LIKELY(!err)) continue;
    md_count(o->metrics, MD_COUNTER_RING_LOST, cnt);
    journal_lost = r == 0;
  }
}

static void
write_tape(md_out_t *o, md_record_t *rec, uint32_t cnt) {
  for (uint32_t i = 0; i < cnt; i++) {
    (void)md_tape_write(&o->tape, rec);
    rec = behind(rec);
  }
}

/* The staged records group by group; every group goes to all rings before the tape sees any. */
static void
write_staged(md_out_t *o) {
  md_record_t *first = (void *)o->stage;
  md_record_t *rec   = first;
  uint32_t     cnt   = 0;
  for (uint32_t i = 0; i < o->stage_cnt; i++) {
    bool is_last = rec->flags & MD_FLAG_LAST;
    rec          = behind(rec);
    cnt++;
    if (!is_last) continue;
    write_group(o, first, cnt, (uint64_t)((uint8_t *)rec - (uint8_t *)first));
    first = rec;
    cnt   = 0;
  }
  md_assert(cnt == 0);
}

static void
forget_staged(md_out_t *o) {
  o->stage_used = 0;
  o->stage_cnt  = 0;
}

void
md_out_commit(md_out_t *o) {
  if (o->stage_cnt == 0) return;
  o->pub_ns        = md_clock_real_ns(o->clock);
  md_record_t *rec = (void *)o->stage;
  for (uint32_t i = 0; i < o->stage_cnt; i++) {
    rec->seq       = ++o->seq;
    rec->ts_pub_ns = o->pub_ns;
    o->recv_ns     = rec->ts_recv_ns;
    md_count_record(o->metrics, rec->type);
    rec = behind(rec);
  }
  write_staged(o);
  if (o->tape.tape) write_tape(o, (void *)o->stage, o->stage_cnt);
  if (o->tap) {
    rec = (void *)o->stage;
    for (uint32_t i = 0; i < o->stage_cnt; i++) {
      o->tap(o->tap_ctx, rec);
      rec = behind(rec);
    }
  }
  md_count(o->metrics, MD_COUNTER_RECORDS, o->stage_cnt);
  o->pending_cnt++;
  forget_staged(o);
}

void
md_out_commit_checkpoint(md_out_t *o) {
  md_record_t *rec = (void *)o->stage;
  for (uint32_t i = 0; i < o->stage_cnt; i++) {
    md_assert(rec->type == MD_RECORD_CHECKPOINT);
    rec->seq       = o->seq;
    rec->ts_pub_ns = o->pub_ns;
    rec            = behind(rec);
  }
  write_staged(o);
  o->pending_cnt++;
  forget_staged(o);
}

/* One part of a RAW group: the name in the first, as much payload as fits. */
static uint32_t
stage_raw_part(md_out_t *o, const md_input_t *in, uint32_t name_len, uint32_t off) {
  uint32_t     room     = RAW_PART_BYTES_MAX - name_len;
  uint32_t     part_len = in->len - off < room ? in->len - off : room;
  md_record_t *rec      = md_out_stage(o, MD_RECORD_RAW, sizeof(md_raw_t) + name_len + part_len);
  md_assert(rec != NULL);
  rec->stream     = o->raw_stream;
  rec->leg        = in->leg;
  rec->flags      = off + part_len == in->len ? MD_FLAG_LAST : 0;
  rec->seq        = ++o->raw_seq;
  rec->ts_exch_ns = MD_NULL_I64;
  rec->ts_recv_ns = in->recv_ns;
  rec->ts_pub_ns  = o->pub_ns;

  md_raw_t *raw  = md_record_body(rec);
  raw->kind      = (uint8_t)in->kind;
  raw->name_len  = (uint16_t)name_len;
  raw->part_len  = part_len;
  raw->part_off  = off;
  raw->total_len = in->len;
  uint8_t *bytes = (uint8_t *)(raw + 1);
  if (name_len != 0) memcpy(bytes, in->name, name_len);
  if (part_len != 0) memcpy(bytes + name_len, in->payload + off, part_len);
  return part_len;
}

uint32_t
md_out_raw(md_out_t *o, const md_input_t *in) {
  if (!o->keep_raw) return 0;
  md_assert(o->stage_cnt == 0);
  md_assert(in->len <= MD_FRAME_BYTES_MAX);
  uint64_t first_seq = o->raw_seq + 1;
  uint32_t name_len  = in->name_len < MD_OUT_NAME_BYTES_MAX ? in->name_len : MD_OUT_NAME_BYTES_MAX;
  o->pub_ns          = md_clock_real_ns(o->clock);
  o->raw_recv_ns     = in->recv_ns;
  uint32_t off       = stage_raw_part(o, in, name_len, 0);
  while (off < in->len)
    off += stage_raw_part(o, in, 0, off);
  write_staged(o);
  md_count(o->metrics, MD_COUNTER_RAW_RECORDS, o->stage_cnt);
  forget_staged(o);
  return (uint32_t)first_seq;
}

static void
store_progress(md_stream_row_t *row, uint64_t seq, int64_t recv_ns) {
  if (!row || seq == 0) return;
  md_store_relaxed(&row->published_seq, seq); /* relaxed: the ring's head publishes the records */
  md_store_relaxed(&row->last_recv_ns, (uint64_t)recv_ns); /* a number by itself */
}

void
md_out_publish(md_out_t *o) {
  for (uint32_t r = 0; r < o->ring_cnt; r++)
    md_ring_publish(&o->ring[r].producer);
  if (o->tape.tape) md_tape_publish(&o->tape);
  store_progress(o->stream_row, o->seq, o->recv_ns);
  if (o->keep_raw) store_progress(o->raw_row, o->raw_seq, o->raw_recv_ns);
  o->pending_cnt = 0;
}

uint64_t
md_out_tape_pos(const md_out_t *o) {
  return o->tape.tape ? o->tape.write : 0;
}
