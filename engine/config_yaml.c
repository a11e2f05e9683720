/* config_yaml.c - walks the YAML document; the only file that includes libfyaml.h. */
#include "engine/config.h"

#include "feeds/venue.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct walker {
  const md_config_report_t *report;
  uint32_t                  problem_cnt;
} walker_t;

/* The first scalar in a node: the place to point at. libfyaml gives marks of scalars only. */
static struct fy_token *
first_token(struct fy_node *node) {
  for (int depth = 0; node && depth < 16; depth++) {
    void *iter = NULL;
    if (fy_node_is_scalar(node)) return fy_node_get_scalar_token(node);
    if (fy_node_is_sequence(node)) {
      node = fy_node_sequence_iterate(node, &iter);
    } else {
      struct fy_node_pair *pair = fy_node_mapping_iterate(node, &iter);
      node                      = pair ? fy_node_pair_key(pair) : NULL;
    }
  }
  return NULL;
}

static void
say_at(walker_t *w, struct fy_node *node, const char *key, const char *text) {
  uint32_t              line = 0, column = 0;
  struct fy_token      *token = first_token(node);
  const struct fy_mark *mark  = token ? fy_token_start_mark(token) : NULL;
  if (mark) {
    line   = (uint32_t)mark->line + 1;
    column = (uint32_t)mark->column + 1;
  }
  w->problem_cnt++;
  w->report->problem(w->report->ctx, line, column, key, text);
}

/* Edits between two words, bounded to words of 31 bytes: enough to guess what was meant. */
static unsigned
edit_distance(const char *a, const char *b) {
  unsigned row[33];
  size_t   a_len = strnlen(a, 32), b_len = strnlen(b, 32);
  for (size_t j = 0; j <= b_len; j++)
    row[j] = (unsigned)j;
  for (size_t i = 1; i <= a_len; i++) {
    unsigned diagonal = row[0];
    row[0]            = (unsigned)i;
    for (size_t j = 1; j <= b_len; j++) {
      unsigned above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
      best     = above + 1 < best ? above + 1 : best;
      best     = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
      diagonal = above;
      row[j]   = best;
    }
  }
  return row[b_len];
}

typedef struct guess {
  const char *word;
  unsigned    distance;
} guess_t;

static void
consider(guess_t *g, const char *wrong, const char *word) {
  bool     is_begin = strlen(wrong) >= 3 && strncmp(word, wrong, strlen(wrong)) == 0;
  unsigned d        = is_begin ? 1 : edit_distance(wrong, word);
  if (d < g->distance) {
    g->distance = d;
    g->word     = word;
  }
}

static void
say_unknown(walker_t *w, struct fy_node *node, const char *path, const char *what,
            const char *wrong, const guess_t *g) {
  char text[256];
  if (g->word && g->distance <= 3 && 2 * g->distance <= strlen(wrong))
    (void)snprintf(text, sizeof text, "unknown %s '%.60s'; did you mean %s?", what, wrong, g->word);
  else
    (void)snprintf(text, sizeof text,
                   "unknown %s '%.60s'; `mdengine check --keys` lists what there is", what, wrong);
  say_at(w, node, path, text);
}

/* The text of a scalar, or of a flow list of scalars as "[a, b]"; false for anything else. */
static bool
value_text(struct fy_node *node, char *out, size_t out_bytes) {
  size_t      len;
  const char *p = fy_node_get_scalar(node, &len);
  if (p) {
    if (len >= out_bytes) return false;
    memcpy(out, p, len);
    out[len] = 0;
    return true;
  }
  if (!fy_node_is_sequence(node)) return false;
  size_t          used = 0;
  void           *iter = NULL;
  struct fy_node *item;
  out[used++] = '[';
  while ((item = fy_node_sequence_iterate(node, &iter)) != NULL) {
    p = fy_node_get_scalar(item, &len);
    if (!p || used + len + 4 >= out_bytes) return false;
    memcpy(out + used, p, len);
    used += len;
    out[used++] = ',';
  }
  out[used++] = ']';
  out[used]   = 0;
  return true;
}

static const md_config_row_t *
find_row(const md_config_section_t *s, const char *key, guess_t *g) {
  for (uint32_t i = 0; i < s->row_cnt; i++) {
    if (strcmp(s->rows[i].key, key) == 0) return &s->rows[i];
    consider(g, key, s->rows[i].key);
  }
  return NULL;
}

static void
key_text(struct fy_node *node, char *out, size_t out_bytes) {
  size_t      len = 0;
  const char *p   = node ? fy_node_get_scalar(node, &len) : NULL;
  (void)snprintf(out, out_bytes, "%.*s", (int)(p ? len : 0), p ? p : "");
}

static void
read_value(walker_t *w, const md_config_row_t *row, struct fy_node_pair *pair, const char *path,
           void *out) {
  char            text[MD_CONFIG_NAMES_BYTES];
  md_msg_t        msg;
  struct fy_node *value    = fy_node_pair_value(pair);
  struct fy_node *place    = first_token(value) ? value : fy_node_pair_key(pair);
  bool            is_list  = value && fy_node_is_sequence(value);
  bool            may_list = row->kind == MD_CONFIG_RECORDS || row->kind == MD_CONFIG_NAMES;
  if (!value || !value_text(value, text, sizeof text) || (is_list && !may_list)) {
    (void)snprintf(text, sizeof text, "wants a single value%s; write for example %s: %s",
                   may_list ? " or a list" : "", row->key, row->def[0] ? row->def : "\"...\"");
    say_at(w, place, path, text);
    return;
  }
  if (md_config_parse_value(row, text, out, &msg)) say_at(w, place, path, msg.text);
}

/* Reads one mapping of plain keys into a section's struct. */
static void
read_section(walker_t *w, const md_config_section_t *s, struct fy_node *node, const char *prefix,
             void *out) {
  uint64_t             seen = 0;
  void                *iter = NULL;
  struct fy_node_pair *pair;
  if (!fy_node_is_mapping(node)) {
    say_at(w, node, prefix, "wants keys with values below it; write them indented as `key: value`");
    return;
  }
  while ((pair = fy_node_mapping_iterate(node, &iter)) != NULL) {
    struct fy_node *key_node = fy_node_pair_key(pair);
    char            key[64], path[160];
    guess_t         g = {NULL, UINT32_MAX};
    key_text(key_node, key, sizeof key);
    (void)snprintf(path, sizeof path, "%s.%s", prefix, key);
    const md_config_row_t *row = find_row(s, key, &g);
    if (!row && strstr(key, "secret")) { /* without its line: that would show it */
      say_at(w, NULL, path, "a secret does not belong here; write client_secret_file: FILE");
      continue;
    }
    if (!row) {
      say_unknown(w, key_node, path, "key", key, &g);
      continue;
    }
    uint64_t bit = 1ull << (row - s->rows);
    if (seen & bit) say_at(w, key_node, path, "stands twice; keep one");
    seen |= bit;
    read_value(w, row, pair, path, out);
  }
}

static void
read_feeds(walker_t *w, const md_config_section_t *s, struct fy_node *node, md_config_t *cfg) {
  void                *iter = NULL;
  struct fy_node_pair *pair;
  if (!fy_node_is_mapping(node)) {
    say_at(w, node, "feeds",
           "wants feeds by name; write for example `binance_spot:` indented below it");
    return;
  }
  while ((pair = fy_node_mapping_iterate(node, &iter)) != NULL) {
    struct fy_node *key_node = fy_node_pair_key(pair);
    char            name[64], path[96];
    guess_t         g = {NULL, UINT32_MAX};
    key_text(key_node, name, sizeof name);
    (void)snprintf(path, sizeof path, "feeds.%s", name);
    if (!md_venue_find(name)) {
      for (uint32_t i = 0; md_venue_at(i); i++)
        consider(&g, name, md_venue_at(i)->name);
      say_unknown(w, key_node, path, "feed", name, &g);
      continue;
    }
    if (cfg->feed_cnt == MD_FEED_CNT_MAX) {
      say_at(w, key_node, path, "is one feed too many; take some out");
      return;
    }
    for (uint32_t i = 0; i < cfg->feed_cnt; i++)
      if (strcmp(cfg->feed[i].name, name) == 0) say_at(w, key_node, path, "stands twice; keep one");
    md_config_feed_t *f = &cfg->feed[cfg->feed_cnt++];
    md_config_defaults(s, f);
    (void)snprintf(f->name, sizeof f->name, "%.*s", (int)sizeof f->name - 1, name);
    read_section(w, s, fy_node_pair_value(pair), path, f);
  }
}

static void
read_root(walker_t *w, struct fy_node *root, md_config_t *cfg) {
  void *const place[] = {&cfg->engine, NULL, &cfg->journal, &cfg->postgres, &cfg->monitoring};
  void       *iter    = NULL;
  struct fy_node_pair *pair;
  if (!root || !fy_node_is_mapping(root)) {
    say_at(w, root, "(root)", "the file holds no keys; begin with `feeds:`");
    return;
  }
  while ((pair = fy_node_mapping_iterate(root, &iter)) != NULL) {
    struct fy_node            *key_node = fy_node_pair_key(pair);
    const md_config_section_t *section  = NULL;
    uint32_t                   i        = 0;
    char                       key[64];
    guess_t                    g = {NULL, UINT32_MAX};
    key_text(key_node, key, sizeof key);
    for (; (section = md_config_section_at(i)) != NULL && strcmp(section->name, key) != 0; i++)
      consider(&g, key, section->name);
    if (!section)
      say_unknown(w, key_node, key, "section", key, &g);
    else if (!place[i])
      read_feeds(w, section, fy_node_pair_value(pair), cfg);
    else
      read_section(w, section, fy_node_pair_value(pair), key, place[i]);
  }
}

/* Only the first syntax error counts: what libfyaml finds behind it follows from it. */
static void
say_syntax(walker_t *w, struct fy_diag *diag) {
  void                 *iter  = NULL;
  struct fy_diag_error *error = fy_diag_errors_iterate(diag, &iter);
  char                  said[256];
  (void)snprintf(said, sizeof said, "not YAML: %.180s; mend the indentation or the quotes here",
                 error ? error->msg : "unreadable");
  w->problem_cnt++;
  w->report->problem(w->report->ctx, error ? (uint32_t)error->line : 0,
                     error ? (uint32_t)error->column : 0, "(syntax)", said);
}

/* True when a file holds nothing but comments, which libfyaml calls a failure without a place. */
static bool
is_blank(const char *file) {
  char  line[512];
  bool  blank = true;
  FILE *in    = fopen(file, "r");
  while (in && blank && fgets(line, sizeof line, in)) {
    const char *p = line + strspn(line, " \t\r\n");
    blank         = *p == 0 || *p == '#';
  }
  if (in) (void)fclose(in);
  return blank;
}

static struct fy_document *
build(walker_t *w, const char *file) {
  if (is_blank(file)) {
    say_at(w, NULL, "(root)", "the file holds no keys; begin with `feeds:`");
    return NULL;
  }
  struct fy_diag *diag = fy_diag_create(NULL);
  if (!diag) return NULL;
  fy_diag_set_collect_errors(diag, true);
  struct fy_parse_cfg cfg = {
      .search_path = "", .flags = FYPCF_QUIET, .userdata = NULL, .diag = diag};
  struct fy_document *doc = fy_document_build_from_file(&cfg, file);
  if (!doc) say_syntax(w, diag);
  fy_diag_destroy(diag);
  return doc;
}

md_err_t
md_config_load(const char *file, md_config_t *cfg, const md_config_report_t *report) {
  walker_t w = {report, 0};
  memset(cfg, 0, sizeof *cfg);
  md_config_defaults(md_config_section_at(0), &cfg->engine);
  md_config_defaults(md_config_section_at(2), &cfg->journal);
  md_config_defaults(md_config_section_at(3), &cfg->postgres);
  md_config_defaults(md_config_section_at(4), &cfg->monitoring);
  (void)snprintf(cfg->file, sizeof cfg->file, "%s", file);
  if (access(file, R_OK) != 0) {
    md_msg_t msg;
    md_err_t err =
        md_fail_errno(&msg, errno, "cannot read the configuration; give its path with -c FILE");
    report->problem(report->ctx, 0, 0, "(file)", msg.text);
    return err;
  }
  struct fy_document *doc = build(&w, file);
  if (doc) {
    read_root(&w, fy_document_root(doc), cfg);
    fy_document_destroy(doc);
    if (w.problem_cnt == 0) w.problem_cnt += md_config_check_relations(cfg, report);
  }
  return w.problem_cnt ? MD_ERR_CONFIG : MD_OK;
}
