// Compiled once for each instruction set, with GAPCAM_KERNELS naming the table that it defines.
// Nothing here may instantiate a template of the standard library: the linker keeps one copy, and
// it would be one that not every machine can run.
#include "elementwise.h"
#include "kernels/activation.h"
#include "kernels/average_pool2d.h"
#include "kernels/blocked.h"
#include "kernels/blocks.h"
#include "kernels/copy_channels.h"
#include "kernels/depthwise.h"
#include "kernels/depthwise_filter.h"
#include "kernels/dropout.h"
#include "kernels/gate.h"
#include "kernels/images.h"
#include "kernels/linear.h"
#include "kernels/norm.h"
#include "kernels/pool.h"
#include "kernels/resample.h"
#include "kernels/shuffle_channels.h"
#include "kernels/update.h"

namespace gapcam::cpu {

extern const Kernels GAPCAM_KERNELS;
const Kernels GAPCAM_KERNELS = {GAPCAM_KERNELS_NAME,
#define GAPCAM_KERNEL_ENTRY(name, parameters) name,
                                GAPCAM_CPU_KERNELS(GAPCAM_KERNEL_ENTRY)
#undef GAPCAM_KERNEL_ENTRY
};

}  // namespace gapcam::cpu
