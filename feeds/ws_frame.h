/* ws_frame.h - WebSocket frames (RFC 6455) from a client's side: found in a buffer, and made.
 *
 * A walk goes over the bytes that a connection received and gives whole messages, pings, pongs and
 * the close. A message of one frame is given where it lies; fragments are pushed together in the
 * same buffer. The walk keeps no state inside a frame, so bytes may come in any portions. It checks
 * everything that the RFC demands of a server and says with which code the connection must fail.
 *
 * Pure: one thread, no system call, no memory of its own. The transport owns the buffer. */
#ifndef FEEDS_WS_FRAME_H
#define FEEDS_WS_FRAME_H

#include "shm/base.h"

#define MD_WS_HEAD_BYTES_MAX  14u
#define MD_WS_CONTROL_BYTES   125u
#define MD_WS_CODE_NONE       1005u /* a close frame without a code */
#define MD_WS_CODE_PROTOCOL   1002u
#define MD_WS_CODE_NOT_UTF8   1007u
#define MD_WS_CODE_TOO_LARGE  1009u
#define MD_WS_CODE_EXTENSION  1010u
#define MD_WS_CODE_UNEXPECTED 1011u

typedef enum md_ws_opcode {
  MD_WS_CONTINUATION = 0,
  MD_WS_TEXT         = 1,
  MD_WS_BINARY       = 2,
  MD_WS_CLOSE        = 8,
  MD_WS_PING         = 9,
  MD_WS_PONG         = 10
} md_ws_opcode_t;

typedef struct md_ws_walk {
  uint8_t *p;                    /* the caller's; fragments are moved in it */
  size_t   at, end;              /* walked so far; received so far */
  size_t   message, message_len; /* fragments so far, all before at */
  uint32_t message_bytes_max;
  bool     may_deflate; /* permessage-deflate was agreed on */
  bool     is_in_message, is_text, is_deflated;
} md_ws_walk_t;

typedef enum md_ws_kind {
  MD_WS_IS_MORE, /* nothing whole is left: receive more */
  MD_WS_IS_TEXT,
  MD_WS_IS_BINARY,
  MD_WS_IS_PING,
  MD_WS_IS_PONG,
  MD_WS_IS_CLOSE, /* code and reason are good */
  MD_WS_IS_BAD    /* fail the connection with code; nothing more can be found */
} md_ws_kind_t;

typedef struct md_ws_item {
  uint8_t    *payload; /* in the buffer; of CLOSE: the reason */
  uint32_t    len;
  uint16_t    code;        /* of CLOSE and BAD */
  bool        is_deflated; /* not inflated yet, and not known to be UTF-8 */
  const char *why;         /* of BAD, for people */
} md_ws_item_t;

/* md_ws_next gives the next thing that is whole. A payload stays where it is until md_ws_keep, but
 * for that of a ping or pong: only until the next call. */
md_ws_kind_t md_ws_next(md_ws_walk_t *w, md_ws_item_t *out);

/* md_ws_keep moves what is not given yet to the front of the buffer. */
void md_ws_keep(md_ws_walk_t *w);

/* md_ws_head writes the head of a whole frame of a client and returns its length. */
size_t md_ws_head(uint8_t out[MD_WS_HEAD_BYTES_MAX], md_ws_opcode_t opcode, size_t len,
                  const uint8_t mask[4]);

/* md_ws_mask masks len bytes of a payload, from its first. */
void md_ws_mask(uint8_t *out, const uint8_t *in, size_t len, const uint8_t mask[4]);

/* md_ws_close_code_is_valid says whether a close frame may bear this code. */
bool md_ws_close_code_is_valid(uint16_t code);

#endif
