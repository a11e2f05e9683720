/* The table of symbols: each is found again and nothing else, full tables refuse, and names that
 * differ in one byte are different names, wherever the byte stands. */
#include "feeds/feed_symbol.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define SYMBOL_CNT 20000u

static md_feed_symbol_t *
find(const md_feed_symbols_t *t, const char *symbol, uint32_t len) {
  return md_feed_symbols_find(t, md_feed_symbol_hash(symbol, len), symbol, len);
}

/* From one byte on, up to the longest name. */
static uint32_t
name(uint32_t n, char out[MD_SYMBOL_BYTES]) {
  (void)snprintf(out, MD_SYMBOL_BYTES, "%x%.*s", n, (int)(n % 40),
                 "-27DEC24-100000-C-A-VERY-LONG-NAME-OF-AN-OPTION");
  return (uint32_t)strlen(out);
}

Test(feed_symbol, each_of_many_is_found_again_and_rows_never_move) {
  static md_feed_symbol_t *row[SYMBOL_CNT];
  char                     text[MD_SYMBOL_BYTES];
  md_feed_symbols_t       *t = md_feed_symbols_new(SYMBOL_CNT);
  cr_assert_not_null(t);
  for (uint32_t n = 0; n < SYMBOL_CNT; n++) {
    const uint32_t len = name(n, text);
    cr_assert_null(find(t, text, len));
    row[n] = md_feed_symbols_add(t, text, len);
    cr_assert_not_null(row[n]);
    cr_assert_eq(row[n]->len, len);
    cr_assert_eq(row[n]->instrument, UINT32_MAX, "not in use");
  }
  for (uint32_t n = 0; n < SYMBOL_CNT; n++) {
    const uint32_t len = name(n, text);
    cr_assert_eq(find(t, text, len), row[n]);
    cr_assert_eq(md_feed_symbols_add(t, text, len), row[n], "it is there");
  }
  cr_assert_null(md_feed_symbols_add(t, "ONE MORE", 8), "full");
  cr_assert_null(find(t, "ONE MORE", 8), "a full table still ends a search");
  md_feed_symbols_delete(t);
}

Test(feed_symbol, one_byte_makes_another_name) {
  char               text[MD_SYMBOL_BYTES] = {0}, other[MD_SYMBOL_BYTES];
  md_feed_symbols_t *t                     = md_feed_symbols_new(64);
  for (uint32_t len = 1; len < MD_SYMBOL_BYTES; len++) {
    text[len - 1]         = (char)('A' + len % 26);
    md_feed_symbol_t *row = md_feed_symbols_add(t, text, len);
    cr_assert_eq(find(t, text, len), row);
    for (uint32_t at = 0; at < len; at++) {
      memcpy(other, text, sizeof other);
      other[at] ^= 0x20;
      cr_assert_null(find(t, other, len), "%u of %u", at, len);
      cr_assert_neq(md_feed_symbol_hash(other, len), md_feed_symbol_hash(text, len));
    }
  }
  md_feed_symbols_delete(t);
}

Test(feed_symbol, names_that_are_too_short_or_too_long_are_refused) {
  const char         text[64] = "A name that is longer than any symbol may be, by far";
  md_feed_symbols_t *t        = md_feed_symbols_new(4);
  cr_assert_null(md_feed_symbols_add(t, text, 0));
  cr_assert_null(md_feed_symbols_add(t, text, MD_SYMBOL_BYTES));
  cr_assert_null(find(t, text, 0));
  cr_assert_null(find(t, text, MD_SYMBOL_BYTES));
  cr_assert_not_null(md_feed_symbols_add(t, text, MD_SYMBOL_BYTES - 1));
  md_feed_symbols_delete(t);
}
