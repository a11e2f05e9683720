#include "feeds/sim/sim_hub.h"

#include "feeds/sim/sim_venue.h"

#include <stdlib.h>
#include <string.h>

#define SPARE_MAX 4096u

void
md_sim_hub_init(md_sim_hub_t *h, const md_sim_venue_t *venue) {
  *h           = (md_sim_hub_t){.venue = venue};
  h->table_cap = 1024;
  h->table     = md_sim_alloc(h->table_cap, sizeof *h->table);
}

static void
chunk_free_list(md_sim_chunk_t *c) {
  while (c) {
    md_sim_chunk_t *next = c->next;
    free(c);
    c = next;
  }
}

void
md_sim_hub_free(md_sim_hub_t *h) {
  while (h->conns)
    md_sim_conn_close(h, h->conns);
  for (uint32_t i = 0; i < h->stream_cnt; i++) {
    free(h->streams[i]->conns);
    free(h->streams[i]->name);
    free(h->streams[i]);
  }
  chunk_free_list(h->spare);
  free(h->streams);
  free(h->table);
  md_sim_text_free(&h->scratch);
  *h = (md_sim_hub_t){0};
}

/* ---- streams ---- */

static uint32_t
hash_of(const char *name, size_t len) {
  uint32_t v = 2166136261u;
  for (size_t i = 0; i < len; i++)
    v = (v ^ (uint8_t)name[i]) * 16777619u;
  return v;
}

static void
table_put(md_sim_hub_t *h, uint32_t idx) {
  uint32_t at = h->streams[idx]->hash & (h->table_cap - 1);
  while (h->table[at])
    at = (at + 1) & (h->table_cap - 1);
  h->table[at] = idx + 1;
}

static md_sim_stream_t *
stream_new(md_sim_hub_t *h, const char *name, size_t len, uint32_t hash) {
  if (h->stream_cnt == MD_SIM_STREAMS_MAX || len > 512) return NULL;
  if (h->stream_cnt == h->stream_cap) {
    h->stream_cap = h->stream_cap ? h->stream_cap * 2 : 64;
    h->streams    = md_sim_resize(h->streams, h->stream_cap, sizeof *h->streams);
  }
  md_sim_stream_t *s = md_sim_alloc(1, sizeof *s);
  s->name            = md_sim_alloc(len + 1, 1);
  memcpy(s->name, name, len);
  s->name_len = (uint32_t)len;
  s->hash     = hash;
  h->venue->parse_name(s);
  h->streams[h->stream_cnt++] = s;
  if (h->stream_cnt * 2 > h->table_cap) {
    free(h->table);
    h->table_cap *= 2;
    h->table = md_sim_alloc(h->table_cap, sizeof *h->table);
    for (uint32_t i = 0; i < h->stream_cnt; i++)
      table_put(h, i);
  } else {
    table_put(h, h->stream_cnt - 1);
  }
  return s;
}

md_sim_stream_t *
md_sim_hub_stream(md_sim_hub_t *h, const char *name, size_t len) {
  uint32_t hash = hash_of(name, len);
  for (uint32_t at = hash & (h->table_cap - 1); h->table[at]; at = (at + 1) & (h->table_cap - 1)) {
    md_sim_stream_t *s = h->streams[h->table[at] - 1];
    if (s->hash == hash && s->name_len == len && memcmp(s->name, name, len) == 0) return s;
  }
  return stream_new(h, name, len, hash);
}

/* ---- connections ---- */

md_sim_conn_t *
md_sim_conn_open(md_sim_hub_t *h, int64_t now_ns) {
  size_t         own = (sizeof(md_sim_conn_t) + 15) & ~(size_t)15;
  md_sim_conn_t *c   = md_sim_alloc(1, own + h->venue->conn_bytes);
  c->venue_state     = (char *)c + own;
  c->id              = ++h->conn_id_last;
  c->open_ns         = now_ns;
  c->next            = h->conns;
  if (c->next) c->next->prev = c;
  h->conns = c;
  h->conn_cnt++;
  for (unsigned i = 0; i < MD_SIM_MESSAGES_MAX; i++)
    c->message_ns[i] = INT64_MIN / 2;
  return c;
}

static void
stream_remove(md_sim_stream_t *s, const md_sim_conn_t *c) {
  for (uint32_t i = 0; i < s->conn_cnt; i++) {
    if (s->conns[i] != c) continue;
    s->conns[i] = s->conns[--s->conn_cnt];
    return;
  }
}

static void
chunk_release(md_sim_hub_t *h, md_sim_chunk_t *k) {
  if (k->cap != MD_SIM_CHUNK_BYTES || h->spare_cnt == SPARE_MAX) {
    free(k);
    return;
  }
  k->next  = h->spare;
  h->spare = k;
  h->spare_cnt++;
}

void
md_sim_conn_close(md_sim_hub_t *h, md_sim_conn_t *c) {
  for (uint32_t i = 0; i < c->sub_cnt; i++)
    stream_remove(c->subs[i], c);
  while (c->first)
    md_sim_conn_sent(h, c);
  if (c->prev)
    c->prev->next = c->next;
  else
    h->conns = c->next;
  if (c->next) c->next->prev = c->prev;
  h->conn_cnt--;
  free(c->subs);
  free(c);
}

static void
wake(md_sim_hub_t *h, md_sim_conn_t *c) {
  if (h->wake) h->wake(h->ctx, c);
}

void
md_sim_conn_end(md_sim_hub_t *h, md_sim_conn_t *c, int code, const char *text, bool when_sent) {
  if (c->close_code) return;
  c->close_code      = code;
  c->close_text      = text;
  c->close_when_sent = when_sent;
  wake(h, c);
}

md_err_t
md_sim_conn_subscribe(md_sim_hub_t *h, md_sim_conn_t *c, const char *name, size_t len) {
  md_sim_stream_t *s = md_sim_hub_stream(h, name, len);
  if (!s) return MD_ERR_FULL;
  for (uint32_t i = 0; i < c->sub_cnt; i++)
    if (c->subs[i] == s) return MD_OK;
  if (c->sub_cnt >= h->venue->subscriptions_max) return MD_ERR_FULL;
  if (c->sub_cnt == c->sub_cap) {
    c->sub_cap = c->sub_cap ? c->sub_cap * 2 : 16;
    c->subs    = md_sim_resize(c->subs, c->sub_cap, sizeof(md_sim_stream_t *));
  }
  if (s->conn_cnt == s->conn_cap) {
    s->conn_cap = s->conn_cap ? s->conn_cap * 2 : 4;
    s->conns    = md_sim_resize(s->conns, s->conn_cap, sizeof(md_sim_conn_t *));
  }
  if (h->subscribing) h->subscribing(h->ctx, s);
  c->subs[c->sub_cnt++] = s;
  if (h->venue->hears && !h->venue->hears(c, s)) return MD_OK;
  s->conns[s->conn_cnt++] = c;
  if (h->subscribed) h->subscribed(h->ctx, c, s);
  return MD_OK;
}

bool
md_sim_conn_unsubscribe(md_sim_hub_t *h, md_sim_conn_t *c, const char *name, size_t len) {
  md_sim_stream_t *s = md_sim_hub_stream(h, name, len);
  for (uint32_t i = 0; s && i < c->sub_cnt; i++) {
    if (c->subs[i] != s) continue;
    memmove(c->subs + i, c->subs + i + 1, (c->sub_cnt - i - 1) * sizeof(md_sim_stream_t *));
    c->sub_cnt--;
    stream_remove(s, c);
    return true;
  }
  return false;
}

bool
md_sim_conn_may_receive(const md_sim_hub_t *h, md_sim_conn_t *c, int64_t now_ns) {
  uint32_t max = h->venue->messages_per_s;
  if (max == 0) return true;
  md_assert(max <= MD_SIM_MESSAGES_MAX);
  int64_t *oldest = &c->message_ns[c->message_idx];
  bool     may    = now_ns - *oldest >= 1000000000;
  *oldest         = now_ns;
  c->message_idx  = (c->message_idx + 1) % max;
  return may;
}

/* ---- frames ---- */

static uint8_t *
chunk_room(md_sim_hub_t *h, md_sim_conn_t *c, size_t len) {
  md_sim_chunk_t *k = c->last;
  if (!k || k->cap - k->len < len) {
    size_t cap = len > MD_SIM_CHUNK_BYTES ? len : MD_SIM_CHUNK_BYTES;
    if (cap == MD_SIM_CHUNK_BYTES && h->spare) {
      k        = h->spare;
      h->spare = k->next;
      h->spare_cnt--;
    } else {
      k      = md_sim_resize(NULL, sizeof *k + cap, 1);
      k->cap = cap;
    }
    k->len  = 0;
    k->next = NULL;
    if (c->last)
      c->last->next = k;
    else
      c->first = k;
    c->last = k;
  }
  uint8_t *to = k->data + k->len;
  k->len += len;
  if (c->pending_bytes == 0) wake(h, c);
  c->pending_bytes += len;
  h->byte_cnt += len;
  return to;
}

/* The header of a whole frame that a server sends: no mask. Returns its length, at most 10. */
static size_t
frame_head(uint8_t *to, uint8_t opcode, size_t len) {
  to[0] = (uint8_t)(0x80u | opcode);
  if (len < 126) {
    to[1] = (uint8_t)len;
    return 2;
  }
  unsigned n = len <= 0xffff ? 2 : 8;
  to[1]      = n == 2 ? 126 : 127;
  for (unsigned i = 0; i < n; i++)
    to[2 + i] = (uint8_t)(len >> (8 * (n - 1 - i)));
  return 2 + n;
}

static bool
may_queue(md_sim_hub_t *h, md_sim_conn_t *c) {
  if (c->half_open || c->close_code) return false;
  if (c->pending_bytes <= MD_SIM_BACKLOG_BYTES) return true;
  md_sim_conn_end(h, c, MD_SIM_CLOSE_CUT, "too slow", false);
  return false;
}

void
md_sim_conn_text(md_sim_hub_t *h, md_sim_conn_t *c, const md_sim_text_t *text) {
  if (!may_queue(h, c)) return;
  uint8_t  head[10];
  size_t   n  = frame_head(head, 1, text->len);
  uint8_t *to = chunk_room(h, c, n + text->len);
  memcpy(to, head, n);
  if (text->len) memcpy(to + n, text->p, text->len);
  h->text_cnt++;
}

void
md_sim_conn_ping(md_sim_hub_t *h, md_sim_conn_t *c, const char *payload, size_t len) {
  md_assert(len <= 125);
  if (!may_queue(h, c)) return;
  uint8_t *to = chunk_room(h, c, 2 + len);
  to[0]       = 0x89;
  to[1]       = (uint8_t)len;
  memcpy(to + 2, payload, len);
}

void
md_sim_conn_freeze(md_sim_hub_t *h, md_sim_conn_t *c) {
  c->half_open = true;
  wake(h, c);
}

void
md_sim_conn_sent(md_sim_hub_t *h, md_sim_conn_t *c) {
  md_sim_chunk_t *k = c->first;
  c->first          = k->next;
  if (!c->first) c->last = NULL;
  c->pending_bytes -= k->len;
  chunk_release(h, k);
}

static void
send_data(md_sim_hub_t *h, md_sim_conn_t *c, const md_sim_stream_t *s, const char *data,
          size_t len) {
  static const char open[] = "{\"stream\":\"", middle[] = "\",\"data\":";
  const size_t      wrap = sizeof open - 1 + sizeof middle - 1 + 1;
  if (!may_queue(h, c)) return;
  uint8_t  head[10];
  size_t   all = c->combined ? wrap + s->name_len + len : len;
  size_t   n   = frame_head(head, 1, all);
  uint8_t *to  = chunk_room(h, c, n + all);
  memcpy(to, head, n);
  to += n;
  c->frame_cnt++;
  h->frame_cnt++;
  if (!c->combined) {
    memcpy(to, data, len);
    return;
  }
  memcpy(to, open, sizeof open - 1);
  to += sizeof open - 1;
  memcpy(to, s->name, s->name_len);
  to += s->name_len;
  memcpy(to, middle, sizeof middle - 1);
  to += sizeof middle - 1;
  memcpy(to, data, len);
  to[len] = '}';
}

void
md_sim_hub_publish(md_sim_hub_t *h, md_sim_stream_t *s, const char *data, size_t len) {
  bool has_us = false;
  for (uint32_t i = 0; i < s->conn_cnt; i++) {
    md_sim_conn_t *c = s->conns[i];
    if (!c->microseconds) {
      send_data(h, c, s, data, len);
      continue;
    }
    if (!has_us) h->venue->microseconds(s->kind, data, len, &h->scratch);
    has_us = true;
    send_data(h, c, s, h->scratch.p, h->scratch.len);
  }
}

void
md_sim_conn_data(md_sim_hub_t *h, md_sim_conn_t *c, md_sim_stream_t *s, const char *data,
                 size_t len) {
  md_assert(!c->microseconds);
  send_data(h, c, s, data, len);
}

bool
md_sim_hub_is_busy(const md_sim_hub_t *h) {
  for (const md_sim_conn_t *c = h->conns; c; c = c->next)
    if (!c->half_open && c->pending_bytes > MD_SIM_BUSY_BYTES) return true;
  return false;
}
