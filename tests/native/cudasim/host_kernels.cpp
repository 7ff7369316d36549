// The kernels themselves, compiled for the host, and a table of them.
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#include "kernels/kernels.cu"
#include "kernels/list.h"
#include "launch.h"

namespace cudasim {
namespace {

using namespace gapcam::cuda;
using P = unsigned long long;

// Whether the host passes what the kernel takes: an address for a pointer, else the same type.
template <class Host, class Device>
constexpr bool agrees() {
  if (std::is_pointer_v<Device>) return std::is_same_v<Host, P>;
  return std::is_same_v<Host, Device>;
}

template <class Listed, class Defined>
struct Adapter;
template <class... Host, class... Device>
struct Adapter<void(Host...), void (*)(Device...)> {
  static_assert((agrees<Host, Device>() && ...), "list.h and kernels.cu differ");

  template <void (*kernel)(Device...)>
  static HostKernel make(const char *name) {
    return {name, {sizeof(Device)...}, [](void **arguments) {
              call<kernel>(arguments, std::index_sequence_for<Device...>());
            }};
  }

 private:
  template <void (*kernel)(Device...), size_t... I>
  static void call(void **arguments, std::index_sequence<I...>) {
    kernel(*static_cast<std::remove_cv_t<Device> *>(arguments[I])...);
  }
};

}  // namespace

const HostKernel *find_kernel(const char *name) {
  static const HostKernel kernels[] = {
#define CUDASIM_KERNEL(name, types) \
  Adapter<void types, decltype(&::gapcam::cuda::name)>::make<&::gapcam::cuda::name>(#name),
      GAPCAM_KERNELS(CUDASIM_KERNEL)
#undef CUDASIM_KERNEL
  };
  for (const HostKernel &kernel : kernels) {
    if (std::strcmp(kernel.name, name) == 0) return &kernel;
  }
  return nullptr;
}

}  // namespace cudasim
