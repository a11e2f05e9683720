#include "feeds/recording.h"

#include "feeds/recording_bytes.h"
#include "feeds/swar.h"
#include "feeds/venue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NAME_BYTES_MAX 8192u
#define READ_BYTES     (256u << 10)
/* A line holds the largest frame as base64, its name, time and kind. */
#define LINE_BYTES_MAX (MD_FRAME_BYTES_MAX / 3 * 4 + NAME_BYTES_MAX + 64u)
#define TEXT_BYTES     (LINE_BYTES_MAX + READ_BYTES)
#define MAP_BYTES      ((size_t)TEXT_BYTES + MD_FRAME_PAD_BYTES)
#define BINARY_BYTES   ((size_t)MD_FRAME_BYTES_MAX + MD_FRAME_PAD_BYTES)

/* A recording whose clock was set back by more than this goes on at once at its new time, instead
 * of playing everything unpaced until it is back where it was. */
#define STEP_BACK_NS 5000000000ll

#define LEG_CNT_MAX    16u
#define LEG_NAME_BYTES 128u

#define HEAD_MESSAGES_MAX 4096u /* that md_recording_find_venue looks at */

typedef struct leg_name {
  char     text[LEG_NAME_BYTES];
  uint32_t len;
} leg_name_t;

struct md_recording {
  md_recording_bytes_t *bytes;
  uint8_t              *text;   /* lines; [begin, end) is not used yet */
  uint8_t              *binary; /* decoded base64, mapped when the first one comes */
  size_t                begin, end;
  uint64_t              line_cnt; /* lines taken */
  size_t                shown;    /* lines before it were taken or shown, as shown_cnt of them */
  uint64_t              shown_cnt;
  bool                  has_input; /* input was parsed and not yet given */
  md_input_t            input;
  md_err_t              done; /* MD_ERR_END or the damage, told again for ever */
  md_msg_t              done_msg;
  md_msg_t              wrong; /* the heart of done_msg */

  uint32_t          speed_permille;
  const md_clock_t *clock;
  bool              paced; /* base_* are set */
  int64_t           base_recv_ns, base_mono_ns, recv_max_ns;

  leg_name_t leg[LEG_CNT_MAX];
  uint32_t   leg_cnt;
  char       path[]; /* for messages */
};

static void *
map(size_t bytes) {
  void *p =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? NULL : p;
}

/* ---- lines ---- */

static md_err_t
damage(md_recording_t *r, md_err_t err, uint64_t line, const char *what) {
  snprintf(r->wrong.text, sizeof r->wrong.text, "%s", what);
  r->done = md_fail(&r->done_msg, err, "%s:%llu: %s; the %llu messages before it count", r->path,
                    (unsigned long long)line, what, (unsigned long long)(line - 1));
  return r->done;
}

/* More text behind what is there. At the end a rest without newline is a line that was cut. */
static md_err_t
text_more(md_recording_t *r) {
  if (r->begin > 0) {
    memmove(r->text, r->text + r->begin, r->end - r->begin);
    r->end -= r->begin;
    r->shown -= r->shown < r->begin ? r->shown : r->begin;
    r->begin = 0;
  }
  if (r->end > LINE_BYTES_MAX) {
    return damage(r, MD_ERR_CORRUPT, r->line_cnt + 1, "the line is longer than any message may be");
  }
  size_t   got = 0;
  md_msg_t why = {0};
  md_err_t err = md_recording_bytes_read(r->bytes, r->text + r->end, READ_BYTES, &got, &why);
  if (err == MD_OK) {
    r->end += got;
    return MD_OK;
  }
  if (err != MD_ERR_END) return damage(r, err, r->line_cnt + 1, why.text);
  if (r->end > 0) {
    return damage(r, MD_ERR_CORRUPT, r->line_cnt + 1, "the line has no end: the file was cut");
  }
  r->done = MD_ERR_END;
  return MD_ERR_END;
}

/* The next line without its newline; it stays where it is until the next call. */
static md_err_t
line_next(md_recording_t *r, uint8_t **line, size_t *len) {
  size_t seen = 0;
  for (;;) {
    uint8_t *from    = r->text + r->begin;
    uint8_t *newline = memchr(from + seen, '\n', r->end - r->begin - seen);
    if (newline) {
      *line = from;
      *len  = (size_t)(newline - from);
      r->begin += *len + 1;
      r->line_cnt++;
      return MD_OK;
    }
    seen         = r->end - r->begin;
    md_err_t err = text_more(r);
    if (err) return err;
  }
}

/* ---- grammar ---- */

static bool
parse_time(const uint8_t *p, size_t len, int64_t *out) {
  if (len == 0 || len > 19) return false;
  uint64_t v = 0;
  size_t   i = 0;
  for (; i + 8 <= len; i += 8) {
    const uint64_t word = md_swar_load(p + i);
    if (md_swar_digit_cnt(word) != 8) return false;
    v = v * 100000000 + md_swar_value8(word ^ MD_SWAR_ZEROS);
  }
  for (; i < len; i++) {
    if (p[i] < '0' || p[i] > '9') return false;
    v = v * 10 + (uint64_t)(p[i] - '0');
  }
  if (v > INT64_MAX) return false;
  *out = (int64_t)v;
  return true;
}

static bool
parse_kind(const uint8_t *p, size_t len, md_raw_kind_t *out) {
  if (len != 1) return false;
  switch (p[0]) {
  case 'C':
    *out = MD_RAW_CONNECT;
    return true;
  case 'O':
    *out = MD_RAW_TEXT_OUT;
    return true;
  case 'I':
    *out = MD_RAW_TEXT_IN;
    return true;
  case 'B':
    *out = MD_RAW_BINARY_IN;
    return true;
  case 'H':
    *out = MD_RAW_HTTP;
    return true;
  case 'X':
    *out = MD_RAW_CLOSE;
    return true;
  default:
    return false;
  }
}

static int
base64_digit(uint8_t c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

/* RFC 4648 with padding; `to` has room for len / 4 * 3 bytes. */
static bool
base64_decode(const uint8_t *p, size_t len, uint8_t *to, size_t *out_len) {
  if (len % 4 != 0) return false;
  size_t n = 0;
  for (size_t i = 0; i < len; i += 4) {
    bool     is_last = i + 4 == len;
    unsigned pad     = is_last && p[i + 3] == '=' ? (p[i + 2] == '=' ? 2 : 1) : 0;
    uint32_t word    = 0;
    for (unsigned k = 0; k < 4; k++) {
      int digit = k >= 4 - pad ? 0 : base64_digit(p[i + k]);
      if (digit < 0) return false;
      word = word << 6 | (uint32_t)digit;
    }
    for (unsigned k = 0; k < 3 - pad; k++) {
      to[n++] = (uint8_t)(word >> (16 - 8 * k));
    }
  }
  *out_len = n;
  return true;
}

/* Connections are numbered in the order in which they appear. */
static uint8_t
leg_of(md_recording_t *r, const md_input_t *in) {
  if (in->kind == MD_RAW_HTTP || in->name_len > LEG_NAME_BYTES) return MD_LEG_NONE;
  for (uint32_t i = 0; i < r->leg_cnt; i++) {
    if (r->leg[i].len == in->name_len && memcmp(r->leg[i].text, in->name, in->name_len) == 0) {
      return (uint8_t)i;
    }
  }
  if (r->leg_cnt == LEG_CNT_MAX) return MD_LEG_NONE;
  memcpy(r->leg[r->leg_cnt].text, in->name, in->name_len);
  r->leg[r->leg_cnt].len = in->name_len;
  return (uint8_t)r->leg_cnt++;
}

static const char *
binary_input(md_recording_t *r, const uint8_t *p, size_t len, md_input_t *in) {
  size_t out_len = 0;
  if (len / 4 * 3 > MD_FRAME_BYTES_MAX + 2) return "the payload is longer than any message may be";
  if (!r->binary) r->binary = map(BINARY_BYTES);
  if (!r->binary) return "no memory for a binary payload";
  if (!base64_decode(p, len, r->binary, &out_len)) return "the binary payload is not base64";
  if (out_len > MD_FRAME_BYTES_MAX) return "the payload is longer than any message may be";
  in->payload = r->binary;
  in->len     = (uint32_t)out_len;
  return NULL;
}

/* Returns what is wrong with a line, NULL when *in was filled from it. */
static const char *
parse_line(md_recording_t *r, const uint8_t *line, size_t len, md_input_t *in) {
  const uint8_t *field[4];
  size_t         field_len[4];
  const uint8_t *end = line + len;
  for (unsigned i = 0; i < 4; i++) {
    const uint8_t *tab = memchr(line, '\t', (size_t)(end - line));
    if (!tab && i < 3) return "fewer than four fields between TABs";
    if (tab && i == 3) return "more than four fields between TABs";
    field[i]     = line;
    field_len[i] = (size_t)((tab ? tab : end) - line);
    line         = tab ? tab + 1 : end;
  }
  memset(in, 0, sizeof *in);
  if (!parse_time(field[0], field_len[0], &in->recv_ns)) {
    return "the receive time is not a number of nanoseconds";
  }
  if (!parse_kind(field[1], field_len[1], &in->kind)) return "the kind is none of C O I B H X";
  if (field_len[2] == 0) return "the connection has no name";
  if (field_len[2] > NAME_BYTES_MAX) return "the connection's name is too long";
  in->name     = (const char *)field[2];
  in->name_len = (uint32_t)field_len[2];
  if (in->kind == MD_RAW_BINARY_IN) {
    const char *wrong = binary_input(r, field[3], field_len[3], in);
    if (wrong) return wrong;
  } else {
    if (field_len[3] > MD_FRAME_BYTES_MAX) return "the payload is longer than any message may be";
    in->payload = field[3];
    in->len     = (uint32_t)field_len[3];
  }
  in->leg = leg_of(r, in);
  return NULL;
}

/* Makes the next line r->input. */
static md_err_t
input_next(md_recording_t *r) {
  uint8_t *line = NULL;
  size_t   len  = 0;
  if (r->has_input) return MD_OK;
  if (r->done) return r->done;
  md_err_t err = line_next(r, &line, &len);
  if (err) return err;
  const char *wrong = parse_line(r, line, len, &r->input);
  if (wrong) return damage(r, MD_ERR_CORRUPT, r->line_cnt, wrong);
  const char *refused = r->input.kind == MD_RAW_CONNECT
                            ? md_venue_refusal((const char *)r->input.payload, r->input.len)
                            : NULL;
  if (refused)
    return r->done = md_fail(&r->done_msg, MD_ERR_VERSION, "%s:%llu: the connection %s", r->path,
                             (unsigned long long)r->line_cnt, refused);
  r->has_input = true;
  return MD_OK;
}

/* ---- pacing ---- */

/* True when the waiting input is due; else *due_mono_ns says when it is. */
static bool
is_due(md_recording_t *r, int64_t *due_mono_ns) {
  if (r->speed_permille == 0) return true;

  int64_t now  = md_clock_mono_ns(r->clock);
  int64_t recv = r->input.recv_ns;
  if (!r->paced || recv < r->recv_max_ns - STEP_BACK_NS) {
    r->paced        = true;
    r->base_recv_ns = recv;
    r->base_mono_ns = now;
    r->recv_max_ns  = recv;
  }
  if (recv > r->recv_max_ns) r->recv_max_ns = recv;

  md_i128 due = r->base_mono_ns + (md_i128)(recv - r->base_recv_ns) * 1000 / r->speed_permille;
  if (due <= now) return true;
  *due_mono_ns = due > INT64_MAX ? INT64_MAX : (int64_t)due;
  return false;
}

static md_err_t
source_next(void *ctx, md_input_t *out, int64_t *due_mono_ns, md_msg_t *msg) {
  md_recording_t *r = ctx;
  *due_mono_ns      = 0;
  md_err_t err      = input_next(r);
  if (err) {
    if (msg) *msg = r->done_msg;
    return err;
  }
  if (!is_due(r, due_mono_ns)) return MD_ERR_EMPTY;
  r->has_input = false;
  *out         = r->input;
  return MD_OK;
}

/* Only what is in memory already; its grammar is looked at when it is taken. */
static bool
source_ahead(void *ctx, uint32_t max, const uint8_t **payload, uint32_t *len, uint32_t *ahead) {
  md_recording_t *r = ctx;
  if (r->shown_cnt < r->line_cnt) {
    r->shown     = r->begin;
    r->shown_cnt = r->line_cnt;
  }
  while (r->shown_cnt - r->line_cnt < max) {
    const uint8_t *p = r->text + r->shown, *end = r->text + r->end;
    const uint8_t *newline = memchr(p, '\n', (size_t)(end - p));
    if (!newline) return false;
    r->shown = (size_t)(newline + 1 - r->text);
    r->shown_cnt++;
    for (unsigned tab = 0; tab < 3 && p; tab++) {
      p = memchr(p, '\t', (size_t)(newline - p));
      if (p) p++;
    }
    if (!p || newline - p > MD_FRAME_BYTES_MAX) continue;
    *payload = p;
    *len     = (uint32_t)(newline - p);
    *ahead   = (uint32_t)(r->shown_cnt - r->line_cnt);
    return true;
  }
  return false;
}

static void
source_close(void *ctx) {
  md_recording_close(ctx);
}

md_source_t
md_recording_source(md_recording_t *r) {
  return (md_source_t){.next = source_next, .ahead = source_ahead, .close = source_close, .ctx = r};
}

/* ---- open and close ---- */

md_err_t
md_recording_open(const char *path, uint32_t speed_permille, const md_clock_t *clock,
                  md_recording_t **out, md_msg_t *msg) {
  md_assert(clock != NULL || speed_permille == 0);
  size_t          path_len = strlen(path);
  md_recording_t *r        = calloc(1, sizeof *r + path_len + 1);
  if (!r) return md_fail(msg, MD_ERR_NOMEM, "%s: out of memory", path);
  memcpy(r->path, path, path_len + 1);
  r->speed_permille = speed_permille;
  r->clock          = clock;

  md_err_t err = md_recording_bytes_open(path, &r->bytes, msg);
  if (err) goto fail;
  r->text = map(MAP_BYTES);
  if (!r->text) {
    err = md_fail(msg, MD_ERR_NOMEM, "%s: out of memory", path);
    goto fail;
  }

  /* The first line tells whether it is a recording at all. */
  err = input_next(r);
  if (err == MD_ERR_END) {
    err = md_fail(msg, MD_ERR_CORRUPT, "%s: not a recording: it is empty", path);
  } else if (err == MD_ERR_CORRUPT) {
    err = md_fail(msg, err,
                  "%s: not a recording (lines of `recv_ns TAB kind TAB connection TAB payload`, "
                  "plain or zstd): %s",
                  path, r->wrong.text);
  } else if (err && msg) {
    *msg = r->done_msg;
  }
  if (err) goto fail;
  *out = r;
  return MD_OK;

fail:
  md_recording_close(r);
  return err;
}

void
md_recording_close(md_recording_t *r) {
  if (!r) return;
  md_recording_bytes_close(r->bytes);
  if (r->text) munmap(r->text, MAP_BYTES);
  if (r->binary) munmap(r->binary, BINARY_BYTES);
  free(r);
}

/* ---- venue ---- */

/* Connections of our own are named FEED.NUMBER: several feeds may share a host. */
static const md_venue_t *
venue_by_feed(const md_input_t *in) {
  char        name[MD_NAME_BYTES];
  const char *dot = in->kind == MD_RAW_HTTP ? NULL : memchr(in->name, '.', in->name_len);
  size_t      len = dot ? (size_t)(dot - in->name) : sizeof name;
  if (len >= sizeof name) return NULL;
  memcpy(name, in->name, len);
  name[len] = 0;
  return md_venue_find(name);
}

const char *
md_recording_find_venue(const char *path, md_msg_t *msg) {
  md_recording_t *r = NULL;
  if (md_recording_open(path, 0, NULL, &r, msg)) return NULL;

  const md_venue_t *by_url    = NULL;
  const md_venue_t *by_name   = NULL;
  char              seen[160] = "";
  bool              has_url   = false;
  md_msg_t          why       = {0};
  md_input_t        in;
  int64_t           due;
  for (uint32_t i = 0; i < HEAD_MESSAGES_MAX && !has_url; i++) {
    if (source_next(r, &in, &due, &why)) break;
    has_url          = in.kind == MD_RAW_CONNECT;
    const char *text = has_url ? (const char *)in.payload : in.name;
    uint32_t    len  = has_url ? in.len : in.name_len;
    if (has_url || seen[0] == 0)
      snprintf(seen, sizeof seen, "%.*s", (int)(len < 100 ? len : 100), text);
    if (has_url) by_url = venue_by_feed(&in);
    if (has_url && !by_url) by_url = md_venue_by_host(text, len);
    if (!has_url && !by_name) by_name = md_venue_by_host(text, len);
  }
  bool is_refused = r->done == MD_ERR_VERSION;
  md_recording_close(r);
  if (is_refused) {
    (void)md_fail(msg, MD_ERR_VERSION, "%s", why.text);
    return NULL;
  }

  const md_venue_t *venue = has_url ? by_url : by_name;
  if (venue) return venue->name;
  md_fail(msg, MD_ERR_ABSENT, "%s: no feed of this engine reads \"%s\": name one with --feed", path,
          seen);
  return NULL;
}
