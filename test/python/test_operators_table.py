"""docs/operators.md says what acc does."""

from __future__ import annotations

import subprocess
import sys

from conftest import ROOT


def test_table_is_up_to_date() -> None:
    """`make operators` writes it anew."""
    command = [sys.executable, str(ROOT / "scripts" / "operators_table.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0
