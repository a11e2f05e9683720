/* rest_budget.h - how much of a host's weight is used: exact over any 60 seconds. Pure, one thread.
 */
#ifndef FEEDS_REST_BUDGET_H
#define FEEDS_REST_BUDGET_H

#include "shm/base.h"

#define MD_REST_BUDGET_SLOTS 61u /* seconds: the running one and the 60 before it */

typedef struct md_rest_budget {
  uint32_t weight_per_min;
  int64_t  blocked_until_ns; /* by 429, 418 */
  int64_t  paced_until_ns;   /* one request after another */
  int64_t  second[MD_REST_BUDGET_SLOTS];
  uint32_t used[MD_REST_BUDGET_SLOTS];
} md_rest_budget_t;

void md_rest_budget_init(md_rest_budget_t *b, uint32_t weight_per_min);

/* md_rest_budget_may says whether weight may be used at now (monotonic ns). A weight above the
 * whole budget may be used when nothing else is. */
bool md_rest_budget_may(const md_rest_budget_t *b, int64_t now_ns, uint32_t weight);

/* md_rest_budget_left says how much may be used at now, 0 while blocked. */
uint32_t md_rest_budget_left(const md_rest_budget_t *b, int64_t now_ns);

/* md_rest_budget_use notes it; the next request waits for pace_ns. */
void md_rest_budget_use(md_rest_budget_t *b, int64_t now_ns, uint32_t weight, int64_t pace_ns);

/* md_rest_budget_block lets nothing through until then. Never makes an earlier block shorter. */
void md_rest_budget_block(md_rest_budget_t *b, int64_t until_ns);

#endif
