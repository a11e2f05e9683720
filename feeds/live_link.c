/* Connections: made, lost, made again, and replaced before their end. */
#include "feeds/live_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_PACE_NS  (50 * NS_PER_MS)
#define WINDOW_NS        (300 * NS_PER_S)
#define CALM_NS          (3 * NS_PER_S) /* data so long after it opened: backoff anew */
#define END_MARGIN_NS    (600 * NS_PER_S)
#define OVERLAP_NS       (15 * NS_PER_S) /* a replacement that gives some streams is good after this */
#define REPLACE_RETRY_NS (20 * NS_PER_S)

static bool
may_connect(const md_feed_live_t *l) {
  uint32_t max = l->net->connects_per_5min < MD_LIVE_CONNECT_CNT ? l->net->connects_per_5min
                                                                 : MD_LIVE_CONNECT_CNT;
  if (l->connect_cnt == 0) return true;
  int64_t pace = l->net->connect_pace_ns ? l->net->connect_pace_ns : CONNECT_PACE_NS;
  if (l->now_ns - l->connect_ns[(l->connect_cnt - 1) % MD_LIVE_CONNECT_CNT] < pace) return false;
  return l->connect_cnt < max ||
         l->now_ns - l->connect_ns[(l->connect_cnt - max) % MD_LIVE_CONNECT_CNT] >= WINDOW_NS;
}

/* The URL takes the first streams; the others follow by message. */
static bool
make_url(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h) {
  const char *names[MD_LIVE_BATCH];
  char        url[MD_LIVE_URL_BYTES], base[sizeof l->url + 64];
  uint32_t    cnt = 0, taken = 0;
  (void)snprintf(base, sizeof base, "%s%s", l->url, k->path);
  while (cnt < k->stream_cnt && cnt < MD_LIVE_BATCH &&
         l->stream[k->stream[cnt]].todo != MD_LIVE_REMOVE) {
    names[cnt] = l->stream[k->stream[cnt]].name;
    cnt++;
  }
  if (!l->net->connect_url(url, sizeof url, base, names, cnt, &taken)) return false;
  free(h->url);
  h->url            = strdup(url);
  h->subscribed_cnt = taken;
  return h->url != NULL;
}

static int64_t
pause_before_next(md_feed_live_t *l, md_feed_live_link_t *k) {
  return md_backoff_ns(l->cfg.reconnect_min_ns, l->cfg.reconnect_max_ns, k->attempt++, &l->seed);
}

static void
connect_half(md_feed_live_t *l, md_feed_live_link_t *k, uint32_t half) {
  md_feed_live_half_t *h = &k->half[half];
  md_msg_t             msg;
  uint32_t             bit = 1u << half;
  if (!may_connect(l) || !make_url(l, k, h)) return;
  uint32_t number                                       = 0;
  l->connect_ns[l->connect_cnt++ % MD_LIVE_CONNECT_CNT] = l->now_ns;
  if (l->cfg.transport->connect(l->transport, h->url, &number, &msg)) {
    k->not_before_ns = l->now_ns + pause_before_next(l, k);
    md_feed_live_log(l, "warn", "%s: %s", h->name, msg.text);
    return;
  }
  md_count(l->cfg.metrics, MD_COUNTER_CONNECTS, 1);
  if (k->was_open) md_count(l->cfg.metrics, MD_COUNTER_RECONNECTS, 1);
  l->owner[number] = (md_feed_live_owner_t){(uint32_t)(k - l->link), half};
  h->connection    = number;
  h->hour_ns       = l->now_ns;
  h->hour_cnt      = 0;
  h->state         = MD_LIVE_CONNECTING;
  h->seen_cnt      = 0;
  for (uint32_t n = 0; n < k->stream_cnt; n++)
    l->stream[k->stream[n]].seen &= (uint8_t)~bit;
}

void
md_feed_live_on_open(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h) {
  h->state        = MD_LIVE_OPEN;
  h->open_ns      = l->now_ns;
  h->message_ns   = l->now_ns;
  h->keepalive_ns = l->now_ns;
  if (h != &k->half[k->active]) return;
  k->was_open       = true;
  k->replace_try_ns = 0;
  k->replace_ns     = l->now_ns + l->net->life_ns - END_MARGIN_NS -
                  (int64_t)(md_random_next(&l->seed) % (uint64_t)END_MARGIN_NS);
  /* Everything is asked for anew by the connection itself. */
  for (uint32_t n = 0; n < k->stream_cnt; n++) {
    md_feed_live_stream_t *s = &l->stream[k->stream[n]];
    if (s->todo != MD_LIVE_REMOVE) s->todo = MD_LIVE_DONE;
    s->wants_snapshot  = false;
    s->snapshot_due_ns = 0;
    s->is_by_rest      = false;
    s->is_refused      = false;
  }
  md_feed_live_log(l, "info", "%s: connected, %u streams", h->name, k->stream_cnt);
}

void
md_feed_live_on_lost(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h,
                     const char *why) {
  if (h->connection < MD_CONNECTION_CNT_MAX) l->owner[h->connection].link = MD_LIVE_NONE;
  bool was_active = h == &k->half[k->active], was_open = h->state == MD_LIVE_OPEN;
  h->connection = MD_LIVE_NONE;
  h->state      = MD_LIVE_DOWN;
  h->auth       = MD_LIVE_NOBODY;
  if (!was_active) {
    k->replace_try_ns = l->now_ns + REPLACE_RETRY_NS;
    return;
  }
  int64_t pause    = pause_before_next(l, k);
  k->not_before_ns = l->now_ns + pause;
  for (uint32_t n = 0; n < k->stream_cnt; n++)
    l->stream[k->stream[n]].is_live = false;
  if (k->half[!k->active].state != MD_LIVE_DOWN) {
    k->active = !k->active; /* the replacement is on its way already */
    if (k->half[k->active].state == MD_LIVE_OPEN) md_feed_live_on_open(l, k, &k->half[k->active]);
  }
  if (was_open)
    md_feed_live_log(l, "warn", "%s: lost (%s); again in %lld ms", h->name, why,
                     (long long)(pause / NS_PER_MS));
  else
    md_feed_live_log(l, "warn", "%s: cannot reach %s (%s); again in %lld ms", h->name, l->url, why,
                     (long long)(pause / NS_PER_MS));
}

bool
md_feed_live_give_up(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h,
                     const char *why) {
  if (!md_feed_live_push(l, MD_RAW_CLOSE, h->leg, h->name, why, (uint32_t)strlen(why)))
    return false;
  l->cfg.transport->disconnect(l->transport, h->connection, MD_CLOSE_NORMAL);
  md_feed_live_on_lost(l, k, h, why);
  return true;
}

void
md_feed_live_replace(md_feed_live_t *l, md_feed_live_link_t *k) {
  k->replace_ns = l->now_ns;
}

/* The new connection gives what the old one gave: from here on only the new one counts. Both ran
 * side by side, so no book lost anything, and the close takes none along. */
static void
switch_halves(md_feed_live_t *l, md_feed_live_link_t *k) {
  static const char    why[] = "replaced before its end";
  md_feed_live_half_t *old   = &k->half[k->active];
  if (!md_feed_live_push(l, MD_RAW_CLOSE, MD_LEG_RETIRED, old->name, why, sizeof why - 1)) return;
  l->cfg.transport->disconnect(l->transport, old->connection, MD_CLOSE_NORMAL);
  l->owner[old->connection].link = MD_LIVE_NONE;
  old->connection                = MD_LIVE_NONE;
  old->state                     = MD_LIVE_DOWN;
  k->active                      = !k->active;
  int64_t open_ns                = k->half[k->active].open_ns;
  md_feed_live_on_open(l, k, &k->half[k->active]);
  k->half[k->active].open_ns = open_ns;
  md_count(l->cfg.metrics, MD_COUNTER_REPLACEMENTS, 1);
}

static void
tick_replacement(md_feed_live_t *l, md_feed_live_link_t *k) {
  md_feed_live_half_t *next = &k->half[!k->active];
  if (k->half[k->active].state != MD_LIVE_OPEN || l->now_ns < k->replace_ns) return;
  if (next->state == MD_LIVE_DOWN && l->now_ns >= k->replace_try_ns) connect_half(l, k, !k->active);
  if (next->state != MD_LIVE_OPEN || next->subscribed_cnt < k->stream_cnt) return;
  bool is_whole = next->seen_cnt >= k->stream_cnt;
  bool is_good  = next->seen_cnt > 0 && l->now_ns - next->open_ns >= OVERLAP_NS;
  if (is_whole || is_good) switch_halves(l, k);
}

void
md_feed_live_reconnect(md_feed_live_t *l) {
  l->is_renewing = true;
}

/* The other half first: it would take over. False: no room for inputs, the next tick goes on. */
static bool
renew(md_feed_live_t *l) {
  static const char why[] = "made anew", forget[] = "forget";
  for (uint32_t n = 0; n < l->link_cnt; n++) {
    md_feed_live_link_t *k    = &l->link[n];
    md_feed_live_half_t *h[2] = {&k->half[!k->active], &k->half[k->active]};
    for (uint32_t m = 0; m < 2; m++)
      if (h[m]->state == MD_LIVE_OPEN && !md_feed_live_give_up(l, k, h[m], why)) return false;
  }
  l->is_renewing = !md_feed_live_push(l, MD_RAW_TIMER, MD_LEG_NONE, "", forget, sizeof forget - 1);
  return !l->is_renewing;
}

void
md_feed_live_links_tick(md_feed_live_t *l) {
  if (l->is_renewing && !renew(l)) return;
  for (uint32_t n = 0; n < l->link_cnt; n++) {
    md_feed_live_link_t *k = &l->link[n];
    md_feed_live_half_t *h = &k->half[k->active];
    if (h->state == MD_LIVE_DOWN && l->now_ns >= k->not_before_ns && md_feed_live_is_wanted(l, k))
      connect_half(l, k, k->active);
    if (h->state == MD_LIVE_OPEN && k->last_ns - h->open_ns >= CALM_NS) k->attempt = 0;
    tick_replacement(l, k);
    for (uint32_t half = 0; half < 2; half++)
      if (k->half[half].state == MD_LIVE_OPEN) {
        md_feed_live_keep_alive(l, &k->half[half]);
        if (md_feed_live_auth_tick(l, k, &k->half[half])) continue;
        md_feed_live_speak(l, k, &k->half[half]);
      }
  }
}
