#include "feeds/ws_deflate.h"

#include <stdlib.h>
#include <string.h>

#include "feeds/inflate.h"

#define TAIL_BYTES 4u

/* The sender cuts it off each message. */
static const uint8_t tail[TAIL_BYTES] = {0x00, 0x00, 0xff, 0xff};

struct md_ws_inflate {
  md_inflate_t *stream; /* of the largest window, which fits all */
  bool          is_reset;
  uint8_t      *behind; /* where the tail was put */
  uint8_t       saved[TAIL_BYTES];
};

md_err_t
md_ws_inflate_open(bool is_reset, md_ws_inflate_t **out) {
  md_ws_inflate_t *s = calloc(1, sizeof *s);
  if (!s) return MD_ERR_NOMEM;
  s->is_reset = is_reset;
  s->stream   = md_inflate_new();
  if (!s->stream) {
    free(s);
    return MD_ERR_NOMEM;
  }
  *out = s;
  return MD_OK;
}

void
md_ws_inflate_close(md_ws_inflate_t *s) {
  if (!s) return;
  md_inflate_delete(s->stream);
  free(s);
}

void
md_ws_inflate_begin(md_ws_inflate_t *s, uint8_t *p, size_t len) {
  s->behind = p + len;
  memcpy(s->saved, s->behind, TAIL_BYTES);
  memcpy(s->behind, tail, TAIL_BYTES);
  if (s->is_reset) md_inflate_reset(s->stream);
  md_inflate_begin(s->stream, p, len + TAIL_BYTES);
}

md_err_t
md_ws_inflate_more(md_ws_inflate_t *s, uint8_t *out, size_t room, size_t *written) {
  md_err_t err = md_inflate_more(s->stream, out, room, written);
  if (err != MD_ERR_FULL) memcpy(s->behind, s->saved, TAIL_BYTES);
  return err;
}
