/* broken.c - the tests of the feeds' logic in one program whose rules can be removed one by one:
 * MD_BROKEN_RULE=NAME takes out the rule NAME of feeds/rule.h. tests/cases/cases.py runs it. */
#include "feeds/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

md_rule_t md_broken_rule = MD_RULE_NONE;

static const char *const names[] = {
#define NAME(name, whose, without) #name,
    MD_RULES(NAME)
#undef NAME
};

/* Before main, which is criterion's. */
__attribute__((constructor)) static void
choose(void) {
  const char *name = getenv("MD_BROKEN_RULE");
  if (!name || strcmp(name, "NONE") == 0) return;
  for (unsigned n = 0; n < sizeof names / sizeof *names; n++)
    if (strcmp(name, names[n]) == 0) md_broken_rule = (md_rule_t)(n + 1);
  if (md_broken_rule != MD_RULE_NONE) return;
  (void)fprintf(stderr, "no rule %s in feeds/rule.h\n", name);
  exit(2);
}
