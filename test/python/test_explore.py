"""acc explore: what it predicts, what it finds and writes, and what becomes of bad input and bad luck."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import acc
from acc._lib import _runtime
from acc.cli import main
from acc.errors import CompileError, ConfigError, TuningWarning
from acc.exploration import Options, explore, search
from acc.exploration.design import Illegal
from acc.exploration.explorer import Exploration, find_designs
from acc.exploration.search import Counted, dominates, front_of
from acc.exploration.space import read_space
from acc.hardware import energy, prediction
from acc.hardware.package import Circuit
from acc.hardware.toolchain import ToolError
from acc.targets.vta.profile import profile
from acc.tuning.log import Writer
from browser import Balance, look
from qdq_zoo import ZooModel

ROOT = Path(__file__).resolve().parents[2]
SPACE = {
    "LOG_BLOCK": [1, 2, 3],
    "LOG_UOP_BUFF_SIZE": 11,
    "LOG_INP_BUFF_SIZE": [11, 12],
    "LOG_WGT_BUFF_SIZE": {"from": 12, "to": 14},
    "LOG_ACC_BUFF_SIZE": [12, 13],
    "ALU_REQUANTIZE": [False, True],
}


def network() -> onnx.ModelProto:
    net = ZooModel(np.random.default_rng(4))
    x = net.conv(net.input((1, 4, 9, 9)), 8)
    return net.build(net.conv(x, 16), net.rescale(x))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explore") / "model.onnx"
    onnx.save(network(), path)
    return path


@pytest.fixture(scope="module")
def explored(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("explored") / "front"
    options = Options(trials=12, jobs=1, strategy="random", points=4)
    return folder, explore(model, SPACE, output=folder, options=options)


# What is predicted.


def test_dsp_blocks_and_block_rams_are_counted() -> None:
    examples, problems = prediction.read_examples(prediction.data_file())
    assert examples and not problems
    predictor = prediction.default_predictor()
    for example in examples:
        if example.older:
            continue
        predicted = predictor.predict(example.config, example.circuit)
        assert (predicted.dsp, predicted.bram) == (example.synthesized["dsp"], example.synthesized["bram"]), (
            example.circuit
        )


def test_predictions_of_circuits_left_out_are_near() -> None:
    found = prediction.validate(prediction.read_examples(prediction.data_file())[0])
    assert found["lut"]["mean"] < 20 and found["fmax_mhz"]["mean"] < 10


def test_examples_that_are_none_are_named(tmp_path: Path) -> None:
    good = prediction.data_file().read_text().splitlines()[0]
    foreign = json.loads(good)
    foreign["circuit"]["wings"] = 2
    path = tmp_path / "data.jsonl"
    path.write_text(f"{good}\nnonsense\n{json.dumps(foreign)}\n[]\n")
    examples, problems = prediction.read_examples(path)
    assert len(examples) == 1 and len(problems) == 3
    assert "data.jsonl:2" in problems[0] and "wings" in problems[1]


def test_frequency_learns_from_what_is_routed() -> None:
    examples = prediction.read_examples(prediction.data_file())[0]
    config, circuit = examples[0].config, examples[0].circuit
    before = prediction.Predictor(examples).predict(config, circuit).fmax_mhz
    row = {**json.loads(prediction.data_file().read_text().splitlines()[0]), "fmax_mhz": 0.5 * before}
    slower = [prediction.Example.read(row)] * 20
    assert prediction.Predictor([*examples, *slower]).predict(config, circuit).fmax_mhz < 0.9 * before


def test_energy_is_of_the_table(tmp_path: Path) -> None:
    table = energy.read_table()
    config = _runtime.Config("{}")
    counts = dict.fromkeys(("gemm_steps", "reset_steps", "alu_steps", "requantize_steps"), 0)
    assert table.joules(config, counts, 1.0) == 0
    assert table.joules(config, counts | {"dram_inp": 10**9}, 1.0) == pytest.approx(0.2465, rel=0.02)
    assert table.sram_byte(8192) == pytest.approx(1.25) and table.sram_byte(1) == pytest.approx(1.25)
    assert 2.5 < table.sram_byte(100_000) < 12.5
    own = tmp_path / "own.toml"
    text = (prediction.data_file().parent / "energy.toml").read_text()
    own.write_text(text.replace("static_watts = 0", "static_watts = 2"))
    assert energy.read_table(own).joules(config, counts, 1.5) == pytest.approx(3)
    for wrong, said in (
        ("dram_byte = 244", "dram_byte = -1"),
        ("add_32 = 0.1", "add_33 = 0.1"),
        ("[8192, 1.25], [32768", "[92768, 1.25], [32768"),
        ("[8192, 1.25]", "[8192]"),
    ):
        own.write_text(text.replace(wrong, said))
        with pytest.raises(ConfigError, match=r"own\.toml' is no table of energies: "):
            energy.read_table(own)


# What is searched.


def test_knobs_are_what_configuration_and_circuit_have() -> None:
    knobs = find_designs("ecp5-85k").knobs
    assert {"LOG_BLOCK_IN", "LOG_ACC_BUFF_SIZE", "ALU_REQUANTIZE", "GEMM_SET"} <= knobs.keys()
    assert set(Circuit.__dataclass_fields__) <= knobs.keys()


def test_a_front_is_what_nothing_dominates() -> None:
    rng = np.random.default_rng(1)
    points = [tuple(row) for row in rng.integers(0, 6, (60, 3)).tolist()]
    counted = [Counted(None, None, point) for point in points]  # type: ignore[arg-type]
    kept = {item.objectives for item in front_of(counted)}
    assert kept == {point for point in points if not any(dominates(other, point) for other in points)}


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"LOG_BLOK": [1]}, "no knob 'LOG_BLOK': is 'LOG_BLOCK' meant"),
        ({"LOG_BLOCK": []}, "'LOG_BLOCK': it has no values"),
        ({"LOG_BLOCK": {"from": 3, "to": 1}}, "is no range"),
        ({"LOG_BLOCK": "3"}, "not a whole number"),
        ({"LOG_BLOCK": [1.5]}, "1.5 is not a whole number"),
        ({"knobs": {}, "others": 1}, "it has knobs"),
    ],
)
def test_a_space_that_is_none_says_what_is_wrong(space: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_space(space, find_designs("ecp5-85k"))


def test_estimates_are_near() -> None:
    from acc.compiler import make_pipeline
    from acc.pipeline import Options as PipelineOptions

    designs = find_designs("ecp5-85k")
    ratios = []
    for block in (1, 2, 3):
        buffers = {"LOG_UOP_BUFF_SIZE": 11, "LOG_INP_BUFF_SIZE": 12, "LOG_WGT_BUFF_SIZE": 13, "LOG_ACC_BUFF_SIZE": 12}
        design = designs.make({"LOG_BLOCK": block, **buffers})
        graph = make_pipeline([design.accelerator], PipelineOptions()).import_graph(network())
        expected = designs.estimate(design, designs.workload(graph)).cycles
        ratios.append(designs.job(design, network().SerializeToString(), {}).run().cycles / expected)
    # Small layers wait more than they work, each about as much.
    assert max(ratios) / min(ratios) < 3


def test_guided_search_finds_more_than_random(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    best = {}
    for strategy in ("guided", "random", "sampler"):
        options = Options(trials=16, jobs=1, strategy=strategy, objectives=("latency", "area"))
        designs = find_designs("ecp5-85k")
        exploration = Exploration(
            designs,
            read_space(SPACE, designs),
            model.read_bytes(),
            options,
            tmp_path,
            trials=tmp_path / "trials.jsonl",
        )
        try:
            exploration.search()
        finally:
            exploration.close()
        assert exploration.used == 16
        best[strategy] = min(item.objectives[0] * item.objectives[1] for item in exploration.counted)
    assert best["guided"] <= best["random"]


def test_without_the_library_it_says_what_to_install(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(["explore", str(model), "-o", str(tmp_path / "front")]) == 2
    assert "acc-compiler[explore]" in capsys.readouterr().err
    assert not (tmp_path / "front").exists()


# What is written.


def test_the_folder_has_what_it_should(explored: tuple[Path, Any], model: Path, tmp_path: Path) -> None:
    folder, front = explored
    data = json.loads((folder / "front.json").read_text())
    assert data["trials"] == 12 and len(data["points"]) == len(front.points) > 0
    assert data["objectives"] == ["latency", "area", "energy"]
    for point in front.points:
        written = json.loads((folder / point.name / "point.json").read_text())
        assert written == json.loads(json.dumps(point.data)) and written["format"] == "acc-point-1"
        assert written["latency"] == pytest.approx(written["cycles"] / (1e6 * written["mhz"]))
        assert sum(layer["cycles"] for layer in written["layers"]) == written["cycles"]
        Circuit(**written["circuit"])
        for other in front.points:
            assert not dominates([other.data[n] for n in front.objectives], [written[n] for n in front.objectives])
    # Compiled as the folder says, it takes the cycles that the folder says.
    point = front.points[0]
    compiled = tmp_path / "model.so"
    config = folder / point.name / "vta_config.json"
    acc.compile(model, "vta", config, **point.data["compile_options"]).save(compiled)
    assert profile(compiled, device=point.data["timing_device"]).cycles == point.data["cycles"]
    assert point.name in front.table() and "default" in front.table()


def test_the_page_is_complete_in_itself(explored: tuple[Path, Any]) -> None:
    folder, front = explored
    page = Balance()
    page.feed((folder / "front.html").read_text())
    assert not page.open and not page.outside
    assert {f"#{point.name}" for point in front.points} <= page.links
    assert {link.removeprefix("#") for link in page.links} <= page.ids


@pytest.mark.parametrize("width", [360, 1100])
def test_a_browser_shows_the_page(browser: str, width: int, explored: tuple[Path, Any], tmp_path: Path) -> None:
    probe = (
        "({problems: inner.problems, wide: page.documentElement.scrollWidth, "
        "dots: page.querySelectorAll('circle.front').length, bars: page.querySelectorAll('.bar').length, "
        "seen: page.querySelector('svg').getBoundingClientRect().height})"
    )
    folder, front = explored
    facts = look(browser, (folder / "front.html").read_text(), probe, width, tmp_path)
    assert facts["problems"] == [] and facts["wide"] <= width and facts["seen"] > 100
    assert facts["dots"] == 3 * len(front.points) and facts["bars"] > 0


def test_it_goes_on_from_where_it_was(model: Path, tmp_path: Path, explored: tuple[Path, Any]) -> None:
    folder = tmp_path / "front"
    folder.mkdir()
    lines = (explored[0] / "trials.jsonl").read_text().splitlines()
    foreign = json.loads(lines[2]) | {"model": "another"}
    (folder / "trials.jsonl").write_text("\n".join([*lines[:8], "{broken", json.dumps(foreign), lines[8][:40]]))
    options = Options(trials=12, jobs=1, strategy="random", points=4, resume=True)
    with pytest.warns(TuningWarning) as warned:
        front = explore(model, SPACE, output=folder, options=options)
    said = " ".join(str(warning.message) for warning in warned)
    assert "2 lines of the trials are skipped" in said and "trials.jsonl:9" in said and "of another model" in said
    assert front.trials == 12
    kept = (folder / "trials.jsonl").read_text().splitlines()
    # The default and seven designs were known.
    assert len(kept) == 11 + 5


def test_a_folder_that_holds_something_stays(explored: tuple[Path, Any], model: Path, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="is not empty: --resume"):
        explore(model, SPACE, output=explored[0], options=Options(strategy="random"))
    (tmp_path / "letters").write_text("dear")
    with pytest.raises(CompileError, match="holds no exploration"):
        explore(model, SPACE, output=tmp_path, options=Options(strategy="random", resume=True))


def test_points_are_tuned(model: Path, tmp_path: Path) -> None:
    space = {**SPACE, "LOG_BLOCK": 2, "LOG_INP_BUFF_SIZE": 12, "LOG_WGT_BUFF_SIZE": 13, "log_acc_banks": [0, 1]}
    folder = tmp_path / "front"
    options = Options(trials=4, jobs=1, strategy="random", points=1, tune=30)
    (point,) = explore(model, space, output=folder, options=options).points
    compiled = tmp_path / "model.so"
    log = folder / point.name / point.data["tuning"]
    acc.compile(
        model,
        "vta",
        folder / point.name / "vta_config.json",
        tuning=log,
        tuning_device=point.data["timing_device"],
        **point.data["compile_options"],
    ).save(compiled)
    assert profile(compiled, device=point.data["timing_device"]).cycles == point.data["cycles"]
    trials = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    untuned = [trial["figures"]["cycles"] for trial in trials if trial["values"] == point.data["values"]]
    assert untuned and point.data["cycles"] < untuned[0]
    assert not list(folder.glob(".tuned*"))


# What is routed.


def test_what_fails_timing_falls_out_and_is_remembered(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def route(self: Any, design: Any, mhz: float, progress: Any) -> dict[str, Any]:
        reached = 0.9 * mhz if design.values["LOG_BLOCK"] == 3 else mhz + 1
        return {
            "config": design.files["vta_config.json"],
            "circuit": dict(design.circuit),
            "device": self.device,
            "target_mhz": mhz,
            "seed": 1,
            "synthesized": None,
            "routed": {name: int(design.predicted[name]) for name in prediction.RESOURCES},
            "fmax_mhz": reached,
        }

    monkeypatch.setattr("acc.targets.vta.designs.designs.VtaDesigns.route", route)
    options = Options(trials=8, jobs=1, strategy="random", points=8, route=8)
    space = {**SPACE, "target_mhz": [90]}
    front = explore(model, space, output=tmp_path / "front", options=options)
    assert all(point.data["values"]["LOG_BLOCK"] != 3 for point in front.points)
    assert all(point.data["routed"]["fmax_mhz"] > 90 and point.data["mhz"] == 90 for point in front.points)
    assert any("fails timing" in note for note in front.notes)
    rows = (tmp_path / "front" / "routed.jsonl").read_text().splitlines()
    assert any(json.loads(row)["fmax_mhz"] < 90 for row in rows)


def test_a_tool_that_fails_costs_no_point(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def route(self: Any, design: Any, mhz: float, progress: Any) -> dict[str, Any]:
        raise ToolError("place and route failed: killed")

    monkeypatch.setattr("acc.targets.vta.designs.designs.VtaDesigns.route", route)
    options = Options(trials=2, jobs=1, strategy="random", points=2, route=1)
    front = explore(model, SPACE, output=tmp_path / "front", options=options)
    assert front.points and all(point.data["routed"] is None for point in front.points)
    assert any("is not routed: place and route failed" in note for note in front.notes)


# Bad input, bad luck.


@pytest.mark.parametrize(
    ("space", "arguments", "said"),
    [
        ("LOG_BLOCK = [4]\nLOG_UOP_BUFF_SIZE = [17, 18]\n", [], "the space has no legal point: of"),
        ("LOG_BLOCK = [4, 5]\n", ["--device", "ecp5-25k"], "ecp5-25k is too small: not enough"),
        ("LOG_BLOCKS = [4]\n", [], "no knob 'LOG_BLOCKS'"),
        ("LOG_BLOCK = [4\n", [], "is no space"),
        ("LOG_BLOCK = [3]\n", ["--device", "ecp5-99k"], "no device 'ecp5-99k'"),
        ("LOG_BLOCK = [3]\n", ["--objective", "latency,beauty"], "no objective 'beauty'"),
        ("LOG_BLOCK = [3]\n", ["--trials", "none"], "--trials: 'none' is not a whole number"),
        ("LOG_BLOCK = [3]\n", ["--budget", "soon"], "--budget: 'soon' is not of the form"),
        ("LOG_BLOCK = [3]\n", ["--target", "cpu"], "no hardware to explore"),
        ("LOG_BLOCK = [3]\n", ["--energy", "/nowhere"], "cannot read '/nowhere'"),
        ("LOG_BLOCK = [3]\n", ["--data", "/nowhere"], "cannot read '/nowhere'"),
    ],
)
def test_bad_input_is_one_message(
    space: str, arguments: list[str], said: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    path = tmp_path / "space.toml"
    path.write_text(space)
    code = main(["explore", str(model), "--space", str(path), "-o", str(tmp_path / "front"), *arguments])
    error = capsys.readouterr().err
    assert code == 2 and said in error and error.count("\n") == 1 and "fault" not in error


@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_a_model_that_is_none_is_one_message(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    assert main(["explore", str(path), "-o", str(tmp_path / "front")]) == 2
    error = capsys.readouterr().err
    assert "model.onnx" in error and error.count("\n") == 1
    assert not (tmp_path / "front").exists()


def test_a_full_disk_is_one_message_and_keeps_what_was_counted(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Writer._write

    def refuse(self: Writer, data: bytes) -> None:
        if os.fstat(self._file).st_size > 1500:
            raise OSError(28, "No space left on device")
        written(self, data)

    monkeypatch.setattr(Writer, "_write", refuse)
    folder = tmp_path / "front"
    with pytest.raises(CompileError, match="No space left on device"):
        explore(model, SPACE, output=folder, options=Options(trials=8, jobs=1, strategy="random"))
    assert all(json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines())
    monkeypatch.undo()
    options = Options(trials=4, jobs=1, strategy="random", resume=True, points=2)
    assert explore(model, SPACE, output=folder, options=options).trials == 4


def test_a_worker_that_dies_loses_nothing(model: Path, tmp_path: Path) -> None:
    designs = find_designs("ecp5-85k")
    killed: list[int] = []

    def kill(status: Any) -> None:
        if status.trials == 2 and not killed:
            killed.append(exploration.workers.processes[0])  # type: ignore[attr-defined]
            os.kill(killed[0], signal.SIGKILL)

    options = Options(trials=9, jobs=1, strategy="random")
    about = (designs, read_space(SPACE, designs), model.read_bytes(), options, tmp_path)
    exploration = Exploration(*about, progress=kill)
    try:
        exploration.search()
        assert killed and exploration.workers.lost == 1
        assert exploration.used == 9 and not any("worker" in reason for reason in exploration.failed)
    finally:
        exploration.close()


def test_ctrl_c_keeps_everything(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    folder = tmp_path / "front"
    space = tmp_path / "space.toml"
    space.write_text(
        "LOG_BLOCK = [1, 2, 3]\nLOG_UOP_BUFF_SIZE = 11\nLOG_WGT_BUFF_SIZE = [12, 13]\nLOG_ACC_BUFF_SIZE = 12\n"
    )
    command = [
        sys.executable,
        "-m",
        "acc",
        "explore",
        str(model),
        "--space",
        str(space),
        "-o",
        str(folder),
        "--jobs",
        "1",
    ]
    with subprocess.Popen([*command, "--trials", "200"], stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 60
        trials = folder / "trials.jsonl"
        while time.monotonic() < until and not (trials.exists() and len(trials.read_text().splitlines()) > 1):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "Traceback" not in error
    assert "--resume goes on from there" in error
    known = len(trials.read_text().splitlines())
    assert known > 1
    assert main([*command[3:], "--trials", str(known), "--resume", "--points", "2"]) == 0
    assert (folder / "front.json").exists()


def test_points_of_a_space_that_is_at_its_end(model: Path, tmp_path: Path) -> None:
    space = {**SPACE, "LOG_BLOCK": 2, "LOG_INP_BUFF_SIZE": 12, "LOG_WGT_BUFF_SIZE": 13, "LOG_ACC_BUFF_SIZE": 12}
    front = explore(model, space, output=tmp_path / "front", options=Options(jobs=1, strategy="random"))
    assert front.trials == 2


def test_a_design_knows_the_rule_that_it_breaks() -> None:
    designs = find_designs("ecp5-25k")
    with pytest.raises(Illegal) as refused:
        designs.make({})
    assert refused.value.rule.startswith("ecp5-25k is too small")
    assert search.Random(designs, {"LOG_BLOCK": (4,)}, ["latency"], 0).propose(3) == []
