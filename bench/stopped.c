#include "bench/stopped.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/client/mdshm.h"

static pid_t    reader[MD_BENCH_STOPPED_CNT];
static uint32_t reader_cnt;

/* What a reader does before it stops; false: it could not. */
static bool
read_once(const char *dir) {
  mdshm_t       *shm;
  mdshm_tape_t  *tape;
  mdshm_top_t    top    = {.struct_size = sizeof top};
  mdshm_ladder_t ladder = {.struct_size = sizeof ladder};
  return mdshm_open(dir, MD_BENCH_WORLD_NAME, 0, &shm, NULL, 0) == MDSHM_OK &&
         mdshm_register(shm, "bench") == MDSHM_OK &&
         mdshm_read_top(shm, 0, MDSHM_ANY_AGE, &top) == MDSHM_OK &&
         mdshm_read_ladder(shm, 0, MDSHM_ANY_AGE, &ladder) == MDSHM_OK &&
         mdshm_tape_open(shm, 0, MDSHM_FROM_NOW, &tape) == MDSHM_OK;
}

static bool
start_one(const char *dir) {
  pid_t parent = getpid();
  int   status = 0;
  pid_t pid    = fork();
  if (pid < 0) return false;
  if (pid == 0) {
    /* An interrupt must not take the files away from here: the parent does that. */
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGHUP, SIG_DFL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || !read_once(dir)) _exit(1);
    (void)raise(SIGSTOP);
    _exit(1); /* nobody lets it go on */
  }
  reader[reader_cnt++] = pid;
  return waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status);
}

bool
md_bench_stopped_start(const md_bench_world_t *w) {
  bool good  = true;
  reader_cnt = 0;
  while (good && reader_cnt < MD_BENCH_STOPPED_CNT)
    good = start_one(w->dir);
  if (!good) md_bench_stopped_end();
  return good;
}

void
md_bench_stopped_end(void) {
  for (uint32_t i = 0; i < reader_cnt; i++)
    (void)kill(reader[i], SIGKILL);
  for (uint32_t i = 0; i < reader_cnt; i++)
    (void)waitpid(reader[i], NULL, 0);
  reader_cnt = 0;
}
