#include "writers/journal_check.h"

#include "writers/journal_index.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_DAMAGE UINT32_MAX

/* How far a stream was followed. */
typedef struct row {
  uint16_t stream;
  uint32_t epoch;
  uint64_t last;
  uint32_t body_cnt; /* damaged stretches with blocks that were met before */
} row_t;

typedef struct checker {
  const md_disk_t    *disk;
  const char         *dir;
  const uint8_t      *uuid;
  md_journal_check_t *out;
  row_t              *row;
  uint32_t            row_cnt, row_cap, found;
  uint32_t            body_cnt;  /* damaged stretches that held blocks */
  uint32_t            body_last; /* the last of them in out->damaged */
  uint64_t            segment;   /* being walked */
  bool                packed;
  bool                begun; /* the first segment's begin is known */
  bool                ends_in_damage;
  md_journal_index_t  index; /* of the segment being walked; data NULL: none that can be used */
  md_journal_scan_t   scan;
} checker_t;

/* ---- what is missing ---- */

static bool
room(void **array, size_t row_bytes, uint32_t cnt, uint32_t *cap) {
  if (cnt < *cap) return true;
  uint32_t more  = *cap ? 2 * *cap : 16;
  void    *grown = realloc(*array, more * row_bytes);
  if (!grown) return false;
  *array = grown;
  *cap   = more;
  return true;
}

static md_err_t
add_missing(checker_t *c, const row_t *row, uint64_t first, uint64_t last) {
  md_journal_check_t *out   = c->out;
  void               *array = out->missing;
  if (!room(&array, sizeof *out->missing, out->stretch_cnt, &out->stretch_cap)) return MD_ERR_NOMEM;
  out->missing         = array;
  const bool by_damage = c->body_cnt > row->body_cnt;
  out->missing[out->stretch_cnt++] =
      (md_journal_missing_t){.stream  = row->stream,
                             .epoch   = row->epoch,
                             .first   = first,
                             .last    = last,
                             .damaged = by_damage ? c->body_last : NO_DAMAGE};
  out->missing_cnt += last - first + 1;
  out->hole_cnt += !by_damage;
  return MD_OK;
}

static row_t *
find_row(checker_t *c, uint16_t stream) {
  if (c->found < c->row_cnt && c->row[c->found].stream == stream) return &c->row[c->found];
  for (uint32_t i = 0; i < c->row_cnt; i++) {
    if (c->row[i].stream != stream) continue;
    c->found = i;
    return &c->row[i];
  }
  return NULL;
}

/* The stream stands at (epoch, last) now, and everything from first on is accounted for. */
static md_err_t
follow(checker_t *c, uint16_t stream, uint32_t epoch, uint64_t first, uint64_t last) {
  row_t *row = find_row(c, stream);
  if (!row) {
    void *array = c->row;
    if (!room(&array, sizeof *c->row, c->row_cnt, &c->row_cap)) return MD_ERR_NOMEM;
    c->row = array;
    row    = &c->row[c->row_cnt++];
    *row   = (row_t){.stream = stream, .epoch = epoch, .last = c->begun ? 0 : first - 1};
  }
  if (epoch > row->epoch) {
    row->epoch = epoch;
    row->last  = 0;
  }
  md_err_t err = MD_OK;
  if (epoch < row->epoch || first <= row->last)
    c->out->repeat_cnt++;
  else if (first > row->last + 1)
    err = add_missing(c, row, row->last + 1, first - 1);
  row->body_cnt = c->body_cnt;
  if (epoch == row->epoch && last > row->last) row->last = last;
  return err;
}

/* Somebody knows that the stream had come to (epoch, seq) here. */
static md_err_t
stands_at(checker_t *c, uint16_t stream, uint32_t epoch, uint64_t seq) {
  row_t *row = find_row(c, stream);
  if (row && epoch == row->epoch && seq == row->last) row->body_cnt = c->body_cnt;
  if (seq == 0 || (row && (epoch < row->epoch || (epoch == row->epoch && seq <= row->last))))
    return MD_OK;
  return follow(c, stream, epoch, seq + 1, seq);
}

static md_err_t
take_marks(checker_t *c, const md_journal_mark_t *mark, uint32_t cnt) {
  md_err_t err = MD_OK;
  for (uint32_t i = 0; i < cnt && !err; i++)
    err = stands_at(c, mark[i].stream, mark[i].epoch, mark[i].seq);
  return err;
}

/* ---- one segment ---- */

static md_err_t
add_damaged(checker_t *c, uint64_t segment, uint64_t off, uint64_t end, const char *what) {
  md_journal_check_t *out   = c->out;
  void               *array = out->damaged;
  if (!room(&array, sizeof *out->damaged, out->damaged_cnt, &out->damaged_cap)) return MD_ERR_NOMEM;
  out->damaged            = array;
  md_journal_damaged_t *d = &out->damaged[out->damaged_cnt++];
  *d = (md_journal_damaged_t){.segment = segment, .off = off, .end = end, .packed = c->packed};
  (void)snprintf(d->what, sizeof d->what, "%s", what);
  out->damaged_bytes += end - off;
  if (off != 0 || end == 0) {
    c->body_cnt++;
    c->body_last = out->damaged_cnt - 1;
  }
  if (out->first[0]) return MD_OK;
  char name[MD_JOURNAL_NAME_BYTES];
  md_journal_name(segment, name);
  (void)snprintf(out->first, sizeof out->first, "%s at %" PRIu64 ": %s", name, off, what);
  return MD_OK;
}

static md_err_t
on_damage(void *ctx, uint64_t off, uint64_t end, const char *what) {
  checker_t *c      = ctx;
  c->ends_in_damage = off != 0;
  return add_damaged(c, c->segment, off, end, what);
}

static md_err_t
on_block(void *ctx, const md_journal_block_t *b, uint64_t off) {
  checker_t     *c      = ctx;
  const uint8_t *record = md_journal_block_records(b);
  md_err_t       err    = MD_OK;
  (void)off;
  if (b->record_cnt > 0) c->ends_in_damage = false;
  c->out->block_cnt++;
  for (uint32_t i = 0; i < b->record_cnt && !err; i++) {
    const md_record_t *rec   = (const md_record_t *)(const void *)record;
    md_journal_range_t range = md_journal_range_of(rec);
    c->out->record_cnt++;
    c->out->byte_cnt += rec->len;
    if (rec->type == MD_RECORD_LOSS) c->out->declared_cnt += range.last - range.first + 1;
    if (range.last != 0) err = follow(c, rec->stream, rec->epoch, range.first, range.last);
    record += rec->len;
  }
  return err;
}

/* Up to where the segment counts: its successor knows, else its own index, else nobody (0). */
static md_err_t
find_limit(checker_t *c, const uint64_t *ids, uint32_t cnt, uint32_t i, uint64_t *limit) {
  md_err_t err = md_journal_limit_of(c->disk, c->dir, ids, cnt, i, limit);
  if (!err && *limit == 0 && c->index.data && !c->packed) *limit = c->index.head->segment_bytes;
  return err;
}

static md_err_t
open_index(checker_t *c, bool sealed, md_msg_t *msg) {
  md_err_t err = md_journal_index_read(c->disk, c->dir, c->segment, c->uuid, &c->index, msg);
  if (err == MD_ERR_IO || err == MD_ERR_NOMEM || err == MD_ERR_VERSION) return err;
  if (err == MD_ERR_ABSENT)
    c->out->index_absent += sealed;
  else if (err)
    c->out->index_bad++;
  return MD_OK;
}

/* An index of what the segment was before it was packed is no help and no damage; one whose last
 * block stands elsewhere than the segment says is wrong. */
static void
judge_index(checker_t *c) {
  if (!c->index.data) return;
  const md_journal_index_head_t *h     = c->index.head;
  bool                           other = (h->plain_bytes != 0) != c->packed;
  if (c->scan.info.damaged_cnt == 0)
    other |= h->segment_bytes != c->scan.file_end || h->record_cnt != c->scan.info.record_cnt;
  c->out->index_bad += other;
  c->out->index_cnt += !other;
  if (other) md_journal_index_free(&c->index);
}

static md_err_t
check_begin(checker_t *c, uint64_t previous) {
  const md_journal_scan_t *s = &c->scan;
  c->out->packed_cnt += c->packed;
  md_err_t err = MD_OK;
  if (s->head_ok && previous != 0 && s->head.prev_segment != previous && s->head.prev_segment != 0)
    err = add_damaged(c, s->head.prev_segment, 0, 0, "missing segment");
  if (err) return err;
  if (s->head_ok)
    err = take_marks(c, s->head.mark, s->head.mark_cnt);
  else if (c->index.data)
    err = take_marks(c, c->index.mark, c->index.head->mark_cnt);
  if (s->head_ok || c->index.data || c->segment == 1) c->begun = true;
  return err;
}

static md_err_t
check_end(checker_t *c) {
  md_err_t err = MD_OK;
  if (!c->index.data) return MD_OK;
  /* Backwards: the first that is met of a stream is where the stream ends. */
  for (uint32_t i = c->index.head->sub_cnt; i > 0 && !err; i--) {
    const md_journal_index_sub_t *sub = &c->index.sub[i - 1];
    err                               = stands_at(c, sub->stream, sub->epoch, sub->last_seq);
  }
  return err;
}

/* Is there damage behind which a stream of the last epoch was not met again? */
static bool
is_open(const checker_t *c) {
  bool open = c->ends_in_damage;
  for (uint32_t i = 0; i < c->row_cnt; i++)
    open |= c->row[i].epoch == c->scan.info.epoch && c->row[i].body_cnt < c->body_cnt;
  return open;
}

/* The header comes first, so that its marks are known before the first block. */
static md_err_t
read_head(checker_t *c) {
  md_err_t err = md_journal_head_read(c->disk, c->dir, c->segment, c->uuid, &c->scan.head);
  if (err == MD_ERR_IO) return err;
  c->scan.head_ok = err == MD_OK;
  c->packed       = c->scan.head_ok && c->scan.head.packed_bytes != 0;
  if (!c->scan.head_ok && c->index.data) c->packed = c->index.head->plain_bytes != 0;
  return MD_OK;
}

static md_err_t
check_segment(checker_t *c, const uint64_t *ids, uint32_t cnt, uint32_t i, md_msg_t *msg) {
  const md_journal_visit_t visit = {.ctx = c, .block = on_block, .damage = on_damage};
  uint64_t                 limit = 0;
  c->segment                     = ids[i];
  md_err_t err                   = open_index(c, i + 1 < cnt, msg);
  if (err) return err;
  err = read_head(c);
  if (!err) err = find_limit(c, ids, cnt, i, &limit);
  if (!err) err = check_begin(c, i > 0 ? ids[i - 1] : 0);
  if (err)
    return md_fail(msg, err, "cannot check segment %" PRIu64 ": %s", ids[i], md_err_text(err));
  c->ends_in_damage = false;
  err               = md_journal_walk(c->disk, c->dir, ids[i], limit, &visit, &c->scan, msg);
  if (err) return err;
  c->packed = c->scan.packed;
  judge_index(c);
  const bool index_knows = c->index.data != NULL;
  err                    = check_end(c);
  md_journal_index_free(&c->index);
  if (i + 1 < cnt) return err;
  c->out->torn_bytes   = c->scan.info.torn_bytes;
  c->out->tail_unknown = !index_knows && is_open(c);
  return err;
}

md_err_t
md_journal_check_run(const md_disk_t *disk, const char *dir, const uint8_t *uuid,
                     md_journal_check_t *out, md_msg_t *msg) {
  uint64_t  *ids = NULL;
  uint32_t   cnt = 0;
  checker_t *c   = calloc(1, sizeof *c);
  *out           = (md_journal_check_t){0};
  if (!c) return md_fail(msg, MD_ERR_NOMEM, "no memory to check a journal");
  c->disk      = disk;
  c->dir       = dir;
  c->uuid      = uuid;
  c->out       = out;
  c->body_last = NO_DAMAGE;
  md_err_t err = md_journal_list(disk, dir, &ids, &cnt, msg);
  for (uint32_t i = 0; i < cnt && !err; i++)
    err = check_segment(c, ids, cnt, i, msg);
  out->segment_cnt = cnt;
  md_journal_index_free(&c->index);
  free(c->row);
  free(c);
  free(ids);
  return err;
}

void
md_journal_check_free(md_journal_check_t *c) {
  free(c->damaged);
  free(c->missing);
  *c = (md_journal_check_t){0};
}
