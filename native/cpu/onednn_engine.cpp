#include "onednn_engine.h"

#include "error.h"

namespace gapcam::cpu::onednn {

dnnl::engine &engine() {
  static dnnl::engine one(dnnl::engine::kind::cpu, 0);
  return one;
}

dnnl::stream &stream() {
  static dnnl::stream one(engine());
  return one;
}

std::string version() {
  const dnnl_version_t *v = dnnl_version();
  return format("oneDNN %d.%d.%d", v->major, v->minor, v->patch);
}

std::string instruction_set() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return format("isa 0x%x", static_cast<unsigned>(dnnl::get_effective_cpu_isa()));
  }
}

bool has_bf16() {
  // Newer sets include the bits of older ones.
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto bf16 = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  return (isa & bf16) == bf16;
}

}  // namespace gapcam::cpu::onednn
