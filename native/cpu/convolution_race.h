// Which of several algorithms for one convolution is the fastest, by trying them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "convolution.h"

namespace gapcam::cpu {

// A candidate for the request that race() asks for.
struct Contender {
  std::string name;
  std::unique_ptr<Convolution> convolution;
};

struct RaceResult {
  std::string fastest;
  // Whether timings came out alike again. Where they did not, the machine had other things to do,
  // and another run may well find another.
  bool repeated = false;
};

// The same convolution over fewer images and rows, since its time grows with both.
ConvolutionRequest shortened(const ConvolutionRequest &request);

// Times contenders for shortened(request).
RaceResult race(const ConvolutionRequest &request, std::vector<Contender> contenders);

}  // namespace gapcam::cpu
