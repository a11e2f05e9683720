#include "feeds/sim/sim_rest.h"

#include "feeds/sim/sim_fault.h"
#include "feeds/sim/sim_record.h"
#include "feeds/sim/sim_truth.h"
#include "feeds/sim/sim_venue.h"

#include <string.h>

#define INSIDE_NS 5000000000 /* longest that an answer waits for updates behind it */
#define OVER_MAX  10u        /* requests beyond the weight before 429 becomes 418 */

bool
md_sim_query(const char *query, const char *name, const char **value, size_t *len) {
  size_t name_len = strlen(name);
  while (*query) {
    size_t all = strcspn(query, "&");
    if (all > name_len && query[name_len] == '=' && memcmp(query, name, name_len) == 0) {
      *value = query + name_len + 1;
      *len   = all - name_len - 1;
      return true;
    }
    query += all;
    query += *query == '&';
  }
  return false;
}

bool
md_sim_query_number(const char *query, const char *name, uint32_t otherwise, uint32_t max,
                    uint32_t *out) {
  const char *text;
  size_t      len;
  *out = otherwise;
  if (!md_sim_query(query, name, &text, &len)) return true;
  if (len == 0 || len > 8) return false;
  uint32_t v = 0;
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9') return false;
    v = v * 10 + (uint32_t)(text[i] - '0');
  }
  *out = v > max ? max : v;
  return v > 0;
}

void
md_sim_refuse(md_sim_t *sim, md_sim_answer_t *out, unsigned status) {
  out->status = status;
  md_sim_text_clear(&out->body);
  sim->venue->refuse(out, status);
}

bool
md_sim_weigh(md_sim_t *sim, uint32_t weight, md_sim_answer_t *out) {
  int64_t real_s = md_clock_real_ns(sim->clock) / 1000000000;
  if (real_s / 60 != sim->minute) {
    sim->minute      = real_s / 60;
    sim->weight_used = 0;
    sim->over_cnt    = 0;
  }
  sim->weight_used += weight;
  out->weight = sim->weight_used;
  if (sim->weight_max == 0 || sim->weight_used <= sim->weight_max) return true;
  bool is_ban        = ++sim->over_cnt > OVER_MAX;
  out->retry_after_s = is_ban ? 120 : (uint32_t)(60 - real_s % 60);
  md_sim_refuse(sim, out, is_ban ? 418 : 429);
  return false;
}

/* ---- books ---- */

static const md_sim_book_t *
choose_book(md_sim_t *sim, md_sim_symbol_t *s, md_sim_answer_t *out, uint64_t *id) {
  const md_sim_book_t *book = &s->book;
  *id                       = book->id;
  if (sim->lag == MD_SIM_LAG_AFTER && sim->record) {
    const md_sim_book_t *ahead = md_sim_record_ahead(sim->record, s);
    if (ahead) book = ahead;
    *id = book->id;
  } else if (sim->lag == MD_SIM_LAG_BEFORE && s->answer_cnt == 0 && s->first_id > 2) {
    *id = s->first_id - 2;
  } else if (sim->lag == MD_SIM_LAG_INSIDE) {
    out->due_ns += INSIDE_NS;
    out->symbol    = s;
    out->behind_id = *id;
  } else if (sim->lag == MD_SIM_LAG_MS) {
    out->due_ns += sim->lag_ms * 1000000;
  }
  s->answer_cnt++;
  return book;
}

const md_sim_book_t *
md_sim_rest_book(md_sim_t *sim, md_sim_symbol_t *s, bool is_deep, md_sim_answer_t *out,
                 uint64_t *id) {
  if (sim->faults && md_sim_fault_on_depth(sim, out)) return NULL;
  /* The recorded answer helps a client that got every diff since; a limit cuts it. */
  if (sim->lag == MD_SIM_LAG_RECORDED && s->recorded && is_deep &&
      s->recorded_id + 1 >= s->needed_id) {
    md_sim_text_add(&out->body, s->recorded, s->recorded_len);
    s->answer_cnt++;
    return NULL;
  }
  if (s->book.valid) return choose_book(sim, s, out, id);
  md_sim_refuse(sim, out, 503); /* the recording does not say what the book is now */
  return NULL;
}

/* Its first update may lie partly within a snapshot; one that begins later is behind it for sure.
 */
bool
md_sim_answer_is_due(const md_sim_answer_t *a, int64_t now_ns) {
  return now_ns >= a->due_ns || (a->symbol && a->symbol->event_first > a->behind_id + 1);
}

void
md_sim_rest(md_sim_t *sim, const char *method, const char *path, const char *query,
            md_sim_answer_t *out) {
  *out = (md_sim_answer_t){.status = 200, .due_ns = sim->now_ns};
  sim->venue->rest(sim, method, path, query, out);
  md_sim_truth_request(sim->truth, sim, path, query, out->status, out->retry_after_s);
}
