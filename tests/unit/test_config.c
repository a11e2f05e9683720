/* test_config - every broken configuration gets one line with its place, its key and what to do. */
#include "engine/config.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct seen {
  unsigned cnt;
  uint32_t line, column;
  char     key[128], text[512];
} seen_t;

static void
take(void *ctx, uint32_t line, uint32_t column, const char *key, const char *text) {
  seen_t *s = ctx;
  if (s->cnt++ > 0) return;
  s->line   = line;
  s->column = column;
  (void)snprintf(s->key, sizeof s->key, "%s", key);
  (void)snprintf(s->text, sizeof s->text, "%s", text);
}

/* Writes text to a file and loads it. $REC stands for a file that can be read. */
static md_err_t
load(const char *text, md_config_t *cfg, seen_t *seen) {
  char     path[] = "/tmp/md-config-XXXXXX";
  int      fd     = mkstemp(path);
  FILE    *out    = fdopen(fd, "w");
  md_err_t err;
  cr_assert_not_null(out);
  for (const char *p = text; *p; p++) {
    if (strncmp(p, "$REC", 4) == 0) {
      (void)fputs(path, out);
      p += 3;
    } else {
      (void)fputc(*p, out);
    }
  }
  (void)fclose(out);
  memset(seen, 0, sizeof *seen);
  md_config_report_t report = {take, seen};
  err                       = md_config_load(path, cfg, &report);
  (void)unlink(path);
  return err;
}

#define GOOD "feeds:\n  binance_spot:\n    recording: $REC\n"

typedef struct broken {
  const char *text;
  uint32_t    line, column; /* 0: a relation between keys, without a place */
  const char *key;
  const char *says; /* part of what is wrong */
  const char *fix;  /* part of what to do */
} broken_t;

static const broken_t broken[] = {
    /* secrets */
    {"feeds:\n  deribit_derivatives:\n    symbols: all\n    client_id: a\n    client_secret: b\n",
     0, 0, "feeds.deribit_derivatives.client_secret", "does not belong", "client_secret_file"},
    {"feeds:\n  deribit_derivatives:\n    symbols: all\n    client_id: a\n", 0, 0,
     "feeds.deribit_derivatives.client_secret_file", "comes from", "name one"},
    {"feeds:\n  deribit_derivatives:\n    symbols: all\n    client_id: a\n"
     "    client_secret_file: /no/such\n",
     0, 0, "feeds.deribit_derivatives.client_secret_file", "cannot read", "readable file"},
    {"feeds:\n  deribit_derivatives:\n    symbols: all\n    client_secret_env: X\n", 0, 0,
     "feeds.deribit_derivatives.client_id", "is missing", "a secret alone"},
    {"feeds:\n  deribit_derivatives:\n    symbols: all\n    stream_pace: raw\n", 0, 0,
     "feeds.deribit_derivatives.stream_pace", "needs client_id", "100ms"},
    {"feeds:\n  binance_spot:\n    symbols: all\n    client_id: a\n", 0, 0,
     "feeds.binance_spot.client_id", "wants none", "take it out"},
    {"feeds:\n  binance_spot:\n    symbols: all\n    stream_pace: raw_or_100ms\n", 0, 0,
     "feeds.binance_spot.stream_pace", "no meaning", "take it out"},
    {"feeds:\n  binance_spot:\n    symbols: all\n    transport: lws\n    deflate: true\n", 0, 0,
     "feeds.binance_spot.deflate", "does not do", "transport: native"},
    {"feeds:\n  binance_spot:\n    symbols: all\n    transport: libwebsockets\n", 4, 16,
     "feeds.binance_spot.transport", "not a choice", "lws"},
    /* unknown names */
    {"feedz: {}\n", 1, 1, "feedz", "unknown section", "did you mean feeds"},
    {"colour: red\n", 1, 1, "colour", "unknown section", "check --keys"},
    {GOOD "    depht: 5\n", 4, 5, "feeds.binance_spot.depht", "unknown key", "did you mean depth"},
    {GOOD "    zzzzzzzz: 5\n", 4, 5, "feeds.binance_spot.zzzzzzzz", "unknown key", "check --keys"},
    {"feeds:\n  binance_spto:\n    recording: $REC\n", 2, 3, "feeds.binance_spto", "unknown feed",
     "did you mean binance_spot"},
    {GOOD "engine:\n  nmae: x\n", 5, 3, "engine.nmae", "unknown key", "did you mean name"},
    {GOOD "journal:\n  polcy: batch\n", 5, 3, "journal.polcy", "unknown key",
     "did you mean policy"},
    {GOOD "postgres:\n  conn: x\n", 5, 3, "postgres.conn", "unknown key", "did you mean conninfo"},
    /* wrong types */
    {GOOD "    raw: yes\n", 4, 10, "feeds.binance_spot.raw", "neither true nor false", "write one"},
    {GOOD "    core: first\n", 4, 11, "feeds.binance_spot.core", "not a whole number", "write one"},
    {GOOD "    core: 1.5\n", 4, 11, "feeds.binance_spot.core", "not a whole number", "write one"},
    {GOOD "    core: [1, 2]\n", 4, 12, "feeds.binance_spot.core", "single value",
     "write for example"},
    {GOOD "    core: {a: b}\n", 4, 12, "feeds.binance_spot.core", "single value",
     "write for example"},
    {GOOD "    tape: lots\n", 4, 11, "feeds.binance_spot.tape", "not a whole number", "write one"},
    {GOOD "    tape: 16\n", 4, 11, "feeds.binance_spot.tape", "no unit", "MiB"},
    {GOOD "    tape: 16MB\n", 4, 11, "feeds.binance_spot.tape", "no unit", "MiB"},
    {GOOD "journal:\n  interval: 10\n", 5, 13, "journal.interval", "no unit", "ms"},
    {GOOD "journal:\n  interval: 10min\n", 5, 13, "journal.interval", "no unit", "ns, us, ms"},
    {GOOD "    speed: fast\n", 4, 12, "feeds.binance_spot.speed", "not a speed", "write max"},
    {GOOD "    speed: -1\n", 4, 12, "feeds.binance_spot.speed", "not a speed", "write max"},
    {GOOD "    speed: 0\n", 4, 12, "feeds.binance_spot.speed", "not a speed", "write max"},
    {GOOD "    speed: 1.2345\n", 4, 12, "feeds.binance_spot.speed", "not a speed", "write max"},
    {GOOD "    depth: deep\n", 4, 12, "feeds.binance_spot.depth", "not a depth", "none, full"},
    {GOOD "    idle: nap\n", 4, 11, "feeds.binance_spot.idle", "not a choice", "spin|yield|wait"},
    {GOOD "journal:\n  policy: always\n", 5, 11, "journal.policy", "not a choice",
     "batch|interval|none"},
    {GOOD "postgres:\n  records: [trade, tirade]\n", 5, 13, "postgres.records", "'tirade'",
     "choose from"},
    {GOOD "postgres:\n  records: []\n", 5, 3, "postgres.records", "no record type", "write a list"},
    {"feeds: 7\n", 1, 8, "feeds", "feeds by name", "binance_spot"},
    {"feeds:\n  binance_spot: 7\n", 2, 17, "feeds.binance_spot", "keys with values", "indented"},
    {"- a\n- b\n", 1, 3, "(root)", "no keys", "feeds:"},
    /* out of range */
    {GOOD "    depth: 20001\n", 4, 12, "feeds.binance_spot.depth", "not a depth", "1 to 20000"},
    {GOOD "    tape: 1KiB\n", 4, 11, "feeds.binance_spot.tape", "out of range", "64KiB and 4GiB"},
    {GOOD "    tape: 3MiB\n", 4, 11, "feeds.binance_spot.tape", "power of two", "16MiB"},
    {GOOD "    core: -2\n", 4, 11, "feeds.binance_spot.core", "out of range", "between -1 and"},
    {GOOD "engine:\n  instruments: 0\n", 5, 16, "engine.instruments", "out of range",
     "between 1 and"},
    {GOOD "journal:\n  interval: 1ns\n", 5, 13, "journal.interval", "out of range",
     "between 1ms and 10s"},
    {GOOD "    tape: 99999999999GiB\n", 4, 11, "feeds.binance_spot.tape", "out of range", "4GiB"},
    {GOOD "engine:\n  name: \"\"\n", 5, 10, "engine.name", "must not be empty", "mdengine"},
    {GOOD "engine:\n  name: abcdefghijklmnopqrstuvwxyz\n", 5, 9, "engine.name", "bytes long",
     "at most 24"},
    {"feeds:\n  binance_spot:\n    symbols: all\n    journal_ring: 1MiB\n", 0, 0,
     "feeds.binance_spot.journal_ring", "one checkpoint of 1000 books", "write 32768KiB or more"},
    {"feeds:\n  binance_spot:\n    symbols: [A, B]\n    depth: full\n    journal_ring: 1MiB\n", 0,
     0, "feeds.binance_spot.journal_ring", "checkpoint of 2 books with 20000", "write 2048KiB"},
    /* twice, and broken YAML */
    {GOOD "    core: 0\n    core: 1\n", 5, 5, "(syntax)", "not YAML", "mend"},
    {"feeds:\n  binance_spot: {recording: x\n", 3, 1, "(syntax)", "not YAML", "mend"},
    {"feeds:\n  binance_spot:\n    recording: x\n   depth: 3\n", 4, 4, "(syntax)", "not YAML",
     "mend"},
    /* relations between keys */
    {"", 0, 0, "(root)", "no keys", "feeds:"},
    {"engine:\n  name: x\n", 0, 0, "feeds", "no feed is enabled", "add one"},
    {"feeds:\n  binance_spot:\n    enabled: false\n", 0, 0, "feeds", "no feed is enabled",
     "add one"},
    {"feeds:\n  binance_spot:\n    raw: true\n", 0, 0, "feeds.binance_spot.recording", "is missing",
     "name a"},
    {GOOD "    symbols: [BTCUSDT]\n", 0, 0, "feeds.binance_spot.symbols", "beside a recording",
     "take one of them out"},
    {"feeds:\n  binance_spot:\n    symbols: all\n    channels: [depth, tades]\n", 0, 0,
     "feeds.binance_spot.channels", "'tades' is no channel", "choose from depth"},
    {"feeds:\n  binance_spot:\n    symbols: all\n    url: stream.binance.com\n", 0, 0,
     "feeds.binance_spot.url", "is no URL", "begin it with wss://"},
    {"feeds:\n  binance_spot:\n    symbols: all\n    url: https://x\n", 0, 0,
     "feeds.binance_spot.url", "no WebSocket URL", "begin it with wss://"},
    {"feeds:\n  binance_spot:\n    symbols: all\n    rest_url: ws://x\n", 0, 0,
     "feeds.binance_spot.rest_url", "no REST URL", "begin it with https://"},
    {"feeds:\n  binance_spot:\n    symbols: all\n    ca_file: /nowhere/ca.pem\n", 0, 0,
     "feeds.binance_spot.ca_file", "No such file", "readable file"},
    {"feeds:\n  binance_spot:\n    recording: /nowhere/x.wscap\n", 0, 0,
     "feeds.binance_spot.recording", "No such file", "readable file"},
    {GOOD "    memory_soft: 2GiB\n", 0, 0, "feeds.binance_spot.memory_hard",
     "less than memory_soft", "make it larger"},
    {GOOD "    core: 1023\n", 0, 0, "feeds.binance_spot.core", "is not there", "-1 pins to none"},
    {GOOD "engine:\n  name: Bad/Name\n", 0, 0, "engine.name", "may hold only", "choose"},
    {GOOD "engine:\n  shm_dir: here\n", 0, 0, "engine.shm_dir", "absolute path", "/dev/shm"},
    {GOOD "postgres:\n  enabled: true\n", 0, 0, "postgres.conninfo", "is missing", "host="},
    {GOOD "postgres:\n  enabled: true\n  conninfo: dbname=x password=y\n", 0, 0,
     "postgres.conninfo", "holds a password", "passfile"},
    {GOOD "postgres:\n  enabled: true\n  conninfo: dbname=x\n  schema: My-Schema\n", 0, 0,
     "postgres.schema", "may hold only", "choose"},
    {GOOD "postgres:\n  enabled: true\n  conninfo: dbname=x\njournal:\n  policy: none\n", 0, 0,
     "journal.policy", "cannot feed PostgreSQL", "batch or interval"},
    {GOOD "monitoring:\n  http_port: 65536\n", 5, 14, "monitoring.http_port", "out of range",
     "between 0 and 65535"},
    {GOOD "monitoring:\n  gracee: 1\n", 5, 3, "monitoring.gracee", "unknown key", "did you mean"},
    {GOOD "monitoring:\n  bind: localhost\n", 0, 0, "monitoring.bind", "no IPv4 address",
     "127.0.0.1"},
    {GOOD "monitoring:\n  http_port: 9092\n", 0, 0, "monitoring.metrics_port", "http_port",
     "two ports"},
};

Test(config, defect_11_each_broken_file_is_told_with_its_place_its_key_and_the_fix) {
  md_config_t *cfg = malloc(sizeof *cfg);
  cr_assert_not_null(cfg);
  for (size_t i = 0; i < MD_CNT(broken); i++) {
    const broken_t *b = &broken[i];
    seen_t          seen;
    md_err_t        err = load(b->text, cfg, &seen);
    cr_expect_eq(err, MD_ERR_CONFIG, "case %zu is accepted: %s", i, b->text);
    cr_expect_eq(seen.cnt, 1, "case %zu: %u problems, want 1: %s", i, seen.cnt, b->text);
    cr_expect(seen.line == b->line && seen.column == b->column,
              "case %zu: place %u:%u, want %u:%u in\n%s", i, seen.line, seen.column, b->line,
              b->column, b->text);
    cr_expect_str_eq(seen.key, b->key, "case %zu: key %s, want %s", i, seen.key, b->key);
    cr_expect(strstr(seen.text, b->says) && strstr(seen.text, b->fix),
              "case %zu: '%s' lacks '%s' or '%s'", i, seen.text, b->says, b->fix);
  }
  free(cfg);
}

Test(config, a_good_file_sets_what_it_says_and_defaults_for_the_rest) {
  md_config_t *cfg = malloc(sizeof *cfg);
  seen_t       seen;
  cr_assert_not_null(cfg);
  md_err_t err =
      load("engine: {name: a-b_1, stop_timeout: 2m, log_format: json}\n"
           "journal: {policy: batch, segment: 3MiB}\n"
           "feeds:\n  binance_spot:\n    recording: $REC\n    speed: 2.5\n    depth: full\n    "
           "tape: 1GiB\n"
           "  binance_us:\n    recording: $REC\n    speed: max\n    depth: none\n    repeat: 0\n"
           "postgres:\n  enabled: true\n  conninfo: dbname=x\n  records: [trade, bbo]\n",
           cfg, &seen);
  cr_assert_eq(err, MD_OK, "%s: %s", seen.key, seen.text);
  cr_expect_str_eq(cfg->engine.name, "a-b_1");
  cr_expect_eq(cfg->engine.stop_timeout, 120000000000);
  cr_expect_eq(cfg->engine.log_format, 1);
  cr_expect_eq(cfg->engine.instruments, 1000);
  cr_expect_eq(cfg->journal.policy, 0);
  cr_expect_eq(cfg->journal.segment, 3 << 20);
  cr_expect_eq(cfg->monitoring.http_port, 8087);
  cr_expect_str_eq(cfg->monitoring.bind, "127.0.0.1");
  cr_expect_eq(cfg->feed_cnt, 2);
  cr_expect_str_eq(cfg->feed[0].name, "binance_spot");
  cr_expect_eq(cfg->feed[0].speed, 2500);
  cr_expect_eq(cfg->feed[0].depth, 20000);
  cr_expect_eq(cfg->feed[0].tape, 1 << 30);
  cr_expect_eq(cfg->feed[0].raw, 1);
  cr_expect_eq(cfg->feed[1].speed, 0);
  cr_expect_eq(cfg->feed[1].depth, 0);
  cr_expect_eq(cfg->feed[1].repeat, 0);
  cr_expect_eq(cfg->postgres.records, (1 << MD_RECORD_TRADE) | (1 << MD_RECORD_BBO));
  free(cfg);
}

Test(config, every_problem_of_a_file_is_told_not_only_the_first) {
  md_config_t *cfg = malloc(sizeof *cfg);
  seen_t       seen;
  cr_assert_not_null(cfg);
  cr_expect_eq(load(GOOD "    depht: 5\n    core: x\n    tape: 3MiB\nengin: {}\n", cfg, &seen),
               MD_ERR_CONFIG);
  cr_expect_eq(seen.cnt, 4);
  free(cfg);
}

Test(config, a_missing_file_is_told_as_such) {
  md_config_t       *cfg    = malloc(sizeof *cfg);
  seen_t             seen   = {0};
  md_config_report_t report = {take, &seen};
  cr_assert_not_null(cfg);
  cr_expect_eq(md_config_load("/nowhere/mdengine.yaml", cfg, &report), MD_ERR_ABSENT);
  cr_expect(strstr(seen.text, "No such file") && strstr(seen.text, "-c FILE"));
  free(cfg);
}

Test(config, symbols_may_be_one_name_a_pattern_or_a_long_list) {
  static md_config_t cfg;
  static char        text[4096];
  seen_t             seen;
  cr_assert_eq(
      load("feeds:\n  binance_spot:\n    symbols: \"*USDT\"\n    exclude: [AUSDT, BUSDT]\n", &cfg,
           &seen),
      MD_OK, "%s: %s", seen.key, seen.text);
  cr_assert_str_eq(cfg.feed[0].symbols, "*USDT");
  cr_assert_neq(strstr(cfg.feed[0].exclude, "BUSDT"), NULL);
  size_t used =
      (size_t)snprintf(text, sizeof text, "feeds:\n  binance_spot:\n    symbols: [S000USDT");
  for (unsigned n = 1; n < 200; n++)
    used += (size_t)snprintf(text + used, sizeof text - used, ", S%03uUSDT", n);
  (void)snprintf(text + used, sizeof text - used, "]\n");
  cr_assert_eq(load(text, &cfg, &seen), MD_OK, "%s: %s", seen.key, seen.text);
  cr_assert_neq(strstr(cfg.feed[0].symbols, "S199USDT"), NULL, "all 200 are kept");
}
