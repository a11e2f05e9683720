#include "monitoring/monitor.h"

#include "monitoring/assets.h"
#include "monitoring/board.h"
#include "monitoring/http.h"
#include "monitoring/prometheus.h"

#include <stdlib.h>
#include <string.h>

#define STATUS_NOT_MODIFIED   304
#define STATUS_NOT_ACCEPTABLE 406
#define STATUS_UNAVAILABLE    503
#define PAGE_PATIENCE_NS      5000000000ll
#define METRICS_TYPE          "text/plain; version=0.0.4; charset=utf-8"
#define OPENMETRICS_TYPE      "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* One HTTP server and what belongs to its thread once that runs. */
typedef struct side {
  md_http_t             *http;
  md_health_t            health;
  md_board_t            *board;   /* NULL: no page */
  md_quantile_windows_t *windows; /* of /metrics, and what it tells the process may have */
  md_budget_t            budget;
  const md_http_t       *others; /* the other server, whose counts are shown, too; NULL: none */
} side_t;

struct md_monitor {
  side_t status, metrics;
};

/* ---- routes ---- */

static void
fill_health(void *ctx, md_http_answer_t *a) {
  side_t *m = ctx;
  md_health_observe(&m->health);
  if (md_health_status(&m->health) == MD_UNHEALTHY) a->status = STATUS_UNAVAILABLE;
  md_health_json(&m->health, &a->body);
}

/* The same body for people: always 200. */
static void
fill_status(void *ctx, md_http_answer_t *a) {
  fill_health(ctx, a);
  a->status = 200;
}

static void
fill_verdict(md_http_answer_t *a, bool ok, const char *key) {
  if (!ok) a->status = STATUS_UNAVAILABLE;
  md_text_add(&a->body, "{\"%s\":%s}\n", key, ok ? "true" : "false");
}

static void
fill_ready(void *ctx, md_http_answer_t *a) {
  side_t *m = ctx;
  md_health_observe(&m->health);
  fill_verdict(a, md_health_ready(&m->health), "ready");
}

static void
fill_live(void *ctx, md_http_answer_t *a) {
  side_t *m = ctx;
  md_health_observe(&m->health);
  fill_verdict(a, md_health_live(&m->health), "live");
}

static void
fill_ping(void *ctx, md_http_answer_t *a) {
  (void)ctx;
  md_text_add(&a->body, "{\"pong\":true}\n");
}

static void
fill_version(void *ctx, md_http_answer_t *a) {
  const side_t *m = ctx;
  md_text_add(&a->body, "{\"version\":");
  md_text_add_quoted(&a->body, m->health.cfg.segment->header->version);
  md_text_add(&a->body, "}\n");
}

static void
fill_metrics(void *ctx, md_http_answer_t *a) {
  side_t *m = ctx;
  md_health_observe(&m->health);
  a->content_type                      = a->takes_openmetrics ? OPENMETRICS_TYPE : METRICS_TYPE;
  a->body.is_openmetrics               = a->takes_openmetrics;
  const md_http_stats_t       *stats[] = {md_http_stats(m->others), md_http_stats(m->http)};
  const md_prometheus_source_t source  = {.health   = &m->health,
                                          .http     = stats,
                                          .http_cnt = MD_CNT(stats),
                                          .windows  = m->windows,
                                          .budget =
                                             m->budget.value[MD_BUDGET_MEMORY] ? &m->budget : NULL};
  md_prometheus_render(&source, &a->body);
}

static void
fill_history(void *ctx, md_http_answer_t *a) {
  side_t *m = ctx;
  md_board_history(m->board, &a->body);
}

/* Files of the page: a browser asks again and is told when nothing changed. */
static void
fill_asset(md_http_answer_t *a, md_asset_t asset) {
  const md_asset_file_t *file = &md_asset_file[asset];
  a->content_type             = file->content_type;
  a->tag                      = file->tag;
  if (strcmp(a->known_tag, file->tag) == 0) {
    a->status = STATUS_NOT_MODIFIED;
  } else if (!a->takes_gzip) {
    a->status       = STATUS_NOT_ACCEPTABLE;
    a->content_type = "application/json";
    md_text_add(&a->body, "{\"error\":\"it is kept compressed only: curl --compressed\"}\n");
  } else {
    a->is_gzip = true;
    md_text_add_bytes(&a->body, file->bytes, file->len);
  }
}

static void
fill_index(void *ctx, md_http_answer_t *a) {
  (void)ctx;
  fill_asset(a, MD_ASSET_INDEX);
}

static void
fill_script(void *ctx, md_http_answer_t *a) {
  (void)ctx;
  fill_asset(a, MD_ASSET_SCRIPT);
}

static void
fill_style(void *ctx, md_http_answer_t *a) {
  (void)ctx;
  fill_asset(a, MD_ASSET_STYLE);
}

static void
fill_icon(void *ctx, md_http_answer_t *a) {
  (void)ctx;
  fill_asset(a, MD_ASSET_ICON);
}

#define PLAIN_ROUTE_CNT 6u /* without the page */

/* What says nothing of the data needs no token: probes, and the page itself, which asks for it. */
static const md_http_route_t http_routes[] = {
    {.path = "/health", .fill = fill_health},
    {.path = "/ready", .fill = fill_ready, .is_open = true},
    {.path = "/live", .fill = fill_live, .is_open = true},
    {.path = "/status", .fill = fill_status, .is_limited = true},
    {.path = "/ping", .fill = fill_ping, .is_open = true, .is_limited = true},
    {.path = "/version", .fill = fill_version, .is_open = true, .is_limited = true},
    {.path = "/history", .fill = fill_history, .is_limited = true},
    {.path = "/", .fill = fill_index, .is_open = true},
    {.path = "/page.js", .fill = fill_script, .is_open = true},
    {.path = "/page.css", .fill = fill_style, .is_open = true},
    {.path = "/icon.svg", .fill = fill_icon, .is_open = true}};

static const md_http_route_t metrics_routes[] = {
    {.path = "/metrics", .fill = fill_metrics, .is_open = true}};

static void
tick(void *ctx) {
  side_t *m = ctx;
  md_health_observe(&m->health);
}

static void
metrics_tick(void *ctx) {
  side_t *m = ctx;
  tick(m);
  md_quantile_windows_tick(m->windows);
}

/* ---- the page ---- */

static void
page_tick(void *ctx) {
  side_t *m = ctx;
  md_board_tick(m->board);
}

static void
page_message(void *ctx, md_text_t *out) {
  side_t *m = ctx;
  md_board_message(m->board, out);
}

static void
page_chosen(void *ctx, const char *choice, md_text_t *out) {
  side_t *m = ctx;
  md_board_ladder(m->board, choice, out);
}

/* ---- start and stop ---- */

static md_http_config_t
server_config(const md_monitor_config_t *cfg, side_t *m) {
  return (md_http_config_t){.bind             = cfg->bind,
                            .port_cnt         = 1,
                            .requests_per_min = cfg->requests_per_min,
                            .clock            = cfg->health.clock,
                            .log              = cfg->log,
                            .log_ctx          = cfg->log_ctx,
                            .tick             = tick,
                            .ctx              = m};
}

static md_err_t
start_status(const md_monitor_config_t *cfg, side_t *m, md_msg_t *msg) {
  md_push_config_t  push = {.client_max  = cfg->page_clients,
                            .interval_ns = cfg->page_interval_ns,
                            .patience_ns = PAGE_PATIENCE_NS,
                            .origins     = cfg->page_origins,
                            .clock       = cfg->health.clock,
                            .tick        = page_tick,
                            .message     = page_message,
                            .chosen      = page_chosen,
                            .ctx         = m};
  md_board_config_t bc   = {cfg->health.segment, cfg->dir, cfg->name, cfg->health.clock};
  md_http_config_t  hc   = server_config(cfg, m);
  md_health_init(&m->health, &cfg->health);
  if (cfg->has_page) {
    m->board = md_board_new(&bc);
    if (!m->board) return md_fail(msg, MD_ERR_NOMEM, "no memory for the status page");
    hc.push = &push;
  }
  hc.port[0] = (md_http_port_t){.key       = "monitoring.http_port",
                                .token     = cfg->token,
                                .port      = cfg->http_port,
                                .routes    = http_routes,
                                .route_cnt = cfg->has_page ? (uint32_t)MD_CNT(http_routes)
                                                           : PLAIN_ROUTE_CNT};
  return md_http_start(&hc, &m->http, msg);
}

static md_err_t
start_metrics(const md_monitor_config_t *cfg, side_t *m, md_msg_t *msg) {
  md_http_config_t hc = server_config(cfg, m);
  hc.tick             = metrics_tick;
  hc.port[0]          = (md_http_port_t){.key       = "monitoring.metrics_port",
                                         .port      = cfg->metrics_port,
                                         .routes    = metrics_routes,
                                         .route_cnt = MD_CNT(metrics_routes)};
  m->budget           = cfg->budget;
  m->windows          = md_quantile_windows_new(cfg->health.segment, cfg->health.clock);
  if (!m->windows) return md_fail(msg, MD_ERR_NOMEM, "no memory for the quantiles of /metrics");
  md_health_init(&m->health, &cfg->health);
  return md_http_start(&hc, &m->http, msg);
}

md_err_t
md_monitor_start(const md_monitor_config_t *cfg, md_monitor_t **out, md_msg_t *msg) {
  md_monitor_t *m = calloc(1, sizeof *m);
  if (!m) return md_fail(msg, MD_ERR_NOMEM, "no memory for the monitor");
  md_err_t err      = start_status(cfg, &m->status, msg);
  m->metrics.others = m->status.http;
  if (!err) err = start_metrics(cfg, &m->metrics, msg);
  if (err) {
    md_monitor_stop(m);
    return err;
  }
  *out = m;
  return MD_OK;
}

uint16_t
md_monitor_http_port(const md_monitor_t *m) {
  return md_http_port_of(m->status.http, 0);
}

uint16_t
md_monitor_metrics_port(const md_monitor_t *m) {
  return md_http_port_of(m->metrics.http, 0);
}

void
md_monitor_stop(md_monitor_t *m) {
  if (m->metrics.http) md_http_stop(m->metrics.http); /* it shows the other's counts */
  if (m->status.http) md_http_stop(m->status.http);
  md_board_free(m->status.board);
  md_quantile_windows_free(m->metrics.windows);
  free(m);
}
