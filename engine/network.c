#include "engine/network.h"

#include "engine/secret.h"
#include "feeds/venue.h"

#include <string.h>
#include <unistd.h>

/* In the order of the choices of the key transport. */
static const md_transport_ops_t *const transports[] = {&md_transport_lws, &md_transport_native};

static void
log_from_live(void *ctx, const char *level, const char *text) {
  const md_engine_feed_t *f = ctx;
  md_log(f->engine->log, md_log_level_of(level), f->name, "%s", text);
}

/* Different for each start, so that many engines that failed together do not come back together. */
static uint64_t
seed_of(const md_engine_t *e, uint32_t feed) {
  return (uint64_t)md_clock_real_ns(e->clock) ^ (uint64_t)getpid() << 40 ^ (uint64_t)feed << 32;
}

static md_err_t
open_rest(md_engine_t *e, uint32_t feed, md_rest_client_t **out, md_msg_t *msg) {
  const md_config_feed_t *cfg            = e->topology.feed_cfg[feed];
  const md_rest_config_t  rc             = {.clock = e->clock, .seed = seed_of(e, MD_FEED_CNT_MAX)};
  const md_venue_t       *venue          = md_venue_find(cfg->name);
  uint32_t                weight_per_min = (uint32_t)cfg->rest_weight_per_min;
  if (venue->net && venue->net->weight_per_min && weight_per_min > venue->net->weight_per_min)
    weight_per_min = venue->net->weight_per_min;
  const md_rest_client_config_t cc  = {.ca_file = cfg->ca_file, .weight_per_min = weight_per_min};
  md_err_t                      err = e->rest ? MD_OK : md_rest_open(&rc, &e->rest, msg);
  return err ? err : md_rest_client(e->rest, &cc, out, msg);
}

md_err_t
md_network_open(md_engine_t *e, uint32_t feed, md_msg_t *msg) {
  const md_config_feed_t *cfg = e->topology.feed_cfg[feed];
  md_engine_feed_t       *f   = &e->feed[feed];
  char                    secret[MD_SECRET_BYTES];
  md_feed_live_config_t   lc          = {.name                  = cfg->name,
                                         .venue                 = md_venue_find(cfg->name),
                                         .url                   = cfg->url,
                                         .rest_url              = cfg->rest_url,
                                         .ca_file               = cfg->ca_file,
                                         .symbols               = cfg->symbols,
                                         .exclude               = cfg->exclude,
                                         .channels              = cfg->channels,
                                         .pace                  = (md_feed_live_pace_t)cfg->stream_pace,
                                         .client_id             = cfg->client_id,
                                         .client_secret         = secret,
                                         .symbol_cnt_max        = (uint32_t)e->cfg->engine.instruments,
                                         .weight_per_min        = (uint32_t)cfg->rest_weight_per_min,
                                         .silence_connection_ns = cfg->silence_connection,
                                         .reconnect_min_ns      = cfg->reconnect_min,
                                         .reconnect_max_ns      = cfg->reconnect_max,
                                         .poll_ns               = cfg->poll_interval,
                                         .list_ns               = cfg->list_interval,
                                         .seed                  = seed_of(e, feed),
                                         .clock                 = e->clock,
                                         .transport             = transports[cfg->transport],
                                         .offers_deflate        = cfg->deflate,
                                         .metrics               = &e->segment.metrics[feed],
                                         .log                   = log_from_live,
                                         .log_ctx               = f};
  lc.silence_ns[MD_CHANNEL_DEPTH]     = cfg->silence_depth;
  lc.silence_ns[MD_CHANNEL_BBO]       = cfg->silence_bbo;
  lc.silence_ns[MD_CHANNEL_TRADE]     = cfg->silence_trade;
  lc.silence_ns[MD_CHANNEL_AGG_TRADE] = cfg->silence_trade;
  lc.silence_ns[MD_CHANNEL_KLINE]     = cfg->silence_trade;
  lc.silence_ns[MD_CHANNEL_FILL]      = cfg->silence_trade;
  lc.silence_ns[MD_CHANNEL_TICKER]    = cfg->silence_bbo;
  lc.silence_ns[MD_CHANNEL_MARK]      = cfg->silence_bbo;
  lc.silence_ns[MD_CHANNEL_INDEX]     = cfg->silence_bbo;
  lc.silence_ns[MD_CHANNEL_FUNDING]   = cfg->silence_bbo;
  f->engine                           = e;
  f->name                             = cfg->name;
  md_err_t err                        = open_rest(e, feed, &lc.rest, msg);
  if (!err) err = md_secret_read(cfg, secret, sizeof secret, msg);
  if (!err) err = md_feed_live_open(&lc, &f->live, msg);
  explicit_bzero(secret, sizeof secret);
  if (err) return err;
  f->source      = md_feed_live_source(f->live);
  f->source_open = true;
  return MD_OK;
}

md_err_t
md_network_start(md_engine_t *e, md_msg_t *msg) {
  return e->rest ? md_rest_start(e->rest, msg) : MD_OK;
}

void
md_network_close(md_engine_t *e) {
  md_rest_close(e->rest);
  e->rest = NULL;
}
