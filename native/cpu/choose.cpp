#include "convolution.h"
#include "error.h"

namespace gapcam::cpu {

std::unique_ptr<Convolution> choose_convolution(const ConvolutionRequest &request) {
  auto direct = create_onednn_convolution(request, false);
  if (!direct) {
    throw Error(GAPCAM_UNSUPPORTED,
                "Cannot compile a convolution: oneDNN has no implementation for its shape");
  }
  return direct;
}

}  // namespace gapcam::cpu
