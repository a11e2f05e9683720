/* golden_journal DIR: makes the journals of tests/fixtures/journal anew: DIR/plain, DIR/packed, and
 * DIR/records.txt, what is in both. Only when the format gets a new version: then those that are
 * there are what an older mdengine wrote, and move to a folder of their own. */
#include "tests/fault/golden_journal.h"

#include <sys/stat.h>

int
main(int argc, char **argv) {
  char plain[300], packed[300], list[300];
  if (argc != 2) {
    (void)fprintf(stderr, "usage: golden_journal DIR\n");
    return 2;
  }
  (void)snprintf(plain, sizeof plain, "%s/plain", argv[1]);
  (void)snprintf(packed, sizeof packed, "%s/packed", argv[1]);
  (void)snprintf(list, sizeof list, "%s/records.txt", argv[1]);
  md_assert(mkdir(plain, 0755) == 0 && mkdir(packed, 0755) == 0);
  golden_make(plain, false);
  golden_make(packed, true);
  FILE *f = fopen(list, "w");
  md_assert(f != NULL);
  golden_list(plain, f);
  return fclose(f) == 0 ? 0 : 1;
}
