/* reload.h - SIGHUP: the log file is opened again, and what can change in a running engine does.
 *
 * Form, level and file of the log follow the configuration at once. Every other key that changed is
 * named in one line, to take effect with a restart. A configuration that is wrong is refused whole,
 * with its problems in the log, and everything stays as it was. Main thread only. */
#ifndef ENGINE_RELOAD_H
#define ENGINE_RELOAD_H

#include "engine/config.h"
#include "engine/log.h"

/* md_reload reads cfg's file again; cfg is what the engine was started with, and stays. */
void md_reload(md_log_t *log, const md_config_t *cfg);

#endif
