#include "cache_folder.h"

#include <sys/stat.h>

#include <cstdlib>

#include "files.h"

namespace gapcam {

namespace {

// A relative path would be another folder in every working folder.
std::string absolute(const char *variable) {
  const char *value = std::getenv(variable);
  return value && value[0] == '/' ? value : "";
}

std::string chosen_folder() {
  if (const std::string own = absolute("GAPCAM_CACHE"); !own.empty()) return own;
  if (const std::string xdg = absolute("XDG_CACHE_HOME"); !xdg.empty()) return xdg + "/gapcam";
  if (const std::string home = absolute("HOME"); !home.empty()) return home + "/.cache/gapcam";
  return "";
}

}  // namespace

std::string cache_folder() {
  const std::string folder = chosen_folder();
  if (folder.empty()) return "";
  for (size_t end = folder.find('/', 1); end != std::string::npos;
       end = folder.find('/', end + 1)) {
    mkdir(folder.substr(0, end).c_str(), 0777);
  }
  mkdir(folder.c_str(), 0777);
  return is_folder(folder) ? folder : "";
}

}  // namespace gapcam
