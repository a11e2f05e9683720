#include "writers/journal.h"
#include "writers/journal_format.h"
#include "writers/manifest_line.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define LINE_BYTES     MD_MANIFEST_LINE_BYTES
#define PATH_BYTES     512u
#define FILE_BYTES_MAX (1ull << 30)
#define EPOCHS_KEPT    256u
#define INSTRUMENT_MAX                                                                             \
  (1u << 24) /* ids are never reused; this many are a hundred years of listings */

struct md_manifest {
  const md_disk_t *disk;
  int              fd, dir_fd; /* dir_fd holds the flock of a writer */
  bool             write;
  bool             broken; /* what the file holds is no longer known: it is written anew */
  bool             dirty;  /* lines appended and not yet synced */
  char             path[PATH_BYTES];

  uint8_t  uuid[16];
  char    *text; /* of a writer: all whole lines, as the file should hold them */
  uint64_t text_cap;
  uint64_t bytes; /* end of the last whole line */
  uint32_t last_epoch;
  uint32_t next_instrument;
  uint64_t last_segment;
  struct {
    uint32_t epoch;
    int64_t  real_ns;
  } begun[EPOCHS_KEPT]; /* of the newest epochs, at epoch % EPOCHS_KEPT */

  char (*stream)[MD_NAME_BYTES]; /* stream id i stands at i - 1 */
  uint32_t                  stream_cnt;
  md_manifest_instrument_t *instrument;
  uint32_t                  instrument_cnt, instrument_cap;
  uint32_t                 *by_id; /* index + 1, 0 for none */
  uint32_t                  by_id_cnt;
  uint32_t newer_version; /* of the first line, when it is above what is known; else 0 */
};

/* ---- what is known ---- */

const uint8_t *
md_manifest_uuid(const md_manifest_t *m) {
  return m->uuid;
}

uint32_t
md_manifest_last_epoch(const md_manifest_t *m) {
  return m->last_epoch;
}

bool
md_manifest_epoch_begun(const md_manifest_t *m, uint32_t epoch, int64_t *real_ns) {
  if (m->begun[epoch % EPOCHS_KEPT].epoch != epoch || epoch == 0) return false;
  if (m->begun[epoch % EPOCHS_KEPT].real_ns == 0) return false; /* made by a repair */
  *real_ns = m->begun[epoch % EPOCHS_KEPT].real_ns;
  return true;
}

static void
note_epoch(md_manifest_t *m, uint32_t epoch, int64_t real_ns) {
  m->last_epoch                         = epoch;
  m->begun[epoch % EPOCHS_KEPT].epoch   = epoch;
  m->begun[epoch % EPOCHS_KEPT].real_ns = real_ns;
}

uint32_t
md_manifest_next_instrument(const md_manifest_t *m) {
  return m->next_instrument;
}

uint64_t
md_manifest_last_segment(const md_manifest_t *m) {
  return m->last_segment;
}

const char *
md_manifest_stream_name(const md_manifest_t *m, uint16_t id) {
  return id == 0 || id > m->stream_cnt ? NULL : m->stream[id - 1];
}

uint32_t
md_manifest_instrument_cnt(const md_manifest_t *m) {
  return m->instrument_cnt;
}

const md_manifest_instrument_t *
md_manifest_instrument_at(const md_manifest_t *m, uint32_t i) {
  return i < m->instrument_cnt ? &m->instrument[i] : NULL;
}

const md_manifest_instrument_t *
md_manifest_instrument_by_id(const md_manifest_t *m, uint32_t id) {
  if (id >= m->by_id_cnt || m->by_id[id] == 0) return NULL;
  return &m->instrument[m->by_id[id] - 1];
}

static md_err_t
add_stream(md_manifest_t *m, const char *name) {
  if (m->stream_cnt >= UINT16_MAX) return MD_ERR_FULL;
  void *grown = realloc(m->stream, (m->stream_cnt + 1u) * sizeof *m->stream);
  if (!grown) return MD_ERR_NOMEM;
  m->stream = grown;
  memset(m->stream[m->stream_cnt], 0, MD_NAME_BYTES);
  memcpy(m->stream[m->stream_cnt], name, strnlen(name, MD_NAME_BYTES - 1));
  m->stream_cnt++;
  return MD_OK;
}

static md_err_t
grow_by_id(md_manifest_t *m, uint32_t id) {
  if (id < m->by_id_cnt) return MD_OK;
  uint32_t cnt   = (uint32_t)md_align_up(id + 1u, 4096);
  void    *grown = realloc(m->by_id, cnt * sizeof *m->by_id);
  if (!grown) return MD_ERR_NOMEM;
  m->by_id = grown;
  memset(m->by_id + m->by_id_cnt, 0, (cnt - m->by_id_cnt) * sizeof *m->by_id);
  m->by_id_cnt = cnt;
  return MD_OK;
}

static md_err_t
add_instrument(md_manifest_t *m, uint32_t id, const char *feed, const char *symbol) {
  if (id == 0 || id >= INSTRUMENT_MAX) return MD_ERR_RANGE;
  if (grow_by_id(m, id) != MD_OK) return MD_ERR_NOMEM;
  if (m->instrument_cnt == m->instrument_cap) {
    uint32_t cap   = m->instrument_cap ? 2 * m->instrument_cap : 1024;
    void    *grown = realloc(m->instrument, cap * sizeof *m->instrument);
    if (!grown) return MD_ERR_NOMEM;
    m->instrument     = grown;
    m->instrument_cap = cap;
  }
  md_manifest_instrument_t *row = &m->instrument[m->instrument_cnt++];
  memset(row, 0, sizeof *row);
  row->id = id;
  memcpy(row->feed, feed, strnlen(feed, sizeof row->feed - 1));
  memcpy(row->symbol, symbol, strnlen(symbol, sizeof row->symbol - 1));
  m->by_id[id] = m->instrument_cnt;
  if (id >= m->next_instrument) m->next_instrument = id + 1;
  return MD_OK;
}

/* ---- lines ---- */

/* One line that is whole. False: it says something that cannot be here. */
static bool
take_line(md_manifest_t *m, const md_manifest_line_t *l) {
  switch (l->kind) {
  case MD_MANIFEST_JOURNAL:
    memcpy(m->uuid, l->uuid, sizeof m->uuid);
    return true;
  case MD_MANIFEST_STREAM:
    return l->number == m->stream_cnt + 1u && add_stream(m, l->name) == MD_OK;
  case MD_MANIFEST_EPOCH:
    if (l->number <= m->last_epoch) return false;
    note_epoch(m, (uint32_t)l->number, l->real_ns);
    return true;
  case MD_MANIFEST_INSTRUMENT:
    return !md_manifest_instrument_by_id(m, (uint32_t)l->number) &&
           add_instrument(m, (uint32_t)l->number, l->name, l->symbol) == MD_OK;
  case MD_MANIFEST_SEGMENT:
    if (l->number > m->last_segment) m->last_segment = l->number;
    return true;
  }
  return false;
}

static bool
read_line(md_manifest_t *m, const char *line, size_t len) {
  md_manifest_line_t l;
  md_err_t           err = md_manifest_line_read(line, len, &l);
  if (err == MD_ERR_VERSION) m->newer_version = (uint32_t)l.number;
  return err == MD_OK && take_line(m, &l);
}

static md_err_t
read_lines(md_manifest_t *m, char *text, size_t len, md_msg_t *msg) {
  uint32_t line_no = 0;
  size_t   off     = 0;
  while (off < len) {
    line_no++;
    char  *end  = memchr(text + off, '\n', len - off);
    size_t next = end ? (size_t)(end - text) + 1 : len;
    bool   ok   = end && read_line(m, text + off, next - 1 - off);
    if (m->newer_version)
      return md_fail(msg, MD_ERR_VERSION,
                     "%s: a journal of format version %u; this mdengine reads up to %u: use the "
                     "mdengine that wrote it, or a newer one",
                     m->path, m->newer_version, MD_MANIFEST_VERSION);
    if (!ok && next < len)
      return md_fail(
          msg, MD_ERR_CORRUPT,
          "%s:%u: damaged line: run `mdengine journal repair`, or restore it from a backup",
          m->path, line_no);
    if (!ok) break; /* torn while it was written: nothing relies on it yet */
    if (line_no == 1 && strncmp(text, "journal", 7) != 0)
      return md_fail(msg, MD_ERR_CORRUPT, "%s:1: this is not a journal manifest", m->path);
    off = next;
  }
  if (off == 0)
    return md_fail(msg, MD_ERR_CORRUPT, "%s:1: the first line is damaged, or not a journal's",
                   m->path);
  m->bytes = off;
  return MD_OK;
}

static md_err_t
read_file(md_manifest_t *m, md_msg_t *msg) {
  int64_t bytes = md_disk_size(m->disk, m->fd);
  if (bytes < 0) return md_fail_errno(msg, (int)-bytes, "cannot read %s", m->path);
  if ((uint64_t)bytes > FILE_BYTES_MAX)
    return md_fail(msg, MD_ERR_CORRUPT, "%s is too large for a manifest", m->path);
  size_t size = (size_t)bytes;
  char  *text = malloc(size + 1), *kept = m->write ? malloc(size + LINE_BYTES) : NULL;
  if (!text || (m->write && !kept)) {
    free(text);
    free(kept);
    return md_fail(msg, MD_ERR_NOMEM, "no memory to read %s", m->path);
  }
  m->text     = kept;
  m->text_cap = size + LINE_BYTES;
  int64_t len = md_disk_pread_all(m->disk, m->fd, text, size, 0);
  if (len < 0) {
    free(text);
    return md_fail_errno(msg, (int)-len, "cannot read %s", m->path);
  }
  text[len] = 0;
  if (kept) memcpy(kept, text, (size_t)len); /* taking a line writes into it */
  md_err_t err = read_lines(m, text, (size_t)len, msg);
  free(text);
  if (err || !m->write || m->bytes == size) return err;
  int rc = md_disk_truncate(m->disk, m->fd, m->bytes);
  if (rc >= 0) rc = md_disk_fsync(m->disk, m->fd);
  if (rc >= 0) return MD_OK;
  return md_fail_errno(msg, -rc, "cannot cut the torn last line of %s", m->path);
}

/* ---- writing ---- */

/* After a failed sync nobody knows what the file holds, and asking again proves nothing. So all of
 * it is written anew beside it and takes its name. */
static md_err_t
write_anew(md_manifest_t *m, md_msg_t *msg) {
  char tmp[PATH_BYTES + 8];
  (void)snprintf(tmp, sizeof tmp, "%s.tmp", m->path);
  int fd = md_disk_open(m->disk, tmp, O_RDWR | O_CREAT | O_TRUNC, 0640);
  int rc = fd;
  if (rc >= 0) rc = md_disk_pwrite_all(m->disk, fd, m->text, m->bytes, 0);
  if (rc >= 0) rc = md_disk_fsync(m->disk, fd);
  if (rc >= 0) rc = md_disk_rename(m->disk, tmp, m->path);
  if (rc >= 0) rc = md_disk_fsync(m->disk, m->dir_fd);
  if (rc < 0) {
    if (fd >= 0) (void)md_disk_close(m->disk, fd);
    return md_fail_errno(msg, -rc, "cannot write %s anew after a failure", m->path);
  }
  if (m->fd >= 0) (void)md_disk_close(m->disk, m->fd);
  m->fd     = fd;
  m->broken = m->dirty = false;
  return MD_OK;
}

static md_err_t
text_room(md_manifest_t *m, uint64_t bytes, md_msg_t *msg) {
  if (bytes <= m->text_cap) return MD_OK;
  uint64_t cap   = 2 * m->text_cap > bytes ? 2 * m->text_cap : bytes;
  char    *grown = realloc(m->text, cap);
  if (!grown) return md_fail(msg, MD_ERR_NOMEM, "no memory for %s", m->path);
  m->text     = grown;
  m->text_cap = cap;
  return MD_OK;
}

/* Adds a line, not yet durable. A failed write leaves the file as it was. */
static md_err_t
append(md_manifest_t *m, md_msg_t *msg, const char *line) {
  md_assert(m->write);
  char     text[LINE_BYTES];
  size_t   len = md_manifest_line_seal(line, text, sizeof text);
  md_err_t err = text_room(m, m->bytes + len, msg);
  if (!err && m->broken) err = write_anew(m, msg);
  if (err) return err;
  int rc = md_disk_pwrite_all(m->disk, m->fd, text, len, m->bytes);
  if (rc < 0) {
    if (md_disk_truncate(m->disk, m->fd, m->bytes) < 0) m->broken = true;
    return md_fail_errno(msg, -rc, "cannot write %s", m->path);
  }
  memcpy(m->text + m->bytes, text, len);
  m->bytes += len;
  m->dirty = true;
  return MD_OK;
}

/* Forgets the lines from byte on: the caller could not keep what they say. */
static void
take_back(md_manifest_t *m, uint64_t byte) {
  if (m->bytes == byte) return;
  m->bytes  = byte;
  m->broken = true; /* the file still has them */
}

md_err_t
md_manifest_sync(md_manifest_t *m, md_msg_t *msg) {
  if (m->broken) return write_anew(m, msg);
  if (!m->dirty) return MD_OK;
  int rc = md_disk_fdatasync(m->disk, m->fd);
  if (rc < 0) {
    m->broken = true;
    return md_fail_errno(msg, -rc, "cannot sync %s", m->path);
  }
  m->dirty = false;
  return MD_OK;
}

static md_err_t
append_durably(md_manifest_t *m, md_msg_t *msg, const char *line) {
  const uint64_t before = m->bytes;
  md_err_t       err    = append(m, msg, line);
  if (!err) err = md_manifest_sync(m, msg);
  if (err) take_back(m, before);
  return err;
}

md_err_t
md_manifest_stream(md_manifest_t *m, const char *name, uint16_t *id, md_msg_t *msg) {
  for (uint32_t i = 0; i < m->stream_cnt; i++) {
    if (strncmp(m->stream[i], name, MD_NAME_BYTES) != 0) continue;
    *id = (uint16_t)(i + 1);
    return MD_OK;
  }
  if (name[0] == 0 || strnlen(name, MD_NAME_BYTES) == MD_NAME_BYTES)
    return md_fail(msg, MD_ERR_RANGE, "the stream name '%.40s' is empty or too long", name);
  char escaped[3 * MD_NAME_BYTES + 1], line[LINE_BYTES / 2];
  md_manifest_escape(name, escaped, sizeof escaped);
  (void)snprintf(line, sizeof line, "stream %u %s", m->stream_cnt + 1, escaped);
  const uint64_t before = m->bytes;
  md_err_t       err    = append_durably(m, msg, line);
  if (err) return err;
  err = add_stream(m, name);
  if (err) {
    take_back(m, before);
    return md_fail(msg, err, "too many streams, or no memory for them");
  }
  *id = (uint16_t)m->stream_cnt;
  return MD_OK;
}

md_err_t
md_manifest_epoch(md_manifest_t *m, int64_t real_ns, uint32_t *epoch, md_msg_t *msg) {
  char line[LINE_BYTES / 2];
  (void)snprintf(line, sizeof line, "epoch %u %" PRId64, m->last_epoch + 1, real_ns);
  md_err_t err = append_durably(m, msg, line);
  if (err) return err;
  note_epoch(m, m->last_epoch + 1, real_ns);
  *epoch = m->last_epoch;
  return MD_OK;
}

md_err_t
md_manifest_instrument_add(md_manifest_t *m, uint32_t id, const char *feed, const char *symbol,
                           md_msg_t *msg) {
  const md_manifest_instrument_t *known = md_manifest_instrument_by_id(m, id);
  if (known) {
    if (strcmp(known->feed, feed) == 0 && strcmp(known->symbol, symbol) == 0) return MD_OK;
    return md_fail(msg, MD_ERR_EXISTS, "instrument %u is %s of %s in the manifest, not %s of %s",
                   id, known->symbol, known->feed, symbol, feed);
  }
  if (id == 0 || id >= INSTRUMENT_MAX || !feed[0] || !symbol[0])
    return md_fail(msg, MD_ERR_RANGE, "instrument %u cannot stand in the manifest", id);
  char feed_text[3 * MD_NAME_BYTES + 1], symbol_text[3 * MD_SYMBOL_BYTES + 1];
  char line[LINE_BYTES - 32];
  md_manifest_escape(feed, feed_text, sizeof feed_text);
  md_manifest_escape(symbol, symbol_text, sizeof symbol_text);
  (void)snprintf(line, sizeof line, "instrument %u %s %s", id, feed_text, symbol_text);
  const uint64_t before = m->bytes;
  md_err_t       err    = append(m, msg, line);
  if (err) return err;
  err = add_instrument(m, id, feed, symbol);
  if (!err) return MD_OK;
  take_back(m, before);
  return md_fail(msg, err, "no memory for instrument %u", id);
}

md_err_t
md_manifest_instrument(md_manifest_t *m, uint32_t id, const char *feed, const char *symbol,
                       md_msg_t *msg) {
  md_err_t err = md_manifest_instrument_add(m, id, feed, symbol, msg);
  return err ? err : md_manifest_sync(m, msg);
}

md_err_t
md_manifest_segment(md_manifest_t *m, uint64_t segment, uint32_t epoch, int64_t real_ns,
                    md_msg_t *msg) {
  char line[LINE_BYTES / 2];
  (void)snprintf(line, sizeof line, "segment %" PRIu64 " %u %" PRId64, segment, epoch, real_ns);
  md_err_t err = append_durably(m, msg, line);
  if (err) return err;
  if (segment > m->last_segment) m->last_segment = segment;
  return MD_OK;
}

/* ---- opening ---- */

static md_err_t
make_dirs(const md_disk_t *disk, const char *dir, md_msg_t *msg) {
  char   path[PATH_BYTES];
  size_t len = strnlen(dir, sizeof path);
  if (len == 0 || len >= sizeof path - 32)
    return md_fail(msg, MD_ERR_RANGE, "the journal directory's path is empty or too long");
  memcpy(path, dir, len + 1);
  for (size_t i = 1; i <= len; i++) {
    if (path[i] != '/' && path[i] != 0) continue;
    char kept = path[i];
    path[i]   = 0;
    int rc    = md_disk_mkdir(disk, path, 0750);
    if (rc < 0 && rc != -EEXIST)
      return md_fail_errno(msg, -rc, "cannot make the journal directory %s", path);
    path[i] = kept;
  }
  return MD_OK;
}

static md_err_t
create_file(md_manifest_t *m, const char *dir, md_msg_t *msg) {
  uint8_t u[16];
  if (getrandom(u, sizeof u, 0) != (ssize_t)sizeof u)
    return md_fail_errno(msg, errno, "no random bytes for the journal's uuid");
  u[6] = (uint8_t)((u[6] & 0x0fu) | 0x40u);
  u[8] = (uint8_t)((u[8] & 0x3fu) | 0x80u);
  char line[LINE_BYTES / 2], text[LINE_BYTES], uuid[MD_MANIFEST_UUID_BYTES];
  md_manifest_uuid_text(u, uuid);
  (void)snprintf(line, sizeof line, "journal %u %s", MD_MANIFEST_VERSION, uuid);
  size_t n = md_manifest_line_seal(line, text, sizeof text);
  char   tmp[PATH_BYTES];
  (void)snprintf(tmp, sizeof tmp, "%s/MANIFEST.tmp", dir);
  m->fd  = md_disk_open(m->disk, tmp, O_RDWR | O_CREAT | O_TRUNC, 0640);
  int rc = m->fd;
  if (rc >= 0) rc = md_disk_pwrite_all(m->disk, m->fd, text, n, 0);
  if (rc >= 0) rc = md_disk_fsync(m->disk, m->fd);
  if (rc >= 0) rc = md_disk_rename(m->disk, tmp, m->path);
  if (rc >= 0) rc = md_disk_fsync(m->disk, m->dir_fd);
  return rc >= 0 ? MD_OK : md_fail_errno(msg, -rc, "cannot create %s", m->path);
}

static md_err_t
open_files(md_manifest_t *m, const char *dir, bool create, md_msg_t *msg) {
  m->dir_fd = md_disk_open(m->disk, dir, O_RDONLY | O_DIRECTORY, 0);
  if (m->dir_fd < 0)
    return md_fail_errno(msg, -m->dir_fd, "cannot open the journal directory %s", dir);
  int rc = m->write ? md_disk_lock(m->disk, m->dir_fd) : 0;
  if (rc == -EWOULDBLOCK)
    return md_fail(msg, MD_ERR_EXISTS,
                   "another engine writes to the journal %s: stop it, or use another directory",
                   dir);
  if (rc < 0) return md_fail_errno(msg, -rc, "cannot lock the journal %s", dir);
  m->fd = md_disk_open(m->disk, m->path, m->write ? O_RDWR : O_RDONLY, 0);
  if (m->fd == -ENOENT && create) return create_file(m, dir, msg);
  if (m->fd == -ENOENT)
    return md_fail(msg, MD_ERR_ABSENT, "%s holds no journal (no file MANIFEST)", dir);
  if (m->fd < 0) return md_fail_errno(msg, -m->fd, "cannot open %s", m->path);
  return MD_OK;
}

md_err_t
md_manifest_open(const char *dir, bool write, bool create, md_manifest_t **out, md_msg_t *msg) {
  return md_manifest_open_on(NULL, dir, write, create, out, msg);
}

md_err_t
md_manifest_open_on(const md_disk_t *disk, const char *dir, bool write, bool create,
                    md_manifest_t **out, md_msg_t *msg) {
  md_assert(write || !create);
  if (create) {
    md_err_t err = make_dirs(disk, dir, msg);
    if (err) return err;
  }
  md_manifest_t *m = calloc(1, sizeof *m);
  if (!m) return md_fail(msg, MD_ERR_NOMEM, "no memory for the manifest");
  m->disk = disk;
  m->fd = m->dir_fd  = -1;
  m->write           = write;
  m->next_instrument = 1;
  (void)snprintf(m->path, sizeof m->path, "%s/MANIFEST", dir);
  md_err_t err = open_files(m, dir, create, msg);
  if (!err) err = read_file(m, msg);
  if (err) {
    md_manifest_close(m);
    return err;
  }
  *out = m;
  return MD_OK;
}

void
md_manifest_close(md_manifest_t *m) {
  if (!m) return;
  if (m->fd >= 0) (void)md_disk_close(m->disk, m->fd);
  if (m->dir_fd >= 0) (void)md_disk_close(m->disk, m->dir_fd);
  free(m->text);
  free(m->stream);
  free(m->instrument);
  free(m->by_id);
  free(m);
}
