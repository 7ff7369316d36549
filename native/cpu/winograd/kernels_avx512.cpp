// AVX-512: 32 registers of 16.
#include "kernels.h"

namespace gapcam::cpu::winograd {

#if defined(__AVX512F__)
extern const Table table_avx512_16;
const Table table_avx512_16 = make_table<16, 14, 2, 8, 3>("avx512");
#endif

}  // namespace gapcam::cpu::winograd
