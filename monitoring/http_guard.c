/* http_guard.c - limit of requests, names of status codes. */
#include "monitoring/http_guard.h"

#define NS_PER_S  1000000000ll
#define MINUTE_NS (60 * NS_PER_S)

/* ---- status codes ---- */

static const struct {
  int         status;
  const char *name;
} codes[MD_HTTP_CODE_CNT] = {{200, "200"}, {401, "401"}, {404, "404"}, {405, "405"},
                             {429, "429"}, {500, "500"}, {503, "503"}, {0, "other"}};

uint32_t
md_http_code_index(int status) {
  uint32_t i = 0;
  while (i < MD_HTTP_CODE_CNT - 1 && codes[i].status != status)
    i++;
  return i;
}

const char *
md_http_code_name(uint32_t index) {
  md_assert(index < MD_HTTP_CODE_CNT);
  return codes[index].name;
}

/* ---- the limit ---- */

static md_http_client_t *
find_client(md_http_limiter_t *l, uint32_t address, int64_t now_ns) {
  md_http_client_t *oldest = &l->client[0];
  for (uint32_t i = 0; i < MD_HTTP_CLIENT_CNT; i++) {
    md_http_client_t *c = &l->client[i];
    if (c->last_ns != 0 && c->address == address) return c;
    if (c->last_ns < oldest->last_ns) oldest = c;
  }
  *oldest = (md_http_client_t){.address = address, .minute_ns = now_ns};
  return oldest;
}

int
md_http_limiter_take(md_http_limiter_t *l, uint32_t address, int64_t now_ns, uint32_t *wait_s) {
  *wait_s = 0;
  if (l->per_min == 0) return 0;
  md_http_client_t *c = find_client(l, address, now_ns);
  if (now_ns - c->minute_ns >= MINUTE_NS) {
    c->minute_ns = now_ns;
    c->cnt       = 0;
  }
  c->last_ns = now_ns;
  *wait_s    = (uint32_t)((c->minute_ns + MINUTE_NS - now_ns + NS_PER_S - 1) / NS_PER_S);
  if (c->cnt >= l->per_min) return -1;
  c->cnt++;
  return (int)(l->per_min - c->cnt);
}
