/* journal_ahead.h - the file of the next segment, made while the current one is written: allocated
 * and filled with zeros, so that a roll is a header and a rename, and no block write has to change
 * the file's extents. It is taken from the pool of retired segment files when there is one.
 *
 * Such a file is not written again: at full speed that would cost half of the disk's.
 *
 * Used by the journal sink's thread. The work is done by a thread of its own, or, with a disk of
 * the caller (tests), by md_journal_ahead_turn on the caller's thread, one bounded step a call. It
 * never touches a segment that has its name, but to cut the one that was handed over to it.
 *
 *   DIR/segment.ahead   being made or waiting; it belongs to nobody: the next start removes it
 *   DIR/spare-N.mdj     the pool: files of segments that retention gave up */
#ifndef WRITERS_JOURNAL_AHEAD_H
#define WRITERS_JOURNAL_AHEAD_H

#include "writers/journal_file.h"

#define MD_JOURNAL_SPARE_MAX 64u

typedef struct md_journal_ahead md_journal_ahead_t;

typedef struct md_journal_ahead_config {
  const md_disk_t *disk; /* NULL: the system's, on a thread of its own */
  const char      *dir;
  uint64_t         bytes; /* of the file, at least; a multiple of MD_JOURNAL_PAGE_BYTES */
} md_journal_ahead_config_t;

MD_MUST_USE md_err_t md_journal_ahead_open(const md_journal_ahead_config_t *cfg,
                                           md_journal_ahead_t **out, md_msg_t *msg);

/* md_journal_ahead_close ends the thread, finishes what was handed over, removes the file. */
void md_journal_ahead_close(md_journal_ahead_t *a);

/* md_journal_ahead_first makes the first file at once, on the caller's thread, when the pool has
 * one that is nearly as long as it must be: so that an engine's first segment is as fast as the
 * others.
 */
void md_journal_ahead_first(md_journal_ahead_t *a);

/* md_journal_ahead_want begins the next file unless it is there or being made. After a failure it
 * begins again. */
void md_journal_ahead_want(md_journal_ahead_t *a);

/* md_journal_ahead_busy: a file is being made; it is not ready yet. */
bool md_journal_ahead_busy(const md_journal_ahead_t *a);
bool md_journal_ahead_ready(const md_journal_ahead_t *a);

/* md_journal_ahead_take hands the finished file over, still under its own name. False: none. */
bool md_journal_ahead_take(md_journal_ahead_t *a, md_journal_file_t *f);

/* md_journal_ahead_finish takes over a segment that is durable up to bytes: cut, synced and closed
 * when there is time. *f is closed for the caller. It only saves space: what counts of the segment
 * stands in its successor's header. */
void md_journal_ahead_finish(md_journal_ahead_t *a, md_journal_file_t *f, uint64_t bytes);

/* md_journal_ahead_turn does one step on the caller's thread when there is no other. */
void md_journal_ahead_turn(md_journal_ahead_t *a);

/* md_journal_retire gives the file of segment up: it goes into the pool while that holds less than
 * spare_max files, else it is removed. Durable when it returns. Any thread that owns the segment.
 */
MD_MUST_USE md_err_t md_journal_retire(const md_disk_t *disk, const char *dir, uint64_t segment,
                                       uint32_t spare_max, md_msg_t *msg);

/* md_journal_spare_drop removes the pool; the number of files that went. */
uint32_t md_journal_spare_drop(const md_disk_t *disk, const char *dir);

#endif
