/* pg_lag.h - how far the PostgreSQL sink is behind, how fast it comes nearer, and when it is there:
 * the gauges of the sink's lag. Counts whether or not there is a connection. One thread. */
#ifndef WRITERS_PG_LAG_H
#define WRITERS_PG_LAG_H

#include "shm/metric.h"

#define MD_PG_ETA_NEVER UINT64_C(31536000) /* seconds: it does not get nearer */

typedef struct md_pg_lag {
  int64_t  stored_pub_ns; /* of the newest record that is stored; at first when the sink began */
  uint64_t stored_cnt;    /* records, by this sink */
  bool     was_live;      /* all of the older epochs is stored */
  int64_t  told_mono_ns;
  int64_t  window_mono_ns, window_lag_ns; /* where the rate is measured from */
  uint64_t window_cnt;
} md_pg_lag_t;

void md_pg_lag_begin(md_pg_lag_t *l, int64_t mono_ns, int64_t real_ns);

/* md_pg_lag_stored notes a committed batch: so many records, the last published at pub_ns. */
void md_pg_lag_stored(md_pg_lag_t *l, uint32_t record_cnt, int64_t pub_ns);

/* md_pg_lag_tell sets the gauges, a few times a second; record_cnt is what is published and not
 * stored, is_live whether the sink reads its rings. */
void md_pg_lag_tell(md_pg_lag_t *l, md_metrics_t *metrics, uint64_t record_cnt, bool is_live,
                    int64_t mono_ns, int64_t real_ns);

#endif
