/* model_atomics.h - what shm/atomics.h becomes when a model checker or a weaver runs the code.
 *
 * The sources under test are compiled as they are, with -DMD_ATOMICS_MODEL naming this header: each
 * access to a shared word becomes a call that carries the place of its line. The words keep their
 * type, so layouts stay what they are. Two programs implement the calls: shm_model (Relacy chooses
 * thread and value, and any acquire or release can be weakened to relaxed) and shm_weave (a
 * scheduler of two threads). Plain accesses are seen by the thread sanitizer's instrumentation, for
 * which shm_model has a run-time library of its own, and by the copies below. */
#ifndef TESTS_MODEL_MODEL_ATOMICS_H
#define TESTS_MODEL_MODEL_ATOMICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t md_atomic_u64;

typedef enum model_order { MODEL_RELAXED, MODEL_ACQUIRE, MODEL_RELEASE } model_order_t;

/* One line of the source; copies of an inline function share file and line. */
typedef struct model_site {
  const char   *file;
  int           line;
  model_order_t order;
  bool          weak; /* run it relaxed */
  uint64_t      hit_cnt;
} model_site_t;

uint64_t model_load(const uint64_t *p, model_site_t *site);
void     model_store(uint64_t *p, uint64_t value, model_site_t *site);
uint64_t model_fetch_add(uint64_t *p, uint64_t value, model_site_t *site);
void     model_copy(void *to, const void *from, size_t bytes);
void     model_fill(void *to, int byte, size_t bytes);

/* The sites stand in a section of their own, in which the programs find them all. */
#define MODEL_SITE(of_order)                                                                       \
  (__extension__({                                                                                 \
    static model_site_t model_here __attribute__((section("model_sites"), used, aligned(8))) = {   \
        .file = __FILE__, .line = __LINE__, .order = (of_order)};                                  \
    &model_here;                                                                                   \
  }))

#define md_load_relaxed(p)         model_load((p), MODEL_SITE(MODEL_RELAXED))
#define md_load_acquire(p)         model_load((p), MODEL_SITE(MODEL_ACQUIRE)) /* tidy: definition */
#define md_store_relaxed(p, v)     model_store((p), (v), MODEL_SITE(MODEL_RELAXED))
#define md_store_release(p, v)     model_store((p), (v), MODEL_SITE(MODEL_RELEASE)) /* tidy: here */
#define md_fetch_add_relaxed(p, v) model_fetch_add((p), (v), MODEL_SITE(MODEL_RELAXED))

#define memcpy(to, from, bytes) model_copy((to), (from), (bytes))
#define memset(to, byte, bytes) model_fill((to), (byte), (bytes))

#endif
