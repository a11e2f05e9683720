/* ws_deflate.h - what permessage-deflate (RFC 7692) makes of the server's messages, by zlib.
 *
 * One stream for each connection, kept from message to message, with all its memory taken when it
 * is opened. We ourselves send nothing deflated. One thread. */
#ifndef FEEDS_WS_DEFLATE_H
#define FEEDS_WS_DEFLATE_H

#include "shm/err.h"

typedef struct md_ws_inflate md_ws_inflate_t;

/* md_ws_inflate_open makes a stream; is_reset: the server begins anew with each message. */
MD_MUST_USE md_err_t md_ws_inflate_open(bool is_reset, md_ws_inflate_t **out);
void                 md_ws_inflate_close(md_ws_inflate_t *s);

/* md_ws_inflate_begin takes a message of len bytes; the four bytes behind it are written and put
 * back. Its plain text is then taken by md_ws_inflate_more, in as many portions as room demands:
 * MD_OK, and *written of room bytes: that was all. MD_ERR_FULL: the room is full and there may be
 * more. MD_ERR_SYNTAX: it is no DEFLATE stream, and the connection must fail. */
void                 md_ws_inflate_begin(md_ws_inflate_t *s, uint8_t *p, size_t len);
MD_MUST_USE md_err_t md_ws_inflate_more(md_ws_inflate_t *s, uint8_t *out, size_t room,
                                        size_t *written);

#endif
