"""Compiles random ONNX graphs and compares what they compute with ONNX's reference and ONNX Runtime.

    python test/support/fuzz.py [N] [--seed S] [--kind KIND] [--keep FOLDER] [-j JOBS]
    python test/support/fuzz.py KIND/SEED...

Graphs are of four kinds, in turn:

- float: operators on tensors of any type (fuzz_graphs). A result is right if it agrees with the reference
  implementation or, where that errs, with ONNX Runtime: exactly where all values are exact, otherwise within a
  tolerance.
- open: the same with sizes of inputs that only a run knows.
- quantized: what quantizers make of networks (fuzz_quantized, qdq_models, qdq_zoo). Results are right within a few
  quantization steps; with sizes of inputs open, all of them and some, they are the same bits.
- invented: any operator on anything (fuzz_invented). Whatever is not refused with a reason must compile, and run or say
  why not.

Every graph runs in a worker process with a time limit, so that what ends or hangs the compiler is a failure of its
seed. A graph that fails is kept, a wrong one cut down to the first value that is wrong.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto

import acc
import fuzz_invented
import fuzz_quantized
from acc.errors import ModelError, ModelFileError, NeedsShape, NeedsValue, RunError
from fuzz_graphs import Case, generate, make_info
from fuzz_quantized import Network
from onnx_conformance import Outcome, run_cases
from open_sizes import own_name, with_open_sizes
from qdq_models import random_network
from qdq_zoo import random_zoo

KINDS = ("float", "open", "quantized", "invented")

RELATIVE = {"float16": 2e-2, "float32": 1e-3, "float64": 1e-3}
# The graph may have been computed in a narrower type than its output has.
ABSOLUTE = 2e-4
# How far, on average, the result of a quantized graph may be off: every layer rounds to a step of its own.
MEAN_STEPS = 3.0
# What a worker may use, in bytes.
MEMORY = 16 << 30


@dataclass(frozen=True)
class Fuzz:
    """The graphs of seeds, as cases for `run_cases`, by name: "<kind>/<seed>"."""

    keep: Path | None = None
    target: str = "cpu"

    def run(self, name: str) -> Outcome:
        """Compiles and runs one graph."""
        started = time.perf_counter()
        # Sizes may be anything; what asks for all memory there is must fail here, not elsewhere.
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        case = make_case(name)
        if name.startswith("invented/"):
            kind, reason = judge_invented(case, int(name.split("/")[1]))
        elif isinstance(case, Network):
            kind, reason = judge_network(case, int(name.split("/")[1]))
        else:
            kind, reason = judge(case, self.target)
        if kind in ("wrong", "error") and self.keep is not None:
            if isinstance(case, Case):
                case = shrink(case, kind, self.target)
            reason = f"{reason} [{', '.join(node.op_type for node in case.model.graph.node)}]"
            save(case, name, self.keep)
        return Outcome(name, kind, reason, seconds=time.perf_counter() - started)


def make_case(name: str) -> Case | Network:
    """The graph "<kind>/<seed>"."""
    kind, _, number = name.partition("/")
    seed = int(number)
    if kind == "quantized":
        return make_network(seed)
    if kind == "invented":
        model = fuzz_invented.generate(seed)
        return Network(model, fuzz_invented.feeds(model, seed) or {}, {}, {})
    case = generate(seed)
    if kind == "open":
        case.model = with_open_sizes(case.model, choose_open_sizes(np.random.default_rng([seed, 1])))
    return case


def make_network(seed: int) -> Network:
    """A quantized graph; of networks of images nothing is expected but that all ways to compile them agree."""
    kind = int(np.random.default_rng([seed, 2]).choice(4))
    if kind > 1:
        return fuzz_quantized.generate(seed)
    model = random_network(seed) if kind else random_zoo(seed)
    rng = np.random.default_rng([seed, 4])
    feeds = {}
    for value in model.graph.input:
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        array = rng.normal(0, 1 if dtype.kind == "f" else 50, shape)
        feeds[value.name] = array.astype(dtype) if dtype.kind == "f" else array.astype(np.int64).astype(dtype)
    return Network(model, feeds, {}, {})


def save(case: Case | Network, name: str, folder: Path) -> None:
    """Keeps a graph and its inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(case.model, folder / f"{name.replace('/', '-')}.onnx")
    np.savez(folder / f"{name.replace('/', '-')}.npz", **case.feeds)


def judge_invented(case: Case | Network, seed: int) -> tuple[str, str]:
    """What became of a model that may be no model, as `judge`."""
    try:
        with acc.compile(case.model, target="vta" if seed % 5 == 0 else "cpu") as executable:
            if len(case.feeds) == len(case.model.graph.input):
                executable.run(case.feeds)
    except (ModelError, ModelFileError, RunError) as error:
        text = str(error)
        if "9223372036854775808" in text or "graph." in text or "memref" in text:
            return "error", f"does not speak to users: {text[-300:]}"
        return "refused", text.splitlines()[-1].strip()[:200]
    except Exception as error:
        return "error", f"{type(error).__name__}: {str(error).splitlines()[-1][:300] if str(error) else ''}"
    return "passed", ""


def choose_open_sizes(rng: np.random.Generator) -> Callable[[onnx.ValueInfoProto, int], str | None]:
    """Which axes are open, and what their sizes are called: all of them or some, equal sizes by one name or not."""
    share, shared = float(rng.choice((1.0, 1.0, 0.5))), bool(rng.random() < 0.3)

    def name(value: onnx.ValueInfoProto, axis: int) -> str | None:
        dim = value.type.tensor_type.shape.dim[axis]
        if rng.random() >= share:
            return dim.dim_param or None
        return f"size{dim.dim_value}" if shared and dim.HasField("dim_value") else own_name(value, axis)

    return name


AXES = {"all sizes": None, "the batch": 0, "the channels": 1, "the height": 2, "the width": 3}
"""What quantized graphs leave open, as an axis of every input; axis 1 of a sequence is its length."""


def judge_network(network: Network, seed: int) -> tuple[str, str]:
    """What became of a quantized graph, with sizes fixed and open: as `judge`, or "sized" if it wants them."""
    try:
        fixed = run(network.model, network.feeds)
    except ModelError as error:
        return "refused", str(error).splitlines()[-1].strip()[:200]
    except Exception as error:
        return "error", f"{type(error).__name__}: {str(error).splitlines()[0][:300] if str(error) else ''}"
    differences = _steps_apart(fixed, network.expected, network.steps)
    if differences:
        # The reference implementation errs as well, in shapes of pools for one.
        others = run_onnxruntime(network)
        if others is None or _steps_apart(fixed, others, network.steps):
            return "wrong", differences[0]
    rng = np.random.default_rng([seed, 5])
    sized = ""
    for what in ("all sizes", str(rng.choice([key for key, axis in AXES.items() if axis is not None]))):
        axis = AXES[what]
        model = with_open_sizes(
            network.model, lambda value, at, axis=axis: own_name(value, at) if axis in (None, at) else None
        )
        try:
            with acc.compile(model) as executable:
                results = executable.run(network.feeds)
        except NeedsShape as error:
            sized = f"with {what} open: {str(error).splitlines()[-1].strip()[:200]}"
            continue
        except Exception as error:
            text = str(error).splitlines()[-1].strip()[:300] if str(error) else ""
            return "error", f"with {what} open: {type(error).__name__}: {text}"
        for name, array in fixed.items():
            if results[name].dtype != array.dtype or not np.array_equal(results[name], array, equal_nan=True):
                return "wrong", f"with {what} open, {name}: {describe(results[name], array)}"
    return ("sized", sized) if sized else ("passed", "")


def _steps_apart(
    ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray], steps: Mapping[str, float]
) -> list[str]:
    """What is wrong with the results of a quantized graph, whose layers may each be a step off."""
    wrong = []
    for name, step in steps.items():
        a, b = ours[name], theirs[name]
        if a.dtype != b.dtype or a.shape != b.shape:
            wrong.append(f"{name}: {a.dtype}{list(a.shape)} instead of {b.dtype}{list(b.shape)}")
        elif a.size:
            apart = np.abs(a.astype(np.float64) - b.astype(np.float64)) / step
            if not np.isfinite(apart).all() or apart.mean() > MEAN_STEPS:
                wrong.append(f"{name}: {apart.mean():.1f} steps off on average, {apart.max():.0f} at most")
    return wrong


def judge(case: Case, target: str = "cpu") -> tuple[str, str]:
    """What became of a case: "passed", "refused", "wrong" or "error", and why."""
    try:
        results = run(case.model, case.feeds, target)
    except ModelError as error:
        return "refused", str(error).splitlines()[-1].strip()[:200]
    except RunError as error:
        # Sizes or values that acc only sees when it runs, and then refuses by the node's name.
        return ("refused" if "node '" in str(error) else "error"), str(error)[:200]
    except Exception as error:
        return "error", f"{type(error).__name__}: {str(error).splitlines()[0][:300] if str(error) else ''}"
    differences = compare(results, case)
    if differences:
        others = run_onnxruntime(case)
        if others is not None:
            differences = [name for name in differences if not agrees(results[name], others[name], exact=False)]
    if not differences:
        return "passed", ""
    name = differences[0]
    return "wrong", f"{name}: {describe(results[name], case.expected[name])}"


def run(model: ModelProto, feeds: Mapping[str, np.ndarray], target: str = "cpu") -> dict[str, np.ndarray]:
    """Compiles for the sizes that the model declares, or for those of the inputs where an operator needs them."""
    values: dict[str, np.ndarray] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    while True:
        try:
            with acc.compile(model, target=target, values=values, shapes=shapes) as executable:
                return executable.run({name: array for name, array in feeds.items() if name not in values})
        except (NeedsValue, NeedsShape) as error:
            new = [name for name in error.inputs if name not in values and name not in shapes]
            if not new:
                raise
            given = {name: feeds[name] for name in new}
            if isinstance(error, NeedsValue):
                values |= given
            else:
                shapes |= {name: array.shape for name, array in given.items()}


def compare(results: Mapping[str, np.ndarray], case: Case) -> list[str]:
    """The outputs that differ from what is expected."""
    return [name for name, array in case.expected.items() if not agrees(results[name], array, case.exact[name])]


def agrees(ours: np.ndarray, theirs: np.ndarray, exact: bool) -> bool:
    if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        return False
    if ours.dtype.kind != "f":
        return bool(np.array_equal(ours, theirs)) or (not exact and _off_by_one(ours, theirs))
    if exact and np.array_equal(ours, theirs, equal_nan=True):
        return True
    relative = 1e-6 if exact else RELATIVE[ours.dtype.name]
    scale = max(1.0, float(np.abs(theirs).max(initial=0)))
    absolute = 0.0 if exact else max(ABSOLUTE, relative / 4) * scale
    return bool(np.allclose(ours, theirs, relative, absolute, equal_nan=True))


def _off_by_one(ours: np.ndarray, theirs: np.ndarray) -> bool:
    return ours.dtype.kind in "iu" and int(np.abs(ours.astype(np.int64) - theirs.astype(np.int64)).max(initial=0)) <= 1


def describe(ours: np.ndarray, theirs: np.ndarray) -> str:
    if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        return f"{ours.dtype}{list(ours.shape)} instead of {theirs.dtype}{list(theirs.shape)}"
    differs = np.argwhere(~np.isclose(ours.astype(np.float64), theirs.astype(np.float64), 1e-3, 1e-4, equal_nan=True))
    if not len(differs):
        return "differs slightly where all values are exact"
    place = tuple(differs[0])
    return f"{len(differs)} of {ours.size} differ, {ours[place]} instead of {theirs[place]} at {list(map(int, place))}"


def run_onnxruntime(case: Case | Network) -> dict[str, np.ndarray] | None:
    """What ONNX Runtime computes, None if it does not take the model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(case.model.SerializeToString(), options, ["CPUExecutionProvider"])
        return dict(zip(case.expected, session.run(list(case.expected), case.feeds), strict=True))
    except Exception:
        return None


def shrink(case: Case, kind: str, target: str) -> Case:
    """The smallest part of the graph, ending in one value, that fails in the same way."""
    from onnx.reference import ReferenceEvaluator

    nodes = case.model.graph.node
    arrays = dict(case.feeds)
    names = [name for node in nodes for name in node.output if name]
    results = ReferenceEvaluator(_ending_in(case.model, names, {})).run(names, case.feeds)
    arrays |= {name: np.asarray(array) for name, array in zip(names, results, strict=True)}
    for node in nodes:
        outputs = [name for name in node.output if name]
        model = _ending_in(case.model, outputs, arrays)
        feeds = {value.name: case.feeds[value.name] for value in model.graph.input}
        exact = dict.fromkeys(outputs, all(case.exact.values()))
        part = Case(model, feeds, {name: arrays[name] for name in outputs}, exact)
        if judge(part, target)[0] == kind:
            return part
    return case


def _ending_in(model: ModelProto, outputs: Sequence[str], arrays: Mapping[str, np.ndarray]) -> ModelProto:
    """The part of the graph that `outputs` depend on."""
    needed, nodes = set(outputs), []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            nodes.insert(0, node)
            needed |= set(node.input)
    part = ModelProto()
    part.CopyFrom(model)
    del part.graph.node[:], part.graph.output[:]
    part.graph.node.extend(nodes)
    for name in outputs:
        info = onnx.ValueInfoProto(name=name)
        part.graph.output.append(make_info(name, arrays[name], [None] * arrays[name].ndim) if name in arrays else info)
    for field in (part.graph.input, part.graph.initializer):
        kept = [item for item in field if item.name in needed]
        del field[:]
        field.extend(kept)
    return part


def names_of(seeds: Iterable[int], kinds: Sequence[str] = KINDS) -> list[str]:
    """The graphs of seeds, of every kind in turn."""
    return [f"{kinds[seed % len(kinds)]}/{seed}" for seed in seeds]


def run_graphs(names: Sequence[str], jobs: int, keep: Path | None = None, progress: bool = False) -> list[Outcome]:
    """The outcomes of the graphs named, in order; those that fail are kept."""
    outcomes = {}
    for outcome in run_cases(Fuzz(keep), names, jobs):
        outcomes[outcome.name] = outcome
        if outcome.kind in ("crash", "hang") and keep is not None:
            save(make_case(outcome.name), outcome.name, keep)
        if progress:
            print(f"\r{len(outcomes)}/{len(names)}", end="", file=sys.stderr, flush=True)
    if progress:
        print("\r\x1b[K", end="", file=sys.stderr)
    return [outcomes[name] for name in names]


def main() -> int:
    parser = argparse.ArgumentParser(description="Compiles random ONNX graphs and compares their results.")
    parser.add_argument("graphs", nargs="*", default=["1000"], help="how many graphs, or the names of some: KIND/SEED")
    parser.add_argument("--seed", type=int, default=0, help="of the first; the others follow")
    parser.add_argument("--kind", choices=KINDS, action="append", help="of the graphs, instead of all in turn")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="folder for the graphs that fail")
    parser.add_argument("-j", type=int, default=os.cpu_count() or 1, metavar="N", help="worker processes")
    args = parser.parse_args()
    started = time.perf_counter()
    names = args.graphs
    if names[0].isdigit():
        names = names_of(range(args.seed, args.seed + int(names[0])), args.kind or KINDS)
    outcomes = run_graphs(names, args.j, args.keep, sys.stderr.isatty())
    for outcome in outcomes:
        if outcome.kind not in ("passed", "sized"):
            print(f"{outcome.name}: {outcome.kind}: {outcome.reason}")
    for kind in KINDS:
        found = [outcome.kind for outcome in outcomes if outcome.name.startswith(f"{kind}/")]
        counts = ", ".join(
            f"{found.count(what)} {what}"
            for what in dict.fromkeys(("passed", "refused", *sorted(found)))
            if found.count(what)
        )
        if found:
            print(f"{kind}: {len(found)} graphs: {counts}")
    print(f"{len(outcomes)} graphs in {time.perf_counter() - started:.0f} s")
    failed = [outcome for outcome in outcomes if outcome.failed]
    if failed:
        print(f"the graphs that failed are in {args.keep}; again with")
        print(f"  PYTHONPATH=python .venv/bin/python test/support/fuzz.py {' '.join(o.name for o in failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
