/* err.h - error codes and the one-line message that goes with a cold-path failure.
 *
 * 0 is success, errors are negative (err_table.h). Hot-path functions return only the code;
 * cold-path functions also take an md_msg_t and say what failed and what to do. */
#ifndef SHM_ERR_H
#define SHM_ERR_H

#include "shm/base.h"
#include "shm/err_table.h"

typedef int md_err_t;

enum {
  MD_OK = 0,
#define MD_ERR_ENUM(name, value, text) MD_ERR_##name = (value),
  MD_ERR_TABLE(MD_ERR_ENUM)
#undef MD_ERR_ENUM
      MD_ERR_CNT = 26
};

/* One line, no newline at the end. Owned by the caller; text[0] == 0 means nothing was said. */
typedef struct md_msg {
  char text[512];
} md_msg_t;

/* md_err_name returns "FULL" for MD_ERR_FULL, "OK" for 0, "?" for a value not in the table. */
const char *md_err_name(md_err_t err);

/* md_err_text returns the sentence of the table. Never NULL. */
const char *md_err_text(md_err_t err);

/* md_fail fills msg (may be NULL) like printf, cut to its size, and returns err. Any thread. */
md_err_t md_fail(md_msg_t *msg, md_err_t err, const char *format, ...) MD_PRINTF(3, 4);

/* md_fail_errno is md_fail with ": strerror(errno_value)" behind it; it maps ENOSPC, EACCES, EPERM,
 * ENOENT, EEXIST and ENOMEM to their codes and everything else to MD_ERR_IO. */
md_err_t md_fail_errno(md_msg_t *msg, int errno_value, const char *format, ...) MD_PRINTF(3, 4);

#endif
