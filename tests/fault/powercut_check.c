/* powercut_check DIR ACKS ENTRIES: DIR is what a power cut left. Recovers it as the next start
 * does, reads it whole, and says what is wrong: a record that was promised (a line of ACKS with at
 * most ENTRIES) and is not there, a record that was never written or comes twice, a hole. What a
 * line with F gave leave to delete before ENTRIES may be missing. */
#include "tests/fault/powercut.h"

#include <inttypes.h>
#include <stdarg.h>

static uint64_t promised[HELP_STREAM_CNT + 1][POWERCUT_EPOCH_CNT];
static uint64_t leave[HELP_STREAM_CNT + 1][POWERCUT_EPOCH_CNT]; /* up to here it may be gone */
static uint64_t last[HELP_STREAM_CNT + 1][POWERCUT_EPOCH_CNT];
static uint32_t wrong_cnt;

static void wrong(const char *format, ...) MD_PRINTF(1, 2);
static void
wrong(const char *format, ...) {
  va_list args;
  va_start(args, format);
  if (wrong_cnt++ < 5) {
    (void)vprintf(format, args);
    (void)puts("");
  }
  va_end(args);
}

static void
read_promises(const char *path, uint64_t entries) {
  FILE *in = fopen(path, "r");
  md_assert(in != NULL);
  char     line[200];
  uint64_t at, seq;
  unsigned stream, epoch;
  while (fgets(line, sizeof line, in)) {
    const bool is_leave = line[0] == 'F';
    if (sscanf(line + 2 * is_leave, "%" SCNu64 " %u %u %" SCNu64, &at, &stream, &epoch, &seq) != 4)
      break;
    md_assert(stream <= HELP_STREAM_CNT);
    md_assert(epoch < POWERCUT_EPOCH_CNT);
    if (is_leave && at < entries) leave[stream][epoch] = seq;
    if (!is_leave && at <= entries && seq > promised[stream][epoch]) promised[stream][epoch] = seq;
  }
  (void)fclose(in);
}

static void
check_record(const md_record_t *rec) {
  static help_record_t want;
  if (rec->stream == 0 || rec->stream > HELP_STREAM_CNT || rec->epoch >= POWERCUT_EPOCH_CNT) {
    wrong("a record of stream %u, epoch %u, which never were", rec->stream, rec->epoch);
    return;
  }
  uint64_t *end = &last[rec->stream][rec->epoch];
  powercut_make(&want, rec->stream, rec->epoch, rec->seq);
  if (rec->len != want.head.len || memcmp(rec, &want, rec->len) != 0)
    wrong("stream %u epoch %u seq %" PRIu64 ": not the record that was written", rec->stream,
          rec->epoch, rec->seq);
  const bool begins = *end == 0 && rec->seq - 1 <= leave[rec->stream][rec->epoch];
  if (rec->seq != *end + 1 && !begins)
    wrong("stream %u epoch %u: seq %" PRIu64 " after %" PRIu64, rec->stream, rec->epoch, rec->seq,
          *end);
  *end = rec->seq;
}

static void
check_journal(const char *dir) {
  md_manifest_t *manifest = NULL;
  md_msg_t       msg      = {0};
  md_err_t       err      = md_manifest_open(dir, true, true, &manifest, &msg);
  if (err != MD_OK) {
    wrong("manifest: %s", msg.text);
    return;
  }
  md_clock_manual_t   time  = {.real_ns = 1800000000000000000, .mono_ns = 1};
  md_clock_t          clock = md_clock_manual(&time);
  md_journal_config_t cfg   = {.dir           = dir,
                               .policy        = MD_JOURNAL_BATCH,
                               .segment_bytes = 1ull << 20,
                               .block_bytes   = 32u << 10,
                               .manifest      = manifest};
  md_recovery_t       recovery;
  err = md_journal_recover(&cfg, NULL, 0, &clock, &recovery, &msg);
  if (err != MD_OK) wrong("recovery: %s", msg.text);
  if (recovery.damaged_blocks) wrong("%" PRIu64 " blocks called damaged", recovery.damaged_blocks);
  md_journal_reader_t *reader = NULL;
  const md_record_t   *rec;
  err = md_journal_reader_open(dir, &reader, &msg);
  if (err == MD_OK) {
    while ((err = md_journal_reader_next(reader, &rec, NULL, &msg)) == MD_OK)
      check_record(rec);
    if (err != MD_ERR_END) wrong("reading: %s", msg.text);
    md_journal_reader_close(reader);
  } else {
    wrong("reading: %s", msg.text);
  }
  for (unsigned e = 1; e < POWERCUT_EPOCH_CNT; e++)
    for (unsigned s = 1; s <= HELP_STREAM_CNT; s++)
      if (promised[s][e] && e > md_manifest_last_epoch(manifest)) wrong("epoch %u is not known", e);
  md_manifest_close(manifest);
}

int
main(int argc, char **argv) {
  if (argc != 4) {
    (void)fprintf(stderr, "usage: powercut_check DIR ACKS ENTRIES\n");
    return 2;
  }
  read_promises(argv[2], strtoull(argv[3], NULL, 10));
  check_journal(argv[1]);
  for (unsigned s = 1; s <= HELP_STREAM_CNT; s++)
    for (unsigned e = 1; e < POWERCUT_EPOCH_CNT; e++)
      if (last[s][e] < promised[s][e] && promised[s][e] > leave[s][e])
        wrong("stream %u epoch %u ends with %" PRIu64 ", but %" PRIu64 " was called durable", s, e,
              last[s][e], promised[s][e]);
  return wrong_cnt ? 1 : 0;
}
