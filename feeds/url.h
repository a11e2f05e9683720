/* url.h - the parts of a ws, wss, http or https URL, for those who open connections. Pure text. */
#ifndef FEEDS_URL_H
#define FEEDS_URL_H

#include "shm/err.h"

#define MD_URL_BYTES_MAX      8192u
#define MD_HOST_BYTES_MAX     256u
#define MD_URL_HOST_BYTES_MAX (MD_HOST_BYTES_MAX + 16u)

typedef struct md_url {
  bool        is_tls, is_websocket;
  uint16_t    port;
  char        host[MD_HOST_BYTES_MAX]; /* without the brackets of an IPv6 address */
  const char *path; /* within the text, from its first '/'; "/" when there is none */
} md_url_t;

/* md_url_parse reads text, which must outlive *out. MD_ERR_SYNTAX with what is wrong in msg. */
MD_MUST_USE md_err_t md_url_parse(const char *text, md_url_t *out, md_msg_t *msg);

/* md_url_host writes what the Host header says: the name, and the port when it is not the usual. */
void md_url_host(const md_url_t *u, char out[MD_URL_HOST_BYTES_MAX]);

#endif
