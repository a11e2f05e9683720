/* durable.h - how soon records are durable that come at a fixed rate: the journal's sink beside the
 * plainest group commit, on a disk whose own pace changes.
 *
 * A P99 of one turn is decided by one slow sync, and which side meets it is chance. So turns are
 * short and alternate, all of a side's times are one distribution, and the row is judged only when
 * the disk allows it: a round counts when plain synced writes before and behind it took what they
 * usually take, and the two halves of each side must agree with each other. */
#ifndef BENCH_DURABLE_H
#define BENCH_DURABLE_H

#include "bench/rig.h"
#include "bench/store.h"

/* md_bench_durable measures for about budget_ns and adds the row journal.durable.p99. group is a
 * journal with the policy batch, primed. False: it does not become durable, a defect. */
bool md_bench_durable(md_bench_t *b, const md_bench_store_t *s, md_bench_rig_t *group,
                      int64_t budget_ns);

/* md_bench_durable_without adds the row without figures. */
void md_bench_durable_without(md_bench_t *b, const char *why);

#endif
