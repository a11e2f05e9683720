/* Who we are: said on a connection before anything is subscribed, and again before it expires. The
 * secret and the tokens go to the server and nowhere else: what the feed, the journal and the log
 * get of these messages has MD_SECRET_HIDDEN in their place. */
#include "feeds/live_parts.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_NS    (10 * NS_PER_S)
#define EXPIRES_MAX  (365ull * 86400)
#define REFRESH_PART 5u /* said again when so much of its time is left: one part of five */

/* Nothing that would need an escape in a message. */
static bool
is_plain(const char *text) {
  for (const char *p = text; *p; p++)
    if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\') return false;
  return true;
}

md_err_t
md_feed_live_auth_open(md_feed_live_t *l, md_msg_t *msg) {
  const char *id = l->cfg.client_id, *secret = l->cfg.client_secret;
  l->cfg.client_secret = NULL;
  if (!id || !id[0]) return MD_OK;
  if (!l->net->auth)
    return md_fail(msg, MD_ERR_CONFIG, "%s knows no client_id; take it out", l->cfg.name);
  if (!secret || !secret[0])
    return md_fail(msg, MD_ERR_CONFIG, "client_id of %s has no secret", l->cfg.name);
  if (strlen(id) >= sizeof l->client_id || strlen(secret) >= sizeof l->client_secret ||
      !is_plain(id) || !is_plain(secret))
    return md_fail(msg, MD_ERR_CONFIG,
                   "client_id or its secret of %s is too long, or not plain letters and digits",
                   l->cfg.name);
  (void)snprintf(l->client_id, sizeof l->client_id, "%s", id);
  (void)snprintf(l->client_secret, sizeof l->client_secret, "%s", secret);
  return MD_OK;
}

void
md_feed_live_auth_close(md_feed_live_t *l) {
  explicit_bzero(l->client_secret, sizeof l->client_secret);
  for (uint32_t n = 0; n < l->link_cnt; n++)
    for (uint32_t half = 0; half < 2; half++)
      explicit_bzero(l->link[n].half[half].refresh_token,
                     sizeof l->link[n].half[half].refresh_token);
}

/* The message goes to the server as it is and to the feed with its secret hidden. */
static void
say_who(md_feed_live_t *l, md_feed_live_half_t *h, const char *refresh_token) {
  char                         text[2 * MD_SECRET_BYTES + 512];
  const md_venue_credentials_t shown = {l->client_id, MD_SECRET_HIDDEN,
                                        refresh_token ? MD_SECRET_HIDDEN : NULL};
  const md_venue_credentials_t who   = {l->client_id, l->client_secret, refresh_token};
  uint32_t                     len   = l->net->auth(text, sizeof text, &shown, l->message_id + 1);
  if (len == 0 || !md_feed_live_push(l, MD_RAW_TEXT_OUT, h->leg, h->name, text, len)) return;
  h->auth_id = ++l->message_id;
  len        = l->net->auth(text, sizeof text, &who, h->auth_id);
  (void)l->cfg.transport->send(l->transport, h->connection, text, len);
  explicit_bzero(text, sizeof text);
  h->message_ns = l->now_ns;
}

void
md_feed_live_auth_begin(md_feed_live_t *l, md_feed_live_half_t *h) {
  explicit_bzero(h->refresh_token, sizeof h->refresh_token);
  h->auth        = l->client_id[0] ? MD_LIVE_ASKED : MD_LIVE_NOBODY;
  h->auth_due_ns = l->now_ns + ANSWER_NS;
  if (h->auth == MD_LIVE_ASKED) say_who(l, h, NULL);
}

bool
md_feed_live_auth_tick(md_feed_live_t *l, md_feed_live_link_t *k, md_feed_live_half_t *h) {
  if (h->auth == MD_LIVE_ASKED && l->now_ns >= h->auth_due_ns) {
    (void)md_feed_live_give_up(l, k, h, "no answer to who we are");
    return true;
  }
  if (h->auth == MD_LIVE_KNOWN && h->auth_due_ns && l->now_ns >= h->auth_due_ns) {
    h->auth_due_ns = l->now_ns + ANSWER_NS; /* until an answer says another time */
    say_who(l, h, h->refresh_token[0] ? h->refresh_token : NULL);
    explicit_bzero(h->refresh_token, sizeof h->refresh_token); /* it is good for one time */
  }
  return h->auth == MD_LIVE_ASKED;
}

void
md_feed_live_on_grant(md_feed_live_t *l, md_feed_live_half_t *h, const uint8_t *p, uint32_t len) {
  md_venue_grant_t grant = {0};
  char             text[128];
  md_err_t         err = l->net->auth_answer ? l->net->auth_answer(p, len, &grant) : MD_ERR_UNKNOWN;
  /* The feed hears that it happened. */
  int cnt = snprintf(text, sizeof text,
                     "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"expires_in\":%llu}}",
                     (unsigned long long)grant.id, (unsigned long long)grant.expires_s);
  (void)md_feed_live_push(l, MD_RAW_TEXT_IN, h->leg, h->name, text, (uint32_t)cnt);
  if (!err && grant.id == h->auth_id && h->auth != MD_LIVE_NOBODY) {
    uint64_t expires_s = grant.expires_s < EXPIRES_MAX ? grant.expires_s : EXPIRES_MAX;
    int64_t  left_ns   = (int64_t)expires_s * NS_PER_S;
    if (h->auth == MD_LIVE_ASKED)
      md_feed_live_log(l, "info", "%s: known as %s for %llu s", h->name, l->client_id,
                       (unsigned long long)grant.expires_s);
    h->auth        = MD_LIVE_KNOWN;
    h->auth_due_ns = left_ns ? l->now_ns + left_ns - left_ns / REFRESH_PART : 0;
    memcpy(h->refresh_token, grant.refresh_token, sizeof h->refresh_token);
    if (!is_plain(h->refresh_token)) h->refresh_token[0] = 0;
  }
  explicit_bzero(&grant, sizeof grant);
}

/* What was refused at the start is no reason to be without public streams. A token that was refused
 * later is followed by the secret. */
bool
md_feed_live_auth_refused(md_feed_live_t *l, md_feed_live_half_t *h, uint64_t id) {
  if (id == 0 || id != h->auth_id || h->auth == MD_LIVE_NOBODY) return false;
  md_feed_live_log(l, "error", "%s: the server does not know %s; see client_id and its secret",
                   h->name, l->client_id);
  if (h->auth == MD_LIVE_ASKED) h->auth = MD_LIVE_REFUSED;
  return true;
}

bool
md_feed_live_fall_back(md_feed_live_t *l, md_feed_live_link_t *k, const uint8_t *p, uint32_t len) {
  if (!k->is_raw || l->cfg.pace != MD_LIVE_PACE_RAW_OR_PUBLIC) return false;
  if (!l->net->is_unauthorised || !l->net->is_unauthorised(p, len)) return false;
  k->is_raw = false;
  md_feed_live_rename(l, k);
  for (uint32_t half = 0; half < 2; half++)
    k->half[half].subscribed_cnt = 0; /* everything is asked for by its other name */
  for (uint32_t n = 0; n < k->stream_cnt; n++) {
    md_feed_live_stream_t *s = &l->stream[k->stream[n]];
    s->is_refused            = false;
    s->message_id            = 0;
  }
  md_feed_live_log(l, "warn", "raw streams are refused: %u streams of everybody instead",
                   k->stream_cnt);
  return true;
}
