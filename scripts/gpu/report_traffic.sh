#!/bin/sh
# Prints how many kernels a step of networks gives a GPU and how many bytes they move, beside the
# least; report_traffic.ts says which flags there are. Needs no GPU and nothing of NVIDIA's: plans
# come from the stand-ins of the tests, for an H100, with every fusion that real cuDNN plans too
# (check_plans.sh shows that).
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=$root/build/check-plans
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{
  cmake -S "$root/native" -B "$build" -DGAPCAM_CPU=OFF
  cmake --build "$build" --target gapcam_cuda_described
  cmake -S "$root/tests/native/cudasim" -B "$build/cudasim"
  cmake --build "$build/cudasim"
} >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
GAPCAM_NVIDIA_FOLDER=$build/cudasim/lib GAPCAM_LIBRARY_FOLDER=$build/described \
  GAPCAM_DESCRIBED_DEVICE=$root/scripts/gpu/devices/sm_90.json \
  deno run --quiet --no-prompt --allow-ffi --allow-read --allow-env \
  "$root/scripts/gpu/report_traffic.ts" "$@"
