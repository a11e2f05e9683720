/* The reader registry, from the reader's side: a place in it is taken and kept up only on request.
 */
#include "shm/client/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int
open_registry(const mdshm_t *shm, int flags) {
  char path[MD_READERS_PATH_BYTES];
  md_readers_path(path, shm->dir, shm->name);
  return open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

void
mdshm_registry_leave(mdshm_t *shm) {
  if (shm->registry_fd >= 0) (void)close(shm->registry_fd); /* gives the row back */
  shm->registry_fd = -1;
}

static mdshm_result_t
enter(mdshm_t *shm) {
  mdshm_registry_leave(shm);
  int fd = open_registry(shm, O_RDWR);
  if (fd < 0) return errno == ENOENT ? MDSHM_ABSENT : MDSHM_DENIED;
  md_err_t err = md_readers_take(fd, &shm->registry_row);
  if (err) {
    (void)close(fd);
    return MDSHM_FAILED;
  }
  shm->registry_fd         = fd;
  shm->registry_generation = shm->generation;
  return MDSHM_OK;
}

mdshm_result_t
mdshm_register(mdshm_t *shm, const char *name) {
  if (!name || !name[0]) return MDSHM_USAGE;
  memset(&shm->registered, 0, sizeof shm->registered);
  size_t len = strnlen(name, sizeof shm->registered.name - 1);
  memcpy(shm->registered.name, name, len);
  shm->registered.pid      = (uint32_t)getpid();
  shm->registered.since_ns = md_clock_real_ns(md_clock_system());
  mdshm_result_t result    = enter(shm);
  return result == MDSHM_OK ? mdshm_beat(shm) : result;
}

mdshm_result_t
mdshm_beat(mdshm_t *shm) {
  md_reader_row_t *row = &shm->registered;
  if (!row->name[0]) return MDSHM_ABSENT;
  /* The next engine made another registry. */
  if (shm->registry_fd < 0 || shm->registry_generation != shm->generation) {
    mdshm_result_t result = enter(shm);
    if (result != MDSHM_OK) return result;
  }
  row->epoch      = shm->map->segment.header->epoch;
  row->beat_ns    = md_clock_real_ns(md_clock_system());
  row->read_cnt   = shm->read_cnt;
  row->record_cnt = 0;
  row->lapped_cnt = 0;
  row->lag_bytes  = 0;
  mdshm_tapes_count(shm, row);
  return md_readers_write(shm->registry_fd, shm->registry_row, row) ? MDSHM_FAILED : MDSHM_OK;
}

mdshm_result_t
mdshm_reader(const mdshm_t *shm, uint32_t *next, mdshm_reader_t *out) {
  if (!next || !mdshm_sized(out, sizeof *out)) return MDSHM_USAGE;
  int fd = open_registry(shm, O_RDONLY);
  if (fd < 0) return MDSHM_ABSENT;
  for (uint32_t i = *next; i < MD_READERS_MAX; i++) {
    md_reader_row_t row;
    if (md_readers_read(fd, i, &row)) continue;
    (void)close(fd);
    *next           = i + 1;
    out->pid        = row.pid;
    out->epoch      = row.epoch;
    out->pad0       = 0;
    out->since_ns   = row.since_ns;
    out->beat_ns    = row.beat_ns;
    out->read_cnt   = row.read_cnt;
    out->record_cnt = row.record_cnt;
    out->lapped_cnt = row.lapped_cnt;
    out->lag_bytes  = row.lag_bytes;
    mdshm_copy_name(out->name, row.name, sizeof out->name);
    return MDSHM_OK;
  }
  (void)close(fd);
  *next = MD_READERS_MAX;
  return MDSHM_ABSENT;
}
