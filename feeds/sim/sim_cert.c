#include "feeds/sim/sim_cert.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define DAY_S 86400

typedef struct pair {
  EVP_PKEY *key;
  X509     *cert;
} pair_t;

static void
pair_free(pair_t *p) {
  EVP_PKEY_free(p->key);
  X509_free(p->cert);
}

static bool
extend(X509 *cert, X509 *issuer, int nid, const char *value) {
  X509V3_CTX ctx;
  X509V3_set_ctx_nodb(&ctx);
  X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
  X509_EXTENSION *e  = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
  bool            ok = e && X509_add_ext(cert, e, -1) == 1;
  X509_EXTENSION_free(e);
  return ok;
}

static bool
prepare(pair_t *p, const char *name) {
  uint64_t serial = 0;
  p->key          = EVP_EC_gen("P-256");
  p->cert         = X509_new();
  if (!p->key || !p->cert) return false;
  if (RAND_bytes((unsigned char *)&serial, sizeof serial) != 1) return false;
  X509_NAME *subject = X509_get_subject_name(p->cert);
  return X509_set_version(p->cert, 2) == 1 &&
         ASN1_INTEGER_set_uint64(X509_get_serialNumber(p->cert), serial >> 1 | 1) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(p->cert), -DAY_S) != NULL &&
         X509_gmtime_adj(X509_getm_notAfter(p->cert), 30 * DAY_S) != NULL &&
         X509_set_pubkey(p->cert, p->key) == 1 &&
         X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                    -1, 0) == 1;
}

static bool
make_authority(pair_t *ca) {
  return prepare(ca, "mdengine sim authority") &&
         X509_set_issuer_name(ca->cert, X509_get_subject_name(ca->cert)) == 1 &&
         extend(ca->cert, ca->cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
         extend(ca->cert, ca->cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
         extend(ca->cert, ca->cert, NID_subject_key_identifier, "hash") &&
         X509_sign(ca->cert, ca->key, EVP_sha256()) > 0;
}

static bool
make_server(pair_t *p, const pair_t *ca, const char *names) {
  return prepare(p, "mdengine sim") &&
         X509_set_issuer_name(p->cert, X509_get_subject_name(ca->cert)) == 1 &&
         extend(p->cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE") &&
         extend(p->cert, ca->cert, NID_key_usage, "critical,digitalSignature") &&
         extend(p->cert, ca->cert, NID_ext_key_usage, "serverAuth") &&
         extend(p->cert, ca->cert, NID_authority_key_identifier, "keyid") &&
         extend(p->cert, ca->cert, NID_subject_alt_name, names) &&
         X509_sign(p->cert, ca->key, EVP_sha256()) > 0;
}

/* What was written to a memory BIO, as a NUL-terminated text. */
static bool
take_pem(BIO *bio, bool ok, char out[MD_SIM_PEM_BYTES]) {
  int n = ok ? BIO_read(bio, out, MD_SIM_PEM_BYTES - 1) : 0;
  BIO_free(bio);
  if (n <= 0 || n == (int)MD_SIM_PEM_BYTES - 1) return false;
  out[n] = 0;
  return true;
}

static bool
write_cert(X509 *cert, char out[MD_SIM_PEM_BYTES]) {
  BIO *bio = BIO_new(BIO_s_mem());
  return bio && take_pem(bio, PEM_write_bio_X509(bio, cert) == 1, out);
}

static bool
write_key(EVP_PKEY *key, char out[MD_SIM_PEM_BYTES]) {
  BIO *bio = BIO_new(BIO_s_mem());
  return bio &&
         take_pem(bio, PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1, out);
}

md_err_t
md_sim_cert_make(const char *names, md_sim_cert_t *out, md_msg_t *msg) {
  pair_t ca = {NULL, NULL}, server = {NULL, NULL};
  bool   ok = make_authority(&ca) && make_server(&server, &ca, names) &&
            write_cert(ca.cert, out->ca_pem) && write_cert(server.cert, out->cert_pem) &&
            write_key(server.key, out->key_pem);
  pair_free(&server);
  pair_free(&ca);
  if (ok) return MD_OK;
  return md_fail(msg, MD_ERR_IO, "libcrypto could not make a certificate for %s", names);
}

md_err_t
md_sim_cert_save(const md_sim_cert_t *c, const char *path, md_msg_t *msg) {
  FILE *f = fopen(path, "w");
  if (!f) return md_fail_errno(msg, errno, "cannot write the authority's certificate to %s", path);
  bool ok = fputs(c->ca_pem, f) >= 0;
  if (fclose(f) == 0 && ok) return MD_OK;
  return md_fail_errno(msg, errno, "cannot write the authority's certificate to %s", path);
}
