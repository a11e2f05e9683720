/* handle.h - what an open handle of libmdshm holds. Private to shm/client.
 *
 * A handle is attached to one mapping at a time; tapes hold the mapping they read, so that what an
 * engine left on its tape can still be read when the handle has moved on to the next engine. Feeds
 * and instruments have numbers of the handle ("local"), which stay over a restart; rows of the
 * present segment stand beside them. Everything that comes from the segment is checked when it is
 * put in here, and is not looked at again. */
#ifndef SHM_CLIENT_HANDLE_H
#define SHM_CLIENT_HANDLE_H

#include <string.h>

#include "shm/client/mdshm.h"
#include "shm/readers.h"
#include "shm/segment.h"

#define MDSHM_FEEDS_MAX  (4u * MD_FEED_CNT_MAX) /* that a handle has ever seen */
#define MDSHM_REFS_MAX   (4u * MD_INSTRUMENT_CNT_MAX)
#define MDSHM_GROWTH_MAX 4096u /* bytes that a newer public struct may have more */

/* A mapped segment. */
typedef struct mdshm_map {
  md_segment_t segment;
  uint32_t     refs; /* the handle and its tapes */
} mdshm_map_t;

typedef struct feed_ref {
  char     name[MD_NAME_BYTES];
  uint32_t row;    /* of the present segment, MDSHM_NONE: it has no such feed */
  uint32_t thread; /* its thread row, MDSHM_NONE: the segment says nonsense */
} feed_ref_t;

typedef struct instrument_ref {
  const md_book_t *book; /* of the present segment; NULL: not looked up yet, or none */
  uint32_t         feed; /* local */
  uint32_t         depth_levels;
  uint32_t         row; /* of the present segment; MDSHM_NONE: it has not come yet */
  char             symbol[MD_SYMBOL_BYTES], normalised[MD_SYMBOL_BYTES];
} instrument_ref_t;

struct mdshm {
  mdshm_map_t   *map;
  uint32_t       generation; /* segments attached to, from 1 */
  uint32_t       told;       /* the generation that the caller knows of */
  int64_t        tried_ns;   /* when a newer segment was last looked for, 0: not yet */
  mdshm_result_t tried;      /* what came of it */
  int            ask_fd;     /* a sealed one was asked for and has not come yet; -1: none was */
  int64_t        asked_ns;   /* when that was */

  instrument_ref_t *refs;
  uint32_t          ref_cnt, ref_cap;
  uint32_t         *index; /* open addressing over symbols: local number + 1, 0 free */
  uint32_t          index_slots;
  uint8_t          *seen;      /* rows of the present segment that have a local number */
  uint32_t          seen_low;  /* all below are */
  bool              has_holes; /* instruments of an earlier segment may come again */

  feed_ref_t feeds[MDSHM_FEEDS_MAX];
  uint32_t   feed_cnt;
  uint32_t   local_feed[MD_FEED_CNT_MAX]; /* by row of the present segment */

  char dir[128], name[MD_NAME_BYTES];

  mdshm_tape_t   *tapes;      /* that are open */
  uint64_t        read_cnt;   /* of books */
  md_reader_row_t registered; /* name "": not asked for */
  int             registry_fd;
  uint32_t        registry_row, registry_generation;
};

/* ---- attach.c ---- */

/* mdshm_map_open maps and checks the segment at dir and name; refs is 1. ask_fd and wait_ms as for
 * md_segment_join_within. */
MD_MUST_USE mdshm_result_t mdshm_map_open(const char *dir, const char *name, int *ask_fd,
                                          int wait_ms, mdshm_map_t **out, md_msg_t *msg);
void                       mdshm_map_release(mdshm_map_t *map);

/* mdshm_ask_no_more gives up a question that was not answered. */
void mdshm_ask_no_more(mdshm_t *shm);

/* mdshm_attach makes map, whose reference it takes, the handle's segment; FAILED leaves all as it
 * was. */
MD_MUST_USE mdshm_result_t mdshm_attach(mdshm_t *shm, mdshm_map_t *map);

/* mdshm_map_state says what the segment's state word says: OK while it is READY. */
mdshm_result_t mdshm_map_state(const mdshm_map_t *map);

/* mdshm_follow looks for a newer segment, at most once a millisecond, and never waits: OK when the
 * handle is now attached to it, why when there is none yet, else why there is no attaching to it.
 */
mdshm_result_t mdshm_follow(mdshm_t *shm, mdshm_result_t why);

/* mdshm_liveness looks at the segment's state and the heartbeat of a local feed's thread, and
 * follows the engine to its next segment. */
mdshm_result_t mdshm_liveness(mdshm_t *shm, uint32_t feed, int64_t max_age_ns);

/* mdshm_tell returns RESTARTED if the caller does not know yet of the present generation. */
static inline mdshm_result_t
mdshm_tell(mdshm_t *shm) {
  if (MD_LIKELY(shm->told == shm->generation)) return MDSHM_OK;
  shm->told = shm->generation;
  return MDSHM_RESTARTED;
}

/* mdshm_heartbeat_age_ns: a heartbeat that is a little ahead of our clock read came in between. */
int64_t mdshm_heartbeat_age_ns(const md_thread_row_t *row);

/* ---- directory.c ---- */

/* mdshm_directory_reset forgets the rows of the segment before and makes room for those of s. */
MD_MUST_USE mdshm_result_t mdshm_directory_reset(mdshm_t *shm, const md_segment_t *s);

/* mdshm_directory_sync gives a local number to every row that became ready since. */
void mdshm_directory_sync(mdshm_t *shm);

/* ---- guard.c ---- */

/* mdshm_guard_auto sets the handler where the mode says so; mdshm_guard_add and _remove tell it a
 * mapping. add: false when it has no place left. */
void mdshm_guard_auto(void);
bool mdshm_guard_add(const void *base, uint64_t bytes);
void mdshm_guard_remove(const void *base);

/* ---- tapes.c, registry.c ---- */

/* mdshm_tapes_count adds up what the open tapes have read into row. */
void mdshm_tapes_count(const mdshm_t *shm, md_reader_row_t *row);
void mdshm_registry_leave(mdshm_t *shm);

/* ---- small things ---- */

/* mdshm_result_of turns an error of the engine's library into a public one. */
mdshm_result_t mdshm_result_of(md_err_t err);

/* mdshm_copy_name copies a fixed-size name of the segment; the last byte of out is always 0. */
void mdshm_copy_name(char *out, const char *from, size_t bytes);

/* mdshm_sized_otherwise is for a struct of size bytes that are not the known ones. */
MD_COLD bool mdshm_sized_otherwise(void *out, size_t size, size_t known_bytes);

/* mdshm_sized checks struct_size of a public struct of known_bytes; what a newer caller's struct
 * has more becomes zero. */
static inline bool
mdshm_sized(void *out, size_t known_bytes) {
  uint32_t size;
  if (!out) return false;
  memcpy(&size, out, sizeof size);
  return MD_LIKELY(size == known_bytes) || mdshm_sized_otherwise(out, size, known_bytes);
}

#endif
