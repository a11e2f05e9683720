/* model.h - what a model tells the programs that run it, and what it may call.
 *
 * A model is a small script for two or three threads over the real functions of shm/, with checks.
 * setup runs before each execution, unobserved: it builds the memory from nothing. Then the threads
 * run under the checker, each word that was marked atomic with all the values that the memory model
 * allows, each word that was marked plain with a look for races. Everything that a thread keeps is
 * static: the checker's stacks are small. */
#ifndef TESTS_MODEL_MODEL_H
#define TESTS_MODEL_MODEL_H

#include "tests/model/model_atomics.h"

#define MODEL_THREAD_MAX 3u

typedef struct model {
  const char *name;
  const char *what;  /* a line for people */
  const char *files; /* whose sites it answers for, with blanks around each: " shm/ring.c " */
  unsigned    thread_cnt;
  unsigned    bound; /* context switches of the bounded search; 0: none, it does not finish */
  void (*setup)(void);
  void (*thread[MODEL_THREAD_MAX])(void);
  void (*after)(void); /* may be NULL; unobserved, when the threads are through */
} model_t;

/* ---- for setup ---- */

/* model_mark says which words are atomic and which bytes are read and written plainly: whole words
 * of the model's own memory. Words that are not marked are just memory. */
void model_mark_atomic(const void *first, size_t bytes);
void model_mark_plain(const void *first, size_t bytes);

/* ---- for threads ---- */

/* model_check ends the execution as failed. */
#define model_check(cond)                                                                          \
  do {                                                                                             \
    if (!(cond)) model_fail(__FILE__, __LINE__, #cond);                                            \
  } while (0)
void model_fail(const char *file, int line, const char *what);

extern const model_t model_ring, model_account, model_takeover, model_tape, model_tape_oldest,
    model_words, model_bbo, model_top, model_ladder, model_progress, model_depth, model_depth_far,
    model_directory, model_restart, model_rings_file, model_forgetful;

#endif
