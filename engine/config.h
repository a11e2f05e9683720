/* config.h - the configuration of an engine, read from YAML and checked whole before anything
 * starts.
 *
 * Every problem is reported as FILE:LINE:COL: key: what is wrong; what to do, with the line and a
 * caret below; all problems of a file are reported, not only the first. libfyaml is included by
 * config_yaml.c only. */
#ifndef ENGINE_CONFIG_H
#define ENGINE_CONFIG_H

#include "engine/config_table.h"
#include "shm/record.h"

#include <stdio.h>

#define MD_CONFIG_TEXT_BYTES  256u
#define MD_CONFIG_NAMES_BYTES 4096u

typedef enum md_config_kind {
  MD_CONFIG_TEXT,
  MD_CONFIG_BOOL,
  MD_CONFIG_NUMBER,
  MD_CONFIG_BYTES,
  MD_CONFIG_POW2,
  MD_CONFIG_DURATION,
  MD_CONFIG_CHOICE,
  MD_CONFIG_SPEED,
  MD_CONFIG_DEPTH,
  MD_CONFIG_RECORDS,
  MD_CONFIG_NAMES
} md_config_kind_t;

/* Members: text for TEXT and NAMES, int64_t for everything else. */
#define MD_CONFIG_TYPE_TEXT(key)                                char key[MD_CONFIG_TEXT_BYTES];
#define MD_CONFIG_TYPE_BOOL(key)                                int64_t key;
#define MD_CONFIG_TYPE_NUMBER(key)                              int64_t key;
#define MD_CONFIG_TYPE_BYTES(key)                               int64_t key;
#define MD_CONFIG_TYPE_POW2(key)                                int64_t key;
#define MD_CONFIG_TYPE_DURATION(key)                            int64_t key;
#define MD_CONFIG_TYPE_CHOICE(key)                              int64_t key;
#define MD_CONFIG_TYPE_SPEED(key)                               int64_t key;
#define MD_CONFIG_TYPE_DEPTH(key)                               int64_t key;
#define MD_CONFIG_TYPE_RECORDS(key)                             int64_t key;
#define MD_CONFIG_TYPE_NAMES(key)                               char key[MD_CONFIG_NAMES_BYTES];
#define MD_CONFIG_MEMBER(key, KIND, def, min, max, values, doc) MD_CONFIG_TYPE_##KIND(key)

typedef struct md_config_engine {
  MD_CONFIG_ENGINE(MD_CONFIG_MEMBER)
} md_config_engine_t;
typedef struct md_config_journal {
  MD_CONFIG_JOURNAL(MD_CONFIG_MEMBER)
} md_config_journal_t;
typedef struct md_config_postgres {
  MD_CONFIG_POSTGRES(MD_CONFIG_MEMBER)
} md_config_postgres_t;
typedef struct md_config_monitoring {
  MD_CONFIG_MONITORING(MD_CONFIG_MEMBER)
} md_config_monitoring_t;
typedef struct md_config_feed {
  MD_CONFIG_FEED(MD_CONFIG_MEMBER)
  char name[MD_NAME_BYTES]; /* the key under feeds: a venue's name */
} md_config_feed_t;

typedef struct md_config {
  md_config_engine_t     engine;
  md_config_journal_t    journal;
  md_config_postgres_t   postgres;
  md_config_monitoring_t monitoring;
  md_config_feed_t       feed[MD_FEED_CNT_MAX];
  uint32_t               feed_cnt;
  char                   file[MD_CONFIG_TEXT_BYTES];
} md_config_t;

/* One row of the table, for the parser and the reference. */
typedef struct md_config_row {
  const char      *key;
  md_config_kind_t kind;
  const char      *def;
  int64_t          min, max;
  const char      *values;
  const char      *doc;
  size_t           off; /* in the section's struct */
} md_config_row_t;

typedef struct md_config_section {
  const char            *name; /* "engine", "feeds.<feed>", ... */
  const md_config_row_t *rows;
  uint32_t               row_cnt;
} md_config_section_t;

/* md_config_section_at returns section i (engine, feeds.<feed>, journal, postgres, monitoring),
 * NULL behind the end. */
const md_config_section_t *md_config_section_at(uint32_t i);

/* Where problems go: one call for each, with line and column from 1 (0: none) and the path of the
 * key. */
typedef struct md_config_report {
  void (*problem)(void *ctx, uint32_t line, uint32_t column, const char *key, const char *text);
  void *ctx;
} md_config_report_t;

/* md_config_load reads and checks file. MD_ERR_CONFIG when anything was reported; MD_ERR_ABSENT,
 * MD_ERR_DENIED for the file itself (reported too). cfg is large: not for the stack of a thread. */
MD_MUST_USE md_err_t md_config_load(const char *file, md_config_t *cfg,
                                    const md_config_report_t *report);

/* md_config_parse_value parses one value text into a section's struct: MD_OK, or MD_ERR_CONFIG with
 * what is wrong and what to do in msg. Used by the loader; public for its test. */
MD_MUST_USE md_err_t md_config_parse_value(const md_config_row_t *row, const char *text,
                                           void *section, md_msg_t *msg);

/* md_config_defaults fills a section's struct with the defaults of its rows. */
void md_config_defaults(const md_config_section_t *section, void *out);

/* md_config_check_relations reports what no single key shows (recording missing, names, cores,
 * sinks that contradict each other); line and column 0. Returns the number of problems. */
uint32_t md_config_check_relations(const md_config_t *cfg, const md_config_report_t *report);

/* md_config_symbols_max returns how many instruments a list of symbols may choose: a pattern as
 * many as there are rows for. */
uint64_t md_config_symbols_max(const md_config_t *cfg, const char *symbols);

/* md_config_print_keys writes the reference: as text, or as a Markdown table. */
void md_config_print_keys(FILE *out, bool markdown);

#endif
