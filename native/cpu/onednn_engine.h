// oneDNN's engine and stream, one each per process.
#pragma once

#include <dnnl.hpp>
#include <string>

namespace gapcam::cpu::onednn {

dnnl::engine &engine();
dnnl::stream &stream();

// Such as "oneDNN 2.6.0".
std::string version();
// The instruction set that it uses, such as "avx2".
std::string instruction_set();
// Whether this machine multiplies bf16 in hardware and the library knows how.
bool has_bf16();

}  // namespace gapcam::cpu::onednn
