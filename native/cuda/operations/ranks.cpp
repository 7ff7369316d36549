#include "../lowering.h"

namespace gapcam::cuda {

namespace {

[[noreturn]] void refuse() {
  throw Error(GAPCAM_UNSUPPORTED, "Cannot sum over ranks on the CUDA device; use the CPU");
}

}  // namespace

void lower(Lowering &, const Operation &, const WholeBatch &) { refuse(); }

void lower(Lowering &, const Operation &, const AllReduce &) { refuse(); }

}  // namespace gapcam::cuda
