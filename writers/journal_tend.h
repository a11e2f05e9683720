/* journal_tend.h - what is done to sealed segments: they get an index, are packed, and are deleted
 * when they are too old or too many.
 *
 * A pass does what is due and returns; the engine runs passes on a thread of its own with the
 * lowest priority, limited in bytes a second; `journal compact` runs one by hand. One pass at a
 * time, told by the lock of DIR/tend.lock; it may be killed anywhere and run again. It never
 * touches the newest segment, never the manifest, and never a segment that a sink still needs or
 * that is damaged. */
#ifndef WRITERS_JOURNAL_TEND_H
#define WRITERS_JOURNAL_TEND_H

#include "shm/clock.h"
#include "shm/segment.h"
#include "writers/disk.h"
#include "writers/journal_format.h"

/* Is everything that stands before a segment, whose header is given, stored by the sinks? */
typedef bool (*md_journal_stored_fn)(void *ctx, const md_journal_head_t *successor);

typedef struct md_journal_tend_config {
  const md_disk_t     *disk; /* NULL: the system's */
  const char          *dir;
  bool                 compress;
  int64_t              compress_after_ns; /* after a segment was sealed */
  int64_t              keep_age_ns;       /* 0: for ever */
  uint64_t             keep_bytes;        /* 0: without end */
  uint64_t             bytes_per_s;       /* read or written; 0: as fast as it goes */
  uint32_t             spare_max;         /* retired files that are kept for new segments */
  md_journal_stored_fn stored;            /* NULL: no sink needs old segments */
  void                *stored_ctx;
  const md_clock_t    *clock;
  md_metrics_t        *metrics; /* may be NULL */
  void (*log)(void *ctx, const char *level, const char *text);
  void *log_ctx;
} md_journal_tend_config_t;

/* What a pass did, and what there is after it. */
typedef struct md_journal_tended {
  uint64_t indexed_cnt, packed_cnt, retired_cnt;
  uint64_t plain_bytes, packed_bytes; /* of what was packed now */
  uint64_t held_cnt;                  /* would be deleted, but a sink needs them */
  uint64_t damaged_cnt;               /* left as they are */
  uint64_t segment_cnt, segment_bytes;
} md_journal_tended_t;

typedef struct md_journal_tend md_journal_tend_t;

/* md_journal_tend_pass does one pass on the calling thread. MD_ERR_BUSY: another one is running. */
MD_MUST_USE md_err_t md_journal_tend_pass(const md_journal_tend_config_t *cfg,
                                          md_journal_tended_t *out, md_msg_t *msg);

/* md_journal_tend_start runs passes on a thread until md_journal_tend_stop, which waits for it; a
 * segment that is being packed then stays plain. */
MD_MUST_USE md_err_t md_journal_tend_start(const md_journal_tend_config_t *cfg,
                                           md_journal_tend_t **out, md_msg_t *msg);
void                 md_journal_tend_stop(md_journal_tend_t *t);

/* md_journal_tend_stored answers for the PostgreSQL sink from the stream rows: stored_seq of the
 * running epoch; earlier epochs are stored once anything of this one is, since the sink goes
 * through the journal in order. Raw streams are not stored. */
typedef struct md_journal_positions {
  md_stream_row_t *row;
  uint32_t         cnt;
  uint32_t         epoch;
} md_journal_positions_t;

bool md_journal_tend_stored(void *positions, const md_journal_head_t *successor);

#endif
