/* base.h - attributes, alignment and assertions that every file may use.
 *
 * Owns nothing at run time. md_assert is for our own mistakes and stays on in release; bytes that
 * come from outside (exchange, disk, config, another process) are never asserted on. */
#ifndef SHM_BASE_H
#define SHM_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MD_MUST_USE     __attribute__((warn_unused_result))
#define MD_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define MD_COLD         __attribute__((cold, noinline))
#define MD_LIKELY(x)    __builtin_expect(!!(x), 1)
#define MD_UNLIKELY(x)  __builtin_expect(!!(x), 0)

/* Two cache lines: adjacent-line prefetch makes 64 bytes too small to keep two writers apart. */
#define MD_CACHE_BLOCK 128u

#define MD_CNT(array) (sizeof(array) / sizeof((array)[0]))

/* md_align_up rounds v up to a multiple of a; a is a power of two. */
static inline uint64_t
md_align_up(uint64_t v, uint64_t a) {
  return (v + (a - 1)) & ~(a - 1);
}

static inline bool
md_is_pow2(uint64_t v) {
  return v != 0 && (v & (v - 1)) == 0;
}

/* md_prefetch asks for the cache line of p; any address will do. gcc takes a function that does
 * nothing but __builtin_prefetch for one without effect and leaves its calls out: the empty
 * instruction is one. */
static inline void
md_prefetch(const void *p) {
  __builtin_prefetch(p, 1);
  __asm__ volatile("");
}

/* md_assert_fail writes "file:line: what" to stderr and aborts. Any thread. */
MD_COLD _Noreturn void md_assert_fail(const char *file, int line, const char *what);

/* md_assert_what returns what the last failed assertion wrote, "" before one. */
const char *md_assert_what(void);

#define md_assert(cond)                                                                            \
  do {                                                                                             \
    if (MD_UNLIKELY(!(cond))) md_assert_fail(__FILE__, __LINE__, #cond);                           \
  } while (0)

/* md_dassert: inner loops only, where a release check costs measurable time. */
#ifdef NDEBUG
#define md_dassert(cond) ((void)sizeof(cond))
#else
#define md_dassert(cond) md_assert(cond)
#endif

#endif
