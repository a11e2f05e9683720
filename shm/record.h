/* record.h - what a record is, in ring, tape, journal, PostgreSQL and NATS.
 *
 * Little-endian, 8-byte aligned, at most MD_RECORD_BYTES_MAX: a 64-byte header and a body. The bodies
 * come from record_table.h. shm/README.md says the same for readers in other languages. */
#ifndef SHM_RECORD_H
#define SHM_RECORD_H

#include "shm/decimal.h"
#include "shm/record_table.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are little-endian in memory");

typedef enum md_record_type {
#define MD_RECORD_ENUM(NAME, name, value, table) MD_RECORD_##NAME = (value),
  MD_RECORD_TYPES(MD_RECORD_ENUM)
#undef MD_RECORD_ENUM
  MD_RECORD_TYPE_END = 26 /* one above the last */
} md_record_type_t;

/* Flags of the header. */
enum {
  MD_FLAG_LAST     = 1 << 0, /* the last record of its message; set on single records too */
  MD_FLAG_SNAPSHOT = 1 << 1, /* part of a snapshot */
  MD_FLAG_RESYNC   = 1 << 2, /* first data after a gap */
  MD_FLAG_BACKFILL = 1 << 3, /* fetched later */
  MD_FLAG_SAMPLED  = 1 << 4, /* the venue gives a sample only (liquidations) */
  MD_FLAG_OFF_BOOK = 1 << 5, /* not a trade of the book: insurance fund, ADL */
  MD_FLAG_BAD_TS   = 1 << 6, /* the exchange's time is missing or absurd: ts_exch_ns is absent */
  MD_FLAG_CROSSED  = 1 << 7, /* the book was crossed or locked after this message */
  MD_FLAG_REST     = 1 << 8, /* came by REST */
  MD_FLAG_CORRECTION = 1 << 9 /* replaces what the venue had called final (a closed bar) */
};

typedef enum md_side { MD_SIDE_NONE = 0, MD_SIDE_BUY = 1, MD_SIDE_SELL = 2 } md_side_t;

typedef enum md_raw_kind {
  MD_RAW_CONNECT   = 1, /* name: connection, payload: URL */
  MD_RAW_CLOSE     = 2, /* name: connection, payload: reason text */
  MD_RAW_TEXT_IN   = 3, /* received text frame */
  MD_RAW_BINARY_IN = 4, /* received binary frame */
  MD_RAW_TEXT_OUT  = 5, /* sent text frame */
  MD_RAW_HTTP      = 6, /* name: URL, payload: body of the answer */
  MD_RAW_TIMER     = 7, /* a deadline of the feed's logic passed; payload: its name */
  MD_RAW_COMMAND   = 8  /* an operator's command; payload: its text */
} md_raw_kind_t;

typedef enum md_book_state {
  MD_BOOK_EMPTY   = 0, /* nothing yet */
  MD_BOOK_SYNCING = 1, /* updates buffered, waiting for a snapshot that aligns */
  MD_BOOK_VALID   = 2, /* snapshot and updates aligned by the venue's rule, no gap seen */
  MD_BOOK_STALE   = 3  /* was valid, must not be used: see the reason */
} md_book_state_t;

typedef enum md_reason {
  MD_REASON_NONE           = 0,
  MD_REASON_SEQUENCE       = 1, /* a hole in the exchange's sequence */
  MD_REASON_CHECKSUM       = 2, /* the venue's checksum differs */
  MD_REASON_DISCONNECT     = 3, /* the connection went away */
  MD_REASON_OVERFLOW       = 4, /* a number that does not fit, or no room for a level */
  MD_REASON_SYNC_BUFFER    = 5, /* the buffer before the snapshot was full: oldest dropped */
  MD_REASON_BAD_MESSAGE    = 6, /* a message of this book could not be decoded */
  MD_REASON_CROSSED        = 7, /* bid >= ask for too long */
  MD_REASON_SILENT         = 8, /* no data within the stream's cadence */
  MD_REASON_RING_FULL      = 9, /* LOSS: the sink was too slow */
  MD_REASON_INPUT_END      = 10, /* the recording ended */
  MD_REASON_SINK_ERROR     = 11, /* LOSS: the sink's device failed */
  MD_REASON_CANARY         = 12, /* best bid and offer of the venue disagree */
  MD_REASON_OPERATOR       = 13, /* asked for */
  MD_REASON_RESTART        = 14, /* the engine was not there */
  MD_REASON_DELISTED       = 15, /* the venue does not list the symbol any more */
  MD_REASON_DEPTH          = 16, /* a best price that lies beyond the levels of the snapshot */
  MD_REASON_CNT            = 17
} md_reason_t;

typedef enum md_instrument_kind {
  MD_KIND_SPOT = 0, MD_KIND_PERPETUAL = 1, MD_KIND_FUTURE = 2, MD_KIND_OPTION = 3, MD_KIND_INDEX = 4
} md_instrument_kind_t;

typedef enum md_trading { MD_TRADING_UNKNOWN = 0, MD_TRADING_ON = 1, MD_TRADING_HALT = 2,
                          MD_TRADING_ENDED = 3 } md_trading_t;

typedef enum md_trade_origin { MD_ORIGIN_MARKET = 0, MD_ORIGIN_INSURANCE = 1, MD_ORIGIN_ADL = 2,
                               MD_ORIGIN_OTHER = 3 } md_trade_origin_t;

typedef enum md_ratio_basis { MD_BASIS_TOP_POSITIONS = 0, MD_BASIS_TOP_ACCOUNTS = 1,
                              MD_BASIS_ALL_ACCOUNTS = 2 } md_ratio_basis_t;

typedef enum md_status_subject { MD_SUBJECT_BOOK = 0, MD_SUBJECT_CONNECTION = 1,
                                 MD_SUBJECT_VENUE = 2, MD_SUBJECT_INSTRUMENT = 3 } md_status_subject_t;

typedef enum md_checkpoint_kind { MD_CHECKPOINT_BEGIN = 0, MD_CHECKPOINT_DEFINITION = 1,
                                  MD_CHECKPOINT_BOOK = 2, MD_CHECKPOINT_END = 3 } md_checkpoint_kind_t;

#define MD_LEG_NONE 255u

typedef struct md_record {
  uint16_t len;        /* whole record in bytes, a multiple of 8 */
  uint8_t  type;       /* md_record_type_t */
  uint8_t  leg;        /* connection leg within the feed, MD_LEG_NONE if none */
  uint16_t flags;      /* MD_FLAG_* */
  uint16_t stream;     /* stream id of the journal's manifest */
  uint32_t instrument; /* instrument id of the journal's manifest, 0 for none */
  uint32_t epoch;      /* engine start that made it */
  int8_t   px_exp;     /* decimal exponent of PX fields and level prices */
  int8_t   qty_exp;    /* decimal exponent of QTY fields and level quantities */
  uint16_t reserved;   /* zero */
  uint32_t raw_lo;     /* low 32 bits of the seq of the RAW record that caused it, 0 for none */
  uint64_t seq;        /* from 1 without holes in each (stream, epoch) */
  uint64_t exch_seq;   /* the exchange's sequence (u, seqId, change_id, trade id), 0 for none */
  int64_t  ts_exch_ns; /* the exchange's event time, MD_NULL_I64 if it gives none */
  int64_t  ts_recv_ns; /* our clock when the frame was received */
  int64_t  ts_pub_ns;  /* our clock when it was published */
} md_record_t;

_Static_assert(sizeof(md_record_t) == MD_RECORD_HEADER_BYTES, "record header is 64 bytes");
_Static_assert(offsetof(md_record_t, type) == 2 && offsetof(md_record_t, leg) == 3, "ABI");
_Static_assert(offsetof(md_record_t, flags) == 4 && offsetof(md_record_t, stream) == 6, "ABI");
_Static_assert(offsetof(md_record_t, instrument) == 8 && offsetof(md_record_t, epoch) == 12, "ABI");
_Static_assert(offsetof(md_record_t, px_exp) == 16 && offsetof(md_record_t, raw_lo) == 20, "ABI");
_Static_assert(offsetof(md_record_t, seq) == 24 && offsetof(md_record_t, exch_seq) == 32, "ABI");
_Static_assert(offsetof(md_record_t, ts_exch_ns) == 40, "ABI");
_Static_assert(offsetof(md_record_t, ts_recv_ns) == 48 && offsetof(md_record_t, ts_pub_ns) == 56,
               "ABI");

typedef struct md_level {
  int64_t px;  /* mantissa */
  int64_t qty; /* mantissa; 0 deletes */
} md_level_t;

/* Body structs: md_trade_t, md_book_delta_t, ... Offsets are from the start of the body. */
typedef char char_symbol[MD_SYMBOL_BYTES];
typedef char char_asset[MD_ASSET_BYTES];
typedef char char_word[MD_WORD_BYTES];
#define MD_FIELD_DECL(field, c_type, kind, doc) c_type field;
#define MD_FIELD_SIZE(field, c_type, kind, doc) +sizeof(c_type)
#define MD_BODY_STRUCT(NAME, name, value, table)                                                   \
  typedef struct md_##name {                                                                       \
    MD_##NAME##_FIELDS(MD_FIELD_DECL)                                                              \
  } md_##name##_t;                                                                                 \
  _Static_assert(sizeof(md_##name##_t) == 0 MD_##NAME##_FIELDS(MD_FIELD_SIZE), "no hidden padding"); \
  _Static_assert(sizeof(md_##name##_t) % 8 == 0, "bodies are 8-byte aligned");
MD_RECORD_TYPES(MD_BODY_STRUCT)
#undef MD_BODY_STRUCT

/* MD_ABSENT(TRADE) initialises a body in which every field is absent, or 0 where there is no such
 * value: md_trade_t t = MD_ABSENT(TRADE). */
#define MD_ABSENT_PX    MD_NULL_I64
#define MD_ABSENT_QTY   MD_NULL_I64
#define MD_ABSENT_TS    MD_NULL_I64
#define MD_ABSENT_U64   MD_NULL_U64
#define MD_ABSENT_D128  {0, MD_DEC128_NULL_HI}
#define MD_ABSENT_U32   0
#define MD_ABSENT_U16   0
#define MD_ABSENT_U8    0
#define MD_ABSENT_BOOL  0
#define MD_ABSENT_SIDE  0
#define MD_ABSENT_LAG   0
#define MD_ABSENT_PAD   0
#define MD_ABSENT_SYM   ""
#define MD_ABSENT_ASSET ""
#define MD_FIELD_ABSENT(field, c_type, kind, doc) .field = MD_ABSENT_##kind,
#define MD_ABSENT(NAME) {MD_##NAME##_FIELDS(MD_FIELD_ABSENT)}

/* What stands at a trade, best prices and an aggregate in one record: at most two cache lines. */
_Static_assert(sizeof(md_record_t) + sizeof(md_trade_t) <= 128, "a trade is two cache lines");
_Static_assert(sizeof(md_record_t) + sizeof(md_agg_trade_t) <= 128, "an aggregate is two");
_Static_assert(sizeof(md_record_t) + sizeof(md_bbo_t) <= 128, "best prices are two");
_Static_assert(sizeof(md_book_delta_t) == 32 && sizeof(md_book_snapshot_t) == 32 &&
                   sizeof(md_ladder_t) == 32 && sizeof(md_book_orders_t) == 32,
               "what stands before levels does not grow");

/* What the tables say, for code that walks fields (JSON, COPY, documentation). */
typedef enum md_field_kind {
  MD_FIELD_PX, MD_FIELD_QTY, MD_FIELD_D128, MD_FIELD_TS, MD_FIELD_U64, MD_FIELD_U32, MD_FIELD_U16,
  MD_FIELD_U8, MD_FIELD_BOOL, MD_FIELD_SIDE, MD_FIELD_LAG, MD_FIELD_SYM, MD_FIELD_ASSET, MD_FIELD_PAD
} md_field_kind_t;

typedef struct md_field {
  const char     *name;
  const char     *doc;
  md_field_kind_t kind;
  uint32_t        off; /* from the start of the body */
  uint32_t        bytes;
} md_field_t;

typedef struct md_record_info {
  const char       *name;  /* "trade" */
  const char       *table; /* "trades", or "" for none */
  const md_field_t *fields;
  uint32_t          field_cnt;
  uint32_t          body_bytes;
} md_record_info_t;

/* md_record_info returns the description of a type, or NULL for a type that is not in the table. */
const md_record_info_t *md_record_info(unsigned type);

/* md_record_body returns the body behind the header. */
static inline void *
md_record_body(md_record_t *rec)
{
  return rec + 1;
}

static inline const void *
md_record_body_const(const md_record_t *rec)
{
  return rec + 1;
}

/* md_record_check says whether the bytes at rec are a well-formed record of at most avail bytes: known
 * type, length within its bounds and a multiple of 8, counts of levels and bytes within the length.
 * MD_ERR_CORRUPT otherwise. Reads only within avail. Any thread; trusts nothing. */
MD_MUST_USE md_err_t md_record_check(const void *rec, size_t avail);

/* md_record_old_bytes returns how long the bodies of a type were in the journal's first format, 0 for
 * a type that it had not. md_record_check_old checks a record of that format.
 * md_record_renew copies one into out (of MD_RECORD_BYTES_MAX) as a record of today, what it did not
 * have being absent, and returns its length. Any thread. */
uint32_t md_record_old_bytes(unsigned type);
MD_MUST_USE md_err_t md_record_check_old(const void *rec, size_t avail);
uint32_t md_record_renew(const void *rec, md_record_t *out);

/* md_record_same_old compares what the first format had of two records of one type and length: their
 * headers apart from ts_pub_ns and seq, their bodies without later fields, and what stands behind. */
bool md_record_same_old(const md_record_t *a, const md_record_t *b);

/* md_record_has_levels says whether levels stand behind the body of a type. */
static inline bool
md_record_has_levels(unsigned type)
{
  return type == MD_RECORD_BOOK_DELTA || type == MD_RECORD_BOOK_SNAPSHOT ||
         type == MD_RECORD_LADDER || type == MD_RECORD_BOOK_ORDERS;
}

/* md_record_json writes the record as one JSON object on one line (no newline), prices as exact
 * decimal strings, absent values as null; symbol may be NULL. Returns the length, or 0 when it does not
 * fit out_bytes. RAW payloads are written as a JSON string, binary ones as base64. Cold path. */
size_t md_record_json(const md_record_t *rec, const char *symbol, char *out, size_t out_bytes);

/* md_book_state_name, md_reason_name: "VALID", "SEQUENCE"; "?" for a value outside. */
const char *md_book_state_name(unsigned state);
const char *md_reason_name(unsigned reason);

#endif
