/* budget.h - how much memory, how many descriptors and threads an engine of a configuration may
 * have, and what of: a promise that it makes at its start.
 *
 * Each budget is a sum of parts that are bounds, none of them measured: so what is above it, is
 * nothing that anybody meant. `check` prints it, `run` logs it, /metrics has it beside what the
 * process has, and alerts compare. */
#ifndef ENGINE_BUDGET_H
#define ENGINE_BUDGET_H

#include "engine/topology.h"
#include "monitoring/prometheus.h"

#define MD_BUDGET_LINE_BYTES 400u

/* md_budget_make works it out. */
void md_budget_make(const md_config_t *cfg, const md_topology_t *t, md_budget_t *out);

/* md_budget_line says one of the three, MD_BUDGET_MEMORY ..., with its parts: "memory 205.0 MiB:
 * shared 145.0, ...". */
void md_budget_line(const md_config_t *cfg, const md_topology_t *t, md_budget_kind_t kind,
                    char out[MD_BUDGET_LINE_BYTES]);

#endif
