/* replay_verify.c - RAW through the feed logic again, compared with what the journal holds. */
#include "engine/replay.h"

#include "feeds/venue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_ID_MAX (MD_STREAM_CNT_MAX * 4)

/* The segments that hold the records of one stream and epoch; first 0: none do. */
typedef struct span {
  uint64_t first, last;
  bool     is_old; /* of the journal's first format */
} span_t;

/* One (feed, epoch) being verified. */
typedef struct check {
  md_journal_reader_t *expected; /* the normalised stream */
  md_replay_verdict_t *verdict;
  span_t               span, raw_span;
  uint16_t             stream, raw_stream;
  uint32_t             epoch;
  bool                 is_old;     /* written in the journal's first format: less is compared */
  uint64_t             lost_until; /* records up to this seq are declared lost */
  uint64_t             later_cnt;  /* made records of types that the first format had not */
  md_msg_t             msg;
} check_t;

/* The next normalised record of the epoch, NULL at its end. */
static const md_record_t *
next_expected(check_t *c) {
  const md_record_t *rec;
  md_journal_pos_t   pos;
  while (md_journal_reader_next(c->expected, &rec, &pos, &c->msg) == MD_OK &&
         pos.segment <= c->span.last) {
    if (rec->stream != c->stream || rec->epoch != c->epoch || rec->type == MD_RECORD_CHECKPOINT)
      continue;
    if (rec->type != MD_RECORD_LOSS) return rec;
    const md_loss_t *loss = md_record_body_const(rec);
    c->lost_until         = loss->seq_last;
    c->verdict->lost_cnt += loss->record_cnt;
  }
  return NULL;
}

/* Gets each record that the logic makes (md_out_t.tap) and compares it with the journal's next one.
 */
static void
compare(void *ctx, const md_record_t *made) {
  check_t *c = ctx;
  if (c->is_old && md_record_old_bytes(made->type) == 0) {
    c->later_cnt++;
    return;
  }
  const uint64_t seq = made->seq - c->later_cnt;
  if (seq <= c->lost_until) return;
  const md_record_t *want = next_expected(c);
  if (seq <= c->lost_until) return; /* the LOSS stood just before */
  c->verdict->compared_cnt++;
  bool same = want && want->len == made->len;
  if (same && c->is_old) {
    same = want->seq == seq && md_record_same_old(want, made);
  } else if (same) {
    md_record_t a = *want, b = *made;
    a.ts_pub_ns = b.ts_pub_ns = 0;
    same =
        memcmp(&a, &b, sizeof a) == 0 && memcmp(want + 1, made + 1, made->len - sizeof *made) == 0;
  }
  if (same) return;
  if (c->verdict->differ_cnt++ == 0)
    (void)snprintf(c->verdict->first, sizeof c->verdict->first,
                   "stream %u epoch %u: record %llu made again (type %u, %u bytes) differs from "
                   "the journal's (%s)",
                   c->stream, c->epoch, (unsigned long long)made->seq, made->type, made->len,
                   want ? "same place" : "which ends there");
}

/* Puts the parts of one RAW message together; MD_ERR_EMPTY until the last part came. */
typedef struct assembly {
  uint8_t *payload;
  char     name[2048];
  uint32_t name_len, len;
} assembly_t;

static md_err_t
assemble(assembly_t *a, const md_record_t *rec, md_input_t *out) {
  const md_raw_t *raw  = md_record_body_const(rec);
  const uint8_t  *data = (const uint8_t *)(raw + 1);
  if (raw->part_off == 0) {
    a->len      = 0;
    a->name_len = raw->name_len < sizeof a->name ? raw->name_len : sizeof a->name;
    memcpy(a->name, data, a->name_len);
  }
  if (raw->part_off != a->len || (uint64_t)a->len + raw->part_len > MD_FRAME_BYTES_MAX)
    return MD_ERR_CORRUPT;
  memcpy(a->payload + a->len, data + raw->name_len, raw->part_len);
  a->len += raw->part_len;
  *out = (md_input_t){.kind     = (md_raw_kind_t)raw->kind,
                      .leg      = rec->leg,
                      .name     = a->name,
                      .name_len = a->name_len,
                      .payload  = a->payload,
                      .len      = a->len,
                      .recv_ns  = rec->ts_recv_ns};
  return rec->flags & MD_FLAG_LAST ? MD_OK : MD_ERR_EMPTY;
}

static md_err_t
play_raw(check_t *c, md_journal_reader_t *raw, md_feed_t *feed, md_clock_manual_t *time,
         md_msg_t *msg) {
  assembly_t        *a = calloc(1, sizeof *a);
  const md_record_t *rec;
  md_journal_pos_t   pos;
  md_input_t         in;
  md_err_t           err = MD_ERR_NOMEM;
  if (a) a->payload = calloc(1, MD_FRAME_BYTES_MAX + MD_FRAME_PAD_BYTES);
  if (a && a->payload)
    while ((err = md_journal_reader_next(raw, &rec, &pos, msg)) == MD_OK &&
           pos.segment <= c->raw_span.last) {
      if (rec->stream != c->raw_stream || rec->epoch != c->epoch) continue;
      if (rec->type == MD_RECORD_LOSS) {
        err = md_fail(
            msg, MD_ERR_CORRUPT,
            "epoch %u: RAW records are declared lost from seq %llu on: cannot verify past them",
            c->epoch,
            (unsigned long long)((const md_loss_t *)md_record_body_const(rec))->seq_first);
        break;
      }
      err = assemble(a, rec, &in);
      if (err == MD_ERR_CORRUPT) break;
      if (err == MD_OK) {
        memset(a->payload + a->len, 0, MD_FRAME_PAD_BYTES);
        time->real_ns = in.recv_ns;
        md_feed_input(feed, &in);
        c->verdict->raw_cnt++;
      }
    }
  if (a) free(a->payload);
  free(a);
  return err == MD_ERR_END ? MD_OK : err;
}

/* The ids that the journal gave to the instruments of a feed. */
static md_known_instrument_t *
known_instruments(const md_manifest_t *m, const char *feed, uint32_t *cnt) {
  uint32_t               all  = md_manifest_instrument_cnt(m);
  md_known_instrument_t *rows = calloc(all + 1, sizeof *rows);
  *cnt                        = 0;
  for (uint32_t i = 0; rows && i < all; i++) {
    const md_manifest_instrument_t *k = md_manifest_instrument_at(m, i);
    if (strcmp(k->feed, feed) != 0) continue;
    memcpy(rows[*cnt].symbol, k->symbol, MD_SYMBOL_BYTES);
    rows[(*cnt)++].id = k->id;
  }
  return rows;
}

static md_err_t
open_at(const char *dir, span_t span, md_journal_reader_t **out, md_msg_t *msg) {
  md_err_t err = md_journal_reader_open(dir, out, msg);
  return err || span.first == 0 ? err : md_journal_reader_seek_segment(*out, span.first, msg);
}

static md_err_t
verify_epoch(const char *dir, const char *feed_name, check_t *c, md_msg_t *msg) {
  md_journal_reader_t   *raw   = NULL;
  md_feed_t             *feed  = NULL;
  md_known_instrument_t *known = NULL;
  md_clock_manual_t      time  = {0};
  const md_clock_t       clock = md_clock_manual(&time);
  uint32_t               cnt;
  c->lost_until = c->later_cnt = 0;
  c->expected                  = NULL;
  md_err_t err                 = open_at(dir, c->raw_span, &raw, msg);
  if (!err) err = open_at(dir, c->span, &c->expected, msg);
  if (!err) {
    md_feed_config_t cfg = md_replay_feed_config(feed_name, md_venue_find(feed_name), &clock);
    known                = known_instruments(md_journal_reader_manifest(raw), feed_name, &cnt);
    cfg.known            = known;
    cfg.known_cnt        = cnt;
    cfg.next_id          = md_manifest_next_instrument(md_journal_reader_manifest(raw));
    cfg.stream           = c->stream;
    cfg.raw_stream       = c->raw_stream;
    cfg.epoch            = c->epoch;
    cfg.keep_raw         = true;
    err                  = md_feed_new(&cfg, &feed, msg);
  }
  if (!err) {
    md_feed_out(feed)->tap     = compare;
    md_feed_out(feed)->tap_ctx = c;
    err                        = play_raw(c, raw, feed, &time, msg);
    if (!err && next_expected(c) && c->verdict->differ_cnt++ == 0)
      (void)snprintf(
          c->verdict->first, sizeof c->verdict->first,
          "stream %u epoch %u: the journal holds records that the RAW messages do not make",
          c->stream, c->epoch);
  }
  if (feed) md_feed_delete(feed);
  free(known);
  if (c->expected) md_journal_reader_close(c->expected);
  if (raw) md_journal_reader_close(raw);
  return err;
}

static uint16_t
raw_stream_of(const md_manifest_t *m, const char *feed) {
  char want[MD_NAME_BYTES + 8];
  (void)snprintf(want, sizeof want, "%s.raw", feed);
  for (uint16_t id = 0; id < STREAM_ID_MAX; id++) {
    const char *name = md_manifest_stream_name(m, id);
    if (name && strcmp(name, want) == 0) return id;
  }
  return UINT16_MAX;
}

static span_t *
span_of(span_t *spans, uint16_t stream, uint32_t epoch) {
  return &spans[(size_t)epoch * STREAM_ID_MAX + stream];
}

/* One pass over the journal, so that an epoch costs what it holds: an engine that was restarted a
 * thousand times would else have its journal read a thousand times. */
static span_t *
find_spans(md_journal_reader_t *reader, md_err_t *err, md_msg_t *msg) {
  uint32_t           last  = md_manifest_last_epoch(md_journal_reader_manifest(reader));
  span_t            *spans = calloc(((size_t)last + 1) * STREAM_ID_MAX, sizeof *spans);
  const md_record_t *rec;
  md_journal_pos_t   pos;
  *err = spans ? MD_OK : md_fail(msg, MD_ERR_NOMEM, "no memory for %u epochs", last);
  while (!*err && (*err = md_journal_reader_next(reader, &rec, &pos, msg)) == MD_OK) {
    if (rec->epoch > last || rec->stream >= STREAM_ID_MAX) continue;
    span_t *span = span_of(spans, rec->stream, rec->epoch);
    if (span->first == 0) span->first = pos.segment;
    span->last   = pos.segment;
    span->is_old = md_journal_reader_is_old(reader);
  }
  if (*err == MD_ERR_END) *err = MD_OK;
  return spans;
}

md_err_t
md_replay_verify(const char *dir, const char *feed, md_replay_verdict_t *out, md_msg_t *msg) {
  md_journal_reader_t *reader;
  memset(out, 0, sizeof *out);
  md_err_t err = md_journal_reader_open(dir, &reader, msg);
  if (err) return err;
  const md_manifest_t *m     = md_journal_reader_manifest(reader);
  check_t             *check = calloc(1, sizeof *check);
  if (!check) err = md_fail(msg, MD_ERR_NOMEM, "no memory for a verification");
  span_t *spans = err ? NULL : find_spans(reader, &err, msg);
  for (uint16_t id = 0; !err && id < STREAM_ID_MAX; id++) {
    const char *name = md_manifest_stream_name(m, id);
    if (!name || !md_venue_find(name) || (feed && strcmp(feed, name) != 0)) continue;
    check->verdict    = out;
    check->stream     = id;
    check->raw_stream = raw_stream_of(m, name);
    for (uint32_t epoch = 1; !err && epoch <= md_manifest_last_epoch(m); epoch++) {
      uint64_t before = out->raw_cnt;
      check->epoch    = epoch;
      check->span     = *span_of(spans, id, epoch);
      check->raw_span = (span_t){0};
      check->is_old   = check->span.is_old;
      if (check->raw_stream != UINT16_MAX)
        check->raw_span = *span_of(spans, check->raw_stream, epoch);
      if (check->span.first || check->raw_span.first) err = verify_epoch(dir, name, check, msg);
      out->epoch_cnt += out->raw_cnt > before;
    }
  }
  free(spans);
  free(check);
  md_journal_reader_close(reader);
  return err;
}
