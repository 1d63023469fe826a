"""Timelines of csim and tsim, `acc profile`, and what the commands say about options that make no sense."""

from __future__ import annotations

import itertools
import json
import pathlib
from functools import partial
from typing import Any

import numpy as np
import pytest

import acc
import handmade
from acc import timeline
from acc._lib import _runtime
from acc.cli import main
from acc.container import write_model
from acc.hardware import cycle_model, simulator
from acc.hardware.random_stream import random_stream
from acc.targets.vta import profile
from circuits import SMALL, write_copying_stream
from qdq_models import random_network

CONFIG = SMALL[0].config
TIDS = {name: tid for tid, name in enumerate(timeline.TRACKS)}


@pytest.fixture
def small_simulators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "DEFAULT_OPTIMIZE", 0)


def check_structure(document: dict[str, Any], cycles: int) -> list[dict[str, Any]]:
    """What Perfetto takes for granted: slices of a track do not overlap, arrows start and end within slices."""
    assert "1 cycle" in document["otherData"]["time unit"]
    assert document["otherData"]["cycles"] == cycles
    events = document["traceEvents"]
    names = {e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
    assert [names[tid] for tid in sorted(names)] == ["launches", "fetch", "load", "compute", "store"]
    slices: dict[int, list[dict[str, Any]]] = {tid: [] for tid in names}
    for event in events:
        assert event["pid"] == 1
        if event["ph"] == "X":
            assert isinstance(event["ts"], int) and isinstance(event["dur"], int)
            assert event["dur"] > 0 and event["ts"] >= 0 and event["ts"] + event["dur"] <= cycles
            slices[event["tid"]].append(event)
        else:
            assert event["ph"] in "Msfi"
    for track in slices.values():
        track.sort(key=lambda e: e["ts"])
        for before, after in itertools.pairwise(track):
            assert before["ts"] + before["dur"] <= after["ts"], (before, after)
    flows: dict[int, list[dict[str, Any]]] = {}
    for event in events:
        if event["ph"] in "sf":
            flows.setdefault(event["id"], []).append(event)
            around = [e for e in slices[event["tid"]] if e["ts"] <= event["ts"] < e["ts"] + e["dur"]]
            assert len(around) == 1 and around[0]["cat"] != "wait"
    for source, target in flows.values():
        assert (source["ph"], target["ph"], target["bp"]) == ("s", "f", "e")
        assert source["ts"] < target["ts"]
        assert source["name"] == target["name"] == f"{names[source['tid']]} to {names[target['tid']]}"
    return events


def run_with_events(device: str, seed: int) -> tuple[Any, dict[str, Any]]:
    stream = random_stream(CONFIG, seed)
    d = {"tsim": partial(simulator.device, optimize=0), "csim": cycle_model.device}[device](CONFIG)
    d.attach_at(0, stream.dram.copy())
    result = d.run(stream.linked(), events=True)
    assert result["ok"]
    return stream.program, result


@pytest.mark.parametrize("device", ["csim", "tsim"])
@pytest.mark.parametrize("seed", range(3))
def test_structure(device: str, seed: int, tmp_path: pathlib.Path) -> None:
    program, result = run_with_events(device, seed)
    run = timeline.Run(program.instructions, result)
    timeline.write(tmp_path / "t.json", [run, "native: softmax", run], {"cycles": 2 * run.cycles})
    events = check_structure(json.loads((tmp_path / "t.json").read_text()), 2 * run.cycles)
    shown = [e for e in events if e["ph"] == "X" and "assembly" in e["args"]]
    assert sorted(e["args"]["instruction"] for e in shown) == sorted([*range(len(program))] * 2)
    assert {"LOAD uop", "STORE out", "FINISH"} <= {e["name"] for e in shown}
    # Every token that is popped is an arrow.
    pops = sum(len(insn["pops"]) for insn in program.instructions)
    assert sum(e["ph"] == "s" for e in events) == 2 * pops > 0
    assert [e["name"] for e in events if e["ph"] == "i"] == ["native: softmax"]
    # Only the model knows what fetch does.
    assert any(e["ph"] == "X" and e["tid"] == TIDS["fetch"] for e in events) == (device == "csim")


def test_model_and_circuit_draw_the_same() -> None:
    drawn = []
    for device in ("csim", "tsim"):
        program, result = run_with_events(device, 5)
        result.pop("dispatched")
        result.pop("activity", None)
        drawn.append(list(timeline.events([timeline.Run(program.instructions, result)])))
    assert drawn[0] == drawn[1]


def test_waits_name_the_other_module() -> None:
    text = (
        "load.inp sram=0 dram=0 y=1 x=64 stride=64 push=next\nload.acc sram=0 dram=0 y=1 x=0 stride=0 pop=prev\nfinish"
    )
    device = cycle_model.device(CONFIG)
    device.attach_at(0, np.zeros(1 << 16, np.uint8))
    program = _runtime.Program.parse(text, CONFIG)
    result = device.run(program.encode(), events=True)
    (wait,) = [e for e in timeline.events([timeline.Run(program.instructions, result)]) if e.get("cat") == "wait"]
    assert wait["name"] == "wait for load"
    assert wait["ts"] + wait["dur"] == result["retired"][0]


def test_cycles_of_layers_add_up() -> None:
    program, result = run_with_events("csim", 1)
    for i, insn in enumerate(instructions := program.instructions):
        insn["layer"] = f"layer {i // 10}"
    cycles = timeline.layer_cycles(timeline.Run(instructions, result))
    assert sum(cycles.values()) == result["cycles"]
    assert min(cycles.values()) > 0


# --- acc sim ---


@pytest.fixture
def stream(tmp_path: pathlib.Path) -> list[str]:
    """The arguments of `acc sim` for a stream that copies."""
    (tmp_path / "x").write_bytes(bytes(range(16)))
    return ["sim", *map(str, write_copying_stream(CONFIG, tmp_path)), "--load", f"0={tmp_path}/x"]


@pytest.mark.parametrize("options", [[], ["--latency", "7"], ["--mem-width", "128"]], ids=" ".join)
def test_csim_says_what_tsim_says(
    small_simulators: None, stream: list[str], options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    documents = []
    for device in ("csim", "tsim"):
        assert main([*stream, "--device", device, "--json", *options]) == 0
        documents.append(json.loads(capsys.readouterr().out))
        assert documents[-1].pop("device") == device
    activity = documents[0].pop("activity")
    assert sum(activity["load"][key] for key in ("busy", "memory", "idle")) == documents[0]["cycles"]
    assert documents[0] == documents[1]


def test_csim_computes_what_is_dumped(stream: list[str], tmp_path: pathlib.Path) -> None:
    assert main([*stream, "--device", "csim", "--dump", f"16:16={tmp_path}/y"]) == 0
    assert (tmp_path / "y").read_bytes() == bytes(range(16))


def test_table(stream: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*stream, "--device", "csim"]) == 0
    said = capsys.readouterr().out
    assert "wait compute" in said
    assert "GEMM core     0.0 % of cycles, 0 MACs" in said


@pytest.mark.parametrize("device", ["csim", "tsim"])
def test_timeline_of_a_stream(
    small_simulators: None,
    device: str,
    stream: list[str],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*stream, "--device", device, "--json", "--timeline", f"{tmp_path}/t.json"]) == 0
    cycles = json.loads(capsys.readouterr().out)["cycles"]
    document = json.loads((tmp_path / "t.json").read_text())
    check_structure(document, cycles)
    assert document["otherData"]["config"] == json.loads(CONFIG.to_json())


@pytest.mark.parametrize(
    ("options", "mention"),
    [
        (["--timeline", "t.json"], "'fsim' has no notion of time: 'csim' and 'tsim' do"),
        (["--latency", "3"], "'fsim' has no option 'latency': it has kernel; 'latency' is an option of csim and tsim"),
        (["--mem-width", "64"], "'fsim' has no option 'mem_width'"),
        (["--jitter", "3"], "'fsim' has no option 'jitter'"),
        (["--device", "csim", "--jitter", "3"], "'csim' has no option 'jitter': it has latency, mem_width, "),
        (["--device", "csim", "--trace", "x.fst"], "'csim' has no option 'trace'"),
        (["--device", "csim:speed=3"], "'csim' has no option 'speed': it has latency, mem_width, "),
        (["--device", "csim:latency"], "option 'latency' has no value"),
        (["--device", "csim;csim"], "one device is needed, not 2"),
        (["--device", "csim", "--sanitize"], "'csim' has no sanitizer: 'fsim' does"),
        (["--device", "csim", "--mem-width", "100"], "100"),
        (["--device", "csim", "--latency", "soon"], "soon"),
        (["--device", "csim", "--latency", str(1 << 30)], "'latency' of device 'csim' is 1073741824, but must be"),
        (["--device", "csim", "--timeline", "no/such/folder/t.json"], "no/such/folder"),
    ],
)
def test_bad_options(
    stream: list[str],
    options: list[str],
    mention: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*stream, *options]) == 2
    said = capsys.readouterr().err
    assert said.startswith("acc: error: ")
    assert mention in said
    assert not pathlib.Path("t.json").exists()


@pytest.mark.parametrize("device", ["csim", "tsim"])
def test_failing_stream_leaves_the_timeline_alone(
    small_simulators: None, device: str, stream: list[str], tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "load.inp sram=0 dram=0 y=1 x=1 stride=1 pop=next\nfinish"
    (tmp_path / "insns.bin").write_bytes(_runtime.Program.parse(text, CONFIG).encode())
    (tmp_path / "t.json").write_text("before")
    assert main([*stream, "--device", device, "--timeline", f"{tmp_path}/t.json"]) == 2
    assert "deadlock: load waits at instruction 0 for a token from compute" in capsys.readouterr().err
    assert (tmp_path / "t.json").read_text() == "before"


# --- acc profile, acc run ---


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("network") / "model.so"
    acc.compile(random_network(11), target="vta", config=json.loads(CONFIG_1X8X8)).save(path)
    return path


CONFIG_1X8X8 = '{"LOG_BLOCK": 3, "LOG_INP_BUFF_SIZE": 14, "LOG_WGT_BUFF_SIZE": 16, "LOG_ACC_BUFF_SIZE": 16}'


def test_profile(network: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", str(network), "--json", "--timeline", str(tmp_path / "t.json")]) == 0
    result = json.loads(capsys.readouterr().out)
    vta = [launch for launch in result["launches"] if launch["target"] == "vta"]
    assert vta and len(vta) < len(result["launches"])
    assert result["cycles"] == sum(launch["cycles"] for launch in vta)
    assert result["cycles"] == sum(layer["cycles"] for layer in result["layers"].values())
    for launch in vta:
        assert launch["cycles"] == sum(layer["cycles"] for layer in launch["layers"].values())
        assert launch["circuit"]["gemm_steps"] == launch["gemm_steps"]
        for time in launch["activity"].values():
            assert time["busy"] + time["memory"] + time["idle"] + sum(time["waits"].values()) == launch["cycles"]
    reports = [report for report in acc.load(network).report() if report.target == "vta"]
    assert sum(report.gemm_steps for report in reports) == result["gemm_steps"]
    assert sum(sum(r.dram_bytes.values()) for r in reports) == sum(result["dram_bytes"].values())
    events = check_structure(json.loads((tmp_path / "t.json").read_text()), result["cycles"])
    launches = [e for e in events if e["ph"] == "X" and e["tid"] == TIDS["launches"]]
    assert [e["name"] for e in launches] == [launch["name"] for launch in vta]
    named = {e["args"]["layer"] for e in events if "layer" in e.get("args", {})}
    assert named == set(result["layers"])
    assert any(e["ph"] == "i" and e["name"].startswith("native: ") for e in events)


def test_profile_for_people(network: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", str(network)]) == 0
    said = capsys.readouterr().out
    assert "store wait %" in said
    assert "cycles on csim" in said
    assert "native kernels: " in said


def test_profile_with_another_memory(network: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    cycles = []
    for options in (["--latency", "300"], [], ["--latency", "1", "--mem-width", "512"]):
        assert main(["profile", str(network), "--json", *options]) == 0
        cycles.append(json.loads(capsys.readouterr().out)["cycles"])
    assert cycles == sorted(cycles, reverse=True)
    assert len(set(cycles)) == 3


@pytest.mark.long
def test_profile_on_the_circuit(
    network: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = []
    for device in ("csim", "tsim"):
        path = tmp_path / f"{device}.json"
        assert main(["profile", str(network), "--json", "--device", device, "--timeline", str(path)]) == 0
        results.append(json.loads(capsys.readouterr().out))
        check_structure(json.loads(path.read_text()), results[-1]["cycles"])
        assert results[-1].pop("device") == device
        for launch in results[-1]["launches"]:
            launch.pop("activity", None)
    assert results[0] == results[1]


def test_run_on_the_model(network: pathlib.Path) -> None:
    """csim computes what fsim does, and counts besides."""
    rng = np.random.default_rng(0)
    models = [acc.load(network, device=device) for device in ("fsim", "csim")]
    inputs = {i.name: rng.normal(0, 1, i.shape).astype(np.float32) for i in models[0].inputs}
    expected, actual = (model.run(inputs) for model in models)
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name])
    assert all(program["cycles"] > 0 for program in models[1].statistics["programs"])


@pytest.mark.parametrize(
    ("target", "options", "mention"),
    [
        ("LAUNCH", ["--device", "fsim"], "no notion of time"),
        ("LAUNCH", ["--device", "abacus"], "abacus"),
        ("LAUNCH", ["--jitter", "3"], "no option 'jitter'"),
        ("LAUNCH", ["--input", "missing.npz"], "missing.npz"),
        ("LAUNCH", ["--timeline", "no/such/folder/t.json"], "no/such/folder"),
        ("", ["--device", "tsim"], "no accelerator programs"),
        ("LAUNCH", ["--runs", "3"], "give --native"),
        ("", ["--runs", "0"], "from 1 to"),
        ("", ["--runs", "3", "--threads", "0"], "threads"),
        ("", ["--runs", "3", "--timeline", "no/such/folder/t.json"], "no/such/folder"),
    ],
)
def test_bad_profiles(
    target: str,
    options: list[str],
    mention: str,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_model(tmp_path / "model.so", handmade.contents(target) if target else handmade.contents())
    assert main(["profile", str(tmp_path / "model.so"), *options]) == 2
    said = capsys.readouterr().err
    assert said.startswith("acc: error: ")
    assert mention in said


def test_profile_takes_inputs(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model made by hand, whose only kernel is one launch."""
    write_model(tmp_path / "model.so", handmade.contents("LAUNCH"))
    with acc.load(tmp_path / "model.so") as model:
        np.savez(tmp_path / "x.npz", **profile.zeros(model))
    assert main(["profile", str(tmp_path / "model.so"), "--json", "--input", str(tmp_path / "x.npz")]) == 0
    assert json.loads(capsys.readouterr().out)["cycles"] > 100
