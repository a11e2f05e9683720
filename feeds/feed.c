#include "feeds/feed_parts.h"
#include "feeds/rule.h"
#include "feeds/run_pool.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The largest frame as RAW records, or the largest book as a group, with room to spare. */
#define STAGE_BYTES (2ull * MD_FRAME_BYTES_MAX)

_Static_assert(STAGE_BYTES > 2ull * MD_BOOK_LEVELS_MAX * sizeof(md_level_t) * 2, "a book fits");

/* ---- life ---- */

static uint64_t
instruments_bytes(const md_feed_t *f) {
  return (uint64_t)f->cfg.instrument_max * sizeof *f->instruments;
}

static md_err_t
reserve_all(md_feed_t *f) {
  const uint64_t side = (uint64_t)MD_BOOK_LEVELS_MAX * sizeof(md_level_t);
  f->scratch_bytes    = 2 * side + 2ull * MD_BOOK_LEVELS_MAX * sizeof(md_book_change_t);
  f->scratch          = md_feed_reserve(f->scratch_bytes);
  f->instruments      = md_feed_reserve(instruments_bytes(f));
  if (f->instruments) md_run_pool_ask_huge(f->instruments, instruments_bytes(f));
  f->level_pool = md_level_pool_new(f->cfg.level_pool_bytes);
  f->sync_pool  = md_sync_pool_new(f->cfg.sync_pool_bytes);
  f->symbols =
      md_feed_symbols_new(f->cfg.instrument_max + f->cfg.known_cnt + MD_FEED_SYMBOL_CNT_MAX);
  f->venue_state = calloc(1, f->cfg.venue->state_bytes + 1);
  if (!f->scratch || !f->instruments || !f->level_pool || !f->sync_pool || !f->symbols ||
      !f->venue_state || !md_feed_asides_new(f))
    return MD_ERR_NOMEM;
  f->bids    = f->scratch;
  f->asks    = f->bids + MD_BOOK_LEVELS_MAX;
  f->changes = (void *)(f->asks + MD_BOOK_LEVELS_MAX);
  return md_out_init(&f->out, STAGE_BYTES, f->cfg.clock);
}

static void
set_known(md_feed_t *f) {
  for (uint32_t k = 0; k < f->cfg.known_cnt; k++) {
    const md_known_instrument_t *known = &f->cfg.known[k];
    uint32_t                     len   = (uint32_t)strnlen(known->symbol, MD_SYMBOL_BYTES - 1);
    md_feed_symbol_t            *row   = md_feed_symbols_add(f->symbols, known->symbol, len);
    if (row) row->id = known->id;
    if (known->id >= f->next_id) f->next_id = known->id + 1;
  }
  f->cfg.known     = NULL; /* the caller's, gone after md_feed_new */
  f->cfg.known_cnt = 0;
}

md_err_t
md_feed_new(const md_feed_config_t *cfg, md_feed_t **out, md_msg_t *msg) {
  md_assert(cfg->venue != NULL);
  md_assert(cfg->clock != NULL);
  md_assert(cfg->instrument_max > 0 && cfg->instrument_max <= MD_INSTRUMENT_CNT_MAX);
  md_feed_t *f = calloc(1, sizeof *f);
  if (!f) return md_fail(msg, MD_ERR_NOMEM, "feed %s: no memory", cfg->name);
  f->cfg       = *cfg;
  f->rule      = cfg->venue->sync;
  f->metrics   = cfg->metrics;
  f->next_id   = cfg->next_id ? cfg->next_id : 1;
  f->leg       = MD_LEG_NONE;
  md_err_t err = reserve_all(f);
  if (err) {
    md_feed_delete(f);
    return md_fail(msg, err, "feed %s: no memory for its books and buffers", cfg->name);
  }
  set_known(f);
  f->out.stream     = cfg->stream;
  f->out.raw_stream = cfg->raw_stream;
  f->out.epoch      = cfg->epoch;
  f->out.keep_raw   = cfg->keep_raw;
  f->out.metrics    = cfg->metrics;
  *out              = f;
  return MD_OK;
}

void
md_feed_delete(md_feed_t *f) {
  if (!f) return;
  md_out_fini(&f->out);
  free(f->venue_state);
  md_feed_symbols_delete(f->symbols);
  if (f->sync_pool) md_sync_pool_delete(f->sync_pool);
  if (f->level_pool) md_level_pool_delete(f->level_pool);
  md_feed_asides_delete(f);
  md_feed_release(f->instruments, instruments_bytes(f));
  md_feed_release(f->scratch, f->scratch_bytes);
  free(f);
}

md_out_t *
md_feed_out(md_feed_t *f) {
  return &f->out;
}

void *
md_feed_venue_state(md_feed_t *f) {
  return f->venue_state;
}

md_level_t *
md_feed_bid_scratch(md_feed_t *f) {
  return f->bids;
}

md_level_t *
md_feed_ask_scratch(md_feed_t *f) {
  return f->asks;
}

/* ---- connections ---- */

static bool
is_connection(const md_feed_connection_t *c, const md_input_t *in) {
  uint32_t len = in->name_len < MD_FEED_NAME_BYTES ? in->name_len : MD_FEED_NAME_BYTES;
  return c->name_len == in->name_len && (len == 0 || memcmp(c->name, in->name, len) == 0);
}

static const md_feed_connection_t *
find_connection(md_feed_t *f, const md_input_t *in) {
  if (f->connection_cnt == 0) return NULL;
  if (is_connection(&f->connections[f->connection_last], in))
    return &f->connections[f->connection_last];
  for (uint32_t c = 0; c < f->connection_cnt; c++) {
    if (!is_connection(&f->connections[c], in)) continue;
    f->connection_last = c;
    return &f->connections[c];
  }
  return NULL;
}

/* The row of a connection; the oldest one makes room when there are too many. */
static md_feed_connection_t *
take_connection(md_feed_t *f, const md_input_t *in) {
  if (find_connection(f, in)) return &f->connections[f->connection_last];
  uint32_t c         = f->connection_next;
  f->connection_next = (c + 1) % MD_FEED_CONNECTION_CNT_MAX;
  if (f->connection_cnt < MD_FEED_CONNECTION_CNT_MAX) f->connection_cnt++;
  return &f->connections[c];
}

static bool
has_text(const uint8_t *p, uint32_t len, const char *text) {
  size_t n = strlen(text);
  for (uint32_t at = 0; at + n <= len; at++)
    if (strncasecmp((const char *)p + at, text, n) == 0) return true;
  return false;
}

static void
on_connect(md_feed_t *f, const md_input_t *in) {
  /* A connection that comes again without a close lost what was between. */
  if (find_connection(f, in)) md_feed_books_close(f, in->leg);
  md_feed_connection_t *c = take_connection(f, in);
  c->name_len             = in->name_len;
  c->url_len              = in->len < MD_FEED_URL_BYTES ? in->len : MD_FEED_URL_BYTES;
  if (in->name_len != 0)
    memcpy(c->name, in->name,
           in->name_len < MD_FEED_NAME_BYTES ? in->name_len : MD_FEED_NAME_BYTES);
  if (c->url_len != 0) memcpy(c->url, in->payload, c->url_len);
  c->leg          = in->leg;
  c->microseconds = f->cfg.microseconds || has_text(in->payload, in->len, "timeunit=microsecond");
}

/* A connection that was replaced says so by a leg of its own, which no book hangs on. */
static void
on_close(md_feed_t *f, const md_input_t *in) {
  const md_feed_connection_t *c = in->leg == MD_LEG_RETIRED ? find_connection(f, in) : NULL;
  md_feed_books_close(f, in->leg);
  if (c && f->rule->follows_one_leg) md_feed_legs_retire(f, c->leg);
}

bool
md_feed_microseconds(md_feed_t *f, const md_input_t *in) {
  const md_feed_connection_t *c = find_connection(f, in);
  return c ? c->microseconds : f->cfg.microseconds;
}

const char *
md_feed_url(md_feed_t *f, const md_input_t *in, uint32_t *len) {
  const md_feed_connection_t *c = find_connection(f, in);
  *len                          = c ? c->url_len : 0;
  return c ? c->url : NULL;
}

/* ---- records ---- */

md_record_t *
md_feed_record(md_feed_t *f, const md_feed_instrument_t *i, md_record_type_t type,
               uint64_t body_bytes) {
  md_record_t *rec = md_out_stage(&f->out, type, body_bytes);
  if (MD_UNLIKELY(!rec)) {
    md_feed_commit(f);
    rec = md_out_stage(&f->out, type, body_bytes);
    md_assert(rec != NULL);
  }
  rec->flags      = MD_FLAG_LAST;
  rec->leg        = f->leg;
  rec->instrument = i ? i->id : 0;
  rec->px_exp     = i ? i->px_exp : 0;
  rec->qty_exp    = i ? i->qty_exp : 0;
  rec->raw_lo     = f->raw_lo;
  rec->ts_exch_ns = MD_NULL_I64;
  rec->ts_recv_ns = f->recv_ns;
  return rec;
}

void *
md_feed_stage(md_feed_t *f, md_feed_instrument_t *i, md_record_type_t type,
              const md_feed_event_t *event) {
  if (i) md_feed_define(f, i);
  md_record_t *rec = md_feed_record(f, i, type, md_record_info(type)->body_bytes);
  rec->flags       = (uint16_t)(rec->flags | event->flags);
  rec->exch_seq    = event->exch_seq;
  rec->ts_exch_ns  = event->ts_exch_ns;
  if (f->ts_exch_ns == MD_NULL_I64) f->ts_exch_ns = event->ts_exch_ns;
  return md_record_body(rec);
}

void
md_feed_commit(md_feed_t *f) {
  if (f->out.stage_cnt == 0) return;
  md_out_commit(&f->out);
  if (!f->metrics || f->is_decoded) return;
  f->is_decoded = true;
  md_stage_add(f->metrics, MD_STAGE_DECODE, f->out.pub_ns - f->begin_ns);
  if (f->ts_exch_ns != MD_NULL_I64) {
    int64_t took_ns = f->recv_ns - f->ts_exch_ns;
    md_stage_add(f->metrics, MD_STAGE_EXCHANGE, took_ns);
    if (took_ns < 0) md_stage_add(f->metrics, MD_STAGE_AHEAD, -took_ns);
  }
  md_assert(f->decoded_cnt < MD_CNT(f->decoded_ns)); /* each of them is a pending commit */
  f->decoded_ns[f->decoded_cnt++] = f->out.pub_ns;
}

void
md_feed_visible(md_feed_t *f) {
  md_feed_commit(f);
  md_out_publish(&f->out);
}

void
md_feed_settle(md_feed_t *f) {
  if (f->decoded_cnt == 0) return;
  f->free_ns = md_clock_real_ns(f->cfg.clock);
  for (uint32_t n = 0; n < f->decoded_cnt; n++)
    md_stage_add(f->metrics, MD_STAGE_VISIBLE, f->free_ns - f->decoded_ns[n]);
  f->decoded_cnt = 0;
}

void
md_feed_publish(md_feed_t *f) {
  md_feed_visible(f);
  md_feed_settle(f);
  f->shown = 0;
}

/* When this input was handed over. One that was shown before lay there already: it was when the
 * one before it was done, of which the clock was read. */
static int64_t
begin_of(md_feed_t *f) {
  const bool    was_shown = f->shown & 1;
  const int64_t free_ns   = f->free_ns;
  f->shown >>= 1;
  f->free_ns = 0;
  if (!f->metrics) return 0;
  if (f->out.keep_raw) return f->out.pub_ns;
  return was_shown && free_ns != 0 ? free_ns : md_clock_real_ns(f->cfg.clock);
}

/* ---- inputs ---- */

void
md_feed_bad_message(md_feed_t *f, md_feed_instrument_t *i, md_err_t err) {
  bool is_overflow = err == MD_ERR_RANGE || err == MD_ERR_OVERFLOW || err == MD_ERR_FULL;
  if (err == MD_ERR_UNKNOWN)
    md_count(f->metrics, MD_COUNTER_UNROUTABLE, 1);
  else if (is_overflow)
    md_count(f->metrics, MD_COUNTER_OVERFLOWS, 1);
  else
    md_count(f->metrics, MD_COUNTER_PARSE_ERRORS, 1);
  if (i && MD_RULE(BAD_MESSAGE))
    md_feed_book_break(f, i, is_overflow ? MD_REASON_OVERFLOW : MD_REASON_BAD_MESSAGE, MD_NULL_U64);
}

static void
decode(md_feed_t *f, const md_input_t *in) {
  md_count(f->metrics, MD_COUNTER_FRAMES, 1);
  md_count(f->metrics, MD_COUNTER_FRAME_BYTES, in->len);
  md_err_t err = f->cfg.venue->decode(f, in);
  if (MD_UNLIKELY(err)) md_feed_bad_message(f, NULL, err);
}

/* "silent SYMBOL": the stream of a book gave nothing for longer than it should. "delisted SYMBOL",
 * "listed SYMBOL": what the venue's list of symbols said. "deepen SYMBOL": a deeper snapshot is
 * asked for. "forget": there is too little memory for books that are STALE. */
static void
on_timer(md_feed_t *f, const md_input_t *in) {
  static const char *const words[] = {"silent ", "delisted ", "listed ", "deepen "};
  if (in->len == 6 && memcmp(in->payload, "forget", 6) == 0) md_feed_forget(f);
  for (uint32_t w = 0; w < MD_CNT(words); w++) {
    uint32_t n = (uint32_t)strlen(words[w]);
    if (in->len <= n || memcmp(in->payload, words[w], n) != 0) continue;
    md_feed_instrument_t *i = md_feed_lookup(f, (const char *)in->payload + n, in->len - n);
    if (i && w == 0) md_feed_book_break(f, i, MD_REASON_SILENT, MD_NULL_U64);
    if (i && w == 1) md_feed_book_delist(f, i);
    if (i && w == 2) md_feed_book_list(i);
    if (i && w == 3) md_feed_deepen_begin(f, i);
    return;
  }
}

void
md_feed_input(md_feed_t *f, const md_input_t *in) {
  if (MD_UNLIKELY(f->cfg.ladder_every_ns > 0 && f->ladder_every_ns == 0))
    md_feed_ladder_begin(f, in->recv_ns);
  if (f->ladder_every_ns > 0) md_feed_ladders(f, in->recv_ns);
  if (MD_UNLIKELY(f->cfg.order_counts && !f->order_counts)) md_feed_orders_begin(f, in->recv_ns);
  f->recv_ns    = in->recv_ns;
  f->leg        = in->leg;
  f->ts_exch_ns = MD_NULL_I64;
  f->is_decoded = false;
  f->raw_lo     = md_out_raw(&f->out, in);
  f->begin_ns   = begin_of(f);

  switch (in->kind) {
  case MD_RAW_CONNECT:
    on_connect(f, in);
    break;
  case MD_RAW_CLOSE:
    on_close(f, in);
    break;
  case MD_RAW_TEXT_IN:
  case MD_RAW_BINARY_IN:
  case MD_RAW_HTTP:
    decode(f, in);
    break;
  case MD_RAW_TIMER:
    on_timer(f, in);
    break;
  case MD_RAW_COMMAND:
    if (!md_feed_resume_command(f, in) && !md_feed_orders_command(f, in))
      md_feed_ladder_command(f, in);
    break;
  case MD_RAW_TEXT_OUT:
    break;
  }
  md_feed_commit(f);
  if (f->out.pending_cnt < MD_PUBLISH_PENDING_MAX) return;
  md_feed_visible(f);
  md_feed_settle(f);
}

/* ---- what tools read ---- */

uint32_t
md_feed_instrument_cnt(const md_feed_t *f) {
  return f->instrument_cnt;
}

const md_feed_instrument_t *
md_feed_instrument_at(const md_feed_t *f, uint32_t index) {
  return index < f->instrument_cnt ? &f->instruments[index] : NULL;
}

const md_feed_instrument_t *
md_feed_instrument_by_id(const md_feed_t *f, uint32_t id) {
  for (uint32_t n = 0; n < f->instrument_cnt; n++)
    if (f->instruments[n].id == id) return &f->instruments[n];
  return NULL;
}
