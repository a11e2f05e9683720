#include "writers/journal_sink.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
md_journal_say(const md_journal_sink_t *s, const char *level, const char *format, ...) {
  if (!s->env.log) return;
  char    text[700];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  s->env.log(s->env.log_ctx, level, text);
}

void
md_journal_back_off(md_journal_sink_t *s) {
  s->failure_cnt++;
  s->backoff_ns = s->backoff_ns == 0 ? MD_JOURNAL_BACKOFF_MIN_NS : 2 * s->backoff_ns;
  if (s->backoff_ns > MD_JOURNAL_BACKOFF_MAX_NS) s->backoff_ns = MD_JOURNAL_BACKOFF_MAX_NS;
  s->retry_ns = md_clock_mono_ns(s->env.clock) + s->backoff_ns;
}

/* ---- a new segment ---- */

/* Where every stream stands at the end of the predecessor. */
static void
raise_marks(md_journal_sink_t *s) {
  for (uint32_t i = 0; i < s->streams.cnt; i++) {
    if (s->durable.seq[i] > 0)
      md_journal_marks_put(&s->marks, s->streams.id[i], s->epoch, s->durable.seq[i]);
  }
}

/* From the file made ahead, when there is one. */
static md_err_t
open_file(md_journal_sink_t *s, md_journal_head_t *head, md_msg_t *msg) {
  if (s->ahead && md_journal_ahead_take(s->ahead, &s->file)) {
    s->ahead_asked = false;
    if (md_journal_file_adopt(&s->file, s->cfg.dir, head, msg) == MD_OK) return MD_OK;
    md_journal_say(s, "warn", "journal: %s", msg->text);
  }
  uint64_t room_bytes = s->cfg.segment_bytes + MD_JOURNAL_ROOM_MIN;
  if (room_bytes > MD_JOURNAL_GROW_BYTES) room_bytes = MD_JOURNAL_GROW_BYTES;
  return md_journal_file_create(&s->file, s->cfg.disk, s->cfg.dir, head, room_bytes, msg);
}

md_err_t
md_journal_roll_open(md_journal_sink_t *s, md_msg_t *msg) {
  md_assert(s->file.fd < 0);
  raise_marks(s);
  md_journal_head_t head = {.segment      = s->next_segment,
                            .epoch        = s->epoch,
                            .created_ns   = md_clock_real_ns(s->env.clock),
                            .prev_segment = s->prev_segment,
                            .prev_bytes   = s->prev_bytes};
  memcpy(head.uuid, md_manifest_uuid(s->cfg.manifest), sizeof head.uuid);
  md_journal_marks_to_head(&s->marks, &head);
  md_err_t err = open_file(s, &head, msg);
  if (err) return err;
  s->next_segment++;
  md_count(s->env.metrics, MD_COUNTER_JOURNAL_SEGMENTS, 1);
  s->written.end_off = s->durable.end_off = s->syncing.end_off = MD_JOURNAL_PAGE_BYTES;
  md_msg_t line                                                = {0};
  if (md_manifest_segment(s->cfg.manifest, head.segment, s->epoch, head.created_ns, &line) != MD_OK)
    md_journal_say(s, "warn", "journal: segment %" PRIu64 " is not in the manifest: %s",
                   head.segment, line.text);
  return MD_OK;
}

/* The segment counts up to bytes. One without a block is as if it had never been. */
static void
set_predecessor(md_journal_sink_t *s, uint64_t bytes) {
  if (bytes <= MD_JOURNAL_PAGE_BYTES) {
    md_journal_unlink(s->cfg.disk, s->cfg.dir, s->file.segment);
    return;
  }
  s->prev_segment = s->file.segment;
  s->prev_bytes   = bytes;
}

/* ---- in order ---- */

bool
md_journal_roll_is_answer(const md_journal_sink_t *s, uint32_t r, const md_record_t *rec) {
  if (rec->type != MD_RECORD_CHECKPOINT) return false;
  md_checkpoint_t checkpoint;
  memcpy(&checkpoint, md_record_body_const(rec), sizeof checkpoint);
  return checkpoint.inner == MD_CHECKPOINT_BEGIN && checkpoint.request == s->roll.request[r];
}

static uint64_t
ask(md_ring_t *ring) {
  uint64_t request =
      md_load_relaxed(&ring->checkpoint_request) + 1;   /* only this thread stores it */
  md_store_relaxed(&ring->checkpoint_request, request); /* orders nothing: the answer carries it */
  return request;
}

static void
start_roll(md_journal_sink_t *s, int64_t now_ns) {
  s->roll = (md_journal_roll_t){.wanted = true, .deadline_ns = now_ns + MD_JOURNAL_ANSWER_NS};
  s->stands_alone = true;
  for (uint32_t r = 0; r < s->env.ring_cnt; r++)
    s->roll.request[r] = ask(s->env.rings[r]);
}

void
md_journal_roll_ask(md_journal_sink_t *s) {
  int64_t now_ns = md_clock_mono_ns(s->env.clock);
  if (s->roll.wanted || s->stopping) return;
  if (s->asked_ns != 0 && now_ns - s->asked_ns < MD_JOURNAL_ASK_NS) return;
  s->asked_ns = now_ns;
  for (uint32_t r = 0; r < s->env.ring_cnt; r++)
    (void)ask(s->env.rings[r]);
}

/* The feeds have stopped. An answer may still stand in a ring; once the rings are empty none will
 * come, and the segment goes on to the end: a new one would begin without checkpoints. */
static void
give_roll_up(md_journal_sink_t *s) {
  for (uint32_t r = 0; r < s->env.ring_cnt; r++) {
    md_ring_consumer_t probe = s->ring[r];
    if (!s->roll.paused[r] && md_ring_next(&probe)) return;
  }
  s->roll = (md_journal_roll_t){0};
}

static void
check_answers(md_journal_sink_t *s, int64_t now_ns) {
  uint32_t silent_cnt = 0, last = 0;
  for (uint32_t r = 0; r < s->env.ring_cnt; r++) {
    if (s->roll.paused[r]) continue;
    silent_cnt++;
    last = r;
  }
  if (silent_cnt > 0 && s->stopping) {
    give_roll_up(s);
    return;
  }
  if (silent_cnt > 0 && now_ns < s->roll.deadline_ns) return;
  if (silent_cnt > 0)
    md_journal_say(
        s, "warn",
        "journal: %u feeds gave no checkpoint (%s among them): the next segment does not "
        "stand alone for them",
        silent_cnt, s->env.rings[last]->name);
  s->roll.ready = silent_cnt == 0 || s->file.end_off >= s->cfg.segment_bytes;
  if (!s->roll.ready) s->roll = (md_journal_roll_t){0}; /* a new one would be no better */
}

/* The old one is durable: what is left of it to do can wait, and is done elsewhere. */
static void
leave_segment(md_journal_sink_t *s, uint64_t bytes) {
  md_msg_t msg = {0};
  if (s->ahead)
    md_journal_ahead_finish(s->ahead, &s->file, bytes);
  else if (md_journal_file_finish(&s->file, bytes, &msg) != MD_OK)
    md_journal_say(s, "error", "journal: %s", msg.text);
}

static void
change_segment(md_journal_sink_t *s, int64_t now_ns) {
  md_msg_t msg   = {0};
  uint64_t bytes = s->durable.end_off;
  md_assert(bytes == s->file.end_off);
  if (bytes == MD_JOURNAL_PAGE_BYTES) { /* after a failure: the checkpoints are its first blocks */
    s->roll = (md_journal_roll_t){0};
    return;
  }
  bool made = s->ahead && md_journal_ahead_ready(s->ahead);
  if (!made && !md_journal_space_allows(s, MD_JOURNAL_ROOM_MIN)) {
    md_journal_space_wait(s, "no space above journal.min_free for the next segment");
    return;
  }
  set_predecessor(s, bytes);
  leave_segment(s, bytes);
  s->roll      = (md_journal_roll_t){0};
  md_err_t err = md_journal_roll_open(s, &msg);
  md_stage_add(s->env.metrics, MD_STAGE_ROLL, md_clock_mono_ns(s->env.clock) - now_ns);
  if (!err) return;
  if (err == MD_ERR_NOSPACE) {
    md_journal_space_wait(s, msg.text);
    return;
  }
  md_count(s->env.metrics, MD_COUNTER_SINK_ERRORS, 1);
  md_journal_say(s, "error", "journal: %s; trying again until it works", msg.text);
  md_journal_back_off(s);
}

/* ---- because the segment failed ---- */

/* Forgets everything that is not durable: it stands in the rings and is taken again. */
static void
rewind_all(md_journal_sink_t *s) {
  for (uint32_t r = 0; r < s->env.ring_cnt; r++) {
    s->ring[r].read       = s->durable.ring_read[r];
    s->ring[r].handed_cnt = s->durable.ring_handed_cnt[r];
  }
  memcpy(s->streams.seq, s->durable.seq, sizeof s->streams.seq);
  for (uint32_t i = 0; i <= MD_JOURNAL_LARGE_SLOT; i++)
    s->slot[i].state = MD_SLOT_FREE;
  s->filling        = -1;
  s->queue_cnt      = 0;
  s->written        = s->durable;
  s->written_ns.cnt = 0;
  s->roll           = (md_journal_roll_t){0};
  s->stands_alone   = false;
}

static void
give_up(md_journal_sink_t *s) {
  uint64_t bytes = s->durable.end_off;
  md_msg_t msg   = {0};
  rewind_all(s);
  set_predecessor(s, bytes);
  /* Cutting it only saves space; what counts is what the next header says. */
  (void)!md_journal_file_finish(&s->file, bytes, &msg);
  md_journal_back_off(s);
}

static bool
may_retry(md_journal_sink_t *s, int64_t now_ns) {
  if (now_ns < s->retry_ns) return false;
  if (md_journal_space_back(s)) return true;
  s->retry_ns = now_ns + MD_JOURNAL_LOOK_NS;
  return false;
}

static void
reopen(md_journal_sink_t *s, int64_t now_ns) {
  if (!may_retry(s, now_ns)) return;
  md_msg_t msg = {0};
  md_err_t err = md_journal_roll_open(s, &msg);
  if (!err) {
    s->failed = s->hold = false;
    return;
  }
  if (err == MD_ERR_NOSPACE) {
    md_journal_space_wait(s, msg.text);
    return;
  }
  md_count(s->env.metrics, MD_COUNTER_SINK_ERRORS, 1);
  if (s->failure_cnt == 1)
    md_journal_say(s, "error", "journal: %s; trying again until it works", msg.text);
  md_journal_back_off(s);
}

/* Half way through a segment the next one's file is begun: short runs never pay for it. */
static void
make_ahead(md_journal_sink_t *s, int64_t now_ns) {
  if (!s->ahead || s->stopping) return;
  md_journal_ahead_turn(s->ahead);
  if (s->file.end_off < s->cfg.segment_bytes / 2 || now_ns < s->ahead_ns) return;
  if (md_journal_ahead_ready(s->ahead) || md_journal_ahead_busy(s->ahead)) return;
  bool allowed = !s->ahead_asked && s->space.state == MD_JOURNAL_WRITING &&
                 md_journal_space_allows(s, s->cfg.ahead_bytes);
  s->ahead_asked = allowed;
  if (allowed)
    md_journal_ahead_want(s->ahead);
  else /* no room, or it failed since it was asked for */
    s->ahead_ns = now_ns + MD_JOURNAL_LOOK_NS;
}

/* A segment that was begun after a failed one has the rest of it, and no checkpoints: a next one is
 * made as soon as the feeds have given them. */
static bool
wants_roll(const md_journal_sink_t *s) {
  if (s->stopping) return false;
  return s->file.end_off >= s->cfg.segment_bytes || !s->stands_alone;
}

void
md_journal_roll_turn(md_journal_sink_t *s, int64_t now_ns) {
  md_journal_space_turn(s, now_ns);
  if (s->failed && s->file.fd >= 0) {
    if (md_journal_flow_in_flight(s)) return; /* the kernel still reads the blocks */
    give_up(s);
  }
  if (s->file.fd < 0) {
    reopen(s, now_ns);
    return;
  }
  if (s->hold && may_retry(s, now_ns)) s->hold = false;
  if (s->hold) return;
  make_ahead(s, now_ns);
  if (!s->roll.wanted) {
    if (wants_roll(s)) start_roll(s, now_ns);
    return;
  }
  if (!s->roll.ready) check_answers(s, now_ns);
  if (s->roll.ready && md_journal_flow_idle(s)) change_segment(s, now_ns);
}
