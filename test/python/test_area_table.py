"""docs/area.md has the circuits that are recorded."""

from __future__ import annotations

import subprocess
import sys

from conftest import ROOT


def test_recorded_circuits_are_up_to_date() -> None:
    """`scripts/area_table.py --recorded` writes them anew."""
    command = [sys.executable, str(ROOT / "scripts" / "area_table.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0
