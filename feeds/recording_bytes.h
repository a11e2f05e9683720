/* recording_bytes.h - the bytes of a recording's file, unpacked when they are zstd.
 *
 * Reads forward only, never maps the file (it may still be written, or lie on a slow disk). Whether
 * it is zstd is told by its first four bytes. Cold path of the feed thread; within feeds/ only. */
#ifndef FEEDS_RECORDING_BYTES_H
#define FEEDS_RECORDING_BYTES_H

#include "shm/err.h"

typedef struct md_recording_bytes md_recording_bytes_t;

/* md_recording_bytes_open opens path: MD_ERR_ABSENT, MD_ERR_DENIED, MD_ERR_IO, MD_ERR_NOMEM. */
MD_MUST_USE md_err_t md_recording_bytes_open(const char *path, md_recording_bytes_t **out,
                                             md_msg_t *msg);
void                 md_recording_bytes_close(md_recording_bytes_t *b);

/* md_recording_bytes_read fills up to cap bytes (cap > 0) and sets *got > 0. MD_ERR_END: no more.
 * MD_ERR_CORRUPT: not valid zstd from here, or cut in the middle; MD_ERR_IO. msg then says only
 * what is wrong, without the file's name. Everything before the damage was given by former calls.
 */
MD_MUST_USE md_err_t md_recording_bytes_read(md_recording_bytes_t *b, uint8_t *to, size_t cap,
                                             size_t *got, md_msg_t *msg);

#endif
