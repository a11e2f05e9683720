#include "engine/book_digest.h"

#include "shm/segment.h"

#include <inttypes.h>

#define COMMAND_TIMEOUT_MS 5000

static void
print_answer(const char *feed, const char *symbol, const md_command_answer_t *a, bool json) {
  if (!json) {
    (void)printf("%s %s  %s  update %" PRIu64 "  seq %" PRIu64 "  %" PRIu64 " bids, %" PRIu64
                 " asks\n%s\n",
                 feed, symbol, md_book_state_name((unsigned)a->state), a->exch_seq, a->last_seq,
                 a->bid_cnt, a->ask_cnt, a->digest);
    return;
  }
  (void)printf("{\"feed\":");
  md_cli_json_string(stdout, feed);
  (void)printf(",\"symbol\":");
  md_cli_json_string(stdout, symbol);
  (void)printf(",\"state\":\"%s\",\"exch_seq\":%" PRIu64 ",\"seq\":%" PRIu64 ",\"bids\":%" PRIu64
               ",\"asks\":%" PRIu64 ",\"trades\":%" PRIu64
               ",\"digest\":\"%s\",\"digest_top20\":\"%s\",\"digest_top400\":\"%s\"}\n",
               md_book_state_name((unsigned)a->state), a->exch_seq, a->last_seq, a->bid_cnt,
               a->ask_cnt, a->trade_cnt, a->digest, a->digest_top20, a->digest_top400);
}

/* Asks the feed's thread, and prints. */
static int
ask(const md_segment_t *segment, const char *feed, const mdshm_instrument_t *i, bool json) {
  md_command_answer_t answer;
  md_err_t err = md_command_ask(md_segment_command(segment, i->feed), MD_COMMAND_DIGEST, i->id,
                                COMMAND_TIMEOUT_MS, &answer);
  if (err) {
    md_msg_t msg;
    (void)md_fail(&msg, err, "the feed thread gave no answer: %s", md_err_text(err));
    return md_cli_error(err, msg.text);
  }
  if (answer.err) return md_cli_error((md_err_t)answer.err, md_err_text((md_err_t)answer.err));
  answer.digest[64] = answer.digest_top20[64] = answer.digest_top400[64] = 0;
  print_answer(feed, i->symbol, &answer, json);
  return answer.state == MD_BOOK_VALID ? MD_EXIT_OK : MD_EXIT_FAILED;
}

static int
join(const md_live_t *live, md_segment_t *segment) {
  md_msg_t msg;
  md_err_t err = md_segment_join(live->dir, live->name, segment, &msg);
  if (err) return md_cli_error(err, msg.text);
  err = md_segment_join_rings(segment, COMMAND_TIMEOUT_MS, &msg);
  if (!err) return MD_EXIT_OK;
  md_segment_leave(segment);
  return md_cli_error(err, msg.text);
}

int
md_book_digest(const md_live_t *live, const char *feed, uint32_t row, bool json) {
  md_segment_t       segment;
  mdshm_instrument_t i = {.struct_size = sizeof i};
  if (mdshm_instrument_get(live->shm, row, &i) != MDSHM_OK)
    return md_cli_error(MD_ERR_ABSENT, "the instrument is gone");
  int status = join(live, &segment);
  if (status) return status;
  status = ask(&segment, feed, &i, json);
  md_segment_leave(&segment);
  return status;
}

int
md_book_digest_all(const md_live_t *live, const char *feed, bool json) {
  md_segment_t       segment;
  mdshm_instrument_t i    = {.struct_size = sizeof i};
  uint32_t           next = 0, cnt = 0, bad_cnt = 0, feed_row;
  int                status = md_live_find_feed(live, feed, &feed_row);
  if (!status) status = join(live, &segment);
  if (status) return status;
  while (mdshm_instrument_next(live->shm, feed_row, NULL, &next, &i) == MDSHM_OK) {
    if (!i.has_book) continue;
    cnt++;
    bad_cnt += ask(&segment, feed, &i, json) != MD_EXIT_OK;
  }
  md_segment_leave(&segment);
  return cnt > 0 && bad_cnt == 0 ? MD_EXIT_OK : MD_EXIT_FAILED;
}
