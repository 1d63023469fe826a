#!/usr/bin/env bash
# Brings a Debian 12 machine to the point where acc runs: system packages, ./.venv, the build.
# Each step is skipped when what it depends on has not changed, and names itself and the remedy when it fails.
#
#   scripts/setup.sh build|demo|test|hardware
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${1:-build}

PACKAGES=(python3 python3-venv python3-dev cmake ninja-build ccache clang-22 libclang-rt-22-dev lld-22 llvm-22-dev llvm-22-tools
          libmlir-22-dev mlir-22-tools nlohmann-json3-dev)
# Waveforms of the simulated circuit are compressed with lz4 and zlib.
[ "$profile" = test ] && PACKAGES+=(clang-format-22 liblz4-dev zlib1g-dev)
# Models for other processors are run in an emulator, with the C and C++ libraries of these (350 MB).
CROSS=(qemu-user lib{c6,stdc++-12}-dev-{arm64,riscv64}-cross)
[ "$profile" = test ] && PACKAGES+=("${CROSS[@]}")
# The long tests look at reports in a browser (300 MB), install the wheel in a system that has only Python, and run models
# on processors without an operating system (1.5 GB).
[ -n "${ACC_TEST_LONG:-}" ] && PACKAGES+=(chromium debootstrap pkg-config gcc-riscv64-unknown-elf
                                          picolibc-riscv64-unknown-elf qemu-system-misc)

fail() {
  printf 'acc set-up: step "%s" failed.\n  Remedy: %s\n' "$1" "$2" >&2
  [ -n "${3:-}" ] && [ -s "$3" ] && { printf '  The last lines of %s:\n' "$3" >&2; tail -n 15 "$3" | sed 's/^/    /' >&2; }
  exit 1
}
say() { printf 'acc set-up: %s\n' "$1" >&2; }

mkdir -p build
logs=build/setup-logs
mkdir -p "$logs"

# --- system packages -------------------------------------------------------------------------------------------------
missing=()
status=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${PACKAGES[@]}" 2>/dev/null || true)
for package in "${PACKAGES[@]}"; do
  grep -qx "$package installed" <<<"$status" || missing+=("$package")
done
# A Python that is not Debian's brings its own venv and headers.
if python3 -c 'import sys, venv, ensurepip, sysconfig, os; assert sys.version_info >= (3, 11); assert os.path.exists(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null; then
  kept=()
  for package in "${missing[@]}"; do
    case "$package" in python3 | python3-venv | python3-dev) ;; *) kept+=("$package") ;; esac
  done
  missing=("${kept[@]}")
fi
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "system packages" "as root, run: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  command -v apt-get >/dev/null || fail "system packages" "this is not a Debian system: install by hand what these packages hold: ${missing[*]}"
  say "installing ${#missing[@]} system packages: ${missing[*]}"
  "${as_root[@]}" apt-get update >"$logs/apt.log" 2>&1 || fail "apt-get update" "check the network and /etc/apt/sources.list" "$logs/apt.log"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >>"$logs/apt.log" 2>&1 ||
    fail "system packages" "run 'apt-get install ${missing[*]}' and see what it says; LLVM 22 comes from Debian 12's security archive" "$logs/apt.log"
  # What is linked into models for other processors is built where their libraries are.
  [[ " ${missing[*]} " = *-cross* ]] && touch CMakeLists.txt
fi

# --- ./.venv ---------------------------------------------------------------------------------------------------------
python=.venv/bin/python
extras="build demo"
[ "$profile" = test ] && extras="build demo test"
[ "$profile" = hardware ] && extras="build demo hardware"
[ "$profile" = build ] && extras="build"
if [ ! -x "$python" ]; then
  say "creating ./.venv"
  python3 -m venv .venv >"$logs/venv.log" 2>&1 || fail "./.venv" "remove ./.venv and make sure that 'python3 -m venv' works (package python3-venv, Python 3.11 or newer)" "$logs/venv.log"
fi
stamp=".venv/.acc-$profile"
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
  mapfile -t requirements < <("$python" scripts/requirements.py $extras)
  say "installing Python packages: ${requirements[*]}"
  "$python" -m pip install --quiet --disable-pip-version-check "${requirements[@]}" >"$logs/pip.log" 2>&1 ||
    fail "Python packages" "check that pip reaches its package index, then run make again" "$logs/pip.log"
  # The package is used from the source tree; the build puts its native modules beside it.
  site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  echo "$PWD/python" >"$site/acc.pth"
  printf '#!%s\nimport sys\nfrom acc.cli import main\nsys.exit(main())\n' "$PWD/$python" >.venv/bin/acc
  chmod +x .venv/bin/acc
  touch "$stamp"
fi

# --- build -----------------------------------------------------------------------------------------------------------
if [ ! -e build/build.ninja ]; then
  say "configuring the build"
  cmake --preset dev "-DPython_EXECUTABLE=$PWD/$python" >"$logs/cmake.log" 2>&1 ||
    fail "configure" "check that pip reaches its package index; if packages were changed by hand, remove ./build and run make again" "$logs/cmake.log"
fi
[ -e build/.built ] || say "building; this takes some minutes the first time"
if [ -t 2 ]; then
  ninja -C build --quiet >&2 || fail "build" "see the errors above"
else
  ninja -C build >"$logs/ninja.log" 2>&1 || fail "build" "see $logs/ninja.log" "$logs/ninja.log"
fi
touch build/.built
