#include "engine/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_US 1000ll
#define STATUS_NS 5000000000ll

static int64_t
watchdog_ns(void) {
  const char *usec = getenv("WATCHDOG_USEC");
  const char *pid  = getenv("WATCHDOG_PID");
  if (!usec || (pid && strtoll(pid, NULL, 10) != getpid())) return 0;
  long long us = strtoll(usec, NULL, 10);
  return us > 0 && us < INT64_MAX / NS_PER_US ? us * NS_PER_US / 2 : 0;
}

void
md_notify_init(md_notify_t *n) {
  const char *path = getenv("NOTIFY_SOCKET");
  size_t      len  = path ? strlen(path) : 0;
  *n               = (md_notify_t){.fd = -1, .to.sun_family = AF_UNIX};
  if (len < 2 || len >= sizeof n->to.sun_path || (path[0] != '/' && path[0] != '@')) return;
  memcpy(n->to.sun_path, path, len);
  if (path[0] == '@') n->to.sun_path[0] = 0; /* a name that is no file */
  n->to_len   = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
  n->fd       = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  n->every_ns = watchdog_ns();
}

void
md_notify_send(const md_notify_t *n, const char *lines) {
  if (n->fd < 0) return;
  (void)sendto(n->fd, lines, strlen(lines), MSG_DONTWAIT | MSG_NOSIGNAL,
               (const struct sockaddr *)&n->to, n->to_len);
}

void
md_notify_beat(md_notify_t *n, int64_t now_ns) {
  if (n->fd < 0 || n->every_ns == 0 || now_ns < n->next_ns) return;
  n->next_ns = now_ns + n->every_ns;
  md_notify_send(n, "WATCHDOG=1");
}

bool
md_notify_status_due(md_notify_t *n, int64_t now_ns) {
  if (n->fd < 0 || now_ns < n->next_status_ns) return false;
  n->next_status_ns = now_ns + STATUS_NS;
  return true;
}

void
md_notify_fini(md_notify_t *n) {
  if (n->fd >= 0) (void)close(n->fd);
  n->fd = -1;
}
