#!/bin/sh
# Part of `deno task check`: the C++ sources are as .clang-format has them. Exit code 1 names those
# that are not; --fix formats them.
#
# Versions of clang-format differ in details; 14 to 18 agree on these sources. Another one, or none,
# is stood in for by the package of the same name from PyPI, kept in GAPCAM_CACHE (~/.cache/gapcam).
set -eu
cd "$(dirname "$0")/.."
cache=${GAPCAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gapcam}/clang-format

agrees() {
  version=$("$1" --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p')
  [ -n "$version" ] && [ "$version" -ge 14 ] && [ "$version" -le 18 ]
}
format=${CLANG_FORMAT:-clang-format}
if ! agrees "$format"; then
  format=$cache/clang_format/data/bin/clang-format
  agrees "$format" ||
    python3 -m pip install --quiet --upgrade --target "$cache" clang-format==18.1.8 2>/dev/null ||
    { echo "SKIPPED: C++ formatting, because there is no clang-format 14 to 18 here"; exit 0; }
fi

if [ "${1:-}" = --fix ]; then set -- -i; else set -- --dry-run -Werror; fi
find native tests/native \( -name '*.cpp' -o -name '*.h' \) -exec "$format" "$@" {} +
