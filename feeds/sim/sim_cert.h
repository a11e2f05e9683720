/* sim_cert.h - a certificate for 127.0.0.1 and localhost, made on the fly with an authority of its
 * own.
 *
 * Both keys live in memory only and are gone with the run. The authority's certificate is what
 * clients are told to trust. Called once, before anything is served. */
#ifndef FEEDS_SIM_SIM_CERT_H
#define FEEDS_SIM_SIM_CERT_H

#include "shm/err.h"

#define MD_SIM_PEM_BYTES 8192u

typedef struct md_sim_cert {
  char ca_pem[MD_SIM_PEM_BYTES];
  char cert_pem[MD_SIM_PEM_BYTES];
  char key_pem[MD_SIM_PEM_BYTES]; /* of cert_pem */
} md_sim_cert_t;

/* md_sim_cert_make makes both certificates, good for 30 days from a day ago. names: a list such as
 * "DNS:localhost,IP:127.0.0.1". */
MD_MUST_USE md_err_t md_sim_cert_make(const char *names, md_sim_cert_t *out, md_msg_t *msg);

/* md_sim_cert_save writes the authority's certificate for clients. */
MD_MUST_USE md_err_t md_sim_cert_save(const md_sim_cert_t *c, const char *path, md_msg_t *msg);

#endif
