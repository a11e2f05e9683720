/* process.h - what the kernel says about this process: memory, descriptors, threads, processor
 * time. Read from /proc/self on the HTTP server's thread when somebody asks; keeps nothing. */
#ifndef MONITORING_PROCESS_H
#define MONITORING_PROCESS_H

#include "shm/err.h"

typedef struct md_process {
  uint64_t resident_bytes, virtual_bytes;
  uint64_t open_fd_cnt, max_fd_cnt; /* max_fd_cnt: the soft limit */
  uint64_t thread_cnt;
  uint64_t cpu_ns;
  uint64_t start_real_ns; /* since the Unix epoch */
} md_process_t;

/* md_process_read fills p. MD_ERR_IO when /proc is not there or reads strangely. Any thread. */
MD_MUST_USE md_err_t md_process_read(md_process_t *p);

#endif
