/* fault_io [control|WORKLOAD [KIND [once|good [N]]]]: every call on the disk of four workloads
 * fails in turn, in every way that it can, once and for good.
 *
 * A clean run counts the calls, N of them. Then, for each n up to N, the workload runs with the
 * n-th failing. Whatever happens, nothing crashes, hangs, or leaves a file open; a failed start
 * says why. A journal that met one failure goes on by itself and drains; one that never gets its
 * disk back waits, and what it could not write is taken over from the rings by the next start. At
 * the end every record that was published is there once, byte for byte, and nothing else, and so it
 * stays through one more life.
 *
 * Control: a disk that drops what it calls synced must be found out. */
#include "tests/fault/fault_world.h"

#include <sys/mman.h>
#include <sys/wait.h>

#define RUN_SECONDS 60 /* a run takes milliseconds; more is a hang */

typedef struct workload {
  const char *name;
  void (*prepare)(world_t *w); /* before the faults; may be NULL */
  void (*run)(world_t *w);     /* a life: start, records, stop */
  md_journal_policy_t policy;
  uint64_t            segment_bytes;
} workload_t;

/* What a run tells its parent. */
typedef struct result {
  uint64_t call_cnt, hit_cnt;
  bool     silent; /* met a fault and said nothing */
  char     hit[120];
  char     wrong[200];
} result_t;

static result_t *result; /* shared with the child */

/* ---- workloads ---- */

static void
rounds(world_t *w, uint32_t round_cnt, uint32_t record_cnt) {
  for (uint32_t i = 0; i < round_cnt; i++) {
    world_publish(w, record_cnt);
    (void)world_drain(w, false, 40);
  }
}

static void
run_append(world_t *w) {
  if (world_start(w)) rounds(w, 6, 12);
  world_stop(w);
}

/* Each round is more than a segment. */
static void
run_roll(world_t *w) {
  if (world_start(w)) rounds(w, 4, 160);
  world_stop(w);
}

/* An engine is killed with a block that no sync covered and records in its rings. */
static void
die_once(world_t *w) {
  md_assert(world_start(w));
  rounds(w, 3, 12);
  world_publish(w, 20);
  world_turn(w);
  world_publish(w, 28);
  /* As kill -9 leaves it: the descriptors go, the files stay as they are. */
  char copy[128], command[400];
  (void)snprintf(copy, sizeof copy, "%s.killed", w->h.dir);
  (void)snprintf(command, sizeof command, "cp -r --sparse=always '%s' '%s'", w->h.dir, copy);
  md_assert(system(command) == 0);
  uint8_t *rings = malloc(WORLD_RINGS_BYTES);
  md_assert(rings != NULL);
  memcpy(rings, w->rings, WORLD_RINGS_BYTES);
  md_sink_journal.close(w->h.state);
  md_manifest_close(w->h.manifest);
  memcpy(w->rings, rings, WORLD_RINGS_BYTES);
  free(rings);
  (void)snprintf(command, sizeof command, "rm -r '%s' && mv '%s' '%s'", w->h.dir, copy, w->h.dir);
  md_assert(system(command) == 0);
  w->h.state = NULL;
  w->is_up   = false;
}

/* Bytes of a block that was being written when the power went. */
static void
tear_tail(world_t *w) {
  char command[400];
  (void)snprintf(command, sizeof command,
                 "f=$(ls '%s'/seg-*.mdj | tail -n 1) && printf 'BLKBtorn' >>\"$f\"", w->h.dir);
  md_assert(system(command) == 0);
}

static void
prepare_recover(world_t *w) {
  die_once(w);
  tear_tail(w);
}

static void
run_recover(world_t *w) {
  if (world_start(w)) rounds(w, 2, 12);
  world_stop(w);
}

/* The disk is full for a while, in which the segment is, too. */
static void
run_disk_full(world_t *w) {
  if (world_start(w)) {
    rounds(w, 1, 40);
    w->disk.full = true;
    rounds(w, 3, 100);
    w->disk.full = false;
    rounds(w, 1, 40);
  }
  w->disk.full = false;
  world_stop(w);
}

static const workload_t workloads[] = {
    {"append", NULL, run_append, MD_JOURNAL_BATCH, 1u << 30},
    {"roll", NULL, run_roll, MD_JOURNAL_INTERVAL, 1u << 16},
    {"recover", prepare_recover, run_recover, MD_JOURNAL_BATCH, 1u << 30},
    {"disk-full", NULL, run_disk_full, MD_JOURNAL_INTERVAL, 1u << 16},
};

/* ---- one run ---- */

typedef struct plan {
  const workload_t *workload;
  fault_kind_t      kind;
  bool              for_good;
  uint64_t          at;
  bool              trace;
} plan_t;

static void
heal(world_t *w, fault_disk_t *told) {
  *told           = w->disk;
  w->disk.kind    = FAULT_NONE;
  w->disk.at      = 0;
  w->disk.full    = false;
  w->disk.hit_cnt = 0;
}

/* The journal has the fault behind it: all comes back by itself, or with the next start. */
static void
afterlife(world_t *w, const plan_t *p) {
  fault_disk_t told;
  heal(w, &told);
  if (!p->for_good && w->start_cnt > 0 && w->ring_left && p->kind != FAULT_LIE)
    world_wrong(w, "one failure, and the journal never drained: %.120s", w->h.last_text);
  if (w->start_cnt > 0 && !w->ring_left) world_check(w, true);
  if (!world_start(w)) {
    world_wrong(w, "no start on a healthy disk: %.150s", w->h.last_text);
    return;
  }
  rounds(w, 1, 8);
  world_stop(w);
  if (w->ring_left) world_wrong(w, "a healthy disk, and the journal never drained");
  world_check(w, true);
}

static void
run_in_child(const plan_t *p, const char *dir) {
  static world_t w;
  world_init(&w, dir, p->workload->policy, p->workload->segment_bytes);
  fault_disk_init(&w.disk, FAULT_NONE, 0, false);
  if (p->workload->prepare) p->workload->prepare(&w);
  md_assert(w.disk.open_cnt == 0);
  fault_disk_init(&w.disk, p->kind, p->at, p->for_good);
  w.disk.trace    = p->trace;
  w.complaint_cnt = 0;
  w.start_cnt     = 0;
  p->workload->run(&w);
  result->call_cnt = w.disk.call_cnt;
  result->hit_cnt  = w.disk.hit_cnt;
  if (w.disk.hit_cnt > 0)
    (void)snprintf(result->hit, sizeof result->hit, "%s %s", w.disk.hit_name, w.disk.hit_path);
  result->silent = w.complaint_cnt == 0;
  afterlife(&w, p);
  memcpy(result->wrong, w.wrong, sizeof w.wrong);
  world_fini(&w);
}

/* What may fail without a word: closing and removing, the wish for more room than is needed, and
 * the block that seals a segment in which all is durable already. A short read or write and EINTR
 * are gone on with. */
static bool
may_be_silent(const plan_t *p) {
  static const char *const calls[] = {"close ",         "unlink ",     "allocate ", "pwrite seg-",
                                      "fdatasync seg-", "free_bytes ", "seek_data "};
  if (p->kind == FAULT_EINTR || p->kind == FAULT_SHORT) return true;
  for (uint32_t i = 0; i < MD_CNT(calls); i++)
    if (strncmp(result->hit, calls[i], strlen(calls[i])) == 0) return true;
  return false;
}

/* Runs in a child, so that a crash or a hang is a result like others. False: something is wrong,
 * and result->wrong says what. */
static bool
run(const plan_t *p) {
  char dir[64];
  (void)snprintf(dir, sizeof dir, "%s/mdengine-fault-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  md_assert(mkdtemp(dir) != NULL);
  memset(result, 0, sizeof *result);
  (void)fflush(NULL);
  pid_t child = fork();
  md_assert(child >= 0);
  if (child == 0) {
    (void)alarm(RUN_SECONDS);
    run_in_child(p, dir);
    exit(0);
  }
  int status = 0;
  md_assert(waitpid(child, &status, 0) == child);
  help_remove_dir(dir);
  char copy[80];
  (void)snprintf(copy, sizeof copy, "%s.killed", dir);
  help_remove_dir(copy);
  if (WIFSIGNALED(status))
    (void)snprintf(result->wrong, sizeof result->wrong, "%s",
                   WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
  else if (WEXITSTATUS(status) != 0 && !result->wrong[0])
    (void)snprintf(result->wrong, sizeof result->wrong, "exit status %d", WEXITSTATUS(status));
  if (!result->wrong[0] && result->silent && result->hit_cnt > 0 && !may_be_silent(p))
    (void)snprintf(result->wrong, sizeof result->wrong, "nothing was said");
  return result->wrong[0] == 0;
}

/* ---- all runs ---- */

typedef struct totals {
  uint64_t run_cnt, wrong_cnt, silent_cnt;
} totals_t;

static void
each_call(plan_t p, totals_t *t, uint64_t call_cnt, uint64_t only) {
  uint64_t wrong_cnt = 0, silent_cnt = 0, run_cnt = 0;
  for (p.at = only ? only : 1; p.at <= (only ? only : call_cnt); p.at++) {
    run_cnt++;
    bool ok = run(&p);
    if (result->silent) silent_cnt++;
    if (p.trace && result->silent && result->hit_cnt > 0)
      (void)printf("  said nothing: %s\n", result->hit);
    if (ok) continue;
    if (wrong_cnt++ < 5)
      (void)printf("  %s %s %s %" PRIu64 " (%s): %s\n", p.workload->name, fault_kind_name[p.kind],
                   p.for_good ? "good" : "once", p.at, result->hit, result->wrong);
  }
  t->run_cnt += run_cnt;
  t->wrong_cnt += wrong_cnt;
  t->silent_cnt += silent_cnt;
  (void)printf("%-9s %-9s %-8s %4" PRIu64 " of %" PRIu64 " well, %" PRIu64 " without a word\n",
               p.workload->name, fault_kind_name[p.kind], p.for_good ? "for good" : "once",
               run_cnt - wrong_cnt, run_cnt, silent_cnt);
  (void)fflush(stdout);
}

/* The calls of a clean run; it must be clean. */
static uint64_t
count_calls(plan_t p) {
  p.at    = 0;
  bool ok = run(&p);
  if (!ok) (void)printf("%s: the clean run: %s\n", p.workload->name, result->wrong);
  return ok ? result->call_cnt : 0;
}

static bool
control(void) {
  plan_t   p        = {.workload = &workloads[0], .kind = FAULT_LIE};
  uint64_t call_cnt = count_calls(p), found_cnt = 0;
  for (p.at = 1; p.at <= call_cnt; p.at++)
    if (!run(&p)) found_cnt++;
  (void)printf("%" PRIu64 " of %" PRIu64 " lies about a sync were found out\n", found_cnt,
               call_cnt);
  return call_cnt > 0 && 2 * found_cnt > call_cnt;
}

static bool
is_wanted(int argc, char **argv, int i, const char *name) {
  return argc <= i || strcmp(argv[i], name) == 0;
}

int
main(int argc, char **argv) {
  totals_t t = {0};
  result = mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  md_assert(result != MAP_FAILED);
  if (argc == 2 && strcmp(argv[1], "control") == 0) return control() ? 0 : 1;
  uint64_t only = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
  for (uint32_t i = 0; i < MD_CNT(workloads); i++) {
    if (!is_wanted(argc, argv, 1, workloads[i].name)) continue;
    for (unsigned kind = FAULT_EIO; kind <= FAULT_SYNC; kind++) {
      if (!is_wanted(argc, argv, 2, fault_kind_name[kind])) continue;
      plan_t   p = {.workload = &workloads[i], .kind = (fault_kind_t)kind, .trace = only != 0};
      uint64_t n = only ? only : count_calls(p);
      if (n == 0) return 1;
      for (unsigned good = 0; good < 2; good++) {
        p.for_good = good != 0;
        if (is_wanted(argc, argv, 3, good ? "good" : "once")) each_call(p, &t, n, only);
      }
    }
  }
  (void)printf("%" PRIu64 " runs, %" PRIu64 " wrong\n", t.run_cnt, t.wrong_cnt);
  return t.wrong_cnt == 0 && t.run_cnt ? 0 : 1;
}
