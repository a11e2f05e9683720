/* pg_lane.h - one of the connections over which the PostgreSQL sink sends its batches.
 *
 * The first lane is the link's connection. Any other one only sends: it has the session's settings
 * and nothing else, comes up by itself while the link is up, and is dropped with it. What cannot
 * connect is tried again with a pause that doubles; the batches go over those that are there. Rows
 * of several batches travel at once; tickets, given in the order in which batches were filled, say
 * whose turn it is to move progress and commit. One thread. */
#ifndef WRITERS_PG_LANE_H
#define WRITERS_PG_LANE_H

#include "writers/pg_batch.h"
#include "writers/pg_link.h"

#define MD_PG_LANE_MAX 4u

typedef enum md_pg_lane_phase {
  MD_PG_LANE_DOWN, /* until retry_mono_ns */
  MD_PG_LANE_CONNECT,
  MD_PG_LANE_SETTINGS,
  MD_PG_LANE_UP
} md_pg_lane_phase_t;

typedef struct md_pg_lane {
  md_pg_t           *pg;
  md_pg_send_t       send;
  uint64_t           ticket;       /* of the batch that is sent */
  int64_t            send_mono_ns; /* when it began */
  md_pg_silence_t    silence;
  md_pg_lane_phase_t phase;
  int64_t            deadline_mono_ns; /* of connecting */
  int64_t            retry_mono_ns, pause_ns;
} md_pg_lane_t;

/* All of them. */
typedef struct md_pg_lanes {
  md_pg_lane_t lane[MD_PG_LANE_MAX];
  uint32_t     cnt;
  uint64_t     ticket, committed;     /* given last; of the last batch that is stored */
  uint32_t     alone_cnt, alone_next; /* batches that go one by one; so many after a failure */
} md_pg_lanes_t;

/* md_pg_lanes_new takes what cnt lanes send with; their connections are the caller's to open. */
MD_MUST_USE md_err_t md_pg_lanes_new(md_pg_lanes_t *s, uint32_t cnt);
void                 md_pg_lanes_delete(md_pg_lanes_t *s);

/* md_pg_lanes_step brings the lanes behind the first one up, and watches over them, while the link
 * l is up. What fails there shows in the batch that was sent, if any. */
void md_pg_lanes_step(md_pg_lanes_t *s, md_pg_link_t *l, int64_t mono_ns);

/* md_pg_lanes_drop ends all connections and forgets what was sent; the next batches go one by one.
 */
void md_pg_lanes_drop(md_pg_lanes_t *s);

/* md_pg_lanes_free returns a lane that can send a batch, NULL while there is none. is_alone: only
 * when no other one sends; is_first_taken: not the first. */
md_pg_lane_t *md_pg_lanes_free(md_pg_lanes_t *s, bool is_alone, bool is_first_taken);

/* md_pg_lanes_start sends b over lane and gives it the next ticket. md_pg_lanes_stored: the batch
 * of the lane whose turn it is was committed. */
void md_pg_lanes_start(md_pg_lanes_t *s, md_pg_lane_t *lane, md_pg_batch_t *b, int64_t mono_ns);
void md_pg_lanes_stored(md_pg_lanes_t *s);

/* md_pg_lanes_of returns the lane that sends the batch of a ticket, NULL for none. */
md_pg_lane_t *md_pg_lanes_of(md_pg_lanes_t *s, uint64_t ticket);

bool md_pg_lanes_are_idle(const md_pg_lanes_t *s);
bool md_pg_lanes_have(const md_pg_lanes_t *s, const md_pg_batch_t *b);

/* md_pg_lanes_are_stuck: the oldest transaction has heard nothing for long while another one waits
 * for its turn. The two may stand in each other's way through somebody else's lock, which the
 * server cannot see. */
bool md_pg_lanes_are_stuck(md_pg_lanes_t *s, md_pg_link_t *l, const md_pg_context_t *ctx,
                           int64_t mono_ns);

#endif
