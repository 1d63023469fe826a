"""`acc sim`: third-party streams through it, and what it says about bad input."""

from __future__ import annotations

import json
import pathlib
import resource
import signal

import numpy as np
import pytest

from acc._lib import _runtime
from acc.cli import main

REGIONS = ("input", "weight", "out", "uop", "accumulator")


@pytest.mark.parametrize("name", ["16x16", "16x16_relu", "lenet5_conv1"])
@pytest.mark.parametrize("options", [[], ["--sanitize"], ["--device", "tsim"]], ids=" ".join)
def test_third_party_streams(
    vectors: pathlib.Path,
    tmp_path: pathlib.Path,
    name: str,
    options: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = vectors / name
    (tmp_path / "vta_config.json").write_text("{}")
    arguments = ["sim", "--config", str(tmp_path / "vta_config.json"), "--json", *options]
    arguments += ["--insns", str(folder / "instructions.bin")]
    address = 0x1000
    for region in REGIONS:
        file = folder / f"{region}.bin"
        arguments += ["--load", f"{address:#x}={file}"]
        if region == "out":
            arguments += ["--dump", f"{address}:{file.stat().st_size}={tmp_path / 'out.bin'}"]
        address += -(-file.stat().st_size // 4096) * 4096
    assert main(arguments) == 0
    assert (tmp_path / "out.bin").read_bytes() == (folder / "expected_out.bin").read_bytes()
    counts = json.loads(capsys.readouterr().out)
    assert counts["instructions"]["finish"] == 1
    assert counts["gemm_steps"] > 0
    assert ("cycles" in counts) == ("tsim" in options)


@pytest.fixture
def stream(tmp_path: pathlib.Path) -> pathlib.Path:
    """Copies four elements from byte 0 to byte 256."""
    program = _runtime.Program.parse(
        "load.acc8 sram=0 dram=0 y=1 x=4 stride=4\nstore.out sram=0 dram=16 y=1 x=4 stride=4\nfinish"
    )
    program.insert_tokens()
    path = tmp_path / "insns.bin"
    path.write_bytes(program.encode())
    return path


def refused(capsys: pytest.CaptureFixture[str], arguments: list[object], *mentions: str) -> None:
    assert main(["sim", *map(str, arguments)]) == 2
    message = capsys.readouterr().err
    assert message.startswith("acc: error: ")
    for mention in mentions:
        assert mention in message


def test_copy(stream: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = np.arange(64, dtype=np.uint8)
    (tmp_path / "x").write_bytes(data.tobytes())
    arguments = ["sim", "--insns", str(stream), "--load", f"0={tmp_path}/x"]
    arguments += ["--dump", f"0x100:64={tmp_path}/y", "--dump", f"258:2={tmp_path}/z", "--sanitize"]
    assert main(arguments) == 0
    assert (tmp_path / "y").read_bytes() == data.tobytes()
    assert (tmp_path / "z").read_bytes() == bytes([2, 3])
    assert "1 store" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "mention"),
    [
        (["--load", "0"], "ADDR=FILE"),
        (["--load", "zero=x"], "zero"),
        (["--load=-1=x"], "-1"),
        (["--load", "0=missing"], "missing"),
        (["--load", "0=."], "."),
        (["--dump", "0=y"], "ADDR:BYTES=FILE"),
        (["--dump", "0:many=y"], "many"),
        (["--dump", "0:99999999999999999999=y"], "99999999999999999999"),
        (["--dump", "0:4=no/such/folder/y"], "no/such/folder/y"),
        (["--device", "abacus"], "abacus"),
        (["--config", "missing.json"], "missing.json"),
        (["--dram", "64"], "DRAM"),
        (["--dram", "0"], "DRAM"),
    ],
)
def test_bad_options(
    stream: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    mention: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(capsys, ["--insns", stream, *arguments], mention)
    assert not (tmp_path / "y").exists()


@pytest.mark.parametrize(
    ("text", "mention"),
    [("{", "JSON"), ('{"LOG_BATCH": 12}', "cannot hold"), ('{"LOG_ACC_WIDTH": 3}', "LOG_ACC_WIDTH"), ("\xff", "UTF-8")],
)
def test_bad_configurations(
    stream: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], text: str, mention: str
) -> None:
    (tmp_path / "c.json").write_bytes(text.encode("latin-1"))
    refused(capsys, ["--insns", stream, "--config", tmp_path / "c.json"], "c.json", mention)


def test_overlapping_files(stream: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_bytes(bytes(64))
    refused(capsys, ["--insns", stream, "--load", f"0={tmp_path}/x", "--load", f"63={tmp_path}/x"], "overlap", "63")


@pytest.mark.parametrize(
    ("text", "mention"),
    [
        ("", "FINISH"),
        ("load.acc8 sram=2048 dram=0 y=1 x=1 stride=1\nfinish", "acc8[2048]"),
        ("load.inp sram=0 dram=4294967295 y=1 x=1 stride=1\nfinish", "DRAM bytes 68719476720"),
        ("load.inp sram=0 dram=0 y=1 x=1 stride=1 pop=next\nfinish", "deadlock"),
    ],
)
def test_bad_streams(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], text: str, mention: str) -> None:
    (tmp_path / "insns.bin").write_bytes(_runtime.Program.parse(text).encode())
    out = tmp_path / "y"
    refused(capsys, ["--insns", tmp_path / "insns.bin", "--dump", f"0:4={out}"], "insns.bin", mention)
    assert not out.exists()


def test_random_bytes_never_crash(tmp_path: pathlib.Path) -> None:
    """Whatever the stream, the simulator ends with a result or a message."""
    rng = np.random.default_rng(7)
    device = _runtime.Device("fsim", _runtime.Config())
    memory = rng.integers(0, 256, 1 << 16).astype(np.uint8)
    device.attach_at(0, memory)
    finish = np.array([3, 0], np.uint64).tobytes()
    for _ in range(300):
        words = rng.integers(0, 1 << 63, (8, 2)).astype(np.uint64)
        # Mostly defined opcodes without tokens, short loops and small addresses, so that some execute.
        words[:, 0] = (words[:, 0] & np.uint64(0x0003801FFFE00380)) | rng.choice([0, 1, 2, 4], 8).astype(np.uint64)
        words[:, 1] &= np.uint64(0x0000000F000F000F)
        for sanitize in (False, True):
            result = device.run(words.tobytes() + finish, sanitize=sanitize)
            assert result["ok"] == (result["message"] == "")


def test_full_disk_leaves_nothing(
    stream: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        refused(capsys, ["--insns", stream, "--dump", f"0:4096={folder}/y"], "cannot write")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(folder.iterdir()) == []
