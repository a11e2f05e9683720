#include "engine/reload.h"

#include <stdlib.h>
#include <string.h>

#define LIST_BYTES 256u

/* Names of keys, as many as fit. */
typedef struct list {
  char   text[LIST_BYTES];
  size_t used;
  bool   is_cut;
} list_t;

typedef struct reload {
  md_log_t   *log;
  const char *file;
  list_t      applied, restart;
} reload_t;

static void
add(list_t *l, const char *section, const char *key) {
  char   name[128];
  size_t len = (size_t)snprintf(name, sizeof name, "%s%s%s%s", l->used ? ", " : "", section,
                                key[0] ? "." : "", key);
  if (len >= sizeof name || l->used + len + sizeof ", ..." > sizeof l->text) {
    if (!l->is_cut) memcpy(l->text + l->used, ", ...", sizeof ", ...");
    l->is_cut = true;
    return;
  }
  if (l->is_cut) return;
  memcpy(l->text + l->used, name, len + 1);
  l->used += len;
}

static void
log_problem(void *ctx, uint32_t line, uint32_t column, const char *key, const char *text) {
  const reload_t *r = ctx;
  md_log(r->log, MD_LOG_ERROR, "reload", "%s:%u:%u: %s: %s", r->file, line, column, key, text);
}

static bool
is_equal(const md_config_row_t *row, const void *a, const void *b) {
  const char *x = (const char *)a + row->off, *y = (const char *)b + row->off;
  if (row->kind == MD_CONFIG_TEXT || row->kind == MD_CONFIG_NAMES) return strcmp(x, y) == 0;
  return memcmp(x, y, sizeof(int64_t)) == 0;
}

static bool
is_of_the_log(const md_config_section_t *section, const md_config_row_t *row) {
  return strcmp(section->name, "engine") == 0 && strncmp(row->key, "log_", 4) == 0;
}

static void
compare(reload_t *r, const md_config_section_t *section, const char *name, const void *was,
        const void *is) {
  for (uint32_t i = 0; i < section->row_cnt; i++)
    if (!is_of_the_log(section, &section->rows[i]) && !is_equal(&section->rows[i], was, is))
      add(&r->restart, name, section->rows[i].key);
}

static const md_config_feed_t *
find_feed(const md_config_t *cfg, const char *name) {
  for (uint32_t f = 0; f < cfg->feed_cnt; f++)
    if (strcmp(cfg->feed[f].name, name) == 0) return &cfg->feed[f];
  return NULL;
}

static void
compare_feeds(reload_t *r, const md_config_section_t *section, const md_config_t *was,
              const md_config_t *is) {
  char name[MD_NAME_BYTES + 16];
  for (uint32_t f = 0; f < was->feed_cnt; f++) {
    const md_config_feed_t *other = find_feed(is, was->feed[f].name);
    (void)snprintf(name, sizeof name, "feeds.%s", was->feed[f].name);
    if (other)
      compare(r, section, name, &was->feed[f], other);
    else
      add(&r->restart, name, "");
  }
  for (uint32_t f = 0; f < is->feed_cnt; f++) {
    (void)snprintf(name, sizeof name, "feeds.%s", is->feed[f].name);
    if (!find_feed(was, is->feed[f].name)) add(&r->restart, name, "");
  }
}

static void
compare_all(reload_t *r, const md_config_t *was, const md_config_t *is) {
  const md_config_section_t *section;
  for (uint32_t i = 0; (section = md_config_section_at(i)) != NULL; i++) {
    if (strcmp(section->name, "feeds") == 0) compare_feeds(r, section, was, is);
    if (strcmp(section->name, "engine") == 0)
      compare(r, section, section->name, &was->engine, &is->engine);
    if (strcmp(section->name, "journal") == 0)
      compare(r, section, section->name, &was->journal, &is->journal);
    if (strcmp(section->name, "postgres") == 0)
      compare(r, section, section->name, &was->postgres, &is->postgres);
    if (strcmp(section->name, "monitoring") == 0)
      compare(r, section, section->name, &was->monitoring, &is->monitoring);
  }
}

static void
apply_log(reload_t *r, const md_config_engine_t *is) {
  md_log_t      *log   = r->log;
  bool           json  = is->log_format == 1;
  md_log_level_t level = (md_log_level_t)is->log_level;
  md_msg_t       msg   = {0};
  if (json != (md_load_relaxed(&log->json) != 0)) add(&r->applied, "engine", "log_format");
  if (level != (md_log_level_t)md_load_relaxed(&log->level))
    add(&r->applied, "engine", "log_level");
  if (strcmp(is->log_file, log->path) != 0) {
    if (md_log_open(log, is->log_file, &msg))
      md_log(log, MD_LOG_ERROR, "reload", "%s; the log goes on where it was", msg.text);
    else
      add(&r->applied, "engine", "log_file");
  }
  md_log_form(log, json, level);
}

void
md_reload(md_log_t *log, const md_config_t *cfg) {
  reload_t           r      = {.log = log, .file = cfg->file};
  md_config_report_t report = {log_problem, &r};
  md_msg_t           msg    = {0};
  if (log->path[0] && md_log_open(log, log->path, &msg))
    md_log(log, MD_LOG_ERROR, "reload", "%s; the old one goes on", msg.text);
  if (md_log_feeds_reopen(log, &msg))
    md_log(log, MD_LOG_ERROR, "reload", "%s; the old one goes on", msg.text);
  md_config_t *is = malloc(sizeof *is);
  if (!is || md_config_load(cfg->file, is, &report)) {
    md_log(log, MD_LOG_ERROR, "reload", "%s is refused; the configuration stays as it was",
           cfg->file);
    free(is);
    return;
  }
  apply_log(&r, &is->engine);
  compare_all(&r, cfg, is);
  free(is);
  md_log(log, r.restart.used ? MD_LOG_WARN : MD_LOG_INFO, "reload",
         "SIGHUP: %s read again; applied: %s; takes effect with a restart: %s", cfg->file,
         r.applied.used ? r.applied.text : "nothing", r.restart.used ? r.restart.text : "nothing");
}
