/* json_levels.h - the loops behind md_json_levels; private to json_levels*.c and their test.
 *
 * A loop reads levels of the form ["px","qty"] with a comma behind them, from p on, which stands
 * before a level, and stops before the first that looks otherwise in any way: that one goes to the
 * strict cursor. So a loop may know little, but what it accepts is exact. */
#ifndef FEEDS_JSON_LEVELS_H
#define FEEDS_JSON_LEVELS_H

#include "feeds/json.h"

/* What the loops write to and at which scales: digits kept behind the point, 0 to
 * MD_SWAR_SCALE_MAX. */
typedef struct md_levels_job {
  unsigned    px_scale, qty_scale;
  md_level_t *out;
  uint32_t    max, cnt;
  bool        closed; /* the array's bracket was read too */
} md_levels_job_t;

/* md_levels_read_one reads one level; returns the place behind its comma, NULL when it is not one.
 */
static inline const uint8_t *
md_levels_read_one(const uint8_t *p, const uint8_t *end, const md_levels_job_t *job,
                   md_level_t *out) {
  const uint32_t open = 0x225b, middle = 0x222c22, close = 0x5d22; /* [" "," "] */
  if ((md_swar_load4(p) & 0xffff) != open) return NULL;
  const uint8_t *q = md_swar_decimal(p + 2, job->px_scale, &out->px);
  if (q == NULL || (md_swar_load4(q) & 0xffffff) != middle) return NULL;
  q = md_swar_decimal(q + 3, job->qty_scale, &out->qty);
  if (q == NULL || (md_swar_load4(q) & 0xffff) != close || q + 2 >= end) return NULL;
  return q + 2;
}

/* md_levels_swar is portable; md_levels_avx2 needs what md_levels_has_avx2 finds at run time. p <
 * end; both return where they stopped. */
const uint8_t *md_levels_swar(const uint8_t *p, const uint8_t *end, md_levels_job_t *job);
const uint8_t *md_levels_avx2(const uint8_t *p, const uint8_t *end, md_levels_job_t *job);
bool           md_levels_has_avx2(void);

#endif
