/* prometheus_process.c - what /metrics says about the process, its sockets and the wall clock. */
#include "monitoring/process.h"
#include "monitoring/prometheus_parts.h"

#include <inttypes.h>

static void
add_seconds(md_text_t *t, const char *name, const char *type, const char *help, int64_t ns) {
  md_prometheus_begin(t, name, type, help);
  md_text_add(t, "%s %s", name, ns < 0 ? "-" : "");
  md_text_add_seconds(t, (uint64_t)(ns < 0 ? -ns : ns));
  md_text_add(t, "\n");
}

static void
add_sockets(const md_process_t *p, md_text_t *t) {
  md_prometheus_begin(t, "mdengine_process_sockets", "gauge",
                      "sockets that the process holds, by state of TCP; other: no TCP");
  for (uint32_t state = 0; state < MD_SOCKET_STATE_CNT; state++)
    md_text_add(t, "mdengine_process_sockets{state=\"%s\"} %" PRIu64 "\n",
                md_socket_state_name(state), p->socket_cnt[state]);
}

static void
add_clock(md_text_t *t) {
  md_wall_clock_t c;
  if (md_wall_clock_read(&c)) return;
  md_prometheus_gauge(t, "mdengine_clock_synchronised",
                      "1 while the kernel holds the wall clock to be synchronised",
                      c.is_synchronised);
  add_seconds(t, "mdengine_clock_offset_seconds", "gauge",
              "what the kernel still has to correct of the wall clock", c.offset_ns);
  add_seconds(t, "mdengine_clock_error_max_seconds", "gauge",
              "how far the wall clock may be off, as the kernel estimates", c.error_max_ns);
}

void
md_prometheus_process(md_text_t *t) {
  md_process_t p;
  add_clock(t);
  if (md_process_read(&p)) return; /* no /proc: the families are missing, the rest is told */
  add_sockets(&p, t);
  add_seconds(t, "process_cpu_seconds_total", "counter", "processor time, user and system",
              (int64_t)p.cpu_ns);
  md_prometheus_gauge(t, "process_resident_memory_bytes", "resident memory, the segment included",
                      p.resident_bytes);
  md_prometheus_gauge(t, "process_virtual_memory_bytes", "address space", p.virtual_bytes);
  md_prometheus_gauge(t, "process_open_fds", "open file descriptors", p.open_fd_cnt);
  md_prometheus_gauge(t, "process_max_fds", "limit of open file descriptors", p.max_fd_cnt);
  md_prometheus_gauge(t, "process_threads", "threads", p.thread_cnt);
  add_seconds(t, "process_start_time_seconds", "gauge", "start of the process since the Unix epoch",
              (int64_t)p.start_real_ns);
}
