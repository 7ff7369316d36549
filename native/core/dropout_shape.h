// What dropout does. Uses nothing, so that kernels may include it.
#pragma once

namespace gapcam {

struct DropoutShape {
  unsigned long long threshold = 0;  // probability * 2^32: what has a smaller word is dropped
  float scale = 1.0f;                // of what stays
  unsigned int layer = 0;            // which dropout of the program
  int whole_images = 0;              // whether an image's values are dropped together
};

}  // namespace gapcam
