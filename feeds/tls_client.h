/* tls_client.h - TLS of a client over a socket that never blocks, by OpenSSL.
 *
 * The rules are those of lws_tls.h: only the authorities of the given file (the system's bundle
 * when none is given) are trusted, the certificate must hold for the name or the address that was
 * meant, at least TLS 1.2, the name is told to the server (SNI). One system call takes what is
 * there, many records at a time, and the records are then taken one by one. So a socket that has
 * nothing more to read says nothing about records: read until EAGAIN.
 *
 * A context and its sessions belong to one thread. The socket stays the caller's. */
#ifndef FEEDS_TLS_CLIENT_H
#define FEEDS_TLS_CLIENT_H

#include "shm/err.h"

#include <sys/types.h>

#define MD_TLS_WHY_BYTES    112u
#define MD_TLS_SOCKET_BYTES 131072u /* taken from the socket at once; memory of each session */

typedef struct md_tls         md_tls_t;
typedef struct md_tls_session md_tls_session_t;

/* md_tls_open reads the file of authorities; ca_file NULL or empty: the system's. MD_ERR_CONFIG
 * when it cannot be read. */
MD_MUST_USE md_err_t md_tls_open(const char *ca_file, md_tls_t **out, md_msg_t *msg);
void                 md_tls_close(md_tls_t *t);

/* md_tls_begin makes a session over fd for a host, a name or a numeric address. */
MD_MUST_USE md_err_t md_tls_begin(md_tls_t *t, int fd, const char *host, md_tls_session_t **out);

/* md_tls_end says goodbye if that does not block. */
void md_tls_end(md_tls_session_t *s);

/* md_tls_handshake goes on: MD_OK when done, MD_ERR_BUSY: when the socket can be read (or written,
 * then *wants_write). Else it failed, and why says it for people. */
MD_MUST_USE md_err_t md_tls_handshake(md_tls_session_t *s, bool *wants_write,
                                      char why[MD_TLS_WHY_BYTES]);

/* md_tls_certificate_end_s returns when the server's certificate ends, in seconds since 1970; 0:
 * not known. After the handshake. */
uint64_t md_tls_certificate_end_s(const md_tls_session_t *s);

/* md_tls_look allows one look at the socket, a single system call, to the reads that follow. */
void md_tls_look(md_tls_session_t *s);

/* md_tls_read and md_tls_write are like recv and send: -1 with EAGAIN; 0 and -1 with anything else
 * are the end. */
ssize_t md_tls_read(md_tls_session_t *s, void *p, size_t len);
ssize_t md_tls_write(md_tls_session_t *s, const void *p, size_t len);

#endif
