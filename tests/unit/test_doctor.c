/* Every finding of `mdengine doctor`: well and not well, from files of a root of the test's own and
 * from numbers that the test puts in. */
#include "engine/doctor.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char                root[64];
static md_doctor_machine_t machine;
static md_findings_t       findings;
static md_config_t         cfg;
static md_topology_t       topology;

static void
put(const char *path, const char *text) {
  char full[256];
  (void)snprintf(full, sizeof full, "%s%s", root, path);
  for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
    *p = 0;
    (void)mkdir(full, 0700);
    *p = '/';
  }
  FILE *out = fopen(full, "w");
  cr_assert(out && fputs(text, out) >= 0 && fclose(out) == 0);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *walk) {
  (void)st;
  (void)type;
  (void)walk;
  return remove(path);
}

/* A machine on which nothing is to be said. */
static void
make_machine(void) {
  (void)snprintf(root, sizeof root, "/tmp/mddoctor.XXXXXX");
  cr_assert(mkdtemp(root));
  put("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
  put("/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n");
  put("/sys/devices/system/cpu/isolated", "2-3\n");
  put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
  put("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
  machine = (md_doctor_machine_t){.root            = root,
                                  .memlock_bytes   = 8u << 20,
                                  .shm_free_bytes  = 64ull << 30,
                                  .clock_read_ps   = 21400,
                                  .syscall_ns      = 90,
                                  .touch_ns        = 400,
                                  .touch_huge_ns   = 150000,
                                  .spin_ns         = 200000000,
                                  .away_ns         = 34000000,
                                  .away_longest_ns = 4000000,
                                  .slow_start_pct  = 62,
                                  .io_uring        = true};
  CPU_ZERO(&machine.cores);
  for (size_t i = 0; i < 4; i++)
    CPU_SET(i, &machine.cores);
}

static void
remove_machine(void) {
  (void)nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(doctor, .init = make_machine, .fini = remove_machine);

static const md_finding_t *
finding(const char *id) {
  for (uint32_t i = 0; i < findings.cnt; i++)
    if (strcmp(findings.row[i].id, id) == 0) return &findings.row[i];
  cr_assert_fail("no finding %s", id);
  return NULL;
}

static const md_finding_t *
look(const char *id) {
  md_doctor_examine(&machine, NULL, NULL, &findings);
  return finding(id);
}

/* Examines once more and wants this one warning, with its words. */
static void
warns(const char *id, const char *found, const char *cost) {
  const md_finding_t *f = look(id);
  cr_expect(f->is_warning, "%s: %s", id, f->found);
  cr_expect_eq(findings.warning_cnt, 1);
  cr_expect(strstr(f->found, found), "%s: found \"%s\"", id, f->found);
  cr_expect(strstr(f->cost, cost), "%s: cost \"%s\"", id, f->cost);
  cr_expect(strlen(f->advice) > 10);
}

Test(doctor, good_machine_gives_no_warning) {
  md_doctor_examine(&machine, NULL, NULL, &findings);
  for (uint32_t i = 0; i < findings.cnt; i++)
    cr_expect(!findings.row[i].is_warning, "%s: %s", findings.row[i].id, findings.row[i].found);
  cr_expect_eq(findings.warning_cnt, 0);
  cr_expect_eq(findings.cnt, 11);
  cr_expect_str_eq(finding("clock")->found, "clock source tsc, a read takes 21.4 ns");
}

Test(doctor, old_kernel_warns) {
  put("/proc/sys/kernel/osrelease", "5.4.0-200\n");
  warns("kernel", "Linux 5.4.0-200", "io_uring");
  put("/proc/sys/kernel/osrelease", "5.10.0\n");
  cr_expect(!look("kernel")->is_warning);
  put("/proc/sys/kernel/osrelease", "10.0\n");
  cr_expect(!look("kernel")->is_warning);
}

Test(doctor, single_core_warns_with_what_others_take) {
  CPU_ZERO(&machine.cores);
  CPU_SET(0, &machine.cores);
  warns("cores", "1 cores", "34 ms of 200 ms, 4000 us at a stretch");
}

Test(doctor, no_isolated_core_warns) {
  put("/sys/devices/system/cpu/isolated", "\n");
  warns("isolcpus", "no core is kept free", "34 ms of 200 ms");
}

Test(doctor, governor_that_saves_power_warns_with_the_slow_start) {
  put("/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "powersave\n");
  warns("governor", "powersave on 1 of 2 cores", "62 % of its full speed");
}

Test(doctor, governor_of_a_core_that_is_not_ours_is_ignored) {
  put("/sys/devices/system/cpu/cpu4/cpufreq/scaling_governor", "powersave\n");
  cr_expect(!look("governor")->is_warning);
  cr_expect_str_eq(finding("governor")->found, "performance on all 1 cores");
}

Test(doctor, huge_pages_always_warn) {
  put("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
  warns("thp", "[always]", "150 us instead of 400 ns");
}

Test(doctor, slow_clock_warns_whatever_its_name) {
  put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
  machine.clock_read_ps = 1234500;
  warns("clock", "clock source hpet, a read takes 1234.5 ns", "1234 ns");
  machine.clock_read_ps = 40000; /* a paravirtual clock is as good as the TSC */
  put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "kvm-clock\n");
  cr_expect(!look("clock")->is_warning);
}

Test(doctor, small_memlock_warns) {
  machine.memlock_bytes = 64u << 10;
  warns("memlock", "64 KiB, wanted 4096 KiB", "registered");
  machine.memlock_bytes = UINT64_MAX;
  cr_expect(!look("memlock")->is_warning);
}

Test(doctor, swap_warns) {
  put("/proc/swaps", "Filename Type\n/dev/sda2 partition 1000 0 -2\n");
  warns("swap", "on: /dev/sda2", "400 ns");
}

Test(doctor, refused_io_uring_warns_with_the_reason) {
  machine.io_uring = false;
  (void)snprintf(machine.io_uring_why, sizeof machine.io_uring_why, "seccomp said no");
  warns("io_uring", "refused: seccomp said no", "90 ns");
}

Test(doctor, full_shared_memory_warns) {
  machine.shm_free_bytes = 63u << 20;
  warns("shm", "/dev/shm has 63 MiB free", "does not start");
}

Test(doctor, machine_without_any_of_the_files_is_examined) {
  machine.root = "/tmp/mddoctor.absent";
  md_doctor_examine(&machine, NULL, NULL, &findings);
  cr_expect_eq(findings.warning_cnt, 1, "only that no core is isolated");
  cr_expect(finding("isolcpus")->is_warning);
}

static void
complain(void *ctx, uint32_t line, uint32_t column, const char *key, const char *text) {
  (void)ctx;
  cr_assert_fail("%u:%u: %s: %s", line, column, key, text);
}

/* Two feeds and the journal. The cores come after the loading, which knows those of this machine.
 */
static void
configure(int first, int second, int journal, const char *more) {
  char  path[128];
  FILE *out;
  (void)snprintf(path, sizeof path, "%s/engine.yaml", root);
  cr_assert((out = fopen(path, "w")));
  (void)fprintf(out,
                "feeds:\n  binance_spot:\n    symbols: [BTCUSDT]\n%s"
                "  okx_spot:\n    symbols: [BTC-USDT]\n%s",
                more, more);
  cr_assert_eq(fclose(out), 0);
  md_config_report_t report = {.problem = complain};
  md_msg_t           msg    = {""};
  cr_assert_eq(md_config_load(path, &cfg, &report), MD_OK);
  cfg.feed[0].core = first;
  cfg.feed[1].core = second;
  cfg.journal.core = journal;
  cr_assert_eq(md_topology_make(&cfg, NULL, &topology, &msg), MD_OK, "%s", msg.text);
  md_doctor_examine(&machine, &cfg, &topology, &findings);
}

Test(doctor, pinned_feeds_on_isolated_cores_are_well) {
  configure(2, 3, 1, "");
  cr_expect_eq(findings.warning_cnt, 0);
  cr_expect_str_eq(finding("pinning")->found, "every feed has a core of its own");
  cr_expect_str_eq(finding("cores")->found, "4 cores for 2 feeds and 1 sinks, 0 of which spin");
}

Test(doctor, feed_without_a_core_warns) {
  configure(2, -1, 1, "");
  cr_expect(finding("pinning")->is_warning);
  cr_expect(strstr(finding("pinning")->found, "1 feeds without a core"));
}

Test(doctor, core_outside_of_this_process_warns) {
  configure(2, 9, 1, "");
  cr_expect(strstr(finding("pinning")->found, "1 on a core that is not there"));
  cr_expect(strstr(finding("isolcpus")->found, "1 of 2 pinned feeds are outside"));
}

Test(doctor, more_spinning_threads_than_cores_warn) {
  CPU_CLR(0, &machine.cores);
  CPU_CLR(1, &machine.cores);
  configure(2, 3, -1, "    idle: spin\n");
  cr_expect(finding("cores")->is_warning);
  cr_expect(strstr(finding("cores")->found, "2 of which spin"));
  cr_expect(strstr(finding("cores")->advice, "at most 1 threads"));
}

Test(doctor, memory_of_the_configuration_is_what_is_wanted) {
  machine.shm_free_bytes = 300u << 20;
  configure(2, 3, 1, "");
  uint64_t main_bytes, rings_bytes;
  char     want[64];
  md_segment_bytes(&topology.segment, &main_bytes, &rings_bytes);
  (void)snprintf(want, sizeof want, "takes %llu MiB",
                 (unsigned long long)((main_bytes + rings_bytes) >> 20));
  cr_expect(strstr(finding("shm")->found, want), "%s", finding("shm")->found);
  cr_expect_eq(finding("shm")->is_warning, main_bytes + rings_bytes > machine.shm_free_bytes);
}

Test(doctor, json_and_text_name_every_finding) {
  char  *text = NULL, *json = NULL;
  size_t bytes;
  machine.io_uring = false;
  md_doctor_examine(&machine, NULL, NULL, &findings);
  FILE *out = open_memstream(&text, &bytes);
  md_doctor_print_text(&findings, out);
  cr_assert_eq(fclose(out), 0);
  out = open_memstream(&json, &bytes);
  md_doctor_print_json(&findings, &machine, out);
  cr_assert_eq(fclose(out), 0);
  for (uint32_t i = 0; i < findings.cnt; i++) {
    cr_expect(strstr(text, findings.row[i].id));
    cr_expect(strstr(json, findings.row[i].id));
  }
  cr_expect(strstr(json, "\"degraded\":true"));
  cr_expect(strstr(text, "\n1 of 11 findings are warnings") ||
            strstr(text, "1 of 11 findings are warnings\n"));
  for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
    cr_expect_leq(strcspn(line, "\n"), 100);
  free(text);
  free(json);
}

Test(doctor, measurements_are_taken) {
  md_doctor_measure("/dev/shm", &machine);
  cr_expect_gt(machine.clock_read_ps, 0);
  cr_expect_gt(machine.touch_ns, 0);
  cr_expect_geq(machine.spin_ns, 200000000);
  cr_expect_leq(machine.away_ns, machine.spin_ns);
  cr_expect(machine.slow_start_pct > 0 && machine.slow_start_pct <= 100);
  cr_expect_gt(CPU_COUNT(&machine.cores), 0);
  cr_expect(machine.io_uring || machine.io_uring_why[0]);
}
