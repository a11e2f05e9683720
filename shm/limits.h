/* limits.h - every compile-time bound, and the relations between them. A literal bound elsewhere is
 * a bug. Configured sizes (rings, tape, instruments) have their ranges here too. */
#ifndef SHM_LIMITS_H
#define SHM_LIMITS_H

#include "shm/base.h"

/* Records (record.h). */
#define MD_RECORD_HEADER_BYTES 64u
#define MD_RECORD_BYTES_MAX    32768u
#define MD_RECORD_ALIGN_BYTES  8u
#define MD_SYMBOL_BYTES        48u /* with its NUL; symbols may be UTF-8 */
#define MD_ASSET_BYTES         16u
#define MD_WORD_BYTES          24u /* a word of an exchange, such as PARTIALLY_FILLED */
#define MD_NAME_BYTES          32u /* feed, stream, thread, sink, engine name, with NUL */

/* Decimals (decimal.h). */
#define MD_EXP_MIN       (-24) /* smallest decimal exponent of a mantissa */
#define MD_EXP_MAX       8
#define MD_DECIMAL_BYTES 48u /* text of any decimal, with NUL */

/* Frames and groups. */
#define MD_FRAME_BYTES_MAX   (16u << 20) /* one message of an exchange, reassembled */
#define MD_FRAME_PAD_BYTES   64u         /* readable bytes behind a frame handed to a decoder */
#define MD_GROUP_RECORDS_MAX 1024u       /* records of one message, closed by LAST */

/* Books. */
#define MD_LADDER_LEVELS    20u
#define MD_LADDER_SLOTS     3u
#define MD_DEPTH_COPIES     2u
#define MD_DEPTH_LEVELS_MAX 20000u     /* a side, in shared memory */
#define MD_READ_RETRY_MAX   64u        /* bounded retries of a reader, then MD_ERR_BUSY */
#define MD_BOOK_LEVELS_MAX  (1u << 17) /* a side, in the engine's own book */

/* Streams, threads, instruments. */
#define MD_FEED_CNT_MAX       32u
#define MD_STREAM_CNT_MAX     64u /* normalised and raw stream of each feed */
#define MD_SINK_CNT_MAX       8u
#define MD_THREAD_CNT_MAX     64u
#define MD_RING_CNT_MAX       128u
#define MD_INSTRUMENT_CNT_MAX 100000u
#define MD_ERRLOG_ROWS        64u

/* Batches. */
#define MD_BURST_MAX           256u /* inputs that a feed thread handles before it looks up */
#define MD_PUBLISH_PENDING_MAX 16u  /* frames that may wait for publication */

/* Ring and tape sizes, powers of two. A model checker runs memories of few words. */
#ifdef MD_ATOMICS_MODEL
#define MD_RING_BYTES_MIN 512u
#else
#define MD_RING_BYTES_MIN (1u << 16)
#endif
#define MD_RING_BYTES_MAX (1ull << 32)

_Static_assert(MD_RECORD_BYTES_MAX % MD_RECORD_ALIGN_BYTES == 0, "records are 8-byte aligned");
_Static_assert(MD_RECORD_BYTES_MAX <= UINT16_MAX, "the length field is 16 bits");
#ifndef MD_ATOMICS_MODEL
_Static_assert(MD_RING_BYTES_MIN >= 2 * MD_RECORD_BYTES_MAX, "a record and its pad fit any ring");
#endif
_Static_assert((uint64_t)MD_GROUP_RECORDS_MAX *(MD_RECORD_BYTES_MAX - 256) >= MD_FRAME_BYTES_MAX,
               "the largest frame fits one group of RAW records");
_Static_assert(MD_STREAM_CNT_MAX >= 2 * MD_FEED_CNT_MAX, "two streams a feed");
_Static_assert(MD_RING_CNT_MAX >= MD_FEED_CNT_MAX * 4, "a ring for each feed and sink");
_Static_assert(MD_LADDER_SLOTS >= 3, "a reader of the newest slot is never under the writer");

#endif
