/* venue_table.h - every venue: X(symbol of its md_venue_t). One row adds one. */
#ifndef FEEDS_VENUE_TABLE_H
#define FEEDS_VENUE_TABLE_H

#define MD_VENUE_TABLE(X)                                                                          \
  X(md_venue_binance_spot)                                                                         \
  X(md_venue_binance_us)                                                                           \
  X(md_venue_binance_derivatives)                                                                  \
  X(md_venue_binance_coinm)                                                                        \
  X(md_venue_deribit_derivatives)                                                                  \
  X(md_venue_okx_spot)                                                                             \
  X(md_venue_okx_derivatives)

#endif
