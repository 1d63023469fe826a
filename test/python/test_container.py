"""The file of a compiled model: what is written is read back, and bad files end in clear errors."""

from __future__ import annotations

import os
import resource
import struct
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import handmade
from acc.container import FOOTER_BYTES, PAGE, Splat, link, read_model, write_model
from acc.errors import CompileError, ModelFileError
from acc.executable import load


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.so"
    write_model(path, handmade.contents("LAUNCH"))
    return path


def refused(path: Path) -> str:
    """The message of both readers, which must agree that the file is bad."""
    with pytest.raises(ModelFileError) as python:
        read_model(path)
    with pytest.raises(ModelFileError) as runtime:
        load(path)
    assert str(path) in str(python.value) and str(path) in str(runtime.value)
    return str(runtime.value)


def test_round_trip(good: Path):
    model = read_model(good)
    wanted = handmade.contents("LAUNCH")
    assert bytes(model.image) == wanted.image
    assert model.inputs == tuple(wanted.inputs) and model.outputs == tuple(wanted.outputs)
    assert model.programs == tuple(wanted.programs)
    assert model.metadata["note"] == "été" and model.metadata["target"] == "vta"
    assert model.metadata["constants"] == [{"offset": 0, "bytes": 128}, {"bytes": 128, "splat": "00000040"}]
    assert bytes(model.constants) == handmade.BIAS.tobytes()
    assert good.stat().st_size < len(wanted.image) + 5 * PAGE
    # A shared object still: what follows the image does not disturb the tools.
    assert good.read_bytes()[:4] == b"\x7fELF"


def test_constants_are_aligned_and_in_row_major_order(tmp_path: Path):
    transposed = np.arange(6, dtype=np.int8).reshape(2, 3).T
    scalar = np.float64(3.0)
    changed = handmade.contents(constants=[transposed, scalar, np.zeros((0, 4), np.float32), Splat(np.int8(1), 5)])
    write_model(tmp_path / "m.so", changed)
    model = read_model(tmp_path / "m.so")
    table = model.metadata["constants"]
    assert [entry.get("offset") for entry in table] == [0, 256, 512, None]
    assert bytes(model.constants[:6]) == transposed.tobytes(order="C")
    assert struct.unpack("<d", model.constants[256:264]) == (3.0,)


def test_truncation(good: Path, tmp_path: Path):
    data = good.read_bytes()
    offsets = {0, 1, 3, 4, 63, 64, 100, PAGE, len(data) - 1, len(data) - FOOTER_BYTES, len(data) - FOOTER_BYTES + 1}
    offsets.update(range(5, len(data), len(data) // 40))
    bad = tmp_path / "bad.so"
    for size in sorted(offsets):
        bad.write_bytes(data[:size])
        refused(bad)


def test_bytes_to_spare(good: Path, tmp_path: Path):
    bad = tmp_path / "bad.so"
    bad.write_bytes(good.read_bytes() + b"x")
    refused(bad)


def test_bit_flips(good: Path, tmp_path: Path):
    data = bytearray(good.read_bytes())
    random = np.random.default_rng(0)
    positions = set(random.integers(0, len(data), 150).tolist())
    positions.update(range(64))
    positions.update(range(len(data) - FOOTER_BYTES, len(data)))
    bad = tmp_path / "bad.so"
    for position in sorted(positions):
        bit = 1 << int(random.integers(8))
        data[position] ^= bit
        bad.write_bytes(data)
        refused(bad)
        data[position] ^= bit


def test_foreign_files(tmp_path: Path):
    bad = tmp_path / "bad.so"
    bad.write_bytes(b"")
    assert "is empty" in refused(bad)
    bad.write_bytes(b"hello, world" * 100)
    assert "not a model compiled by acc" in refused(bad)
    bad.write_bytes(handmade.image())
    assert "is a shared object but not a model" in refused(bad)
    bad.unlink()
    assert "No such file" in refused(bad)
    bad.mkdir()
    assert "directory" in refused(bad)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert "not a regular file" in refused(fifo)


def test_no_permission(good: Path, tmp_path: Path):
    if os.geteuid() == 0:
        pytest.skip("root may read anything")
    bad = tmp_path / "bad.so"
    bad.write_bytes(good.read_bytes())
    bad.chmod(0)
    assert "Permission denied" in refused(bad)


def patched(good: Path, bad: Path, offset: int, value: bytes) -> None:
    """The file with some bytes replaced and the checksum made to fit."""
    from acc._lib import _runtime

    data = bytearray(good.read_bytes())
    start = len(data) - FOOTER_BYTES
    where = offset if offset >= 0 else len(data) + offset
    data[where : where + len(value)] = value
    checksum = _runtime.crc32c(bytes(data[start + 16 :]), _runtime.crc32c(bytes(data[: start + 12])))
    struct.pack_into("<I", data, start + 12, checksum)
    bad.write_bytes(data)


def test_other_version_and_magic(good: Path, tmp_path: Path):
    bad = tmp_path / "bad.so"
    patched(good, bad, -FOOTER_BYTES + 8, struct.pack("<I", 9))
    assert "version 9" in refused(bad) and "compile the model again" in refused(bad)
    patched(good, bad, -FOOTER_BYTES + 8, struct.pack("<I", 0))
    assert "version 0" in refused(bad)
    patched(good, bad, -FOOTER_BYTES, b"ANOTHER1")
    assert "not a model" in refused(bad)


def test_other_processor(good: Path, tmp_path: Path):
    bad = tmp_path / "bad.so"
    patched(good, bad, 18, struct.pack("<H", 0x15))
    with pytest.raises(ModelFileError, match="another processor"):
        load(bad)


def test_sections_outside_of_the_file(good: Path, tmp_path: Path):
    bad = tmp_path / "bad.so"
    for section in range(8):
        for value in (PAGE * 1000, 2**63, 2**64 - PAGE):
            patched(good, bad, -FOOTER_BYTES + 24 + 8 * section, struct.pack("<Q", value))
            with pytest.raises(ModelFileError):
                load(bad)


def write_with(path: Path, **metadata: object) -> None:
    """A model whose metadata has been tampered with, consistently otherwise."""
    import json
    from unittest import mock

    real = json.dumps

    def dumps(value: dict, **options: object) -> str:
        return real({**value, **metadata}, **options)  # type: ignore[arg-type]

    with mock.patch("acc.container.json.dumps", dumps):
        write_model(path, handmade.contents("LAUNCH"))


@pytest.mark.parametrize(
    "metadata",
    [
        {"inputs": 3},
        {"inputs": [{"name": "x", "dtype": "float31", "shape": [4, 8]}]},
        {"inputs": [{"name": "x", "dtype": "float32", "shape": [2**40, 2**40]}]},
        {"inputs": [{"name": "x", "dtype": "float32", "shape": [-1]}]},
        {"outputs": [7]},
        {"alignment": 3},
        {"alignment": 2**40},
        {"workspace_bytes": "many"},
        {"workspace_bytes": 2**60},
        {"constants": [{"offset": 2**50, "bytes": 4}]},
        {"constants": [{"offset": 64, "bytes": 4}]},
        {"constants": [{"bytes": 4, "splat": "zz"}]},
        {"constants": [{"bytes": 5, "splat": "0000"}]},
        {"programs": [{"offset": 0, "bytes": 2**30}]},
        {"programs": [{"offset": 0, "bytes": 10}]},
    ],
)
def test_malformed_metadata(tmp_path: Path, metadata: dict):
    write_with(tmp_path / "m.so", **metadata)
    with pytest.raises(ModelFileError):
        load(tmp_path / "m.so")


def test_missing_processor_feature(tmp_path: Path):
    write_model(tmp_path / "m.so", handmade.contents(cpu_features=["sse4.2", "avx2"]))
    load(tmp_path / "m.so")


def test_ill_formed_program(tmp_path: Path):
    program = handmade.assembled(handmade.PROGRAM.replace("pop=prev push=prev", "push=prev"))
    write_model(tmp_path / "m.so", handmade.contents("LAUNCH", programs=[program]))
    with pytest.raises(ModelFileError, match="not well formed"):
        load(tmp_path / "m.so")
    for size in range(0, len(program.data), 37):
        cut = replace(program, data=program.data[:size])
        write_model(tmp_path / "m.so", handmade.contents("LAUNCH", programs=[cut]))
        with pytest.raises(ModelFileError, match="malformed"):
            load(tmp_path / "m.so")


def test_code_without_entry(tmp_path: Path):
    import subprocess

    source = b"int something_else(void) { return 0; }"
    command = ["clang-22", "-shared", "-fuse-ld=lld", "-x", "c", "-", "-o", "/dev/stdout"]
    image = subprocess.run(command, input=source, capture_output=True, check=True).stdout
    write_model(tmp_path / "m.so", handmade.contents(image=image))
    with pytest.raises(ModelFileError, match="acc_model_main"):
        load(tmp_path / "m.so")


def test_failed_write_leaves_nothing(tmp_path: Path):
    target = tmp_path / "m.so"
    target.write_bytes(b"old")
    big = handmade.contents(constants=[np.zeros(1 << 20, np.uint8)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, before[1]))
        with pytest.raises(ModelFileError, match="cannot write"):
            write_model(target, big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["m.so"]
    with pytest.raises(ModelFileError, match="cannot write"):
        write_model(tmp_path / "no" / "m.so", big)
    with pytest.raises(ModelFileError, match="cannot write"):
        write_model("/dev/full/m.so", big)


def test_large_file_is_checked_quickly(tmp_path: Path):
    weights = np.random.default_rng(0).integers(0, 255, 100 << 20, dtype=np.uint8)
    write_model(tmp_path / "m.so", handmade.contents(constants=[handmade.BIAS, Splat(np.float32(2), 32), weights]))
    start = time.perf_counter()
    load(tmp_path / "m.so")
    assert time.perf_counter() - start < 0.7


def test_linking(tmp_path: Path):
    import subprocess

    def compile_object(source: str) -> bytes:
        command = ["clang-22", "-c", "-fPIC", "-x", "c", "-", "-o", "/dev/stdout"]
        return subprocess.run(command, input=source.encode(), capture_output=True, check=True).stdout

    entry = """
    #include <math.h>
    #include <string.h>
    int helper(float *);
    int acc_model_main(void *a, void *b, void **in, void **out, void **c, void *w) {
      memcpy(out[0], in[0], 128);
      ((float *)out[0])[0] = expf(((float *)in[0])[0]);
      return helper(out[0]);
    }"""
    helper = "int helper(float *y) { y[1] = 7; return 0; }"
    (tmp_path / "helper.o").write_bytes(compile_object(helper))
    write_model(
        tmp_path / "m.so", handmade.contents(image=link([compile_object(entry), tmp_path / "helper.o"]), constants=[])
    )
    x = np.full((4, 8), 2, np.float32)
    y = load(tmp_path / "m.so").run({"x": x})["y"]
    assert y[0, 0] == pytest.approx(np.exp(2.0)) and y[0, 1] == 7 and y[0, 2] == 2
    with pytest.raises(CompileError, match="nowhere"):
        link([compile_object("int nowhere(void); int acc_model_main(void) { return nowhere(); }")])
