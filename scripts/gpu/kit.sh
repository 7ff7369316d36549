#!/bin/sh
# Checks and times gapcam on a machine with an NVIDIA GPU and writes OUT/gpu-report.md, in at most
# eight minutes. Every step has a limit of its own; a failed one does not stop the others, and the
# exit code is 1 if any failed.
#
#   sh scripts/gpu/kit.sh OUT
#
# Wants: a Python with torch (CUDA 13), whose nvidia/* folders hold cuDNN, cuBLAS and NVRTC, or
# these libraries elsewhere. Run from the folder that pack.sh makes it needs no Deno and no oneDNN.
#
#   GAPCAM_PYTHON=FILE          a Python with torch; else python3 or python, if it has torch
#   GAPCAM_NVIDIA_FOLDER=FOLDER where NVIDIA's libraries are; else that Python's nvidia folder
#   KIT_DENO=FILE               Deno; else bin/deno beside the sources, else that of PATH
#   KIT_SECONDS=N               what all steps may take together (470)
#   KIT_SMALL=1                 tiny sizes and PyTorch on the CPU: tries the kit, not a GPU
set -eu
[ $# = 1 ] || { echo "kit: name the folder of the report: sh scripts/gpu/kit.sh OUT" >&2; exit 1; }
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
mkdir -p "$1"
out=$(CDPATH='' cd -- "$1" && pwd)

deno=${KIT_DENO:-}
[ -n "$deno" ] || { [ -x "$root/bin/deno" ] && deno=$root/bin/deno; } || deno=$(command -v deno || :)
[ -n "$deno" ] || { echo "kit: no Deno: name one with KIT_DENO, or use pack.sh" >&2; exit 1; }
"$deno" --version >/dev/null || { echo "kit: $deno does not run here" >&2; exit 1; }

# What pack.sh put beside the sources.
if [ -d "$root/lib" ]; then
  export LD_LIBRARY_PATH="$root/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
[ ! -d "$root/deno-dir" ] || export DENO_DIR="$root/deno-dir"
export DENO_NO_UPDATE_CHECK=1 NO_COLOR=1

has_module() {
  "$1" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)' \
    "$2" 2>/dev/null
}
python=${GAPCAM_PYTHON:-}
[ -z "$python" ] || command -v "$python" >/dev/null 2>&1 ||
  { echo "kit: there is no $python; name a Python that has torch with GAPCAM_PYTHON" >&2; exit 1; }
if [ -z "$python" ]; then
  for one in python3 python /opt/venv/bin/python /opt/conda/bin/python; do
    if command -v "$one" >/dev/null 2>&1 && has_module "$one" torch; then
      python=$(command -v "$one")
      break
    fi
  done
fi
if [ -n "$python" ]; then
  export GAPCAM_PYTHON="$python"
  if [ -z "${GAPCAM_NVIDIA_FOLDER:-}" ]; then
    folder=$("$python" -c '
import importlib.util
spec = importlib.util.find_spec("nvidia")
print(list(spec.submodule_search_locations)[0] if spec else "")' 2>/dev/null || :)
    [ -z "$folder" ] || export GAPCAM_NVIDIA_FOLDER="$folder"
  fi
fi

# Caches of earlier runs would hide what a first run does, and OUT is for results.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export GAPCAM_CACHE="$scratch/gapcam" TORCHINDUCTOR_CACHE_DIR="$scratch/inductor"
export TRITON_CACHE_DIR="$scratch/triton"

# A net: main.ts keeps the time by itself.
code=0
timeout -k 5 $((${KIT_SECONDS:-470} + 10)) \
  "$deno" run --no-check --cached-only -A "$root/scripts/gpu/kit/main.ts" "$out" || code=$?
[ "$code" = 0 ] || exit 1
