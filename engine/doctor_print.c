/* doctor_print.c - the findings of doctor.h as text and as JSON. */
#include "engine/cli.h"
#include "engine/doctor.h"

#include <inttypes.h>
#include <string.h>

#define WIDTH 100

/* Text in lines of at most WIDTH, each behind indent blanks; the first line begins at `at`. */
static void
print_wrapped(FILE *out, const char *text, int at, int indent) {
  int column = at;
  while (*text) {
    int len = (int)strcspn(text, " ");
    if (column > indent && column + 1 + len > WIDTH) {
      (void)fprintf(out, "\n%*s", indent, "");
      column = indent;
    } else if (column > indent) {
      (void)fputc(' ', out);
      column++;
    }
    (void)fprintf(out, "%.*s", len, text);
    column += len;
    text += len + (text[len] == ' ');
  }
  (void)fputc('\n', out);
}

void
md_doctor_print_text(const md_findings_t *f, FILE *out) {
  for (uint32_t i = 0; i < f->cnt; i++) {
    const md_finding_t *row = &f->row[i];
    (void)fprintf(out, "%-4s  %-9s ", row->is_warning ? "warn" : "ok", row->id);
    print_wrapped(out, row->found, 16, 16);
    if (!row->is_warning) continue;
    (void)fprintf(out, "%16s", "costs: ");
    print_wrapped(out, row->cost, 16, 16);
    (void)fprintf(out, "%16s", "do: ");
    print_wrapped(out, row->advice, 16, 16);
  }
  (void)fprintf(out, "%u of %u findings are warnings\n", f->warning_cnt, f->cnt);
}

static void
print_member(FILE *out, const char *name, const char *text) {
  (void)fprintf(out, ",\"%s\":", name);
  md_cli_json_string(out, text);
}

void
md_doctor_print_json(const md_findings_t *f, const md_doctor_machine_t *m, FILE *out) {
  (void)fprintf(out, "{\"degraded\":%s,\"findings\":[", f->warning_cnt ? "true" : "false");
  for (uint32_t i = 0; i < f->cnt; i++) {
    const md_finding_t *row = &f->row[i];
    (void)fprintf(out, "%s{\"id\":\"%s\",\"state\":\"%s\"", i ? "," : "", row->id,
                  row->is_warning ? "warn" : "ok");
    print_member(out, "found", row->found);
    print_member(out, "cost", row->cost);
    print_member(out, "advice", row->advice);
    (void)fputc('}', out);
  }
  (void)fprintf(out,
                "],\"measured\":{\"clock_read_ns\":%.3f,\"syscall_ns\":%" PRId64
                ",\"touch_4k_ns\":%" PRId64 ",\"touch_2m_ns\":%" PRId64 ",\"spin_ns\":%" PRId64
                ",\"away_ns\":%" PRId64 ",\"away_longest_ns\":%" PRId64
                ",\"slow_start_percent\":%u,\"io_uring\":%s,\"shm_free_bytes\":%" PRIu64
                ",\"cores\":%d}}\n",
                (double)m->clock_read_ps / 1000.0, m->syscall_ns, m->touch_ns, m->touch_huge_ns,
                m->spin_ns, m->away_ns, m->away_longest_ns, m->slow_start_pct,
                m->io_uring ? "true" : "false", m->shm_free_bytes, CPU_COUNT(&m->cores));
}
