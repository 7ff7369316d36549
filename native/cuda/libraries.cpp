#include "libraries.h"

#include <dlfcn.h>

#include "error.h"
#include "files.h"
#include "search.h"

namespace gapcam::cuda {

namespace {

constexpr size_t oldest_cudnn = 90800;  // the first that plans for a described device

std::string version_text(size_t version) {
  return format("%zu.%zu.%zu", version / 10000, version / 100 % 100, version % 100);
}

// Fills one table of functions; the first symbol that is missing, or null.
class Symbols {
 public:
  explicit Symbols(void *library) : library_(library) {}
  template <class Function>
  void find(Function &function, const char *name) {
    function = reinterpret_cast<Function>(dlsym(library_, name));
    if (!function && !missing_) missing_ = name;
  }
  const char *missing() const { return missing_; }

 private:
  void *library_;
  const char *missing_ = nullptr;
};

#define GAPCAM_FIND(name, result, parameters) symbols.find(table.name, #name);
const char *fill(void *library, driver::Functions &table) {
  Symbols symbols(library);
  GAPCAM_DRIVER_FUNCTIONS(GAPCAM_FIND)
  return symbols.missing();
}
const char *fill(void *library, nvrtc::Functions &table) {
  Symbols symbols(library);
  GAPCAM_NVRTC_FUNCTIONS(GAPCAM_FIND)
  return symbols.missing();
}
const char *fill(void *library, cublas::Functions &table) {
  Symbols symbols(library);
  GAPCAM_CUBLAS_FUNCTIONS(GAPCAM_FIND)
  return symbols.missing();
}
const char *fill(void *library, cudnn::Functions &table) {
  Symbols symbols(library);
  GAPCAM_CUDNN_FUNCTIONS(GAPCAM_FIND)
  return symbols.missing();
}
#undef GAPCAM_FIND

class Opener {
 public:
  OpenedLibraries open() {
    // A folder that was named and is not there is not made up for by others.
    if (const std::string own = environment("GAPCAM_NVIDIA_FOLDER");
        !own.empty() && !is_folder(own)) {
      opened_.problem = format(
          "Cannot open the CUDA device: GAPCAM_NVIDIA_FOLDER is %s, where there is no folder; "
          "name one that holds NVIDIA's libraries, or none",
          own.c_str());
    }
    folders_ = library_folders();
    // cuDNN is opened first, since it says which CUDA it was built for. It finds the others by
    // their names once they are open, wherever they lie.
    open_driver();
    open_cudnn();
    open_cublas();
    open_nvrtc();
    return std::move(opened_);
  }

 private:
  Libraries &all() { return opened_.libraries; }

  void fail(LibraryReport &report, const std::string &problem) {
    if (report.problem.empty()) report.problem = problem;
    if (opened_.problem.empty()) opened_.problem = "Cannot open the CUDA device: " + problem;
  }

  // Opens `stem`.`number` (any number: -1), and with `table` finds its functions.
  template <class Table>
  bool open_library(const char *stem, int number, const char *needed, Table *table,
                    LibraryReport &report) {
    report.name = number < 0 ? stem : format("%s.%d", stem, number);
    std::string others;
    for (const FoundFile &file : find_files(folders_, stem)) {
      if (number >= 0 && file.number != number) {
        if (others.empty()) others = file.path;
        continue;
      }
      return load(file.path, table, report);
    }
    // Where the dynamic linker looks by itself.
    if (dlopen(report.name.c_str(), RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD) ||
        dlopen(report.name.c_str(), RTLD_LAZY | RTLD_LOCAL)) {
      return load(report.name, table, report);
    }
    fail(report, others.empty()
                     ? format("%s was not found; %s", report.name.c_str(), needed)
                     : format("%s was not found, only %s, which is of another version; %s",
                              report.name.c_str(), others.c_str(), needed));
    return false;
  }

  template <class Table>
  bool load(const std::string &path, Table *table, LibraryReport &report) {
    report.path = path;
    void *library = dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (!library) {
      const char *reason = dlerror();
      fail(report, format("%s cannot be loaded (%s)", path.c_str(), reason ? reason : "no reason"));
      return false;
    }
    if (table) {
      if (const char *missing = fill(library, *table)) {
        fail(report,
             format("%s has no function %s; a newer version is needed", path.c_str(), missing));
        return false;
      }
    }
    return true;
  }

  void open_driver() {
    LibraryReport report;
    const bool found =
        open_library("libcuda.so", 1, "install NVIDIA's driver", &all().driver, report);
    if (found) {
      // Its status counts, not this call's: a driver without a device has a version too.
      all().driver.cuDriverGetVersion(&all().driver_version);
      const int version = all().driver_version;
      report.version = format("%d.%d", version / 1000, version % 1000 / 10);
      if (version < 12000) {
        fail(report, format("the driver %s supports CUDA %s, expected 12.0 or newer; update it",
                            report.path.c_str(), report.version.c_str()));
      }
    }
    all().reports.push_back(report);
  }

  void open_cudnn() {
    LibraryReport report;
    const bool found = open_library("libcudnn.so", 9,
                                    "install cuDNN 9.8 or newer, or name its "
                                    "folder with CUDNN_PATH",
                                    &all().cudnn, report);
    if (found) {
      // libcudnn only hands calls on, and ends the process where it cannot.
      LibraryReport graph;
      const std::string folder = report.path.substr(0, report.path.rfind('/') + 1);
      if (!load<cudnn::Functions>(folder + "libcudnn_graph.so.9", nullptr, graph)) {
        fail(report, graph.problem);
        all().reports.push_back(report);
        return;
      }
      const size_t version = all().cudnn.cudnnGetVersion();
      all().cudnn_version = version;
      report.version = version_text(version);
      all().cuda_major = static_cast<int>(all().cudnn.cudnnGetCudartVersion() / 1000);
      if (version < oldest_cudnn) {
        fail(report, format("%s is cuDNN %s, expected 9.8 or newer", report.path.c_str(),
                            report.version.c_str()));
      } else if (all().driver_version >= 12000 && all().driver_version / 1000 < all().cuda_major) {
        fail(report,
             format("%s is for CUDA %d and the driver supports CUDA %d.%d; update the driver, or "
                    "install cuDNN for CUDA %d",
                    report.path.c_str(), all().cuda_major, all().driver_version / 1000,
                    all().driver_version % 1000 / 10, all().driver_version / 1000));
      }
      cudnn_path_ = report.path;
    }
    all().reports.push_back(report);
  }

  // Which version must accompany cuDNN, for messages.
  std::string needed(const char *what) const {
    if (cudnn_path_.empty()) return format("install %s of CUDA 12 or 13", what);
    return format("%s is for CUDA %d: install %s of CUDA %d, or name its folder with CUDA_PATH",
                  cudnn_path_.c_str(), opened_.libraries.cuda_major, what,
                  opened_.libraries.cuda_major);
  }
  int wanted() const { return opened_.libraries.cuda_major ? opened_.libraries.cuda_major : 13; }

  void open_cublas() {
    LibraryReport light, report;
    const std::string advice = needed("cuBLAS");
    open_library<cublas::Functions>("libcublasLt.so", wanted(), advice.c_str(), nullptr, light);
    if (open_library("libcublas.so", wanted(), advice.c_str(), &all().cublas, report)) {
      int parts[3] = {0, 0, 0};
      for (int i = 0; i < 3; i++) all().cublas.cublasGetProperty(i, &parts[i]);
      report.version = format("%d.%d.%d", parts[0], parts[1], parts[2]);
      light.version = report.version;
    }
    all().reports.push_back(light);
    all().reports.push_back(report);
  }

  void open_nvrtc() {
    LibraryReport report;
    const std::string advice = needed("NVRTC");
    if (open_library("libnvrtc.so", wanted(), advice.c_str(), &all().nvrtc, report)) {
      int major = 0, minor = 0;
      all().nvrtc.nvrtcVersion(&major, &minor);
      report.version = format("%d.%d", major, minor);
      all().nvrtc_version = report.version;
    }
    all().reports.push_back(report);
  }

  std::vector<std::string> folders_;
  std::string cudnn_path_;
  OpenedLibraries opened_;
};

}  // namespace

const OpenedLibraries &opened_libraries() {
  // Never destroyed: calls may be in flight while the process ends.
  static const OpenedLibraries *opened = new OpenedLibraries(Opener().open());
  return *opened;
}

const Libraries &libraries() {
  const OpenedLibraries &opened = opened_libraries();
  if (!opened.problem.empty()) throw Error(GAPCAM_DEVICE_UNAVAILABLE, opened.problem);
  return opened.libraries;
}

std::string describe(const driver::Functions &driver, driver::Result result) {
  const char *name = nullptr, *text = nullptr;
  if (driver.cuGetErrorString(result, &text) != driver::success || !text) text = "unknown error";
  if (driver.cuGetErrorName(result, &name) != driver::success || !name) {
    return format("%s (code %d)", text, result);
  }
  return format("%s (%s)", text, name);
}

void check(const Libraries &libraries, driver::Result result, const char *action) {
  if (result == driver::success) return;
  throw Error(result == driver::out_of_memory ? GAPCAM_OUT_OF_MEMORY : GAPCAM_DEVICE_FAILED,
              format("Cannot %s: %s", action, describe(libraries.driver, result).c_str()));
}

}  // namespace gapcam::cuda
