#include "feeds/sim/sim_exchange.h"

#include "feeds/sim/sim_fault.h"
#include "feeds/sim/sim_market.h"
#include "feeds/sim/sim_truth.h"
#include "feeds/sim/sim_venue.h"
#include "feeds/venue.h"

#include <stdlib.h>
#include <string.h>

#define POOL_BYTES (8ull << 30) /* of address space: touched where levels stand */

/* What is pending is for those who were there before. */
static void
on_subscribing(void *ctx, md_sim_stream_t *s) {
  md_sim_t *sim = ctx;
  if (!sim->market || !sim->venue->begins_with_book) return;
  if (!md_sim_is_book(s->kind) && s->kind != MD_SIM_BOOK_SLOW) return;
  md_sim_symbol_t *symbol = md_sim_symbol_of_stream(sim, s);
  if (symbol) md_sim_market_settle(sim->market, symbol);
}

/* A client that subscribes depth needs a snapshot that reaches the diffs it will get. */
static void
on_subscribed(void *ctx, md_sim_conn_t *c, md_sim_stream_t *s) {
  md_sim_t        *sim     = ctx;
  bool             is_book = md_sim_is_book(s->kind) || s->kind == MD_SIM_BOOK_SLOW;
  md_sim_symbol_t *symbol  = is_book ? md_sim_symbol_of_stream(sim, s) : NULL;
  if (symbol && symbol->sent_id) symbol->needed_id = symbol->sent_id + 1;
  if (sim->venue->subscribed) sim->venue->subscribed(sim, c, s);
}

void
md_sim_init(md_sim_t *sim, const md_sim_venue_t *venue, const md_clock_t *clock, uint64_t seed) {
  memset(sim, 0, sizeof *sim);
  sim->venue       = venue;
  sim->venue_state = md_sim_alloc(1, venue->state_bytes ? venue->state_bytes : 1);
  md_sim_hub_init(&sim->hub, venue);
  sim->hub.ctx         = sim;
  sim->hub.subscribing = on_subscribing;
  sim->hub.subscribed  = on_subscribed;
  sim->pool            = md_level_pool_new(POOL_BYTES);
  md_assert(sim->pool != NULL);
  sim->clock      = clock;
  sim->weight_max = venue->weight_max;
  sim->rng        = seed * 0x9e3779b97f4a7c15u + 0x243f6a8885a308d3u;
  md_sim_turn(sim);
  if (venue->init) venue->init(sim);
}

void
md_sim_free(md_sim_t *sim) {
  md_sim_hub_free(&sim->hub);
  md_sim_faults_free(sim);
  if (sim->venue->end) sim->venue->end(sim);
  for (uint32_t i = 0; i < sim->symbol_cnt; i++) {
    if (sim->venue->symbol_end) sim->venue->symbol_end(sim->symbols[i]);
    md_sim_book_free(&sim->symbols[i]->book);
    free(sim->symbols[i]->venue_state);
    free(sim->symbols[i]);
  }
  free(sim->symbols);
  free(sim->venue_state);
  while (sim->recorded) {
    md_sim_recorded_t *next = sim->recorded->next;
    free(sim->recorded->path);
    free(sim->recorded);
    sim->recorded = next;
  }
  md_level_pool_delete(sim->pool);
  md_sim_text_free(&sim->text);
  md_sim_text_free(&sim->spoilt);
}

void
md_sim_turn(md_sim_t *sim) {
  sim->now_ns = md_clock_mono_ns(sim->clock);
}

uint64_t
md_sim_random(md_sim_t *sim, uint64_t below) {
  sim->rng += 0x9e3779b97f4a7c15u;
  uint64_t z = sim->rng;
  z          = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z          = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (z ^ z >> 31) % below;
}

/* ---- symbols ---- */

md_sim_symbol_t *
md_sim_symbol(const md_sim_t *sim, const char *name, size_t len) {
  for (uint32_t i = 0; i < sim->symbol_cnt; i++) {
    md_sim_symbol_t *s = sim->symbols[i];
    if (s->len == len && memcmp(s->name, name, len) == 0) return s;
  }
  return NULL;
}

static void
split_assets(const md_sim_t *sim, md_sim_symbol_t *s) {
  const md_venue_t *venue = md_venue_find(sim->venue->name);
  md_definition_t   d;
  memset(&d, 0, sizeof d);
  if (venue) venue->define(s->name, s->len, &d);
  (void)snprintf(s->base, sizeof s->base, "%.*s", (int)sizeof d.base, d.base[0] ? d.base : s->name);
  (void)snprintf(s->quote, sizeof s->quote, "%.*s", (int)sizeof d.quote,
                 d.base[0] ? d.quote : "USDT");
}

md_sim_symbol_t *
md_sim_symbol_add(md_sim_t *sim, const char *name, size_t len) {
  md_sim_symbol_t *s = md_sim_symbol(sim, name, len);
  if (s) return s;
  if (len == 0 || len >= MD_SIM_NAME_BYTES || sim->symbol_cnt == MD_SIM_SYMBOLS_MAX) return NULL;
  if (sim->symbol_cnt == sim->symbol_cap) {
    sim->symbol_cap = sim->symbol_cap ? sim->symbol_cap * 2 : 16;
    sim->symbols    = md_sim_resize(sim->symbols, sim->symbol_cap, sizeof(md_sim_symbol_t *));
  }
  s      = md_sim_alloc(1, sizeof *s);
  s->len = (uint32_t)len;
  memcpy(s->name, name, len);
  for (size_t i = 0; i < len; i++) {
    bool is_capital = sim->venue->has_lower_names && name[i] >= 'A' && name[i] <= 'Z';
    s->key[i]       = is_capital ? (char)(name[i] + 32) : name[i];
  }
  s->px_exp = s->qty_exp = MD_SIM_EXP;
  s->venue_state         = md_sim_alloc(1, sim->venue->symbol_bytes ? sim->venue->symbol_bytes : 1);
  split_assets(sim, s);
  md_sim_book_init(&s->book, sim->pool);
  if (sim->venue->symbol_init) sim->venue->symbol_init(sim, s);
  sim->symbols[sim->symbol_cnt++] = s;
  return s;
}

md_sim_symbol_t *
md_sim_symbol_of_stream(const md_sim_t *sim, md_sim_stream_t *s) {
  if (s->is_known) return s->symbol;
  s->is_known = true;
  for (uint32_t i = 0; i < sim->symbol_cnt; i++) {
    md_sim_symbol_t *symbol = sim->symbols[i];
    if (symbol->len != s->symbol_len) continue;
    if (memcmp(symbol->key, s->name + s->symbol_off, symbol->len) != 0) continue;
    s->symbol = symbol;
    if (s->kind != MD_SIM_OTHER) symbol->stream[s->kind] = s;
    break;
  }
  return s->symbol;
}

md_sim_stream_t *
md_sim_symbol_stream(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_kind_t kind) {
  if (symbol->stream[kind]) return symbol->stream[kind];
  char             name[MD_SIM_NAME_BYTES + 64];
  size_t           n = sim->venue->stream_name(name, sizeof name, symbol, kind);
  md_sim_stream_t *s = n ? md_sim_hub_stream(&sim->hub, name, n) : NULL;
  if (s) (void)md_sim_symbol_of_stream(sim, s);
  return s;
}

const md_sim_recorded_t *
md_sim_recorded_find(const md_sim_t *sim, const char *path, const char *query) {
  const md_sim_recorded_t *found = NULL;
  for (const md_sim_recorded_t *r = sim->recorded; r; r = r->next)
    if (strcmp(r->path, path) == 0 && (!query || strcmp(r->query, query) == 0)) found = r;
  return found;
}

/* ---- sending ---- */

void
md_sim_depth_happened(md_sim_t *sim, md_sim_symbol_t *symbol, uint64_t first, uint64_t last) {
  if (!symbol->first_id) symbol->first_id = first;
  symbol->event_first = first;
  symbol->sent_id     = last;
  symbol->depth_cnt++;
  if (sim->truth) md_sim_truth_depth(sim->truth, symbol);
}

void
md_sim_send(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_stream_t *s, const char *data,
            size_t len) {
  if (symbol && symbol->is_unlisted) return;
  md_sim_verdict_t verdict = sim->faults ? md_sim_fault_on_send(sim, symbol, s) : MD_SIM_PASS;
  if (verdict == MD_SIM_DROP) return;
  if (verdict == MD_SIM_SPOILT) {
    md_sim_text_clear(&sim->spoilt);
    sim->venue->spoil(data, len, &sim->spoilt);
    data = sim->spoilt.p;
    len  = sim->spoilt.len;
  }
  md_sim_hub_publish(&sim->hub, s, data, len);
  if (verdict == MD_SIM_TWICE) md_sim_hub_publish(&sim->hub, s, data, len);
}

void
md_sim_send_to(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_stream_t *s, md_sim_conn_t *c,
               const char *data, size_t len) {
  if (symbol && (symbol->is_unlisted || md_sim_fault_is_silent(sim, symbol))) return;
  md_sim_conn_data(&sim->hub, c, s, data, len);
}

void
md_sim_goodbye(md_sim_t *sim, md_sim_conn_t *c, int64_t time_ms) {
  if (c->told_shutdown) return;
  c->told_shutdown = true;
  if (sim->venue->goodbye) sim->venue->goodbye(sim, c, time_ms);
}
