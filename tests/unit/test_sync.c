#include "feeds/sync.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static md_sync_verdict_t
first(uint64_t snapshot_id, uint64_t update_first, uint64_t update_last) {
  md_update_ids_t ids = {update_first, update_last, MD_NULL_U64};
  return md_sync_binance_spot.first(snapshot_id, &ids);
}

static md_sync_verdict_t
next(uint64_t last_id, uint64_t update_first, uint64_t update_last) {
  md_update_ids_t ids = {update_first, update_last, MD_NULL_U64};
  return md_sync_binance_spot.next(last_id, &ids);
}

Test(sync_binance_spot, first_update_right_behind_the_snapshot_is_applied) {
  cr_assert_eq(first(100, 101, 105), MD_SYNC_APPLY);
}

Test(sync_binance_spot,
     updates_older_than_the_snapshot_are_dropped_and_the_overlapping_one_applied) {
  cr_assert_eq(first(100, 90, 95), MD_SYNC_DROP);
  cr_assert_eq(first(100, 96, 100), MD_SYNC_DROP);
  cr_assert_eq(first(100, 98, 103), MD_SYNC_APPLY);
}

Test(sync_binance_spot, snapshot_older_than_the_first_update_is_a_gap) {
  cr_assert_eq(first(100, 110, 112), MD_SYNC_GAP);
  cr_assert_eq(first(100, 102, 102), MD_SYNC_GAP);
}

Test(sync_binance_spot, missing_id_is_a_gap_and_the_following_one_is_applied) {
  cr_assert_eq(next(103, 106, 107), MD_SYNC_GAP);
  cr_assert_eq(next(103, 105, 105), MD_SYNC_GAP);
  cr_assert_eq(next(103, 104, 104), MD_SYNC_APPLY);
  cr_assert_eq(next(103, 104, 150), MD_SYNC_APPLY);
}

Test(sync_binance_spot, same_or_older_update_is_a_duplicate) {
  cr_assert_eq(next(105, 101, 105), MD_SYNC_DROP);
  cr_assert_eq(next(105, 90, 95), MD_SYNC_DROP);
}

Test(sync_binance_spot, update_that_reaches_back_is_an_overlap) {
  cr_assert_eq(next(105, 100, 110), MD_SYNC_OVERLAP);
  cr_assert_eq(next(105, 105, 106), MD_SYNC_OVERLAP);
}

Test(sync_binance_spot, ids_at_the_end_of_their_range_do_not_wrap) {
  cr_assert_eq(first(UINT64_MAX, 0, 5), MD_SYNC_DROP);
  cr_assert_eq(next(UINT64_MAX, 0, UINT64_MAX), MD_SYNC_DROP);
  cr_assert_eq(next(UINT64_MAX - 1, UINT64_MAX, UINT64_MAX), MD_SYNC_APPLY);
}

/* ---- Binance futures ---- */

static md_sync_verdict_t
futures_first(uint64_t snapshot_id, uint64_t update_first, uint64_t update_last, uint64_t prev) {
  md_update_ids_t ids = {update_first, update_last, prev};
  return md_sync_binance_futures.first(snapshot_id, &ids);
}

static md_sync_verdict_t
futures_next(uint64_t last_id, uint64_t update_first, uint64_t update_last, uint64_t prev) {
  md_update_ids_t ids = {update_first, update_last, prev};
  return md_sync_binance_futures.next(last_id, &ids);
}

Test(sync_binance_futures, update_that_covers_the_snapshot_is_the_first) {
  cr_assert_eq(futures_first(100, 90, 99, 80), MD_SYNC_DROP);
  cr_assert_eq(futures_first(100, 95, 103, 93), MD_SYNC_APPLY);
  cr_assert_eq(futures_first(100, 100, 100, 93), MD_SYNC_APPLY);
  cr_assert_eq(futures_first(100, 101, 105, 99), MD_SYNC_GAP, "not spot's rule");
}

Test(sync_binance_futures, case_13_first_update_that_ends_with_the_snapshot_is_applied) {
  cr_assert_eq(futures_first(100, 95, 100, 93), MD_SYNC_APPLY);
}

Test(sync_binance_futures, case_14_first_update_that_continues_the_snapshot_is_applied) {
  cr_assert_eq(futures_first(100, 107, 110, 100), MD_SYNC_APPLY);
  cr_assert_eq(futures_first(100, 107, 110, MD_NULL_U64), MD_SYNC_GAP);
}

Test(sync_binance_futures, case_15_a_range_over_our_id_does_not_stand_for_the_chain) {
  cr_assert_eq(futures_next(500, 480, 520, 490), MD_SYNC_GAP);
  cr_assert_eq(futures_next(500, 501, 520, 499), MD_SYNC_GAP);
  cr_assert_eq(futures_next(500, 501, 520, MD_NULL_U64), MD_SYNC_GAP);
}

Test(sync_binance_futures, case_16_ids_may_jump_where_the_chain_holds) {
  cr_assert_eq(futures_next(520, 700, 712, 520), MD_SYNC_APPLY);
}

Test(sync_binance_futures, same_or_older_update_is_a_duplicate) {
  cr_assert_eq(futures_next(500, 480, 500, 470), MD_SYNC_DROP);
  cr_assert_eq(futures_next(500, 440, 450, 430), MD_SYNC_DROP);
  cr_assert_eq(futures_next(UINT64_MAX, 0, UINT64_MAX, 0), MD_SYNC_DROP);
}

Test(sync_deribit, an_update_continues_when_it_names_the_one_before_it) {
  const struct {
    uint64_t          last_id, id, prev;
    md_sync_verdict_t verdict;
  } rows[] = {
      {100, 101, 100, MD_SYNC_APPLY},
      {100, 9000, 100, MD_SYNC_APPLY}, /* ids jump */
      {100, 9000, 8999, MD_SYNC_GAP},
      {100, 101, MD_NULL_U64, MD_SYNC_GAP},
      {100, 100, 90, MD_SYNC_DROP},
      {100, 95, 90, MD_SYNC_DROP},
      {0, 7, 0, MD_SYNC_APPLY}, /* an empty book has id 0 */
      {UINT64_MAX - 1, UINT64_MAX, 5, MD_SYNC_GAP},
  };
  for (size_t n = 0; n < MD_CNT(rows); n++) {
    md_update_ids_t ids = {rows[n].id, rows[n].id, rows[n].prev};
    cr_expect_eq(md_sync_deribit.next(rows[n].last_id, &ids), rows[n].verdict, "row %zu", n);
    cr_expect_eq(md_sync_deribit.first(rows[n].last_id, &ids), rows[n].verdict, "row %zu", n);
  }
}

/* ---- the queue ---- */

#define QUEUE_BYTES (1u << 20)

static md_level_t levels[20000];

static md_err_t
push(md_sync_queue_t *q, uint64_t max_bytes, uint64_t id, uint32_t bid_cnt, uint32_t ask_cnt) {
  md_sync_pending_t p = {.ids = {id, id, MD_NULL_U64}, .bid_cnt = bid_cnt, .ask_cnt = ask_cnt};
  for (uint32_t i = 0; i < bid_cnt + ask_cnt; i++) {
    levels[i] = (md_level_t){(int64_t)id, (int64_t)i};
  }
  return md_sync_queue_push(q, max_bytes, &p, levels, levels + bid_cnt);
}

/* The oldest one is id with all of its levels; it is taken off. */
static void
check_pop(md_sync_queue_t *q, uint64_t id, uint32_t bid_cnt, uint32_t ask_cnt) {
  const md_sync_pending_t *p = md_sync_queue_peek(q);
  cr_assert_not_null(p);
  cr_assert_eq(p->ids.first, id);
  cr_assert_eq(p->bid_cnt, bid_cnt);
  cr_assert_eq(p->ask_cnt, ask_cnt);
  const md_level_t *l = (const md_level_t *)(p + 1);
  for (uint32_t i = 0; i < bid_cnt + ask_cnt; i++) {
    cr_assert(l[i].px == (int64_t)id && l[i].qty == (int64_t)i);
  }
  md_sync_queue_pop(q);
}

Test(sync_queue, gives_updates_back_in_order_across_chunks) {
  md_sync_pool_t *pool = md_sync_pool_new(16u << 20);
  md_sync_queue_t q;
  md_sync_queue_init(&q, pool);
  cr_assert_null(md_sync_queue_peek(&q));
  for (uint64_t id = 1; id <= 500; id++) {
    cr_assert_eq(push(&q, QUEUE_BYTES, id, (uint32_t)(id * 7 % 90), (uint32_t)(id * 5 % 11)),
                 MD_OK);
  }
  for (uint64_t id = 1; id <= 500; id++) {
    check_pop(&q, id, (uint32_t)(id * 7 % 90), (uint32_t)(id * 5 % 11));
  }
  cr_assert_null(md_sync_queue_peek(&q));
  cr_assert_eq(q.cnt, 0);
  cr_assert_eq(q.bytes, 0);
  cr_assert_eq(q.dropped_cnt, 0);
  md_sync_pool_delete(pool);
}

Test(sync_queue, takes_an_update_larger_than_a_chunk) {
  md_sync_pool_t *pool = md_sync_pool_new(16u << 20);
  md_sync_queue_t q;
  md_sync_queue_init(&q, pool);
  cr_assert_eq(push(&q, QUEUE_BYTES, 1, 3, 0), MD_OK);
  cr_assert_eq(push(&q, QUEUE_BYTES, 2, 12000, 8000), MD_OK);
  cr_assert_eq(push(&q, QUEUE_BYTES, 3, 0, 0), MD_OK);
  check_pop(&q, 1, 3, 0);
  check_pop(&q, 2, 12000, 8000);
  check_pop(&q, 3, 0, 0);
  md_sync_pool_delete(pool);
}

Test(sync_queue, drops_and_counts_the_oldest_when_over_its_bound) {
  md_sync_pool_t *pool = md_sync_pool_new(16u << 20);
  md_sync_queue_t q;
  md_sync_queue_init(&q, pool);
  uint64_t one = sizeof(md_sync_pending_t) + 10 * sizeof(md_level_t);
  for (uint64_t id = 1; id <= 1000; id++) {
    cr_assert_eq(push(&q, 100 * one, id, 4, 6), MD_OK);
    cr_assert_leq(q.bytes, 100 * one);
  }
  cr_assert_eq(q.cnt, 100);
  cr_assert_eq(q.dropped_cnt, 900);
  check_pop(&q, 901, 4, 6);
  cr_assert_eq(push(&q, one - 1, 1001, 4, 6), MD_ERR_FULL);
  cr_assert_eq(q.cnt, 99);
  md_sync_queue_clear(&q);
  cr_assert_eq(q.dropped_cnt, 0);
  cr_assert_null(md_sync_queue_peek(&q));
  md_sync_pool_delete(pool);
}

Test(sync_queue, shares_a_used_up_pool_by_dropping_its_own_oldest) {
  md_sync_pool_t *pool = md_sync_pool_new(1); /* one run of 16 MiB */
  md_sync_queue_t greedy, other;
  md_sync_queue_init(&greedy, pool);
  md_sync_queue_init(&other, pool);
  for (uint64_t id = 1; id <= 40000; id++) {
    cr_assert_eq(push(&greedy, UINT64_MAX / 2, id, 30, 30), MD_OK);
  }
  cr_assert_gt(greedy.dropped_cnt, 0);
  cr_assert_eq(greedy.cnt + greedy.dropped_cnt, 40000);
  cr_assert_eq(md_sync_queue_peek(&greedy)->ids.first, greedy.dropped_cnt + 1);
  cr_assert_eq(push(&other, QUEUE_BYTES, 1, 1, 1), MD_ERR_FULL);
  cr_assert_eq(other.cnt, 0);
  md_sync_queue_clear(&greedy);
  cr_assert_eq(push(&other, QUEUE_BYTES, 1, 1, 1), MD_OK);
  check_pop(&other, 1, 1, 1);
  md_sync_pool_delete(pool);
}
