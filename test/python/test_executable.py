"""Running compiled models: values, checks of inputs, statistics, files, the command line and C."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

import handmade
from acc.cli import main
from acc.container import Program, TensorInfo, write_model
from acc.errors import ModelFileError, RunError
from acc.executable import Executable, load
from handmade import A, X

Y = X * 2 + handmade.BIAS
Q = (np.maximum(A, 0) + 3).astype(np.int8)


def test_run_on_the_cpu(cpu: Path):
    exe = load(cpu)
    assert exe.target == "cpu" and exe.inputs == (TensorInfo("x", "float32", (4, 8)),)
    np.testing.assert_allclose(exe.run({"x": X})["y"], Y)
    np.testing.assert_allclose(exe.run({"x": X.T.copy().T})["y"], Y)
    assert exe.statistics["runs"] == 2 and exe.statistics["device"] == "cpu"
    assert "x: float32[4, 8]" in repr(exe)


@pytest.mark.parametrize("sanitize", [False, True])
def test_run_on_the_accelerator(vta: Path, sanitize: bool):
    exe = load(vta, sanitize=sanitize, profile=True)
    for shift in range(3):
        outputs = exe.run({"x": X, "a": A + shift})
        np.testing.assert_allclose(outputs["y"], Y)
        np.testing.assert_array_equal(outputs["q"], (np.maximum(A + shift, 0) + 3).astype(np.int8))
    statistics = exe.statistics
    (program,) = statistics["programs"]
    assert program["launches"] == 1 and program["total"]["instructions"]["alu"] == 2
    assert program["total"]["dram_bytes"] == {"uop": 4, "acc": 128, "out": 32, "inp": 0, "wgt": 0, "acc8": 0}
    assert set(program["layers"]) == {"Relu_1", "Add_2"}
    assert len(statistics["layer_seconds"]) == 2 and all(s >= 0 for s in statistics["layer_seconds"])
    assert statistics["device"] == "fsim"


def test_run_on_the_circuit(vta: Path, cpu: Path, monkeypatch: pytest.MonkeyPatch):
    from acc.hardware import simulator

    monkeypatch.setattr(simulator, "DEFAULT_OPTIMIZE", 0)
    exe = load(vta, device="tsim")
    np.testing.assert_array_equal(exe.run({"x": X, "a": A})["q"], (np.maximum(A, 0) + 3).astype(np.int8))
    (program,) = exe.statistics["programs"]
    assert exe.statistics["device"] == "tsim" and program["cycles"] > 2 * 64
    assert load(cpu, device="tsim").run({"x": X})["y"].shape == Y.shape


@pytest.mark.parametrize("device", ["csim", "tsim"])
def test_cycles_are_said(
    vta: Path,
    device: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    from acc.hardware import simulator

    monkeypatch.setattr(simulator, "DEFAULT_OPTIMIZE", 0)
    np.savez(tmp_path / "x.npz", x=X, a=A)
    command = ["run", str(vta), "--input", f"{tmp_path}/x.npz"]
    assert main([*command, "--json", "--device", device]) == 0
    statistics = json.loads(capsys.readouterr().out)["statistics"]
    cycles = statistics["cycles"]
    assert cycles == sum(program["cycles"] for program in statistics["programs"]) > 0
    for rest in ([], ["-o", f"{tmp_path}/y.npz"]):
        assert main([*command, *rest, "--device", device]) == 0
        assert f"{cycles:,} cycles of the accelerator in 1 launches" in capsys.readouterr().out
        # The functional simulator has no notion of time.
        assert main([*command, *rest]) == 0
        assert "cycles" not in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    assert "cycles" not in json.loads(capsys.readouterr().out)["statistics"]


@pytest.mark.parametrize("device", ["csim", "tsim"])
def test_circuits_have_no_sanitizer(vta: Path, device: str):
    with pytest.raises(RunError, match=f"'{device}' has no sanitizer.*'fsim' does"):
        load(vta, device=device, sanitize=True)


@pytest.mark.parametrize(
    ("good", "idle"),
    [("uop=0:1", "uop=45:1"), ("uop=0:1", "uop=7:7"), ("iter=1,2", "iter=0,2"), ("iter=1,2", "iter=1,0")],
)
def test_instructions_without_steps_do_nothing(good: str, idle: str):
    text = handmade.PROGRAM.replace(f"alu.add {good}", f"alu.add {idle}").replace(
        f"alu.add uop=0:1 {good}", f"alu.add uop=0:1 {idle}"
    )
    program = handmade.assembled(text)
    exe = Executable.from_contents(handmade.contents("LAUNCH", programs=[program]))
    np.testing.assert_array_equal(exe.run({"x": X, "a": A})["q"], np.maximum(A, 0))


def test_report(vta: Path):
    first, second = load(vta).report()
    assert first.target == "cpu" and first.reason == "float32" and second.layers == ("Relu_1", "Add_2")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, r"input 'x' \(float32\[4, 8\]\) is missing"),
        ({"x": X[:3], "a": A}, r"input 'x' must have shape \[4, 8\], but the array has \[3, 8\]"),
        ({"x": X.astype(np.float64), "a": A}, "input 'x' must be float32, but the array is float64"),
        ({"x": X, "a": A, "b": A}, "no input 'b': its inputs are 'x'"),
        ({"x": "text", "a": A}, "input 'x' must have shape"),
    ],
)
def test_wrong_inputs(vta: Path, inputs: dict, message: str):
    with pytest.raises(RunError, match=message):
        load(vta).run(inputs)


def test_failures_while_running(tmp_path: Path):
    for defines, message in [
        (("FAIL",), "failed with code 42"),
        (("LAUNCH", "PROGRAM=7"), "no such program"),
        (("LAUNCH", "COUNT=1"), "launched with 1 buffers instead of 2"),
    ]:
        exe = Executable.from_contents(handmade.contents(*defines))
        inputs = {"x": X, "a": A} if len(exe.inputs) == 2 else {"x": X}
        with pytest.raises(RunError, match=message):
            exe.run(inputs)


def test_unknown_device(vta: Path):
    with pytest.raises(RunError, match="unknown device"):
        load(vta, device="abacus")


def test_save_and_replace(vta: Path, tmp_path: Path):
    exe = Executable.from_contents(handmade.contents("LAUNCH"))
    saved = tmp_path / "saved.so"
    exe.save(saved)
    assert saved.read_bytes() == vta.read_bytes()
    again = load(saved)
    # Another model takes the place of one that is in use; both go on.
    write_model(saved, handmade.contents())
    other = load(saved)
    assert set(again.run({"x": X, "a": A})) == {"y", "q"}
    assert set(other.run({"x": X})) == {"y"}
    again.save(saved)
    assert saved.read_bytes() == vta.read_bytes()
    with pytest.raises(ModelFileError, match="cannot write"):
        exe.save(tmp_path)
    with pytest.raises(ModelFileError, match="cannot write"):
        exe.save(tmp_path / "missing" / "m.so")


def test_no_temporary_files_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    exe = Executable.from_contents(handmade.contents())
    assert not list(tmp_path.iterdir())
    np.testing.assert_allclose(exe.run({"x": X})["y"], Y)
    exe.save(tmp_path / "m.so")
    np.testing.assert_allclose(load(tmp_path / "m.so").run({"x": X})["y"], Y)
    exe.close()
    with pytest.raises(RunError, match="closed"):
        exe.run({"x": X})
    with pytest.raises(RunError, match="closed"):
        exe.save(tmp_path / "m.so")
    with Executable.from_contents(handmade.contents()) as exe:
        exe.run({"x": X})


def test_threads(vta: Path):
    exe = load(vta)
    wrong: list[int] = []

    def work(seed: int) -> None:
        a = np.random.default_rng(seed).integers(-100, 100, (2, 16)).astype(np.int32)
        for _ in range(50):
            if not np.array_equal(exe.run({"x": X, "a": a})["q"], (np.maximum(a, 0) + 3).astype(np.int8)):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_program_from_ir():
    from acc import _mlir
    from acc.ir import Context, Module, SymbolTable

    with Context():
        module = Module.parse("""
        module attributes {vta.config = #vta.config<>} {
        vta.program @k(memref<2x1x16xi32, #vta.mem<dram>>, memref<2x1x16xi8, #vta.mem<dram>>) cached uops <[0, 0, 0]> {
          vta.insn.load uop sram 0 dram 2[0] size [1, 1] stride 1
          vta.insn.load acc sram 0 dram 0[0] size [1, 2] stride 2 loc("load")
          vta.insn.alu add imm 3 uop [0, 1] iter [1, 2] dst [0, 1] src [0, 1] push(next) loc("Add_2")
          vta.insn.store out sram 0 dram 1[0] size [1, 2] stride 2 pop(prev) push(prev)
          vta.insn.finish pop(next)
        } }""")
        program = Program("vta", _mlir.write_program(SymbolTable(module)["k"]))
    exe = Executable.from_contents(handmade.contents("LAUNCH", programs=[program]), sanitize=True)
    np.testing.assert_array_equal(exe.run({"x": X, "a": A})["q"], A + 3)
    assert exe.statistics["programs"][0]["layers"]["Add_2"]["alu_steps"] == 2


def test_command_line(vta: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    np.savez(tmp_path / "in.npz", x=X, a=A)
    assert (
        main(["run", str(vta), "--input", str(tmp_path / "in.npz"), "-o", str(tmp_path / "out.npz"), "--profile"]) == 0
    )
    assert "Relu_1, Add_2" in capsys.readouterr().out
    with np.load(tmp_path / "out.npz") as out:
        np.testing.assert_array_equal(out["q"], Q)
    assert main(["run", str(vta), "--input", str(tmp_path / "in.npz"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outputs"]["q"]["max"] == 18
    assert main(["info", str(vta)]) == 0
    text = capsys.readouterr().out
    assert "Relu_1 + Add_2" in text and "Mul_0: float32" in text
    assert main(["info", str(vta), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["constant_bytes"] == 256 and facts["stored_constant_bytes"] == 128 and facts["target"] == "vta"
    assert main(["disasm", str(vta)]) == 0
    assert "alu.max" in capsys.readouterr().out
    assert main(["disasm", str(vta), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["instructions"] == 6


def test_command_line_errors(vta: Path, cpu: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    np.savez(tmp_path / "in.npz", x=X)
    np.save(tmp_path / "in.npy", X)
    (tmp_path / "junk").write_bytes(b"junk")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "cut.so").write_bytes(vta.read_bytes()[:5000])
    path = str
    for arguments in [
        ["run", path(vta), "--input", path(tmp_path / "in.npz")],
        ["run", path(vta), "--input", path(tmp_path / "in.npy")],
        ["run", path(vta), "--input", path(tmp_path / "junk")],
        ["run", path(vta), "--input", path(tmp_path / "empty")],
        ["run", path(vta), "--input", path(tmp_path / "none.npz")],
        ["run", path(vta), "--input", path(tmp_path)],
        ["run", path(tmp_path / "cut.so"), "--input", path(tmp_path / "in.npz")],
        ["run", path(cpu), "--input", path(tmp_path / "in.npz"), "-o", path(tmp_path / "no" / "o.npz")],
        ["run", path(cpu), "--input", path(tmp_path / "in.npz"), "-o", "/dev/full/o.npz"],
        ["info", path(tmp_path / "junk")],
        ["info", path(tmp_path)],
        ["disasm", path(tmp_path / "none.so")],
        ["disasm", path(vta), "--program", "3"],
    ]:
        assert main(arguments) == 2, arguments
        captured = capsys.readouterr()
        assert captured.err.startswith("acc: error: ") and "Traceback" not in captured.err
    assert main(["run", path(cpu), "--input", path(tmp_path / "in.npy")]) == 0


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """examples/run_model.c, compiled."""
    output = tmp_path_factory.mktemp("c") / "run_model"
    library = handmade.ROOT / "python" / "acc" / "_lib"
    compiler = shutil.which("cc") or "clang-22"
    command = [compiler, "-Wall", "-Werror", str(handmade.ROOT / "examples" / "run_model.c"), "-o", str(output)]
    command += [f"-I{handmade.ROOT}/runtime/include", f"-L{library}", "-lacc_runtime", f"-Wl,-rpath,{library}"]
    subprocess.run(command, check=True)
    return output


def test_from_c(program: Path, vta: Path, cpu: Path, tmp_path: Path):
    needed = subprocess.run(["readelf", "-d", program], capture_output=True, text=True, check=True).stdout
    libraries = [line.split("[")[1].split("]")[0] for line in needed.splitlines() if "(NEEDED)" in line]
    assert set(libraries) <= {"libacc_runtime.so", "libc.so.6"}
    environment = {**os.environ, "LD_LIBRARY_PATH": ""}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False
        )

    done = run(cpu)
    assert done.returncode == 0 and done.stdout == "y: 31, the largest of 32, at 31\n"
    peak = X.copy()
    peak[1, 2] = 1000
    (tmp_path / "x.bin").write_bytes(peak.tobytes())
    assert run(cpu, tmp_path / "x.bin").stdout == "y: 2010, the largest of 32, at 10\n"
    assert run(vta).returncode == 0
    (tmp_path / "short.bin").write_bytes(b"12")
    for bad in [(), (tmp_path,), (cpu, tmp_path / "short.bin"), (cpu, tmp_path / "none")]:
        done = run(*bad)
        assert done.returncode == 2 and done.stderr
