#include "shm/hist.h"

#define EXACT_CNT (1u << MD_HIST_SUB_BITS)  /* buckets that hold one value each */
#define PART_BITS (MD_HIST_SUB_BITS - 1u)   /* parts of each power of two above, in bits */
#define LAST      (MD_HIST_BUCKET_CNT - 1u) /* everything above the range */
#define PPM       1000000u

uint32_t
md_hist_bucket_of(uint64_t ns) {
  if (ns < EXACT_CNT) return (uint32_t)ns;
  uint32_t power = 63u - (uint32_t)__builtin_clzll(ns);
  if (power >= MD_HIST_MAX_BITS) return LAST;
  uint32_t part = (uint32_t)(ns >> (power - PART_BITS)) & ((1u << PART_BITS) - 1u);
  return EXACT_CNT + ((power - MD_HIST_SUB_BITS) << PART_BITS) + part;
}

uint64_t
md_hist_bucket_low(uint32_t bucket) {
  md_assert(bucket < MD_HIST_BUCKET_CNT);
  if (bucket < EXACT_CNT) return bucket;
  if (bucket == LAST) return 1ull << MD_HIST_MAX_BITS;
  uint32_t power = ((bucket - EXACT_CNT) >> PART_BITS) + MD_HIST_SUB_BITS;
  uint64_t part  = (bucket - EXACT_CNT) & ((1u << PART_BITS) - 1u);
  return ((1ull << PART_BITS) + part) << (power - PART_BITS);
}

uint64_t
md_hist_bucket_high(uint32_t bucket) {
  md_assert(bucket < MD_HIST_BUCKET_CNT);
  return bucket == LAST ? UINT64_MAX : md_hist_bucket_low(bucket + 1) - 1;
}

/* All words are relaxed: each is a number by itself, and a reader accepts slightly different
 * instants. */
void
md_hist_add(md_hist_t *h, int64_t ns) {
  if (ns < 0) {
    md_bump(&h->negative_cnt, 1u);
    return;
  }
  uint64_t value = (uint64_t)ns;
  md_bump(&h->cnt, 1u);
  md_bump(&h->sum_ns, value);
  md_bump(&h->bucket[md_hist_bucket_of(value)], 1u);
  if (value > md_load_relaxed(&h->max_ns)) md_store_relaxed(&h->max_ns, value);
}

void
md_hist_read(const md_hist_t *h, md_hist_copy_t *out) {
  out->cnt          = md_load_relaxed(&h->cnt);
  out->negative_cnt = md_load_relaxed(&h->negative_cnt);
  out->sum_ns       = md_load_relaxed(&h->sum_ns);
  for (uint32_t i = 0; i < MD_HIST_BUCKET_CNT; i++)
    out->bucket[i] = md_load_relaxed(&h->bucket[i]);
  out->max_ns = md_load_relaxed(&h->max_ns);
}

void
md_hist_merge(md_hist_copy_t *a, const md_hist_copy_t *b) {
  a->cnt += b->cnt;
  a->negative_cnt += b->negative_cnt;
  a->sum_ns += b->sum_ns;
  if (b->max_ns > a->max_ns) a->max_ns = b->max_ns;
  for (uint32_t i = 0; i < MD_HIST_BUCKET_CNT; i++)
    a->bucket[i] += b->bucket[i];
}

/* An older copy of another engine start may be larger: the window is then empty, not huge. */
static uint64_t
minus(uint64_t now, uint64_t before) {
  return now > before ? now - before : 0;
}

void
md_hist_subtract(md_hist_copy_t *a, const md_hist_copy_t *older) {
  a->cnt          = minus(a->cnt, older->cnt);
  a->negative_cnt = minus(a->negative_cnt, older->negative_cnt);
  a->sum_ns       = minus(a->sum_ns, older->sum_ns);
  for (uint32_t i = 0; i < MD_HIST_BUCKET_CNT; i++)
    a->bucket[i] = minus(a->bucket[i], older->bucket[i]);
}

uint64_t
md_hist_quantile(const md_hist_copy_t *h, uint32_t q_ppm) {
  md_assert(q_ppm <= PPM);
  uint64_t total = 0; /* of the buckets: h->cnt may be of another instant */
  for (uint32_t i = 0; i < MD_HIST_BUCKET_CNT; i++)
    total += h->bucket[i];
  if (total == 0) return 0;
  uint64_t rank = (total / PPM) * q_ppm + ((total % PPM) * q_ppm + PPM - 1) / PPM;
  if (rank == 0) rank = 1;
  uint64_t below = 0;
  for (uint32_t i = 0; i < MD_HIST_BUCKET_CNT; i++) {
    below += h->bucket[i];
    if (below >= rank) {
      uint64_t high = md_hist_bucket_high(i);
      return high < h->max_ns ? high : h->max_ns;
    }
  }
  return h->max_ns;
}
