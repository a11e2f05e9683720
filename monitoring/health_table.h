/* health_table.h - every rule of /health. One row adds one: its check is the function check_ID of
 * health_check.c, its line in monitoring/README.md is tested.
 *
 * Rows: X(id, severity, "what holds when it passes"). critical: failing makes the engine unhealthy
 * (503); warning: degraded (200). Within the start-up grace a rule that needs data passes. */
#ifndef MONITORING_HEALTH_TABLE_H
#define MONITORING_HEALTH_TABLE_H

#define MD_HEALTH_TABLE(X)                                                                         \
  X(segment_ready, critical, "the segment is READY: everything was started")                       \
  X(threads_alive, critical,                                                                       \
    "no thread failed, and no heartbeat is older than monitoring.heartbeat_age")                   \
  X(any_feed_fresh, critical, "at least one feed had data within monitoring.data_age")             \
  X(feeds_fresh, warning, "every feed had data within monitoring.data_age")                        \
  X(books_valid, warning, "every book that is known is VALID")                                     \
  X(feed_memory, warning, "no feed is above memory_soft")                                          \
  X(gaps, warning, "no feed declared a gap within the last minute")                                \
  X(ring_loss, warning, "no sink lost a record within the last minute")                            \
  X(conservation, warning,                                                                         \
    "every ring's account adds up: offered = published + lost, consumed <= published")             \
  X(sink_errors, warning, "no write, sync or transaction failed within the last minute")           \
  X(journal_durable, warning, "the journal makes published records durable within 10 seconds")     \
  X(journal_space, warning, "the journal has room to go on: more than journal.min_free")           \
  X(database_live, warning, "the database takes records from its ring, not late from the journal")

#endif
