/* Tapes: every record of a feed, from one engine to the next. */
#include "shm/client/handle.h"

#include <stdlib.h>

struct mdshm_tape {
  md_tape_reader_t reader;
  mdshm_t         *shm;
  mdshm_map_t     *map; /* the segment that the reader is in; the handle may be ahead */
  uint32_t         feed;
  uint64_t         record_cnt, lapped_cnt;
  mdshm_tape_t    *next; /* of those that are open */
  _Alignas(8) uint8_t record[MD_RECORD_BYTES_MAX];
};

/* Sets the reader on the tape of the handle's present segment, and takes a reference of it. */
static mdshm_result_t
enter(mdshm_tape_t *tape, mdshm_from_t from) {
  mdshm_map_t        *map = tape->shm->map;
  const md_segment_t *s   = &map->segment;
  md_tape_reader_t    reader;
  if (tape->feed >= tape->shm->feed_cnt) return MDSHM_ABSENT;
  uint32_t feed = tape->shm->feeds[tape->feed].row;
  if (feed == MDSHM_NONE) return MDSHM_ABSENT;
  uint32_t stream = s->feeds[feed].stream_row;
  if (stream >= s->stream_cnt) return MDSHM_CORRUPT;
  uint32_t i = s->streams[stream].tape;
  if (i == UINT32_MAX) return MDSHM_ABSENT;
  const md_tape_t *shared = md_segment_tape(s, i);
  if (!shared) return MDSHM_CORRUPT;
  md_tape_reader_init(&reader, shared, from == MDSHM_FROM_OLDEST);
  /* The reader keeps a copy of the capacity: that copy must fit behind the tape's place. */
  const md_section_t *c     = &s->section[MD_SECTION_TAPES];
  uint64_t            avail = (uint64_t)(s->base + c->off + c->bytes - (const uint8_t *)shared);
  uint64_t            bytes = md_tape_footprint(reader.capacity_bytes);
  if (bytes == 0 || bytes > avail) return MDSHM_CORRUPT;
  map->refs++;
  mdshm_map_release(tape->map);
  tape->map    = map;
  tape->reader = reader;
  return MDSHM_OK;
}

mdshm_result_t
mdshm_tape_open(mdshm_t *shm, uint32_t feed, mdshm_from_t from, mdshm_tape_t **out) {
  if (!out || (unsigned)from > MDSHM_FROM_OLDEST) return MDSHM_USAGE;
  *out               = NULL;
  mdshm_tape_t *tape = calloc(1, sizeof *tape);
  if (!tape) return MDSHM_FAILED;
  tape->shm             = shm;
  tape->feed            = feed;
  mdshm_result_t result = enter(tape, from);
  if (result != MDSHM_OK) {
    free(tape);
    return result;
  }
  tape->next = shm->tapes;
  shm->tapes = tape;
  *out       = tape;
  return MDSHM_OK;
}

void
mdshm_tape_close(mdshm_tape_t *tape) {
  if (!tape) return;
  mdshm_tape_t **at = &tape->shm->tapes;
  while (*at != tape)
    at = &(*at)->next;
  *at = tape->next;
  mdshm_map_release(tape->map);
  free(tape);
}

/* All of this segment was read, or none of it can be: on to the next, if there is one. */
MD_COLD static mdshm_result_t
move_on(mdshm_tape_t *tape, mdshm_result_t why) {
  mdshm_result_t result = MDSHM_OK;
  if (tape->map == tape->shm->map) result = mdshm_follow(tape->shm, why);
  if (result != MDSHM_OK) return result;
  result = enter(tape, MDSHM_FROM_OLDEST);
  return result == MDSHM_OK ? MDSHM_RESTARTED : result;
}

mdshm_result_t
mdshm_tape_next(mdshm_tape_t *tape, const void **record, size_t *bytes, uint64_t *lost_bytes) {
  *lost_bytes  = 0;
  md_err_t err = md_tape_read(&tape->reader, tape->record, lost_bytes);
  /* Behind the copy: the zeros of a file that was cut may stand in it, and then in the state. */
  mdshm_result_t state = mdshm_map_state(tape->map);
  if (MD_UNLIKELY(state == MDSHM_CORRUPT)) return move_on(tape, MDSHM_CORRUPT);
  if (err == MD_ERR_EMPTY) {
    if (MD_LIKELY(state == MDSHM_OK && tape->map == tape->shm->map)) return MDSHM_EMPTY;
    return move_on(tape, state == MDSHM_OK ? MDSHM_EMPTY : state);
  }
  tape->lapped_cnt += err == MD_ERR_LAPPED;
  if (err) return mdshm_result_of(err);
  if (md_record_check(tape->record, sizeof tape->record)) return MDSHM_CORRUPT;
  uint16_t len;
  memcpy(&len, tape->record, sizeof len);
  *record = tape->record;
  *bytes  = len;
  tape->record_cnt++;
  return MDSHM_OK;
}

mdshm_result_t
mdshm_tape_join(mdshm_tape_t *tape, const mdshm_book_meta_t *meta) {
  if (!meta) return MDSHM_USAGE;
  if (meta->generation != tape->shm->generation) return MDSHM_RESTARTED;
  mdshm_result_t result = tape->map == tape->shm->map ? MDSHM_OK : enter(tape, MDSHM_FROM_NOW);
  if (result == MDSHM_OK) md_tape_reader_seek(&tape->reader, meta->tape_pos);
  return result;
}

uint64_t
mdshm_tape_lag(const mdshm_tape_t *tape) {
  const md_tape_t *shared = tape->reader.tape;
  uint64_t         tail   = md_load_relaxed(&shared->tail); /* a number by itself */
  return tail > tape->reader.cursor ? tail - tape->reader.cursor : 0;
}

void
mdshm_tapes_count(const mdshm_t *shm, md_reader_row_t *row) {
  for (const mdshm_tape_t *tape = shm->tapes; tape; tape = tape->next) {
    uint64_t lag = mdshm_tape_lag(tape);
    row->record_cnt += tape->record_cnt;
    row->lapped_cnt += tape->lapped_cnt;
    if (lag > row->lag_bytes) row->lag_bytes = lag;
  }
}

size_t
mdshm_record_json(const void *record, size_t bytes, const char *symbol, char *out,
                  size_t out_bytes) {
  if (!record || !out || (uintptr_t)record % 8 != 0) return 0;
  if (md_record_check(record, bytes)) return 0;
  return md_record_json(record, symbol, out, out_bytes);
}
