/* cli.h - what the commands share: exit statuses, error lines, option helpers, JSON strings. */
#ifndef ENGINE_CLI_H
#define ENGINE_CLI_H

#include "engine/command_table.h"
#include "engine/engine.h"

#include <argp.h>
#include <stdio.h>

#define MD_DEFAULT_CONFIG "mdengine.yaml"
#define MD_DEFAULT_NAME   "mdengine"
#define MD_DEFAULT_DIR    "/dev/shm"

#define MD_COMMAND_DECLARE(name, function, summary) int function(int argc, char **argv);
MD_COMMAND_TABLE(MD_COMMAND_DECLARE)
#undef MD_COMMAND_DECLARE

/* md_cli_error writes "mdengine: text" to stderr and returns the exit status that belongs to err: 2
 * for wrong usage or configuration, else 1. */
int md_cli_error(md_err_t err, const char *text);

/* md_cli_parse runs argp with exit status 2 for wrong usage. Does not return on --help or errors.
 */
void md_cli_parse(const struct argp *argp, int argc, char **argv, void *input);

/* md_cli_report prints the problems of a configuration to stderr, each with its line and a caret.
 * file must outlive the report. */
md_config_report_t md_cli_report(const char *file);

/* md_cli_json_string writes s as a JSON string, bytes that are not UTF-8 text as \u00XX. */
void md_cli_json_string(FILE *out, const char *s);

/* md_cli_decimal formats a mantissa that may be absent ("-" then) into out (MD_DECIMAL_BYTES). */
const char *md_cli_decimal(int64_t mantissa, int exponent, char *out);

#define MD_TIME_BYTES 32

/* md_cli_time writes a time as 850ns, 12.3us, 4.56ms or 1.2s into out and returns it. */
const char *md_cli_time(uint64_t ns, char out[MD_TIME_BYTES]);

/* md_cli_flush returns 1 with an error line when stdout could not be written, else status. */
int md_cli_flush(int status);

#endif
