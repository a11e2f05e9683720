#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "shm/hist.h"

static md_hist_t hist; /* 4 KiB: not on the stack of a test */

static uint64_t
next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static int
by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

Test(hist, buckets_cover_all_values_without_hole_or_overlap) {
  cr_assert_eq(md_hist_bucket_low(0), 0);
  cr_assert_eq(md_hist_bucket_high(MD_HIST_BUCKET_CNT - 1), UINT64_MAX);
  for (uint32_t i = 0; i + 1 < MD_HIST_BUCKET_CNT; i++)
    cr_assert_eq(md_hist_bucket_high(i) + 1, md_hist_bucket_low(i + 1), "bucket %u", i);
}

Test(hist, both_edges_of_a_bucket_fall_into_it) {
  for (uint32_t i = 0; i < MD_HIST_BUCKET_CNT; i++) {
    cr_assert_eq(md_hist_bucket_of(md_hist_bucket_low(i)), i);
    cr_assert_eq(md_hist_bucket_of(md_hist_bucket_high(i)), i);
  }
}

Test(hist, buckets_are_exact_below_32_and_a_sixteenth_wide_above) {
  for (uint32_t i = 0; i < 32; i++)
    cr_assert_eq(md_hist_bucket_low(i), md_hist_bucket_high(i));
  for (uint32_t i = 32; i + 1 < MD_HIST_BUCKET_CNT; i++) {
    uint64_t low = md_hist_bucket_low(i), width = md_hist_bucket_high(i) - low + 1;
    cr_assert_leq(width * 16, low, "bucket %u", i);
  }
}

Test(hist, quantiles_agree_with_sorted_values_within_a_bucket) {
  enum { CNT = 50000 };
  static uint64_t values[CNT];
  uint64_t        state = 7;
  memset(&hist, 0, sizeof hist);
  for (int i = 0; i < CNT; i++) {
    values[i] = next_random(&state) >> (30 + next_random(&state) % 30);
    md_hist_add(&hist, (int64_t)values[i]);
  }
  qsort(values, CNT, sizeof values[0], by_value);
  md_hist_copy_t copy;
  md_hist_read(&hist, &copy);
  const uint32_t quantiles[] = {0, 1, 500000, 900000, 990000, 999000, 999999, 1000000};
  for (size_t i = 0; i < MD_CNT(quantiles); i++) {
    uint64_t rank = ((uint64_t)CNT * quantiles[i] + 999999) / 1000000;
    uint64_t want = values[rank ? rank - 1 : 0];
    uint64_t got  = md_hist_quantile(&copy, quantiles[i]);
    uint64_t high = md_hist_bucket_high(md_hist_bucket_of(want));
    cr_assert_eq(got, high < copy.max_ns ? high : copy.max_ns, "quantile %u", quantiles[i]);
    cr_assert_geq(got, want);
  }
  cr_assert_eq(md_hist_quantile(&copy, 1000000), values[CNT - 1], "the maximum is exact");
}

Test(hist, small_values_have_exact_quantiles) {
  memset(&hist, 0, sizeof hist);
  for (int64_t ns = 1; ns <= 20; ns++)
    md_hist_add(&hist, ns);
  md_hist_copy_t copy;
  md_hist_read(&hist, &copy);
  cr_assert_eq(md_hist_quantile(&copy, 500000), 10);
  cr_assert_eq(md_hist_quantile(&copy, 950000), 19);
  cr_assert_eq(md_hist_quantile(&copy, 1000000), 20);
  cr_assert_eq(copy.cnt, 20);
  cr_assert_eq(copy.sum_ns, 210);
}

Test(hist, negative_values_are_counted_apart) {
  memset(&hist, 0, sizeof hist);
  md_hist_add(&hist, -5);
  md_hist_add(&hist, INT64_MIN);
  md_hist_copy_t copy;
  md_hist_read(&hist, &copy);
  cr_assert_eq(copy.negative_cnt, 2);
  cr_assert_eq(copy.cnt, 0);
  cr_assert_eq(copy.bucket[0], 0);
  cr_assert_eq(md_hist_quantile(&copy, 500000), 0, "empty");
}

Test(hist, values_above_the_range_stay_below_the_maximum) {
  memset(&hist, 0, sizeof hist);
  md_hist_add(&hist, INT64_MAX);
  md_hist_add(&hist, (int64_t)1 << MD_HIST_MAX_BITS);
  md_hist_copy_t copy;
  md_hist_read(&hist, &copy);
  cr_assert_eq(copy.bucket[MD_HIST_BUCKET_CNT - 1], 2);
  cr_assert_eq(md_hist_quantile(&copy, 1000000), INT64_MAX);
}

Test(hist, a_window_is_the_difference_of_two_copies) {
  memset(&hist, 0, sizeof hist);
  md_hist_copy_t older, now, other;
  md_hist_add(&hist, 10);
  md_hist_read(&hist, &older);
  md_hist_add(&hist, 20);
  md_hist_add(&hist, 20);
  md_hist_read(&hist, &now);
  other = older;
  md_hist_merge(&other, &now);
  cr_assert_eq(other.cnt, 4);
  md_hist_subtract(&now, &older);
  cr_assert_eq(now.cnt, 2);
  cr_assert_eq(md_hist_quantile(&now, 1), 20);
  md_hist_subtract(&older, &other);
  cr_assert_eq(older.cnt, 0, "an older copy that is larger leaves nothing");
}
