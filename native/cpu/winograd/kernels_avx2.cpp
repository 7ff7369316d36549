// AVX2 and FMA: 16 registers of 8. Blocks of 16 channels serve to test, on machines without it,
// what AVX-512 runs.
#include "kernels.h"

namespace gapcam::cpu::winograd {

#if defined(__AVX2__)
extern const Table table_avx2_8, table_avx2_16;
const Table table_avx2_8 = make_table<8, 6, 2, 4, 3>("avx2");
const Table table_avx2_16 = make_table<16, 14, 2, 8, 3>("avx2");
#endif

}  // namespace gapcam::cpu::winograd
