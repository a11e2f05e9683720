#include "writers/journal_index.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (1ull << 30)
#define TEMPORARY "index.tmp"

void
md_journal_index_free(md_journal_index_t *x) {
  free(x->data);
  *x = (md_journal_index_t){0};
}

void
md_journal_index_path(const char *dir, uint64_t segment, char out[MD_JOURNAL_PATH_BYTES]) {
  (void)snprintf(out, MD_JOURNAL_PATH_BYTES, "%.540s/seg-%010" PRIu64 ".mdx", dir, segment);
}

/* ---- making ---- */

typedef struct maker {
  md_journal_index_block_t *block;
  md_journal_index_sub_t   *sub;
  uint32_t                  block_cnt, block_cap, sub_cnt, sub_cap;
} maker_t;

static bool
room(void **array, size_t row_bytes, uint32_t wanted, uint32_t *cap) {
  if (wanted <= *cap) return true;
  uint32_t more  = 2 * *cap > wanted ? 2 * *cap : wanted + 1024;
  void    *grown = realloc(*array, more * row_bytes);
  if (!grown) return false;
  *array = grown;
  *cap   = more;
  return true;
}

static md_err_t
add_block(void *ctx, const md_journal_block_t *b, uint64_t off) {
  maker_t *m     = ctx;
  void    *block = m->block, *sub = m->sub;
  bool     ok = room(&block, sizeof *m->block, m->block_cnt + 1, &m->block_cap);
  m->block    = block;
  ok          = ok && room(&sub, sizeof *m->sub, m->sub_cnt + b->stream_cnt, &m->sub_cap);
  m->sub      = sub;
  if (!ok) return MD_ERR_NOMEM;
  m->block[m->block_cnt++] = (md_journal_index_block_t){.off         = off,
                                                        .plain_off   = b->plain_off,
                                                        .block_bytes = b->block_bytes,
                                                        .crc         = b->crc,
                                                        .record_cnt  = b->record_cnt,
                                                        .flags       = b->flags,
                                                        .sub_first   = m->sub_cnt,
                                                        .sub_cnt     = b->stream_cnt,
                                                        .ts_first_ns = b->ts_first_ns,
                                                        .ts_last_ns  = b->ts_last_ns};
  for (uint32_t i = 0; i < b->stream_cnt; i++)
    m->sub[m->sub_cnt++] = (md_journal_index_sub_t){.stream     = b->sub[i].stream,
                                                    .epoch      = b->sub[i].epoch,
                                                    .first_seq  = b->sub[i].first_seq,
                                                    .last_seq   = b->sub[i].last_seq,
                                                    .record_cnt = b->sub[i].record_cnt};
  return MD_OK;
}

/* Where the tables stand in data. False when they would not fit bytes. */
static bool
lay_out(md_journal_index_t *x, uint64_t bytes) {
  const md_journal_index_head_t *h     = (const md_journal_index_head_t *)(const void *)x->data;
  const uint64_t                 mark  = sizeof *h;
  const uint64_t                 block = mark + (uint64_t)h->mark_cnt * sizeof *x->mark;
  const uint64_t                 sub   = block + (uint64_t)h->block_cnt * sizeof *x->block;
  if (sub + (uint64_t)h->sub_cnt * sizeof *x->sub != bytes) return false;
  x->head  = h;
  x->mark  = (const md_journal_mark_t *)(const void *)(x->data + mark);
  x->block = (const md_journal_index_block_t *)(const void *)(x->data + block);
  x->sub   = (const md_journal_index_sub_t *)(const void *)(x->data + sub);
  return true;
}

static md_err_t
put_together(const maker_t *m, const md_journal_scan_t *scan, md_journal_index_t *out) {
  const md_journal_head_t *from  = &scan->head;
  const uint64_t           marks = from->mark_cnt * sizeof(md_journal_mark_t);
  const uint64_t blocks = m->block_cnt * sizeof *m->block, subs = m->sub_cnt * sizeof *m->sub;
  md_journal_index_head_t h = {.magic         = MD_JOURNAL_INDEX_MAGIC,
                               .version       = MD_JOURNAL_INDEX_VERSION,
                               .bytes         = sizeof h + marks + blocks + subs,
                               .segment       = scan->info.id,
                               .segment_bytes = scan->file_end,
                               .plain_bytes   = from->plain_bytes,
                               .prev_segment  = from->prev_segment,
                               .prev_bytes    = from->prev_bytes,
                               .created_ns    = from->created_ns,
                               .epoch         = from->epoch,
                               .mark_cnt      = from->mark_cnt,
                               .block_cnt     = m->block_cnt,
                               .sub_cnt       = m->sub_cnt,
                               .ts_first_ns   = scan->info.first_ns,
                               .ts_last_ns    = scan->info.last_ns,
                               .record_cnt    = scan->info.record_cnt};
  memcpy(h.uuid, from->uuid, sizeof h.uuid);
  out->data = malloc(h.bytes);
  if (!out->data) return MD_ERR_NOMEM;
  memcpy(out->data, &h, sizeof h);
  memcpy(out->data + sizeof h, from->mark, marks);
  if (blocks) memcpy(out->data + sizeof h + marks, m->block, blocks);
  if (subs) memcpy(out->data + sizeof h + marks + blocks, m->sub, subs);
  const uint32_t crc = md_crc32c(0, out->data + 16, h.bytes - 16);
  memcpy(out->data + offsetof(md_journal_index_head_t, crc), &crc, sizeof crc);
  md_assert(lay_out(out, h.bytes));
  return MD_OK;
}

md_err_t
md_journal_index_build(const md_disk_t *disk, const char *dir, uint64_t id, uint64_t limit,
                       md_journal_index_t *out, md_msg_t *msg) {
  maker_t            m     = {0};
  md_journal_visit_t visit = {.ctx = &m, .block = add_block};
  md_journal_scan_t *scan  = malloc(sizeof *scan);
  *out                     = (md_journal_index_t){0};
  if (!scan) return md_fail(msg, MD_ERR_NOMEM, "no memory to index segment %" PRIu64, id);
  md_err_t err = md_journal_walk(disk, dir, id, limit, &visit, scan, msg);
  if (!err && scan->info.damaged_cnt > 0)
    err = md_fail(msg, MD_ERR_CORRUPT, "%s; not indexed", scan->first_damage);
  if (!err && put_together(&m, scan, out) != MD_OK)
    err = md_fail(msg, MD_ERR_NOMEM, "no memory to index segment %" PRIu64, id);
  free(m.block);
  free(m.sub);
  free(scan);
  return err;
}

md_err_t
md_journal_index_write(const md_disk_t *disk, const char *dir, const md_journal_index_t *x,
                       md_msg_t *msg) {
  char path[MD_JOURNAL_PATH_BYTES], tmp[MD_JOURNAL_PATH_BYTES];
  md_journal_index_path(dir, x->head->segment, path);
  (void)snprintf(tmp, sizeof tmp, "%.540s/" TEMPORARY, dir);
  int fd = md_disk_open(disk, tmp, O_WRONLY | O_CREAT | O_TRUNC, 0640);
  if (fd < 0) return md_fail_errno(msg, -fd, "cannot make the index %s", path);
  int rc = md_disk_pwrite_all(disk, fd, x->data, x->head->bytes, 0);
  if (rc == 0) rc = md_disk_fdatasync(disk, fd);
  int closed = md_disk_close(disk, fd);
  if (rc == 0) rc = closed;
  if (rc == 0) rc = md_disk_rename(disk, tmp, path);
  if (rc != 0) (void)md_disk_unlink(disk, tmp);
  if (rc == 0) rc = md_disk_sync_dir(disk, dir);
  return rc == 0 ? MD_OK : md_fail_errno(msg, -rc, "cannot make the index %s", path);
}

/* ---- reading ---- */

static md_err_t
check(md_journal_index_t *x, uint64_t bytes, uint64_t segment, const uint8_t *uuid,
      uint32_t *version) {
  md_journal_index_head_t h;
  if (bytes < sizeof h) return MD_ERR_CORRUPT;
  memcpy(&h, x->data, sizeof h);
  if (h.magic != MD_JOURNAL_INDEX_MAGIC || h.bytes != bytes) return MD_ERR_CORRUPT;
  if (h.crc != md_crc32c(0, x->data + 16, bytes - 16)) return MD_ERR_CORRUPT;
  *version = h.version;
  if (h.version != MD_JOURNAL_INDEX_VERSION) return MD_ERR_VERSION;
  if (h.segment != segment || h.mark_cnt > MD_JOURNAL_MARK_CNT) return MD_ERR_CORRUPT;
  if (uuid && memcmp(uuid, h.uuid, sizeof h.uuid) != 0) return MD_ERR_CORRUPT;
  if (!lay_out(x, bytes)) return MD_ERR_CORRUPT;
  for (uint32_t i = 0; i < h.block_cnt; i++)
    if ((uint64_t)x->block[i].sub_first + x->block[i].sub_cnt > h.sub_cnt) return MD_ERR_CORRUPT;
  return MD_OK;
}

static md_err_t
load(const md_disk_t *disk, int fd, md_journal_index_t *x, uint64_t *bytes) {
  int64_t size = md_disk_size(disk, fd);
  if (size < 0) return MD_ERR_IO;
  if ((uint64_t)size > BYTES_MAX) return MD_ERR_CORRUPT;
  *bytes  = (uint64_t)size;
  x->data = malloc(*bytes + 1);
  if (!x->data) return MD_ERR_NOMEM;
  int64_t n = md_disk_pread_all(disk, fd, x->data, *bytes, 0);
  if (n < 0) return MD_ERR_IO;
  return n == size ? MD_OK : MD_ERR_CORRUPT;
}

md_err_t
md_journal_index_read(const md_disk_t *disk, const char *dir, uint64_t segment, const uint8_t *uuid,
                      md_journal_index_t *out, md_msg_t *msg) {
  char     path[MD_JOURNAL_PATH_BYTES];
  uint64_t bytes   = 0;
  uint32_t version = 0;
  *out             = (md_journal_index_t){0};
  md_journal_index_path(dir, segment, path);
  int fd = md_disk_open(disk, path, O_RDONLY, 0);
  if (fd < 0) return md_fail_errno(msg, -fd, "cannot open %s", path);
  md_err_t err = load(disk, fd, out, &bytes);
  (void)md_disk_close(disk, fd);
  if (!err) err = check(out, bytes, segment, uuid, &version);
  if (!err) return MD_OK;
  md_journal_index_free(out);
  if (err == MD_ERR_VERSION)
    return md_journal_version_fail(msg, path, "an index", version, MD_JOURNAL_INDEX_VERSION);
  return md_fail(msg, err, "%s: %s", path, md_err_text(err));
}

/* ---- finding ---- */

static bool
reaches(const md_journal_index_t *x, uint32_t i, uint16_t stream, uint32_t epoch, uint64_t seq) {
  const md_journal_index_sub_t *sub = x->sub + x->block[i].sub_first;
  for (uint32_t n = 0; n < x->block[i].sub_cnt; n++) {
    if (sub[n].stream != stream || sub[n].last_seq == 0) continue;
    if (sub[n].epoch > epoch || (sub[n].epoch == epoch && sub[n].last_seq >= seq)) return true;
  }
  return false;
}

uint32_t
md_journal_index_seq(const md_journal_index_t *x, uint16_t stream, uint32_t epoch, uint64_t seq) {
  for (uint32_t i = 0; i < x->head->block_cnt; i++)
    if (reaches(x, i, stream, epoch, seq)) return i;
  return x->head->block_cnt;
}

uint32_t
md_journal_index_time(const md_journal_index_t *x, int64_t ns) {
  for (uint32_t i = 0; i < x->head->block_cnt; i++)
    if (x->block[i].record_cnt > 0 && x->block[i].ts_last_ns >= ns) return i;
  return x->head->block_cnt;
}

void
md_journal_index_remove(const md_disk_t *disk, const char *dir, uint64_t segment) {
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_index_path(dir, segment, path);
  (void)md_disk_unlink(disk, path);
}
