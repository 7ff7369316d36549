// Convolutions that cuDNN has no plan for, by kernels of our own.
#pragma once

#include "../lowering.h"

namespace gapcam::cuda {

void lower_direct(Lowering &l, const Operation &o, const Conv2d &conv2d);
void lower_direct(Lowering &l, const Operation &o, const Conv2dBackwardData &conv2d);
// The filter's gradient, without the bias's.
void lower_direct(Lowering &l, const Operation &o, const Conv2dBackwardFilter &conv2d);

// As these, where the choice among cuDNN's plans and our kernels for depthwise convolutions, of
// which `request` is, fell on our own.
void lower_own(Lowering &l, const Operation &o, const Conv2d &conv2d, const GraphRequest &request);
void lower_own(Lowering &l, const Operation &o, const Conv2dBackwardData &conv2d,
               const GraphRequest &request);
void lower_own(Lowering &l, const Operation &o, const Conv2dBackwardFilter &conv2d,
               const GraphRequest &request);

// Weight and bias in f32, without channels that only fill up; `o` is the forward operation.
Lowering::Weight prepare_plain_weight(Lowering &l, const Operation &o);

// What these share with cuDNN's convolutions, in conv2d.cpp.

// Without the channels that only fill up.
double flops_of(const Lowering &l, const Operation &convolution);
// The factor and the bias that a batch normalisation with fixed statistics comes to, of `outputs`
// channels and zeros up to `all_outputs`.
Lowering::Weight fold(Lowering &l, const Operation &o, int64_t outputs, int64_t all_outputs);

}  // namespace gapcam::cuda
