/* process.h - what the kernel says about this process and its clock: memory, descriptors, sockets,
 * threads, processor time. Read from /proc/self on the HTTP server's thread when somebody asks;
 * keeps nothing. */
#ifndef MONITORING_PROCESS_H
#define MONITORING_PROCESS_H

#include "shm/err.h"

#define MD_SOCKET_STATE_CNT 12u /* 0: no TCP; the others as the kernel numbers them */

typedef struct md_process {
  uint64_t resident_bytes, virtual_bytes;
  uint64_t open_fd_cnt, max_fd_cnt; /* max_fd_cnt: the soft limit */
  uint64_t socket_cnt[MD_SOCKET_STATE_CNT];
  uint64_t thread_cnt;
  uint64_t cpu_ns;
  uint64_t start_real_ns; /* since the Unix epoch */
} md_process_t;

typedef struct md_wall_clock {
  bool    is_synchronised;
  int64_t offset_ns, error_max_ns; /* as the kernel estimates them */
} md_wall_clock_t;

/* md_socket_state_name returns "established", "close_wait", ...; "other" for 0. */
const char *md_socket_state_name(uint32_t state);

/* md_wall_clock_read asks the kernel how far the wall clock is off. MD_ERR_IO: it does not say. */
MD_MUST_USE md_err_t md_wall_clock_read(md_wall_clock_t *c);

/* md_process_read fills p. MD_ERR_IO when /proc is not there or reads strangely. Any thread. */
MD_MUST_USE md_err_t md_process_read(md_process_t *p);

#endif
