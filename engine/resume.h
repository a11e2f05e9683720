/* resume.h - what the journal has of a feed's instruments, told to the feed at the start of an
 * epoch, so that what was missed since is declared by GAP records of reason RESTART.
 *
 * Called on the main thread between recovery and the start of the feed threads. Reads the journal
 * backwards, segment by segment, until the last ids of every instrument of the feed were found, at
 * most MD_RESUME_BYTES_MAX: mostly the newest segment, which begins with checkpoints. */
#ifndef ENGINE_RESUME_H
#define ENGINE_RESUME_H

#include "feeds/live.h"
#include "writers/journal.h"

#define MD_RESUME_BYTES_MAX (1ull << 30)

/* md_resume_tell gives live the last ids of feed (stream: its normalised one) of what live
 * collects. MD_ERR_NOMEM, or what reading the journal gave; an empty journal is no error. */
MD_MUST_USE md_err_t md_resume_tell(const char *dir, const md_manifest_t *manifest,
                                    const char *feed, uint16_t stream, md_feed_live_t *live,
                                    md_msg_t *msg);

#endif
