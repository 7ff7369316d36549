// What is asked of the file system in more than one place.
#pragma once

#include <sys/stat.h>

#include <string>

namespace gapcam {

inline bool is_folder(const std::string &path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace gapcam
