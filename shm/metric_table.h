/* metric_table.h - counters and latency stages. One row adds one; append-only (ids are ABI).
 *
 * MD_COUNTER_TABLE rows: X(ID, kind, "mdengine_name", "help"). Each thread has a block with every
 * row; it bumps its own. Kind is counter or gauge. Shown by `mdengine status --json` and, later,
 * /metrics, with the labels thread and, for feed and sink threads, feed or sink.
 * MD_STAGE_TABLE rows: X(ID, "mdengine_name_seconds", "help"): one histogram a thread and row. */
#ifndef SHM_METRIC_TABLE_H
#define SHM_METRIC_TABLE_H

#define MD_COUNTER_TABLE(X)                                                                        \
  X(FRAMES,            counter, "mdengine_feed_frames_total", "messages received, HTTP answers included")  \
  X(FRAME_BYTES,       counter, "mdengine_feed_frame_bytes_total", "payload bytes received")       \
  X(RECORDS,           counter, "mdengine_feed_records_total", "normalised records published")     \
  X(RAW_RECORDS,       counter, "mdengine_feed_raw_records_total", "RAW records published")        \
  X(PARSE_ERRORS,      counter, "mdengine_feed_parse_errors_total", "messages that could not be decoded; kept as RAW") \
  X(UNROUTABLE,        counter, "mdengine_feed_unroutable_total", "messages of an unknown stream, event or symbol") \
  X(OVERFLOWS,         counter, "mdengine_feed_overflows_total", "numbers that do not fit their mantissa") \
  X(GAPS,              counter, "mdengine_feed_gaps_total", "GAP records published")               \
  X(RESYNCS,           counter, "mdengine_feed_resyncs_total", "books that became valid, the first time included") \
  X(DUPLICATES,        counter, "mdengine_feed_duplicates_total", "book updates older than the book, ignored") \
  X(OVERLAPS,          counter, "mdengine_feed_overlaps_total", "book updates that overlap the book, applied") \
  X(ABSENT_DELETES,    counter, "mdengine_feed_absent_deletes_total", "deletes of levels that the book does not hold; normal beyond a snapshot") \
  X(CROSSED,           counter, "mdengine_feed_crossed_total", "updates that left a book crossed or locked") \
  X(CANARY_MATCHES,    counter, "mdengine_feed_canary_matches_total", "book tops equal to the venue's at the same update id") \
  X(CANARY_MISMATCHES, counter, "mdengine_feed_canary_mismatches_total", "book tops that differ from the venue's at the same update id") \
  X(BOOKS_VALID,       gauge,   "mdengine_feed_books_valid", "books that are VALID now")           \
  X(BOOKS_KNOWN,       gauge,   "mdengine_feed_books", "instruments with a book")                  \
  X(RING_LOST,         counter, "mdengine_ring_lost_records_total", "records that a sink's ring had no room for") \
  X(SINK_RECORDS,      counter, "mdengine_sink_records_total", "records that the sink took from its rings or the journal") \
  X(SINK_BYTES,        counter, "mdengine_sink_bytes_total", "bytes written to the sink's device")  \
  X(SINK_BATCHES,      counter, "mdengine_sink_batches_total", "group commits or transactions")    \
  X(SINK_ERRORS,       counter, "mdengine_sink_errors_total", "writes, syncs or transactions that failed") \
  X(SINK_ROWS,         counter, "mdengine_sink_rows_total", "rows committed")                      \
  X(SINK_RECONNECTS,   counter, "mdengine_sink_reconnects_total", "connections to the sink opened again") \
  X(SINK_CATCHUP,      gauge,   "mdengine_sink_catchup", "1 while the sink reads the journal instead of its ring") \
  X(SINK_LAG,          gauge,   "mdengine_sink_lag_records", "published records that the sink has not finished") \
  X(JOURNAL_SEGMENTS,  counter, "mdengine_journal_segments_total", "segments opened")              \
  X(JOURNAL_SYNCS,     counter, "mdengine_journal_syncs_total", "fdatasync calls that succeeded")  \
  X(LOOPS,             counter, "mdengine_thread_loops_total", "turns of the thread's loop")       \
  X(BUSY_LOOPS,        counter, "mdengine_thread_busy_loops_total", "turns that found work") \
  X(CONNECTS,          counter, "mdengine_feed_connects_total", "connections begun")                \
  X(RECONNECTS,        counter, "mdengine_feed_reconnects_total", "of these: in place of one that was open before") \
  X(REPLACEMENTS,      counter, "mdengine_feed_replacements_total", "connections replaced before they ended, without a gap") \
  X(SILENT_STREAMS,    counter, "mdengine_feed_silent_streams_total", "streams that fell silent and were subscribed again") \
  X(SILENT_CONNECTIONS, counter, "mdengine_feed_silent_connections_total", "connections given up because nothing came") \
  X(STREAMS,           gauge,   "mdengine_feed_streams", "streams that are wanted")                \
  X(STREAMS_LIVE,      gauge,   "mdengine_feed_streams_live", "streams that give data at their pace") \
  X(OVERSIZE,          counter, "mdengine_feed_oversize_total", "messages above the limit: connection closed with 1009") \
  X(REST_REQUESTS,     counter, "mdengine_feed_rest_requests_total", "REST requests sent")         \
  X(REST_ERRORS,       counter, "mdengine_feed_rest_errors_total", "REST requests that failed and are tried again") \
  X(REST_LIMITED,      counter, "mdengine_feed_rest_limited_total", "of these: refused with 429 or 418") \
  X(ALL_VALID,         gauge,   "mdengine_feed_all_books_valid_seconds", "from the start until every wanted book was valid, 0: not yet") \
  X(SINK_IO_FALLBACK,  gauge,   "mdengine_sink_io_fallback", "1: the sink's I/O is made by pwrite, fdatasync and poll, 0: by io_uring") \
  X(SINK_DEFAULT_ROWS, gauge,   "mdengine_sink_default_rows", "rows in DEFAULT partitions, which should be empty; 1000 a table at most are counted") \
  X(JOURNAL_STATE,     gauge,   "mdengine_journal_state", "0: writing, 1: below journal.min_free, it uses up the space it has, 2: waiting for space") \
  X(JOURNAL_KEPT,      gauge,   "mdengine_journal_kept_segments", "segments in the journal's directory") \
  X(JOURNAL_KEPT_BYTES, gauge,  "mdengine_journal_kept_bytes", "bytes of these segments")          \
  X(JOURNAL_HELD,      gauge,   "mdengine_journal_held_segments", "segments over keep_age or keep_bytes that PostgreSQL still needs") \
  X(JOURNAL_PACKED,    counter, "mdengine_journal_packed_segments_total", "sealed segments compressed") \
  X(JOURNAL_RETIRED,   counter, "mdengine_journal_retired_segments_total", "segments deleted by retention")              \
  X(CHECKSUM_MATCHES,  counter, "mdengine_feed_checksum_matches_total", "books whose checksum was that of the venue's message") \
  X(CHECKSUM_MISMATCHES, counter, "mdengine_feed_checksum_mismatches_total", "books that differed: STALE until a new snapshot") \
  X(SINK_LAG_SECONDS,  gauge,   "mdengine_sink_lag_seconds", "age of the newest record that the sink has finished, 0: it has all") \
  X(SINK_CATCHUP_RATE, gauge,   "mdengine_sink_catchup_records_per_second", "records that the sink reads from the journal, 0: it need not") \
  X(SINK_CATCHUP_ETA,  gauge,   "mdengine_sink_catchup_eta_seconds", "until the sink has caught up at the present rate; 31536000: it does not get nearer") \
  X(DEEPENED,          counter, "mdengine_feed_deepened_books_total", "times that a deeper snapshot made more of a VALID book known") \
  X(DEEPEN_RETRIES,    counter, "mdengine_feed_deepen_retries_total", "deeper snapshots of VALID books that came too late or were of no use, or did not come") \
  X(MEMORY,            gauge,   "mdengine_feed_memory_bytes", "memory of the feed that grows: books, waiting updates, instruments, streams, messages") \
  X(MEMORY_STATE,      gauge,   "mdengine_feed_memory_state", "0: within the limits, 1: above memory_soft, 2: above memory_hard") \
  X(MEMORY_RECONNECTS, counter, "mdengine_feed_memory_reconnects_total", "times that the feed connected anew because it was above memory_hard for 5 s") \
  X(SNAPSHOT_REQUESTS, counter, "mdengine_feed_snapshot_requests_total", "snapshots of books asked for by REST") \
  X(SNAPSHOT_ERRORS,   counter, "mdengine_feed_snapshot_errors_total", "of these: refused, cut or not answered in time, and tried again") \
  X(CERT_EXPIRY,       gauge,   "mdengine_feed_certificate_expiry_timestamp_seconds", "when the certificate of the newest connection ends, 0: no TLS") \
  X(SINK_UP,           gauge,   "mdengine_sink_up", "1 while the sink's disk or server takes what it is given") \
  X(JOURNAL_FREE,      gauge,   "mdengine_journal_free_bytes", "free space of the journal's file system")

#define MD_STAGE_TABLE(X)                                                                          \
  X(EXCHANGE,  "mdengine_stage_exchange_to_receive_seconds", "exchange's event time to our receive time; clocks differ") \
  X(DECODE,    "mdengine_stage_receive_to_decoded_seconds", "frame handed over to records decoded")  \
  X(VISIBLE,   "mdengine_stage_decoded_to_visible_seconds", "records decoded to book and rings published") \
  X(RING_WAIT, "mdengine_stage_ring_wait_seconds", "published to taken by the sink")               \
  X(DURABLE,   "mdengine_stage_durable_seconds", "published to durable in the journal")            \
  X(STORED,    "mdengine_stage_stored_seconds", "published to committed in PostgreSQL")           \
  X(ROLL,      "mdengine_journal_roll_seconds", "last block of a segment durable to the next segment open") \
  X(SNAPSHOT,  "mdengine_stage_snapshot_seconds", "REST request for a snapshot of a book, sent to answered") \
  X(BATCH,     "mdengine_stage_batch_seconds", "transaction of PostgreSQL, first statement to committed") \
  X(AHEAD,     "mdengine_stage_exchange_ahead_seconds", "our receive time to the exchange's event time where that is later: what is below zero in the first stage")

#endif
