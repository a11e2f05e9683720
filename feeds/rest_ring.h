/* rest_ring.h - HTTP requests and answers as RAW records in a plain ring on heap memory. Within the
 * REST thread and its clients only. */
#ifndef FEEDS_REST_RING_H
#define FEEDS_REST_RING_H

#include "feeds/input.h"
#include "shm/ring.h"

/* md_rest_ring_new makes a ring of capacity bytes on memory of its own; NULL: none. */
md_ring_t *md_rest_ring_new(const char *name, uint64_t capacity_bytes);
void       md_rest_ring_delete(md_ring_t *ring);

/* md_rest_ring_put writes one input, whole or not at all, and publishes it; value goes along in the
 * header. scratch is one record's room. MD_ERR_FULL. */
MD_MUST_USE md_err_t md_rest_ring_put(md_ring_producer_t *p, const md_input_t *in, uint64_t value);

/* What is taken from a ring: the payload is put together in a buffer of its own. */
typedef struct md_rest_taker {
  md_ring_consumer_t consumer;
  uint8_t           *buffer;
  uint64_t           buffer_bytes;
  char               name[4096];
} md_rest_taker_t;

/* md_rest_ring_take gives the next input, valid until the next call, and its value. MD_ERR_EMPTY;
 * MD_ERR_NOMEM: the input is skipped. */
MD_MUST_USE md_err_t md_rest_ring_take(md_rest_taker_t *t, md_input_t *out, uint64_t *value);

#endif
