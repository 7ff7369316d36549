// The kernels of one vector width as a table. Included by one translation unit for each
// instruction set.
#pragma once

#include "filter.h"
#include "forward.h"
#include "weight.h"

namespace gapcam::cpu::winograd {
namespace {

template <int Width, int Rows, int Vectors, int FilterRows, int FilterVectors>
constexpr Table make_table(const char *name) {
  using L = Lanes<Width>;
  return {name,
          {Width, Rows, Vectors, FilterRows, FilterVectors},
          transform_weight<L, Vectors>,
          forward<L, Rows, Vectors>,
          backward_filter<L, FilterRows, FilterVectors>};
}

}  // namespace
}  // namespace gapcam::cpu::winograd
