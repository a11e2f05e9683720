/* readers.h - the registry of readers: a small file beside the segment, mdengine.<name>.readers.
 *
 * The engine makes it at start, takes it away at an orderly stop, and never looks at it. A reader
 * that wants to be seen takes a place: it locks the bytes of a free row for itself (an open file
 * description lock, which ends with the process) and writes the row with pwrite. Whoever shows the
 * rows asks which are locked. The file is not mapped by anybody: whoever may write it can cut it,
 * and nobody dies of that. What a row says is the reader's own word: it is shown, never believed.
 */
#ifndef SHM_READERS_H
#define SHM_READERS_H

#include "shm/err.h"
#include "shm/limits.h"

#define MD_READERS_MAX        256u
#define MD_READERS_PATH_BYTES 136u

typedef struct md_reader_row {
  char     name[MD_NAME_BYTES];
  uint32_t pid;
  uint32_t epoch;             /* of the engine that it is attached to */
  int64_t  since_ns, beat_ns; /* CLOCK_REALTIME: when it came, when it last said so */
  uint64_t read_cnt;          /* of books */
  uint64_t record_cnt;        /* of tapes */
  uint64_t lapped_cnt;        /* times that a tape overtook it */
  uint64_t lag_bytes;         /* of the tape that is furthest behind */
  uint8_t  pad[128 - 88];
} md_reader_row_t;

_Static_assert(sizeof(md_reader_row_t) == 128, "readers ABI");

/* md_readers_path writes the path of the registry of engine `name` in dir, which were checked. */
void md_readers_path(char out[MD_READERS_PATH_BYTES], const char *dir, const char *name);

/* md_readers_new makes an empty registry in place of an old one, with mode and the group gid
 * ((gid_t)-1: as it comes). Engine only; the engine can do without it. */
MD_MUST_USE md_err_t md_readers_new(const char *path, uint32_t mode, uint32_t gid, md_msg_t *msg);

/* md_readers_take finds a free row of the open registry and locks it: MD_ERR_FULL, MD_ERR_IO. */
MD_MUST_USE md_err_t md_readers_take(int fd, uint32_t *row);

/* md_readers_write and md_readers_read store and copy a row. read: MD_ERR_ABSENT when nobody holds
 * it; names end within their bytes. */
MD_MUST_USE md_err_t md_readers_write(int fd, uint32_t row, const md_reader_row_t *from);
MD_MUST_USE md_err_t md_readers_read(int fd, uint32_t row, md_reader_row_t *out);

#endif
