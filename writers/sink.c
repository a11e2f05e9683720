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

md_err_t
md_sink_open_io(const md_sink_env_t *env, md_io_config_t *cfg, md_io_t **out, md_msg_t *msg) {
  cfg->backend = env->io;
  md_err_t err = md_io_open(cfg, out, msg);
  if (err) return err;
  md_gauge(env->metrics, MD_COUNTER_SINK_IO_FALLBACK, md_io_backend(*out) == MD_IO_POLL);
  if (env->log) env->log(env->log_ctx, "info", md_io_why(*out));
  return MD_OK;
}
