/* time_option.h - points in time as people and programs write them on the command line. */
#ifndef ENGINE_TIME_OPTION_H
#define ENGINE_TIME_OPTION_H

#include "shm/base.h"

/* md_time_option reads ns since 1970 (all digits, more than ten of them), seconds since 1970 (up to
 * ten digits), or ISO 8601 in UTC: 2026-11-21, 2026-11-21T14:05, 2026-11-21T14:05:07.250Z. False:
 * it is none of these. */
bool md_time_option(const char *text, int64_t *ns);

#endif
