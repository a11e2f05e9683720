/* command.h - one-slot mailbox from a command-line process of the same user to a feed thread.
 *
 * It lives in the rings file (0600). Clients serialise themselves with an fcntl lock on that file;
 * the feed thread looks once a turn (one load) and answers between two messages, so an answer is
 * taken at a sequence point.
 * Orders: R1 request store-release by the client <-> A1 load-acquire by the feed thread
 *         R2 answer store-release by the feed thread <-> A2 load-acquire by the client */
#ifndef SHM_COMMAND_H
#define SHM_COMMAND_H

#include "shm/atomics.h"
#include "shm/err.h"
#include "shm/limits.h"

typedef enum md_command_kind { MD_COMMAND_NONE = 0, MD_COMMAND_DIGEST = 1 } md_command_kind_t;

typedef struct md_command_answer {
  int64_t  err;   /* md_err_t */
  uint64_t state; /* md_book_state_t */
  uint64_t exch_seq, last_seq, gen;
  uint64_t bid_cnt, ask_cnt;
  uint64_t trade_cnt;  /* trades of this instrument in this run */
  char     digest[72]; /* 64 hex digits of every level, NUL */
  char     digest_top20[72];
  char     digest_top400[72];
} md_command_answer_t;

typedef struct md_command_slot {
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 request_no; /* grows by one for each request */
  uint32_t kind;
  uint32_t instrument;                              /* id */
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 answer_no; /* equals request_no when it is answered */
  md_command_answer_t answer;
} md_command_slot_t;

/* md_command_ask posts a request and waits for its answer: MD_ERR_TIMEOUT after timeout_ms. The
 * caller holds the client lock. */
MD_MUST_USE md_err_t md_command_ask(md_command_slot_t *slot, md_command_kind_t kind,
                                    uint32_t instrument, int timeout_ms, md_command_answer_t *out);

/* md_command_poll returns the kind of a waiting request (its instrument in *instrument), else
 * MD_COMMAND_NONE. Feed thread only. */
md_command_kind_t md_command_poll(const md_command_slot_t *slot, uint32_t *instrument);

/* md_command_reply answers the waiting request. Feed thread only. */
void md_command_reply(md_command_slot_t *slot, const md_command_answer_t *answer);

#endif
