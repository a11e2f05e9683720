/* test_rest_cost - a feed's thread asks REST without memory of its own. The calls of the code under
 * test are counted by the linker's wrapper. */
#include "feeds/rest_ring.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static uint64_t alloc_cnt;

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);

void *
__wrap_malloc(size_t bytes) {
  alloc_cnt++;
  return __real_malloc(bytes);
}

static md_ring_producer_t producer;
static md_rest_taker_t    taker;

/* Puts len bytes of payload behind a name and takes them again; returns the allocations of the
 * put. */
static uint64_t
put_and_take(uint32_t len) {
  static uint8_t   payload[3 * MD_RECORD_BYTES_MAX];
  const char       name[] = "https://a.test/api/v3/exchangeInfo";
  const md_input_t in     = {.kind     = MD_RAW_CLOSE,
                             .name     = name,
                             .name_len = sizeof name - 1,
                             .payload  = payload,
                             .len      = len,
                             .recv_ns  = 7};
  md_input_t       out;
  uint64_t         value = 0;
  const uint64_t   was   = alloc_cnt;
  cr_assert_eq(md_rest_ring_put(&producer, &in, 42), MD_OK);
  const uint64_t took = alloc_cnt - was;
  cr_assert_eq(md_rest_ring_take(&taker, &out, &value), MD_OK);
  cr_expect_eq(value, 42);
  cr_expect_eq(out.len, len);
  cr_expect_eq(out.name_len, sizeof name - 1);
  cr_expect_arr_eq(out.name, name, sizeof name - 1);
  return took;
}

Test(rest_cost, defect_the_question_for_the_list_took_memory_every_ten_minutes) {
  md_ring_t *ring = md_rest_ring_new("questions", 1u << 20);
  cr_assert_not_null(ring);
  md_ring_producer_init(&producer, ring);
  md_ring_consumer_init(&taker.consumer, ring);
  cr_expect_eq(put_and_take(0), 0);
  cr_expect_eq(put_and_take(2000), 0);
  cr_expect_eq(put_and_take(2 * MD_RECORD_BYTES_MAX), 1,
               "an answer in parts is not one: so calls are counted");
  free(taker.buffer);
  md_rest_ring_delete(ring);
}
