#include "engine/resume.h"

#include "writers/journal_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX (512u << 10) /* of one COMMAND */
#define LINE_BYTES_MAX (MD_SYMBOL_BYTES + 3 * 22)

enum { BOOK, TRADE, AGG, ID_CNT };

typedef struct row {
  uint32_t    id;
  const char *symbol;
  uint64_t    last[ID_CNT];     /* absent where nothing was found */
  uint32_t    found_in[ID_CNT]; /* number of the pass, 0 not found */
} row_t;

typedef struct collect {
  row_t   *rows;          /* by rising instrument id */
  uint32_t cnt, open_cnt; /* open: ids that are wanted and were not found */
  uint32_t pass;          /* counts segments, the newest is 1 */
  uint16_t stream;
  bool     wants[ID_CNT];
} collect_t;

static int
compare_row(const void *a, const void *b) {
  uint32_t x = ((const row_t *)a)->id, y = ((const row_t *)b)->id;
  return x < y ? -1 : x > y;
}

static md_err_t
list_instruments(collect_t *c, const md_manifest_t *manifest, const char *feed, md_msg_t *msg) {
  uint32_t all = md_manifest_instrument_cnt(manifest);
  c->rows      = calloc(all + 1, sizeof *c->rows);
  if (!c->rows) return md_fail(msg, MD_ERR_NOMEM, "no memory for %u instruments", all);
  for (uint32_t n = 0; n < all; n++) {
    const md_manifest_instrument_t *known = md_manifest_instrument_at(manifest, n);
    if (strcmp(known->feed, feed) != 0) continue;
    c->rows[c->cnt++] = (row_t){
        .id = known->id, .symbol = known->symbol, .last = {MD_NULL_U64, MD_NULL_U64, MD_NULL_U64}};
  }
  for (unsigned which = 0; which < ID_CNT; which++)
    if (c->wants[which]) c->open_cnt += c->cnt;
  qsort(c->rows, c->cnt, sizeof *c->rows, compare_row);
  return MD_OK;
}

/* An id from the segment being read; a newer segment knows better. */
static void
found(collect_t *c, row_t *row, unsigned which, uint64_t id) {
  if (id == MD_NULL_U64 || id == 0) return;
  if (row->found_in[which] != 0 && row->found_in[which] != c->pass) return;
  if (row->found_in[which] == 0 && c->wants[which]) c->open_cnt--;
  row->found_in[which] = c->pass;
  row->last[which]     = id;
}

static void
take(collect_t *c, const md_record_t *rec) {
  if (rec->stream != c->stream) return;
  const row_t key  = {.id = rec->instrument};
  row_t      *row  = bsearch(&key, c->rows, c->cnt, sizeof *c->rows, compare_row);
  const void *body = md_record_body_const(rec);
  if (!row) return;
  if (rec->type == MD_RECORD_BOOK_DELTA || rec->type == MD_RECORD_BOOK_SNAPSHOT) {
    found(c, row, BOOK, rec->exch_seq);
  } else if (rec->type == MD_RECORD_TRADE) {
    md_trade_t trade;
    memcpy(&trade, body, sizeof trade);
    found(c, row, TRADE, trade.trade_id);
  } else if (rec->type == MD_RECORD_AGG_TRADE) {
    md_agg_trade_t trade;
    memcpy(&trade, body, sizeof trade);
    found(c, row, AGG, trade.agg_id);
  } else if (rec->type == MD_RECORD_CHECKPOINT) {
    md_checkpoint_t point;
    memcpy(&point, body, sizeof point);
    found(c, row, BOOK, rec->exch_seq);
    found(c, row, TRADE, point.trade_id_last);
    found(c, row, AGG, point.agg_id_last);
  }
}

static md_err_t
read_segment(collect_t *c, md_journal_reader_t *reader, uint64_t segment, uint64_t *bytes,
             md_msg_t *msg) {
  const md_record_t *rec;
  md_journal_pos_t   pos;
  c->pass++;
  md_err_t err = md_journal_reader_seek_segment(reader, segment, msg);
  while (!err && (err = md_journal_reader_next(reader, &rec, &pos, msg)) == MD_OK) {
    if (pos.segment != segment) break;
    *bytes += rec->len;
    take(c, rec);
  }
  return err == MD_ERR_END ? MD_OK : err;
}

static md_err_t
read_backwards(collect_t *c, const char *dir, md_msg_t *msg) {
  uint64_t            *ids    = NULL;
  uint32_t             cnt    = 0;
  uint64_t             bytes  = 0;
  md_journal_reader_t *reader = NULL;
  md_err_t             err    = md_journal_list(md_disk_system(), dir, &ids, &cnt, msg);
  if (!err && cnt) err = md_journal_reader_open(dir, &reader, msg);
  for (uint32_t n = cnt; !err && n > 0 && c->open_cnt && bytes < MD_RESUME_BYTES_MAX; n--)
    err = read_segment(c, reader, ids[n - 1], &bytes, msg);
  if (reader) md_journal_reader_close(reader);
  free(ids);
  return err;
}

static void
put_id(char **at, uint64_t id) {
  if (id == MD_NULL_U64)
    *at += snprintf(*at, 3, " -");
  else
    *at += snprintf(*at, 24, " %" PRIu64, id);
}

/* "resume", then a line for each instrument of which something is known. */
static md_err_t
tell(const collect_t *c, md_feed_live_t *live, md_msg_t *msg) {
  char    *text = malloc(TEXT_BYTES_MAX + LINE_BYTES_MAX);
  uint32_t n    = 0;
  md_err_t err  = text ? MD_OK : md_fail(msg, MD_ERR_NOMEM, "no memory for the last ids");
  while (!err && n < c->cnt) {
    char *at   = text + snprintf(text, 8, "resume\n");
    char *none = at;
    for (; n < c->cnt && at < text + TEXT_BYTES_MAX; n++) {
      const row_t *row = &c->rows[n];
      if (!row->found_in[BOOK] && !row->found_in[TRADE] && !row->found_in[AGG]) continue;
      at += snprintf(at, MD_SYMBOL_BYTES, "%s", row->symbol);
      for (unsigned which = 0; which < ID_CNT; which++)
        put_id(&at, row->last[which]);
      *at++ = '\n';
    }
    if (at != none) err = md_feed_live_command(live, text, (uint32_t)(at - text), msg);
  }
  free(text);
  return err;
}

md_err_t
md_resume_tell(const char *dir, const md_manifest_t *manifest, const char *feed, uint16_t stream,
               md_feed_live_t *live, md_msg_t *msg) {
  collect_t c   = {.stream = stream,
                   .wants  = {[BOOK]  = md_feed_live_collects(live, MD_CHANNEL_DEPTH),
                              [TRADE] = md_feed_live_collects(live, MD_CHANNEL_TRADE),
                              [AGG]   = md_feed_live_collects(live, MD_CHANNEL_AGG_TRADE)}};
  md_err_t  err = list_instruments(&c, manifest, feed, msg);
  if (!err && c.cnt) err = read_backwards(&c, dir, msg);
  if (!err) err = tell(&c, live, msg);
  free(c.rows);
  return err;
}
