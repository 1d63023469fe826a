"""Programs outside of their model: `acc disasm --binary`, `acc sim --program`, and `acc asm`."""

from __future__ import annotations

import json
import pathlib
import shutil

import numpy as np
import onnx
import pytest

import acc
from acc import container
from acc._lib import _runtime
from acc.cli import main
from acc.targets.vta import Vta, VtaOptions
from qdq_models import QdqModel, random_network
from test_quantized_zoo import feeds

SMALL = {"LOG_BATCH": 1, "LOG_BLOCK": 3, "LOG_INP_BUFF_SIZE": 12, "LOG_WGT_BUFF_SIZE": 13, "LOG_ACC_BUFF_SIZE": 14}


def network() -> onnx.ModelProto:
    """Padded convolutions, a residual sum, a pool and a matrix product."""
    net = QdqModel(np.random.default_rng(4))
    x = net.input((1, 3, 12, 10))
    a = net.conv(x, 24, (3, 3), (2, 2), activation="relu")
    b = net.add(a, net.conv(a, 24, per_channel=True))
    c = net.max_pool(b, 2, 2, 0)
    return net.build(net.gemm(net.flatten(c), 20))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A compiled network, its inputs and its programs with what they read and write; every kernel is one."""
    path = tmp_path_factory.mktemp("extraction")
    save(network(), path, chain=False)
    return path


def save(
    model: onnx.ModelProto,
    path: pathlib.Path,
    config: dict[str, int] | None = None,
    seed: int = 1,
    chain: bool = True,
) -> None:
    onnx.save(model, path / "m.onnx")
    acc.compile(model, Vta(VtaOptions(config, chain=chain))).save(path / "m.so")
    np.savez(path / "x.npz", **feeds(model, seed))
    assert main(["disasm", f"{path}/m.so", "--binary", f"{path}/out", "--input", f"{path}/x.npz"]) == 0


def kernels(path: pathlib.Path) -> list[pathlib.Path]:
    found = sorted((path / "out").iterdir(), key=lambda p: int(p.name.removeprefix("kernel")))
    assert [p.name for p in found] == [f"kernel{n}" for n in range(len(found))]
    return found


def memory_map(kernel: pathlib.Path) -> dict:
    return json.loads((kernel / "memory.json").read_text())


def replay(kernel: pathlib.Path, *options: str) -> int:
    return main(["sim", "--program", f"{kernel}", *options])


@pytest.mark.parametrize("options", [["--sanitize"], ["--device", "csim"]], ids=" ".join)
def test_every_program_computes_what_it_did_in_the_model(folder: pathlib.Path, options: list[str]) -> None:
    found = kernels(folder)
    model = container.read_model(folder / "m.so")
    assert len(found) == len(model.programs) == 4
    for kernel in found:
        written = [region for region in memory_map(kernel)["regions"] if "expected" in region]
        assert written
        outputs = [option for r in written for option in ("--output", f"{r['name']}={kernel}.{r['name']}")]
        assert replay(kernel, "--check", *outputs, *options) == 0
        for region in written:
            got = pathlib.Path(f"{kernel}.{region['name']}")
            assert got.read_bytes() == (kernel / region["expected"]).read_bytes()
            got.unlink()


def test_a_chain(tmp_path: pathlib.Path) -> None:
    """Kernels in a row are one program; what only they read shares a region."""
    save(network(), tmp_path)
    (kernel,) = kernels(tmp_path)
    data = memory_map(kernel)
    assert len(data["kernels"]) == 4 and len(data["nodes"]) > 4
    graph = onnx.load(tmp_path / "m.onnx").graph
    names = {name for node in graph.node for name in node.output}
    (scratch,) = (region for region in data["regions"] if region["role"] == "scratch")
    assert len(scratch["tensors"]) >= 2
    for tensor in scratch["tensors"]:
        assert tensor["tensor"] in names
        assert tensor["offset"] + np.prod(tensor["shape"]) <= scratch["bytes"]
    for options in ([], ["--device", "csim"]):
        assert replay(kernel, "--check", *options) == 0


def test_on_the_circuit(tmp_path: pathlib.Path) -> None:
    net = QdqModel(np.random.default_rng(7))
    save(net.build(net.conv(net.conv(net.input((2, 6, 5, 5)), 10), 8)), tmp_path, SMALL)
    for kernel in kernels(tmp_path):
        assert replay(kernel, "--check", "--device", "tsim") == 0


@pytest.mark.parametrize("seed", range(3))
def test_random_networks(tmp_path: pathlib.Path, seed: int) -> None:
    save(random_network(seed), tmp_path, SMALL if seed % 2 else None)
    for kernel in kernels(tmp_path):
        assert replay(kernel, "--check", "--sanitize") == 0


def test_other_inputs(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """A program that is taken out without inputs runs on those that it is given."""
    assert main(["disasm", f"{folder}/m.so", "--binary", f"{tmp_path}/bare"]) == 0
    for kernel in kernels(folder):
        bare = tmp_path / "bare" / kernel.name
        regions = memory_map(kernel)["regions"]
        given, wanted = [], []
        for region, without in zip(regions, memory_map(bare)["regions"], strict=True):
            assert {k: v for k, v in region.items() if k not in ("file", "expected")} == {
                k: v for k, v in without.items() if k not in ("file", "expected")
            }
            if region["role"] in ("input", "output", "result"):
                assert "file" not in without
                given += ["--input", f"{region['name']}={kernel / region['file']}"]
            if "expected" in region:
                wanted += ["--output", f"{region['name']}={tmp_path}/{region['name']}"]
        assert replay(bare, *given, *wanted, "--sanitize") == 0
        for region in regions:
            if "expected" in region:
                assert (tmp_path / region["name"]).read_bytes() == (kernel / region["expected"]).read_bytes()


def test_memory_map(folder: pathlib.Path) -> None:
    """Everything is where it says, and says which tensor of the ONNX model it is."""
    model = container.read_model(folder / "m.so")
    graph = onnx.load(folder / "m.onnx").graph
    names = {name for node in graph.node for name in (*node.input, *node.output)} | {t.name for t in graph.initializer}
    weights = {t.name for t in graph.initializer if len(t.dims) in (2, 4)}
    seen = set()
    for kernel in kernels(folder):
        data = memory_map(kernel)
        assert data["config"] == model.metadata["config"] | {"TARGET": "sim"}
        assert data["dialect"] == "acc" and data["nodes"]
        assert data["instructions"]["count"] * 16 == (kernel / "insns.bin").stat().st_size
        end = 0
        for region in sorted(data["regions"], key=lambda region: region["address"]):
            assert region["address"] >= end and region["address"] % 4096 == 0
            end = region["address"] + region["bytes"]
            if "file" in region:
                assert (kernel / region["file"]).stat().st_size == region["bytes"]
            if "shape" in region:
                width = {"int8": 1, "int32": 4}[region["element"]]
                assert np.prod(region["shape"]) * width == region["bytes"]
                assert len(region["axes"]) == len(region["shape"])
            if "tensor" in region:
                assert region["tensor"] in names
                seen.add(region["tensor"])
            if region["role"] in ("input", "output", "result"):
                assert region["tensor"] and region["nodes"]
                above, below = region["border"][0]
                assert region["shape"][2] > above + below
        assert end == data["dram_bytes"]
        roles = [region["role"] for region in data["regions"]]
        assert roles.count("micro-ops") == 1 and roles.count("input") + roles.count("result") >= 1
        assert {"output", "result"} & set(roles)
    # Both convolutions, the sum that one of them computes too, and the matrix product.
    assert len(seen & weights) == 3
    quantized = {node.output[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    assert len(seen & quantized) >= 4


def test_a_tensor_lies_as_the_map_says(folder: pathlib.Path) -> None:
    """The result of the network's first convolution, unpacked, is the ONNX tensor of that name."""
    kernel = kernels(folder)[0]
    region = next(r for r in memory_map(kernel)["regions"] if r["role"] in ("output", "result"))
    packed = np.fromfile(kernel / region["expected"], np.int8).reshape(region["shape"])
    (above, below), (left, right) = region["border"]
    inside = packed[:, :, above : packed.shape[2] - below, left : packed.shape[3] - right]
    n, c, h, w, batch, block = inside.shape
    unpacked = inside.transpose(0, 4, 1, 5, 2, 3).reshape(n * batch, c * block, h, w)

    model = onnx.load(folder / "m.onnx")
    kind = onnx.TensorProto.INT8
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info(region["tensor"], kind, None))
    with np.load(folder / "x.npz") as inputs:
        (wanted,) = acc.compile(model).run(dict(inputs)).values()
    np.testing.assert_array_equal(unpacked[:, : wanted.shape[1]], wanted)


# --- refusals ---


@pytest.fixture
def kernel(folder: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of a program, to be broken."""
    shutil.copytree(kernels(folder)[0], tmp_path / "kernel")
    return tmp_path / "kernel"


def test_check_notices(kernel: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    region = next(r for r in memory_map(kernel)["regions"] if "expected" in r)
    data = bytearray((kernel / region["expected"]).read_bytes())
    data[5] ^= 1
    (kernel / region["expected"]).write_bytes(data)
    assert replay(kernel, "--check", "--output", f"{region['name']}={kernel}/x") == 2
    assert f"region '{region['name']}' is not as the model left it: byte 5" in capsys.readouterr().err
    assert not (kernel / "x").exists()


@pytest.mark.parametrize(
    ("options", "mention"),
    [
        (["--input", "uops"], "NAME=FILE"),
        (["--input", "nothing={kernel}/insns.bin"], "no region 'nothing'"),
        (["--input", "uops={kernel}/insns.bin"], "micro-ops of the program"),
        (["--input", "input0={kernel}/insns.bin"], "input0"),
        (["--input", "input0={kernel}/missing"], "missing"),
        (["--output", "nothing={kernel}/y"], "no region 'nothing'"),
        (["--output", "a=x", "--output", "a=y"], "twice"),
        (["--dram", "8192"], "DRAM has 8192"),
        (["--load", "0={kernel}/insns.bin"], "--load is for --insns"),
        (["--config", "{kernel}/c.json"], "--config is for --insns"),
        (["--insns", "{kernel}/insns.bin"], "not allowed"),
    ],
)
def test_bad_options(
    kernel: pathlib.Path, capsys: pytest.CaptureFixture[str], options: list[str], mention: str
) -> None:
    try:
        code = replay(kernel, *(option.format(kernel=kernel) for option in options))
    except SystemExit as stop:
        code = int(stop.code or 0)
    assert code == 2
    assert mention in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "mention"),
    [
        (lambda data: data.pop("format"), "format"),
        (lambda data: data.update(version=99), "acc-program 1"),
        (lambda data: data.pop("regions"), "regions"),
        (lambda data: data["regions"][0].update(color="red"), "color"),
        (lambda data: data["regions"][0].pop("address"), "address"),
        (lambda data: data["regions"][0].update(address=1 << 40), "outside"),
        (lambda data: data["regions"][0].update(file="gone.bin"), "gone.bin"),
        (lambda data: data["regions"][0].update(bytes=4), "4"),
        (lambda data: data["instructions"].update(file="gone.bin"), "gone.bin"),
        (lambda data: data["config"].update(LOG_BATCH=30), "LOG_BATCH"),
    ],
)
def test_broken_maps(kernel: pathlib.Path, capsys: pytest.CaptureFixture[str], change: object, mention: str) -> None:
    data = memory_map(kernel)
    change(data)  # type: ignore[operator]
    (kernel / "memory.json").write_text(json.dumps(data))
    assert replay(kernel) == 2
    err = capsys.readouterr().err
    assert err.startswith("acc: error: ") and mention in err


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\xff"])
def test_no_map(kernel: pathlib.Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (kernel / "memory.json").write_bytes(text.encode("latin-1"))
    assert replay(kernel) == 2
    assert "is no memory map" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "mention"),
    [
        ([], "a compiled model, or --insns"),
        (["{folder}/m.so", "--insns", "x"], "a compiled model, or --insns"),
        (["{folder}/m.so", "--uops", "x"], "--uops is for --insns"),
        (["{folder}/m.so", "--input", "{folder}/x.npz"], "--input is for --binary"),
        (["{folder}/m.so", "--binary", "{tmp}/new", "--program", "99"], "no program 99"),
        (["{folder}/m.so", "--binary", "{folder}"], "not an empty folder"),
        (["{folder}/m.so", "--binary", "{folder}/m.so"], "not an empty folder"),
        (["{folder}/m.so", "--binary", "{folder}/m.so/new"], "cannot write"),
        (["{folder}/m.so", "--binary", "{tmp}/new", "--input", "{folder}/m.onnx"], "m.onnx"),
        (["--insns", "{folder}/m.onnx", "--program", "1"], "--program is for"),
        (["--insns", "{folder}/missing"], "missing"),
        (["--insns", "{tmp}/odd"], "16-byte"),
        (["--insns", "{tmp}/undefined"], "undefined opcode 7"),
        (["--insns", "{tmp}/empty", "--uops", "{tmp}/odd"], "4 bytes each"),
    ],
)
def test_bad_disassembly(
    folder: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    mention: str,
) -> None:
    (tmp_path / "odd").write_bytes(bytes(7))
    (tmp_path / "undefined").write_bytes(b"\x07" + bytes(15))
    (tmp_path / "empty").write_bytes(b"")
    assert main(["disasm", *(a.format(folder=folder, tmp=tmp_path) for a in arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("acc: error: ") and mention in captured.err
    assert captured.out == "" and sorted(p.name for p in tmp_path.iterdir()) == ["empty", "odd", "undefined"]


# --- assembly ---


def test_text_is_the_same_program(
    folder: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of every program: the text beside the stream, and what acc disasm prints of the model and of the stream."""
    model = container.read_model(folder / "m.so")
    for number, kernel in enumerate(kernels(folder)):
        assert main(["asm", f"{kernel}/program.s", "-o", f"{tmp_path}/i", "--uops", f"{tmp_path}/u", "--verify"]) == 0
        assert (tmp_path / "i").read_bytes() == (kernel / "insns.bin").read_bytes()
        assert (tmp_path / "u").read_bytes() == (kernel / "uops.bin").read_bytes()

        program = _runtime.read_program(model.programs[number].data)
        capsys.readouterr()
        assert main(["disasm", f"{folder}/m.so", "--program", str(number)]) == 0
        (tmp_path / "text.s").write_text(capsys.readouterr().out)
        assert main(["asm", f"{tmp_path}/text.s", "-o", f"{tmp_path}/i", "--uops", f"{tmp_path}/u"]) == 0
        assert (tmp_path / "i").read_bytes() == program.encode()
        assert (tmp_path / "u").read_bytes() == program.uops
        addresses = ",".join(
            str(address) for address in _runtime.Program.parse((kernel / "program.s").read_text()).addresses
        )
        common = ["asm", f"{tmp_path}/text.s", "--uops", f"{tmp_path}/u", "-o", f"{tmp_path}/i", "--address", addresses]
        assert main(common) == 0
        assert (tmp_path / "i").read_bytes() == (kernel / "insns.bin").read_bytes()

        config = kernel / "c.json"
        config.write_text(program.config.to_json())
        raw = ["--insns", f"{kernel}/insns.bin", "--uops", f"{kernel}/uops.bin", "--config", f"{config}"]
        assert main(["disasm", *raw]) == 0
        config.unlink()
        (tmp_path / "text.s").write_text(capsys.readouterr().out)
        assert main(["asm", f"{tmp_path}/text.s", "-o", f"{tmp_path}/i", "--uops", f"{tmp_path}/u"]) == 0
        assert (tmp_path / "i").read_bytes() == (kernel / "insns.bin").read_bytes()
        assert (tmp_path / "u").read_bytes() == (kernel / "uops.bin").read_bytes()


def test_third_party_streams(vectors: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bits that have no meaning included."""
    for folder in sorted(path for path in vectors.iterdir() if path.is_dir()):
        assert main(["disasm", "--insns", f"{folder}/instructions.bin", "--uops", f"{folder}/uop.bin"]) == 0
        (tmp_path / "text.s").write_text(capsys.readouterr().out)
        assert main(["asm", f"{tmp_path}/text.s", "-o", f"{tmp_path}/i", "--uops", f"{tmp_path}/u", "--json"]) == 0
        assert (tmp_path / "i").read_bytes() == (folder / "instructions.bin").read_bytes()
        assert (tmp_path / "u").read_bytes() == (folder / "uop.bin").read_bytes()
        counts = json.loads(capsys.readouterr().out)
        assert counts["instructions"] * 16 == (folder / "instructions.bin").stat().st_size


@pytest.mark.parametrize(
    ("text", "options", "mention"),
    [
        ("loda.inp", [], "p.s: cannot assemble: line 1, column 1: unknown instruction 'loda.inp'"),
        ("finish\nload.inp sram=x\nstore.out y=", [], "line 3, column 13"),
        ("load.inp sram=65536", [], "line 1: sram_base"),
        (".uop dst=1", [], "--uops says where they go"),
        ("finish\nfinish", ["--verify"], "FINISH is not the last instruction"),
        ('.buffer "a" 64\nload.inp dram=@0+0 y=1 x=1\nfinish', ["--address", "8"], "not aligned"),
        ('.buffer "a" 64\nload.inp dram=@0+0 y=1 x=1\nfinish', ["--address", "x"], "--address"),
        (
            '.buffer "a" 64\n.buffer "b" 64\nload.inp dram=@1+0 y=1 x=1\nfinish',
            ["--address", "0"],
            "buffer 1 has no address",
        ),
        ("finish", ["--config", "{tmp}/missing.json"], "missing.json"),
        ("\udcff", [], "not UTF-8"),
    ],
)
def test_bad_text(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], text: str, options: list[str], mention: str
) -> None:
    (tmp_path / "p.s").write_bytes(text.encode("utf-8", "surrogateescape"))
    arguments = ["asm", f"{tmp_path}/p.s", "-o", f"{tmp_path}/i", *(option.format(tmp=tmp_path) for option in options)]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("acc: error: ") and mention in captured.err
    assert [p.name for p in tmp_path.iterdir()] == ["p.s"]


def test_nothing_is_half_written(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.s").write_text(".uop dst=1\nfinish")
    assert main(["asm", f"{tmp_path}/p.s", "-o", f"{tmp_path}/i", "--uops", f"{tmp_path}/no/folder"]) == 2
    assert "no/folder" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["p.s"]


def test_the_streams_of_one_model_are_one_text_each(
    folder: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["disasm", f"{folder}/m.so"]) == 0
    (tmp_path / "all.s").write_text(capsys.readouterr().out)
    assert main(["asm", f"{tmp_path}/all.s", "-o", f"{tmp_path}/i", "--uops", f"{tmp_path}/u"]) == 2
    assert "a text is one program" in capsys.readouterr().err
