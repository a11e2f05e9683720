#include "feeds/recording.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

static char path[64]; /* one test, one process */

static const char *
write_file(const void *data, size_t len) {
  strncpy(path, "/tmp/test_recording_XXXXXX", sizeof path - 1);
  int fd = mkstemp(path);
  cr_assert_geq(fd, 0);
  cr_assert_eq(write(fd, data, len), (ssize_t)len);
  close(fd);
  return path;
}

static const char *
write_text(const char *text) {
  return write_file(text, strlen(text));
}

static void
remove_file(void) {
  if (path[0]) unlink(path);
}

TestSuite(recording, .fini = remove_file);

static md_source_t
open_source(const char *file, uint32_t speed_permille, const md_clock_t *clock) {
  md_recording_t *r   = NULL;
  md_msg_t        msg = {0};
  md_err_t        err = md_recording_open(file, speed_permille, clock, &r, &msg);
  cr_assert_eq(err, MD_OK, "%s", msg.text);
  return md_recording_source(r);
}

static md_err_t
next(md_source_t *s, md_input_t *in, md_msg_t *msg) {
  int64_t due = 0;
  return s->next(s->ctx, in, &due, msg);
}

static void
check_input(const md_input_t *in, md_raw_kind_t kind, int64_t recv_ns, const char *name,
            const char *payload) {
  cr_assert_eq(in->kind, kind);
  cr_assert_eq(in->recv_ns, recv_ns);
  cr_assert(in->name_len == strlen(name) && memcmp(in->name, name, in->name_len) == 0);
  cr_assert(in->len == strlen(payload) && memcmp(in->payload, payload, in->len) == 0);
}

/* Opens text, takes the messages before the damage, and expects what is said of it. */
static void
check_damage(const char *text, uint32_t good_cnt, const char *what) {
  md_source_t s = open_source(write_text(text), 0, NULL);
  md_input_t  in;
  md_msg_t    msg = {0};
  char        want[512];
  for (uint32_t i = 0; i < good_cnt; i++) {
    cr_assert_eq(next(&s, &in, &msg), MD_OK);
  }
  for (unsigned again = 0; again < 2; again++) {
    cr_assert_eq(next(&s, &in, &msg), MD_ERR_CORRUPT);
    snprintf(want, sizeof want, "%s:%u: %s; the %u messages before it count", path, good_cnt + 1,
             what, good_cnt);
    cr_assert_str_eq(msg.text, want);
  }
  s.close(s.ctx);
  remove_file();
}

#define GOOD                                                                                       \
  "100\tC\tBINANCE-1\twss://stream.binance.com:9443/ws\n"                                          \
  "101\tO\tBINANCE-1\t{\"id\":1}\n"                                                                \
  "102\tI\tBINANCE-1\t{\"result\":null}\n"                                                         \
  "99\tH\thttps://api.binance.com/api/v3/depth\t{}\n"                                              \
  "103\tB\tother\taGVsbG8=\n"                                                                      \
  "104\tX\tBINANCE-1\t\n"

static void
check_good(md_source_t s) {
  md_input_t in;
  cr_assert_eq(next(&s, &in, NULL), MD_OK);
  check_input(&in, MD_RAW_CONNECT, 100, "BINANCE-1", "wss://stream.binance.com:9443/ws");
  cr_assert_eq(in.leg, 0);
  cr_assert_eq(next(&s, &in, NULL), MD_OK);
  check_input(&in, MD_RAW_TEXT_OUT, 101, "BINANCE-1", "{\"id\":1}");
  cr_assert_eq(next(&s, &in, NULL), MD_OK);
  check_input(&in, MD_RAW_TEXT_IN, 102, "BINANCE-1", "{\"result\":null}");
  cr_assert_eq(next(&s, &in, NULL), MD_OK);
  check_input(&in, MD_RAW_HTTP, 99, "https://api.binance.com/api/v3/depth", "{}");
  cr_assert_eq(in.leg, MD_LEG_NONE);
  cr_assert_eq(next(&s, &in, NULL), MD_OK);
  check_input(&in, MD_RAW_BINARY_IN, 103, "other", "hello");
  cr_assert_eq(in.leg, 1);
  cr_assert_eq(next(&s, &in, NULL), MD_OK);
  check_input(&in, MD_RAW_CLOSE, 104, "BINANCE-1", "");
  cr_assert_eq(in.leg, 0);
  cr_assert_eq(next(&s, &in, NULL), MD_ERR_END);
  cr_assert_eq(next(&s, &in, NULL), MD_ERR_END);
  s.close(s.ctx);
}

Test(recording, plain_text_gives_every_kind_in_order) {
  check_good(open_source(write_text(GOOD), 0, NULL));
}

static size_t
pack(const char *text, size_t len, uint8_t **out) {
  size_t room = ZSTD_compressBound(len);
  *out        = malloc(room);
  size_t n    = ZSTD_compress(*out, room, text, len, 3);
  cr_assert(!ZSTD_isError(n));
  return n;
}

Test(recording, zstd_is_told_by_content_and_frames_may_follow_each_other) {
  uint8_t *first, *second, both[4096];
  size_t   half       = strlen(GOOD) / 2;
  size_t   first_len  = pack(GOOD, half, &first);
  size_t   second_len = pack(&GOOD[half], strlen(GOOD) - half, &second);
  memcpy(both, first, first_len);
  memcpy(both + first_len, second, second_len);
  check_good(open_source(write_file(both, first_len + second_len), 0, NULL));
  free(first);
  free(second);
}

Test(recording, lines_that_break_the_grammar_are_damage_named_with_file_and_line) {
  static const struct {
    const char *line, *what;
  } bad[] = {
      {"105\tI\ta\n", "fewer than four fields between TABs"},
      {"\n", "fewer than four fields between TABs"},
      {"105\tI\ta\tb\tc\n", "more than four fields between TABs"},
      {"10x\tI\ta\tb\n", "the receive time is not a number of nanoseconds"},
      {"\tI\ta\tb\n", "the receive time is not a number of nanoseconds"},
      {"9223372036854775808\tI\ta\tb\n", "the receive time is not a number of nanoseconds"},
      {"105\tQ\ta\tb\n", "the kind is none of C O I B H X"},
      {"105\tII\ta\tb\n", "the kind is none of C O I B H X"},
      {"105\tI\t\tb\n", "the connection has no name"},
      {"105\tB\ta\tab=c\n", "the binary payload is not base64"},
      {"105\tB\ta\tabc\n", "the binary payload is not base64"},
      {"105\tB\ta\ta===\n", "the binary payload is not base64"},
      {"105\tI\ta\tno end", "the line has no end: the file was cut"},
  };
  for (unsigned i = 0; i < MD_CNT(bad); i++) {
    char text[1024];
    snprintf(text, sizeof text, "%s%s%s", GOOD, bad[i].line,
             strchr(bad[i].line, '\n') ? "106\tI\ta\tb\n" : "");
    check_damage(text, 6, bad[i].what);
  }
}

Test(recording, name_that_is_too_long_is_damage) {
  char *text = malloc(20000);
  int   len  = snprintf(text, 100, "1\tI\ta\tb\n2\tI\t");
  memset(text + len, 'n', 10000);
  memcpy(text + len + 10000, "\tb\n", 4);
  check_damage(text, 1, "the connection's name is too long");
  free(text);
}

Test(recording, line_longer_than_any_message_is_damage) {
  size_t room = 24u << 20;
  char  *text = malloc(room);
  int    len  = snprintf(text, 100, "1\tI\ta\tb\n2\tI\ta\t");
  memset(text + len, 'x', room - (size_t)len);
  memcpy(text + room - 2, "\n", 2);
  check_damage(text, 1, "the line is longer than any message may be");
  memcpy(text + (17u << 20), "\n", 2);
  check_damage(text, 1, "the payload is longer than any message may be");
  free(text);
}

static char *
many_lines(uint32_t cnt, size_t *len) {
  char *text = malloc((size_t)cnt * 64);
  *len       = 0;
  for (uint32_t i = 0; i < cnt; i++) {
    *len += (size_t)snprintf(text + *len, 64, "%u\tI\tconn\tpayload %u\n", i, i * 2654435761u);
  }
  return text;
}

static md_err_t
drain(md_source_t s, uint32_t *cnt, md_msg_t *msg) {
  md_input_t in;
  md_err_t   err;
  *cnt = 0;
  while ((err = next(&s, &in, msg)) == MD_OK) {
    cr_assert_eq(in.recv_ns, *cnt);
    (*cnt)++;
  }
  s.close(s.ctx);
  return err;
}

Test(recording, zstd_that_is_cut_or_damaged_counts_up_to_there) {
  size_t   len;
  char    *text = many_lines(60000, &len);
  uint8_t *packed;
  size_t   packed_len = pack(text, len, &packed);
  uint32_t cnt;
  md_msg_t msg = {0};

  cr_assert_eq(drain(open_source(write_file(packed, packed_len), 0, NULL), &cnt, &msg), MD_ERR_END);
  cr_assert_eq(cnt, 60000);
  remove_file();

  md_source_t s = open_source(write_file(packed, packed_len / 2), 0, NULL);
  cr_assert_eq(drain(s, &cnt, &msg), MD_ERR_CORRUPT);
  cr_assert(cnt > 1000 && cnt < 60000);
  char want[300];
  snprintf(
      want, sizeof want,
      "%s:%u: the compressed data ends in the middle of a frame; the %u messages before it count",
      path, cnt + 1, cnt);
  cr_assert_str_eq(msg.text, want);
  remove_file();

  memset(packed + packed_len / 2, 0xff, 64);
  s = open_source(write_file(packed, packed_len), 0, NULL);
  cr_assert_eq(drain(s, &cnt, &msg), MD_ERR_CORRUPT);
  cr_assert_not_null(strstr(msg.text, "the compressed data is damaged ("));
  cr_assert_lt(cnt, 60000);
  free(packed);
  free(text);
}

static void
check_open(const char *file, md_err_t want, const char *what) {
  md_recording_t *r   = NULL;
  md_msg_t        msg = {0};
  cr_assert_eq(md_recording_open(file, 0, NULL, &r, &msg), want, "%s", msg.text);
  cr_assert_not_null(strstr(msg.text, what), "%s", msg.text);
  cr_assert_eq(strncmp(msg.text, file, strlen(file)), 0);
}

Test(recording, what_is_no_recording_is_refused_when_opened) {
  check_open("/tmp/there/is/no/such.wscap", MD_ERR_ABSENT, "cannot be opened");
  check_open("/tmp", MD_ERR_IO, "cannot be read");
  check_open(write_text(""), MD_ERR_CORRUPT, "not a recording: it is empty");
  remove_file();
  check_open(write_text("{\"feeds\":[]}\n"), MD_ERR_CORRUPT, "not a recording");
  remove_file();
  check_open(write_file("\x7f"
                        "ELF\0\1\2\3",
                        8),
             MD_ERR_CORRUPT, "not a recording");
  remove_file();
  check_open(write_file("\x28\xb5\x2f\xfd\0", 5), MD_ERR_CORRUPT, "not a recording");
}

Test(recording, payload_of_five_megabytes_comes_whole_with_bytes_behind_it) {
  size_t payload_len = 5u << 20;
  char  *text        = malloc(payload_len + 200);
  size_t len         = (size_t)snprintf(text, 100, "1\tI\ta\tsmall\n2\tI\tconn\t");
  size_t payload_off = len;
  for (size_t i = 0; i < payload_len; i++) {
    text[len++] = (char)('a' + i % 23);
  }
  len += (size_t)snprintf(text + len, 100, "\n3\tI\ta\tlast\n");

  for (unsigned packs = 0; packs < 2; packs++) {
    uint8_t    *packed     = NULL;
    size_t      packed_len = packs ? pack(text, len, &packed) : 0;
    const char *file       = packs ? write_file(packed, packed_len) : write_file(text, len);
    md_source_t s          = open_source(file, 0, NULL);
    md_input_t  in;
    cr_assert_eq(next(&s, &in, NULL), MD_OK);
    cr_assert_eq(next(&s, &in, NULL), MD_OK);
    cr_assert_eq(in.len, payload_len);
    cr_assert_eq(memcmp(in.payload, text + payload_off, payload_len), 0);
    unsigned sum = 0;
    for (unsigned i = 0; i < MD_FRAME_PAD_BYTES; i++) {
      sum += in.payload[in.len + i]; /* under ASan a fault here would end the test */
    }
    cr_assert_gt(sum, 0);
    cr_assert_eq(next(&s, &in, NULL), MD_OK);
    check_input(&in, MD_RAW_TEXT_IN, 3, "a", "last");
    cr_assert_eq(next(&s, &in, NULL), MD_ERR_END);
    s.close(s.ctx);
    remove_file();
    free(packed);
  }
  free(text);
}

Test(recording, base64_gives_every_length_exactly) {
  md_source_t s = open_source(write_text("1\tB\ta\t\n1\tB\ta\tTQ==\n1\tB\ta\tTWE=\n1\tB\ta\tTWFu\n"
                                         "1\tB\ta\t//79\n"),
                              0, NULL);
  const char *want[] = {"", "M", "Ma", "Man", "\xff\xfe\xfd"};
  md_input_t  in;
  for (unsigned i = 0; i < MD_CNT(want); i++) {
    cr_assert_eq(next(&s, &in, NULL), MD_OK);
    check_input(&in, MD_RAW_BINARY_IN, 1, "a", want[i]);
  }
  s.close(s.ctx);
}

/* ---- pacing ---- */

static void
check_due(md_source_t *s, md_clock_manual_t *m, int64_t recv_ns, int64_t want_due) {
  md_input_t in;
  int64_t    due = 0;
  if (want_due > m->mono_ns) {
    cr_assert_eq(s->next(s->ctx, &in, &due, NULL), MD_ERR_EMPTY);
    cr_assert_eq(due, want_due);
    m->mono_ns = want_due - 1;
    cr_assert_eq(s->next(s->ctx, &in, &due, NULL), MD_ERR_EMPTY);
    m->mono_ns = want_due;
  }
  cr_assert_eq(s->next(s->ctx, &in, &due, NULL), MD_OK);
  cr_assert_eq(in.recv_ns, recv_ns);
}

#define PACED "1000000\tI\ta\tb\n1500000\tI\ta\tb\n1200000\tI\ta\tb\n3000000\tI\ta\tb\n"

Test(recording, plays_in_recorded_time_and_a_step_back_at_once) {
  md_clock_manual_t m     = {.mono_ns = 7000};
  md_clock_t        clock = md_clock_manual(&m);
  md_source_t       s     = open_source(write_text(PACED), 1000, &clock);
  check_due(&s, &m, 1000000, 7000);
  check_due(&s, &m, 1500000, 507000);
  check_due(&s, &m, 1200000, 0);
  check_due(&s, &m, 3000000, 2007000);
  s.close(s.ctx);
}

Test(recording, speed_ten_plays_ten_times_faster) {
  md_clock_manual_t m     = {.mono_ns = 7000};
  md_clock_t        clock = md_clock_manual(&m);
  md_source_t       s     = open_source(write_text(PACED), 10000, &clock);
  check_due(&s, &m, 1000000, 7000);
  check_due(&s, &m, 1500000, 57000);
  check_due(&s, &m, 1200000, 0);
  check_due(&s, &m, 3000000, 207000);
  s.close(s.ctx);
}

Test(recording, clock_set_far_back_goes_on_from_its_new_time) {
  md_clock_manual_t m     = {.mono_ns = 50};
  md_clock_t        clock = md_clock_manual(&m);
  md_source_t s = open_source(write_text("9000000000000\tI\ta\tb\n1000\tI\ta\tb\n1700\tI\ta\tb\n"),
                              1000, &clock);
  check_due(&s, &m, 9000000000000, 50);
  check_due(&s, &m, 1000, 0);
  check_due(&s, &m, 1700, 750);
  s.close(s.ctx);
}

/* ---- venue ---- */

static const char *
venue_of(const char *text) {
  md_msg_t    msg  = {0};
  const char *name = md_recording_find_venue(write_text(text), &msg);
  cr_assert(name != NULL || msg.text[0] != 0);
  remove_file();
  return name ? name : "none";
}

Test(recording, one_of_a_protocol_that_nobody_reads_is_refused_with_the_reason) {
  static const char text[] = "1\tH\thttps://www.okex.com/api/spot/v3/instruments\t[]\n"
                             "2\tC\ta\twss://real.okex.com:8443/ws/v3\n2\tB\ta\tS0tKzgEA\n";
  md_msg_t          msg    = {0};
  md_input_t        in;
  int64_t           due;
  cr_assert_null(md_recording_find_venue(write_text(text), &msg));
  cr_assert(strstr(msg.text, ":2: ") && strstr(msg.text, "protocol v3"), "%s", msg.text);
  remove_file();
  md_source_t s = open_source(write_text(text), 0, NULL);
  cr_assert_eq(s.next(s.ctx, &in, &due, &msg), MD_OK);
  cr_assert_eq(s.next(s.ctx, &in, &due, &msg), MD_ERR_VERSION, "also when a feed is named");
  cr_assert(strstr(msg.text, "protocol v3"), "%s", msg.text);
  s.close(s.ctx);
  remove_file();
}

Test(recording, venue_is_found_by_url_else_by_name_and_futures_are_told_apart) {
#define SPOT_HTTP "1\tH\thttps://api.binance.com/api/v3/depth?symbol=X\t{}\n"
  cr_assert_str_eq(venue_of(SPOT_HTTP "1\tC\tx\twss://stream.binance.com:9443/ws\n"),
                   "binance_spot");
  cr_assert_str_eq(venue_of("1\tC\tx\twss://stream.binance.us:9443/ws\n"), "binance_us");
  cr_assert_str_eq(venue_of("1\tI\tBINANCE_US-63b290.0\t{}\n"), "binance_us");
  cr_assert_str_eq(venue_of("1\tI\tBINANCE-b38f7c.0\t{}\n"), "binance_spot");
  cr_assert_str_eq(venue_of("1\tI\tstream.binance.com\t{}\n"), "binance_spot");
  cr_assert_str_eq(venue_of("1\tI\tconn\t{}\n" SPOT_HTTP), "binance_spot");
  cr_assert_str_eq(venue_of("1\tI\tconn\t{}\n1\tH\thttps://api.binance.us/api/v3/depth\t{}\n"),
                   "binance_us");
  cr_assert_str_eq(venue_of("1\tI\tfstream.binance.com\t{}\n"), "binance_derivatives");
  cr_assert_str_eq(venue_of("1\tI\tdstream.binance.com\t{}\n"), "binance_coinm");
  cr_assert_str_eq(venue_of("1\tH\thttps://fapi.binance.com/fapi/v1/depth\t{}\n"),
                   "binance_derivatives");
  cr_assert_str_eq(venue_of("1\tH\thttps://dapi.binance.com/dapi/v1/depth\t{}\n"), "binance_coinm");
  cr_assert_str_eq(venue_of("1\tI\tBINANCE_FUTURES-1125a2.0\t{}\n"), "binance_derivatives");
  cr_assert_str_eq(venue_of("1\tI\tBINANCE_DELIVERY.ws.1.0\t{}\n"), "binance_coinm");
  cr_assert_str_eq(venue_of(SPOT_HTTP "1\tC\tx\twss://fstream.binance.com/stream\n"),
                   "binance_derivatives");
  cr_assert_str_eq(venue_of("1\tC\tx\twss://ws.okx.com:8443/ws/v5/public\n"), "okx_spot");
  cr_assert_str_eq(venue_of("1\tC\tokx_derivatives.0a\twss://ws.okx.com:8443/ws/v5/public\n"),
                   "okx_derivatives");
  cr_assert_str_eq(venue_of("1\tC\tx\twss://real.okex.com:8443/ws/v3\n"), "none");
}

/* Far more text than is read at a time, so that what was shown moves in memory. */
Test(recording, lines_ahead_are_shown_once_and_are_those_that_come) {
  const uint32_t line_cnt = 5000, max = 5;
  char          *text = malloc(line_cnt * 256), want[200];
  size_t         used = 0;
  for (uint32_t n = 0; n < line_cnt; n++)
    used += (size_t)snprintf(text + used, 256, "%u\tI\tstream.binance.com\t%0*u\n", n + 1,
                             (int)(n % 180) + 1, n);
  md_source_t    s = open_source(write_file(text, used), 0, NULL);
  md_input_t     in;
  md_msg_t       msg       = {0};
  uint32_t       shown_cnt = 0, len, ahead;
  const uint8_t *payload;
  for (uint32_t n = 0; n < line_cnt; n++) {
    cr_assert_eq(next(&s, &in, &msg), MD_OK, "%s", msg.text);
    (void)snprintf(want, sizeof want, "%0*u", (int)(n % 180) + 1, n);
    check_input(&in, MD_RAW_TEXT_IN, n + 1, "stream.binance.com", want);
    if (n % 7 == 3) continue; /* who does not ask misses some */
    while (s.ahead(s.ctx, max, &payload, &len, &ahead)) {
      const uint32_t k = n + ahead;
      cr_assert(ahead >= 1 && ahead <= max && k < line_cnt);
      (void)snprintf(want, sizeof want, "%0*u", (int)(k % 180) + 1, k);
      cr_assert(len == strlen(want) && memcmp(payload, want, len) == 0, "%u ahead of %u", ahead, n);
      shown_cnt++;
    }
    (void)snprintf(want, sizeof want, "%0*u", (int)(n % 180) + 1, n);
    check_input(&in, MD_RAW_TEXT_IN, n + 1, "stream.binance.com", want);
  }
  cr_assert(shown_cnt > line_cnt * 9 / 10 && shown_cnt < line_cnt, "%u", shown_cnt);
  cr_assert_eq(next(&s, &in, &msg), MD_ERR_END);
  cr_assert_not(s.ahead(s.ctx, max, &payload, &len, &ahead));
  s.close(s.ctx);
  free(text);
}
