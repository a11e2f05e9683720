/* monitor.h - the operations side of a running engine: /health, /ready, /live, the status page, and
 * /metrics.
 *
 * Started by the engine behind the segment, stopped before the segment goes. It has two threads,
 * each an HTTP server (http.h) with a context of its own, so that no browser and no slow probe
 * holds up a scrape. They share nothing and only read the segment; nothing here ever waits for a
 * feed or a writer, or lets one wait. */
#ifndef MONITORING_MONITOR_H
#define MONITORING_MONITOR_H

#include "monitoring/health.h"
#include "monitoring/prometheus.h"

typedef struct md_monitor_config {
  md_health_config_t health;
  md_budget_t        budget;                  /* all 0: nobody worked it out */
  const char        *bind;                    /* an IPv4 address */
  uint16_t           http_port, metrics_port; /* 0: any free one */
  const char        *token;                   /* of http_port; NULL: everybody may look */
  bool               has_page;
  const char        *dir, *name; /* of the segment: the page reads it as others do */
  int64_t            page_interval_ns;
  uint32_t           page_clients;
  const char        *page_origins;          /* push.h */
  uint32_t           requests_per_min;      /* of a client to the status paths; 0: no limit */
  void (*log)(void *ctx, const char *line); /* one line a request; may be NULL */
  void *log_ctx;
} md_monitor_config_t;

typedef struct md_monitor md_monitor_t;

/* md_monitor_start serves at once; the errors are those of md_http_start. The segment stays the
 * caller's. */
MD_MUST_USE md_err_t md_monitor_start(const md_monitor_config_t *cfg, md_monitor_t **out,
                                      md_msg_t *msg);

/* The ports that are listened on. */
uint16_t md_monitor_http_port(const md_monitor_t *m);
uint16_t md_monitor_metrics_port(const md_monitor_t *m);

void md_monitor_stop(md_monitor_t *m);

#endif
