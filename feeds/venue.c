#include "feeds/venue.h"

#include "feeds/venue_table.h"

#include <string.h>

#define MD_VENUE_EXTERN(symbol) extern const md_venue_t symbol;
MD_VENUE_TABLE(MD_VENUE_EXTERN)
#undef MD_VENUE_EXTERN

#define MD_VENUE_ROW(symbol) &symbol,
static const md_venue_t *const venues[] = {MD_VENUE_TABLE(MD_VENUE_ROW)};
#undef MD_VENUE_ROW

const md_venue_t *
md_venue_at(uint32_t i) {
  return i < MD_CNT(venues) ? venues[i] : NULL;
}

const md_venue_t *
md_venue_find(const char *name) {
  for (uint32_t i = 0; i < MD_CNT(venues); i++) {
    if (strcmp(venues[i]->name, name) == 0) return venues[i];
  }
  return NULL;
}

static bool
is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

/* A host counts where it stands alone: "stream.binance.com" is not in "fstream.binance.com", which
 * is another market. A host that ends in a separator ("BINANCE-") is the beginning of a name. */
static bool
host_occurs(const char *text, uint32_t len, const char *host) {
  size_t host_len = strlen(host);
  if (host_len == 0 || host_len > len) return false;
  bool is_prefix = host[host_len - 1] == '-' || host[host_len - 1] == '.';
  for (uint32_t at = 0; at + host_len <= len; at++) {
    if (memcmp(text + at, host, host_len) != 0) continue;
    if (at > 0 && is_host_char(text[at - 1])) continue;
    if (is_prefix || at + host_len == len || !is_host_char(text[at + host_len])) return true;
  }
  return false;
}

const md_venue_t *
md_venue_by_host(const char *text, uint32_t len) {
  const md_venue_t *best     = NULL;
  size_t            best_len = 0;
  for (uint32_t i = 0; i < MD_CNT(venues); i++) {
    for (const char *const *host = venues[i]->hosts; *host; host++) {
      size_t host_len = strlen(*host);
      if (host_len > best_len && host_occurs(text, len, *host)) {
        best     = venues[i];
        best_len = host_len;
      }
    }
  }
  return best;
}

const char *
md_venue_refusal(const char *url, uint32_t len) {
  for (uint32_t i = 0; i < MD_CNT(venues); i++) {
    const md_venue_t *v = venues[i];
    if (v->refused_url && len > 0 && memmem(url, len, v->refused_url, strlen(v->refused_url)))
      return v->refused_why;
  }
  return NULL;
}
