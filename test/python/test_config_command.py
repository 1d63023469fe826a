"""`acc config`: C programs that are built with what it prints run models. The wheel has such a test, too."""

from __future__ import annotations

import json
import pathlib
import sys

import pytest

from acc.cli import main
from c_programs import check_example

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_a_program_in_three_ways(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    assert main(["config", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["config", "--cflags", "--libs"]) == 0
    assert capsys.readouterr().out.strip() == f"{found['cflags']} {found['libs']}"
    assert main(["config"]) == 0
    assert found["include"] in capsys.readouterr().out
    assert main(["compile", str(ROOT / "demo" / "digits.onnx"), "-o", str(tmp_path / "m.so")]) == 0
    check_example(tmp_path, "m.so", f"{sys.executable} -m acc")
