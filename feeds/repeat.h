/* repeat.h - plays a recording again and again: for soak tests and measurements.
 *
 * Between two rounds the feed sees the connection close, so every book must sync anew. */
#ifndef FEEDS_REPEAT_H
#define FEEDS_REPEAT_H

#include "feeds/recording.h"

/* md_repeat_open opens path as md_recording_open does and plays it round_cnt times (0: without
 * end). The source is closed by its close. */
MD_MUST_USE md_err_t md_repeat_open(const char *path, uint32_t speed_permille, uint64_t round_cnt,
                                    const md_clock_t *clock, md_source_t *out, md_msg_t *msg);

#endif
