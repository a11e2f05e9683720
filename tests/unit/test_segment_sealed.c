/* A sealed segment: handed out by a socket, readable like a file, and not even its owner can cut it
 * or map it for writing again. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/unit/mdshm_fixture.h"

static void
begin_sealed(void) {
  make_dir();
  md_segment_config_t cfg = fixture_config(1);
  cfg.sealed              = true;
  start_engine(&cfg, &engine);
  md_tape_writer_init(&writer, md_segment_tape(&engine, 0));
  (void)add_instrument(&engine, 1, "ETHUSD", false, &book);
  (void)add_instrument(&engine, 0, "BTCUSDT", true, &book);
  beat();
  write_book(1000, 17);
  md_segment_ready(&engine);
}

TestSuite(segment_sealed, .init = begin_sealed, .fini = end);

static void
serve_until_exit(pid_t pid) {
  int status;
  while (waitpid(pid, &status, WNOHANG) == 0)
    md_segment_serve(&engine);
  cr_assert_eq(status, 0, "the reader ended with %x", (unsigned)status);
}

/* Reads until what it sees is of that epoch. */
static void
read_through_socket(uint32_t epoch) {
  mdshm_t       *shm;
  mdshm_top_t    top    = {.struct_size = sizeof top};
  mdshm_info_t   info   = {.struct_size = sizeof info};
  mdshm_result_t result = mdshm_open(test_dir, "unit", 60000, &shm, NULL, 0);
  if (result != MDSHM_OK) _exit(50 + (int)result);
  result = mdshm_read_top(shm, 1, AGE_NS, &top);
  if (result != MDSHM_OK || top.bid_px != 1000) _exit(2);
  if (mdshm_info(shm, &info) != MDSHM_OK || info.epoch != epoch) _exit(3);
  mdshm_close(shm);
  _exit(0);
}

Test(segment_sealed, a_reader_gets_it_through_the_socket) {
  pid_t pid = fork();
  if (pid == 0) read_through_socket(1);
  serve_until_exit(pid);
}

Test(segment_sealed, nobody_cuts_or_writes_it_any_more) {
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", engine.hand_fd);
  cr_assert_eq(write(engine.hand_fd, "", 1), -1);
  cr_assert_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, engine.hand_fd, 0), MAP_FAILED);
  int fd = open(path, O_RDWR | O_CLOEXEC); /* its owner may open it, and gets no further */
  if (fd >= 0) {
    cr_assert_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    cr_assert_eq(errno, EPERM);
    cr_assert_eq(pwrite(fd, "", 1, 0), -1);
    cr_assert_eq(errno, EPERM);
    cr_assert_eq(ftruncate(fd, 0), -1);
    cr_assert_eq(errno, EPERM);
    cr_assert_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
    cr_assert_eq(errno, EPERM);
    cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    (void)close(fd);
  }
  write_book(1001, 18); /* the engine's own mapping goes on */
  md_book_top_t top;
  cr_assert_eq(md_book_read_top(book, &top), MD_OK);
  cr_assert_eq(top.bid_px, 1001);
}

Test(segment_sealed, an_engine_that_is_gone_is_absent_and_unsealed_memory_is_refused) {
  mdshm_t *shm;
  char     message[256];
  cr_assert_eq(mdshm_open(test_dir, "unit", 0, &shm, message, sizeof message), MDSHM_EMPTY,
               "nobody answers");
  int plain = memfd_create("plain", MFD_CLOEXEC), sealed = engine.hand_fd;
  cr_assert_eq(ftruncate(plain, (off_t)engine.bytes), 0);
  engine.hand_fd = plain;
  pid_t pid      = fork();
  if (pid == 0) _exit(mdshm_open(test_dir, "unit", 60000, &shm, NULL, 0) == MDSHM_CORRUPT ? 0 : 1);
  serve_until_exit(pid);
  engine.hand_fd = sealed;
  (void)close(plain);
  (void)close(engine.listen_fd);
  engine.listen_fd = -1;
  cr_assert_eq(mdshm_open(test_dir, "unit", 0, &shm, message, sizeof message), MDSHM_ABSENT);
}

/* The next engine of the name, sealed, ready, and looking at its socket only when a test says. */
static void
next_sealed(void) {
  md_segment_config_t cfg = fixture_config(2);
  cfg.sealed              = true;
  start_engine(&cfg, &engine);
  md_tape_writer_init(&writer, md_segment_tape(&engine, 0));
  (void)add_instrument(&engine, 0, "BTCUSDT", true, &book);
  beat();
  write_book(2000, 3);
  md_segment_ready(&engine);
}

/* As a killed engine leaves it: an old heartbeat, no process of that start. */
static void
die(void) {
  engine.header->pid_start++;
  for (uint32_t i = 0; i < engine.thread_cnt; i++)
    md_store_relaxed(&engine.threads[i].heartbeat_mono_ns, 1u);
  md_segment_leave(&engine);
}

static void
remove_all(void) {
  if (engine.base) md_segment_delete(&engine);
  remove_dir();
}

/* Engine and reader are one thread: a read that waited for the engine would wait in vain. */
Test(segment_sealed, a_read_that_finds_the_next_engine_waits_for_nothing, .init = begin,
     .fini = remove_all) {
  mdshm_top_t    top = {.struct_size = sizeof top};
  mdshm_t       *shm = open_unit();
  mdshm_result_t result;
  cr_assert_eq(mdshm_read_top(shm, 1, AGE_NS, &top), MDSHM_OK);
  die();
  cr_assert_eq(mdshm_read_top(shm, 1, AGE_NS, &top), MDSHM_DEAD);
  next_sealed();
  do {
    result = mdshm_read_top(shm, 1, AGE_NS, &top);
    md_segment_serve(&engine);
  } while (result == MDSHM_DEAD || result == MDSHM_SUPERSEDED);
  cr_assert_eq(result, MDSHM_RESTARTED);
  cr_assert_eq(mdshm_read_top(shm, 1, AGE_NS, &top), MDSHM_OK);
  cr_assert_eq(top.bid_px, 2000);
  mdshm_close(shm);
}

Test(segment_sealed, a_question_that_nobody_answers_is_given_up_with_the_handle, .init = begin,
     .fini = remove_all) {
  mdshm_top_t top = {.struct_size = sizeof top};
  mdshm_t    *shm = open_unit();
  die();
  next_sealed();
  int lowest = dup(0);
  (void)close(lowest);
  while (dup(0) == lowest) { /* asked: the connection stands open */
    (void)close(lowest);
    mdshm_result_t result = mdshm_read_top(shm, 1, AGE_NS, &top);
    cr_assert(result == MDSHM_DEAD || result == MDSHM_SUPERSEDED, "%d", (int)result);
  }
  mdshm_close(shm);
  int opened = dup(0);
  cr_assert_eq(opened, lowest, "the connection is closed");
}

/* What a hostile server may hand out, all at once. */
static void
hand_out(int listen_fd, int fd, unsigned cnt) {
  _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * 4)] = {0};
  char                             byte                                 = 1;
  struct iovec                     data                                 = {&byte, 1};
  struct msghdr                    message                              = {.msg_iov        = &data,
                                                                           .msg_iovlen     = 1,
                                                                           .msg_control    = control,
                                                                           .msg_controllen = CMSG_SPACE(sizeof(int) * cnt)};
  struct cmsghdr                  *c                                    = CMSG_FIRSTHDR(&message);
  int                              to = accept(listen_fd, NULL, NULL);
  c->cmsg_level                       = SOL_SOCKET;
  c->cmsg_type                        = SCM_RIGHTS;
  c->cmsg_len                         = CMSG_LEN(sizeof(int) * cnt);
  for (unsigned i = 0; i < cnt; i++)
    memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof fd);
  cr_assert_eq(sendmsg(to, &message, MSG_NOSIGNAL), 1);
  (void)close(to);
}

Test(segment_sealed, several_descriptors_are_refused_and_none_is_kept) {
  for (unsigned cnt = 2; cnt <= 4; cnt++) {
    mdshm_t *shm;
    pid_t    pid = fork();
    if (pid == 0) {
      int lowest = dup(0);
      (void)close(lowest);
      if (mdshm_open(test_dir, "unit", 0, &shm, NULL, 0) != MDSHM_CORRUPT) _exit(1);
      _exit(dup(0) == lowest ? 0 : 2);
    }
    struct pollfd asked = {.fd = engine.listen_fd, .events = POLLIN};
    int           status;
    cr_assert_eq(poll(&asked, 1, -1), 1);
    hand_out(engine.listen_fd, engine.hand_fd, cnt);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0, "%u descriptors: %x", cnt, (unsigned)status);
  }
}

Test(segment_sealed, a_reader_follows_to_the_next_engine) {
  int  begun[2];
  char byte;
  cr_assert_eq(pipe(begun), 0);
  pid_t pid = fork();
  if (pid == 0) {
    mdshm_t    *shm;
    mdshm_top_t top = {.struct_size = sizeof top};
    md_segment_leave(&engine); /* its lock and socket came with the fork */
    if (mdshm_open(test_dir, "unit", 60000, &shm, NULL, 0) != MDSHM_OK) _exit(1);
    if (write(begun[1], "", 1) != 1) _exit(1);
    mdshm_result_t result = read_until_not(shm, 1, MDSHM_OK, &top);
    if (result == MDSHM_DEAD) result = read_until_not(shm, 1, MDSHM_DEAD, &top);
    if (result != MDSHM_RESTARTED) _exit(10 + (int)result);
    if (mdshm_read_top(shm, 1, AGE_NS, &top) != MDSHM_OK || top.bid_px != 2000) _exit(2);
    mdshm_close(shm);
    _exit(0);
  }
  struct pollfd answer = {.fd = begun[0], .events = POLLIN};
  while (poll(&answer, 1, 1) == 0)
    md_segment_serve(&engine);
  cr_assert_eq(read(begun[0], &byte, 1), 1);
  die();
  next_sealed();
  serve_until_exit(pid);
}
