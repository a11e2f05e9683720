#include "tests/fuzz/fuzz_sealed.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shm/base.h"

#define SEALS     (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)
#define HAND_MAX  8u
#define CONN_MAX  8u
#define TURNS     12u
#define OPEN_MAX  192
#define STATE_OLD 3u /* MD_SEGMENT_SUPERSEDED */

/* What is handed out, and what of it the server keeps open. */
typedef struct hostile {
  const fuzz_world_t *world;
  const uint8_t      *data;
  size_t              size;
  int                 listen_fd;
  int                 fds[64];
  unsigned            fd_cnt;
  uint8_t            *base; /* of the memory that is written while it is read */
} hostile_t;

static uint8_t
take(hostile_t *h) {
  if (h->size == 0) return 0;
  h->size--;
  return *h->data++;
}

static int
keep(hostile_t *h, int fd) {
  if (fd >= 0 && h->fd_cnt < MD_CNT(h->fds)) h->fds[h->fd_cnt++] = fd;
  return fd;
}

/* Memory with the good bytes in it, sealed by all but one of the seals when `without` names one. */
static int
make_memory(hostile_t *h, uint64_t bytes, int seals) {
  const fuzz_world_t *w      = h->world;
  int                 fd     = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  uint64_t            filled = bytes < w->good_bytes ? bytes : w->good_bytes;
  md_assert(fd >= 0 && fchmod(fd, 0640) == 0 && ftruncate(fd, (off_t)bytes) == 0);
  md_assert(pwrite(fd, w->good, filled, 0) == (ssize_t)filled);
  if (h->base == NULL && bytes == w->good_bytes) {
    h->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    md_assert(h->base != MAP_FAILED);
  }
  md_assert(seals == 0 || fcntl(fd, F_ADD_SEALS, seals) == 0);
  return keep(h, fd);
}

static int
open_as(hostile_t *h, int fd, int flags) {
  char name[64];
  (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  return keep(h, open(name, flags | O_CLOEXEC));
}

static int
make_pipe(hostile_t *h) {
  int ends[2];
  md_assert(pipe2(ends, O_CLOEXEC) == 0);
  (void)keep(h, ends[1]);
  return keep(h, ends[0]);
}

/* A descriptor of the kind that the input chooses. */
static int
make_descriptor(hostile_t *h) {
  static const int one_less[] = {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_FUTURE_WRITE, F_SEAL_SEAL};
  const uint8_t    kind = take(h), how = take(h);
  const uint64_t   bytes = h->world->good_bytes;
  int              fd;
  switch (kind % 16) {
  case 0:
    return make_memory(h, bytes, 0);
  case 1:
    return make_memory(h, how % 4 == 0 ? 0 : how % 4 == 1 ? how * 16u : bytes - how, SEALS);
  case 2:
    return make_memory(h, how & 1 ? 1ull << (how >> 1) % 48 : bytes + how, SEALS);
  case 3:
    return keep(h, open(how & 1 ? "/dev/null" : "/dev/zero", O_RDWR | O_CLOEXEC));
  case 4:
    return make_pipe(h);
  case 5:
    return keep(h, open(h->world->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  case 6:
    return keep(h, socket(AF_UNIX, how & 1 ? SOCK_STREAM : SOCK_DGRAM, 0));
  case 7:
    return make_memory(h, bytes, SEALS & ~one_less[how % 4]);
  case 8:
    return open_as(h, make_memory(h, bytes, SEALS), how & 1 ? O_PATH : O_WRONLY);
  case 9:
    return keep(h, eventfd(0, EFD_CLOEXEC));
  case 10:
    fd = make_memory(h, bytes, SEALS);
    (void)fchmod(fd, how & 0777);
    return fd;
  default:
    return make_memory(h, bytes, SEALS);
  }
}

/* One answer: descriptors and bytes as the input says; sent twice, or kept open, where it does. */
static void
answer(hostile_t *h, int to) {
  _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * HAND_MAX)] = {0};
  static const size_t              lengths[]                                   = {1, 0, 2, 100};
  static char                      bytes[100];
  const uint8_t                    how     = take(h);
  const unsigned                   cnt     = how & 128 ? HAND_MAX : (how + 1u) % 4;
  struct iovec                     data    = {bytes, lengths[how >> 2 & 3]};
  struct msghdr                    message = {.msg_iov = &data, .msg_iovlen = 1};
  if (cnt > 0) {
    message.msg_control    = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * cnt);
    struct cmsghdr *c      = CMSG_FIRSTHDR(&message);
    c->cmsg_level          = SOL_SOCKET;
    c->cmsg_type           = SCM_RIGHTS;
    c->cmsg_len            = CMSG_LEN(sizeof(int) * cnt);
    for (unsigned i = 0; i < cnt; i++) {
      int fd = make_descriptor(h);
      if (fd < 0) fd = 0;
      memcpy(CMSG_DATA(c) + i * sizeof fd, &fd, sizeof fd);
    }
  }
  for (int i = 0; i <= (how >> 4 & 1); i++)
    (void)!sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (how & 32 && h->fd_cnt < MD_CNT(h->fds))
    (void)keep(h, to);
  else
    (void)close(to);
}

/* What stands at the path: mostly what a reader expects there. */
static void
listen_at(hostile_t *h) {
  static const int   types[] = {SOCK_SEQPACKET, SOCK_SEQPACKET, SOCK_SEQPACKET, SOCK_SEQPACKET,
                                SOCK_SEQPACKET, SOCK_SEQPACKET, SOCK_STREAM,    SOCK_DGRAM};
  const uint8_t      how     = take(h);
  const int          type    = types[how % 8];
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", h->world->path);
  h->listen_fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  md_assert(h->listen_fd >= 0);
  md_assert(bind(h->listen_fd, (const struct sockaddr *)&address, sizeof address) == 0);
  if (type != SOCK_DGRAM && how < 248) md_assert(listen(h->listen_fd, how & 64 ? 0 : 8) == 0);
}

static void
serve(hostile_t *h) {
  for (unsigned i = 0; i < CONN_MAX; i++) {
    int to = accept4(h->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (to < 0) return;
    if (h->fd_cnt + HAND_MAX + 4 > MD_CNT(h->fds) || h->size == 0)
      (void)close(to); /* nothing is left to say */
    else
      answer(h, to);
  }
}

/* A handle on the good segment, which then is superseded. */
static mdshm_t *
begin(const fuzz_world_t *w, const char *stored) {
  mdshm_t *shm = NULL;
  (void)unlink(w->path);
  md_assert(link(stored, w->path) == 0);
  const int fd = open(w->path, O_RDWR | O_CLOEXEC);
  md_assert(fd >= 0 && pwrite(fd, w->good, w->good_bytes, 0) == (ssize_t)w->good_bytes);
  md_assert(mdshm_open(w->dir, "fuzz", 0, &shm, NULL, 0) == MDSHM_OK);
  const uint64_t state = STATE_OLD;
  md_assert(pwrite(fd, &state, sizeof state, (off_t)w->state_off) == (ssize_t)sizeof state);
  (void)close(fd);
  (void)unlink(w->path);
  return shm;
}

/* The negative control: takes what comes first, and forgets what came with it. */
static void
believe(hostile_t *h) {
  _Alignas(struct cmsghdr) uint8_t control[256];
  struct sockaddr_un               address = {.sun_family = AF_UNIX};
  char                             byte;
  struct iovec                     data    = {&byte, 1};
  struct msghdr                    message = {
                         .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  int ask = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
  (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", h->world->path);
  if (connect(ask, (const struct sockaddr *)&address, sizeof address) == 0) {
    serve(h);
    int fd = -1;
    if (recvmsg(ask, &message, MSG_DONTWAIT) > 0 && CMSG_FIRSTHDR(&message))
      memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    if (fd >= 0) (void)close(fd);
  }
  (void)close(ask);
}

static void
end(hostile_t *h) {
  if (h->base) (void)munmap(h->base, h->world->good_bytes);
  for (unsigned i = 0; i < h->fd_cnt; i++)
    (void)close(h->fds[i]);
  (void)close(h->listen_fd);
  (void)unlink(h->world->path);
}

static unsigned
count_open(void) {
  unsigned cnt = 0;
  for (int fd = 0; fd < OPEN_MAX; fd++)
    cnt += fcntl(fd, F_GETFD) >= 0;
  return cnt;
}

void
fuzz_sealed(const fuzz_world_t *w, const uint8_t *data, size_t size, bool control) {
  static char stored[128]; /* the good segment, while something else stands at its path */
  hostile_t   h = {.world = w, .data = data, .size = size, .listen_fd = -1};
  mdshm_top_t top;
  if (stored[0] == 0) {
    (void)snprintf(stored, sizeof stored, "%s.stored", w->path);
    md_assert(rename(w->path, stored) == 0);
  }
  const unsigned open_cnt = count_open();
  mdshm_t       *shm      = begin(w, stored);
  listen_at(&h);
  if (control) believe(&h);
  for (unsigned i = 0; i < TURNS; i++) {
    top.struct_size       = sizeof top;
    mdshm_result_t result = i % 3 == 2 ? mdshm_check(shm) : mdshm_read_top(shm, 0, 1, &top);
    md_assert(result != MDSHM_USAGE);
    if (h.base) w->damage(h.base, h.data, h.size);
    if (result == MDSHM_RESTARTED) w->read(shm);
    serve(&h);
  }
  mdshm_close(shm);
  end(&h);
  /* Through the front door, where it may wait, and nobody answers. */
  if (size > 0 && data[0] == 77) {
    listen_at(&h);
    md_assert(mdshm_open(w->dir, "fuzz", 0, &shm, NULL, 0) != MDSHM_OK);
    (void)close(h.listen_fd);
    (void)unlink(w->path);
  }
  md_assert(count_open() == open_cnt);
  md_assert(link(stored, w->path) == 0);
}
