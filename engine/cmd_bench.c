#include "bench/bench.h"
#include "engine/cli.h"

int
md_cmd_bench(int argc, char **argv) {
  return md_bench_main(argc, argv);
}
