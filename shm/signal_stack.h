/* signal_stack.h - what a long-lived thread does first, so that a fault of it can be reported.
 *
 * The signals of a fault are let through, which a thread may have inherited as blocked (then the
 * kernel ends the process without a word), and their handler gets a stack of its own, so that it
 * runs when the thread's is used up, too. The stack goes with the thread. Each thread for itself.
 */
#ifndef SHM_SIGNAL_STACK_H
#define SHM_SIGNAL_STACK_H

#include <signal.h>

#define MD_SIGNAL_STACK_BYTES (64u << 10)

/* The signals that are reports of our own mistakes. */
#define MD_FAULT_SIGNALS                                                                           \
  { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT }

/* md_signal_stack prepares the calling thread. Without memory it stays as it was. */
void md_signal_stack(void);

#endif
