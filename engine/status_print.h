/* status_print.h - the picture of monitoring/status_view.h on stdout. */
#ifndef ENGINE_STATUS_PRINT_H
#define ENGINE_STATUS_PRINT_H

#include "monitoring/status_view.h"

void md_status_print_text(const md_status_view_t *view);
void md_status_print_json(const md_status_view_t *view);

#endif
