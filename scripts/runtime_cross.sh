#!/usr/bin/env bash
# Builds the runtime for another architecture: scripts/runtime_cross.sh aarch64-linux-gnu|riscv64-linux-gnu
# The result is build/runtime-TRIPLE/libacc_runtime.so.
set -euo pipefail
cd "$(dirname "$0")/.."
triple=${1:-}
toolchain=cmake/toolchains/$triple.cmake
known=$(cd cmake/toolchains && ls -- *-*-*.cmake | sed 's/\.cmake$//' | paste -sd ' ')
if [ -z "$triple" ] || [ ! -e "$toolchain" ]; then
  echo "acc: no runtime for '$triple': there is one for $known" >&2
  exit 2
fi
case "$triple" in
  aarch64-*) architecture=arm64 ;;
  riscv64-*) architecture=riscv64 ;;
esac
packages=()
[ -e "/usr/$triple/lib/libc.so.6" ] && [ -e "/usr/$triple/include/stdio.h" ] || packages+=("libc6-dev-$architecture-cross")
compgen -G "/usr/$triple/include/c++/*" >/dev/null || packages+=("libstdc++-12-dev-$architecture-cross")
for program in clang++-22 ld.lld-22 cmake ninja; do
  command -v "$program" >/dev/null || packages+=("$(case $program in clang++-22) echo clang-22 ;; ld.lld-22) echo lld-22 ;; ninja) echo ninja-build ;; *) echo "$program" ;; esac)")
done
if [ ${#packages[@]} -gt 0 ]; then
  echo "acc: the cross toolchain for $triple is missing: apt-get install ${packages[*]}" >&2
  exit 2
fi
folder=build/runtime-$triple
launcher=$(command -v ccache || true)
cmake -S runtime -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_TOOLCHAIN_FILE="$PWD/$toolchain" \
  ${launcher:+-DCMAKE_C_COMPILER_LAUNCHER=$launcher -DCMAKE_CXX_COMPILER_LAUNCHER=$launcher} >/dev/null
ninja -C "$folder" --quiet
echo "$folder/libacc_runtime.so"
