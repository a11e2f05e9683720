#include "feeds/repeat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct repeat {
  md_source_t       source;
  uint64_t          rounds_left; /* after this one; UINT64_MAX: without end */
  uint32_t          speed_permille;
  const md_clock_t *clock;
  int64_t           last_recv_ns;
  char              path[1024];
  uint8_t           reason[MD_FRAME_PAD_BYTES * 2];
} repeat_t;

static const char reason_text[] = "the recording begins again";

/* Opens the file for the next round and gives the close of the one before. */
static md_err_t
next_round(repeat_t *r, md_input_t *out, md_msg_t *msg) {
  md_recording_t *recording;
  md_err_t        err = md_recording_open(r->path, r->speed_permille, r->clock, &recording, msg);
  if (err) return err;
  r->source.close(r->source.ctx);
  r->source = md_recording_source(recording);
  if (r->rounds_left != UINT64_MAX) r->rounds_left--;
  *out = (md_input_t){.kind     = MD_RAW_CLOSE,
                      .leg      = MD_LEG_NONE,
                      .name     = "recording",
                      .name_len = sizeof "recording" - 1,
                      .payload  = r->reason,
                      .len      = sizeof reason_text - 1,
                      .recv_ns  = r->last_recv_ns};
  return MD_OK;
}

static md_err_t
repeat_next(void *ctx, md_input_t *out, int64_t *due_mono_ns, md_msg_t *msg) {
  repeat_t *r   = ctx;
  md_err_t  err = r->source.next(r->source.ctx, out, due_mono_ns, msg);
  if (err == MD_OK) r->last_recv_ns = out->recv_ns;
  if (err == MD_ERR_END && r->rounds_left > 0) err = next_round(r, out, msg);
  return err;
}

static void
repeat_close(void *ctx) {
  repeat_t *r = ctx;
  r->source.close(r->source.ctx);
  free(r);
}

md_err_t
md_repeat_open(const char *path, uint32_t speed_permille, uint64_t round_cnt,
               const md_clock_t *clock, md_source_t *out, md_msg_t *msg) {
  md_recording_t *recording;
  repeat_t       *r = calloc(1, sizeof *r);
  if (!r) return md_fail(msg, MD_ERR_NOMEM, "no memory to play %s", path);
  if (strlen(path) >= sizeof r->path) {
    free(r);
    return md_fail(msg, MD_ERR_RANGE, "the path of the recording is too long; move it: %.80s...",
                   path);
  }
  md_err_t err = md_recording_open(path, speed_permille, clock, &recording, msg);
  if (err) {
    free(r);
    return err;
  }
  (void)snprintf(r->path, sizeof r->path, "%s", path);
  memcpy(r->reason, reason_text, sizeof reason_text);
  r->source         = md_recording_source(recording);
  r->rounds_left    = round_cnt ? round_cnt - 1 : UINT64_MAX;
  r->speed_permille = speed_permille;
  r->clock          = clock;
  *out              = (md_source_t){.next = repeat_next, .close = repeat_close, .ctx = r};
  return MD_OK;
}
