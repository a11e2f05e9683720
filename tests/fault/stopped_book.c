/* A book in a file: made, read by a process that then stops for good, or written so many times.
 * What the writer's instructions are counted on, with and without stopped readers (tests/prove).
 *
 *   stopped_book make FILE | read FILE | write FILE MESSAGES */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/stress/book_model.h"

/* The part that is counted: a function of its own, by whose name callgrind collects. */
__attribute__((noinline)) static void
counted_writes(model_t *model, md_book_t *book, uint64_t cnt) {
  for (uint64_t i = 0; i < cnt; i++)
    model_write(model, book);
}

static int
read_and_stop(const md_book_t *book) {
  model_count_t count = {0};

  for (unsigned tier = 0; tier < MODEL_TIER_CNT; tier++)
    model_read(book, (model_tier_t)tier, &count);
  if (count.read_cnt != MODEL_TIER_CNT || count.torn_cnt != 0) return 1;
  printf("stopped\n");
  (void)fflush(stdout);
  return raise(SIGSTOP);
}

int
main(int argc, char **argv) {
  const uint64_t bytes = md_book_footprint(MODEL_DEPTH);
  const char     verb  = argc > 2 ? argv[1][0] : '?';
  static model_t model;

  const int fd = argc > 2 ? open(argv[2], O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
  if (fd < 0 || (verb == 'm' && ftruncate(fd, (off_t)bytes) != 0)) return 2;
  void *mem =
      mmap(NULL, bytes, verb == 'r' ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mem == MAP_FAILED) return 2;
  if (verb == 'r') return read_and_stop(mem);
  memset(mem, 0, bytes); /* a level that stood there by chance would save an instruction */
  if (md_book_new(mem, MODEL_DEPTH) != MD_OK) return 2;
  model_start(&model, mem);
  if (verb == 'w' && argc > 3) counted_writes(&model, mem, strtoull(argv[3], NULL, 10));
  return 0;
}
