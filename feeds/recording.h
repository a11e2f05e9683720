/* recording.h - recordings of exchange messages as a source: .wscap and .wscap.zst.
 *
 * Text, one input a line, four fields between TABs: `recv_ns kind conn payload`, kind C connect
 * (payload URL), O text sent, I text received, B binary received (base64), H HTTP answer (conn is
 * the URL), X close. Times need not be monotonic. A line that breaks the grammar is damage: the
 * reader stops there and says the file and line; everything before it counts. */
#ifndef FEEDS_RECORDING_H
#define FEEDS_RECORDING_H

#include "feeds/input.h"
#include "shm/clock.h"

typedef struct md_recording md_recording_t;

/* md_recording_open opens path (zstd by content, not by name). speed_permille: 1000 plays in real
 * time by the recorded times (a step back plays at once), 10000 ten times faster, 0 gives every
 * input as soon as it is asked for. clock paces it (only its mono_ns is read); may be NULL with
 * speed 0. Errors: MD_ERR_ABSENT, MD_ERR_DENIED, MD_ERR_CORRUPT (not a recording), MD_ERR_NOMEM. */
MD_MUST_USE md_err_t md_recording_open(const char *path, uint32_t speed_permille,
                                       const md_clock_t *clock, md_recording_t **out,
                                       md_msg_t *msg);

/* md_recording_source returns the source of r; its close closes r. */
md_source_t md_recording_source(md_recording_t *r);
void        md_recording_close(md_recording_t *r);

/* md_recording_find_venue reads the head of path (bounded: first connect URL, else first connection
 * name or HTTP URL) and returns the venue's name by its hosts in venue_table.h, or NULL with msg.
 */
const char *md_recording_find_venue(const char *path, md_msg_t *msg);

#endif
