/* The sealed form of the main file: memory without a name, that can neither be cut nor be mapped
 * for writing once more, not even by its owner. Readers get it through a socket at the segment's
 * path. */
#include "shm/segment_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SEALS         (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)
#define BACKLOG       64
#define SERVE_MAX     16u
#define PROC_FD_BYTES 64

/* Room for one descriptor beside a message. */
typedef union control {
  struct cmsghdr header;
  uint8_t        bytes[CMSG_SPACE(sizeof(int))];
} control_t;

/* Takes, touches and seals the memory; *hand_fd is what readers get, open for reading only. */
md_err_t
md_sealed_make(const md_access_t *access, uint64_t bytes, uint8_t **base, int *hand_fd,
               md_msg_t *msg) {
  char  path[PROC_FD_BYTES];
  void *map = MAP_FAILED;
  int   fd  = memfd_create("mdengine", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return md_fail_errno(msg, errno, "cannot make sealed memory");
  int rc = posix_fallocate(fd, 0, (off_t)bytes);
  if (rc == 0 && access->gid != UINT32_MAX && fchown(fd, (uid_t)-1, access->gid)) rc = errno;
  if (rc == 0 && fchmod(fd, access->mode)) rc = errno;
  if (rc == 0) {
    map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (map == MAP_FAILED || fcntl(fd, F_ADD_SEALS, SEALS)) rc = errno;
  }
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  *hand_fd = rc == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (rc == 0 && *hand_fd < 0) rc = errno;
  (void)close(fd);
  if (rc == 0) {
    *base = map;
    return MD_OK;
  }
  if (map != MAP_FAILED) (void)munmap(map, bytes);
  return md_fail_errno(msg, rc, "cannot take %llu MiB of sealed memory",
                       (unsigned long long)(bytes >> 20) + 1);
}

static bool
address_of(struct sockaddr_un *address, const char *path) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  int n               = snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
  return n > 0 && (size_t)n < sizeof address->sun_path;
}

/* Who may read may connect, which a socket calls writing. */
md_err_t
md_sealed_listen(const md_access_t *access, const char *path, int *listen_fd, md_msg_t *msg) {
  struct sockaddr_un address;
  mode_t             mode = access->mode | (access->mode & (S_IRGRP | S_IROTH)) >> 1;
  if (!address_of(&address, path))
    return md_fail(msg, MD_ERR_CONFIG, "%s is too long for a socket: choose a shorter folder",
                   path);
  (void)unlink(path);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return md_fail_errno(msg, errno, "cannot make a socket");
  int rc = bind(fd, (const struct sockaddr *)&address, sizeof address) ? errno : 0;
  if (rc == 0 && access->gid != UINT32_MAX && chown(path, (uid_t)-1, access->gid)) rc = errno;
  if (rc == 0 && chmod(path, mode)) rc = errno;
  if (rc == 0 && listen(fd, BACKLOG)) rc = errno;
  if (rc == 0) {
    *listen_fd = fd;
    return MD_OK;
  }
  (void)close(fd);
  return md_fail_errno(msg, rc, "cannot listen at %s", path);
}

void
md_segment_serve(const md_segment_t *s) {
  for (unsigned i = 0; s->listen_fd >= 0 && i < SERVE_MAX; i++) {
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    char            byte    = 1;
    struct iovec    data    = {&byte, 1};
    control_t       control = {.bytes = {0}};
    struct msghdr   message = {.msg_iov        = &data,
                               .msg_iovlen     = 1,
                               .msg_control    = &control,
                               .msg_controllen = sizeof control};
    struct cmsghdr *c       = CMSG_FIRSTHDR(&message);
    c->cmsg_level           = SOL_SOCKET;
    c->cmsg_type            = SCM_RIGHTS;
    c->cmsg_len             = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &s->hand_fd, sizeof(int));
    (void)!sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT); /* a reader that left */
    (void)close(fd);
  }
}

/* The descriptor out of an answer, -1 when it has none or several: all that came are ours to close.
 * Room for one has, by its alignment, room for two. */
static int
take_descriptor(struct msghdr *message) {
  int      fd  = -1;
  unsigned cnt = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = CMSG_LEN(0); at + sizeof fd <= c->cmsg_len; at += sizeof fd) {
      if (fd >= 0) (void)close(fd);
      memcpy(&fd, (const uint8_t *)c + at, sizeof fd);
      cnt++;
    }
  }
  if (cnt < 2 && !(message->msg_flags & MSG_CTRUNC)) return fd;
  if (fd >= 0) (void)close(fd);
  return -1;
}

md_err_t
md_sealed_ask(const char *path, int *ask_fd, md_msg_t *msg) {
  struct sockaddr_un address;
  if (!address_of(&address, path)) return md_fail(msg, MD_ERR_CONFIG, "%s is too long", path);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return md_fail_errno(msg, errno, "cannot make a socket");
  int rc     = connect(fd, (const struct sockaddr *)&address, sizeof address);
  int reason = errno;
  if (rc == 0) {
    *ask_fd = fd;
    return MD_OK;
  }
  (void)close(fd);
  if (reason == ECONNREFUSED || reason == ENOENT)
    return md_fail(msg, MD_ERR_ABSENT, "the engine of %s does not run: start it", path);
  if (reason == EAGAIN)
    return md_fail(msg, MD_ERR_EMPTY, "the engine of %s is asked by too many: try again", path);
  return md_fail_errno(msg, reason, "cannot connect to %s", path);
}

md_err_t
md_sealed_answer(const char *path, int *ask_fd, int wait_ms, int *fd, md_msg_t *msg) {
  struct pollfd answer  = {.fd = *ask_fd, .events = POLLIN};
  char          byte    = 0;
  struct iovec  data    = {&byte, 1};
  control_t     control = {.bytes = {0}};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (poll(&answer, 1, wait_ms) != 1)
    return md_fail(msg, MD_ERR_EMPTY, "the engine of %s did not answer: try again", path);
  ssize_t n = recvmsg(*ask_fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  *fd       = n >= 0 ? take_descriptor(&message) : -1;
  (void)close(*ask_fd);
  *ask_fd = -1;
  if (n < 0 || (n == 0 && *fd < 0))
    return md_fail(msg, MD_ERR_EMPTY, "the engine of %s ended: try again", path);
  int seals = *fd >= 0 ? fcntl(*fd, F_GET_SEALS) : -1;
  if (seals >= 0 && (seals & SEALS) == SEALS) return MD_OK;
  if (*fd >= 0) (void)close(*fd);
  return md_fail(msg, MD_ERR_CORRUPT, "what %s hands out is not sealed memory", path);
}
