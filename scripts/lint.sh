#!/usr/bin/env bash
# Formatting and static checks: clang-format, ruff, pyright.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
git ls-files '*.cpp' '*.h' | xargs -r clang-format-22 --dry-run -Werror || failed=1
.venv/bin/ruff check --quiet . || failed=1
.venv/bin/ruff format --quiet --check . || failed=1
.venv/bin/basedpyright --pythonpath .venv/bin/python >build/pyright.log 2>&1 || { cat build/pyright.log; failed=1; }
exit $failed
