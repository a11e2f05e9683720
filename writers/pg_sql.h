/* pg_sql.h - text of an SQL statement, put together in a buffer of fixed size.
 *
 * Owned by one thread. What does not fit is not cut silently: the text is marked full, and a full
 * text is never sent. Names and values go in only through the quoting functions. */
#ifndef WRITERS_PG_SQL_H
#define WRITERS_PG_SQL_H

#include "shm/err.h"

typedef struct md_sql {
  char  *text; /* NUL-terminated */
  size_t len, bytes;
  bool   is_full;
} md_sql_t;

/* md_sql_new takes memory for bytes characters, NUL included; MD_ERR_NOMEM. */
MD_MUST_USE md_err_t md_sql_new(md_sql_t *s, size_t bytes);
void                 md_sql_delete(md_sql_t *s);
void                 md_sql_clear(md_sql_t *s);

/* md_sql_add appends like printf. */
void md_sql_add(md_sql_t *s, const char *format, ...) MD_PRINTF(2, 3);

/* md_sql_name appends an identifier in double quotes, md_sql_text a value in single quotes (the
 * session has standard_conforming_strings on), md_sql_bytes a bytea value. */
void md_sql_name(md_sql_t *s, const char *name);
void md_sql_text(md_sql_t *s, const char *value);
void md_sql_bytes(md_sql_t *s, const void *data, size_t len);

#endif
