/* A writer process flat out and reader processes that map the book read-only, on a memfd. Argument:
 * reads of each tier, split over the readers; the default is ten million of each. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/stress/book_model.h"

#define READER_CNT 8u

/* The counts of the children, in a mapping of their own: the book's is read-only for readers. */
typedef struct board {
  md_atomic_u64 stop, written_cnt;
  _Alignas(MD_CACHE_BLOCK) model_count_t count[READER_CNT][MODEL_TIER_CNT];
  double seconds[READER_CNT][MODEL_TIER_CNT];
} board_t;

static double
seconds_now(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void *
map_book(int fd, int prot) {
  void *mem = mmap(NULL, md_book_footprint(MODEL_DEPTH), prot, MAP_SHARED, fd, 0);

  md_assert(mem != MAP_FAILED);
  return mem;
}

static int
write_book(md_book_t *b, model_t *model, board_t *board) {
  while (md_load_relaxed(&board->stop) == 0) { /* only a hint: the parent waits */
    model_write(model, b);
    md_store_relaxed(&board->written_cnt, model->seq);
  }
  return 0;
}

static int
read_book(int fd, board_t *board, unsigned reader, uint64_t want_cnt) {
  const md_book_t *b = NULL;

  if (md_book_join(map_book(fd, PROT_READ), md_book_footprint(MODEL_DEPTH), &b) != MD_OK) return 1;
  for (unsigned tier = 0; tier < MODEL_TIER_CNT; tier++) {
    model_count_t *count = &board->count[reader][tier];
    const double   start = seconds_now();
    while (count->read_cnt < want_cnt && count->busy_cnt < 64 * want_cnt &&
           count->torn_cnt < 1000) {
      model_read(b, (model_tier_t)tier, count);
    }
    board->seconds[reader][tier] = seconds_now() - start;
  }
  return 0;
}

/* report prints one line a tier and says whether every read was right. */
static bool
report(const board_t *board, uint64_t want_cnt) {
  bool good = true;

  for (unsigned tier = 0; tier < MODEL_TIER_CNT; tier++) {
    model_count_t sum  = {0};
    double        rate = 0;
    for (unsigned i = 0; i < READER_CNT; i++) {
      const model_count_t *c = &board->count[i][tier];
      sum.read_cnt += c->read_cnt;
      sum.torn_cnt += c->torn_cnt;
      sum.back_cnt += c->back_cnt;
      sum.busy_cnt += c->busy_cnt;
      rate += (double)c->read_cnt / board->seconds[i][tier];
    }
    printf("book %s across processes: %" PRIu64 " reads, %" PRIu64 " torn, %" PRIu64
           " gone back, %" PRIu64 " busy, %.2f M/s with the check\n",
           model_tier_name[tier], sum.read_cnt, sum.torn_cnt, sum.back_cnt, sum.busy_cnt,
           rate * 1e-6);
    good = good && sum.torn_cnt == 0 && sum.back_cnt == 0 && sum.read_cnt >= want_cnt;
    if (tier == MODEL_BBO || tier == MODEL_LADDER) good = good && sum.busy_cnt == 0;
  }
  return good;
}

int
main(int argc, char **argv) {
  const uint64_t want_cnt = stress_argument(argc, argv, 10000000);
  const int      fd       = memfd_create("stress_book", MFD_CLOEXEC);
  board_t       *board =
      mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t   pids[READER_CNT + 1];
  bool    good = true;
  model_t model;

  md_assert(fd >= 0);
  md_assert(board != MAP_FAILED);
  md_assert(ftruncate(fd, (off_t)md_book_footprint(MODEL_DEPTH)) == 0);
  md_book_t *book = map_book(fd, PROT_READ | PROT_WRITE);
  md_assert(md_book_new(book, MODEL_DEPTH) == MD_OK);
  model_start(&model, book);
  for (unsigned i = 0; i <= READER_CNT; i++) {
    pids[i] = fork();
    md_assert(pids[i] >= 0);
    if (pids[i] != 0) continue;
    _exit(i == READER_CNT ? write_book(book, &model, board)
                          : read_book(fd, board, i, (want_cnt + READER_CNT - 1) / READER_CNT));
  }
  const double start = seconds_now();
  for (unsigned i = 0; i <= READER_CNT; i++) {
    int status = 1;
    if (i == READER_CNT) md_store_relaxed(&board->stop, 1); /* the readers are through */
    good = waitpid(pids[i], &status, 0) == pids[i] && status == 0 && good;
  }
  const uint64_t written_cnt = md_load_relaxed(&board->written_cnt); /* its process has ended */
  good                       = report(board, want_cnt) && good;
  printf("book: %" PRIu64 " records written, %.2f M/s\n", written_cnt,
         (double)written_cnt / (seconds_now() - start) * 1e-6);
  return good ? 0 : 1;
}
