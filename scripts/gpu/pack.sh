#!/bin/sh
# Packs what scripts/gpu/kit.sh needs on a machine that has no Deno, no oneDNN and no network:
# the sources, the built libraries with those they need, Deno, and the npm packages in use.
#
#   sh scripts/gpu/pack.sh [FILE]       build/gpu-kit/gapcam-gpu-kit.tar.xz if left out
#
# There:
#
#   tar xJf gapcam-gpu-kit.tar.xz && sh gapcam-gpu-kit/scripts/gpu/kit.sh OUT
#
# or, without xz, python3 -m tarfile -e gapcam-gpu-kit.tar.xz in place of tar.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
file=${1:-$root/build/gpu-kit/gapcam-gpu-kit.tar.xz}
libraries=${GAPCAM_LIBRARY_FOLDER:-$root/build}
most=60000000

say() { printf 'pack: %s\n' "$*"; }
for name in libgapcam_cpu.so libgapcam_cuda.so; do
  [ -e "$libraries/$name" ] ||
    { say "$libraries/$name is missing; build it with: sh scripts/setup.sh" >&2; exit 1; }
done

mkdir -p "$(dirname -- "$file")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch" "$file.tmp"' EXIT
stage=$scratch/gapcam-gpu-kit
mkdir -p "$stage/bin" "$stage/lib" "$stage/build"

cd "$root"
# What git holds or would; a file that was deleted but not committed is not there to pack.
git ls-files --cached --others --exclude-standard |
  while read -r one; do [ ! -e "$one" ] || printf '%s\n' "$one"; done >"$scratch/files"
tar -c -T "$scratch/files" | tar -x -C "$stage"
revision=$(git describe --always --dirty 2>/dev/null || :)
printf '%s\n' "$revision" >"$stage/REVISION"

cp "$libraries/libgapcam_cpu.so" "$libraries/libgapcam_cuda.so" "$stage/build/"
# All that they load but the system's own, which every Linux has.
ldd "$libraries/libgapcam_cpu.so" "$libraries/libgapcam_cuda.so" |
  sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | sort -u |
  grep -vE '/(libc|libm|libdl|libpthread|librt|libstdc\+\+|libgcc_s|ld-linux[^/]*)\.so' |
  while read -r library; do cp -L "$library" "$stage/lib/"; done

# npm's `deno` is a starter; this is the program itself.
deno=$(deno eval 'console.log(Deno.execPath())')
cp -L "$deno" "$stage/bin/deno"
strip "$stage/bin/deno" "$stage/build/"*.so 2>/dev/null || :

# The npm packages that the library imports, as Deno holds them; DENO_DIR is where kit.sh points it.
deno run --allow-all --quiet scripts/gpu/kit/packages.ts mod.ts >"$scratch/packages"
cache=$(head -n 1 "$scratch/packages")
mkdir -p "$stage/deno-dir/npm"
tail -n +2 "$scratch/packages" | while read -r folder; do
  [ -d "$folder" ] ||
    { say "$folder is missing; run: deno cache mod.ts" >&2; exit 1; }
  (cd "$cache" && tar -c "${folder#"$cache"/}") | tar -x -C "$stage/deno-dir/npm"
done

# Machine code shrinks by a further tenth with its jumps made absolute.
tar -C "$scratch" -c --sort=name --owner=0 --group=0 gapcam-gpu-kit |
  xz -T1 --x86 --lzma2=preset="${KIT_XZ:-9}" >"$file.tmp"
size=$(wc -c <"$file.tmp")
if [ "$size" -gt "$most" ]; then
  say "the folder takes $size bytes compressed, more than $most" >&2
  exit 1
fi
mv "$file.tmp" "$file"
say "$file: $size bytes, $(tar -C "$scratch" -c gapcam-gpu-kit | wc -c) unpacked"
