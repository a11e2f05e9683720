/* cmd_live.c - mdengine live: does a running engine answer /live? The health check of a container
 * that holds neither a shell nor curl. */
#include "engine/cli.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIVE_TIMEOUT_SEC 3

typedef struct options {
  const char *config;
  long        port;
} options_t;

static const struct argp_option option_rows[] = {
    {"config", 'c', "FILE", 0, "take address and port out of this configuration", 0},
    {"port", 'p', "PORT", 0, "port on 127.0.0.1 (default 8087)", 0},
    {0}};

static error_t
parse_option(int key, char *arg, struct argp_state *state) {
  options_t *o   = state->input;
  char      *end = NULL;
  switch (key) {
  case 'c':
    o->config = arg;
    return 0;
  case 'p':
    o->port = strtol(arg, &end, 10);
    if (end == arg || *end || o->port < 1 || o->port > 65535)
      argp_error(state, "--port wants a number from 1 to 65535, not '%s'", arg);
    return 0;
  case ARGP_KEY_ARG:
    argp_error(state, "unexpected argument '%s'", arg);
    return EINVAL;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp argp = {
    option_rows,
    parse_option,
    "",
    "Ask a running engine's /live, within 3 seconds: exit status 0 when it answers 200, 1 else."
    "\vExample:\n  mdengine live -c mdengine.yaml\n",
    NULL,
    NULL,
    NULL};

/* MD_EXIT_OK, or what to end with after an error line. */
static int
address_of_config(const options_t *o, struct sockaddr_in *to) {
  md_config_report_t report = md_cli_report(o->config);
  md_config_t       *cfg    = malloc(sizeof *cfg);
  int                status = MD_EXIT_OK;
  if (!cfg) return md_cli_error(MD_ERR_NOMEM, "no memory for the configuration");
  if (md_config_load(o->config, cfg, &report) != MD_OK) {
    status = MD_EXIT_USAGE;
  } else if (!cfg->monitoring.enabled) {
    status = md_cli_error(MD_ERR_CONFIG, "monitoring.enabled is false: there is no /live");
  } else if (!o->port && !cfg->monitoring.http_port) {
    status = md_cli_error(MD_ERR_CONFIG,
                          "monitoring.http_port is 0, any port: name with --port the one that the "
                          "log of the engine tells");
  } else {
    if (!o->port) to->sin_port = htons((uint16_t)cfg->monitoring.http_port);
    struct in_addr bound;
    if (inet_pton(AF_INET, cfg->monitoring.bind, &bound) == 1 && bound.s_addr != htonl(INADDR_ANY))
      to->sin_addr = bound;
  }
  free(cfg);
  return status;
}

/* The first line of the answer into line; NULL, or what went wrong. */
static const char *
ask(const struct sockaddr_in *to, char *line, size_t line_bytes) {
  static const char    request[] = "GET /live HTTP/1.0\r\nHost: localhost\r\n\r\n";
  const struct timeval limit     = {.tv_sec = LIVE_TIMEOUT_SEC};
  size_t               len       = 0;
  int                  fd        = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return strerror(errno);
  const char *wrong = NULL;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ||
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) ||
      connect(fd, (const struct sockaddr *)to, sizeof *to) ||
      send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1)
    wrong = errno == EINPROGRESS || errno == EAGAIN ? "no answer in time" : strerror(errno);
  while (!wrong && len + 1 < line_bytes && !memchr(line, '\n', len)) {
    ssize_t got = recv(fd, line + len, line_bytes - 1 - len, 0);
    if (got < 0) wrong = errno == EAGAIN ? "no answer in time" : strerror(errno);
    if (got == 0) wrong = "the connection ended before the answer";
    if (got > 0) len += (size_t)got;
  }
  (void)close(fd);
  line[len]                   = '\0';
  line[strcspn(line, "\r\n")] = '\0';
  return wrong;
}

int
md_cmd_live(int argc, char **argv) {
  options_t          o  = {NULL, 0};
  struct sockaddr_in to = {.sin_family = AF_INET};
  char               line[256], host[INET_ADDRSTRLEN], text[512];
  md_cli_parse(&argp, argc, argv, &o);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port        = htons((uint16_t)(o.port ? o.port : 8087));
  if (o.config) {
    int status = address_of_config(&o, &to);
    if (status) return status;
  }
  const char *wrong = ask(&to, line, sizeof line);
  if (!wrong && strncmp(line, "HTTP/1.", 7) == 0 && strncmp(line + 8, " 200", 4) == 0)
    return MD_EXIT_OK;
  (void)snprintf(text, sizeof text, "http://%s:%u/live: %s",
                 inet_ntop(AF_INET, &to.sin_addr, host, sizeof host) ? host : "?",
                 (unsigned)ntohs(to.sin_port), wrong ? wrong : line);
  return md_cli_error(MD_ERR_IO, text);
}
