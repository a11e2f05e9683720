/* hist.h - log-linear latency histogram in shared memory: one writer, any readers.
 *
 * Buckets: exact below 2^MD_HIST_SUB_BITS ns, then 2^MD_HIST_SUB_BITS / 2 equal parts for each
 * power of two up to 2^MD_HIST_MAX_BITS ns (about 18 s); relative width at most 1/16. Above: last
 * bucket. Negative values go to a counter of their own (clocks differ), never clamped into bucket
 * 0. */
#ifndef SHM_HIST_H
#define SHM_HIST_H

#include "shm/atomics.h"
#include "shm/base.h"

#define MD_HIST_SUB_BITS 5u
#define MD_HIST_MAX_BITS 34u
#define MD_HIST_BUCKET_CNT                                                                         \
  ((1u << MD_HIST_SUB_BITS) +                                                                      \
   (MD_HIST_MAX_BITS - MD_HIST_SUB_BITS) * (1u << (MD_HIST_SUB_BITS - 1)) + 1u)

typedef struct md_hist {
  md_atomic_u64 cnt;
  md_atomic_u64 negative_cnt;
  md_atomic_u64 sum_ns; /* of the non-negative ones */
  md_atomic_u64 max_ns;
  md_atomic_u64 bucket[MD_HIST_BUCKET_CNT];
} md_hist_t;

/* A private copy that a reader computes on. */
typedef struct md_hist_copy {
  uint64_t cnt, negative_cnt, sum_ns, max_ns;
  uint64_t bucket[MD_HIST_BUCKET_CNT];
} md_hist_copy_t;

/* md_hist_bucket_of returns the bucket of ns >= 0; md_hist_bucket_low/high its first and last
 * value. */
uint32_t md_hist_bucket_of(uint64_t ns);
uint64_t md_hist_bucket_low(uint32_t bucket);
uint64_t md_hist_bucket_high(uint32_t bucket);

/* md_hist_add counts one value. Writer thread only. */
void md_hist_add(md_hist_t *h, int64_t ns);

/* md_hist_read copies; counts may be of slightly different instants. md_hist_merge adds b to a;
 * md_hist_subtract takes an older copy away (a window). */
void md_hist_read(const md_hist_t *h, md_hist_copy_t *out);
void md_hist_merge(md_hist_copy_t *a, const md_hist_copy_t *b);
void md_hist_subtract(md_hist_copy_t *a, const md_hist_copy_t *older);

/* md_hist_quantile returns the highest value of the bucket that holds rank ceil(q * cnt), q given
 * in parts of a million (500000 = P50, 999000 = P99.9); 0 when empty. Never above max_ns. */
uint64_t md_hist_quantile(const md_hist_copy_t *h, uint32_t q_ppm);

#endif
