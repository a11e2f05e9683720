/* The array of price levels: the largest part of all market data, so it has a loop of its own. Any
 * level that the fast loop does not know goes through the cursor, which knows everything. */
#include "feeds/json_levels.h"

/* Reads px and qty of one level with the cursor, extras skipped. */
static md_err_t
level_general(md_json_t *j, int px_exp, int qty_exp, md_level_t *out) {
  md_err_t err;
  if (!md_json_array_begin(j) || !md_json_element(j)) goto syntax;
  err = md_json_mantissa(j, px_exp, &out->px);
  if (err) return err;
  if (!md_json_element(j)) goto syntax;
  err = md_json_mantissa(j, qty_exp, &out->qty);
  if (err) return err;
  while (md_json_element(j)) {
    if (!md_json_skip(j)) break;
  }
  return j->err;
syntax:
  md_json_fail(j, MD_ERR_SYNTAX);
  return j->err;
}

const uint8_t *
md_levels_swar(const uint8_t *p, const uint8_t *end, md_levels_job_t *job) {
  uint32_t n = 0;
  while (n < job->max) {
    const uint8_t *next = md_levels_read_one(p, end, job, &job->out[n]);
    if (next == NULL || (*next != ',' && *next != ']')) break;
    p = next + 1;
    n++;
    job->closed = *next == ']';
    if (job->closed || p >= end) break;
  }
  job->cnt = n;
  return p;
}

md_err_t
md_json_levels(md_json_t *j, int px_exp, int qty_exp, md_level_t *out, uint32_t max,
               uint32_t *cnt) {
  const int       min    = -(int)MD_SWAR_SCALE_MAX;
  const bool      fast   = px_exp <= 0 && px_exp >= min && qty_exp <= 0 && qty_exp >= min;
  const bool      avx2   = md_levels_has_avx2();
  const md_json_t before = *j;
  uint32_t        n      = 0;
  *cnt                   = 0;
  if (!md_json_array_begin(j)) return j->err;
  while (md_json_element(j)) {
    if (fast) {
      md_levels_job_t job = {(unsigned)-px_exp, (unsigned)-qty_exp, out + n, max - n, 0, false};
      j->p = avx2 ? md_levels_avx2(j->p, j->end, &job) : md_levels_swar(j->p, j->end, &job);
      n += job.cnt;
      if (MD_LIKELY(job.closed)) {
        j->depth--;
        break;
      }
    }
    md_err_t err = n < max ? level_general(j, px_exp, qty_exp, &out[n]) : MD_ERR_FULL;
    if (MD_UNLIKELY(err)) {
      if (j->err == MD_OK) *j = before;
      return err;
    }
    n++;
  }
  if (j->err == MD_OK) *cnt = n;
  return j->err;
}

static md_err_t
value_min_exp(md_json_t *j, int *exp) {
  const uint8_t *s;
  uint32_t       len;
  md_number_t    number;
  if (!md_json_number_or_string(j, &s, &len)) return j->err;
  md_err_t err = md_decimal_parse(s, len, &number);
  if (err == MD_OK && number.exponent < *exp) *exp = number.exponent;
  return err;
}

md_err_t
md_json_levels_min_exp(md_json_t j, int *px_exp, int *qty_exp) {
  int px = *px_exp, qty = *qty_exp;
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    if (!md_json_array_begin(&j) || !md_json_element(&j)) return MD_ERR_SYNTAX;
    md_err_t err = value_min_exp(&j, &px);
    if (err) return err;
    if (!md_json_element(&j)) return MD_ERR_SYNTAX;
    err = value_min_exp(&j, &qty);
    if (err) return err;
    while (md_json_element(&j)) {
      if (!md_json_skip(&j)) break;
    }
  }
  if (j.err) return j.err;
  *px_exp  = px;
  *qty_exp = qty;
  return MD_OK;
}
