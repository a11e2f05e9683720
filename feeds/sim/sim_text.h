/* sim_text.h - a growing text, for bodies and frames of the simulator.
 *
 * Used by every file of feeds/sim, on the simulator's one thread. Memory grows by doubling and is
 * kept for the next use; a machine without memory for a body ends the simulator, which is a test
 * tool. */
#ifndef FEEDS_SIM_SIM_TEXT_H
#define FEEDS_SIM_SIM_TEXT_H

#include "shm/decimal.h"

/* Exponent of the prices and quantities of a symbol, unless its venue says another. */
#define MD_SIM_EXP (-8)

typedef struct md_sim_text {
  char  *p; /* len bytes, then MD_FRAME_PAD_BYTES readable ones: md_json may read it */
  size_t len, cap;
} md_sim_text_t;

void md_sim_text_free(md_sim_text_t *t);

static inline void
md_sim_text_clear(md_sim_text_t *t) {
  t->len = 0;
}

/* md_sim_text_room makes room for cnt more bytes and returns where they go; the caller adds to len.
 */
char *md_sim_text_room(md_sim_text_t *t, size_t cnt);

void md_sim_text_add(md_sim_text_t *t, const void *p, size_t len);
void md_sim_text_str(md_sim_text_t *t, const char *s);
void md_sim_text_format(md_sim_text_t *t, const char *format, ...) MD_PRINTF(2, 3);
void md_sim_text_u64(md_sim_text_t *t, uint64_t v);

/* md_sim_text_decimal writes a mantissa that is not negative with its eight decimals:
 * "61837.63000000". */
void md_sim_text_decimal(md_sim_text_t *t, int64_t mantissa);

/* md_sim_text_fixed writes a mantissa that is not negative with cnt decimals, 0 to 18: (6183763, 2)
 * is "61837.63". */
void md_sim_text_fixed(md_sim_text_t *t, int64_t mantissa, int cnt);

/* md_sim_text_plain writes mantissa * 10^exp as short as it is: "61837.6", "1000", "-0.5". */
void md_sim_text_plain(md_sim_text_t *t, int64_t mantissa, int exp);

/* md_sim_text_quote writes s as a JSON string with its quotes. */
void md_sim_text_quote(md_sim_text_t *t, const char *s, size_t len);

/* md_sim_alloc is calloc that does not return NULL; md_sim_resize is its realloc (new bytes
 * undefined). */
void *md_sim_alloc(size_t cnt, size_t bytes);
void *md_sim_resize(void *p, size_t cnt, size_t bytes);

#endif
