"""The command acc quantize: what it writes, prints and refuses."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import onnx
import pytest

import acc as api
from acc.cli import main
from acc.errors import ModelWarning
from float_networks import FloatNetwork, images, transformer

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    net = FloatNetwork(("n", 4))
    model = net.build(net.add("Softmax", [net.linear(net.add("Relu", [net.linear("x", 4, 6)]), 6, 3)], axis=-1))
    onnx.save(model, tmp_path / "model.onnx")
    np.savez(tmp_path / "data.npz", x=images(20, (4,)))
    (tmp_path / "out").mkdir()
    return tmp_path


def quantize(folder: pathlib.Path, *options: str, data: str = "data.npz", model: str = "model.onnx") -> int:
    output = folder / "out" / "quantized.onnx"
    return main(["quantize", str(folder / model), "-o", str(output), "--data", str(folder / data), *options])


def test_a_model_is_written_and_what_stays_float_is_said(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quantize(folder) == 0
    assert [file.name for file in (folder / "out").iterdir()] == ["quantized.onnx"]
    onnx.checker.check_model(onnx.load(folder / "out" / "quantized.onnx"), full_check=True)
    out, err = capsys.readouterr()
    assert out == "in float:\n  Softmax: Softmax is computed in float: softmax5\n" and err == ""
    assert main(["compile", str(folder / "out" / "quantized.onnx"), "-o", str(folder / "out" / "model.so")]) == 0


def test_json(folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert quantize(folder, "--json", "--weights", "int4", "--without", "equalize", "--max-samples", "7") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["samples"] == 7 and facts["options"]["weights"] == "int4" and not facts["options"]["equalize"]
    assert [layer["op_type"] for layer in facts["layers"]] == ["MatMul", "MatMul"]
    assert facts["left_in_float"] == [{"name": "softmax5", "reason": "Softmax: Softmax is computed in float"}]
    assert {"name", "seen", "range", "scale", "zero_point", "clipped", "in_float"} == facts["tensors"][0].keys()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--weights", "int3"), "weights is one of int8, int4"),
        (("--ranges", "best"), "ranges is one of"),
        (("--percentile", "7", "--ranges", "percentile"), "percentile is a number between"),
        (("--exclude", "conv9"), "no node and no operator of that name"),
        (("--exclude", "MatMul"), "nothing in the model can be quantized"),
        (("--without", "magic"), "invalid choice: 'magic'"),
        (("--max-samples", "0"), "max_samples is a positive number"),
    ],
)
def test_wrong_options(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    try:
        code = quantize(folder, *options)
    except SystemExit as exit:
        code = exit.code
    assert code == 2
    error = capsys.readouterr().err
    assert error.startswith("acc: error: ") and message in error and error.count("\n") == 1
    assert list((folder / "out").iterdir()) == []


def test_wrong_files(folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "text.onnx").write_text("no model")
    (folder / "text.npz").write_text("no arrays")
    (folder / "empty").mkdir()
    for arguments, message in (
        ({"model": "text.onnx"}, "not an ONNX model"),
        ({"model": "missing.onnx"}, "cannot be read"),
        ({"data": "text.npz"}, "is not an .npz or .npy file"),
        ({"data": "empty"}, "holds no samples"),
        ({"data": "missing"}, "cannot read"),
    ):
        assert quantize(folder, **arguments) == 2
        assert message in capsys.readouterr().err
    assert main(["quantize", str(folder / "model.onnx"), "-o", str(folder / "no" / "x"), "--data", "d"]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert list((folder / "out").iterdir()) == []


def test_notes_are_warnings(folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(folder / "zeros.npz", x=np.zeros((3, 4), np.float32))
    assert quantize(folder, data="zeros.npz") == 0
    assert capsys.readouterr().err.startswith("acc: warning: tensors that were constant for all samples: 'x' (0)")


def test_interrupted_by_the_keyboard(tmp_path: pathlib.Path) -> None:
    """Ctrl-C ends the command at once and leaves a state, with which the same command ends as if nothing had been."""
    onnx.save(transformer(), tmp_path / "model.onnx")
    np.savez(tmp_path / "data.npz", x=images(400, (12, 32)))
    (tmp_path / "slow.py").write_text(
        "import numpy as np, os, time\n"
        "def samples():\n"
        "    for i, x in enumerate(np.load('data.npz')['x']):\n"
        "        if i == 390 and 'SLOW' in os.environ:\n"
        "            open('reached', 'w').close()\n"
        "            time.sleep(60)\n"
        "        yield {'x': x}\n"
    )
    command = [sys.executable, "-m", "acc", "quantize", "model.onnx", "-o", "q.onnx", "--data", "slow:samples"]
    environment = {"PYTHONPATH": str(ROOT / "python"), "PATH": "/usr/bin:/bin", "HOME": "/tmp"}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment | {"SLOW": "1"}, stderr=subprocess.PIPE, text=True
    )
    for _ in range(600):
        if (tmp_path / "reached").exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[1] == "acc: interrupted\n"
    assert process.returncode == 130
    assert (tmp_path / "q.onnx.calibration").exists() and not (tmp_path / "q.onnx").exists()
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "q.onnx.calibration").exists()
    assert onnx.load(tmp_path / "q.onnx") == api.quantize(transformer(), {"x": images(400, (12, 32))}).model


def test_a_float_model_for_an_accelerator(folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It compiles, with a warning that names what to do; a quantized one has none."""
    net = FloatNetwork((1, 4))
    onnx.save(net.build(net.linear("x", 4, 6)), folder / "fixed.onnx")
    with pytest.warns(ModelWarning, match="nothing of the model runs on 'vta'.*acc quantize"):
        api.compile(str(folder / "fixed.onnx"), "vta")
    assert main(["compile", str(folder / "fixed.onnx"), "-o", str(folder / "out" / "a.so"), "--target", "vta"]) == 0
    assert capsys.readouterr().err.startswith("acc: warning: nothing of the model runs on 'vta'")
    assert quantize(folder, model="fixed.onnx") == 0
    quantized = str(folder / "out" / "quantized.onnx")
    assert main(["compile", quantized, "-o", str(folder / "out" / "b.so"), "--target", "vta"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--data", "own:raises"), "'own:raises' raises ValueError: one two"),
        (("--data", "own:leaves"), "'own:leaves' raises SystemExit: 3"),
        (("--data", "own:large"), "sample 0: 'x' holds 1e+300, which float32 cannot"),
        (("--accuracy", "drop <= 1 %", "--eval", "own:fails"), "the evaluation raises ValueError: one two"),
        (("--accuracy", "drop <= 1 %", "--eval", "own:exits"), "the evaluation raises SystemExit: 1"),
        (("--accuracy", "drop <= 1 %", "--eval", "own:rubbish"), "the evaluation returns str, not a number"),
        (("--target", "nope"), "there is no target 'nope'"),
        (("--target", "vta", "--config", "missing.json"), "cannot read 'missing.json'"),
    ],
)
def test_users_code_that_goes_wrong(
    folder: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    message: str,
) -> None:
    """One line says what it did, whatever it raises."""
    (folder / "own.py").write_text(
        "import sys\n"
        "def raises(): raise ValueError('one\\ntwo')\n"
        "def leaves(): sys.exit(3)\n"
        "def large(): return [{'x': [[1e300] * 4]}]\n"
        "def fails(run): raise ValueError('one\\ntwo')\n"
        "def exits(run): sys.exit(1)\n"
        "def rubbish(run): return 'good'\n"
    )
    monkeypatch.chdir(folder)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    assert quantize(folder, *options) == 2
    error = capsys.readouterr().err
    assert error.startswith("acc: error: ") and message in error and error.count("\n") == 1
    assert list((folder / "out").iterdir()) == []
    sys.modules.pop("own", None)
