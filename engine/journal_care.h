/* journal_care.h - what `mdengine journal` does to a journal as a whole: verify, repair, compact.
 * Each prints what it found and did, and returns the exit status. */
#ifndef ENGINE_JOURNAL_CARE_H
#define ENGINE_JOURNAL_CARE_H

#include "shm/base.h"

/* 0: every record is there or declared lost; 1: not. Changes nothing. */
int md_journal_cmd_verify(const char *dir, bool json);

/* 0: the journal is whole now, what was lost is declared; 1: something could not be mended. */
int md_journal_cmd_repair(const char *dir, bool json);

/* Packs and indexes every sealed segment; deletes nothing. */
int md_journal_cmd_compact(const char *dir, bool json);

#endif
