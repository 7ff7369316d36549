#include <cstdlib>
#include <cstring>

#include "error.h"
#include "kernels.h"

namespace gapcam::cpu {

extern const Kernels kernels_generic;
#if defined(__x86_64__)
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
#endif

namespace {

const Kernels &choose() {
  const char *wish = std::getenv("GAPCAM_INSTRUCTION_SET");
  const auto wished = [wish](const char *name) { return std::strcmp(wish, name) == 0; };
  if (wish && *wish && !wished("avx512") && !wished("avx2") && !wished("generic")) {
    throw Error(GAPCAM_INVALID_ARGUMENT,
                format("Cannot choose kernels: GAPCAM_INSTRUCTION_SET is \"%s\", expected avx512, "
                       "avx2 or generic",
                       wish));
  }
#if defined(__x86_64__)
  // From the best down, everything is allowed until the wish is reached.
  const auto allowed = [&](const char *name) { return !wish || !*wish || wished(name); };
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (avx512 && allowed("avx512")) return kernels_avx512;
  if (avx2 && (allowed("avx2") || allowed("avx512"))) return kernels_avx2;
#endif
  return kernels_generic;
}

}  // namespace

const Kernels &kernels() {
  static const Kernels &chosen = choose();
  return chosen;
}

const char *instruction_set() { return kernels().name; }

}  // namespace gapcam::cpu
