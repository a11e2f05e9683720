/* world.h - a private segment to measure in: shared memory as an engine makes it, in a folder of
 * its own under /dev/shm, with nobody else in it.
 *
 * One at a time. Its files go away with it, and when the command is interrupted. */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include "shm/segment.h"

#define MD_BENCH_WORLD_NAME  "bench"
#define MD_BENCH_DIR_BYTES   96u         /* of a folder in md_bench_shm_dir, with its 0 */
#define MD_BENCH_TAPE_BYTES  (16u << 20) /* the configuration's default */
#define MD_BENCH_HOP_BYTES   (1u << 16)  /* of the tapes of the feeds 1 and 2 */
#define MD_BENCH_DEPTH       1000u       /* levels a side, the configuration's default */
#define MD_BENCH_SYMBOL_LEN  7u
#define MD_BENCH_SYMBOLS_MAX 100000u

typedef struct md_bench_world {
  md_segment_t segment;
  char         dir[MD_BENCH_DIR_BYTES];
  char         why[200]; /* why there is none */
} md_bench_world_t;

/* md_bench_world_new makes a segment of three feeds for instrument_cnt books with MD_BENCH_DEPTH
 * levels a side, all of feed 0. False: w->why says what is missing, nothing is left. private_bytes
 * is what the caller will need beside it: both must fit what the machine has free. */
bool md_bench_world_new(md_bench_world_t *w, uint32_t instrument_cnt, uint64_t private_bytes);
/* md_bench_world_deep makes one whose books have another depth, 0: none. */
bool md_bench_world_deep(md_bench_world_t *w, uint32_t instrument_cnt, uint32_t depth_levels,
                         uint64_t private_bytes);
/* md_bench_world_make makes one of another shape: name and folder of cfg are chosen here. */
bool md_bench_world_make(md_bench_world_t *w, const md_segment_config_t *cfg,
                         uint64_t private_bytes);
void md_bench_world_delete(md_bench_world_t *w);

/* md_bench_world_beat says that the feed threads live, as readers of the library want to see. */
void md_bench_world_beat(md_bench_world_t *w);

/* md_bench_symbol writes the symbol of instrument i, MD_BENCH_SYMBOL_LEN characters and a NUL. */
void md_bench_symbol(uint32_t i, char out[MD_BENCH_SYMBOL_LEN + 1]);

/* md_bench_random is a cheap generator; md_bench_below gives a number below cnt. */
static inline uint64_t
md_bench_random(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z          = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z          = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static inline uint32_t
md_bench_below(uint64_t *state, uint32_t cnt) {
  return (uint32_t)((md_bench_random(state) >> 32) * cnt >> 32);
}

#endif
