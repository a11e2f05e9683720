/* pg.h - one connection to PostgreSQL that never blocks: libpq in non-blocking mode, its socket
 * polled on the io loop of the writer thread. pg.c is the only file that includes libpq-fe.h.
 *
 * One thread. A statement is sent with md_pg_query; md_pg_step moves on whatever is under way and
 * returns the state; MD_PG_READY means that the answer is whole. COPY data goes in between by
 * md_pg_put. After an error of the server or a lost connection the state is MD_PG_DOWN, the reason
 * in md_pg_error, and the caller connects again: what was open then is rolled back by the server.
 * Name look-up (getaddrinfo) of a host name is the one thing in libpq that blocks; an address or a
 * socket directory avoids it. */
#ifndef WRITERS_PG_H
#define WRITERS_PG_H

#include "writers/io_loop.h"

typedef struct md_pg md_pg_t;

typedef enum md_pg_state {
  MD_PG_DOWN, /* not connected, or failed */
  MD_PG_CONNECTING,
  MD_PG_READY, /* idle; the answer to the last statement can be read */
  MD_PG_BUSY,  /* a statement is under way */
  MD_PG_COPY   /* the server takes COPY data */
} md_pg_state_t;

/* What kind of failure ended the connection. */
typedef enum md_pg_fault {
  MD_PG_FAULT_NONE,
  MD_PG_FAULT_LINK, /* no connection, or it went away */
  MD_PG_FAULT_DATA, /* the server refused a value (SQLSTATE classes 22 and 23) */
  MD_PG_FAULT_SQL   /* the server refused the statement */
} md_pg_fault_t;

/* md_pg_open checks the connection string, makes the object, does not connect. */
MD_MUST_USE md_err_t md_pg_open(md_io_t *io, const char *conninfo, md_pg_t **out, md_msg_t *msg);
/* md_pg_close drops the connection and turns the io loop until no operation is left in it. */
void md_pg_close(md_pg_t *pg);

/* md_pg_target names host, port and database, never a password: "mdb on /run/postgresql:5432". */
const char *md_pg_target(const md_pg_t *pg);

/* md_pg_connect starts to connect: MD_ERR_BUSY while the io loop still holds the old socket (turn
 * it and call again), MD_ERR_DB. */
MD_MUST_USE md_err_t md_pg_connect(md_pg_t *pg);
void                 md_pg_disconnect(md_pg_t *pg);

/* md_pg_moved_cnt rises with whatever the server takes or says: while a statement is under way and
 * it does not, the server is silent. md_pg_give_up ends such a connection with this reason. */
uint64_t md_pg_moved_cnt(const md_pg_t *pg);
void     md_pg_give_up(md_pg_t *pg, const char *why);

/* md_pg_step moves on without blocking and arms the io loop for what is missing. */
md_pg_state_t md_pg_step(md_pg_t *pg);

/* md_pg_query sends sql (one or several statements) in state READY; the answer is that of the last
 * statement. Failures show in md_pg_step. may_fail: an error of the server leaves the connection
 * READY with md_pg_fault set; only for statements outside a transaction. */
void md_pg_query(md_pg_t *pg, const char *sql, bool may_fail);

/* md_pg_put hands len bytes over in state COPY, which stay as they are until the transaction is
 * committed or the connection is gone: MD_ERR_FULL when the server does not keep up (after
 * md_pg_step try again), MD_ERR_DB. md_pg_put_end ends the data: MD_ERR_FULL likewise. */
MD_MUST_USE md_err_t md_pg_put(md_pg_t *pg, const void *data, uint32_t len);
MD_MUST_USE md_err_t md_pg_put_end(md_pg_t *pg);

/* ---- the answer, in state READY until the next md_pg_query ---- */
uint32_t    md_pg_row_cnt(const md_pg_t *pg);
const char *md_pg_value(const md_pg_t *pg, uint32_t row, uint32_t column); /* NULL for NULL */
uint64_t    md_pg_affected(const md_pg_t *pg);                             /* rows changed */
const char *md_pg_tag(const md_pg_t *pg);                                  /* "COMMIT" */

/* md_pg_error returns the one-line reason of the last failure, md_pg_fault its kind. */
const char   *md_pg_error(const md_pg_t *pg);
md_pg_fault_t md_pg_fault(const md_pg_t *pg);

#endif
