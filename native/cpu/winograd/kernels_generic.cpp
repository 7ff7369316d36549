// For any machine: vectors of 8 in two registers of 4, where the machine has such.
#include "kernels.h"

namespace gapcam::cpu::winograd {

extern const Table table_generic_8;
const Table table_generic_8 = make_table<8, 3, 2, 4, 1>("generic");

}  // namespace gapcam::cpu::winograd
