/* shm_model: runs the models of shm/ under Relacy, as they are or with one order weakened.
 *
 *   shm_model list
 *   shm_model run NAME COUNT          COUNT random executions, then those of few switches, each
 * once shm_model mutants COUNT           every acquire and release made relaxed: within COUNT
 *                                     executions a model must fail; the last line is N of N
 *   shm_model weaken NAME COUNT SITE  one of them, with the execution that fails
 *
 * Relacy offers a load every value that the memory model allows, up to seven values old. A thread
 * is stopped between any two accesses: at random, or in the search of few switches everywhere. */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include <sys/wait.h>
#include <unistd.h>

// clang-format off
/* Relacy remembers three values of a word; a slot of the ladder is five behind before it is told. */
#define atomic_history_size atomic_history_size_of_relacy
#include <relacy/pch.hpp>
#include <relacy/defs.hpp>
#undef atomic_history_size
namespace rl {
size_t const atomic_history_size = 8;
}
#include <relacy/relacy.hpp>
// clang-format on
#undef new
#undef delete
#undef assert

/* How often of 1024 times a load goes back to an older value where it may. Chosen for each
 * execution: a reader that sees only the newest values, one that sees only the oldest, and what
 * lies between. */
static unsigned stale;

namespace rl {
template <>
inline unsigned
random_scheduler<2>::rand_impl(unsigned limit, sched_type t) {
  const unsigned r = rand_.rand();
  return t == sched_type_atomic_load ? r % 1024 < stale : r % limit;
}
template <>
inline unsigned
random_scheduler<3>::rand_impl(unsigned limit, sched_type t) {
  const unsigned r = rand_.rand();
  return t == sched_type_atomic_load ? r % 1024 < stale : r % limit;
}
} // namespace rl

extern "C" {
#include "tests/model/model.h"
#undef memcpy
#undef memset
void                md_assert_fail(const char *file, int line, const char *what);
extern model_site_t __start_model_sites[], __stop_model_sites[];
}

namespace {

typedef rl::atomic<uint64_t> cell_t;
typedef rl::var<uint64_t>    plain_t;

const unsigned cell_max = 1200;
const unsigned map_max  = 1 << 15; /* words that a hash holds */
const unsigned absent   = 0xffff;

const model_t *const models[] = {
    &model_ring,  &model_account,   &model_takeover,  &model_tape,    &model_tape_oldest,
    &model_words, &model_bbo,       &model_top,       &model_ladder,  &model_progress,
    &model_depth, &model_depth_far, &model_directory, &model_restart, &model_rings_file};

/* Addresses of marked words. Filled in the first setup: the memory of a model stands still. */
struct word {
  uintptr_t address;
  uint16_t  cell, plain;
};
word      words[map_max];
unsigned  cell_cnt, plain_cnt;
uint64_t *cell_place[cell_max];
bool      marked;

alignas(16) char cell_mem[cell_max][sizeof(cell_t)];
alignas(16) char plain_mem[cell_max][sizeof(plain_t)];

const model_t *tried;
bool           observed; /* a thread of the model runs */
bool           bounded;
unsigned       grain; /* a thread may be stopped at one access of so many */
uint64_t       execution_cnt, execution_max;

cell_t &
cell(unsigned i) {
  return *reinterpret_cast<cell_t *>(cell_mem[i]);
}
plain_t &
plain(unsigned i) {
  return *reinterpret_cast<plain_t *>(plain_mem[i]);
}

word *
find(const void *p) {
  uintptr_t address = reinterpret_cast<uintptr_t>(p) & ~uintptr_t(7);
  unsigned  i       = unsigned((address >> 3) * 2654435761u) % map_max;
  while (words[i].address != 0 && words[i].address != address)
    i = (i + 1) % map_max;
  return &words[i];
}

word *
mark(const void *p) {
  word *w = find(p);
  if (w->address == 0) {
    w->address = reinterpret_cast<uintptr_t>(p) & ~uintptr_t(7);
    w->cell = w->plain = absent;
  }
  return w;
}

/* Random executions in which no thread runs on for long are all alike: the grain makes some of them
 * coarse. The bounded search decides by itself. */
class stop {
public:
  stop() : off_(!bounded && grain > 1 && rl::rand(grain) != 0) {
    if (off_) rl::ctx().disable_preemption();
  }
  ~stop() {
    if (off_) rl::ctx().enable_preemption();
  }

private:
  bool off_;
};

void
look(const word *w, bool write) {
  if (w->address == 0 || w->plain == absent) return;
  if (write)
    plain(w->plain)($).store(1);
  else
    plain(w->plain)($).load();
}

/* A plain access to any byte of a marked word. */
void
access(const void *p, size_t bytes, bool write) {
  if (!observed) return;
  const uintptr_t first = reinterpret_cast<uintptr_t>(p) & ~uintptr_t(7);
  const uintptr_t end   = reinterpret_cast<uintptr_t>(p) + bytes;
  for (uintptr_t at = first; at < end; at += 8)
    look(find(reinterpret_cast<const void *>(at)), write);
}

template <rl::thread_id_t thread_cnt> struct suite : rl::test_suite<suite<thread_cnt>, thread_cnt> {
  void before() {
    observed = false;
    tried->setup();
    marked = true;
    for (unsigned i = 0; i < cell_cnt; i++) {
      ::new (static_cast<void *>(cell_mem[i])) cell_t();
      cell(i).store(*cell_place[i], rl::mo_relaxed, $);
    }
    for (unsigned i = 0; i < plain_cnt; i++) {
      ::new (static_cast<void *>(plain_mem[i])) plain_t();
      plain(i)($).store(0);
    }
    execution_cnt++;
    if (bounded && execution_cnt > execution_max) rl::ctx().rl_until("enough", $);
    static const unsigned grains[] = {1, 2, 8, 32, 100};
    static const unsigned stales[] = {0, 64, 512, 960, 1020};
    grain                          = bounded ? 1 : grains[rl::rand(5)];
    stale                          = bounded ? 0 : stales[rl::rand(5)];
    observed                       = true;
  }

  void thread(unsigned i) { tried->thread[i](); }

  void after() {
    observed = false;
    if (tried->after != 0) tried->after();
    for (unsigned i = 0; i < cell_cnt; i++)
      cell(i).~cell_t();
    for (unsigned i = 0; i < plain_cnt; i++)
      plain(i).~plain_t();
  }
};

/* What Relacy says, in memory of our own: strings that grow during an execution are its own. */
struct text_buffer : std::streambuf {
  char text[1 << 20];
  text_buffer() { setp(text, text + sizeof text); }
  int    overflow(int c) { return c; }
  size_t size() const { return static_cast<size_t>(pptr() - pbase()); }
};

/* simulate returns whether the model held; *finished whether the search came to its end. */
bool
simulate(uint64_t count, unsigned bound, bool talk, bool *finished) {
  static text_buffer told;
  std::ostream       stream(&told);
  rl::test_params    params;
  params.iteration_count = count;
  params.progress_stream = params.output_stream = &stream;
  params.execution_depth_limit                  = 200000;
  params.search_type                            = bound != 0 ? rl::sched_bound : rl::sched_random;
  params.context_bound                          = bound;
  bounded                                       = bound != 0;
  execution_cnt                                 = 0;
  execution_max                                 = bound != 0 ? count : ~uint64_t(0);
  if (tried->thread_cnt == 3)
    rl::simulate<suite<3>>(params);
  else
    rl::simulate<suite<2>>(params);
  observed  = false;
  *finished = params.test_result == rl::test_result_success;
  if (*finished || params.test_result == rl::test_result_until_condition_hit) return true;
  if (talk) printf("%.*s\n", static_cast<int>(told.size()), told.text);
  return false;
}

bool
answers_for(const model_site_t *s) {
  char name[128];
  (void)snprintf(name, sizeof name, " %s ", s->file);
  return s->order != MODEL_RELAXED && strstr(tried->files, name) != 0;
}

/* run prints a line; exit status 1 when the model does not hold. */
int
run(uint64_t count) {
  bool finished;
  if (!simulate(count, 0, true, &finished)) return 1;
  printf("%-11s %llu random executions", tried->name, (unsigned long long)count);
  for (unsigned bound = 1; bound <= tried->bound; bound++) {
    if (!simulate(4 * count, bound, true, &finished)) return 1;
    if (!finished) {
      printf(", of %u switches %llu", bound, (unsigned long long)execution_cnt);
      break;
    }
    printf(", of %u switches all %llu", bound, (unsigned long long)execution_cnt);
  }
  printf(": %s\n", tried->what);
  return 0;
}

bool
is_same(const model_site_t *a, const model_site_t *b) {
  return a->line == b->line && strcmp(a->file, b->file) == 0;
}

void
set_weak(const model_site_t *site, bool weak) {
  for (model_site_t *s = __start_model_sites; s < __stop_model_sites; s++)
    if (is_same(s, site)) s->weak = weak;
}

/* is_caught runs a model with one order weakened, in a process of its own: memory may be corrupt.
 */
bool
is_caught(const model_site_t *site, uint64_t count) {
  const pid_t pid    = fork();
  int         status = 0;
  bool        finished;
  if (pid == 0) {
    set_weak(site, true);
    _exit(simulate(count, 0, false, &finished) ? 0 : 1);
  }
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

bool
is_first(const model_site_t *site) {
  for (model_site_t *s = __start_model_sites; s < site; s++)
    if (is_same(s, site)) return false;
  return true;
}

/* mutants weakens every acquire and release of the models' files in turn: some model that answers
 * for the file must fail. */
int
mutants(uint64_t count) {
  unsigned total = 0, caught = 0;
  for (model_site_t *s = __start_model_sites; s < __stop_model_sites; s++) {
    const char *by     = 0;
    bool        wanted = false;
    if (s->order == MODEL_RELAXED || !is_first(s)) continue;
    for (const model_t *m : models) {
      tried = m;
      if (by != 0 || !answers_for(s)) continue;
      wanted = true;
      if (is_caught(s, count)) by = m->name;
    }
    if (!wanted) continue;
    total++;
    caught += by != 0;
    printf("%s:%d %s made relaxed: %s%s\n", s->file, s->line,
           s->order == MODEL_ACQUIRE ? "acquire" : "release", by != 0 ? "caught by " : "MISSED",
           by != 0 ? by : "");
    (void)fflush(stdout);
  }
  printf("%u of %u weakened orders caught\n", caught, total);
  return caught == total && total > 0 ? 0 : 1;
}

/* weaken shows how a model fails: its last execution, access by access. */
int
weaken(uint64_t count, const char *site) {
  bool finished;
  for (model_site_t *s = __start_model_sites; s < __stop_model_sites; s++) {
    char name[128];
    (void)snprintf(name, sizeof name, "%s:%d", s->file, s->line);
    if (strcmp(name, site) != 0) continue;
    set_weak(s, true);
    const bool holds = simulate(count, 0, true, &finished);
    printf("%s made relaxed in %s: %s\n", site, tried->name, holds ? "MISSED" : "caught");
    return holds ? 1 : 0;
  }
  (void)fprintf(stderr, "shm_model: no order at %s\n", site);
  return 2;
}

} // namespace

extern "C" {

void
model_mark_atomic(const void *first, size_t bytes) {
  if (marked) return;
  for (size_t i = 0; i < bytes; i += 8) {
    const char *p = static_cast<const char *>(first) + i;
    word       *w = mark(p);
    if (w->cell != absent) continue;
    if (cell_cnt == cell_max) abort();
    cell_place[cell_cnt] = reinterpret_cast<uint64_t *>(w->address);
    w->cell              = static_cast<uint16_t>(cell_cnt++);
  }
}

void
model_mark_plain(const void *first, size_t bytes) {
  if (marked) return;
  for (size_t i = 0; i < bytes; i += 8) {
    word *w = mark(static_cast<const char *>(first) + i);
    if (w->plain != absent) continue;
    if (plain_cnt == cell_max) abort();
    w->plain = static_cast<uint16_t>(plain_cnt++);
  }
}

void
model_fail(const char *file, int line, const char *what) {
  char text[256];
  (void)snprintf(text, sizeof text, "%s:%d: %s", file, line, what);
  if (!observed) {
    (void)fprintf(stderr, "shm_model: %s (before or after the threads)\n", text);
    abort();
  }
  rl::ctx().fail_test(text, rl::test_result_user_assert_failed, $);
}

/* An assertion of the code under test. */
void
md_assert_fail(const char *file, int line, const char *what) {
  model_fail(file, line, what);
  abort();
}

uint64_t
model_load(const uint64_t *p, model_site_t *site) {
  const word *w = observed ? find(p) : 0;
  if (w == 0 || w->address == 0 || w->cell == absent) return *p;
  site->hit_cnt++;
  const stop     maybe;
  const uint64_t value = cell(w->cell).load(
      site->order == MODEL_ACQUIRE && !site->weak ? rl::mo_acquire : rl::mo_relaxed,
      rl::debug_info("", site->file, static_cast<unsigned>(site->line)));
  look(w, false);
  return value;
}

void
model_store(uint64_t *p, uint64_t value, model_site_t *site) {
  const word *w = observed ? find(p) : 0;
  if (w == 0 || w->address == 0 || w->cell == absent) {
    *p = value;
    return;
  }
  site->hit_cnt++;
  const stop maybe;
  cell(w->cell).store(value,
                      site->order == MODEL_RELEASE && !site->weak ? rl::mo_release : rl::mo_relaxed,
                      rl::debug_info("", site->file, static_cast<unsigned>(site->line)));
  *p = value;
  look(w, false); /* atomic stores do not race with each other, but with plain accesses */
}

uint64_t
model_fetch_add(uint64_t *p, uint64_t value, model_site_t *site) {
  const word *w = observed ? find(p) : 0;
  if (w == 0 || w->address == 0 || w->cell == absent) {
    const uint64_t before = *p;
    *p += value;
    return before;
  }
  site->hit_cnt++;
  const stop     maybe;
  const uint64_t before = cell(w->cell).fetch_add(
      value, rl::mo_relaxed, rl::debug_info("", site->file, static_cast<unsigned>(site->line)));
  *p = before + value;
  look(w, false);
  return before;
}

void
model_copy(void *to, const void *from, size_t bytes) {
  access(from, bytes, false);
  access(to, bytes, true);
  memmove(to, from, bytes);
  if (!observed) return;
  /* Of what is written plainly, whole words may be read as atomic ones (the ring's). */
  for (size_t i = 0; i + 8 <= bytes; i += 8) {
    const word *w = find(static_cast<char *>(to) + i);
    if (w->address == 0 || w->cell == absent || w->plain == absent) continue;
    uint64_t value;
    memcpy(&value, static_cast<char *>(to) + i, 8);
    cell(w->cell).store(value, rl::mo_relaxed, $);
  }
}

void
model_fill(void *to, int byte, size_t bytes) {
  access(to, bytes, true);
  memset(to, byte, bytes);
}

/* The calls that -fsanitize=thread puts before each plain access: declared nowhere. */
#pragma GCC diagnostic ignored "-Wmissing-declarations"
#define MODEL_TSAN(bytes)                                                                          \
  void __tsan_read##bytes(void *p) {                                                               \
    access(p, bytes, false);                                                                       \
  }                                                                                                \
  void __tsan_write##bytes(void *p) {                                                              \
    access(p, bytes, true);                                                                        \
  }                                                                                                \
  void __tsan_unaligned_read##bytes(void *p) {                                                     \
    access(p, bytes, false);                                                                       \
  }                                                                                                \
  void __tsan_unaligned_write##bytes(void *p) {                                                    \
    access(p, bytes, true);                                                                        \
  }
MODEL_TSAN(1)
MODEL_TSAN(2)
MODEL_TSAN(4)
MODEL_TSAN(8)
MODEL_TSAN(16)
void
__tsan_read_range(void *p, size_t bytes) {
  access(p, bytes, false);
}
void
__tsan_write_range(void *p, size_t bytes) {
  access(p, bytes, true);
}
void
__tsan_init(void) {}
void
__tsan_func_entry(void *) {}
void
__tsan_func_exit(void) {}
}

int
main(int argc, char **argv) {
  const char *verb = argc > 1 ? argv[1] : "";
  if (argc == 2 && strcmp(verb, "list") == 0) {
    for (const model_t *m : models)
      printf("%s\n", m->name);
    return 0;
  }
  if (argc == 3 && strcmp(verb, "mutants") == 0) return mutants(strtoull(argv[2], 0, 10));
  for (const model_t *m : models)
    if (argc > 3 && strcmp(m->name, argv[2]) == 0) tried = m;
  const uint64_t count = argc > 3 ? strtoull(argv[3], 0, 10) : 0;
  if (tried != 0 && count != 0 && argc == 4 && strcmp(verb, "run") == 0) return run(count);
  if (tried != 0 && count != 0 && argc == 5 && strcmp(verb, "weaken") == 0)
    return weaken(count, argv[4]);
  (void)fprintf(stderr, "usage: shm_model list | run NAME COUNT | mutants COUNT | "
                        "weaken NAME COUNT SITE\n");
  return 2;
}
