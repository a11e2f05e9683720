#include "writers/journal_pack.h"

#include "writers/journal_file.h"
#include "writers/journal_scan.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A sync now and then, so that none of them has much to write: the journal's own syncs may have to
 * wait for it. */
#define SYNC_BYTES (4u << 20)

/* Blocks of the plain segment on their way into one packed block. */
typedef struct joint {
  uint8_t         *raw; /* their records */
  uint64_t         raw_cap;
  uint32_t         raw_bytes, record_cnt, flags, epoch, sub_cnt;
  uint64_t         plain_off, plain_bytes;
  int64_t          ts_first_ns, ts_last_ns;
  uint16_t         version; /* of the blocks that it joins: those of a segment have one format */
  md_journal_sub_t sub[MD_JOURNAL_SUB_CNT];
} joint_t;

typedef struct packer {
  const md_journal_pack_config_t *cfg;
  md_journal_packed_t            *out;
  uint64_t                        segment;
  int                             fd;
  uint64_t                        off; /* of the next packed block */
  uint64_t                        synced_off;
  uint8_t                        *page; /* one packed block */
  uint64_t                        page_cap;
  md_zstd_pack_t                 *zstd;
  joint_t                         joint;
  int                             disk_error; /* -errno of the call that failed */
  md_journal_buffer_t             check;      /* the packed block that is being compared */
  uint64_t                        check_off;
  uint32_t                        check_pos;
} packer_t;

static bool
room(uint8_t **data, uint64_t *cap, uint64_t bytes) {
  if (bytes <= *cap) return true;
  uint64_t wanted = md_align_up(bytes, MD_JOURNAL_PAGE_BYTES);
  uint8_t *grown  = aligned_alloc(MD_JOURNAL_PAGE_BYTES, wanted);
  if (!grown) return false;
  if (*data) memcpy(grown, *data, *cap);
  free(*data);
  *data = grown;
  *cap  = wanted;
  return true;
}

static md_err_t
pace(const packer_t *p, uint64_t bytes) {
  if (!p->cfg->pace || p->cfg->pace(p->cfg->pace_ctx, bytes)) return MD_OK;
  return MD_ERR_STOPPED;
}

/* ---- joining ---- */

static void
join_sub(joint_t *j, const md_journal_sub_t *from) {
  md_journal_sub_t *to = NULL;
  for (uint32_t i = 0; i < j->sub_cnt; i++)
    if (j->sub[i].stream == from->stream && j->sub[i].epoch == from->epoch) to = &j->sub[i];
  if (!to) {
    j->sub[j->sub_cnt++] = *from;
    return;
  }
  if (to->first_seq == 0) to->first_seq = from->first_seq;
  if (from->last_seq > to->last_seq) to->last_seq = from->last_seq;
  if (from->durable_seq > to->durable_seq) to->durable_seq = from->durable_seq;
  to->record_cnt += from->record_cnt;
}

/* False: a stream of the block has no place beside those that are there. */
static bool
subs_fit(const joint_t *j, const md_journal_block_t *b) {
  uint32_t new_cnt = 0;
  for (uint32_t i = 0; i < b->stream_cnt; i++) {
    bool known = false;
    for (uint32_t n = 0; n < j->sub_cnt; n++)
      known |= j->sub[n].stream == b->sub[i].stream && j->sub[n].epoch == b->sub[i].epoch;
    new_cnt += !known;
  }
  return j->sub_cnt + new_cnt <= MD_JOURNAL_SUB_CNT;
}

static void
join(joint_t *j, const md_journal_block_t *b, uint64_t off) {
  if (j->plain_bytes == 0) j->plain_off = b->plain_off ? b->plain_off : off;
  if (j->record_cnt == 0) {
    j->ts_first_ns = b->ts_first_ns;
    j->ts_last_ns  = b->ts_last_ns;
    j->epoch       = b->epoch;
    j->version     = b->version;
  }
  if (b->ts_first_ns < j->ts_first_ns) j->ts_first_ns = b->ts_first_ns;
  if (b->ts_last_ns > j->ts_last_ns) j->ts_last_ns = b->ts_last_ns;
  for (uint32_t i = 0; i < b->stream_cnt; i++)
    join_sub(j, &b->sub[i]);
  memcpy(j->raw + j->raw_bytes, md_journal_block_records(b), b->raw_bytes);
  j->raw_bytes += b->raw_bytes;
  j->record_cnt += b->record_cnt;
  j->flags |= b->flags & (uint32_t)(MD_BLOCK_CHECKPOINT | MD_BLOCK_REPAIR);
  j->plain_bytes += b->block_bytes;
}

/* ---- writing ---- */

/* The header of the block in page; its records stand behind it already. */
static uint32_t
finish_block(packer_t *p, uint32_t header_bytes, uint32_t stored_bytes, uint32_t flags) {
  const joint_t *j           = &p->joint;
  const uint32_t used        = header_bytes + stored_bytes;
  const uint32_t block_bytes = (uint32_t)md_align_up(used, MD_JOURNAL_PAGE_BYTES);
  memset(p->page, 0, sizeof(md_journal_block_t));
  memset(p->page + used, 0, block_bytes - used);
  md_journal_block_t *b = (md_journal_block_t *)(void *)p->page;
  b->version            = j->version;
  b->header_bytes       = (uint16_t)header_bytes;
  b->flags              = flags;
  b->segment            = p->segment;
  b->offset             = p->off;
  b->durable_off        = p->off;
  b->epoch              = j->epoch;
  b->block_bytes        = block_bytes;
  b->record_cnt         = j->record_cnt;
  b->raw_bytes          = j->raw_bytes;
  b->stored_bytes       = stored_bytes;
  b->stream_cnt         = j->sub_cnt;
  b->ts_first_ns        = j->ts_first_ns;
  b->ts_last_ns         = j->ts_last_ns;
  b->plain_off          = j->plain_off;
  b->plain_bytes        = j->plain_bytes;
  memcpy(p->page + sizeof *b, j->sub, j->sub_cnt * sizeof j->sub[0]);
  md_journal_block_seal(b);
  return block_bytes;
}

static md_err_t
flush(packer_t *p) {
  joint_t *j = &p->joint;
  if (j->record_cnt > 0) {
    const uint32_t header = (uint32_t)(sizeof(md_journal_block_t) + j->sub_cnt * sizeof j->sub[0]);
    if (!room(&p->page, &p->page_cap, header + (uint64_t)j->raw_bytes + MD_JOURNAL_PAGE_BYTES))
      return MD_ERR_NOMEM;
    const int level        = p->cfg->level ? p->cfg->level : MD_JOURNAL_PACK_LEVEL;
    size_t    stored_bytes = 0;
    uint32_t  flags        = j->flags | MD_BLOCK_ZSTD;
    md_err_t  err = md_zstd_pack(&p->zstd, level, p->page + header, j->raw_bytes - 1, j->raw,
                                 j->raw_bytes, &stored_bytes);
    if (err == MD_ERR_NOSPACE) {
      flags        = j->flags;
      stored_bytes = j->raw_bytes;
      memcpy(p->page + header, j->raw, j->raw_bytes);
    } else if (err) {
      return err;
    }
    const uint32_t block_bytes = finish_block(p, header, (uint32_t)stored_bytes, flags);
    p->disk_error = md_disk_pwrite_all(p->cfg->disk, p->fd, p->page, block_bytes, p->off);
    if (p->disk_error) return MD_ERR_IO;
    p->off += block_bytes;
    if (p->off - p->synced_off >= SYNC_BYTES) {
      p->disk_error = md_disk_fdatasync(p->cfg->disk, p->fd);
      p->synced_off = p->off;
      if (p->disk_error) return MD_ERR_IO;
    }
    p->out->block_cnt++;
    p->out->record_cnt += j->record_cnt;
    err = pace(p, j->plain_bytes + block_bytes);
    if (err) return err;
  }
  *j = (joint_t){.raw = j->raw, .raw_cap = j->raw_cap};
  return MD_OK;
}

static md_err_t
take_block(void *ctx, const md_journal_block_t *b, uint64_t off) {
  packer_t      *p    = ctx;
  joint_t       *j    = &p->joint;
  const uint32_t wish = p->cfg->join_bytes ? p->cfg->join_bytes : MD_JOURNAL_PACK_JOIN_BYTES;
  if (b->record_cnt == 0) return MD_OK; /* a seal: what it proves, the new header says */
  const bool other = md_journal_is_old(j->version) != md_journal_is_old(b->version);
  if (j->record_cnt > 0 && (other || j->raw_bytes + b->raw_bytes > wish || !subs_fit(j, b))) {
    md_err_t err = flush(p);
    if (err) return err;
  }
  if (!room(&j->raw, &j->raw_cap, (uint64_t)j->raw_bytes + b->raw_bytes)) return MD_ERR_NOMEM;
  join(j, b, off);
  return MD_OK;
}

static md_err_t
refuse_damage(void *ctx, uint64_t off, uint64_t end, const char *what) {
  (void)ctx, (void)off, (void)end, (void)what;
  return MD_ERR_CORRUPT;
}

/* ---- comparing ---- */

/* The records of a plain block must stand next in the packed file. */
static md_err_t
compare_block(void *ctx, const md_journal_block_t *b, uint64_t off) {
  packer_t *p = ctx;
  (void)off;
  if (b->record_cnt == 0) return MD_OK;
  const md_journal_block_t *have = p->check.data ? md_journal_buffer_block(&p->check) : NULL;
  if (!have || p->check_pos == have->raw_bytes) {
    md_err_t err = md_journal_load(&p->check, p->fd, p->segment, p->check_off, p->off);
    if (err) return err == MD_ERR_NOMEM ? err : MD_ERR_IO;
    have         = md_journal_buffer_block(&p->check);
    p->check_pos = 0;
    p->check_off += have->block_bytes;
  }
  if (b->raw_bytes > have->raw_bytes - p->check_pos) return MD_ERR_IO;
  const uint8_t *records = md_journal_block_records(have) + p->check_pos;
  if (memcmp(records, md_journal_block_records(b), b->raw_bytes) != 0) return MD_ERR_IO;
  p->check_pos += b->raw_bytes;
  return pace(p, b->block_bytes);
}

static md_err_t
compare(packer_t *p, uint64_t limit, md_journal_scan_t *scan, md_msg_t *msg) {
  const md_journal_visit_t visit = {.ctx = p, .block = compare_block, .damage = refuse_damage};
  p->check_off                   = MD_JOURNAL_PAGE_BYTES;
  md_err_t   err = md_journal_walk(p->cfg->disk, p->cfg->dir, p->segment, limit, &visit, scan, msg);
  const bool all =
      p->check_off == p->off &&
      (!p->check.data || p->check_pos == md_journal_buffer_block(&p->check)->raw_bytes);
  return err || all ? err : MD_ERR_IO;
}

/* ---- one segment ---- */

/* The header is written last; it is the packed one's only difference from the plain one's. */
static md_err_t
finish_file(packer_t *p, const md_journal_scan_t *scan) {
  md_journal_head_t head = scan->head;
  head.plain_bytes       = scan->valid_end;
  head.packed_bytes      = p->off;
  md_journal_head_seal(&head);
  p->disk_error = md_disk_pwrite_all(p->cfg->disk, p->fd, &head, sizeof head, 0);
  if (p->disk_error == 0) p->disk_error = md_disk_fsync(p->cfg->disk, p->fd);
  p->out->plain_bytes  = scan->valid_end;
  p->out->packed_bytes = p->off;
  return p->disk_error ? MD_ERR_IO : MD_OK;
}

static md_err_t
write_packed(packer_t *p, uint64_t limit, md_journal_scan_t *scan, md_msg_t *msg) {
  const md_journal_visit_t visit = {.ctx = p, .block = take_block, .damage = refuse_damage};
  md_err_t err = md_journal_walk(p->cfg->disk, p->cfg->dir, p->segment, limit, &visit, scan, msg);
  if (err == MD_ERR_CORRUPT)
    return md_fail(msg, err, "%s; it stays as it is until `mdengine journal repair`",
                   scan->first_damage[0] ? scan->first_damage : "the segment is damaged");
  if (!err) err = flush(p);
  if (!err && p->out->block_cnt > 0) err = finish_file(p, scan);
  return err;
}

static md_err_t
replace(packer_t *p, const char *tmp, uint64_t limit, md_journal_scan_t *scan, md_msg_t *msg) {
  char path[MD_JOURNAL_PATH_BYTES];
  md_journal_path(p->cfg->dir, p->segment, path);
  md_err_t err = compare(p, limit, scan, msg);
  if (err == MD_ERR_IO)
    return md_fail(msg, err, "%s: packed, it does not read back as it was; it stays plain", path);
  if (err) return err;
  int rc = md_disk_rename(p->cfg->disk, tmp, path);
  if (rc == 0) rc = md_disk_sync_dir(p->cfg->disk, p->cfg->dir);
  if (rc != 0) return md_fail_errno(msg, -rc, "cannot put the packed %s in its place", path);
  p->out->is_packed = true;
  return MD_OK;
}

static md_err_t
pack(packer_t *p, uint64_t limit, md_journal_scan_t *scan, md_msg_t *msg) {
  char tmp[MD_JOURNAL_PATH_BYTES];
  (void)snprintf(tmp, sizeof tmp, "%.540s/" MD_JOURNAL_PACK_TEMPORARY, p->cfg->dir);
  p->fd = md_disk_open(p->cfg->disk, tmp, O_RDWR | O_CREAT | O_TRUNC, 0640);
  if (p->fd < 0) return md_fail_errno(msg, -p->fd, "cannot make %s", tmp);
  md_err_t err = write_packed(p, limit, scan, msg);
  if (p->disk_error) err = md_fail_errno(msg, -p->disk_error, "cannot write %s", tmp);
  if (!err && p->out->packed_bytes > 0 && p->out->packed_bytes < p->out->plain_bytes)
    err = replace(p, tmp, limit, scan, msg);
  if (err == MD_ERR_STOPPED) (void)md_fail(msg, err, "asked to stop");
  (void)md_disk_close(p->cfg->disk, p->fd);
  if (!p->out->is_packed) (void)md_disk_unlink(p->cfg->disk, tmp);
  return err;
}

md_err_t
md_journal_pack(const md_journal_pack_config_t *cfg, uint64_t id, uint64_t limit,
                md_journal_packed_t *out, md_msg_t *msg) {
  md_journal_head_t head;
  *out         = (md_journal_packed_t){0};
  md_err_t err = md_journal_head_read(cfg->disk, cfg->dir, id, NULL, &head);
  if (err) return md_fail(msg, err, "segment %" PRIu64 ": %s", id, md_err_text(err));
  if (head.packed_bytes != 0 || limit == 0) return MD_OK;
  packer_t          *p    = calloc(1, sizeof *p);
  md_journal_scan_t *scan = malloc(sizeof *scan);
  if (p && scan) {
    *p  = (packer_t){.cfg     = cfg,
                     .out     = out,
                     .segment = id,
                     .off     = MD_JOURNAL_PAGE_BYTES,
                     .check   = {.disk = cfg->disk}};
    err = pack(p, limit, scan, msg);
    free(p->page);
    free(p->joint.raw);
    md_zstd_pack_free(p->zstd);
    md_journal_buffer_fini(&p->check);
  } else {
    err = md_fail(msg, MD_ERR_NOMEM, "no memory to pack a segment");
  }
  free(scan);
  free(p);
  return err;
}
