#include "bench/update_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define ID_DIGITS   11u
#define FRAME_BYTES (16u << 10)
#define HEAD_MAX    4u
#define TAIL_BYTES  4u /* of a flushed block: not sent */

typedef struct place {
  uint32_t bytes, stream, symbol, first, last; /* of the payload; where its parts stand in it */
} place_t;

struct md_bench_update_stream {
  const md_bench_corpus_t *corpus;
  uint32_t                 instrument_cnt, next;
  bool                     deflates;
  z_stream                 z;
  uint64_t                *last_id;
  place_t                 *place;
  uint8_t                 *plain, *frame; /* HEAD_MAX bytes, then the payload */
};

static uint32_t
offset_of(const uint8_t *text, const char *what) {
  const char *found = strstr((const char *)text, what);
  md_assert(found != NULL);
  return (uint32_t)(found - (const char *)text + (ptrdiff_t)strlen(what));
}

md_bench_update_stream_t *
md_bench_update_stream_new(const md_bench_corpus_t *corpus, uint32_t instrument_cnt,
                           bool deflates) {
  md_bench_update_stream_t *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->corpus         = corpus;
  s->instrument_cnt = instrument_cnt;
  s->deflates       = deflates;
  s->last_id        = calloc(instrument_cnt, sizeof s->last_id[0]);
  s->place          = calloc(corpus->cnt, sizeof s->place[0]);
  s->plain          = calloc(1, FRAME_BYTES);
  s->frame          = calloc(1, FRAME_BYTES);
  if (!s->last_id || !s->place || !s->plain || !s->frame ||
      deflateInit2(&s->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    md_bench_update_stream_delete(s);
    return NULL;
  }
  for (uint32_t i = 0; i < corpus->cnt; i++) {
    md_assert(corpus->len[i] < FRAME_BYTES / 2);
    s->place[i] = (place_t){.bytes  = corpus->len[i],
                            .stream = offset_of(corpus->text[i], "\"stream\":\""),
                            .symbol = offset_of(corpus->text[i], "\"s\":\""),
                            .first  = offset_of(corpus->text[i], "\"U\":"),
                            .last   = offset_of(corpus->text[i], "\"u\":")};
  }
  return s;
}

void
md_bench_update_stream_delete(md_bench_update_stream_t *s) {
  if (!s) return;
  (void)deflateEnd(&s->z);
  free(s->last_id);
  free(s->place);
  free(s->plain);
  free(s->frame);
  free(s);
}

void
md_bench_update_stream_begin(md_bench_update_stream_t *s, const md_bench_source_t *source) {
  md_book_top_t top;
  for (uint32_t i = 0; i < s->instrument_cnt; i++) {
    md_err_t err = md_book_read_top(md_feed_instrument_at(source->feed, i)->shm, &top);
    md_assert(err == MD_OK); /* nobody writes now */
    s->last_id[i] = top.meta.exch_seq;
  }
  (void)deflateReset(&s->z);
}

static void
put_id(uint8_t *out, uint64_t id) {
  for (unsigned n = ID_DIGITS; n-- > 0; id /= 10)
    out[n] = (uint8_t)('0' + id % 10);
}

static void
put_symbol(uint8_t *out, uint32_t instrument, uint8_t first, uint8_t last) {
  for (unsigned n = 6; n-- > 1; instrument /= 10)
    out[n] = (uint8_t)('0' + instrument % 10);
  out[0] = first;
  out[6] = last;
}

/* The payload behind HEAD_MAX bytes of s->frame; its length. */
static uint32_t
compress_payload(md_bench_update_stream_t *s, uint32_t bytes) {
  s->z.next_in   = s->plain;
  s->z.avail_in  = bytes;
  s->z.next_out  = s->frame + HEAD_MAX;
  s->z.avail_out = FRAME_BYTES - HEAD_MAX;
  int rc         = deflate(&s->z, Z_SYNC_FLUSH);
  md_assert(rc == Z_OK && s->z.avail_in == 0 && s->z.avail_out > 0);
  return FRAME_BYTES - HEAD_MAX - s->z.avail_out - TAIL_BYTES;
}

const uint8_t *
md_bench_update_stream_next(md_bench_update_stream_t *s, uint32_t *bytes) {
  uint32_t       n = s->next % s->corpus->cnt, instrument = s->next % s->instrument_cnt;
  const place_t *place = &s->place[n];
  uint8_t       *text  = s->deflates ? s->plain : s->frame + HEAD_MAX;
  s->next++;
  memcpy(text, s->corpus->text[n], place->bytes);
  put_symbol(text + place->symbol, instrument, 'S', 'X');
  put_symbol(text + place->stream, instrument, 's', 'x');
  put_id(text + place->first, s->last_id[instrument] + 1);
  s->last_id[instrument] += MD_BENCH_UPDATE_STEP;
  put_id(text + place->last, s->last_id[instrument]);
  uint32_t len  = s->deflates ? compress_payload(s, place->bytes) : place->bytes;
  uint32_t head = len < 126 ? 2 : 4;
  uint8_t *out  = s->frame + HEAD_MAX - head;
  out[0]        = s->deflates ? 0xc1 : 0x81;
  out[1]        = (uint8_t)(len < 126 ? len : 126);
  if (head == 4) {
    out[2] = (uint8_t)(len >> 8);
    out[3] = (uint8_t)len;
  }
  *bytes = head + len;
  return out;
}

uint64_t
md_bench_update_stream_last(const md_bench_update_stream_t *s, uint32_t instrument) {
  return s->last_id[instrument];
}
