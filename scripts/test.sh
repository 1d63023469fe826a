#!/usr/bin/env bash
# Runs every test: IR tests under lit, Python and runtime tests under pytest, formatting and static checks.
# ACC_TEST_LONG=1 adds the slower sweeps. Runs all parts even if one fails; exits non-zero if any did.
set -uo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH=$PWD/python
failed=()
scripts/lint.sh || failed+=(lint)
.venv/bin/lit -j2 --order=lexical -q test || failed+=(lit)
# Files are shared out to one process for each core, as far as memory allows: compiling the largest models takes 2 GB.
workers=$(awk -v cores="$(nproc)" '/MemAvailable/ {m = int($2 / 3e6); print m < 1 ? 1 : m < cores ? m : cores}' /proc/meminfo)
.venv/bin/python -m pytest -q -n "$workers" --dist loadfile ${ACC_TEST_LONG:+--run-long} || failed+=(pytest)
if [ ${#failed[@]} -gt 0 ]; then
  echo "acc: failed: ${failed[*]}" >&2
  exit 1
fi
