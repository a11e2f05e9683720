/* family_table.h - every family of /metrics that is no row of shm/metric_table.h. One row adds one: only what
 * stands here can be exported, and METRICS.md is made from both tables (mdengine check --metrics --markdown).
 *
 * Rows: X(ID, type, "name", "labels", "meaning"), in the order of the page. */
#ifndef MONITORING_FAMILY_TABLE_H
#define MONITORING_FAMILY_TABLE_H

// clang-format off
#define MD_FAMILY_TABLE(X) \
  X(BUILD_INFO, gauge, "mdengine_build_info", "version, name", \
    "1, with the program's version and the segment's name") \
  X(EPOCH, gauge, "mdengine_epoch", "-", \
    "starts of this engine over its journal") \
  X(STAGE_NEGATIVE, counter, "mdengine_stage_negative_total", "thread, feed or sink, stage", \
    "measurements below zero, in no histogram: the exchange's clock is ahead of ours") \
  X(STAGE_WINDOW, gauge, "mdengine_stage_window_seconds", "thread, feed or sink, stage, window, q", \
    "P50, P99 and P99.9 of a stage over the last 10 and 60 seconds, within 1/16; none without a measurement") \
  X(STAGE_WINDOW_CNT, gauge, "mdengine_stage_window_measurements", "thread, feed or sink, stage, window", \
    "how many measurements these are of") \
  X(OFFSET, gauge, "mdengine_feed_exchange_offset_seconds", "feed, window, q", \
    "our receive time minus the exchange's event time, over the last 10 and 60 seconds; below zero: its clock is ahead of ours") \
  X(RING_OFFERED, counter, "mdengine_ring_account_offered_records_total", "feed, sink", \
    "records that a feed wanted to give to a sink") \
  X(RING_PUBLISHED, counter, "mdengine_ring_account_published_records_total", "feed, sink", \
    "of these, written to the ring") \
  X(RING_LOST, counter, "mdengine_ring_account_lost_records_total", "feed, sink", \
    "of these, dropped because the ring was full") \
  X(RING_CONSUMED, counter, "mdengine_ring_account_consumed_records_total", "feed, sink", \
    "of the published ones, given back by the sink") \
  X(RING_DIFFERENCE, gauge, "mdengine_ring_account_difference_records", "feed, sink", \
    "offered - published - lost, or consumed beyond published: 0, or there is a bug") \
  X(RING_USED, gauge, "mdengine_ring_used_bytes", "feed, sink", \
    "bytes between the sink's position and the feed's") \
  X(RING_CAPACITY, gauge, "mdengine_ring_capacity_bytes", "feed, sink", \
    "size of the ring") \
  X(STORED_SEQ, gauge, "mdengine_stream_stored_seq", "stream, feed", \
    "sequence committed to PostgreSQL") \
  X(DURABLE_SEQ, gauge, "mdengine_stream_durable_seq", "stream, feed", \
    "sequence durable in the journal") \
  X(WRITTEN_SEQ, gauge, "mdengine_stream_written_seq", "stream, feed", \
    "sequence written to the journal's file") \
  X(PUBLISHED_SEQ, gauge, "mdengine_stream_published_seq", "stream, feed", \
    "sequence published by the feed") \
  X(LAST_DATA, gauge, "mdengine_feed_last_data_timestamp_seconds", "feed", \
    "when the feed last published anything, by our clock; 0: never") \
  X(CONNECTED, gauge, "mdengine_feed_connected", "feed", \
    "1 while a connection to the venue is open, or a recording is played") \
  X(BOOK_STATES, gauge, "mdengine_feed_book_states", "feed, state", \
    "books of the feed by state") \
  X(TYPE_RECORDS, counter, "mdengine_feed_type_records_total", "feed, type", \
    "records published, by type; a type that never came has no series") \
  X(TYPE_LAST, gauge, "mdengine_feed_type_last_timestamp_seconds", "feed, type", \
    "when the feed last published a record of that type") \
  X(HEARTBEAT_AGE, gauge, "mdengine_thread_heartbeat_age_seconds", "thread, feed or sink", \
    "age of the thread's last heartbeat; a thread that ended in order is left out") \
  X(THREAD_CPU, counter, "mdengine_thread_cpu_seconds_total", "thread, feed or sink", \
    "processor time of the thread") \
  X(HEALTH_STATUS, gauge, "mdengine_health_status", "-", \
    "0 healthy, 1 degraded, 2 unhealthy") \
  X(HEALTH_CHECK, gauge, "mdengine_health_check_ok", "check", \
    "1 while the rule of /health holds") \
  X(HTTP_REQUESTS, counter, "mdengine_http_requests_total", "path, code", \
    "requests that were answered; path other: none of ours") \
  X(HTTP_TIME, histogram, "mdengine_http_request_seconds", "path", \
    "request to the whole answer handed over") \
  X(HTTP_CONNECTIONS, gauge, "mdengine_http_connections", "-", \
    "connections that are open") \
  X(HTTP_REFUSED, counter, "mdengine_http_refused_connections_total", "-", \
    "connections closed at once because there were too many") \
  X(HTTP_OVERDUE, counter, "mdengine_http_overdue_connections_total", "-", \
    "connections ended because they took too long") \
  X(CLOCK_SYNCHRONISED, gauge, "mdengine_clock_synchronised", "-", \
    "1 while the kernel holds the wall clock to be synchronised") \
  X(CLOCK_OFFSET, gauge, "mdengine_clock_offset_seconds", "-", \
    "what the kernel still has to correct of the wall clock") \
  X(CLOCK_ERROR_MAX, gauge, "mdengine_clock_error_max_seconds", "-", \
    "how far the wall clock may be off, as the kernel estimates") \
  X(SOCKETS, gauge, "mdengine_process_sockets", "state", \
    "sockets that the process holds, by state of TCP; other: no TCP") \
  X(BUDGET_MEMORY, gauge, "mdengine_budget_memory_bytes", "-", \
    "resident memory that the configuration explains; the log tells at the start what of") \
  X(BUDGET_FDS, gauge, "mdengine_budget_descriptors", "-", \
    "descriptors that it explains") \
  X(BUDGET_THREADS, gauge, "mdengine_budget_threads", "-", \
    "threads that it explains") \
  X(PROCESS_CPU, counter, "process_cpu_seconds_total", "-", \
    "processor time, user and system") \
  X(RESIDENT, gauge, "process_resident_memory_bytes", "-", \
    "resident memory, the segment included") \
  X(VIRTUAL, gauge, "process_virtual_memory_bytes", "-", \
    "address space") \
  X(OPEN_FDS, gauge, "process_open_fds", "-", \
    "open file descriptors") \
  X(MAX_FDS, gauge, "process_max_fds", "-", \
    "limit of open file descriptors") \
  X(THREADS, gauge, "process_threads", "-", \
    "threads") \
  X(START_TIME, gauge, "process_start_time_seconds", "-", \
    "start of the process since the Unix epoch")
// clang-format on

#endif
