/* pg_call.h - statements one after the other over pg.h, each waited for: what the command db works
 * with, and nothing on a writer's thread. One thread. */
#ifndef WRITERS_PG_CALL_H
#define WRITERS_PG_CALL_H

#include "writers/pg.h"
#include "writers/pg_schema.h"

typedef struct md_pg_call {
  md_io_t *io;
  md_pg_t *pg;
  md_sql_t sql; /* the next statement */
} md_pg_call_t;

/* md_pg_call_open connects, waiting at most timeout_ns, and makes the session's settings.
 * MD_ERR_CONFIG, MD_ERR_DB, MD_ERR_NOMEM. md_pg_call_close: a zeroed struct is fine. */
MD_MUST_USE md_err_t md_pg_call_open(md_pg_call_t *c, const char *conninfo, int64_t timeout_ns,
                                     md_msg_t *msg);
void                 md_pg_call_close(md_pg_call_t *c);

/* md_pg_call runs c->sql (one statement or several in one transaction), waits for the answer and
 * clears c->sql. After MD_ERR_DB the connection is still there unless md_pg_fault says LINK. */
MD_MUST_USE md_err_t md_pg_call(md_pg_call_t *c, md_msg_t *msg);

/* md_pg_call_check asks for the catalog and compares it with the schema, as md_pg_schema_check. */
MD_MUST_USE md_err_t md_pg_call_check(md_pg_call_t *c, md_pg_schema_t *s, uint32_t *missing_cnt,
                                      md_msg_t *msg);

/* md_pg_call_version gives the version of the tables that md_pg_call_check found: 0 for none. */
MD_MUST_USE md_err_t md_pg_call_version(md_pg_call_t *c, const md_pg_schema_t *s, uint32_t *version,
                                        md_msg_t *msg);

#endif
