"""Shared by all Python tests: the switches, and the places where things are."""

from __future__ import annotations

import os
import pathlib
import shutil
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-long", action="store_true", help="also run the slower sweeps (make test-long)")
    parser.addoption(
        "--circuit",
        action="store_true",
        help="run every accelerator program that any test compiles on the simulated circuit too (--run-long does)",
    )


def pytest_configure(config: pytest.Config) -> None:
    # What any test compiles looks after its memory, also in processes that a test starts.
    os.environ.setdefault("ACC_GUARD", "1")
    config.addinivalue_line("markers", "long: a slower sweep, run by make test-long only")
    config.addinivalue_line(
        "markers",
        "circuit(one_in=1): the programs it compiles run on the simulated circuit too; with `one_in`, those of one in"
        " so many configurations, unless --circuit asks for all",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--run-long"):
        return
    skip = pytest.mark.skip(reason="slower sweep: run make test-long")
    for item in items:
        if "long" in item.keywords:
            item.add_marker(skip)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Programs that a test compiles run on the simulated circuit afterwards, as a part of the test."""
    options = pyfuncitem.config.option
    everywhere = options.circuit or options.run_long
    marker = pyfuncitem.get_closest_marker("circuit")
    if not everywhere and marker is None:
        return (yield)
    one_in = 1 if options.circuit or marker is None else marker.kwargs.get("one_in", 1)
    import compiled_programs

    with compiled_programs.recorded() as programs:
        result = yield
    for program in programs:
        compiled_programs.check(program, everywhere=everywhere, one_in=one_in)
    return result


@pytest.fixture(scope="session")
def node_cases() -> list[Any]:
    """The tests of single operators of the onnx package, whose making takes seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests

        return load_model_tests(kind="node")


@pytest.fixture(scope="session")
def vectors() -> pathlib.Path:
    """The third-party instruction streams, which are not part of the repository."""
    folder = ROOT.parent / "shared" / "vectors"
    if not folder.is_dir():
        pytest.skip(f"the third-party instruction streams are not at {folder}")
    return folder


@pytest.fixture
def vta(tmp_path: pathlib.Path) -> pathlib.Path:
    """The hand-made model that launches a program of the accelerator."""
    import handmade
    from acc.container import write_model

    write_model(tmp_path / "vta.so", handmade.contents("LAUNCH"))
    return tmp_path / "vta.so"


@pytest.fixture
def cpu(tmp_path: pathlib.Path) -> pathlib.Path:
    """The hand-made model of native code alone."""
    import handmade
    from acc.container import write_model

    write_model(tmp_path / "cpu.so", handmade.contents())
    return tmp_path / "cpu.so"


@pytest.fixture(scope="session")
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no Chromium: make test-long installs it")
    return found
