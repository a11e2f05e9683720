/* journal_sink.h - the state of the journal sink, shared by its files only: sinks/journal.c (open,
 * turn, close), journal_take.c (rings to blocks), journal_flow.c (blocks to the disk, and what is
 * durable), journal_roll.c (a new segment: in order, or because the old one failed),
 * journal_space.c (what to do when the disk is full, or nearly).
 *
 * One thread. The idea: a point is a place in every ring and stream at once. Blocks are closed at
 * points, in one order. Three points follow each other through that order:
 *
 *   taken (rings' read positions) >= written (all blocks up to it are in the file) >= durable
 * (synced)
 *
 * Rings are released at durable, so everything behind it can be taken again. */
#ifndef WRITERS_JOURNAL_SINK_H
#define WRITERS_JOURNAL_SINK_H

#include "writers/io_loop.h"
#include "writers/journal.h"
#include "writers/journal_ahead.h"
#include "writers/journal_file.h"
#include "writers/journal_scan.h"
#include "writers/sink.h"

#define MD_JOURNAL_SLOTS_BYTES    (4u << 20) /* registered, of the 8 MiB memlock limit */
#define MD_JOURNAL_SLOT_CNT       16u        /* at most; as many as configured blocks fit there */
#define MD_JOURNAL_SLOT_BYTES     (1u << 20) /* of one at most */
#define MD_JOURNAL_LARGE_SLOT     MD_JOURNAL_SLOT_CNT /* the one for a group that fits no other */
#define MD_JOURNAL_SPARE_SUBS     4u
#define MD_JOURNAL_SAMPLE_CNT     64u
#define MD_JOURNAL_ANSWER_NS      2000000000 /* how long a roll waits for the feeds' checkpoints */
#define MD_JOURNAL_BACKOFF_MIN_NS 20000000
#define MD_JOURNAL_BACKOFF_MAX_NS 5000000000
#define MD_JOURNAL_LOOK_NS        250000000  /* between two looks at the free space */
#define MD_JOURNAL_ASK_NS         5000000000 /* between two checkpoints because of a LOSS */

typedef struct md_journal_sink md_journal_sink_t;

typedef struct md_journal_point {
  uint64_t ring_read[MD_FEED_CNT_MAX];
  uint64_t ring_handed_cnt[MD_FEED_CNT_MAX];
  uint64_t seq[MD_STREAM_CNT_MAX]; /* by stream index */
  uint64_t end_off;                /* of the segment */
} md_journal_point_t;

typedef enum md_journal_slot_state {
  MD_SLOT_FREE,
  MD_SLOT_FILLING,
  MD_SLOT_WRITING,
  MD_SLOT_WRITTEN
} md_journal_slot_state_t;

typedef struct md_journal_slot {
  md_io_op_t              op;
  md_journal_sink_t      *sink;
  uint8_t                *data;
  uint32_t                cap_bytes;
  uint32_t                block_bytes;
  md_journal_slot_state_t state;
  bool                    synced;    /* its sync is linked to its write */
  int64_t                 oldest_ns; /* ts_pub of its oldest record */
  md_journal_point_t      point;     /* behind the block */
} md_journal_slot_t;

/* Oldest publication times of blocks on their way to durable. */
typedef struct md_journal_samples {
  int64_t  ns[MD_JOURNAL_SAMPLE_CNT];
  uint32_t cnt;
} md_journal_samples_t;

typedef struct md_journal_roll {
  bool     wanted;      /* the feeds were asked for checkpoints */
  bool     ready;       /* all have answered or their time is over: flush, then change segments */
  int64_t  deadline_ns; /* monotonic */
  uint64_t request[MD_FEED_CNT_MAX];
  bool     paused[MD_FEED_CNT_MAX]; /* the ring stands at its answer */
} md_journal_roll_t;

/* Shown as mdengine_journal_state. Only WAITING stops the journal; nothing stops the books. */
typedef enum md_journal_state {
  MD_JOURNAL_WRITING = 0,
  MD_JOURNAL_LOW     = 1, /* below min_free: it uses up what it has allocated */
  MD_JOURNAL_WAITING = 2  /* nothing is taken from the rings until there is space */
} md_journal_state_t;

typedef struct md_journal_space {
  md_journal_state_t state;
  int64_t            look_ns; /* monotonic: not before */
  bool               has_reserve;
} md_journal_space_t;

struct md_journal_sink {
  md_sink_env_t       env;
  md_journal_config_t cfg;
  uint32_t            epoch;
  md_io_t            *io;
  md_journal_file_t   file;
  uint64_t            next_segment;
  uint64_t            prev_segment, prev_bytes; /* for the next header */
  md_journal_marks_t  marks;                    /* of earlier segments and epochs */

  md_ring_consumer_t   ring[MD_FEED_CNT_MAX];
  uint32_t             next_ring; /* where the next turn begins */
  md_journal_streams_t streams;
  md_stream_row_t     *row[MD_STREAM_CNT_MAX]; /* by stream index, NULL when the segment has none */
  uint32_t             sub_cap;

  uint8_t          *memory;                        /* all slots */
  md_journal_slot_t slot[MD_JOURNAL_SLOT_CNT + 1]; /* one without room (cap_bytes 0) is not there */
  uint32_t          slot_cnt;                      /* without the large one */
  int               filling;                       /* slot being filled, -1 none */
  int64_t           filling_since_ns;
  md_journal_builder_t builder;
  uint32_t             queue[MD_JOURNAL_SLOT_CNT + 1]; /* slots on their way, oldest first */
  uint32_t             queue_cnt;

  md_journal_point_t   written, syncing, durable;
  md_journal_samples_t written_ns, syncing_ns;
  md_io_op_t           sync_op;
  int64_t              sync_ns; /* when the last sync was started */
  md_journal_roll_t    roll;
  bool                 stands_alone; /* false: the segment was begun after a failed one */
  int64_t              asked_ns;     /* monotonic: last request because of a LOSS */
  md_journal_ahead_t  *ahead;        /* NULL: segments are made when they are needed */
  bool                 ahead_asked;  /* since the last one was taken */
  int64_t              ahead_ns;     /* monotonic: not asked for before */
  md_journal_space_t   space;

  bool     stopping;
  bool     failed;   /* the segment is given up as soon as nothing is in flight */
  bool     hold;     /* the manifest could not take a definition: nothing is taken until retry_ns */
  int64_t  retry_ns; /* monotonic: not before */
  int64_t  backoff_ns;  /* of the next failure; 0 after progress */
  uint64_t failure_cnt; /* in a row */
};

/* md_journal_say logs one line. */
void md_journal_say(const md_journal_sink_t *s, const char *level, const char *format, ...)
    MD_PRINTF(3, 4);

/* ---- journal_take.c ---- */

/* md_journal_take moves groups from the rings into blocks until nothing is there or no block is
 * free. Returns the number of records. */
uint32_t md_journal_take(md_journal_sink_t *s);

/* md_journal_owes_loss: the feeds have stopped, and a loss of theirs is not yet declared. */
bool md_journal_owes_loss(md_journal_sink_t *s);

/* ---- journal_flow.c ---- */

/* md_journal_flow_close closes the block being filled and starts its write; false when it could
 * not. */
bool md_journal_flow_close(md_journal_sink_t *s);

/* md_journal_flow_turn closes and syncs what the policy wants now. flush: everything, at once. */
void md_journal_flow_turn(md_journal_sink_t *s, int64_t now_ns, bool flush);

/* md_journal_flow_idle is true when nothing is filled, in flight or waiting for a sync. */
bool md_journal_flow_idle(const md_journal_sink_t *s);

/* md_journal_flow_in_flight is true while the kernel holds an operation of the sink. */
bool md_journal_flow_in_flight(const md_journal_sink_t *s);

/* md_journal_fail marks the segment as failed, with one line for the first failure in a row. */
void md_journal_fail(md_journal_sink_t *s, const char *what);

/* ---- journal_roll.c ---- */

/* md_journal_roll_turn asks for checkpoints when the segment is full, changes segments when the
 * answers are there, and gives a failed segment up. */
void md_journal_roll_turn(md_journal_sink_t *s, int64_t now_ns);

/* md_journal_roll_is_answer is true when rec begins the answer that ring r was asked for. */
bool md_journal_roll_is_answer(const md_journal_sink_t *s, uint32_t r, const md_record_t *rec);

/* md_journal_roll_open makes the next segment. */
MD_MUST_USE md_err_t md_journal_roll_open(md_journal_sink_t *s, md_msg_t *msg);

/* md_journal_roll_ask wants a CHECKPOINT of each feed in the middle of the segment: a LOSS took
 * what the books of a replay were made of. */
void md_journal_roll_ask(md_journal_sink_t *s);

/* md_journal_back_off waits longer after each failure in a row. */
void md_journal_back_off(md_journal_sink_t *s);

/* ---- journal_space.c ---- */

/* md_journal_space_turn looks at the free space now and then, and makes the reserve. */
void md_journal_space_turn(md_journal_sink_t *s, int64_t now_ns);

/* md_journal_space_allows: bytes may be allocated without going below min_free. */
bool md_journal_space_allows(const md_journal_sink_t *s, uint64_t bytes);

/* md_journal_space_wait stops taking records, gives the reserve and the pool back, and says so
 * once. */
void md_journal_space_wait(md_journal_sink_t *s, const char *what);

/* md_journal_space_back is true when nothing waits for space, or when it came back. */
bool md_journal_space_back(md_journal_sink_t *s);

#endif
