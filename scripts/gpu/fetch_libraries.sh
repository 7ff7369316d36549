#!/bin/sh
# Fetches NVIDIA's libraries from PyPI into a folder, once: what planning and compiling need, and the
# headers that our declarations are held against.
# usage: fetch_libraries.sh FOLDER [PACKAGES]; afterwards FOLDER/nvidia is a GAPCAM_NVIDIA_FOLDER.
set -eu
folder=$1
# Packages for CUDA 13 share a folder nvidia/cu13, cuDNN has its own. The last three are headers.
packages=${2:-"nvidia-cudnn-cu13>=9.26,<10 nvidia-cublas>=13,<14 nvidia-cuda-nvrtc>=13,<14
  nvidia-cuda-runtime>=13,<14 nvidia-cuda-crt>=13,<14 nvidia-cuda-cccl>=13,<14"}
# The list itself, so that a folder made for a shorter one is not taken for whole.
if [ "$(cat "$folder/complete" 2>/dev/null)" = "$packages" ]; then exit 0; fi
python=${PYTHON:-python3}
"$python" -m pip --version >/dev/null 2>&1 || {
  echo "fetch_libraries.sh: $python has no pip; name another with PYTHON" >&2
  exit 1
}
mkdir -p "$folder"
# shellcheck disable=SC2086
"$python" -m pip install --quiet --no-deps --upgrade --target "$folder" $packages
printf '%s\n' "$packages" >"$folder/complete"
