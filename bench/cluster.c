#include "bench/cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/clock.h"
#include "writers/pg_call.h"

#define START_NS    INT64_C(60000000000)
#define PAUSE_US    20000u
#define PATH_BYTES  160u
#define PROGRAM_CNT 32u

/* Enough memory and no checkpoint by itself: whoever measures asks for one between two turns.
 * Commits are synchronous, as the default is. */
static const char *const settings[] = {
    "listen_addresses=",     "shared_buffers=512MB", "max_wal_size=8GB",   "min_wal_size=1GB",
    "checkpoint_timeout=1h", "autovacuum=off",       "max_connections=20", "logging_collector=off"};

static bool
fail(md_bench_cluster_t *c, const char *why) {
  (void)snprintf(c->why, sizeof c->why, "%s", why);
  return false;
}

void
md_bench_cluster_program(const char *name, char *out, size_t out_bytes) {
  char   pattern[PATH_BYTES];
  glob_t found;
  (void)snprintf(out, out_bytes, "%s", name);
  (void)snprintf(pattern, sizeof pattern, "/usr/lib/postgresql/*/bin/%s", name);
  if (glob(pattern, 0, NULL, &found) != 0) return;
  (void)snprintf(out, out_bytes, "%s", found.gl_pathv[found.gl_pathc - 1]);
  globfree(&found);
}

/* Whom root hands the cluster to; NULL when it stays with the caller. */
static const struct passwd *
owner(void) {
  if (geteuid() != 0) return NULL;
  const struct passwd *p = getpwnam("postgres");
  return p ? p : getpwnam("nobody");
}

/* In a child: becomes the owner, with the words of the program in the cluster's log. */
static void
run_as_owner(const char *dir, char *const argv[]) {
  char                 path[PATH_BYTES];
  const struct passwd *p = owner();
  if (p && (setgroups(0, NULL) != 0 || setgid(p->pw_gid) != 0 || setuid(p->pw_uid) != 0))
    _exit(126);
  if (chdir(dir) != 0) _exit(126);
  (void)snprintf(path, sizeof path, "%s/log", dir);
  int log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  int in  = open("/dev/null", O_RDONLY);
  if (log < 0 || in < 0) _exit(126);
  (void)dup2(in, 0);
  (void)dup2(log, 1);
  (void)dup2(log, 2);
  (void)execv(argv[0], argv);
  _exit(127);
}

static pid_t
start_program(const char *dir, char *const argv[]) {
  pid_t pid = fork();
  if (pid == 0) run_as_owner(dir, argv);
  return pid;
}

static bool
await_good_end(pid_t pid) {
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static pid_t
start_server(const char *dir, bool is_safe) {
  char  program[PATH_BYTES], data[PATH_BYTES], socket[PATH_BYTES];
  char  d[] = "-D", set[] = "-c";
  char  safe[] = "fsync=on", unsafe[] = "fsync=off";
  char *argv[PROGRAM_CNT] = {program, d, data, set, socket, set, is_safe ? safe : unsafe};
  char  text[MD_CNT(settings)][64];
  md_bench_cluster_program("postgres", program, sizeof program);
  (void)snprintf(data, sizeof data, "%s/data", dir);
  (void)snprintf(socket, sizeof socket, "unix_socket_directories=%s", dir);
  for (size_t i = 0; i < MD_CNT(settings); i++) {
    (void)snprintf(text[i], sizeof text[i], "%s", settings[i]);
    argv[7 + 2 * i] = set;
    argv[8 + 2 * i] = text[i];
  }
  return start_program(dir, argv);
}

static bool
make_data(const char *dir) {
  char  program[PATH_BYTES], data[PATH_BYTES];
  char  d[] = "-D", user[] = "--username=mdengine", trust[] = "--auth=trust";
  char  encoding[] = "--encoding=UTF8", locale[] = "--locale=C", sync[] = "--no-sync";
  char *argv[] = {program, d, data, user, trust, encoding, locale, sync, NULL};
  md_bench_cluster_program("initdb", program, sizeof program);
  (void)snprintf(data, sizeof data, "%s/data", dir);
  return await_good_end(start_program(dir, argv));
}

/* The keeper: makes the cluster, runs the server, and takes all of it away when nobody holds the
 * other end any more. In a session of its own: an interrupt from the keyboard is not for it. */
static void
keep(const char *dir, bool is_safe, int gone_fd) {
  char  byte, rm[] = "rm", rf[] = "-rf", path[PATH_BYTES];
  char *argv[] = {rm, rf, path, NULL};
  (void)snprintf(path, sizeof path, "%s", dir);
  (void)setsid();
  pid_t server = make_data(dir) ? start_server(dir, is_safe) : -1;
  while (read(gone_fd, &byte, 1) < 0 && errno == EINTR)
    ;
  if (server > 0) {
    (void)kill(server, SIGQUIT);
    (void)waitpid(server, NULL, 0);
  }
  (void)execvp(rm, argv);
  _exit(1);
}

static bool
answers(const md_bench_cluster_t *c) {
  md_pg_call_t call = {0};
  md_msg_t     msg  = {{0}};
  md_err_t     err  = md_pg_call_open(&call, c->conninfo, START_NS, &msg);
  md_pg_call_close(&call);
  return err == MD_OK;
}

static bool
await_server(const md_bench_cluster_t *c) {
  const int64_t end_ns = md_clock_mono_ns(md_clock_system()) + START_NS;
  while (md_clock_mono_ns(md_clock_system()) < end_ns) {
    if (answers(c)) return true;
    if (waitpid(c->keeper, NULL, WNOHANG) != 0) return false;
    (void)usleep(PAUSE_US);
  }
  return false;
}

static bool
start_keeper(md_bench_cluster_t *c, bool is_safe) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(c, "no pipe");
  c->keeper = fork();
  if (c->keeper == 0) {
    (void)close(ends[1]);
    keep(c->dir, is_safe, ends[0]);
  }
  (void)close(ends[0]);
  c->hold_fd = ends[1];
  return c->keeper > 0 || fail(c, "no process");
}

/* A folder that the server's user may go through, too, and whose name leaves room for a socket's.
 */
static const char *
parent_dir(void) {
  struct stat st;
  const char *dir  = getenv("TMPDIR");
  bool        fits = dir && dir[0] == '/' && strlen(dir) < 48 && stat(dir, &st) == 0;
  return fits && (!owner() || (st.st_mode & S_IXOTH)) ? dir : "/tmp";
}

bool
md_bench_cluster_start(md_bench_cluster_t *c, bool is_safe) {
  const char *named = getenv("MD_CONNINFO");
  char        program[PATH_BYTES];
  *c = (md_bench_cluster_t){.hold_fd = -1};
  md_bench_cluster_program("initdb", program, sizeof program);
  c->is_private = !named || !named[0];
  if (c->is_private && program[0] != '/')
    return fail(c,
                "the server programs are missing: apt-get install postgresql, or set MD_CONNINFO");
  (void)snprintf(c->dir, sizeof c->dir, "%.48s/mdcopy.XXXXXX", parent_dir());
  if (!mkdtemp(c->dir)) return fail(c, "no folder can be made: set TMPDIR");
  if (!c->is_private) {
    (void)snprintf(c->conninfo, sizeof c->conninfo, "%s", named);
    if (chmod(c->dir, 0755) == 0 && answers(c)) return true;
    (void)rmdir(c->dir);
    return fail(c, "the database of MD_CONNINFO does not answer");
  }
  const struct passwd *p = owner();
  (void)snprintf(c->conninfo, sizeof c->conninfo, "host=%s dbname=postgres user=mdengine", c->dir);
  if (p && chown(c->dir, p->pw_uid, p->pw_gid) != 0) return fail(c, "the folder cannot be given");
  if (start_keeper(c, is_safe) && await_server(c)) return true;
  md_bench_cluster_stop(c);
  return fail(c, "the private server did not start");
}

void
md_bench_cluster_stop(md_bench_cluster_t *c) {
  if (c->hold_fd >= 0) (void)close(c->hold_fd);
  if (c->keeper > 0) (void)waitpid(c->keeper, NULL, 0);
  if (!c->is_private && c->dir[0]) (void)rmdir(c->dir);
  c->hold_fd = -1;
  c->keeper  = 0;
}
