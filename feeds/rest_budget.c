#include "feeds/rest_budget.h"

#include <string.h>

#define NS_PER_S 1000000000

void
md_rest_budget_init(md_rest_budget_t *b, uint32_t weight_per_min) {
  memset(b, 0, sizeof *b);
  b->weight_per_min = weight_per_min;
  for (uint32_t n = 0; n < MD_REST_BUDGET_SLOTS; n++)
    b->second[n] = INT64_MIN / 2;
}

static uint64_t
used_at(const md_rest_budget_t *b, int64_t now_ns) {
  const int64_t second = now_ns / NS_PER_S;
  uint64_t      used   = 0;
  for (uint32_t n = 0; n < MD_REST_BUDGET_SLOTS; n++)
    if (second - b->second[n] < (int64_t)MD_REST_BUDGET_SLOTS) used += b->used[n];
  return used;
}

bool
md_rest_budget_may(const md_rest_budget_t *b, int64_t now_ns, uint32_t weight) {
  if (now_ns < b->blocked_until_ns || now_ns < b->paced_until_ns) return false;
  const uint64_t used = used_at(b, now_ns);
  return used == 0 || used + weight <= b->weight_per_min;
}

uint32_t
md_rest_budget_left(const md_rest_budget_t *b, int64_t now_ns) {
  const uint64_t used = used_at(b, now_ns);
  if (now_ns < b->blocked_until_ns || used >= b->weight_per_min) return 0;
  return b->weight_per_min - (uint32_t)used;
}

void
md_rest_budget_use(md_rest_budget_t *b, int64_t now_ns, uint32_t weight, int64_t pace_ns) {
  const int64_t second = now_ns / NS_PER_S;
  uint32_t      slot   = (uint32_t)((uint64_t)second % MD_REST_BUDGET_SLOTS);
  if (b->second[slot] != second) b->used[slot] = 0;
  b->second[slot] = second;
  b->used[slot] += weight;
  b->paced_until_ns = now_ns + pace_ns;
}

void
md_rest_budget_block(md_rest_budget_t *b, int64_t until_ns) {
  if (until_ns > b->blocked_until_ns) b->blocked_until_ns = until_ns;
}
