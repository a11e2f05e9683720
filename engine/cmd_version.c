#include "engine/cli.h"
#include "shm/segment.h"

int
md_cmd_version(int argc, char **argv) {
  static const struct argp argp = {
      NULL, NULL,
      "",   "Print the version of the program and of its formats.\vExample:\n  mdengine version\n",
      NULL, NULL,
      NULL};
  md_cli_parse(&argp, argc, argv, NULL);
  (void)printf("mdengine %s\nsegment ABI %u\n", MD_VERSION, MD_SEGMENT_ABI_VERSION);
  return MD_EXIT_OK;
}
