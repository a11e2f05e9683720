/* main.c - finds the command and runs it. */
#include "engine/cli.h"

#include <signal.h>
#include <string.h>

typedef struct command {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *summary;
} command_t;

static const command_t commands[] = {
#define MD_COMMAND_ROW(name, function, summary) {#name, function, summary},
    MD_COMMAND_TABLE(MD_COMMAND_ROW)
#undef MD_COMMAND_ROW
};

static void
print_help(FILE *out) {
  (void)fputs("usage: mdengine COMMAND [OPTION...]\n\n"
              "Live crypto order books in shared memory, every message in a journal, rows in "
              "PostgreSQL.\n\n",
              out);
  for (size_t i = 0; i < MD_CNT(commands); i++)
    (void)fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
  (void)fputs("\nmdengine COMMAND --help shows its options and an example.\n"
              "Exit status: 0 ok, 1 failed, 2 wrong usage or configuration, 3 degraded (doctor),\n"
              "75 restart wanted.\n",
              out);
}

int
main(int argc, char **argv) {
  (void)signal(SIGPIPE, SIG_IGN);
  if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
      strcmp(argv[1], "help") == 0) {
    print_help(argc < 2 ? stderr : stdout);
    return argc < 2 ? MD_EXIT_USAGE : MD_EXIT_OK;
  }
  if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
    return md_cmd_version(argc - 1, argv + 1);
  for (size_t i = 0; i < MD_CNT(commands); i++) {
    if (strcmp(argv[1], commands[i].name) != 0) continue;
    char  title[64];
    char *name[] = {title};
    (void)snprintf(title, sizeof title, "mdengine %s", commands[i].name);
    argv[1] = name[0]; /* argp names the program in its messages by this */
    return md_cli_flush(commands[i].run(argc - 1, argv + 1));
  }
  (void)fprintf(stderr, "mdengine: no command '%s'; mdengine --help lists them\n", argv[1]);
  return MD_EXIT_USAGE;
}
