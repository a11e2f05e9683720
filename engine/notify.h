/* notify.h - tells the service manager how the engine is: ready, alive, stopping, and in words.
 *
 * The datagrams of sd_notify(3), without its library. Used by the main thread only. Without
 * NOTIFY_SOCKET nothing is sent; a manager that does not read holds up nobody. */
#ifndef ENGINE_NOTIFY_H
#define ENGINE_NOTIFY_H

#include "shm/base.h"

#include <sys/socket.h>
#include <sys/un.h>

typedef struct md_notify {
  int                fd; /* -1: nobody wants to know */
  struct sockaddr_un to;
  socklen_t          to_len;
  int64_t            every_ns; /* half of the watchdog's time; 0: no watchdog */
  int64_t            next_ns, next_status_ns;
} md_notify_t;

/* md_notify_init reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. */
void md_notify_init(md_notify_t *n);

/* md_notify_send sends lines such as "READY=1". */
void md_notify_send(const md_notify_t *n, const char *lines);

/* md_notify_beat tells the watchdog that every thread beats, when it is due. */
void md_notify_beat(md_notify_t *n, int64_t now_ns);

/* md_notify_status_due is true when the words of the state are to be told again. */
bool md_notify_status_due(md_notify_t *n, int64_t now_ns);

void md_notify_fini(md_notify_t *n);

#endif
