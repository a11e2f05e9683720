/* segment_parts.h - what segment.c (makes files) and segment_join.c (reads them) share.
 *
 * Not for anybody else. Owns names of files, the pointers of a mapped segment and the start time of
 * a process. No state, any thread. */
#ifndef SHM_SEGMENT_PARTS_H
#define SHM_SEGMENT_PARTS_H

#include "shm/segment.h"

/* md_segment_paths fills s->path and s->rings_path: MD_ERR_CONFIG when name does not follow
 * [a-z0-9_-]{1,24} or dir is too long. */
MD_MUST_USE md_err_t md_segment_paths(md_segment_t *s, const char *dir, const char *name,
                                      md_msg_t *msg);

/* md_segment_views sets the row pointers and counts of a mapped segment from s->section, which was
 * checked or made by us. */
void md_segment_views(md_segment_t *s);

/* Who may read a file. */
typedef struct md_access {
  uint32_t mode;
  uint32_t gid; /* UINT32_MAX: as it comes */
} md_access_t;

/* segment_seal.c: the memory of a sealed segment, and the socket that hands it out. */
MD_MUST_USE md_err_t md_sealed_make(const md_access_t *access, uint64_t bytes, uint8_t **base,
                                    int *hand_fd, md_msg_t *msg);
MD_MUST_USE md_err_t md_sealed_listen(const md_access_t *access, const char *path, int *listen_fd,
                                      md_msg_t *msg);

/* md_sealed_ask connects to that socket and does not wait: *ask_fd is then for md_sealed_answer.
 * MD_ERR_ABSENT: nobody listens there; MD_ERR_EMPTY: try again. */
MD_MUST_USE md_err_t md_sealed_ask(const char *path, int *ask_fd, md_msg_t *msg);

/* md_sealed_answer waits at most wait_ms for the answer and checks that it is sealed memory; closes
 * *ask_fd and makes it -1, but for MD_ERR_EMPTY when there is no answer yet. */
MD_MUST_USE md_err_t md_sealed_answer(const char *path, int *ask_fd, int wait_ms, int *fd,
                                      md_msg_t *msg);

/* md_process_start reads the start time of pid in clock ticks after boot: false when the process is
 * gone, a zombie, or not visible. */
bool md_process_start(uint32_t pid, uint64_t *start);

#endif
