"""`acc config`: C programs that are built with what it prints run models. The wheel has such a test, too."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess

import pytest

from acc.cli import main

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_a_program_in_three_ways(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    assert main(["config", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["config", "--cflags", "--libs"]) == 0
    assert capsys.readouterr().out.strip() == f"{found['cflags']} {found['libs']}"
    assert main(["config"]) == 0
    assert found["include"] in capsys.readouterr().out
    assert main(["compile", str(ROOT / "demo" / "digits.onnx"), "-o", str(tmp_path / "m.so")]) == 0
    compiler = shutil.which("cc") or "clang-22"
    shutil.copy(ROOT / "examples" / "run_model.c", tmp_path)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.20)\nproject(example C)\nfind_package(acc 0.1 CONFIG REQUIRED)\n"
        "add_executable(by_cmake run_model.c)\ntarget_link_libraries(by_cmake acc::runtime)\n"
    )
    flags = f"{found['cflags']} {found['libs']}"
    commands = {
        "by_config": f"{compiler} run_model.c -o by_config {flags}",
        "build/by_cmake": f"cmake -S . -B build -DCMAKE_C_COMPILER={compiler} -Dacc_DIR={found['cmake']}"
        " && cmake --build build",
    }
    if shutil.which("pkg-config"):
        package = f"$(PKG_CONFIG_PATH={found['pkg_config']} pkg-config --cflags --libs acc)"
        commands["by_pkg_config"] = f"{compiler} run_model.c -o by_pkg_config {package}"
    said = set()
    for program, command in commands.items():
        subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True)
        done = subprocess.run([tmp_path / program, "m.so"], cwd=tmp_path, capture_output=True, text=True, check=True)
        said.add(done.stdout)
    assert len(said) == 1 and "the largest of 10" in said.pop()
