/* command_table.h - every command: X(name, function, "summary for mdengine --help"). One row adds one; the
 * function parses its own options (argp) and returns the exit status. */
#ifndef ENGINE_COMMAND_TABLE_H
#define ENGINE_COMMAND_TABLE_H

#define MD_COMMAND_TABLE(X)                                                                        \
  X(run,     md_cmd_run,     "collect: feeds into shared memory, journal and PostgreSQL")          \
  X(check,   md_cmd_check,   "validate the configuration and say what it will use")                \
  X(book,    md_cmd_book,    "print a live order book")                                            \
  X(tail,    md_cmd_tail,    "follow the records of a feed as they are published")                 \
  X(symbols, md_cmd_symbols, "list the instruments of a running engine")                           \
  X(status,  md_cmd_status,  "feeds, sinks, rates and latencies of a running engine")              \
  X(top,     md_cmd_top,     "watch a running engine on a terminal")                               \
  X(live,    md_cmd_live,    "does a running engine answer /live? for the health check of a container") \
  X(replay,  md_cmd_replay,  "play a recording or a journal and print the books it ends in")       \
  X(journal, md_cmd_journal, "list, describe, verify and print a journal")                         \
  X(db,      md_cmd_db,      "make, migrate, verify and shorten the tables in PostgreSQL")         \
  X(sim,     md_cmd_sim,     "be an exchange: Binance spot over real WebSocket and REST")            \
  X(doctor,  md_cmd_doctor,  "what this machine costs in latency, and what to do about it")          \
  X(bench,   md_cmd_bench,   "measure the engine beside other implementations on this machine")    \
  X(version, md_cmd_version, "print version and formats")

#endif
