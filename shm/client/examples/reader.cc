// reader.cc - reader.c with owners, in C++11: a book, and every record behind it.
//
//   c++ reader.cc $(pkg-config --cflags --libs mdshm) -o reader
//   ./reader [-d DIR] ENGINE FEED SYMBOL [RECORDS]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include <mdshm.h>

namespace {

constexpr int64_t max_age_ns = 1000000000;
constexpr size_t  seq_offset = 24;
constexpr int     beat_every = 4096;
constexpr int     wait_turns = 30000; // of a millisecond, for the next engine

struct Close {
  void operator()(mdshm_t *shm) const { mdshm_close(shm); }
  void operator()(mdshm_tape_t *tape) const { mdshm_tape_close(tape); }
};
using Engine = std::unique_ptr<mdshm_t, Close>;
using Tape   = std::unique_ptr<mdshm_tape_t, Close>;

void
must(mdshm_result_t result, const std::string &what) {
  if (result != MDSHM_OK) throw std::runtime_error(what + ": " + mdshm_result_name(result));
}

void
rest() {
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

Engine
open_engine(const char *dir, const char *name) {
  mdshm_t             *shm          = nullptr;
  char                 message[256] = "";
  const mdshm_result_t result       = mdshm_open(dir, name, 10000, &shm, message, sizeof message);
  must(result, message);
  return Engine(shm);
}

std::string
decimal(int64_t mantissa, int exponent) {
  char text[192];
  return std::string(text, mdshm_decimal(mantissa, exponent, text, sizeof text));
}

mdshm_ladder_t
read_valid(mdshm_t *shm, uint32_t row) {
  mdshm_ladder_t book{};
  book.struct_size = sizeof book;
  for (int turn = 0; turn < 30000; turn++) {
    const mdshm_result_t result = mdshm_read_ladder(shm, row, max_age_ns, &book);
    if (result == MDSHM_OK && book.bid_cnt && book.ask_cnt) return book;
    if (result > MDSHM_STALE && result != MDSHM_BUSY && result != MDSHM_RESTARTED)
      must(result, "the book");
    rest();
  }
  throw std::runtime_error("the book does not become VALID");
}

// The cheapest look at a price, for programs that look very often: one cache line.
mdshm_bbo_t
read_bbo(mdshm_t *shm, uint32_t row) {
  mdshm_bbo_t bbo{};
  bbo.struct_size = sizeof bbo;
  for (int turn = 0; turn < wait_turns; turn++) {
    const mdshm_result_t result = mdshm_read_bbo(shm, row, max_age_ns, &bbo);
    if (result == MDSHM_OK) return bbo;
    if (result == MDSHM_ABSENT || result == MDSHM_CORRUPT) must(result, "the best prices");
    rest();
  }
  throw std::runtime_error("the book does not become VALID again");
}

// There is nothing to read: rests, and gives up when there is no living engine for too long.
void
wait(mdshm_t *shm, uint32_t feed, int *waited) {
  const mdshm_result_t alive = mdshm_feed_check(shm, feed, max_age_ns);
  const bool lives = alive == MDSHM_OK || alive == MDSHM_STALE || alive == MDSHM_RESTARTED;
  if (alive == MDSHM_CORRUPT || (!lives && ++*waited == wait_turns)) must(alive, "the engine");
  rest();
}

struct Followed {
  uint64_t holes, restarts;
};

// Follows the tape over restarts of the engine: a hole in seq is a bug of somebody's.
Followed
follow(mdshm_t *shm, uint32_t feed, mdshm_tape_t *tape, uint64_t next, uint64_t want) {
  Followed out{0, 0};
  uint64_t lost_bytes = 0;
  int      waited     = 0;
  for (uint64_t got = 0; got < want;) {
    const void          *record = nullptr;
    size_t               bytes  = 0;
    const mdshm_result_t result = mdshm_tape_next(tape, &record, &bytes, &lost_bytes);
    if (result == MDSHM_EMPTY || result == MDSHM_STOPPED || result == MDSHM_SUPERSEDED ||
        result == MDSHM_ABSENT) {
      wait(shm, feed, &waited);
    } else if (result == MDSHM_LAPPED || result == MDSHM_RESTARTED) {
      out.restarts += result == MDSHM_RESTARTED;
      next = 0;
    } else {
      must(result, "the tape");
      uint64_t seq;
      std::memcpy(&seq, static_cast<const char *>(record) + seq_offset, sizeof seq);
      if (got % beat_every == 0 && mdshm_beat(shm) != MDSHM_OK) std::fputs("not listed\n", stderr);
      if (next && seq != next) out.holes++;
      next   = seq + 1;
      waited = 0;
      got++;
    }
  }
  return out;
}

int
run(const char *dir, char **argument, uint64_t want) {
  const Engine   engine = open_engine(dir, argument[0]);
  const uint32_t feed   = mdshm_feed_find(engine.get(), argument[1]);
  if (feed == MDSHM_NONE) throw std::runtime_error("no such feed");
  if (mdshm_register(engine.get(), "example.cc") != MDSHM_OK) std::fputs("not listed\n", stderr);

  uint32_t       row    = 0;
  mdshm_result_t result = mdshm_instrument_find(engine.get(), feed, argument[2], &row);
  while (result == MDSHM_ABSENT && mdshm_check(engine.get()) == MDSHM_OK) {
    rest();
    result = mdshm_instrument_find(engine.get(), feed, argument[2], &row);
  }
  must(result, "no such symbol");
  const mdshm_ladder_t book = read_valid(engine.get(), row);
  std::printf("%s %s %s x %s, %u bids, %u asks, seq %llu\n", argument[2],
              mdshm_state_name(book.meta.state), decimal(book.bids[0].px, book.meta.px_exp).c_str(),
              decimal(book.asks[0].px, book.meta.px_exp).c_str(), book.bid_cnt, book.ask_cnt,
              static_cast<unsigned long long>(book.meta.last_seq));

  mdshm_tape_t *opened = nullptr;
  must(mdshm_tape_open(engine.get(), feed, MDSHM_FROM_NOW, &opened), "the tape");
  const Tape tape(opened);
  must(mdshm_tape_join(tape.get(), &book.meta), "the tape");
  const Followed followed = follow(engine.get(), feed, tape.get(), book.meta.last_seq + 1, want);
  std::printf("%llu records behind it, %llu holes, %llu restarts\n",
              static_cast<unsigned long long>(want),
              static_cast<unsigned long long>(followed.holes),
              static_cast<unsigned long long>(followed.restarts));
  const mdshm_bbo_t bbo = read_bbo(engine.get(), row);
  std::printf("now %s x %s, seq %llu\n", decimal(bbo.bid_px, bbo.px_exp).c_str(),
              decimal(bbo.ask_px, bbo.px_exp).c_str(),
              static_cast<unsigned long long>(bbo.last_seq));
  return followed.holes || bbo.bid_px >= bbo.ask_px ? 1 : 0;
}

} // namespace

int
main(int argc, char **argv) {
  const bool  with_dir = argc > 2 && std::strcmp(argv[1], "-d") == 0;
  const int   first    = with_dir ? 3 : 1;
  const char *dir      = with_dir ? argv[2] : nullptr;
  if (argc < first + 3) {
    std::fputs("usage: reader [-d DIR] ENGINE FEED SYMBOL [RECORDS]\n", stderr);
    return 2;
  }
  try {
    const char *records = argc > first + 3 ? argv[first + 3] : "1000";
    return run(dir, argv + first, std::strtoull(records, nullptr, 10));
  } catch (const std::exception &e) {
    std::fprintf(stderr, "reader: %s\n", e.what());
    return 1;
  }
}
