#include "feeds/sim/sim_venue.h"

#include "feeds/sim/sim_venue_table.h"

#include <string.h>

#define EXTERN(symbol) extern const md_sim_venue_t symbol;
MD_SIM_VENUE_TABLE(EXTERN)
#undef EXTERN

#define ROW(symbol) &symbol,
static const md_sim_venue_t *const venues[] = {MD_SIM_VENUE_TABLE(ROW)};
#undef ROW

const md_sim_venue_t *
md_sim_venue_at(uint32_t i) {
  return i < MD_CNT(venues) ? venues[i] : NULL;
}

const md_sim_venue_t *
md_sim_venue_find(const char *name) {
  for (uint32_t i = 0; i < MD_CNT(venues); i++)
    if (strcmp(venues[i]->name, name) == 0) return venues[i];
  return NULL;
}
