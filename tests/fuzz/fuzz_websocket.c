/* fuzz_websocket - libFuzzer over what the native transport does with a server's bytes: the answer
 * to the upgrade, the frame walk, the inflater, UTF-8.
 *
 * The first byte chooses: the answer (0), or frames without (1) and with (2) permessage-deflate;
 * the second how the rest is cut into portions. Frames are walked twice, whole and in portions, out
 * of memory that ends where the pad does; both must find the same. tests/prove/ws_fuzz.sh builds
 * and runs it; MD_FUZZ_CONTROL plants a walk that believes a length. */
#include "feeds/utf8.h"
#include "feeds/ws_deflate.h"
#include "feeds/ws_frame.h"
#include "feeds/ws_handshake.h"
#include "shm/limits.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was found, as one number. */
typedef struct found {
  uint64_t hash;
  uint32_t cnt;
  bool     is_bad;
} found_t;

static void
add(found_t *f, const void *p, size_t len) {
  const uint8_t *bytes = p;
  for (size_t n = 0; n < len; n++)
    f->hash = (f->hash ^ bytes[n]) * 0x100000001b3ull;
}

static bool
inflate_item(md_ws_inflate_t *s, md_ws_item_t *item, found_t *f) {
  uint8_t  out[512];
  size_t   written = 0, sum = 0;
  md_err_t err = MD_ERR_FULL;
  md_ws_inflate_begin(s, item->payload, item->len);
  for (unsigned n = 0; n < 64 && err == MD_ERR_FULL; n++) {
    err = md_ws_inflate_more(s, out, sizeof out, &written);
    md_assert(written <= sizeof out);
    add(f, out, written);
    sum += written;
  }
  return err == MD_OK && sum <= LIMIT;
}

static void
take(md_ws_walk_t *w, md_ws_inflate_t *s, found_t *f) {
  md_ws_item_t item;
  md_ws_kind_t kind;
  while (!f->is_bad && (kind = md_ws_next(w, &item)) != MD_WS_IS_MORE) {
    add(f, &kind, sizeof kind);
    f->cnt++;
    f->is_bad = kind == MD_WS_IS_BAD || kind == MD_WS_IS_CLOSE;
    if (kind == MD_WS_IS_BAD) {
      add(f, &item.code, sizeof item.code);
      md_assert(md_ws_close_code_is_valid(item.code) && item.why && !item.payload);
      return;
    }
    if (getenv("MD_FUZZ_CONTROL") && item.len == 7) item.len = 70 + MD_FRAME_PAD_BYTES;
    if (item.is_deflated) {
      md_assert(s && item.len <= LIMIT);
      if (!inflate_item(s, &item, f)) f->is_bad = true;
      continue;
    }
    md_assert(kind != MD_WS_IS_TEXT || md_utf8_is_valid(item.payload, item.len));
    add(f, item.payload, item.len);
  }
}

static found_t
walk(const uint8_t *data, size_t size, size_t portion, bool may_deflate) {
  md_ws_inflate_t *s = NULL;
  found_t          f = {.hash = 14695981039346656037ull};
  md_ws_walk_t     w = {.message_bytes_max = LIMIT, .may_deflate = may_deflate};
  w.p                = malloc(size + MD_FRAME_PAD_BYTES);
  if (!w.p) abort();
  if (may_deflate && md_ws_inflate_open(false, &s)) abort();
  for (size_t at = 0; at < size && !f.is_bad;) {
    size_t n = size - at < portion ? size - at : portion;
    md_ws_keep(&w);
    md_assert(w.end + n <= size);
    memcpy(w.p + w.end, data + at, n);
    w.end += n;
    memset(w.p + w.end, 0, MD_FRAME_PAD_BYTES);
    at += n;
    take(&w, s, &f);
  }
  free(w.p);
  md_ws_inflate_close(s);
  return f;
}

static void
answer(const uint8_t *data, size_t size, bool offers_deflate) {
  md_ws_answer_t whole, cut;
  uint8_t       *p = malloc(size + 1);
  if (!p) abort();
  memcpy(p, data, size);
  md_ws_verdict_t verdict =
      md_ws_answer(p, size, "dGhlIHNhbXBsZSBub25jZQ==", offers_deflate, &whole);
  md_assert(verdict != MD_WS_GRANTED || (whole.bytes <= size && whole.window_bits <= 15));
  md_assert(verdict == MD_WS_REFUSED || !whole.why[0]);
  if (size && verdict == MD_WS_WAIT)
    md_assert(md_ws_answer(p, size - 1, "dGhlIHNhbXBsZSBub25jZQ==", offers_deflate, &cut) ==
              MD_WS_WAIT);
  free(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  size_t portion = data[1] % 16 + 1u;
  data += 2;
  size -= 2;
  if (data[-2] % 3 == 0) {
    answer(data, size, portion % 2 == 0);
    return 0;
  }
  bool    may_deflate = data[-2] % 3 == 2;
  found_t whole       = walk(data, size, size, may_deflate);
  found_t cut         = walk(data, size, portion, may_deflate);
  md_assert(whole.hash == cut.hash && whole.cnt == cut.cnt && whole.is_bad == cut.is_bad);
  return 0;
}
