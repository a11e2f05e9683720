/* Every function of the sources below gets a name of its own here. */
#define md_book_read_bbo        md_bench_try_bbo
#define md_book_bbo_write       md_bench_try_bbo_write
#define md_book_read_top        md_bench_try_top
#define md_book_read_ladder     md_bench_try_ladder
#define md_book_read_depth      md_bench_try_depth
#define md_book_read_depth_view md_bench_try_depth_view
#define md_book_footprint       md_bench_try_footprint
#define md_book_new             md_bench_try_new
#define md_book_join            md_bench_try_join
#define md_book_depth_levels    md_bench_try_depth_levels
#define md_book_write_state     md_bench_try_write_state
#define md_book_write_all       md_bench_try_write_all
#define md_book_write_changes   md_bench_try_write_changes
#define md_book_ladder_all      md_bench_try_ladder_all
#define md_book_ladder_apply    md_bench_try_ladder_apply
#define md_book_ladder_meta     md_bench_try_ladder_meta
#define md_book_ladder_show     md_bench_try_ladder_show
#define md_book_depth_all       md_bench_try_depth_all
#define md_book_depth_apply     md_bench_try_depth_apply
#define md_book_depth_meta      md_bench_try_depth_meta
#define md_book_depth_places    md_bench_try_depth_places
#define md_book_depth_prefetch  md_bench_try_depth_prefetch
#define md_depth_far_open       md_bench_try_far_open
#define md_depth_far_close      md_bench_try_far_close
#define md_depth_far_change     md_bench_try_far_change
#define md_depth_far_fill       md_bench_try_far_fill
#define md_book_prefetch        md_bench_try_prefetch
#define md_book_prefetch_slots  md_bench_try_prefetch_slots
#define md_book_places          md_bench_try_places
#define md_book_prefetch_levels md_bench_try_prefetch_levels

#include "shm/limits.h"
#undef MD_READ_RETRY_MAX
#define MD_READ_RETRY_MAX 1u

#include "shm/book.c"
#include "shm/book_bbo.c"
#include "shm/book_depth.c"
#include "shm/book_depth_read.c"
#include "shm/book_far.c"
#include "shm/book_ladder.c"
