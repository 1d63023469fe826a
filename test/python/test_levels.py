"""Models with code for several processors take the best that the machine runs, and compute the same with each."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest

import acc
import foreign
from acc.cli import main
from acc.compiler import compile_contents
from acc.container import read_model, write_model
from digits_data import load_split
from foreign import PROCESSORS
from native_levels import runnable
from test_container import load, write_with

ROOT = Path(__file__).resolve().parents[2]
LEVELS = ("x86-64-v2", "x86-64-v3", "x86-64-v4")
X86 = pytest.mark.skipif("x86-64" not in runnable(), reason="processors of x86-64")


@pytest.fixture(scope="module")
def digits() -> tuple[onnx.ModelProto, np.ndarray]:
    """The quantized digits model and an image."""
    images, _ = load_split("train")
    model = acc.quantize(str(ROOT / "demo" / "digits.onnx"), {"input": images[:64]}, target="vta").model
    return model, images[:1]


@X86
@pytest.mark.parametrize("target", ["cpu", "vta"])
def test_the_best_is_taken(digits: tuple[onnx.ModelProto, np.ndarray], target: str) -> None:
    model, image = digits
    best = [level for level in runnable() if level in LEVELS][-1]
    with acc.compile(model, target, cpu=",".join(LEVELS)) as executable:
        have = executable.run({"input": image})
        assert executable.statistics["cpu"] == best
        assert [level["cpu"] for level in executable.metadata["levels"]] == list(LEVELS[1:])
    want = acc.compile(model, target).run({"input": image})
    for name, array in want.items():
        np.testing.assert_array_equal(have[name], array)


@X86
@pytest.mark.skipif(not shutil.which("qemu-x86_64"), reason="scripts/setup.sh test installs qemu-user")
def test_lesser_processors_take_what_they_can(digits: tuple[onnx.ModelProto, np.ndarray], tmp_path: Path) -> None:
    """Emulated processors of each level, and one that is below all of them, which is told what it lacks."""
    model, image = digits
    write_model(tmp_path / "m.so", compile_contents(model, cpu=",".join(LEVELS)).contents)
    np.save(tmp_path / "x.npy", image)
    library = ROOT / "python" / "acc" / "_lib"
    command = ["clang-22", str(ROOT / "examples" / "run_npy.c"), "-I", str(ROOT / "runtime" / "include")]
    command += ["-L", str(library), "-lacc_runtime", f"-Wl,-rpath,{library}", "-o", str(tmp_path / "run_npy")]
    subprocess.run(command, check=True)
    want = acc.compile(model).run({"input": image})["output"]
    for processor in ("Nehalem", "Haswell", "max"):
        arguments = [tmp_path / "run_npy", tmp_path / "m.so", tmp_path / processor, tmp_path / "x.npy"]
        done = subprocess.run(
            ["qemu-x86_64", "-cpu", processor, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        np.testing.assert_array_equal(np.load(tmp_path / f"{processor}0.npy"), want)
    done = subprocess.run(["qemu-x86_64", "-cpu", "qemu64", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "which this one lacks: compile it with" in done.stderr


@pytest.mark.skipif(not PROCESSORS[0].is_here, reason="scripts/setup.sh test installs what runs programs for it")
def test_levels_of_another_architecture(digits: tuple[onnx.ModelProto, np.ndarray], tmp_path: Path) -> None:
    model, image = digits
    contents = compile_contents(model, cpu="generic,cortex-a76", triple="aarch64-linux-gnu").contents
    write_model(tmp_path / "m.so", contents)
    want = acc.compile(model).run({"input": image})["output"]
    # A Cortex-A53 would stop at the first dot product.
    for processor in PROCESSORS[:2]:
        have = foreign.run_file(tmp_path / "m.so", processor, {"input": image})
        np.testing.assert_array_equal(have["output"], want)


@X86
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--cpu", "x86-64-v4,x86-64-v2"], "'x86-64-v2' has nothing that 'x86-64-v4' before it lacks: name processors"),
        (["--cpu", "x86-64-v2,x86-64-v2"], "'x86-64-v2' has nothing that 'x86-64-v2' before it lacks"),
        (["--cpu", "x86-64-v2,"], "unknown processor '' for x86_64-linux-gnu: there are "),
        (["--cpu", "x86-64-v2,x86-64-v3", "--verify"], "--verify and --to are for one processor"),
    ],
)
def test_what_is_refused(arguments: list[str], reason: str, tmp_path: Path, capsys) -> None:
    digits = str(ROOT / "demo" / "digits.onnx")
    assert main(["compile", digits, "-o", str(tmp_path / "m.so"), *arguments]) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "m.so").exists()


@X86
def test_info_lists_them(tmp_path: Path, capsys) -> None:
    digits = str(ROOT / "demo" / "digits.onnx")
    assert main(["compile", digits, "-o", str(tmp_path / "m.so"), "--cpu", "x86-64-v2,x86-64-v3"]) == 0
    assert main(["info", str(tmp_path / "m.so")]) == 0
    said = capsys.readouterr().out
    assert said.index("processor  x86-64-v2 of x86_64-linux-gnu") < said.index("processor  x86-64-v3 of")
    assert main(["info", "--json", str(tmp_path / "m.so")]) == 0
    (level,) = json.loads(capsys.readouterr().out)["levels"]
    assert level["cpu"] == "x86-64-v3" and "avx2" in level["cpu_features"]
    # Of what is in the file twice, nothing is known in the metadata but where it is.
    metadata = read_model(tmp_path / "m.so").metadata
    assert metadata["code"]["offset"] == 0 and metadata["levels"][0]["code"]["offset"] % 4096 == 0


LEVEL = {"workspace_bytes": 0, "constants": [], "code": {"offset": 0, "bytes": 64}, "data": {"offset": 0, "bytes": 0}}


@pytest.mark.parametrize(
    "level",
    [
        {**LEVEL, "code": {"offset": 2**30, "bytes": 64}},
        {**LEVEL, "code": {"offset": 64, "bytes": 64}},
        {**LEVEL, "data": {"offset": 0, "bytes": 2**40}},
        {**LEVEL, "data": 7},
        {key: value for key, value in LEVEL.items() if key != "code"},
        {**LEVEL, "constants": [{"offset": 0, "bytes": 64}]},
        {**LEVEL, "cpu": 3},
        {**LEVEL, "cpu_features": "all"},
        {**LEVEL, "workspace_bytes": -1},
        7,
    ],
)
def test_malformed_levels(tmp_path: Path, level: object) -> None:
    write_with(tmp_path / "m.so", levels=[level])
    with pytest.raises(acc.ModelFileError, match="malformed"):
        load(tmp_path / "m.so")


@X86
def test_stages_are_dumped_for_each(tmp_path: Path) -> None:
    model = str(ROOT / "demo" / "digits.onnx")
    compile_contents(model, cpu=",".join(LEVELS[:2]), dump_stages=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == list(LEVELS[:2])
