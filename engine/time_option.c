#include "engine/time_option.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_NS 1000000000

/* ".25" is 250,000,000 ns; digits behind the ninth are finer than any clock here. */
static const char *
fraction(const char *p, int64_t *ns) {
  if (*p != '.') return p;
  int64_t unit = SECOND_NS / 10;
  for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
    *ns += (*p - '0') * unit;
  return p;
}

static bool
iso(const char *text, int64_t *ns) {
  static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                      "%Y-%m-%d %H:%M", "%Y-%m-%d"};
  for (size_t i = 0; i < MD_CNT(forms); i++) {
    struct tm   tm   = {0};
    int64_t     part = 0;
    const char *end  = strptime(text, forms[i], &tm);
    if (!end) continue;
    if (i < 2) end = fraction(end, &part);
    if (*end == 'Z') end++;
    if (*end) continue;
    *ns = (int64_t)timegm(&tm) * SECOND_NS + part;
    return true;
  }
  return false;
}

bool
md_time_option(const char *text, int64_t *ns) {
  if (*text == 0 || text[strspn(text, "0123456789")] != 0) return iso(text, ns);
  const size_t digit_cnt = strlen(text);
  if (digit_cnt > 19) return false;
  unsigned long long number = strtoull(text, NULL, 10);
  if (number > INT64_MAX) return false;
  *ns = (int64_t)number * (digit_cnt > 10 ? 1 : SECOND_NS);
  return true;
}
