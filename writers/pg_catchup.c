#include "writers/pg_catchup.h"
#include "writers/pg_ring.h"

#include <string.h>

static md_stream_row_t *
stream_row(const md_pg_catchup_t *c, uint16_t stream) {
  for (uint32_t i = 0; i < c->stream_cnt; i++)
    if (c->streams[i].stream == stream) return &c->streams[i];
  return NULL;
}

static bool
is_before(const md_journal_pos_t *a, const md_journal_pos_t *b) {
  if (a->segment != b->segment) return a->segment < b->segment;
  if (a->offset != b->offset) return a->offset < b->offset;
  return a->record < b->record;
}

static uint64_t
next_of(md_pg_progress_t *progress, uint16_t stream, uint32_t epoch) {
  uint32_t row = md_pg_progress_find(progress, stream, epoch);
  return row == UINT32_MAX ? 1 : progress->row[row].next;
}

/* Epochs follow one another in the journal, so the first record that is wanted is that of the
 * lowest epoch that is not complete: the lowest place over all streams. A stream that the journal
 * does not know under this epoch, or holds nothing more of, comes later than all others. */
static md_err_t
seek_first(md_pg_catchup_t *c, md_pg_progress_t *progress, md_msg_t *msg) {
  const md_manifest_t *manifest = md_journal_reader_manifest(c->reader);
  md_journal_pos_t     first    = {0};
  uint16_t             stream   = 0;
  for (uint16_t id = 1; id < UINT16_MAX && md_manifest_stream_name(manifest, id); id++) {
    const md_record_t *rec;
    md_journal_pos_t   pos;
    uint64_t           next = next_of(progress, id, c->complete_epoch);
    if (md_journal_reader_seek(c->reader, id, c->complete_epoch, next, msg) != MD_OK) continue;
    if (md_journal_reader_next(c->reader, &rec, &pos, msg) != MD_OK) continue;
    if (stream != 0 && !is_before(&pos, &first)) continue;
    first  = pos;
    stream = id;
  }
  if (stream == 0)
    return MD_OK; /* nothing there yet: where the last seek left the reader is right */
  return md_journal_reader_seek(c->reader, stream, c->complete_epoch,
                                next_of(progress, stream, c->complete_epoch), msg);
}

md_err_t
md_pg_catchup_start(md_pg_catchup_t *c, md_pg_progress_t *progress, md_msg_t *msg) {
  md_pg_catchup_stop(c);
  md_err_t err = md_journal_reader_open(c->dir, &c->reader, msg);
  if (err == MD_ERR_ABSENT) {
    c->reader = NULL;
    return MD_OK;
  }
  if (err == MD_OK && c->complete_epoch > 0) err = seek_first(c, progress, msg);
  if (err != MD_OK) md_pg_catchup_stop(c);
  return err;
}

void
md_pg_catchup_stop(md_pg_catchup_t *c) {
  if (c->reader) md_journal_reader_close(c->reader);
  c->reader     = NULL;
  c->held       = NULL;
  c->damage_cnt = 0;
}

static uint32_t
progress_row(md_pg_catchup_t *c, const md_pg_context_t *ctx, const md_record_t *rec) {
  uint32_t row = md_pg_progress_find(ctx->progress, rec->stream, rec->epoch);
  if (row != UINT32_MAX) return row;
  const md_stream_row_t *s    = stream_row(c, rec->stream);
  const char            *name = s ? s->name : NULL;
  if (!name) name = md_manifest_stream_name(md_journal_reader_manifest(c->reader), rec->stream);
  return md_pg_progress_add(ctx->progress, rec->stream, rec->epoch, name ? name : "");
}

/* Recovery made all of the older epochs durable before this one was opened. */
static uint64_t
durable_seq(const md_pg_catchup_t *c, const md_record_t *rec) {
  if (rec->epoch < c->epoch) return UINT64_MAX;
  md_stream_row_t *s = stream_row(c, rec->stream);
  if (!s) return 0;
  return md_pg_durable_seq(s);
}

/* The journal was told of the loss (LOSS record) or has a damaged block where the range was. */
static md_err_t
take_loss(md_pg_batch_t *b, const md_pg_context_t *ctx, uint32_t row, uint64_t seq_last,
          unsigned reason, int64_t mono_ns) {
  return md_pg_batch_loss(b, ctx, row, ctx->progress->row[row].next, seq_last, reason, mono_ns);
}

/* Handles the held record. MD_OK: done with it. */
static md_err_t
take_one(md_pg_catchup_t *c, md_pg_batch_t *b, const md_pg_context_t *ctx, int64_t mono_ns) {
  const md_record_t *rec = c->held;
  if (rec->type == MD_RECORD_RAW || rec->type == MD_RECORD_CHECKPOINT) return MD_OK;
  if (rec->epoch < c->complete_epoch) return MD_OK;
  uint32_t row = progress_row(c, ctx, rec);
  if (row == UINT32_MAX) return MD_ERR_NOMEM;
  if (ctx->progress->row[row].is_skipped) return MD_OK;
  uint64_t next = ctx->progress->row[row].next;

  if (rec->type == MD_RECORD_LOSS) {
    md_loss_t loss;
    memcpy(&loss, md_record_body_const(rec), sizeof loss);
    if (loss.seq_last < next) return MD_OK;
    if (loss.seq_last > durable_seq(c, rec)) return MD_ERR_END;
    return take_loss(b, ctx, row, loss.seq_last, loss.reason, mono_ns);
  }
  if (rec->seq < next) return MD_OK;
  if (rec->seq > durable_seq(c, rec)) return MD_ERR_END;
  if (rec->seq > next) {
    md_err_t err = take_loss(b, ctx, row, rec->seq - 1, MD_REASON_SINK_ERROR, mono_ns);
    if (err != MD_OK) return err;
  }
  return md_pg_batch_add(b, ctx, row, rec, mono_ns);
}

md_err_t
md_pg_catchup_take(md_pg_catchup_t *c, md_pg_batch_t *b, const md_pg_context_t *ctx,
                   int64_t mono_ns, uint32_t max, uint32_t *cnt, md_msg_t *msg) {
  *cnt = 0;
  if (!c->reader) {
    md_err_t err = md_pg_catchup_start(c, ctx->progress, msg);
    if (err != MD_OK) return err;
    if (!c->reader) return MD_ERR_END;
  }
  for (; *cnt < max; *cnt += 1) {
    if (!c->held) {
      md_journal_pos_t pos;
      md_err_t         err = md_journal_reader_next(c->reader, &c->held, &pos, msg);
      if (err != MD_OK) {
        c->held = NULL;
        return err;
      }
    }
    md_err_t err = take_one(c, b, ctx, mono_ns);
    if (err != MD_OK) return err;
    c->held = NULL;
  }
  return MD_OK;
}
