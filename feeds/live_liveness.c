/* What is alive is judged by data, each stream against its own pace, never by sockets or acks. */
#include "feeds/live_parts.h"
#include "feeds/rule.h"

#include <stdio.h>
#include <string.h>

#define PACE_FACTOR     20 /* so many usual pauses without data are silence */
#define RETRY_SHIFT_MAX 5u

static uint64_t
hash_of(const uint8_t *p, uint32_t len) {
  uint64_t h = len;
  for (uint32_t at = 0; at < len; at += 8) {
    uint64_t word = 0; /* behind the payload may stand the next frame */
    memcpy(&word, p + at, len - at < sizeof word ? len - at : sizeof word);
    h = (h ^ word) * 0x9e3779b97f4a7c15ull;
    h ^= h >> 29;
  }
  return h;
}

static void
note_time(int64_t now, int64_t *last, int64_t *mean) {
  if (*last) {
    int64_t pause = now - *last;
    *mean         = *mean ? *mean + (pause - *mean) / 16 : pause;
  }
  *last = now;
}

/* What a message of a stream tells about its connection and itself. */
static void
stream_spoke(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h,
             md_feed_live_stream_t *s, md_frame_kind_t kind, const md_transport_event_t *e) {
  const uint32_t half = h == &k->half[1];
  uint64_t       hash = hash_of(e->payload, e->len);
  if (MD_RULE(SILENCE) && hash == s->last_hash && !(k->half[!half].state == MD_LIVE_OPEN))
    return; /* a repeat is no data */
  s->last_hash = hash;
  if (!(s->seen >> half & 1)) {
    s->seen |= (uint8_t)(1u << half);
    h->seen_cnt++;
  }
  note_time(l->now_ns, &k->last_ns, &k->mean_ns);
  if (s->is_silent) s->last_ns = 0; /* the pause is no measure of its pace */
  note_time(l->now_ns, &s->last_ns, &s->mean_ns);
  if (kind == MD_FRAME_SNAPSHOT) {
    s->wants_snapshot    = false;
    s->snapshot_due_ns   = 0;
    l->has_seen_snapshot = true;
    s->is_by_rest        = false;
    s->is_refused        = false;
  }
  if (s->todo == MD_LIVE_UNSUBSCRIBE && !s->wants_snapshot)
    s->todo = MD_LIVE_DONE; /* it speaks: leave it alone */
  s->is_live   = true;
  s->is_silent = false;
  s->retry_cnt = 0;
}

bool
md_feed_live_seen(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h,
                  const md_transport_event_t *e) {
  const char     *name;
  uint32_t        len  = 0;
  md_frame_kind_t kind = l->net->frame(e->payload, e->len, &name, &len);
  switch (kind) {
  case MD_FRAME_OTHER:
    return true;
  case MD_FRAME_ASKS:
    md_feed_live_alive(l, h);
    return true;
  case MD_FRAME_ANSWER:
    md_feed_live_on_answer(l, k, h, e->payload, e->len);
    return true;
  case MD_FRAME_AUTH:
    md_feed_live_on_grant(l, h, e->payload, e->len);
    return false;
  case MD_FRAME_REFUSED:
    md_feed_live_on_refused(l, name, len, e->payload, e->len);
    return true;
  case MD_FRAME_LISTING:
    l->wants_list = true;
    return true;
  case MD_FRAME_SHUTDOWN:
    md_feed_live_log(l, "info", "%s: the server says that it closes this connection", h->name);
    md_feed_live_replace(l, k);
    return true;
  case MD_FRAME_SNAPSHOT:
  case MD_FRAME_DATA:
    break;
  }
  md_feed_live_stream_t *s = md_feed_live_find_stream(l, name, len);
  if (s && &l->link[s->link] == k) stream_spoke(l, k, h, s, kind, e);
  return true;
}

static int64_t
limit_of(int64_t configured, int64_t mean) {
  int64_t own = mean * PACE_FACTOR;
  return own > configured ? own : configured;
}

/* The book is told once; the subscription is made again now and then, as long as nothing comes. */
static void
stream_is_silent(md_feed_live_t *l, md_feed_live_stream_t *s) {
  const md_feed_live_symbol_t *symbol = &l->symbol[s->symbol];
  if (s->channel == MD_CHANNEL_DEPTH && !s->is_silent && s->is_live) {
    char text[MD_SYMBOL_BYTES + 8];
    int  len = snprintf(text, sizeof text, "silent %s", symbol->name);
    if (!md_feed_live_push(l, MD_RAW_TIMER, MD_LEG_NONE, "", text, (uint32_t)len)) return;
  }
  if (!s->is_silent) {
    md_count(l->cfg.metrics, MD_COUNTER_SILENT_STREAMS, 1);
    md_feed_live_log(l, "warn", "%s gives no data; subscribing again", s->name);
  }
  uint32_t shift = s->retry_cnt < RETRY_SHIFT_MAX ? s->retry_cnt : RETRY_SHIFT_MAX;
  l->wants_list  = true;
  s->is_silent   = true;
  s->is_live     = false;
  s->todo        = MD_LIVE_UNSUBSCRIBE;
  s->retry_ns    = l->now_ns + (l->cfg.silence_ns[s->channel] << shift);
  s->retry_cnt++;
}

/* Where most streams say nothing for long, only those that never spoke though they should are
 * silent.
 */
static bool
may_be_silent(const md_feed_live_t *l, const md_feed_live_stream_t *s) {
  if (!l->net->is_sparse || (l->net->book_beat_ns && s->channel == MD_CHANNEL_DEPTH)) return true;
  return !s->is_live && s->channel != MD_CHANNEL_TRADE && s->channel != MD_CHANNEL_LIQUIDATION &&
         s->channel != MD_CHANNEL_FILL;
}

static void
scan_refused(const md_feed_live_t *l, md_feed_live_stream_t *s) {
  if (!s->is_refused || s->todo != MD_LIVE_DONE || l->now_ns < s->retry_ns) return;
  s->is_refused = false;
  s->todo       = MD_LIVE_SUBSCRIBE;
}

static void
scan_stream(md_feed_live_t *l, md_feed_live_stream_t *s) {
  const md_feed_live_link_t *k     = &l->link[s->link];
  const md_feed_live_half_t *h     = &k->half[k->active];
  int64_t                    limit = l->cfg.silence_ns[s->channel];
  if (limit == 0 || s->todo != MD_LIVE_DONE || h->state != MD_LIVE_OPEN) return;
  if (s->is_refused || !may_be_silent(l, s)) return;
  int64_t since = s->last_ns > h->open_ns ? s->last_ns : h->open_ns;
  /* A book that changes seldom has its beat; one that changes all the time its own pace. */
  bool is_slow = s->mean_ns > NS_PER_S || (s->mean_ns == 0 && s->last_ns != 0);
  if (is_slow && s->channel == MD_CHANNEL_DEPTH && limit < 2 * l->net->book_beat_ns)
    limit = 2 * l->net->book_beat_ns;
  if (l->now_ns - since < limit_of(limit, s->mean_ns) || l->now_ns < s->retry_ns) return;
  stream_is_silent(l, s);
}

/* A book that was asked for anew did not come: the connection is no good. */
static bool
snapshot_is_late(md_feed_live_t *l, const md_feed_live_link_t *k) {
  for (uint32_t n = 0; n < k->stream_cnt; n++)
    if (md_feed_live_snapshot_late(l, &l->stream[k->stream[n]])) return true;
  return false;
}

/* Liquidations may rest for days: a connection that has nothing else is silent by right. */
static bool
has_pace(const md_feed_live_t *l, const md_feed_live_link_t *k) {
  for (uint32_t n = 0; n < k->stream_cnt; n++) {
    const md_feed_live_stream_t *s = &l->stream[k->stream[n]];
    if (s->channel != MD_CHANNEL_LIQUIDATION && !s->is_removed) return true;
  }
  return false;
}

static void
scan_link(md_feed_live_t *l, md_feed_live_link_t *k) {
  md_feed_live_half_t *h = &k->half[k->active];
  if (h->state == MD_LIVE_OPEN && snapshot_is_late(l, k)) {
    (void)md_feed_live_give_up(l, k, h, "no book came");
    return;
  }
  if (h->state != MD_LIVE_OPEN || l->cfg.silence_connection_ns == 0) return;
  if (!md_feed_live_is_wanted(l, k) || !has_pace(l, k)) return;
  int64_t since = k->last_ns > h->open_ns ? k->last_ns : h->open_ns;
  if (l->now_ns - since < limit_of(l->cfg.silence_connection_ns, k->mean_ns)) return;
  md_count(l->cfg.metrics, MD_COUNTER_SILENT_CONNECTIONS, 1);
  (void)md_feed_live_give_up(l, k, h, "silent");
}

void
md_feed_live_scan(md_feed_live_t *l) {
  uint32_t live_cnt = 0, cnt = 0;
  if (l->now_ns >= l->grace_ns) {
    for (uint32_t n = 0; n < l->link_cnt; n++)
      scan_link(l, &l->link[n]);
  }
  for (uint32_t n = 0; n < l->stream_cnt; n++) {
    md_feed_live_stream_t *s = &l->stream[n];
    if (s->is_removed) continue;
    scan_refused(l, s);
    if (l->now_ns >= l->grace_ns) scan_stream(l, s);
    cnt++;
    live_cnt += s->is_live;
  }
  md_gauge(l->cfg.metrics, MD_COUNTER_STREAMS, cnt);
  md_gauge(l->cfg.metrics, MD_COUNTER_STREAMS_LIVE, live_cnt);
}
