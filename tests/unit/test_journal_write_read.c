#include "tests/unit/journal_help.h"
#include "writers/journal_file.h"
#include "writers/journal_scan.h"
#include "writers/journal_sink.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void
start(help_t *h, md_journal_policy_t policy) {
  md_msg_t msg = {0};
  help_init(h, policy);
  help_epoch(h);
  cr_assert_eq(help_open(h, &msg), MD_OK, "%s", msg.text);
}

static uint64_t
counter(const help_t *h, md_counter_t id) {
  return md_load_relaxed(&h->metrics->counter[id]);
}

/* Loads block after block and checks that each ends with LAST. */
static void
check_groups_whole(const char *dir, uint64_t segment) {
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(dir, segment, path);
  int fd = open(path, O_RDONLY);
  cr_assert_geq(fd, 0);
  md_journal_buffer_t buf = {0};
  uint64_t            off = MD_JOURNAL_PAGE_BYTES;
  while (md_journal_load(&buf, fd, segment, off, UINT64_MAX) == MD_OK) {
    const md_journal_block_t *b    = md_journal_buffer_block(&buf);
    const uint8_t            *p    = md_journal_block_records(b);
    bool                      last = true;
    for (uint32_t i = 0; i < b->record_cnt; i++) {
      const md_record_t *rec = (const md_record_t *)(const void *)p;
      last                   = (rec->flags & MD_FLAG_LAST) != 0;
      p += rec->len;
    }
    cr_assert(last, "the block at %llu splits a group", (unsigned long long)off);
    off += b->block_bytes;
  }
  md_journal_buffer_fini(&buf);
  (void)close(fd);
}

/* A group of cnt RAW records of 8000 bytes each, closed by LAST. */
static void
put_group(help_t *h, uint32_t ring, uint32_t cnt) {
  static uint8_t bytes[600 * 1024];
  uint64_t       used   = 0;
  const uint16_t stream = (uint16_t)(2 * ring + 2);
  for (uint32_t i = 0; i < cnt; i++) {
    help_record_t rec;
    help_make(&rec, MD_RECORD_RAW, stream, h->header.epoch, ++h->seq[stream], 8000);
    rec.head.flags = i + 1 == cnt ? MD_FLAG_LAST : 0;
    md_assert(used + rec.head.len <= sizeof bytes);
    memcpy(bytes + used, &rec, rec.head.len);
    used += rec.head.len;
  }
  md_assert(md_ring_write_group(&h->producer[ring], (const md_record_t *)(const void *)bytes, cnt,
                                used) == MD_OK);
  md_ring_publish(&h->producer[ring]);
}

Test(journal, records_of_every_type_come_back_byte_for_byte) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH);
  static help_record_t sent[MD_RECORD_TYPE_END];
  uint64_t             seq = 0;
  for (unsigned type = 1; type < MD_RECORD_TYPE_END; type++) {
    bool own = type != MD_RECORD_CHECKPOINT && type != MD_RECORD_LOSS;
    help_make(&sent[type], type, 1, h.header.epoch, own ? ++seq : seq, 0);
    if (type == MD_RECORD_DEFINITION) {
      sent[type].head.instrument = 77;
      memcpy(sent[type].body, "BTCUSDT", 7);
    }
    if (type == MD_RECORD_LOSS) {
      md_loss_t loss = {.seq_first = seq + 1, .seq_last = seq + 4, .record_cnt = 4};
      memcpy(sent[type].body, &loss, sizeof loss);
      seq += 4;
    }
    cr_assert_eq(md_record_check(&sent[type], sent[type].head.len), MD_OK, "type %u", type);
    cr_assert_eq(help_put(&h, 0, &sent[type]), MD_OK);
  }
  cr_assert(help_drain(&h, true));
  help_close(&h);
  md_journal_reader_t *r = NULL;
  const md_record_t   *rec;
  cr_assert_eq(md_journal_reader_open(h.dir, &r, NULL), MD_OK);
  for (unsigned type = 1; type < MD_RECORD_TYPE_END; type++) {
    md_journal_pos_t pos;
    cr_assert_eq(md_journal_reader_next(r, &rec, &pos, NULL), MD_OK, "type %u", type);
    cr_assert_eq(rec->len, sent[type].head.len);
    cr_assert_eq(memcmp(rec, &sent[type], rec->len), 0, "type %u", type);
    cr_assert_eq(pos.segment, 1);
  }
  cr_assert_eq(md_journal_reader_next(r, &rec, NULL, NULL), MD_ERR_END);
  const md_manifest_instrument_t *known =
      md_manifest_instrument_by_id(md_journal_reader_manifest(r), 77);
  cr_assert_not_null(known);
  cr_assert_str_eq(known->symbol, "BTCUSDT");
  cr_assert_str_eq(known->feed, "alpha");
  md_journal_reader_close(r);
  cr_assert_eq(h.error_cnt, 0, "%s", h.last_text);
  help_fini(&h);
}

Test(journal, each_policy_releases_the_ring_and_says_how_far_it_came) {
  for (int policy = MD_JOURNAL_BATCH; policy <= MD_JOURNAL_NONE; policy++) {
    help_t h;
    start(&h, (md_journal_policy_t)policy);
    help_trades(&h, 0, 1000);
    help_trades(&h, 1, 500);
    cr_assert(help_drain(&h, false), "policy %d", policy);
    cr_assert_eq(md_load_relaxed(&h.stream[0].durable_seq), 1000);
    cr_assert_eq(md_load_relaxed(&h.stream[0].written_seq), 1000);
    cr_assert_eq(md_load_relaxed(&h.stream[2].durable_seq), 500);
    for (uint32_t i = 0; i < HELP_RING_CNT; i++) {
      cr_assert_eq(md_load_relaxed(&h.ring[i]->tail), md_load_relaxed(&h.ring[i]->head));
      cr_assert_eq(md_load_relaxed(&h.ring[i]->consumed_cnt), i ? 500 : 1000);
    }
    cr_assert_eq(counter(&h, MD_COUNTER_SINK_RECORDS), 1500);
    cr_assert_eq(counter(&h, MD_COUNTER_SINK_ERRORS), 0);
    cr_assert_gt(counter(&h, MD_COUNTER_SINK_BATCHES), 0);
    cr_assert_eq(counter(&h, MD_COUNTER_JOURNAL_SYNCS) > 0, policy != MD_JOURNAL_NONE);
    cr_assert_gt(md_load_relaxed(&h.metrics->stage[MD_STAGE_DURABLE].cnt), 0);
    cr_assert_gt(md_load_relaxed(&h.metrics->stage[MD_STAGE_RING_WAIT].cnt), 0);
    help_close(&h);
    help_tally_t t = help_read(h.dir);
    cr_assert_eq(t.record_cnt, 1500);
    cr_assert_eq(t.hole_cnt + t.repeat_cnt + t.damage.block_cnt, 0);
    help_fini(&h);
  }
}

Test(journal, interval_keeps_the_ring_until_the_interval_is_over) {
  help_t h;
  start(&h, MD_JOURNAL_INTERVAL);
  help_trades(&h, 0, 3);
  for (int i = 0; i < 5; i++)
    cr_assert_geq(md_sink_journal.turn(h.state, 0), 0); /* the clock stands still */
  cr_assert_eq(md_load_relaxed(&h.ring[0]->tail), 0);
  cr_assert(help_drain(&h, false));
  cr_assert_eq(md_load_relaxed(&h.stream[0].durable_seq), 3);
  help_fini(&h);
}

Test(journal, blocks_never_split_a_group) {
  help_t h;
  help_init(&h, MD_JOURNAL_NONE);
  h.cfg.block_bytes = 64u << 10;
  help_epoch(&h);
  cr_assert_eq(help_open(&h, NULL), MD_OK);
  uint64_t groups = 0;
  for (uint32_t round = 0; round < 40; round++) {
    put_group(&h, round % 2, 1 + round % 7);
    groups += 1 + round % 7;
    help_trades(&h, round % 2, 30);
    if (round % 5 == 4) cr_assert(help_drain(&h, false));
  }
  cr_assert(help_drain(&h, true));
  help_close(&h);
  check_groups_whole(h.dir, 1);
  help_tally_t t = help_read(h.dir);
  cr_assert_eq(t.record_cnt, groups + 40 * 30);
  cr_assert_eq(t.hole_cnt + t.repeat_cnt, 0);
  help_fini(&h);
}

Test(journal, a_group_larger_than_a_block_gets_a_block_of_its_own) {
  help_t h;
  help_init(&h, MD_JOURNAL_BATCH);
  h.cfg.block_bytes = 64u << 10;
  help_epoch(&h);
  cr_assert_eq(help_open(&h, NULL), MD_OK);
  help_trades(&h, 1, 2);
  put_group(&h, 1, 60);
  help_trades(&h, 1, 2);
  cr_assert(help_drain(&h, true));
  help_close(&h);
  check_groups_whole(h.dir, 1);
  help_tally_t t = help_read(h.dir);
  cr_assert_eq(t.record_cnt, 64);
  cr_assert_eq(t.hole_cnt + t.repeat_cnt, 0);
  help_fini(&h);
}

Test(journal, loss_is_kept_and_counts_as_its_range) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH);
  uint64_t dropped = 0;
  for (int i = 0; i < 20000; i++)
    dropped += help_trade(&h, 0) != MD_OK;
  cr_assert_gt(dropped, 0);
  cr_assert(help_drain(&h, false));
  cr_assert_eq(help_trade(&h, 0), MD_OK);
  cr_assert(help_drain(&h, true));
  cr_assert_eq(h.error_cnt, 0, "%s", h.last_text);
  cr_assert_eq(md_load_relaxed(&h.stream[0].durable_seq), 20001);
  help_close(&h);
  help_tally_t t = help_read(h.dir);
  cr_assert_eq(t.loss_cnt, 1);
  cr_assert_eq(t.hole_cnt + t.repeat_cnt, 0);
  cr_assert_eq(t.last[1][1], 20001);
  help_fini(&h);
}

/* Bug: what a ring lost last before a stop stayed undeclared, because no group came behind it. */
Test(journal, a_loss_at_the_end_is_declared_at_the_stop) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH);
  for (int i = 0; i < 20000; i++)
    (void)help_trade(&h, 0);
  cr_assert(help_drain(&h, true));
  cr_assert_eq(md_load_relaxed(&h.stream[0].durable_seq), 20000);
  help_close(&h);
  help_tally_t t = help_read(h.dir);
  cr_assert_eq(t.loss_cnt, 1);
  cr_assert_eq(t.hole_cnt + t.repeat_cnt, 0);
  cr_assert_eq(t.last[1][1], 20000);
  help_fini(&h);
}

Test(journal, an_undeclared_hole_is_an_error_and_is_kept) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH);
  help_trades(&h, 0, 3);
  h.seq[1] += 2;
  help_trades(&h, 0, 3);
  cr_assert(help_drain(&h, true));
  cr_assert_eq(h.error_cnt, 1);
  cr_assert_not_null(strstr(h.last_text, "without a LOSS"));
  cr_assert_eq(counter(&h, MD_COUNTER_SINK_ERRORS), 1);
  help_close(&h);
  help_tally_t t = help_read(h.dir);
  cr_assert_eq(t.record_cnt, 6);
  cr_assert_eq(t.hole_cnt, 1);
  help_fini(&h);
}

/* Answers as a feed does, when it is asked. */
static void
answer(help_t *h, uint32_t ring, uint64_t *answered) {
  uint64_t request = md_load_relaxed(&h->ring[ring]->checkpoint_request);
  if (request == *answered) return;
  *answered = request;
  help_checkpoint(h, ring, request, MD_CHECKPOINT_BEGIN);
  help_checkpoint(h, ring, request, MD_CHECKPOINT_BOOK);
  help_checkpoint(h, ring, request, MD_CHECKPOINT_END);
}

Test(journal, a_new_segment_begins_with_the_checkpoint_of_every_feed) {
  help_t h;
  help_init(&h, MD_JOURNAL_BATCH);
  h.cfg.segment_bytes = 1u << 16;
  help_epoch(&h);
  cr_assert_eq(help_open(&h, NULL), MD_OK);
  uint64_t answered[2] = {0, 0};
  for (uint32_t i = 0; i < 20000 && counter(&h, MD_COUNTER_JOURNAL_SEGMENTS) < 4; i++) {
    help_more_trades(&h, 0, 20);
    help_more_trades(&h, 1, 10);
    answer(&h, 0, &answered[0]);
    if (i % 7 == 0) answer(&h, 1, &answered[1]);
    help_turn(&h);
  }
  cr_assert_geq(counter(&h, MD_COUNTER_JOURNAL_SEGMENTS), 4);
  cr_assert(help_drain(&h, true));
  help_close(&h);
  cr_assert_eq(h.warn_cnt + h.error_cnt, 0, "%s", h.last_text);
  for (uint64_t segment = 2; segment <= 4; segment++) {
    md_journal_reader_t *r                         = NULL;
    const md_record_t   *rec                       = NULL;
    bool                 seen[HELP_STREAM_CNT + 1] = {false};
    md_journal_pos_t     pos;
    cr_assert_eq(md_journal_reader_open(h.dir, &r, NULL), MD_OK);
    cr_assert_eq(md_journal_reader_seek_segment(r, segment, NULL), MD_OK);
    while (md_journal_reader_next(r, &rec, &pos, NULL) == MD_OK && pos.segment == segment) {
      if (rec->type == MD_RECORD_CHECKPOINT) seen[rec->stream] = true;
      cr_assert(seen[rec->stream], "stream %u goes on before its checkpoint in segment %llu",
                rec->stream, (unsigned long long)segment);
    }
    cr_assert(seen[1]);
    cr_assert(seen[3]);
    md_journal_reader_close(r);
  }
  help_tally_t t = help_read(h.dir);
  cr_assert_eq(t.hole_cnt + t.repeat_cnt + t.damage.block_cnt, 0);
  cr_assert_eq(t.last[1][1], h.seq[1]);
  cr_assert_eq(t.last[3][1], h.seq[3]);
  help_fini(&h);
}

Test(journal, a_feed_that_does_not_answer_holds_a_roll_for_two_seconds_only) {
  help_t h;
  help_init(&h, MD_JOURNAL_BATCH);
  h.cfg.segment_bytes = 1u << 16;
  help_epoch(&h);
  cr_assert_eq(help_open(&h, NULL), MD_OK);
  help_trades(&h, 0, 1000);
  cr_assert(!help_drain(&h, false) || counter(&h, MD_COUNTER_JOURNAL_SEGMENTS) == 2);
  for (int i = 0; i < 3000 && counter(&h, MD_COUNTER_JOURNAL_SEGMENTS) < 2; i++)
    help_turn(&h);
  cr_assert_eq(counter(&h, MD_COUNTER_JOURNAL_SEGMENTS), 2);
  cr_assert_eq(h.warn_cnt, 1);
  cr_assert_not_null(strstr(h.last_text, "gave no checkpoint"));
  help_trades(&h, 0, 10);
  cr_assert(help_drain(&h, true));
  help_close(&h);
  cr_assert_eq(help_read(h.dir).record_cnt, 1010);
  help_fini(&h);
}

/* Bug: a stop while a roll waited for the feeds opened a last segment without checkpoints. */
Test(journal, a_roll_that_nobody_can_answer_any_more_is_given_up_at_the_stop) {
  help_t h;
  help_init(&h, MD_JOURNAL_BATCH);
  h.cfg.segment_bytes = 1u << 16;
  help_epoch(&h);
  cr_assert_eq(help_open(&h, NULL), MD_OK);
  help_trades(&h, 0, 1000);
  help_turn(&h);
  help_trades(&h, 0, 10);
  cr_assert(help_drain(&h, true));
  help_close(&h);
  cr_assert_eq(counter(&h, MD_COUNTER_JOURNAL_SEGMENTS), 1);
  cr_assert_eq(h.warn_cnt, 0);
  cr_assert_eq(help_read(h.dir).record_cnt, 1010);
  help_fini(&h);
}

Test(journal, a_reader_follows_a_live_journal) {
  help_t h;
  start(&h, MD_JOURNAL_BATCH);
  md_journal_reader_t *r = NULL;
  const md_record_t   *rec;
  uint64_t             seen = 0;
  cr_assert_eq(md_journal_reader_open(h.dir, &r, NULL), MD_OK);
  for (int round = 0; round < 50; round++) {
    cr_assert_eq(md_journal_reader_next(r, &rec, NULL, NULL), MD_ERR_END);
    help_trades(&h, 0, 20);
    cr_assert(help_drain(&h, false));
    for (int i = 0; i < 20; i++) {
      cr_assert_eq(md_journal_reader_next(r, &rec, NULL, NULL), MD_OK);
      cr_assert_eq(rec->seq, ++seen);
    }
  }
  md_journal_reader_close(r);
  help_fini(&h);
}

Test(journal, seek_finds_the_block_of_a_sequence_across_segments_and_epochs) {
  help_t h;
  help_init(&h, MD_JOURNAL_BATCH);
  for (int epoch = 0; epoch < 3; epoch++) {
    help_epoch(&h);
    cr_assert_eq(help_open(&h, NULL), MD_OK);
    for (int i = 0; i < 20; i++) {
      help_trades(&h, 0, 50);
      cr_assert(help_drain(&h, false));
    }
    cr_assert(help_drain(&h, true));
    help_close(&h);
  }
  md_journal_reader_t *r = NULL;
  cr_assert_eq(md_journal_reader_open(h.dir, &r, NULL), MD_OK);
  for (uint32_t epoch = 1; epoch <= 3; epoch++) {
    for (uint64_t seq = 1; seq <= 1000; seq += 111) {
      const md_record_t *rec = NULL;
      cr_assert_eq(md_journal_reader_seek(r, 1, epoch, seq, NULL), MD_OK);
      cr_assert_eq(md_journal_reader_next(r, &rec, NULL, NULL), MD_OK);
      cr_assert_eq(rec->epoch, epoch);
      cr_assert_leq(rec->seq, seq);
      cr_assert_gt(rec->seq + 50, seq);
    }
  }
  const md_record_t *rec = NULL;
  cr_assert_eq(md_journal_reader_seek(r, 1, 3, 5000, NULL), MD_OK);
  cr_assert_eq(md_journal_reader_next(r, &rec, NULL, NULL), MD_ERR_END);
  md_journal_segment_info_t info;
  uint32_t                  i = 0;
  for (; md_journal_segment_scan(r, i, &info, NULL) == MD_OK; i++) {
    cr_assert_eq(info.record_cnt, 1000);
    cr_assert_eq(info.epoch, i + 1);
    cr_assert_eq(info.damaged_cnt + info.torn_bytes, 0);
  }
  cr_assert_eq(i, 3);
  md_journal_reader_close(r);
  help_fini(&h);
}

/* ---- failures of the device ---- */

/* Puts another device under the open segment: /dev/full fails each write, /dev/null each sync. */
static void
break_device(const help_t *h, const char *device) {
  md_journal_sink_t *s  = h->state;
  int                fd = open(device, O_RDWR);
  cr_assert_geq(fd, 0);
  cr_assert_eq(dup2(fd, s->file.fd), s->file.fd);
  (void)close(fd);
  s->file.allocated_bytes = UINT64_MAX;
}

Test(journal, a_failed_write_or_sync_moves_to_a_new_segment_and_loses_nothing) {
  static const char *const devices[] = {"/dev/full", "/dev/null"};
  for (uint32_t i = 0; i < MD_CNT(devices); i++) {
    help_t h;
    start(&h, i ? MD_JOURNAL_INTERVAL : MD_JOURNAL_BATCH);
    for (int round = 0; round < 5; round++) {
      help_trades(&h, 0, 100);
      help_trades(&h, 1, 10);
      cr_assert(help_drain(&h, false));
      break_device(&h, devices[i]);
      help_trades(&h, 0, 300);
      help_turn(&h);
      help_trades(&h, 1, 30);
      cr_assert(help_drain(&h, false), "%s: %s", devices[i], h.last_text);
    }
    cr_assert_eq(h.error_cnt, 5);
    cr_assert_eq(counter(&h, MD_COUNTER_JOURNAL_SEGMENTS), 6);
    cr_assert_eq(counter(&h, MD_COUNTER_SINK_RECORDS), 5 * 440);
    cr_assert_eq(md_load_relaxed(&h.stream[0].durable_seq), 2000);
    cr_assert(help_drain(&h, true));
    help_close(&h);
    help_tally_t t = help_read(h.dir);
    cr_assert_eq(t.record_cnt, 5 * 440);
    cr_assert_eq(t.hole_cnt + t.repeat_cnt + t.damage.block_cnt, 0, "%s", t.damage.first);
    help_fini(&h);
  }
}

Test(journal, a_file_size_limit_gives_the_segment_up_and_loses_nothing) {
  (void)signal(SIGXFSZ, SIG_IGN);
  help_t h;
  start(&h, MD_JOURNAL_BATCH);
  help_trades(&h, 0, 100);
  cr_assert(help_drain(&h, false));
  struct rlimit old, low;
  cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
  low          = old;
  low.rlim_cur = 8192; /* neither the next block nor a new segment fits */
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
  help_trades(&h, 0, 100);
  for (int i = 0; i < 300; i++)
    help_turn(&h);
  cr_assert_eq(md_load_relaxed(&h.stream[0].durable_seq), 100);
  cr_assert_gt(counter(&h, MD_COUNTER_SINK_ERRORS), 0);
  uint32_t lines = h.error_cnt;
  cr_assert_leq(lines, 2);
  for (int i = 0; i < 300; i++)
    help_turn(&h);
  cr_assert_eq(h.error_cnt, lines, "a failure that lasts is said once");
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
  help_trades(&h, 0, 100);
  cr_assert(help_drain(&h, false), "%s", h.last_text);
  cr_assert_eq(md_load_relaxed(&h.stream[0].durable_seq), 300);
  cr_assert(help_drain(&h, true));
  help_close(&h);
  help_tally_t t = help_read(h.dir);
  cr_assert_eq(t.record_cnt, 300);
  cr_assert_eq(t.hole_cnt + t.repeat_cnt + t.damage.block_cnt, 0);
  help_fini(&h);
}

Test(journal, a_full_device_stops_nothing_and_loses_nothing_durable) {
  char   mnt[64];
  help_t h;
  help_dir(mnt);
  if (mount("tmpfs", mnt, "tmpfs", 0, "size=8m") != 0) {
    help_remove_dir(mnt);
    cr_skip_test("needs to mount a tmpfs");
  }
  help_init(&h, MD_JOURNAL_BATCH);
  md_manifest_close(h.manifest);
  help_remove_dir(h.dir);
  (void)snprintf(h.dir, sizeof h.dir, "%s", mnt);
  cr_assert_eq(md_manifest_open(h.dir, true, true, &h.manifest, NULL), MD_OK);
  for (uint16_t i = 0, id; i < HELP_STREAM_CNT; i++) {
    char name[8];
    (void)snprintf(name, sizeof name, "s%u", i);
    cr_assert_eq(md_manifest_stream(h.manifest, name, &id, NULL), MD_OK);
  }
  h.cfg.manifest = h.manifest;
  help_epoch(&h);
  cr_assert_eq(help_open(&h, NULL), MD_OK);
  uint64_t durable = 0;
  for (int i = 0; i < 2000 && h.error_cnt == 0; i++) {
    put_group(&h, 0, 20);
    (void)help_drain(&h, false);
    durable = md_load_relaxed(&h.stream[1].durable_seq);
  }
  cr_assert_gt(h.error_cnt, 0);
  cr_assert_gt(durable, 100);
  for (int i = 0; i < 200; i++)
    help_turn(&h);
  help_tally_t full = help_read(h.dir);
  cr_assert_geq(full.last[2][1], durable);
  cr_assert_eq(mount("tmpfs", mnt, "tmpfs", MS_REMOUNT, "size=64m"), 0);
  h.time.mono_ns += 10000000000;
  cr_assert(help_drain(&h, true), "%s", h.last_text);
  help_close(&h);
  help_tally_t t = help_read(h.dir);
  cr_assert_eq(t.last[2][1], h.seq[2]);
  cr_assert_eq(t.hole_cnt + t.repeat_cnt + t.damage.block_cnt, 0);
  md_manifest_close(h.manifest);
  h.manifest = NULL;
  (void)umount(mnt);
  help_fini(&h);
}
