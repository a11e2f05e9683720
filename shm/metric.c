#include "shm/metric.h"

#define IS_GAUGE_counter false
#define IS_GAUGE_gauge   true

const md_counter_info_t md_counter_info[MD_COUNTER_CNT] = {
#define COUNTER_ROW(ID, kind, counter_name, counter_help)                                          \
  [MD_COUNTER_##ID] = {.name = (counter_name), .help = (counter_help), .is_gauge = IS_GAUGE_##kind},
    MD_COUNTER_TABLE(COUNTER_ROW)
#undef COUNTER_ROW
};

const char *const md_stage_name[MD_STAGE_CNT] = {
#define STAGE_ROW(ID, stage_name, stage_help) [MD_STAGE_##ID] = (stage_name),
    MD_STAGE_TABLE(STAGE_ROW)
#undef STAGE_ROW
};
