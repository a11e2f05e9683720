#include "feeds/rest_ring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PART_BYTES_MAX (MD_RECORD_BYTES_MAX - MD_RECORD_HEADER_BYTES - (uint32_t)sizeof(md_raw_t))

md_ring_t *
md_rest_ring_new(const char *name, uint64_t capacity_bytes) {
  uint64_t   bytes = md_ring_footprint(capacity_bytes);
  md_ring_t *ring  = NULL;
  void      *mem =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mem == MAP_FAILED) return NULL;
  md_err_t err = md_ring_new(mem, name, 0, 0, 0, capacity_bytes);
  if (!err) err = md_ring_join(mem, bytes, &ring);
  if (err) munmap(mem, bytes);
  return err ? NULL : ring;
}

void
md_rest_ring_delete(md_ring_t *ring) {
  if (ring) munmap(ring, md_ring_footprint(ring->capacity_bytes));
}

static uint64_t
part_bytes(uint32_t name_len, uint32_t part_len) {
  return md_align_up(MD_RECORD_HEADER_BYTES + sizeof(md_raw_t) + name_len + part_len,
                     MD_RECORD_ALIGN_BYTES);
}

/* Writes the part that begins at off; returns how much of the payload it took. */
static uint32_t
fill_part(uint8_t *at, const md_input_t *in, uint32_t name_len, uint32_t off, uint64_t value) {
  uint32_t room     = PART_BYTES_MAX - name_len;
  uint32_t part_len = in->len - off < room ? in->len - off : room;
  uint64_t bytes    = part_bytes(name_len, part_len);
  memset(at + bytes - MD_RECORD_ALIGN_BYTES, 0, MD_RECORD_ALIGN_BYTES);
  md_record_t rec = {.len        = (uint16_t)bytes,
                     .type       = MD_RECORD_RAW,
                     .leg        = in->leg,
                     .flags      = off + part_len == in->len ? MD_FLAG_LAST : 0,
                     .exch_seq   = value,
                     .ts_exch_ns = MD_NULL_I64,
                     .ts_recv_ns = in->recv_ns};
  md_raw_t    raw = {.kind      = (uint8_t)in->kind,
                     .name_len  = (uint16_t)name_len,
                     .part_len  = part_len,
                     .part_off  = off,
                     .total_len = in->len};
  memcpy(at, &rec, sizeof rec);
  memcpy(at + sizeof rec, &raw, sizeof raw);
  memcpy(at + sizeof rec + sizeof raw, in->name, name_len);
  if (part_len) memcpy(at + sizeof rec + sizeof raw + name_len, in->payload + off, part_len);
  return part_len;
}

md_err_t
md_rest_ring_put(md_ring_producer_t *p, const md_input_t *in, uint64_t value) {
  md_assert(in->name_len < MD_RECORD_BYTES_MAX / 4);
  _Alignas(MD_RECORD_ALIGN_BYTES) uint8_t one[MD_RECORD_BYTES_MAX]; /* a question: no memory */
  uint32_t                                part_cnt  = (in->len + in->name_len) / PART_BYTES_MAX + 1;
  uint64_t                                bytes_max = (uint64_t)part_cnt * MD_RECORD_BYTES_MAX;
  uint8_t                                *group     = part_cnt == 1 ? one : malloc(bytes_max);
  if (!group) return MD_ERR_NOMEM;
  uint64_t bytes = 0;
  uint32_t off = 0, cnt = 0;
  do {
    uint32_t name_len = cnt == 0 ? in->name_len : 0;
    md_assert(bytes + MD_RECORD_BYTES_MAX <= bytes_max);
    uint32_t part_len = fill_part(group + bytes, in, name_len, off, value);
    bytes += part_bytes(name_len, part_len);
    off += part_len;
    cnt++;
  } while (off < in->len);
  md_err_t err = MD_ERR_FULL; /* asked first: what is dropped here is asked for again, not lost */
  if (md_ring_free_bytes(p) > bytes + MD_RECORD_BYTES_MAX && bytes <= p->ring->capacity_bytes / 2) {
    err = md_ring_write_group(p, (const void *)group, cnt, bytes);
    md_ring_publish(p);
  }
  if (group != one) free(group);
  return err;
}

static md_err_t
reserve(md_rest_taker_t *t, uint64_t bytes) {
  if (bytes <= t->buffer_bytes) return MD_OK;
  free(t->buffer);
  t->buffer       = malloc(bytes);
  t->buffer_bytes = t->buffer ? bytes : 0;
  return t->buffer ? MD_OK : MD_ERR_NOMEM;
}

static void
take_first(md_rest_taker_t *t, const md_record_t *rec, const md_raw_t *raw, md_input_t *out,
           uint64_t *value) {
  md_assert(raw->name_len < sizeof t->name);
  memcpy(t->name, raw + 1, raw->name_len);
  t->name[raw->name_len] = 0;
  *value                 = rec->exch_seq;
  *out                   = (md_input_t){.kind     = (md_raw_kind_t)raw->kind,
                                        .leg      = rec->leg,
                                        .name     = t->name,
                                        .name_len = raw->name_len,
                                        .payload  = t->buffer,
                                        .len      = raw->total_len,
                                        .recv_ns  = rec->ts_recv_ns};
}

md_err_t
md_rest_ring_take(md_rest_taker_t *t, md_input_t *out, uint64_t *value) {
  const md_record_t *rec  = md_ring_next(&t->consumer);
  bool               last = false;
  md_err_t           err  = MD_OK;
  if (!rec) return MD_ERR_EMPTY;
  for (bool first = true; !last; first = false) {
    md_assert(rec != NULL);
    md_assert(rec->type == MD_RECORD_RAW);
    const md_raw_t *raw = md_record_body_const(rec);
    if (first) {
      err = reserve(t, (uint64_t)raw->total_len + MD_FRAME_PAD_BYTES);
      if (!err) memset(t->buffer + raw->total_len, 0, MD_FRAME_PAD_BYTES);
      if (!err) take_first(t, rec, raw, out, value);
    }
    if (!err && raw->part_len)
      memcpy(t->buffer + raw->part_off, (const uint8_t *)(raw + 1) + raw->name_len, raw->part_len);
    last = rec->flags & MD_FLAG_LAST;
    if (!last) rec = md_ring_next(&t->consumer);
  }
  md_ring_release(&t->consumer, t->consumer.read, t->consumer.handed_cnt);
  return err;
}
