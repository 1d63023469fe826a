"""The command-line tools start and answer."""

from __future__ import annotations

import pathlib
import subprocess

LIB = pathlib.Path(__file__).resolve().parents[2] / "python" / "acc" / "_lib"


def run(tool: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([LIB / tool, *arguments], input=text, capture_output=True, text=True, timeout=60, check=False)


def test_optimizer_lists_its_passes_first() -> None:
    """--help fits on a page or two; what MLIR brings, thousands of lines, is behind --help-hidden."""
    short, long = run("acc-opt", "--help").stdout, run("acc-opt", "--help-hidden").stdout
    for name in ("graph-outline-kernels", "te-tile", "vta-expand", "host-bufferize"):
        assert f"--{name} " in short and f"--{name} " in long
    assert "one-shot-bufferize" not in short and "--one-shot-bufferize" in long
    assert "--pass-pipeline" in short and "--help-hidden" in short
    assert len(short.splitlines()) < 100


def test_errors_about_a_program_are_one_line() -> None:
    program = "load.inp sram=0 dram=@0+0 y=1 x=1 stride=1\n" * 50 + "finish\n"
    module = run("acc-translate", "--assembly-to-vta", text=f'.buffer "a" 64\n{program}').stdout
    assert len(module.splitlines()) > 50
    for options, error in [
        (["--address=0x1001"], "buffer 0 at byte 4097 is not aligned to its 16-byte elements"),
        (["--program=nobody"], "has 0 programs of that name; select one with --program"),
    ]:
        result = run("acc-translate", "--vta-to-binary", *options, text=module)
        assert result.returncode != 0 and result.stdout == ""
        assert len(result.stderr.splitlines()) == 1 and error in result.stderr


def test_errors_of_assembly_have_their_line() -> None:
    result = run("acc-translate", "--assembly-to-vta", text="load.inp sram=0 strid=1\nfinish\nfinsh\n")
    assert result.returncode != 0 and result.stdout == ""
    errors = [line for line in result.stderr.splitlines() if "error:" in line]
    assert errors == [
        "<stdin>:1:17: error: unknown field 'strid'",
        "<stdin>:3:1: error: unknown instruction 'finsh'",
    ]
