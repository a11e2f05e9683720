/* fault_bit_flips [control|CNT]: damages one segment or index of a journal at a time and demands
 * that the damage is seen, that every record outside the damaged blocks is read again unchanged,
 * and that the sequences reported missing are exactly those of the damaged blocks.
 *
 * One bit mostly; also bursts, zeroed sectors and blocks of another place; in plain and in packed
 * segments, with indexes beside them and without. CNT: how many, else MD_BIT_FLIPS, else 5000. The
 * negative control reads through a disk that makes every checksum right: then damage must get
 * through, or this program could not tell. */
#include "tests/fault/journal_make.h"
#include "writers/journal_check.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#define SEGMENT_CNT 6u
#define STRETCH_MAX 256u
#define CONTROL_CNT 300u

/* One block as it was written. */
typedef struct truth_block {
  uint64_t off, end, sum;
  uint64_t record_cnt;
  uint32_t sub_first, sub_cnt;
} truth_block_t;

typedef struct truth {
  char                   path[MD_JOURNAL_PATH_BYTES];
  char                   index_path[MD_JOURNAL_PATH_BYTES];
  uint8_t               *bytes, *index;
  uint64_t               byte_cnt, index_cnt;
  uint32_t               block_cnt, sub_cnt;
  truth_block_t          block[256];
  md_journal_index_sub_t sub[1024];
} truth_t;

typedef struct stretch {
  uint16_t stream;
  uint32_t epoch;
  uint64_t first, last;
} stretch_t;

typedef struct bench {
  char             dir[64];
  uint8_t          uuid[16];
  const md_disk_t *disk;
  bool             indexed;
  truth_t          truth[SEGMENT_CNT];
  uint64_t         sum, record_cnt; /* of the whole journal */
  uint64_t         random;
  uint64_t         done_cnt, harmless_cnt, unseen_cnt, wrong_cnt, lost_cnt, tail_cnt, seek_cnt;
} bench_t;

/* ---- truth ---- */

static uint64_t
sum_of(const md_record_t *rec) {
  uint64_t state = md_crc32c(0, rec, rec->len) | (uint64_t)rec->len << 32;
  return make_random(&state);
}

static uint8_t *
read_whole(const char *path, uint64_t *bytes) {
  struct stat st;
  int         fd = open(path, O_RDONLY);
  md_assert(fd >= 0 && fstat(fd, &st) == 0);
  uint8_t *data = malloc((size_t)st.st_size + 1);
  md_assert(read(fd, data, (size_t)st.st_size) == st.st_size);
  (void)close(fd);
  *bytes = (uint64_t)st.st_size;
  return data;
}

static md_err_t
note_block(void *ctx, const md_journal_block_t *b, uint64_t off) {
  truth_t       *t      = ctx;
  truth_block_t *block  = &t->block[t->block_cnt++];
  const uint8_t *record = md_journal_block_records(b);
  md_assert(t->block_cnt <= MD_CNT(t->block) && t->sub_cnt + b->stream_cnt <= MD_CNT(t->sub));
  *block = (truth_block_t){.off        = off,
                           .end        = off + b->block_bytes,
                           .record_cnt = b->record_cnt,
                           .sub_first  = t->sub_cnt,
                           .sub_cnt    = b->stream_cnt};
  for (uint32_t i = 0; i < b->record_cnt; i++) {
    const md_record_t *rec = (const md_record_t *)(const void *)record;
    block->sum += sum_of(rec);
    record += rec->len;
  }
  for (uint32_t i = 0; i < b->stream_cnt; i++)
    t->sub[t->sub_cnt++] = (md_journal_index_sub_t){.stream    = b->sub[i].stream,
                                                    .epoch     = b->sub[i].epoch,
                                                    .first_seq = b->sub[i].first_seq,
                                                    .last_seq  = b->sub[i].last_seq};
  return MD_OK;
}

static void
learn(bench_t *b) {
  for (uint32_t s = 0; s < SEGMENT_CNT; s++) {
    truth_t           *t     = &b->truth[s];
    md_journal_visit_t visit = {.ctx = t, .block = note_block};
    md_journal_scan_t  scan;
    memset(t, 0, sizeof *t);
    md_assert(md_journal_walk(NULL, b->dir, s + 1, 0, &visit, &scan, NULL) == MD_OK);
    md_assert(scan.info.damaged_cnt == 0 && scan.info.torn_bytes == 0);
    memcpy(b->uuid, scan.head.uuid, sizeof b->uuid);
    md_journal_path(b->dir, s + 1, t->path);
    md_journal_index_path(b->dir, s + 1, t->index_path);
    t->bytes = read_whole(t->path, &t->byte_cnt);
    if (b->indexed) t->index = read_whole(t->index_path, &t->index_cnt);
    for (uint32_t i = 0; i < t->block_cnt; i++) {
      b->sum += t->block[i].sum;
      b->record_cnt += t->block[i].record_cnt;
    }
  }
}

static void
forget(bench_t *b) {
  for (uint32_t s = 0; s < SEGMENT_CNT; s++) {
    free(b->truth[s].bytes);
    free(b->truth[s].index);
  }
}

/* ---- damage ---- */

typedef struct injury {
  uint64_t off, len;
  uint8_t  bytes[4096];
} injury_t;

static uint64_t
below(bench_t *b, uint64_t limit) {
  return make_random(&b->random) % limit;
}

static void
choose(bench_t *b, const uint8_t *bytes, uint64_t byte_cnt, bool segment, injury_t *out) {
  const uint64_t kind = segment ? below(b, 20) : 0;
  out->off            = below(b, byte_cnt);
  out->len            = 1;
  if (kind < 15) {
    out->bytes[0] = (uint8_t)(bytes[out->off] ^ (1u << below(b, 8)));
    return;
  }
  if (kind < 17) { /* a burst */
    out->len = 2 + below(b, 63);
    if (out->off + out->len > byte_cnt) out->off = byte_cnt - out->len;
    for (uint64_t i = 0; i < out->len; i++)
      out->bytes[i] = (uint8_t)make_random(&b->random);
    return;
  }
  const uint64_t unit = kind < 19 ? 512 : 4096;
  out->len            = unit;
  out->off            = out->off / unit * unit;
  memset(out->bytes, 0, unit);
  if (kind < 19) return;
  const truth_t *from = &b->truth[below(b, SEGMENT_CNT)]; /* a page that belongs elsewhere */
  memcpy(out->bytes, from->bytes + below(b, from->byte_cnt / unit) * unit, unit);
}

static void
put(const char *path, const uint8_t *bytes, uint64_t len, uint64_t off) {
  int fd = open(path, O_WRONLY);
  md_assert(fd >= 0 && pwrite(fd, bytes, len, (off_t)off) == (ssize_t)len);
  (void)close(fd);
}

/* ---- what must be reported ---- */

typedef struct expected {
  bool      head;
  uint32_t  block_cnt;
  uint64_t  sum, record_cnt;
  stretch_t stretch[STRETCH_MAX];
  uint32_t  stretch_cnt;
} expected_t;

static void
add_stretch(stretch_t *list, uint32_t *cnt, stretch_t s) {
  for (uint32_t i = 0; i < *cnt; i++) {
    if (list[i].stream != s.stream || list[i].epoch != s.epoch) continue;
    if (s.first > list[i].last + 1 || s.last + 1 < list[i].first) continue;
    if (s.first < list[i].first) list[i].first = s.first;
    if (s.last > list[i].last) list[i].last = s.last;
    return;
  }
  md_assert(*cnt < STRETCH_MAX);
  list[(*cnt)++] = s;
}

static void
add_block(expected_t *x, const truth_t *t, uint32_t i) {
  const truth_block_t *block = &t->block[i];
  x->block_cnt++;
  x->sum += block->sum;
  x->record_cnt += block->record_cnt;
  for (uint32_t n = 0; n < block->sub_cnt; n++) {
    const md_journal_index_sub_t *sub = &t->sub[block->sub_first + n];
    const stretch_t               s   = {sub->stream, sub->epoch, sub->first_seq, sub->last_seq};
    if (s.last != 0) add_stretch(x->stretch, &x->stretch_cnt, s);
  }
}

static void
expect(const truth_t *t, const injury_t *injury, expected_t *x) {
  *x            = (expected_t){0};
  uint32_t last = UINT32_MAX;
  for (uint64_t i = 0; i < injury->len; i++) {
    const uint64_t off = injury->off + i;
    if (injury->bytes[i] == t->bytes[off]) continue;
    if (off < MD_JOURNAL_PAGE_BYTES) x->head = true;
    for (uint32_t b = 0; b < t->block_cnt; b++) {
      if (off < t->block[b].off || off >= t->block[b].end || b == last) continue;
      add_block(x, t, b);
      last = b;
    }
  }
}

/* ---- looking ---- */

static bool
same_stretches(const expected_t *x, const md_journal_check_t *c) {
  stretch_t got[STRETCH_MAX];
  uint32_t  got_cnt = 0, equal_cnt = 0;
  for (uint32_t i = 0; i < c->stretch_cnt; i++) {
    const md_journal_missing_t *m = &c->missing[i];
    add_stretch(got, &got_cnt, (stretch_t){m->stream, m->epoch, m->first, m->last});
  }
  for (uint32_t i = 0; i < got_cnt; i++)
    for (uint32_t n = 0; n < x->stretch_cnt; n++)
      equal_cnt += got[i].stream == x->stretch[n].stream && got[i].epoch == x->stretch[n].epoch &&
                   got[i].first == x->stretch[n].first && got[i].last == x->stretch[n].last;
  return got_cnt == x->stretch_cnt && equal_cnt == got_cnt;
}

/* All that a reader gives: the sum of the records and how much damage it met. */
static bool
read_all(const bench_t *b, uint64_t *sum, uint64_t *record_cnt, md_journal_damage_t *damage) {
  md_journal_reader_t *r = NULL;
  const md_record_t   *rec;
  md_msg_t             msg;
  *sum = *record_cnt = 0;
  if (md_journal_reader_open_on(b->disk, b->dir, &r, &msg) != MD_OK) return false;
  md_err_t err;
  while ((err = md_journal_reader_next(r, &rec, NULL, &msg)) == MD_OK) {
    *sum += sum_of(rec);
    *record_cnt += 1;
  }
  md_journal_reader_damage(r, damage);
  md_journal_reader_close(r);
  return err == MD_ERR_END;
}

/* In the last segment, without an index: of a stream that does not come again nobody can know what
 * the damaged block held. That must be said then; behind the last block it is a torn end. */
static bool
is_open_end(const bench_t *b, const truth_t *t, const expected_t *x) {
  return !b->indexed && t == &b->truth[SEGMENT_CNT - 1] && x->block_cnt > 0;
}

static void
complain(const bench_t *b, const truth_t *t, const injury_t *injury, const char *what,
         const md_journal_check_t *c) {
  if (b->disk) return; /* the control is expected to go wrong */
  (void)printf("FAILED %s: %s, %" PRIu64 " bytes at %" PRIu64 "; reported %u damaged, %" PRIu64
               " missing, %s\n",
               what, strrchr(t->path, '/') + 1, injury->len, injury->off, c->damaged_cnt,
               c->missing_cnt, c->first);
}

static void
judge_segment(bench_t *b, const truth_t *t, const injury_t *injury) {
  expected_t          x;
  md_journal_check_t  c;
  md_journal_damage_t damage = {0};
  uint64_t            sum = 0, record_cnt = 0;
  md_msg_t            msg = {0};
  expect(t, injury, &x);
  md_err_t   err      = md_journal_check_run(b->disk, b->dir, b->uuid, &c, &msg);
  const bool read     = read_all(b, &sum, &record_cnt, &damage);
  bool       hurt     = x.head || x.block_cnt > 0;
  const bool open_end = is_open_end(b, t, &x);
  const bool seen     = c.damaged_cnt > 0 || c.torn_bytes > 0;
  bool       whole    = read && sum == b->sum - x.sum && record_cnt == b->record_cnt - x.record_cnt;
  whole               = whole && c.record_cnt == record_cnt && c.repeat_cnt == 0;
  bool exact          = same_stretches(&x, &c) && c.hole_cnt == 0 && !c.tail_unknown;
  if (open_end && !exact) { /* said to be unknown, or a torn end that was promised to nobody */
    exact = c.tail_unknown || c.torn_bytes > 0;
    b->tail_cnt++;
  }
  /* A last block without records that is all zeros: as if the segment had never been sealed. */
  if (open_end && x.record_cnt == 0 && !seen) hurt = false;
  b->harmless_cnt += !hurt;
  b->lost_cnt += x.record_cnt;
  if (err != MD_OK || hurt != seen) {
    b->unseen_cnt++;
    complain(b, t, injury, err ? msg.text : hurt ? "not seen" : "seen where none is", &c);
  } else if (!whole || !exact) {
    b->wrong_cnt++;
    complain(b, t, injury, whole ? "loss not exact" : "not all else was read", &c);
  }
  md_journal_check_free(&c);
}

/* A damaged index is told, and a seek that would use it finds the same place without it. */
static void
judge_index(bench_t *b, const truth_t *t, const injury_t *injury, uint64_t segment) {
  md_journal_index_t   x;
  md_journal_reader_t *r = NULL;
  const md_record_t   *rec;
  md_err_t             err = md_journal_index_read(NULL, b->dir, segment, b->uuid, &x, NULL);
  if (err == MD_OK) {
    b->unseen_cnt++;
    (void)printf("FAILED index: %s, bit at %" PRIu64 " not seen\n", t->index_path, injury->off);
    md_journal_index_free(&x);
  }
  const md_journal_index_sub_t *sub = &t->sub[below(b, t->sub_cnt)];
  md_assert(md_journal_reader_open(b->dir, &r, NULL) == MD_OK);
  bool found = sub->last_seq == 0;
  if (!found) err = md_journal_reader_seek(r, sub->stream, sub->epoch, sub->last_seq, NULL);
  while (!found && !err && (err = md_journal_reader_next(r, &rec, NULL, NULL)) == MD_OK) {
    if (rec->stream != sub->stream || rec->epoch != sub->epoch) continue;
    const md_journal_range_t range = md_journal_range_of(rec);
    if (range.last > sub->last_seq) break;
    found = range.last == sub->last_seq;
  }
  md_journal_reader_close(r);
  b->seek_cnt++;
  if (found) return;
  b->wrong_cnt++;
  (void)printf("FAILED seek with a damaged index of segment %" PRIu64 "\n", segment);
}

static void
hurt_once(bench_t *b) {
  injury_t       injury;
  const uint64_t s     = below(b, SEGMENT_CNT);
  const truth_t *t     = &b->truth[s];
  const bool     index = b->indexed && below(b, 10) == 0;
  const uint8_t *bytes = index ? t->index : t->bytes;
  choose(b, bytes, index ? t->index_cnt : t->byte_cnt, !index, &injury);
  const char *path = index ? t->index_path : t->path;
  put(path, injury.bytes, injury.len, injury.off);
  if (index)
    judge_index(b, t, &injury, s + 1);
  else
    judge_segment(b, t, &injury);
  put(path, bytes + injury.off, injury.len, injury.off);
  b->done_cnt++;
}

/* ---- the control ---- */

/* Reads, and makes the checksum of every block in what was read right: as if nobody looked. */
static int64_t
pread_blind(void *ctx, int fd, void *to, size_t bytes, uint64_t off) {
  int64_t n = md_disk_pread(NULL, fd, to, bytes, off);
  (void)ctx;
  if (n < (int64_t)sizeof(md_journal_block_t)) return n;
  md_journal_block_t *b = to;
  if (b->magic != MD_JOURNAL_BLOCK_MAGIC || b->block_bytes > (uint64_t)n || b->block_bytes < 4096)
    return n;
  b->crc = md_crc32c(0, (const uint8_t *)to + 8, b->block_bytes - 8u);
  return n;
}

/* ---- runs ---- */

typedef struct run {
  const char *name;
  bool        packed, indexed, blind;
} run_t;

static bool
run(const run_t *r, uint64_t cnt, uint64_t seed) {
  bench_t  *b               = calloc(1, sizeof *b);
  md_disk_t blind           = *md_disk_system();
  blind.pread               = pread_blind;
  const make_config_t cfg   = {.segment_cnt = SEGMENT_CNT, .block_cnt = 24, .record_cnt = 90};
  const char         *where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  (void)snprintf(b->dir, sizeof b->dir, "%s/mdengine-flips-XXXXXX", where);
  md_assert(mkdtemp(b->dir) != NULL);
  make_journal(b->dir, &cfg);
  if (r->packed) make_packed(b->dir, SEGMENT_CNT, 8192);
  if (r->indexed) make_indexes(b->dir, SEGMENT_CNT);
  b->indexed = r->indexed;
  b->random  = seed;
  learn(b);
  if (r->blind) b->disk = &blind;
  for (uint64_t i = 0; i < cnt; i++)
    hurt_once(b);
  const uint64_t bad_cnt = b->unseen_cnt + b->wrong_cnt;
  (void)printf("%-22s %6" PRIu64 " damages of %" PRIu64 " records: %" PRIu64 " not seen, %" PRIu64
               " wrong; %" PRIu64 " records lost, all reported; %" PRIu64
               " changed nothing, %" PRIu64 " in an open end, %" PRIu64 " in an index\n",
               r->name, b->done_cnt, b->record_cnt, b->unseen_cnt, b->wrong_cnt, b->lost_cnt,
               b->harmless_cnt, b->tail_cnt, b->seek_cnt);
  char command[128];
  (void)snprintf(command, sizeof command, "rm -rf -- '%s'", b->dir);
  forget(b);
  free(b);
  md_assert(system(command) == 0);
  return bad_cnt == 0;
}

int
main(int argc, char **argv) {
  static const run_t runs[]  = {{.name = "plain, indexed", .indexed = true},
                                {.name = "packed, indexed", .packed = true, .indexed = true},
                                {.name = "plain, no index"},
                                {.name = "packed, no index", .packed = true}};
  static const run_t control = {.name = "control, no checksum", .indexed = true, .blind = true};
  if (argc > 1 && strcmp(argv[1], "control") == 0) return run(&control, CONTROL_CNT, 99) ? 1 : 0;
  const char    *wanted = argc > 1 ? argv[1] : getenv("MD_BIT_FLIPS");
  const uint64_t cnt    = wanted ? strtoull(wanted, NULL, 10) : 5000;
  bool           ok     = true;
  for (size_t i = 0; i < MD_CNT(runs); i++)
    ok = run(&runs[i], cnt / MD_CNT(runs), i + 1) && ok;
  (void)printf("%" PRIu64 " damages: %s\n", cnt, ok ? "all seen, all losses exact" : "FAILED");
  return ok ? 0 : 1;
}
