/* json_fields.h - a record's JSON without the fields that came later and are not there: bodies grow
 * at their end and in what was padding, so tests of one exchange need not name what others give.
 * For unit tests of decoders; one thread. */
#ifndef TESTS_UNIT_JSON_FIELDS_H
#define TESTS_UNIT_JSON_FIELDS_H

#include "shm/record.h"

#include <stdio.h>
#include <string.h>

/* Takes ,"name":value out where the value says that there is none. */
static inline void
json_leave_out(char *json, const char *name) {
  static const char *const none[] = {"null", "0", "\"\""};
  for (size_t n = 0; n < MD_CNT(none); n++) {
    char  pair[64];
    int   len = snprintf(pair, sizeof pair, ",\"%s\":%s", name, none[n]);
    char *at  = strstr(json, pair);
    if (!at || !strchr(",}", at[len])) continue;
    memmove(at, at + len, strlen(at + len) + 1);
    return;
  }
}

static inline void
json_leave_out_absent(char *json, const md_record_t *rec) {
  const md_record_info_t *info = md_record_info(rec->type);
  for (uint32_t i = 0; i < info->field_cnt; i++)
    if (info->fields[i].off >= md_record_old_bytes(rec->type))
      json_leave_out(json, info->fields[i].name);
  json_leave_out(json, "source");
  json_leave_out(json, "fill_cnt");
  json_leave_out(json, "match_lag_us");
}

#endif
