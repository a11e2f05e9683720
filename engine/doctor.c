#include "engine/doctor.h"
#include "writers/journal_sink.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CLOCK_READ_PS_MAX   100000       /* above this it is a system call */
#define SEGMENT_BYTES_USUAL (512u << 20) /* one feed with every key at its default */
#define KERNEL_OLDEST       510          /* 5.10 */

typedef struct doctor {
  const md_doctor_machine_t *m;
  const md_config_t         *cfg;
  const md_topology_t       *t;
  md_findings_t             *out;
} doctor_t;

/* The first line of a file of /proc or /sys; false when there is none. */
static bool read_line(const doctor_t *d, char line[MD_FINDING_BYTES], const char *format, ...)
    MD_PRINTF(3, 4);
static bool
read_line(const doctor_t *d, char line[MD_FINDING_BYTES], const char *format, ...) {
  char    path[512], tail[256];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(tail, sizeof tail, format, arguments);
  va_end(arguments);
  (void)snprintf(path, sizeof path, "%s%s", d->m->root, tail);
  line[0]  = 0;
  FILE *in = fopen(path, "r");
  if (!in) return false;
  bool is_there = fgets(line, (int)MD_FINDING_BYTES, in) != NULL || !ferror(in);
  (void)fclose(in);
  line[strcspn(line, "\n")] = 0;
  return is_there;
}

static md_finding_t *
add(const doctor_t *d, const char *id, bool is_warning) {
  md_assert(d->out->cnt < MD_FINDING_CNT_MAX);
  md_finding_t *f = &d->out->row[d->out->cnt++];
  memset(f, 0, sizeof *f);
  f->id         = id;
  f->is_warning = is_warning;
  d->out->warning_cnt += is_warning;
  return f;
}

static void say(char out[MD_FINDING_BYTES], const char *format, ...) MD_PRINTF(2, 3);
static void
say(char out[MD_FINDING_BYTES], const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(out, MD_FINDING_BYTES, format, arguments);
  va_end(arguments);
}

/* "2-3,7" into a set; what is no list ends it. */
static void
parse_cores(const char *text, cpu_set_t *out) {
  CPU_ZERO(out);
  while (isdigit((unsigned char)*text)) {
    char         *end;
    unsigned long from = strtoul(text, &end, 10), to = from;
    if (*end == '-') to = strtoul(end + 1, &end, 10);
    for (unsigned long i = from; i <= to && i < MD_DOCTOR_CORES_MAX; i++)
      CPU_SET(i, out);
    text = *end == ',' ? end + 1 : end;
  }
}

static const char *
time_text(int64_t ns, char out[24]) {
  if (ns < 10000)
    (void)snprintf(out, 24, "%" PRId64 " ns", ns);
  else if (ns < 10000000)
    (void)snprintf(out, 24, "%" PRId64 " us", ns / 1000);
  else
    (void)snprintf(out, 24, "%" PRId64 " ms", ns / 1000000);
  return out;
}

/* How busy the cores are with others: what isolation, pinning and more cores would save. */
static void
say_away(const doctor_t *d, char out[MD_FINDING_BYTES]) {
  char away[24], longest[24], spin[24];
  say(out, "a thread that never rests was kept from its core for %s of %s, %s at a stretch",
      time_text(d->m->away_ns, away), time_text(d->m->spin_ns, spin),
      time_text(d->m->away_longest_ns, longest));
}

static void
examine_kernel(const doctor_t *d) {
  char     line[MD_FINDING_BYTES], *end = NULL;
  bool     is_known = read_line(d, line, "/proc/sys/kernel/osrelease");
  uint64_t version  = strtoul(line, &end, 10) * 100;
  if (*end == '.') version += strtoul(end + 1, NULL, 10);
  md_finding_t *f = add(d, "kernel", is_known && version < KERNEL_OLDEST);
  say(f->found, "Linux %.64s", is_known ? line : "of an unknown version");
  say(f->cost, "no io_uring or an early one, and below 5.1 no engine.shm_mode: sealed");
  say(f->advice, "use a kernel from 5.10 on; Debian 12 has 6.1");
}

/* Threads that want a core: each feed and each sink; the monitor sleeps. */
static void
examine_cores(const doctor_t *d) {
  uint32_t have = (uint32_t)CPU_COUNT(&d->m->cores), want = 2, spinning = 0;
  if (d->t) {
    want = d->t->feed_cnt + d->t->sink_cnt;
    for (uint32_t i = 0; i < d->t->feed_cnt; i++)
      spinning += d->t->feed_cfg[i]->idle == 0;
    spinning += d->cfg->journal.idle == 0;
    spinning += d->cfg->postgres.enabled && d->cfg->postgres.idle == 0;
  }
  /* Whoever spins leaves nothing to the others; the rest share well. */
  bool          is_short = spinning > 0 ? have < spinning + 1 : have < (want + 3) / 4 + 1;
  md_finding_t *f        = add(d, "cores", is_short);
  if (d->t)
    say(f->found, "%u cores for %u feeds and %u sinks, %u of which spin", have, d->t->feed_cnt,
        d->t->sink_cnt, spinning);
  else
    say(f->found, "%u cores; one for each busy feed and one for all else is best", have);
  say_away(d, f->cost);
  if (spinning > 0)
    say(f->advice, "spin on at most %u threads: set idle: wait for the others, or take more cores",
        have > 1 ? have - 1 : 0);
  else
    say(f->advice, "give it %u cores, or fewer feeds", (want + 3) / 4 + 1);
}

/* Each thread of the configuration that may be pinned: its core or -1. */
static uint32_t
wanted_cores(const doctor_t *d, int64_t out[MD_FEED_CNT_MAX + 2]) {
  uint32_t cnt = 0;
  for (uint32_t i = 0; i < d->t->feed_cnt; i++)
    out[cnt++] = d->t->feed_cfg[i]->core;
  out[cnt++] = d->cfg->journal.core;
  if (d->cfg->postgres.enabled) out[cnt++] = d->cfg->postgres.core;
  return cnt;
}

static void
examine_pinning(const doctor_t *d) {
  int64_t   core[MD_FEED_CNT_MAX + 2];
  cpu_set_t taken;
  uint32_t  feeds_free = 0, shared = 0, absent = 0, cnt = d->t ? wanted_cores(d, core) : 0;
  CPU_ZERO(&taken);
  for (uint32_t i = 0; i < cnt; i++) {
    if (core[i] < 0 || core[i] >= (int64_t)MD_DOCTOR_CORES_MAX) {
      feeds_free += i < d->t->feed_cnt;
      continue;
    }
    absent += !CPU_ISSET((size_t)core[i], &d->m->cores);
    shared += CPU_ISSET((size_t)core[i], &taken) != 0;
    CPU_SET((size_t)core[i], &taken);
  }
  md_finding_t *f = add(d, "pinning", feeds_free + shared + absent > 0);
  if (!d->t)
    say(f->found, "not looked at: -c FILE says which threads are pinned");
  else if (!f->is_warning)
    say(f->found, "every feed has a core of its own");
  else
    say(f->found,
        "%u feeds without a core, %u threads on a core that another has, %u on a core "
        "that is not there",
        feeds_free, shared, absent);
  say_away(d, f->cost);
  say(f->advice, "set feeds.FEED.core to a different core for each feed; journal.core and "
                 "postgres.core may be one that no feed has");
}

static void
examine_isolation(const doctor_t *d) {
  char      line[MD_FINDING_BYTES];
  cpu_set_t isolated;
  int64_t   core[MD_FEED_CNT_MAX + 2];
  uint32_t  pinned = 0, exposed = 0;
  (void)read_line(d, line, "/sys/devices/system/cpu/isolated");
  parse_cores(line, &isolated);
  if (d->t) (void)wanted_cores(d, core);
  for (uint32_t i = 0; d->t && i < d->t->feed_cnt; i++) {
    if (core[i] < 0 || core[i] >= (int64_t)MD_DOCTOR_CORES_MAX) continue;
    pinned++;
    exposed += !CPU_ISSET((size_t)core[i], &isolated);
  }
  md_finding_t *f = add(d, "isolcpus", CPU_COUNT(&isolated) == 0 || exposed > 0);
  if (line[0] == 0)
    say(f->found, "no core is kept free of other work");
  else
    say(f->found, "cores %.100s are kept free; %u of %u pinned feeds are outside", line, exposed,
        pinned);
  say_away(d, f->cost);
  say(f->advice, "boot with isolcpus=LIST nohz_full=LIST rcu_nocbs=LIST and pin the feeds there; "
                 "in a cgroup a cpuset partition does the same");
}

static void
examine_governor(const doctor_t *d) {
  char     line[MD_FINDING_BYTES], other[MD_FINDING_BYTES] = "";
  uint32_t seen = 0, slow = 0;
  for (size_t i = 0; i < MD_DOCTOR_CORES_MAX; i++) {
    if (!CPU_ISSET(i, &d->m->cores)) continue;
    if (!read_line(d, line, "/sys/devices/system/cpu/cpu%zu/cpufreq/scaling_governor", i)) continue;
    seen++;
    if (strcmp(line, "performance") == 0) continue;
    slow++;
    memcpy(other, line, sizeof other);
  }
  md_finding_t *f = add(d, "governor", slow > 0);
  if (seen == 0)
    say(f->found,
        "no frequency control here (a virtual machine, or fixed); in the first ms after "
        "a rest: %u %% of full speed",
        d->m->slow_start_pct);
  else if (slow == 0)
    say(f->found, "performance on all %u cores", seen);
  else
    say(f->found, "%.32s on %u of %u cores", other, slow, seen);
  say(f->cost, "in the first ms after a rest a core has %u %% of its full speed",
      d->m->slow_start_pct);
  say(f->advice, "cpupower frequency-set -g performance");
}

static void
examine_huge_pages(const doctor_t *d) {
  char          line[MD_FINDING_BYTES], small[24], huge[24];
  bool          is_known = read_line(d, line, "/sys/kernel/mm/transparent_hugepage/enabled");
  md_finding_t *f        = add(d, "thp", is_known && strstr(line, "[always]") != NULL);
  say(f->found, is_known ? "transparent huge pages: %.64s" : "no transparent huge pages%.0s", line);
  say(f->cost, "a first touch may clear or compact 2 MiB: %s instead of %s for 4 KiB",
      time_text(d->m->touch_huge_ns, huge), time_text(d->m->touch_ns, small));
  say(f->advice, "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
}

static void
examine_clock(const doctor_t *d) {
  char    line[MD_FINDING_BYTES];
  int64_t ns = d->m->clock_read_ps / 1000;
  bool    is_known =
      read_line(d, line, "/sys/devices/system/clocksource/clocksource0/current_clocksource");
  md_finding_t *f = add(d, "clock", d->m->clock_read_ps > CLOCK_READ_PS_MAX);
  say(f->found, "clock source %.32s, a read takes %" PRId64 ".%" PRId64 " ns",
      is_known ? line : "unknown", ns, d->m->clock_read_ps / 100 % 10);
  say(f->cost,
      "%" PRId64 " ns for each of the two or three reads a message, and one a read of a "
      "book",
      ns);
  say(f->advice, "boot with clocksource=tsc tsc=reliable where the processor has an invariant TSC "
                 "(constant_tsc nonstop_tsc in /proc/cpuinfo)");
}

static void
examine_memlock(const doctor_t *d) {
  uint64_t      want = MD_JOURNAL_SLOTS_BYTES;
  md_finding_t *f    = add(d, "memlock", d->m->memlock_bytes < want);
  if (d->m->memlock_bytes == UINT64_MAX)
    say(f->found, "no limit of locked memory");
  else
    say(f->found, "limit of locked memory %" PRIu64 " KiB, wanted %" PRIu64 " KiB",
        d->m->memlock_bytes >> 10, want >> 10);
  say(f->cost, "the journal's buffers cannot be registered: the kernel looks up their pages with "
               "each write, a few percent of its time");
  say(f->advice,
      "ulimit -l %" PRIu64 ", LimitMEMLOCK= of the service, --ulimit memlock= of the "
      "container",
      want >> 10);
}

static void
examine_io_uring(const doctor_t *d) {
  char          call[24];
  md_finding_t *f = add(d, "io_uring", !d->m->io_uring);
  say(f->found, d->m->io_uring ? "can be set up%.0s" : "refused: %.200s", d->m->io_uring_why);
  say(f->cost,
      "the sinks write by pwrite and fdatasync, which wait for the disk one after the "
      "other; a call by itself takes %s",
      time_text(d->m->syscall_ns, call));
  say(f->advice, "sysctl kernel.io_uring_disabled=0; in a container a seccomp profile that allows "
                 "io_uring_setup, io_uring_enter and io_uring_register");
}

static void
examine_shm(const doctor_t *d) {
  uint64_t    want = SEGMENT_BYTES_USUAL, rings = 0;
  const char *dir = d->cfg ? d->cfg->engine.shm_dir : "/dev/shm";
  if (d->t) {
    md_segment_bytes(&d->t->segment, &want, &rings);
    want += rings;
  }
  md_finding_t *f = add(d, "shm", d->m->shm_free_bytes < want);
  say(f->found, "%.64s has %" PRIu64 " MiB free, %s %" PRIu64 " MiB", dir,
      d->m->shm_free_bytes >> 20, d->t ? "this configuration takes" : "one feed takes about",
      want >> 20);
  say(f->cost, "the engine does not start: it takes all its shared memory at once");
  say(f->advice,
      "mount -o remount,size=%" PRIu64 "M %.64s, --shm-size of a container, or smaller "
      "rings, tapes and engine.book_space",
      (want >> 20) * 2 + 64, dir);
}

static void
examine_swap(const doctor_t *d) {
  char path[512], line[MD_FINDING_BYTES], where[MD_FINDING_BYTES] = "", touch[24];
  (void)snprintf(path, sizeof path, "%s/proc/swaps", d->m->root);
  FILE *in = fopen(path, "r");
  /* The first line is the heading. */
  if (in && fgets(line, sizeof line, in) && fgets(line, sizeof line, in)) {
    line[strcspn(line, " \t\n")] = 0;
    memcpy(where, line, sizeof where);
  }
  if (in) (void)fclose(in);
  md_finding_t *f = add(d, "swap", where[0] != 0);
  say(f->found, where[0] ? "on: %.100s" : "off%.0s", where);
  say(f->cost,
      "books and rings that rested may be on disk when they are wanted: milliseconds "
      "instead of the %s of a page that is new",
      time_text(d->m->touch_ns, touch));
  say(f->advice, "swapoff -a, MemorySwapMax=0 of the service, or vm.swappiness=0");
}

void
md_doctor_examine(const md_doctor_machine_t *m, const md_config_t *cfg, const md_topology_t *t,
                  md_findings_t *out) {
  doctor_t d = {m, cfg, t, out};
  md_assert((cfg == NULL) == (t == NULL));
  memset(out, 0, sizeof *out);
  examine_kernel(&d);
  examine_cores(&d);
  examine_pinning(&d);
  examine_isolation(&d);
  examine_governor(&d);
  examine_huge_pages(&d);
  examine_clock(&d);
  examine_memlock(&d);
  examine_swap(&d);
  examine_io_uring(&d);
  examine_shm(&d);
}
