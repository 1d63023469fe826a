"""acc tune: what it finds is obeyed, holds for nothing else, and survives whatever happens to files and workers."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import acc
from acc.cli import main
from acc.cli.tune import parse_time
from acc.compiler import make_pipeline, resolve_targets
from acc.dtypes import BY_NAME
from acc.pipeline import Options as PipelineOptions
from acc.schedule import Schedule, estimate
from acc.targets.cpu.schedule import Contraction, Processor, Tile
from acc.targets.cpu.tuning import Ratios, Tuning
from acc.targets.vta.profile import profile
from acc.tuning import Log, Options, Record, TuningResult, log, tune
from acc.tuning.choose import find_state, obey
from acc.tuning.cost import Correction
from acc.tuning.jobs import KernelJob
from acc.tuning.log import Key, Writer, canonical, version
from acc.tuning.network import Scheduled, prepare
from acc.tuning.search import KernelSearch
from acc.tuning.space import FEATURES, KernelSpace, least_bytes
from acc.tuning.workers import Processes, RayWorkers
from qdq_zoo import ZooModel, random_config, random_zoo
from tuning_jobs import Count, Deadly

SMALL = {"LOG_BLOCK": 2, "LOG_INP_BUFF_SIZE": 8, "LOG_WGT_BUFF_SIZE": 10, "LOG_ACC_BUFF_SIZE": 9}
ROOT = Path(__file__).resolve().parents[2]


def network(seed: int = 4) -> onnx.ModelProto:
    net = ZooModel(np.random.default_rng(seed))
    x = net.conv(net.input((1, 4, 9, 9)), 8)
    return net.build(net.conv(x, 16), net.rescale(x))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TuningResult]:
    path = tmp_path_factory.mktemp("tuning") / "tuned.jsonl"
    return path, tune(network(), "vta", SMALL, output=path, options=Options(trials=90, jobs=1))


def compiled(path: Path, model: onnx.ModelProto, *, config: Any = SMALL, **options: Any) -> Path:
    acc.compile(model, "vta", config, **options).save(path)
    return path


# What is found.


def test_the_model_is_as_quick_as_promised_and_computes_the_same(
    tuned: tuple[Path, TuningResult], tmp_path: Path
) -> None:
    path, result = tuned
    assert result.best < result.default and result.bound <= result.best and result.trials <= 90
    assert result.failed == result.lost_workers == 0
    before, after = compiled(tmp_path / "a.so", network()), compiled(tmp_path / "b.so", network(), tuning=path)
    # Where buffers lie decides on the bursts of a few cycles.
    assert abs(profile(before).cycles - result.default) <= 8
    assert abs(profile(after).cycles - result.best) <= 8
    rng = np.random.default_rng(1)
    with acc.load(before) as default, acc.load(after) as better:
        inputs = {i.name: rng.normal(0, 1, i.fixed_shape).astype(np.float32) for i in default.inputs}
        expected = default.run(inputs)
        for name, value in better.run(inputs).items():
            np.testing.assert_array_equal(value, expected[name])


def test_other_models_find_their_kernels(tuned: tuple[Path, TuningResult], tmp_path: Path) -> None:
    """A kernel is known in any model."""
    path, _ = tuned
    net = ZooModel(np.random.default_rng(4))
    x = net.conv(net.input((1, 4, 9, 9)), 8)
    more = net.build(net.conv(x, 16), net.rescale(x), net.conv(x, 24))
    pipeline = make_pipeline(resolve_targets("vta", SMALL), PipelineOptions())
    (accelerator,) = pipeline.options.accelerators
    known = Log.read(path)
    graph = pipeline.import_graph(more)
    state = find_state(known, accelerator, None, graph)
    assert state is not None
    kernels = pipeline.make_kernels(dataclasses.replace(graph, module=graph.module.clone()))
    identities = [d.footprint.identity for d in kernels.decisions if d.footprint is not None]
    assert any(identity in state.schedules for identity in identities)


def test_what_was_found_for_a_model_is_complete(tuned: tuple[Path, TuningResult], tmp_path: Path) -> None:
    """A kernel that the best of a model does not name keeps its default schedule, however quick another is alone."""
    path = tmp_path / "log"
    lines = [json.loads(line) for line in tuned[0].read_text().splitlines()]
    (whole,) = (line for line in lines if line["kind"] == "network" and line["cost"] == tuned[1].best)
    whole["choice"], whole["cost"] = {"choices": {}, "schedules": {}}, 1
    path.write_text(tuned[0].read_text() + json.dumps(whole) + "\n")
    plain = acc.compile(network(), "vta", SMALL).report()
    assert acc.compile(network(), "vta", SMALL, tuning=path).report() == plain


def test_what_is_known_is_not_measured_again(tuned: tuple[Path, TuningResult], tmp_path: Path) -> None:
    path = tmp_path / "again.jsonl"
    path.write_bytes(tuned[0].read_bytes())
    lines = len(path.read_text().splitlines())
    result = tune(network(), "vta", SMALL, output=path, options=Options(trials=lines + 20, jobs=1, resume=True))
    assert result.best <= tuned[1].best
    choices = [canonical([r.key.what, r.choice]) for r in map(Record.parse, path.read_text().splitlines())]
    assert len(choices) == len(set(choices)) and result.trials <= lines + 20


@pytest.mark.long
def test_a_search_is_the_same_again(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        tune(network(), "vta", SMALL, output=tmp_path / name, options=Options(trials=24, jobs=1, seed=3))
        found.append(sorted((tmp_path / name).read_text().splitlines()))
    assert found[0] == found[1]


def test_nothing_else_is_obeyed(tuned: tuple[Path, TuningResult], tmp_path: Path, monkeypatch: Any) -> None:
    """Another configuration, memory or version of acc: a warning that says so, and the default."""
    path, _ = tuned
    default = [layer.schedule for layer in acc.compile(network(), "vta", SMALL).report()]
    with pytest.warns(acc.TuningWarning, match="for other hardware: latency 64 instead of 200"):
        other = acc.compile(network(), "vta", SMALL, tuning=path, tuning_device="csim:latency=200")
    assert [layer.schedule for layer in other.report()] == default
    with pytest.warns(acc.TuningWarning, match="for other hardware: LOG_ACC_BUFF_SIZE 9 instead of 10"):
        acc.compile(network(), "vta", {**SMALL, "LOG_ACC_BUFF_SIZE": 10}, tuning=path)
    stale = tmp_path / "stale.jsonl"
    stale.write_text(path.read_text().replace(version(), "0.0.1+abc"))
    with pytest.warns(acc.TuningWarning, match=r"of another version of acc \(0\.0\.1\+abc; this is"):
        other = acc.compile(network(), "vta", SMALL, tuning=stale)
    assert [layer.schedule for layer in other.report()] == default


@pytest.mark.long
def test_what_was_found_by_another_version_is_tried_first(tuned: tuple[Path, TuningResult], tmp_path: Path) -> None:
    stale = tmp_path / "stale.jsonl"
    stale.write_text(tuned[0].read_text().replace(version(), "0.0.1+abc"))
    result = tune(network(), "vta", SMALL, output=stale, options=Options(trials=12, jobs=1))
    assert result.best <= tuned[1].best


def test_an_illegal_schedule_is_named_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "wrong.jsonl"
    tune(network(), "vta", SMALL, output=path, options=Options(trials=8, jobs=1))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    line = next(line for line in lines if line["kind"] == "kernel" and line["name"].startswith("conv"))
    line["choice"]["tiles"]["c"], line["cost"] = 999, 1
    # Where something is known of the model itself, kernels are not asked.
    kernels = [json.dumps(other) for other in lines if other["kind"] == "kernel"]
    path.write_text("\n".join([*kernels, json.dumps(line), ""]))
    with pytest.warns(acc.TuningWarning, match=r"the tuned schedule of 'conv_.*' is illegal: a tile of 999"):
        model = acc.compile(network(), "vta", SMALL, tuning=path)
    assert any(layer.target == "vta" for layer in model.report())


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 8))])
def test_random_networks(seed: int, tmp_path: Path) -> None:
    """Whatever is tried compiles, and what is found computes the same, on any configuration."""
    model, config, path = random_zoo(seed), random_config(seed), tmp_path / "log"
    result = tune(model, "vta", config, output=path, options=Options(trials=40, jobs=1, seed=seed))
    assert result.failed == 0 and result.best <= result.default
    default, tuned = acc.compile(model, "vta", config), acc.compile(model, "vta", config, tuning=path)
    rng = np.random.default_rng(seed)
    inputs = {}
    for info in default.inputs:
        kind, shape = BY_NAME[info.dtype].dtype, info.fixed_shape
        drawn = rng.normal(0, 1, shape) if np.issubdtype(kind, np.floating) else rng.integers(0, 100, shape)
        inputs[info.name] = drawn.astype(kind)
    for name, value in tuned.run(inputs).items():
        np.testing.assert_array_equal(value, default.run(inputs)[name])


# The space and the search.


def kernel_search(number: int) -> tuple[KernelSearch, Scheduled, Any]:
    """The search for one kernel of the network, the kernel, and what measures it."""
    pipeline = make_pipeline(resolve_targets("vta", SMALL), PipelineOptions())
    (accelerator,) = pipeline.options.accelerators
    kernel = prepare(pipeline, accelerator, pipeline.import_graph(network()), {}).scheduled[number]
    about = (kernel.footprint, kernel.hardware, kernel.module, kernel.schedule)
    search = KernelSearch("k", *about, most_instructions=20_000, correction=Correction(), seed=0)

    def measure(chosen: Schedule) -> int:
        outcome = KernelJob(accelerator, "", kernel.module, chosen).run()
        assert outcome.measurement is not None, outcome.error
        assert outcome.measurement.dram_bytes >= least_bytes(kernel.footprint, kernel.hardware)
        assert outcome.measurement.cycles >= outcome.measurement.computed
        return outcome.measurement.cycles

    return search, kernel, measure


def test_all_of_the_space_compiles() -> None:
    """Points and neighbours of points, at random: legal, and their estimates are those of their schedules."""
    _, kernel, measure = kernel_search(0)
    space = KernelSpace(kernel.footprint, kernel.hardware, 20_000, 1)
    points, features = space.ranked()
    assert len(points) == len(features) > 100 and features.shape[1] == len(FEATURES)
    rng = np.random.default_rng(5)
    for index in rng.choice(len(points), 12, replace=False):
        near = list(space.neighbours(points[index]))
        assert near and points[index] not in near
        for point in (points[index], near[int(rng.integers(len(near)))]):
            schedule = space.schedule(point)
            expected = estimate(schedule, kernel.footprint, kernel.hardware)
            assert np.isclose(space.features([point])[0, 0], np.log(expected.cost))
            assert Schedule.from_dict(json.loads(json.dumps(schedule.to_dict()))) == schedule
            assert measure(schedule) > 0


def test_search_comes_near_what_trying_everything_finds() -> None:
    """The last kernel has few schedules: a third of the trials finds one that is within 3 % of the best."""
    search, _, measure = kernel_search(-1)
    assert search.size <= 512
    costs = []
    while (schedule := search.next()) is not None:
        costs.append(measure(schedule))
        search.observe(schedule, costs[-1])
    assert 30 < len(costs) <= search.size
    # What was left out does the same as something that was tried.
    assert min(costs) == min(measure(schedule) for schedule in search.everything())
    assert min(costs[: len(costs) // 3]) <= 1.03 * min(costs)
    assert search.best == min(costs) and search.default_cost == costs[0]


def test_the_correction_learns_an_order() -> None:
    rng = np.random.default_rng(0)
    correction = Correction()
    features = rng.normal(0, 1, (400, len(FEATURES)))
    truth = features[:, 0] + 0.7 * features[:, 3] - 0.4 * features[:, 5]
    before = np.corrcoef(correction.predict("k", features[200:]), truth[200:])[0, 1]
    for row, cost in zip(features[:200], np.exp(truth[:200]), strict=True):
        correction.learn("k", row, float(cost))
    assert before < 0.9 < 0.99 < np.corrcoef(correction.predict("k", features[200:]), truth[200:])[0, 1]


@pytest.mark.parametrize("data", [None, 3, {}, {"tiles": {"c": "1"}}, {"tiles": 1, "order": 1}])
def test_what_is_no_schedule(data: Any) -> None:
    whole = Schedule({"c": 1}, ("c",), levels={0: 1}, slots={0: 1}).to_dict()
    for broken in (data, {**whole, "tiles": {"c": 1.5}}, {**whole, "levels": {"x": 1}}, {**whole, "order": [1]}):
        with pytest.raises(ValueError, match="it is no schedule"):
            Schedule.from_dict(broken)


# The log.


def record(number: int, **changes: Any) -> Record:
    key = Key(version(), "vta", canonical({"a": 1}), "kernel", "0" * 32)
    return dataclasses.replace(Record(key, {"tile": number}, 100.0 + number, "conv"), **changes)


WRONG = {
    "not json": (b"{", "it is no JSON"),
    "half": (record(1).line().encode()[:70], "it is no JSON"),
    "number": (b"3", "it is no line of a tuning log"),
    "foreign": (b'{"loss": 0.3}', "it is no line of a tuning log"),
    "bytes": (b"\xff\xfe", "it is no UTF-8 text"),
    "format": (record(1).line().replace("acc-tuning-1", "acc-tuning-9").encode(), "its format is 'acc-tuning-9'"),
    "cost": (record(1).line().replace("101.0", "-3").encode(), "'cost' is no positive number"),
    "nan": (record(1).line().replace("101.0", "NaN").encode(), "'cost' is no positive number"),
    "kind": (record(1).line().replace('"kernel"', '"car"').encode(), "'kind' is 'car'"),
    "choice": (record(1).line().replace('{"tile":1}', "[]").encode(), "'choice' is no object"),
    "deep": (b"[" * 100_000, "it is no JSON"),
}


@pytest.mark.parametrize("name", WRONG)
def test_broken_lines_are_skipped_and_named(name: str, tmp_path: Path) -> None:
    data, reason = WRONG[name]
    path = tmp_path / "log"
    path.write_bytes(f"{record(1).line()}\n".encode() + data + f"\n\n{record(2).line()}\n".encode())
    known = Log.read(path)
    assert [r.choice["tile"] for r in known] == [1, 2]
    (problem,) = known.problems
    assert str(problem).startswith(f"{path}:2: ") and reason in str(problem)


def test_logs_are_merged_by_concatenation(tmp_path: Path) -> None:
    for name, numbers in (("a", (3, 1)), ("b", (2, 1))):
        with Writer(tmp_path / name) as writer:
            for number in numbers:
                writer.append(record(number))
    (tmp_path / "both").write_bytes((tmp_path / "a").read_bytes() + (tmp_path / "b").read_bytes())
    for known in (Log.read(tmp_path / "both"), Log.read(tmp_path / "a", tmp_path / "b")):
        best = known.best(record(1).key)
        assert best is not None and best.choice == {"tile": 1} and len(known) == 3
    failed = record(0, cost=None)
    known.add(failed)
    assert known.of(failed.key)[-1] == failed and known.best(failed.key) == best


def test_a_line_without_an_end_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(record(1).line()[:50])
    with Writer(path) as writer:
        writer.append(record(2))
    known = Log.read(path)
    assert [r.choice["tile"] for r in known] == [2] and len(known.problems) == 1


WRITE = """
import sys
sys.path[:] = {path!r}
from acc.tuning.log import Key, Record, Writer
with Writer({log!r}) as writer:
    for number in range({count}):
        writer.append(Record(Key("v", "t", "{{}}", "kernel", sys.argv[1]), {{"tile": number, "pad": "x" * 5000}}, 1.0))
"""


def test_two_writers_and_a_kill(tmp_path: Path) -> None:
    """Lines of several processes stay whole, whenever one of them is killed."""
    path = tmp_path / "log"
    code = WRITE.format(path=[p for p in sys.path if p], log=str(path), count=3000)
    writers = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "abc"]
    until = time.monotonic() + 60
    while (not path.exists() or path.stat().st_size < 200_000) and time.monotonic() < until:
        time.sleep(0.01)
    writers[0].send_signal(signal.SIGKILL)
    for writer in writers:
        writer.wait()
    known = Log.read(path)
    assert len(known.problems) <= 1
    for name in "bc":
        assert len(known.of(Key("v", "t", "{}", "kernel", name))) == 3000


def test_the_version_is_that_of_what_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    assert version().startswith(f"{acc.__version__}+") and len(version().split("+")[1]) == 12
    log.version.cache_clear()
    monkeypatch.setattr(acc, "__version__", "9.9")
    assert version().startswith("9.9+")
    monkeypatch.undo()
    log.version.cache_clear()


# The workers.


@pytest.fixture
def workers() -> Iterator[Processes]:
    made = Processes(2)
    yield made
    made.close()


def done(workers: Any, count: int) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    until = time.monotonic() + 120
    while len(found) < count and time.monotonic() < until:
        found.update(workers.outcomes(1.0))
    return found


def test_killed_workers_lose_nothing(workers: Processes, tmp_path: Path) -> None:
    """Jobs of workers that are killed from outside, and of one that kills its first worker, are done by others."""
    for number in range(6):
        workers.submit(number, Count(number + 1, 0.05))
    workers.submit("once", Deadly(str(tmp_path / "once"), 1))
    first = done(workers, 2)
    for pid in workers.processes:
        os.kill(pid, signal.SIGKILL)
    found = {**first, **done(workers, 7 - len(first))}
    assert {n: found[n].measurement.cycles for n in range(6)} == {n: n + 1 for n in range(6)}
    assert found["once"].measurement is not None and workers.lost >= 2
    workers.submit("always", Deadly(str(tmp_path / "always"), 99))
    assert done(workers, 1)["always"].error == "2 workers died with it"


@pytest.mark.long
def test_a_cluster_of_two_nodes(tmp_path: Path) -> None:
    """Ray's workers do the same jobs; a job that kills its worker is done by another, and so is a whole search."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        workers = RayWorkers(cluster.address)
        assert workers.capacity == 2
        for number in range(4):
            workers.submit(number, Count(number + 1))
        workers.submit("once", Deadly(str(tmp_path / "once"), 1))
        found = done(workers, 5)
        assert found["once"].measurement is not None and workers.lost == 1
        assert {n: found[n].measurement.cycles for n in range(4)} == {n: n + 1 for n in range(4)}
        workers.close()
        options = Options(trials=24, ray=cluster.address)
        result = tune(network(), "vta", SMALL, output=tmp_path / "log", options=options)
        assert result.trials == 24 and result.best <= result.default
    finally:
        cluster.shutdown()


# Native code.


def test_native_code_is_tuned_side_by_side(tmp_path: Path) -> None:
    """Trials of all contractions at once; what the log says is obeyed on this processor and computes the same."""
    path = tmp_path / "native.jsonl"
    result = tune(network(), "cpu", output=path, options=Options(trials=2))
    assert result.unit == "seconds" and result.trials == 2 and result.failed == 0 and result.default > 0
    assert len(result.kernels) == 2 and all(kernel.trials == 2 for kernel in result.kernels)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines and all(line["target"] == "cpu" for line in lines)
    quick = {**lines[0], "cost": 0.5}
    path.write_text(json.dumps(quick) + "\n")
    pipeline = make_pipeline(resolve_targets("cpu"), PipelineOptions(tuning=(path,)))
    graph = pipeline.import_graph(network())
    assert obey(pipeline.options, graph).cpu.tuned == ((quick["what"], Tile.from_dict(quick["choice"])),)
    default, tuned = acc.compile(network()), acc.compile(network(), tuning=path)
    rng = np.random.default_rng(1)
    inputs = {i.name: rng.normal(0, 1, i.fixed_shape).astype(np.float32) for i in default.inputs}
    for name, value in tuned.run(inputs).items():
        np.testing.assert_array_equal(value, default.run(inputs)[name])
    path.write_text(json.dumps({**quick, "timing": {**quick["timing"], "processor": "another"}}) + "\n")
    with pytest.warns(acc.TuningWarning, match="for other hardware: processor another instead of"):
        acc.compile(network(), tuning=path)


def test_a_tile_must_be_clearly_quicker_twice() -> None:
    contraction = Contraction(outputs=64, sums=64, height=16, width=16)
    noted: list[tuple[Any, float]] = []
    search = Tuning({"k": contraction}, Processor(), {}, 0, lambda _, name, tile, cost: noted.append((tile, cost)))
    (known,) = search.searches.values()
    assert known.best == known.default and len(known.waiting) > 50
    slower = search.next()
    assert slower is not None
    search.observe(slower, Ratios({"k": 1.2}, {"k": 1.0}))
    assert search.best == () and noted == [(dict(slower)[contraction.identity], 1.2)]
    lucky = search.next()
    assert lucky is not None
    search.observe(lucky, Ratios({"k": 0.9}, {"k": 1.0}))
    assert search.best == () and search.next() == lucky
    search.observe(lucky, Ratios({"k": 1.0}, {"k": 1.0}))
    assert search.best == () and noted[-1][1] == 1.0
    quicker = search.next()
    assert quicker is not None and quicker != lucky
    for _ in range(2):
        search.observe(quicker, Ratios({"k": 0.9}, {"k": 1.0}))
    assert search.best == quicker and noted[-1] == (dict(quicker)[contraction.identity], 0.9)


@pytest.mark.parametrize("data", [None, {}, {"width": 0, "lanes": 1, "vectors": 1, "rows": 0, "instruction": ""}])
def test_what_is_no_tile(data: Any) -> None:
    with pytest.raises(ValueError, match="it is no tile"):
        Tile.from_dict(data)


# The command line, and what it is given.


@pytest.fixture
def model(tmp_path: Path) -> str:
    onnx.save(network(), tmp_path / "model.onnx")
    (tmp_path / "small.json").write_text(json.dumps(SMALL))
    return str(tmp_path / "model.onnx")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main([*arguments])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return code, printed.out, printed.err


def test_the_commands(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line in the middle of the log that is broken is named by both commands, and hinders none."""
    path, config = str(tmp_path / "tuned.jsonl"), str(tmp_path / "small.json")
    Path(path).write_text(f"{record(1).line()}\nbroken\n{record(2).line()}\n")
    asked = ("--target", "vta", "--config", config)
    code, out, err = run(capsys, "tune", model, *asked, "-o", path, "--trials", "20", "--jobs", "1", "--json")
    found = json.loads(out)
    assert code == 0 and found["trials"] == 20 and found["best"] <= found["default"] and found["unit"] == "cycles"
    assert err == f"acc: warning: 1 line of a tuning log is skipped: {path}:2: it is no JSON\n"
    code, out, err = run(capsys, "compile", model, *asked, "-o", str(tmp_path / "m.so"), "--tuning", path)
    assert code == 0 and out == "" and err.count("\n") == 1 and "tuned.jsonl:2: it is no JSON" in err
    assert abs(profile(tmp_path / "m.so").cycles - found["best"]) <= 8


BAD = {
    "zero trials": (("--trials", "0"), "trials is 0: it is a whole number from 1 on"),
    "no trials": (("--trials", "many"), "--trials: 'many' is not a whole number"),
    "no time": (("--time", "soon"), "--time: 'soon' is not of the form 90s, 5m or 2h"),
    "zero time": (("--time", "0s"), "seconds is 0.0: it is a positive number"),
    "zero jobs": (("--jobs", "0"), "jobs is 0: it is a whole number from 1 on"),
    "no configuration": (("--config", "/nowhere.json"), "cannot read '/nowhere.json': No such file or directory"),
    "no folder": (("-o", "/nowhere/log"), "cannot write the tuning log '/nowhere/log': No such file or directory"),
    "a folder": (("-o", "/tmp"), "cannot write the tuning log '/tmp': Is a directory"),
    "a full disk": (("-o", "/dev/full"), "cannot write the tuning log '/dev/full': No space left on device"),
    "no time on the device": (("--device", "fsim"), "device 'fsim' has no notion of time: 'csim' and 'tsim' do"),
    "no device": (("--device", "board"), "unknown device 'board'"),
    "no target": (("--target", "gpu"), "there is no target 'gpu'"),
    "no cluster": (("--ray", "127.0.0.1:1"), "Ray"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options, wanted = BAD[name]
    if name == "no cluster" and "ray" in sys.modules:
        pytest.skip("a client of Ray waits long for a cluster that is not there")
    path = str(tmp_path / "tuned.jsonl")
    given = ["tune", model, "--target", "vta", "--config", str(tmp_path / "small.json"), "-o", path, *options]
    if "--trials" not in options:
        given += ["--trials", "4"]
    code, out, err = run(capsys, *given)
    assert (code, out) == (2, "") and wanted in err and err.count("\n") == 1
    assert not Path(path).exists()


def test_nothing_to_tune(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A float model, of which nothing runs on the accelerator."""
    x, y = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, (1, 4)) for n in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Exp", ["x"], ["y"], "e")], "g", [x], [y])
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9),
        tmp_path / "f.onnx",
    )
    path = tmp_path / "log"
    code, _, err = run(capsys, "tune", str(tmp_path / "f.onnx"), "--target", "vta", "-o", str(path))
    assert code == 2 and "no kernel of the model runs on 'vta', so there is nothing to tune" in err
    assert not path.exists()


def test_logs_that_cannot_be_read(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = str(tmp_path / "m.so")
    for path, why in (("/nowhere.jsonl", "No such file or directory"), ("/dev/zero", "it is no regular file")):
        code, _, err = run(capsys, "compile", model, "--target", "vta", "-o", output, "--tuning", path)
        assert code == 2 and err == f"acc: error: cannot read the tuning log '{path}': {why}\n"
    (tmp_path / "empty").touch()
    code, _, err = run(capsys, "compile", model, "--target", "vta", "-o", output, "--tuning", str(tmp_path / "empty"))
    assert code == 0 and "nothing of the tuning log is for this model's target: it has no lines" in err


def test_interruption_keeps_what_was_found(model: str, tmp_path: Path) -> None:
    """Ctrl-C: exit code 130, and a log of whole lines that the next search goes on from."""
    path = tmp_path / "log"
    given = [model, "--target", "vta", "--config", str(tmp_path / "small.json"), "-o", str(path), "--jobs", "1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-m", "acc", "tune", *given]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    until = time.monotonic() + 120
    while (not path.exists() or path.stat().st_size < 4000) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"acc: what was found is in '{path}'" in err and "Traceback" not in err
    known = Log.read(path)
    assert len(known) > 4 and not known.problems


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("2h", 7200), ("1.5m", 90), ("7", 7)])
def test_times(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds
