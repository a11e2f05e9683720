#include "shm/command.h"
#include "shm/clock.h"

#include <time.h>

#define POLL_NS 200000 /* between two looks of a waiting client */

/* Waits until the last request is answered; its number in *number. */
static md_err_t
wait_answered(const md_command_slot_t *slot, int64_t deadline_ns, uint64_t *number) {
  const md_clock_t *clock = md_clock_system();
  for (;;) {
    uint64_t asked =
        md_load_relaxed(&slot->request_no); /* only clients write it: the lock orders */
    uint64_t answered =
        md_load_acquire(&slot->answer_no); /* A2: answer is complete; pairs with R2 */
    *number = asked;
    if (asked == answered) return MD_OK;
    if (md_clock_mono_ns(clock) >= deadline_ns) return MD_ERR_TIMEOUT;
    struct timespec pause = {0, POLL_NS};
    (void)nanosleep(&pause, NULL); /* woken early by a signal: looks again */
  }
}

/* A request that was given up on is waited for first: its words must not change under the feed. */
md_err_t
md_command_ask(md_command_slot_t *slot, md_command_kind_t kind, uint32_t instrument, int timeout_ms,
               md_command_answer_t *out) {
  md_assert(kind != MD_COMMAND_NONE);
  int64_t  now_ns      = md_clock_mono_ns(md_clock_system());
  int64_t  deadline_ns = now_ns + (int64_t)timeout_ms * 1000000;
  uint64_t number;
  md_err_t err = wait_answered(slot, deadline_ns, &number);
  if (err) return err;
  slot->kind       = (uint32_t)kind;
  slot->instrument = instrument;
  md_store_release(&slot->request_no, number + 1); /* R1: publishes the request; pairs with A1 */
  err = wait_answered(slot, deadline_ns, &number);
  if (err) return err;
  *out = slot->answer;
  return MD_OK;
}

md_command_kind_t
md_command_poll(const md_command_slot_t *slot, uint32_t *instrument) {
  uint64_t asked = md_load_acquire(&slot->request_no); /* A1: request is complete; pairs with R1 */
  if (asked == md_load_relaxed(&slot->answer_no)) return MD_COMMAND_NONE; /* own word */
  *instrument = slot->instrument;
  return (md_command_kind_t)slot->kind; /* may be one that the feed does not know: it says so */
}

void
md_command_reply(md_command_slot_t *slot, const md_command_answer_t *answer) {
  uint64_t asked = md_load_relaxed(&slot->request_no); /* seen by md_command_poll already */
  slot->answer   = *answer;
  md_store_release(&slot->answer_no, asked); /* R2: publishes the answer; pairs with A2 */
}
