#include "search.h"

#include <dirent.h>
#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <set>

namespace gapcam::cuda {

namespace {

class Folders {
 public:
  void add(const std::string &folder) {
    struct stat status;
    if (folder.empty() || stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return;
    if (seen_.insert({status.st_dev, status.st_ino}).second) folders_.push_back(folder);
  }

  void add_matching(const std::string &pattern) {
    glob_t found;
    if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
      // Newer versions sort later and are tried first.
      for (size_t i = found.gl_pathc; i-- > 0;) add(found.gl_pathv[i]);
    }
    globfree(&found);
  }

  // A toolkit's or an environment's root.
  void add_root(const std::string &root) {
    if (root.empty()) return;
    for (const char *part : {"/lib64", "/lib", "/targets/x86_64-linux/lib",
                             "/targets/sbsa-linux/lib", "/lib/x86_64-linux-gnu"}) {
      add(root + part);
    }
  }

  void add_python(const std::string &root, const char *packages) {
    if (!root.empty()) add_matching(root + "/lib/python3*/" + packages + "/nvidia/*/lib");
  }

  std::vector<std::string> take() { return std::move(folders_); }

 private:
  std::vector<std::string> folders_;
  std::set<std::pair<dev_t, ino_t>> seen_;
};

}  // namespace

std::string environment(const char *variable) {
  const char *value = std::getenv(variable);
  return value ? value : "";
}

std::vector<std::string> library_folders() {
  Folders folders;
  const std::string own = environment("GAPCAM_NVIDIA_FOLDER");
  if (!own.empty()) {
    folders.add(own);
    folders.add_root(own);
    folders.add_matching(own + "/*/lib");
  }
  for (const char *variable : {"CUDNN_PATH", "CUDA_PATH", "CUDA_HOME"}) {
    folders.add_root(environment(variable));
    folders.add(environment(variable));
  }
  const std::string path = environment("LD_LIBRARY_PATH");
  for (size_t start = 0; start < path.size();) {
    const size_t end = std::min(path.find(':', start), path.size());
    folders.add(path.substr(start, end - start));
    start = end + 1;
  }
  folders.add_python(environment("VIRTUAL_ENV"), "site-packages");
  folders.add_python(environment("CONDA_PREFIX"), "site-packages");
  folders.add_root(environment("CONDA_PREFIX"));
  for (const char *folder :
       {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib",
        "/usr/lib/wsl/lib", "/usr/local/nvidia/lib64", "/usr/local/lib", "/opt/cuda/lib64"}) {
    folders.add(folder);
  }
  folders.add_root("/usr/local/cuda");
  folders.add_matching("/usr/local/cuda-*/lib64");
  for (const char *packages : {"dist-packages", "site-packages"}) {
    folders.add_python("/usr", packages);
    folders.add_python("/usr/local", packages);
    if (!environment("HOME").empty()) folders.add_python(environment("HOME") + "/.local", packages);
  }
  return folders.take();
}

std::vector<FoundFile> find_files(const std::vector<std::string> &folders,
                                  const std::string &stem) {
  std::vector<FoundFile> files;
  for (const std::string &folder : folders) {
    DIR *directory = opendir(folder.c_str());
    if (!directory) continue;
    std::vector<FoundFile> here;
    while (const dirent *entry = readdir(directory)) {
      const std::string name = entry->d_name;
      if (name.compare(0, stem.size() + 1, stem + ".") != 0) continue;
      const std::string number = name.substr(stem.size() + 1);
      if (number.empty() || number.size() > 4 ||
          number.find_first_not_of("0123456789") != std::string::npos) {
        continue;
      }
      here.push_back({folder + "/" + name, std::atoi(number.c_str())});
    }
    closedir(directory);
    std::sort(here.begin(), here.end(),
              [](const FoundFile &a, const FoundFile &b) { return a.number > b.number; });
    files.insert(files.end(), here.begin(), here.end());
  }
  return files;
}

}  // namespace gapcam::cuda
