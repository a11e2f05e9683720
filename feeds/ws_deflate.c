#include "feeds/ws_deflate.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define WINDOW_BITS (-15) /* the largest fits all; without zlib's own head */
#define TAIL_BYTES  4u

/* The sender cuts it off each message. */
static const uint8_t tail[TAIL_BYTES] = {0x00, 0x00, 0xff, 0xff};

struct md_ws_inflate {
  z_stream z;
  bool     is_reset;
  uint8_t *behind; /* where the tail was put */
  uint8_t  saved[TAIL_BYTES];
};

/* zlib takes its window when it first gives something: here, so that no message pays for it. */
static bool
warm(z_stream *z) {
  uint8_t stored[] = {0x00, 0x01, 0x00, 0xfe, 0xff, 'a'}, out[8];
  z->next_in       = stored;
  z->avail_in      = sizeof stored;
  z->next_out      = out;
  z->avail_out     = sizeof out;
  return inflate(z, Z_SYNC_FLUSH) == Z_OK && z->avail_out == sizeof out - 1 &&
         inflateReset(z) == Z_OK;
}

md_err_t
md_ws_inflate_open(bool is_reset, md_ws_inflate_t **out) {
  md_ws_inflate_t *s = calloc(1, sizeof *s);
  if (!s) return MD_ERR_NOMEM;
  s->is_reset = is_reset;
  if (inflateInit2(&s->z, WINDOW_BITS) != Z_OK || !warm(&s->z)) {
    (void)inflateEnd(&s->z);
    free(s);
    return MD_ERR_NOMEM;
  }
  *out = s;
  return MD_OK;
}

void
md_ws_inflate_close(md_ws_inflate_t *s) {
  if (!s) return;
  (void)inflateEnd(&s->z);
  free(s);
}

void
md_ws_inflate_begin(md_ws_inflate_t *s, uint8_t *p, size_t len) {
  s->z.next_in  = p;
  s->z.avail_in = (uInt)(len + TAIL_BYTES);
  s->behind     = p + len;
  memcpy(s->saved, s->behind, TAIL_BYTES);
  memcpy(s->behind, tail, TAIL_BYTES);
}

static void
put_back(md_ws_inflate_t *s) {
  memcpy(s->behind, s->saved, TAIL_BYTES);
}

/* A message may hold a last block; what comes behind it is a stream again, with the same window. */
md_err_t
md_ws_inflate_more(md_ws_inflate_t *s, uint8_t *out, size_t room, size_t *written) {
  s->z.next_out  = out;
  s->z.avail_out = (uInt)room;
  for (;;) {
    int rc   = inflate(&s->z, Z_SYNC_FLUSH);
    *written = room - s->z.avail_out;
    if (rc == Z_STREAM_END) {
      (void)inflateResetKeep(&s->z);
      if (s->z.avail_in) continue;
    } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
      put_back(s);
      return MD_ERR_SYNTAX;
    }
    if (s->z.avail_out == 0) return MD_ERR_FULL;
    put_back(s);
    if (s->z.avail_in) return MD_ERR_SYNTAX;
    if (s->is_reset) (void)inflateReset(&s->z);
    return MD_OK;
  }
}
