/* ws_handshake.h - the HTTP request that asks for a WebSocket, and whether the answer grants it.
 *
 * Strict: the status is 101, Upgrade, Connection and Sec-WebSocket-Accept are each there and right,
 * no subprotocol and no extension that we did not ask for, lines end with CR LF, and all of it fits
 * MD_WS_ANSWER_BYTES_MAX. Of permessage-deflate (RFC 7692) only what was offered and is known is
 * taken. Pure: bytes in, bytes out; the transport owns the socket and the buffers. */
#ifndef FEEDS_WS_HANDSHAKE_H
#define FEEDS_WS_HANDSHAKE_H

#include "feeds/url.h"

#define MD_WS_KEY_BYTES         25u /* base64 of 16 bytes, and the end of the text */
#define MD_WS_REQUEST_BYTES_MAX (MD_URL_BYTES_MAX + MD_URL_HOST_BYTES_MAX + 512u)
#define MD_WS_ANSWER_BYTES_MAX  16384u
#define MD_WS_WHY_BYTES         112u

typedef struct md_ws_answer {
  size_t   bytes;                /* of the answer: frames begin behind it */
  bool     is_deflated;          /* permessage-deflate is agreed on */
  bool     is_reset;             /* the server begins anew with each message */
  uint32_t window_bits;          /* of the server */
  char     why[MD_WS_WHY_BYTES]; /* it is refused, for people */
} md_ws_answer_t;

/* md_ws_key makes the key of a request out of 16 random bytes. */
void md_ws_key(const uint8_t random[16], char out[MD_WS_KEY_BYTES]);

/* md_ws_request writes the request and returns its length, 0 when it does not fit. */
size_t md_ws_request(const md_url_t *u, const char *key, bool offers_deflate, char *out,
                     size_t bytes);

typedef enum md_ws_verdict { MD_WS_WAIT, MD_WS_GRANTED, MD_WS_REFUSED } md_ws_verdict_t;

/* md_ws_answer reads what came so far. WAIT: not all of it is there. */
md_ws_verdict_t md_ws_answer(const uint8_t *p, size_t len, const char *key, bool offers_deflate,
                             md_ws_answer_t *out);

#endif
