/* shm_weave: the models' scripts with the real code of writer and reader, stopped at every access
 * to a shared word by a schedule that is tried in full.
 *
 *   shm_weave [BUDGET]  all schedules with the reader paused once, and those with two pauses: all
 * of them where they are at most BUDGET, else evenly chosen shm_weave control   a reader that
 * forgets its last look must be caught shm_weave points    where a thread was stopped: FILE:LINE,
 * and how often
 *
 * The reader is stopped before its access i, the writer then does accesses up to j, the reader goes
 * on: all i and j. What is read is checked, and every read comes to an end while the writer stands
 * still in the middle of a change. Order of memory is not the question here (shm_model's is): each
 * access takes effect at once. */
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include "shm/limits.h"
#include "tests/model/model.h"

#define STACK_BYTES (256u << 10)
#define PAUSE_MAX   2u
#define NEVER       UINT32_MAX
#define RANGE_MAX   32u

extern model_site_t __start_model_sites[], __stop_model_sites[];

typedef struct thread {
  ucontext_t context;
  void (*run)(void);
  uint32_t access_cnt; /* since the schedule began */
  uint32_t stop_at;    /* gives the processor back before this access */
  bool     ended;
} thread_t;

static thread_t       threads[2]; /* writer, reader */
static thread_t      *current;    /* NULL: nobody is scheduled */
static ucontext_t     scheduler;
static const model_t *script;
static uint32_t       reader_max; /* accesses of the reader that its bounds allow */
static bool           failed;

/* The words at which a thread can be stopped: those that the model marked. */
static struct { const uint8_t *first, *end; } ranges[RANGE_MAX];
static unsigned range_cnt;
static _Alignas(64) uint8_t stacks[2][STACK_BYTES];

/* ---- the calls of model_atomics.h ---- */

static void
point(const void *p, model_site_t *site) {
  const uint8_t *at    = p;
  bool           known = false;

  if (current == NULL) return;
  for (unsigned i = 0; i < range_cnt && !known; i++)
    known = at >= ranges[i].first && at < ranges[i].end;
  if (!known) return;
  thread_t *me = current;
  if (me->access_cnt == me->stop_at) {
    site->hit_cnt++;
    if (swapcontext(&me->context, &scheduler) != 0) abort();
  }
  me->access_cnt++;
}

uint64_t
model_load(const uint64_t *p, model_site_t *site) {
  point(p, site);
  return *p;
}

void
model_store(uint64_t *p, uint64_t value, model_site_t *site) {
  point(p, site);
  *p = value;
}

uint64_t
model_fetch_add(uint64_t *p, uint64_t value, model_site_t *site) {
  point(p, site);
  const uint64_t before = *p;
  *p += value;
  return before;
}

/* A copy of some words to or from the shared memory of a ring is a point as well. */
void
model_copy(void *to, const void *from, size_t bytes) {
  static model_site_t site = {.file = "memcpy"};

  point(from, &site);
  point(to, &site);
  memmove(to, from, bytes);
}

#undef memset
void
model_fill(void *to, int byte, size_t bytes) {
  memset(to, byte, bytes);
}

void
model_mark_atomic(const void *first, size_t bytes) {
  const uint8_t *from = first;

  for (unsigned i = 0; i < range_cnt; i++)
    if (ranges[i].first == from) return; /* as in the setup before */
  if (range_cnt == RANGE_MAX) abort();
  ranges[range_cnt].first = from;
  ranges[range_cnt++].end = from + bytes;
}

void
model_mark_plain(const void *first, size_t bytes) {
  model_mark_atomic(first, bytes);
}

void
model_fail(const char *file, int line, const char *what) {
  if (!failed) {
    printf("%s: %s:%d: %s\n", script->name, file, line, what);
    printf("  writer at its access %u, reader at its access %u\n", threads[0].access_cnt,
           threads[1].access_cnt);
  }
  failed = true;
}

void
md_assert_fail(const char *file, int line, const char *what) {
  model_fail(file, line, what);
  abort();
}

/* ---- schedules ---- */

static void
thread_main(void) {
  current->run();
  current->ended   = true;
  current->stop_at = NEVER;
}

static void
thread_start(unsigned i, void (*run)(void)) {
  thread_t *t = &threads[i];

  *t = (thread_t){.run = run};
  if (getcontext(&t->context) != 0) abort();
  t->context.uc_stack.ss_sp   = stacks[i];
  t->context.uc_stack.ss_size = STACK_BYTES;
  t->context.uc_link          = &scheduler;
  makecontext(&t->context, thread_main, 0);
}

/* go lets a thread run up to its access stop_at, or to its end. */
static void
go(unsigned i, uint32_t stop_at) {
  thread_t *t = &threads[i];

  if (t->ended || t->access_cnt >= stop_at) return;
  t->stop_at = stop_at;
  current    = t;
  if (swapcontext(&scheduler, &t->context) != 0) abort();
  current = NULL;
}

/* One schedule: the reader to its access reader_at[k], the writer to its access writer_at[k]. */
static bool
weave(const uint32_t *reader_at, const uint32_t *writer_at, unsigned pauses) {
  script->setup();
  thread_start(0, script->thread[0]);
  thread_start(1, script->thread[script->thread_cnt - 1]);
  for (unsigned k = 0; k < pauses; k++) {
    go(1, reader_at[k]);
    go(0, writer_at[k]);
  }
  go(1, NEVER);
  if (threads[1].access_cnt > reader_max)
    model_fail(__FILE__, __LINE__, "the reader needs a bounded number of accesses");
  go(0, NEVER);
  if (script->after != NULL) script->after();
  return !failed;
}

/* How many accesses a thread makes when it runs alone. */
static uint32_t
count_accesses(unsigned i) {
  script->setup();
  thread_start(0, script->thread[0]);
  thread_start(1, script->thread[script->thread_cnt - 1]);
  go(i, NEVER);
  return threads[i].access_cnt;
}

/* weave_all tries the schedules of a script with one and with two pauses; *part says that of those
 * with two only one in so many was. */
static bool
weave_all(uint64_t budget, uint64_t *schedule_cnt, uint64_t *part) {
  const uint32_t writer_cnt = count_accesses(0);
  const uint32_t reader_cnt = count_accesses(1);
  const uint64_t pairs      = (uint64_t)(reader_cnt + 1) * (writer_cnt + 1);
  const uint64_t all        = pairs * (2 * reader_cnt) * writer_cnt / 4;
  uint64_t       turn       = 0;
  uint32_t       r[PAUSE_MAX], w[PAUSE_MAX];

  reader_max = MD_READ_RETRY_MAX * reader_cnt;
  *part      = budget == 0 ? 0 : all / budget + 1;
  for (r[0] = 0; r[0] <= reader_cnt; r[0]++) {
    for (w[0] = 0; w[0] <= writer_cnt; w[0]++) {
      ++*schedule_cnt;
      if (!weave(r, w, 1)) return false;
      if (*part == 0) continue;
      /* A read that was disturbed makes more accesses than one alone: once round again. */
      for (r[1] = r[0] + 1; r[1] <= 2 * reader_cnt; r[1]++) {
        for (w[1] = w[0] + 1; w[1] <= writer_cnt; w[1]++) {
          if (turn++ % *part != 0) continue;
          ++*schedule_cnt;
          if (!weave(r, w, 2)) return false;
        }
      }
    }
  }
  return true;
}

static int
weave_scripts(uint64_t budget) {
  static const model_t *const scripts[] = {
      &model_ring,      &model_takeover, &model_tape,      &model_tape_oldest, &model_words,
      &model_bbo,       &model_top,      &model_ladder,    &model_depth,       &model_depth_far,
      &model_directory, &model_restart,  &model_rings_file};
  uint64_t total_cnt = 0;
  uint32_t point_cnt = 0;

  for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
    uint64_t cnt = 0, part = 0;
    script    = scripts[i];
    range_cnt = 0;
    if (!weave_all(budget, &cnt, &part)) return 1;
    printf("%-11s %llu schedules, of those with two pauses one in %llu: %s\n", script->name,
           (unsigned long long)cnt, (unsigned long long)part, script->what);
    (void)fflush(stdout);
    total_cnt += cnt;
  }
  for (const model_site_t *s = __start_model_sites; s < __stop_model_sites; s++)
    point_cnt += s->hit_cnt != 0;
  printf(
      "%llu schedules of two threads that were stopped at %u places of the code: all reads right, "
      "none without end\n",
      (unsigned long long)total_cnt, point_cnt);
  return 0;
}

int
main(int argc, char **argv) {
  const char *verb = argc > 1 ? argv[1] : "100000";

  if (strcmp(verb, "control") == 0) {
    uint64_t cnt = 0, part = 0;
    script = &model_forgetful;
    if (weave_all(0, &cnt, &part)) return 1;
    printf("a reader that does not look at the version again: caught at schedule %llu\n",
           (unsigned long long)cnt);
    return 0;
  }
  if (strcmp(verb, "points") == 0) {
    if (weave_scripts(0) != 0) return 1;
    for (const model_site_t *s = __start_model_sites; s < __stop_model_sites; s++)
      if (s->hit_cnt != 0) printf("%s:%d %llu\n", s->file, s->line, (unsigned long long)s->hit_cnt);
    return 0;
  }
  const uint64_t budget = strtoull(verb, NULL, 10);
  if (budget != 0) return weave_scripts(budget);
  (void)fprintf(stderr, "usage: shm_weave [BUDGET | control | points]\n");
  return 2;
}
