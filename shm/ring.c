#include "shm/ring.h"

#include <string.h>

#include "shm/mutant.h"

#define RING_LOSS_BYTES ((uint32_t)sizeof(md_ring_loss_record_t))

_Static_assert(sizeof(md_ring_loss_record_t) == sizeof(md_record_t) + sizeof(md_loss_t),
               "LOSS is a header and its body");

/* A pad is only its first word: what is left at the end may be as short as 8 bytes. */
typedef struct ring_pad {
  uint16_t len;
  uint8_t  type;
  uint8_t  zero[5];
} ring_pad_t;

_Static_assert(sizeof(ring_pad_t) == MD_RECORD_ALIGN_BYTES, "a pad fits any place");

uint64_t
md_ring_footprint(uint64_t capacity_bytes) {
  if (!md_is_pow2(capacity_bytes)) return 0;
  if (capacity_bytes < MD_RING_BYTES_MIN || capacity_bytes > MD_RING_BYTES_MAX) return 0;
  return offsetof(md_ring_t, data) + capacity_bytes;
}

md_err_t
md_ring_new(void *mem, const char *name, uint16_t feed, uint16_t sink, uint32_t epoch,
            uint64_t capacity_bytes) {
  md_ring_t *ring = mem;

  if (md_ring_footprint(capacity_bytes) == 0) return MD_ERR_RANGE;
  md_assert((uintptr_t)mem % MD_CACHE_BLOCK == 0);
  memset(ring, 0, offsetof(md_ring_t, data));
  ring->capacity_bytes = capacity_bytes;
  ring->epoch          = epoch;
  ring->feed           = feed;
  ring->sink           = sink;
  for (size_t i = 0; i + 1 < sizeof ring->name && name[i] != 0; i++)
    ring->name[i] = name[i];
  ring->magic = MD_RING_MAGIC;
  return MD_OK;
}

md_err_t
md_ring_join(void *mem, uint64_t avail_bytes, md_ring_t **out) {
  md_ring_t *ring = mem;
  uint64_t   head, tail, bytes;

  *out = NULL;
  if (mem == NULL || (uintptr_t)mem % MD_CACHE_BLOCK != 0) return MD_ERR_CORRUPT;
  if (avail_bytes < sizeof(md_ring_t)) return MD_ERR_CORRUPT;
  if (ring->magic != MD_RING_MAGIC) return MD_ERR_VERSION;
  bytes = md_ring_footprint(ring->capacity_bytes);
  if (bytes == 0 || bytes > avail_bytes) return MD_ERR_CORRUPT;
  if (memchr(ring->name, 0, sizeof ring->name) == NULL) return MD_ERR_CORRUPT;
  tail = md_load_relaxed(&ring->tail); /* relaxed: the consumer loads head with acquire again */
  head = md_load_relaxed(&ring->head);
  if (head < tail || head - tail > ring->capacity_bytes) return MD_ERR_CORRUPT;
  if (head % MD_RECORD_ALIGN_BYTES != 0 || tail % MD_RECORD_ALIGN_BYTES != 0) return MD_ERR_CORRUPT;
  *out = ring;
  return MD_OK;
}

/* ---- producer ---- */

/* ring_account copies the producer's counts into the ring under the account version. */
static void
ring_account(const md_ring_producer_t *p) {
  md_ring_t     *ring    = p->ring;
  const uint64_t version = md_load_relaxed(&ring->account_version) | 1; /* only writer */

  md_store_relaxed(&ring->account_version, version);    /* ordered before the words by their R3 */
  md_store_release(&ring->offered_cnt, p->offered_cnt); /* R3: after odd mark; pairs with A3 */
  md_store_release(&ring->published_cnt, p->published_cnt); /* R3: after odd mark; pairs with A3 */
  md_store_release(&ring->lost_cnt, p->lost_cnt);           /* R3: after odd mark; pairs with A3 */
  md_store_relaxed(&ring->loss_record_cnt, p->loss_record_cnt); /* a plain counter */
  for (uint32_t i = 0; i < MD_RING_STREAM_CNT; i++) { /* read when this side has stopped: relaxed */
    md_store_relaxed(&ring->pending[i].stream, p->loss[i].stream);
    md_store_relaxed(&ring->pending[i].seq_first, p->loss[i].seq_first);
    md_store_relaxed(&ring->pending[i].seq_last, p->loss[i].seq_last);
  }
  md_store_release(&ring->account_version, version + 1); /* R4: account whole; pairs with A4 */
}

void
md_ring_producer_init(md_ring_producer_t *p, md_ring_t *ring) {
  memset(p, 0, sizeof *p);
  p->ring            = ring;
  p->mask            = ring->capacity_bytes - 1;
  p->write           = md_load_relaxed(&ring->head); /* only this side stores head */
  p->tail_cache      = md_load_acquire(&ring->tail); /* A2: room given back; pairs with R2 */
  p->published_cnt   = md_load_relaxed(&ring->published_cnt); /* this side's own words */
  p->lost_cnt        = md_load_relaxed(&ring->lost_cnt);
  p->loss_record_cnt = md_load_relaxed(&ring->loss_record_cnt);
  /* A producer that died inside ring_account left the version odd: make the identity true again. */
  p->offered_cnt = p->published_cnt + p->lost_cnt;
  ring_account(p);
}

static bool
ring_is_counted(const md_record_t *rec) {
  return rec->type != MD_RECORD_CHECKPOINT && rec->type != MD_RECORD_LOSS;
}

static bool
ring_is_sound(const md_record_t *rec) {
  return rec->len >= MD_RECORD_HEADER_BYTES && rec->len <= MD_RECORD_BYTES_MAX &&
         rec->len % MD_RECORD_ALIGN_BYTES == 0 && rec->type != 0;
}

static const md_record_t *
ring_after(const md_record_t *rec) {
  return (const md_record_t *)(const void *)((const uint8_t *)rec + rec->len);
}

/* ring_has_room says whether bytes behind write fit, and asks the consumer only when it seems not.
 */
static bool
ring_has_room(md_ring_producer_t *p, uint64_t bytes) {
  const uint64_t capacity = p->mask + 1;

  if (MD_LIKELY(p->write + bytes - p->tail_cache <= capacity)) return true;
  p->tail_cache = md_load_acquire(&p->ring->tail); /* A2: room given back; pairs with R2 */
#if MD_MUTANT == 4
  p->tail_cache += 512;
#endif
  return p->write + bytes - p->tail_cache <= capacity;
}

/* ring_flush copies what is staged to its place in the ring, not yet visible. */
static void
ring_flush(md_ring_producer_t *p) {
  memcpy(p->ring->data + ((p->write - p->stage_len) & p->mask), p->stage, p->stage_len);
  p->stage_len = 0;
}

/* ring_wrap ends what is staged before the end of the memory, and pads where len does not fit. */
MD_COLD static void
ring_wrap(md_ring_producer_t *p, uint32_t len) {
  ring_flush(p);
  const uint64_t   place = p->write & p->mask;
  const ring_pad_t pad   = {.len = (uint16_t)(p->mask + 1 - place)};
  if (place + len <= p->mask + 1) return;
  memcpy(p->ring->data + place, &pad, sizeof pad);
  p->write += pad.len;
}

/* ring_put copies one record to the write position, which it fits without a wrap of its bytes:
 * short ones by way of the stage. */
static void
ring_put(md_ring_producer_t *p, const void *rec, uint32_t len) {
  const uint64_t from = (p->write - p->stage_len) & p->mask;

  if (MD_UNLIKELY(from + p->stage_len + len > p->mask + 1)) ring_wrap(p, len);
  if (MD_UNLIKELY(p->stage_len + len > sizeof p->stage)) ring_flush(p);
#if MD_MUTANT == 1
  md_store_release(&p->ring->head, p->write + len); /* R1: too early on purpose; pairs with A1 */
#endif
#if MD_MUTANT == 3
  md_store_relaxed(&p->ring->offered_cnt, p->offered_cnt + 1);
#endif
  if (p->pending && len <= MD_RING_STAGE_RECORD_BYTES) {
    memcpy(p->stage + p->stage_len, rec, len);
    p->stage_len += len;
  } else {
    if (p->stage_len != 0) ring_flush(p);
    memcpy(p->ring->data + (p->write & p->mask), rec, len);
  }
  p->pending = true;
  p->write += len;
}

/* ring_advance returns the position behind a record of len put at write, its pad included. */
static uint64_t
ring_advance(const md_ring_producer_t *p, uint64_t write, uint32_t len) {
  const uint64_t left = p->mask + 1 - (write & p->mask);

  return write + len + (len > left ? left : 0);
}

/* ring_span returns the bytes that pending LOSS records, the group and the pads take in all. */
static uint64_t
ring_span(const md_ring_producer_t *p, const md_record_t *first, uint32_t cnt) {
  const md_record_t *rec   = first;
  uint64_t           write = p->write;

  for (size_t i = 0; i < MD_CNT(p->loss); i++) {
    if (p->loss[i].record_cnt != 0) write = ring_advance(p, write, RING_LOSS_BYTES);
  }
  for (uint32_t i = 0; i < cnt; i++) {
    write = ring_advance(p, write, rec->len);
    rec   = ring_after(rec);
  }
  return write - p->write;
}

/* ring_note_loss widens the range of the record's stream. */
static void
ring_note_loss(md_ring_producer_t *p, const md_record_t *rec) {
  md_ring_loss_t *loss = &p->loss[0];

  if (loss->record_cnt != 0 && loss->stream != rec->stream) loss = &p->loss[1];
  if (loss->record_cnt == 0) {
    loss->stream    = rec->stream;
    loss->seq_first = rec->seq;
  }
  md_assert(loss->stream == rec->stream);
  loss->seq_last = rec->seq;
  loss->record_cnt++;
}

MD_COLD static md_err_t
ring_drop(md_ring_producer_t *p, const md_record_t *first, uint32_t cnt) {
  const md_record_t *rec = first;

  for (uint32_t i = 0; i < cnt; i++) {
    if (ring_is_counted(rec)) {
      ring_note_loss(p, rec);
      p->offered_cnt++;
      p->lost_cnt++;
    }
    rec = ring_after(rec);
  }
  return MD_ERR_FULL;
}

void
md_ring_drop_group(md_ring_producer_t *p, const md_record_t *first, uint32_t cnt) {
  (void)ring_drop(p, first, cnt);
}

void
md_ring_loss_record(const md_ring_loss_t *loss, uint32_t epoch, int64_t ts_recv_ns,
                    int64_t ts_pub_ns, md_reason_t reason, md_ring_loss_record_t *out) {
  memset(out, 0, sizeof *out);
  out->head.len        = RING_LOSS_BYTES;
  out->head.type       = MD_RECORD_LOSS;
  out->head.leg        = MD_LEG_NONE;
  out->head.flags      = MD_FLAG_LAST;
  out->head.stream     = loss->stream;
  out->head.epoch      = epoch;
  out->head.ts_exch_ns = MD_NULL_I64;
  out->head.ts_recv_ns = ts_recv_ns;
  out->head.ts_pub_ns  = ts_pub_ns;
  out->body.seq_first  = loss->seq_first;
  out->body.seq_last   = loss->seq_last;
  out->body.record_cnt = loss->record_cnt;
  out->body.reason     = (uint8_t)reason;
}

void
md_ring_pending_loss(const md_ring_t *ring, uint32_t i, md_ring_loss_t *out) {
  md_assert(i < MD_RING_STREAM_CNT);
  memset(out, 0, sizeof *out);
  out->stream = (uint16_t)md_load_relaxed(&ring->pending[i].stream); /* the producer has stopped */
  out->seq_first = md_load_relaxed(&ring->pending[i].seq_first);
  out->seq_last  = md_load_relaxed(&ring->pending[i].seq_last);
  if (out->seq_last != 0 && out->seq_first <= out->seq_last)
    out->record_cnt = out->seq_last - out->seq_first + 1;
}

/* ring_declare puts one LOSS record for each stream that lost something; next lends its time. */
MD_COLD static void
ring_declare(md_ring_producer_t *p, const md_record_t *next) {
  md_ring_loss_record_t out;

  for (size_t i = 0; i < MD_CNT(p->loss); i++) {
    md_ring_loss_t *loss = &p->loss[i];
    if (loss->record_cnt == 0) continue;
    md_ring_loss_record(loss, p->ring->epoch, next->ts_recv_ns, next->ts_pub_ns,
                        MD_REASON_RING_FULL, &out);
#if MD_MUTANT == 6
    out.body.record_cnt--;
#endif
    ring_put(p, &out, RING_LOSS_BYTES);
    p->loss_record_cnt++;
    memset(loss, 0, sizeof *loss);
  }
}

/* ring_write_slow writes a group near the end of the memory, after a loss, or of many records. */
static md_err_t
ring_write_slow(md_ring_producer_t *p, const md_record_t *first, uint32_t cnt, uint64_t bytes) {
  const md_record_t *rec         = first;
  uint64_t           sum         = 0;
  uint64_t           counted_cnt = 0;

  for (uint32_t i = 0; i < cnt; i++) {
    md_assert(ring_is_sound(rec));
    sum += rec->len;
    md_assert(sum <= bytes);
    counted_cnt += ring_is_counted(rec);
    rec = ring_after(rec);
  }
  md_assert(sum == bytes);
  if (bytes > (p->mask + 1) / 2) return ring_drop(p, first, cnt);
  if (!ring_has_room(p, ring_span(p, first, cnt))) return ring_drop(p, first, cnt);
  if (MD_UNLIKELY((p->loss[0].record_cnt | p->loss[1].record_cnt) != 0)) ring_declare(p, first);
  rec = first;
  for (uint32_t i = 0; i < cnt; i++) {
    ring_put(p, rec, rec->len);
    rec = ring_after(rec);
  }
  p->offered_cnt += counted_cnt;
  p->published_cnt += counted_cnt;
  return MD_OK;
}

md_err_t
md_ring_write_group(md_ring_producer_t *p, const md_record_t *first, uint32_t cnt, uint64_t bytes) {
  md_assert(cnt > 0);
  if (MD_UNLIKELY(cnt != 1)) return ring_write_slow(p, first, cnt, bytes);

  /* One record, nothing to declare, no wrap: the way that nearly every message takes. */
  const uint64_t place = p->write & p->mask;
  md_assert(ring_is_sound(first));
  md_assert(first->len == bytes);
  if (MD_UNLIKELY(place + bytes > p->mask + 1)) return ring_write_slow(p, first, cnt, bytes);
  if (MD_UNLIKELY((p->loss[0].record_cnt | p->loss[1].record_cnt) != 0)) {
    return ring_write_slow(p, first, cnt, bytes);
  }
  if (MD_UNLIKELY(!ring_has_room(p, bytes))) return ring_drop(p, first, cnt);
  const uint64_t counted_cnt = ring_is_counted(first);
  ring_put(p, first, first->len);
  p->offered_cnt += counted_cnt;
  p->published_cnt += counted_cnt;
  return MD_OK;
}

void
md_ring_publish(md_ring_producer_t *p) {
  md_ring_t *ring = p->ring;

  /* This side's own word: relaxed. A drop changes the account and leaves head alone. */
  if (!p->pending && md_load_relaxed(&ring->offered_cnt) == p->offered_cnt) return;
  if (p->stage_len != 0) ring_flush(p);
  p->pending = false;
  ring_account(p); /* first, so that nobody consumes what is not yet in the account */
#if MD_MUTANT == 2
  md_store_relaxed(&ring->head, p->write);
#else
  md_store_release(&ring->head, p->write); /* R1: publishes bytes below head; pairs with A1 */
#endif
}

uint64_t
md_ring_free_bytes(md_ring_producer_t *p) {
  p->tail_cache = md_load_acquire(&p->ring->tail); /* A2: room given back; pairs with R2 */
  return p->mask + 1 - (p->write - p->tail_cache);
}

/* ---- consumer ---- */

void
md_ring_consumer_init(md_ring_consumer_t *c, md_ring_t *ring) {
  memset(c, 0, sizeof *c);
  c->ring       = ring;
  c->mask       = ring->capacity_bytes - 1;
  c->read       = md_load_relaxed(&ring->tail); /* only this side stores tail */
  c->head_cache = c->read;
  c->handed_cnt = md_load_relaxed(&ring->consumed_cnt); /* as above */
}

/* ring_bad_record keeps a consumer of damaged memory at its place. */
MD_COLD static const md_record_t *
ring_bad_record(md_ring_consumer_t *c) {
  c->damaged    = true;
  c->head_cache = c->read;
  return NULL;
}

const md_record_t *
md_ring_next(md_ring_consumer_t *c) {
  /* Two turns at most: a pad ends at the wrap, and behind the wrap stands a record. */
  for (unsigned turn = 0; turn < 2; turn++) {
    if (c->read == c->head_cache) {
      if (MD_UNLIKELY(c->damaged)) return NULL;
      c->head_cache = md_load_acquire(&c->ring->head); /* A1: bytes below head; pairs with R1 */
      if (c->read == c->head_cache) return NULL;
    }
    const uint64_t     place = c->read & c->mask;
    const uint64_t     left  = c->mask + 1 - place;
    const md_record_t *rec   = (const md_record_t *)(const void *)(c->ring->data + place);
    const uint32_t     len   = rec->len;
    const uint64_t     avail = c->head_cache - c->read;
    if (MD_UNLIKELY(len > avail || len % MD_RECORD_ALIGN_BYTES != 0)) return ring_bad_record(c);
    if (MD_UNLIKELY(rec->type == 0)) {
      if (len != left) return ring_bad_record(c);
      c->read += len;
      continue;
    }
    if (MD_UNLIKELY(len < MD_RECORD_HEADER_BYTES || len > left)) return ring_bad_record(c);
    c->handed_cnt += ring_is_counted(rec);
    c->read += len;
    return rec;
  }
  return c->read == c->head_cache ? NULL : ring_bad_record(c);
}

void
md_ring_release(md_ring_consumer_t *c, uint64_t pos, uint64_t consumed_cnt) {
  md_dassert(pos <= c->read);
  md_store_release(&c->ring->consumed_cnt, consumed_cnt); /* R5: knows A1's; pairs with A5 */
#if MD_MUTANT == 5
  md_store_relaxed(&c->ring->tail, pos);
#else
  md_store_release(&c->ring->tail, pos);   /* R2: gives bytes below pos back; pairs with A2 */
#endif
}

/* ---- any thread ---- */

md_err_t
md_ring_stat(const md_ring_t *ring, md_ring_stat_t *out) {
  for (unsigned turn = 0; turn < MD_READ_RETRY_MAX; turn++) {
    /* The consumer's side first: what it consumed is then in the account that is read behind it. */
    const uint64_t tail = md_load_acquire(&ring->tail); /* A2: head is no less; pairs with R2 */
    const uint64_t consumed_cnt =
        md_load_acquire(&ring->consumed_cnt); /* A5: before the account; pairs with R5 */
    const uint64_t version = md_load_acquire(&ring->account_version); /* A4: whole; pairs with R4 */
    if (version % 2 != 0) continue;
    out->offered_cnt = md_load_acquire(&ring->offered_cnt); /* A3: before version; pairs with R3 */
    out->published_cnt =
        md_load_acquire(&ring->published_cnt);        /* A3: before version; pairs with R3 */
    out->lost_cnt = md_load_acquire(&ring->lost_cnt); /* A3: before version; pairs with R3 */
    if (md_load_relaxed(&ring->account_version) != version) continue; /* ordered by A3 */
    const uint64_t head = md_load_relaxed(&ring->head); /* at least the tail that was read */
    out->capacity_bytes = ring->capacity_bytes;
    out->used_bytes     = head - tail < ring->capacity_bytes ? head - tail : ring->capacity_bytes;
    out->consumed_cnt   = consumed_cnt;
    return MD_OK;
  }
  return MD_ERR_BUSY;
}
