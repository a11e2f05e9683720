/* config.c - the table as data, values from text, and relations between keys. */
#include "engine/config.h"

#include "engine/secret.h"
#include "feeds/live.h"
#include "feeds/url.h"
#include "feeds/venue.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROW(key, KIND, def, min, max, values, doc)                                                 \
  {#key, MD_CONFIG_##KIND, (def), (min), (max), (values), (doc), offsetof(SECTION, key)},

#define SECTION md_config_engine_t
static const md_config_row_t engine_rows[] = {MD_CONFIG_ENGINE(ROW)};
#undef SECTION
#define SECTION md_config_feed_t
static const md_config_row_t feed_rows[] = {MD_CONFIG_FEED(ROW)};
#undef SECTION
#define SECTION md_config_journal_t
static const md_config_row_t journal_rows[] = {MD_CONFIG_JOURNAL(ROW)};
#undef SECTION
#define SECTION md_config_postgres_t
static const md_config_row_t postgres_rows[] = {MD_CONFIG_POSTGRES(ROW)};
#undef SECTION
#define SECTION md_config_monitoring_t
static const md_config_row_t monitoring_rows[] = {MD_CONFIG_MONITORING(ROW)};
#undef SECTION

static const md_config_section_t sections[] = {
    {"engine", engine_rows, MD_CNT(engine_rows)},
    {"feeds", feed_rows, MD_CNT(feed_rows)},
    {"journal", journal_rows, MD_CNT(journal_rows)},
    {"postgres", postgres_rows, MD_CNT(postgres_rows)},
    {"monitoring", monitoring_rows, MD_CNT(monitoring_rows)},
};

const md_config_section_t *
md_config_section_at(uint32_t i) {
  return i < MD_CNT(sections) ? &sections[i] : NULL;
}

typedef struct unit {
  const char *name;
  int64_t     factor;
} unit_t;

static const unit_t byte_units[] = {
    {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

static const unit_t time_units[] = {
    {"ns", 1},          {"us", 1000},         {"ms", 1000000},       {"s", 1000000000},
    {"m", 60000000000}, {"h", 3600000000000}, {"d", 86400000000000}, {NULL, 0}};

/* Writes value as text with the largest unit that divides it. */
static void
format_with_unit(int64_t value, const unit_t *units, char *out, size_t out_bytes) {
  const unit_t *best = units;
  for (const unit_t *u = units; u->name; u++)
    if (value != 0 && value % u->factor == 0 && u->factor >= best->factor) best = u;
  (void)snprintf(out, out_bytes, "%lld%s", (long long)(value / best->factor), best->name);
}

static md_err_t
parse_whole(const char *text, const unit_t *units, int64_t *out, const char **unit_wanted) {
  char *end;
  errno           = 0;
  long long value = strtoll(text, &end, 10);
  *unit_wanted    = NULL;
  if (end == text || errno == ERANGE || isspace((unsigned char)text[0])) return MD_ERR_SYNTAX;
  while (*end == ' ')
    end++;
  if (!units) {
    *out = value;
    return *end == 0 ? MD_OK : MD_ERR_SYNTAX;
  }
  for (const unit_t *u = units; u->name; u++)
    if (strcmp(end, u->name) == 0)
      return __builtin_mul_overflow(value, u->factor, out) ? MD_ERR_RANGE : MD_OK;
  *unit_wanted = units == byte_units ? "B, KiB, MiB or GiB" : "ns, us, ms, s, m, h or d";
  return MD_ERR_SYNTAX;
}

static md_err_t
parse_amount(const md_config_row_t *row, const char *text, int64_t *out, md_msg_t *msg) {
  const unit_t *units = row->kind == MD_CONFIG_DURATION ? time_units
                        : row->kind == MD_CONFIG_NUMBER ? NULL
                                                        : byte_units;
  const char   *wanted;
  md_err_t      err = parse_whole(text, units, out, &wanted);
  if (err == MD_ERR_SYNTAX && wanted)
    return md_fail(msg, MD_ERR_CONFIG, "'%s' has no unit that is known; write a number with %s",
                   text, wanted);
  if (err == MD_ERR_SYNTAX)
    return md_fail(msg, MD_ERR_CONFIG, "'%s' is not a whole number; write one, for example %s",
                   text, row->def);
  char low[32], high[32];
  if (units) {
    format_with_unit(row->min, units, low, sizeof low);
    format_with_unit(row->max, units, high, sizeof high);
  } else {
    (void)snprintf(low, sizeof low, "%lld", (long long)row->min);
    (void)snprintf(high, sizeof high, "%lld", (long long)row->max);
  }
  if (err || *out < row->min || *out > row->max)
    return md_fail(msg, MD_ERR_CONFIG, "%s is out of range; choose between %s and %s", text, low,
                   high);
  if (row->kind == MD_CONFIG_POW2 && !md_is_pow2((uint64_t)*out))
    return md_fail(msg, MD_ERR_CONFIG, "%s is not a power of two; choose for example %s", text,
                   row->def);
  return MD_OK;
}

static md_err_t
parse_choice(const md_config_row_t *row, const char *text, int64_t *out, md_msg_t *msg) {
  const char *p     = row->values;
  size_t      len   = strlen(text);
  int64_t     index = 0;
  while (*p) {
    size_t word = strcspn(p, "|");
    if (word == len && memcmp(p, text, len) == 0) {
      *out = index;
      return MD_OK;
    }
    p += word + (p[word] == '|');
    index++;
  }
  return md_fail(msg, MD_ERR_CONFIG, "'%s' is not a choice; choose one of %s", text, row->values);
}

static md_err_t
parse_speed(const md_config_row_t *row, const char *text, int64_t *out, md_msg_t *msg) {
  if (strcmp(text, "max") == 0) {
    *out = 0;
    return MD_OK;
  }
  char   *end;
  int64_t thousandths = strtoll(text, &end, 10) * 1000;
  bool    digits      = end != text && isdigit((unsigned char)text[0]);
  if (digits && *end == '.') {
    int64_t weight = 100;
    for (end++; isdigit((unsigned char)*end) && weight; end++, weight /= 10)
      thousandths += (*end - '0') * weight;
  }
  if (!digits || *end != 0 || thousandths <= 0 || thousandths > row->max * 1000)
    return md_fail(msg, MD_ERR_CONFIG,
                   "'%s' is not a speed; write max, or a factor between 0.001 and %lld", text,
                   (long long)row->max);
  *out = thousandths;
  return MD_OK;
}

static md_err_t
parse_depth(const md_config_row_t *row, const char *text, int64_t *out, md_msg_t *msg) {
  const char *wanted;
  if (strcmp(text, "none") == 0)
    *out = 0;
  else if (strcmp(text, "full") == 0)
    *out = row->max;
  else if (parse_whole(text, NULL, out, &wanted) || *out < 1 || *out > row->max)
    return md_fail(msg, MD_ERR_CONFIG,
                   "'%s' is not a depth; write none, full, or levels from 1 to %lld", text,
                   (long long)row->max);
  return MD_OK;
}

/* The names of record types that have a table, for a message. */
static void
list_record_types(char *out, size_t out_bytes) {
  size_t used = 0;
  out[0]      = 0;
  for (unsigned type = 1; type < MD_RECORD_TYPE_END; type++) {
    const md_record_info_t *info = md_record_info(type);
    if (!info || !info->table[0] || used >= out_bytes) continue;
    int len = snprintf(out + used, out_bytes - used, "%s%s", used ? ", " : "", info->name);
    used += len > 0 ? (size_t)len : 0;
  }
}

static md_err_t
parse_records(const char *text, int64_t *out, md_msg_t *msg) {
  *out          = 0;
  const char *p = text;
  while (*p) {
    size_t skip = strspn(p, "[], ");
    p += skip;
    size_t len = strcspn(p, "[], ");
    if (len == 0) break;
    bool found = false;
    for (unsigned type = 1; type < MD_RECORD_TYPE_END && !found; type++) {
      const md_record_info_t *info = md_record_info(type);
      found =
          info && info->table[0] && strlen(info->name) == len && memcmp(info->name, p, len) == 0;
      if (found) *out |= (int64_t)1 << type;
    }
    if (!found) {
      char known[320];
      list_record_types(known, sizeof known);
      return md_fail(msg, MD_ERR_CONFIG, "'%.*s' is no record type with a table; choose from %s",
                     (int)len, p, known);
    }
    p += len;
  }
  if (*out == 0)
    return md_fail(msg, MD_ERR_CONFIG,
                   "no record type is named; write a list such as [trade, bbo]");
  return MD_OK;
}

static md_err_t
parse_text(const md_config_row_t *row, const char *text, char *out, md_msg_t *msg) {
  size_t len = strlen(text);
  if ((int64_t)len < row->min)
    return md_fail(msg, MD_ERR_CONFIG, "must not be empty; the default is %s", row->def);
  size_t room = row->kind == MD_CONFIG_NAMES ? MD_CONFIG_NAMES_BYTES : MD_CONFIG_TEXT_BYTES;
  if ((int64_t)len > row->max || len >= room)
    return md_fail(msg, MD_ERR_CONFIG, "is %zu bytes long; at most %lld fit", len,
                   (long long)row->max);
  memcpy(out, text, len + 1);
  return MD_OK;
}

md_err_t
md_config_parse_value(const md_config_row_t *row, const char *text, void *section, md_msg_t *msg) {
  char    *place = (char *)section + row->off;
  int64_t  value = 0;
  md_err_t err   = MD_OK;
  switch (row->kind) {
  case MD_CONFIG_TEXT:
  case MD_CONFIG_NAMES:
    return parse_text(row, text, place, msg);
  case MD_CONFIG_BOOL:
    value = strcmp(text, "true") == 0;
    if (!value && strcmp(text, "false") != 0)
      err = md_fail(msg, MD_ERR_CONFIG, "'%s' is neither true nor false; write one of them", text);
    break;
  case MD_CONFIG_NUMBER:
  case MD_CONFIG_BYTES:
  case MD_CONFIG_POW2:
  case MD_CONFIG_DURATION:
    err = parse_amount(row, text, &value, msg);
    break;
  case MD_CONFIG_CHOICE:
    err = parse_choice(row, text, &value, msg);
    break;
  case MD_CONFIG_SPEED:
    err = parse_speed(row, text, &value, msg);
    break;
  case MD_CONFIG_DEPTH:
    err = parse_depth(row, text, &value, msg);
    break;
  case MD_CONFIG_RECORDS:
    err = parse_records(text, &value, msg);
    break;
  }
  if (!err) memcpy(place, &value, sizeof value);
  return err;
}

void
md_config_defaults(const md_config_section_t *section, void *out) {
  for (uint32_t i = 0; i < section->row_cnt; i++) {
    md_msg_t msg;
    md_err_t err = section->rows[i].def[0] || section->rows[i].kind != MD_CONFIG_TEXT
                       ? md_config_parse_value(&section->rows[i], section->rows[i].def, out, &msg)
                       : MD_OK;
    md_assert(err == MD_OK); /* a default that its own row refuses */
  }
}

typedef struct checker {
  const md_config_report_t *report;
  uint32_t                  problem_cnt;
} checker_t;

static void
say(checker_t *c, const char *key, const char *text) {
  c->problem_cnt++;
  c->report->problem(c->report->ctx, 0, 0, key, text);
}

static bool
is_word(const char *text, const char *extra) {
  for (const char *p = text; *p; p++)
    if (!(islower((unsigned char)*p) || isdigit((unsigned char)*p) || strchr(extra, *p)))
      return false;
  return text[0] != 0;
}

static void
check_core(checker_t *c, const char *key, int64_t core) {
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  if (core >= cores) {
    char text[128];
    (void)snprintf(text, sizeof text,
                   "core %lld is not there; this machine has 0 to %ld, -1 pins to none",
                   (long long)core, cores - 1);
    say(c, key, text);
  }
}

/* A file that must be readable, when it is named. */
static void
check_readable(checker_t *c, const md_config_feed_t *f, const char *name, const char *path) {
  char key[96], text[MD_CONFIG_TEXT_BYTES + 96];
  if (!path[0] || access(path, R_OK) == 0) return;
  (void)snprintf(key, sizeof key, "feeds.%s.%s", f->name, name);
  (void)snprintf(text, sizeof text, "cannot read %s: %s; give a readable file", path,
                 strerrordesc_np(errno));
  say(c, key, text);
}

static void
check_url(checker_t *c, const md_config_feed_t *f, const char *name, const char *url, bool is_ws) {
  char     key[96];
  md_msg_t msg = {0};
  md_url_t u;
  if (!url[0]) return;
  (void)snprintf(key, sizeof key, "feeds.%s.%s", f->name, name);
  if (md_url_parse(url, &u, &msg))
    say(c, key, msg.text);
  else if (u.is_websocket != is_ws)
    say(c, key,
        is_ws ? "is no WebSocket URL; begin it with wss:// or ws://"
              : "is no REST URL; begin it with https:// or http://");
}

/* A recording, or symbols of the exchange: one of them. */
static void
check_input(checker_t *c, const md_config_feed_t *f) {
  char     key[96];
  md_msg_t msg = {0};
  (void)snprintf(key, sizeof key, "feeds.%s.%s", f->name, f->symbols[0] ? "symbols" : "recording");
  if (!f->recording[0] && !f->symbols[0])
    say(c, key,
        "is missing; name a .wscap or .wscap.zst file to play, or symbols to collect from the "
        "exchange");
  if (f->recording[0] && f->symbols[0])
    say(c, key, "stands beside a recording; take one of them out");
  check_readable(c, f, "recording", f->recording);
  if (!f->symbols[0]) return;
  if (!f->recording[0] && md_feed_live_check_names(f->symbols, f->channels, &msg)) {
    (void)snprintf(key, sizeof key, "feeds.%s.channels", f->name);
    say(c, key, msg.text);
  }
  check_readable(c, f, "ca_file", f->ca_file);
  check_url(c, f, "url", f->url, true);
  check_url(c, f, "rest_url", f->rest_url, false);
  if (f->deflate && f->transport == 0) {
    (void)snprintf(key, sizeof key, "feeds.%s.deflate", f->name);
    say(c, key, "is what libwebsockets does not do here; write transport: native, or false");
  }
  const char *wrong = "";
  if (md_secret_check(f, &wrong, &msg)) {
    (void)snprintf(key, sizeof key, "feeds.%s.%s", f->name, wrong);
    say(c, key, msg.text);
  }
}

uint64_t
md_config_symbols_max(const md_config_t *cfg, const char *symbols) {
  static const char separators[] = ", \t\n[]";
  uint64_t          cnt          = 0;
  for (const char *p = symbols + strspn(symbols, separators); *p; p += strspn(p, separators)) {
    size_t len = strcspn(p, separators);
    if (memchr(p, '*', len) || (len == 3 && memcmp(p, "all", 3) == 0))
      return (uint64_t)cfg->engine.instruments;
    cnt++;
    p += len;
  }
  return cnt;
}

/* A CHECKPOINT goes into the ring in one piece: definitions and books, and LOSS records before it.
 * The engine's books may hold more levels than its readers see; an exchange sends at least 1000. */
static void
check_journal_ring(checker_t *c, const md_config_t *cfg, const md_config_feed_t *f) {
  char     key[96], text[256];
  uint64_t levels = f->depth > 1000 ? (uint64_t)f->depth : 1000;
  uint64_t book   = 2 * (sizeof(md_record_t) + sizeof(md_checkpoint_t)) + sizeof(md_definition_t) +
                  2 * levels * sizeof(md_level_t);
  uint64_t need = md_config_symbols_max(cfg, f->symbols) * book + 2ull * MD_RECORD_BYTES_MAX;
  uint64_t size = MD_RING_BYTES_MIN;
  while (size < need)
    size *= 2;
  if (f->recording[0] || (uint64_t)f->journal_ring >= need) return;
  (void)snprintf(key, sizeof key, "feeds.%s.journal_ring", f->name);
  (void)snprintf(text, sizeof text,
                 "cannot hold one checkpoint of %llu books with %llu levels a side (%.1f MiB): "
                 "write %lluKiB or more, or choose fewer symbols (engine.instruments limits "
                 "patterns)",
                 (unsigned long long)md_config_symbols_max(cfg, f->symbols),
                 (unsigned long long)levels, (double)need / 1048576.0,
                 (unsigned long long)(size >> 10));
  say(c, key, text);
}

static uint32_t
check_feeds(checker_t *c, const md_config_t *cfg) {
  uint32_t enabled_cnt = 0;
  for (uint32_t i = 0; i < cfg->feed_cnt; i++) {
    const md_config_feed_t *f = &cfg->feed[i];
    char                    key[96];
    if (!f->enabled) continue;
    enabled_cnt++;
    check_input(c, f);
    check_journal_ring(c, cfg, f);
    (void)snprintf(key, sizeof key, "feeds.%s.memory_hard", f->name);
    if (f->memory_hard != 0 && f->memory_hard < f->memory_soft)
      say(c, key,
          "is less than memory_soft, which warns before it; make it larger, or 0B for none");
    (void)snprintf(key, sizeof key, "feeds.%s.core", f->name);
    check_core(c, key, f->core);
  }
  return enabled_cnt;
}

static void
check_monitoring(checker_t *c, const md_config_t *cfg) {
  const md_config_monitoring_t *m = &cfg->monitoring;
  struct in_addr                address;
  if (!m->enabled) return;
  if (inet_pton(AF_INET, m->bind, &address) != 1)
    say(c, "monitoring.bind",
        "is no IPv4 address; write 127.0.0.1, or 0.0.0.0 for every address of this machine");
  if (m->http_port != 0 && m->http_port == m->metrics_port)
    say(c, "monitoring.metrics_port", "is that of http_port; choose two ports");
}

uint32_t
md_config_check_relations(const md_config_t *cfg, const md_config_report_t *report) {
  checker_t c = {report, 0};
  if (!is_word(cfg->engine.name, "_-"))
    say(&c, "engine.name", "may hold only a-z, 0-9, _ and -; choose such a name");
  if (cfg->engine.shm_dir[0] != '/')
    say(&c, "engine.shm_dir", "is not an absolute path; write /dev/shm or another tmpfs");
  if (check_feeds(&c, cfg) == 0)
    say(&c, "feeds",
        "no feed is enabled; add one, for example feeds: {binance_spot: {recording: FILE}}");
  check_core(&c, "journal.core", cfg->journal.core);
  if (cfg->journal.segment < 2 * cfg->journal.block)
    say(&c, "journal.segment",
        "is smaller than two blocks; make it larger or journal.block smaller");
  if (cfg->postgres.enabled) {
    check_core(&c, "postgres.core", cfg->postgres.core);
    if (!is_word(cfg->postgres.schema, "_"))
      say(&c, "postgres.schema", "may hold only a-z, 0-9 and _; choose such a name");
    if (cfg->postgres.compat_schema[0] && !is_word(cfg->postgres.compat_schema, "_"))
      say(&c, "postgres.compat_schema", "may hold only a-z, 0-9 and _; choose such a name");
    if (!strcmp(cfg->postgres.compat_schema, cfg->postgres.schema))
      say(&c, "postgres.compat_schema", "is the schema of the tables; choose another, or none");
    if (!cfg->postgres.conninfo[0])
      say(&c, "postgres.conninfo", "is missing; write for example host=/run/postgresql dbname=md");
    if (strstr(cfg->postgres.conninfo, "password"))
      say(&c, "postgres.conninfo",
          "holds a password; put it into a file of mode 0600 and write passfile=FILE");
    if (cfg->journal.policy == 2)
      say(&c, "journal.policy",
          "none cannot feed PostgreSQL, which must never hold what the journal lacks; choose batch "
          "or interval");
  }
  check_monitoring(&c, cfg);
  return c.problem_cnt;
}

void
md_config_print_keys(FILE *out, bool markdown) {
  static const char *const kinds[] = {
      "text",     "true or false", "number", "bytes", "bytes, power of two",
      "duration", "choice",        "speed",  "depth", "record types",
      "names"};
  if (markdown) (void)fputs("| key | kind | default | meaning |\n|---|---|---|---|\n", out);
  for (uint32_t s = 0; s < MD_CNT(sections); s++) {
    const char *prefix = strcmp(sections[s].name, "feeds") == 0 ? "feeds.FEED" : sections[s].name;
    for (uint32_t i = 0; i < sections[s].row_cnt; i++) {
      const md_config_row_t *row  = &sections[s].rows[i];
      const char            *kind = row->kind == MD_CONFIG_CHOICE ? row->values : kinds[row->kind];
      if (markdown) {
        (void)fprintf(out, "| `%s.%s` | ", prefix, row->key);
        for (const char *p = kind; *p; p++)
          (void)fprintf(out, *p == '|' ? " or " : "%c", *p);
        (void)fprintf(out, " | `%s` | %s |\n", row->def[0] ? row->def : "-", row->doc);
      } else {
        (void)fprintf(out, "%s.%s (%s, default %s)\n    %s\n", prefix, row->key, kind,
                      row->def[0] ? row->def : "none", row->doc);
      }
    }
  }
}
