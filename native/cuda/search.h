// Where NVIDIA's libraries may lie.
#pragma once

#include <string>
#include <vector>

namespace gapcam::cuda {

// Folders in the order in which they are searched, those that exist, each once:
//   GAPCAM_NVIDIA_FOLDER itself and its lib and */lib (a Python environment's `nvidia` folder
//   fits), CUDNN_PATH, CUDA_PATH, CUDA_HOME, LD_LIBRARY_PATH, nvidia/*/lib in the site-packages of
//   VIRTUAL_ENV and CONDA_PREFIX, and their lib, the system's library folders and /usr/local/cuda*,
//   nvidia/*/lib in the system's and the user's site-packages and dist-packages.
std::vector<std::string> library_folders();

// Files in the folders whose name is `stem` (as "libcudnn.so") followed by ".NUMBER": paths and
// numbers, in the order of the folders, larger numbers first within one.
struct FoundFile {
  std::string path;
  int number = 0;
};
std::vector<FoundFile> find_files(const std::vector<std::string> &folders, const std::string &stem);

// $VARIABLE, or "".
std::string environment(const char *variable);

}  // namespace gapcam::cuda
