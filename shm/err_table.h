/* err_table.h - every error code. One row adds one: X(NAME, VALUE, "what it means and what to do").
 * Values are negative, append-only: they stand in the error log of the segment. */
#ifndef SHM_ERR_TABLE_H
#define SHM_ERR_TABLE_H

#define MD_ERR_TABLE(X)                                                                            \
  X(FULL,      -1,  "no room: the ring, buffer or table is full")                                  \
  X(EMPTY,     -2,  "nothing there yet")                                                           \
  X(BUSY,      -3,  "the writer kept changing it within the bounded retries: try again")           \
  X(LAPPED,    -4,  "the reader was overtaken by the producer: records were lost to this reader")  \
  X(STALE,     -5,  "the data is older than the caller's maximum age, or was marked stale")        \
  X(DEAD,      -6,  "the owning thread or process is gone")                                        \
  X(ABSENT,    -7,  "no such name, file or instrument")                                            \
  X(EXISTS,    -8,  "it exists already, or another engine owns it")                                \
  X(VERSION,   -9,  "made by an incompatible version: use the program that wrote it, or a newer one") \
  X(CORRUPT,   -10, "bytes do not match their checksum or their own limits")                       \
  X(IO,        -11, "the operating system refused a read, write or sync")                          \
  X(NOSPACE,   -12, "no space left on the device or in shared memory: free some, or ask for less") \
  X(DENIED,    -13, "permission denied: check owner, group and mode")                              \
  X(CONFIG,    -14, "the configuration is wrong")                                                  \
  X(USAGE,     -15, "wrong use of the command line: see --help")                                   \
  X(SYNTAX,    -16, "text that does not follow its grammar")                                       \
  X(RANGE,     -17, "a number outside its range")                                                  \
  X(OVERFLOW,  -18, "a value that does not fit its mantissa and exponent")                         \
  X(UNKNOWN,   -19, "an unknown message, stream or event: counted and skipped")                    \
  X(SEQUENCE,  -20, "a sequence gap")                                                              \
  X(TIMEOUT,   -21, "not done within its time limit")                                              \
  X(NOMEM,     -22, "out of memory")                                                               \
  X(DB,        -23, "the database refused or is not reachable")                                    \
  X(FENCED,    -24, "another writer moved the progress row: this one must stop")                   \
  X(END,       -25, "end of input")                                                                \
  X(STOPPED,   -26, "asked to stop")

#endif
