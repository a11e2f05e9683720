/* mutant.h - the numbered broken variants of ring, tape, book and reader library, chosen by
 * -DMD_MUTANT=n.
 *
 * A stress program that cannot fail proves nothing, so each way to get the protocol wrong that is
 * listed here can be compiled in, and tests/stress/mutants.sh demands that every one is caught. The
 * product is built with 0, where none of the lines exists.
 *
 *    1 ring: the word that shows a record is stored before its bytes are
 *    2 ring: that word is stored relaxed (x86 hides it: only TSan sees the race on the bytes)
 *    3 ring: offered_cnt is stored as records are written, outside the account's version
 *    4 ring: the producer takes 512 bytes more than the consumer gave back
 *    5 ring: tail is stored relaxed (x86 hides it: only TSan sees the race on the bytes)
 *    6 ring: a LOSS record counts one record too few
 *    7 ring: no 0 is put behind what is published
 *   11 tape: intent is never stored
 *   12 tape: tail is published before the words are written
 *   13 tape: the reader looks at intent before it copies, not after
 *   21 book: top rewrites the newest slot instead of the oldest
 *   22 book: ladder rewrites the newest slot instead of the oldest
 *   23 book: depth changes a level without logging what stood there
 *   24 book: the reader of a ladder does not look at the version again
 *   25 book: the reader of depth does not look whether the log was overwritten
 *   26 book: a line of the bbo has its new version before its words
 *   27 book: the reader of the bbo does not look at the version again
 *   31 client: a segment's magic is stored relaxed (only TSan sees it)
 *   32 client: a restart leaves the handle's books of the engine before
 *   33 client: a restart is not told */
#ifndef SHM_MUTANT_H
#define SHM_MUTANT_H

#ifndef MD_MUTANT
#define MD_MUTANT 0
#endif

#endif
