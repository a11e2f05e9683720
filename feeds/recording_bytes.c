#include "feeds/recording_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define PACKED_BYTES (256u << 10)

/* Refuses a frame that asks for more memory than any recording of ours needs. */
#define WINDOW_LOG_MAX 27

struct md_recording_bytes {
  int           fd;
  bool          is_zstd, file_ended, in_frame;
  ZSTD_DStream *zstd;
  ZSTD_inBuffer packed;
  uint8_t       data[PACKED_BYTES]; /* of the file; the plain text itself when it is not zstd */
};

static md_err_t
file_read(md_recording_bytes_t *b, uint8_t *to, size_t cap, size_t *got, md_msg_t *msg) {
  ssize_t n;
  do {
    n = read(b->fd, to, cap);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return md_fail_errno(msg, errno, "it cannot be read");
  *got = (size_t)n;
  return n == 0 ? MD_ERR_END : MD_OK;
}

/* Little-endian magic numbers of a zstd frame and of a skippable frame. */
static bool
looks_like_zstd(const uint8_t *p, size_t len) {
  if (len < 4) return false;
  uint32_t magic;
  memcpy(&magic, p, sizeof magic);
  return magic == ZSTD_MAGICNUMBER ||
         (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

/* Enough of the head to tell the format: a pipe may give it in pieces. */
static md_err_t
head_read(md_recording_bytes_t *b, md_msg_t *msg) {
  size_t len = 0;
  while (len < 4 && !b->file_ended) {
    size_t   got = 0;
    md_err_t err = file_read(b, b->data + len, sizeof b->data - len, &got, msg);
    if (err == MD_ERR_END) {
      b->file_ended = true;
    } else if (err) {
      return err;
    }
    len += got;
  }
  b->packed  = (ZSTD_inBuffer){.src = b->data, .size = len, .pos = 0};
  b->is_zstd = looks_like_zstd(b->data, len);
  return MD_OK;
}

md_err_t
md_recording_bytes_open(const char *path, md_recording_bytes_t **out, md_msg_t *msg) {
  md_recording_bytes_t *b = calloc(1, sizeof *b);
  if (!b) return md_fail(msg, MD_ERR_NOMEM, "%s: out of memory", path);

  md_msg_t why = {0};
  md_err_t err = MD_OK;
  b->fd        = open(path, O_RDONLY | O_CLOEXEC);
  if (b->fd < 0) {
    err = md_fail_errno(msg, errno, "%s: the recording cannot be opened", path);
    goto fail;
  }
  err = head_read(b, &why);
  if (err) {
    md_fail(msg, err, "%s: %s", path, why.text);
    goto fail;
  }
  if (b->is_zstd) {
    b->zstd = ZSTD_createDStream();
    if (!b->zstd ||
        ZSTD_isError(ZSTD_DCtx_setParameter(b->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
      err = md_fail(msg, MD_ERR_NOMEM, "%s: out of memory", path);
      goto fail;
    }
  }
  *out = b;
  return MD_OK;

fail:
  md_recording_bytes_close(b);
  return err;
}

void
md_recording_bytes_close(md_recording_bytes_t *b) {
  if (!b) return;
  if (b->fd >= 0) close(b->fd);
  ZSTD_freeDStream(b->zstd);
  free(b);
}

static md_err_t
plain_read(md_recording_bytes_t *b, uint8_t *to, size_t cap, size_t *got, md_msg_t *msg) {
  size_t left = b->packed.size - b->packed.pos;
  if (left == 0) return file_read(b, to, cap, got, msg);

  size_t n = left < cap ? left : cap;
  memcpy(to, b->data + b->packed.pos, n);
  b->packed.pos += n;
  *got = n;
  return MD_OK;
}

static md_err_t
zstd_refill(md_recording_bytes_t *b, md_msg_t *msg) {
  size_t   got = 0;
  md_err_t err = b->file_ended ? MD_ERR_END : file_read(b, b->data, sizeof b->data, &got, msg);
  if (err == MD_ERR_END) b->file_ended = true;
  b->packed = (ZSTD_inBuffer){.src = b->data, .size = got, .pos = 0};
  return err;
}

static md_err_t
zstd_read(md_recording_bytes_t *b, uint8_t *to, size_t cap, size_t *got, md_msg_t *msg) {
  ZSTD_outBuffer out = {.dst = to, .size = cap, .pos = 0};
  while (out.pos == 0) {
    if (b->packed.pos == b->packed.size && !b->file_ended) {
      md_err_t err = zstd_refill(b, msg);
      if (err && err != MD_ERR_END) return err;
    }
    if (b->file_ended && b->packed.pos == b->packed.size && !b->in_frame) return MD_ERR_END;

    size_t packed_before = b->packed.pos;
    size_t rc            = ZSTD_decompressStream(b->zstd, &out, &b->packed);
    if (ZSTD_isError(rc)) {
      return md_fail(msg, MD_ERR_CORRUPT, "the compressed data is damaged (%s)",
                     ZSTD_getErrorName(rc));
    }
    b->in_frame = rc != 0;
    if (b->file_ended && b->packed.pos == packed_before && out.pos == 0) {
      return md_fail(msg, MD_ERR_CORRUPT, "the compressed data ends in the middle of a frame");
    }
  }
  *got = out.pos;
  return MD_OK;
}

md_err_t
md_recording_bytes_read(md_recording_bytes_t *b, uint8_t *to, size_t cap, size_t *got,
                        md_msg_t *msg) {
  md_assert(cap > 0);
  *got = 0;
  return b->is_zstd ? zstd_read(b, to, cap, got, msg) : plain_read(b, to, cap, got, msg);
}
