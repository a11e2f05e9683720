/* pg_link.h - the connection of the PostgreSQL sink through its life: down, connecting, set up, up,
 * and down again, for ever, with a pause between attempts that doubles up to a limit. One thread.
 */
#ifndef WRITERS_PG_LINK_H
#define WRITERS_PG_LINK_H

#include "writers/pg_setup.h"

typedef enum md_pg_link_phase {
  MD_PG_LINK_DOWN, /* until retry_mono_ns */
  MD_PG_LINK_CONNECT,
  MD_PG_LINK_SETUP,
  MD_PG_LINK_UP
} md_pg_link_phase_t;

/* Since when a connection has heard nothing. */
typedef struct md_pg_silence {
  int64_t  moved_mono_ns;
  uint64_t moved_cnt;
} md_pg_silence_t;

typedef struct md_pg_link {
  md_pg_t           *pg;
  md_pg_setup_t      setup;
  md_pg_link_phase_t phase;
  int64_t            connect_timeout_ns;
  int64_t            silence_ns; /* without a word while an answer is awaited; 0: for ever */
  md_pg_silence_t    silence;
  int64_t            deadline_mono_ns; /* of connecting */
  int64_t            retry_mono_ns, pause_ns;
} md_pg_link_t;

/* md_pg_link_step goes on: 0 under way or waiting, 1 has come up (progress is filled), MD_ERR_DB
 * with the reason in msg: down, will try again by itself. */
int md_pg_link_step(md_pg_link_t *l, md_pg_schema_t *schema, md_pg_progress_t *progress,
                    int64_t mono_ns, md_msg_t *msg);

/* md_pg_link_drop ends the connection; the next attempt is at once, or after the pause. */
void md_pg_link_drop(md_pg_link_t *l, int64_t mono_ns, bool at_once);

/* md_pg_silence_ns says how long pg has waited for a word of the server; 0: it waits for none. */
int64_t md_pg_silence_ns(md_pg_silence_t *s, md_pg_t *pg, int64_t mono_ns);
/* md_pg_silence_end gives pg up when that was as long as limit_ns (0: for ever). */
void md_pg_silence_end(md_pg_silence_t *s, md_pg_t *pg, int64_t mono_ns, int64_t limit_ns);

/* md_pg_link_works forgets the pause: something was committed. */
void md_pg_link_works(md_pg_link_t *l);

#endif
