#include "engine/cli.h"

#include <errno.h>
#include <string.h>

int
md_cli_error(md_err_t err, const char *text) {
  (void)fprintf(stderr, "mdengine: %s\n", text);
  return err == MD_ERR_CONFIG || err == MD_ERR_USAGE ? MD_EXIT_USAGE : MD_EXIT_FAILED;
}

void
md_cli_parse(const struct argp *argp, int argc, char **argv, void *input) {
  argp_err_exit_status = MD_EXIT_USAGE;
  (void)argp_parse(argp, argc, argv, 0, NULL, input);
}

/* Prints line number `line` of file and a caret below column. */
static void
show_line(const char *file, uint32_t line, uint32_t column) {
  char  text[512];
  FILE *in = fopen(file, "r");
  if (!in) return;
  for (uint32_t i = 0; i < line; i++)
    if (!fgets(text, sizeof text, in)) {
      (void)fclose(in);
      return;
    }
  (void)fclose(in);
  text[strcspn(text, "\n")] = 0;
  (void)fprintf(stderr, "  %s\n  %*s^\n", text, column > 0 ? (int)column - 1 : 0, "");
}

static void
print_problem(void *ctx, uint32_t line, uint32_t column, const char *key, const char *text) {
  const char *file = ctx;
  if (line == 0) {
    (void)fprintf(stderr, "%s: %s: %s\n", file, key, text);
    return;
  }
  (void)fprintf(stderr, "%s:%u:%u: %s: %s\n", file, line, column, key, text);
  show_line(file, line, column);
}

md_config_report_t
md_cli_report(const char *file) {
  union {
    const char *in;
    void       *out;
  } ctx = {.in = file};
  return (md_config_report_t){print_problem, ctx.out};
}

void
md_cli_json_string(FILE *out, const char *s) {
  (void)fputc('"', out);
  for (; *s; s++) {
    unsigned char c = (unsigned char)*s;
    if (c == '"' || c == '\\')
      (void)fprintf(out, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
      (void)fprintf(out, "\\u%04x", c);
    else
      (void)fputc(c, out);
  }
  (void)fputc('"', out);
}

const char *
md_cli_decimal(int64_t mantissa, int exponent, char *out) {
  if (mantissa == MD_NULL_I64)
    (void)memcpy(out, "-", 2);
  else
    (void)md_decimal_format(mantissa, exponent, out, MD_DECIMAL_BYTES);
  return out;
}

const char *
md_cli_time(uint64_t ns, char out[MD_TIME_BYTES]) {
  static const struct {
    uint64_t    factor;
    const char *unit;
  } units[] = {{1000000000, "s"}, {1000000, "ms"}, {1000, "us"}};
  for (size_t i = 0; i < MD_CNT(units); i++)
    if (ns >= units[i].factor) {
      (void)snprintf(out, MD_TIME_BYTES, "%.3g%s", (double)ns / (double)units[i].factor,
                     units[i].unit);
      return out;
    }
  (void)snprintf(out, MD_TIME_BYTES, "%uns", (unsigned)ns);
  return out;
}

int
md_cli_flush(int status) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return status;
  if (errno == EPIPE) return status; /* the reader has seen enough (head) */
  (void)fprintf(stderr, "mdengine: cannot write to standard output: %s\n", strerrordesc_np(errno));
  return MD_EXIT_FAILED;
}
