/* crash_text.h - words and numbers of a crash report, and where an address is: for a signal
 * handler.
 *
 * No function here but md_crash_find_modules takes memory, a lock or libc's printing. */
#ifndef ENGINE_CRASH_TEXT_H
#define ENGINE_CRASH_TEXT_H

#include "shm/base.h"

typedef struct md_crash_text {
  int    fd[2]; /* -1: none */
  size_t used;
  char   bytes[1024];
} md_crash_text_t;

/* md_crash_find_modules notes where the program and its libraries are. Before any crash. */
void md_crash_find_modules(void);

/* md_crash_build_id returns the linker's id of the program in hex, "-": it has none. */
const char *md_crash_build_id(void);

/* md_crash_add appends words up to NULL; the others numbers, and a time as UTC. */
void md_crash_add(md_crash_text_t *t, ...) __attribute__((sentinel));
void md_crash_add_hex(md_crash_text_t *t, uint64_t value);
void md_crash_add_dec(md_crash_text_t *t, uint64_t value);
void md_crash_add_seconds(md_crash_text_t *t, int64_t ns);
void md_crash_add_time(md_crash_text_t *t, int64_t real_ns);

/* md_crash_add_place appends a line: address, module, offset in it. */
void md_crash_add_place(md_crash_text_t *t, uintptr_t address);

/* md_crash_flush writes what was appended. */
void md_crash_flush(md_crash_text_t *t);

#endif
