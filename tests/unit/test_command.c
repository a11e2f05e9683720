#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "shm/command.h"

static md_command_slot_t slot;

/* Answers `turns` requests as a feed thread does, with the instrument as the digest's first letter.
 */
static void *
answer(void *arg) {
  int turns = *(const int *)arg;
  while (turns > 0) {
    uint32_t instrument;
    if (md_command_poll(&slot, &instrument) == MD_COMMAND_NONE) continue;
    md_command_answer_t a = {.err = MD_OK, .bid_cnt = instrument};
    a.digest[0]           = (char)('a' + instrument);
    md_command_reply(&slot, &a);
    turns--;
  }
  return NULL;
}

Test(command, each_request_gets_its_own_answer) {
  int                 turns = 20;
  pthread_t           feed;
  md_command_answer_t a;
  memset(&slot, 0, sizeof slot);
  cr_assert_eq(pthread_create(&feed, NULL, answer, &turns), 0);
  for (uint32_t i = 0; i < 20; i++) {
    cr_assert_eq(md_command_ask(&slot, MD_COMMAND_DIGEST, i, 60000, &a), MD_OK);
    cr_assert_eq(a.bid_cnt, i);
    cr_assert_eq(a.digest[0], (char)('a' + i));
  }
  cr_assert_eq(pthread_join(feed, NULL), 0);
}

Test(command, nobody_answers_is_a_timeout_and_a_late_answer_frees_the_slot) {
  md_command_answer_t a    = {.err = MD_OK};
  uint32_t            seen = 0;
  memset(&slot, 0, sizeof slot);
  cr_assert_eq(md_command_ask(&slot, MD_COMMAND_DIGEST, 7, 1, &a), MD_ERR_TIMEOUT);
  cr_assert_eq(md_command_ask(&slot, MD_COMMAND_DIGEST, 8, 1, &a), MD_ERR_TIMEOUT);
  cr_assert_eq(md_command_poll(&slot, &seen), MD_COMMAND_DIGEST);
  cr_assert_eq(seen, 7, "the request that waits is not overwritten by the next");
  md_command_reply(&slot, &a);
  cr_assert_eq(md_command_poll(&slot, &seen), MD_COMMAND_NONE);

  int       turns = 1;
  pthread_t feed;
  cr_assert_eq(pthread_create(&feed, NULL, answer, &turns), 0);
  cr_assert_eq(md_command_ask(&slot, MD_COMMAND_DIGEST, 9, 60000, &a), MD_OK);
  cr_assert_eq(a.bid_cnt, 9);
  cr_assert_eq(pthread_join(feed, NULL), 0);
}
