#include "writers/pg.h"

#include "writers/pg_push.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESULT_CNT_MAX 100000u /* of one md_pg_query; a bound, never reached */
#define CLOSE_TURN_MAX 1000u

/* One direction of the socket. */
typedef struct md_pg_poll {
  md_io_op_t op;
  bool       is_current; /* armed for this connection, not for one that is gone */
  bool       is_ready;   /* reported since the last step */
  uint64_t  *moved_cnt;
} md_pg_poll_t;

struct md_pg {
  md_io_t      *io;
  md_pg_poll_t  in, out;
  char         *conninfo;
  char          target[256];
  char          error[384];
  PGconn       *conn;
  PGresult     *result; /* of the last statement */
  md_pg_state_t state;
  md_pg_fault_t fault;
  bool          wants_write;
  bool          may_fail; /* the running statement */
  md_pg_push_t  push;     /* open where nothing encrypts */
  uint64_t      moved_cnt;
};

static void
on_poll(md_io_op_t *op, int32_t result) {
  md_pg_poll_t *poll = op->ctx;
  (void)result; /* an error shows in the next call of libpq */
  if (poll->is_current) {
    poll->is_ready = true;
    ++*poll->moved_cnt;
  }
  poll->is_current = false;
}

static void
name_target(md_pg_t *pg, PQconninfoOption *options) {
  const char *host = NULL, *port = NULL, *name = NULL;
  for (const PQconninfoOption *o = options; o->keyword; o++) {
    if (!o->val || !o->val[0]) continue;
    if (!strcmp(o->keyword, "host") || (!strcmp(o->keyword, "hostaddr") && !host)) host = o->val;
    if (!strcmp(o->keyword, "port")) port = o->val;
    if (!strcmp(o->keyword, "dbname")) name = o->val;
  }
  snprintf(pg->target, sizeof pg->target, "database %s on %s:%s", name ? name : "(default)",
           host ? host : "(local socket)", port ? port : "5432");
}

md_err_t
md_pg_open(md_io_t *io, const char *conninfo, md_pg_t **out, md_msg_t *msg) {
  char             *why     = NULL;
  PQconninfoOption *options = PQconninfoParse(conninfo, &why);
  if (!options) {
    md_err_t err = md_fail(msg, MD_ERR_CONFIG, "connection string of PostgreSQL: %s",
                           why ? why : "out of memory");
    PQfreemem(why);
    return err;
  }
  md_pg_t *pg = calloc(1, sizeof *pg);
  if (pg) pg->conninfo = strdup(conninfo);
  if (!pg || !pg->conninfo) {
    PQconninfoFree(options);
    free(pg);
    return md_fail(msg, MD_ERR_NOMEM, "no memory for the PostgreSQL connection");
  }
  name_target(pg, options);
  PQconninfoFree(options);
  pg->io           = io;
  pg->in.moved_cnt = pg->out.moved_cnt = &pg->moved_cnt;
  pg->in.op                            = (md_io_op_t){.done = on_poll, .ctx = &pg->in};
  pg->out.op                           = (md_io_op_t){.done = on_poll, .ctx = &pg->out};
  *out                                 = pg;
  return MD_OK;
}

static void
disarm(md_pg_t *pg, md_pg_poll_t *poll) {
  if (poll->is_current && poll->op.in_flight) md_io_poll_cancel(pg->io, &poll->op);
  poll->is_current = false;
  poll->is_ready   = false;
}

static bool
is_polling(const md_pg_t *pg) {
  return pg->in.op.in_flight || pg->out.op.in_flight;
}

/* The polls are taken back before libpq closes the socket. */
void
md_pg_disconnect(md_pg_t *pg) {
  disarm(pg, &pg->in);
  disarm(pg, &pg->out);
  PQclear(pg->result);
  PQfinish(pg->conn);
  pg->result = NULL;
  pg->conn   = NULL;
  pg->state  = MD_PG_DOWN;
  md_pg_push_close(&pg->push);
}

void
md_pg_close(md_pg_t *pg) {
  if (!pg) return;
  md_pg_disconnect(pg);
  for (unsigned i = 0; is_polling(pg) && i < CLOSE_TURN_MAX; i++)
    if (md_io_turn(pg->io, 1000000) < 0) break;
  free(pg->conninfo);
  free(pg);
}

const char *
md_pg_target(const md_pg_t *pg) {
  return pg->target;
}

const char *
md_pg_error(const md_pg_t *pg) {
  return pg->error;
}

md_pg_fault_t
md_pg_fault(const md_pg_t *pg) {
  return pg->fault;
}

/* Keeps the reason on one line: libpq's messages have several and end in a newline. */
static void
keep_error(md_pg_t *pg, md_pg_fault_t fault, const char *text) {
  pg->fault  = fault;
  size_t len = 0;
  for (const char *c = text; *c && len + 1 < sizeof pg->error; c++) {
    bool is_gap = *c == '\n' || *c == '\t' || *c == ' ';
    if (is_gap && (len == 0 || pg->error[len - 1] == ' ')) continue;
    pg->error[len++] = is_gap ? ' ' : *c;
  }
  while (len > 0 && pg->error[len - 1] == ' ')
    len--;
  pg->error[len] = 0;
}

static md_pg_state_t
lose(md_pg_t *pg, const char *text) {
  keep_error(pg, MD_PG_FAULT_LINK, text && text[0] ? text : "the connection was lost");
  md_pg_disconnect(pg);
  return pg->state;
}

static void
arm_one(md_pg_t *pg, md_pg_poll_t *poll, short events) {
  int fd = PQsocket(pg->conn);
  if (fd < 0 || poll->op.in_flight || poll->is_ready) return;
  poll->is_current = md_io_poll(pg->io, &poll->op, fd, events) == MD_OK;
}

/* While it connects libpq waits for exactly one direction, and changes sockets from host to host.
 */
static void
arm(md_pg_t *pg) {
  if (!pg->conn) return;
  if (pg->state != MD_PG_CONNECTING || !pg->wants_write) arm_one(pg, &pg->in, POLLIN);
  if (pg->wants_write) arm_one(pg, &pg->out, POLLOUT);
}

/* libpq would print notices, and the farewell of a server to an idle connection, to stderr. */
static void
ignore_notice(void *ctx, const char *text) {
  (void)ctx;
  (void)text;
}

md_err_t
md_pg_connect(md_pg_t *pg) {
  /* What stands before the connection string gives way to it. */
  static const char *const keys[] = {
      "keepalives_idle", "keepalives_interval",       "keepalives_count", "tcp_user_timeout",
      "dbname",          "fallback_application_name", "client_encoding",  NULL};
  const char *const values[] = {"30", "10", "3", "30000", pg->conninfo, "mdengine", "UTF8", NULL};
  md_pg_disconnect(pg);
  if (is_polling(pg)) return MD_ERR_BUSY;
  pg->fault = MD_PG_FAULT_NONE;
  pg->conn  = PQconnectStartParams(keys, values, 1);
  if (!pg->conn) {
    keep_error(pg, MD_PG_FAULT_LINK, "out of memory");
    return MD_ERR_DB;
  }
  if (PQstatus(pg->conn) == CONNECTION_BAD) {
    lose(pg, PQerrorMessage(pg->conn));
    return MD_ERR_DB;
  }
  (void)PQsetNoticeProcessor(pg->conn, ignore_notice, NULL);
  pg->state       = MD_PG_CONNECTING;
  pg->wants_write = true;
  arm(pg);
  return MD_OK;
}

static md_pg_state_t
step_connect(md_pg_t *pg) {
  bool is_ready = pg->wants_write ? pg->out.is_ready : pg->in.is_ready;
  if (!is_ready) {
    arm(pg);
    return pg->state;
  }
  disarm(pg, &pg->in);
  disarm(pg, &pg->out);
  switch (PQconnectPoll(pg->conn)) {
  case PGRES_POLLING_READING:
    pg->wants_write = false;
    break;
  case PGRES_POLLING_WRITING:
    pg->wants_write = true;
    break;
  case PGRES_POLLING_OK:
    if (PQsetnonblocking(pg->conn, 1) != 0) return lose(pg, PQerrorMessage(pg->conn));
    if (!PQsslInUse(pg->conn) && !PQgssEncInUse(pg->conn))
      md_pg_push_open(&pg->push, PQsocket(pg->conn));
    pg->wants_write  = false;
    return pg->state = MD_PG_READY;
  case PGRES_POLLING_FAILED:
  case PGRES_POLLING_ACTIVE:
  default:
    return lose(pg, PQerrorMessage(pg->conn));
  }
  arm(pg);
  return pg->state;
}

static void
keep_result(md_pg_t *pg, PGresult *result) {
  ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_COPY_IN) {
    PQclear(pg->result);
    pg->result = result;
    if (status == PGRES_COPY_IN) pg->state = MD_PG_COPY;
    return;
  }
  if (pg->fault == MD_PG_FAULT_NONE) {
    const char *code    = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool        is_data = code && (!strncmp(code, "22", 2) || !strncmp(code, "23", 2));
    bool is_link = PQstatus(pg->conn) == CONNECTION_BAD || (code && !strncmp(code, "57P", 3));
    keep_error(pg,
               is_link   ? MD_PG_FAULT_LINK
               : is_data ? MD_PG_FAULT_DATA
                         : MD_PG_FAULT_SQL,
               PQresultErrorMessage(result));
  }
  PQclear(result);
}

/* The server may have said why before it went. */
static void
lose_writing(md_pg_t *pg, int error) {
  bool is_told = !PQconsumeInput(pg->conn);
  lose(pg, is_told ? PQerrorMessage(pg->conn) : strerror(error));
}

/* Sends what the socket takes of COPY data; false when the connection is gone. */
static bool
push(md_pg_t *pg) {
  const uint64_t moved = pg->push.moved_cnt;
  md_err_t       err   = md_pg_push_step(&pg->push, PQsocket(pg->conn));
  pg->moved_cnt += pg->push.moved_cnt - moved;
  pg->wants_write = err == MD_ERR_FULL;
  if (err == MD_OK || err == MD_ERR_FULL) return true;
  lose_writing(pg, errno);
  return false;
}

/* Sends what is still buffered, libpq's first; false when the connection is gone. */
static bool
flush(md_pg_t *pg) {
  int left = PQflush(pg->conn);
  if (left < 0) {
    lose(pg, PQerrorMessage(pg->conn));
    return false;
  }
  pg->wants_write = left > 0;
  return left > 0 || pg->push.sent == pg->push.len || push(pg);
}

md_pg_state_t
md_pg_step(md_pg_t *pg) {
  if (pg->state == MD_PG_DOWN || pg->state == MD_PG_READY) return pg->state;
  if (pg->state == MD_PG_CONNECTING) return step_connect(pg);
  if (pg->wants_write && pg->out.is_ready) {
    pg->out.is_ready = false;
    if (!flush(pg)) return pg->state;
  }
  if (pg->in.is_ready) {
    pg->in.is_ready = false;
    if (!PQconsumeInput(pg->conn)) return lose(pg, PQerrorMessage(pg->conn));
  }
  for (unsigned i = 0; pg->state == MD_PG_BUSY && !PQisBusy(pg->conn) && i < RESULT_CNT_MAX; i++) {
    PGresult *result = PQgetResult(pg->conn);
    if (result)
      keep_result(pg, result);
    else
      pg->state = MD_PG_READY;
  }
  if (pg->state == MD_PG_READY && pg->fault != MD_PG_FAULT_NONE &&
      (!pg->may_fail || pg->fault == MD_PG_FAULT_LINK))
    md_pg_disconnect(pg);
  if (pg->state == MD_PG_BUSY || pg->state == MD_PG_COPY) arm(pg);
  return pg->state;
}

void
md_pg_query(md_pg_t *pg, const char *sql, bool may_fail) {
  md_assert(pg->state == MD_PG_READY);
  PQclear(pg->result);
  pg->result   = NULL;
  pg->fault    = MD_PG_FAULT_NONE;
  pg->may_fail = may_fail;
  pg->state    = MD_PG_BUSY;
  pg->moved_cnt++;
  if (!PQsendQuery(pg->conn, sql)) {
    lose(pg, PQerrorMessage(pg->conn));
    return;
  }
  if (flush(pg)) arm(pg);
}

uint64_t
md_pg_moved_cnt(const md_pg_t *pg) {
  return pg->moved_cnt;
}

void
md_pg_give_up(md_pg_t *pg, const char *why) {
  (void)lose(pg, why);
}

/* libpq's buffer would grow without bound, so nothing is added before the last chunk is out. Where
 * nothing encrypts, the chunk does not even go there: libpq would copy it once more. Its buffer is
 * empty then, so that the message stands whole between two of its own. */
md_err_t
md_pg_put(md_pg_t *pg, const void *data, uint32_t len) {
  if (pg->state != MD_PG_COPY) return MD_ERR_DB;
  if (!flush(pg)) return MD_ERR_DB;
  if (pg->wants_write) return MD_ERR_FULL;
  if (pg->push.is_open) {
    md_pg_push_start(&pg->push, data, len);
    return push(pg) ? MD_OK : MD_ERR_DB;
  }
  int taken = PQputCopyData(pg->conn, data, (int)len);
  if (taken < 0) {
    lose(pg, PQerrorMessage(pg->conn));
    return MD_ERR_DB;
  }
  if (taken == 0) return MD_ERR_FULL;
  pg->moved_cnt++;
  return flush(pg) ? MD_OK : MD_ERR_DB;
}

md_err_t
md_pg_put_end(md_pg_t *pg) {
  if (pg->state != MD_PG_COPY) return MD_ERR_DB;
  if (!flush(pg)) return MD_ERR_DB;
  if (pg->wants_write) return MD_ERR_FULL;
  int taken = PQputCopyEnd(pg->conn, NULL);
  if (taken < 0) {
    lose(pg, PQerrorMessage(pg->conn));
    return MD_ERR_DB;
  }
  if (taken == 0) return MD_ERR_FULL;
  pg->state = MD_PG_BUSY;
  if (!flush(pg)) return MD_ERR_DB;
  arm(pg);
  return MD_OK;
}

uint32_t
md_pg_row_cnt(const md_pg_t *pg) {
  return pg->result ? (uint32_t)PQntuples(pg->result) : 0;
}

const char *
md_pg_value(const md_pg_t *pg, uint32_t row, uint32_t column) {
  md_assert(row < md_pg_row_cnt(pg));
  md_assert((int)column < PQnfields(pg->result));
  if (PQgetisnull(pg->result, (int)row, (int)column)) return NULL;
  return PQgetvalue(pg->result, (int)row, (int)column);
}

uint64_t
md_pg_affected(const md_pg_t *pg) {
  return pg->result ? strtoull(PQcmdTuples(pg->result), NULL, 10) : 0;
}

const char *
md_pg_tag(const md_pg_t *pg) {
  return pg->result ? PQcmdStatus(pg->result) : "";
}
