/* input.h - what a feed thread gets: RAW inputs in one order, each with the clock value seen.
 *
 * A source gives inputs: a recording now, a transport later. The feed's logic is a function of this
 * list and nothing else, which is what makes a replay equal to the live run. */
#ifndef FEEDS_INPUT_H
#define FEEDS_INPUT_H

#include "shm/record.h"

/* The leg of a CLOSE of a connection that was replaced while another one gave the same: it takes no
 * book along. */
#define MD_LEG_RETIRED 254u

/* One input. payload has MD_FRAME_PAD_BYTES readable bytes behind it; name and payload stay valid
 * until the source is asked again. */
typedef struct md_input {
  md_raw_kind_t  kind;
  uint8_t        leg;  /* connection leg within the feed, MD_LEG_NONE if none */
  const char    *name; /* connection, or URL of MD_RAW_HTTP; not NUL-terminated */
  uint32_t       name_len;
  const uint8_t *payload;
  uint32_t       len;
  int64_t        recv_ns;
} md_input_t;

/* A source of inputs. Called by the feed thread only.
 * next: MD_OK and *out filled; MD_ERR_EMPTY nothing due now (*due_mono_ns: when to ask again, 0
 * unknown); MD_ERR_END no more; MD_ERR_CORRUPT or MD_ERR_IO with msg: the input is damaged here and
 * cannot go on. wait: sleeps until something may have come, at most max_ns; NULL: there is nothing
 * to wait on. ahead: true and a text frame that was received and is not given yet, each once, the
 * ahead-th one behind what next gave last (at most max); NULL: it cannot tell. memory: bytes that
 * it holds; NULL: nothing that grows. connected: whether it reaches what it collects from right
 * now; NULL: from the first input on. */
typedef struct md_source {
  md_err_t (*next)(void *ctx, md_input_t *out, int64_t *due_mono_ns, md_msg_t *msg);
  void (*wait)(void *ctx, int64_t max_ns);
  bool (*ahead)(void *ctx, uint32_t max, const uint8_t **payload, uint32_t *len, uint32_t *ahead);
  void (*close)(void *ctx);
  uint64_t (*memory)(void *ctx);
  bool (*connected)(void *ctx);
  void *ctx;
} md_source_t;

#endif
