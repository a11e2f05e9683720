/* lws_tls.h - how every libwebsockets context of ours treats certificates. Included by the files
 * that include libwebsockets.h, behind it.
 *
 * Debian's libwebsockets trusts certificates in ../share, relative to the working directory, unless
 * it is given a file of authorities and the look-up of the system's is switched off. Both are done
 * here, and nowhere else is a context made for clients. */
#ifndef FEEDS_LWS_TLS_H
#define FEEDS_LWS_TLS_H

#include "shm/err.h"

#include <unistd.h>

#define MD_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

/* md_lws_tls fills what concerns TLS of a client: verified, at least 1.2. MD_ERR_CONFIG when the
 * file of authorities cannot be read. */
static inline md_err_t
md_lws_tls(struct lws_context_creation_info *info, const char *ca_file, md_msg_t *msg) {
  const char *file = ca_file && ca_file[0] ? ca_file : MD_CA_FILE;
  if (access(file, R_OK) != 0)
    return md_fail(
        msg, MD_ERR_CONFIG,
        "cannot read the certificate authorities in %s; install ca-certificates or set ca_file",
        file);
  info->client_ssl_ca_filepath = file;
  info->options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
  info->ssl_client_options_set =
      (long)(SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_COMPRESSION);
  return MD_OK;
}

#endif
