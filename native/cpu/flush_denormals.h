// Numbers below the smallest normal one, taken for 0 in all threads of OpenMP as long as this
// lives.
#pragma once

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace gapcam::cpu {

#if defined(__SSE__)
class FlushDenormals {
 public:
  FlushDenormals() : before_(_mm_getcsr()) { set(before_ | flush_to_zero | denormals_are_zero); }
  ~FlushDenormals() { set(before_); }
  FlushDenormals(const FlushDenormals &) = delete;
  FlushDenormals &operator=(const FlushDenormals &) = delete;

 private:
  static constexpr unsigned flush_to_zero = 0x8000, denormals_are_zero = 0x40;

  static void set(unsigned state) {
#pragma omp parallel
    _mm_setcsr(state);
  }

  unsigned before_;
};
#else
class FlushDenormals {};
#endif

}  // namespace gapcam::cpu
