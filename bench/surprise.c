/* bench decode: messages that surprise, and messages that are broken, beside jansson: the only file
 * that knows it. */
#include "bench/surprise.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAD_BYTES 64u

/* Exact, or false: digits behind `digits` places must be zero. */
static bool
to_integer(const json_t *v, unsigned digits, int64_t *out) {
  const char *s      = json_string_value(v);
  int64_t     sum    = 0;
  unsigned    behind = 0, cnt = 0;
  bool        point = false;
  if (!s) return false;
  for (; *s; s++) {
    if (*s == '.' && !point) {
      point = true;
    } else if (*s < '0' || *s > '9' || ++cnt > 18) {
      return false;
    } else if (point && behind == digits) {
      if (*s != '0') return false;
    } else {
      sum = sum * 10 + (*s - '0');
      behind += point;
    }
  }
  for (; behind < digits; behind++)
    sum *= 10;
  *out = sum;
  return cnt > 0;
}

static bool
read_side(const json_t *side, md_bench_level_t *out, uint32_t *cnt) {
  *cnt = (uint32_t)json_array_size(side);
  if (!json_is_array(side) || *cnt > MD_BENCH_LEVEL_MAX) return false;
  for (uint32_t n = 0; n < *cnt; n++) {
    const json_t *level = json_array_get(side, n);
    if (!to_integer(json_array_get(level, 0), MD_BENCH_PX_DIGITS, &out[n].px) ||
        !to_integer(json_array_get(level, 1), MD_BENCH_QTY_DIGITS, &out[n].qty))
      return false;
  }
  return true;
}

static bool
read_id(const json_t *v, uint64_t *out) {
  *out = (uint64_t)json_integer_value(v);
  return json_is_integer(v);
}

bool
md_bench_jansson_depth(const uint8_t *text, size_t len, md_bench_message_t *out) {
  json_error_t error;
  json_t      *doc  = json_loadb((const char *)text, len, 0, &error);
  json_t      *data = json_object_get(doc, "data");
  bool         good = data && json_is_string(json_object_get(data, "s")) &&
              read_id(json_object_get(data, "E"), &out->event_ms) &&
              read_id(json_object_get(data, "U"), &out->first_id) &&
              read_id(json_object_get(data, "u"), &out->last_id) &&
              read_side(json_object_get(data, "b"), out->bids, &out->bid_cnt) &&
              read_side(json_object_get(data, "a"), out->asks, &out->ask_cnt);
  json_decref(doc);
  return good;
}

/* The same message with its keys sorted, spaces between its parts and a member nobody knows. */
static char *
surprise(const uint8_t *text, size_t len) {
  json_error_t error;
  json_t      *doc  = json_loadb((const char *)text, len, 0, &error);
  json_t      *data = json_object_get(doc, "data");
  char        *out  = NULL;
  if (data && json_object_set_new(data, "_new", json_pack("{s:[i,n,b]}", "x", 1, 1)) == 0)
    out = json_dumps(doc, JSON_SORT_KEYS);
  json_decref(doc);
  return out;
}

bool
md_bench_corpus_surprising(md_bench_corpus_t *c, const md_bench_corpus_t *from, bool is_broken) {
  const size_t each = 8192;
  bool         good = true;
  *c                = (md_bench_corpus_t){.kind = from->kind, .cnt = from->cnt};
  c->bytes          = calloc(c->cnt, each);
  c->text           = calloc(c->cnt, sizeof c->text[0]);
  c->len            = calloc(c->cnt, sizeof c->len[0]);
  good              = c->bytes && c->text && c->len;
  for (uint32_t i = 0; good && i < c->cnt; i++) {
    uint8_t *to  = c->bytes + i * each;
    char    *own = is_broken ? NULL : surprise(from->text[i], from->len[i]);
    c->text[i]   = to;
    c->len[i]    = is_broken ? from->len[i] : own ? (uint32_t)strlen(own) : 0;
    good         = c->len[i] > 0 && c->len[i] + PAD_BYTES <= each;
    if (good) memcpy(to, own ? (const uint8_t *)own : from->text[i], c->len[i]);
    if (good && is_broken) to[c->len[i] - 40] = '#'; /* within the last level */
    free(own);
  }
  if (!good) md_bench_corpus_delete(c);
  return good;
}
