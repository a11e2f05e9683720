/* What a connection writes: one buffer of bytes in order, written when it can be. */
#include "feeds/native_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool
reserve(md_native_connection_t *c, size_t more) {
  size_t bytes = c->tx_bytes ? c->tx_bytes : MD_NATIVE_TX_BYTES;
  if (c->tx_used + more <= c->tx_bytes) return true;
  while (bytes < c->tx_used + more)
    bytes *= 2;
  uint8_t *grown = realloc(c->tx, bytes);
  if (!grown) return false;
  c->tx       = grown;
  c->tx_bytes = bytes;
  return true;
}

md_err_t
md_native_put_raw(md_native_connection_t *c, const void *p, size_t len) {
  if (!reserve(c, len)) return MD_ERR_NOMEM;
  memcpy(c->tx + c->tx_used, p, len);
  c->tx_used += len;
  return MD_OK;
}

md_err_t
md_native_put(md_native_connection_t *c, md_ws_opcode_t opcode, const void *p, size_t len) {
  uint8_t mask[4];
  if (!reserve(c, MD_WS_HEAD_BYTES_MAX + len)) return MD_ERR_NOMEM;
  md_native_random(c->transport, mask, sizeof mask);
  c->tx_used += md_ws_head(c->tx + c->tx_used, opcode, len, mask);
  md_ws_mask(c->tx + c->tx_used, p, len, mask);
  c->tx_used += len;
  return MD_OK;
}

void
md_native_put_close(md_native_connection_t *c, uint16_t code) {
  uint8_t bytes[2] = {(uint8_t)(code >> 8), (uint8_t)code};
  /* Without memory the end of the socket says it. */
  (void)!md_native_put(c, MD_WS_CLOSE, bytes, code == MD_WS_CODE_NONE ? 0 : sizeof bytes);
}

void
md_native_answer_ping(md_native_connection_t *c, const uint8_t *p, uint32_t len) {
  if (c->tx_used - c->tx_sent <= MD_NATIVE_PONG_BYTES_MAX &&
      md_native_put(c, MD_WS_PONG, p, len) == MD_OK)
    return;
  if (len) memcpy(c->pong, p, len);
  c->pong_len = len;
  c->has_pong = true;
}

static ssize_t
write_some(md_native_connection_t *c) {
  const uint8_t *p   = c->tx + c->tx_sent;
  size_t         len = c->tx_used - c->tx_sent;
  return c->tls ? md_tls_write(c->tls, p, len) : send(c->fd, p, len, MSG_NOSIGNAL);
}

/* A write that fails says nothing that a read will not say too, behind what the peer still sent. */
void
md_native_flush(md_native_connection_t *c) {
  bool is_full = false;
  while (c->fd >= 0 && !is_full && (c->tx_sent < c->tx_used || c->has_pong)) {
    if (c->tx_sent == c->tx_used) {
      c->tx_sent = c->tx_used = 0;
      c->has_pong             = false;
      md_native_answer_ping(c, c->pong, c->pong_len);
      if (c->has_pong) break; /* no memory */
    }
    ssize_t n = write_some(c);
    if (n > 0)
      c->tx_sent += (size_t)n;
    else if (n < 0 && errno == EAGAIN)
      is_full = true;
    else if (n == 0 || errno != EINTR)
      c->tx_sent = c->tx_used; /* it leads nowhere any more */
  }
  if (c->tx_sent == c->tx_used) {
    c->tx_sent = c->tx_used = 0;
    c->text_cnt             = 0;
  }
  if (is_full != c->is_writing) {
    c->is_writing = is_full;
    md_native_watch(c);
  }
}
