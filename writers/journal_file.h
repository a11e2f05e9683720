/* journal_file.h - segment files: their names, their making, their growth and their end.
 *
 * Used by the journal sink and by recovery, on one thread each. Calls here block for a moment: they
 * stand at the edges of a segment, never between two blocks, but for fallocate every 64 MiB. Block
 * writes and syncs are not here: the sink does them through its I/O loop. Every call on a file goes
 * through the disk that is passed in (NULL: the system). */
#ifndef WRITERS_JOURNAL_FILE_H
#define WRITERS_JOURNAL_FILE_H

#include "writers/disk.h"
#include "writers/journal_format.h"

#define MD_JOURNAL_NAME_BYTES 40u
#define MD_JOURNAL_PATH_BYTES 600u
#define MD_JOURNAL_GROW_BYTES (64ull << 20)
#define MD_JOURNAL_ROOM_MIN   (2ull << 20)

typedef struct md_journal_file {
  const md_disk_t *disk;
  int              fd; /* -1: none open */
  uint64_t         segment;
  uint64_t         end_off;         /* where the next block goes */
  uint64_t         allocated_bytes; /* UINT64_MAX: the file system cannot reserve */
  bool             direct;          /* O_DIRECT is on */
  uint64_t         grow_bytes;      /* reserved at once; 0: MD_JOURNAL_GROW_BYTES */
  bool             reused;          /* it was another segment's: no zeros behind the end */
} md_journal_file_t;

/* md_journal_name writes "seg-0000000003.mdj"; md_journal_path puts dir before it. */
void md_journal_name(uint64_t segment, char out[MD_JOURNAL_NAME_BYTES]);
void md_journal_path(const char *dir, uint64_t segment, char out[MD_JOURNAL_PATH_BYTES]);

/* md_journal_ahead_path: the file that will be the next segment. */
void md_journal_ahead_path(const char *dir, char out[MD_JOURNAL_PATH_BYTES]);

/* md_journal_list returns the numbers of the segments in dir in rising order; the caller frees
 * *ids. */
MD_MUST_USE md_err_t md_journal_list(const md_disk_t *disk, const char *dir, uint64_t **ids,
                                     uint32_t *cnt, md_msg_t *msg);

/* md_journal_next_id gives the lowest segment number above id in dir, 0 for none. No allocation.
 * MD_ERR_IO: the directory could not be read, so nobody knows. */
MD_MUST_USE md_err_t md_journal_next_id(const md_disk_t *disk, const char *dir, uint64_t id,
                                        uint64_t *next);

/* md_journal_file_create makes segment head->segment with room for room_bytes behind the header (or
 * for MD_JOURNAL_ROOM_MIN where there is not so much), durably and all at once under its name. head
 * is sealed here. On failure nothing is left behind. */
MD_MUST_USE md_err_t md_journal_file_create(md_journal_file_t *f, const md_disk_t *disk,
                                            const char *dir, md_journal_head_t *head,
                                            uint64_t room_bytes, md_msg_t *msg);

/* md_journal_file_adopt makes the file that md_journal_ahead_take gave into segment head->segment:
 * header, sync, name. head is sealed here. On failure the file is closed and removed. */
MD_MUST_USE md_err_t md_journal_file_adopt(md_journal_file_t *f, const char *dir,
                                           md_journal_head_t *head, md_msg_t *msg);

/* md_journal_file_has_room is true when bytes fit behind end_off without new space. */
bool md_journal_file_has_room(const md_journal_file_t *f, uint64_t bytes);

/* md_journal_file_reserve makes sure that bytes fit behind end_off. MD_ERR_NOSPACE. */
MD_MUST_USE md_err_t md_journal_file_reserve(md_journal_file_t *f, uint64_t bytes, md_msg_t *msg);

/* md_journal_file_seal syncs and writes an empty block behind the last one, which says that
 * everything before it is durable; page is one aligned page to work with. Returns the bytes of the
 * file with it, or without it when it could not be written: it only helps to tell damage from a
 * torn tail. */
uint64_t md_journal_file_seal(md_journal_file_t *f, uint32_t epoch, uint8_t *page);

/* md_journal_file_finish cuts the file to bytes, syncs and closes it. It is closed in any case. */
MD_MUST_USE md_err_t md_journal_file_finish(md_journal_file_t *f, uint64_t bytes, md_msg_t *msg);

/* md_journal_head_read reads and checks the header of a segment and, when uuid is given, whose it
 * is: MD_ERR_ABSENT, MD_ERR_CORRUPT, MD_ERR_VERSION, MD_ERR_IO. */
MD_MUST_USE md_err_t md_journal_head_read(const md_disk_t *disk, const char *dir, uint64_t segment,
                                          const uint8_t *uuid, md_journal_head_t *out);

/* md_journal_unlink removes a segment durably; md_journal_unlink_unfinished what a killed process
 * was about to make. */
void md_journal_unlink(const md_disk_t *disk, const char *dir, uint64_t segment);
void md_journal_unlink_unfinished(const md_disk_t *disk, const char *dir);

#endif
