#include "nccl_library.h"

#include <dlfcn.h>

#include <vector>

#include "error.h"
#include "search.h"

namespace gapcam::cuda {

namespace {

// The first for CUDA 12, which is the oldest that the other libraries may be of.
constexpr int oldest = 21600;

NcclLibrary open_library() {
  NcclLibrary library;
  const std::string own = environment("GAPCAM_NCCL_LIBRARY");
  std::vector<std::string> paths;
  if (!own.empty()) {
    paths.push_back(own);
  } else {
    for (const FoundFile &file : find_files(library_folders(), "libnccl.so")) {
      if (file.number == 2) paths.push_back(file.path);
    }
    paths.push_back("libnccl.so.2");
  }
  void *opened = nullptr;
  std::string reason;
  for (const std::string &path : paths) {
    library.path = path;
    opened = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (opened) break;
    const char *text = dlerror();
    if (reason.empty()) reason = text ? text : "no reason";
  }
  if (!opened) {
    library.path.clear();
    library.problem =
        own.empty()
            ? format(
                  "no NCCL can be loaded (%s); install it (pip install nvidia-nccl-cu12, or "
                  "-cu13) or name its file with GAPCAM_NCCL_LIBRARY",
                  reason.c_str())
            : format("GAPCAM_NCCL_LIBRARY names %s, which cannot be loaded (%s)", own.c_str(),
                     reason.c_str());
    return library;
  }
#define GAPCAM_FIND(name, result, parameters)                                                    \
  library.functions.name =                                                                       \
      reinterpret_cast<decltype(library.functions.name)>(dlsym(opened, #name));                  \
  if (!library.functions.name && library.problem.empty()) {                                      \
    library.problem =                                                                            \
        format("%s has no function %s; a newer version is needed", library.path.c_str(), #name); \
  }
  GAPCAM_NCCL_FUNCTIONS(GAPCAM_FIND)
#undef GAPCAM_FIND
  if (!library.problem.empty()) return library;
  const nccl::Result result = library.functions.ncclGetVersion(&library.version);
  if (result != nccl::success) {
    library.problem = format("%s does not tell its version (%s)", library.path.c_str(),
                             library.functions.ncclGetErrorString(result));
  } else if (library.version < oldest) {
    library.problem =
        format("%s is NCCL %s, expected %s or newer", library.path.c_str(),
               nccl_version_text(library.version).c_str(), nccl_version_text(oldest).c_str());
  }
  return library;
}

}  // namespace

const NcclLibrary &nccl_library() {
  // Never destroyed: its threads may be at work while the process ends.
  static const NcclLibrary *opened = new NcclLibrary(open_library());
  return *opened;
}

std::string nccl_version_text(int version) {
  // Until 2.8 the major version was in the thousands.
  if (version < 10000) return format("%d.%d.%d", version / 1000, version / 100 % 10, version % 100);
  return format("%d.%d.%d", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace gapcam::cuda
