/* sim_okx_book.h - a book of an OKX recording, with the texts of its levels as they were sent.
 *
 * The venue's checksum is over these texts, so a snapshot that is made of the book must have them.
 * Also reads the messages of a recording. Used by sim_okx_record.c; one thread, no sockets. */
#ifndef FEEDS_SIM_SIM_OKX_BOOK_H
#define FEEDS_SIM_SIM_OKX_BOOK_H

#include "feeds/sim/sim_okx_request.h"
#include "shm/book.h"

#define MD_SIM_OKX_LEVELS       400u /* that a snapshot has of a side */
#define MD_SIM_OKX_LEVEL_BYTES  104u
#define MD_SIM_OKX_CRC_LEVELS   25u
#define MD_SIM_OKX_NO_SEQ       (-2) /* the message has none: it is of the time before */
#define MD_SIM_OKX_SNAPSHOT_SEQ (-1) /* prevSeqId of a snapshot */

typedef struct md_sim_okx_level {
  int64_t px, qty; /* mantissas */
  uint8_t len, px_off, px_len, qty_off, qty_len;
  char    text[MD_SIM_OKX_LEVEL_BYTES]; /* ["px","qty","0","orders"] */
} md_sim_okx_level_t;

typedef struct md_sim_okx_side {
  md_sim_okx_level_t *levels; /* best first */
  uint32_t            cnt, cap;
} md_sim_okx_side_t;

typedef struct md_sim_okx_book {
  md_sim_okx_side_t side[2]; /* bids, asks */
  int               px_exp, qty_exp;
  bool              valid;
  int64_t           seq; /* seqId, or MD_SIM_OKX_NO_SEQ */
  int64_t           ts_ms;
  bool              has_crc; /* its messages have a checksum that is not 0 */
} md_sim_okx_book_t;

/* A message {"arg":{...},"action":"update","data":[...]}. */
typedef struct md_sim_okx_message {
  md_sim_okx_arg_t   arg;
  md_sim_okx_slice_t action, data;
} md_sim_okx_message_t;

/* The first element of a book message's data. */
typedef struct md_sim_okx_row {
  md_sim_okx_slice_t asks, bids;
  int64_t            ts_ms, checksum, seq, prev;
} md_sim_okx_row_t;

/* md_sim_okx_message reads a frame (MD_FRAME_PAD_BYTES readable behind it); false: no data. */
bool md_sim_okx_message(const char *text, size_t len, md_sim_okx_message_t *out);
bool md_sim_okx_row(md_sim_okx_slice_t data, md_sim_okx_row_t *out);

/* md_sim_okx_row_exps lowers the exponents to what a row's levels need. */
void md_sim_okx_row_exps(const md_sim_okx_row_t *row, int *px_exp, int *qty_exp);

void md_sim_okx_book_free(md_sim_okx_book_t *b);

/* md_sim_okx_book_load makes the book a snapshot, md_sim_okx_book_apply changes it by an update.
 * MD_ERR_RANGE: something is missing before the update, by its prevSeqId or its checksum; the book
 * is not valid then. */
MD_MUST_USE md_err_t md_sim_okx_book_load(md_sim_okx_book_t *b, const md_sim_okx_row_t *row);
MD_MUST_USE md_err_t md_sim_okx_book_apply(md_sim_okx_book_t *b, const md_sim_okx_row_t *row);

/* md_sim_okx_crc is the venue's checksum of the best 25 levels. md_sim_okx_crc_text is that of any
 * text. */
int32_t md_sim_okx_crc(const md_sim_okx_book_t *b);
int32_t md_sim_okx_crc_text(const char *p, size_t len);

/* md_sim_okx_book_rows writes "asks":[...],"bids":[...] of the best `limit` levels a side. */
void md_sim_okx_book_rows(const md_sim_okx_book_t *b, uint32_t limit, md_sim_text_t *out);

#endif
