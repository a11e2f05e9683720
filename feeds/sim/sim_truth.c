#include "feeds/sim/sim_truth.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct md_sim_truth {
  FILE    *out;
  uint32_t every;
};

md_err_t
md_sim_truth_open(const char *path, uint32_t every, md_sim_truth_t **out, md_msg_t *msg) {
  FILE *f = fopen(path, "we");
  if (!f) return md_fail_errno(msg, errno, "cannot write the truth to %s", path);
  *out          = md_sim_alloc(1, sizeof **out);
  (*out)->out   = f;
  (*out)->every = every;
  return MD_OK;
}

md_err_t
md_sim_truth_close(md_sim_truth_t *t) {
  if (!t) return MD_OK;
  bool bad = ferror(t->out) != 0;
  bad |= fclose(t->out) != 0;
  free(t);
  return bad ? MD_ERR_IO : MD_OK;
}

static void
write_sum(FILE *out, const char *name, const md_sim_totals_t *t, int qty_exp) {
  char sum[192];
  (void)md_decimal_format(t->qty_sum, qty_exp, sum, sizeof sum);
  (void)fprintf(out, ",\"%ss\":%" PRIu64 ",\"%s_qty_sum\":\"%s\"", name, t->cnt, name, sum);
  if (t->id_first) (void)fprintf(out, ",\"%s_id_first\":%" PRIu64, name, t->id_first);
  if (t->id_last) (void)fprintf(out, ",\"%s_id_last\":%" PRIu64, name, t->id_last);
}

static void
write_state(md_sim_truth_t *t, const char *at, const md_sim_symbol_t *s) {
  const md_sim_book_t *b = &s->book;
  char                 all[65], top[65];
  md_orderbook_digest(&b->book, s->px_exp, s->qty_exp, 0, all);
  md_orderbook_digest(&b->book, s->px_exp, s->qty_exp, 20, top);
  (void)fprintf(t->out,
                "{\"at\":\"%s\",\"symbol\":\"%s\",\"valid\":%s,\"id\":%" PRIu64
                ",\"bids\":%u,\"asks\":%u,\"digest\":\"%s\",\"digest_top20\":\"%s\"",
                at, s->name, b->valid ? "true" : "false", b->id, b->book.bids.cnt, b->book.asks.cnt,
                all, top);
  write_sum(t->out, "trade", &s->trades, s->qty_exp);
  write_sum(t->out, "agg_trade", &s->agg_trades, s->qty_exp);
  (void)fputs("}\n", t->out);
}

void
md_sim_truth_depth(md_sim_truth_t *t, const md_sim_symbol_t *symbol) {
  if (t->every && symbol->book.valid && symbol->depth_cnt % t->every == 0)
    write_state(t, "point", symbol);
}

void
md_sim_truth_end(md_sim_truth_t *t, const md_sim_t *sim) {
  for (uint32_t i = 0; i < sim->symbol_cnt; i++)
    write_state(t, "end", sim->symbols[i]);
  (void)fflush(t->out);
}

void
md_sim_truth_request(md_sim_truth_t *t, const md_sim_t *sim, const char *path, const char *query,
                     unsigned status, uint32_t retry_after_s) {
  if (!t) return;
  md_sim_text_t text = {0};
  md_sim_text_quote(&text, path, strlen(path));
  md_sim_text_str(&text, ",\"query\":");
  md_sim_text_quote(&text, query, strlen(query));
  (void)fprintf(t->out,
                "{\"at\":\"request\",\"mono_ns\":%" PRId64 ",\"path\":%.*s,\"status\":%u"
                ",\"retry_after_s\":%u}\n",
                sim->now_ns, (int)text.len, text.p, status, retry_after_s);
  (void)fflush(t->out);
  md_sim_text_free(&text);
}

void
md_sim_truth_fault(md_sim_truth_t *t, const md_sim_t *sim, const char *name, const char *members,
                   ...) {
  if (!t) return;
  (void)fprintf(t->out, "{\"at\":\"fault\",\"fault\":\"%s\",\"played_ns\":%" PRId64, name,
                sim->played_ns);
  va_list args;
  va_start(args, members);
  (void)vfprintf(t->out, members, args);
  va_end(args);
  (void)fputs("}\n", t->out);
  (void)fflush(t->out);
}
