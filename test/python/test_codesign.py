"""acc codesign: one folder with a quantized model, a front and a bundle; what is done stays done."""

from __future__ import annotations

import json
import pathlib
import shutil
from typing import Any

import numpy as np
import pytest

import acc
from acc.bundling import verify
from acc.cli import main
from acc.codesigning import CodesignError, codesign
from acc.errors import AccError
from acc.exploration import Options

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "demo" / "digits.onnx"
SPACE = {"LOG_BLOCK": [2, 3], "LOG_INP_BUFF_SIZE": [12, 13], "LOG_WGT_BUFF_SIZE": 14, "LOG_ACC_BUFF_SIZE": [13, 14]}
OPTIONS = Options(trials=4, jobs=1, strategy="random", points=2, tune=4)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Samples for the digits model."""
    path = tmp_path_factory.mktemp("data") / "samples.npz"
    with acc.compile(MODEL) as model:
        (entry,) = model.inputs
    shape = [size if isinstance(size, int) else 1 for size in entry.shape]
    np.savez(path, **{entry.name: np.random.default_rng(2).random((24, *shape[1:]), dtype=np.float32)})
    return path


def test_a_float_model_becomes_a_design(data: pathlib.Path, tmp_path: pathlib.Path):
    folder = tmp_path / "design"
    said: list[str] = []

    def design(**changed: Any) -> Any:
        given = {"space": SPACE, "options": OPTIONS, "netlist": False, **changed}
        return codesign(MODEL, data, output=folder, progress=said.append, **given)

    # A run that ends while the hardware is searched for: the quantized model is there already.
    with pytest.raises(CodesignError, match="quantizing took all"):
        design(seconds=1e-3)
    before = (folder / "model_q.onnx").read_bytes()
    with pytest.raises(CodesignError, match="is not empty: --resume goes on"):
        design()
    resumed = Options(**{**vars(OPTIONS), "resume": True})
    with pytest.raises(CodesignError, match="was begun with another device: choose another folder"):
        design(options=resumed, device="ecp5-45k")
    found = design(options=resumed)
    assert (folder / "model_q.onnx").read_bytes() == before
    assert any(text.startswith("quantizing") for text in said)
    assert {path.name for path in folder.iterdir()} == {
        *("codesign.json", "model_q.onnx", "quantization.html", "front", "bundle")
    }
    manifest = verify(folder / "bundle", run=True).manifest
    promised = json.loads((folder / "front" / found.point.name / "point.json").read_text())
    assert promised["cycles"] == found.point.data["cycles"] and manifest == found.bundle.manifest
    assert found.point.name in found.table()
    with pytest.raises(CodesignError, match="is finished: its bundle is there"):
        design(options=resumed)


def test_what_is_wrong_is_said(data: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    for arguments, message in (
        ([tmp_path / "none.onnx", "--data", data], "none.onnx"),
        ([MODEL, "--data", data, "--objective", "beauty"], "there is no objective 'beauty'"),
        ([MODEL, "--data", data, "--budget", "soon"], "--budget"),
        ([MODEL, "--data", data, "--no-netlist", "--bitstream"], "exclude each other"),
    ):
        output = tmp_path / "out"
        assert main(["codesign", *map(str, arguments), "-o", str(output)]) == 2
        error = capsys.readouterr().err
        assert error.startswith("acc: error: ") and message in error and error.count("\n") == 1
        shutil.rmtree(output, ignore_errors=True)
    with pytest.raises(AccError, match=r"none\.npz"):
        codesign(MODEL, tmp_path / "none.npz", output=tmp_path / "out", space=SPACE, options=OPTIONS)
    with pytest.raises(AccError, match="'potato'"):
        codesign(MODEL, data, output=tmp_path / "potato", device="potato", space=SPACE, options=OPTIONS)
    assert not (tmp_path / "potato").exists()
