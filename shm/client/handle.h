/* handle.h - what an open handle of libmdshm holds. Private to shm/client. */
#ifndef SHM_CLIENT_HANDLE_H
#define SHM_CLIENT_HANDLE_H

#include "shm/client/mdshm.h"
#include "shm/segment.h"

/* A book that was looked up and checked. */
typedef struct book_ref {
  const md_book_t *book; /* NULL: not looked up yet, or none */
  uint32_t         feed;
  uint32_t         depth_levels; /* as checked: the segment's word must still say the same */
} book_ref_t;

struct mdshm {
  md_segment_t segment;
  book_ref_t  *books; /* one for each row there is room for */
};

/* mdshm_liveness looks at the segment's state and the heartbeat of a feed's thread. */
mdshm_result_t mdshm_liveness(const mdshm_t *shm, uint32_t feed, int64_t max_age_ns);

/* mdshm_result_of turns an error of the engine's library into a public one. */
mdshm_result_t mdshm_result_of(md_err_t err);

/* mdshm_copy_name copies a fixed-size name of the segment; the last byte of out is always 0. */
void mdshm_copy_name(char *out, const char *from, size_t bytes);

#endif
