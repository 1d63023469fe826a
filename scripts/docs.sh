#!/usr/bin/env bash
# Builds the site of the documentation to build/site, in an environment of its own; a link that leads nowhere is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=build/docs-venv
mkdir -p build
if [ ! -e "$venv/.done" ] || [ pyproject.toml -nt "$venv/.done" ]; then
  python3 -m venv "$venv"
  mapfile -t requirements < <("$venv/bin/python" scripts/requirements.py docs)
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${requirements[@]}"
  touch "$venv/.done"
fi
NO_MKDOCS_2_WARNING=1 "$venv/bin/mkdocs" build --strict --quiet
echo "build/site/index.html"
