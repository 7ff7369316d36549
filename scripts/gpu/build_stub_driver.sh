#!/bin/sh
# Builds FOLDER/libcuda.so.1: a driver that has every function of driver_functions.txt and no
# device. cuDNN and cuBLAS open libcuda even where they only plan.
# usage: build_stub_driver.sh FOLDER
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
folder=$1
mkdir -p "$folder"
source=$folder/stub_driver.c
{
  cat <<'C'
#include <dlfcn.h>
#include <stddef.h>
/* CUDA_ERROR_NOT_INITIALIZED: the answer that cuDNN takes for "no device here". */
enum { not_initialized = 3 };
int cuInit(unsigned flags) { (void)flags; return 0; }
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
static int look_up(const char *name, void **function) {
  void *self = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
  *function = self ? dlsym(self, name) : NULL;
  return *function ? 0 : 500;
}
int cuGetProcAddress(const char *name, void **function, int version, unsigned long long flags) {
  (void)version; (void)flags;
  return look_up(name, function);
}
int cuGetProcAddress_v2(const char *name, void **function, int version, unsigned long long flags,
                        int *status) {
  (void)version; (void)flags;
  const int result = look_up(name, function);
  if (status) *status = result ? 1 : 0;
  return result;
}
C
  grep -vxE 'cuInit|cuDriverGetVersion|cuGetProcAddress(_v2)?' "$here/driver_functions.txt" |
    sed 's/.*/int &(void) { return not_initialized; }/'
} >"$source"
"${CC:-cc}" -shared -fPIC -O1 -Wl,-soname,libcuda.so.1 -o "$folder/libcuda.so.1.new" "$source" -ldl
mv "$folder/libcuda.so.1.new" "$folder/libcuda.so.1"
