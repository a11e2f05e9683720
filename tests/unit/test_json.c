/* The JSON cursor: grammar, order, whitespace, and bytes from an enemy. Every message stands at the
 * end of a page whose neighbour cannot be read, with exactly MD_FRAME_PAD_BYTES between. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "feeds/json_levels.h"

#define AREA_BYTES 16384u
#define LEVEL_MAX  64u
#define MUTANT_CNT 300000u

/* Copies text so that its padding ends where reading faults. The padding looks like more JSON. */
static const uint8_t *
place(const void *text, size_t len) {
  static uint8_t *area;
  if (area == NULL) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    area =
        mmap(NULL, AREA_BYTES + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(area != MAP_FAILED);
    cr_assert_eq(mprotect(area + AREA_BYTES, page, PROT_NONE), 0);
  }
  cr_assert(len + MD_FRAME_PAD_BYTES <= AREA_BYTES);
  uint8_t *p = area + AREA_BYTES - MD_FRAME_PAD_BYTES - len;
  memcpy(p, text, len);
  for (size_t i = 0; i < MD_FRAME_PAD_BYTES; i++)
    p[len + i] = (uint8_t) "\"9\"],[\"1\",\"2\"]]}"[i % 16];
  return p;
}

static md_json_t
cursor(const char *text) {
  md_json_t j;
  md_json_init(&j, place(text, strlen(text)), strlen(text));
  return j;
}

static md_err_t
skip_all(const void *text, size_t len) {
  md_json_t j;
  md_json_init(&j, place(text, len), len);
  md_json_skip(&j);
  return md_json_finish(&j);
}

/* A decoder such as a venue has, for the tests that bend its message. */
typedef struct update {
  uint64_t       time, first, last;
  const uint8_t *symbol;
  uint32_t       symbol_len, bid_cnt, ask_cnt, seen;
  md_level_t     bids[LEVEL_MAX], asks[LEVEL_MAX];
} update_t;

static md_err_t
decode_update(const uint8_t *p, size_t len, update_t *u) {
  md_json_t      j;
  const uint8_t *key;
  uint32_t       n;
  memset(u, 0, sizeof *u);
  md_json_init(&j, p, len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &n)) {
    md_err_t err = MD_OK;
    if (md_json_is(key, n, "E")) {
      md_json_u64(&j, &u->time);
    } else if (md_json_is(key, n, "U")) {
      md_json_u64(&j, &u->first);
    } else if (md_json_is(key, n, "u")) {
      md_json_u64(&j, &u->last);
    } else if (md_json_is(key, n, "s")) {
      md_json_string(&j, &u->symbol, &u->symbol_len);
    } else if (md_json_is(key, n, "b")) {
      err = md_json_levels(&j, -2, -5, u->bids, LEVEL_MAX, &u->bid_cnt);
    } else if (md_json_is(key, n, "a")) {
      err = md_json_levels(&j, -2, -5, u->asks, LEVEL_MAX, &u->ask_cnt);
    } else {
      md_json_skip(&j);
    }
    if (err) md_json_fail(&j, err);
    u->seen++;
  }
  return md_json_finish(&j);
}

static const char update_text[] =
    "{\"e\":\"depthUpdate\",\"E\":1723161255343,\"s\":\"BTCUSDT\",\"U\":50093239212,\"u\":"
    "50093239220,"
    "\"b\":[[\"61837.63000000\",\"3.78826000\"],[\"61837.50000000\",\"0.00000000\"],"
    "[\"61830.00000000\",\"12.00001000\"]],\"a\":[[\"61837.64000000\",\"1.54698000\"]]}";

static void
expect_update(const uint8_t *p, size_t len) {
  update_t u;
  cr_assert_eq(decode_update(p, len, &u), MD_OK, "%.*s", (int)len, (const char *)p);
  cr_assert(u.time == 1723161255343 && u.first == 50093239212 && u.last == 50093239220);
  cr_assert(md_json_is(u.symbol, u.symbol_len, "BTCUSDT"));
  cr_assert(u.bid_cnt == 3 && u.ask_cnt == 1);
  cr_assert(u.bids[0].px == 6183763 && u.bids[0].qty == 378826);
  cr_assert(u.bids[1].px == 6183750 && u.bids[1].qty == 0);
  cr_assert(u.bids[2].px == 6183000 && u.bids[2].qty == 1200001);
  cr_assert(u.asks[0].px == 6183764 && u.asks[0].qty == 154698);
}

Test(json, a_message_decodes_exactly) {
  expect_update(place(update_text, sizeof update_text - 1), sizeof update_text - 1);
}

Test(json, keys_come_in_any_order) {
  static const char *const parts[] = {
      "\"E\":1723161255343",
      "\"s\":\"BTCUSDT\"",
      "\"U\":50093239212",
      "\"u\":50093239220",
      "\"b\":[[\"61837.63\",\"3.78826\"],[\"61837.5\",\"0\"],[\"61830\",\"12.00001\"]]",
      "\"a\":[[\"61837.64000000\",\"1.54698000\",\"0\",\"4\"]]",
      "\"new\":{\"x\":[1,{\"b\":[[]]},null,true,-1.5e3,\"\\u00e9\\\"\"]}"};
  unsigned order[MD_CNT(parts)];
  for (unsigned seed = 0; seed < 5040; seed++) { /* every permutation of seven, by its number */
    unsigned rest = seed, left[MD_CNT(parts)];
    for (unsigned i = 0; i < MD_CNT(parts); i++)
      left[i] = i;
    for (unsigned i = 0; i < MD_CNT(parts); i++) {
      unsigned cnt = (unsigned)MD_CNT(parts) - i, pick = rest % cnt;
      rest /= cnt;
      order[i] = left[pick];
      memmove(left + pick, left + pick + 1, (cnt - pick - 1) * sizeof left[0]);
    }
    char   text[512];
    size_t n = 0;
    for (unsigned i = 0; i < MD_CNT(parts); i++)
      n += (size_t)snprintf(text + n, sizeof text - n, "%c%s", i ? ',' : '{', parts[order[i]]);
    text[n++] = '}';
    expect_update(place(text, n), n);
  }
}

Test(json, whitespace_is_allowed_between_all_tokens) {
  char   text[2048];
  size_t n      = 0;
  bool   inside = false;
  for (const char *c = update_text; *c; c++) {
    bool punctuation = !inside && strchr("{}[],:\"", *c) != NULL;
    if (punctuation) n += (size_t)snprintf(text + n, sizeof text - n, " \n");
    if (*c == '"') inside = !inside;
    text[n++] = *c;
    if (punctuation && !inside) n += (size_t)snprintf(text + n, sizeof text - n, "\t\r ");
  }
  expect_update(place(text, n), n);
}

Test(json, case_45_every_truncation_is_an_error_and_reads_nothing_behind_the_padding) {
  for (size_t len = 0; len < sizeof update_text - 1; len++) {
    update_t u;
    cr_assert_neq(decode_update(place(update_text, len), len, &u), MD_OK, "cut at %zu", len);
    cr_assert_neq(skip_all(update_text, len), MD_OK, "cut at %zu", len);
  }
}

Test(json, case_45_a_duplicate_key_is_handed_out_twice_and_the_last_one_wins) {
  update_t    u;
  const char *text = "{\"u\":1,\"u\":2}";
  cr_assert_eq(decode_update(place(text, strlen(text)), strlen(text), &u), MD_OK);
  cr_assert(u.last == 2 && u.seen == 2);
}

Test(json, bad_structure_is_refused) {
  static const char *const bad[] = {"",
                                    " ",
                                    "{",
                                    "}",
                                    "[",
                                    "]",
                                    "{]",
                                    "[}",
                                    "[1,]",
                                    "[,1]",
                                    "{,}",
                                    "{\"a\":1,}",
                                    "{\"a\"}",
                                    "{\"a\":}",
                                    "{\"a\" 1}",
                                    "{a:1}",
                                    "[1 2]",
                                    "[1]x",
                                    "{}{}",
                                    "nul",
                                    "tru",
                                    "truex",
                                    "01",
                                    "-",
                                    "1.",
                                    ".5",
                                    "1e",
                                    "+1",
                                    "NaN",
                                    "Infinity",
                                    "\"",
                                    "\"a",
                                    "\"\\",
                                    "\"\\x\"",
                                    "\"\\u12g4\"",
                                    "\"\\u12\"",
                                    "\"a\nb\"",
                                    "\"\x01\"",
                                    "\"\x80\"",
                                    "\"\xc0\xaf\"",
                                    "\"\xed\xa0\x80\"",
                                    "\"\xf4\x90\x80\x80\"",
                                    "\"\xe2\x82\"",
                                    "[1,\f2]",
                                    "{\"a\":1 \"b\":2}",
                                    "[[]",
                                    "{\"a\":[}",
                                    "//x\n1",
                                    "'a'",
                                    "1 1"};
  for (size_t i = 0; i < MD_CNT(bad); i++)
    cr_assert_eq(skip_all(bad[i], strlen(bad[i])), MD_ERR_SYNTAX, "%s", bad[i]);
  cr_assert_eq(skip_all("[\"a\0b\"]", 7), MD_ERR_SYNTAX);
  cr_assert_eq(skip_all("[1\0]", 4), MD_ERR_SYNTAX);
}

Test(json, good_structure_is_accepted) {
  static const char *const good[] = {"{}",
                                     "[]",
                                     " { } ",
                                     "[ ]",
                                     "0",
                                     "-0",
                                     "-1.5E+10",
                                     "true",
                                     "false",
                                     "null",
                                     "\"\"",
                                     "[[],{}]",
                                     "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
                                     "\"a long string that is more than eight bytes\"",
                                     "\"\xe5\xb8\x81\xe5\xae\x89\xe4\xba\xba\xe7\x94\x9f\"",
                                     "{\"a\":{\"b\":[1,2,{\"c\":[]}]}}",
                                     "\t[1]\r\n"};
  for (size_t i = 0; i < MD_CNT(good); i++)
    cr_assert_eq(skip_all(good[i], strlen(good[i])), MD_OK, "%s", good[i]);
}

Test(json, case_45_nesting_of_64_is_the_limit) {
  char text[2 * (MD_JSON_DEPTH_MAX + 1)];
  for (unsigned depth = MD_JSON_DEPTH_MAX - 1; depth <= MD_JSON_DEPTH_MAX + 1; depth++) {
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    cr_assert_eq(skip_all(text, 2 * depth), depth <= MD_JSON_DEPTH_MAX ? MD_OK : MD_ERR_SYNTAX);
  }
  char deep[8192];
  memset(deep, '[', sizeof deep);
  cr_assert_eq(skip_all(deep, sizeof deep), MD_ERR_SYNTAX);
}

Test(json, integers_are_exact_or_refused) {
  static const struct {
    const char *text;
    md_err_t    err;
    uint64_t    value;
  } rows[] = {{"0", MD_OK, 0},
              {"1723161255343", MD_OK, 1723161255343},
              {" \"1597026383085\" ", MD_OK, 1597026383085},
              {"1723161255343123456", MD_OK, 1723161255343123456},
              {"18446744073709551614", MD_OK, UINT64_MAX - 1},
              {"18446744073709551615", MD_ERR_OVERFLOW, 0},
              {"99999999999999999999999", MD_ERR_OVERFLOW, 0},
              {"1.5", MD_ERR_SYNTAX, 0},
              {"1e3", MD_ERR_SYNTAX, 0},
              {"-1", MD_ERR_SYNTAX, 0},
              {"012", MD_ERR_SYNTAX, 0},
              {"\"\"", MD_ERR_SYNTAX, 0},
              {"null", MD_ERR_SYNTAX, 0}};
  for (size_t i = 0; i < MD_CNT(rows); i++) {
    char text[64];
    for (int in_array = 0; in_array < 2; in_array++) {
      snprintf(text, sizeof text, in_array ? "[%s]" : "%s", rows[i].text);
      md_json_t j = cursor(text);
      uint64_t  v = 0;
      if (in_array) {
        md_json_array_begin(&j);
        md_json_element(&j);
      }
      md_json_u64(&j, &v);
      if (in_array) md_json_element(&j);
      cr_assert_eq(md_json_finish(&j), rows[i].err, "%s", text);
      if (rows[i].err == MD_OK) cr_assert_eq(v, rows[i].value, "%s", text);
    }
  }
  md_json_t j = cursor("-9223372036854775807");
  int64_t   i = 0;
  cr_assert(md_json_i64(&j, &i) && i == -INT64_MAX);
  j = cursor("9223372036854775808");
  cr_assert(!md_json_i64(&j, &i) && j.err == MD_ERR_OVERFLOW);
}

Test(json, scalars_and_slices) {
  md_json_t      j = cursor("[null,true,false, {\"a\":[1, 2]} ,\"x\\ny\",-1.50,\"2.8e-4\"]");
  const uint8_t *s;
  uint32_t       n;
  bool           b = false;
  int64_t        m = 0;
  md_dec128_t    d;
  uint8_t        out[8];
  cr_assert(md_json_array_begin(&j) && md_json_element(&j) && md_json_null_if(&j));
  cr_assert(md_json_element(&j) && !md_json_null_if(&j) && md_json_bool(&j, &b) && b);
  cr_assert(md_json_element(&j) && md_json_bool(&j, &b) && !b);
  cr_assert(md_json_element(&j) && md_json_slice(&j, &s, &n) && md_json_is(s, n, "{\"a\":[1, 2]}"));
  cr_assert(md_json_element(&j) && md_json_string(&j, &s, &n) && j.has_escape);
  cr_assert_eq(md_json_unescape(s, n, out, sizeof out, &n), MD_OK);
  cr_assert(n == 3 && memcmp(out, "x\ny", 3) == 0);
  cr_assert(md_json_element(&j));
  cr_assert_eq(md_json_mantissa(&j, 0, &m), MD_ERR_RANGE);
  cr_assert_eq(md_json_mantissa(&j, -1, &m), MD_OK);
  cr_assert_eq(m, -15);
  cr_assert(md_json_element(&j) && md_json_dec128(&j, &d));
  cr_assert(!md_json_element(&j));
  cr_assert_eq(md_json_finish(&j), MD_OK);
}

Test(json, unescape_joins_surrogate_pairs_and_refuses_halves) {
  static const char pair[] = "\\ud83d\\ude00\\u00e9\\u20ac", half[] = "\\ud83d", low[] = "\\ude00x";
  uint8_t           out[32];
  uint32_t          n = 0;
  cr_assert_eq(md_json_unescape((const uint8_t *)pair, sizeof pair - 1, out, sizeof out, &n),
               MD_OK);
  cr_assert(n == 9 && memcmp(out, "\xf0\x9f\x98\x80\xc3\xa9\xe2\x82\xac", 9) == 0);
  cr_assert_eq(md_json_unescape((const uint8_t *)half, sizeof half - 1, out, sizeof out, &n),
               MD_ERR_SYNTAX);
  cr_assert_eq(md_json_unescape((const uint8_t *)low, sizeof low - 1, out, sizeof out, &n),
               MD_ERR_SYNTAX);
  cr_assert_eq(md_json_unescape((const uint8_t *)pair, sizeof pair - 1, out, 8, &n), MD_ERR_FULL);
}

Test(json, expect_moves_only_on_the_whole_literal) {
  md_json_t j = cursor("{\"e\":1}");
  cr_assert(!md_json_expect(&j, "{\"E\":"));
  cr_assert(md_json_expect(&j, "{\"e\":"));
  uint64_t v = 0;
  cr_assert(md_json_u64(&j, &v) && v == 1);
  cr_assert(!md_json_expect(&j, "}\"")); /* the padding goes on with a quote: it is not text */
  cr_assert(md_json_expect(&j, "}"));
  cr_assert_eq(md_json_finish(&j), MD_OK);
}

/* ---- levels ---- */

static md_err_t
levels(const char *text, int px_exp, int qty_exp, md_level_t *out, uint32_t max, uint32_t *cnt) {
  md_json_t j   = cursor(text);
  md_err_t  err = md_json_levels(&j, px_exp, qty_exp, out, max, cnt);
  if (err == MD_OK) return md_json_finish(&j);
  cr_assert_eq(*cnt, 0);
  if (err != MD_ERR_SYNTAX)
    cr_assert(j.err == MD_OK && j.p + strlen(text) == j.end && j.depth == 0);
  return err;
}

Test(json, levels_take_extras_numbers_and_any_layout) {
  static const char *const same[] = {
      "[[\"1.5\",\"20\"],[\"2\",\"0.003\"]]", "[[1.5,20],[2,3e-3]]",
      "[[\"1.5\",\"20\",\"0\"],[\"2.00\",\"0.00300000\",\"0\",\"4\",{\"x\":[]}]]",
      " [ [ \"1.50000000\" , \"20.00000000\" ] , [ \"2\" ,\"0.003\" ] ] ",
      "[[\"00001.5\",\"2e1\"],[\"0.2e1\",\"0.003000000000\"]]"};
  for (size_t i = 0; i < MD_CNT(same); i++) {
    md_level_t out[4];
    uint32_t   cnt = 9;
    cr_assert_eq(levels(same[i], -2, -3, out, 4, &cnt), MD_OK, "%s", same[i]);
    cr_assert_eq(cnt, 2);
    cr_assert(out[0].px == 150 && out[0].qty == 20000 && out[1].px == 200 && out[1].qty == 3);
  }
  md_level_t out[1];
  uint32_t   cnt = 9;
  cr_assert_eq(levels("[]", -2, -3, out, 1, &cnt), MD_OK);
  cr_assert_eq(cnt, 0);
}

Test(json, levels_without_price_or_quantity_are_refused) {
  static const char *const bad[] = {"[[]]",
                                    "[[\"1\"]]",
                                    "[[\"1\",]]",
                                    "[\"1\",\"2\"]",
                                    "[[\"1\",\"2\"],]",
                                    "[[\"1\",\"2\"]",
                                    "[[\"1\",\"\"]]",
                                    "[[\"\",\"1\"]]",
                                    "[[null,\"1\"]]",
                                    "[[\"1\",\"2\"][\"1\",\"2\"]]",
                                    "{}",
                                    "[[\"1\",\"NaN\"]]",
                                    "[[\"1\" \"2\"]]",
                                    "[[\"1\",\"2\"],[\"1\"]]",
                                    "[[\"1x\",\"2\"]]"};
  for (size_t i = 0; i < MD_CNT(bad); i++) {
    md_level_t out[4];
    uint32_t   cnt;
    cr_assert_eq(levels(bad[i], -2, -3, out, 4, &cnt), MD_ERR_SYNTAX, "%s", bad[i]);
  }
}

Test(json, levels_that_do_not_fit_leave_the_cursor_for_another_try) {
  static const char text[] = "[[\"61837.63000000\",\"1.5\"],[\"61837.62500000\",\"0.00000001\"]]";
  md_level_t        out[2];
  uint32_t          cnt;
  int               px = -2, qty = 0;
  cr_assert_eq(levels(text, -2, -8, out, 2, &cnt), MD_ERR_RANGE);
  cr_assert_eq(levels(text, -3, -7, out, 2, &cnt), MD_ERR_RANGE);
  cr_assert_eq(levels(text, -3, -8, out, 1, &cnt), MD_ERR_FULL);
  cr_assert_eq(levels("[[\"1\",\"99999999999999999999\"]]", 0, 0, out, 2, &cnt), MD_ERR_OVERFLOW);
  cr_assert_eq(md_json_levels_min_exp(cursor(text), &px, &qty), MD_OK);
  cr_assert(px == -3 && qty == -8);
  cr_assert_eq(levels(text, px, qty, out, 2, &cnt), MD_OK);
  cr_assert(cnt == 2 && out[1].px == 61837625 && out[1].qty == 1);
}

static uint64_t
next_random(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z          = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z          = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* Random levels of every length, printed from integers, must come back as the same integers. */
Test(json, random_levels_come_back_as_they_were_printed) {
  uint64_t seed = 7, portable_cnt = 0;
  for (unsigned round = 0; round < 20000; round++) {
    md_level_t want[24], got[24];
    char       text[2048];
    uint32_t   cnt    = (uint32_t)(next_random(&seed) % 24), got_cnt;
    int        px_exp = -(int)(next_random(&seed) % 12), qty_exp = -(int)(next_random(&seed) % 12);
    size_t     n = (size_t)snprintf(text, sizeof text, "[");
    for (uint32_t i = 0; i < cnt; i++) {
      char px[MD_DECIMAL_BYTES], qty[MD_DECIMAL_BYTES];
      want[i].px  = (int64_t)(next_random(&seed) >> (1 + next_random(&seed) % 63));
      want[i].qty = (int64_t)(next_random(&seed) >> (1 + next_random(&seed) % 63));
      if (next_random(&seed) % 32 == 0) want[i].px = -want[i].px;
      md_decimal_format(want[i].px, px_exp, px, sizeof px);
      md_decimal_format(want[i].qty, qty_exp, qty, sizeof qty);
      n += (size_t)snprintf(text + n, sizeof text - n, "%s[\"%s\",\"%s\"]", i ? "," : "", px, qty);
    }
    snprintf(text + n, sizeof text - n, "]");
    md_json_t j = cursor(text);
    cr_assert_eq(md_json_levels(&j, px_exp, qty_exp, got, 24, &got_cnt), MD_OK, "%s", text);
    cr_assert_eq(md_json_finish(&j), MD_OK);
    cr_assert_eq(got_cnt, cnt);
    cr_assert(cnt == 0 || memcmp(want, got, cnt * sizeof want[0]) == 0, "%s", text);
    if (cnt == 0 || px_exp < -8 || qty_exp < -8) continue;
    /* The portable loop, whatever this processor has: right as far as it goes. */
    md_levels_job_t job = {(unsigned)-px_exp, (unsigned)-qty_exp, got, 24, 0, false};
    const uint8_t  *p   = place(text, strlen(text));
    md_levels_swar(p + 1, p + strlen(text), &job);
    cr_assert(job.cnt <= cnt && memcmp(want, got, job.cnt * sizeof want[0]) == 0, "%s", text);
    portable_cnt += job.cnt;
  }
  cr_assert(portable_cnt > 10000);
}

/* The level loop and the plain cursor must agree on every mutated message. */
static md_err_t
levels_by_cursor(md_json_t j, md_level_t *out, uint32_t max, uint32_t *cnt) {
  *cnt = 0;
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    if (*cnt == max) return MD_ERR_FULL;
    int64_t *value[2] = {&out[*cnt].px, &out[*cnt].qty};
    if (!md_json_array_begin(&j)) break;
    for (int i = 0; i < 2; i++) {
      const uint8_t *s;
      uint32_t       n;
      md_number_t    number;
      if (!md_json_element(&j) || !md_json_number_or_string(&j, &s, &n)) return MD_ERR_SYNTAX;
      md_err_t err = md_decimal_parse(s, n, &number);
      if (err) return err;
      if (number.exponent < -8) return MD_ERR_RANGE;
      for (; number.exponent > -8; number.exponent--) {
        if (__builtin_mul_overflow(number.mantissa, (md_i128)10, &number.mantissa))
          return MD_ERR_OVERFLOW;
      }
      if (number.mantissa > INT64_MAX || number.mantissa <= INT64_MIN) return MD_ERR_OVERFLOW;
      *value[i] = (int64_t)number.mantissa;
    }
    while (md_json_element(&j))
      md_json_skip(&j);
    if (j.err) break;
    ++*cnt;
  }
  return j.err;
}

Test(json, case_45_mutated_messages_never_crash_and_both_level_readers_agree) {
  static const char text[] =
      "[[\"61837.63000000\",\"3.78826000\"],[\"61837.50000000\",\"0.00000000\"],[\"1.5\",\"25\"],"
      "[\"61830.00000000\",\"12345678.00001000\",\"0\"],[\"-0.5\",7]]";
  static const char alphabet[] = "0123456789.\",[]{}:-+eE \\u\tnt\x80\x01";
  uint64_t          seed       = 4711;
  unsigned          good       = 0;
  for (unsigned i = 0; i < MUTANT_CNT; i++) {
    char   bytes[sizeof text + 8];
    size_t len = sizeof text - 1;
    memcpy(bytes, text, len);
    for (uint64_t n = 1 + next_random(&seed) % 3; n > 0; n--) {
      size_t at = next_random(&seed) % len;
      char   c  = alphabet[next_random(&seed) % (sizeof alphabet - 1)];
      switch (next_random(&seed) % 3) {
      case 0:
        bytes[at] = c;
        break;
      case 1:
        memmove(bytes + at, bytes + at + 1, len - at - 1);
        len--;
        break;
      default:
        memmove(bytes + at + 1, bytes + at, len - at);
        bytes[at] = c;
        len++;
      }
    }
    md_level_t fast[8], slow[8];
    uint32_t   fast_cnt, slow_cnt;
    md_json_t  j;
    md_json_init(&j, place(bytes, len), len);
    md_err_t slow_err = levels_by_cursor(j, slow, 8, &slow_cnt);
    md_err_t fast_err = md_json_levels(&j, -8, -8, fast, 8, &fast_cnt);
    cr_assert_eq(fast_err, slow_err, "%.*s: %s, want %s", (int)len, bytes, md_err_name(fast_err),
                 md_err_name(slow_err));
    if (fast_err == MD_OK) {
      good++;
      cr_assert_eq(fast_cnt, slow_cnt);
      cr_assert(memcmp(fast, slow, fast_cnt * sizeof fast[0]) == 0, "%.*s", (int)len, bytes);
    }
  }
  cr_assert(good > MUTANT_CNT / 10 && good < MUTANT_CNT);
}

Test(json, mutated_updates_never_crash) {
  uint64_t seed = 815;
  for (unsigned i = 0; i < MUTANT_CNT; i++) {
    char bytes[sizeof update_text];
    memcpy(bytes, update_text, sizeof bytes);
    for (uint64_t n = 1 + next_random(&seed) % 4; n > 0; n--)
      bytes[next_random(&seed) % (sizeof bytes - 1)] = (char)next_random(&seed);
    update_t       u;
    const uint8_t *p = place(bytes, sizeof bytes - 1);
    (void)decode_update(p, sizeof bytes - 1, &u);
    (void)skip_all(bytes, sizeof bytes - 1);
  }
}

static md_err_t
member_of(const char *text, const uint8_t **value, uint32_t *len) {
  char           padded[128] = {0};
  static uint8_t kept[256];
  (void)snprintf(padded, sizeof padded, "%s", text);
  memcpy(kept, padded, sizeof padded);
  return md_json_member(kept, (uint32_t)strlen(text), "a", value, len);
}

Test(json, a_member_is_found_and_the_rest_is_read_through) {
  const uint8_t *value;
  uint32_t       len;
  cr_assert_eq(member_of("{\"b\":{\"a\":1},\"a\":[2, 3],\"c\":null}", &value, &len), MD_OK);
  cr_assert_eq(len, 6);
  cr_assert_arr_eq(value, "[2, 3]", 6);
  cr_assert_eq(member_of("{\"b\":{\"a\":1}}", &value, &len), MD_ERR_UNKNOWN);
  cr_assert_eq(member_of("{\"a\":1,\"b\":}", &value, &len), MD_ERR_SYNTAX);
  cr_assert_eq(member_of("{\"a\":1} 2", &value, &len), MD_ERR_SYNTAX);
  cr_assert_eq(member_of("[1]", &value, &len), MD_ERR_SYNTAX);
}
