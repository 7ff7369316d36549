// The convolutions of one program: each is chosen once, for those who ask whether it fuses and for
// the step that runs it.
#pragma once

#include <map>
#include <memory>

#include "convolution.h"
#include "fusion.h"

namespace gapcam::cpu {

class Convolutions {
 public:
  Convolutions(int threads, bool bf16) : threads_(threads), bf16_(bf16) {}

  // `convolution` is the forward operation, whatever the direction. choose() gives null where it is
  // asked to add and the one for it cannot.
  ConvolutionRequest request(const FusedGraph &fused, const Operation &convolution,
                             Direction direction) const;
  std::shared_ptr<Convolution> choose(const FusedGraph &fused, const Operation &convolution,
                                      Direction direction);

  // What the CPU's convolutions do beside convolving.
  Patterns patterns();

 private:
  const std::vector<Layout> &layouts(const FusedGraph &fused) const;

  int threads_;
  bool bf16_;
  mutable std::vector<Layout> layouts_;
  std::map<std::pair<ValueId, Direction>, std::shared_ptr<Convolution>> chosen_;  // by output
};

}  // namespace gapcam::cpu
