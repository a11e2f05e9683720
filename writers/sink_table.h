/* sink_table.h - every sink: X(symbol of its md_sink_t). One row adds one; row 0 is the journal. */
#ifndef WRITERS_SINK_TABLE_H
#define WRITERS_SINK_TABLE_H

#define MD_SINK_TABLE(X)                                                                           \
  X(md_sink_journal)                                                                               \
  X(md_sink_postgres)

#endif
