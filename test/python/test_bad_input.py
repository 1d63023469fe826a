"""What bad input gets from the command line: one clear message, exit code 2, no traceback, no output file."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import pty
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import acc as api
from qdq_models import QdqModel

ROOT = pathlib.Path(__file__).resolve().parents[2]


def acc(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "acc", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={"PYTHONPATH": str(ROOT / "python"), "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
        **options,
    )


def refused(result: subprocess.CompletedProcess[str], *mentions: str) -> None:
    assert result.returncode == 2, (result.returncode, result.stdout, result.stderr)
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("acc: error: "), result.stderr
    for mention in mentions:
        assert mention in result.stderr, f"{mention!r} is not in: {result.stderr}"


def small_model(seed: int = 0) -> onnx.ModelProto:
    net = QdqModel(np.random.default_rng(seed))
    return net.build(net.conv(net.input((1, 3, 8, 8)), 16, activation="relu"))


def model_of(*nodes: onnx.NodeProto, shape=(1, 4), initializers=(), output_shape=None) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, output_shape)],
        list(initializers),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("compiled")
    onnx.save(small_model(), folder / "model.onnx")
    result = acc("compile", folder / "model.onnx", "-o", folder / "model.so", "--target", "vta")
    assert result.returncode == 0, result.stderr
    return folder / "model.so"


def compile_refused(tmp_path: pathlib.Path, *mentions: str, options: tuple[object, ...] = ()) -> None:
    output = tmp_path / "out" / "model.so"
    output.parent.mkdir()
    refused(acc("compile", tmp_path / "model.onnx", "-o", output, "--target", "cpu", *options), *mentions)
    assert list(output.parent.iterdir()) == []


def test_missing_file(tmp_path: pathlib.Path) -> None:
    compile_refused(tmp_path, "model.onnx")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x7fELF" + bytes(100), bytes(1000)])
def test_not_an_onnx_file(tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    compile_refused(tmp_path, "model.onnx")


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9, 0.99])
def test_truncated_model(tmp_path: pathlib.Path, fraction: float) -> None:
    data = small_model().SerializeToString()
    (tmp_path / "model.onnx").write_bytes(data[: int(len(data) * fraction)])
    compile_refused(tmp_path)


def test_all_unsupported_operators_are_listed_at_once(tmp_path: pathlib.Path) -> None:
    model = model_of(
        helper.make_node("Multinomial", ["x"], ["a"], name="first"),
        helper.make_node("Loop", ["", "", "x"], ["b"], name="second", body=helper.make_graph([], "b", [], [])),
        helper.make_node("Relu", ["x"], ["t"], name="fine"),
        helper.make_node("Made", ["x"], ["c"], name="third", domain="org.example"),
        helper.make_node("Sum", ["a", "b", "t", "c"], ["y"]),
    )
    model.opset_import.append(helper.make_opsetid("org.example", 1))
    onnx.save(model, tmp_path / "model.onnx")
    compile_refused(tmp_path, "first", "Multinomial", "second", "Loop", "third", "Made")


def test_dynamic_shapes_not_given(tmp_path: pathlib.Path) -> None:
    model = model_of(helper.make_node("Relu", ["x"], ["y"]), shape=("batch", 4), output_shape=("batch", 4))
    onnx.save(model, tmp_path / "model.onnx")
    compile_refused(tmp_path, "x", "batch", "--shape", options=("--target", "vta"))


@pytest.mark.parametrize("scale", [np.nan, np.inf, 0.0, -1.0])
def test_impossible_scales(tmp_path: pathlib.Path, scale: float) -> None:
    model = model_of(
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], name="quantize_it"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], name="dequantize_it"),
        initializers=[
            numpy_helper.from_array(np.float32(scale), "s"),
            numpy_helper.from_array(np.int8(0), "z"),
        ],
    )
    onnx.save(model, tmp_path / "model.onnx")
    compile_refused(tmp_path, "quantize_it", "scale")


@pytest.mark.parametrize(
    ("config", "mention"),
    [
        ({"LOG_BLOCK": 10}, "LOG_WGT_BUFF_SIZE"),
        ({"LOG_ACC_BUFF_SIZE": 30}, "LOG_ACC_BUFF_SIZE"),
        ({"LOG_WGT_BUFF_SIZE": 5}, "LOG_WGT_BUFF_SIZE"),
        ({"LOG_INP_WIDTH": 7}, "LOG_INP_WIDTH"),
        ({"LOG_ACC_WIDTH": 3}, "LOG_ACC_WIDTH"),
        ({"LOG_BATCH": "one"}, "LOG_BATCH"),
        ({"LOG_BATCH": -1}, "LOG_BATCH"),
        ({"LOG_BLOK": 4}, "LOG_BLOK"),
    ],
)
def test_illegal_configuration(tmp_path: pathlib.Path, config: dict, mention: str) -> None:
    onnx.save(small_model(), tmp_path / "model.onnx")
    (tmp_path / "vta_config.json").write_text(json.dumps(config))
    options = ("--target", "vta", "--config", tmp_path / "vta_config.json")
    compile_refused(tmp_path, mention, options=options)


def test_configuration_that_is_not_json(tmp_path: pathlib.Path) -> None:
    onnx.save(small_model(), tmp_path / "model.onnx")
    (tmp_path / "vta_config.json").write_text("{LOG_BLOCK: 4")
    compile_refused(tmp_path, options=("--target", "vta", "--config", tmp_path / "vta_config.json"))


@pytest.mark.parametrize(
    ("inputs", "mention"),
    [
        ({}, "input_1"),
        ({"wrong": np.zeros((1, 3, 8, 8), np.float32)}, "wrong"),
        ({"input_1": np.zeros((1, 3, 8, 9), np.float32)}, "input_1"),
        ({"input_1": np.zeros((1, 3, 8, 8), np.float64)}, "input_1"),
        ({"input_1": np.zeros((1, 3, 8, 8), np.float32), "more": np.zeros(1)}, "more"),
    ],
)
def test_wrong_inputs(compiled: pathlib.Path, tmp_path: pathlib.Path, inputs: dict, mention: str) -> None:
    np.savez(tmp_path / "x.npz", **inputs)
    refused(acc("run", compiled, "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npz"), mention)
    assert not (tmp_path / "y.npz").exists()


@pytest.mark.parametrize("damage", ["truncate", "flip", "not elf", "empty"])
@pytest.mark.parametrize("command", ["run", "info", "disasm"])
def test_corrupted_model_file(compiled: pathlib.Path, tmp_path: pathlib.Path, damage: str, command: str) -> None:
    data = bytearray(compiled.read_bytes())
    if damage == "truncate":
        data = data[: len(data) // 2]
    elif damage == "flip":
        data[len(data) // 2] ^= 0x10
    elif damage == "not elf":
        data[:4] = b"text"
    else:
        data.clear()
    broken = tmp_path / "broken.so"
    broken.write_bytes(data)
    np.savez(tmp_path / "x.npz", input_1=np.zeros((1, 3, 8, 8), np.float32))
    options = ("--input", tmp_path / "x.npz") if command == "run" else ()
    refused(acc(command, broken, *options), "broken.so")


def test_file_size_limit_while_writing(tmp_path: pathlib.Path) -> None:
    onnx.save(small_model(), tmp_path / "model.onnx")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    output = tmp_path / "out" / "model.so"
    output.parent.mkdir()
    refused(acc("compile", tmp_path / "model.onnx", "-o", output, "--target", "vta", preexec_fn=limit))
    assert list(output.parent.iterdir()) == []


def test_output_folder_missing(tmp_path: pathlib.Path) -> None:
    onnx.save(small_model(), tmp_path / "model.onnx")
    refused(acc("compile", tmp_path / "model.onnx", "-o", tmp_path / "no" / "model.so", "--target", "cpu"), "no")


def test_killed_compile_leaves_nothing_half_written(tmp_path: pathlib.Path) -> None:
    onnx.save(small_model(), tmp_path / "model.onnx")
    output = tmp_path / "out" / "model.so"
    output.parent.mkdir()
    for delay in (0.3, 0.6, 0.9, 1.2):
        process = subprocess.Popen(
            [sys.executable, "-m", "acc", "compile", tmp_path / "model.onnx", "-o", output, "--target", "vta"],
            env={"PYTHONPATH": str(ROOT / "python"), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(delay)
        process.kill()
        process.wait()
        if output.exists():
            assert acc("info", output).returncode == 0
            break


def test_out_of_range_stream(tmp_path: pathlib.Path) -> None:
    (tmp_path / "vta_config.json").write_text("{}")
    word = 0 | (2 << 7) | (0xFFFF << 10)  # LOAD inp to the last SRAM index and beyond
    second = 16 | (16 << 16) | (16 << 32)
    finish = 3
    stream = b"".join(value.to_bytes(8, "little") for value in (word, second, finish, 0))
    (tmp_path / "insns.bin").write_bytes(stream)
    arguments = ("sim", "--config", tmp_path / "vta_config.json", "--device", "fsim")
    refused(acc(*arguments, "--insns", tmp_path / "insns.bin"), "0")
    (tmp_path / "insns.bin").write_bytes(stream[:-3])
    refused(acc(*arguments, "--insns", tmp_path / "insns.bin"))


# Quietness and the ends of runs


def test_success_is_quiet(compiled: pathlib.Path, tmp_path: pathlib.Path) -> None:
    np.savez(tmp_path / "x.npz", input_1=np.zeros((1, 3, 8, 8), np.float32))
    onnx.save(small_model(), tmp_path / "model.onnx")
    for arguments in (
        ("compile", tmp_path / "model.onnx", "-o", tmp_path / "model.so", "--target", "vta"),
        ("run", compiled, "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npz"),
    ):
        result = acc(*arguments)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    for arguments in (("compile", tmp_path / "model.onnx", "-o", tmp_path / "model.so"), ("info", compiled)):
        result = acc(*arguments, "--json")
        assert isinstance(json.loads(result.stdout), dict) and not result.stderr
    summary = acc("run", compiled, "--input", tmp_path / "x.npz", "--json")
    assert set(json.loads(summary.stdout)) == {"outputs", "statistics"}
    assert isinstance(json.loads(acc("disasm", compiled, "--json").stdout), list)


def test_progress_is_shown_on_terminals(tmp_path: pathlib.Path) -> None:
    onnx.save(small_model(), tmp_path / "model.onnx")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "acc", "compile", str(tmp_path / "model.onnx"), "-o", str(tmp_path / "model.so")]
    env = {"PYTHONPATH": str(ROOT / "python"), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(command, stderr=theirs, stdout=subprocess.PIPE, env=env)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):
        while data := os.read(ours, 4096):
            shown += data
    os.close(ours)
    assert process.communicate()[0] == b"" and process.returncode == 0
    assert b"import" in shown and shown.endswith(b"\x1b[K")


@pytest.mark.parametrize("command", ["", "compile", "run", "info", "disasm", "sim"])
def test_help(command: str) -> None:
    result = acc(*filter(None, [command]), "--help")
    assert result.returncode == 0 and result.stdout.startswith(f"usage: acc {command}".rstrip()) and not result.stderr


def test_interrupt(tmp_path: pathlib.Path) -> None:
    onnx.save(small_model(), tmp_path / "model.onnx")
    output = tmp_path / "out" / "model.so"
    output.parent.mkdir()
    # Reading the configuration waits for the other end of the pipe: the signal arrives while the command works.
    os.mkfifo(tmp_path / "pipe")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "acc", "compile", tmp_path / "model.onnx", "-o", output),
            *("--target", "vta", "--config", tmp_path / "pipe"),
        ],
        env={"PYTHONPATH": str(ROOT / "python"), "PATH": "/usr/bin:/bin"},
        stderr=subprocess.PIPE,
        text=True,
        # Jobs in the background of a shell ignore interrupts, and so do their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    descriptor = os.open(tmp_path / "pipe", os.O_WRONLY)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=60)
    os.close(descriptor)
    assert (process.returncode, text) == (130, "acc: interrupted\n")
    assert list(output.parent.iterdir()) == []


def test_standard_output_is_full(compiled: pathlib.Path) -> None:
    for option in ((), ("--json",)):
        with open("/dev/full", "wb") as full:
            command = [sys.executable, "-m", "acc", "info", str(compiled), *option]
            env = {"PYTHONPATH": str(ROOT / "python"), "PATH": "/usr/bin:/bin"}
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=env)
        assert done.returncode == 2 and done.stderr == "acc: error: No space left on device\n"


# Mistakes on the command line


@pytest.mark.parametrize(
    ("arguments", "mention"),
    [
        ((), "command"),
        (("compute",), "compute"),
        (("compile",), "model.onnx"),
        (("compile", "MODEL"), "-o"),
        (("compile", "MODEL", "-o", "OUT", "--target", "gpu"), "gpu"),
        (("compile", "MODEL", "-o", "OUT", "--shape", "x"), "NAME=D,D,..."),
        (("compile", "MODEL", "-o", "OUT", "--shape", "x=a"), "NAME=D,D,..."),
        (("compile", "MODEL", "-o", "OUT", "--shape", "=1"), "NAME=D,D,..."),
        (("compile", "MODEL", "-o", "OUT", "--shape", "x=-1"), "NAME=D,D,..."),
        (("compile", "MODEL", "-o", "OUT", "--shape", "x=0,4"), "positive"),
        (("compile", "MODEL", "-o", "OUT", "--shape", "x=4"), "(1, 4)"),
        (("compile", "MODEL", "-o", "OUT", "--shape", "other=1,4"), "no such input"),
        (("compile", "MODEL", "-o", "OUT", "--cpu", "abacus"), "abacus"),
        (("compile", "MODEL", "-o", "OUT", "--cpu-features", "+beads"), "beads"),
        (("compile", "MODEL", "-o", "OUT", "--config", "c.json"), "not for 'cpu'"),
        (("compile", "MODEL", "-o", "FOLDER"), "directory"),
        (("compile", "MODEL", "-o", "/dev/full"), "No space left"),
        (("compile", "MODEL", "-o", "OUT", "--dump-stages", "/dev/null/x"), "/dev/null/x"),
        (("info", "none.onnx"), "none.onnx"),
        (("info", "none.so"), "none.so"),
        (("disasm", "none.so"), "none.so"),
        (("run", "none.so", "--input", "x.npz"), "none.so"),
        (("run", "MODEL", "--input", "x.npz"), "not a model compiled by acc"),
        (("sim", "--insns", "none.bin"), "none.bin"),
        (("sim", "--insns", "MODEL", "--device", "abacus"), "abacus"),
        (("sim", "--insns", "MODEL", "--load", "5"), "ADDR=FILE"),
        (("sim", "--insns", "MODEL", "--dump", "0:x=y"), "'x'"),
        (("sim", "--insns", "MODEL", "--dram", str(1 << 39)), "cannot reserve"),
    ],
)
def test_mistakes_on_the_command_line(tmp_path: pathlib.Path, arguments: tuple[str, ...], mention: str) -> None:
    onnx.save(model_of(helper.make_node("Relu", ["x"], ["y"])), tmp_path / "model.onnx")
    places = {"MODEL": tmp_path / "model.onnx", "OUT": tmp_path / "model.so", "FOLDER": tmp_path}

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))

    refused(acc(*(places.get(a, a) for a in arguments), cwd=tmp_path, preexec_fn=limit), mention)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert pathlib.Path("/dev/full").is_char_device()


@pytest.mark.parametrize(
    "content", [b"", b"text", b"PK\x03\x04 no archive", b"\x93NUMPY\x01\x00\xff\xff", b"\x80\x04K\x01."]
)
def test_inputs_that_are_no_arrays(compiled: pathlib.Path, tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    refused(acc("run", compiled, "--input", tmp_path / "x.npz"), "x.npz")


def test_device_of_a_model_without_programs(tmp_path: pathlib.Path) -> None:
    with api.compile(model_of(helper.make_node("Relu", ["x"], ["y"]))) as executable:
        executable.save(tmp_path / "model.so")
    with pytest.raises(api.AccError, match="unknown device 'abacus'"):
        api.load(tmp_path / "model.so", device="abacus")


# Places that cannot be written to


@pytest.fixture
def tiny_disk(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A file system of 16 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk(tiny_disk: pathlib.Path, tmp_path: pathlib.Path, compiled: pathlib.Path) -> None:
    onnx.save(small_model(), tmp_path / "model.onnx")
    refused(acc("compile", tmp_path / "model.onnx", "-o", tiny_disk / "model.so", "--target", "vta"), "No space left")
    with api.load(compiled) as executable, pytest.raises(api.AccError, match="No space left"):
        executable.save(tiny_disk / "model.so")
    (tmp_path / "finish.bin").write_bytes((3).to_bytes(16, "little"))
    refused(acc("sim", "--insns", tmp_path / "finish.bin", "--dump", f"0:65536={tiny_disk / 'dump'}"), "No space left")
    assert list(tiny_disk.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_no_permission(tmp_path: pathlib.Path) -> None:
    onnx.save(small_model(), tmp_path / "model.onnx")
    (tmp_path / "out").mkdir(mode=0o500)
    refused(acc("compile", tmp_path / "model.onnx", "-o", tmp_path / "out" / "model.so"), "permission")


# Configurations and streams


@pytest.mark.parametrize(
    "text",
    ["", "null", "5", "[]", "{}{}", "{'LOG_BLOCK': 4}", '{"LOG_BLOCK": 4,}', "[" * 100000, '{"a":' * 100000, "\xff"]
    + [f'{{"LOG_BLOCK": {value}}}' for value in ("null", "true", "4.5", "[4]", "{}", "1e99", "99999999999999999999")],
)
def test_malformed_configuration(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "vta_config.json").write_text(text, encoding="latin-1")
    with pytest.raises(api.ConfigError, match=r"vta_config\.json"):
        api.compile(small_model(), target="vta", config=tmp_path / "vta_config.json")


def test_stream_that_deadlocks_or_does_not_end(tmp_path: pathlib.Path) -> None:
    finish = (3).to_bytes(16, "little")
    waits = (2 | (2 << 7) | (1 << 4)).to_bytes(16, "little")
    for stream, mention in ((waits + finish, "0"), (b"", "FINISH"), (waits, "FINISH"), (finish * 2, "FINISH")):
        (tmp_path / "insns.bin").write_bytes(stream)
        refused(acc("sim", "--insns", tmp_path / "insns.bin"), mention)


# The same through Python


RELU = model_of(helper.make_node("Relu", ["x"], ["y"]))


@pytest.mark.parametrize(
    "call",
    [
        lambda: api.compile(None),  # type: ignore[arg-type]
        lambda: api.compile(b"model"),  # type: ignore[arg-type]
        lambda: api.compile("a\0b"),
        lambda: api.compile("a" * 5000),
        lambda: api.compile("/dev/zero"),
        lambda: api.compile(RELU, target="gpu"),
        lambda: api.compile(RELU, config={}),
        lambda: api.compile(RELU, target="vta", config=5),  # type: ignore[arg-type]
        lambda: api.compile(RELU, target="vta", config=b"c.json"),  # type: ignore[arg-type]
        lambda: api.compile(RELU, target="vta", config={"LOG_BLOCK": float("nan")}),
        lambda: api.compile(RELU, target="vta", config={"LOG_BLOCK": "\ud800"}),
        lambda: api.compile(RELU, target="vta", config={"LOG_BLOCK": 10**30}),
        lambda: api.compile(RELU, shapes=5),  # type: ignore[arg-type]
        lambda: api.compile(RELU, shapes=[("x", (1, 4))]),  # type: ignore[arg-type]
        lambda: api.compile(RELU, shapes={"x": "ab"}),  # type: ignore[dict-item]
        lambda: api.compile(RELU, shapes={"x": (1, 2**70)}),
        lambda: api.compile(RELU, cpu="abacus"),
        lambda: api.load(None),  # type: ignore[arg-type]
        lambda: api.load("/dev/null"),
        lambda: api.load("\0"),
    ],
)
def test_python_errors(call: Callable[[], object]) -> None:
    with pytest.raises(api.AccError):
        call()


@pytest.mark.parametrize(
    "inputs",
    [
        *(None, 5, [], {}, {"x": None}, {"x": "text"}, {"x": object()}, {"x": [[1, 2], [3]]}, {b"x": 1}),
        *({"x": np.zeros((1, 4), dtype)} for dtype in (np.float64, ">f4", np.complex64, object)),
    ],
)
def test_inputs_that_are_no_dictionary_of_arrays(inputs: object) -> None:
    with api.compile(RELU) as executable, pytest.raises(api.RunError):
        executable.run(inputs)  # type: ignore[arg-type]


def test_closed_models_say_so() -> None:
    executable = api.compile(RELU)
    executable.close()
    executable.close()
    for use in (lambda: executable.run({}), lambda: executable.save("x"), lambda: executable.statistics):
        with pytest.raises(api.RunError, match="closed"):
            use()
