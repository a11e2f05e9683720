/* When the kernel acknowledges what was read. By itself it does so within the read that emptied the
 * socket: a segment goes through the whole way out, a microsecond or two, before the read returns
 * with the message. A thread that spins has time behind the message: there it asks for the
 * acknowledgement, in the first look that found nothing. It is never left to the kernel's timer,
 * because a sender with Nagle's algorithm waits for it. */
#include "feeds/native_parts.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define LOOKS_MIN 1000u /* in a row, without a wait: then the thread spins */

static void
set_quick(const md_native_connection_t *c, int is_quick) {
  /* Where it cannot be had, the kernel goes on as it likes. */
  (void)setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &is_quick, sizeof is_quick);
}

static void
set_late(md_native_connection_t *c, bool is_late) {
  c->transport->late_cnt += is_late - (uint32_t)c->acks_late;
  c->acks_late = is_late;
}

static void
set_owing(md_native_connection_t *c, bool is_owing) {
  c->transport->owing_cnt += is_owing - (uint32_t)c->owes_ack;
  c->owes_ack = is_owing;
}

void
md_native_ack_owe(md_native_connection_t *c) {
  if (!c->owes_ack) set_owing(c, true);
}

void
md_native_ack_forget(md_native_connection_t *c) {
  set_owing(c, false);
  set_late(c, false);
}

void
md_native_ack_idle(md_transport_t *t) {
  if (t->look_cnt < LOOKS_MIN) {
    t->look_cnt++;
    return;
  }
  /* One in each look, in turn: a message of another connection does not wait for long. */
  for (uint32_t n = 0; t->owing_cnt > 0 && n < t->cfg.connection_cnt_max; n++) {
    t->ack_next               = (t->ack_next + 1) % t->cfg.connection_cnt_max;
    md_native_connection_t *c = t->connection[t->ack_next];
    if (!c || !c->owes_ack) continue;
    set_quick(c, 1); /* now, if something is to be acknowledged */
    set_quick(c, 0); /* and not within the next read */
    set_owing(c, false);
    set_late(c, true);
    return;
  }
}

void
md_native_ack_wait(md_transport_t *t) {
  t->look_cnt = 0;
  for (uint32_t n = 0; t->late_cnt > 0 && n < t->cfg.connection_cnt_max; n++) {
    md_native_connection_t *c = t->connection[n];
    if (!c || !c->acks_late) continue;
    set_quick(c, 1);
    set_late(c, false);
  }
}
