/* config_table.h - every configuration key. One row adds one: the struct member, the parser, its range
 * check, `mdengine check --keys` and the reference in engine/README.md follow from it.
 *
 * Rows: X(key, KIND, default, min, max, values, "what it means, what to choose").
 *   TEXT      up to 255 bytes; min is 1 where it must not be empty
 *   BOOL      true or false
 *   NUMBER    a whole number in [min, max]
 *   BYTES     a number with B, KiB, MiB, GiB; [min, max] in bytes
 *   POW2      BYTES that must be a power of two
 *   DURATION  a number with ns, us, ms, s, m, h, d; [min, max] in ns
 *   CHOICE    one of values ("a|b|c"); the struct holds its index
 *   SPEED     a factor with up to three decimals, or max; the struct holds thousandths, 0 for max
 *   DEPTH     none, full, or a number of levels; the struct holds levels
 *   RECORDS   a list of record types with a table; the struct holds bits
 *   NAMES     a name or a list of names, up to 4095 bytes in all
 * The default is written as in a file. */
#ifndef ENGINE_CONFIG_TABLE_H
#define ENGINE_CONFIG_TABLE_H

#define MD_CONFIG_ENGINE(X)                                                                        \
  X(name, TEXT, "mdengine", 1, 24, "",                                                             \
    "name of the segment under shm_dir and of this engine: a-z, 0-9, _ and -")                     \
  X(shm_dir, TEXT, "/dev/shm", 1, 100, "", "tmpfs that holds the segment")                         \
  X(shm_readers, CHOICE, "group", 0, 0, "group|owner|all",                                         \
    "who may read the segment; only owner and group may also enter the list of readers")           \
  X(shm_group, TEXT, "", 0, 31, "",                                                                \
    "group that may read the segment, of which the engine's user is a member; empty: that user's own") \
  X(shm_mode, CHOICE, "file", 0, 0, "file|sealed",                                                 \
    "sealed: memory that not even this user's other programs can cut or write; readers get it through a socket") \
  X(instruments, NUMBER, "1000", 1, 100000, "", "rows of the instrument directory, all feeds: how many symbols a pattern may choose")     \
  X(book_space, BYTES, "0B", 0, 68719476736, "",                                                   \
    "shared memory for live books; 0B: as much as depth wants for the instruments that there may be, which `mdengine check` says") \
  X(stop_timeout, DURATION, "30s", 100000000, 3600000000000, "",                                   \
    "how long a stop waits for the sinks to drain; the next start recovers the rest")              \
  X(io, CHOICE, "auto", 0, 0, "auto|io_uring|poll",                                                \
    "what runs the sinks' I/O: poll is pwrite, fdatasync and poll; auto takes it where io_uring is refused") \
  X(log_file, TEXT, "", 0, 255, "",                                                                \
    "file that the log is appended to, opened again at SIGHUP; empty: stderr")                     \
  X(log_format, CHOICE, "logfmt", 0, 0, "logfmt|json", "form of the log lines")                    \
  X(log_level, CHOICE, "info", 0, 0, "debug|info|warn|error", "the least that is logged")

#define MD_CONFIG_FEED(X)                                                                          \
  X(enabled, BOOL, "true", 0, 0, "", "false leaves the feed out")                                  \
  X(recording, TEXT, "", 0, 255, "",                                                               \
    "a .wscap or .wscap.zst file to play as this feed's input, instead of symbols")                \
  X(symbols, NAMES, "", 0, 4095, "",                                                               \
    "what to collect from the exchange: names, patterns such as \"*USDT\", or all")                \
  X(exclude, NAMES, "", 0, 4095, "", "names and patterns that symbols must not choose")            \
  X(list_interval, DURATION, "10m", 0, 86400000000000, "",                                         \
    "the venue's list of symbols is read again after so long, for patterns, or when a stream fell silent; 0s once") \
  X(channels, NAMES, "[depth, trade, bbo]", 0, 4095, "",                                           \
    "what to collect of each symbol: depth, trade, bbo, agg_trade, kline, ticker, mark, index, funding, liquidation, open_interest, long_short_ratio, fill; what a venue lacks is left out") \
  X(url, TEXT, "", 0, 255, "", "base of the WebSocket URLs; empty: the venue's own")               \
  X(rest_url, TEXT, "", 0, 255, "", "base of the REST URLs; empty: the venue's own")               \
  X(ca_file, TEXT, "", 0, 255, "",                                                                 \
    "PEM file of the authorities that may sign certificates; empty: the system's")                 \
  X(transport, CHOICE, "native", 0, 0, "lws|native",                                               \
    "what speaks WebSocket with the exchange: the engine's own client, or libwebsockets, which costs several times as much") \
  X(deflate, BOOL, "false", 0, 0, "",                                                              \
    "offer permessage-deflate: fewer bytes, several times the work; only with transport native")   \
  X(stream_pace, CHOICE, "100ms", 0, 0, "100ms|raw|raw_or_100ms",                                  \
    "Deribit: book, trades and ticker each 100 ms, or raw, which needs client_id; or 100 ms where raw is refused") \
  X(client_id, TEXT, "", 0, 255, "", "name of an API key, for a venue whose streams need one; only with its secret") \
  X(client_secret_file, TEXT, "", 0, 255, "",                                                      \
    "file whose first line is the secret of client_id, mode 0600; a secret never stands in this configuration") \
  X(client_secret_env, TEXT, "", 0, 255, "",                                                       \
    "environment variable that holds the secret, instead of a file")                               \
  X(rest_weight_per_min, NUMBER, "6000", 50, 1000000, "",                                          \
    "REST weight that may be used in any minute; less where others use the same address")          \
  X(poll_interval, DURATION, "60s", 1000000000, 86400000000000, "",                                \
    "what has no stream is asked for so often, for example open interest; less often where the venue's limits say so") \
  X(silence_depth, DURATION, "30s", 0, 86400000000000, "",                                         \
    "a book without an update for so long, and for 20 of its usual pauses, is STALE; 0s never")    \
  X(silence_bbo, DURATION, "60s", 0, 86400000000000, "", "the same for best prices: subscribed again") \
  X(silence_trade, DURATION, "0s", 0, 86400000000000, "",                                          \
    "the same for trades and bars, which may rest for hours")                                      \
  X(silence_connection, DURATION, "15s", 0, 86400000000000, "",                                    \
    "a connection without any data for so long, and for 20 of its usual pauses, is replaced; 0s never") \
  X(reconnect_min, DURATION, "100ms", 10000000, 60000000000, "",                                   \
    "pause before the first try to connect again, doubled with each that fails")                   \
  X(reconnect_max, DURATION, "30s", 10000000, 3600000000000, "", "the longest such pause")         \
  X(speed, SPEED, "1", 0, 1000000, "", "pace of the recording: 1 as recorded, 10 ten times, max")  \
  X(on_end, CHOICE, "hold", 0, 0, "hold|exit",                                                     \
    "when the recording ends: keep the books up, or stop the engine once all feeds have ended")    \
  X(repeat, NUMBER, "1", 0, 1000000000, "", "how often the recording is played; 0 without end")    \
  X(raw, BOOL, "true", 0, 0, "", "keep every received frame in the journal beside the records")    \
  X(microseconds, BOOL, "false", 0, 0, "",                                                         \
    "the connection's times are microseconds where its URL does not say so")                       \
  X(depth, DEPTH, "1000", 0, 20000, "",                                                            \
    "levels a side that readers see: none, a number, or full (20000)")                             \
  X(tape, POW2, "16MiB", 65536, 4294967296, "", "size of the broadcast ring that readers follow")  \
  X(journal_ring, POW2, "64MiB", 65536, 4294967296, "",                                            \
    "ring to the journal: seconds of peak rate that it may fall behind before records are lost")   \
  X(postgres_ring, POW2, "64MiB", 65536, 4294967296, "",                                           \
    "ring to PostgreSQL; when it overflows the sink reads the journal instead, nothing is lost")   \
  X(level_space, BYTES, "1GiB", 1048576, 1099511627776, "",                                        \
    "address space for the engine's own books; memory is taken as levels come")                    \
  X(sync_buffer, BYTES, "64MiB", 65536, 68719476736, "",                                           \
    "memory for updates that wait for a snapshot, all books of the feed")                          \
  X(sync_buffer_book, BYTES, "4MiB", 65536, 1073741824, "",                                        \
    "the same for one book; beyond it the oldest are dropped and declared")                        \
  X(log_file, TEXT, "", 0, 255, "",                                                                \
    "file that the log's lines about this feed are appended to as well, opened again at SIGHUP; empty: none") \
  X(memory_soft, BYTES, "512MiB", 0, 1099511627776, "",                                            \
    "above so much memory of the feed's own (books, waiting updates, instruments) it gives back what it only keeps to be quick, then a line in the log and /health warn; 0B never") \
  X(memory_hard, BYTES, "1GiB", 0, 1099511627776, "",                                              \
    "above so much for 5 s the feed forgets its books and connects anew; if it happens again within an hour the engine stops with status 75; 0B never") \
  X(ladder_every, DURATION, "0s", 0, 86400000000000, "",                                           \
    "a record of the best 20 levels of each book that changed, so often (100ms, 1s); 0s never")    \
  X(order_counts, BOOL, "false", 0, 0, "",                                                         \
    "records of how many orders stand at each level, where the exchange says it (OKX)")            \
  X(core, NUMBER, "-1", -1, 1023, "", "CPU core to pin the thread to, -1 none")                    \
  X(idle, CHOICE, "wait", 0, 0, "spin|yield|wait",                                                 \
    "what the thread does without input: spin is fastest and takes a whole core")

#define MD_CONFIG_JOURNAL(X)                                                                       \
  X(dir, TEXT, "journal", 1, 255, "", "directory of the journal, made when missing")               \
  X(policy, CHOICE, "interval", 0, 0, "batch|interval|none",                                       \
    "when bytes become durable: each group commit, every interval, or as the kernel likes")        \
  X(interval, DURATION, "10ms", 1000000, 10000000000, "",                                          \
    "most that a power cut may take with policy interval")                                         \
  X(segment, BYTES, "256MiB", 1048576, 68719476736, "", "a new segment begins above this size")    \
  X(block, BYTES, "1MiB", 65536, 1048576, "", "largest group commit")                              \
  X(ahead, BOOL, "true", 0, 0, "",                                                                 \
    "make the next segment's file in the background while the current one is written")             \
  X(min_free, BYTES, "64MiB", 0, 1099511627776, "",                                                \
    "below so much free space the journal is degraded and allocates no more; books stay live")     \
  X(reserve, BYTES, "8MiB", 0, 1073741824, "",                                                     \
    "kept in a file for the journal's own last lines when the disk is full; 0MiB keeps none")      \
  X(compress, CHOICE, "none", 0, 0, "none|zstd",                                                   \
    "zstd: full segments are compressed in the background")                                        \
  X(compress_after, DURATION, "10m", 0, 31536000000000000, "",                                     \
    "how long after a segment was full")                                                           \
  X(keep_age, DURATION, "0s", 0, 315360000000000000, "",                                           \
    "segments that were full so long ago are deleted, once PostgreSQL has them; 0s never")         \
  X(keep_bytes, BYTES, "0B", 0, 1152921504606846976, "",                                           \
    "above so much the oldest segments are deleted, once PostgreSQL has them; 0B never")           \
  X(spares, NUMBER, "2", 0, 64, "", "files of deleted segments that are kept for new ones")        \
  X(background_rate, BYTES, "32MiB", 0, 1099511627776, "",                                         \
    "bytes a second that compressing and indexing may read and write; 0B as fast as it goes")      \
  X(core, NUMBER, "-1", -1, 1023, "", "CPU core to pin the thread to, -1 none")                    \
  X(idle, DURATION, "1ms", 0, 1000000000, "", "longest sleep without work; 0ns spins")

#define MD_CONFIG_POSTGRES(X)                                                                      \
  X(enabled, BOOL, "false", 0, 0, "", "write to PostgreSQL")                                       \
  X(conninfo, TEXT, "", 0, 255, "",                                                                \
    "libpq connection string, for example host=/run/postgresql dbname=md; no password: passfile=")  \
  X(schema, TEXT, "md", 1, 48, "", "schema that the engine makes and fills: a-z, 0-9 and _")       \
  X(records, RECORDS, "[trade, bbo, kline]", 0, 0, "", "record types that become rows")            \
  X(batch_rows, NUMBER, "10000", 1, 1000000, "", "a transaction closes at this many rows ...")     \
  X(batch_age, DURATION, "50ms", 1000000, 60000000000, "", "... or at this age")                   \
  X(connections, NUMBER, "2", 1, 4, "",                                                            \
    "transactions that are sent at the same time; they are committed in order, as with one")       \
  X(partition_days, NUMBER, "3", 1, 60, "", "daily partitions made ahead")                         \
  X(keep_days, NUMBER, "0", 0, 36500, "",                                                          \
    "mdengine db retention drops rows received before so many whole days; definitions stay; 0 keeps all") \
  X(compat_schema, TEXT, "marketprism", 0, 48, "",                                                 \
    "schema of the compatibility views, made together with the tables; empty: none")               \
  X(timescale, BOOL, "true", 0, 0, "",                                                             \
    "hypertables where the extension timescaledb is made in the database when the tables are made") \
  X(connect_timeout, DURATION, "5s", 100000000, 600000000000, "", "one attempt to connect")        \
  X(timeout, DURATION, "30s", 1000000000, 3600000000000, "",                                       \
    "longest wait for an answer: a lock, a statement, a silent server; then it connects again")     \
  X(wait_at_start, BOOL, "false", 0, 0, "",                                                        \
    "true: start without the database and catch up from the journal once it is there")             \
  X(core, NUMBER, "-1", -1, 1023, "", "CPU core to pin the thread to, -1 none")                    \
  X(idle, DURATION, "1ms", 0, 1000000000, "", "longest sleep without work; 0ns spins")

#define MD_CONFIG_MONITORING(X)                                                                    \
  X(enabled, BOOL, "true", 0, 0, "", "serve /health and /metrics")                                 \
  X(bind, TEXT, "127.0.0.1", 7, 15, "",                                                            \
    "IPv4 address that is listened on; 0.0.0.0 for all, behind a firewall: nothing is encrypted")  \
  X(http_port, NUMBER, "8087", 0, 65535, "",                                                       \
    "port of the status page, /health, /ready and /live; 0 takes any free one, which the log tells") \
  X(metrics_port, NUMBER, "9092", 0, 65535, "", "port of /metrics; 0 as above")                    \
  X(token_file, TEXT, "", 0, 255, "",                                                              \
    "file whose first line everybody must know who looks at http_port, but for /live, /ready, /ping and /version; empty: nobody is asked") \
  X(page, BOOL, "true", 0, 0, "", "serve the status page at / of http_port")                       \
  X(page_interval, DURATION, "100ms", 100000000, 10000000000, "", "time between two messages to a browser") \
  X(page_clients, NUMBER, "16", 1, 32, "", "most browsers at a time")                              \
  X(page_origins, NAMES, "", 0, 4095, "",                                                          \
    "other origins whose pages may connect, for a page behind a proxy: https://status.example")    \
  X(grace, DURATION, "120s", 0, 3600000000000, "",                                                  \
    "time after the start in which missing data and books are no fault")                           \
  X(data_age, DURATION, "60s", 1000000000, 86400000000000, "",                                     \
    "a feed whose last data is older counts as not fresh")                                         \
  X(heartbeat_age, DURATION, "30s", 1000000000, 3600000000000, "",                                 \
    "a thread whose last heartbeat is older counts as stuck")                                      \
  X(requests_per_min, NUMBER, "60", 0, 1000000, "",                                                \
    "requests to /status, /history, /ping and /version that a client may make within a minute; 0: no limit") \
  X(log_requests, BOOL, "false", 0, 0, "", "a line in the log for each HTTP request")

#endif
