#include "writers/manifest_repair.h"

#include "writers/journal_file.h"
#include "writers/journal_scan.h"
#include "writers/manifest_line.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX        100u
#define ID_MAX          (1u << 24)
#define STREAM_MAX      UINT16_MAX
#define EPOCH_CNT_MAX   (1u << 20)
#define WHOLE_BYTES_MIN 24u   /* the shortest line: what is damaged holds at most so many */
#define PASSED_MAX      1000u /* numbers passed over, at most */

/* What is known of one number. */
typedef struct fact {
  bool     is_whole; /* by a line of the MANIFEST */
  uint16_t stream;   /* instrument: of its definition, 0 unknown */
  char     name[MD_NAME_BYTES];
  char     symbol[MD_SYMBOL_BYTES];
} fact_t;

typedef struct repair {
  const md_disk_t        *disk;
  const char             *dir;
  md_manifest_repaired_t *out;
  md_msg_t               *msg;
  bool                    has_uuid;
  uint8_t                 uuid[16];
  fact_t                 *stream, *instrument; /* by id */
  uint32_t                stream_max, instrument_max, instrument_cap;
  uint32_t                epoch_max, epoch_cap;
  int64_t                *epoch_ns; /* by epoch, 0 unknown */
  uint64_t                segment_max;
  uint64_t                passed; /* numbers that damaged lines may have held */
  char                   *text;   /* of the new file */
  size_t                  used, cap;
} repair_t;

static md_err_t
no_memory(repair_t *r) {
  return md_fail(r->msg, MD_ERR_NOMEM, "no memory to repair the MANIFEST of %s", r->dir);
}

static md_err_t
disk_fail(repair_t *r, int64_t rc, const char *what) {
  return md_fail_errno(r->msg, (int)-rc, "cannot %s in %s", what, r->dir);
}

/* ---- facts ---- */

static fact_t *
instrument_at(repair_t *r, uint32_t id) {
  if (id == 0 || id >= ID_MAX) return NULL;
  if (id >= r->instrument_cap) {
    uint32_t cap   = (id + 1) * 2;
    fact_t  *grown = realloc(r->instrument, cap * sizeof *grown);
    if (!grown) return NULL;
    memset(grown + r->instrument_cap, 0, (cap - r->instrument_cap) * sizeof *grown);
    r->instrument     = grown;
    r->instrument_cap = cap;
  }
  if (id > r->instrument_max) r->instrument_max = id;
  return &r->instrument[id];
}

static fact_t *
stream_at(repair_t *r, uint32_t id) {
  if (id == 0 || id > STREAM_MAX) return NULL;
  if (id > r->stream_max) r->stream_max = id;
  return &r->stream[id];
}

static bool
know_epoch(repair_t *r, uint64_t epoch, int64_t begun_ns) {
  if (epoch == 0 || epoch >= EPOCH_CNT_MAX) return false;
  if (epoch >= r->epoch_cap) {
    uint32_t cap   = ((uint32_t)epoch + 1) * 2;
    int64_t *grown = realloc(r->epoch_ns, cap * sizeof *grown);
    if (!grown) return false;
    memset(grown + r->epoch_cap, 0, (cap - r->epoch_cap) * sizeof *grown);
    r->epoch_ns  = grown;
    r->epoch_cap = cap;
  }
  if (epoch > r->epoch_max) r->epoch_max = (uint32_t)epoch;
  if (begun_ns != 0) r->epoch_ns[epoch] = begun_ns;
  return true;
}

/* ---- lines that are whole ---- */

static bool
take_line(repair_t *r, const md_manifest_line_t *l) {
  fact_t *f;
  switch (l->kind) {
  case MD_MANIFEST_JOURNAL:
    memcpy(r->uuid, l->uuid, sizeof r->uuid);
    r->has_uuid = true;
    return true;
  case MD_MANIFEST_STREAM:
    f = stream_at(r, (uint32_t)l->number);
    break;
  case MD_MANIFEST_INSTRUMENT:
    f = instrument_at(r, (uint32_t)l->number);
    break;
  case MD_MANIFEST_EPOCH:
    return know_epoch(r, l->number, l->real_ns);
  case MD_MANIFEST_SEGMENT:
    if (l->number > r->segment_max) r->segment_max = l->number;
    return know_epoch(r, l->epoch, 0);
  default:
    return false;
  }
  if (!f) return false;
  f->is_whole = true;
  memcpy(f->name, l->name, sizeof f->name);
  memcpy(f->symbol, l->symbol, sizeof f->symbol);
  return true;
}

static md_err_t
take_lines(repair_t *r, char *text, size_t len) {
  for (size_t off = 0; off < len;) {
    const char        *end  = memchr(text + off, '\n', len - off);
    const size_t       next = end ? (size_t)(end - text) + 1 : len;
    md_manifest_line_t l;
    if (end && md_manifest_line_read(text + off, next - 1 - off, &l) == MD_OK && take_line(r, &l)) {
      r->out->kept_cnt++;
    } else {
      r->out->damaged_cnt++;
      r->passed += (next - off) / WHOLE_BYTES_MIN + 1;
    }
    off = next;
  }
  if (len == 0) r->passed = PASSED_MAX;
  if (r->passed == 0) r->passed = 1; /* whole lines that contradict each other */
  if (r->passed > PASSED_MAX) r->passed = PASSED_MAX;
  return MD_OK;
}

/* ---- what the segments say ---- */

/* The bytes of FEED in "FEED.12a", which is how connections of our own are named; 0 otherwise. */
static size_t
feed_of_connection(const char *name, size_t len) {
  size_t feed = 0, at;
  while (feed < len && ((name[feed] >= 'a' && name[feed] <= 'z') || name[feed] == '_'))
    feed++;
  for (at = feed + 1; at < len && name[at] >= '0' && name[at] <= '9';)
    at++;
  bool is_ours = feed > 0 && feed < len && name[feed] == '.' && at > feed + 1 && at + 1 == len &&
                 (name[at] == 'a' || name[at] == 'b');
  return is_ours && feed + 5 < MD_NAME_BYTES ? feed : 0;
}

/* A connection of a feed, whose RAW stream this is. */
static void
take_connect(repair_t *r, const md_record_t *rec) {
  const md_raw_t *raw  = md_record_body_const(rec);
  const char     *name = (const char *)(raw + 1);
  fact_t         *f    = stream_at(r, rec->stream);
  size_t len = f && raw->kind == MD_RAW_CONNECT ? feed_of_connection(name, raw->name_len) : 0;
  if (len > 0 && !f->name[0]) (void)snprintf(f->name, sizeof f->name, "%.*s.raw", (int)len, name);
}

static bool
take_definition(repair_t *r, const md_record_t *rec, const md_definition_t *d) {
  fact_t *f = instrument_at(r, rec->instrument);
  if (!f) return false;
  f->stream = rec->stream;
  if (!f->is_whole) memcpy(f->symbol, d->symbol, sizeof f->symbol);
  f->symbol[sizeof f->symbol - 1] = 0;
  return true;
}

static md_err_t
take_block(void *ctx, const md_journal_block_t *b, uint64_t off) {
  repair_t      *r  = ctx;
  const uint8_t *at = md_journal_block_records(b);
  bool           ok = know_epoch(r, b->epoch, 0);
  (void)off;
  for (uint32_t s = 0; s < b->stream_cnt && ok; s++)
    ok = stream_at(r, b->sub[s].stream) && know_epoch(r, b->sub[s].epoch, 0);
  for (uint32_t n = 0; n < b->record_cnt && ok; n++) {
    const md_record_t     *rec = (const void *)at;
    const md_checkpoint_t *c   = md_record_body_const(rec);
    if (rec->type == MD_RECORD_RAW) take_connect(r, rec);
    if (rec->type == MD_RECORD_DEFINITION) ok = take_definition(r, rec, md_record_body_const(rec));
    if (rec->type == MD_RECORD_CHECKPOINT && c->inner == MD_CHECKPOINT_DEFINITION)
      ok = take_definition(r, rec, (const void *)(c + 1));
    at += md_align_up(rec->len, MD_RECORD_ALIGN_BYTES);
  }
  return ok ? MD_OK : no_memory(r);
}

static md_err_t
take_segments(repair_t *r) {
  const md_journal_visit_t visit = {.ctx = r, .block = take_block};
  md_journal_scan_t       *scan  = malloc(sizeof *scan);
  uint64_t                *ids   = NULL, limit;
  uint32_t                 cnt   = 0;
  md_err_t err = scan ? md_journal_list(r->disk, r->dir, &ids, &cnt, r->msg) : no_memory(r);
  for (uint32_t i = 0; i < cnt && !err; i++) {
    err = md_journal_limit_of(r->disk, r->dir, ids, cnt, i, &limit);
    if (err) err = md_fail(r->msg, err, "cannot read the segment headers of %s", r->dir);
    if (!err) err = md_journal_walk(r->disk, r->dir, ids[i], limit, &visit, scan, r->msg);
    if (err) break;
    if (ids[i] > r->segment_max) r->segment_max = ids[i];
    if (!scan->head_ok) continue;
    if (!r->has_uuid) memcpy(r->uuid, scan->head.uuid, sizeof r->uuid);
    r->has_uuid = true;
    if (!know_epoch(r, scan->head.epoch, 0)) err = no_memory(r);
  }
  free(ids);
  free(scan);
  return err;
}

/* ---- names ---- */

/* A feed's two streams were numbered one after the other. */
static void
name_pairs(repair_t *r) {
  for (uint32_t id = 1; id <= r->stream_max; id++) {
    fact_t *f    = &r->stream[id];
    size_t  len  = strlen(f->name);
    bool    raw  = len > 4 && strcmp(f->name + len - 4, ".raw") == 0;
    fact_t *pair = &r->stream[raw ? id - 1 : id + 1];
    if (len == 0 || pair->name[0] || (raw && id == 1) || (!raw && id == r->stream_max)) continue;
    if (!raw && len + 5 > sizeof pair->name) continue;
    memcpy(pair->name, f->name, raw ? len - 4 : len); /* the rest is zero */
    if (!raw) memcpy(pair->name + len, ".raw", 4);
  }
}

static void
name_streams(repair_t *r) {
  for (uint32_t id = 1; id <= r->instrument_max; id++) {
    const fact_t *i = &r->instrument[id];
    fact_t       *s = i->is_whole && i->stream ? stream_at(r, i->stream) : NULL;
    if (s && !s->name[0]) memcpy(s->name, i->name, sizeof s->name);
  }
  name_pairs(r);
  for (uint32_t id = 1; id <= r->stream_max; id++) {
    fact_t *f = &r->stream[id];
    if (f->name[0]) continue;
    (void)snprintf(f->name, sizeof f->name, "lost-%u", id);
    r->out->lost_cnt++;
  }
}

/* ---- the new file ---- */

static md_err_t add(repair_t *r, bool is_made, const char *format, ...) MD_PRINTF(3, 4);

static md_err_t
add(repair_t *r, bool is_made, const char *format, ...) {
  char    line[MD_MANIFEST_LINE_BYTES];
  va_list args;
  if (r->cap - r->used < 2 * sizeof line) {
    size_t cap   = r->cap * 2 + 4096;
    char  *grown = realloc(r->text, cap);
    if (!grown) return no_memory(r);
    r->text = grown;
    r->cap  = cap;
  }
  va_start(args, format);
  (void)vsnprintf(line, sizeof line, format, args);
  va_end(args);
  r->used += md_manifest_line_seal(line, r->text + r->used, r->cap - r->used);
  r->out->made_cnt += is_made;
  return MD_OK;
}

static md_err_t
add_names(repair_t *r) {
  char     feed[3 * MD_NAME_BYTES + 1], symbol[3 * MD_SYMBOL_BYTES + 1];
  md_err_t err = MD_OK;
  for (uint32_t id = 1; id <= r->stream_max && !err; id++) {
    md_manifest_escape(r->stream[id].name, feed, sizeof feed);
    err = add(r, !r->stream[id].is_whole, "stream %u %s", id, feed);
  }
  for (uint32_t id = 1; id <= r->instrument_max && !err; id++) {
    const fact_t *i = &r->instrument[id];
    if (!i->symbol[0] || (!i->is_whole && !i->stream)) continue;
    md_manifest_escape(i->is_whole ? i->name : r->stream[i->stream].name, feed, sizeof feed);
    md_manifest_escape(i->symbol, symbol, sizeof symbol);
    err = add(r, !i->is_whole, "instrument %u %s %s", id, feed, symbol);
  }
  return err;
}

/* What may have been given out and left no trace is passed over by a last line of each kind. */
static md_err_t
compose(repair_t *r) {
  char     uuid[MD_MANIFEST_UUID_BYTES];
  md_err_t err;
  md_manifest_uuid_text(r->uuid, uuid);
  err = add(r, false, "journal %u %s", MD_MANIFEST_VERSION, uuid);
  if (!err) err = add_names(r);
  for (uint32_t n = 1; n <= r->epoch_max && !err; n++)
    if (r->epoch_ns[n] != 0) err = add(r, false, "epoch %u %" PRId64, n, r->epoch_ns[n]);
  if (!err) err = add(r, true, "epoch %u 0", r->epoch_max + (uint32_t)r->passed);
  if (!err) err = add(r, true, "instrument %u lost lost", r->instrument_max + (uint32_t)r->passed);
  if (!err)
    err = add(r, true, "segment %" PRIu64 " %u 0", r->segment_max + r->passed, r->epoch_max);
  return err;
}

static md_err_t
write_durably(repair_t *r, const char *name, const char *text, size_t len) {
  char tmp[MD_JOURNAL_PATH_BYTES], path[MD_JOURNAL_PATH_BYTES + 32];
  (void)snprintf(tmp, sizeof tmp, "%.540s/MANIFEST.tmp", r->dir);
  (void)snprintf(path, sizeof path, "%.540s/%s", r->dir, name);
  int fd = md_disk_open(r->disk, tmp, O_WRONLY | O_CREAT | O_TRUNC, 0640);
  int rc = fd < 0 ? fd : md_disk_pwrite_all(r->disk, fd, text, len, 0);
  if (rc >= 0) rc = md_disk_fsync(r->disk, fd);
  if (fd >= 0) (void)md_disk_close(r->disk, fd);
  if (rc >= 0) rc = md_disk_rename(r->disk, tmp, path);
  if (rc >= 0) rc = md_disk_sync_dir(r->disk, r->dir);
  return rc < 0 ? disk_fail(r, rc, "write a MANIFEST") : MD_OK;
}

/* Under a name that is free. */
static md_err_t
keep_damaged(repair_t *r, const char *text, size_t len) {
  char name[32] = "MANIFEST.damaged", path[MD_JOURNAL_PATH_BYTES + 32];
  for (uint32_t n = 1; n < KEPT_MAX; n++) {
    (void)snprintf(path, sizeof path, "%.540s/%s", r->dir, name);
    int fd = md_disk_open(r->disk, path, O_RDONLY, 0);
    if (fd < 0) break;
    (void)md_disk_close(r->disk, fd);
    (void)snprintf(name, sizeof name, "MANIFEST.damaged.%u", n);
  }
  return write_durably(r, name, text, len);
}

static md_err_t
rebuild(repair_t *r, const char *text, size_t len) {
  md_err_t err = take_segments(r);
  if (err) return err;
  if (!r->has_uuid)
    return md_fail(r->msg, MD_ERR_ABSENT,
                   "%s: neither the MANIFEST nor a segment says whose journal it is: restore the "
                   "MANIFEST from a backup",
                   r->dir);
  name_streams(r);
  err = compose(r);
  if (!err && len > 0) err = keep_damaged(r, text, len);
  return err ? err : write_durably(r, "MANIFEST", r->text, r->used);
}

/* ---- opening ---- */

static md_err_t
read_manifest(repair_t *r, char **text, size_t *len) {
  char path[MD_JOURNAL_PATH_BYTES];
  (void)snprintf(path, sizeof path, "%.540s/MANIFEST", r->dir);
  *text  = NULL;
  *len   = 0;
  int fd = md_disk_open(r->disk, path, O_RDONLY, 0);
  if (fd == -ENOENT) return MD_OK;
  int64_t bytes = fd < 0 ? fd : md_disk_size(r->disk, fd);
  if (bytes >= 0) *text = malloc((size_t)bytes + 1);
  int64_t got = *text ? md_disk_pread_all(r->disk, fd, *text, (size_t)bytes, 0) : bytes;
  if (fd >= 0) (void)md_disk_close(r->disk, fd);
  if (got < 0) return disk_fail(r, got, "read the MANIFEST");
  if (!*text) return no_memory(r);
  *len = (size_t)got;
  return MD_OK;
}

static md_err_t
repair(repair_t *r) {
  char    *text = NULL;
  size_t   len  = 0;
  md_err_t err  = read_manifest(r, &text, &len);
  if (!err) err = take_lines(r, text, len);
  if (!err) err = rebuild(r, text, len);
  free(text);
  return err;
}

md_err_t
md_manifest_repair(const md_disk_t *disk, const char *dir, md_manifest_repaired_t *out,
                   md_msg_t *msg) {
  md_manifest_t *m = NULL;
  *out             = (md_manifest_repaired_t){0};
  md_err_t err     = md_manifest_open_on(disk, dir, false, false, &m, msg);
  md_manifest_close(m);
  if (err != MD_ERR_CORRUPT && err != MD_ERR_ABSENT) return err;
  int lock = md_disk_open(disk, dir, O_RDONLY | O_DIRECTORY, 0);
  if (lock < 0) return md_fail_errno(msg, -lock, "cannot open the journal directory %s", dir);
  int rc = md_disk_lock(disk, lock);
  if (rc < 0) {
    (void)md_disk_close(disk, lock);
    return rc == -EWOULDBLOCK ? md_fail(msg, MD_ERR_EXISTS, "an engine holds the journal %s", dir)
                              : md_fail_errno(msg, -rc, "cannot lock the journal %s", dir);
  }
  repair_t r  = {.disk = disk, .dir = dir, .out = out, .msg = msg};
  r.stream    = calloc(STREAM_MAX + 2u, sizeof *r.stream);
  err         = r.stream && know_epoch(&r, 1, 0) && instrument_at(&r, 1) ? MD_OK : no_memory(&r);
  r.epoch_max = r.instrument_max = 0;
  if (!err) err = repair(&r);
  (void)md_disk_close(disk, lock);
  free(r.stream);
  free(r.instrument);
  free(r.epoch_ns);
  free(r.text);
  return err;
}
