#include "writers/sink.h"

#include "writers/sink_table.h"

#include <string.h>

#define SINK_DECLARE(symbol) extern const md_sink_t symbol;
MD_SINK_TABLE(SINK_DECLARE)
#undef SINK_DECLARE

const md_sink_t *
md_sink_find(const char *name) {
#define SINK_ROW(symbol) &symbol,
  static const md_sink_t *const table[] = {MD_SINK_TABLE(SINK_ROW)};
#undef SINK_ROW
  for (size_t i = 0; i < MD_CNT(table); i++) {
    if (strcmp(table[i]->name, name) == 0) return table[i];
  }
  return NULL;
}
