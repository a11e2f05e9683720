#include "shm/ring.h"

#include <string.h>

#define RING_LOSS_BYTES ((uint32_t)sizeof(md_ring_loss_record_t))

_Static_assert(sizeof(md_ring_loss_record_t) == sizeof(md_record_t) + sizeof(md_loss_t),
               "LOSS is a header and its body");

/* A record that becomes longer than the end has room for leaves a pad there, which is only its
 * first word: what is left may be as short as 8 bytes. Type 0 and the length, as in a record's
 * header. */
_Static_assert(MD_RING_WORD_BYTES == MD_RECORD_ALIGN_BYTES, "a word fits any place");
_Static_assert(offsetof(md_record_t, len) == 0 && offsetof(md_record_t, type) == 2,
               "length and type stand in the first word");

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
  memset(ring->data, 0, MD_RING_WORD_BYTES);
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
  tail = md_load_relaxed(&ring->tail); /* relaxed: the consumer loads each word with acquire */
  head = md_load_relaxed(&ring->head);
  if (head < tail || head - tail > ring->capacity_bytes) return MD_ERR_CORRUPT;
  if (head % MD_RECORD_ALIGN_BYTES != 0 || tail % MD_RECORD_ALIGN_BYTES != 0) return MD_ERR_CORRUPT;
  *out = ring;
  return MD_OK;
}

/* ---- producer ---- */

/* ring_account copies all of the producer's counts into the ring under the account version. A loss
 * that is declared stays pending until its LOSS is visible: ring_settle takes it away. */
static void
ring_account(md_ring_producer_t *p) {
  md_ring_t *ring = p->ring;

  md_store_relaxed(&ring->account_version, p->version + 1); /* ordered before the words by R3 */
  md_store_release(&ring->offered_cnt, p->offered_cnt);     /* R3: after odd mark; pairs with A3 */
  md_store_release(&ring->published_cnt, p->published_cnt); /* R3: after odd mark; pairs with A3 */
  md_store_release(&ring->lost_cnt, p->lost_cnt);           /* R3: after odd mark; pairs with A3 */
  md_store_relaxed(&ring->loss_record_cnt, p->loss_record_cnt); /* a plain counter */
  for (uint32_t i = 0; i < MD_RING_STREAM_CNT; i++) { /* read when this side has stopped: relaxed */
    if (p->loss[i].record_cnt == 0) continue;
    md_store_relaxed(&ring->pending[i].stream, p->loss[i].stream);
    md_store_relaxed(&ring->pending[i].seq_first, p->loss[i].seq_first);
    md_store_relaxed(&ring->pending[i].seq_last, p->loss[i].seq_last);
  }
  p->version += 2;
  md_store_release(&ring->account_version, p->version); /* R4: account whole; pairs with A4 */
  p->changed = false;
}

/* ring_settle takes back what was pending and is declared now. */
static void
ring_settle(md_ring_producer_t *p) {
  for (uint32_t i = 0; i < MD_RING_STREAM_CNT; i++)
    if (p->loss[i].record_cnt == 0)
      md_store_relaxed(&p->ring->pending[i].seq_last, 0); /* as above */
}

void
md_ring_publish_slow(md_ring_producer_t *p) {
  ring_account(p);
  if (p->write != p->start) {
    if (p->stage_len != 0) md_ring_flush(p);
    md_ring_show(p);
  }
  ring_settle(p);
}

/* ring_end walks over whole records from tail to the word of 0 behind them. head bounds it: where
 * something else stands before, the memory is damaged, and the consumer will say so. */
static uint64_t
ring_end(const md_ring_t *ring, uint64_t tail, uint64_t head) {
  const uint64_t mask = ring->capacity_bytes - 1;
  uint64_t       pos  = tail;

  while (pos < head) {
    const uint64_t place = pos & mask;
    const uint64_t word  = md_load_relaxed(md_ring_word(ring, place)); /* this side's own words */
    const uint64_t len   = word & 0xffff;
    if (word == 0) return pos;
    if (len == 0 || len > head - pos || len % MD_RECORD_ALIGN_BYTES != 0) return head;
    if (place + len > ring->capacity_bytes) return head;
    pos += len;
  }
  return head;
}

/* ring_limit sets up to where records may go on the fast path: the end of the room or of the
 * memory, and nowhere while a loss must be declared first. */
static void
ring_limit(md_ring_producer_t *p) {
  const uint64_t room_end = p->tail_cache + p->mask + 1 - MD_RING_WORD_BYTES;
  const uint64_t lap_end  = (p->write | p->mask) + 1;

  if (lap_end - p->write > p->mask && p->stage_len != 0) md_ring_flush(p); /* at the very end */
  p->limit = room_end < lap_end ? room_end : lap_end;
  if ((p->loss[0].record_cnt | p->loss[1].record_cnt) != 0) p->limit = 0;
}

void
md_ring_producer_init(md_ring_producer_t *p, md_ring_t *ring) {
  memset(p, 0, sizeof *p);
  p->ring            = ring;
  p->mask            = ring->capacity_bytes - 1;
  p->tail_cache      = md_load_acquire(&ring->tail); /* A2: room given back; pairs with R2 */
  p->start           = ring_end(ring, p->tail_cache, md_load_relaxed(&ring->head)); /* own word */
  p->write           = p->start;
  p->published_cnt   = md_load_relaxed(&ring->published_cnt); /* this side's own words */
  p->lost_cnt        = md_load_relaxed(&ring->lost_cnt);
  p->loss_record_cnt = md_load_relaxed(&ring->loss_record_cnt);
  /* A producer that died inside its account left the version odd: make the identity true again. */
  p->offered_cnt = p->published_cnt + p->lost_cnt;
  p->version     = (md_load_relaxed(&ring->account_version) + 1) & ~1ull;
  md_store_relaxed(&ring->head, p->start); /* of a batch that was counted and never came */
  if (p->start - p->tail_cache <= p->mask) /* it is there already, unless the memory is damaged */
    md_store_relaxed(md_ring_word(ring, p->start & p->mask), 0); /* nothing before it is new */
  ring_account(p);
  ring_settle(p);
  ring_limit(p);
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

/* ring_has_room says whether bytes behind write fit, and a word behind them; it asks the consumer
 * only when it seems not. */
static bool
ring_has_room(md_ring_producer_t *p, uint64_t bytes) {
  const uint64_t most = p->mask + 1 - MD_RING_WORD_BYTES;

  if (MD_LIKELY(p->write + bytes - p->tail_cache <= most)) return true;
  p->tail_cache = md_load_acquire(&p->ring->tail); /* A2: room given back; pairs with R2 */
#if MD_MUTANT == 4
  p->tail_cache += 512;
#endif
  return p->write + bytes - p->tail_cache <= most;
}

/* Copies what is staged to its place in the ring, not yet visible. */
void
md_ring_flush(md_ring_producer_t *p) {
  memcpy(p->ring->data + ((p->write - p->stage_len) & p->mask), p->stage, p->stage_len);
  p->stage_len = 0;
}

/* ring_put copies what is a record or a pad's word, and moves the write position by len. */
static void
ring_put(md_ring_producer_t *p, const void *rec, uint32_t bytes, uint32_t len) {
  const uint64_t place = p->write & p->mask;
  uint8_t       *to    = p->ring->data + place;

  if (place == 0 || p->stage_len + bytes > sizeof p->stage) md_ring_flush(p);
  if (p->write == p->start) { /* its first word is what publishes it */
    memcpy(&p->held, rec, sizeof p->held);
    memcpy(to + sizeof p->held, (const uint8_t *)rec + sizeof p->held, bytes - sizeof p->held);
  } else if (bytes == len && bytes <= MD_RING_STAGE_RECORD_BYTES) {
    memcpy(p->stage + p->stage_len, rec, bytes);
    p->stage_len += bytes;
  } else {
    md_ring_flush(p);
    memcpy(to, rec, bytes);
  }
  p->write += len;
}

/* ring_add puts one record, behind a pad where it does not fit before the end of the memory. */
static void
ring_add(md_ring_producer_t *p, const md_record_t *rec) {
  const uint64_t left = p->mask + 1 - (p->write & p->mask);

  if (MD_UNLIKELY(rec->len > left)) ring_put(p, &left, MD_RING_WORD_BYTES, (uint32_t)left);
  ring_put(p, rec, rec->len, rec->len);
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
    if (md_ring_is_counted(rec->type)) {
      ring_note_loss(p, rec);
      p->offered_cnt++;
      p->lost_cnt++;
    }
    rec = ring_after(rec);
  }
  p->changed = true;
  p->limit   = 0;
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
    ring_add(p, &out.head);
    p->loss_record_cnt++;
    memset(loss, 0, sizeof *loss);
  }
  p->changed = true;
}

/* Writes any group: long, of many records, near the end of the memory or of the room, or after a
 * loss. */
md_err_t
md_ring_write_slow(md_ring_producer_t *p, const md_record_t *first, uint32_t cnt, uint64_t bytes) {
  const md_record_t *rec         = first;
  uint64_t           sum         = 0;
  uint64_t           counted_cnt = 0;

  md_assert(cnt > 0);
  for (uint32_t i = 0; i < cnt; i++) {
    md_assert(ring_is_sound(rec));
    sum += rec->len;
    md_assert(sum <= bytes);
    counted_cnt += md_ring_is_counted(rec->type);
    rec = ring_after(rec);
  }
  md_assert(sum == bytes);
  if (bytes > (p->mask + 1) / 2) return ring_drop(p, first, cnt);
  if (!ring_has_room(p, ring_span(p, first, cnt))) return ring_drop(p, first, cnt);
  if (MD_UNLIKELY((p->loss[0].record_cnt | p->loss[1].record_cnt) != 0)) ring_declare(p, first);
  rec = first;
  for (uint32_t i = 0; i < cnt; i++) {
    ring_add(p, rec);
    rec = ring_after(rec);
  }
  p->offered_cnt += counted_cnt;
  p->published_cnt += counted_cnt;
  ring_limit(p);
  return MD_OK;
}

uint64_t
md_ring_free_bytes(md_ring_producer_t *p) {
  p->tail_cache = md_load_acquire(&p->ring->tail); /* A2: room given back; pairs with R2 */
  ring_limit(p);
  const uint64_t most = p->mask + 1 - MD_RING_WORD_BYTES;
  const uint64_t used = p->write - p->tail_cache;
  return used < most ? most - used : 0;
}

/* ---- consumer ---- */

void
md_ring_consumer_init(md_ring_consumer_t *c, md_ring_t *ring) {
  memset(c, 0, sizeof *c);
  c->ring       = ring;
  c->mask       = ring->capacity_bytes - 1;
  c->read       = md_load_relaxed(&ring->tail); /* only this side stores tail */
  c->released   = c->read;
  c->handed_cnt = md_load_relaxed(&ring->consumed_cnt); /* as above */
}

/* What stands at read is not 0 and no record that fits: a pad, behind which stands one in the same
 * publication, or damage. */
const md_record_t *
md_ring_next_slow(md_ring_consumer_t *c) {
  const uint64_t place = c->read & c->mask;
  const uint64_t left  = c->mask + 1 - place;
  const uint64_t word  = md_load_relaxed(md_ring_word(c->ring, place)); /* seen with A1 before */

  if (word == left && place != 0 && c->read + left - c->released <= c->mask) {
    const uint64_t behind = md_load_relaxed(md_ring_word(c->ring, 0)); /* as above */
    if (md_ring_fits(c, c->read + left, behind)) return md_ring_hand(c, c->read + left, behind);
  }
  c->damaged = true;
  return NULL;
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
