#include "writers/journal_sink.h"

#include <inttypes.h>
#include <string.h>

#define FETCH_LINES 8u
#define RUN_BYTES   (128u << 10) /* of one ring before the next has its turn */

static void
begin_slot(md_journal_sink_t *s, uint32_t i) {
  md_journal_slot_t *slot = &s->slot[i];
  md_assert(s->filling < 0);
  md_assert(slot->state == MD_SLOT_FREE);
  slot->state         = MD_SLOT_FILLING;
  s->filling          = (int)i;
  s->filling_since_ns = md_clock_mono_ns(s->env.clock);
  md_journal_builder_begin(&s->builder, slot->data, slot->cap_bytes, s->sub_cap);
}

/* Makes sure that bytes fit the block being filled: closes a full one, takes a free one. False:
 * none is free, or the full one cannot be written now. */
static bool
make_room(md_journal_sink_t *s, uint64_t bytes) {
  if (s->filling >= 0) {
    bool large =
        s->filling == (int)MD_JOURNAL_LARGE_SLOT; /* for one group, not for all that fits */
    bool fits = md_journal_builder_fits(&s->builder, bytes);
    if (fits && (!large || s->builder.record_cnt == 0)) return true;
    if (s->builder.record_cnt > 0 && !md_journal_flow_close(s)) return false;
  }
  if (s->filling >= 0) { /* empty and too small: only the large one helps */
    s->slot[s->filling].state = MD_SLOT_FREE;
    s->filling                = -1;
  }
  const uint64_t header_bytes = sizeof(md_journal_block_t) + s->sub_cap * sizeof(md_journal_sub_t);
  for (uint32_t i = 0; i <= MD_JOURNAL_LARGE_SLOT; i++) {
    if (i < MD_JOURNAL_LARGE_SLOT && header_bytes + bytes > s->slot[i].cap_bytes) continue;
    if (i == MD_JOURNAL_LARGE_SLOT && header_bytes + bytes <= s->slot[0].cap_bytes) return false;
    if (s->slot[i].state != MD_SLOT_FREE) continue;
    begin_slot(s, i);
    return true;
  }
  return false;
}

/* Puts the instrument of a DEFINITION into the manifest; it is synced before the block is written.
 */
static bool
note_instrument(md_journal_sink_t *s, const md_record_t *rec) {
  const uint8_t *body = md_record_body_const(rec);
  if (rec->type == MD_RECORD_CHECKPOINT) {
    md_checkpoint_t checkpoint;
    memcpy(&checkpoint, body, sizeof checkpoint);
    if (checkpoint.inner != MD_CHECKPOINT_DEFINITION) return true;
    body += sizeof checkpoint;
  }
  md_definition_t definition;
  memcpy(&definition, body, sizeof definition);
  const char *feed = md_manifest_stream_name(s->cfg.manifest, rec->stream);
  definition.symbol[sizeof definition.symbol - 1] = 0;
  md_msg_t msg                                    = {0};
  md_err_t err = md_manifest_instrument_add(s->cfg.manifest, rec->instrument, feed ? feed : "?",
                                            definition.symbol, &msg);
  if (!err) return true;
  md_count(s->env.metrics, MD_COUNTER_SINK_ERRORS, 1);
  if (err == MD_ERR_EXISTS || err == MD_ERR_RANGE) { /* our own mistake: say so, keep the record */
    md_journal_say(s, "error", "journal: %s", msg.text);
    return true;
  }
  if (err == MD_ERR_NOSPACE) {
    md_journal_space_wait(s, msg.text);
    return false;
  }
  if (s->failure_cnt == 0)
    md_journal_say(s, "error", "journal: %s; nothing is taken from the feeds until it works",
                   msg.text);
  s->hold = true;
  md_journal_back_off(s);
  return false;
}

static bool
is_definition(const md_record_t *rec) {
  return rec->type == MD_RECORD_DEFINITION || rec->type == MD_RECORD_CHECKPOINT;
}

static void
add_record(md_journal_sink_t *s, const md_record_t *rec) {
  int idx = md_journal_streams_index(&s->streams, rec->stream);
  md_assert(idx >= 0);
  md_assert((uint32_t)idx < s->sub_cap); /* streams are known before the sink opens */
  md_journal_range_t range = md_journal_range_of(rec);
  uint64_t           last  = s->streams.seq[idx];
  bool               order = md_journal_streams_settle(&s->streams, (uint32_t)idx, range);
  if (MD_UNLIKELY(!order || rec->epoch != s->epoch)) {
    md_count(s->env.metrics, MD_COUNTER_SINK_ERRORS, 1);
    md_journal_say(s, "error",
                   "journal: stream %u epoch %u: seq %" PRIu64 " came after %" PRIu64
                   " without a LOSS between them; kept",
                   rec->stream, rec->epoch, range.first, last);
  }
  md_journal_builder_add(&s->builder, (uint32_t)idx, rec, range);
  if (MD_UNLIKELY(rec->type == MD_RECORD_LOSS)) md_journal_roll_ask(s);
}

/* The next group begins here. Another processor wrote it, and the ring is larger than any cache: it
 * is on its way while this one is copied. An address behind the ring's end does no harm. */
static void
fetch_ahead(const uint8_t *next) {
  for (uint32_t i = 0; i < FETCH_LINES; i++)
    md_prefetch(next + (size_t)i * 64);
}

/* One group from ring r. Returns its bytes, 0 when nothing could be taken. */
static uint64_t
take_group(md_journal_sink_t *s, uint32_t r, uint32_t *record_cnt) {
  md_ring_consumer_t *c = &s->ring[r];
  md_journal_group_t  group;
  if (!md_journal_group_next(c, &group)) return 0;
  fetch_ahead((const uint8_t *)group.first + group.bytes);
  if (!group.whole && !s->stopping) return 0;
  if (MD_UNLIKELY(s->roll.wanted && md_journal_roll_is_answer(s, r, group.first))) {
    s->roll.paused[r] = true;
    return 0;
  }
  if (!make_room(s, group.bytes)) return 0;
  const uint64_t read = c->read, handed_cnt = c->handed_cnt;
  if (MD_UNLIKELY(is_definition(group.first))) {
    for (uint32_t i = 0; i < group.record_cnt; i++) {
      const md_record_t *rec = md_ring_next(c);
      bool               ok  = !rec || !is_definition(rec) || note_instrument(s, rec);
      if (ok) continue;
      c->read       = read;
      c->handed_cnt = handed_cnt;
      return 0;
    }
    c->read       = read;
    c->handed_cnt = handed_cnt;
  }
  for (uint32_t i = 0; i < group.record_cnt; i++) {
    const md_record_t *rec = md_ring_next(c);
    md_assert(rec);
    add_record(s, rec);
  }
  *record_cnt += group.record_cnt;
  return group.bytes;
}

static uint32_t
take_run(md_journal_sink_t *s, uint32_t r) {
  md_ring_consumer_t *c          = &s->ring[r];
  uint32_t            record_cnt = 0;
  uint64_t            bytes      = 0;
  const uint64_t      read = c->read, handed_cnt = c->handed_cnt;
  const md_record_t  *first = md_ring_next(c);
  if (!first) return 0;
  const int64_t oldest_ns = first->ts_pub_ns;
  c->read                 = read;
  c->handed_cnt           = handed_cnt;
  while (bytes < RUN_BYTES) {
    uint64_t taken = take_group(s, r, &record_cnt);
    if (taken == 0) break;
    bytes += taken;
  }
  /* One sample a run, its oldest record: a clock reading each would cost more than the copy. */
  if (record_cnt > 0)
    md_stage_add(s->env.metrics, MD_STAGE_RING_WAIT, md_clock_real_ns(s->env.clock) - oldest_ns);
  return record_cnt;
}

/* Stream idx of a loss that the ring still owes a record for; false when none is owed. */
static bool
owed_loss(md_journal_sink_t *s, uint32_t r, uint32_t i, md_ring_loss_t *loss, uint32_t *idx) {
  md_ring_pending_loss(s->env.rings[r], i, loss);
  if (loss->record_cnt == 0) return false;
  int found = md_journal_streams_index(&s->streams, loss->stream);
  if (found < 0) return false;
  *idx = (uint32_t)found;
  return s->streams.seq[found] < loss->seq_last;
}

bool
md_journal_owes_loss(md_journal_sink_t *s) {
  md_ring_loss_t loss;
  uint32_t       idx;
  for (uint32_t r = 0; r < s->env.ring_cnt; r++)
    for (uint32_t i = 0; i < MD_RING_STREAM_CNT; i++)
      if (owed_loss(s, r, i, &loss, &idx)) return true;
  return false;
}

/* The feed has stopped: no later group declares what it lost last, so the journal does. */
static uint32_t
take_last_loss(md_journal_sink_t *s, uint32_t r) {
  md_ring_loss_record_t out;
  md_ring_loss_t        loss;
  uint32_t              idx, record_cnt = 0;
  md_ring_consumer_t    probe = s->ring[r];
  if (md_ring_next(&probe)) return 0; /* what is in the ring comes before what it lost last */
  for (uint32_t i = 0; i < MD_RING_STREAM_CNT; i++) {
    if (!owed_loss(s, r, i, &loss, &idx) || !make_room(s, sizeof out)) continue;
    int64_t now_ns = md_clock_real_ns(s->env.clock);
    md_ring_loss_record(&loss, s->epoch, now_ns, now_ns, MD_REASON_RING_FULL, &out);
    add_record(s, &out.head);
    record_cnt++;
  }
  return record_cnt;
}

uint32_t
md_journal_take(md_journal_sink_t *s) {
  uint32_t record_cnt = 0;
  if (s->failed || s->hold || s->file.fd < 0) return 0;
  for (uint32_t i = 0; i < s->env.ring_cnt; i++) {
    uint32_t r = (s->next_ring + i) % s->env.ring_cnt;
    if (s->roll.paused[r]) continue;
    uint32_t taken_cnt = take_run(s, r);
    if (taken_cnt == 0 && s->stopping && !s->failed && !s->hold) taken_cnt = take_last_loss(s, r);
    record_cnt += taken_cnt;
    if (s->failed || s->hold) break;
  }
  s->next_ring = s->env.ring_cnt ? (s->next_ring + 1) % s->env.ring_cnt : 0;
  return record_cnt;
}
