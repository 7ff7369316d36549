#!/bin/sh
# Proves what can be proved of the CUDA backend without a GPU: every convolution of vgg11 to vgg19,
# of resnet18, and of two chains of depthwise, grouped, dilated and unevenly padded ones, or of any
# networks that --models names, in training and inference, is planned by cuDNN for described devices,
# through the code that the backend runs, and every kernel is compiled for them. Ends with "N graphs,
# N planned, 0 refused"; exit code 1 on a refusal.
#
# usage: check_plans.sh [--models LIST] [--sizes LIST] [--batches LIST] [--precisions LIST]
#                       [DEVICE.json ...]
# Lists are separated by commas; check_plans.ts says what they may hold. Devices default to
# scripts/gpu/devices/*.json.
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
  # The oldest compiler that serves must take the kernels as well: it knows less of C++.
  oldest=$cache/oldest-nvrtc
  if sh "$here/fetch_libraries.sh" "$oldest" "nvidia-cuda-nvrtc==13.0.*"; then
    LD_LIBRARY_PATH=$oldest/nvidia/cu13/lib GAPCAM_NVIDIA_FOLDER=$oldest/nvidia \
      deno run --quiet --no-prompt --allow-ffi --allow-read --allow-env --allow-sys \
      "$here/report_kernels.ts" --architectures 90 >"$cache/check_plans.log" 2>&1 || {
      cat "$cache/check_plans.log" >&2
      exit 1
    }
    echo "NVRTC 13.0 compiles all kernels"
  else
    echo "NVRTC 13.0 is not to be had here: the kernels are compiled by the newest alone"
  fi
fi
export GAPCAM_NVIDIA_FOLDER
sh "$here/build_stub_driver.sh" "$cache/stub-driver"

include=$(find "$GAPCAM_NVIDIA_FOLDER" -type d -name include -path '*/include' | tr '\n' ';')
{
  cmake -S "$root/native" -B "$build" -DGAPCAM_CPU=OFF -DGAPCAM_NVIDIA_INCLUDE="$include"
  cmake --build "$build" --target gapcam_cuda_described
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

work=$(mktemp -d)
running=
trap 'kill $running 2>/dev/null || :; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
count=$#
while [ "$count" -gt 0 ]; do
  argument=$1
  shift
  case $argument in
    *.json) printf '%s\n' "$argument" >>"$work/devices" ;;
    *) set -- "$@" "$argument" ;;
  esac
  count=$((count - 1))
done
[ -e "$work/devices" ] ||
  printf '%s\n' "$here/devices/sm_80.json" "$here/devices/sm_90.json" \
    "$here/devices/sm_100.json" >"$work/devices"

LD_LIBRARY_PATH=$cache/stub-driver${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
# Nearly all of the time cuDNN compiles fused graphs, on one core; devices have nothing in common,
# so each has a process of its own.
number=0
while read -r device; do
  number=$((number + 1))
  GAPCAM_DESCRIBED_DEVICE=$device GAPCAM_LIBRARY_FOLDER=$build/described \
    deno run --quiet --no-prompt --allow-ffi --allow-read --allow-env "$here/check_plans.ts" "$@" \
    >"$work/table-$number" 2>&1 &
  running="$running $!"
done <"$work/devices"
failed=0
number=0
for process in $running; do
  number=$((number + 1))
  code=0
  wait "$process" || code=$?
  grep -vE '^[0-9]+ graphs, ' "$work/table-$number" || :
  if [ "$code" != 0 ]; then
    failed=1
    echo "check_plans.sh: not all is well for $(sed -n "${number}p" "$work/devices"): exit code $code"
  fi
done
running=
cat "$work"/table-* | awk '
  /^[0-9]+ graphs, / { graphs += $1; planned += $3; refused += $5; unfused += substr($7, 2) }
  END {
    printf "%d graphs, %d planned, %d refused", graphs, planned, refused
    print unfused ? " (" unfused " of them not fused)" : ""
    exit graphs == 0 || graphs != planned
  }' || failed=1
exit "$failed"
