"""Runs the backend tests of the onnx package against acc, under that package's own runner.

    python test/support/onnx_conformance.py [-k PATTERN] [--open] [--update] [-j N]

Every case runs in a worker process with a time limit, so that a crash or a hang costs one case and not the run.
A case passes, or acc refuses it with an error that names the operator, the node and the reason; of a few, the stored
result is less exact than acc's (DIFFERS). What does not pass is listed in onnx_backend_list.txt, which `--update`
writes anew; whatever else happens is a failure, and so is a case that passes although it is listed.

With `--open` every size of every input is only known when the model runs. What acc then wants to know, and passes with,
is "sized", with the reason; it is listed in onnx_open_list.txt, where else the same list holds.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import gc
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import time
import unittest
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from onnx import ModelProto

from acc.errors import ModelError, NeedsShape
from acc.onnx_backend import AccBackend, AccBackendRep
from open_sizes import with_open_sizes

LIST = Path(__file__).with_name("onnx_backend_list.txt")
OPEN_LIST = Path(__file__).with_name("onnx_open_list.txt")

SUITES = {
    "RealModel": "light",
    "SimpleModel": "simple",
    "PyTorchConvertedModel": "pytorch-converted",
    "PyTorchOperatorModel": "pytorch-operator",
    "NodeModel": "node",
}
"""onnx's categories and what they are called here, those with the longest cases first."""

_NOISE = "the stored result holds rounding errors of numpy's transform in float32 where acc has almost exact zeros"
_HALF = "rounded to halves after every operator, as ONNX Runtime does, whose result differs from the stored one as much"
DIFFERS: dict[str, tuple[float, str]] = {
    "node/test_dft_inverse": (1e-6, _NOISE),
    "node/test_dft_inverse_opset19": (1e-6, _NOISE),
    "node/test_attention_4d_causal_fp16": (1e-3, _HALF),
    "node/test_attention_4d_causal_fp16_expanded": (1e-3, _HALF),
}
"""Cases whose stored result is not to be met, with the absolute tolerance within which it is, and why."""

# Seconds of processor time, far above what a case takes.
TIME_LIMIT = 60.0

# How much longer a case may take on the clock, for machines that are busy and cases that wait for nothing.
PATIENCE = 10

# Before a worker is replaced by a fresh one, which bounds what leaks can do.
CASES_PER_WORKER = 600


class _Backend(AccBackend):
    """Never skips: what acc cannot do is to be refused with a reason. Notes which models were specialised.

    With `opens` the models have no sizes.
    """

    last: AccBackendRep | None = None
    opens = False

    @classmethod
    def is_compatible(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        return True

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> AccBackendRep:
        _Backend.last = None
        _Backend.last = super().prepare(with_open_sizes(model) if cls.opens else model, device, **kwargs)
        return _Backend.last


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        name: suite/test_name.
        kind: "passed", "refused", "differs" (see DIFFERS), "sized" (passed, with sizes compiled in that were open),
            "wrong" (result), "error" (anything but a refusal), "crash" or "hang".
        reason: one line; empty if passed.
        operator: the operator that the case is about, as far as one can tell.
        frozen: inputs whose values were compiled in.
        seconds: how long it took.
    """

    name: str
    kind: str
    reason: str = ""
    operator: str = ""
    frozen: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def suite(self) -> str:
        return self.name.split("/")[0]

    @property
    def failed(self) -> bool:
        return self.kind not in ("passed", "refused", "differs", "sized")


@dataclass
class _Result(unittest.TestResult):
    """Keeps the exception itself, where unittest keeps text."""

    error: BaseException | None = None
    skipped_for: str | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def addError(self, test: Any, err: Any) -> None:
        self.error = err[1]

    def addFailure(self, test: Any, err: Any) -> None:
        self.error = err[1]

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self.skipped_for = reason


class Suite:
    """All cases of the onnx package, ready to run one by one in this process.

    With `opens` the sizes of all inputs are only known when a case runs.
    """

    def __init__(self, opens: bool = False) -> None:
        self._opens = opens
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from onnx.backend.test import BackendTest

            class Runner(BackendTest):
                """Accepts larger differences where they are explained."""

                tolerance: float | None = None
                differs = False

                @classmethod
                def assert_similar_outputs(
                    cls, ref_outputs: Any, outputs: Any, rtol: float, atol: float, **more: Any
                ) -> None:
                    try:
                        super().assert_similar_outputs(ref_outputs, outputs, rtol, atol, **more)
                    except AssertionError:
                        if cls.tolerance is None:
                            raise
                        super().assert_similar_outputs(ref_outputs, outputs, rtol, cls.tolerance, **more)
                        cls.differs = True

            self._runner = Runner(_Backend, __name__)
            classes = self._runner.test_cases
        self._tests: dict[str, tuple[unittest.TestCase, Any]] = {}
        for category, suite in SUITES.items():
            for name, item in sorted(self._runner._test_items[category].items()):
                if name.endswith("_cpu"):
                    test = classes[f"OnnxBackend{category}Test"](name)
                    self._tests[f"{suite}/{name.removesuffix('_cpu')}"] = (test, item)

    @property
    def names(self) -> list[str]:
        return list(self._tests)

    def run(self, name: str) -> Outcome:
        """Runs one case; nothing that it does to this process is contained."""
        test, item = self._tests[name]
        result = _Result()
        runner: Any = type(self._runner)
        runner.tolerance, reason_to_differ = DIFFERS.get(name, (None, ""))
        runner.differs = False
        _Backend.opens = self._opens
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test.run(result)
        seconds = time.perf_counter() - started
        model = item.proto[0]
        frozen = _Backend.last.specialized.compiled_in if _Backend.last else ()
        kind, reason = _judge(result)
        if kind == "passed" and runner.differs:
            kind, reason = "differs", reason_to_differ
        sized = [
            e for e in (_Backend.last.specialized.requirements if _Backend.last else ()) if isinstance(e, NeedsShape)
        ]
        if kind == "passed" and self._opens and sized:
            kind, reason = "sized", _one_line(str(sized[0]))
        return Outcome(name, kind, reason, _operator(name, model), frozen, seconds)


def _judge(result: _Result) -> tuple[str, str]:
    """The kind of an outcome and its reason."""
    error = result.error
    if result.skipped_for is not None:
        return "error", f"skipped: {result.skipped_for}"
    if error is None:
        return "passed", ""
    reason = _one_line(str(error))
    # Whatever fails after the import is a defect: only there is it known which node is to blame.
    if isinstance(error, ModelError):
        return "refused", reason
    if isinstance(error, AssertionError):
        return "wrong", reason
    return "error", f"{type(error).__name__}: {reason}"


def _one_line(text: str) -> str:
    """The first problem of a message, without what every message begins with."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and re.search(r"\d+ problems$", lines[0]):
        return f"{lines[1]} (and {len(lines) - 2} more)"
    return re.sub(r"^the model: ", "", " ".join(lines))[:300]


def _operator(name: str, model: ModelProto | None) -> str:
    if not name.startswith("node/") or model is None:
        return ""
    types = {f"{node.domain}.{node.op_type}".removeprefix(".") for node in model.graph.node}
    return types.pop() if len(types) == 1 and "_expanded" not in name else "(several, expanded functions)"


def _work(suite: Suite, tasks: Connection, stderr: int) -> None:
    gc.freeze()
    os.dup2(stderr, 2)
    while True:
        name = tasks.recv()
        if name is None:
            return
        os.ftruncate(stderr, 0)
        tasks.send(suite.run(name))


@dataclass
class _Worker:
    """A process that runs cases, one at a time."""

    suite: Suite
    name: str | None = None
    started: float = 0.0
    used: float = 0.0
    count: int = 0
    process: Any = field(init=False)
    pipe: Connection = field(init=False)
    stderr: Any = field(init=False)

    def __post_init__(self) -> None:
        # A fork shares the cases, whose construction takes seconds. What earlier tests left in cycles, contexts of MLIR
        # among it, goes here and not there, where the threads that contexts wait for do not exist.
        gc.collect()
        context = multiprocessing.get_context("fork")
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(self.suite, theirs, self.stderr.fileno()), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, name: str) -> None:
        self.name, self.started, self.used = name, time.monotonic(), 0.0
        self.used = self._cpu_seconds()
        self.count += 1
        with contextlib.suppress(BrokenPipeError):
            self.pipe.send(name)

    def _cpu_seconds(self) -> float:
        """Processor time since the case at hand was given."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return time.monotonic() - self.started
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") - self.used

    def take(self, time_limit: float) -> Outcome | None:
        """The outcome of the case at hand, if there is one by now."""
        assert self.name is not None
        if self.pipe.poll():
            try:
                outcome = self.pipe.recv()
                self.name = None
                return outcome
            except (EOFError, OSError):
                self.process.join(5)
                return self._end("crash", self._last_words())
        waited = time.monotonic() - self.started
        if waited > time_limit and (waited > PATIENCE * time_limit or self._cpu_seconds() > time_limit):
            return self._end("hang", f"not done after {time_limit:g} s")
        return None

    def _last_words(self) -> str:
        code = self.process.exitcode
        how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        self.stderr.seek(0)
        lines = [line for line in self.stderr.read().decode("utf-8", "replace").splitlines() if line.strip("\0 ")]
        return f"{how}: {lines[0].strip(chr(0))[:200]}" if lines else how

    def _end(self, kind: str, reason: str) -> Outcome:
        outcome = Outcome(self.name or "", kind, reason, seconds=time.monotonic() - self.started)
        self.name = None
        self.stop()
        return outcome

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()
        self.stderr.close()
        self.count = CASES_PER_WORKER


def run_cases(suite: Suite, names: Sequence[str], jobs: int = 2, time_limit: float = TIME_LIMIT) -> Iterator[Outcome]:
    """Runs cases in `jobs` processes; their outcomes as they come."""
    waiting = collections.deque(names)
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.name for worker in workers):
            for worker in [worker for worker in workers if worker.name is None and worker.count >= CASES_PER_WORKER]:
                if not worker.pipe.closed:
                    worker.stop()
                workers.remove(worker)
            while waiting and len(workers) < jobs:
                workers.append(_Worker(suite))
            for worker in workers:
                if worker.name is None and waiting:
                    worker.give(waiting.popleft())
            wait([worker.pipe for worker in workers if worker.name], 0.5)
            for worker in workers:
                if worker.name and (outcome := worker.take(time_limit)):
                    yield outcome
    finally:
        for worker in workers:
            if not worker.pipe.closed:
                worker.stop()


def run_all(
    pattern: str = "",
    jobs: int = 2,
    time_limit: float = TIME_LIMIT,
    progress: bool = False,
    opens: bool = False,
    one_in: int = 1,
) -> list[Outcome]:
    """The outcomes of all cases whose name (suite/test_name) matches, or one in so many of them, sorted by name."""
    suite = Suite(opens)
    names = [name for name in suite.names if re.search(pattern, name)][::one_in]
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="acc-onnx-") as folder:
        # The runner copies the light models' stored outputs there.
        os.environ["ONNX_MODELS"] = folder
        for outcome in run_cases(suite, names, jobs, time_limit):
            outcomes.append(outcome)
            if progress:
                print(f"\r{len(outcomes)}/{len(names)}", end="", file=sys.stderr, flush=True)
    if progress:
        print("\r\x1b[K", end="", file=sys.stderr)
    return sorted(_with_operators(outcomes), key=lambda outcome: outcome.name)


def _with_operators(outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
    """Cases of expanded functions belong to the function's operator."""
    known = {outcome.name: outcome.operator for outcome in outcomes}
    for outcome in outcomes:
        base = re.sub(r"_expanded(_ver\d+|_\w+)?$", "", outcome.name)
        if base != outcome.name and known.get(base):
            outcome = replace(outcome, operator=f"{known[base]} (expanded)")
        yield outcome


def read_list(opens: bool = False) -> dict[str, str]:
    """What is listed of a case, "class: reason", by its name."""
    lines: list[str] = []
    for path in (LIST, OPEN_LIST) if opens else (LIST,):
        lines += path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))


def write_list(listed: Mapping[str, str], opens: bool = False) -> None:
    """Writes a list anew; that of open sizes without what the other one has."""
    path, known = (OPEN_LIST, read_list()) if opens else (LIST, {})
    what = "that want to know sizes of inputs" if opens else "that do not pass"
    header = (
        f"# Backend tests of the onnx package {what}: case, class, reason; refusals as acc words them.\n"
        f"# Written by `make conformance{' OPEN=1' if opens else ''} UPDATE=1`.\n"
    )
    lines = [f"{name}: {entry}\n" for name, entry in sorted(listed.items()) if known.get(name) != entry]
    path.write_text(header + "".join(lines), encoding="utf-8")


def deviations(outcomes: Sequence[Outcome], listed: Mapping[str, str]) -> list[str]:
    """What is not as listed, one line each."""
    lines = []
    for outcome in outcomes:
        expected = listed.get(outcome.name)
        entry = f"{outcome.kind}: {outcome.reason}"
        if outcome.kind == "passed":
            if expected is not None:
                lines.append(f"{outcome.name}: passes, but is listed")
        elif outcome.failed or expected is None:
            lines.append(f"{outcome.name}: {entry}")
        elif expected != entry:
            lines.append(f"{outcome.name}: {entry}; listed is: {expected}")
    return lines


def _counts(outcomes: Sequence[Outcome], key: str) -> list[str]:
    """A table with a line for each value of an attribute."""
    groups: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for outcome in outcomes:
        count = groups[getattr(outcome, key)]
        count["failed" if outcome.failed else outcome.kind] += 1
        count["all"] += 1
        count["frozen"] += outcome.kind == "passed" and bool(outcome.frozen)
    width = max(map(len, groups), default=0)
    lines = [f"{key:{width}}   all  passed   sized  refused  differ  failed  (passed with frozen inputs)"]
    for name, count in sorted(groups.items()):
        lines.append(
            f"{name:{width}} {count['all']:5} {count['passed']:7} {count['sized']:7} {count['refused']:8} "
            f"{count['differs']:7} {count['failed']:7}  {count['frozen'] or ''}".rstrip()
        )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the backend tests of the onnx package against acc.")
    parser.add_argument("-k", default="", metavar="REGEX", help="only cases whose suite/test_name matches")
    parser.add_argument("-j", type=int, default=os.cpu_count() or 1, metavar="N", help="worker processes")
    parser.add_argument(
        "--time-limit", type=float, default=TIME_LIMIT, metavar="S", help="processor seconds a case may take"
    )
    parser.add_argument("--open", action="store_true", help="leave all sizes of inputs open")
    parser.add_argument(
        "--update", action="store_true", help=f"write {LIST.name} ({OPEN_LIST.name}) anew, for the cases that ran"
    )
    parser.add_argument("-v", action="store_true", help="a line for every case, with its reason")
    parser.add_argument("--slowest", type=int, default=0, metavar="N", help="list the slowest cases")
    args = parser.parse_args()
    started = time.perf_counter()
    outcomes = run_all(args.k, args.j, args.time_limit, progress=sys.stderr.isatty(), opens=args.open)
    listed = read_list(args.open)
    if args.update:
        ran = {outcome.name for outcome in outcomes}
        listed = {name: entry for name, entry in listed.items() if name not in ran and args.k}
        kept = [outcome for outcome in outcomes if outcome.kind != "passed" and not outcome.failed]
        listed |= {outcome.name: f"{outcome.kind}: {outcome.reason}" for outcome in kept}
        write_list(listed, args.open)
    if args.v:
        print("\n".join(f"{o.name}: {o.kind}: {o.reason} {o.frozen or ''}" for o in outcomes), end="\n\n")
    for outcome in sorted(outcomes, key=lambda outcome: -outcome.seconds)[: args.slowest]:
        print(f"{outcome.seconds:6.2f} s  {outcome.name}")
    print("\n".join(_counts([outcome for outcome in outcomes if outcome.operator], "operator")), end="\n\n")
    print("\n".join(_counts(outcomes, "suite")), end="\n\n")
    wrong = deviations(outcomes, listed)
    print("\n".join(wrong))
    print(f"{len(outcomes)} cases in {time.perf_counter() - started:.0f} s, {len(wrong)} not as listed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
