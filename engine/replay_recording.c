#include "engine/replay.h"

#include "feeds/recording.h"
#include "feeds/venue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFFLINE_INSTRUMENT_MAX 20000u
#define OFFLINE_LEVEL_BYTES    (4ull << 30) /* address space, taken as levels come */
#define OFFLINE_SYNC_BYTES     (256ull << 20)

md_feed_config_t
md_replay_feed_config(const char *name, const md_venue_t *venue, const md_clock_t *clock) {
  return (md_feed_config_t){.name             = name,
                            .venue            = venue,
                            .stream           = 1,
                            .raw_stream       = 2,
                            .epoch            = 1,
                            .instrument_max   = OFFLINE_INSTRUMENT_MAX,
                            .level_pool_bytes = OFFLINE_LEVEL_BYTES,
                            .sync_pool_bytes  = OFFLINE_SYNC_BYTES,
                            .sync_queue_bytes = OFFLINE_SYNC_BYTES / 4,
                            .clock            = clock,
                            .next_id          = 1};
}

void
md_replay_free(md_replay_t *r) {
  free(r->instruments);
  if (r->pool) md_level_pool_delete(r->pool);
  memset(r, 0, sizeof *r);
}

static md_err_t
collect(const md_feed_t *f, const char *name, md_replay_t *r, md_msg_t *msg) {
  r->cnt         = md_feed_instrument_cnt(f);
  r->cap         = r->cnt;
  r->instruments = calloc(r->cnt + 1, sizeof *r->instruments);
  r->pool        = md_level_pool_new(OFFLINE_LEVEL_BYTES);
  if (!r->instruments || !r->pool)
    return md_fail(msg, MD_ERR_NOMEM, "no memory for the books of %u instruments", r->cnt);
  for (uint32_t i = 0; i < r->cnt; i++) {
    const md_feed_instrument_t *from = md_feed_instrument_at(f, i);
    md_replay_instrument_t     *to   = &r->instruments[i];
    (void)snprintf(to->feed, sizeof to->feed, "%s", name);
    memcpy(to->symbol, from->symbol, sizeof to->symbol);
    to->id         = from->id;
    to->px_exp     = from->px_exp;
    to->qty_exp    = from->qty_exp;
    to->state      = from->state;
    to->exch_seq   = from->exch_seq;
    to->gap_cnt    = from->gap_cnt;
    to->trades     = from->trades;
    to->agg_trades = from->agg_trades;
    md_orderbook_init(&to->book, r->pool);
    if (md_orderbook_copy(&to->book, &from->book))
      return md_fail(msg, MD_ERR_NOMEM, "no memory for the book of %s", to->symbol);
  }
  return MD_OK;
}

static md_err_t
play(md_feed_t *f, const md_source_t *source, md_clock_manual_t *time, md_replay_t *r,
     md_msg_t *msg) {
  md_input_t in;
  int64_t    due;
  md_err_t   err;
  while ((err = source->next(source->ctx, &in, &due, msg)) == MD_OK) {
    time->real_ns = in.recv_ns;
    md_feed_look_ahead(f, source);
    md_feed_input(f, &in);
    r->frame_cnt++;
  }
  md_feed_publish(f);
  r->record_cnt = md_feed_out(f)->seq;
  return err == MD_ERR_END ? MD_OK : err;
}

md_err_t
md_replay_recording(const char *path, const char *venue, md_replay_t *r, md_msg_t *msg) {
  md_recording_t *recording;
  md_feed_t      *feed;
  memset(r, 0, sizeof *r);
  md_err_t err = md_recording_open(path, 0, NULL, &recording, msg);
  if (err) return err;
  const char *name = venue ? venue : md_recording_find_venue(path, msg);
  if (!name || !md_venue_find(name)) {
    md_recording_close(recording);
    return name ? md_fail(msg, MD_ERR_USAGE,
                          "no feed '%s' is built in; mdengine check --keys lists what there is",
                          name)
                : MD_ERR_USAGE;
  }
  md_clock_manual_t time   = {0};
  const md_clock_t  clock  = md_clock_manual(&time);
  md_source_t       source = md_recording_source(recording);
  md_feed_config_t  cfg    = md_replay_feed_config(name, md_venue_find(name), &clock);
  err                      = md_feed_new(&cfg, &feed, msg);
  if (!err) {
    md_msg_t ignored;
    err           = play(feed, &source, &time, r, msg);
    md_err_t late = collect(feed, name, r, err ? &ignored : msg);
    err           = err ? err : late;
    md_feed_delete(feed);
  }
  source.close(source.ctx);
  return err;
}
