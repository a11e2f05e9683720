/* replay_journal.c - normalised records into books: what any consumer of the records would do. */
#include "engine/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLAY_LEVEL_BYTES (4ull << 30)
#define INSTRUMENT_ID_MAX  (16u << 20)

typedef struct player {
  md_replay_t         *r;
  const md_manifest_t *manifest;
  uint16_t             stream;               /* UINT16_MAX: all */
  uint32_t             epoch[UINT8_MAX + 1]; /* last seen of each stream */
  md_level_t          *bids, *asks;          /* of the group that is being put together */
  uint32_t             bid_cnt, ask_cnt;
  md_replay_part_t     part;
  bool                 counts;   /* the record is not before part.from_ns */
  uint32_t            *index_of; /* by instrument id: index + 1, 0 not seen yet */
  uint32_t             id_cap;
} player_t;

/* Makes room for an id in the index; ids are small numbers given out in order. */
static bool
index_id(player_t *p, uint32_t id) {
  if (id < p->id_cap) return true;
  if (id >= INSTRUMENT_ID_MAX) return false;
  uint32_t  cap  = id + 1024;
  uint32_t *more = realloc(p->index_of, cap * sizeof *more);
  if (!more) return false;
  memset(more + p->id_cap, 0, (cap - p->id_cap) * sizeof *more);
  p->index_of = more;
  p->id_cap   = cap;
  return true;
}

static md_replay_instrument_t *
find(player_t *p, const md_record_t *rec) {
  md_replay_t *r = p->r;
  if (!index_id(p, rec->instrument)) return NULL;
  if (p->index_of[rec->instrument]) return &r->instruments[p->index_of[rec->instrument] - 1];
  if (r->cnt == r->cap) {
    uint32_t                cap  = r->cap ? 2 * r->cap : 64;
    md_replay_instrument_t *more = realloc(r->instruments, cap * sizeof *more);
    if (!more) return NULL;
    r->instruments = more;
    r->cap         = cap;
  }
  md_replay_instrument_t         *i = &r->instruments[r->cnt++];
  const md_manifest_instrument_t *known =
      md_manifest_instrument_by_id(p->manifest, rec->instrument);
  memset(i, 0, sizeof *i);
  i->id      = rec->instrument;
  i->stream  = rec->stream;
  i->px_exp  = rec->px_exp;
  i->qty_exp = rec->qty_exp;
  (void)snprintf(i->feed, sizeof i->feed, "%s", known ? known->feed : "?");
  (void)snprintf(i->symbol, sizeof i->symbol, "%s", known ? known->symbol : "?");
  md_orderbook_init(&i->book, r->pool);
  p->index_of[rec->instrument] = r->cnt;
  return i;
}

/* Exponents only ever get smaller within an epoch; a new epoch begins with an empty book. */
static md_err_t
follow_exponents(md_replay_instrument_t *i, const md_record_t *rec) {
  if (i->px_exp == rec->px_exp && i->qty_exp == rec->qty_exp) return MD_OK;
  md_err_t err = md_orderbook_rescale(&i->book, i->px_exp, rec->px_exp, i->qty_exp, rec->qty_exp);
  for (int digits = i->qty_exp; digits > rec->qty_exp; digits--) {
    i->trades.qty_sum *= 10;
    i->agg_trades.qty_sum *= 10;
  }
  i->px_exp  = rec->px_exp;
  i->qty_exp = rec->qty_exp;
  return err;
}

/* Adds the levels behind a body to the group; MD_ERR_EMPTY until the group is complete. */
static md_err_t
gather(player_t *p, const md_record_t *rec, const md_level_t *levels, uint32_t bid_cnt,
       uint32_t ask_cnt) {
  if (p->bid_cnt + bid_cnt > MD_BOOK_LEVELS_MAX || p->ask_cnt + ask_cnt > MD_BOOK_LEVELS_MAX)
    return MD_ERR_CORRUPT;
  memcpy(p->bids + p->bid_cnt, levels, bid_cnt * sizeof *levels);
  memcpy(p->asks + p->ask_cnt, levels + bid_cnt, ask_cnt * sizeof *levels);
  p->bid_cnt += bid_cnt;
  p->ask_cnt += ask_cnt;
  return rec->flags & MD_FLAG_LAST ? MD_OK : MD_ERR_EMPTY;
}

static md_err_t
load_group(player_t *p, md_replay_instrument_t *i) {
  md_err_t err = md_orderbook_load(&i->book, MD_SIDE_BUY, p->bids, p->bid_cnt);
  if (!err) err = md_orderbook_load(&i->book, MD_SIDE_SELL, p->asks, p->ask_cnt);
  p->bid_cnt = p->ask_cnt = 0;
  return err;
}

static md_err_t
apply_group(player_t *p, md_replay_instrument_t *i) {
  md_err_t err = MD_OK;
  bool     was_absent;
  for (uint32_t n = 0; !err && n < p->bid_cnt; n++)
    err = md_orderbook_set(&i->book, MD_SIDE_BUY, p->bids[n].px, p->bids[n].qty, &was_absent);
  for (uint32_t n = 0; !err && n < p->ask_cnt; n++)
    err = md_orderbook_set(&i->book, MD_SIDE_SELL, p->asks[n].px, p->asks[n].qty, &was_absent);
  p->bid_cnt = p->ask_cnt = 0;
  return err;
}

/* True when a checkpoint says what the book already is: n-th best level by n-th best level. */
static bool
same_book(const player_t *p, const md_replay_instrument_t *i) {
  md_level_t level;
  if (i->book.bids.cnt != p->bid_cnt || i->book.asks.cnt != p->ask_cnt) return false;
  for (uint32_t n = 0; n < p->bid_cnt; n++)
    if (!md_orderbook_at(&i->book, MD_SIDE_BUY, n, &level) || level.px != p->bids[n].px ||
        level.qty != p->bids[n].qty)
      return false;
  for (uint32_t n = 0; n < p->ask_cnt; n++)
    if (!md_orderbook_at(&i->book, MD_SIDE_SELL, n, &level) || level.px != p->asks[n].px ||
        level.qty != p->asks[n].qty)
      return false;
  return true;
}

static md_err_t
on_checkpoint(player_t *p, const md_record_t *rec) {
  const md_checkpoint_t *c = md_record_body_const(rec);
  if (c->inner != MD_CHECKPOINT_BOOK) return MD_OK;
  md_replay_instrument_t *i = find(p, rec);
  if (!i) return MD_ERR_NOMEM;
  md_err_t err = gather(p, rec, (const md_level_t *)(c + 1), c->bid_cnt, c->ask_cnt);
  if (err) return err == MD_ERR_EMPTY ? MD_OK : err;
  err = follow_exponents(i, rec);
  if (i->state == MD_BOOK_VALID && c->book_state == MD_BOOK_VALID && !same_book(p, i))
    p->r->mismatch_cnt++;
  i->state    = c->book_state;
  i->exch_seq = rec->exch_seq;
  return err ? err : load_group(p, i);
}

static void
add_trade(md_trade_totals_t *t, int64_t qty, uint64_t id) {
  if (t->cnt++ == 0) t->id_first = id;
  t->id_last = id;
  t->qty_sum += qty;
}

static md_err_t
on_book(player_t *p, md_replay_instrument_t *i, const md_record_t *rec) {
  const md_book_delta_t *d =
      md_record_body_const(rec); /* a snapshot has its levels in the same places */
  md_err_t err = gather(p, rec, (const md_level_t *)(d + 1), d->bid_cnt, d->ask_cnt);
  if (err) return err == MD_ERR_EMPTY ? MD_OK : err;
  i->exch_seq = rec->exch_seq;
  return rec->type == MD_RECORD_BOOK_SNAPSHOT ? load_group(p, i) : apply_group(p, i);
}

static md_err_t
on_instrument_record(player_t *p, const md_record_t *rec) {
  md_replay_instrument_t *i = find(p, rec);
  if (!i) return MD_ERR_NOMEM;
  md_err_t    err  = follow_exponents(i, rec);
  const void *body = md_record_body_const(rec);
  if (err) return err;
  switch (rec->type) {
  case MD_RECORD_BOOK_DELTA:
  case MD_RECORD_BOOK_SNAPSHOT:
    return on_book(p, i, rec);
  case MD_RECORD_TRADE:
    /* As the feed counts: block trades are off the book and of the market. */
    if (p->counts && ((const md_trade_t *)body)->origin == MD_ORIGIN_MARKET)
      add_trade(&i->trades, ((const md_trade_t *)body)->qty, rec->exch_seq);
    return MD_OK;
  case MD_RECORD_AGG_TRADE:
    if (p->counts) add_trade(&i->agg_trades, ((const md_agg_trade_t *)body)->qty, rec->exch_seq);
    return MD_OK;
  case MD_RECORD_GAP:
    i->gap_cnt += p->counts;
    return MD_OK;
  case MD_RECORD_STATUS:
    if (((const md_status_t *)body)->subject == MD_SUBJECT_BOOK)
      i->state = ((const md_status_t *)body)->after;
    return MD_OK;
  default:
    return MD_OK;
  }
}

/* A new epoch of a stream begins without books: what the engine knew died with it. */
static void
begin_epoch(player_t *p, const md_record_t *rec) {
  p->epoch[rec->stream & UINT8_MAX] = rec->epoch;
  for (uint32_t i = 0; i < p->r->cnt; i++) {
    md_replay_instrument_t *inst = &p->r->instruments[i];
    if (inst->stream != rec->stream) continue;
    md_orderbook_clear(&inst->book);
    inst->state    = MD_BOOK_EMPTY;
    inst->exch_seq = 0;
  }
}

/* What was lost may have changed any book: none is right until a snapshot or a checkpoint says so.
 */
static void
on_loss(player_t *p, const md_record_t *rec) {
  p->r->loss_cnt += ((const md_loss_t *)md_record_body_const(rec))->record_cnt;
  for (uint32_t i = 0; i < p->r->cnt; i++) {
    if (p->r->instruments[i].stream == rec->stream) p->r->instruments[i].state = MD_BOOK_STALE;
  }
}

static md_err_t
apply(player_t *p, const md_record_t *rec) {
  if (rec->type == MD_RECORD_RAW) {
    p->r->frame_cnt += p->counts && (rec->flags & MD_FLAG_LAST) != 0;
    return MD_OK;
  }
  if (p->stream != UINT16_MAX && rec->stream != p->stream) return MD_OK;
  if (rec->type == MD_RECORD_LOSS) {
    on_loss(p, rec);
    return MD_OK;
  }
  if (p->epoch[rec->stream & UINT8_MAX] != rec->epoch) begin_epoch(p, rec);
  if (rec->type == MD_RECORD_CHECKPOINT) return on_checkpoint(p, rec);
  p->r->record_cnt += p->counts;
  return rec->instrument ? on_instrument_record(p, rec) : MD_OK;
}

static md_err_t
find_stream(player_t *p, const char *feed, md_msg_t *msg) {
  p->stream = UINT16_MAX;
  if (!feed) return MD_OK;
  for (uint16_t id = 0; id < MD_STREAM_CNT_MAX * 4; id++) {
    const char *name = md_manifest_stream_name(p->manifest, id);
    if (name && strcmp(name, feed) == 0) {
      p->stream = id;
      return MD_OK;
    }
  }
  return md_fail(msg, MD_ERR_ABSENT, "the journal has no feed '%s'", feed);
}

/* Behind the end: nothing published before to_ns stands so far back. */
static bool
is_over(const md_replay_part_t *part, const md_record_t *rec) {
  return part->to_ns != 0 && rec->ts_pub_ns > part->to_ns + MD_JOURNAL_TIME_SLACK_NS;
}

static md_err_t
play_all(player_t *p, md_journal_reader_t *reader, md_msg_t *msg) {
  const md_replay_part_t *part = &p->part;
  const md_record_t      *rec;
  md_journal_pos_t        pos;
  md_err_t                err = MD_OK;
  while ((part->record_max == 0 || p->r->record_cnt < part->record_max) &&
         (err = md_journal_reader_next(reader, &rec, &pos, msg)) == MD_OK) {
    if (is_over(part, rec)) break;
    if (part->to_ns != 0 && rec->ts_pub_ns >= part->to_ns) continue;
    p->counts = rec->ts_pub_ns >= part->from_ns;
    err       = apply(p, rec);
    if (err)
      return md_fail(msg, err,
                     "segment %llu at %llu: the record with seq %llu cannot be applied: %s",
                     (unsigned long long)pos.segment, (unsigned long long)pos.offset,
                     (unsigned long long)rec->seq, md_err_text(err));
  }
  md_journal_reader_damage(reader, &p->r->damage);
  return err == MD_ERR_END ? MD_OK : err;
}

/* Segments begin with every book, so the one that holds the first record is where to begin. */
static md_err_t
begin(const md_replay_part_t *part, md_journal_reader_t *reader, md_msg_t *msg) {
  const md_record_t *rec;
  md_journal_pos_t   pos = {.segment = part->segment};
  if (part->from_ns != 0 && part->segment == 0) {
    md_err_t err = md_journal_reader_seek_time(reader, part->from_ns, msg);
    if (!err) err = md_journal_reader_next(reader, &rec, &pos, msg);
    if (err) return err == MD_ERR_END ? MD_OK : err;
  }
  return pos.segment ? md_journal_reader_seek_segment(reader, pos.segment, msg) : MD_OK;
}

md_err_t
md_replay_journal(const char *dir, const char *feed, const md_replay_part_t *part, md_replay_t *r,
                  md_msg_t *msg) {
  md_journal_reader_t *reader;
  memset(r, 0, sizeof *r);
  md_err_t err = md_journal_reader_open(dir, &reader, msg);
  if (err) return err;
  player_t *p = calloc(1, sizeof *p);
  r->pool     = md_level_pool_new(REPLAY_LEVEL_BYTES);
  if (p) {
    p->r        = r;
    p->part     = *part;
    p->manifest = md_journal_reader_manifest(reader);
    p->bids     = malloc(MD_BOOK_LEVELS_MAX * sizeof *p->bids);
    p->asks     = malloc(MD_BOOK_LEVELS_MAX * sizeof *p->asks);
  }
  if (!p || !r->pool || !p->bids || !p->asks)
    err = md_fail(msg, MD_ERR_NOMEM, "no memory for a replay");
  if (!err) err = find_stream(p, feed, msg);
  if (!err) err = begin(part, reader, msg);
  if (!err) err = play_all(p, reader, msg);
  if (p) {
    free(p->bids);
    free(p->asks);
    free(p->index_of);
  }
  free(p);
  md_journal_reader_close(reader);
  return err;
}
