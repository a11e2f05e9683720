#include "monitoring/monitor.h"

#include "monitoring/http.h"
#include "monitoring/prometheus.h"

#include <stdlib.h>

#define PORT_HTTP          0u
#define PORT_METRICS       1u
#define STATUS_UNAVAILABLE 503
#define METRICS_TYPE       "text/plain; version=0.0.4; charset=utf-8"

struct md_monitor {
  md_http_t  *http;
  md_health_t health; /* of the server's thread once that runs */
};

/* ---- routes ---- */

static void
fill_health(void *ctx, md_http_answer_t *a) {
  md_monitor_t *m = ctx;
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
  md_monitor_t *m = ctx;
  md_health_observe(&m->health);
  fill_verdict(a, md_health_ready(&m->health), "ready");
}

static void
fill_live(void *ctx, md_http_answer_t *a) {
  md_monitor_t *m = ctx;
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
  const md_monitor_t *m = ctx;
  md_text_add(&a->body, "{\"version\":");
  md_text_add_quoted(&a->body, m->health.cfg.segment->header->version);
  md_text_add(&a->body, "}\n");
}

static void
fill_metrics(void *ctx, md_http_answer_t *a) {
  md_monitor_t *m = ctx;
  md_health_observe(&m->health);
  a->content_type = METRICS_TYPE;
  md_prometheus_render(&m->health, &a->body);
}

static const md_http_route_t http_routes[] = {{"/health", fill_health}, {"/ready", fill_ready},
                                              {"/live", fill_live},     {"/status", fill_status},
                                              {"/ping", fill_ping},     {"/version", fill_version}};

static const md_http_route_t metrics_routes[] = {{"/metrics", fill_metrics}};

static void
tick(void *ctx) {
  md_monitor_t *m = ctx;
  md_health_observe(&m->health);
}

/* ---- start and stop ---- */

md_err_t
md_monitor_start(const md_monitor_config_t *cfg, md_monitor_t **out, md_msg_t *msg) {
  md_monitor_t *m = calloc(1, sizeof *m);
  if (!m) return md_fail(msg, MD_ERR_NOMEM, "no memory for the monitor");
  md_health_init(&m->health, &cfg->health);
  md_http_config_t hc  = {.bind     = cfg->bind,
                          .port_cnt = MD_HTTP_PORT_CNT_MAX,
                          .port     = {[PORT_HTTP]    = {.key       = "monitoring.http_port",
                                                         .port      = cfg->http_port,
                                                         .routes    = http_routes,
                                                         .route_cnt = MD_CNT(http_routes)},
                                       [PORT_METRICS] = {.key       = "monitoring.metrics_port",
                                                         .port      = cfg->metrics_port,
                                                         .routes    = metrics_routes,
                                                         .route_cnt = MD_CNT(metrics_routes)}},
                          .tick     = tick,
                          .ctx      = m};
  md_err_t         err = md_http_start(&hc, &m->http, msg);
  if (err) {
    free(m);
    return err;
  }
  *out = m;
  return MD_OK;
}

uint16_t
md_monitor_http_port(const md_monitor_t *m) {
  return md_http_port_of(m->http, PORT_HTTP);
}

uint16_t
md_monitor_metrics_port(const md_monitor_t *m) {
  return md_http_port_of(m->http, PORT_METRICS);
}

void
md_monitor_stop(md_monitor_t *m) {
  md_http_stop(m->http);
  free(m);
}
