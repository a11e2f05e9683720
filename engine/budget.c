#include "engine/budget.h"

#include "feeds/transport.h"
#include "writers/journal_sink.h"

#include <stdio.h>
#include <string.h>

#define MIB (1u << 20)

/* Bounds of what has no key. The numbers of a running engine are about a third of them. */
#define PROGRAM_BYTES      (64ull * MIB) /* code, libraries, TLS, stacks, what HTTP answers */
#define RECORDING_BYTES    (32ull * MIB) /* unpacking one */
#define POSTGRES_ROW_BYTES 1024ull       /* of a row in a batch, of which there are two */
#define POSTGRES_BYTES                                                                             \
  (24ull * MIB) /* begun chunks of each table, statements, the client library */
#define TEND_BYTES        (16ull * MIB) /* packing a full segment */
#define OWN_FDS           32u           /* standard ones, log, locks, journal, io_uring, events */
#define HTTP_FDS          (64u + 8u)    /* of each port */
#define FEED_FDS          16u           /* REST, look-ups, events */
#define POSTGRES_FDS      4u
#define LOOKUPS           2u /* of names, by feed: threads that end with their answer */
#define KERNEL_IO_THREADS 8u /* of a sink, which io_uring starts and the kernel counts as ours */
#define LINK_CNT_MAX      (MD_CONNECTION_CNT_MAX / 2)
#define LINK_STREAMS      300u
#define LINK_PATHS        3u /* a venue's streams may be on so many URLs */

typedef struct part {
  const char *name;
  uint64_t    value;
} part_t;

typedef struct parts {
  part_t   part[8];
  uint32_t cnt;
} parts_t;

static void
add(parts_t *p, const char *name, uint64_t value) {
  md_assert(p->cnt < MD_CNT(p->part));
  if (value > 0) p->part[p->cnt++] = (part_t){name, value};
}

/* Without a limit of its own, what its configuration lets it reserve. */
static uint64_t
feed_bytes(const md_config_feed_t *f) {
  uint64_t own = (uint64_t)f->memory_soft;
  if (own == 0) own = (uint64_t)f->memory_hard;
  if (own == 0) own = (uint64_t)f->level_space + (uint64_t)f->sync_buffer;
  return own + (f->recording[0] ? RECORDING_BYTES : 0);
}

/* Each connection may have its successor beside it. */
static uint64_t
feed_fds(const md_config_t *cfg, const md_config_feed_t *f) {
  uint64_t channels = 1;
  if (f->recording[0]) return 1;
  for (const char *c = f->channels; *c; c++)
    channels += *c == ',';
  uint64_t links = (uint64_t)cfg->engine.instruments * channels / LINK_STREAMS + LINK_PATHS;
  return 2 * (links < LINK_CNT_MAX ? links : LINK_CNT_MAX) + FEED_FDS;
}

static void
memory_parts(const md_config_t *cfg, const md_topology_t *t, parts_t *p) {
  uint64_t main_bytes, rings_bytes, feeds = 0;
  md_segment_bytes(&t->segment, &main_bytes, &rings_bytes);
  for (uint32_t i = 0; i < t->feed_cnt; i++)
    feeds += feed_bytes(t->feed_cfg[i]);
  add(p, "shared", main_bytes + rings_bytes);
  add(p, "feeds", feeds);
  add(p, "journal",
      (uint64_t)MD_JOURNAL_SLOT_CNT * MD_JOURNAL_SLOT_BYTES + 2ull * MD_BLOCK_BYTES_MAX +
          TEND_BYTES);
  if (cfg->postgres.enabled)
    add(p, "PostgreSQL",
        2 * (uint64_t)cfg->postgres.batch_rows * POSTGRES_ROW_BYTES + POSTGRES_BYTES);
  add(p, "program", PROGRAM_BYTES);
}

static void
fd_parts(const md_config_t *cfg, const md_topology_t *t, parts_t *p) {
  uint64_t feeds = 0;
  for (uint32_t i = 0; i < t->feed_cnt; i++)
    feeds += feed_fds(cfg, t->feed_cfg[i]);
  add(p, "own", OWN_FDS);
  add(p, "feeds", feeds);
  if (cfg->postgres.enabled) add(p, "PostgreSQL", POSTGRES_FDS);
  if (cfg->monitoring.enabled) add(p, "HTTP", 2 * HTTP_FDS);
}

static void
thread_parts(const md_config_t *cfg, const md_topology_t *t, parts_t *p) {
  uint64_t network = 0;
  for (uint32_t i = 0; i < t->feed_cnt; i++)
    network += t->feed_cfg[i]->recording[0] == 0;
  add(p, "main", 1);
  add(p, "feeds", t->feed_cnt);
  add(p, "sinks", t->sink_cnt);
  add(p, "journal's care", 2);
  add(p, "REST and look-ups", network ? 1 + LOOKUPS * network : 0);
  if (cfg->monitoring.enabled) add(p, "HTTP", 2);
  if (cfg->engine.io != MD_IO_POLL)
    add(p, "the kernel's for io_uring", KERNEL_IO_THREADS * t->sink_cnt);
}

static parts_t
parts_of(const md_config_t *cfg, const md_topology_t *t, md_budget_kind_t kind) {
  static void (*const make[MD_BUDGET_CNT])(const md_config_t *, const md_topology_t *,
                                           parts_t *) = {[MD_BUDGET_MEMORY]  = memory_parts,
                                                         [MD_BUDGET_FDS]     = fd_parts,
                                                         [MD_BUDGET_THREADS] = thread_parts};
  parts_t p                                           = {0};
  make[kind](cfg, t, &p);
  return p;
}

static uint64_t
sum_of(const parts_t *p) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < p->cnt; i++)
    sum += p->part[i].value;
  return sum;
}

void
md_budget_make(const md_config_t *cfg, const md_topology_t *t, md_budget_t *out) {
  for (unsigned kind = 0; kind < MD_BUDGET_CNT; kind++) {
    parts_t p        = parts_of(cfg, t, (md_budget_kind_t)kind);
    out->value[kind] = sum_of(&p);
  }
}

static void
append(char *out, const char *text, md_budget_kind_t kind, uint64_t value) {
  size_t used = strlen(out);
  if (kind == MD_BUDGET_MEMORY)
    (void)snprintf(out + used, MD_BUDGET_LINE_BYTES - used, "%s %.1f", text, (double)value / MIB);
  else
    (void)snprintf(out + used, MD_BUDGET_LINE_BYTES - used, "%s %llu", text,
                   (unsigned long long)value);
}

void
md_budget_line(const md_config_t *cfg, const md_topology_t *t, md_budget_kind_t kind,
               char out[MD_BUDGET_LINE_BYTES]) {
  static const char *const names[MD_BUDGET_CNT] = {"memory", "descriptors", "threads"};
  parts_t                  p                    = parts_of(cfg, t, kind);
  out[0]                                        = 0;
  append(out, names[kind], kind, sum_of(&p));
  for (uint32_t i = 0; i < p.cnt; i++) {
    size_t used = strlen(out);
    (void)snprintf(out + used, MD_BUDGET_LINE_BYTES - used, "%s ",
                   i > 0                      ? ","
                   : kind == MD_BUDGET_MEMORY ? " MiB:"
                                              : ":");
    append(out, p.part[i].name, kind, p.part[i].value);
  }
}
