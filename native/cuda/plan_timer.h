// Times plans on an open GPU, with operands of its own.
#pragma once

#include "gpu.h"
#include "planner.h"

namespace gapcam::cuda {

Planner::Timer plan_timer(std::shared_ptr<Gpu> gpu);

}  // namespace gapcam::cuda
