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

static uint64_t
book_bytes(const md_topology_t *t, uint32_t feed) {
  return md_align_up(md_book_footprint(t->feeds[feed].depth_levels), MD_CACHE_BLOCK);
}

/* How many instruments a feed may have. A list of symbols brings others with it, such as the
 * indices of their contracts; of a recording nothing is known. */
static uint64_t
instruments_max(const md_config_t *cfg, const md_config_feed_t *f) {
  const uint64_t rows = (uint64_t)cfg->engine.instruments;
  const uint64_t want = f->recording[0] ? rows : 2 * md_config_symbols_max(cfg, f->symbols) + 8;
  return want < rows ? want : rows;
}

/* The feed with the largest books of those that are not placed yet. */
static uint32_t
largest_left(const md_topology_t *t, const bool placed[MD_FEED_CNT_MAX]) {
  uint32_t best = UINT32_MAX;
  for (uint32_t i = 0; i < t->feed_cnt; i++)
    if (!placed[i] && (best == UINT32_MAX || book_bytes(t, i) > book_bytes(t, best))) best = i;
  return best;
}

/* Room for the books of every instrument that there may be: the rows of the directory are for all
 * feeds, so it is enough for whoever takes them when those with the largest books come first. */
static uint64_t
plan_books(const md_config_t *cfg, md_topology_t *t) {
  bool     placed[MD_FEED_CNT_MAX] = {false};
  uint64_t left = (uint64_t)cfg->engine.instruments, bytes = 0;
  for (uint32_t n = 0; n < t->feed_cnt; n++) {
    const uint32_t i    = largest_left(t, placed);
    const uint64_t want = instruments_max(cfg, t->feed_cfg[i]);
    placed[i]           = true;
    t->book_cnt[i]      = (uint32_t)(want < left ? want : left);
    left -= t->book_cnt[i];
    bytes += t->book_cnt[i] * book_bytes(t, i);
  }
  return bytes;
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
  t->segment             = (md_segment_config_t){.name                = cfg->engine.name,
                                                 .dir                 = cfg->engine.shm_dir,
                                                 .mode                = modes[cfg->engine.shm_readers],
                                                 .sealed              = cfg->engine.shm_mode == 1,
                                                 .group               = cfg->engine.shm_group,
                                                 .instrument_capacity = (uint32_t)cfg->engine.instruments,
                                                 .book_bytes          = plan_books(cfg, t),
                                                 .feeds               = t->feeds,
                                                 .feed_cnt            = t->feed_cnt,
                                                 .rings               = t->rings,
                                                 .ring_cnt            = t->feed_cnt * t->sink_cnt,
                                                 .threads             = t->threads,
                                                 .thread_cnt          = thread_cnt};
  t->is_book_space_given = cfg->engine.book_space > 0;
  if (t->is_book_space_given) {
    t->segment.book_bytes = (uint64_t)cfg->engine.book_space;
    for (uint32_t i = 0; i < t->feed_cnt; i++)
      t->book_cnt[i] = (uint32_t)(t->segment.book_bytes / book_bytes(t, i));
  }
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

static uint64_t
tape_bytes(const md_topology_t *t, uint32_t feed) {
  const uint64_t capacity = t->feeds[feed].tape_bytes;
  return capacity ? md_align_up(md_tape_footprint(capacity), MD_CACHE_BLOCK) : 0;
}

static uint64_t
tapes_bytes(const md_topology_t *t) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < t->feed_cnt; i++)
    bytes += tape_bytes(t, i);
  return bytes;
}

/* What a feed takes of the two files: its books, its tape, its rings. */
static void
print_feed(const md_topology_t *t, uint32_t feed, FILE *out) {
  const double   mib     = 1048576.0;
  const uint64_t book    = book_bytes(t, feed);
  const bool     shared  = t->is_book_space_given;
  uint64_t       rings   = 0;
  char           own[48] = "what it wants";
  uint64_t       books   = shared ? 0 : t->book_cnt[feed] * book;
  uint64_t       tape    = tape_bytes(t, feed);
  if (t->feed_cfg[feed]->memory_hard > 0)
    (void)snprintf(own, sizeof own, "%.1f", (double)t->feed_cfg[feed]->memory_hard / mib);
  for (uint32_t s = 0; s < t->sink_cnt; s++)
    rings += md_ring_footprint(t->rings[feed * t->sink_cnt + s].capacity_bytes);
  (void)fprintf(out, "books   %-28s %u of %.1f KiB at depth %u: %.1f MiB%s\n", t->feeds[feed].name,
                t->book_cnt[feed], (double)book / 1024.0, t->feeds[feed].depth_levels,
                (double)(t->book_cnt[feed] * book) / mib,
                shared ? ", if no other feed has any" : "");
  (void)fprintf(
      out, "memory  %-28s %.1f MiB: books %.1f, tape %.1f, rings %.1f; of its own at most %s\n",
      t->feeds[feed].name, (double)(books + tape + rings) / mib, (double)books / mib,
      (double)tape / mib, (double)rings / mib, own);
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
  for (uint32_t i = 0; i < t->feed_cnt; i++)
    print_feed(t, i, out);
  (void)fprintf(
      out, "memory  %-28s %.1f MiB of %u rows%s%.1f MiB\n", "instruments, status, metrics",
      (double)(main_bytes - t->segment.book_bytes - tapes_bytes(t)) / 1048576.0,
      t->segment.instrument_capacity, t->is_book_space_given ? "; all books " : "; books ",
      (double)t->segment.book_bytes / 1048576.0);
  (void)fprintf(out, "memory  %s/mdengine.%s %llu bytes, rings %llu bytes: %.1f MiB in all\n",
                t->segment.dir, t->segment.name, (unsigned long long)main_bytes,
                (unsigned long long)rings_bytes, (double)(main_bytes + rings_bytes) / 1048576.0);
}
