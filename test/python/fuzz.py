"""Compiles random ONNX graphs and compares what they compute with ONNX's reference and ONNX Runtime.

    python test/python/fuzz.py [N] [--seed S] [--keep FOLDER] [-j JOBS]

Every graph (fuzz_graphs) runs in a worker process with a time limit. A result is right if it agrees with the
reference implementation or, where that errs, with ONNX Runtime: exactly where all values are exact, otherwise
within a tolerance. A graph that fails is cut down to the first value that is wrong, and kept.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto

import acc
from acc.errors import ModelError, NeedsShape, NeedsValue, RunError
from fuzz_graphs import Case, generate, make_info
from onnx_conformance import Outcome, run_cases

RELATIVE = {"float16": 2e-2, "float32": 1e-3, "float64": 1e-3}
# The graph may have been computed in a narrower type than its output has.
ABSOLUTE = 2e-4


@dataclass(frozen=True)
class Fuzz:
    """The graphs of seeds, as cases for `run_cases`."""

    keep: Path | None = None
    target: str = "cpu"

    def run(self, name: str) -> Outcome:
        """Compiles and runs the graph of one seed ("fuzz/<seed>")."""
        seed = int(name.split("/")[1])
        started = time.perf_counter()
        case = generate(seed)
        kind, reason = judge(case, self.target)
        if kind in ("wrong", "error") and self.keep is not None:
            self.keep.mkdir(parents=True, exist_ok=True)
            small = shrink(case, kind, self.target)
            onnx.save(small.model, self.keep / f"{seed}.onnx")
            np.savez(self.keep / f"{seed}.npz", **small.feeds)
            reason = f"{reason} [{', '.join(node.op_type for node in small.model.graph.node)}]"
        return Outcome(name, kind, reason, seconds=time.perf_counter() - started)


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


def run_onnxruntime(case: Case) -> dict[str, np.ndarray] | None:
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


def run_seeds(seeds: Iterable[int], jobs: int, keep: Path | None = None, progress: bool = False) -> list[Outcome]:
    """The outcomes of the graphs of `seeds`, in order."""
    outcomes = []
    names = [f"fuzz/{seed}" for seed in seeds]
    for outcome in run_cases(Fuzz(keep), names, jobs):
        outcomes.append(outcome)
        if progress:
            print(f"\r{len(outcomes)}/{len(names)}", end="", file=sys.stderr, flush=True)
    if progress:
        print("\r\x1b[K", end="", file=sys.stderr)
    return sorted(outcomes, key=lambda outcome: int(outcome.name.split("/")[1]))


def main() -> int:
    parser = argparse.ArgumentParser(description="Compiles random ONNX graphs and compares their results.")
    parser.add_argument("count", type=int, nargs="?", default=1000, help="how many graphs")
    parser.add_argument("--seed", type=int, default=0, help="of the first; the others follow")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="folder for the graphs that fail")
    parser.add_argument("-j", type=int, default=os.cpu_count() or 1, metavar="N", help="worker processes")
    args = parser.parse_args()
    started = time.perf_counter()
    outcomes = run_seeds(range(args.seed, args.seed + args.count), args.j, args.keep, sys.stderr.isatty())
    for outcome in outcomes:
        if outcome.kind != "passed":
            print(f"{outcome.name}: {outcome.kind}: {outcome.reason}")
    kinds = [outcome.kind for outcome in outcomes]
    counts = ", ".join(
        f"{kinds.count(kind)} {kind}" for kind in ("passed", "refused", *sorted({o.kind for o in outcomes if o.failed}))
    )
    print(f"{len(outcomes)} graphs in {time.perf_counter() - started:.0f} s: {counts}")
    failed = [outcome for outcome in outcomes if outcome.failed]
    if failed:
        print(f"the graphs that failed are in {args.keep}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
