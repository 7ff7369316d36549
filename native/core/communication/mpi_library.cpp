#include "mpi_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <vector>

#include "error.h"

namespace gapcam {

namespace {

std::string environment(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

// Names of libraries, those of the launcher that started this process first.
std::vector<std::string> candidates() {
  const std::vector<std::string> open_mpi = {"libmpi.so.40"},
                                 mpich = {"libmpich.so.12", "libmpi.so.12"},
                                 standard = {"libmpi_abi.so.1", "libmpi_abi.so.0"},
                                 any = {"libmpi.so", "libmpich.so"};
  std::vector<std::vector<std::string>> order;
  if (!environment("OMPI_COMM_WORLD_SIZE").empty() || !environment("PMIX_RANK").empty()) {
    order = {open_mpi, standard, mpich, any};
  } else if (!environment("PMI_RANK").empty() || !environment("PMI_SIZE").empty()) {
    order = {mpich, standard, open_mpi, any};
  } else {
    order = {standard, open_mpi, mpich, any};
  }
  std::vector<std::string> names;
  for (const auto &group : order) names.insert(names.end(), group.begin(), group.end());
  return names;
}

void *open_first(MpiLibrary &library) {
  const std::string own = environment("GAPCAM_MPI_LIBRARY");
  std::string reason;
  for (const std::string &name : own.empty() ? candidates() : std::vector<std::string>{own}) {
    // Open MPI's plug-ins look for their symbols among all that is loaded.
    if (void *opened = dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL)) {
      library.path = name;
      return opened;
    }
    const char *text = dlerror();
    const std::string why = text ? text : "no reason";
    // One that is there and cannot be used says more than one that is not there.
    if (reason.empty() || why.find("No such file") == std::string::npos) reason = why;
  }
  library.problem =
      own.empty() ? format(
                        "no MPI library can be loaded (%s); install one (Debian: apt-get install "
                        "openmpi-bin, or mpich) or name its file with GAPCAM_MPI_LIBRARY",
                        reason.c_str())
                  : format("GAPCAM_MPI_LIBRARY names %s, which cannot be loaded (%s)", own.c_str(),
                           reason.c_str());
  return nullptr;
}

// Asks the library itself, as mpi4py does: a name says little of what is behind it.
MpiAbi abi_of(void *library) {
  using AbiVersion = int (*)(int *, int *);
  int major = -1, minor = -1;
  const auto ask = reinterpret_cast<AbiVersion>(dlsym(library, "MPI_Abi_get_version"));
  if (ask && ask(&major, &minor) == 0 && major > 0) return MpiAbi::standard;
  return dlsym(library, "ompi_mpi_comm_world") ? MpiAbi::open_mpi : MpiAbi::mpich;
}

// Numbers of the MPICH ABI (Intel's and Cray's too) are those of its mpi.h; those of the standard
// ABI are in chapter 20 of MPI 5.0.
void fill_constants(void *opened, MpiLibrary &library) {
  if (library.abi == MpiAbi::mpich) {
    library.world = 0x44000000;
    library.type_byte = 0x4c00010d;
    library.type_float = 0x4c00040a;
    library.sum = 0x58000003;
    library.errors_return = 0x54000001;
    library.thread_funneled = 1;
  } else if (library.abi == MpiAbi::standard) {
    library.world = 0x101;
    library.type_byte = 0x247;
    library.type_float = 0x210;
    library.sum = 0x21;
    library.errors_return = 0x143;
    library.thread_funneled = 1024;
  } else {
    const auto address = [&](const char *name) {
      void *found = dlsym(opened, name);
      if (!found && library.problem.empty()) {
        library.problem = format("%s has no symbol %s", library.path.c_str(), name);
      }
      return reinterpret_cast<MpiHandle>(found);
    };
    library.world = address("ompi_mpi_comm_world");
    library.type_byte = address("ompi_mpi_byte");
    library.type_float = address("ompi_mpi_float");
    library.sum = address("ompi_mpi_op_sum");
    library.errors_return = address("ompi_mpi_errors_return");
    library.thread_funneled = 1;
  }
}

// The first of perhaps many lines, and of MPICH's table of settings the version alone.
std::string first_line(const std::string &text) {
  std::string line = text.substr(0, text.find('\n'));
  for (char &one : line) {
    if (static_cast<unsigned char>(one) < ' ') one = ' ';
  }
  std::string tidy;
  for (const char one : line) {
    if (one != ' ' || (!tidy.empty() && tidy.back() != ' ')) tidy += one;
  }
  return tidy.substr(0, 120);
}

// UCX, over which MPICH and Open MPI reach other hosts, assumes a process of one thread where it
// writes its hooks into the C library's functions and where it moves the end of the heap and back
// to try them: with threads that allocate meanwhile the heap loses its end (its issue 3831). And it
// puts its handlers in the place of those that V8 needs. What the user asked for stays.
void tell_ucx_of_threads() {
  setenv("UCX_MEM_EVENTS", "no", 0);
  setenv("UCX_ERROR_SIGNALS", "", 0);
}

MpiLibrary open_library() {
  tell_ucx_of_threads();
  MpiLibrary library;
  void *opened = open_first(library);
  if (!opened) return library;
#define GAPCAM_FIND(name, parameters)                                                       \
  library.name = reinterpret_cast<decltype(library.name)>(dlsym(opened, #name));            \
  if (!library.name && library.problem.empty()) {                                           \
    library.problem =                                                                       \
        format("%s has no function %s: it is no MPI library", library.path.c_str(), #name); \
  }
  GAPCAM_MPI_FUNCTIONS(GAPCAM_FIND)
#undef GAPCAM_FIND
  if (!library.problem.empty()) return library;
  library.abi = abi_of(opened);
  fill_constants(opened, library);
  if (!library.problem.empty()) return library;
  Dl_info where;
  if (dladdr(reinterpret_cast<void *>(library.MPI_Barrier), &where) && where.dli_fname) {
    library.path = where.dli_fname;
  }
  // As much as the most talkative takes (MPI_MAX_LIBRARY_VERSION_STRING).
  std::vector<char> text(8192 + 1, '\0');
  int length = 0;
  if (library.MPI_Get_library_version(text.data(), &length) == 0) {
    library.version = first_line(text.data());
  }
  return library;
}

}  // namespace

const char *name_of(MpiAbi abi) {
  return abi == MpiAbi::open_mpi ? "open-mpi" : abi == MpiAbi::mpich ? "mpich" : "standard";
}

const MpiLibrary &mpi_library() {
  // Never destroyed: its threads may be at work while the process ends.
  static const MpiLibrary *opened = new MpiLibrary(open_library());
  return *opened;
}

}  // namespace gapcam
