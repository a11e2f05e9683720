/* cmd_journal.c - mdengine journal ls|stat|verify|repair|compact|cat DIR. */
#include "engine/cli.h"
#include "engine/journal_care.h"
#include "engine/time_option.h"
#include "writers/journal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CAT_LINE_BYTES (4u << 20)

typedef struct options {
  const char *verb, *dir;
  const char *type, *feed;
  uint64_t    segment, max;
  int64_t     from_ns, to_ns; /* 0: no bound */
  bool        json;
} options_t;

static const struct argp_option option_rows[] = {
    {"json", 'j', NULL, 0, "machine-readable output", 0},
    {"segment", 's', "N", 0, "cat: begin at segment N", 0},
    {"count", 'c', "N", 0, "cat: stop after N records", 0},
    {"from", 'F', "T", 0, "cat: only records published at T or later: ISO 8601 in UTC, or ns", 0},
    {"to", 'T', "T", 0, "cat: only records published before T", 0},
    {"type", 't', "TYPE", 0, "cat: only records of this type, for example trade", 0},
    {"feed", 'f', "STREAM", 0,
     "cat: only records of this stream, for example binance_spot or binance_spot.raw", 0},
    {0}};

static uint64_t
number(const char *text, struct argp_state *state, const char *what) {
  char    *end;
  uint64_t n = strtoull(text, &end, 10);
  if (*end || n == 0) argp_error(state, "%s wants a number from 1, not '%s'", what, text);
  return n;
}

static error_t
parse_option(int key, char *arg, struct argp_state *state) {
  options_t *o = state->input;
  switch (key) {
  case 'j':
    o->json = true;
    return 0;
  case 's':
    o->segment = number(arg, state, "--segment");
    return 0;
  case 'c':
    o->max = number(arg, state, "--count");
    return 0;
  case 'F':
  case 'T':
    if (!md_time_option(arg, key == 'F' ? &o->from_ns : &o->to_ns))
      argp_error(state, "'%s' is no time: write 2026-11-21T14:05:00Z, or ns since 1970", arg);
    return 0;
  case 't':
    o->type = arg;
    return 0;
  case 'f':
    o->feed = arg;
    return 0;
  case ARGP_KEY_ARG:
    if (state->arg_num > 1) argp_error(state, "unexpected argument '%s'", arg);
    *(state->arg_num == 0 ? &o->verb : &o->dir) = arg;
    return 0;
  case ARGP_KEY_END:
    if (!o->dir)
      argp_error(state,
                 "name what to do (ls, stat, verify, repair, compact, cat) and the journal's "
                 "directory");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp argp = {
    option_rows,
    parse_option,
    "ls|stat|verify|repair|compact|cat DIR",
    "Look into a journal, live or not, and care for it. ls: its segments; stat: what it holds, by "
    "stream "
    "and type; verify: check every block, and name every sequence that is missing; repair (with "
    "the engine stopped): declare what damage took as lost and keep the damaged files beside; "
    "compact: compress and index all full segments now; cat: its records as JSON lines."
    "\vExamples:\n  mdengine journal verify journal\n  mdengine journal cat journal --type trade "
    "--from 2026-11-21T14:05:00Z -c 5\n",
    NULL,
    NULL,
    NULL};

static int
list(const options_t *o, md_journal_reader_t *reader) {
  md_journal_segment_info_t s;
  md_msg_t                  msg;
  md_err_t                  err;
  if (!o->json)
    (void)printf("%7s %6s %14s %8s %10s %8s  %s\n", "segment", "epoch", "bytes", "blocks",
                 "records", "damaged", "first record received (ns)");
  for (uint32_t i = 0; (err = md_journal_segment_scan(reader, i, &s, &msg)) == MD_OK; i++) {
    if (o->json)
      (void)printf("{\"segment\":%" PRIu64 ",\"epoch\":%u,\"bytes\":%" PRIu64 ",\"blocks\":%" PRIu64
                   ",\"records\":%" PRIu64 ",\"damaged\":%" PRIu64 ",\"torn_bytes\":%" PRIu64
                   ",\"created_ns\":%" PRId64 ",\"first_ns\":%" PRId64 ",\"last_ns\":%" PRId64
                   "}\n",
                   s.id, s.epoch, s.bytes, s.block_cnt, s.record_cnt, s.damaged_cnt, s.torn_bytes,
                   s.created_ns, s.first_ns, s.last_ns);
    else
      (void)printf("%7" PRIu64 " %6u %14" PRIu64 " %8" PRIu64 " %10" PRIu64 " %8" PRIu64
                   "  %" PRId64 "\n",
                   s.id, s.epoch, s.bytes, s.block_cnt, s.record_cnt, s.damaged_cnt, s.first_ns);
  }
  return err == MD_ERR_END ? MD_EXIT_OK : md_cli_error(err, msg.text);
}

/* What a walk over all records finds, for stat. */
typedef struct tally {
  uint64_t type_cnt[MD_RECORD_TYPE_END];
  uint64_t record_cnt, byte_cnt, lost_cnt;
  struct {
    uint32_t epoch;
    uint64_t last_seq, cnt, lost_cnt;
  } stream[UINT8_MAX + 1];
} tally_t;

static void
count_sequence(tally_t *t, const md_record_t *rec, uint64_t last) {
  size_t s              = rec->stream & UINT8_MAX;
  t->stream[s].epoch    = rec->epoch;
  t->stream[s].last_seq = last;
}

static void
count_record(tally_t *t, const md_record_t *rec) {
  t->record_cnt++;
  t->byte_cnt += rec->len;
  t->type_cnt[rec->type]++;
  if (rec->type == MD_RECORD_CHECKPOINT) return;
  if (rec->type == MD_RECORD_LOSS) {
    const md_loss_t *loss = md_record_body_const(rec);
    t->lost_cnt += loss->record_cnt;
    t->stream[rec->stream & UINT8_MAX].lost_cnt += loss->record_cnt;
    count_sequence(t, rec, loss->seq_last);
    return;
  }
  t->stream[rec->stream & UINT8_MAX].cnt++;
  count_sequence(t, rec, rec->seq);
}

static int
walk(md_journal_reader_t *reader, tally_t *t) {
  const md_record_t *rec;
  md_journal_pos_t   pos;
  md_msg_t           msg;
  md_err_t           err;
  while ((err = md_journal_reader_next(reader, &rec, &pos, &msg)) == MD_OK)
    count_record(t, rec);
  return err == MD_ERR_END ? MD_EXIT_OK : md_cli_error(err, msg.text);
}

static void
print_stat(const options_t *o, md_journal_reader_t *reader, const tally_t *t) {
  const md_manifest_t *m    = md_journal_reader_manifest(reader);
  const uint8_t       *uuid = md_manifest_uuid(m);
  const char          *sep  = "";
  (void)printf(o->json ? "{\"uuid\":\"" : "uuid        ");
  for (int i = 0; i < 16; i++)
    (void)printf("%02x", uuid[i]);
  (void)printf(o->json ? "\",\"epochs\":%u,\"instruments\":%u,\"records\":%" PRIu64
                         ",\"bytes\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"streams\":{"
                       : "\nepochs      %u\ninstruments %u\nrecords     %" PRIu64 " in %" PRIu64
                         " bytes\nlost        %" PRIu64 "\n",
               md_manifest_last_epoch(m), md_manifest_instrument_cnt(m), t->record_cnt, t->byte_cnt,
               t->lost_cnt);
  for (uint16_t id = 0; id <= UINT8_MAX; id++) {
    const char *name = md_manifest_stream_name(m, id);
    if (!name || (!t->stream[id].cnt && !t->stream[id].lost_cnt)) continue;
    (void)printf(o->json ? "%s\"%s\":{\"records\":%" PRIu64 ",\"lost\":%" PRIu64
                           ",\"epoch\":%u,\"last_seq\":%" PRIu64 "}"
                         : "%sstream      %s: %" PRIu64 " records, %" PRIu64
                           " lost, epoch %u ends at seq %" PRIu64 "\n",
                 sep, name, t->stream[id].cnt, t->stream[id].lost_cnt, t->stream[id].epoch,
                 t->stream[id].last_seq);
    sep = o->json ? "," : "";
  }
  sep = "";
  (void)printf("%s", o->json ? "},\"types\":{" : "");
  for (unsigned type = 1; type < MD_RECORD_TYPE_END; type++) {
    if (!t->type_cnt[type]) continue;
    (void)printf(o->json ? "%s\"%s\":%" PRIu64 : "%stype        %-18s %" PRIu64 "\n", sep,
                 md_record_info(type)->name, t->type_cnt[type]);
    sep = o->json ? "," : "";
  }
  (void)printf("%s", o->json ? "}}\n" : "");
}

static int
print_stat_of(const options_t *o, md_journal_reader_t *reader) {
  tally_t            *t = calloc(1, sizeof *t);
  md_journal_damage_t damage;
  md_msg_t            msg;
  if (!t) return md_cli_error(MD_ERR_NOMEM, "no memory to count");
  int status = walk(reader, t);
  md_journal_reader_damage(reader, &damage);
  print_stat(o, reader, t);
  if (!status && damage.block_cnt) {
    (void)snprintf(msg.text, sizeof msg.text, "damage: %s; what is whole can be read and replayed",
                   damage.first);
    status = md_cli_error(MD_ERR_CORRUPT, msg.text);
  }
  free(t);
  return status;
}

static bool
wanted(const options_t *o, const md_manifest_t *m, const md_record_t *rec) {
  const char *stream = md_manifest_stream_name(m, rec->stream);
  if (rec->ts_pub_ns < o->from_ns || (o->to_ns != 0 && rec->ts_pub_ns >= o->to_ns)) return false;
  if (o->type && strcmp(md_record_info(rec->type)->name, o->type) != 0) return false;
  return !o->feed || (stream && strcmp(stream, o->feed) == 0);
}

static int
cat(const options_t *o, md_journal_reader_t *reader) {
  const md_manifest_t *m     = md_journal_reader_manifest(reader);
  char                *line  = malloc(CAT_LINE_BYTES);
  uint64_t             shown = 0;
  const md_record_t   *rec;
  md_journal_pos_t     pos;
  md_msg_t             msg;
  md_err_t             err = MD_OK;
  if (!line) return md_cli_error(MD_ERR_NOMEM, "no memory for a line");
  if (o->segment)
    err = md_journal_reader_seek_segment(reader, o->segment, &msg);
  else if (o->from_ns)
    err = md_journal_reader_seek_time(reader, o->from_ns, &msg);
  while (!err && (o->max == 0 || shown < o->max) && !ferror(stdout)) {
    err = md_journal_reader_next(reader, &rec, &pos, &msg);
    if (!err && o->to_ns != 0 && rec->ts_pub_ns > o->to_ns + MD_JOURNAL_TIME_SLACK_NS) break;
    if (err || !wanted(o, m, rec)) continue;
    const md_manifest_instrument_t *i = md_manifest_instrument_by_id(m, rec->instrument);
    if (md_record_json(rec, i ? i->symbol : NULL, line, CAT_LINE_BYTES)) (void)puts(line);
    shown++;
  }
  free(line);
  return err && err != MD_ERR_END ? md_cli_error(err, msg.text) : MD_EXIT_OK;
}

static bool
is_type(const char *name) {
  for (unsigned type = 1; type < MD_RECORD_TYPE_END; type++)
    if (md_record_info(type) && strcmp(md_record_info(type)->name, name) == 0) return true;
  return false;
}

int
md_cmd_journal(int argc, char **argv) {
  options_t            o = {0};
  md_journal_reader_t *reader;
  md_msg_t             msg;
  md_cli_parse(&argp, argc, argv, &o);
  if (o.type && !is_type(o.type)) {
    (void)snprintf(msg.text, sizeof msg.text, "no record type '%s'; shm/record_table.h lists them",
                   o.type);
    return md_cli_error(MD_ERR_USAGE, msg.text);
  }
  if (strcmp(o.verb, "verify") == 0) return md_journal_cmd_verify(o.dir, o.json);
  if (strcmp(o.verb, "repair") == 0) return md_journal_cmd_repair(o.dir, o.json);
  if (strcmp(o.verb, "compact") == 0) return md_journal_cmd_compact(o.dir, o.json);
  md_err_t err = md_journal_reader_open(o.dir, &reader, &msg);
  if (err) return md_cli_error(err, msg.text);
  int status = MD_EXIT_OK;
  if (strcmp(o.verb, "ls") == 0)
    status = list(&o, reader);
  else if (strcmp(o.verb, "stat") == 0)
    status = print_stat_of(&o, reader);
  else if (strcmp(o.verb, "cat") == 0)
    status = cat(&o, reader);
  else
    status = md_cli_error(MD_ERR_USAGE,
                          "mdengine journal knows ls, stat, verify, repair, compact and cat");
  md_journal_reader_close(reader);
  return status;
}
