/* sim_venue_table.h - every venue of the simulator: X(symbol of its md_sim_venue_t). One row adds
 * one. */
#ifndef FEEDS_SIM_SIM_VENUE_TABLE_H
#define FEEDS_SIM_SIM_VENUE_TABLE_H

// clang-format off
#define MD_SIM_VENUE_TABLE(X)                                                                      \
  X(md_sim_binance_spot)                                                                           \
  X(md_sim_binance_us)                                                                             \
  X(md_sim_binance_derivatives)                                                                    \
  X(md_sim_binance_coinm)                                                                          \
  X(md_sim_deribit)                                                                                \
  X(md_sim_okx_spot)                                                                               \
  X(md_sim_okx_derivatives)
// clang-format on

#endif
