"""No command replaces what it reads."""

from __future__ import annotations

import pathlib
import shutil

import numpy as np
import pytest

from acc.cli import main

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "command",
    [
        "compile model.onnx -o model.onnx",
        "compile model.onnx -o ./model.onnx",
        "compile model.onnx -o link.onnx",
        "compile model.onnx --to model.onnx",
        "import model.onnx -o model.onnx",
        "report model.onnx -o model.onnx",
        "reduce model.onnx --check false -o model.onnx",
        "quantize model.onnx --data x.npz -o model.onnx",
        "quantize model.onnx --data x.npz -o x.npz",
        "quantize model.onnx --data x.npz -o q.onnx --report x.npz",
        "tune model.onnx --target cpu --trials 1 -o model.onnx",
        "run model.onnx --input x.npz -o x.npz",
    ],
)
def test_what_is_read_is_not_replaced(
    command: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "demo" / "digits.onnx", "model.onnx")
    pathlib.Path("link.onnx").symlink_to("model.onnx")
    np.savez("x.npz", x=np.zeros(3, np.float32))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(command.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith("acc: error: the result would replace '") and said.count("\n") == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
