/* prometheus_process.c - what /metrics says about the process, its sockets and the wall clock. */
#include "monitoring/process.h"
#include "monitoring/prometheus_parts.h"

#include <inttypes.h>

static void
add_seconds(md_text_t *t, md_family_t id, int64_t ns) {
  md_text_add(t, "%s %s", md_prometheus_family(t, id), ns < 0 ? "-" : "");
  md_text_add_seconds(t, (uint64_t)(ns < 0 ? -ns : ns));
  md_text_add(t, "\n");
}

static void
add_sockets(const md_process_t *p, md_text_t *t) {
  const char *name = md_prometheus_family(t, MD_FAMILY_SOCKETS);
  for (uint32_t state = 0; state < MD_SOCKET_STATE_CNT; state++)
    md_text_add(t, "%s{state=\"%s\"} %" PRIu64 "\n", name, md_socket_state_name(state),
                p->socket_cnt[state]);
}

static void
add_clock(md_text_t *t) {
  md_wall_clock_t c;
  if (md_wall_clock_read(&c)) return;
  md_prometheus_value(t, MD_FAMILY_CLOCK_SYNCHRONISED, c.is_synchronised);
  add_seconds(t, MD_FAMILY_CLOCK_OFFSET, c.offset_ns);
  add_seconds(t, MD_FAMILY_CLOCK_ERROR_MAX, c.error_max_ns);
}

void
md_prometheus_process(md_text_t *t) {
  md_process_t p;
  add_clock(t);
  if (md_process_read(&p)) return; /* no /proc: the families are missing, the rest is told */
  add_sockets(&p, t);
  add_seconds(t, MD_FAMILY_PROCESS_CPU, (int64_t)p.cpu_ns);
  md_prometheus_value(t, MD_FAMILY_RESIDENT, p.resident_bytes);
  md_prometheus_value(t, MD_FAMILY_VIRTUAL, p.virtual_bytes);
  md_prometheus_value(t, MD_FAMILY_OPEN_FDS, p.open_fd_cnt);
  md_prometheus_value(t, MD_FAMILY_MAX_FDS, p.max_fd_cnt);
  md_prometheus_value(t, MD_FAMILY_THREADS, p.thread_cnt);
  add_seconds(t, MD_FAMILY_START_TIME, (int64_t)p.start_real_ns);
}
