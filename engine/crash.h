/* crash.h - what an engine leaves when it ends by a mistake of its own.
 *
 * A handler of SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT, which failed assertions end in. It
 * writes a report to a file of the journal's folder and to stderr: version, build id, signal and
 * address, the thread, its calls as module and offset for addr2line, and how every thread of the
 * status rows stood. Then the signal does what it always does, so that a core still comes. The
 * handler calls nothing but system calls and the unwinder, which is loaded before: no memory is
 * taken, no lock waited for. */
#ifndef ENGINE_CRASH_H
#define ENGINE_CRASH_H

#include "shm/segment.h"

#define MD_CRASH_FRAME_CNT 64u

/* md_crash_arm sets the handler; reports go to dir/crash-PID-TIME.txt. The main thread, before it
 * starts others; once. */
void md_crash_arm(const char *dir, const char *engine_name);

/* md_crash_watch tells whose thread rows are told; NULL before the segment goes. */
void md_crash_watch(const md_segment_t *s);

/* md_crash_path returns where the report goes; static. */
const char *md_crash_path(void);

#endif
