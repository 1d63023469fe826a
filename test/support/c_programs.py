"""The C example, built in every way that `acc config` is for."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from collections.abc import Mapping

ROOT = pathlib.Path(__file__).resolve().parents[2]


def check_example(folder: pathlib.Path, model: str, acc: str, environment: Mapping[str, str] | None = None) -> None:
    """Builds it in `folder` by flags, CMake and, if there is one, pkg-config; all say the same of the model.

    model: the compiled digits model. acc: the command, as a shell takes it. environment: of the builds; the programs
    have none.
    """
    compiler = shutil.which("cc") or "clang-22"
    shutil.copy(ROOT / "examples" / "run_model.c", folder)
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.20)\nproject(example C)\nfind_package(acc 0.1 CONFIG REQUIRED)\n"
        "add_executable(by_cmake run_model.c)\ntarget_link_libraries(by_cmake acc::runtime)\n"
    )
    commands = {
        "by_config": f"{compiler} run_model.c -o by_config $({acc} config --cflags --libs)",
        "build/by_cmake": f"cmake -S . -B build -DCMAKE_C_COMPILER={compiler} -Dacc_DIR=$({acc} config --cmake)"
        " && cmake --build build",
    }
    if shutil.which("pkg-config"):
        package = f"$(PKG_CONFIG_PATH=$({acc} config --pkg-config) pkg-config --cflags --libs acc)"
        commands["by_pkg_config"] = f"{compiler} run_model.c -o by_pkg_config {package}"
    said = set()
    for program, command in commands.items():
        done = subprocess.run(
            ["sh", "-c", command], env=environment, cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        done = subprocess.run(
            [folder / program, model], env={}, cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"
        said.add(done.stdout)
    assert len(said) == 1 and "the largest of 10" in said.pop()
