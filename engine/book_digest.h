/* book_digest.h - digests of live books, taken by their feed's thread between two messages.
 *
 * For the commands of the program, in a process beside the engine and of the same user: each digest
 * is asked for through the segment and waited for. Prints what it gets; keeps nothing. */
#ifndef ENGINE_BOOK_DIGEST_H
#define ENGINE_BOOK_DIGEST_H

#include "engine/live.h"

/* md_book_digest prints the digest of the instrument of a row. Exit status: 0 when its book is
 * VALID. */
int md_book_digest(const md_live_t *live, const char *feed, uint32_t row, bool json);

/* md_book_digest_all prints those of every book of a feed, a line each. Exit status: 0 when there
 * is one, and all are VALID. */
int md_book_digest_all(const md_live_t *live, const char *feed, bool json);

#endif
