/* tend.c - the pass over full segments, as the configuration wants it. */
#include "engine/engine_private.h"

static void
tend_log(void *ctx, const char *level, const char *text) {
  md_engine_t *e = ctx;
  md_log(e->log, md_log_level_of(level), "journal", "%s", text);
}

md_err_t
md_engine_tend(md_engine_t *e, md_msg_t *msg) {
  const md_config_journal_t *j   = &e->cfg->journal;
  const uint32_t             row = md_topology_monitor_row(&e->topology);
  e->positions                   = (md_journal_positions_t){.row = e->segment.streams,
                                                            .cnt = e->segment.header->section[MD_SECTION_STREAMS].cnt,
                                                            .epoch = e->topology.segment.epoch};
  md_journal_tend_config_t cfg   = {.dir               = j->dir,
                                    .compress          = j->compress != 0,
                                    .compress_after_ns = j->compress_after,
                                    .keep_age_ns       = j->keep_age,
                                    .keep_bytes        = (uint64_t)j->keep_bytes,
                                    .bytes_per_s       = (uint64_t)j->background_rate,
                                    .spare_max         = (uint32_t)j->spares,
                                    .clock             = e->clock,
                                    .metrics           = &e->segment.metrics[row],
                                    .log               = tend_log,
                                    .log_ctx           = e};
  if (e->topology.sink_cnt > MD_SINK_POSTGRES) {
    cfg.stored     = md_journal_tend_stored;
    cfg.stored_ctx = &e->positions;
  }
  return md_journal_tend_start(&cfg, &e->tend, msg);
}
