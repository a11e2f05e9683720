/* journal.h - the journal: an append-only record of everything published. DESIGN 4.6; the bytes are
 * written down in writers/README.md and journal_format.h.
 *
 *   DIR/MANIFEST            uuid, streams, instruments, epochs, segments: append-only lines, each
 * with its checksum; made durable before anything relies on it DIR/seg-NNNNNNNNNN.mdj  blocks: one
 * group commit each
 *
 * Writing is the journal sink's (sinks/journal.c). Reading is for any thread or process. */
#ifndef WRITERS_JOURNAL_H
#define WRITERS_JOURNAL_H

#include "shm/clock.h"
#include "shm/ring.h"
#include "shm/segment.h"
#include "writers/disk.h"

typedef enum md_journal_policy {
  MD_JOURNAL_BATCH = 0, /* fdatasync with every block; published becomes durable block by block */
  MD_JOURNAL_INTERVAL = 1, /* fdatasync every interval_ns */
  MD_JOURNAL_NONE     = 2  /* never; the ring is released when the bytes are written */
} md_journal_policy_t;

typedef struct md_journal_config {
  const char         *dir;
  md_journal_policy_t policy;
  int64_t             interval_ns;
  uint64_t            segment_bytes; /* roll above this */
  uint32_t            block_bytes;   /* largest block, unless one group is larger */
  uint64_t ahead_bytes; /* the next segment's file is made so large ahead; 0: when it is needed */
  uint64_t min_free_bytes; /* nothing is allocated below so much free space; 0: to the last byte */
  uint64_t reserve_bytes;  /* kept in a file and given back when there is no space; 0: none */
  struct md_manifest *manifest; /* open and locked */
  const md_disk_t    *disk;     /* NULL: the system's */
} md_journal_config_t;

/* ---- manifest: opened once by the engine, passed to the sink ----
 *
 * While the sink's thread runs, only that thread calls functions that add; the engine keeps the
 * pointer and closes it when the sink is closed. */

typedef struct md_manifest md_manifest_t;

typedef struct md_manifest_instrument {
  uint32_t id;
  char     feed[MD_NAME_BYTES];
  char     symbol[MD_SYMBOL_BYTES];
} md_manifest_instrument_t;

/* md_manifest_open reads DIR/MANIFEST, or makes DIR and a new one (create), and locks it against a
 * second engine (write true). A torn last line is cut; damage elsewhere is MD_ERR_CORRUPT with file
 * and line. */
MD_MUST_USE md_err_t md_manifest_open(const char *dir, bool write, bool create, md_manifest_t **out,
                                      md_msg_t *msg);
/* md_manifest_open_on is the same on a disk of the caller (NULL: the system's). */
MD_MUST_USE md_err_t md_manifest_open_on(const md_disk_t *disk, const char *dir, bool write,
                                         bool create, md_manifest_t **out, md_msg_t *msg);
void                 md_manifest_close(md_manifest_t *m);
const uint8_t       *md_manifest_uuid(const md_manifest_t *m);       /* 16 bytes */
uint32_t             md_manifest_last_epoch(const md_manifest_t *m); /* 0: none yet */
/* md_manifest_epoch_begun: when it was opened; false when unknown, only the newest are kept. */
bool     md_manifest_epoch_begun(const md_manifest_t *m, uint32_t epoch, int64_t *real_ns);
uint32_t md_manifest_next_instrument(const md_manifest_t *m);

/* md_manifest_stream returns the id of a stream name, adding it durably when it is new (write
 * only). */
MD_MUST_USE md_err_t md_manifest_stream(md_manifest_t *m, const char *name, uint16_t *id,
                                        md_msg_t *msg);
/* md_manifest_stream_name returns NULL for an unknown id. */
const char *md_manifest_stream_name(const md_manifest_t *m, uint16_t id);

/* md_manifest_epoch opens the next epoch durably. */
MD_MUST_USE md_err_t md_manifest_epoch(md_manifest_t *m, int64_t real_ns, uint32_t *epoch,
                                       md_msg_t *msg);

/* md_manifest_instrument adds (feed, symbol) with its id durably; the same again is not an error.
 */
MD_MUST_USE md_err_t md_manifest_instrument(md_manifest_t *m, uint32_t id, const char *feed,
                                            const char *symbol, md_msg_t *msg);
/* md_manifest_instrument_add is the same without the sync: many, then one md_manifest_sync. */
MD_MUST_USE md_err_t md_manifest_instrument_add(md_manifest_t *m, uint32_t id, const char *feed,
                                                const char *symbol, md_msg_t *msg);
MD_MUST_USE md_err_t md_manifest_sync(md_manifest_t *m, md_msg_t *msg);

/* md_manifest_segment notes a segment durably, so that its number is never used again. */
MD_MUST_USE md_err_t md_manifest_segment(md_manifest_t *m, uint64_t segment, uint32_t epoch,
                                         int64_t real_ns, md_msg_t *msg);
uint64_t             md_manifest_last_segment(const md_manifest_t *m); /* 0: none yet */

uint32_t                        md_manifest_instrument_cnt(const md_manifest_t *m);
const md_manifest_instrument_t *md_manifest_instrument_at(const md_manifest_t *m, uint32_t i);
/* md_manifest_instrument_by_id: NULL if unknown. */
const md_manifest_instrument_t *md_manifest_instrument_by_id(const md_manifest_t *m, uint32_t id);

/* ---- recovery: before a new epoch is opened ---- */

typedef struct md_recovery {
  uint32_t segment_cnt;
  uint64_t torn_bytes;      /* cut behind the last whole block */
  uint64_t damaged_blocks;  /* at or below a durable position: reported and kept */
  uint64_t drained_records; /* taken over from the rings of the dead engine */
  uint64_t drained_bytes;
  uint64_t
      missing_records; /* neither in the journal nor in a ring: 0, or a LOSS was written for them */
  uint32_t
      damaged_rings; /* their bytes are no records from some place on; what stood before is taken */
} md_recovery_t;

/* md_journal_recover makes the journal whole: cuts a torn tail, reports damage, then appends what
 * the dead engine's rings (old_rings, may be NULL; ring 0 of each feed is the journal's, told by
 * its sink index 0) hold above each stream's last seq, under the old epoch, durably. Safe to be
 * killed anywhere and run again. */
MD_MUST_USE md_err_t md_journal_recover(const md_journal_config_t *cfg,
                                        md_rings_header_t *old_rings, uint64_t old_rings_bytes,
                                        const md_clock_t *clock, md_recovery_t *out, md_msg_t *msg);

/* ---- reading ---- */

typedef struct md_journal_reader md_journal_reader_t;

typedef struct md_journal_pos {
  uint64_t segment; /* segment id, 0: before the first */
  uint64_t offset;  /* of the block; of a packed one where its first block stood before */
  uint32_t record;  /* number of the record in the block */
} md_journal_pos_t;

/* Damage met so far: blocks whose bytes do not match, and how many bytes were skipped. */
typedef struct md_journal_damage {
  uint64_t block_cnt, byte_cnt;
  char     first[160]; /* "seg-0000000003.mdj at 40960: checksum" */
} md_journal_damage_t;

/* md_journal_reader_open opens a journal, live or not, at its beginning. Any thread; one reader for
 * one thread. MD_ERR_ABSENT, MD_ERR_VERSION, MD_ERR_CORRUPT, MD_ERR_DENIED. */
MD_MUST_USE md_err_t md_journal_reader_open(const char *dir, md_journal_reader_t **out,
                                            md_msg_t *msg);
/* md_journal_reader_open_on is the same on a disk of the caller (NULL: the system's). */
MD_MUST_USE md_err_t md_journal_reader_open_on(const md_disk_t *disk, const char *dir,
                                               md_journal_reader_t **out, md_msg_t *msg);
void                 md_journal_reader_close(md_journal_reader_t *r);

/* md_journal_reader_seek_segment starts at segment id (as shown by ls). MD_ERR_ABSENT. */
MD_MUST_USE md_err_t md_journal_reader_seek_segment(md_journal_reader_t *r, uint64_t segment,
                                                    md_msg_t *msg);

/* md_journal_reader_seek starts at the last block that can hold the first record of (stream, epoch)
 * with seq or above; records below may still come and are the caller's to skip. */
MD_MUST_USE md_err_t md_journal_reader_seek(md_journal_reader_t *r, uint16_t stream, uint32_t epoch,
                                            uint64_t seq, md_msg_t *msg);

/* Records stand in the order in which the journal's writer took them from the rings, which is
 * nearly the order of their times: a reader that wants all up to a time goes on for so long behind
 * it. */
#define MD_JOURNAL_TIME_SLACK_NS 60000000000

/* md_journal_reader_seek_time starts at the first block that has a record published (ts_pub_ns) at
 * ns or later; earlier ones may still come and are the caller's to skip. The segment is the last
 * one that was made at ns or before: records of a clock that was set back later are not looked for.
 */
MD_MUST_USE md_err_t md_journal_reader_seek_time(md_journal_reader_t *r, int64_t ns, md_msg_t *msg);

/* md_journal_reader_next returns the next record, valid until the next call. MD_ERR_END: nothing
 * more whole now (a live journal may have more later: call again). Damaged blocks are skipped and
 * counted. */
MD_MUST_USE md_err_t md_journal_reader_next(md_journal_reader_t *r, const md_record_t **rec,
                                            md_journal_pos_t *pos, md_msg_t *msg);
void md_journal_reader_damage(const md_journal_reader_t *r, md_journal_damage_t *out);

/* md_journal_reader_is_old says whether the last record was written in the first format and brought
 * up to date. */
bool md_journal_reader_is_old(const md_journal_reader_t *r);

const md_manifest_t *md_journal_reader_manifest(const md_journal_reader_t *r);

/* ---- listing ---- */

typedef struct md_journal_segment_info {
  uint64_t id, bytes, block_cnt, record_cnt, damaged_cnt, torn_bytes;
  uint32_t epoch;
  int64_t  created_ns, first_ns, last_ns;
} md_journal_segment_info_t;

/* md_journal_segment_scan reads segment i (0-based, in order) whole and checks each block:
 * MD_ERR_END behind the last. */
MD_MUST_USE md_err_t md_journal_segment_scan(const md_journal_reader_t *r, uint32_t i,
                                             md_journal_segment_info_t *out, md_msg_t *msg);

#endif
