#include "feeds/resolve.h"

#include "feeds/backoff.h"
#include "feeds/url.h"
#include "shm/atomics.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STACK_BYTES (256u << 10)

/* One look-up, shared by its thread and the resolver: whoever lets go last frees it. */
typedef struct job {
  md_lookup_t     lookup;
  void           *lookup_ctx;
  char            name[MD_HOST_BYTES_MAX];
  bool            is_found;
  md_addresses_t  found;
  md_atomic_u64   is_done;
  pthread_mutex_t lock; /* of the count only */
  uint32_t        user_cnt;
} job_t;

typedef struct name {
  char           text[MD_HOST_BYTES_MAX];
  job_t         *job;
  bool           is_late; /* the running look-up has had its time */
  bool           is_fresh;
  int64_t        begun_ns, found_ns, not_before_ns;
  uint32_t       fail_cnt;
  md_addresses_t found;
  uint32_t       at; /* the address that is given */
  char           why[128];
} name_t;

struct md_resolver {
  md_resolver_config_t cfg;
  uint64_t             seed;
  cpu_set_t            cores; /* of the thread that opened it, which is pinned to none */
  name_t               name[MD_RESOLVED_CNT_MAX];
  uint32_t             name_cnt;
};

/* ---- the look-up ---- */

static bool
lookup_by_system(void *ctx, const char *name, md_addresses_t *out) {
  const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  struct addrinfo      *list  = NULL;
  (void)ctx;
  int rc = getaddrinfo(name, NULL, &hints, &list);
  for (const struct addrinfo *a = list; rc == 0 && a && out->cnt < MD_ADDRESS_CNT_MAX;
       a                        = a->ai_next)
    if (getnameinfo(a->ai_addr, a->ai_addrlen, out->text[out->cnt], MD_ADDRESS_BYTES, NULL, 0,
                                           NI_NUMERICHOST) == 0)
      out->cnt++;
  if (list) freeaddrinfo(list);
  if (out->cnt > 0) return true;
  (void)snprintf(out->why, sizeof out->why, "%s", rc ? gai_strerror(rc) : "it has no address");
  return false;
}

static void
let_go(job_t *j) {
  (void)pthread_mutex_lock(&j->lock);
  bool is_last = --j->user_cnt == 0;
  (void)pthread_mutex_unlock(&j->lock);
  if (!is_last) return;
  (void)pthread_mutex_destroy(&j->lock);
  free(j);
}

static void *
run(void *arg) {
  job_t *j    = arg;
  j->is_found = j->lookup(j->lookup_ctx, j->name, &j->found) && j->found.cnt > 0;
  md_store_release(&j->is_done, 1); /* R1: what was found stands before it; pairs with A1 */
  let_go(j);
  return NULL;
}

/* The thread does not stay on the core of the one that wants it. */
static bool
start_thread(const md_resolver_t *r, job_t *j) {
  pthread_attr_t attr;
  pthread_t      thread;
  if (pthread_attr_init(&attr)) return false;
  bool ok = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0 &&
            pthread_attr_setstacksize(&attr, STACK_BYTES) == 0 &&
            pthread_attr_setaffinity_np(&attr, sizeof r->cores, &r->cores) == 0 &&
            pthread_create(&thread, &attr, run, j) == 0;
  (void)pthread_attr_destroy(&attr);
  return ok;
}

static bool
begin(md_resolver_t *r, name_t *n, int64_t now) {
  job_t *j = calloc(1, sizeof *j);
  if (!j) return false;
  j->lookup     = r->cfg.lookup;
  j->lookup_ctx = r->cfg.lookup_ctx;
  j->user_cnt   = 2;
  memcpy(j->name, n->text, sizeof j->name);
  (void)pthread_mutex_init(&j->lock, NULL);
  if (!start_thread(r, j)) {
    (void)pthread_mutex_destroy(&j->lock);
    free(j);
    return false;
  }
  n->job      = j;
  n->is_late  = false;
  n->begun_ns = now;
  return true;
}

/* ---- names ---- */

static name_t *
find_name(md_resolver_t *r, const char *text) {
  for (uint32_t i = 0; i < r->name_cnt; i++)
    if (strcmp(r->name[i].text, text) == 0) return &r->name[i];
  return NULL;
}

static name_t *
add_name(md_resolver_t *r, const char *text) {
  if (r->name_cnt == MD_RESOLVED_CNT_MAX || strlen(text) >= sizeof r->name[0].text) return NULL;
  name_t *n = &r->name[r->name_cnt++];
  (void)snprintf(n->text, sizeof n->text, "%s", text);
  return n;
}

static void
note_failure(md_resolver_t *r, name_t *n, int64_t now, const char *why) {
  (void)snprintf(n->why, sizeof n->why, "%s", why);
  n->not_before_ns =
      now + md_backoff_ns(MD_RESOLVE_PAUSE_MIN, MD_RESOLVE_PAUSE_MAX, n->fail_cnt, &r->seed);
  n->fail_cnt++;
}

/* Takes over what a look-up brought, early or late. */
static void
take_result(md_resolver_t *r, name_t *n, int64_t now) {
  job_t *j = n->job;
  if (!j || !md_load_acquire(&j->is_done)) return; /* A1: then what it found; pairs with R1 */
  n->job = NULL;
  if (j->is_found) {
    n->found    = j->found;
    n->at       = 0;
    n->is_fresh = true;
    n->found_ns = now;
    n->fail_cnt = 0;
  } else if (!n->is_late) { /* a late one has failed already */
    note_failure(r, n, now, j->found.why);
  }
  let_go(j);
}

/* True while it is worth waiting for a look-up. */
static bool
is_waited_for(md_resolver_t *r, name_t *n, int64_t now) {
  if (!n->job) {
    if (now < n->not_before_ns) return false;
    if (begin(r, n, now)) return true;
    note_failure(r, n, now, "no thread can be started to look it up");
    return false;
  }
  if (now - n->begun_ns < MD_RESOLVE_TIMEOUT) return true;
  if (!n->is_late) note_failure(r, n, now, "the name servers do not answer");
  n->is_late = true;
  return false;
}

/* ---- the calls ---- */

md_err_t
md_resolver_open(const md_resolver_config_t *cfg, md_resolver_t **out, md_msg_t *msg) {
  md_resolver_t *r = calloc(1, sizeof *r);
  if (!r) return md_fail(msg, MD_ERR_NOMEM, "no memory to look names up");
  r->cfg  = *cfg;
  r->seed = cfg->seed;
  if (!r->cfg.lookup) r->cfg.lookup = lookup_by_system;
  if (pthread_getaffinity_np(pthread_self(), sizeof r->cores, &r->cores))
    for (unsigned core = 0; core < CPU_SETSIZE; core++)
      CPU_SET(core, &r->cores);
  *out = r;
  return MD_OK;
}

void
md_resolver_close(md_resolver_t *r) {
  if (!r) return;
  for (uint32_t i = 0; i < r->name_cnt; i++)
    if (r->name[i].job) let_go(r->name[i].job);
  free(r);
}

md_err_t
md_resolver_ask(md_resolver_t *r, const char *name, const char **address, md_msg_t *msg) {
  struct in6_addr numeric;
  if (inet_pton(AF_INET, name, &numeric) == 1 || inet_pton(AF_INET6, name, &numeric) == 1) {
    *address = name;
    return MD_OK;
  }
  int64_t now = md_clock_mono_ns(r->cfg.clock);
  name_t *n   = find_name(r, name);
  if (!n) n = add_name(r, name);
  if (!n)
    return md_fail(msg, MD_ERR_ABSENT, "more than %u host names are connected to, or one too long",
                   MD_RESOLVED_CNT_MAX);
  take_result(r, n, now);
  if (!n->is_fresh || now - n->found_ns > MD_RESOLVE_FRESH) {
    n->is_fresh = false;
    if (is_waited_for(r, n, now)) return MD_ERR_BUSY;
  }
  if (n->found.cnt == 0)
    return md_fail(msg, MD_ERR_ABSENT, "%.80s cannot be looked up: %s", name, n->why);
  *address = n->found.text[n->at];
  return MD_OK;
}

void
md_resolver_refused(md_resolver_t *r, const char *name) {
  name_t *n = find_name(r, name);
  if (!n || n->found.cnt == 0) return;
  n->at = (n->at + 1) % n->found.cnt;
  if (n->at == 0) n->is_fresh = false; /* none of them: they may have changed */
}

uint32_t
md_resolver_address_cnt(const md_resolver_t *r, const char *name) {
  for (uint32_t i = 0; i < r->name_cnt; i++)
    if (strcmp(r->name[i].text, name) == 0) return r->name[i].found.cnt;
  return 0;
}
