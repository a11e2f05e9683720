/* pg_setup.h - what happens on a fresh connection before the first row: session settings, the
 * schema made or checked, the journal's short id, and how far each stream is stored.
 *
 * A state machine over pg.h, run by the writer thread of the PostgreSQL sink after every connect.
 * The order matters: the catalog is read first, so that a schema that is complete needs no right to
 * create. */
#ifndef WRITERS_PG_SETUP_H
#define WRITERS_PG_SETUP_H

#include "writers/pg_progress.h"
#include "writers/pg_schema.h"

typedef enum md_pg_setup_phase {
  MD_PG_SETUP_IDLE,
  MD_PG_SETUP_SESSION,
  MD_PG_SETUP_CATALOG,
  MD_PG_SETUP_CREATE,
  MD_PG_SETUP_RECHECK,
  MD_PG_SETUP_JOURNAL,
  MD_PG_SETUP_EPOCHS,
  MD_PG_SETUP_CLAIM,
  MD_PG_SETUP_PROGRESS
} md_pg_setup_phase_t;

typedef struct md_pg_setup {
  md_pg_setup_phase_t phase;
  md_sql_t            sql;
  char                uuid[37];
  const char         *journal_dir;
  uint32_t            epoch;          /* of this engine */
  int                 timeout_ms;     /* after which the server gives a statement up; 0: never */
  int32_t             journal;        /* id in table journals */
  uint32_t            complete_epoch; /* every record of epochs below it is stored */
} md_pg_setup_t;

/* md_pg_setup_session returns the settings that every session begins with. */
const char *md_pg_setup_session(void);

MD_MUST_USE md_err_t md_pg_setup_new(md_pg_setup_t *u, const uint8_t uuid[16],
                                     const char *journal_dir, uint32_t epoch, int timeout_ms);
void                 md_pg_setup_delete(md_pg_setup_t *u);

/* md_pg_setup_settings returns these and the timeouts; valid until u is used again. Not between
 * md_pg_setup_start and the end of md_pg_setup_step. */
const char *md_pg_setup_settings(md_pg_setup_t *u);

/* md_pg_setup_start sends the first statement; pg is READY. */
void md_pg_setup_start(md_pg_setup_t *u, md_pg_t *pg);

/* md_pg_setup_step goes on: 0 under way, 1 done (progress is filled), MD_ERR_DB with msg,
 * MD_ERR_FENCED: another engine writes this journal here. */
int md_pg_setup_step(md_pg_setup_t *u, md_pg_t *pg, md_pg_schema_t *schema,
                     md_pg_progress_t *progress, md_msg_t *msg);

#endif
