/* segment.h - the two files of an engine under /dev/shm, and how they are made, joined and
 * replaced.
 *
 *   /dev/shm/mdengine.<name>        0640: status, instruments, books, tapes, metrics; readers
 * PROT_READ /dev/shm/mdengine.<name>.rings  0600: SPSC rings, command slots; the engine and its own
 * user
 *
 * Space is taken with posix_fallocate and touched at start, so a full /dev/shm is an error at once
 * and never a SIGBUS. Objects are found by offsets in the header. magic is stored last, with
 * release. A file is never truncated or grown: a restart fills a new one, marks the old header
 * SUPERSEDED and renames over it. A second engine of the same name is refused by a flock on the
 * rings file. */
#ifndef SHM_SEGMENT_H
#define SHM_SEGMENT_H

#include "shm/book.h"
#include "shm/clock.h"
#include "shm/command.h"
#include "shm/instrument.h"
#include "shm/metric.h"
#include "shm/ring.h"
#include "shm/status.h"
#include "shm/tape.h"

#define MD_SEGMENT_MAGIC        0x31474553454d444dull /* "MDMESEG1" little-endian */
#define MD_RINGS_MAGIC          0x31474e49524d444dull
#define MD_SEGMENT_ABI_VERSION  5u
#define MD_SEGMENT_HEADER_BYTES 4096u

typedef enum md_segment_state {
  MD_SEGMENT_STARTING   = 0,
  MD_SEGMENT_READY      = 1,
  MD_SEGMENT_STOPPED    = 2,
  MD_SEGMENT_SUPERSEDED = 3
} md_segment_state_t;

typedef struct md_section {
  uint64_t off, bytes;  /* from the start of the file */
  uint32_t cnt, stride; /* rows and their distance, where it has rows */
} md_section_t;

typedef enum md_section_kind {
  MD_SECTION_THREADS,
  MD_SECTION_FEEDS,
  MD_SECTION_STREAMS,
  MD_SECTION_METRICS,
  MD_SECTION_ERRLOG,
  MD_SECTION_INSTRUMENTS,
  MD_SECTION_TAPES, /* cnt words of 8 bytes: where tape i begins in the file, 0 none; then the tapes
                     */
  MD_SECTION_BOOKS,
  MD_SECTION_CNT
} md_section_kind_t;

typedef struct md_segment_header {
  md_atomic_u64 magic; /* R1: stored last, with release; A1 in md_segment_join and the client */
  uint32_t      abi_version;
  uint32_t      header_bytes;
  uint64_t      total_bytes;
  uint32_t      epoch;
  uint32_t      pid;
  uint64_t      pid_start;  /* field 22 of /proc/PID/stat: tells a reused pid */
  int64_t       created_ns; /* CLOCK_REALTIME */
  uint8_t       journal_uuid[16];
  char          name[MD_NAME_BYTES];
  char          version[32];                    /* of the program */
  md_section_t  section[16];                    /* indexed by md_section_kind_t */
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 state; /* md_segment_state_t; R2: stored with release; A2
                                                   in md_segment_join and the client */
  md_atomic_u64 monitor; /* IPv4 address << 32 | port of /health << 16 | port of /metrics; 0: none.
                            Relaxed: a number by itself */
} md_segment_header_t;

_Static_assert(sizeof(md_segment_header_t) <= MD_SEGMENT_HEADER_BYTES, "header fits its page");
_Static_assert(MD_SECTION_CNT <= 16, "sections fit the header");

/* The rings file: its header, then command slots (one a feed), then rings. */
typedef struct md_rings_header {
  md_atomic_u64 magic; /* R1: stored last, with release; A1 in md_rings_join */
  uint32_t      abi_version;
  uint32_t      epoch;
  uint64_t      total_bytes;
  uint8_t       journal_uuid[16];
  uint32_t      ring_cnt;
  uint32_t      command_cnt;
  uint64_t      command_off; /* md_command_slot_t[command_cnt] */
  uint64_t      ring_off[MD_RING_CNT_MAX];
} md_rings_header_t;

_Static_assert(sizeof(md_rings_header_t) <= MD_SEGMENT_HEADER_BYTES, "header fits its page");

/* What the engine wants in a segment. Filled by engine/topology; not kept. */
typedef struct md_segment_feed {
  const char *name, *venue;
  uint16_t    stream, raw_stream; /* journal stream ids */
  bool        keep_raw;
  uint32_t    depth_levels;
  uint64_t    tape_bytes;
} md_segment_feed_t;

typedef struct md_segment_ring {
  uint16_t    feed, sink;
  const char *name;
  uint64_t    capacity_bytes;
} md_segment_ring_t;

typedef struct md_segment_thread {
  const char *name;
  uint32_t    kind, index;
  int32_t     core;
} md_segment_thread_t;

typedef struct md_segment_config {
  const char                *name; /* [a-z0-9_-]{1,24} */
  const char                *dir;  /* "/dev/shm", another tmpfs in tests */
  uint32_t                   epoch;
  uint8_t                    journal_uuid[16];
  uint32_t                   next_instrument_id;
  uint32_t                   instrument_capacity;
  uint64_t                   book_bytes; /* space for all books */
  uint32_t                   mode;       /* of the main file: 0600, 0640, 0644; 0 is 0640 */
  const char                *group;      /* that may read it; NULL or "": the process's own */
  bool                       sealed;     /* memory behind a socket instead of a file */
  const md_segment_feed_t   *feeds;
  uint32_t                   feed_cnt;
  const md_segment_ring_t   *rings;
  uint32_t                   ring_cnt;
  const md_segment_thread_t *threads; /* feed threads first, in feed order */
  uint32_t                   thread_cnt;
} md_segment_config_t;

/* A mapped segment. rings_* are NULL for a reader. */
typedef struct md_segment {
  md_segment_header_t *header;
  uint8_t             *base;
  uint64_t             bytes;
  md_rings_header_t   *rings_header;
  uint8_t             *rings_base;
  uint64_t             rings_bytes;
  int                  rings_fd;           /* holds the flock; -1 for a reader */
  int                  listen_fd, hand_fd; /* of a sealed segment's engine, else -1 */
  char                 path[128], rings_path[128];
  uint64_t             device, inode; /* of the main file: tells a newer one at its path */
  uint32_t             owner_uid;

  /* Checked copies: once mapped, the header's own words are not looked at again. */
  uint32_t     thread_cnt, feed_cnt, stream_cnt, tape_cnt, instrument_capacity;
  md_section_t section[MD_SECTION_CNT];

  md_thread_row_t  *threads;
  md_feed_row_t    *feeds;
  md_stream_row_t  *streams; /* feed f: its rows are named in feeds[f] */
  md_metrics_t     *metrics; /* one a thread row */
  md_errlog_t      *errlog;
  md_instruments_t *instruments;
} md_segment_t;

/* ---- engine ---- */

/* md_segment_lock takes the name for this process before anything is touched: MD_ERR_EXISTS with a
 * message that names the owner's pid when another engine has it. Creates the rings file when there
 * is none. *fd stays open until md_segment_delete or exit. */
MD_MUST_USE md_err_t md_segment_lock(const char *dir, const char *name, int *fd, md_msg_t *msg);

/* md_segment_unlock gives the name back after a start that failed before md_segment_new took over
 * the lock; the rings file is removed when there is nothing in it. */
void md_segment_unlock(const char *dir, const char *name, int fd);

/* md_rings_join_old maps the rings that a dead engine left (through the locked fd): MD_ERR_ABSENT
 * when the file is empty or was never ready. The caller unmaps with md_rings_leave. */
MD_MUST_USE md_err_t md_rings_join_old(int fd, md_rings_header_t **out, uint64_t *bytes,
                                       md_msg_t *msg);
void                 md_rings_leave(md_rings_header_t *rings, uint64_t bytes);

/* md_rings_look maps the rings of engine `name` in dir read-only, for a look at how full they are:
 * the engine's own user only, else MD_ERR_DENIED. Otherwise as md_rings_join_old. */
MD_MUST_USE md_err_t md_rings_look(const char *dir, const char *name, md_rings_header_t **out,
                                   uint64_t *bytes, md_msg_t *msg);

/* md_rings_ring returns ring i of a joined rings file, checked; NULL when it is damaged. */
md_ring_t *md_rings_ring(md_rings_header_t *rings, uint64_t bytes, uint32_t i);

/* md_segment_new makes both files, all rows filled, state STARTING, magic stored; takes over
 * lock_fd (on an error it stays the caller's). What an old rings file held must have been read
 * before. MD_ERR_NOSPACE names the size wanted and the room in dir; MD_ERR_DENIED names the path.
 */
MD_MUST_USE md_err_t md_segment_new(const md_segment_config_t *cfg, int lock_fd,
                                    const md_clock_t *clock, md_segment_t *out, md_msg_t *msg);

/* md_segment_gid finds the group of cfg, UINT32_MAX for the process's own. */
MD_MUST_USE md_err_t md_segment_gid(const md_segment_config_t *cfg, uint32_t *gid, md_msg_t *msg);

/* md_segment_serve hands a sealed segment to the readers that have asked since: a few system calls
 * that never wait. Main thread, many times a second. */
void md_segment_serve(const md_segment_t *s);

/* md_segment_ready sets READY. md_segment_delete sets STOPPED, unmaps and unlinks both files. */
void md_segment_ready(md_segment_t *s);
void md_segment_delete(md_segment_t *s);

/* md_segment_bytes returns what md_segment_new would take: main file and rings file. */
void md_segment_bytes(const md_segment_config_t *cfg, uint64_t *main_bytes, uint64_t *rings_bytes);

/* md_segment_ring returns ring i; md_segment_command the slot of feed f. Engine only. */
md_ring_t         *md_segment_ring(const md_segment_t *s, uint32_t i);
md_command_slot_t *md_segment_command(const md_segment_t *s, uint32_t feed);

/* md_segment_tape returns tape i (one a feed, in feed order). */
md_tape_t *md_segment_tape(const md_segment_t *s, uint32_t i);

/* ---- reader ---- */

/* How long a join waits for the engine of a sealed segment, whose main thread looks now and then.
 */
#ifndef MD_SEGMENT_ANSWER_MS
#define MD_SEGMENT_ANSWER_MS 500
#endif

/* md_segment_join maps the main file PROT_READ and checks every offset and count against the size.
 * MD_ERR_ABSENT: no such engine, or stopped; MD_ERR_EMPTY: not ready yet, try again;
 * MD_ERR_VERSION, MD_ERR_CORRUPT, MD_ERR_DENIED. */
MD_MUST_USE md_err_t md_segment_join(const char *dir, const char *name, md_segment_t *out,
                                     md_msg_t *msg);

/* md_segment_join_within is md_segment_join that waits for the answer of a sealed segment's engine
 * at most wait_ms, 0: not at all. *ask_fd, -1 at first, keeps the question: MD_ERR_EMPTY with
 * *ask_fd >= 0 means that the next call with it may find the answer. Who gives up closes it. */
MD_MUST_USE md_err_t md_segment_join_within(const char *dir, const char *name, int *ask_fd,
                                            int wait_ms, md_segment_t *out, md_msg_t *msg);
void                 md_segment_leave(md_segment_t *s);

/* md_segment_join_rings maps the rings file of a running engine for the command slots, as its own
 * user, and takes the client lock (waits at most timeout_ms). Released by md_segment_leave. */
MD_MUST_USE md_err_t md_segment_join_rings(md_segment_t *s, int timeout_ms, md_msg_t *msg);

/* md_segment_owner_alive says whether the engine process still exists (pid and start time). */
bool md_segment_owner_alive(const md_segment_t *s);

/* ---- instruments ---- */

/* What md_instrument_add puts into a row. */
typedef struct md_instrument_spec {
  const md_definition_t *definition; /* copied */
  uint16_t               feed;
  int8_t                 px_exp, qty_exp;
  bool                   want_book;
} md_instrument_spec_t;

/* md_instrument_add takes a row and, if wanted, a book. *id 0: the next free id is taken, else it
 * is kept (an instrument that the manifest knows). Feed threads, at start or on a new listing;
 * MD_ERR_FULL when rows or book space are used up. *row and *book stay valid with the segment;
 * *book is NULL when want_book is false. */
MD_MUST_USE md_err_t md_instrument_add(md_segment_t *s, const md_instrument_spec_t *spec,
                                       uint32_t *id, uint32_t *row, md_book_t **book);

/* md_instrument_update replaces the numbers of a definition (tick, lot, state, exponents) under its
 * version. Owner thread only. */
void md_instrument_update(md_segment_t *s, uint32_t row, int8_t px_exp, int8_t qty_exp,
                          const md_definition_t *definition);

/* md_instrument_read copies a row consistently: MD_ERR_EMPTY not ready, MD_ERR_BUSY, MD_ERR_RANGE.
 */
MD_MUST_USE md_err_t md_instrument_read(const md_segment_t *s, uint32_t row,
                                        md_instrument_row_t *out);

/* md_instrument_find returns the row of feed (UINT16_MAX: any) and symbol, raw or normalised,
 * without regard to case; -1 when there is none. Linear; for start-up and tools. */
int64_t md_instrument_find(const md_segment_t *s, uint16_t feed, const char *symbol);

/* md_instrument_book returns the row's book, checked against the mapping; NULL when it has none. */
const md_book_t *md_instrument_book(const md_segment_t *s, uint32_t row);

#endif
