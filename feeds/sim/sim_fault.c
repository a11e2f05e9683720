#include "feeds/sim/sim_fault.h"

#include "feeds/sim/sim_truth.h"
#include "feeds/sim/sim_venue.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000ll
#define AGAIN_NS  (2 * SECOND_NS) /* between two of times= when every= does not say */

typedef enum kind {
  GAP,
  DUPLICATE,
  CHECKSUM,
  STALL,
  CUT,
  HALF_OPEN,
  SHUTDOWN,
  ASK,
  LIST,
  DELIST,
  SLOW,
  LIMIT_429,
  LIMIT_418,
  KIND_CNT
} kind_t;

static const char *const names[KIND_CNT] = {"gap",       "duplicate", "checksum", "stall", "cut",
                                            "half-open", "shutdown",  "ask",      "list",  "delist",
                                            "slow",      "429",       "418"};

struct md_sim_fault {
  md_sim_fault_t  *next;
  kind_t           kind;
  int64_t          next_ns;  /* of the source's time: when it begins; INT64_MAX: not again */
  int64_t          every_ns; /* 0: once */
  int64_t          for_ns;
  uint32_t         times;     /* how often it still comes, with every; 0: without end */
  uint32_t         cnt, left; /* left: frames or answers of the fault that is on */
  uint32_t         retry_s;
  int              code;
  char             symbol_name[MD_SIM_NAME_BYTES];
  md_sim_symbol_t *symbol;   /* of the fault that is on */
  int64_t          until_ns; /* stall: of the source's time, 0: off */
  uint64_t         lost_cnt; /* of a stall: frames, and the ids of its depth events */
  uint64_t         lost_first, lost_last;
};

/* ---- the command line ---- */

static const struct {
  int64_t  for_ns;
  uint32_t cnt;
} defaults[KIND_CNT] = {
    [GAP]       = {0, 1},
    [DUPLICATE] = {0, 1},
    [CHECKSUM]  = {0, 1},
    [STALL]     = {5 * SECOND_NS, 0},
    [CUT]       = {0, 1},
    [HALF_OPEN] = {0, 1},
    [SHUTDOWN]  = {2 * SECOND_NS, 0},
    [ASK]       = {10 * SECOND_NS, 0},
    [SLOW]      = {3 * SECOND_NS, 1},
    [LIMIT_429] = {0, 1},
    [LIMIT_418] = {0, 1},
};

static bool
read_seconds(const char *text, int64_t *ns) {
  char  *end;
  double v = strtod(text, &end);
  if (end == text || *end || !(v >= 0) || v > 1e6) return false;
  *ns = (int64_t)(v * 1e9);
  return true;
}

static bool
read_number(const char *text, uint32_t *out) {
  char         *end;
  unsigned long v = strtoul(text, &end, 10);
  if (*text < '0' || *text > '9' || *end || v > 1000000) return false;
  *out = (uint32_t)v;
  return true;
}

static bool
read_key(md_sim_fault_t *f, const char *key, const char *value) {
  uint32_t n = 0;
  if (strcmp(key, "after") == 0) return read_seconds(value, &f->next_ns);
  if (strcmp(key, "every") == 0) return read_seconds(value, &f->every_ns);
  if (strcmp(key, "for") == 0) return read_seconds(value, &f->for_ns);
  if (strcmp(key, "times") == 0) return read_number(value, &f->times);
  if (strcmp(key, "cnt") == 0) return read_number(value, &f->cnt);
  if (strcmp(key, "retry") == 0) return read_number(value, &f->retry_s);
  if (strcmp(key, "code") == 0) {
    if (!read_number(value, &n) || n < 1000 || n > 4999) return false;
    f->code = (int)n;
    return true;
  }
  if (strcmp(key, "symbol") != 0 || strlen(value) >= sizeof f->symbol_name) return false;
  (void)snprintf(f->symbol_name, sizeof f->symbol_name, "%s", value);
  return true;
}

/* Within a half of ns, by the seed. */
static int64_t
about(md_sim_t *sim, int64_t ns) {
  return ns / 2 + (int64_t)md_sim_random(sim, (uint64_t)ns + 1);
}

static md_err_t
read_fault(const md_sim_t *sim, md_sim_fault_t *f, char *text, md_msg_t *msg) {
  char *rest = strchr(text, ':');
  if (rest) *rest++ = 0;
  while (f->kind < KIND_CNT && strcmp(text, names[f->kind]) != 0)
    f->kind = (kind_t)(f->kind + 1);
  if (f->kind == KIND_CNT)
    return md_fail(msg, MD_ERR_USAGE,
                   "no fault '%s': there are gap, duplicate, checksum, stall, cut, half-open, "
                   "shutdown, ask, list, delist, slow, 429 and 418",
                   text);
  f->for_ns  = defaults[f->kind].for_ns;
  f->cnt     = defaults[f->kind].cnt;
  f->next_ns = f->kind >= SLOW ? 0 : 2 * SECOND_NS;
  f->retry_s = f->kind == LIMIT_418 ? 5 : 1;
  f->code    = f->kind == SHUTDOWN ? 1001 : MD_SIM_CLOSE_CUT;
  while (rest && *rest) {
    char *key = rest;
    rest      = strchr(rest, ',');
    if (rest) *rest++ = 0;
    char *value = strchr(key, '=');
    if (value) *value++ = 0;
    if (!value || !read_key(f, key, value))
      return md_fail(msg, MD_ERR_USAGE,
                     "fault %s: '%s' wants after=, every=, for= in seconds, times=N, cnt=N, "
                     "symbol=NAME, retry=SECONDS or code=N",
                     names[f->kind], key);
  }
  if (f->times > 1 && f->every_ns == 0) f->every_ns = AGAIN_NS;
  bool has_parts = f->kind <= CHECKSUM || f->kind >= SLOW;
  if (!has_parts && f->cnt != defaults[f->kind].cnt)
    return md_fail(msg, MD_ERR_USAGE, "fault %s: cnt= counts frames or answers; say times=%u",
                   names[f->kind], f->cnt);
  if (f->kind == CHECKSUM && !sim->venue->spoil)
    return md_fail(msg, MD_ERR_USAGE, "fault checksum: %s gives no checksums", sim->venue->name);
  if ((f->kind == LIST || f->kind == DELIST) && !f->symbol_name[0])
    return md_fail(msg, MD_ERR_USAGE, "fault %s: which one? Add symbol=NAME", names[f->kind]);
  return MD_OK;
}

md_err_t
md_sim_fault_add(md_sim_t *sim, const char *text, md_msg_t *msg) {
  char            copy[256];
  md_sim_fault_t *f = md_sim_alloc(1, sizeof *f);
  (void)snprintf(copy, sizeof copy, "%s", text);
  md_err_t err = read_fault(sim, f, copy, msg);
  if (!err && f->kind == ASK && !sim->venue->ask)
    err =
        md_fail(msg, MD_ERR_USAGE, "fault ask: %s asks its clients for nothing", sim->venue->name);
  if (err) {
    free(f);
    return err;
  }
  /* Symbols come and go at a time that is announced. */
  if (f->next_ns && f->kind != LIST && f->kind != DELIST) f->next_ns = about(sim, f->next_ns);
  f->next     = sim->faults;
  sim->faults = f;
  return MD_OK;
}

void
md_sim_faults_free(md_sim_t *sim) {
  while (sim->faults) {
    md_sim_fault_t *next = sim->faults->next;
    free(sim->faults);
    sim->faults = next;
  }
}

void
md_sim_faults_begin(md_sim_t *sim) {
  for (const md_sim_fault_t *f = sim->faults; f; f = f->next) {
    sim->lists |= f->kind == LIST || f->kind == DELIST;
    if (f->kind != LIST) continue;
    md_sim_symbol_t *s       = md_sim_symbol(sim, f->symbol_name, strlen(f->symbol_name));
    bool             returns = false; /* it ends first: it is there at the start */
    for (const md_sim_fault_t *g = sim->faults; g; g = g->next)
      returns |= g->kind == DELIST && strcmp(g->symbol_name, f->symbol_name) == 0 &&
                 g->next_ns < f->next_ns;
    if (s && !returns) s->is_unlisted = true;
  }
}

/* ---- whom it hits ---- */

static bool
depth_is_wanted(const md_sim_symbol_t *s) {
  const md_sim_stream_t *usual = s->stream[MD_SIM_BOOK], *fast = s->stream[MD_SIM_BOOK_FAST];
  return (usual && usual->conn_cnt > 0) || (fast && fast->conn_cnt > 0);
}

/* The named symbol, or by the seed one whose depth somebody follows; NULL: none now. */
static md_sim_symbol_t *
choose_symbol(md_sim_t *sim, const md_sim_fault_t *f) {
  if (f->symbol_name[0]) return md_sim_symbol(sim, f->symbol_name, strlen(f->symbol_name));
  uint32_t cnt = 0;
  for (uint32_t i = 0; i < sim->symbol_cnt; i++)
    cnt += depth_is_wanted(sim->symbols[i]);
  if (cnt == 0) return NULL;
  uint64_t n = md_sim_random(sim, cnt);
  for (uint32_t i = 0; i < sim->symbol_cnt; i++)
    if (depth_is_wanted(sim->symbols[i]) && n-- == 0) return sim->symbols[i];
  return NULL;
}

/* A connection that has something, the book of the fault's symbol if it names one. */
static bool
conn_counts(const md_sim_conn_t *c, const md_sim_fault_t *f) {
  if (c->sub_cnt == 0 || c->close_code || c->half_open) return false;
  if (!f->symbol_name[0]) return true;
  for (uint32_t i = 0; i < c->sub_cnt; i++) {
    const md_sim_stream_t *s = c->subs[i];
    if (md_sim_is_book(s->kind) && s->symbol &&
        strcmp(((const md_sim_symbol_t *)s->symbol)->name, f->symbol_name) == 0)
      return true;
  }
  return false;
}

static md_sim_conn_t *
choose_conn(md_sim_t *sim, const md_sim_fault_t *f) {
  uint32_t cnt = 0;
  for (const md_sim_conn_t *c = sim->hub.conns; c; c = c->next)
    cnt += conn_counts(c, f);
  if (cnt == 0) return NULL;
  uint64_t n = md_sim_random(sim, cnt);
  for (md_sim_conn_t *c = sim->hub.conns; c; c = c->next)
    if (conn_counts(c, f) && n-- == 0) return c;
  return NULL;
}

/* ---- begin and end ---- */

/* Members "SYMBOL":u for the books that the connection carries: what it was sent last. */
static void
list_symbols(md_sim_t *sim, const md_sim_conn_t *c, md_sim_text_t *out) {
  md_sim_text_str(out, "");
  for (uint32_t i = 0; i < c->sub_cnt; i++) {
    if (!md_sim_is_book(c->subs[i]->kind)) continue;
    const md_sim_symbol_t *s = md_sim_symbol_of_stream(sim, c->subs[i]);
    if (s) md_sim_text_format(out, "%s\"%s\":%" PRIu64, out->len ? "," : "", s->name, s->sent_id);
  }
}

static bool
hit_conn(md_sim_t *sim, md_sim_fault_t *f) {
  md_sim_conn_t *c = choose_conn(sim, f);
  if (!c) return false;
  md_sim_text_t symbols = {0};
  list_symbols(sim, c, &symbols);
  md_sim_truth_fault(
      sim->truth, sim, names[f->kind],
      ",\"connection\":%" PRIu64 ",\"subscriptions\":%u,\"code\":%d,\"symbols\":{%.*s}", c->id,
      c->sub_cnt, f->kind == HALF_OPEN ? 0 : f->code, (int)symbols.len, symbols.p);
  md_sim_text_free(&symbols);
  if (f->kind == HALF_OPEN)
    md_sim_conn_freeze(&sim->hub, c);
  else
    md_sim_conn_end(&sim->hub, c, f->code, "Connection is cut", false);
  return true;
}

static bool
hit_silent(md_sim_t *sim, md_sim_fault_t *f) {
  md_sim_conn_t *c = choose_conn(sim, f);
  if (!c) return false;
  md_sim_truth_fault(sim->truth, sim, names[f->kind], ",\"connection\":%" PRIu64, c->id);
  sim->venue->ask(sim, c, f->for_ns);
  return true;
}

static bool
hit_all(md_sim_t *sim, md_sim_fault_t *f) {
  if (!choose_conn(sim, f)) return false;
  md_sim_truth_fault(sim->truth, sim, names[f->kind], ",\"connections\":%u", sim->hub.conn_cnt);
  for (md_sim_conn_t *c = sim->hub.conns; c; c = c->next) {
    md_sim_goodbye(sim, c, sim->time_ms);
    c->end_ns = sim->now_ns + f->for_ns;
  }
  return true;
}

static bool
hit_listing(md_sim_t *sim, const md_sim_fault_t *f) {
  md_sim_symbol_t *s = md_sim_symbol(sim, f->symbol_name, strlen(f->symbol_name));
  if (!s) return false;
  s->is_unlisted = s->is_over = f->kind == DELIST;
  md_sim_truth_fault(sim->truth, sim, names[f->kind], ",\"symbol\":\"%s\",\"u\":%" PRIu64, s->name,
                     s->sent_id);
  if (sim->venue->listing) sim->venue->listing(sim, s);
  return true;
}

static bool
begin(md_sim_t *sim, md_sim_fault_t *f) {
  switch (f->kind) {
  case GAP:
  case DUPLICATE:
  case CHECKSUM:
  case STALL:
    f->symbol = choose_symbol(sim, f);
    if (!f->symbol) return false;
    f->left     = f->cnt;
    f->lost_cnt = f->lost_first = f->lost_last = 0;
    if (f->kind == STALL) f->until_ns = sim->played_ns + f->for_ns;
    return true;
  case CUT:
  case HALF_OPEN:
    return hit_conn(sim, f);
  case SHUTDOWN:
    return hit_all(sim, f);
  case ASK:
    return hit_silent(sim, f);
  case LIST:
  case DELIST:
    return hit_listing(sim, f);
  case SLOW:
  case LIMIT_429:
  case LIMIT_418:
    f->left = f->cnt;
    return true;
  case KIND_CNT:
    break;
  }
  return false;
}

static void
end_stall(md_sim_t *sim, md_sim_fault_t *f) {
  md_sim_truth_fault(sim->truth, sim, "stall",
                     ",\"symbol\":\"%s\",\"frames\":%" PRIu64 ",\"U\":%" PRIu64 ",\"u\":%" PRIu64,
                     f->symbol->name, f->lost_cnt, f->lost_first, f->lost_last);
  f->until_ns = 0;
}

void
md_sim_fault_turn(md_sim_t *sim) {
  for (md_sim_fault_t *f = sim->faults; f; f = f->next) {
    if (f->until_ns && sim->played_ns >= f->until_ns) end_stall(sim, f);
    if (sim->played_ns < f->next_ns || f->left || f->until_ns) continue;
    if (!begin(sim, f)) continue;
    bool again = f->every_ns && f->times != 1;
    if (f->times > 1) f->times--;
    f->next_ns = again ? sim->played_ns + about(sim, f->every_ns) : INT64_MAX;
  }
}

void
md_sim_fault_end(md_sim_t *sim) {
  for (md_sim_fault_t *f = sim->faults; f; f = f->next)
    if (f->until_ns) end_stall(sim, f);
}

/* ---- what it does ---- */

static void
lose(md_sim_symbol_t *symbol) {
  symbol->needed_id = symbol->sent_id + 1;
}

static const md_sim_verdict_t verdicts[] = {
    [GAP] = MD_SIM_DROP, [DUPLICATE] = MD_SIM_TWICE, [CHECKSUM] = MD_SIM_SPOILT};

md_sim_verdict_t
md_sim_fault_on_send(md_sim_t *sim, md_sim_symbol_t *symbol, const md_sim_stream_t *s) {
  md_sim_verdict_t verdict  = MD_SIM_PASS;
  bool             is_depth = md_sim_is_book(s->kind);
  for (md_sim_fault_t *f = sim->faults; f && symbol; f = f->next) {
    if (f->symbol != symbol) continue;
    if (f->until_ns) {
      f->lost_cnt++;
      if (is_depth && !f->lost_first) f->lost_first = symbol->event_first;
      if (is_depth) f->lost_last = symbol->sent_id;
      if (is_depth) lose(symbol);
      verdict = MD_SIM_DROP;
    } else if (is_depth && f->left && f->kind <= CHECKSUM) {
      f->left--;
      md_sim_truth_fault(sim->truth, sim, names[f->kind],
                         ",\"symbol\":\"%s\",\"stream\":\"%s\",\"U\":%" PRIu64 ",\"u\":%" PRIu64,
                         symbol->name, s->name, symbol->event_first, symbol->sent_id);
      if (f->kind != DUPLICATE) lose(symbol);
      if (verdict == MD_SIM_PASS) verdict = verdicts[f->kind];
    }
  }
  return verdict;
}

bool
md_sim_fault_is_silent(const md_sim_t *sim, const md_sim_symbol_t *symbol) {
  for (const md_sim_fault_t *f = sim->faults; f; f = f->next)
    if (f->symbol == symbol && f->until_ns) return true;
  return false;
}

bool
md_sim_fault_on_depth(md_sim_t *sim, md_sim_answer_t *out) {
  for (md_sim_fault_t *f = sim->faults; f; f = f->next) {
    if (f->kind < SLOW || f->left == 0) continue;
    f->left--;
    md_sim_truth_fault(sim->truth, sim, names[f->kind], ",\"retry_after_s\":%u",
                       f->kind == SLOW ? 0 : f->retry_s);
    if (f->kind == SLOW) {
      out->due_ns += f->for_ns;
      continue;
    }
    out->retry_after_s = f->retry_s;
    md_sim_refuse(sim, out, f->kind == LIMIT_429 ? 429 : 418);
    return true;
  }
  return false;
}
