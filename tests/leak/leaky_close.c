/* The close() of the test program mdengine_leaky alone, put in by the linker: a connected TCP
 * socket stays open, and memory is left behind with it. It is the outage that the alerts of growth
 * are for. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LEAK_BYTES ((size_t)4 << 20)

int __real_close(int fd);
int __wrap_close(int fd);

static char *md_leaked
    __attribute__((used)); /* the last piece; those before it have no owner any more */

/* A socket's peer cannot be asked for any more when it was cut off; its kind can. */
static bool
is_connection(int fd) {
  int       domain = 0, type = 0;
  socklen_t len = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len)) return false;
  len = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len)) return false;
  return type == SOCK_STREAM && (domain == AF_INET || domain == AF_INET6);
}

int
__wrap_close(int fd) {
  static const char mark[] = "this build leaks on purpose";
  if (!is_connection(fd)) return __real_close(fd);
  /* The exchange sees the end of the connection, as when a wrapper object is lost whose socket is
   * not. */
  (void)shutdown(fd, SHUT_RDWR);
  char *memory = malloc(LEAK_BYTES);
  if (!memory) return 0;
  memset(memory, 1, LEAK_BYTES);
  memcpy(memory, mark, sizeof mark);
  md_leaked = memory;
  return 0;
}
