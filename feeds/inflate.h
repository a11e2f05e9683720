/* inflate.h - DEFLATE (RFC 1951) of messages that are there as a whole, one stream for many of
 * them, with the text of the last 32 KiB kept for those that follow.
 *
 * For ws_deflate.c, in the feed thread. Against zlib, which may stop within any bit of its input,
 * it gains from never having to: a message is read to its end or refused. What zlib refuses is
 * refused here (codes that are over-subscribed or incomplete, distances before the beginning,
 * blocks of no type); a message that ends within a block is refused as well. Bytes from outside
 * never lead outside of the memory that md_inflate_new took, nor to a loop without end. */
#ifndef FEEDS_INFLATE_H
#define FEEDS_INFLATE_H

#include "shm/err.h"

typedef struct md_inflate md_inflate_t;

/* md_inflate_new takes all the memory that a stream ever needs; NULL: there is none. */
md_inflate_t *md_inflate_new(void);
void          md_inflate_delete(md_inflate_t *s);

/* md_inflate_reset forgets the text before, as at the beginning. */
void md_inflate_reset(md_inflate_t *s);

/* md_inflate_begin takes a message of whole blocks: len bytes that stay where they are until its
 * end. md_inflate_more gives its text in portions: MD_OK, and *written bytes of out: that was all.
 * MD_ERR_FULL: the room is full and there may be more. MD_ERR_SYNTAX: it is none; the stream is of
 * no use any more. */
void                 md_inflate_begin(md_inflate_t *s, const uint8_t *p, size_t len);
MD_MUST_USE md_err_t md_inflate_more(md_inflate_t *s, uint8_t *out, size_t room, size_t *written);

#endif
