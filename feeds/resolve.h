/* resolve.h - addresses of host names, looked up beside the thread that wants them.
 *
 * A look-up by the system's resolver may take half a minute, and a feed thread must not wait: each
 * runs in a short-lived thread of its own, at most one for a name, and the owner asks again until
 * it is done. What was found serves for a minute; after that, and after the last address was
 * refused, it is looked up again, and the old addresses go on to serve while that fails. Addresses
 * are tried in the order they came in: one that cannot be reached makes room for the next.
 *
 * All calls come from the one thread that owns the resolver, but for the look-up itself. A look-up
 * that never comes back is left behind: nothing waits for it, not even md_resolver_close. */
#ifndef FEEDS_RESOLVE_H
#define FEEDS_RESOLVE_H

#include "shm/clock.h"
#include "shm/err.h"

#define MD_ADDRESS_CNT_MAX   16u
#define MD_ADDRESS_BYTES     64u
#define MD_RESOLVED_CNT_MAX  32u           /* names of one resolver */
#define MD_RESOLVE_TIMEOUT   5000000000ll  /* ns that a look-up may take */
#define MD_RESOLVE_FRESH     60000000000ll /* ns that its addresses serve */
#define MD_RESOLVE_PAUSE_MIN 1000000000ll  /* ns between two that fail, doubled with each ... */
#define MD_RESOLVE_PAUSE_MAX 30000000000ll /* ... up to this */

typedef struct md_addresses {
  char     text[MD_ADDRESS_CNT_MAX][MD_ADDRESS_BYTES]; /* numeric, IPv4 or IPv6 */
  uint32_t cnt;
  char     why[128]; /* there is none */
} md_addresses_t;

/* A look-up: may block, runs in a thread of its own. False with a reason in out->why. */
typedef bool (*md_lookup_t)(void *ctx, const char *name, md_addresses_t *out);

typedef struct md_resolver_config {
  const md_clock_t *clock;
  md_lookup_t       lookup; /* NULL: the system's */
  void             *lookup_ctx;
  uint64_t          seed; /* of the pauses */
} md_resolver_config_t;

typedef struct md_resolver md_resolver_t;

MD_MUST_USE md_err_t md_resolver_open(const md_resolver_config_t *cfg, md_resolver_t **out,
                                      md_msg_t *msg);
void                 md_resolver_close(md_resolver_t *r);

/* md_resolver_ask gives the address to connect to now, valid until the next call; a numeric name is
 * its own. MD_ERR_BUSY: it is looked up, ask again; MD_ERR_ABSENT: there is none, and msg says why.
 * Never blocks. */
MD_MUST_USE md_err_t md_resolver_ask(md_resolver_t *r, const char *name, const char **address,
                                     md_msg_t *msg);

/* md_resolver_refused says that the address given last for name could not be reached. */
void md_resolver_refused(md_resolver_t *r, const char *name);

/* md_resolver_address_cnt returns how many addresses of name are known, 0 for none. */
uint32_t md_resolver_address_cnt(const md_resolver_t *r, const char *name);

#endif
