"""`acc info` of ONNX models: which kernels there will be, where, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acc.cli import main
from qdq_models import random_network


@pytest.fixture
def quantized(tmp_path: Path) -> Path:
    import onnx

    path = tmp_path / "model.onnx"
    onnx.save(random_network(0), path)
    return path


def test_onnx_model(quantized: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["info", str(quantized), "--target", "vta", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["target"] == "vta" and facts["inputs"] and facts["outputs"]
    assert "vta" in {layer["target"] for layer in facts["layers"]}
    assert main(["info", str(quantized)]) == 0
    text = capsys.readouterr().out
    assert "target" in text and "total" in text and "insns" not in text and " vta " not in text


def test_errors(quantized: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    for arguments in (
        [str(tmp_path / "bad.onnx")],
        [str(tmp_path / "none.onnx")],
        [str(quantized), "--config", "vta_config.json"],
        [str(quantized), "--target", "vta", "--config", str(tmp_path / "none.json")],
    ):
        assert main(["info", *arguments]) == 2
        assert capsys.readouterr().err.startswith("acc: error: ")
