// An MPI library, opened when it is needed and never closed. No header of it is used: its functions
// take handles as words, which fit an int (MPICH), a pointer to an object of the library (Open MPI)
// and a pointer that is a number (the standard ABI of MPI 5) alike.
#pragma once

#include <cstdint>
#include <string>

namespace gapcam {

using MpiHandle = uintptr_t;

enum class MpiAbi { open_mpi, mpich, standard };

// "open-mpi", "mpich", "standard"
const char *name_of(MpiAbi abi);

// F(name, parameters); each returns int, 0 for success.
#define GAPCAM_MPI_FUNCTIONS(F)                                                                 \
  F(MPI_Get_library_version, (char *version, int *length))                                      \
  F(MPI_Initialized, (int *flag))                                                               \
  F(MPI_Finalized, (int *flag))                                                                 \
  F(MPI_Init_thread, (int *count, char ***arguments, int required, int *provided))              \
  F(MPI_Comm_rank, (MpiHandle communicator, int *rank))                                         \
  F(MPI_Comm_size, (MpiHandle communicator, int *size))                                         \
  F(MPI_Comm_set_errhandler, (MpiHandle communicator, MpiHandle handler))                       \
  F(MPI_Error_string, (int code, char *text, int *length))                                      \
  F(MPI_Bcast, (void *data, int count, MpiHandle type, int root, MpiHandle communicator))       \
  F(MPI_Allgather, (const void *own, int count, MpiHandle type, void *all, int each,            \
                    MpiHandle all_type, MpiHandle communicator))                                \
  F(MPI_Alltoall, (const void *own, int count, MpiHandle type, void *all, int each,             \
                   MpiHandle all_type, MpiHandle communicator))                                 \
  F(MPI_Allreduce, (const void *own, void *all, int count, MpiHandle type, MpiHandle operation, \
                    MpiHandle communicator))                                                    \
  F(MPI_Barrier, (MpiHandle communicator))                                                      \
  F(MPI_Finalize, ())

struct MpiLibrary {
#define GAPCAM_MEMBER(name, parameters) int(*name) parameters = nullptr;
  GAPCAM_MPI_FUNCTIONS(GAPCAM_MEMBER)
#undef GAPCAM_MEMBER
  MpiAbi abi = MpiAbi::mpich;
  MpiHandle world = 0, type_byte = 0, type_float = 0, sum = 0, errors_return = 0;
  int thread_funneled = 1;
  std::string path;     // what was opened
  std::string version;  // one line: what the library says of itself
  std::string problem;  // why none can be used; "" if one can
};

// Looks where GAPCAM_MPI_LIBRARY says; else for the library of the launcher that started this
// process; else for any.
const MpiLibrary &mpi_library();

}  // namespace gapcam
