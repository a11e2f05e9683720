/* doctor.h - is this machine set up for low latency? Findings with what each costs here and what to
 * do about it.
 *
 * md_doctor_measure looks at the machine: limits, free space, and what reads of the clock, system
 * calls, first touches of memory and others on the core cost. md_doctor_examine turns that, the
 * files below root/proc and root/sys, and a configuration if there is one, into findings; it reads
 * nothing else, so tests put in their own. Main thread of `mdengine doctor`; changes nothing. */
#ifndef ENGINE_DOCTOR_H
#define ENGINE_DOCTOR_H

#include "engine/topology.h"

#include <sched.h>

#define MD_FINDING_CNT_MAX  16u
#define MD_FINDING_BYTES    256u
#define MD_DOCTOR_CORES_MAX 1024u

typedef struct md_doctor_machine {
  const char *root;            /* stands before /proc and /sys; "" is this machine */
  cpu_set_t   cores;           /* that this process may run on */
  uint64_t    memlock_bytes;   /* UINT64_MAX: no limit, or the right to ignore it */
  uint64_t    shm_free_bytes;  /* in the folder of the segment */
  int64_t     clock_read_ps;   /* one clock_gettime */
  int64_t     syscall_ns;      /* one call that does nothing */
  int64_t     touch_ns;        /* first write to a page of 4 KiB ... */
  int64_t     touch_huge_ns;   /* ... and to one of 2 MiB, 0: there are none */
  int64_t     spin_ns;         /* so long a thread only looked at the clock, */
  int64_t     away_ns;         /* was kept from that so long in all (pauses above 10 us), */
  int64_t     away_longest_ns; /* and so long at a stretch */
  uint32_t    slow_start_pct;  /* speed in the first ms after a rest, of the speed after 50 ms */
  bool        io_uring;        /* could be set up */
  char        io_uring_why[MD_FINDING_BYTES]; /* what was said when not */
} md_doctor_machine_t;

typedef struct md_finding {
  const char *id; /* "clock", never freed */
  bool        is_warning;
  char        found[MD_FINDING_BYTES];  /* what is the case */
  char        cost[MD_FINDING_BYTES];   /* what that costs here, of a warning */
  char        advice[MD_FINDING_BYTES]; /* what to do, of a warning */
} md_finding_t;

typedef struct md_findings {
  uint32_t     cnt, warning_cnt;
  md_finding_t row[MD_FINDING_CNT_MAX];
} md_findings_t;

/* md_doctor_measure fills m in less than a second; shm_dir is where the segment goes. */
void md_doctor_measure(const char *shm_dir, md_doctor_machine_t *m);

/* md_doctor_examine fills out; t may be NULL: then nothing is known of feeds and their cores. */
void md_doctor_examine(const md_doctor_machine_t *m, const md_config_t *cfg, const md_topology_t *t,
                       md_findings_t *out);

/* md_doctor_print_text and _json write the findings, _json with the measurements behind them. */
void md_doctor_print_text(const md_findings_t *f, FILE *out);
void md_doctor_print_json(const md_findings_t *f, const md_doctor_machine_t *m, FILE *out);

#endif
