#include "engine/topology.h"

#include <string.h>

static const char *const sink_names[] = {"journal", "postgres"};

static void
add_thread(md_topology_t *t, uint32_t *n, uint32_t kind, uint32_t index, int64_t core,
           const char *prefix, const char *name) {
  md_assert(*n < MD_THREAD_CNT_MAX);
  (void)snprintf(t->thread_name[*n], MD_NAME_BYTES, "%s%s", prefix, name);
  t->threads[*n] = (md_segment_thread_t){t->thread_name[*n], kind, index, (int32_t)core};
  (*n)++;
}

static void
add_rings(md_topology_t *t, uint32_t feed) {
  const md_config_feed_t *cfg = t->feed_cfg[feed];
  for (uint32_t s = 0; s < t->sink_cnt; s++) {
    uint32_t i = feed * t->sink_cnt + s;
    md_assert(i < MD_RING_CNT_MAX);
    (void)snprintf(t->ring_name[i], MD_NAME_BYTES, "%.20s.%s", cfg->name, sink_names[s]);
    int64_t bytes = s == MD_SINK_JOURNAL ? cfg->journal_ring : cfg->postgres_ring;
    t->rings[i] =
        (md_segment_ring_t){(uint16_t)feed, (uint16_t)s, t->ring_name[i], (uint64_t)bytes};
  }
}

md_err_t
md_topology_make(const md_config_t *cfg, const char *only, md_topology_t *t, md_msg_t *msg) {
  static const uint32_t modes[]    = {0640, 0600, 0644}; /* by engine.shm_readers */
  uint32_t              thread_cnt = 0;
  memset(t, 0, sizeof *t);
  t->sink_cnt = cfg->postgres.enabled ? 2 : 1;
  for (uint32_t i = 0; i < cfg->feed_cnt; i++) {
    const md_config_feed_t *f = &cfg->feed[i];
    if (!f->enabled || (only && strcmp(only, f->name) != 0)) continue;
    uint32_t n     = t->feed_cnt++;
    t->feed_cfg[n] = f;
    t->feeds[n]    = (md_segment_feed_t){.name         = f->name,
                                         .venue        = f->name,
                                         .keep_raw     = f->raw != 0,
                                         .depth_levels = (uint32_t)f->depth,
                                         .tape_bytes   = (uint64_t)f->tape};
    add_rings(t, n);
    add_thread(t, &thread_cnt, MD_THREAD_FEED, n, f->core, "feed:", f->name);
  }
  if (t->feed_cnt == 0)
    return md_fail(msg, MD_ERR_CONFIG,
                   "%s: no enabled feed '%s'; `mdengine check -c %s` lists the feeds", cfg->file,
                   only ? only : "", cfg->file);
  add_thread(t, &thread_cnt, MD_THREAD_WRITER, MD_SINK_JOURNAL, cfg->journal.core,
             "writer:", "journal");
  if (t->sink_cnt > 1)
    add_thread(t, &thread_cnt, MD_THREAD_WRITER, MD_SINK_POSTGRES, cfg->postgres.core,
               "writer:", "postgres");
  add_thread(t, &thread_cnt, MD_THREAD_MONITOR, 0, -1, "", "monitor");
  t->segment = (md_segment_config_t){.name                = cfg->engine.name,
                                     .dir                 = cfg->engine.shm_dir,
                                     .mode                = modes[cfg->engine.shm_readers],
                                     .sealed              = cfg->engine.shm_mode == 1,
                                     .group               = cfg->engine.shm_group,
                                     .instrument_capacity = (uint32_t)cfg->engine.instruments,
                                     .book_bytes          = (uint64_t)cfg->engine.book_space,
                                     .feeds               = t->feeds,
                                     .feed_cnt            = t->feed_cnt,
                                     .rings               = t->rings,
                                     .ring_cnt            = t->feed_cnt * t->sink_cnt,
                                     .threads             = t->threads,
                                     .thread_cnt          = thread_cnt};
  return MD_OK;
}

uint32_t
md_topology_writer_row(const md_topology_t *t, uint32_t sink) {
  return t->feed_cnt + sink;
}

uint32_t
md_topology_monitor_row(const md_topology_t *t) {
  return t->feed_cnt + t->sink_cnt;
}

void
md_topology_print(const md_topology_t *t, FILE *out) {
  uint64_t main_bytes, rings_bytes;
  md_segment_bytes(&t->segment, &main_bytes, &rings_bytes);
  for (uint32_t i = 0; i < t->segment.thread_cnt; i++) {
    if (t->threads[i].core >= 0)
      (void)fprintf(out, "thread  %-28s core %d\n", t->threads[i].name, t->threads[i].core);
    else
      (void)fprintf(out, "thread  %-28s not pinned\n", t->threads[i].name);
  }
  for (uint32_t i = 0; i < t->segment.ring_cnt; i++)
    (void)fprintf(out, "ring    %-28s %.1f MiB\n", t->rings[i].name,
                  (double)t->rings[i].capacity_bytes / 1048576.0);
  for (uint32_t i = 0; i < t->feed_cnt; i++) {
    uint64_t book = md_book_footprint(t->feeds[i].depth_levels);
    (void)fprintf(out, "books   %-28s %.1f KiB each at depth %u: %llu fit\n", t->feeds[i].name,
                  (double)book / 1024.0, t->feeds[i].depth_levels,
                  (unsigned long long)(t->segment.book_bytes / book));
  }
  (void)fprintf(out, "memory  %s/mdengine.%s %.1f MiB, rings %.1f MiB\n", t->segment.dir,
                t->segment.name, (double)main_bytes / 1048576.0, (double)rings_bytes / 1048576.0);
}
