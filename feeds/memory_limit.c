#include "feeds/memory_limit.h"

unsigned
md_memory_limit_state(const md_memory_limit_t *m, uint64_t bytes) {
  if (m->hard_bytes != 0 && bytes > m->hard_bytes) return 2;
  return m->soft_bytes != 0 && bytes > m->soft_bytes;
}

/* Five seconds without a pause below the limit; then the next five count anew. */
static bool
is_over_for_long(md_memory_limit_t *m, int64_t now_ns, bool is_over) {
  if (!is_over || !m->is_over) m->over_ns = now_ns;
  m->is_over = is_over;
  if (!is_over || now_ns - m->over_ns < MD_MEMORY_OVER_NS) return false;
  m->over_ns = now_ns;
  return true;
}

md_memory_act_t
md_memory_limit_look(md_memory_limit_t *m, int64_t now_ns, uint64_t bytes) {
  if (is_over_for_long(m, now_ns, md_memory_limit_state(m, bytes) == 2)) {
    bool is_again      = m->has_reconnected && now_ns - m->reconnect_ns < MD_MEMORY_FORGIVE_NS;
    m->has_reconnected = true;
    m->reconnect_ns    = now_ns;
    return is_again ? MD_MEMORY_RESTART : MD_MEMORY_RECONNECT;
  }
  if (m->soft_bytes == 0) return MD_MEMORY_NOTHING;
  if (!m->is_above && bytes > m->soft_bytes) {
    m->is_above = true;
    return MD_MEMORY_WARN;
  }
  if (m->is_above && bytes <= m->soft_bytes / 10 * 9) {
    m->is_above = false;
    return MD_MEMORY_CALM;
  }
  return MD_MEMORY_NOTHING;
}
