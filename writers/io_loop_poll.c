/* A loop without io_uring: writes and syncs are calls made inside md_io_turn, one after the other
 * in the order in which they were asked for; sockets are watched with poll(2). */
#include "writers/io_loop_backend.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

typedef struct call {
  md_io_op_t   *op;
  int           fd;
  bool          is_write;
  md_io_write_t write;
} call_t;

typedef struct watch {
  md_io_op_t *op;
  bool        cancelled;
} watch_t;

typedef struct calls {
  md_io_t          io;
  const md_disk_t *disk;
  call_t          *call; /* a ring of entry_cnt, from first on */
  uint32_t         entry_cnt, first, call_cnt;
  bool             cut;    /* the last call failed and was linked: the next does not start */
  watch_t         *watch;  /* entry_cnt; pollfd[i] belongs to watch[i] */
  struct pollfd   *pollfd; /* fd -1 where the poll was cancelled */
  uint32_t         watch_cnt;
} calls_t;

/* ---- asking ---- */

static bool
add_call(calls_t *c, const call_t *call) {
  md_assert(c->call_cnt < c->entry_cnt);
  c->call[(c->first + c->call_cnt++) % c->entry_cnt] = *call;
  return true;
}

static bool
calls_write(md_io_t *io, md_io_op_t *op, int fd, const md_io_write_t *write) {
  return add_call((calls_t *)io, &(call_t){.op = op, .fd = fd, .is_write = true, .write = *write});
}

static bool
calls_sync(md_io_t *io, md_io_op_t *op, int fd) {
  return add_call((calls_t *)io, &(call_t){.op = op, .fd = fd});
}

static bool
calls_poll(md_io_t *io, md_io_op_t *op, int fd, short events) {
  calls_t *c = (calls_t *)io;
  md_assert(c->watch_cnt < c->entry_cnt);
  c->watch[c->watch_cnt]    = (watch_t){.op = op};
  c->pollfd[c->watch_cnt++] = (struct pollfd){.fd = fd, .events = events};
  return true;
}

/* The descriptor may be closed, and its number used again, before the next turn. */
static void
calls_poll_cancel(md_io_t *io, md_io_op_t *op) {
  calls_t *c = (calls_t *)io;
  for (uint32_t i = 0; i < c->watch_cnt; i++) {
    if (c->watch[i].op != op) continue;
    c->watch[i].cancelled = true;
    c->pollfd[i].fd       = -1;
  }
}

/* ---- a turn ---- */

static int32_t
run_call(const calls_t *c, const call_t *call) {
  if (c->cut) return -ECANCELED;
  if (!call->is_write) return md_disk_fdatasync(c->disk, call->fd);
  const md_io_write_t *w = &call->write;
  return (int32_t)md_disk_pwrite(c->disk, call->fd, w->data, w->len, w->off);
}

/* Those that callbacks ask for wait for the next turn: a turn ends. So does a chain of links, as
 * with io_uring at the end of a submission. */
static int
run_calls(calls_t *c) {
  int done_cnt = 0;
  c->cut       = false;
  for (uint32_t left = c->call_cnt; left > 0; left--) {
    const call_t call = c->call[c->first];
    c->first          = (c->first + 1) % c->entry_cnt;
    c->call_cnt--;
    int32_t result = run_call(c, &call);
    c->cut = call.op->link && (result < 0 || (call.is_write && (uint32_t)result < call.write.len));
    md_io_done(&c->io, call.op, result);
    done_cnt++;
  }
  return done_cnt;
}

/* Hands out the polls that are ready or cancelled. A callback may add one: those stay behind. */
static int
hand_out_polls(calls_t *c) {
  int done_cnt = 0;
  for (uint32_t i = 0, left = c->watch_cnt; left > 0; left--) {
    const watch_t watch = c->watch[i];
    const short   ready = c->pollfd[i].revents;
    if (!watch.cancelled && ready == 0) {
      i++;
      continue;
    }
    c->watch_cnt--;
    for (uint32_t n = i; n < c->watch_cnt; n++) {
      c->watch[n]  = c->watch[n + 1];
      c->pollfd[n] = c->pollfd[n + 1];
    }
    md_io_done(&c->io, watch.op, watch.cancelled ? -ECANCELED : ready);
    done_cnt++;
  }
  return done_cnt;
}

static int
calls_turn(md_io_t *io, int64_t timeout_ns) {
  calls_t *c        = (calls_t *)io;
  int      done_cnt = run_calls(c);
  for (uint32_t i = 0; i < c->watch_cnt; i++) {
    c->pollfd[i].revents = 0;
    if (c->watch[i].cancelled) timeout_ns = 0;
  }
  if (done_cnt > 0 || timeout_ns < 0) timeout_ns = 0;
  if (c->watch_cnt == 0 && timeout_ns == 0) return done_cnt;
  struct timespec wait  = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
  int             ready = ppoll(c->pollfd, c->watch_cnt, &wait, NULL);
  if (ready < 0 && errno != EINTR) return MD_ERR_IO;
  return done_cnt + hand_out_polls(c);
}

static void
calls_close(md_io_t *io) {
  calls_t *c = (calls_t *)io;
  free(c->call);
  free(c->watch);
  free(c->pollfd);
  free(c);
}

int
md_io_poll_open(const md_io_config_t *cfg, md_io_t **out) {
  static const md_io_ops_t ops = {.close       = calls_close,
                                  .write       = calls_write,
                                  .sync        = calls_sync,
                                  .poll        = calls_poll,
                                  .poll_cancel = calls_poll_cancel,
                                  .turn        = calls_turn};
  calls_t                 *c   = calloc(1, sizeof *c);
  if (!c) return -ENOMEM;
  c->disk      = cfg->disk;
  c->entry_cnt = cfg->entry_cnt;
  c->call      = calloc(cfg->entry_cnt, sizeof *c->call);
  c->watch     = calloc(cfg->entry_cnt, sizeof *c->watch);
  c->pollfd    = calloc(cfg->entry_cnt, sizeof *c->pollfd);
  if (!c->call || !c->watch || !c->pollfd) {
    calls_close(&c->io);
    return -ENOMEM;
  }
  c->io.ops     = &ops;
  c->io.backend = MD_IO_POLL;
  *out          = &c->io;
  return 0;
}
