#!/bin/sh
# Proves what can be proved of the CUDA backend without a GPU: every convolution of vgg11 to vgg19
# is planned by cuDNN for described devices, through the code that the backend runs, and every
# kernel is compiled for them. Ends with "N graphs, N planned, 0 refused"; exit code 1 on a refusal.
#
# usage: check_plans.sh [--models LIST] [--sizes LIST] [--batches LIST] [--precisions LIST]
#                       [DEVICE.json ...]
# Lists are separated by commas. Devices default to scripts/gpu/devices/*.json.
#
# GAPCAM_NVIDIA_FOLDER names a folder with NVIDIA's libraries (as a Python environment's
# site-packages/nvidia); without it they are fetched from PyPI into GAPCAM_CACHE, by default
# ~/.cache/gapcam.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
cache=${GAPCAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gapcam}
build=$root/build/check-plans

if [ -z "${GAPCAM_NVIDIA_FOLDER:-}" ]; then
  sh "$here/fetch_libraries.sh" "$cache/nvidia-libraries"
  GAPCAM_NVIDIA_FOLDER=$cache/nvidia-libraries/nvidia
fi
export GAPCAM_NVIDIA_FOLDER
sh "$here/build_stub_driver.sh" "$cache/stub-driver"

include=$(find "$GAPCAM_NVIDIA_FOLDER" -type d -name include -path '*/include' | tr '\n' ';')
{
  cmake -S "$root/native" -B "$build" -DGAPCAM_CPU=OFF -DGAPCAM_NVIDIA_INCLUDE="$include"
  cmake --build "$build" --target gapcam_check_plans
} >"$cache/check_plans.log" 2>&1 || { cat "$cache/check_plans.log" >&2; exit 1; }
# Holds our declarations against NVIDIA's headers, where they are complete.
if cmake --build "$build" --target help | grep gapcam_cuda_declarations >/dev/null; then
  cmake --build "$build" --target gapcam_cuda_declarations >"$cache/check_plans.log" 2>&1 || {
    cat "$cache/check_plans.log" >&2
    exit 1
  }
  echo "our declarations agree with NVIDIA's headers"
else
  echo "our declarations are not checked: NVIDIA's headers are not complete here"
fi

devices=
for argument in "$@"; do
  case $argument in *.json) devices=given ;; esac
done
if [ -z "$devices" ]; then
  set -- "$@" "$here/devices/sm_80.json" "$here/devices/sm_90.json" "$here/devices/sm_100.json"
fi
LD_LIBRARY_PATH=$cache/stub-driver${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
exec "$build/gapcam_check_plans" "$@"
