#include "shm/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct md_err_row {
  md_err_t    err;
  const char *name;
  const char *text;
} md_err_row_t;

static const md_err_row_t err_rows[] = {{MD_OK, "OK", "no error"},
#define MD_ERR_ROW(name, value, text) {(value), #name, text},
                                        MD_ERR_TABLE(MD_ERR_ROW)
#undef MD_ERR_ROW
};

_Static_assert(MD_CNT(err_rows) == MD_ERR_CNT + 1, "MD_ERR_CNT follows the table");

static const md_err_row_t *
find_row(md_err_t err) {
  for (size_t i = 0; i < MD_CNT(err_rows); i++)
    if (err_rows[i].err == err) return &err_rows[i];
  return NULL;
}

const char *
md_err_name(md_err_t err) {
  const md_err_row_t *row = find_row(err);
  return row ? row->name : "?";
}

const char *
md_err_text(md_err_t err) {
  const md_err_row_t *row = find_row(err);
  return row ? row->text : "unknown error code";
}

md_err_t
md_fail(md_msg_t *msg, md_err_t err, const char *format, ...) {
  if (msg) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(msg->text, sizeof msg->text, format, args);
    va_end(args);
  }
  return err;
}

static md_err_t
from_errno(int errno_value) {
  switch (errno_value) {
  case ENOSPC:
  case EDQUOT:
    return MD_ERR_NOSPACE;
  case EACCES:
  case EPERM:
  case EROFS:
    return MD_ERR_DENIED;
  case ENOENT:
    return MD_ERR_ABSENT;
  case EEXIST:
    return MD_ERR_EXISTS;
  case ENOMEM:
    return MD_ERR_NOMEM;
  default:
    return MD_ERR_IO;
  }
}

md_err_t
md_fail_errno(md_msg_t *msg, int errno_value, const char *format, ...) {
  if (msg) {
    va_list args;
    va_start(args, format);
    int len = vsnprintf(msg->text, sizeof msg->text, format, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof msg->text) {
      char reason[128];
      (void)snprintf(msg->text + len, sizeof msg->text - (size_t)len, ": %s",
                     strerror_r(errno_value, reason, sizeof reason));
    }
  }
  return from_errno(errno_value);
}

static char assert_text[512]; /* the process is about to end */

const char *
md_assert_what(void) {
  return assert_text;
}

_Noreturn void
md_assert_fail(const char *file, int line, const char *what) {
  (void)snprintf(assert_text, sizeof assert_text, "failed at %s:%d: %s", file, line, what);
  (void)fprintf(stderr, "mdengine: assertion %s\n", assert_text);
  abort();
}
