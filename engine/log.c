#include "engine/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void
md_log_init(md_log_t *log, int fd, bool json, md_log_level_t level, const md_clock_t *clock) {
  memset(log, 0, sizeof *log);
  log->clock = clock;
  log->fd    = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); /* a number of its own for good */
  if (log->fd < 0) log->fd = fd;
  md_log_form(log, json, level);
}

/* The descriptor keeps its number. */
static md_err_t
open_as(int as, const char *path, md_msg_t *msg) {
  int fd = path[0] ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640)
                   : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (fd < 0)
    return md_fail_errno(msg, errno, "the log file %s cannot be opened", path[0] ? path : "stderr");
  int rc = dup3(fd, as, O_CLOEXEC), cause = errno;
  (void)close(fd);
  if (rc < 0) return md_fail_errno(msg, cause, "the log file %s cannot be used", path);
  return MD_OK;
}

md_err_t
md_log_open(md_log_t *log, const char *path, md_msg_t *msg) {
  if (strlen(path) >= sizeof log->path)
    return md_fail(msg, MD_ERR_RANGE, "the name of the log file is too long");
  md_err_t err = open_as(log->fd, path, msg);
  if (err) return err;
  if (path != log->path) (void)snprintf(log->path, sizeof log->path, "%s", path);
  return MD_OK;
}

md_err_t
md_log_feed_open(md_log_t *log, const char *feed, const char *path, md_msg_t *msg) {
  md_assert(log->feed_cnt < MD_FEED_CNT_MAX);
  md_log_feed_t *f = &log->feed[log->feed_cnt];
  if (strlen(path) >= sizeof f->path || strlen(feed) >= sizeof f->name)
    return md_fail(msg, MD_ERR_RANGE, "the name of the log file of %s is too long", feed);
  f->fd = fcntl(log->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (f->fd < 0) return md_fail_errno(msg, errno, "no descriptor for the log file %s", path);
  md_err_t err = open_as(f->fd, path, msg);
  if (err) {
    (void)close(f->fd);
    return err;
  }
  (void)snprintf(f->name, sizeof f->name, "%s", feed);
  (void)snprintf(f->path, sizeof f->path, "%s", path);
  log->feed_cnt++;
  return MD_OK;
}

md_err_t
md_log_feeds_reopen(md_log_t *log, md_msg_t *msg) {
  md_err_t err = MD_OK;
  for (uint32_t i = 0; i < log->feed_cnt; i++) {
    md_err_t failed = open_as(log->feed[i].fd, log->feed[i].path, msg);
    if (failed) err = failed;
  }
  return err;
}

void
md_log_form(md_log_t *log, bool json, md_log_level_t level) {
  md_store_relaxed(&log->json, json);
  md_store_relaxed(&log->level, level);
}

md_log_level_t
md_log_level_of(const char *name) {
  for (unsigned i = 0; i < MD_CNT(level_names); i++)
    if (strcmp(name, level_names[i]) == 0) return (md_log_level_t)i;
  return MD_LOG_INFO;
}

/* Copies text as the inside of a quoted string of logfmt and JSON alike. */
static void
quote(const char *text, char *out, size_t out_bytes) {
  size_t used = 0;
  for (; *text && used + 7 < out_bytes; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\') {
      out[used++] = '\\';
      out[used++] = (char)c;
    } else if (c < 0x20) {
      used += (size_t)snprintf(out + used, out_bytes - used, "\\u%04x", c);
    } else {
      out[used++] = (char)c;
    }
  }
  out[used] = 0;
}

/* False when this second has had its lines. The counts race between threads; that only blurs the
 * limit. */
static bool
within_limit(md_log_t *log, int64_t now_ns, md_log_level_t level) {
  uint64_t second = (uint64_t)(now_ns / 1000000000);
  if (md_load_relaxed(&log->second) != second) {
    md_store_relaxed(&log->second, second);
    md_store_relaxed(&log->line_cnt, 0);
  }
  if (level == MD_LOG_ERROR || md_fetch_add_relaxed(&log->line_cnt, 1) < MD_LOG_LINES_PER_S)
    return true;
  (void)md_fetch_add_relaxed(&log->left_out_cnt, 1);
  return false;
}

void
md_log(md_log_t *log, md_log_level_t level, const char *component, const char *format, ...) {
  char      text[700], quoted[1500], line[2048], stamp[40];
  int64_t   now_ns = md_clock_real_ns(log->clock);
  time_t    second = (time_t)(now_ns / 1000000000);
  struct tm t;
  va_list   args;
  if (level < md_load_relaxed(&log->level) || !within_limit(log, now_ns, level)) return;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  quote(text, quoted, sizeof quoted);
  (void)gmtime_r(&second, &t);
  (void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &t);
  bool     json     = md_load_relaxed(&log->json) != 0;
  uint64_t left_out = md_load_relaxed(&log->left_out_cnt);
  md_store_relaxed(&log->left_out_cnt, 0); /* a line lost between the two is not worth a lock */
  const char *form =
      json ? "{\"ts\":\"%s.%06dZ\",\"level\":\"%s\",\"at\":\"%s\",\"msg\":\"%s\"%s%.0llu%s}\n"
           : "ts=%s.%06dZ level=%s at=%s msg=\"%s\"%s%.0llu%s\n";
  const char *name = left_out ? (json ? ",\"left_out\":" : " left_out=") : "";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  int len = snprintf(line, sizeof line, form, stamp, (int)(now_ns % 1000000000 / 1000),
                     level_names[level], component, quoted, name, (unsigned long long)left_out, "");
#pragma GCC diagnostic pop
  if (len > 0) {
    size_t bytes = (size_t)len < sizeof line ? (size_t)len : sizeof line - 1;
    for (uint32_t i = 0; i < log->feed_cnt; i++)
      if (strcmp(log->feed[i].name, component) == 0) (void)!write(log->feed[i].fd, line, bytes);
    if (write(log->fd, line, bytes) < 0)
      return; /* nobody reads stderr any more: there is no better place to say so */
  }
}
