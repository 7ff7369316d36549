// Where what is measured or compiled once is kept for later processes.
#pragma once

#include <string>

namespace gapcam {

// GAPCAM_CACHE, else $XDG_CACHE_HOME/gapcam or ~/.cache/gapcam, made where missing. Empty: there is
// none, and what would be kept is made anew each time.
std::string cache_folder();

}  // namespace gapcam
